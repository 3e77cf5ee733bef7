"""Contexts that hold for the duration of a call, and reach functions unpassed.

They are context variables: a loss may be called by the caller's function, through which
xgrad can pass no argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

# True while xgrad evaluates a caller's function at points that the caller did not
# choose: losses then leave the values of their prediction unchecked, since a small step
# may leave the domain of a prediction that is on its edge.
perturbed: ContextVar[bool] = ContextVar("xgrad_perturbed", default=False)

# True while PyTorch or JAX record a function for xgrad: a derivative inside of it is a
# part of that record, and must not be cut off.
recorded_natively: ContextVar[bool] = ContextVar("xgrad_native", default=False)

# False inside of xgrad's own pictures: a warning would speak of derivatives that the
# caller has not asked for.
_shows_statuses: ContextVar[bool] = ContextVar("xgrad_shows_statuses", default=True)


@contextmanager
def without_status_warnings() -> Iterator[None]:
    """Context in which components that are not OK raise no warning."""
    token = _shows_statuses.set(False)
    try:
        yield
    finally:
        _shows_statuses.reset(token)


def shows_statuses() -> bool:
    """Whether to warn of components that are not OK.

    At perturbed points the caller has chosen nothing, and the values found there reach
    the caller through another derivative, which has its own statuses.
    """
    return _shows_statuses.get() and not perturbed.get()


def quiet() -> Any:
    """Return a context in which xgrad's own arithmetic raises no NumPy warning."""
    return np.errstate(all="ignore")


class at_perturbed_points:  # noqa: N801 (a context, used like a function)
    """Context for evaluations at perturbed points: no warnings, no domain checks."""

    # A class takes half the time of a generator with `contextmanager`, and is entered
    # for each call of the caller's function.
    def __enter__(self) -> None:
        self._token = perturbed.set(True)
        self._quiet: Any = np.errstate(all="ignore")
        self._quiet.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._quiet.__exit__(*exception)
        perturbed.reset(self._token)
