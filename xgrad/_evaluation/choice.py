"""The choice of a way to call a plain function, for ``vectorized="auto"``.

The function is tried at a few points, and its results there are compared with those of
plain calls. A way that passes is remembered; one point is proved again on every call. A
function that passes in no way is evaluated one point at a time, with a warning that
names the line of code that asks for it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from xgrad._arrays import (
    Array,
    has_hidden_axis,
    is_lazy,
    is_out_of_memory,
    native_vmap,
)
from xgrad._evaluation.evaluator import (
    Evaluator,
    points_per_chunk,
    proved_values,
)
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.hidden_axis import Dense, HiddenAxis, Sparse
from xgrad._evaluation.loop_warning import (
    Reason,
    reason_of,
    warn_of_fault,
    warn_of_loop,
)
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.pace import Pace
from xgrad._evaluation.points import Points
from xgrad._evaluation.proof import Proof, Sample, is_large_row
from xgrad._evaluation.proved_ways import SWITCH, proof_key, ways_of_function
from xgrad._evaluation.refusals import NotFiniteError, RefusedError
from xgrad._evaluation.ways import LOOP, Batch, Loop, Vmap, Way

# So few columns of so few points are evaluated one by one, which takes less time than
# to build a stand-in and to prove it: with one or two variables a loop is at least as
# fast. 16 offsets are those of a central stencil of any accuracy, but not of a ladder.
FEW_COLUMNS = 2
FEW_OFFSETS = 16


def choose_way(evaluator: Evaluator, near: Neighborhood) -> Way:
    """Return the way to call a function near x: that of the caller, or the fastest."""
    function, points = near.function, near.points
    if function.vectorized != "auto":
        return Batch(function.width) if function.batched else LOOP
    state = evaluator.state
    if points.total == 0 or state.loop_reason is not None:
        return LOOP
    key = proof_key(near, os.environ.get(SWITCH))
    way = state.ways.get(key)
    if way is None:
        way = state.ways[key] = _choose(evaluator, near, key)
    return way


def evaluate_in_known_way(
    near: Neighborhood, execution: Execution
) -> tuple[Array, Any] | None:
    """Evaluate all points at once: values, or differences, and that of ``x`` itself.

    Return None where the way is not known from an earlier call, or fails, or where the
    points are too many.
    """
    function, points = near.function, near.points
    chunk = points.first_chunk(points.total)
    if function.vectorized != "auto":
        way: Way | None = Batch(function.width) if function.batched else LOOP
    else:
        key = proof_key(near, os.environ.get(SWITCH))
        memory = ways_of_function(function.call)
        way = memory.find(key)
        if way is not None and _is_few(points) and key[-1] is None:
            way = LOOP
    if way is None or not 0 < points.total <= points_per_chunk(execution, way, near):
        return None
    if isinstance(way, Loop | Batch):
        try:
            return way.evaluate(near, chunk), near.base
        except Exception as error:
            if is_out_of_memory(error):
                return None
            raise
    values = proved_values(way, near, chunk, memory, key)
    if values is None:
        return None
    return values, 0.0 if way.gives_differences else near.base


def _is_few(points: Points) -> bool:
    return points.count <= FEW_COLUMNS and len(points.offsets) <= FEW_OFFSETS


def _choose(evaluator: Evaluator, near: Neighborhood, key: Any) -> Way:
    """Return the fastest way that reproduces plain calls."""
    points, xp, forced = near.points, near.function.xp, key[-1]
    few = forced is None and _is_few(points)
    if not points.by_entries and (few or is_large_row(points)) and forced is None:
        return LOOP
    if is_lazy(xp, points.base):
        return LOOP
    memory = ways_of_function(near.function.call)
    before = memory.find(key)
    if few and isinstance(before, Loop):
        return before
    # Known from an earlier call: the first chunk itself is the proof, which is the
    # least work where one chunk is all there is.
    is_known = isinstance(before, HiddenAxis) and not few and forced is None
    if is_known and evaluator.begin(before, near, memory, key):
        return before
    has_vmap = native_vmap(xp) is not None
    if not (has_vmap or has_hidden_axis(xp)):
        return LOOP
    proof = Proof(near)
    if before is None:
        proof.require_deterministic()
    if few:
        before = LOOP
    way: Way | None = before
    if not isinstance(before, Loop):
        ways = _ways_to_try(has_vmap, forced == "1" or not points.by_entries)
        sample = proof.sample(before is not None)
        way = _first_correct(evaluator, proof, sample, ways, before)
        if forced is None and evaluator.has_pace(near):
            near.pace = Pace(memory, key, sample.seconds)
    # Memory ran out. It may suffice next time, so that nothing is remembered.
    if way is None:
        return LOOP
    if before is not None and way.needs_proof:
        # One point may see smaller arrays than the points of the first proof did;
        # chunks must fit the largest.
        way = replace(way, width=max(before.width, way.width))
    memory.remember(key, way)
    return way


def _ways_to_try(has_vmap: bool, only_dense: bool) -> list[Way]:
    if has_vmap:
        return [Vmap()]
    return [Dense()] if only_dense else [Sparse(), Dense()]


def _first_correct(
    evaluator: Evaluator,
    proof: Proof,
    sample: Sample,
    ways: list[Way],
    before: Way | None,
) -> Way | None:
    """Try ways in order and return the first correct one, or else a loop, and warn.

    Begin with the way that was proved ``before``. Return None if memory ran out.
    """
    names = [way.name for way in ways]
    if before is not None and before.name in names:
        ways = ways[names.index(before.name) :]
    reasons: list[tuple[int, Reason]] = []
    proved = None
    for way in ways:
        try:
            again = before is not None and before.name == way.name
            proved = proof.prove(way, sample, again)
            break
        # The caller's function may raise anything here that it would not raise for a
        # plain array; the loop then shows whether the error is its own.
        except Exception as error:
            if is_out_of_memory(error):
                return None
            reason = reason_of(error, proof.near.function.call)
            # An error of the function tells more than a comparison of its results.
            rank = isinstance(error, RefusedError | NotFiniteError)
            reasons.append((-1 if reason.is_fault else int(rank), reason))
    first = min(reasons, key=lambda reason: reason[0])[1] if reasons else None
    if first is not None and proved is None:
        evaluator.state.warn_once(warn_of_loop, first)
    elif first is not None and first.is_fault:
        evaluator.state.warn_once(warn_of_fault, first)
    return proved or LOOP
