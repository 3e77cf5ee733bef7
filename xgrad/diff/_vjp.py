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
    copied,
    from_host,
    is_lazy,
    public,
    quiet,
    rebuild,
    require_array,
    result_dtype,
)
from xgrad._differences import entries_of, warn_unless_ok
from xgrad._evaluation import Function, bind_function, execution_for
from xgrad.diff._attempts import Inexact, is_inside
from xgrad.diff._exact import (
    not_differentiable,
    pull_exactly,
    record_exactly,
)
from xgrad.diff._exact_gradient import repair
from xgrad.diff._forward import random_cotangent
from xgrad.diff._rounding import add_status, are_finite
from xgrad.diff._search import Exact

# There is no product with a cotangent by differences.
DIFFERENCES = "`jacobian(f, x, method='central')`"


@dataclass(frozen=True, eq=False)
class Pullback:
    """The function that takes a cotangent of ``f(x)`` to the gradient like ``x``.

    It may be called any number of times: ``f`` is not called again, but where a slope
    is nan because of a branch that was not taken, to find that out.
    """

    function: Function
    exact: Exact
    x: Any
    names: tuple[str, ...]
    dtypes: tuple[Any, ...]

    @property
    def value(self) -> Array:
        """Return f(x)."""
        return self.exact.value

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
                slopes = self._pull(cotangent)
            except Inexact as error:
                raise not_differentiable(error, DIFFERENCES) from None
            pairs = zip(slopes, self.dtypes, strict=True)
            return rebuild(self.x, [cast(xp, g, dtype) for g, dtype in pairs])

    def _pull(self, cotangent: Array) -> list[Array]:
        """Return the slopes; warn of those that are not finite."""
        function, xp = self.function, self.function.xp
        slopes = pull_exactly(self.exact.recording, cotangent)
        hidden = is_inside() or is_lazy(xp, self.value)
        if hidden or are_finite(xp, slopes):
            return slopes
        repaired, _ = repair(function, self.exact, cotangent, slopes)
        results = [add_status(xp, result) for result in repaired]
        warn_unless_ok("product with a cotangent", results, entries_of(self.names))
        return [result.value for result in results]


@public
def vjp(
    f: Callable[[Any], ArrayT], x: Any, /, *, max_bytes: int | None = None
) -> tuple[ArrayT, Pullback]:
    """Return ``f(x)`` and a function of cotangents, the vector-Jacobian product.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape. It is called once, with
        arrays that record what is done with them; the first time also a few times with
        plain arrays, which prove the derivative.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate.
    max_bytes : int, optional
        Memory for the record of ``f``, as in `gradient`: parts of it are recorded anew
        for each product.

    Returns
    -------
    tuple
        ``f(x)``, and ``pull``: ``pull(cotangent)`` is the product of a cotangent, an
        array like ``f(x)``, with the Jacobian, in the shapes and dtypes of ``x``. It
        may be called many times, also after ``x`` has changed: it is that at the
        former ``x``.

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
    execution = execution_for(max_bytes=max_bytes)
    function, arrays = bind_function(f, x, None, execution)
    # The caller may change x before the last call of the result.
    function = function.at_leaves([copied(function.xp, a) for a in function.leaves])
    try:
        exact = record_exactly(function, random_cotangent, max_bytes)
    except Inexact as error:
        raise not_differentiable(error, DIFFERENCES) from None
    dtypes = tuple(result_dtype(function.xp, a, None) for _, a in arrays)
    skeleton = rebuild(x, [None] * len(dtypes))
    names = tuple(name for name, _ in arrays)
    return exact.value, Pullback(function, exact, skeleton, names, dtypes)
