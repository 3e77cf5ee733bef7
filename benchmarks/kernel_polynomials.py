"""The polynomials of compiled kernels: their derivation and their largest errors.

    python -m benchmarks.kernel_polynomials              # minutes: every float32 number
    python -m benchmarks.kernel_polynomials --every 997  # every so many-th number

The first table derives the coefficients of `xgrad/_kernels/numba_math.py` by Remez's
algorithm in 50 digits and compares. The second one measures the functions as they
are compiled on this machine: over all float32 numbers against the C library in float64,
and over random float64 numbers against mpmath. It needs numba and mpmath.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import table
from xgrad._kernels import numba_math as kernels

mp.mp.dps = 50
HALF_LOG_2 = mp.log(2) / 2
# Below this a quotient is its limit to more digits than any coefficient has.
TINY = mp.mpf(10) ** -15


def exp_tail(r: Any) -> Any:
    """``q`` in ``exp(r) = 1 + r + r**2 q(r)``."""
    return (mp.expm1(r) - r) / r**2 if abs(r) > TINY else mp.mpf(1) / 2 + r / 6


def atanh_tail(z: Any) -> Any:
    """``g`` in ``atanh(s) / s = 1 + z g(z)`` with ``z = s**2``."""
    root = mp.sqrt(z)
    return (mp.atanh(root) / root - 1) / z if z > TINY else mp.mpf(1) / 3 + z / 5


CASES = {
    "exp, float32": (kernels.EXP_32, exp_tail, -HALF_LOG_2, HALF_LOG_2, "exp"),
    "exp, float64": (kernels.EXP_64, exp_tail, -HALF_LOG_2, HALF_LOG_2, "exp"),
    "atanh, float32": (kernels.ATANH_32, atanh_tail, mp.mpf(0), mp.mpf(1) / 9, "atanh"),
    "atanh, float64": (kernels.ATANH_64, atanh_tail, mp.mpf(0), mp.mpf(1) / 9, "atanh"),
}
# How an error of the tail weighs in the relative error of the function.
WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "exp": lambda r: r**2 / mp.exp(r) + TINY**2,
    "atanh": lambda z: z + TINY**2,
}


def remez(
    function: Callable[[Any], Any],
    weight: Callable[[Any], Any],
    degree: int,
    low: Any,
    high: Any,
    grid: int = 1000,
) -> list[Any]:
    """Coefficients of the polynomial whose largest weighted error is the smallest.

    Its error takes its largest size at ``degree + 2`` points, with alternating signs:
    the points are improved until they stay where they are on a grid.
    """
    count = degree + 2
    xs = [low + (high - low) * i / grid for i in range(grid + 1)]
    exact, weights = [function(x) for x in xs], [weight(x) for x in xs]
    # Chebyshev's points, at which the error alternates nearly.
    nodes = [
        round(grid * (1 - math.cos(math.pi * i / (count - 1))) / 2)
        for i in range(count)
    ]
    while True:
        rows = [
            [*(xs[n] ** k for k in range(degree + 1)), (-1) ** i / weights[n]]
            for i, n in enumerate(nodes)
        ]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([exact[n] for n in nodes]))
        coefficients = list(solution)[:-1]
        errors = [
            w * (mp.polyval(coefficients[::-1], x) - e)
            for x, e, w in zip(xs, exact, weights, strict=True)
        ]
        extremes = _extremes(errors, count)
        if extremes == nodes:
            return coefficients
        nodes = extremes


def _extremes(errors: list[Any], count: int) -> list[int]:
    """Positions of the largest errors of alternating sign."""
    found: list[int] = []
    for i, error in enumerate(errors):
        if found and (error > 0) == (errors[found[-1]] > 0):
            if abs(error) > abs(errors[found[-1]]):
                found[-1] = i
        else:
            found.append(i)
    while len(found) > count:
        found.pop(0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1)
    return found


def largest_error(coefficients: Any, case: str) -> Any:
    """The largest relative error of a function computed with these coefficients."""
    _, function, low, high, kind = CASES[case]
    points = [low + (high - low) * i / 2000 for i in range(2001)]
    polynomial = [mp.mpf(c) for c in coefficients][::-1]
    return max(
        abs(WEIGHTS[kind](x) * (mp.polyval(polynomial, x) - function(x)))
        for x in points
    )


def derivation() -> None:
    """One line for each polynomial."""
    lines = []
    for name, (used, function, low, high, kind) in CASES.items():
        derived = remez(function, WEIGHTS[kind], len(used) - 1, low, high)
        difference = max(abs(d / u - 1) for d, u in zip(derived, used, strict=True))
        errors = largest_error(derived, name), largest_error(used, name)
        lines.append(
            [
                name,
                str(len(used)),
                *(f"{float(e):.2e}" for e in errors),
                f"{float(difference):.0e}",
            ]
        )
    head = [
        "tail of",
        "coefficients",
        "largest error",
        "of those used",
        "they differ by",
    ]
    print(table(head, lines) + "\n")


def _measure(function: Any, exact: Any) -> Any:
    """A compiled loop over float32 numbers that returns the largest errors."""

    @numba.njit(error_model="numpy", fastmath={"contract"})
    def measure(first: int, stop: int, every: int, numbers: Any) -> Any:
        relative, units = 0.0, 0.0
        for start in range(first, stop, every * len(numbers)):
            count = min(len(numbers), (stop - start + every - 1) // every)
            for i in range(count):
                numbers[i] = np.int32(start + i * every)
            results = numbers.view(np.float32).copy()
            for i in range(count):
                results[i] = function(results[i])
            for i in range(count):
                x = np.float64(numbers.view(np.float32)[i])
                right = exact(x)
                error = abs(np.float64(results[i]) - right)
                size = abs(right)
                # The distance between float32 numbers here, also below the normal ones.
                unit = (
                    2.0 ** (max(math.floor(math.log2(size)), -126) - 23)
                    if size
                    else 2.0**-149
                )
                units = max(units, error / unit)
                if size >= 2.0**-126:
                    relative = max(relative, error / size)
        return relative, units

    return measure


@numba.njit(error_model="numpy", fastmath={"contract"})
def of_share(x: Any) -> Any:
    """``log(1 + x)``, made of a share of 1 of ``1 + x``."""
    return kernels.minus_log_share(type(x)(1), x)


def errors_in_float32(every: int) -> list[list[str]]:
    """Lines of the errors over all float32 numbers that the kernels ask for."""
    sign = -(2**31)
    least, one, largest, large, infinity = (
        int(np.float32(x).view(np.int32)) for x in (-104, 1, 44, 2.0**126, np.inf)
    )
    cases = [
        ("exp", kernels.exp, math.exp, sign, least + 1, "-104 to 0"),
        ("exp", kernels.exp, math.exp, 0, largest + 1, "0 to 44"),
        ("log", kernels.log, math.log, 1, infinity, "all positive"),
        ("log1p", kernels.log1p, math.log1p, 0, one + 1, "0 to 1"),
        ("minus_log_share", of_share, math.log1p, 0, large, "0 to 2**126"),
    ]
    lines = []
    for name, function, exact, first, stop, numbers in cases:
        scratch = np.empty(2**14, np.int32)
        relative, units = _measure(function, exact)(first, stop, every, scratch)
        count = f"{-((first - stop) // every):,}"
        lines.append(
            [name, "float32", numbers, count, f"{relative:.2e}", f"{units:.3f}"]
        )
    return lines


def errors_in_float64(count: int) -> list[list[str]]:
    """Lines of the errors at random float64 numbers."""
    rng = np.random.default_rng(0)
    cases = {
        "exp": (kernels.exp, mp.exp, 1062 * rng.random(count) - 708, "-708 to 354"),
        "log": (
            kernels.log,
            mp.log,
            np.exp(1400 * rng.random(count) - 700),
            "1e-304 to 1e304",
        ),
        "log1p": (kernels.log1p, mp.log1p, rng.random(count) ** 4, "0 to 1"),
        "minus_log_share": (
            of_share,
            mp.log1p,
            np.exp(100 * rng.random(count) - 50),
            "1e-22 to 1e22",
        ),
    }
    lines = []
    for name, (function, exact, x, numbers) in cases.items():
        results = _apply(function)(x)
        relative = units = 0.0
        for number, result in zip(x.tolist(), results.tolist(), strict=True):
            right = exact(mp.mpf(number))
            error = float(abs(mp.mpf(result) - right))
            relative = max(relative, error / float(abs(right)))
            units = max(units, error / math.ulp(float(abs(right))))
        lines.append(
            [name, "float64", numbers, f"{count:,}", f"{relative:.2e}", f"{units:.3f}"]
        )
    return lines


def _apply(function: Any) -> Any:
    @numba.njit(error_model="numpy", fastmath={"contract"})
    def apply(x: Any) -> Any:
        results = np.empty_like(x)
        for i in range(x.size):
            results[i] = function(x[i])
        return results

    return apply


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args(arguments)
    derivation()
    lines = [
        *errors_in_float32(options.every),
        *errors_in_float64(200_000 // options.every + 1000),
    ]
    head = [
        "function",
        "dtype",
        "numbers",
        "how many",
        "relative error",
        "in units of the last place",
    ]
    print(table(head, lines))


if __name__ == "__main__":
    main()
