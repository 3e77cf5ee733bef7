"""The ways to evaluate the caller's function at a chunk of points.

Each takes a function, the leaf that moves, the points, a chunk of them and the shape of
``f(x)``, which every other value must have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    hides_points,
    is_numpy,
    is_out_of_memory,
    native_vmap,
    on_device_of,
    unwrap,
    unwrapped_namespace,
    wrap_like,
)
from xgrad._batched import Batched, Region, Trace, all_differences, all_values
from xgrad._evaluation.agreement import is_base, is_same
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.function import Function, copied
from xgrad._evaluation.loop_warning import Fallback, reason_of
from xgrad._evaluation.notes import note_in
from xgrad._evaluation.points import Points
from xgrad._evaluation.refusals import NotFiniteError, RefusedError

OTHER_RESULTS = (
    "they differ for many points and for one, as those of functions that look at the "
    "type of x, change it in place or catch errors; write it without"
)

Way = Callable[[Function, int, Points, Chunk, tuple[int, ...]], Array]


def at_points(
    function: Function,
    leaf: int,
    points: Points,
    chunk: Chunk,
    shape: tuple[int, ...],
    fallback: Fallback,
) -> Array:
    """Evaluate a function at a chunk of points, ``(offsets, columns, *shape)``.

    Where the function `gives_differences`, subtract ``f(x)``. Fall back to a loop where
    another way that xgrad chose raises an error, and from then on.
    """
    if function.mode in ("batch", "loop"):
        return attempt(function, leaf, points, chunk, shape)
    if not fallback:
        try:
            return attempt(function, leaf, points, chunk, shape)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            fallback.reason = reason_of(error, function.call)
    # Called with one point, `f` raises the caller's own error or none at all.
    values = attempt(replace(function, mode="loop"), leaf, points, chunk, shape)
    return values - function.base if function.gives_differences else values


def attempt(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Evaluate as `at_points`, in the way of the function's mode and no other."""
    with on_device_of(points.base), at_perturbed_points():
        values = _WAYS[function.mode](function, leaf, points, chunk, shape)
    return function.xp.reshape(values, (*chunk.counts, *shape))


def at_proved_points(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Evaluate as `attempt`, and prove one of the points by a plain call.

    Raise `RefusedError` where that has another value.
    """
    values = attempt(function, leaf, points, chunk, shape)
    column = (chunk.start + chunk.stop) // 2
    one = Chunk(column, column + 1, chunk.first, chunk.first + 1)
    expected = attempt(replace(function, mode="loop"), leaf, points, one, shape)
    value = values[0, column - chunk.start, ...]
    if function.gives_differences:
        value = function.base + value
    if not is_same(function, value, expected[0, 0, ...]):
        raise RefusedError(OTHER_RESULTS)
    return values


def _by_batch(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Call a function that takes a leading axis of points once."""
    xp, count = function.xp, chunk.size
    batch = points.batch(chunk)
    arguments = function.copy_leaves(
        lambda x: xp.broadcast_to(x[None, ...], (count, *x.shape)), without=leaf
    )
    arguments[leaf] = batch
    try:
        values = function.evaluate(arguments)
    except Exception as error:
        error.add_note(note_in(points, chunk, None))
        raise
    if tuple(values.shape) != (count, *shape):
        raise ValueError(
            f"with vectorized=True `f` was given {count} points along a leading "
            f"axis and must return shape {(count, *shape)}, but returned "
            f"{tuple(values.shape)}: let `f` keep the first axis, or leave "
            "`vectorized` out"
        )
    return values


def _by_loop(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Call the function once for each point."""
    xp, values = function.xp, []
    batch = points.batch(chunk)
    for i in range(chunk.size):
        # New copies for every call: `f` may write into its argument.
        arguments = function.copy_leaves(lambda x: x, without=leaf)
        # Of a point as well: `f` must not reach the others through a view of them.
        arguments[leaf] = copied(xp, batch[i, ...])
        try:
            value = function.evaluate(arguments)
        except Exception as error:
            error.add_note(note_in(points, chunk, i))
            raise
        if tuple(value.shape) != shape:
            raise _shape_error(shape, tuple(value.shape))
        values.append(value)
    return values[0] if len(values) == 1 else xp.stack(values, axis=0)


def _by_vmap(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Map the function over the points by the library's own ``vmap``.

    One of them is ``x`` itself: an operation that fails at one point fails for all, and
    where `f` catches that, the result is another one at ``x``, too.
    """
    xp = function.xp
    vmap: Any = native_vmap(xp)
    fixed = function.copy_leaves(lambda x: x, without=leaf)

    def call(point: Array) -> Any:
        return function.call_with([*fixed[:leaf], point, *fixed[leaf + 1 :]])

    batch = points.batch(chunk)
    origin = xp.astype(function.leaves[leaf], batch.dtype)
    batch = xp.concat([batch, origin[None, ...]], axis=0)
    values = function.convert_result(vmap(call)(batch))
    if tuple(values.shape) != (chunk.size + 1, *shape):
        raise _shape_error(shape, tuple(values.shape[1:]))
    _require_base(function, values[chunk.size, ...])
    return values[: chunk.size, ...]


def _by_hidden_axis(
    function: Function, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
) -> Array:
    """Call the function once with a stand-in for all points."""
    values, (value, _) = trace_points(function, leaf, points, chunk)
    # On a GPU, where each comparison waits for the device, that of the proof is enough:
    # nothing that depends on values raises an error there.
    if is_numpy(function.xp):
        _require_base(function, value)
    if tuple(values.shape) != (chunk.size, *shape):
        raise _shape_error(shape, tuple(values.shape[1:]))
    return values


def _require_base(function: Function, value: Array) -> None:
    """Raise unless a chunk gives ``f(x)`` the value that a plain call gave it."""
    if not is_base(function, value):
        raise RefusedError(
            "f(x) differs for many points and for one, as that of functions that catch "
            "errors; write it without"
        )


_WAYS: dict[Mode, Way] = {
    "batch": _by_batch,
    "loop": _by_loop,
    "vmap": _by_vmap,
    "sparse": _by_hidden_axis,
    "dense": _by_hidden_axis,
}


def trace_points(
    function: Function, leaf: int, points: Points, chunk: Chunk
) -> tuple[Array, tuple[Array, Trace]]:
    """Evaluate a chunk through the hidden axis: values, and ``(f(x), trace)``.

    The values have the shape ``(points, *f(x).shape)``. They are differences from
    ``f(x)`` in the mode "sparse". The trace tells the cost.
    """
    xp, base = unwrapped_namespace(function.xp), points.base
    trace = Trace(xp, chunk.size, function.memo, function.mode == "dense")
    try:
        arguments = function.copy_leaves(lambda x: x, without=leaf)
        standin = _standin(function, trace, points, chunk)
        arguments[leaf] = wrap_like(standin, base)
        result = function.convert_result(_call_traced(function, trace, arguments))
        if not hides_points(result):
            # `f` does not depend on this leaf, or broke the chain of stand-ins: then
            # the proof will see it.
            return _repeat_constant(function, result, chunk), (result, trace)
        result = unwrap(result)
        if result.tracer is not trace:
            raise RefusedError(
                "they belong to an earlier evaluation; keep none of them"
            )
        value = function.as_number(xp, xp.asarray(result.ensure_current().base))
        if function.gives_differences:
            values = all_differences(trace, result, value.dtype)
        else:
            values = function.as_number(xp, all_values(trace, result))
        return wrap_like(values, base), (wrap_like(value, base), trace)
    finally:
        trace.close()


def _call_traced(function: Function, trace: Trace, arguments: list[Any]) -> Any:
    """Call the function with a stand-in; raise what broke the trace, if anything."""
    try:
        result = function.call_with(arguments)
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


def _repeat_constant(function: Function, value: Array, chunk: Chunk) -> Array:
    """Return a result that does not depend on the points once for each of them."""
    constant = value[None, ...]
    if function.gives_differences:
        # Not zeros: the difference of infinite values is nan.
        constant = constant - value
    return function.xp.broadcast_to(constant, (chunk.size, *value.shape))


def _standin(function: Function, trace: Trace, points: Points, chunk: Chunk) -> Batched:
    """Build the array that stands for all points of a chunk."""
    xp, base = trace.xp, unwrap(points.base)
    shape = tuple(base.shape)
    if function.mode == "dense":
        region = Region.full(xp, shape, trace.cache)
        batch = unwrap(points.batch(chunk))
        return Batched(trace, base, region, value=batch[:, None, ...])
    entries, values = map(unwrap, points.perturbed_entries(chunk))
    origin = xp.take(xp.reshape(base, (-1,)), xp.reshape(entries, (-1,)))
    # Of rounded coordinates, so that quotients have exactly the moves that were made.
    diff = values - xp.reshape(origin, entries.shape)
    # The only entry of an array is all of it, which costs no positions.
    if math.prod(shape) == 1:
        region = Region.full(xp, shape, trace.cache)
    else:
        region = Region.at_positions(xp, shape, entries, None, trace.cache)
    lengths = (chunk.size, region.slots, *region.inner)
    diff, values = xp.reshape(diff, lengths), xp.reshape(values, lengths)
    return Batched(trace, base, region, diff, values)


def _shape_error(shape: tuple[int, ...], other: tuple[int, ...]) -> ValueError:
    return ValueError(
        f"`f` returned shape {shape} at x, but shape {other} at a point close to x: "
        "its result must have one shape everywhere"
    )
