"""Views of arrays on a tape, and assignments to arrays.

A view follows what is written into the array whose memory it shares: it is read again
when it is used. An assignment goes into that memory itself, and is an operation with
two arguments, what was there before and the new value.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xgrad._autodiff.positions import Edge, Positions
from xgrad._autodiff.structural import (
    add_at_chain,
    add_at_key,
    add_at_places,
    as_before,
    erase_chain,
    follow,
    held_key,
    is_basic,
    is_same_chain,
    last_writers,
    names_entries,
    permute_back,
    read_chain,
    reshape,
    reshape_back,
    transpose,
)
from xgrad._autodiff.taped import Taped, is_scalar
from xgrad._tracing import array_like, first_standin


class Views(Positions):
    """The primitives that return views, and those that write."""

    def sliced(self, x: Taped, key: tuple[Any, ...]) -> Any:
        """Return ``x[key]`` for integers and slices, one for each axis, and None."""
        if len(key) == 1:
            key = key[0]
        value = self.value_of(x)
        return self.viewed(x, value[key], (operator.getitem, key), add_at_key, key)

    def reshaped(self, x: Taped, shape: tuple[int, ...]) -> Any:
        """Return ``x`` in another shape, in C order."""
        value = self.value_of(x)
        base, step = value.reshape(shape), (reshape, shape)
        # Memory that is not contiguous has been copied.
        is_copied = (
            isinstance(value, np.ndarray)
            and not value.flags.c_contiguous
            and not np.may_share_memory(value, base)
        )
        if is_copied or (type(base) is Taped and base.origin is None):
            return self.result(base, self.edge(x, reshape_back, x.shape))
        return self.viewed(x, base, step, reshape_back, value.shape)

    def permuted(self, x: Taped, axes: tuple[int, ...]) -> Any:
        """Return ``x`` with its axes in another order."""
        step = (transpose, axes)
        return self.viewed(
            x, transpose(self.value_of(x), axes), step, permute_back, axes
        )

    def broadcast(self, x: Taped, shape: tuple[int, ...]) -> Any:
        """Return ``x`` repeated along new axes and along those of length 1."""
        step = (np.broadcast_to, shape)
        base = np.broadcast_to(self.value_of(x), shape)
        return self.viewed(x, base, step, as_before)

    def read(self, x: Taped, key: Any) -> Any:
        """Return ``x[key]``: a view, or a copy for a key with arrays or lists."""
        value = self.value_of(x)
        kind = type(key)
        if kind is int or kind is slice:
            step = operator.getitem, key
            return self.viewed(x, value[key], step, add_at_key, key)
        items = key if kind is tuple else (key,)
        if first_standin(items) is not None:
            raise self.refuse("an index computed from x", "use `astype(int)`")
        if all(map(is_basic, items)):
            step = operator.getitem, key
            return self.viewed(x, value[key], step, add_at_key, key)
        key = held_key(key)
        has_numbers = any(names_entries(i) for i in items)
        pull = add_at_places if has_numbers else add_at_key
        return self.result(value[key], self.edge(x, pull, key))

    def viewed(self, x: Taped, base: Any, step: Any, pull: Any, *saved: Any) -> Taped:
        """Return a view of an array, which follows the assignments to it."""
        at = self.push(base, ((x.at, pull, saved),)) if x.at >= 0 else -1
        new = Taped(self, base, at)
        if is_scalar(base) or is_scalar(x.base):
            return new  # a scalar of NumPy shares no memory
        view = x.origin
        if view is None:
            new.origin = x, (step,), x.version
        else:
            new.origin = view[0], (*view[1], step), view[2]
        return new

    def renew(self, x: Taped) -> None:
        """Read a view again, whose owner was written into."""
        view: Any = x.origin
        owner, steps, _ = view
        x.base = follow(owner.base, steps)
        x.at = -1
        if owner.at >= 0:
            x.at = self.push(x.base, ((owner.at, add_at_chain, (steps,)),))
        x.origin = owner, steps, owner.version

    def replace(self, x: Taped, new: Any) -> None:
        """Replace the whole content of an array, of its dtype and shape."""
        # Memory of the user stays the same, with the new content.
        if x.origin is not None or id(x) in self.of_user:
            self.write(x, Ellipsis, new)
            return
        # NumPy computes scalars of arrays without axes, which stay arrays.
        scalar = isinstance(new.base, np.generic)
        x.base = np.asarray(new.base) if scalar else new.base
        x.at, x.kept = new.at, new.kept
        x.version += 1

    def write(self, x: Taped, key: Any, value: Any) -> None:
        """Assign ``x[key] = value`` into the memory of the owner of ``x``."""
        if first_standin(key if isinstance(key, tuple) else (key,)) is not None:
            raise self.refuse("an index computed from x", "use `astype(int)`")
        if isinstance(value, (list, tuple)) and first_standin(value) is not None:
            value = array_like(value, value)
        x.ensure_current()
        owner, steps = (x, ()) if x.origin is None else x.origin[:2]
        key = held_key(key)
        steps = (*steps, (operator.getitem, key))
        number = self.value_of(value)
        if self.exported and id(owner) in self.exported and self.depends(value):
            raise self.refuse(
                "an assignment into an array that a library has seen before",
                "make a new array",
            )
        if len(self.of_user) > 1 and id(owner) in self.of_user:
            self.require_own_memory(owner, self.of_user.values())
        # The second half of `x[key] += other`: Python assigns the view to its place.
        view = value.origin if type(value) is Taped else None
        if view is not None and view[0] is owner and is_same_chain(view[1], steps):
            return
        if owner.kept:
            owner.base, owner.kept = owner.base.copy("K"), False
        if isinstance(owner.base, np.generic):
            # Code that asks for a copy first, as libraries do, has got an array.
            owner.base = np.asarray(owner.base)
        part = follow(owner.base, steps[:-1])
        part[key] = number
        edges: list[Edge] = []
        inexact = owner.base.dtype.kind in "fc"
        if inexact and self.depends(value):
            winners = last_writers(key, part)
            edges.append((value.at, read_chain, (steps, winners)))
        if owner.at >= 0:
            edges.append((owner.at, erase_chain, (steps,)))
        if edges:
            owner.at = self.push(owner.base, tuple(edges))
        owner.version += 1
