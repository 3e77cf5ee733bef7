"""The caller's function of a tree of arrays, and the arrays it is evaluated at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    a_type,
    as_complex,
    as_float,
    at_perturbed_points,
    backend_name,
    common_namespace,
    copied,
    from_host,
    has_standin,
    is_complex,
    laid_out_like,
    python_float,
    rebuild,
    wide_dtype,
)
from xgrad._evaluation.execution import Vectorized
from xgrad._tracing import is_closed, released


@dataclass(eq=False)
class Function(Portable):
    """The caller's function of a tree of arrays, and the arrays it is evaluated at.

    ``leaves`` are the arrays of ``tree`` as floats. The caller's function gets copies
    of them only, so that one that writes into its argument harms nobody. ``vectorized``
    is the option of the caller. ``width`` is the number of entries of the largest array
    at each point in a batch, or 0 if that is the array itself.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    leaves: tuple[Array, ...]
    vectorized: Vectorized = "auto"
    width: int = 0

    @property
    def scalar(self) -> type | None:
        """The class of scalars of NumPy with the dtype of the first leaf."""
        like = self.leaves[0]
        return like.dtype.type if type(like) is np.ndarray else None

    @property
    def batched(self) -> bool:
        """Whether the caller's function takes a leading axis of points."""
        return self.vectorized != "auto" and bool(self.vectorized)

    @property
    def anchor(self) -> Array:
        """The array from which another process determines the namespace."""
        return self.leaves[0]

    def with_complex_leaves(self) -> Function:
        """Return the function at the same arrays, made complex."""
        leaves = tuple(as_complex(self.xp, leaf) for leaf in self.leaves)
        return replace(self, leaves=leaves)

    def with_call(self, call: Callable[[Any], Any]) -> Function:
        """Return another function at the same arrays."""
        return Function(
            call, self.xp, self.tree, self.leaves, self.vectorized, self.width
        )

    def at_leaves(self, leaves: Sequence[Array]) -> Function:
        """Return the function at other arrays, in the layout of its own."""
        leaves = tuple(map(laid_out_like, leaves, self.leaves))
        return Function(
            self.call, self.xp, self.tree, leaves, self.vectorized, self.width
        )

    def at_base(self) -> Array:
        """Evaluate ``f(x)`` as the caller would, with the caller's warnings."""
        if self.batched:
            value = self.evaluate(self.copy_leaves(lambda leaf: leaf[None, ...]))
            return only_point(value)
        if self.tree is None:
            return self.convert_result(self.call(copied(self.xp, self.leaves[0])))
        return self.evaluate(self.copy_leaves())

    def at_point(self, x: Array) -> Array:
        """Evaluate ``f`` at another ``x``, for a function of a single array."""
        with at_perturbed_points():
            if self.batched:
                return only_point(self.evaluate([x[None, ...]]))
            return self.evaluate([x])

    def copy_leaves(
        self, view: Callable[[Array], Array] | None = None, without: int = -1
    ) -> list[Any]:
        """Return fresh copies of the leaves, or views of them; None for one leaf."""
        if without == 0 and len(self.leaves) == 1:
            return [None]
        copies = [
            None if i == without else copied(self.xp, leaf)
            for i, leaf in enumerate(self.leaves)
        ]
        return copies if view is None else [x if x is None else view(x) for x in copies]

    def evaluate(self, arguments: list[Any]) -> Array:
        """Call ``f`` with one array for each leaf, and convert its result."""
        return self.convert_result(self.call_with(arguments))

    def call_with(self, arguments: list[Any]) -> Any:
        """Call ``f`` with one array for each leaf, in its layout, put into the tree."""
        if self.tree is None:
            return self.call(laid_out_like(arguments[0], self.leaves[0]))
        pairs = zip(arguments, self.leaves, strict=True)
        return self.call(rebuild(self.tree, [laid_out_like(*pair) for pair in pairs]))

    def convert_result(self, result: Any) -> Array:
        """Validate a result of ``f``, promote it to floats, and copy it.

        The copy is needed because ``f`` may return one buffer again and again.
        """
        like = self.leaves[0]
        # The usual cases, without the checks below: they take longer than a small `f`.
        if type(like) is np.ndarray:
            kind, dtype = type(result), like.dtype
            if kind is dtype.type:
                return np.asarray(result)
            if kind is np.ndarray and result.dtype == dtype:
                return result.copy("K")
        if is_closed(result):  # one that the function has kept
            result = released(result)
        if has_standin(result):
            return result
        if type(result) is type(like) and result.dtype == like.dtype:
            return copied(self.xp, result)
        if isinstance(result, (bool, int, float)) and not is_complex(self.xp, like):
            # In the widest dtype of the library, which loses least of a Python float.
            number = python_float("f(x)", result)
            return from_host(
                self.xp, number, like=like, dtype=wide_dtype(self.xp, like)
            )
        if isinstance(result, (float, complex)) and is_complex(self.xp, like):
            result = from_host(self.xp, result, like=like)
        self._require_own_library(result)
        # This raises where the result lies on another device than x.
        common_namespace(**{"f(x)": result, "x": like})
        values = self.as_number(self.xp, result)
        return self.xp.asarray(values, copy=True) if values is result else values

    def _require_own_library(self, result: Any) -> None:
        """Raise unless a result is an array of the library of ``x``."""
        try:
            xp = common_namespace(**{"f(x)": result})
        except TypeError:
            # A masked array or a matrix: the error says why these are refused.
            if isinstance(result, np.ndarray):
                raise
            raise TypeError(
                f"`f` must return an array or a number, but returned {_advise(result)}"
            ) from None
        if xp is not self.xp:
            library = backend_name(self.xp)
            raise TypeError(
                f"`f` was given arrays of {library} but returned {a_type(result)}: "
                "compute the result with the functions of the array's own library"
            )

    def as_number(self, xp: Any, result: Array) -> Array:
        """Return a result as floats; of complex leaves it must be complex as well."""
        if not is_complex(self.xp, self.leaves[0]):
            return as_float(xp, "f(x)", result)
        if is_complex(xp, result):
            return result
        raise TypeError(
            "with method='complex' `f` was given complex numbers but returned "
            f"{result.dtype}: it drops the imaginary part (as abs, real and "
            "comparisons do), so that its derivative is lost; use another method"
        )


def _advise(result: Any) -> str:
    """Name a result that is no array, and say what to return instead."""
    if result is None:
        return "None: is a `return` missing?"
    if isinstance(result, list | tuple):
        return (
            f"a {type(result).__name__} of {len(result)}: return one array of its "
            "entries, by `stack`, or, if it is (loss, something else), the loss alone"
        )
    return f"{a_type(result)}: return an array or a number"


def only_point(values: Array) -> Array:
    """Return the value at the only point of a batch; raise if the axis is missing."""
    if values.ndim == 0 or values.shape[0] != 1:
        raise ValueError(
            "with vectorized=True `f` was given one point along a leading axis and "
            f"returned shape {tuple(values.shape)}: it must keep that axis of length 1"
        )
    return values[0, ...]
