"""The noise of a function: the standard deviation of the error of its values.

J. J. More and S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33
(2011): the k-th differences of a smooth function fall with the spacing, those of its
noise grow by known factors. The thresholds are those of their procedure ECNoise.
"""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array, cast, wide_dtype
from xgrad._differences.stencil import NOISE_REACH, noise_spacings

# Three successive levels that agree within this factor are those of noise (ECNoise). A
# larger one takes a smooth function for noise; a smaller one misses noise, since levels
# that come from 6 differences or fewer scatter.
AGREEMENT = 4.0
CONSECUTIVE = 3
# Values that differ by more than this part of the largest tell of the function and not
# of its noise: the spacing is too large (ECNoise).
LARGEST_CHANGE = 0.1


def noise_offsets(eps: float) -> tuple[int, ...]:
    """Return the offsets, besides 0, in units of the smallest spacing."""
    _, spacings = noise_spacings(eps)
    steps = [j for j in range(-NOISE_REACH, NOISE_REACH + 1) if j]
    return tuple(sorted({spacing * j for spacing in spacings for j in steps}))


def noise_level(xp: Any, base: Array, values: Array, eps: float) -> Array:
    """Return the standard deviation of the noise of each output, in its shape.

    ``values``, ``(offsets, *shape)``, are those at `noise_offsets`. The smallest
    spacing that shows the noise tells it; 0 where none does.
    """
    dtype = wide_dtype(xp, base)
    by_offset = {
        offset: cast(xp, values[i, ...], dtype)
        for i, offset in enumerate(noise_offsets(eps))
    }
    by_offset[0] = cast(xp, base, dtype)
    spacings = noise_spacings(eps)[1]
    rows = [
        xp.stack([by_offset[spacing * j] for spacing in spacings], axis=0)
        for j in range(-NOISE_REACH, NOISE_REACH + 1)
    ]
    levels = _levels(xp, xp.stack(rows, axis=0))
    level = levels[-1, ...]
    for i in reversed(range(len(spacings) - 1)):
        level = xp.where(levels[i, ...] > 0, levels[i, ...], level)
    return level


def _levels(xp: Any, values: Array) -> Array:
    """Return the noise in 7 values along the first axis, 0 where it does not show."""
    high, low = xp.max(values, axis=0), xp.min(values, axis=0)
    largest = xp.maximum(xp.abs(high), xp.abs(low))
    usable = xp.isfinite(high - low) & (high - low <= LARGEST_CHANGE * largest)
    values = values / largest  # so that no square overflows or underflows
    levels, alternates = [], []
    factor = 1.0
    for k in range(1, values.shape[0]):
        values = values[1:, ...] - values[:-1, ...]
        if k == 1:
            # Where half of the neighbours or more are equal, the spacing is too small
            # to show how large the noise is (ECNoise).
            still = xp.sum(xp.astype(values == 0, values.dtype), axis=0)
            usable = usable & (2 * still < values.shape[0])
        # The variance of a k-th difference is (2k)! / (k!)^2 that of a value; this is
        # the inverse, from that of k - 1.
        factor *= k / (2 * (2 * k - 1))
        levels.append(xp.sqrt(factor * xp.mean(values**2, axis=0)))
        alternates.append(xp.any(values > 0, axis=0) & xp.any(values < 0, axis=0))
    level = xp.zeros_like(high)
    for k in reversed(range(len(levels) - CONSECUTIVE + 1)):
        first, second, third = levels[k : k + CONSECUTIVE]
        top = xp.maximum(xp.maximum(first, second), third)
        bottom = xp.minimum(xp.minimum(first, second), third)
        agree = usable & alternates[k] & (top <= AGREEMENT * bottom)
        level = xp.where(agree, first * largest, level)
    return level
