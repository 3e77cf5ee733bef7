"""Products of cotangents with a Jacobian: one way back over a recording."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    ArrayT,
    cast,
    common_namespace,
    from_host,
    public,
    quiet,
    rebuild,
    require_array,
    result_dtype,
)
from xgrad._evaluation import bind_function, execution_for
from xgrad.diff._attempts import Inexact
from xgrad.diff._exact import (
    not_differentiable,
    pull_exactly,
    record_exactly,
)
from xgrad.diff._forward import random_cotangent


@dataclass(frozen=True, eq=False)
class Pullback:
    """The function that takes a cotangent of ``f(x)`` to the gradient like ``x``.

    It may be called any number of times: ``f`` is not called again.
    """

    recording: Any
    x: Any
    value: Array
    dtypes: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"<products of cotangents {tuple(self.value.shape)} with a Jacobian>"

    def __call__(self, cotangent: Any, /) -> Any:
        """Return the product of a cotangent with the Jacobian, nested as ``x`` is.

        Raise a TypeError or ValueError unless it is an array like ``f(x)``.
        """
        value = self.value
        if isinstance(cotangent, (int, float)) and not math.prod(value.shape) > 1:
            xp = common_namespace(value=value)
            cotangent = from_host(
                xp, np.full(value.shape, cotangent), like=value, dtype=value.dtype
            )
        require_array("cotangent", cotangent)
        xp = common_namespace(cotangent=cotangent, value=value)
        if tuple(cotangent.shape) != tuple(value.shape):
            raise ValueError(
                f"`cotangent` has shape {tuple(cotangent.shape)}, but f(x) has "
                f"{tuple(value.shape)}: give one number for each entry of f(x)"
            )
        with quiet():
            try:
                cotangent = cast(xp, cotangent, value.dtype)
                slopes = pull_exactly(self.recording, cotangent)
            except Inexact as error:
                raise not_differentiable(error) from None
            pairs = zip(slopes, self.dtypes, strict=True)
            return rebuild(self.x, [cast(xp, g, dtype) for g, dtype in pairs])


@public
def vjp(f: Callable[[Any], ArrayT], x: Any, /) -> tuple[ArrayT, Pullback]:
    """Return ``f(x)`` and a function of cotangents, the vector-Jacobian product.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape. It is called once, with
        arrays that record what is done with them; the first time also a few times with
        plain arrays, which prove the derivative.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate.

    Returns
    -------
    tuple
        ``f(x)``, and ``pull``: ``pull(cotangent)`` is the product of a cotangent, an
        array like ``f(x)``, with the Jacobian, in the shapes and dtypes of ``x``. It
        may be called many times.

    Raises
    ------
    NotDifferentiable
        If ``f`` does something that has no exact derivative; the message says what, in
        which line, and what to write instead.
    TypeError
        If ``x`` or the result of ``f`` is not an array of real numbers.
    ValueError
        If the exact derivative does not agree with plain calls of ``f``, or if ``f``
        uses nothing of its argument.

    Notes
    -----
    Reverse mode, as in Griewank and Walther, Evaluating Derivatives, 2008, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> value, pull = vjp(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    >>> value, pull(np.array([1.0, 0.0]))
    (array([2., 6.]), array([2., 1., 0.]))
    """
    function, arrays = bind_function(f, x, None, execution_for())
    try:
        exact = record_exactly(function, random_cotangent)
    except Inexact as error:
        raise not_differentiable(error) from None
    dtypes = tuple(result_dtype(function.xp, a, None) for _, a in arrays)
    skeleton = rebuild(x, [None] * len(dtypes))
    return exact.value, Pullback(exact.recording, skeleton, exact.value, dtypes)
