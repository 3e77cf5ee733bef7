"""The derivatives of incomplete gamma and beta functions by their shapes.

They are sums and continued fractions (DLMF, sections 8.11 and 8.17) whose terms are
differentiated one by one, as R. J. Boik and J. F. Robison-Cox, Derivatives of the
incomplete beta function, Journal of Statistical Software 3 (1998), do. What is summed
is the derivative of a logarithm, all terms of which have one sign: nothing cancels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._tracing import unrecorded


def _terms(shape: Any) -> int:
    """Return how many terms the sums and fractions need for shapes up to this one."""
    largest = float(np.max(unrecorded(shape), initial=1.0))
    return int(60 + 10 * math.sqrt(largest)) if math.isfinite(largest) else 60


def gamma_by_shape(sp: Any, a: Any, x: Any) -> Any:
    """Return the derivative of ``gammainc(a, x)`` by ``a``."""
    is_low = x <= a + 1
    low = _gamma_by_series(sp, a, np.where(is_low, x, a + 1))
    high = _gamma_by_fraction(sp, a, np.where(is_low, a + 2, x))
    return np.where(is_low, low, -high)


def _gamma_by_series(sp: Any, a: Any, x: Any) -> Any:
    """Sum the terms ``x**(a + n) / gamma(a + n + 1)``, and their derivatives."""
    logarithm = np.log(np.where(x > 0, x, 1))
    term, slope = np.ones_like(x), logarithm - sp.psi(a + 1)
    total: Any = 0.0
    weighted: Any = 0.0
    for n in range(1, _terms(a)):
        total = total + term
        weighted = weighted + term * slope
        term, slope = term * (x / (a + n)), slope - 1 / (a + n)
    return sp.gammainc(a, x) * (weighted / total)


def _gamma_by_fraction(sp: Any, a: Any, x: Any) -> Any:
    """Return the derivative of ``gammaincc(a, x)`` by its continued fraction."""
    count = _terms(a)
    value: Any = x + (2 * count + 1) - a
    slope: Any = -1.0
    for n in range(count, 0, -1):
        step = n * (a - n) / value
        slope = (n - step * slope) / value - 1
        value = x + (2 * n - 1) - a + step
    x = np.where(np.isfinite(x), x, 1)
    return sp.gammaincc(a, x) * (np.log(x) - sp.psi(a) - slope / value)


def beta_by_shapes(sp: Any, a: Any, b: Any, x: Any, rest: Any) -> tuple[Any, Any]:
    """Return the derivatives of ``betainc(a, b, x)`` by ``a`` and ``b``.

    ``rest`` is ``1 - x``, which may have more digits than ``x`` has.
    """
    is_low = x * (a + b + 2) <= a + 1
    # Beyond the mean the other side has the fraction that converges.
    first, second = (np.where(is_low, *pair) for pair in ((a, b), (b, a)))
    near, far = (np.where(is_low, *pair) for pair in ((x, rest), (rest, x)))
    by_first, by_second = _beta_by_fraction(sp, first, second, near, far)
    return (
        np.where(is_low, by_first, -by_second),
        np.where(is_low, by_second, -by_first),
    )


def _beta_by_fraction(sp: Any, a: Any, b: Any, x: Any, rest: Any) -> tuple[Any, Any]:
    value: Any = 1.0
    by_a: Any = 0.0
    by_b: Any = 0.0
    for n in range(_terms(np.maximum(a, b)), 0, -1):
        m = n // 2
        if n % 2:
            top, below = -(a + m) * (a + b + m), (a + 2 * m) * (a + 2 * m + 1)
            top_a, top_b, below_a = -(2 * a + b + 2 * m), -(a + m), 2 * a + 4 * m + 1
        else:
            top, below = m * (b - m), (a + 2 * m - 1) * (a + 2 * m)
            top_a, top_b, below_a = 0.0, m, 2 * a + 4 * m - 1
        factor = x / below
        step = top * factor / value
        by_a = ((top_a - top * below_a / below) * factor - step * by_a) / value
        by_b = (top_b * factor - step * by_b) / value
        value = 1 + step
    both = sp.psi(a + b)
    by_a = np.log(np.where(x > 0, x, 1)) - 1 / a - sp.psi(a) + both - by_a / value
    by_b = np.log(np.where(rest > 0, rest, 1)) - sp.psi(b) + both - by_b / value
    share = sp.betainc(a, b, x)
    return share * by_a, share * by_b
