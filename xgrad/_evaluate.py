"""Runs the caller's function. Nothing else in xgrad does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import array_api_compat
import numpy as np

from xgrad._array import (
    Array,
    as_float,
    common_namespace,
    from_host,
    integer,
    one_of,
    perturbed,
    quiet,
    wide_dtype,
)
from xgrad._points import Chunk, Points
from xgrad._tree import rebuild

Vectorized = Literal["auto"] | bool

# Near the size of a second-level cache: larger chunks of points only move more memory.
CPU_BYTES = 2 * 2**20
# Giving back a block of this size raises the limits from which glibc returns memory to
# the system (at most 32 MiB count). Without it the temporaries of a large `f` may be
# mapped anew at every call, which takes longer than `f` itself.
RELEASED_BYTES = 31 * 2**20
# A loop gains nothing from more points at once than it needs to hide their building.
LOOP_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Execution:
    """How to run a function: many points a call or one, and in how much memory."""

    vectorized: Vectorized = "auto"
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        one_of("vectorized", self.vectorized, ("auto", True, False))
        if self.max_bytes is not None:
            integer("max_bytes", self.max_bytes, least=1)

    @property
    def batched(self) -> bool:
        """Whether ``f`` takes a leading axis of points."""
        return self.vectorized is True

    def budget(self, points: Points) -> int:
        """Bytes of points to build at once."""
        if self.max_bytes is not None:
            return self.max_bytes
        free = _free_gpu_bytes(points.base)
        if free is None:
            return CPU_BYTES
        return free // 4 if self.batched else min(free // 4, LOOP_BYTES)


def _free_gpu_bytes(x: Array) -> int | None:
    """Free memory of the GPU that holds ``x``; None where ``x`` is on a CPU."""
    if array_api_compat.is_cupy_array(x):
        import cupy

        with x.device:
            pooled = cupy.get_default_memory_pool().free_bytes()
            return int(cupy.cuda.runtime.memGetInfo()[0]) + int(pooled)
    if array_api_compat.is_torch_array(x) and x.device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(x.device)[0])
    return None


@dataclass(frozen=True)
class Samples:
    """Values of ``f`` around a group of columns.

    ``moved`` holds what the columns became at each offset (and at 0 what they were),
    ``(columns, *lead)``; ``values`` what ``f`` gave there, ``(columns, *shape)``.
    """

    moved: dict[int, Array]
    values: dict[int, Array]

    def spacing(self, plus: int, minus: int) -> Array:
        """Distance really taken between two offsets, ``(columns, *lead)``."""
        return self.moved[plus] - self.moved[minus]


@dataclass(frozen=True)
class Function:
    """The caller's function of a tree of arrays, and the arrays it is evaluated at.

    ``leaves`` are the arrays of ``tree`` as floats; they are never handed out, only
    copies of them, so that a function that writes into its argument harms nobody.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    leaves: tuple[Array, ...]
    execution: Execution

    def at_base(self) -> Array:
        """``f(x)``, evaluated as the caller would, with the caller's warnings."""
        if self.execution.batched:
            value = self._values(self._copies(lambda leaf: leaf[None, ...]))
            return _first_of_one(value)
        return self._values(self._copies(lambda leaf: leaf))

    def at(self, moved: Array) -> Array:
        """``f`` at one other point, for a function of a single array."""
        with _elsewhere():
            if self.execution.batched:
                return _first_of_one(self._values([moved[None, ...]]))
            return self._values([moved])

    def at_points(
        self, leaf: int, points: Points, shape: tuple[int, ...]
    ) -> Iterator[Samples]:
        """Values at the points of one leaf, a group of columns at a time.

        ``shape`` is the shape of ``f(x)``, which every other value must have.
        """
        run = self._together if self.execution.batched else self._one_by_one
        np.empty(RELEASED_BYTES, dtype=np.uint8)
        values: dict[int, Array] = {}
        for chunk in points.chunks(self.execution.budget(points)):
            with _elsewhere():
                if not values:
                    moved = points.moved(chunk.start, chunk.stop)
                batch = points.batch(chunk, moved)
                found = run(leaf, points, chunk, batch, shape)
            width = chunk.stop - chunk.start
            for i, offset in enumerate(points.offsets[chunk.first : chunk.last]):
                values[offset] = found[i * width : (i + 1) * width, ...]
            if len(values) == len(points.offsets):
                yield Samples(moved, values)
                values = {}

    def _together(
        self,
        leaf: int,
        points: Points,
        chunk: Chunk,
        batch: Array,
        shape: tuple[int, ...],
    ) -> Array:
        count = batch.shape[0]
        others = self._copies(
            lambda x: self.xp.broadcast_to(x[None, ...], (count, *x.shape)), but=leaf
        )
        with _note(points, chunk, None):
            values = self._values([*others[:leaf], batch, *others[leaf + 1 :]])
        if tuple(values.shape) != (count, *shape):
            raise ValueError(
                f"with vectorized=True `f` was given {count} points along a leading "
                f"axis and must return shape {(count, *shape)}, but returned "
                f"{tuple(values.shape)}: let `f` keep the first axis, or leave "
                "`vectorized` out"
            )
        return values

    def _one_by_one(
        self,
        leaf: int,
        points: Points,
        chunk: Chunk,
        batch: Array,
        shape: tuple[int, ...],
    ) -> Array:
        values = []
        for i in range(batch.shape[0]):
            others = self._copies(lambda x: x, but=leaf)
            with _note(points, chunk, i):
                point = batch[i, ...]
                value = self._values([*others[:leaf], point, *others[leaf + 1 :]])
            if tuple(value.shape) != shape:
                raise ValueError(
                    f"`f` returned shape {shape} at x, but shape {tuple(value.shape)} "
                    "beside it: its result must have one shape everywhere"
                )
            values.append(value)
        return self.xp.stack(values, axis=0)

    def _copies(self, view: Callable[[Array], Array], but: int = -1) -> list[Any]:
        """Fresh arguments for one call; the leaf that is moved is filled in later."""
        return [
            None if i == but else view(self.xp.asarray(leaf, copy=True))
            for i, leaf in enumerate(self.leaves)
        ]

    def _values(self, arguments: list[Array]) -> Array:
        """Call ``f`` and take its result as floats of the namespace."""
        result = self.call(rebuild(self.tree, arguments))
        if isinstance(result, bool | int | float):
            like = self.leaves[0]
            wide = wide_dtype(self.xp, like)
            return from_host(self.xp, float(result), like=like, dtype=wide)
        try:
            found = common_namespace(**{"the result of f": result})
        except TypeError as error:
            raise TypeError(
                f"`f` must return an array or a number, but returned a "
                f"{type(result).__name__}: {error}"
            ) from None
        if found is not self.xp:
            raise TypeError(
                f"`f` was given arrays of {self.xp.__name__} but returned a "
                f"{type(result).__name__}: compute the result with the functions of "
                "the array's own library"
            )
        return as_float(self.xp, "the result of f", result)


def _first_of_one(values: Array) -> Array:
    if values.ndim == 0 or values.shape[0] != 1:
        raise ValueError(
            "with vectorized=True `f` was given one point along a leading axis and "
            f"returned shape {tuple(values.shape)}: it must keep that axis of length 1"
        )
    return values[0, ...]


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """The caller did not choose these points: no warnings, no checks of predictions."""
    token = perturbed.set(True)
    try:
        with quiet():
            yield
    finally:
        perturbed.reset(token)


@contextlib.contextmanager
def _note(points: Points, chunk: Chunk, position: int | None) -> Iterator[None]:
    """Add to an exception of ``f`` where it was being evaluated."""
    try:
        yield
    except Exception as error:
        width = chunk.stop - chunk.start
        row, column = divmod(position or 0, width)
        offset = points.offsets[chunk.first + row]
        where = points.describe(chunk.start + column, offset)
        count = width * (chunk.last - chunk.first)
        if position is None and count > 1:
            where = f"{count} points at once, the first with {where}"
        error.add_note(f"xgrad was evaluating `f` at {where}")
        raise
