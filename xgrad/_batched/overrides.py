"""Functions that pay to be computed in another way than their general one.

Each may return None, which leaves the work to the function of `_tracing`.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.fibres import widen
from xgrad._batched.gather import placed
from xgrad._batched.operands import base_ids, trace_of
from xgrad._batched.unions import put
from xgrad._tracing import concat_arrays, running_sum, sum_, variance

OVERRIDES: dict[Callable[..., Any], Callable[..., Batched | None]] = {}


def _overrides(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """Enter a function as the way to compute another one."""
    return lambda override: OVERRIDES.setdefault(function, override)


@_overrides(concat_arrays)
def _concat_arrays(arrays: list[Any], axis: int) -> Batched | None:
    """Concatenate as a sum of arrays, each padded with zeros: sums keep regions small.

    Of the sum only the differences are used.
    """
    trace = trace_of(arrays)
    varying = [a for a in arrays if isinstance(a, Batched) and a.region is not None]
    # Differences are something that booleans do not have, and those of unsigned
    # integers wrap around.
    carried = all(a.has_diff or a.dtype.kind in "fc" for a in varying)
    if trace.dense or not varying or not carried:
        return None
    bases = [a.base if isinstance(a, Batched) else a for a in arrays]
    xp = trace.xp
    base = trace.compute_once(
        ("concat", axis),
        base_ids(arrays),
        lambda: xp.concat([xp.asarray(b) for b in bases], axis=axis),
    )
    shape, start, padded = tuple(base.shape), 0, []
    for array in arrays:
        if isinstance(array, Batched) and array.region is not None:
            sources = functools.partial(_sources, xp, array, shape, axis, start)
            padded.append(placed(("concat", axis, start, shape), array, sources))
        start += array.shape[axis]
    total = functools.reduce(functools.partial(elementwise, operator.add), padded)
    return Batched(trace, base, total.region, total.diff_as(base.dtype))


def _sources(
    xp: Any, x: Batched, shape: tuple[int, ...], axis: int, start: int
) -> Array:
    """Return for each entry of the result which entry of ``x`` it is, or -1."""
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    sources = xp.full(shape, -1, dtype=numbers.dtype, device=x.device)
    sources[(*(slice(None),) * axis, slice(start, start + x.shape[axis]))] = numbers
    return sources


@_overrides(variance)
def _variance(
    x: Batched, axes: tuple[int, ...], keepdims: bool, lost: float
) -> Batched | None:
    """Return variances by sums, which carry differences on exactly."""
    trace, xp = x.tracer, x.tracer.xp
    if x.region is None or x.region.is_full or trace.dense:
        return None
    # About a constant center c near the mean,
    # sum((x - mean)**2) = sum((x - c)**2) - sum(x - c)**2 / n without cancellation.
    center = trace.compute_once(
        ("center", axes),
        base_ids((x,)),
        lambda: xp.mean(xp.asarray(x.base), axis=axes, keepdims=True),
    )
    centered: Any = elementwise(operator.sub, x, center)
    total = sum_(centered, axes, keepdims=keepdims)
    squares = sum_(centered * centered, axes, keepdims=keepdims)
    count = math.prod(x.shape[axis] for axis in axes)
    return (squares - total * total / count) / max(count - lost, 0)


@_overrides(running_sum)
def _running_sum(x: Batched, axis: int) -> Batched | None:
    """Add up differences along the axis, as those of a sum are, exactly."""
    trace, xp, region = x.tracer, x.tracer.xp, x.ensure_current().region
    if region is None or not x.has_diff or region.is_full or trace.dense:
        return None
    base = trace.compute_once(
        "cumulative_sum", base_ids((x,)), lambda: xp.cumulative_sum(x.base, axis=axis)
    )
    outer, _ = widen(x, (axis,))
    zero = xp.zeros((1, 1, *(1,) * len(outer.inner)), dtype=x.dtype, device=x.device)
    diff = x.diff if outer is region else put(outer, zero, region, x.diff)
    diff = xp.cumulative_sum(diff, axis=2 + outer.free.index(axis))
    trace.count_work(outer.width, base.size)
    return Batched(trace, base, outer, diff)
