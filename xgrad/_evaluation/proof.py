"""The proof that a way to call a function is right: a comparison with plain calls."""

from __future__ import annotations

import math
import time
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
from xgrad._evaluation.agreement import (
    ROUNDING,
    agree,
    allowed_noise,
    finite_size,
    is_same,
)
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.hidden_axis import HiddenAxis
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.pace import Stopwatch
from xgrad._evaluation.points import Points
from xgrad._evaluation.refusals import NotFiniteError, RefusedError
from xgrad._evaluation.ways import LOOP, Way

OTHER_RESULTS = (
    "they differ for many points and for one, as those of functions that look at the "
    "type of x, change it in place or catch errors; write it without"
)
# Arrays larger than this at each point gain nothing from standing side by side: of the
# call overhead that is saved, little is left beside the arithmetic. Set by trial.
CPU_ROW_BYTES = 16 * 2**10
GPU_ROW_BYTES = 32 * 2**20


@dataclass(frozen=True, eq=False)
class Sample:
    """A chunk of a few points, and the values of plain calls there.

    The fastest of these took so many ``seconds``.
    """

    near: Neighborhood
    chunk: Chunk
    expected: Array
    seconds: float


@dataclass(eq=False)
class Proof:
    """Compares ways to call a function with plain calls, near x."""

    near: Neighborhood

    def sample(self, again: bool) -> Sample:
        """Make plain calls at a few points, or at one if a way was proved before."""
        points = self.near.points
        positions = [points.count // 2] if again else _sample_positions(points.count)
        if points.columns:
            points = points.at_positions(positions)
        # One offset of each column is enough, and not always the same side.
        first = 0 if len(points.offsets) == 1 else len(positions) % 2
        chunk = Chunk(0, points.count, first, first + 1)
        near = self.near.at(points)
        plain, watch = _timed(near)
        return Sample(near, chunk, LOOP.evaluate(plain, chunk), watch.seconds)

    def prove(self, way: Way, sample: Sample, again: bool) -> Way:
        """Return the way, with its width, if its values are those of plain calls.

        Return a loop where the way would take longer. Raise `RefusedError` or
        `NotFiniteError` where the values are wrong, or the error that ``f`` raises.
        ``again`` is whether the way was proved before.
        """
        near = self.near.at(sample.near.points)
        width, pays = math.prod(near.points.base.shape), True
        if isinstance(way, HiddenAxis):
            values, value, trace = _traced_values(way, near, sample.chunk, again)
            width = max(1, trace.width)
            # An entry that differs costs about twice: a difference beside its value.
            pays = not trace.dense and 2 * trace.work < trace.base_work
        else:
            values, value = way.evaluate(near, sample.chunk), near.base
        with quiet():
            self._require_agreement(way, values, value, sample)
        size = float_info(near.function.xp, near.points.base.dtype).size
        if width * size > row_limit(near.points.base) and not (
            pays and way.gives_differences
        ):
            return LOOP
        return replace(way, width=width)

    def _require_agreement(
        self, way: Way, values: Array, value: Array, sample: Sample
    ) -> None:
        """Raise unless values and ``f(x)`` are those of plain calls, up to rounding."""
        if way.gives_differences:
            values = value + values
        # f(x) itself was real, and rounds otherwise.
        if is_complex(self.near.function.xp, self.near.points.base):
            value = self.near.base
        if not self._agree(values, sample.expected, value):
            raise RefusedError(OTHER_RESULTS)

    def _agree(self, values: Array, expected: Array, value: Array) -> bool:
        function, base = self.near.function, self.near.base
        xp = function.xp
        eps = max(float_info(xp, x.dtype).eps for x in (base, self.near.points.base))
        if not math.prod(base.shape):
            return True
        # Each entry by its own size: a small one must not hide behind a large one.
        size = xp.maximum(finite_size(xp, expected), finite_size(xp, base))

        def within(allowed: Array) -> bool:
            same_values = xp.all(agree(values, expected, allowed))
            smallest = xp.min(allowed, axis=(0, 1))
            return bool(same_values & xp.all(agree(value, base, smallest)))

        allowed = ROUNDING * eps * size
        if within(allowed):
            return True
        return within(allowed + allowed_noise(function, base, eps, size))

    def require_deterministic(self) -> None:
        """Raise if a second call at one point gives another result."""
        function = self.near.function
        xp = function.xp
        with at_perturbed_points():
            once = self.near.base
            # f(x) itself was real, and rounds otherwise.
            if is_complex(xp, function.anchor):
                once = function.evaluate(self._complex_leaves())
                again = function.evaluate(self._complex_leaves())
            else:
                again = function.evaluate(function.copy_leaves())
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
        function, points = self.near.function, self.near.points
        leaves = function.copy_leaves(without=self.near.leaf)
        coordinates = points.coordinates_at(points.offsets[0])
        xp = function.xp
        leaves[self.near.leaf] = xp.asarray(
            xp.reshape(coordinates, points.base.shape), copy=True
        )
        return leaves


def row_limit(x: Array) -> int:
    """Return the bytes of an array like ``x`` up to which points stand side by side."""
    return CPU_ROW_BYTES if free_gpu_bytes(x) is None else GPU_ROW_BYTES


def is_large_row(points: Points) -> bool:
    """Whether a point takes so many bytes that points do not stand side by side."""
    return points.point_bytes > row_limit(points.base)


def require_proved(way: Way, near: Neighborhood, chunk: Chunk, values: Array) -> float:
    """Prove one of the values of a chunk by a plain call, and return its seconds.

    Raise `RefusedError` where that has another value.
    """
    function, column = near.function, (chunk.start + chunk.stop) // 2
    arguments = function.copy_leaves(without=near.leaf)
    arguments[near.leaf] = near.points.point(column, chunk.first)
    start = time.perf_counter()
    result = function.call_with(arguments)
    seconds = time.perf_counter() - start
    value = values[0, column - chunk.start, ...]
    if way.gives_differences:
        value = near.base + value
    expected = function.convert_result(result)
    if not is_same(function, value, expected, near.base):
        raise RefusedError(OTHER_RESULTS)
    return seconds


def _timed(near: Neighborhood) -> tuple[Neighborhood, Stopwatch]:
    """Return the neighborhood of the function as a stopwatch, and that."""
    watch = Stopwatch(near.function.call)
    function = near.function.with_call(watch)
    return Neighborhood(function, near.leaf, near.points, near.base), watch


def _traced_values(
    way: HiddenAxis, near: Neighborhood, chunk: Chunk, again: bool
) -> tuple[Array, Array, Trace]:
    """Evaluate a sample through the hidden axis: values, ``f(x)`` and the trace."""
    xp, shape = near.function.xp, (chunk.size, *near.shape)
    with at_perturbed_points():
        values, value, trace = way.trace(near, chunk)
    if tuple(values.shape) != shape:
        raise RefusedError("their shape differs from that of f(x)")
    if not (again or trace.is_numpy or bool(trace.diffs_are_finite)):
        raise NotFiniteError
    return xp.reshape(values, (1, *shape)), value, trace


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
