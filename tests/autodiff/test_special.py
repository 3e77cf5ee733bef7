"""Each rule of a function of `scipy.special` agrees with its differences."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from cases.tape import slope_by_differences, slope_on_tape, weights_of

from xgrad._autodiff.partials import UNKNOWN, ZERO
from xgrad._autodiff.special import special_partials, table_of
from xgrad._tracing import NotTraceableError

sp = pytest.importorskip("scipy.special")

REAL = np.array([-1.7, -0.6, 0.3, 1.4, 2.6])
ABOVE = np.array([0.2, 0.7, 1.3, 2.4, 3.6])
SHARE = np.array([0.05, 0.3, 0.45, 0.62, 0.9])
INSIDE = np.array([-0.9, -0.4, 0.1, 0.5, 0.8])
OTHER = np.array([0.6, 1.9, 2.2, 1.1, 0.4])
ORDER = np.array([0, 1, 2, 3, 4])
# Arguments at which the function is smooth, and where SciPy computes it well.
ARGUMENTS = {
    **dict.fromkeys(
        "erf erfc erfi erfcx dawsn ndtr log_ndtr expit log_expit softplus exp2 exp10 "
        "expm1 exprel cosm1 sindg cosdg tandg cotdg gammasgn round j0 j1 i0 i1 i0e i1e "
        "ber bei itstruve0 itmodstruve0 wrightomega".split(),
        (REAL,),
    ),
    **dict.fromkeys(
        "gamma gammaln loggamma rgamma psi digamma cbrt log1p entr expi exp1 spence y0 "
        "y1 k0 k1 k0e k1e ker kei".split(),
        (ABOVE,),
    ),
    **dict.fromkeys("ndtri logit ellipk ellipe ellipkm1 erfcinv".split(), (SHARE,)),
    "erfinv": (INSIDE,),
    "ndtri_exp": (-ABOVE,),
    **dict.fromkeys(
        "beta betaln poch xlogy xlog1py rel_entr kl_div huber powm1 boxcox boxcox1p "
        "inv_boxcox inv_boxcox1p gammainc gammaincc chdtr chdtrc jv yv iv kv ive kve "
        "hyp0f1 struve modstruve zeta _zeta".split(),
        (ABOVE, OTHER),
    ),
    "binom": (ABOVE + 2, OTHER),
    "zeta": (ABOVE + 1.5, OTHER),
    "_zeta": (ABOVE + 1.5, OTHER),
    "pseudo_huber": (ABOVE, REAL),
    "owens_t": (REAL, OTHER),
    "voigt_profile": (REAL, OTHER, ABOVE),
    "stdtr": (ABOVE, REAL),
    "stdtrit": (ABOVE + 1, SHARE),
    **dict.fromkeys("gammaincinv gammainccinv chdtri".split(), (ABOVE, SHARE)),
    **dict.fromkeys(
        "betainc betaincc betaincinv betainccinv".split(), (ABOVE, OTHER, SHARE)
    ),
    **dict.fromkeys("fdtr fdtrc gdtr gdtrc".split(), (ABOVE, OTHER, OTHER[::-1])),
    "fdtri": (ABOVE + 1, OTHER + 1, SHARE),
    **dict.fromkeys("pdtr pdtrc".split(), (ORDER, OTHER)),
    **dict.fromkeys(
        "bdtr bdtrc _binom_cdf _binom_sf".split(), (ORDER, ORDER + 3, SHARE)
    ),
    **dict.fromkeys("nbdtr nbdtrc".split(), (ORDER, ORDER + 1, SHARE)),
    **dict.fromkeys(
        "_nbinom_cdf _nbinom_sf _nbinom_pmf".split(), (ORDER, ABOVE, SHARE)
    ),
    "_binom_pmf": (ORDER, ORDER + 3, SHARE),
    "_beta_pdf": (SHARE, ABOVE, OTHER),
    "_beta_ppf": (SHARE, ABOVE, OTHER),
    **dict.fromkeys("_cauchy_ppf _cauchy_isf".split(), (SHARE, REAL, ABOVE)),
    **dict.fromkeys("_invgauss_ppf _invgauss_isf".split(), (SHARE, ABOVE, OTHER)),
    **dict.fromkeys("_landau_cdf _landau_sf".split(), (REAL, INSIDE, ABOVE)),
    **dict.fromkeys("_landau_ppf _landau_isf".split(), (SHARE, REAL, ABOVE)),
    "nctdtr": (ABOVE + 1, INSIDE, REAL),
    "_nct_sf": (REAL, ABOVE + 1, INSIDE),
    "nctdtrit": (ABOVE + 1, INSIDE, SHARE),
    "ncfdtr": (ABOVE + 1, OTHER + 1, SHARE, ABOVE),
    "_ncf_sf": (ABOVE, ABOVE + 1, OTHER + 1, SHARE),
    "ncfdtri": (ABOVE + 1, OTHER + 1, SHARE, SHARE),
    "_cosine_cdf": (REAL,),
    "_cosine_invcdf": (SHARE,),
    "_log1mexp": (-ABOVE,),
    "_skewnorm_cdf": (REAL, INSIDE, ABOVE, OTHER),
    **dict.fromkeys(
        "_skewnorm_ppf _skewnorm_isf".split(), (SHARE, INSIDE, ABOVE, OTHER)
    ),
    **dict.fromkeys(
        "_ncx2_pdf _ncx2_sf chndtr".split(), (ABOVE, OTHER + 1, ABOVE[::-1])
    ),
    **dict.fromkeys("chndtrix _ncx2_isf".split(), (SHARE, OTHER + 1, ABOVE[::-1])),
    **dict.fromkeys("jn yn kn expn".split(), (ORDER, OTHER)),
    **dict.fromkeys(
        "_spherical_jn _spherical_yn _spherical_in _spherical_kn".split(),
        (ORDER, OTHER),
    ),
    "radian": (REAL, REAL, REAL),
    **dict.fromkeys("ellipkinc ellipeinc".split(), (INSIDE, SHARE)),
    "hyp1f1": (ABOVE, OTHER, REAL),
    "hyperu": (ABOVE, OTHER, OTHER[::-1]),
    "hyp2f1": (ABOVE, OTHER, ABOVE[::-1], INSIDE),
    "wright_bessel": (ABOVE, OTHER, SHARE),
    "eval_jacobi": (ORDER, OTHER, ABOVE, INSIDE),
    **dict.fromkeys("eval_gegenbauer eval_genlaguerre".split(), (ORDER, OTHER, INSIDE)),
    **dict.fromkeys(
        "eval_laguerre eval_legendre eval_chebyt eval_chebyu eval_hermite "
        "eval_hermitenorm".split(),
        (ORDER, INSIDE),
    ),
    **dict.fromkeys(
        "eval_sh_legendre eval_sh_chebyt eval_sh_chebyu".split(), (ORDER, SHARE)
    ),
}
SEVERAL_OUTPUTS = {
    "sici": (ABOVE,),
    "shichi": (ABOVE,),
    "fresnel": (REAL,),
    "airy": (REAL,),
    "itj0y0": (ABOVE,),
    "iti0k0": (ABOVE,),
    "ellipj": (REAL, SHARE),
}
COMPLEX = ("wofz", "hankel1", "hankel2", "hankel1e", "hankel2e", "_lambertw")


def table():
    """The rules of SciPy's functions."""

    return table_of(sp)


def function_of(name):
    """A function by its name in the table, which has the number of an output."""
    name, _, number = name.partition(" ")
    function = getattr(sp._ufuncs if name.startswith("_") else sp, name, None)
    if function is None:
        pytest.skip(f"this SciPy has no {name}")
    return (lambda *args: function(*args)[int(number)]) if number else function


def known_arguments():
    """Each function with the positions of the arguments that have a derivative."""
    cases = dict(ARGUMENTS)
    for name, arguments in SEVERAL_OUTPUTS.items():
        for number in range(4):
            if f"{name} {number}" in table():
                cases[f"{name} {number}"] = arguments
    for name, arguments in cases.items():
        for place, partial in enumerate(table()[name]):
            if partial is not UNKNOWN and partial is not ZERO:
                yield name, place, arguments


CASES = list(known_arguments())
IDS = [f"{name}-{place}" for name, place, _ in CASES]


def in_argument(name, place, arguments):
    """The function in one of its arguments, the others being constant."""
    function = function_of(name)
    before, behind = arguments[:place], arguments[place + 1 :]
    return lambda x: function(*before, x, *behind)


@pytest.mark.parametrize(("name", "place", "arguments"), CASES, ids=IDS)
def test_partial_derivatives(name, place, arguments):
    f = in_argument(name, place, arguments)
    found = slope_on_tape(f, arguments[place].astype(float))
    expected = slope_by_differences(f, arguments[place].astype(float))
    np.testing.assert_array_equal(found.value, expected.value)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=2e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "place", "arguments"), CASES, ids=IDS)
def test_single_precision_stays(name, place, arguments):
    arguments = tuple(
        a.astype(np.float32) if a.dtype.kind == "f" else a for a in arguments
    )
    f = in_argument(name, place, arguments)
    x = arguments[place].astype(np.float32)
    found = slope_on_tape(f, x)
    assert found.gradient.dtype == np.float32
    others = tuple(a.astype(float) if a.dtype.kind == "f" else a for a in arguments)
    expected = slope_on_tape(in_argument(name, place, others), x.astype(float))
    size = np.abs(expected.gradient).max()
    np.testing.assert_allclose(
        found.gradient, expected.gradient, rtol=2e-3, atol=2e-5 * size
    )


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_values_inside(name):
    function = function_of(name)
    orders = () if name in ("wofz", "_lambertw") else (1.5,)
    rest = (0, 1e-12) if name == "_lambertw" else ()

    def f(x):
        z = function(*orders, x + 0.5j, *rest)
        return np.real(z) ** 2 + np.imag(z) * x

    found, expected = slope_on_tape(f, ABOVE), slope_by_differences(f, ABOVE)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=2e-7)


def test_every_rule_is_tested():
    tested = {*ARGUMENTS, *COMPLEX}
    several = {f"{name} {number}" for name in SEVERAL_OUTPUTS for number in range(4)}
    assert table().keys() <= tested | several
    assert tested <= table().keys()


@pytest.mark.parametrize(
    ("f", "pattern"),
    [
        (lambda x: sp.jv(x, 1.0), r"`jv`.*argument 0"),
        (lambda x: sp.struve(x, 1.0), r"`struve`.*argument 0"),
        (lambda x: sp.mathieu_a(1.0, x), r"`mathieu_a`"),
        (lambda x: sp.kelvin(x)[0].real, r"`kelvin`"),
        (lambda x: np.abs(sp.ive(1.5, x + 1j)), r"`ive`.*argument 1"),
    ],
)
def test_what_has_no_closed_derivative_is_refused_by_name(f, pattern):
    with pytest.raises(NotTraceableError, match=pattern):
        slope_on_tape(f, ABOVE)


# The power series of its slope.
EXPREL = [
    sum(x**k * (k + 1) / math.factorial(k + 2) for k in range(12))
    for x in (0.0, 1e-9, 0.0099, 0.0101)
]


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (sp.rgamma, [-2.0, -1.0, 0.0, 1.0], [2.0, -1.0, 1.0, np.euler_gamma]),
        (sp.exprel, [0.0, 1e-9, 0.0099, 0.0101], EXPREL),
        (sp.spence, [1.0], [-1.0]),
        (lambda x: sp.xlogy(x, 2.0), [0.0], [np.log(2.0)]),
        (lambda x: sp.xlogy(0.0, x), [0.0, 1.0], [0.0, 0.0]),
        (lambda x: sp.rel_entr(0.0, x), [0.0, 1.0], [0.0, 0.0]),
        (lambda x: sp.expn(0, x), [2.0], [-np.exp(-2.0) * 3 / 4]),
        (lambda x: sp.boxcox(2.0, x), [0.0], [np.log(2.0) ** 2 / 2]),
        (lambda x: sp.inv_boxcox(0.7, x), [0.0], [-np.exp(0.7) * 0.245]),
        (lambda x: sp.gammainc(x, 0.0), [2.0], [0.0]),
        (lambda x: sp.stdtr(x, 0.0), [2.0], [0.0]),
        # (SciPy before 1.14 has it under this name alone.)
        (lambda x: getattr(sp._ufuncs, "_binom_cdf", sp.bdtr)(5.0, 5, x), [0.3], [0.0]),
        (sp.log_ndtr, [-50.0], [50.019984038301]),
        (sp.expit, [-700.0, 40.0], [np.exp(-700.0), np.exp(-40.0)]),
        (sp.ellipk, [0.0], [np.pi / 8]),
        (sp.ellipkm1, [1.0], [-np.pi / 8]),
        (lambda x: sp.eval_legendre(3, x), [1.0, -1.0], [6.0, 6.0]),
        (sp.erfcx, [1e6], [-1e-12 / np.sqrt(np.pi) * (1 - 1.5e-12)]),
        (sp.dawsn, [1e6, -1e6], [-0.5e-12 * (1 + 1.5e-12)] * 2),
        (lambda x: np.real(sp.wofz(x + 1e7j)), [1.0], [-2e-21 / np.sqrt(np.pi)]),
        # Far from a line of no width it is Lorentz's.
        (lambda x: sp.voigt_profile(x, 1e-5, 1.0), [1e3], [-2e-9 / np.pi * (1 - 2e-6)]),
        (np.i0, [0.5, 2.0], [0.2578943053908963, 1.5906368546373291]),
    ],
)
def test_points_at_which_a_naive_formula_fails(f, x, slope):
    tape_slope = slope_of_each(f, np.asarray(x))
    np.testing.assert_allclose(tape_slope, slope, rtol=1e-9)


# By a of gammainc(a, b), betainc(a, b, c) and stdtr(a, b), and by b; at tails, too.
SHAPES = [
    *(
        (sp.gammainc, (a, a * r))
        for a in (0.02, 1.0, 9.0, 3000.0)
        for r in (0.5, 1, 1.6)
    ),
    *(
        (sp.betainc, (a, b, float(sp.betaincinv(a, b, q))))
        for a, b in ((0.1, 0.2), (2.0, 3.0), (60.0, 0.5), (700.0, 900.0))
        for q in (0.001, 0.5, 0.999)
    ),
    *((sp.stdtr, (a, b)) for a in (0.5, 3.0, 200.0) for b in (-40.0, -0.01, 1.0)),
]


@pytest.mark.parametrize(("f", "arguments"), SHAPES)
def test_shapes_of_distributions_have_all_digits(f, arguments):
    mp = pytest.importorskip("mpmath")

    def shares(a, x):
        return mp.gammainc(a, 0, x, regularized=True)

    def below(a, x):
        share = mp.betainc(
            mp.mpf(1) / 2, a / 2, 0, x * x / (a + x * x), regularized=True
        )
        return (1 + mp.sign(x) * share) / 2

    def inside(a, b, x):
        return mp.betainc(a, b, 0, x, regularized=True)

    exact = {"gammainc": shares, "betainc": inside, "stdtr": below}[f.__name__]
    for place in range(len(arguments) - 1):
        found = slope_of_each(
            lambda v, i=place: f(*arguments[:i], v, *arguments[i + 1 :]),
            np.array([arguments[place]]),
        )
        with mp.workdps(250):
            step = mp.mpf(10) ** -15
            numbers = [mp.mpf(a) for a in arguments]
            ends = []
            for side in (1, -1):
                moved = list(numbers)
                moved[place] += side * step
                ends.append(exact(*moved))
            slope = float((ends[0] - ends[1]) / (2 * step))
        np.testing.assert_allclose(found, slope, rtol=1e-10)


def slope_of_each(f, x):
    """The derivative at each entry of a function of entries."""
    weight = weights_of(x[:1])[0]
    return np.array([slope_on_tape(f, v[None]).gradient[0] / weight for v in x])


def test_kernels_of_cupy_go_by_their_names(monkeypatch):
    class Kernel:
        """As CuPy's functions hand over, which are not those of its module."""

        def __init__(self, name):
            self.name = name

    assert special_partials(Kernel("cupyx_scipy_special_erf")) is None
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", sp)
    (partial,) = special_partials(Kernel("cupyx_scipy_special_erf"))
    np.testing.assert_allclose(partial.function(0.0), 2 / np.sqrt(np.pi))
    assert special_partials(Kernel("cupyx_scipy_special_unheard_of")) is None


def test_a_ufunc_of_the_same_name_has_no_rule():
    erf = np.frompyfunc(lambda x: x, 1, 1)
    assert special_partials(erf) is None
    with pytest.raises(NotTraceableError):
        slope_on_tape(lambda x: erf(x), ABOVE)
