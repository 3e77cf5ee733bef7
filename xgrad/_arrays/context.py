"""State of a call that reaches functions without being passed: context variables."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

# True while xgrad evaluates a caller's function at points that the caller did not
# choose: losses then leave the values of their prediction unchecked.
perturbed: ContextVar[bool] = ContextVar("xgrad_perturbed", default=False)


def quiet() -> Any:
    """Context in which xgrad's own arithmetic raises no floating-point warning."""
    return np.errstate(all="ignore")


class at_perturbed_points:  # noqa: N801 (a context, used like a function)
    """The caller did not choose these points: no warnings, no checks of predictions."""

    def __enter__(self) -> None:
        self._token = perturbed.set(True)
        self._quiet = quiet()
        self._quiet.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._quiet.__exit__(*exception)
        perturbed.reset(self._token)
