"""The partial derivatives of functions of entries: one table, by the names of NumPy.

Each entry has one `Partial` for each argument. ``needs`` names the arrays that its
function takes: ``a``, ``b`` and ``c`` are the arguments of the function, and ``y`` is
its result. They are written in functions of NumPy, which arrays of CuPy and stand-ins
answer by its protocols. Formulas are those of any table of derivatives; at a corner
each is the mean of the derivatives on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Partial:
    """The partial derivative of a function of entries by one of its arguments.

    ``kink`` marks the entries where the derivatives on both sides differ, from the same
    arrays. With ``divides`` the function returns the reciprocal of the derivative.
    ``pull`` replaces the product of cotangent and derivative, and ``push`` that of
    tangent and derivative. ``for_complex`` replaces all of it if the argument is
    complex and the function is not analytic. That of a function that ``chooses`` among
    its arguments is constant but for its jumps.
    """

    needs: str
    function: Function
    divides: bool = False
    kink: Function | None = None
    pull: Function | None = None
    push: Function | None = None
    for_complex: Partial | None = None
    chooses: bool = False


def itself(a: Any) -> Any:
    """Return the array that is needed, as the derivative."""
    return a


def _one() -> int:
    return 1


def _minus_one() -> int:
    return -1


def _zero() -> int:
    return 0


ONE = Partial("", _one)
MINUS = Partial("", _minus_one)
ZERO = Partial("", _zero)  # of steps, which are constant but for their jumps
UNKNOWN = Partial("", _zero)  # of arguments whose derivative has no closed form


def _of(needs: str, function: Function, **options: Any) -> tuple[Partial]:
    return (Partial(needs, function, **options),)


def _power_by_base(a: Any, b: Any) -> Any:
    """Return ``b * a**(b - 1)``, which is 0 for an exponent of 0 at every base."""
    if isinstance(b, (int, float)):
        if b == 2:
            return 2 * a
        # In the exponent's own kind: an integer has no rounding, whatever the base is.
        return b * a ** (b - 1) if b else np.zeros_like(a)
    return np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))


def _power_by_exponent(a: Any, b: Any, y: Any) -> Any:
    """Return ``y * log(a)``; the power of a base of 0 is 0 for every exponent above."""
    is_flat = (a == 0) & (np.real(b) > 0)
    return np.where(is_flat, 0, y * np.log(np.where(is_flat, 1, a)))


def _first_share(a: Any, b: Any, y: Any) -> Any:
    """Return the share of the first argument in an extremum: half of it at a tie."""
    # The result itself tells the winner; it is nan if a nan wins.
    wins = np.where((a == y) | ((a != a) & (y != y)), 1.0, 0.0)
    return np.where(a == b, 0.5, wins)


def _second_share(a: Any, b: Any, y: Any) -> Any:
    return _first_share(b, a, y)


def _ties(a: Any, b: Any, y: Any) -> Any:
    return a == b


EXTREMUM = (
    Partial("aby", _first_share, kink=_ties, chooses=True),
    Partial("aby", _second_share, kink=_ties, chooses=True),
)


def _share_inside(a: Any, b: Any, c: Any) -> Any:
    """Return 1 inside of both bounds, 0 outside, and one half on a bound."""
    return np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0)) * np.where(
        a < c, 1.0, np.where(a == c, 0.5, 0.0)
    )


def _share_of_low(a: Any, b: Any, c: Any) -> Any:
    # NumPy bounds from below first: the upper bound wins where the two cross.
    return np.where(a < b, 1.0, np.where(a == b, 0.5, 0.0)) * np.where(
        b < c, 1.0, np.where(b == c, 0.5, 0.0)
    )


def _share_of_high(a: Any, b: Any, c: Any) -> Any:
    inside = np.maximum(a, b)
    return np.where(inside > c, 1.0, np.where(inside == c, 0.5, 0.0))


def _on_a_bound(a: Any, b: Any, c: Any) -> Any:
    return (a == b) | (a == c)


def _logistic(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    return (1 + np.tanh(x / 2)) / 2


def _share_of_logaddexp(base: float) -> Function:
    def share(a: Any, b: Any) -> Any:
        # Equal infinite arguments have equal shares, as equal finite ones have anyway.
        distance = np.where((a == b) & np.isinf(a), 0, a - b)
        return _logistic(distance * math.log(base))

    return share


def _other_share_of_logaddexp(base: float) -> Function:
    share = _share_of_logaddexp(base)
    return lambda a, b: share(b, a)


def _ratio_or_zero(a: Any, y: Any) -> Any:
    """Return ``a / y``, and 0 where the length ``y`` is 0: a corner."""
    return np.where(y == 0, 0, a / np.where(y == 0, 1, y))


def _length_is_zero(a: Any, y: Any) -> Any:
    return y == 0


def _first_is_zero(a: Any, b: Any) -> Any:
    return a == 0


def _angle_by_first(a: Any, b: Any) -> Any:
    size = np.hypot(a, b)
    return b / size / size


def _angle_by_second(a: Any, b: Any) -> Any:
    size = np.hypot(a, b)
    return -(a / size) / size


# Of the derivative of sinc at x, divided by x: by powers of x**2, up to the twelfth of
# x, below eps for x up to 0.1, from where on the quotient has lost one digit at most.
SINC = [
    (-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
    for k in range(1, 8)
]


def _sinc(a: Any, y: Any) -> Any:
    is_small = np.abs(a) < 0.1
    small, large = np.where(is_small, a, 0), np.where(is_small, 1, a)
    series: Any = 0.0
    for coefficient in reversed(SINC):
        series = series * (small * small) + coefficient
    return np.where(is_small, small * series, (np.cos(math.pi * a) - y) / large)


def _mantissa(a: Any, y: Any) -> Any:
    """Return the power of 2 by which `frexp` has divided."""
    return np.where(a == 0, 1, y / np.where(a == 0, 1, a))


def _is_zero(a: Any) -> Any:
    return a == 0


def _direction(a: Any) -> Any:
    """Return complex numbers divided by their absolute value; 0 has none."""
    size = np.abs(a)
    return a / np.where(size == 0, 1, size)


def _pull_by_sign(g: Any, a: Any) -> Any:
    return g * _direction(a)


def _push_by_sign(t: Any, a: Any) -> Any:
    return np.real(np.conj(_direction(a)) * t)


def _turn(g: Any, a: Any) -> Any:
    """Return the part of a change that turns a number, divided by its size."""
    size, unit = np.abs(a), _direction(a)
    across = unit * 1j
    share = np.real(np.conj(across) * g) / np.where(size == 0, 1, size)
    return across * np.where(size == 0, 0, share)


def _pull_angle(g: Any, a: Any) -> Any:
    size = np.abs(a)
    return g * (a * 1j / size / size)


def _push_angle(t: Any, a: Any) -> Any:
    return np.imag(t / a)


def _of_real_part(g: Any) -> Any:
    return g


def _times_i(g: Any) -> Any:
    return g * 1j


def _choose(g: Any, a: Any) -> Any:
    # Not a product: an infinite cotangent of the other branch is none of this one's.
    return np.where(a, g, 0)


def _choose_other(g: Any, a: Any) -> Any:
    return np.where(a, 0, g)


# Complex functions that have no derivative, but are linear in both parts of a number.
MODULUS = Partial(
    "a", _direction, kink=_is_zero, pull=_pull_by_sign, push=_push_by_sign
)
ARGUMENT = Partial("a", _is_zero, pull=_pull_angle, push=_push_angle)
DIRECTION = Partial("a", _is_zero, pull=_turn, push=_turn)
CONJUGATE = Partial("", _one, pull=np.conj, push=np.conj)
REAL_PART = Partial("", _one, pull=_of_real_part, push=np.real)
IMAGINARY_PART = Partial("", _zero, pull=_times_i, push=np.imag)

PARTIALS: dict[str, tuple[Partial, ...]] = {
    "add": (ONE, ONE),
    "subtract": (ONE, MINUS),
    "multiply": (Partial("b", itself), Partial("a", itself)),
    "divide": (
        Partial("b", itself, divides=True),
        Partial("by", lambda b, y: -y / b),
    ),
    "negative": (MINUS,),
    "positive": (ONE,),
    "power": (
        Partial("ab", _power_by_base),
        Partial("aby", _power_by_exponent),
    ),
    "float_power": (
        Partial("ab", _power_by_base),
        Partial("aby", _power_by_exponent),
    ),
    "square": _of("a", lambda a: 2 * a),
    "reciprocal": _of("y", lambda y: -y * y),
    "sqrt": _of("y", lambda y: 2 * y, divides=True),
    "cbrt": _of("y", lambda y: 3 * y * y, divides=True),
    "exp": _of("y", itself),
    "exp2": _of("y", lambda y: y * math.log(2)),
    "expm1": _of("y", lambda y: y + 1),
    "log": _of("a", itself, divides=True),
    "log2": _of("a", lambda a: a * math.log(2), divides=True),
    "log10": _of("a", lambda a: a * math.log(10), divides=True),
    "log1p": _of("a", lambda a: 1 + a, divides=True),
    "sin": _of("a", np.cos),
    "cos": _of("a", lambda a: -np.sin(a)),
    "tan": _of("y", lambda y: 1 + y * y),
    "arcsin": _of("a", lambda a: np.sqrt((1 - a) * (1 + a)), divides=True),
    "arccos": _of("a", lambda a: -np.sqrt((1 - a) * (1 + a)), divides=True),
    "arctan": _of("a", lambda a: 1 + a * a, divides=True),
    "sinh": _of("a", np.cosh),
    "cosh": _of("a", np.sinh),
    # Not 1 - y**2, of which nothing is left where tanh has come close to 1.
    "tanh": _of("a", lambda a: np.cosh(a) ** 2, divides=True),
    "arcsinh": _of("a", lambda a: np.sqrt(a * a + 1), divides=True),
    "arccosh": _of("a", lambda a: np.sqrt(a - 1) * np.sqrt(a + 1), divides=True),
    "arctanh": _of("a", lambda a: (1 - a) * (1 + a), divides=True),
    "arctan2": (Partial("ab", _angle_by_first), Partial("ab", _angle_by_second)),
    "hypot": (
        Partial("ay", _ratio_or_zero, kink=_length_is_zero),
        Partial("by", _ratio_or_zero, kink=_length_is_zero),
    ),
    "logaddexp": (
        Partial("ab", _share_of_logaddexp(math.e)),
        Partial("ab", _other_share_of_logaddexp(math.e)),
    ),
    "logaddexp2": (
        Partial("ab", _share_of_logaddexp(2)),
        Partial("ab", _other_share_of_logaddexp(2)),
    ),
    "absolute": _of("a", np.sign, kink=_is_zero, for_complex=MODULUS),
    "fabs": _of("a", np.sign, kink=_is_zero),
    "maximum": EXTREMUM,
    "minimum": EXTREMUM,
    "fmax": EXTREMUM,
    "fmin": EXTREMUM,
    "clip": (
        Partial("abc", _share_inside, kink=_on_a_bound, chooses=True),
        Partial("abc", _share_of_low, kink=_on_a_bound, chooses=True),
        Partial("abc", _share_of_high, kink=_on_a_bound, chooses=True),
    ),
    "remainder": (ONE, Partial("ab", lambda a, b: -np.floor(a / b))),
    "fmod": (ONE, Partial("ab", lambda a, b: -np.trunc(a / b))),
    "copysign": (
        Partial(
            "ab", lambda a, b: np.sign(a) * np.copysign(1.0, b), kink=_first_is_zero
        ),
        ZERO,
    ),
    "where": (
        ZERO,
        Partial("a", itself, pull=_choose, push=_choose, chooses=True),
        Partial(
            "a", np.logical_not, pull=_choose_other, push=_choose_other, chooses=True
        ),
    ),
    "sinc": _of("ay", _sinc),
    "nan_to_num": _of("a", np.isfinite),
    "nextafter": (ONE, ZERO),
    "modf 0": (ONE,),
    "modf 1": (ZERO,),
    "frexp 0": _of("ay", _mantissa),
    "divmod 0": (ZERO, ZERO),
    "divmod 1": (ONE, Partial("ab", lambda a, b: -np.floor(a / b))),
    "deg2rad": _of("", lambda: math.pi / 180),
    "radians": _of("", lambda: math.pi / 180),
    "rad2deg": _of("", lambda: 180 / math.pi),
    "degrees": _of("", lambda: 180 / math.pi),
    "heaviside": (ZERO, Partial("a", _is_zero)),
    "ldexp": (Partial("b", lambda b: 2.0**b), ZERO),
    "sign": (Partial("", _zero, for_complex=DIRECTION),),
    "astype": (ONE,),
    "conjugate": (Partial("", _one, for_complex=CONJUGATE),),
    "angle": (Partial("", _zero, for_complex=ARGUMENT),),
    "real": (Partial("", _one, for_complex=REAL_PART),),
    "imag": (Partial("", _zero, for_complex=IMAGINARY_PART),),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint", "fix", "spacing"), (ZERO,)),
    "floor_divide": (ZERO, ZERO),
}
