"""How noisy a function is: the uncertainty of its values, from a table of differences.

J. J. More and S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33
(2011): the k-th differences of a smooth function fall with the spacing, those of its
noise grow like a known number.
"""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array, cast, wide_dtype
from xgrad._differences.stencil import NOISE_REACH, noise_spacings

# Levels of successive differences that agree within this factor are those of noise.
AGREEMENT = 4.0
# Values that differ by more than this part tell of the function, not of its noise.
LARGEST_CHANGE = 0.1


def noise_offsets(eps: float) -> tuple[int, ...]:
    """Where the function is needed, besides at x, in units of the smallest spacing."""
    _, spacings = noise_spacings(eps)
    steps = [j for j in range(-NOISE_REACH, NOISE_REACH + 1) if j]
    return tuple(sorted({spacing * j for spacing in spacings for j in steps}))


def noise_level(xp: Any, base: Array, found: Array, eps: float) -> Array:
    """Standard deviation of the noise in each number that the function returns.

    ``found`` are the values at `noise_offsets`. From the smallest spacing that shows
    it; 0 where none does.
    """
    dtype = wide_dtype(xp, base)
    values = {
        offset: cast(xp, found[i, ...], dtype)
        for i, offset in enumerate(noise_offsets(eps))
    }
    values[0] = cast(xp, base, dtype)
    spacings = noise_spacings(eps)[1]
    lines = [
        xp.stack([values[spacing * j] for spacing in spacings], axis=0)
        for j in range(-NOISE_REACH, NOISE_REACH + 1)
    ]
    levels = _levels(xp, xp.stack(lines, axis=0))
    level = levels[-1, ...]
    for i in reversed(range(len(spacings) - 1)):
        level = xp.where(levels[i, ...] > 0, levels[i, ...], level)
    return level


def _levels(xp: Any, line: Array) -> Array:
    """The noise in seven values along the first axis, 0 where it does not show."""
    high, low = xp.max(line, axis=0), xp.min(line, axis=0)
    largest = xp.maximum(xp.abs(high), xp.abs(low))
    usable = xp.isfinite(high - low) & (high - low <= LARGEST_CHANGE * largest)
    line = line / largest  # so that no square overflows or underflows
    levels, alternates = [], []
    factor = 1.0
    for k in range(1, line.shape[0]):
        line = line[1:, ...] - line[:-1, ...]
        if k == 1:
            still = xp.sum(xp.astype(line == 0, line.dtype), axis=0)
            usable = usable & (2 * still < line.shape[0])
        # The variance of a k-th difference is (2k)! / (k!)^2 that of a value.
        factor *= k / (2 * (2 * k - 1))
        levels.append(xp.sqrt(factor * xp.mean(line**2, axis=0)))
        alternates.append(xp.any(line > 0, axis=0) & xp.any(line < 0, axis=0))
    found = xp.zeros_like(high)
    for k in reversed(range(len(levels) - 2)):
        first, second, third = levels[k : k + 3]
        top = xp.maximum(xp.maximum(first, second), third)
        bottom = xp.minimum(xp.minimum(first, second), third)
        agree = usable & alternates[k] & (top <= AGREEMENT * bottom)
        found = xp.where(agree, first * largest, found)
    return found
