"""The choice of a way to call a plain function, for ``vectorized="auto"``.

The function is tried at a few points, and its results there are compared with those of
plain calls. A way that passes is remembered; one point is proved again on every call. A
function that passes in no way is evaluated one point at a time, with a warning that
names the line of code that asks for it.
"""

from __future__ import annotations

import os
from dataclasses import replace

from xgrad._arrays import (
    Array,
    has_hidden_axis,
    is_lazy,
    is_out_of_memory,
    native_vmap,
)
from xgrad._evaluation.evaluator import Evaluator
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.function import Function
from xgrad._evaluation.loop_warning import (
    Reason,
    reason_of,
    warn_of_fault,
    warn_of_loop,
)
from xgrad._evaluation.points import Points
from xgrad._evaluation.proof import Proof
from xgrad._evaluation.proved_ways import SWITCH, proof_key, proved_ways
from xgrad._evaluation.refusals import NotFiniteError, RefusedError

# So few columns of so few points are evaluated one by one, which takes less time than
# to build a stand-in and to prove it: with one or two variables a loop is at least as
# fast. 16 offsets are those of a central stencil of any accuracy, but not of a ladder.
FEW_COLUMNS = 2
FEW_OFFSETS = 16


def choose_way(
    evaluator: Evaluator, function: Function, leaf: int, points: Points, base: Array
) -> Function:
    """Return the function with a way to call it, unless the caller has set one.

    ``base`` is ``f(x)``; ``leaf`` is the number of the array that ``points`` move.
    """
    if function.mode != "auto":
        return function
    xp = function.xp
    has_vmap = native_vmap(xp) is not None
    lazy = is_lazy(xp, points.base) or not (has_vmap or has_hidden_axis(xp))
    if points.total == 0 or lazy or evaluator.fallback:
        return replace(function, mode="loop")
    key = leaf, points.by_entries, points.base.dtype, len(points.columns)
    proved = evaluator.proved.get(key)
    if proved is None:
        proof = Proof(function, leaf, points, base)
        proved = evaluator.proved[key] = _choose(evaluator, proof, has_vmap)
    if proved.leaves is not function.leaves:  # proved at other arrays of this call
        proved = replace(function, mode=proved.mode, width=proved.width, base=base)
    return proved


def _choose(evaluator: Evaluator, proof: Proof, has_vmap: bool) -> Function:
    """Return the function in the fastest mode that reproduces plain calls."""
    function, points = proof.function, proof.points
    loop = replace(function, mode="loop")
    forced = os.environ.get(SWITCH)
    few = points.count <= FEW_COLUMNS and len(points.offsets) <= FEW_OFFSETS
    large = points.point_bytes > proof.row_limit
    if not points.by_entries and (few or large) and forced is None:
        return loop
    memory = proved_ways(function.call)
    key = proof_key(function, proof.leaf, points, proof.base)
    mode, width = memory.find(key)
    if mode is None:
        proof.require_deterministic()
    if few and forced is None:
        mode = "loop"
    proved: Function | None = loop
    if mode in ("sparse", "dense") and forced is None:
        # Known from an earlier call: the first chunk itself is the proof, which is the
        # least work where one chunk is all there is.
        remembered = replace(function, mode=mode, width=width, base=proof.base)
        if evaluator.begin(remembered, proof.leaf, points, proof.base):
            return remembered
    if mode != "loop":
        modes = _modes_to_try(has_vmap, forced == "1" or not points.by_entries)
        proved = _first_correct(evaluator, proof, modes, mode)
    # Memory ran out. It may suffice next time, so that nothing is remembered.
    if proved is None:
        return loop
    # One point may see smaller arrays than the points of the first proof did; chunks
    # must fit the largest.
    width = max(width, proved.width)
    memory.remember(key, proved.mode, width)
    return replace(proved, width=width) if proved.mode != "loop" else loop


def _modes_to_try(has_vmap: bool, only_dense: bool) -> list[Mode]:
    if has_vmap:
        return ["vmap"]
    return ["dense"] if only_dense else ["sparse", "dense"]


def _first_correct(
    evaluator: Evaluator, proof: Proof, modes: list[Mode], before: Mode | None
) -> Function | None:
    """Try modes in order and return the first correct one, or else a loop, and warn.

    Begin with the mode that was proved ``before``. Return None if memory ran out.
    """
    if before in modes:
        modes = modes[modes.index(before) :]
    sample = proof.sample(before is not None)
    reasons: list[tuple[int, Reason]] = []
    proved = None
    for mode in modes:
        try:
            proved = proof.prove(mode, sample, mode == before)
            break
        # The caller's function may raise anything here that it would not raise for a
        # plain array; the loop then shows whether the error is its own.
        except Exception as error:
            if is_out_of_memory(error):
                return None
            reason = reason_of(error, proof.function.call)
            # An error of the function tells more than a comparison of its results.
            rank = isinstance(error, RefusedError | NotFiniteError)
            reasons.append((-1 if reason.is_fault else int(rank), reason))
    first = min(reasons, key=lambda reason: reason[0])[1] if reasons else None
    if first is not None and proved is None:
        evaluator.warn_once(warn_of_loop, first)
    elif first is not None and first.is_fault:
        evaluator.warn_once(warn_of_fault, first)
    return proved or replace(proof.function, mode="loop")
