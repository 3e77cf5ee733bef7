"""Contexts that hold for the duration of a call, and reach functions unpassed.

They are context variables: a loss may be called by the caller's function, through which
xgrad can pass no argument.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

# True while xgrad evaluates a caller's function at points that the caller did not
# choose: losses then leave the values of their prediction unchecked, since a small step
# may leave the domain of a prediction that is on its edge.
perturbed: ContextVar[bool] = ContextVar("xgrad_perturbed", default=False)


def quiet() -> Any:
    """Return a context in which xgrad's own arithmetic raises no NumPy warning."""
    return np.errstate(all="ignore")


class at_perturbed_points:  # noqa: N801 (a context, used like a function)
    """Context for evaluations at perturbed points: no warnings, no domain checks."""

    # A class takes half the time of a generator with `contextmanager`, and is entered
    # for each call of the caller's function.
    def __enter__(self) -> None:
        self._token = perturbed.set(True)
        self._quiet = quiet()
        self._quiet.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._quiet.__exit__(*exception)
        perturbed.reset(self._token)
