"""The partial derivatives of the functions of `scipy.special` and of its CuPy twin.

The tables are functions of the module, which is imported by the caller alone. Formulas
are those of the DLMF (dlmf.nist.gov), whose sections the groups name.
"""

from __future__ import annotations

import functools
import math
import sys
from typing import Any

import numpy as np

from xgrad._autodiff.bessel import (
    bessel_functions,
    elliptic_integrals,
    hypergeometric_functions,
    orthogonal_polynomials,
)
from xgrad._autodiff.cumulative import distributions, incomplete_functions
from xgrad._autodiff.partials import UNKNOWN, ZERO, Partial

Partials = dict[str, tuple[Partial, ...]]
PREFIX = "cupyx_scipy_special_"  # of CuPy's kernels
ROOT_PI = math.sqrt(math.pi)
ROOT_TWO_PI = math.sqrt(2 * math.pi)
# From here on slopes of error functions are their asymptotic series, whose coefficients
# are 1, 3, 15, ...: the first that is left out is below 1e-17 of the sum.
FAR = 10.0
COEFFICIENTS = [math.prod(range(1, 2 * k + 2, 2)) for k in range(15)]


def special_partials(function: Any) -> tuple[Partial, ...] | None:
    """Return the partial derivatives of a function of `scipy.special`; None if none."""
    # One of several outputs has the function and its number.
    function, number = getattr(function, "output_of", (function, None))
    kernel = getattr(function, "name", "")
    if isinstance(kernel, str) and kernel.startswith(PREFIX):
        module, name = sys.modules.get("cupyx.scipy.special"), kernel[len(PREFIX) :]
    else:
        module = sys.modules.get("scipy.special")
        name = getattr(function, "__name__", "")
        private = getattr(module, "_ufuncs", None)
        theirs = (getattr(module, name, None), getattr(private, name, None))
        module = module if any(f is function for f in theirs) else None
    if module is None:
        return None
    return table_of(module).get(name if number is None else f"{name} {number}")


@functools.cache
def table_of(sp: Any) -> Partials:
    """Return the partial derivatives of the functions of a module, by their names."""
    groups = (
        error_functions,
        normal_distribution,
        gamma_functions,
        incomplete_functions,
        distributions,
        entropies,
        powers,
        integrals,
        bessel_functions,
        elliptic_integrals,
        hypergeometric_functions,
        orthogonal_polynomials,
    )
    return {name: entry for group in groups for name, entry in group(sp).items()}


def _series_if_far(is_far: Any, a: Any, factor: complex, sign: int, near: Any) -> Any:
    """Return the slope of an error function, far from 0 by its series (section 7.12).

    There it is ``a**2`` times as small as the terms of which it is the difference.
    """
    square = np.where(is_far, a, FAR) ** 2
    ratio = sign / (2 * square)
    series: Any = 0.0
    for coefficient in reversed(COEFFICIENTS):
        series = coefficient + ratio * series
    return np.where(is_far, factor * series / square, near)


def _faddeeva_slope(a: Any, y: Any) -> Any:
    """Return the derivative of ``y = wofz(a)``."""
    near = 2j / ROOT_PI - 2 * a * y
    # Below the real axis it grows as exp(-a**2) does.
    is_far = (np.abs(a) > FAR) & (np.imag(a) >= 0)
    return _series_if_far(is_far, a, -1j / ROOT_PI, 1, near)


def _voigt(sp: Any) -> tuple[Partial, ...]:
    """Return those of the Voigt profile, the real part of ``wofz(z)`` over a constant.

    Here ``z`` is ``(x + i gamma) / (sigma sqrt(2))`` (section 7.19).
    """

    def slope(a: Any, b: Any, c: Any) -> tuple[Any, Any]:
        z = (a + 1j * c) / (math.sqrt(2) * b)
        return z, _faddeeva_slope(z, sp.wofz(z)) / (2 * ROOT_PI * b * b)

    def by_deviation(a: Any, b: Any, c: Any, y: Any) -> Any:
        z, of_z = slope(a, b, c)
        return -y / b - math.sqrt(2) * np.real(of_z * z)

    return (
        Partial("abc", lambda a, b, c: np.real(slope(a, b, c)[1])),
        Partial("abcy", by_deviation),
        Partial("abc", lambda a, b, c: -np.imag(slope(a, b, c)[1])),
    )


def error_functions(sp: Any) -> Partials:
    """Return those of error functions, section 7."""
    factor = 2 / ROOT_PI

    def scaled(a: Any, y: Any) -> Any:
        return _series_if_far(a > FAR, a, -1 / ROOT_PI, -1, 2 * a * y - factor)

    def dawson(a: Any, y: Any) -> Any:
        return _series_if_far(np.abs(a) > FAR, a, -1 / 2, 1, 1 - 2 * a * y)

    return {
        "erf": (Partial("a", lambda a: factor * np.exp(-a * a)),),
        "erfc": (Partial("a", lambda a: -factor * np.exp(-a * a)),),
        "erfi": (Partial("a", lambda a: factor * np.exp(a * a)),),
        "erfcx": (Partial("ay", scaled),),
        "dawsn": (Partial("ay", dawson),),
        "wofz": (Partial("ay", _faddeeva_slope),),
        "voigt_profile": _voigt(sp),
        "erfinv": (Partial("y", lambda y: np.exp(y * y) / factor),),
        "erfcinv": (Partial("y", lambda y: -np.exp(y * y) / factor),),
    }


def normal_distribution(sp: Any) -> Partials:
    """Return those of the normal and the logistic distribution."""
    log_root = math.log(ROOT_TWO_PI)
    return {
        "ndtr": (Partial("a", lambda a: np.exp(-a * a / 2) / ROOT_TWO_PI),),
        # By logarithms, since both of them vanish far to the left.
        "log_ndtr": (Partial("ay", lambda a, y: np.exp(-a * a / 2 - y - log_root)),),
        "ndtri": (Partial("y", lambda y: np.exp(y * y / 2) * ROOT_TWO_PI),),
        "ndtri_exp": (Partial("ay", lambda a, y: np.exp(a + y * y / 2 + log_root)),),
        "owens_t": (
            Partial(
                "ab",
                lambda a, b: (
                    -np.exp(-a * a / 2)
                    * sp.erf(a * b / math.sqrt(2))
                    / (2 * ROOT_TWO_PI)
                ),
            ),
            Partial(
                "ab",
                lambda a, b: (
                    np.exp(-a * a * (1 + b * b) / 2) / (2 * math.pi * (1 + b * b))
                ),
            ),
        ),
        # Not y * (1 - y), of which nothing is left where y has come close to 1.
        "expit": (Partial("ay", lambda a, y: y * sp.expit(-a)),),
        "logit": (Partial("a", lambda a: a * (1 - a), divides=True),),
        "log_expit": (Partial("a", lambda a: sp.expit(-a)),),
        "softplus": (Partial("a", lambda a: sp.expit(a)),),
    }


def gamma_functions(sp: Any) -> Partials:
    """Return those of gamma and beta functions, section 5, and of zeta, section 25."""

    def reciprocal(a: Any, y: Any) -> Any:
        # At the poles of gamma, 0, -1, -2, ..., where y * psi(a) is 0 times infinity.
        is_pole = (y == 0) & (np.real(a) <= 0)
        order = np.where(is_pole, -np.real(a), 0)
        at_pole = np.cos(math.pi * order) * sp.gamma(order + 1)
        return np.where(is_pole, at_pole, -y * sp.psi(np.where(is_pole, 1, a)))

    def beta(a: Any, b: Any) -> Any:
        return sp.psi(a) - sp.psi(a + b)

    def binomial(a: Any, b: Any) -> Any:
        return sp.psi(a - b + 1) - sp.psi(b + 1)

    psi = (Partial("a", lambda a: sp.psi(a)),)
    trigamma = (Partial("a", lambda a: sp.zeta(2.0, a)),)
    zeta = (UNKNOWN, Partial("ab", lambda a, b: -a * sp.zeta(a + 1.0, b)))
    return {
        "gammaln": psi,
        "loggamma": psi,
        "gamma": (Partial("ay", lambda a, y: y * sp.psi(a)),),
        "rgamma": (Partial("ay", reciprocal),),
        "gammasgn": (ZERO,),
        "psi": trigamma,
        "digamma": trigamma,
        "_zeta": zeta,
        "zeta": zeta,
        "beta": (
            Partial("aby", lambda a, b, y: y * beta(a, b)),
            Partial("aby", lambda a, b, y: y * beta(b, a)),
        ),
        "betaln": (Partial("ab", beta), Partial("ab", lambda a, b: beta(b, a))),
        "binom": (
            Partial("aby", lambda a, b, y: y * (sp.psi(a + 1) - sp.psi(a - b + 1))),
            Partial("aby", lambda a, b, y: y * binomial(a, b)),
        ),
        "poch": (
            Partial("aby", lambda a, b, y: y * (sp.psi(a + b) - sp.psi(a))),
            Partial("aby", lambda a, b, y: y * sp.psi(a + b)),
        ),
    }


def entropies(sp: Any) -> Partials:
    """Return those of entropies and of losses."""

    def ratio(a: Any, b: Any) -> Any:
        return np.where(a == 0, 0, a / np.where(a == 0, 1, b))

    def huber(a: Any, b: Any) -> Any:
        return np.clip(b, -a, a)

    def root(a: Any, b: Any) -> Any:
        return np.sqrt(1 + (b / a) ** 2)

    return {
        "xlogy": (Partial("b", np.log), Partial("ab", ratio)),
        "xlog1py": (
            Partial("b", np.log1p),
            Partial("ab", lambda a, b: ratio(a, 1 + b)),
        ),
        "entr": (Partial("a", lambda a: -np.log(a) - 1),),
        "rel_entr": (
            Partial("ab", lambda a, b: np.log(a / b) + 1),
            Partial("ab", lambda a, b: -ratio(a, b)),
        ),
        "kl_div": (
            Partial("ab", lambda a, b: np.log(a / b)),
            Partial("ab", lambda a, b: 1 - ratio(a, b)),
        ),
        "huber": (
            Partial("ab", lambda a, b: np.maximum(np.abs(b) - a, 0)),
            Partial("ab", huber),
        ),
        "pseudo_huber": (
            Partial("aby", lambda a, b, y: 2 * y / a - b * b / (a * root(a, b))),
            Partial("ab", lambda a, b: b / root(a, b)),
        ),
    }


def powers(sp: Any) -> Partials:
    """Return those of powers, logarithms and trigonometric functions."""
    degree = math.pi / 180

    def box_cox(a: Any, b: Any, y: Any) -> Any:
        # By the exponent, which is 0 for the logarithm itself.
        log, is_zero = np.log(a), b == 0
        slope = (a**b * log - y) / np.where(is_zero, 1, b)
        return np.where(is_zero, log * log / 2, slope)

    def relative_logarithm(u: Any) -> Any:
        # (u / (1 + u) - log(1 + u)) / u**2, near 0 by its series.
        series: Any = 0.0
        for k in range(12, 0, -1):
            series = (-1) ** k * k / (k + 1) + u * series
        is_near = np.abs(u) < 0.03
        v = np.where(is_near, 1, u)
        return np.where(is_near, series, (v / (1 + v) - np.log1p(v)) / (v * v))

    def relative(a: Any, y: Any) -> Any:
        # (exp(a) - 1) / a near 0, where the difference would cancel: its series.
        series = 1 / 2 + a * (1 / 3 + a * (1 / 8 + a * (1 / 30 + a * (1 / 144))))
        is_near = np.abs(a) < 0.01
        return np.where(is_near, series, (np.exp(a) - y) / np.where(is_near, 1, a))

    return {
        "cbrt": (Partial("y", lambda y: 3 * y * y, divides=True),),
        "exp2": (Partial("y", lambda y: y * math.log(2)),),
        "exp10": (Partial("y", lambda y: y * math.log(10)),),
        "expm1": (Partial("a", np.exp),),
        "exprel": (Partial("ay", relative),),
        "log1p": (Partial("a", lambda a: 1 + a, divides=True),),
        "cosm1": (Partial("a", lambda a: -np.sin(a)),),
        "sindg": (Partial("a", lambda a: degree * sp.cosdg(a)),),
        "cosdg": (Partial("a", lambda a: -degree * sp.sindg(a)),),
        "tandg": (Partial("y", lambda y: degree * (1 + y * y)),),
        "cotdg": (Partial("y", lambda y: -degree * (1 + y * y)),),
        "radian": tuple(Partial("", lambda n=n: degree / n) for n in (1, 60, 3600)),
        "round": (ZERO,),
        "powm1": (
            Partial("ab", lambda a, b: b * a ** (b - 1)),
            Partial("aby", lambda a, b, y: (y + 1) * np.log(a)),
        ),
        "boxcox": (Partial("ab", lambda a, b: a ** (b - 1)), Partial("aby", box_cox)),
        "boxcox1p": (
            Partial("ab", lambda a, b: (1 + a) ** (b - 1)),
            Partial("aby", lambda a, b, y: box_cox(1 + a, b, y)),
        ),
        "inv_boxcox": (
            Partial("by", lambda b, y: y ** (1 - b)),
            Partial("aby", lambda a, b, y: y * a * a * relative_logarithm(a * b)),
        ),
        "inv_boxcox1p": (
            Partial("by", lambda b, y: (1 + y) ** (1 - b)),
            Partial("aby", lambda a, b, y: (1 + y) * a * a * relative_logarithm(a * b)),
        ),
        "wrightomega": (Partial("y", lambda y: y / (1 + y)),),
        # The branch and the tolerance are no variables.
        "_lambertw": (Partial("ay", lambda a, y: a + np.exp(y), True), ZERO, ZERO),
    }


def integrals(sp: Any) -> Partials:
    """Return those of exponential integrals and of others, sections 6 to 8."""

    def order(a: Any, b: Any) -> Any:
        # One order less; that of order 0 is exp(-b) / b.
        first = -np.exp(-b) * (1 + b) / (b * b)
        return np.where(a == 0, first, -sp.expn(np.maximum(a - 1, 0), b))

    def dilogarithm(a: Any) -> Any:
        is_one = a == 1
        return np.where(is_one, -1, np.log(a) / np.where(is_one, 1, 1 - a))

    def sine(a: Any) -> Any:
        return np.sinc(a / math.pi)

    def hyperbolic_sine(a: Any) -> Any:
        return np.where(a == 0, 1, np.sinh(a) / np.where(a == 0, 1, a))

    return {
        "expn": (UNKNOWN, Partial("ab", order)),
        "exp1": (Partial("a", lambda a: -np.exp(-a) / a),),
        "expi": (Partial("a", lambda a: np.exp(a) / a),),
        "spence": (Partial("a", dilogarithm),),
        "sici 0": (Partial("a", sine),),
        "sici 1": (Partial("a", lambda a: np.cos(a) / a),),
        "shichi 0": (Partial("a", hyperbolic_sine),),
        "shichi 1": (Partial("a", lambda a: np.cosh(a) / a),),
        "fresnel 0": (Partial("a", lambda a: np.sin(math.pi / 2 * a * a)),),
        "fresnel 1": (Partial("a", lambda a: np.cos(math.pi / 2 * a * a)),),
    }
