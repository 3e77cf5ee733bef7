"""The proof that a way to call a function is right: a comparison with plain calls."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    float_info,
    free_gpu_bytes,
    is_complex,
    quiet,
)
from xgrad._batched import Trace
from xgrad._evaluation.agreement import ROUNDING, agree, allowed_noise, finite_size
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.function import Function
from xgrad._evaluation.points import Points
from xgrad._evaluation.refusals import NotFiniteError, RefusedError
from xgrad._evaluation.ways import OTHER_RESULTS, attempt, trace_points

# Arrays larger than this at each point gain nothing from standing side by side: of the
# call overhead that is saved, little is left beside the arithmetic. Set by trial.
CPU_ROW_BYTES = 16 * 2**10
GPU_ROW_BYTES = 32 * 2**20


@dataclass(frozen=True, eq=False)
class Sample:
    """A chunk of a few points, and the values of plain calls there."""

    points: Points
    chunk: Chunk
    expected: Array


@dataclass(frozen=True, eq=False)
class Proof:
    """Compares ways to call a function with plain calls, around one of its arrays.

    ``leaf`` is the number of the array that ``points`` move; ``base`` is ``f(x)``.
    """

    function: Function
    leaf: int
    points: Points
    base: Array

    @property
    def row_limit(self) -> int:
        """Bytes of an array at one point up to which points stand side by side."""
        on_cpu = free_gpu_bytes(self.points.base) is None
        return CPU_ROW_BYTES if on_cpu else GPU_ROW_BYTES

    def sample(self, again: bool) -> Sample:
        """Make plain calls at a few points, or at one if a mode was proved before."""
        points, count = self.points, self.points.count
        positions = [count // 2] if again else _sample_positions(count)
        if points.columns:
            points = points.at_positions(positions)
        # One offset of each column is enough, and not always the same side.
        first = 0 if len(points.offsets) == 1 else len(positions) % 2
        chunk = Chunk(0, points.count, first, first + 1)
        plain = replace(self.function, mode="loop")
        shape = tuple(self.base.shape)
        return Sample(points, chunk, attempt(plain, self.leaf, points, chunk, shape))

    def prove(self, mode: Mode, sample: Sample, again: bool) -> Function:
        """Return the function in a mode whose values agree with those of plain calls.

        It is a loop where the mode would take longer. Raise `RefusedError` or
        `NotFiniteError` where the values are wrong, or the error that ``f`` raises.
        ``again`` is whether the mode was proved before.
        """
        function = replace(self.function, mode=mode, base=self.base)
        width, pays = math.prod(sample.points.base.shape), True
        if mode == "vmap":
            values, value = self._mapped_values(function, sample), self.base
        else:
            values, value, trace = self._traced_values(function, sample, again)
            width = max(1, trace.width)
            # An entry that differs costs about twice: a difference beside its value.
            pays = trace.dense or 2 * trace.work < trace.base_work
        with quiet():
            self._require_agreement(function, values, value, sample)
        size = float_info(self.function.xp, sample.points.base.dtype).size
        if width * size > self.row_limit and not (pays and mode == "sparse"):
            return replace(function, mode="loop")
        return replace(function, width=width)

    def _mapped_values(self, function: Function, sample: Sample) -> Array:
        shape = tuple(self.base.shape)
        return attempt(function, self.leaf, sample.points, sample.chunk, shape)

    def _traced_values(
        self, function: Function, sample: Sample, again: bool
    ) -> tuple[Array, Array, Trace]:
        """Evaluate a sample through the hidden axis: values, ``f(x)`` and the trace."""
        points, chunk = sample.points, sample.chunk
        with at_perturbed_points():
            values, (value, trace) = trace_points(function, self.leaf, points, chunk)
        shape = (chunk.size, *self.base.shape)
        if tuple(values.shape) != shape:
            raise RefusedError("their shape differs from that of f(x)")
        if not (again or trace.is_numpy or bool(trace.diffs_are_finite)):
            raise NotFiniteError
        return function.xp.reshape(values, (1, *shape)), value, trace

    def _require_agreement(
        self, function: Function, values: Array, value: Array, sample: Sample
    ) -> None:
        """Raise unless values and ``f(x)`` are those of plain calls, up to rounding."""
        if function.gives_differences:
            values = value + values
        # f(x) itself was real, and rounds otherwise.
        if is_complex(function.xp, sample.points.base):
            value = self.base
        if not self._agree(values, sample.expected, value):
            raise RefusedError(OTHER_RESULTS)

    def _agree(self, values: Array, expected: Array, value: Array) -> bool:
        xp = self.function.xp
        eps = max(float_info(xp, x.dtype).eps for x in (self.base, self.points.base))
        if not math.prod(self.base.shape):
            return True
        # Each entry by its own size: a small one must not hide behind a large one.
        size = xp.maximum(finite_size(xp, expected), finite_size(xp, self.base))

        def within(allowed: Array) -> bool:
            same_values = xp.all(agree(values, expected, allowed))
            smallest = xp.min(allowed, axis=(0, 1))
            return bool(same_values & xp.all(agree(value, self.base, smallest)))

        allowed = ROUNDING * eps * size
        if within(allowed):
            return True
        return within(allowed + allowed_noise(self.function, self.base, eps, size))

    def require_deterministic(self) -> None:
        """Raise if a second call at one point gives another result."""
        xp, function = self.function.xp, self.function
        with at_perturbed_points():
            once = self.base
            # f(x) itself was real, and rounds otherwise.
            if is_complex(xp, function.anchor):
                once = function.evaluate(self._complex_leaves())
                again = function.evaluate(self._complex_leaves())
            else:
                again = function.evaluate(function.copy_leaves(lambda x: x))
        if not math.prod(once.shape):
            return
        if tuple(again.shape) == tuple(once.shape) and _agree_as_wholes(
            xp, again, once
        ):
            return
        raise ValueError(
            "`f` is not deterministic: two calls at the same x gave different results, "
            "so that no difference of them means anything; seed its random numbers "
            "inside `f`, and let no counter or state change its result "
            "(vectorized=False does not check this)"
        )

    def _complex_leaves(self) -> list[Array]:
        """Return copies of the leaves with all entries of one moved by a step.

        Numbers whose imaginary part is 0 equal real ones, for which `lru_cache` inside
        of the function would answer with what it has stored for those.
        """
        leaves = self.function.copy_leaves(lambda x: x, without=self.leaf)
        coordinates = self.points.coordinates_at(self.points.offsets[0])
        xp = self.function.xp
        leaves[self.leaf] = xp.asarray(
            xp.reshape(coordinates, self.points.base.shape), copy=True
        )
        return leaves


def _sample_positions(count: int) -> list[int]:
    """Choose columns to try: the first, the last and some between.

    Among them are neighbours, because pairs of entries that are neighbours may share
    terms of the function.
    """
    wanted = {0, 1, 2, count // 3, count // 2, 2 * count // 3, count - 1}
    return sorted(position for position in wanted if 0 <= position < count)


def _agree_as_wholes(xp: Any, again: Array, once: Array) -> bool:
    """Whether two results agree up to rounding of the largest of their entries."""
    with quiet():
        eps = float_info(xp, once.dtype).eps
        allowed = ROUNDING * eps * xp.max(finite_size(xp, once))
        return bool(xp.all(agree(again, once, allowed)))
