"""Checks of values, and when they are enforced: at once, or when Dask computes.

The values of an array are checked before anything is computed from them, all arguments
of a call together, so that the host waits for the device once. A Dask array has no
values yet: it carries the check along, block by block, and raises when it is computed.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    BlockStarts,
    as_index,
    common_namespace,
    has_standin,
    is_dask,
    is_integral,
    is_lazy,
    unwrap,
)

# For arrays that are no blocks of larger ones: every index counts from 0.
NO_STARTS: BlockStarts = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class ValueCheck:
    """A rule for one argument, and the entries that break it.

    ``bad`` is a boolean mask over ``values``. The message is made of ``rule``, which
    follows "must", ``quantity``, which says what the values are, with ``{}`` in place
    of the entry of the argument, and ``remedy``.
    """

    argument: str
    values: Array
    bad: Array
    rule: str
    remedy: str
    quantity: str = "{}"

    def error(self, xp: Any, start: tuple[int, ...] = ()) -> ValueError:
        """Return an error with the first bad entry; its index counts from ``start``."""
        flat = xp.reshape(as_index(xp, self.bad), (-1,))
        position = int(xp.argmax(flat))
        index = tuple(map(int, np.unravel_index(position, self.bad.shape)))
        value = self.values[index] if index else self.values
        number = _python_number(xp, value)
        padded = (*start, *(0 for _ in index))
        index = tuple(map(operator.add, index, padded))
        where = f"[{', '.join(map(str, index))}]" if index else ""
        return ValueError(
            f"`{self.argument}` must {self.rule}, but "
            f"{self.quantity.format(self.argument + where)} is {number}: {self.remedy}"
        )


def _python_number(xp: Any, value: Array) -> int | float:
    """Return an entry as a number of Python."""
    if has_standin(value):
        number: int | float = unwrap(value).base.item()
        return number
    # PyTorch warns when `float` drops the history of a tensor's gradient.
    if hasattr(value, "detach"):
        value = value.detach()
    return _python_integer(xp, value) if is_integral(xp, value) else float(value)


def _python_integer(xp: Any, value: Array) -> int:
    """Return a Python integer; not every library converts the largest uint64."""
    limits = xp.iinfo(value.dtype)
    number = int(as_index(xp, value))
    return number if limits.min else number % (int(limits.max) + 1)


def weight_sum_check(weight_sum: Array) -> ValueCheck:
    """Return the check that the sum of the weights is not 0."""
    return ValueCheck(
        "weight",
        weight_sum,
        weight_sum == 0,
        rule="not sum to 0",
        remedy="a weighted mean divides by that sum",
        quantity="the sum of {}",
    )


def enforce(
    xp: Any, checks: Iterable[ValueCheck], starts: BlockStarts = NO_STARTS
) -> None:
    """Raise the error of the first check that is broken; wait for the device once.

    Checks of batched arrays are left out: the caller did not choose those points.
    ``starts`` says where in their arrays the arguments begin, if they are blocks.
    """
    checks = tuple(check for check in checks if not has_standin(check.bad))
    for check in checks:
        if is_lazy(xp, check.bad):
            raise TypeError(
                f"`{check.argument}` has no values yet, so they cannot be checked: "
                + ("compute it first" if is_dask(xp) else _TRACED_REMEDY)
            )
    # All flags are combined on the device: `bool` waits for it, and is called once.
    flags = [xp.any(check.bad) for check in checks]
    if flags and bool(functools.reduce(operator.or_, flags)):
        first = next(c for c, flag in zip(checks, flags, strict=True) if flag)
        raise first.error(xp, starts.get(first.argument, ()))


_TRACED_REMEDY = (
    "under `jax.jit` pass check=False; a function without that option cannot be traced"
)


class Guard:
    """The checks of one call; an inactive guard makes none.

    ``guard(array, checks)`` records checks and returns the array to compute with; a
    Dask array comes back with its checks inside. `enforce` makes all recorded checks at
    once. ``is_perturbed`` says that the caller did not choose these values, which then
    need not lie in their `domain`. Indices in messages count from ``starts``.
    """

    def __init__(
        self,
        xp: Any,
        active: bool,
        starts: BlockStarts = NO_STARTS,
        *,
        is_perturbed: bool = False,
    ) -> None:
        self.xp = xp
        self.active = active
        self._starts = starts
        self._is_perturbed = is_perturbed
        self.recorded: list[ValueCheck] = []

    def __call__(self, array: Array, checks: Iterable[ValueCheck]) -> Array:
        """Record the checks; an inactive guard does not even start their generator."""
        if not self.active:
            return array
        if not is_dask(self.xp):
            self.recorded.extend(checks)
            return array
        for check in checks:
            array = _check_blocks(array, check)
        return array

    def domain(self, array: Array, checks: Iterable[ValueCheck]) -> Array:
        """Record checks of a domain, which a small step from its edge may leave."""
        return array if self._is_perturbed else self(array, checks)

    def enforce(self) -> None:
        """Raise the error of the first recorded check that is broken."""
        enforce(self.xp, self.recorded, self._starts)


def _check_blocks(array: Array, check: ValueCheck) -> Array:
    """Return a Dask array whose blocks raise, when computed, if the check is broken."""
    import dask.array as da

    values, bad = check.values, check.bad
    # A rule for rows has no last axis; `map_blocks` aligns axes from the last one.
    if bad.ndim < array.ndim:
        values, bad = values[..., None], bad[..., None]
    return da.map_blocks(
        _block_or_error,
        array,
        values,
        bad,
        axes=check.bad.ndim,
        words=(check.argument, check.rule, check.remedy, check.quantity),
        dtype=array.dtype,
        meta=array._meta,
    )


def _block_or_error(
    block: Any,
    values: Any,
    bad: Any,
    axes: int,
    words: tuple[str, str, str, str],
    block_info: Any = None,
) -> Any:
    argument, *texts = words
    if bad.ndim > axes:
        values, bad = values[..., 0], bad[..., 0]
    starts = {argument: tuple(a for a, _ in block_info[2]["array-location"])}
    check = ValueCheck(argument, values, bad, *texts)
    enforce(common_namespace(block=block), [check], starts)
    return block
