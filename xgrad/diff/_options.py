"""The options of derivatives for type checkers, which `full_output` makes overload.

What is said here once is said by the signatures once more, for readers and at run time;
a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict

from xgrad._differences import Method
from xgrad._evaluation import Kept, Progress, Vectorized, Workers


class Shared(TypedDict, total=False):
    """Options of every derivative: those of `jvp`."""

    method: Method
    accuracy: int | None
    dtype: Any
    vectorized: Vectorized
    max_bytes: int | None
    workers: Workers
    progress: Progress


class ForDerivative(Shared, total=False):
    """Options of `derivative`."""

    order: int
    step: Any
    bounds: Any


class ForJacobian(Shared, total=False):
    """Options of `jacobian`, but for the pattern, which changes the result."""

    step: Any
    bounds: Any
    checkpoint: Kept


class ForHessian(ForJacobian, total=False):
    """Options of `hessian`."""

    grad: Callable[[Any], Any] | None


class ForGradient(ForJacobian, total=False):
    """Options of `gradient`."""

    axis: Literal[-1] | None
    terms: bool
    sparsity: Any
