"""Agreement of two results up to rounding."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array

# Rounding errors of a result, in units of eps times its size. NumPy adds blocks of 128
# terms in 8 sums, and then pairs of blocks: a term is rounded 16 + 3 + log2(n / 128)
# times, which is below 64 for all n that fit into memory. Functions that round more
# inside, or that cancel, are measured.
ROUNDING = 64.0


def agree(values: Any, expected: Any, allowed: Any) -> Any:
    """Mark where two results differ by at most ``allowed``; two nan are equal.

    The results are arrays that broadcast against each other, or numbers.
    """
    missing = (values != values) & (expected != expected)
    return (values == expected) | missing | (abs(values - expected) <= allowed)


def finite_size(xp: Any, values: Array) -> Array:
    """Return the absolute values, with 0 for those that are not finite."""
    size = xp.abs(values)
    return xp.where(xp.isfinite(values), size, xp.zeros_like(size))
