"""Rules for values, and when they are enforced: at once, or when an array is computed.

An array whose values are at hand is checked before anything is computed from it, all
arguments of a call together, so that the host waits for the device once. A Dask array
carries the check along, block by block, and raises when it is computed.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    as_index,
    common_namespace,
    hides_points,
    is_dask,
    is_integral,
    is_lazy,
)

TRACED = "pass check=False under `jax.jit`, or leave it where there is no such option"
NO_STARTS: Mapping[str, tuple[int, ...]] = MappingProxyType({})


@dataclass(frozen=True)
class ValueCheck:
    """Where an argument breaks a rule: ``bad`` is a boolean mask over ``values``."""

    argument: str
    values: Array
    bad: Array
    rule: str
    remedy: str

    def error(self, xp: Any, start: tuple[int, ...] = ()) -> ValueError:
        """The message, with the first bad index (from ``start`` on) and its value."""
        flat = xp.reshape(as_index(xp, self.bad), (-1,))
        position = int(xp.argmax(flat))
        index = tuple(map(int, np.unravel_index(position, self.bad.shape)))
        value = self.values[index] if index else self.values
        if hasattr(value, "detach"):  # PyTorch warns where it would lose a gradient
            value = value.detach()
        number = _integer(xp, value) if is_integral(xp, value) else float(value)
        padded = (*start, *(0 for _ in index))
        index = tuple(map(operator.add, index, padded))
        where = f"[{', '.join(map(str, index))}]" if index else ""
        return ValueError(
            f"`{self.argument}` must {self.rule}, but {self.argument}{where} is "
            f"{number}: {self.remedy}"
        )


def weight_sum_check(whole: Array) -> ValueCheck:
    """That weights, the sum of which this is, can be divided by."""
    return ValueCheck(
        "weight",
        whole,
        whole == 0,
        rule="not sum to 0 (the sum is shown)",
        remedy="a weighted mean divides by that sum",
    )


def _integer(xp: Any, value: Array) -> int:
    """An integer of Python; not every library turns the largest ones into it."""
    limits = xp.iinfo(value.dtype)
    number = int(as_index(xp, value))
    return number if limits.min else number % (int(limits.max) + 1)


def enforce(
    xp: Any,
    checks: Iterable[ValueCheck],
    starts: Mapping[str, tuple[int, ...]] = NO_STARTS,
) -> None:
    """Raise the first broken check. The host waits for the device once.

    At points that the caller did not choose nothing is raised. Indices are counted from
    where an argument ``starts``.
    """
    checks = tuple(check for check in checks if not hides_points(check.bad))
    for check in checks:
        if is_lazy(xp, check.bad):
            raise TypeError(
                f"`{check.argument}` has no values yet, so they cannot be checked: "
                + ("compute it first" if is_dask(xp) else TRACED)
            )
    flags = [xp.any(check.bad) for check in checks]
    if flags and bool(functools.reduce(operator.or_, flags)):
        first = next(c for c, flag in zip(checks, flags, strict=True) if flag)
        raise first.error(xp, starts.get(first.argument, ()))


class Guard:
    """The checks of one call, or none of them if it is not ``active``.

    ``guard(array, checks)`` notes the checks and returns the array, from which to go
    on: that of Dask raises when it is computed. `enforce` looks at all others, which
    may be parts of larger arrays that begin at ``starts``. Where the arguments are
    ``moved``, at points that the caller did not choose, `domain` checks nothing.
    """

    def __init__(
        self,
        xp: Any,
        active: bool,
        starts: Mapping[str, tuple[int, ...]] = NO_STARTS,
        *,
        moved: bool = False,
    ) -> None:
        self.xp = xp
        self.active = active
        self._starts = starts
        self._moved = moved
        self.noted: list[ValueCheck] = []

    def __call__(self, array: Array, checks: Iterable[ValueCheck]) -> Array:
        """The array; a generator of checks is left alone if there is nothing to do."""
        if not self.active:
            return array
        if not is_dask(self.xp):
            self.noted.extend(checks)
            return array
        for check in checks:
            array = _guarded(array, check)
        return array

    def domain(self, array: Array, checks: Iterable[ValueCheck]) -> Array:
        """The same for rules that a small step may break."""
        return array if self._moved else self(array, checks)

    def enforce(self) -> None:
        """Raise the first broken check; once for each call."""
        enforce(self.xp, self.noted, self._starts)


def _guarded(array: Array, check: ValueCheck) -> Array:
    """A Dask array, the blocks of which raise where the check is broken."""
    import dask.array as da

    values, bad = check.values, check.bad
    if bad.ndim < array.ndim:  # a rule for rows
        values, bad = values[..., None], bad[..., None]
    return da.map_blocks(
        _block_or_error,
        array,
        values,
        bad,
        axes=check.bad.ndim,
        words=(check.argument, check.rule, check.remedy),
        dtype=array.dtype,
        meta=array._meta,
    )


def _block_or_error(
    block: Any,
    values: Any,
    bad: Any,
    axes: int,
    words: tuple[str, str, str],
    block_info: Any = None,
) -> Any:
    argument, rule, remedy = words
    if bad.ndim > axes:
        values, bad = values[..., 0], bad[..., 0]
    starts = {argument: tuple(a for a, _ in block_info[2]["array-location"])}
    check = ValueCheck(argument, values, bad, rule, remedy)
    enforce(common_namespace(block=block), [check], starts)
    return block
