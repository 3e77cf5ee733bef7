"""Implement the primitives of functions for arrays at many points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.contractions import product
from xgrad._batched.elementwise import elementwise
from xgrad._batched.everywhere import everywhere
from xgrad._batched.fibres import along, summed
from xgrad._batched.gather import gathered, placed
from xgrad._batched.layout import broadcast, permuted, reshaped
from xgrad._batched.operands import base_ids
from xgrad._batched.overrides import OVERRIDES
from xgrad._batched.recording import Recording
from xgrad._batched.slices import sliced


class Trace(Recording):
    """One evaluation of a function at many points, and the primitives for it."""

    overrides = OVERRIDES
    elementwise = staticmethod(elementwise)
    summed = staticmethod(summed)
    along = staticmethod(along)
    product = staticmethod(product)
    gathered = staticmethod(gathered)
    placed = staticmethod(placed)
    sliced = staticmethod(sliced)
    reshaped = staticmethod(reshaped)
    permuted = staticmethod(permuted)
    broadcast = staticmethod(broadcast)
    everywhere = staticmethod(everywhere)

    @staticmethod
    def constant(operation: Any, like: Batched, make: Callable[[], Array]) -> Batched:
        """Return an array that is the same at all points."""
        trace = like.tracer
        return Batched(trace, trace.compute_once(operation, base_ids((like,)), make))

    @staticmethod
    def copy(x: Batched) -> Batched:
        """Return an array without an owner; nothing writes to its data."""
        x.ensure_current()
        return Batched(x.tracer, x.base, x.region, x.stored_diff, x.stored_value)
