"""Families of functions on which differences go wrong, with exact slopes.

Each family draws its parameters from a seed, all of them numbers of the dtype it is
drawn for. A formula is written once, over ``m``: NumPy evaluates it in the dtype, and
mpmath in 200 digits, where a difference over a step of 1e-60 is the exact slope.
Thresholds are tuned on the seeds of `TUNED`, tested on that of `TESTED`, and figures
are reported of `REPORTED`: the same kinds, other functions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np

TUNED, TESTED, REPORTED = (11, 12), 21, (31, 32)

Formula = Callable[[Any, Any], Any]


class Exact:
    """The functions of NumPy that the formulas use, in many digits."""

    exp, log, sqrt = mpmath.exp, mpmath.log, mpmath.sqrt
    sin, cos, tanh, arctan = mpmath.sin, mpmath.cos, mpmath.tanh, mpmath.atan
    floor, maximum, minimum, abs = mpmath.floor, max, min, abs

    @staticmethod
    def where(condition: Any, first: Any, second: Any) -> Any:
        """Return the one or the other."""
        return first if condition else second

    @staticmethod
    def mod(value: Any, period: Any) -> Any:
        """Return the remainder of a floored division."""
        return value - period * mpmath.floor(value / period)


@dataclass(frozen=True)
class Member:
    """A function of a family, a point of its dtype, and the exact slope there.

    ``options`` are those that its derivative is to be taken with.
    """

    family: str
    f: Callable[[Any], Any]
    x: Any
    truth: float
    options: dict[str, Any] = field(default_factory=dict)


class Draw:
    """Random parameters that are numbers of a dtype."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = np.dtype(dtype)
        self.single = self.dtype == np.float32

    def exactly(self, value: float) -> float:
        """Round to the dtype."""
        return float(self.dtype.type(value))

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between two."""
        return self.exactly(self.rng.uniform(low, high))

    def power(self, low: float, high: float, single: Any = None) -> float:
        """Draw a number whose decimal logarithm is uniform; ``single`` for float32."""
        bounds = single if self.single and single else (low, high)
        return self.exactly(10 ** self.rng.uniform(*bounds))

    def sign(self) -> float:
        """Draw 1 or -1."""
        return float(self.rng.choice([-1, 1]))

    def any_of(self, *values: Any) -> Any:
        """Draw one of some values."""
        return values[self.rng.integers(len(values))]

    def point(self) -> float:
        """Draw a point between 0.3 and 30, of either sign."""
        return self.exactly(self.sign() * self.power(-0.5, 1.5))

    def beside(self, x: float, low: float, high: float, single: Any) -> float:
        """Draw a number next to ``x``, by a part of it between two powers of 10."""
        return self.exactly(x + self.sign() * abs(x) * self.power(low, high, single))

    def background(self) -> Formula:
        """Draw a smooth function of size and slope about 1."""
        a, b = self.uniform(0.5, 1.5), self.uniform(0.2, 1.0)
        return self.any_of(
            lambda m, t: a * t,
            lambda m, t: m.sin(a * t + b),
            lambda m, t: m.exp(-b * t / 16) + a * t,
            lambda m, t: a * m.log(1 + t * t),
        )


# A formula and the point; then perhaps the formula that is meant (else it is the same),
# and options.
Drawn = tuple[Any, ...]


def smooth(draw: Draw) -> Drawn:
    x, height = draw.point(), draw.power(-2, 2)
    width, phase = draw.exactly(abs(x) * draw.power(-1, 1)), draw.uniform(-2, 2)
    g = draw.any_of(
        lambda m, u: m.sin(u),
        lambda m, u: m.exp(-u * u),
        lambda m, u: m.tanh(u),
        lambda m, u: m.log(1 + u * u),
        lambda m, u: u**3 - 2 * u,
        lambda m, u: m.arctan(u),
    )
    return lambda m, t: height * g(m, t / width + phase), x


def needle_gauss(draw: Draw) -> Drawn:
    x, g, p = draw.point(), draw.background(), draw.sign() * draw.uniform(0.3, 2)
    w = draw.exactly(abs(x) * draw.power(-9, -3, (-5, -2)))
    return lambda m, t: g(m, t) + m.exp(-(((t - x) / w - p) ** 2) / 2), x


def needle_lorentz(draw: Draw) -> Drawn:
    x, g, p = draw.point(), draw.background(), draw.sign() * draw.uniform(0.3, 2)
    w, a = draw.exactly(abs(x) * draw.power(-9, -3, (-5, -2))), draw.power(-3, 1)
    return lambda m, t: g(m, t) + a / (1 + ((t - x) / w - p) ** 2), x


def needle_beside(draw: Draw) -> Drawn:
    x, g, p = draw.point(), draw.background(), draw.sign() * draw.uniform(8, 60)
    w = draw.exactly(abs(x) * draw.power(-8, -4, (-5, -3)))
    return lambda m, t: g(m, t) + m.exp(-(((t - x) / w - p) ** 2) / 2), x


def corner_beside(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.power(-2, 1)
    k = draw.beside(x, -10, -3, (-6, -2))
    return lambda m, t: g(m, t) + a * m.abs(t - k), x


def hinge_beside(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.sign() * draw.power(-2, 1)
    k = draw.beside(x, -10, -3, (-6, -2))
    return lambda m, t: g(m, t) + a * m.maximum(t - k, 0), x


def jump_beside(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.sign() * draw.power(-8, 0, (-4, 0))
    k = draw.beside(x, -9, -3, (-5, -2))
    return lambda m, t: g(m, t) + m.where(t > k, a, 0), x


def pieces(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.sign() * draw.power(0, 3)
    k, power = draw.beside(x, -7, -1, (-4, -1)), draw.any_of(2, 3)
    return lambda m, t: g(m, t) + a * m.maximum(t - k, 0) ** power, x


def cusp_beside(draw: Draw) -> Drawn:
    x, g, p = draw.point(), draw.background(), draw.uniform(0.3, 1.8)
    k = draw.beside(x, -8, -2, (-5, -2))
    return lambda m, t: g(m, t) + m.abs(t - k) ** p, x


def transition(draw: Draw) -> Drawn:
    x, g, p = draw.point(), draw.background(), draw.uniform(-4, 4)
    w = draw.exactly(abs(x) * draw.power(-9, -2, (-5, -2)))
    height = draw.any_of(1.0, w, draw.power(-4, 0))
    step = draw.any_of(
        lambda m, u: m.tanh(u),
        lambda m, u: 1 / (1 + m.exp(-u)),
        lambda m, u: m.sqrt(1 + u * u),
        lambda m, u: m.arctan(u),
    )
    return lambda m, t: g(m, t) + height * step(m, (t - x) / w + p), x


def flat_beside(draw: Draw) -> Drawn:
    x, a = draw.point(), draw.uniform(0.5, 2)
    k = draw.beside(x, -8, -1, (-5, -1))
    if draw.any_of(True, False):
        return lambda m, t: a * m.maximum(m.minimum(t, k), k - 1), x
    return lambda m, t: m.where(t > k, a * (t - k) ** 2, 0 * t), x


def ripples(draw: Draw) -> Drawn:
    x, g = draw.point(), draw.background()
    w, a = draw.power(3, 9, (2, 5)), draw.power(-3, 0)
    w = draw.exactly(w / abs(x))
    return lambda m, t: g(m, t) + a / w * m.sin(w * (t - x) + 1), x


def oscillation(draw: Draw) -> Drawn:
    x, p = draw.point(), draw.uniform(-3, 3)
    w = draw.exactly(draw.power(1, 6, (1, 3)) / abs(x))
    return lambda m, t: m.sin(w * t + p), x


def _periodic(draw: Draw, period: float) -> Drawn:
    x = draw.exactly(draw.power(1, 7, (1, 4)) * period)
    turn = draw.exactly(2 * math.pi / period)
    f = draw.any_of(
        lambda m, t: m.mod(t, period) ** 2 / period**2,
        lambda m, t: m.cos(turn * t),
        lambda m, t: m.abs(m.mod(t, period) / period - 0.5),
        lambda m, t: m.exp(m.sin(turn * t)),
    )
    return f, x


def periodic_binary(draw: Draw) -> Drawn:
    return _periodic(draw, draw.any_of(0.25, 0.5, 1.0, 2.0, 4.0))


def periodic_decimal(draw: Draw) -> Drawn:
    return _periodic(draw, draw.any_of(360.0, 24.0, draw.exactly(0.1), 7.0))


def cancellation(draw: Draw) -> Drawn:
    x = draw.power(-8, -2, (-4, -1))
    f = draw.any_of(
        lambda m, t: (1 - m.cos(t)) / t**2,
        lambda m, t: (m.exp(t) - 1) / t,
        lambda m, t: m.log(1 + t) / t,
        lambda m, t: (m.sin(t) - t) / t**3,
        lambda m, t: m.log(1 + t * t),
        lambda m, t: 1 - m.cos(t),
        lambda m, t: m.sqrt(1 + t) - m.sqrt(1 - t),
    )
    return f, x


def cancellation_far(draw: Draw) -> Drawn:
    x = draw.power(2, 8, (1, 4))
    f = draw.any_of(
        lambda m, t: m.sqrt(t * t + 1) - t,
        lambda m, t: m.sqrt(t + 1) - m.sqrt(t),
        lambda m, t: t - t * t / (t + 1),
        lambda m, t: m.log(t + 1) - m.log(t),
    )
    return f, x


def naive(draw: Draw) -> Drawn:
    x = draw.uniform(8, 14) if draw.single else draw.uniform(20, 35)
    f = draw.any_of(
        lambda m, t: m.log(1 + m.exp(-t)),
        lambda m, t: -m.log(1 - 1 / (1 + m.exp(-t))),
        lambda m, t: 1 - 1 / (1 + m.exp(-t)),
        lambda m, t: 1 - m.tanh(t / 2),
        lambda m, t: m.log(1 - m.exp(-t)),
    )
    return f, x


def rounded(draw: Draw) -> Drawn:
    x, g, q = draw.point(), draw.background(), 10.0 ** draw.any_of(2, 3, 4, 6)
    return lambda m, t: m.floor(q * g(m, t)) / q, x, g


def integers(draw: Draw) -> Drawn:
    x = draw.uniform(0.5, 4.0)
    q, b = draw.any_of(256.0, 1000.0, 65536.0), draw.uniform(-0.5, 0.5)
    return lambda m, t: m.sin(m.floor(t * q) / q + b), x, lambda m, t: m.sin(t + b)


def nearest(draw: Draw) -> Drawn:
    x, q = draw.uniform(0.5, 4.0), draw.any_of(50.0, 200.0, 1000.0)
    return lambda m, t: m.exp(m.floor(t * q + 0.5) / q), x, lambda m, t: m.exp(t)


def table(draw: Draw) -> Drawn:
    x, q = draw.uniform(0.5, 4.0), draw.any_of(16.0, 64.0, 256.0, 2048.0)

    def f(m: Any, t: Any) -> Any:
        low = m.floor(t * q)
        first, second = m.sin(low / q), m.sin((low + 1) / q)
        return first + (t * q - low) * (second - first)

    return f, x


def solver(draw: Draw) -> Drawn:
    x, tolerance = draw.uniform(1.5, 9.0), draw.power(-10, -4, (-5, -2))
    start = draw.uniform(0.5, 2.0)

    def root(m: Any, t: Any) -> Any:
        # Bisection of y**3 + y = t that ends early, as solvers do.
        low, high = 0 * t, 0 * t + 4 * start
        for _ in range(int(math.log2(4 * start / tolerance)) + 1):
            y = (low + high) / 2
            above = y**3 + y > t
            low, high = m.where(above, low, y), m.where(above, y, high)
        return (low + high) / 2

    return root, x


def absorbed(draw: Draw) -> Drawn:
    x, g, large = draw.point(), draw.background(), draw.power(6, 14, (3, 6))
    return lambda m, t: (large + g(m, t)) - large, x


def beside_large(draw: Draw) -> Drawn:
    x, g, large = draw.point(), draw.background(), draw.power(3, 12, (2, 5))
    return lambda m, t: large + g(m, t), x


def noisy(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.power(-10, -3, (-5, -2))
    w = draw.exactly(draw.power(12, 13, (6.3, 7)) / abs(x))
    return lambda m, t: g(m, t) + a * m.sin(w * t), x, g


def coarse_inside(draw: Draw) -> Drawn:
    x, g = draw.point(), draw.background()
    kind = np.float16 if draw.single else draw.any_of(np.float32, np.float16)

    def f(m: Any, t: Any) -> Any:
        return np.asarray(g(m, np.asarray(t).astype(kind))).astype(draw.dtype)

    return f, draw.exactly(kind(x)), g


def all_scales(draw: Draw) -> Drawn:
    x = draw.exactly(draw.sign() * draw.power(-250, 250, (-25, 25)))
    width, phase = draw.exactly(abs(x) * draw.power(-2, 2)), draw.uniform(-2, 2)
    g = draw.any_of(
        lambda m, u: m.sin(u), lambda m, u: m.exp(-u * u), lambda m, u: m.arctan(u)
    )
    return lambda m, t: g(m, t / width + phase), x


def edge(draw: Draw) -> Drawn:
    x = draw.power(-1, 1)
    e = draw.exactly(x - abs(x) * draw.power(-8, -1, (-4, -1)))
    f = draw.any_of(
        lambda m, t: m.sqrt(t - e),
        lambda m, t: m.log(t - e),
        lambda m, t: (t - e) * m.log(t - e),
        lambda m, t: 1 / (t - e),
        lambda m, t: m.where(t < e, math.nan, t * t),
    )
    return f, x


def bounded(draw: Draw) -> Drawn:
    x, g = draw.power(-2, 1), draw.background()
    width = draw.exactly(x * draw.power(-2, 1))
    low = draw.exactly(x - x * draw.any_of(0.0, 1e-5, 1e-2))
    high = draw.any_of(math.inf, draw.exactly(x + x * 1e-2))
    f = draw.any_of(
        lambda m, t: g(m, t / width),
        lambda m, t: m.sqrt(t) + g(m, t),
        lambda m, t: m.exp(-t / width),
    )
    return f, x, f, {"bounds": (low, high)}


def wiggly(draw: Draw) -> Drawn:
    x = draw.power(-4, -1, (-2, -0.5))
    f = draw.any_of(
        lambda m, t: m.sin(1 / t),
        lambda m, t: t * t * m.sin(1 / t),
        lambda m, t: m.sin(1 / t) * m.exp(-t),
        lambda m, t: m.cos(m.log(t) * 40),
    )
    return f, x


def network(draw: Draw) -> Drawn:
    x = draw.uniform(-1.5, 1.5)
    slopes = [draw.uniform(-1, 1) for _ in range(24)]
    places = [draw.uniform(-2, 2) for _ in range(21)]
    places += [draw.beside(x, -6, -2, (-4, -2)) for _ in range(3)]

    def f(m: Any, t: Any) -> Any:
        units = zip(slopes, places, strict=True)
        return sum(a * m.maximum(t - k, 0) for a, k in units)

    return f, x


def largest_of(draw: Draw) -> Drawn:
    x, g, a = draw.point(), draw.background(), draw.uniform(2, 5)
    k = draw.beside(x, -7, -2, (-4, -2))
    return lambda m, t: m.maximum(g(m, t), g(m, t) + a * m.sin(t - k)), x


def steep(draw: Draw) -> Drawn:
    x, p = draw.uniform(0.05, 0.5), draw.uniform(-1, 1)
    w = draw.power(1, 2.5, (1, 1.8))
    f = draw.any_of(
        lambda m, t: m.exp(-1 / t**2),
        lambda m, t: m.exp(w * t),
        lambda m, t: t**12,
        lambda m, t: 1 / (1 + m.exp(-w * (t + p))),
        lambda m, t: m.exp(-w * t) + p * t,
    )
    return f, x


FAMILIES: tuple[Callable[[Draw], Drawn], ...] = (
    smooth, needle_gauss, needle_lorentz, needle_beside, corner_beside, hinge_beside,
    jump_beside, pieces, cusp_beside, transition, flat_beside, ripples, oscillation,
    periodic_binary, periodic_decimal, cancellation, cancellation_far, naive, rounded,
    integers, nearest, table, solver, absorbed, beside_large, noisy, coarse_inside,
    all_scales, edge, bounded, wiggly, network, largest_of, steep,
)  # fmt: skip
# Their values hold no more: what is meant cannot be told from what was computed.
LIMITED = (naive, rounded, integers, nearest, solver, absorbed)


def _exact_slope(formula: Formula, x: float) -> float:
    with mpmath.workdps(200):
        at = mpmath.mpf(x)
        h = abs(at) * mpmath.mpf(10) ** -60
        return float((formula(Exact, at + h) - formula(Exact, at - h)) / (2 * h))


def _member(family: Callable[[Draw], Drawn], draw: Draw) -> Member:
    formula, x, *rest = family(draw)
    meant = rest[0] if rest else formula
    options = rest[1] if len(rest) > 1 else {}
    if family is solver:
        y = mpmath.findroot(lambda y: y**3 + y - x, 1.0)
        truth = float(1 / (3 * y**2 + 1))
    else:
        truth = _exact_slope(meant, x)
    f = functools.partial(formula, np)
    return Member(family.__name__, f, draw.dtype.type(x), truth, options)


def members(
    seed: int, dtype: str, count: int, family: Callable[[Draw], Drawn]
) -> list[Member]:
    """Draw functions of a family whose slopes are normal numbers of a dtype."""
    draw = Draw(seed * 1000 + FAMILIES.index(family), dtype)
    tiny, largest = np.finfo(dtype).tiny, np.finfo(dtype).max
    drawn: list[Member] = []
    while len(drawn) < count:
        member = _member(family, draw)
        if member.truth == 0 or tiny < abs(member.truth) < largest:
            drawn.append(member)
    return drawn
