"""The hidden axis: one call of the function, with an array that is all points."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from xgrad._arrays import (
    Array,
    has_standin,
    is_numpy,
    unwrap,
    unwrapped_namespace,
    wrap_like,
)
from xgrad._batched import Batched, Region, Trace, all_differences, all_values
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.points import Points
from xgrad._evaluation.refusals import NotFiniteError, RefusedError
from xgrad._evaluation.ways import Batch, Loop, Vmap, Way, require_base, shape_error


class HiddenAxis(Way):
    """Calls the function once with a stand-in for all points.

    With ``dense`` it holds the values of all entries, else those that differ from x.
    """

    dense: ClassVar[bool]
    needs_proof = True

    def _evaluate(self, near: Neighborhood, chunk: Chunk) -> Array:
        values, value, _ = self.trace(near, chunk)
        # On a GPU, where each comparison waits for the device, that of the proof is
        # enough: nothing that depends on values raises an error there.
        if is_numpy(near.function.xp):
            require_base(near, value)
        if tuple(values.shape) != (chunk.size, *near.shape):
            raise shape_error(near.shape, tuple(values.shape[1:]))
        return values

    def trace(self, near: Neighborhood, chunk: Chunk) -> tuple[Array, Array, Trace]:
        """Return the values, ``f(x)``, and the trace, which tells the cost.

        The values have the shape ``(points, *f(x).shape)``.
        """
        function, base = near.function, near.points.base
        xp = function.xp
        if not is_numpy(xp):
            xp = unwrapped_namespace(xp)
        trace = Trace(xp, chunk.size, near.memo, self.dense)
        try:
            arguments = function.copy_leaves(without=near.leaf)
            standin = self._standin(trace, near.points, chunk)
            arguments[near.leaf] = wrap_like(standin, base)
            result = unwrap(_call_traced(near, trace, arguments))
            if not has_standin(result):
                # `f` does not depend on this leaf, or broke the chain of stand-ins:
                # then the proof will see it.
                result = function.convert_result(result)
                return self._repeat_constant(near, result, chunk), result, trace
            if result.tracer is not trace:
                raise RefusedError(
                    "they belong to an earlier evaluation; keep none of them"
                )
            value = result.ensure_current().base
            if not isinstance(value, np.ndarray | np.generic):
                value = xp.asarray(value)
            value = function.as_number(xp, value)
            values = self._values(near, trace, result, value.dtype)
            return wrap_like(values, base), wrap_like(value, base), trace
        finally:
            trace.close()

    def _standin(self, trace: Trace, points: Points, chunk: Chunk) -> Batched:
        """Build the array that stands for all points of a chunk."""
        raise NotImplementedError

    def _values(
        self, near: Neighborhood, trace: Trace, result: Any, dtype: Any
    ) -> Array:
        """Return the values of a result, or its differences from ``f(x)``."""
        raise NotImplementedError

    def _repeat_constant(self, near: Neighborhood, value: Array, chunk: Chunk) -> Array:
        """Return a result that does not depend on the points once for each of them."""
        constant = value[None, ...]
        if self.gives_differences:
            # Not zeros: the difference of infinite values is nan.
            constant = constant - value
        return near.function.xp.broadcast_to(constant, (chunk.size, *value.shape))


class Sparse(HiddenAxis):
    """Holds the entries that differ at the points, with their differences from x."""

    name = "sparse"
    dense = False
    gives_differences = True

    def _standin(self, trace: Trace, points: Points, chunk: Chunk) -> Batched:
        xp, base = trace.xp, unwrap(points.base)
        entries, values, moves = map(unwrap, points.moved_entries(chunk))
        # The only entry of an array is all of it, which costs no positions.
        if math.prod(base.shape) == 1:
            region = Region.full(xp, base.shape, trace.cache)
        else:
            region = Region.at_positions(xp, base.shape, entries, None, trace.cache)
        lengths = (chunk.size, *region.extent)
        return Batched(
            trace, base, region, moves.reshape(lengths), values.reshape(lengths)
        )

    def _values(
        self, near: Neighborhood, trace: Trace, result: Any, dtype: Any
    ) -> Array:
        return all_differences(trace, result, dtype)


class Dense(HiddenAxis):
    """Holds the values of all entries at all points."""

    name = "dense"
    dense = True

    def _standin(self, trace: Trace, points: Points, chunk: Chunk) -> Batched:
        base = unwrap(points.base)
        region = Region.full(trace.xp, tuple(base.shape), trace.cache)
        batch = unwrap(points.batch(chunk))
        return Batched(trace, base, region, value=batch[:, None, ...])

    def _values(
        self, near: Neighborhood, trace: Trace, result: Any, dtype: Any
    ) -> Array:
        return near.function.as_number(trace.xp, all_values(trace, result))


def _call_traced(near: Neighborhood, trace: Trace, arguments: list[Any]) -> Any:
    """Call the function with a stand-in; raise what broke the trace, if anything."""
    try:
        result = near.function.call_with(arguments)
    except Exception as error:
        if trace.refusal is None or trace.refusal is error:
            raise
        raise trace.refusal from error
    # `f` has caught the refusal, and may have returned something else instead.
    if trace.refusal is not None:
        raise trace.refusal
    # On a GPU, asking for it would wait for the device at every chunk.
    if trace.is_numpy and trace.unchecked_diffs and not trace.diffs_are_finite:
        raise NotFiniteError
    return result


# By their names in checkpoints.
WAYS: dict[str, type[Way]] = {
    way.name: way for way in (Batch, Loop, Vmap, Sparse, Dense)
}
