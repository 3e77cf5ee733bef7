"""Assertions for tests of code that runs on several array libraries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from xgrad._arrays import (
    Array,
    backend_name,
    common_namespace,
    device_of,
    float_info,
    is_complex,
    is_floating,
    leaves,
    missing_names,
    public_dir,
    python_float,
    quiet,
    rebuild,
    to_numpy,
)
from xgrad._rules import NOT_NEGATIVE

__all__ = ["assert_close"]
__dir__ = public_dir(globals())
if not TYPE_CHECKING:  # a type checker would take every name for an attribute
    __getattr__ = missing_names(__name__)


def assert_close(
    actual: Any,
    desired: Any,
    /,
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Raise unless two arrays agree in library, device, dtype, shape and values.

    Each value may differ by ``rtol * abs(desired) + atol``. nan equals nan, and inf an
    inf of the same sign.

    Parameters
    ----------
    actual : array, or nested dict, list or tuple of arrays
        Result of the code under test, of any backend.
    desired : array, number, or nested dict, list or tuple of these
        Result that it should give, in containers of the same kinds. A Python number is
        compared by value alone, rounded to the dtype of ``actual``, which must be a
        single value, of shape ``()``.
    rtol : float, optional
        Relative tolerance. By default it is ``sqrt(eps)`` of the dtype, half of its
        digits: 1.5e-8 for float64, and 0 for integers and booleans, which are exact.
    atol : float, optional
        Absolute tolerance. By default it is rounding at the scale of the array,
        ``16 * eps * max(abs(desired))`` over the finite entries, since terms of that
        size may have cancelled in a small one. Entries that are smaller are then not
        compared at all: give ``atol=0`` for an array of quantities of different scales.

    Raises
    ------
    AssertionError
        If they differ. The message says in what; for values, how many differ, which is
        the worst one, and the tolerance.
    TypeError
        If ``desired`` holds anything but arrays and numbers.
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
    is 2.5, not 2.0; difference 0.5, tolerance 3e-08 (rtol=1.5e-08, atol=7.1e-15)
    """
    __tracebackhide__ = True
    tolerance = _Tolerance(
        None if rtol is None else _not_negative("rtol", rtol),
        None if atol is None else _not_negative("atol", atol),
    )
    differences = [_nesting_difference(actual, desired)]
    if not any(differences):
        pairs = _leaf_pairs(actual, desired)
        differences = [_array_difference(*pair, tolerance=tolerance) for pair in pairs]
    if any(differences):
        raise AssertionError("\n".join(filter(None, differences)))


@dataclass(frozen=True)
class _Tolerance:
    """Tolerances of the caller, or those that follow from a dtype and an array."""

    rtol: float | None
    atol: float | None

    def relative(self, eps: float) -> float:
        """Return the relative tolerance for a dtype."""
        return math.sqrt(eps) if self.rtol is None else self.rtol

    def absolute(self, desired: Any, eps: float) -> Any:
        """Return the absolute tolerance for an array."""
        if self.atol is not None:
            return self.atol
        # 16 leaves room for the roundings of some operations in a row. Set by trial.
        return 16 * eps * np.where(_is_finite(desired), abs(desired), 0).max(initial=0)

    def allowed(self, desired: Any, eps: float) -> Any:
        """Return the allowed difference of each value, 0 for those not finite."""
        finite = _is_finite(desired)
        size = np.where(finite, abs(desired), 0)
        absolute = self.absolute(desired, eps)
        return np.where(finite, self.relative(eps) * size + absolute, 0)

    def text(self, desired: Any, eps: float) -> str:
        """Return the tolerances as the caller would write them."""
        absolute = float(self.absolute(desired, eps))
        return f"rtol={self.relative(eps):.2g}, atol={absolute:.2g}"


def _not_negative(name: str, tolerance: Any) -> float:
    # A nan would refuse everything, and inf accept it.
    return NOT_NEGATIVE.validate(name, tolerance)


def _nesting_difference(actual: Any, desired: Any) -> str:
    """Describe how the containers differ; return an empty string if they do not."""
    for name, tree in (("actual", actual), ("desired", desired)):
        leaves(tree, name)  # refuses containers that contain themselves
    one, other = (rebuild(tree, repeat("array")) for tree in (actual, desired))
    # Paths, too: the keys 1 and True are equal, but two different ones to a reader.
    if one == other and dict(leaves(one)).keys() == dict(leaves(other)).keys():
        return ""
    return f"`actual` is nested like {one}, but `desired` like {other}"


def _leaf_pairs(actual: Any, desired: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield every path with both leaves; dicts may be ordered in different ways."""
    desired_leaves = dict(leaves(desired, ""))
    for path, leaf in leaves(actual, ""):
        yield path, leaf, desired_leaves[path]


def _array_difference(
    path: str, actual: Any, desired: Any, *, tolerance: _Tolerance
) -> str:
    """Describe how an array differs from another or a number; empty if it does not."""
    try:
        xp = common_namespace(**{f"actual{path}": actual})
    except TypeError as error:
        # The result under test is wrong, not the call of `assert_close`.
        return str(error)
    values = np.asarray(to_numpy(actual))
    if _is_number(desired):
        expected = _round_to(desired, values.dtype, exact=_eps(xp, actual) == 0)
        properties = [("shape", values.shape, ())]
    else:
        _require_numbers(f"desired{path}", desired)
        expected = np.asarray(to_numpy(desired))
        properties = [
            *_library_properties(xp, actual, desired),
            ("shape", values.shape, expected.shape),
        ]
    differing = [f"{name}: {a}, not {b}" for name, a, b in properties if a != b]
    if differing:
        return f"`actual{path}` differs from `desired{path}` in {'; '.join(differing)}"
    return _Values(path, values, expected, _eps(xp, actual), tolerance).difference()


def _is_number(x: Any) -> bool:
    # NumPy's float64 and complex128 are Python's numbers by descent.
    return isinstance(x, int | float | complex) and not isinstance(x, np.generic)


def _round_to(number: complex, dtype: Any, *, exact: bool) -> Any:
    """Return the closest value of a floating dtype, or the number if that overflows."""
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
    """Raise unless ``desired`` is an array of numbers or booleans."""
    # NumPy has arrays of strings and of objects, which no tolerance applies to.
    xp = common_namespace(**{name: desired})
    if not xp.isdtype(desired.dtype, ("bool", "numeric")):
        raise TypeError(
            f"`{name}` must hold numbers or booleans, but its dtype is {desired.dtype}"
        )


def _library_properties(
    xp: Any, actual: Array, desired: Array
) -> list[tuple[str, Any, Any]]:
    """Return library, device and dtype of both arrays, which must be equal."""
    other = common_namespace(desired=desired)
    if other is not xp:  # whose devices and dtypes cannot be compared
        return [("library", backend_name(xp), backend_name(other))]
    return [
        ("device", device_of(actual), device_of(desired)),
        ("dtype", actual.dtype, desired.dtype),
    ]


def _eps(xp: Any, x: Array) -> float:
    """Return the spacing of a dtype's numbers at 1; 0 for integers and booleans."""
    inexact = is_floating(xp, x) or is_complex(xp, x)
    return float_info(xp, x.dtype).eps if inexact else 0.0


@dataclass(frozen=True, eq=False)
class _Values:
    """Values to compare, NumPy arrays of one shape, and the tolerance."""

    path: str
    actual: Any
    desired: Any
    eps: float
    tolerance: _Tolerance

    def difference(self) -> str:
        """Say how many values differ and which one most; empty if none does."""
        # Most comparisons of exact values end here, before anything is converted.
        if np.all(self.actual == self.desired):
            return ""
        actual, desired = map(self._flat, (self.actual, self.desired))
        with quiet():
            allowed = self.tolerance.allowed(desired, self.eps)
            finite = _is_finite(actual) & _is_finite(desired)
            distance = np.where(finite, abs(actual - desired), np.inf)
            both_nan = (actual != actual) & (desired != desired)
            close = (actual == desired) | both_nan | (finite & (distance <= allowed))
            if close.all():
                return ""
            worst = _worst_position(np.where(close, -1, distance), allowed)
        return (
            f"`actual{self.path}` differs from `desired{self.path}` in "
            f"{np.sum(~close)} of {close.size} values. Worst: {self._entry(worst)}; "
            f"{f'difference {distance[worst]:.2g}, ' if finite[worst] else ''}"
            f"tolerance {allowed[worst]:.2g} ({self.tolerance.text(desired, self.eps)})"
        )

    def _flat(self, values: Any) -> Any:
        """Return values in a row, as numbers whose differences are not rounded.

        Integers become Python's, which do not wrap, and float32 becomes float64.
        """
        exact = self.eps == 0 and self.desired.dtype.kind not in "fc"
        dtype = object if exact else np.result_type(values.dtype, np.float64)
        return values.astype(dtype).reshape(-1)

    def _entry(self, position: int) -> str:
        index = tuple(map(int, np.unravel_index(position, self.actual.shape)))
        where = f"{list(index)}" if index else ""
        actual, desired = self.actual[index], self.desired[index]
        return f"actual{self.path}{where} is {actual!s}, not {desired!s}"


def _is_finite(x: Any) -> Any:
    """Return a mask of the finite numbers, of NumPy or, as objects, of Python."""
    with quiet():
        return x - x == 0


def _worst_position(distance: Any, allowed: Any) -> int:
    """Return the position of the distance that is the largest multiple of the allowed.

    If nothing is allowed all multiples are infinite, and it is the largest distance.
    """
    distance, allowed = distance.astype(np.float64), allowed.astype(np.float64)
    multiple = np.where(np.isinf(distance), np.inf, distance / allowed)
    return int(np.argmax(np.where(multiple == multiple.max(), distance, -1)))
