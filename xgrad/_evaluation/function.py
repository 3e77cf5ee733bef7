"""Calls the caller's function, at one point or at many.

Nothing else does, but the short road of `_quick`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    as_complex,
    as_float,
    at_perturbed_points,
    common_namespace,
    from_host,
    hides_points,
    is_complex,
    is_out_of_memory,
    native_vmap,
    on_device_of,
    python_float,
    rebuild,
    unwrap,
    unwrapped_namespace,
    wide_dtype,
    wrap_like,
)
from xgrad._batched import (
    Batched,
    Memo,
    Region,
    Trace,
    all_differences,
    all_values,
)
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.points import Chunk, Points


class NotFiniteError(ArithmeticError):
    """Differences of values that are not finite: the values themselves are needed."""


@dataclass(frozen=True)
class Function(Portable):
    """The caller's function of a tree of arrays, and the arrays it is evaluated at.

    ``leaves`` are the arrays of ``tree`` as floats; they are never handed out, only
    copies of them, so that a function that writes into its argument harms nobody.
    ``width`` is how many entries the largest array has at each point, and ``base`` is
    ``f(x)``, where they are known.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    leaves: tuple[Array, ...]
    mode: Mode
    width: int = 0
    base: Array | None = None

    @property
    def batched(self) -> bool:
        """Whether the caller's function takes a leading axis of points."""
        return self.mode == "batch"

    @property
    def relative(self) -> bool:
        """Whether `at_points` gives differences from ``f(x)`` instead of values."""
        return self.mode == "sparse"

    @functools.cached_property
    def memo(self) -> Memo:
        """What the evaluations around one point share."""
        return Memo()

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.leaves[0]

    def complex(self) -> Function:
        """The same function of complex arrays."""
        leaves = tuple(as_complex(self.xp, leaf) for leaf in self.leaves)
        return replace(self, leaves=leaves)

    def at_base(self) -> Array:
        """``f(x)``, evaluated as the caller would, with the caller's warnings."""
        if self.batched:
            value = self.values(self.copies(lambda leaf: leaf[None, ...]))
            return _first_of_one(value)
        return self.values(self.copies(lambda leaf: leaf))

    def at(self, moved: Array) -> Array:
        """``f`` at one other point, for a function of a single array."""
        with at_perturbed_points():
            if self.batched:
                return _first_of_one(self.values([moved[None, ...]]))
            return self.values([moved])

    def at_points(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        """Values at the points of a chunk of one leaf, ``(offsets, columns, *shape)``.

        ``shape`` is the shape of ``f(x)``, which every other value must have. Where the
        function is `relative`, it is the differences from ``f(x)``.
        """
        try:
            return self.attempt(leaf, points, chunk, shape)
        except Exception as error:
            if self.mode in ("batch", "loop") or is_out_of_memory(error):
                raise
        # One by one it is the caller's own error, or there is none.
        values = replace(self, mode="loop").attempt(leaf, points, chunk, shape)
        return values - self.base if self.relative else values

    def attempt(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        """`at_points` in the way of `mode`, or the error that this raises."""
        runs = {"batch": self._together, "loop": self._one_by_one}
        runs |= {"vmap": self._mapped, "sparse": self._hidden, "dense": self._hidden}
        with on_device_of(points.base), at_perturbed_points():
            values = runs[self.mode](leaf, points, chunk, shape)
        lead = chunk.last - chunk.first, chunk.stop - chunk.start
        return self.xp.reshape(values, (*lead, *shape))

    def _together(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        batch, count = points.batch(chunk), chunk.size
        others = self.copies(
            lambda x: self.xp.broadcast_to(x[None, ...], (count, *x.shape)), but=leaf
        )
        others[leaf] = batch
        try:
            values = self.values(others)
        except Exception as error:
            error.add_note(_note(points, chunk, None))
            raise
        if tuple(values.shape) != (count, *shape):
            raise ValueError(
                f"with vectorized=True `f` was given {count} points along a leading "
                f"axis and must return shape {(count, *shape)}, but returned "
                f"{tuple(values.shape)}: let `f` keep the first axis, or leave "
                "`vectorized` out"
            )
        return values

    def _one_by_one(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        values = []
        batch = points.batch(chunk)
        for i in range(chunk.size):
            others = self.copies(lambda x: x, but=leaf)
            others[leaf] = batch[i, ...]
            try:
                value = self.values(others)
            except Exception as error:
                error.add_note(_note(points, chunk, i))
                raise
            if tuple(value.shape) != shape:
                raise ValueError(
                    f"`f` returned shape {shape} at x, but shape {tuple(value.shape)} "
                    "beside it: its result must have one shape everywhere"
                )
            values.append(value)
        return values[0] if len(values) == 1 else self.xp.stack(values, axis=0)

    def _mapped(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        """Through the library's own map over points."""
        vmap: Any = native_vmap(self.xp)
        others = self.copies(lambda x: x, but=leaf)

        def at(moved: Array) -> Any:
            arguments = [*others[:leaf], moved, *others[leaf + 1 :]]
            return self.call(self._argument(arguments))

        return self._shaped(self.taken(vmap(at)(points.batch(chunk))), chunk, shape)

    def _hidden(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        """Through the hidden axis: differences if sparse, values if dense."""
        values, _ = self.traced(leaf, points, chunk)
        return self._shaped(values, chunk, shape)

    def traced(
        self, leaf: int, points: Points, chunk: Chunk
    ) -> tuple[Array, tuple[Array, Trace]]:
        """What `at_points` gives, and ``f(x)`` as it was found, with what it cost."""
        xp, base = unwrapped_namespace(self.xp), points.base
        trace = Trace(xp, chunk.size, self.memo, self.mode == "dense")
        trace.wrapped = xp is not self.xp
        try:
            others = self.copies(lambda x: x, but=leaf)
            others[leaf] = wrap_like(self._root(trace, points, chunk), base)
            try:
                found = self.call(self._argument(others))
            except Exception as error:
                if trace.refusal is None or trace.refusal is error:
                    raise
                raise trace.refusal from error
            if trace.refusal is not None:
                raise trace.refusal
            if trace.is_numpy and trace.unchecked_diffs and not trace.diffs_are_finite:
                raise NotFiniteError
            found = self.taken(found)
            if not hides_points(found):
                like = found[None, ...] - found if self.relative else found[None, ...]
                shape = (chunk.size, *found.shape)
                return self.xp.broadcast_to(like, shape), (found, trace)
            found = unwrap(found)
            value = self._number(xp, xp.asarray(found.ensure_current().base))
            if self.relative:
                values = all_differences(trace, found, value.dtype)
            else:
                values = self._number(xp, all_values(trace, found))
            return wrap_like(values, base), (wrap_like(value, base), trace)
        finally:
            trace.close()

    def _root(self, trace: Trace, points: Points, chunk: Chunk) -> Batched:
        """The array that stands for all points of a chunk."""
        xp, base = trace.xp, unwrap(points.base)
        shape = tuple(base.shape)
        if self.mode == "dense":
            region = Region.full(xp, shape, trace.cache)
            batch = unwrap(points.batch(chunk))
            return Batched(trace, base, region, value=batch[:, None, ...])
        places, values = map(unwrap, points.moved_entries(chunk))
        origin = xp.take(xp.reshape(base, (-1,)), xp.reshape(places, (-1,)))
        diff = values - xp.reshape(origin, places.shape)
        if math.prod(shape) == 1:
            region = Region.full(xp, shape, trace.cache)
        else:
            region = Region.at_positions(xp, shape, places, None, trace.cache)
        lengths = (chunk.size, region.slots, *region.inner)
        diff, values = xp.reshape(diff, lengths), xp.reshape(values, lengths)
        return Batched(trace, base, region, diff, values)

    def _shaped(self, values: Array, chunk: Chunk, shape: tuple[int, ...]) -> Array:
        if tuple(values.shape) != (chunk.size, *shape):
            raise ValueError(
                f"`f` returned shape {shape} at x, but shape {tuple(values.shape[1:])} "
                "beside it: its result must have one shape everywhere"
            )
        return values

    def _argument(self, arguments: list[Any]) -> Any:
        return arguments[0] if self.tree is None else rebuild(self.tree, arguments)

    def copies(self, view: Callable[[Array], Array], but: int = -1) -> list[Any]:
        """Fresh arguments for one call; the leaf that is moved is filled in later."""
        if but == 0 and len(self.leaves) == 1:
            return [None]
        return [
            None if i == but else view(self.xp.asarray(leaf, copy=True))
            for i, leaf in enumerate(self.leaves)
        ]

    def values(self, arguments: list[Array]) -> Array:
        """What ``f`` gives for one array for each leaf."""
        return self.taken(self.call(self._argument(arguments)))

    def taken(self, result: Any) -> Array:
        """A result of ``f`` as numbers of the namespace, in memory of its own.

        It is copied, since ``f`` may hand out one buffer again and again.
        """
        like = self.leaves[0]
        if hides_points(result):
            return result
        if type(result) is type(like) and result.dtype == like.dtype:
            return self.xp.asarray(result, copy=True)
        if isinstance(result, (bool, int, float)) and not is_complex(self.xp, like):
            wide = wide_dtype(self.xp, like)
            return from_host(
                self.xp, python_float("the result of f", result), like=like, dtype=wide
            )
        if isinstance(result, (float, complex)) and is_complex(self.xp, like):
            result = from_host(self.xp, result, like=like)
        try:
            found = common_namespace(**{"the result of f": result})
        except TypeError as error:
            kind = type(result).__name__
            if isinstance(result, np.ndarray):  # masked, or a matrix
                raise TypeError(f"`f` returned a {kind}: {error}") from None
            remedy = "make one array of it, for example with `xp.stack`"
            raise TypeError(
                f"`f` must return an array or a number, but returned a {kind}: "
                + ("is a `return` missing?" if result is None else remedy)
            ) from None
        if found is not self.xp:
            raise TypeError(
                f"`f` was given arrays of {self.xp.__name__} but returned a "
                f"{type(result).__name__}: compute the result with the functions of "
                "the array's own library"
            )
        common_namespace(**{"the result of f": result, "x": like})
        values = self._number(self.xp, result)
        return self.xp.asarray(values, copy=True) if values is result else values

    def _number(self, xp: Any, result: Array) -> Array:
        """A result as floats, or as the complex numbers that complex ones must give."""
        if not is_complex(self.xp, self.leaves[0]):
            return as_float(xp, "the result of f", result)
        if is_complex(xp, result):
            return result
        raise TypeError(
            "with method='complex' `f` was given complex numbers but returned "
            f"{result.dtype}: it drops the imaginary part (as abs, real and "
            "comparisons do), so that its derivative is lost; use another method"
        )


def _first_of_one(values: Array) -> Array:
    if values.ndim == 0 or values.shape[0] != 1:
        raise ValueError(
            "with vectorized=True `f` was given one point along a leading axis and "
            f"returned shape {tuple(values.shape)}: it must keep that axis of length 1"
        )
    return values[0, ...]


def _note(points: Points, chunk: Chunk, position: int | None) -> str:
    """Where ``f`` was being evaluated, to add to its exception."""
    row, column = divmod(position or 0, chunk.stop - chunk.start)
    offset = points.offsets[chunk.first + row]
    try:
        where = points.describe(chunk.start + column, offset)
    except Exception:  # reading a device that has just failed
        where = f"column {chunk.start + column} of {points.name}, {offset} steps"
    if position is None and chunk.size > 1:
        where = f"{chunk.size} points at once, the first with {where}"
    return f"xgrad was evaluating `f` at {where}"
