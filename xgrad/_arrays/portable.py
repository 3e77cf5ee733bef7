"""Base class of frozen values that can be sent to another process."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from xgrad._arrays.namespaces import common_namespace


class Portable:
    """Base class of frozen dataclasses that can be pickled although they hold ``xp``.

    A module cannot be pickled: ``xp`` is left out, and determined anew from the array
    ``anchor`` in the other process. Cached properties are left out as well.
    """

    xp: Any

    @property
    def anchor(self) -> Any:
        """One array of the namespace ``xp``, among the fields."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields by name, without the namespace."""
        names = (field.name for field in fields(self))  # type: ignore[arg-type]
        return {name: self.__dict__[name] for name in names if name != "xp"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set the fields, and the namespace that the arrays belong to."""
        # Past `__setattr__`, which a frozen dataclass refuses.
        self.__dict__.update(state)
        self.__dict__["xp"] = common_namespace(x=self.anchor)
