"""Apply functions of entries to arrays of which few entries differ.

The base is computed once. At the entries that differ, linear operations carry the
differences on, exactly; all others evaluate values.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._batched.array import Batched
from xgrad._batched.operands import (
    base_ids,
    bases_of,
    batched_result,
    broadcast_on,
    constant_on,
)
from xgrad._batched.region import Region
from xgrad._batched.trace import Trace
from xgrad._batched.unions import Carrier, Fill, unite

NUMBERS = (int, float, complex)

# The operations that are linear, and in which arguments: a sum in "both" together, a
# product in any "one" while the other is constant, a quotient in the "first", `where`
# in its two "branches" together.
LINEAR = {
    "add": "both",
    "sub": "both",
    "subtract": "both",
    "mul": "one",
    "multiply": "one",
    "truediv": "first",
    "divide": "first",
    "true_divide": "first",
    "neg": "first",
    "negative": "first",
    "pos": "first",
    "positive": "first",
    "real": "first",
    "imag": "first",
    "conj": "first",
    "conjugate": "first",
    "where": "branches",
}


def elementwise(function: Callable[..., Any], *operands: Any) -> Batched:
    """Apply a function of entries at the same place, with broadcasting."""
    # One array, or one beside a number, is most of what functions do: it has a short
    # path of its own.
    if len(operands) == 1:
        return _apply_to_one(function, operands[0], function, False)
    if len(operands) == 2:
        a, b = operands
        if isinstance(b, NUMBERS):
            return _apply_to_one(function, a, lambda x: function(x, b), False)
        if isinstance(a, NUMBERS):
            return _apply_to_one(function, b, lambda x: function(a, x), True)
    varying, trace = [], None
    for i, operand in enumerate(operands):
        if isinstance(operand, Batched):
            if operand.owner is not None or operand.stale:
                operand.ensure_current()
            trace = operand.tracer
            if operand.region is not None:
                varying.append(i)
    if trace is None:
        raise TypeError("no operand is batched")
    base = trace.compute_once(
        function, base_ids(operands), lambda: function(*bases_of(operands))
    )
    if not varying:
        return Batched(trace, base)
    linearity = None if trace.dense else _linearity(function)
    if linearity == "both" and len(varying) == len(operands) == 2:
        total = _add_in_slots(function, base, *operands, trace)
        if total is not None:
            return total
    if linearity and _can_carry_diffs(linearity, varying, operands):
        return _carry_diffs(function, base, operands, varying, trace)
    return _evaluate(function, base, operands, varying, trace)


def _apply_to_one(
    function: Callable[..., Any],
    x: Batched,
    call: Callable[[Any], Any],
    reflected: bool,
) -> Batched:
    """Apply a function of one array, or of an array and a number.

    ``call`` is the function of the array alone; ``reflected``: the number comes first.
    """
    if x.owner is not None or x.stale:
        x.ensure_current()
    trace, region, base = x.tracer, x.region, x.base
    base = trace.compute_once(
        function, [id(base)], lambda: _as_numpy_scalar(call(x.base))
    )
    if region is None:
        return Batched(trace, base)
    trace.count_work(region.width, base.size)
    diff: Any = x.stored_diff
    linearity = None if diff is None or trace.dense else _linearity(function)
    if linearity == "both":
        negated = reflected and _is_subtraction(function)
        diff = -diff if negated else diff
    elif linearity == "one" or (linearity == "first" and not reflected):
        diff = call(diff)
        if not trace.cached_for_operation("finite", lambda: _all_finite(trace, base)):
            trace.unchecked_diffs.append(diff)
    else:
        return Batched(trace, base, region, None, call(x.value))
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    return Batched(trace, base, region, diff)


def _as_numpy_scalar(value: Any) -> Any:
    """Make a Python scalar one of NumPy (complex * np.float64 gives a Python one)."""
    return np.asarray(value)[()] if type(value) in NUMBERS else value


def _linearity(function: Any) -> str | None:
    """Return in which of its arguments a function is linear; None if in no one."""
    # CuPy's kernels have the names of NumPy's functions with a prefix, or no name.
    return LINEAR.get(getattr(function, "__name__", "").removeprefix("cupy_"))


def _is_subtraction(function: Any) -> bool:
    return function.__name__.removeprefix("cupy_") in ("sub", "subtract")


def _all_finite(trace: Trace, base: Array) -> bool:
    """Whether a base is known to be finite; on a GPU, looking would wait for it."""
    return trace.is_numpy and bool(np.isfinite(base).all())


def _add_in_slots(
    function: Callable[..., Any], base: Array, a: Batched, b: Batched, trace: Trace
) -> Batched | None:
    """Add or subtract two arrays that have slots of their own; None if they do not."""
    # Such sums, as in `x[1:] - x[:-1]`, need no zeros in the slots of the other one.
    same = a.region is b.region and not (a.has_diff and b.has_diff)
    if same or not a.base.shape == b.base.shape == base.shape:
        return None
    if base.dtype.kind not in "fc":
        return None
    union = unite(a.region, b.region)
    if union.starts is None:
        return None
    region = union.region
    shape = (trace.points, *region.extent)
    diff = trace.xp.zeros(shape, dtype=base.dtype, device=a.device)
    first, second = union.starts
    diff[:, first : first + a.region.slots] = a.diff
    place = diff[:, second : second + b.region.slots]
    if _is_subtraction(function):
        place -= b.diff
    else:
        place += b.diff
    return batched_result(trace, base, region, diff=diff)


def _can_carry_diffs(
    linearity: str, varying: list[int], operands: Sequence[Any]
) -> bool:
    """Whether the operation is linear in what varies, and differences are stored."""
    if not all(operands[i].has_diff for i in varying):
        return False
    if linearity == "both":
        return True
    if linearity == "branches":
        return varying[0] != 0
    return len(varying) == 1 and (linearity == "one" or varying[0] == 0)


def _carry_diffs(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    trace: Trace,
) -> Batched:
    """Apply a linear operation to differences, which is exact up to rounding."""
    region, diffs = _diffs_on_common_region(operands, varying, base.shape, trace.xp)
    diff = _linear_diff(function, base, operands, varying, diffs, region, trace)
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    if diff.shape != (trace.points, *region.extent):
        diff = broadcast_on(trace, diff, region)
    if len(varying) > 1 and region.valid is not None:
        diff = region.mask(diff)
    return batched_result(trace, base, region, diff=diff)


def _diffs_on_common_region(
    operands: Sequence[Any], varying: list[int], shape: tuple[int, ...], xp: Any
) -> tuple[Region, dict[int, Array]]:
    """Return a region for all operands, and the differences of each on it."""
    if len(varying) == 1 and operands[varying[0]].base.shape == shape:
        x = operands[varying[0]]
        return x.region, {varying[0]: x.diff}
    region, carriers = _common_region(operands, varying, shape)
    return region, {
        i: carriers[i](
            operands[i].diff, functools.partial(_zeros_on, xp, operands[i].diff)
        )
        for i in varying
    }


def _linear_diff(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    diffs: dict[int, Array],
    region: Region,
    trace: Trace,
) -> Array:
    """Return the differences of the result, from those of the operands."""
    linearity = _linearity(function)
    if linearity == "branches":
        zero = _zeros_on(trace.xp, base, region)
        branches = [diffs.get(1, zero), diffs.get(2, zero)]
        return function(constant_on(trace, operands[0], region), *branches)
    if len(varying) == len(operands):
        return function(*diffs.values())
    if linearity == "both":
        # The constant summand drops out; in front of a minus it turns the sign.
        diff = diffs[varying[0]]
        return -diff if varying[0] == 1 and _is_subtraction(function) else diff
    factors = [
        diffs[i] if i in diffs else constant_on(trace, operand, region)
        for i, operand in enumerate(operands)
    ]
    diff = function(*factors)
    if not trace.cached_for_operation("finite", lambda: _all_finite(trace, base)):
        trace.unchecked_diffs.append(diff)  # the constant may be infinite
    return diff


def _evaluate(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    trace: Trace,
) -> Batched:
    """Apply any function to the values of its operands, where one of them varies."""
    if len(varying) == 1 and operands[varying[0]].base.shape == base.shape:
        region = operands[varying[0]].region
        values = [
            o.value if i == varying[0] else constant_on(trace, o, region)
            for i, o in enumerate(operands)
        ]
    else:
        region, carriers = _common_region(operands, varying, base.shape)
        values = [
            carriers[i](o.value, functools.partial(_base_on, trace, o.base))
            if i in carriers
            else constant_on(trace, o, region)
            for i, o in enumerate(operands)
        ]
    value = function(*values)
    if value.shape != (trace.points, *region.extent):
        value = broadcast_on(trace, value, region)
    return batched_result(trace, base, region, value=value)


def _base_on(trace: Trace, base: Array, region: Region) -> Array:
    """Return the base on a region, with an entry for each of its slots."""
    data = region.gather(base, trace.axes_first)
    if data.shape[1] != region.slots:
        data = trace.xp.broadcast_to(
            data, (data.shape[0], region.slots, *data.shape[2:])
        )
    return data


def _zeros_on(xp: Any, like: Array, region: Region) -> Array:
    """Return zeros that broadcast against data on a region."""
    shape = (1, region.slots, *(1,) * len(region.inner))
    return xp.zeros(shape, dtype=like.dtype, device=device_of(like))


def _common_region(
    operands: Sequence[Any], varying: list[int], shape: tuple[int, ...]
) -> tuple[Region, dict[int, Carrier]]:
    """Return a region that contains those of all operands, and a carrier for each."""
    region: Region | None = None
    carriers: dict[int, list[Carrier]] = {}
    for i in varying:
        own = operands[i].region
        steps: list[Carrier] = []
        if own.shape != shape:
            own, lengthen = lift(own, shape)
            steps.append(lengthen)
        if region is None or region is own:
            region = own
        else:
            union = unite(region, own)
            for earlier in carriers.values():
                earlier.append(union.from_first)
            steps.append(union.from_second)
            region = union.region
        carriers[i] = steps
    assert region is not None
    return region, {i: functools.partial(_carry, s) for i, s in carriers.items()}


def _carry(steps: list[Carrier], data: Array, fill: Fill) -> Array:
    for step in steps:
        data = step(data, fill)
    return data


def lift(region: Region, shape: tuple[int, ...]) -> tuple[Region, Callable[..., Array]]:
    """Return the region in a shape that its own broadcasts to, and a carrier there."""
    lead = len(shape) - len(region.shape)

    def make() -> Region:
        none = (None,) * lead
        index, origins = none + region.index, none + region.origins
        return region.with_axes(shape, index, origins, region.valid)

    return region.derive(("lift", shape), make), functools.partial(_insert_axes, lead)


def _insert_axes(lead: int, data: Array, fill: Fill | None = None) -> Array:
    """Insert axes of length 1 behind the slots."""
    if not lead:
        return data
    return data[(slice(None), slice(None), *(None,) * lead, ...)]
