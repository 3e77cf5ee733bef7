"""Frozen values that can be sent to another process."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from xgrad._arrays.namespaces import common_namespace


class Portable:
    """A frozen value that can be sent to another process, where a module cannot go.

    The namespace, ``xp``, is left behind and found again from the array ``anchor``;
    what is cached stays behind too.
    """

    xp: Any

    @property
    def anchor(self) -> Any:
        """An array of the namespace."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """The fields, without the namespace."""
        names = (field.name for field in fields(self))  # type: ignore[arg-type]
        return {name: self.__dict__[name] for name in names if name != "xp"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The fields, and the namespace of the arrays that arrived."""
        self.__dict__.update(state)
        self.__dict__["xp"] = common_namespace(x=self.anchor)
