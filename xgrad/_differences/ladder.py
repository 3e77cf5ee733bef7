"""The ladder: steps of all sizes at once, and the one with the least error answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, cast, device_of, float_info, wide_dtype
from xgrad._differences.result import Result, Status, status_codes, where_results
from xgrad._differences.scheme import Samples
from xgrad._differences.stencil import Rungs
from xgrad._evaluation import joined


@dataclass(frozen=True)
class Ladder:
    """Many steps at once; the one with the least estimated error answers.

    Neighbouring rungs give an order 4 by Richardson's extrapolation (one-sided: an
    order 2), the rungs below it its error.
    """

    rungs: Rungs

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Where the function is needed besides at x."""
        return self.rungs.offsets

    def relative_step(self, eps: float) -> float:
        """Smallest step for a component of size 1."""
        return self.rungs.smallest

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """The derivative of each column.

        Where the points of one side are missing (not finite, or outside the bounds)
        on some rungs, the other side answers if it does so with a smaller error.
        """
        xp = samples.xp
        climb = _Climb.of(self.rungs, samples)
        best = climb.central()
        for side in (0, 1):
            other = climb.side(side)
            better = climb.missing & (other.error < best.error)
            best = where_results(xp, better, other, best)
        lost = ~xp.isfinite(best.error)
        code = best.status
        kink = code == int(Status.KINK)
        unresolved = (code == int(Status.UNRESOLVED)) & ~lost | climb.vanished
        # 4 to 6 % of the true errors exceed the estimate, 0.1 % three times it.
        return Result(
            xp.where(lost, math.nan, best.value),
            xp.where(lost, math.inf, 3 * best.error),
            xp.where(lost, 0.0, best.step),
            status_codes(xp, lost, kink, unresolved),
        )


@dataclass(frozen=True)
class _Climb:
    """All rungs of a group of columns, ``(rungs, columns, *shape)``, on both sides.

    ``rises`` of ``f`` from x to the right and to the left, ``across`` from left to
    right, the ``steps`` really taken and the ``noise`` of the values.
    """

    xp: Any
    ratio: int
    rises: tuple[Array, Array]
    across: Array
    steps: tuple[Array, Array]
    noise: tuple[Array, Array]

    @classmethod
    def of(cls, rungs: Rungs, samples: Samples) -> _Climb:
        """The rungs in the widest float: a ladder is for accuracy."""
        xp, count = samples.xp, rungs.count
        dtype = wide_dtype(xp, samples.base)
        tiny = float_info(xp, dtype).tiny
        sides = slice(0, count), slice(count, 2 * count)
        everything, everywhere = joined(xp, samples.blocks), joined(xp, samples.places)
        values = [everything[side, ...] for side in sides]
        places = [everywhere[side, ...] for side in sides]
        steps = [
            cast(xp, samples.spread(distance), dtype)
            for distance in (places[0] - samples.origin, samples.origin - places[1])
        ]
        across = cast(xp, samples.read(values[0] - values[1]), dtype)
        # Where x did not move (rounded away, outside the bounds) f says nothing.
        rises = [
            xp.where(
                step == 0,
                math.nan,
                cast(xp, samples.read(samples.change(value)), dtype),
            )
            for step, value in zip(steps, values, strict=True)
        ]
        void = (steps[0] == 0) | (steps[1] == 0)
        # Below the smallest normal number f may have underflowed.
        noise = [
            cast(xp, samples.rounded(samples.magnitude(value)), dtype) + tiny
            for value in values
        ]
        return cls(
            xp,
            rungs.ratio,
            (rises[0], rises[1]),
            xp.where(void, math.nan, across),
            (steps[0], steps[1]),
            (noise[0], noise[1]),
        )

    @property
    def missing(self) -> Array:
        """Whether some rung lacks a side."""
        return self.xp.any(~self.xp.isfinite(self.across), axis=0)

    @property
    def vanished(self) -> Array:
        """Whether no step was taken, or none that moved ``f`` before it underflowed."""
        xp = self.xp
        right, left = self.steps
        tiny = float_info(xp, right.dtype).tiny
        still = xp.all((self.rises[0] == 0) & (self.rises[1] == 0), axis=0)
        underflow = still & (right[0, ...] < tiny**0.5)
        return underflow | xp.all((right == 0) & (left == 0), axis=0)

    def central(self) -> Result:
        """The ladder of central differences, of order 4."""
        xp = self.xp
        right, left = self.steps
        spacing = right + left
        slopes = self.across / spacing
        noise = (xp.maximum(*self.noise) + self._quantum(slopes)) / (spacing / 2)
        corner = xp.abs(self.rises[0] / right + self.rises[1] / left)
        return self._answer(slopes, spacing / 2, noise, self.ratio**2, corner)

    def _quantum(self, slopes: Array) -> Array:
        """The least move of ``f`` that is seen, where it stops moving with the step.

        Slopes that agree on two rungs and are exactly 0 on a smaller one tell of
        rounding inside ``f``, which its value does not show.
        """
        xp, across = self.xp, self.across
        settled = xp.abs(slopes[1:, ...] - slopes[:-1, ...])
        settled = (settled <= 0.02 * xp.abs(slopes[1:, ...])) & (across[1:, ...] != 0)
        stuck = xp.any(across == 0, axis=0) & xp.any(settled, axis=0)
        least = xp.where(across == 0, math.inf, xp.abs(across))
        least = xp.min(xp.where(xp.isfinite(least), least, math.inf), axis=0)
        return xp.where(stuck, least, 0.0)

    def side(self, which: int) -> Result:
        """The ladder of one side, of order 2."""
        step = self.steps[which] if which == 0 else -self.steps[which]
        noise = 2 * self.noise[which] / self.xp.abs(step)
        return self._answer(self.rises[which] / step, step, noise, self.ratio, None)

    def _answer(
        self,
        slopes: Array,
        steps: Array,
        noise: Array,
        power: int,
        corner: Array | None,
    ) -> Result:
        """The rung of least error; steps fall by the ratio from one to the next."""
        xp, ratio = self.xp, self.ratio
        better = (power * slopes[1:, ...] - slopes[:-1, ...]) / (power - 1)
        # The two smallest rungs serve for comparison only.
        values = better[:-2, ...]
        truncation = xp.maximum(
            xp.abs(values - better[1:-1, ...]),
            xp.abs(values - better[2:, ...]) / ratio,
        )
        error = truncation + noise[1:-2, ...]
        error = xp.where(xp.isfinite(error), error, math.inf)
        rung = xp.argmin(error, axis=0)
        chosen = _only(xp, rung, error)

        def pick(rungs: Array) -> Array:
            # A sum over one rung: everything else is 0, also where it is not finite.
            return xp.sum(xp.where(chosen, rungs, 0.0), axis=0)

        value, least = pick(values), xp.min(error, axis=0)
        step = pick(xp.abs(steps[1:-2, ...]))
        fault, rounding = pick(truncation), pick(noise[1:-2, ...])
        unresolved = self._unresolved(slopes, value, least, fault, rounding, rung)
        code = xp.astype(unresolved, xp.int8) * int(Status.UNRESOLVED)
        if corner is not None:
            near, far = pick(corner[2:-1, ...]), pick(corner[1:-2, ...])
            kink = (near > 0.5 * far) & (near > 8 * pick(noise[2:-1, ...]))
            kink = kink & self._lasts(corner, noise, near, rung)
            code = status_codes(xp, kink & False, kink, unresolved & ~kink)
            # Both slopes have equal rights: the bound reaches them.
            least = xp.where(kink, xp.maximum(least, near / 2), least)
        return Result(value, least, step, code)

    def _unresolved(
        self,
        slopes: Array,
        value: Array,
        least: Array,
        fault: Array,
        rounding: Array,
        rung: Array,
    ) -> Array:
        """Whether the quotients do not converge.

        Then the differences between rungs, and not rounding, make the error; it is no
        small part of the slope over the largest step; and it is as large as the value,
        or still there at the smallest step.
        """
        xp = self.xp
        size, top = xp.abs(value), _first_finite(xp, xp.abs(slopes))
        smallest = rung == slopes.shape[0] - 4
        return (
            (fault > rounding)
            & (least > 1e-3 * top)
            & ((least > size) | (smallest & (least > 1e-4 * size)))
        )

    def _lasts(self, corner: Array, noise: Array, near: Array, rung: Array) -> Array:
        """Whether the slopes of the sides differ down to where noise hides it.

        ``corner`` is their difference on all rungs, ``near`` that below the answer. Of
        a smooth function it falls with the step, at a corner it stays, at a jump it
        grows.
        """
        xp = self.xp
        numbers = xp.arange(
            1, corner.shape[0], dtype=rung.dtype, device=device_of(rung)
        )
        above = xp.reshape(numbers, (-1, *(1,) * rung.ndim)) <= rung + 1
        stays = corner[1:, ...] > 0.5 * xp.maximum(corner[:-1, ...], near)
        hidden = 16 * noise[1:, ...] > near
        return xp.all(stays | hidden | above, axis=0)


def _first_finite(xp: Any, values: Array) -> Array:
    """The first finite entry along the first axis, 0 if there is none."""
    finite = xp.isfinite(values)
    first = _only(xp, xp.argmax(xp.astype(finite, xp.int8), axis=0), values)
    return xp.sum(xp.where(first & finite, values, 0.0), axis=0)


def _only(xp: Any, index: Array, like: Array) -> Array:
    """True where the first axis has the given index."""
    rungs = xp.arange(like.shape[0], dtype=index.dtype, device=device_of(like))
    return xp.reshape(rungs, (-1, *(1,) * index.ndim)) == index
