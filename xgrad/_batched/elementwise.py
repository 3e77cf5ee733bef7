"""Apply functions of entries to arrays of which few entries differ.

The base is computed once. At the entries that differ, linear operations carry the
differences on, exactly; all others evaluate values.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.alignment import base_on, common_region
from xgrad._batched.array import Batched
from xgrad._batched.linear import add_in_slots, all_finite, can_carry_diffs, carry_diffs
from xgrad._batched.operands import (
    base_ids,
    bases_of,
    batched_result,
    broadcast_on,
    constant_on,
)
from xgrad._batched.recording import Recording
from xgrad._tracing import Linear

NUMBERS = (int, float, complex)
# Names of this module, because members of an Enum are slow to look up.
SUM, DIFFERENCE = Linear.SUM, Linear.DIFFERENCE
PRODUCT, FIRST = Linear.PRODUCT, Linear.FIRST


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
            if operand.owner is not None or operand.stale is not None:
                operand.ensure_current()
            trace = operand.tracer
            if operand.region is not None:
                varying.append(i)
    if trace is None:
        raise TypeError("no operand is batched")
    # The function is the key itself: it must be one object every time, which is why
    # functions take theirs from caches.
    base = trace.compute_once(
        function, base_ids(operands), lambda: function(*bases_of(operands))
    )
    if not varying:
        return Batched(trace, base)
    # In the dense way there are values alone, so that it can check all of this.
    linear = None if trace.dense else trace.linear.get(function)
    if (linear is SUM or linear is DIFFERENCE) and len(varying) == len(operands) == 2:
        total = add_in_slots(function, base, *operands, trace)
        if total is not None:
            return total
    if linear is not None and can_carry_diffs(linear, varying, operands):
        return carry_diffs(function, base, operands, varying, trace)
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
    if x.owner is not None or x.stale is not None:
        x.ensure_current()
    trace, region, base = x.tracer, x.region, x.base
    base = trace.compute_once(
        function, [id(base)], lambda: _as_numpy_scalar(call(x.base))
    )
    if region is None:
        return Batched(trace, base)
    trace.count_work(region.width, base.size)
    diff: Any = x.stored_diff
    linear = None if diff is None or trace.dense else trace.linear.get(function)
    if linear is SUM or linear is DIFFERENCE:
        # A number drops out of the difference; in front of a minus it turns the sign.
        negated = reflected and linear is DIFFERENCE
        diff = -diff if negated else diff
    elif linear is PRODUCT or (linear is FIRST and not reflected):
        diff = call(diff)
        if not trace.cached_for_operation("finite", lambda: all_finite(trace, base)):
            trace.unchecked_diffs.append(diff)  # the number may be infinite
    else:
        return Batched(trace, base, region, None, call(x.value))
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    return Batched(trace, base, region, diff)


def _as_numpy_scalar(value: Any) -> Any:
    """Make a Python scalar one of NumPy (complex * np.float64 gives a Python one)."""
    return np.asarray(value)[()] if type(value) in NUMBERS else value


def _evaluate(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    trace: Recording,
) -> Batched:
    """Apply any function to the values of its operands, where one of them varies."""
    if len(varying) == 1 and operands[varying[0]].base.shape == base.shape:
        region = operands[varying[0]].region
        values = [
            o.value if i == varying[0] else constant_on(trace, o, region)
            for i, o in enumerate(operands)
        ]
    else:
        region, carriers = common_region(operands, varying, base.shape)
        values = [
            carriers[i](o.value, functools.partial(base_on, trace, o.base))
            if i in carriers
            else constant_on(trace, o, region)
            for i, o in enumerate(operands)
        ]
    # Data that are equal at all points or along a new axis leave it smaller.
    value = function(*values)
    if value.shape != (trace.points, *region.extent):
        value = broadcast_on(trace, value, region)
    return batched_result(trace, base, region, value=value)
