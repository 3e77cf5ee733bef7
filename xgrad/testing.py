"""Assertions for tests of code that runs on several array libraries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    common_namespace,
    device_of,
    float_info,
    is_complex,
    is_floating,
    leaves,
    python_float,
    quiet,
    rebuild,
    to_numpy,
)
from xgrad._rules import NOT_NEGATIVE


def assert_close(
    actual: Any, desired: Any, /, *, rtol: float | None = None, atol: float = 0.0
) -> None:
    """Raise unless two arrays are alike: library, device, dtype, shape and values.

    Values may differ by ``rtol * abs(desired)``, entry by entry, and by rounding at the
    scale of the array: ``16 * eps * max(abs(desired))`` over the finite entries, which
    is what entries carry that others cancelled out. nan equals nan, and inf an inf of
    the same sign.

    Parameters
    ----------
    actual : array, or nested dict, list or tuple of arrays
        What came out, of any backend.
    desired : array, number, or nested dict, list or tuple of these
        What should have come out, in containers of the same kinds. Of a Python number
        only the value is compared, rounded to the dtype of ``actual``, which must be a
        single value: shape ``()``.
    rtol : float, optional
        Relative tolerance. By default ``sqrt(eps)`` of the dtype, which is half of its
        digits: 1.5e-8 for float64; 0 for integers and booleans, which have no rounding
        either.
    atol : float
        Absolute tolerance that is added.

    Raises
    ------
    AssertionError
        If they differ. The message says in what, and of values how many, which one is
        worst and how much was allowed.
    TypeError
        If ``desired`` holds something else than arrays and numbers.
    ValueError
        If a tolerance is negative or not finite.

    Examples
    --------
    >>> import xgrad
    >>> xp = xgrad.namespace("numpy")
    >>> assert_close(xp.exp(xp.log(xp.asarray([2.0, 3.0]))), xp.asarray([2.0, 3.0]))
    >>> assert_close(xp.asarray([1.0, 2.5]), xp.asarray([1.0, 2.0]))
    Traceback (most recent call last):
        ...
    AssertionError: `actual` differs from `desired` in 1 of 2 values. Worst: actual[1]
    is 2.5, not 2.0; 0.5 apart, allowed 3e-08 (rtol=1.5e-08, atol=0)
    """
    __tracebackhide__ = True
    tolerance = _Tolerance(
        None if rtol is None else _not_negative("rtol", rtol),
        _not_negative("atol", atol),
    )
    differences = [_structure(actual, desired)]
    if not any(differences):
        pairs = _pairs(actual, desired)
        differences = [_difference(*pair, tolerance=tolerance) for pair in pairs]
    if any(differences):
        raise AssertionError("\n".join(filter(None, differences)))


@dataclass(frozen=True)
class _Tolerance:
    """What the caller allows; without ``rtol`` half of the digits of a dtype."""

    rtol: float | None
    atol: float

    def relative(self, eps: float) -> float:
        """The relative tolerance for a dtype."""
        return math.sqrt(eps) if self.rtol is None else self.rtol

    def allowed(self, desired: Any, eps: float) -> Any:
        """How far from each desired value one may be; 0 where that is not finite."""
        finite = _finite(desired)
        size = np.where(finite, abs(desired), 0)
        largest = size.max(initial=0)
        return np.where(
            finite, self.relative(eps) * size + (16 * eps * largest + self.atol), 0
        )

    def text(self, eps: float) -> str:
        """As the caller would write it."""
        return f"rtol={self.relative(eps):.2g}, atol={self.atol:.2g}"


def _not_negative(name: str, tolerance: Any) -> float:
    # A nan would refuse everything, and inf accept it.
    return NOT_NEGATIVE.validate(name, tolerance)


# containers


def _structure(actual: Any, desired: Any) -> str:
    """How the containers differ; nothing where they do not."""
    for name, tree in (("actual", actual), ("desired", desired)):
        leaves(tree, name)  # refuses containers that hold themselves
    given, wanted = (rebuild(tree, repeat("array")) for tree in (actual, desired))
    # Paths, too: the keys 1 and True are equal, but two different ones to a reader.
    if given == wanted and dict(leaves(given)).keys() == dict(leaves(wanted)).keys():
        return ""
    return f"`actual` is nested like {given}, but `desired` like {wanted}"


def _pairs(actual: Any, desired: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every path, and what is there in both; dicts may be in another order."""
    wanted = dict(leaves(desired, ""))
    for path, given in leaves(actual, ""):
        yield path, given, wanted[path]


# one array


def _difference(path: str, actual: Any, desired: Any, *, tolerance: _Tolerance) -> str:
    """How one array differs from another, or a number; nothing if it does not."""
    try:
        xp = common_namespace(**{f"actual{path}": actual})
    except TypeError as error:  # what came out is wrong, not the call of `assert_close`
        return str(error)
    given = np.asarray(to_numpy(actual))
    if _is_number(desired):
        wanted = _rounded(desired, given.dtype, exact=_eps(xp, actual) == 0)
        kinds = [("shape", given.shape, ())]
    else:
        _require_numbers(f"desired{path}", desired)
        wanted = np.asarray(to_numpy(desired))
        kinds = [*_kinds(xp, actual, desired), ("shape", given.shape, wanted.shape)]
    differing = [f"{what}: {a}, not {b}" for what, a, b in kinds if a != b]
    if differing:
        return f"`actual{path}` differs from `desired{path}` in {'; '.join(differing)}"
    return _Values(path, given, wanted, _eps(xp, actual), tolerance).difference()


def _is_number(x: Any) -> bool:
    # NumPy's float64 and complex128 are Python's numbers by descent.
    return isinstance(x, int | float | complex) and not isinstance(x, np.generic)


def _rounded(number: complex, dtype: Any, *, exact: bool) -> Any:
    """A Python number as the closest that a floating dtype has; never an overflow."""
    if isinstance(number, int):
        python_float("desired", number)  # refuses what no float can hold
    value = np.asarray(number)
    if exact:
        return value
    kind = np.result_type(dtype, np.complex64) if value.dtype.kind == "c" else dtype
    with quiet():
        rounded = value.astype(kind)
    return value if np.isinf(rounded) else rounded


def _require_numbers(name: str, desired: Any) -> None:
    """Raise unless it is an array of numbers or booleans."""
    xp = common_namespace(**{name: desired})
    if not xp.isdtype(desired.dtype, ("bool", "numeric")):
        raise TypeError(
            f"`{name}` must hold numbers or booleans, but its dtype is {desired.dtype}"
        )


def _kinds(xp: Any, actual: Array, desired: Array) -> list[tuple[str, Any, Any]]:
    """What two arrays must share besides shape and values, of each."""
    other = common_namespace(desired=desired)
    if other is not xp:  # whose devices and dtypes are other ones for sure
        return [("library", _name(xp), _name(other))]
    return [
        ("device", device_of(actual), device_of(desired)),
        ("dtype", actual.dtype, desired.dtype),
    ]


def _name(xp: Any) -> str:
    return str(xp.__name__).removeprefix("array_api_compat.")


def _eps(xp: Any, x: Array) -> float:
    """Spacing of the numbers of a dtype at 1; integers and booleans are exact."""
    inexact = is_floating(xp, x) or is_complex(xp, x)
    return float_info(xp, x.dtype).eps if inexact else 0.0


# values, on the host


@dataclass(frozen=True)
class _Values:
    """NumPy arrays of one shape that are to be compared, and how closely."""

    path: str
    actual: Any
    desired: Any
    eps: float
    tolerance: _Tolerance

    def difference(self) -> str:
        """How many values differ and which one most; nothing if none does."""
        if np.all(self.actual == self.desired):
            return ""
        given, wanted = map(self._wide, (self.actual, self.desired))
        with quiet():
            allowed = self.tolerance.allowed(wanted, self.eps)
            finite = _finite(given) & _finite(wanted)
            apart = np.where(finite, abs(given - wanted), np.inf)
            both_nan = (given != given) & (wanted != wanted)
            close = (given == wanted) | both_nan | (finite & (apart <= allowed))
            if close.all():
                return ""
            worst = _worst(np.where(close, -1, apart), allowed)
        return (
            f"`actual{self.path}` differs from `desired{self.path}` in "
            f"{np.sum(~close)} of {close.size} values. Worst: {self._at(worst)}"
            f"{f'; {apart[worst]:.2g} apart' if finite[worst] else ''}, "
            f"allowed {allowed[worst]:.2g} ({self.tolerance.text(self.eps)})"
        )

    def _wide(self, values: Any) -> Any:
        """Values in a row, as numbers whose differences neither wrap nor round."""
        exact = self.eps == 0 and self.desired.dtype.kind not in "fc"
        dtype = object if exact else np.result_type(values.dtype, np.float64)
        return values.astype(dtype).reshape(-1)

    def _at(self, position: int) -> str:
        index = tuple(map(int, np.unravel_index(position, self.actual.shape)))
        where = f"{list(index)}" if index else ""
        given, wanted = self.actual[index], self.desired[index]
        return f"actual{self.path}{where} is {given!s}, not {wanted!s}"


def _finite(x: Any) -> Any:
    """Where numbers are finite, be they of NumPy or of Python."""
    with quiet():
        return x - x == 0


def _worst(apart: Any, allowed: Any) -> int:
    """The place that exceeds what is allowed most times over."""
    apart, allowed = apart.astype(np.float64), allowed.astype(np.float64)
    times = np.where(np.isinf(apart), np.inf, apart / allowed)
    # Where nothing is allowed all exceed it infinitely: then the largest distance.
    return int(np.argmax(np.where(times == times.max(), apart, -1)))
