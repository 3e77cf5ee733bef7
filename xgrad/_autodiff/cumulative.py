"""The partial derivatives of cumulative distributions, by variables and shapes.

As in `special`, the tables are functions of the module.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from xgrad._autodiff.partials import ONE, UNKNOWN, Partial
from xgrad._autodiff.shapes import beta_by_shapes, gamma_by_shape

Partials = dict[str, tuple[Partial, ...]]


def gamma_density(sp: Any, a: Any, x: Any) -> Any:
    """Return ``x**(a - 1) * exp(-x) / gamma(a)`` without overflow."""
    return np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def beta_density(sp: Any, a: Any, b: Any, x: Any) -> Any:
    """Return ``x**(a - 1) * (1 - x)**(b - 1) / beta(a, b)`` without overflow."""
    logarithm = sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b)
    return np.exp(logarithm)


def incomplete_functions(sp: Any) -> Partials:
    """Return those of incomplete gamma and beta functions, and their inverses."""
    gamma, beta = (functools.partial(f, sp) for f in (gamma_density, beta_density))
    shape = functools.partial(gamma_by_shape, sp)

    def shapes(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
        return beta_by_shapes(sp, a, b, x, 1 - x)

    of_gamma = (Partial("ab", shape), Partial("ab", gamma))
    of_beta = (
        Partial("abc", lambda a, b, c: shapes(a, b, c)[0]),
        Partial("abc", lambda a, b, c: shapes(a, b, c)[1]),
        Partial("abc", beta),
    )
    inverse_of_gamma = Partial("ay", lambda a, y: -shape(a, y) / gamma(a, y))
    inverse_of_beta = (
        Partial("aby", lambda a, b, y: -shapes(a, b, y)[0] / beta(a, b, y)),
        Partial("aby", lambda a, b, y: -shapes(a, b, y)[1] / beta(a, b, y)),
    )
    by_share = Partial("aby", beta, divides=True)
    return {
        "gammainc": of_gamma,
        "gammaincc": tuple(map(_negative, of_gamma)),
        "gammaincinv": (inverse_of_gamma, Partial("ay", gamma, divides=True)),
        "gammainccinv": (
            inverse_of_gamma,
            Partial("ay", lambda a, y: -gamma(a, y), True),
        ),
        "betainc": of_beta,
        "betaincc": tuple(map(_negative, of_beta)),
        "betaincinv": (*inverse_of_beta, by_share),
        "betainccinv": (
            *inverse_of_beta,
            Partial("aby", lambda a, b, y: -beta(a, b, y), divides=True),
        ),
    }


def _negative(partial: Partial) -> Partial:
    """Return the partial derivative of the complement."""
    return Partial(partial.needs, lambda *x: -partial.function(*x), partial.divides)


def distributions(sp: Any) -> Partials:
    """Return those of cumulative distributions and of their inverses."""
    return {
        **_chi_square(sp),
        **_student(sp),
        **_fisher(sp),
        **_of_counts(sp),
        **_of_beta(sp),
        **_skew_normal(sp),
        **_noncentral(sp),
        **_inverse_normal(sp),
        **_noncentral_ratios(sp),
        **_landau(sp),
        **_others(sp),
    }


def _chi_square(sp: Any) -> Partials:
    def density(a: Any, b: Any) -> Any:
        return gamma_density(sp, a / 2, b / 2) / 2

    def shape(a: Any, b: Any) -> Any:
        return gamma_by_shape(sp, a / 2, b / 2) / 2

    both = (Partial("ab", shape), Partial("ab", density))
    return {
        "chdtr": both,
        "chdtrc": tuple(map(_negative, both)),
        "chdtri": (
            Partial("ay", lambda a, y: -shape(a, y) / density(a, y)),
            Partial("ay", lambda a, y: -density(a, y), divides=True),
        ),
    }


def _student(sp: Any) -> Partials:
    def density(a: Any, b: Any) -> Any:
        log_density = -(a + 1) / 2 * np.log1p(b * b / a) - sp.betaln(a / 2, 0.5)
        return np.exp(log_density) / np.sqrt(a)

    def freedom(a: Any, b: Any) -> Any:
        # Of one half of `betainc(1/2, a/2, s)`, the share between 0 and b.
        total = a + b * b
        share, rest = b * b / total, a / total
        by_shape = beta_by_shapes(sp, np.full_like(share, 0.5), a / 2, share, rest)[1]
        return np.sign(b) * by_shape / 4 - b / (2 * a) * density(a, b)

    return {
        "stdtr": (Partial("ab", freedom), Partial("ab", density)),
        "stdtrit": (
            Partial("ay", lambda a, y: -freedom(a, y) / density(a, y)),
            Partial("ay", density, divides=True),
        ),
    }


def _fisher(sp: Any) -> Partials:
    def density(a: Any, b: Any, c: Any) -> Any:
        share = a * c / (a * c + b)
        return beta_density(sp, a / 2, b / 2, share) * share * (1 - share) / c

    def freedom(a: Any, b: Any, c: Any) -> tuple[Any, Any]:
        total = a * c + b
        shapes = beta_by_shapes(sp, a / 2, b / 2, a * c / total, b / total)
        moved = c * density(a, b, c)
        return shapes[0] / 2 + moved / a, shapes[1] / 2 - moved / b

    def inverse(place: int) -> Partial:
        return Partial(
            "aby", lambda a, b, y: -freedom(a, b, y)[place] / density(a, b, y)
        )

    three = (
        Partial("abc", lambda a, b, c: freedom(a, b, c)[0]),
        Partial("abc", lambda a, b, c: freedom(a, b, c)[1]),
        Partial("abc", density),
    )
    return {
        "fdtr": three,
        "fdtrc": tuple(map(_negative, three)),
        "fdtri": (inverse(0), inverse(1), Partial("aby", density, divides=True)),
    }


def _of_counts(sp: Any) -> Partials:
    """Return those of gamma's, Poisson's and the binomial distributions."""

    def gamma(a: Any, b: Any, c: Any) -> Any:
        return gamma_density(sp, b, a * c)

    def poisson(a: Any, b: Any) -> Any:
        return gamma_density(sp, np.floor(a) + 1, b)

    def binomial(k: Any, n: Any, p: Any) -> Any:
        k, is_last = np.floor(k), np.floor(k) >= n
        density = beta_density(sp, np.where(is_last, 1, n - k), k + 1, 1 - p)
        return np.where(is_last, 0, -density)

    def waiting(k: Any, r: Any, p: Any) -> tuple[Any, Any]:
        k = np.floor(k) + 1
        by_count = beta_by_shapes(sp, r + 0 * p, k + 0 * p, p + 0 * r, 1 - p + 0 * r)[0]
        return by_count, beta_density(sp, r, k, p)

    def ratio(a: Any, b: Any) -> Any:
        return np.where(a == 0, 0, a / np.where(a == 0, 1, b))

    of_gamma = (
        Partial("abc", lambda a, b, c: c * gamma(a, b, c)),
        Partial(
            "abc", lambda a, b, c: gamma_by_shape(sp, b + 0 * a * c, a * c + 0 * b)
        ),
        Partial("abc", lambda a, b, c: a * gamma(a, b, c)),
    )
    of_binomial = (UNKNOWN, UNKNOWN, Partial("abc", binomial))
    of_waiting = (
        UNKNOWN,
        Partial("abc", lambda a, b, c: waiting(a, b, c)[0]),
        Partial("abc", lambda a, b, c: waiting(a, b, c)[1]),
    )
    return {
        "gdtr": of_gamma,
        "gdtrc": tuple(map(_negative, of_gamma)),
        "pdtr": (UNKNOWN, Partial("ab", lambda a, b: -poisson(a, b))),
        "pdtrc": (UNKNOWN, Partial("ab", poisson)),
        **dict.fromkeys(("bdtr", "_binom_cdf"), of_binomial),
        **dict.fromkeys(("bdtrc", "_binom_sf"), _complement(of_binomial)),
        "_binom_pmf": (
            UNKNOWN,
            UNKNOWN,
            Partial("abcy", lambda k, n, p, y: y * (ratio(k, p) - ratio(n - k, 1 - p))),
        ),
        "nbdtr": (UNKNOWN, UNKNOWN, of_waiting[2]),
        "nbdtrc": _complement((UNKNOWN, UNKNOWN, of_waiting[2])),
        "_nbinom_cdf": of_waiting,
        "_nbinom_sf": _complement(of_waiting),
        "_nbinom_pmf": (
            UNKNOWN,
            Partial(
                "abcy", lambda k, r, p, y: y * (sp.psi(k + r) - sp.psi(r) + np.log(p))
            ),
            Partial("abcy", lambda k, r, p, y: y * (r / p - ratio(k, 1 - p))),
        ),
    }


def _complement(partials: tuple[Partial, ...]) -> tuple[Partial, ...]:
    return tuple(p if p is UNKNOWN else _negative(p) for p in partials)


def _of_beta(sp: Any) -> Partials:
    """Return those of the density and the quantiles that `scipy.stats` has of beta."""

    def log_by_shape(x: Any, a: Any, b: Any, logarithm: Any) -> Any:
        return logarithm - sp.psi(a) + sp.psi(a + b)

    def quantile(place: int) -> Partial:
        def slope(a: Any, b: Any, y: Any) -> Any:
            shapes = beta_by_shapes(sp, a, b, y, 1 - y)
            return -shapes[place] / beta_density(sp, a, b, y)

        return Partial("bcy", slope)

    return {
        "_beta_pdf": (
            Partial("abcy", lambda x, a, b, y: y * ((a - 1) / x - (b - 1) / (1 - x))),
            Partial("abcy", lambda x, a, b, y: y * log_by_shape(x, a, b, np.log(x))),
            Partial("abcy", lambda x, a, b, y: y * log_by_shape(x, b, a, np.log1p(-x))),
        ),
        "_beta_ppf": (
            Partial("bcy", functools.partial(beta_density, sp), divides=True),
            quantile(0),
            quantile(1),
        ),
    }


def _skew_normal(sp: Any) -> Partials:
    """Return those of the skew normal distribution, by Owen's function."""

    def density(z: Any, d: Any) -> Any:
        return 2 * np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * sp.ndtr(d * z)

    def skew(z: Any, d: Any) -> Any:
        square = 1 + d * d
        return -np.exp(-z * z * square / 2) / (math.pi * square)

    def placed(x: Any, b: Any, c: Any) -> Any:
        return (x - b) / c

    def distribution(x: Any, b: Any, c: Any, d: Any) -> Any:
        return density(placed(x, b, c), d) / c

    quantile = (
        Partial("bcdy", lambda b, c, d, y: distribution(y, b, c, d), divides=True),
        ONE,
        Partial("bcy", lambda b, c, y: placed(y, b, c)),
        Partial(
            "bcdy",
            lambda b, c, d, y: -skew(placed(y, b, c), d) / distribution(y, b, c, d),
        ),
    )
    return {
        "_skewnorm_cdf": (
            Partial("abcd", distribution),
            Partial("abcd", lambda x, b, c, d: -distribution(x, b, c, d)),
            Partial(
                "abcd",
                lambda x, b, c, d: -placed(x, b, c) * distribution(x, b, c, d),
            ),
            Partial("abcd", lambda x, b, c, d: skew(placed(x, b, c), d)),
        ),
        "_skewnorm_ppf": quantile,
        "_skewnorm_isf": _from_above(quantile),
    }


def _noncentral(sp: Any) -> Partials:
    """Return those of the noncentral chi-square distribution.

    By the noncentrality the density has two more degrees of freedom.
    """

    def density(x: Any, k: Any, c: Any) -> Any:
        order, root = k / 2 - 1, np.sqrt(c * x)
        exponent = -((np.sqrt(x) - np.sqrt(c)) ** 2) / 2
        return np.exp(exponent) / 2 * (x / c) ** (order / 2) * sp.ive(order, root)

    def ratio(x: Any, k: Any, c: Any) -> Any:
        root = np.sqrt(c * x)
        return sp.ive(k / 2, root) / sp.ive(k / 2 - 1, root)

    def by_place(x: Any, k: Any, c: Any, y: Any) -> Any:
        return y * ((k / 2 - 1) / x + (np.sqrt(c / x) * ratio(x, k, c) - 1) / 2)

    def by_center(x: Any, k: Any, c: Any, y: Any) -> Any:
        return y * (np.sqrt(x / c) * ratio(x, k, c) - 1) / 2

    distribution = (
        Partial("abc", density),
        UNKNOWN,
        Partial("abc", lambda x, k, c: -density(x, k + 2, c)),
    )
    quantile = (
        Partial("bcy", lambda k, c, y: density(y, k, c), divides=True),
        UNKNOWN,
        Partial("bcy", lambda k, c, y: density(y, k + 2, c) / density(y, k, c)),
    )
    return {
        "_ncx2_pdf": (Partial("abcy", by_place), UNKNOWN, Partial("abcy", by_center)),
        "chndtr": distribution,
        "_ncx2_sf": _complement(distribution),
        "chndtrix": quantile,
        "_ncx2_isf": _from_above(quantile),
    }


def _inverse_normal(sp: Any) -> Partials:
    """Return those of the quantiles of inverse normal distributions.

    They are a shape ``c`` times the quantiles of the mean ``b / c`` and the shape 1.
    """

    def density(m: Any, z: Any) -> Any:
        return np.exp(-((z / m - 1) ** 2) / (2 * z)) / np.sqrt(2 * math.pi * z**3)

    def by_mean(b: Any, c: Any, y: Any) -> Any:
        m, z = b / c, y / c
        tail = sp.log_ndtr(-(z / m + 1) / np.sqrt(z))
        return 2 * np.exp(2 / m + tail) / (m * m * density(m, z))

    quantile = (
        Partial("bcy", lambda b, c, y: density(b / c, y / c) / c, divides=True),
        Partial("bcy", by_mean),
        Partial("bcy", lambda b, c, y: (y - b * by_mean(b, c, y)) / c),
    )
    return {"_invgauss_ppf": quantile, "_invgauss_isf": _from_above(quantile)}


def _noncentral_ratios(sp: Any) -> Partials:
    """Return those of the noncentral distributions of t and F, in the variable."""

    # SciPy before 1.15 has no densities of these, or less exact ones.
    if not hasattr(getattr(sp, "_ufuncs", None), "_nct_pdf"):
        return {}

    def of_t(x: Any, v: Any, c: Any) -> Any:
        return sp._ufuncs._nct_pdf(x, v, c)

    def of_f(x: Any, v: Any, w: Any, c: Any) -> Any:
        return sp._ufuncs._ncf_pdf(x, v, w, c)

    two, three = (UNKNOWN,) * 2, (UNKNOWN,) * 3
    return {
        "nctdtr": (*two, Partial("abc", lambda v, c, x: of_t(x, v, c))),
        "_nct_sf": (Partial("abc", lambda x, v, c: -of_t(x, v, c)), *two),
        "nctdtrit": (*two, Partial("aby", lambda v, c, y: of_t(y, v, c), divides=True)),
        "ncfdtr": (*three, Partial("abcd", lambda v, w, c, x: of_f(x, v, w, c))),
        "_ncf_sf": (Partial("abcd", lambda x, v, w, c: -of_f(x, v, w, c)), *three),
        "ncfdtri": (
            *three,
            Partial("abcy", lambda v, w, c, y: of_f(y, v, w, c), divides=True),
        ),
    }


def _landau(sp: Any) -> Partials:
    """Return those of Landau's distribution, by its variable and its place."""

    def density(x: Any, b: Any, c: Any) -> Any:
        return sp._ufuncs._landau_pdf(x, b, c)

    distribution = (
        Partial("abc", density),
        Partial("abc", lambda x, b, c: -density(x, b, c)),
        UNKNOWN,
    )
    by_share = Partial("bcy", lambda b, c, y: density(y, b, c), divides=True)
    quantile = (by_share, ONE, UNKNOWN)
    return {
        "_landau_cdf": distribution,
        "_landau_sf": _complement(distribution),
        "_landau_ppf": quantile,
        "_landau_isf": _from_above(quantile),
    }


def _from_above(partials: tuple[Partial, ...]) -> tuple[Partial, ...]:
    """Return those of a quantile that is counted from the upper end."""
    return (_negative(partials[0]), *partials[1:])


def _others(sp: Any) -> Partials:
    def cauchy(b: Any, c: Any, y: Any) -> Any:
        return math.pi * c * (1 + ((y - b) / c) ** 2)

    quantile = (
        Partial("bcy", cauchy),
        ONE,
        Partial("bcy", lambda b, c, y: (y - b) / c),
    )
    return {
        "_cauchy_ppf": quantile,
        "_cauchy_isf": _from_above(quantile),
        "_cosine_cdf": (Partial("a", lambda a: (1 + np.cos(a)) / (2 * math.pi)),),
        "_cosine_invcdf": (
            Partial("y", lambda y: (1 + np.cos(y)) / (2 * math.pi), divides=True),
        ),
        "_log1mexp": (Partial("a", lambda a: -np.expm1(-a), divides=True),),
    }
