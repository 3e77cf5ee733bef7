"""The partial derivatives of Bessel functions, elliptic integrals and polynomials.

As in `special`, the tables are functions of the module, and the sections are those of
the DLMF. Orders and degrees are no variables: they have no closed derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff.partials import UNKNOWN, Partial

Partials = dict[str, tuple[Partial, ...]]


def _of(needs: str, function: Callable[..., Any]) -> tuple[Partial]:
    return (Partial(needs, function),)


def _behind_order(needs: str, function: Callable[..., Any]) -> tuple[Partial, Partial]:
    """Return the partials of a function of an order and a variable."""
    return UNKNOWN, Partial(needs, function)


def bessel_functions(sp: Any) -> Partials:
    """Return those of Bessel and related functions, sections 9 to 11."""
    return {
        **_of_first_orders(sp),
        **_of_any_order(sp),
        **_scaled(sp),
        **_spherical(sp),
        **_related(sp),
    }


def _of_first_orders(sp: Any) -> Partials:
    return {
        "j0": _of("a", lambda a: -sp.j1(a)),
        "j1": _of("a", lambda a: (sp.j0(a) - sp.jv(2, a)) / 2),
        "y0": _of("a", lambda a: -sp.y1(a)),
        "y1": _of("a", lambda a: (sp.y0(a) - sp.yn(2, a)) / 2),
        "i0": _of("a", lambda a: sp.i1(a)),
        "i1": _of("a", lambda a: (sp.i0(a) + sp.iv(2, a)) / 2),
        "k0": _of("a", lambda a: -sp.k1(a)),
        "k1": _of("a", lambda a: -(sp.k0(a) + sp.kn(2, a)) / 2),
    }


def _of_any_order(sp: Any) -> Partials:
    """Return half of the difference, or of the sum, of the two orders beside it."""

    def difference(name: str) -> tuple[Partial, Partial]:
        def slope(a: Any, b: Any) -> Any:
            function = getattr(sp, name)
            return (function(a - 1, b) - function(a + 1, b)) / 2

        return _behind_order("ab", slope)

    def total(name: str, sign: int = 1) -> tuple[Partial, Partial]:
        def slope(a: Any, b: Any) -> Any:
            function = getattr(sp, name)
            return sign * (function(a - 1, b) + function(a + 1, b)) / 2

        return _behind_order("ab", slope)

    return {
        "jv": difference("jv"),
        "jn": difference("jv"),
        "yv": difference("yv"),
        "yn": difference("yv"),
        "hankel1": difference("hankel1"),
        "hankel2": difference("hankel2"),
        "iv": total("iv"),
        "kv": total("kv", -1),
        "kn": total("kv", -1),
    }


def _scaled(sp: Any) -> Partials:
    """Return those of functions times an exponential, of real variables."""

    def modified(a: Any, b: Any, y: Any) -> Any:
        return (sp.ive(a - 1, b) + sp.ive(a + 1, b)) / 2 - np.sign(b) * y

    def second_kind(a: Any, b: Any, y: Any) -> Any:
        return y - (sp.kve(a - 1, b) + sp.kve(a + 1, b)) / 2

    def hankel(name: str, sign: int) -> Callable[..., Any]:
        def slope(a: Any, b: Any, y: Any) -> Any:
            function = getattr(sp, name)
            mean = (function(a - 1, b) - function(a + 1, b)) / 2
            return sign * 1j * y + mean

        return slope

    # Of a complex variable it is no analytic function.
    of_real = Partial("aby", modified, for_complex=UNKNOWN)
    return {
        "i0e": _of("ay", lambda a, y: sp.i1e(a) - np.sign(a) * y),
        "i1e": _of("ay", lambda a, y: modified(1, a, y)),
        "ive": (UNKNOWN, of_real),
        "k0e": _of("ay", lambda a, y: y - sp.k1e(a)),
        "k1e": _of("ay", lambda a, y: second_kind(1, a, y)),
        "kve": _behind_order("aby", second_kind),
        "hankel1e": _behind_order("aby", hankel("hankel1e", -1)),
        "hankel2e": _behind_order("aby", hankel("hankel2e", 1)),
    }


def _spherical(sp: Any) -> Partials:
    """Return those of spherical Bessel functions, by the orders on both sides."""

    def slope(name: str, below: int, above: int) -> tuple[Partial, Partial]:
        def weighed(a: Any, b: Any) -> Any:
            function = getattr(sp._ufuncs, name)
            lower = a * function(np.maximum(a - 1, 0), b)
            return (below * lower + above * (a + 1) * function(a + 1, b)) / (2 * a + 1)

        return _behind_order("ab", weighed)

    return {
        "_spherical_jn": slope("_spherical_jn", 1, -1),
        "_spherical_yn": slope("_spherical_yn", 1, -1),
        "_spherical_in": slope("_spherical_in", 1, 1),
        "_spherical_kn": slope("_spherical_kn", -1, -1),
    }


def _related(sp: Any) -> Partials:
    """Return those of Struve, Airy and Kelvin functions, and of integrals."""

    def struve(name: str, sign: int) -> tuple[Partial, Partial]:
        def slope(a: Any, b: Any) -> Any:
            function = getattr(sp, name)
            inhomogeneous = (b / 2) ** a * sp.rgamma(a + 1.5) / math.sqrt(math.pi)
            sides = function(a - 1, b) + sign * function(a + 1, b)
            return (sides + inhomogeneous) / 2

        return _behind_order("ab", slope)

    def airy(number: int) -> tuple[Partial]:
        # Ai, its derivative, Bi, its derivative: the second derivative is a * Ai.
        if number % 2:
            return _of("a", lambda a: a * sp.airy(a)[number - 1])
        return _of("a", lambda a: sp.airy(a)[number + 1])

    return {
        "struve": struve("struve", -1),
        "modstruve": struve("modstruve", 1),
        **{f"airy {number}": airy(number) for number in range(4)},
        "ber": _of("a", lambda a: sp.berp(a)),
        "bei": _of("a", lambda a: sp.beip(a)),
        "ker": _of("a", lambda a: sp.kerp(a)),
        "kei": _of("a", lambda a: sp.keip(a)),
        "itj0y0 0": _of("a", lambda a: sp.j0(a)),
        "itj0y0 1": _of("a", lambda a: sp.y0(a)),
        "iti0k0 0": _of("a", lambda a: sp.i0(a)),
        "iti0k0 1": _of("a", lambda a: sp.k0(a)),
        "itstruve0": _of("a", lambda a: sp.struve(0, a)),
        "itmodstruve0": _of("a", lambda a: sp.modstruve(0, a)),
    }


def elliptic_integrals(sp: Any) -> Partials:
    """Return those of elliptic integrals and functions, sections 19 and 22."""

    # As hypergeometric functions, since the usual quotients cancel near 0.
    def first(a: Any) -> Any:
        return math.pi / 8 * sp.hyp2f1(1.5, 1.5, 2, a)

    def second(a: Any) -> Any:
        return -math.pi / 8 * sp.hyp2f1(0.5, 1.5, 2, a)

    def near_one(a: Any, y: Any) -> Any:
        is_near = a < 0.5
        p = np.where(is_near, a, 0.5)
        quotient = (sp.ellipe(1 - p) / p - np.where(is_near, y, 0)) / (2 * (1 - p))
        return -np.where(is_near, quotient, first(np.where(is_near, 0, 1 - a)))

    def root(a: Any, b: Any) -> Any:
        return np.sqrt(1 - b * np.sin(a) ** 2)

    def jacobi(slope: Callable[..., Any]) -> tuple[Partial, Partial]:
        def by_argument(a: Any, b: Any) -> Any:
            return slope(b, *sp.ellipj(a, b)[:3])

        return Partial("ab", by_argument), UNKNOWN

    return {
        "ellipk": _of("a", first),
        "ellipe": _of("a", second),
        "ellipkm1": _of("ay", near_one),
        "ellipkinc": (Partial("ab", root, divides=True), UNKNOWN),
        "ellipeinc": (Partial("ab", root), UNKNOWN),
        "ellipj 0": jacobi(lambda m, sn, cn, dn: cn * dn),
        "ellipj 1": jacobi(lambda m, sn, cn, dn: -sn * dn),
        "ellipj 2": jacobi(lambda m, sn, cn, dn: -m * sn * cn),
        "ellipj 3": jacobi(lambda m, sn, cn, dn: dn),
    }


def hypergeometric_functions(sp: Any) -> Partials:
    """Return those of hypergeometric functions in the variable, sections 13 to 16."""
    two = (UNKNOWN, UNKNOWN)
    return {
        "hyp0f1": (UNKNOWN, Partial("ab", lambda a, b: sp.hyp0f1(a + 1, b) / a)),
        "hyp1f1": (
            *two,
            Partial("abc", lambda a, b, c: a / b * sp.hyp1f1(a + 1, b + 1, c)),
        ),
        "hyperu": (
            *two,
            Partial("abc", lambda a, b, c: -a * sp.hyperu(a + 1, b + 1, c)),
        ),
        "hyp2f1": (
            UNKNOWN,
            *two,
            Partial(
                "abcd",
                lambda a, b, c, d: a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, d),
            ),
        ),
        "wright_bessel": (
            *two,
            Partial("abc", lambda a, b, c: sp.wright_bessel(a, a + b, c)),
        ),
    }


def orthogonal_polynomials(sp: Any) -> Partials:
    """Return those of polynomials in the variable, section 18.9."""

    def lower(n: Any) -> Any:
        # Of degree 0 there is none below; its factor is 0.
        return np.maximum(n - 1, 0)

    def jacobi(n: Any, a: Any, b: Any, x: Any) -> Any:
        factor = np.where(n == 0, 0.0, (n + a + b + 1) / 2)
        return factor * sp.eval_jacobi(lower(n), a + 1, b + 1, x)

    def gegenbauer(n: Any, a: Any, x: Any) -> Any:
        factor = np.where(n == 0, 0.0, 2 * a)
        return factor * sp.eval_gegenbauer(lower(n), a + 1.0, x)

    def laguerre(n: Any, a: Any, x: Any) -> Any:
        return np.where(n == 0, 0.0, -1.0) * sp.eval_genlaguerre(lower(n), a + 1.0, x)

    def hermite(n: Any, x: Any) -> Any:
        return 2 * n * sp.eval_hermite(lower(n), x)

    def chebyshev(n: Any, x: Any) -> Any:
        return n * sp.eval_chebyu(lower(n), x)

    def shifted(slope: Callable[..., Any]) -> tuple[Partial, Partial]:
        return _behind_order("ab", lambda n, x: 2 * slope(n, 2 * x - 1))

    def second(n: Any, x: Any) -> Any:
        return gegenbauer(n, 1, x)

    def legendre(n: Any, x: Any) -> Any:
        return jacobi(n, 0, 0, x)

    return {
        "eval_jacobi": (UNKNOWN, UNKNOWN, UNKNOWN, Partial("abcd", jacobi)),
        "eval_gegenbauer": (UNKNOWN, UNKNOWN, Partial("abc", gegenbauer)),
        "eval_genlaguerre": (UNKNOWN, UNKNOWN, Partial("abc", laguerre)),
        "eval_laguerre": _behind_order("ab", lambda n, x: laguerre(n, 0, x)),
        "eval_legendre": _behind_order("ab", legendre),
        "eval_sh_legendre": shifted(legendre),
        "eval_chebyt": _behind_order("ab", chebyshev),
        "eval_sh_chebyt": shifted(chebyshev),
        "eval_chebyu": _behind_order("ab", second),
        "eval_sh_chebyu": shifted(second),
        "eval_hermite": _behind_order("ab", hermite),
        "eval_hermitenorm": _behind_order(
            "ab", lambda n, x: n * sp.eval_hermitenorm(lower(n), x)
        ),
    }
