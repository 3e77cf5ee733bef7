"""The ways to call a function at a chunk of points, apart from the hidden axis.

`Batch` and `Loop` are those that the caller may set. `Vmap` is chosen by xgrad, as the
two ways of `hidden_axis` are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xgrad._arrays import (
    Array,
    is_numpy,
    native_vmap,
    on_device_of,
    reshaped,
)
from xgrad._evaluation.agreement import is_base
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.notes import note_in
from xgrad._evaluation.refusals import RefusedError


@dataclass(frozen=True)
class Way:
    """A way to evaluate a function at a chunk of points.

    ``width`` is the number of entries of the largest array at each point, 0 if it is
    that of x. Checkpoints know the way by its ``name``. With ``gives_differences`` the
    values are ``f - f(x)``, and with ``needs_proof`` xgrad has chosen the way.
    """

    width: int = 0
    name: ClassVar[str]
    gives_differences: ClassVar[bool] = False
    # Whether it holds for other functions of the same code, of the kinds of values.
    is_inherited: ClassVar[bool] = True
    needs_proof: ClassVar[bool] = False

    def evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        """Return the values at a chunk, ``(offsets, columns, *f(x).shape)``.

        To be called within `at_perturbed_points`.
        """
        xp = near.function.xp
        if is_numpy(xp):
            values = self._evaluate(near, chunk)
        else:
            with on_device_of(near.points.base):
                values = self._evaluate(near, chunk)
        return reshaped(xp, values, (*chunk.counts, *near.shape))

    def evaluate_at_pace(self, near: Neighborhood, chunk: Chunk) -> Array:
        """Evaluate a chunk, and record its time where the pace is measured."""
        if near.pace is None:
            return self.evaluate(near, chunk)
        start = time.perf_counter()
        values = self.evaluate(near, chunk)
        near.pace.record(time.perf_counter() - start, chunk.size)
        return values

    def _evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        """Return the values of all points, ``(points, *f(x).shape)``."""
        raise NotImplementedError


class Batch(Way):
    """Calls a function that takes a leading axis of points once."""

    name = "batch"

    def _evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        function, count = near.function, chunk.size
        xp = function.xp
        arguments = function.copy_leaves(
            lambda x: xp.broadcast_to(x[None, ...], (count, *x.shape)),
            without=near.leaf,
        )
        arguments[near.leaf] = near.points.batch(chunk)
        try:
            values = function.evaluate(arguments)
        except Exception as error:
            error.add_note(note_in(near.points, chunk, None))
            raise
        if tuple(values.shape) != (count, *near.shape):
            raise ValueError(
                f"with vectorized=True `f` was given {count} points along a leading "
                f"axis and must return shape {(count, *near.shape)}, but returned "
                f"{tuple(values.shape)}: let `f` keep the first axis, or leave "
                "`vectorized` out"
            )
        return values


class Loop(Way):
    """Calls the function once for each point."""

    name = "loop"
    is_inherited = False

    def _evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        function, leaf, shape = near.function, near.leaf, near.shape
        xp, values = function.xp, []
        call, convert = function.call, function.convert_result
        is_array, scalar = function.tree is None, function.scalar
        # New copies for every call: `f` may write into its argument, and must not reach
        # other points through it.
        for i, point in enumerate(near.points.each(chunk)):
            try:
                if is_array:
                    value = call(point)
                    if type(value) is not scalar:
                        value = convert(value)
                else:
                    arguments = function.copy_leaves(without=leaf)
                    arguments[leaf] = point
                    value = function.evaluate(arguments)
            except Exception as error:
                error.add_note(note_in(near.points, chunk, i))
                raise
            if value.shape != shape:
                raise shape_error(shape, tuple(value.shape))
            values.append(value)
        if shape:  # joining takes a fifth of the time of stacking
            return xp.concat(values, axis=0)
        return np.array(values) if is_numpy(xp) else xp.stack(values, axis=0)


LOOP = Loop()


class Vmap(Way):
    """Maps the function over the points by the library's own ``vmap``.

    One of them is ``x`` itself: an operation that fails at one point fails for all, and
    where `f` catches that, the result is another one at ``x``, too.
    """

    name = "vmap"
    needs_proof = True

    def _evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        function, leaf = near.function, near.leaf
        xp = function.xp
        vmap: Any = native_vmap(xp)
        fixed = function.copy_leaves(without=leaf)

        def call(point: Array) -> Any:
            return function.call_with([*fixed[:leaf], point, *fixed[leaf + 1 :]])

        batch = near.points.batch(chunk)
        origin = xp.astype(function.leaves[leaf], batch.dtype)
        batch = xp.concat([batch, origin[None, ...]], axis=0)
        values = function.convert_result(vmap(call)(batch))
        if tuple(values.shape) != (chunk.size + 1, *near.shape):
            raise shape_error(near.shape, tuple(values.shape[1:]))
        require_base(near, values[chunk.size, ...])
        return values[: chunk.size, ...]


def require_base(near: Neighborhood, value: Array) -> None:
    """Raise unless a chunk gives ``f(x)`` the value that a plain call gave it."""
    if not is_base(near.function, value, near.base):
        raise RefusedError(
            "f(x) differs for many points and for one, as that of functions that catch "
            "errors; write it without"
        )


def shape_error(shape: tuple[int, ...], other: tuple[int, ...]) -> ValueError:
    """Return the error that the results of the function have several shapes."""
    return ValueError(
        f"`f` returned shape {shape} at x, but shape {other} at a point close to x: "
        "its result must have one shape everywhere"
    )
