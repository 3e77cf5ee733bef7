"""Functions of installed packages have exact derivatives, if they are in Python."""

from __future__ import annotations

import inspect
import sys
import textwrap
import warnings

import numpy as np
import pytest
from cases import library_functions
from cases.library_functions import GENERAL, weighed

import xgrad
from xgrad._autodiff.scipy_functions import SCIPY

COLLEAGUE = '''
    """A package as colleagues write it: nothing in it knows of xgrad."""

    import functools
    import warnings

    import numpy as np

    CALLS = []


    def checked(function):
        @functools.wraps(function)
        def wrapper(x, *args, **kwargs):
            x = np.asarray(x, dtype=float)
            CALLS.append(type(x))
            return function(x, *args, **kwargs)

        return wrapper


    @checked
    def energy(x, stiffness=2.0):
        table = np.zeros((len(x), 2))
        for i in range(len(x)):
            table[i, 0] = x[i] ** 2
        table[:, 1] = np.array([np.sin(v) for v in x])
        return stiffness * np.sum(table)


    def outdated(x):
        warnings.warn("outdated", UserWarning)
        return np.sum(np.asarray(x) ** 2)


    def compiled(x):
        return float(memoryview(np.array(x))[0])


    class Model:
        __slots__ = ("scale",)

        def __init__(self, scale):
            self.scale = np.asarray(scale)

        def loss(self, x):
            return np.sum(np.array([v * self.scale for v in x]) ** 2)


    class Law:
        """Makes its objects in its own way, as many registries do."""

        known = {}

        def __new__(cls, name):
            return cls.known.setdefault(name, super().__new__(cls))

        def __init__(self, name):
            self.name = name

        def density(self, x):
            return energy(x) + len(self.name)


    NORMAL = Law("normal")
'''


@pytest.fixture
def colleague(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "colleague.py").write_text(textwrap.dedent(COLLEAGUE), encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    yield __import__("colleague")
    del sys.modules["colleague"]


X = np.array([0.7, -1.3, 0.4])


def test_functions_of_a_package_are_exact(colleague):
    slopes = 2 * (2 * X + np.cos(X))
    for f in (
        colleague.energy,
        lambda x: colleague.energy(x),
        colleague.NORMAL.density,
    ):
        found = xgrad.gradient(f, X, method="autodiff")
        np.testing.assert_allclose(found, slopes, rtol=1e-14)
    bend = xgrad.hessian(colleague.energy, X, method="autodiff")
    np.testing.assert_allclose(bend, np.diag(2 * (2 - np.sin(X))), rtol=1e-13)
    slope = xgrad.jvp(colleague.energy, X, X, method="autodiff")
    np.testing.assert_allclose(slope, slopes @ X, rtol=1e-14)


def test_objects_that_are_made_inside_are_exact(colleague):
    def f(x):
        return colleague.Model(x[0]).loss(x)

    found = xgrad.gradient(f, X, method="autodiff")
    first = 4 * X[0] ** 3 + 2 * X[0] * np.sum(X[1:] ** 2)
    np.testing.assert_allclose(found, [first, *(2 * X[0] ** 2 * X[1:])], rtol=1e-14)


def test_packages_are_as_they_were(colleague):
    before = dict(vars(colleague))
    xgrad.gradient(colleague.energy, X)
    assert vars(colleague) == before
    assert colleague.Law("normal") is colleague.NORMAL
    colleague.CALLS.clear()
    assert colleague.energy(X) == pytest.approx(2 * np.sum(X**2 + np.sin(X)))
    assert colleague.CALLS.count(np.ndarray) == len(colleague.CALLS) == 1


def test_copies_warn_where_the_package_does_but_once(colleague):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(4):
            found = xgrad.gradient(lambda x: colleague.outdated(x), X)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-14)
    assert [str(w.message) for w in caught].count("outdated") < 3


def test_refusals_name_the_function_that_is_called(colleague):
    """Not that of another package, whose Python code can be recorded."""

    def f(x):
        return colleague.energy(x) + colleague.compiled(x)

    with pytest.raises(
        xgrad.NotDifferentiable, match=r"in colleague\.compiled at test_"
    ):
        xgrad.gradient(f, X, method="autodiff")


def test_a_function_that_is_wrong_inside_is_not_believed(colleague):
    """The proof is that of all gradients: what leaves the record is found out."""

    def f(x):
        return colleague.energy(x) * float(str(x[0]))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = xgrad.gradient(f, X)
    assert any("takes differences" in str(w.message) for w in caught)
    expected = xgrad.gradient(f, X, method="ladder", vectorized=False)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_errors_of_recorded_arrays_lead_to_differences():
    """What a plain call does not raise is no error of the caller's."""

    def f(x):
        if not isinstance(type(x), type) or type(x) is not np.ndarray:
            raise TypeError("expected np.ndarray")
        return np.sum(x**2)

    with pytest.warns(RuntimeWarning, match=r"expected np.ndarray\) at test_inst"):
        found = xgrad.gradient(f, X)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-9)
    with pytest.raises(xgrad.NotDifferentiable, match="expected np"):
        xgrad.gradient(f, X, method="autodiff")


TABLE = np.arange(3.0)


def weighs_a_constant(x):
    weights = np.ones(3)
    weights[0] += 0 * x[1]
    constant = np.ones(3)
    return TABLE.dot(constant) * np.sum(weights * x**2)  # in C, which converts it


def weighs_what_changes(x):
    weights = np.ones(3)
    before = TABLE.dot(weights)
    weights[0] = x[0]
    return before * np.sum(weights * x)


def test_compiled_code_may_see_constants():
    found = xgrad.gradient(weighs_a_constant, X, method="autodiff")
    np.testing.assert_allclose(found, 6 * X, rtol=1e-14)
    found = xgrad.gradient(weighs_what_changes, X, method="autodiff")
    np.testing.assert_allclose(found, [6 * X[0], 3, 3], rtol=1e-14)


def of(group: str) -> list[str]:
    pytest.importorskip("scipy")
    return list(getattr(library_functions, f"of_{group}")())


GROUPS = (
    *("linear_algebra", "signals", "splines", "filters"),
    *("statistics", "analysis", "numpy"),
)
CASES = [(group, name) for group in GROUPS for name in of(group)]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("group", "name"), CASES)
def test_functions_of_scipy_and_numpy_are_exact(group, name):
    function, x = getattr(library_functions, f"of_{group}")()[name]
    if name in library_functions.SINCE:
        pytest.importorskip("scipy", library_functions.SINCE[name])

    def f(x):
        return weighed(function(x))

    found, estimate = xgrad.gradient(f, x, method="autodiff", full_output=True)
    expected, other = xgrad.gradient(
        f, x, method="ladder", vectorized=False, full_output=True
    )
    trusted = other.status == 0
    assert np.count_nonzero(trusted) >= x.size / 2
    size = np.max(np.abs(expected[trusted]))
    allowed = other.error + estimate.error + 1e-9 * size
    assert np.all((np.abs(found - expected) <= allowed)[trusted])
    # The bounds of the ladder are loose where a function is noisy.
    assert np.median(np.abs(found - expected)[trusted]) <= 1e-6 * size


def test_every_substitute_has_a_case():
    """But those that NumPy or the tables of rules have, with tests of their own."""
    text = inspect.getsource(library_functions)
    ours = {
        name
        for functions in SCIPY.values()
        for name, function in functions.items()
        if getattr(function, "__module__", "").startswith("xgrad._autodiff.scipy")
    }
    assert len(ours) > 25
    # Methods by their own names; what calls an object, or makes one, by its class.
    called = {
        name: name.partition(".__")[0].rpartition(".")[2] if "." in name else name
        for name in ours
    }
    missing = {name for name, word in called.items() if f".{word}(" not in text}
    assert missing == set()


def test_compiled_solvers_get_no_recorded_arrays_of_constants():
    """Some of SciPy's do not look at what they get, and end the process."""
    integrate = pytest.importorskip("scipy.integrate")

    def f(x):
        def rates(t, y):
            return np.array([y[1], -x[0] * y[0] - x[1] * y[1]])

        return np.sum(integrate.solve_ivp(rates, (0, 2), [1.0, 0.0], method="LSODA").y)

    with pytest.warns(RuntimeWarning, match="takes differences"):
        xgrad.gradient(f, np.array([0.6, 1.3]))


def test_options_that_have_no_substitute_are_left_to_scipy():
    linalg = pytest.importorskip("scipy.linalg")

    def f(x):
        return np.sum(linalg.eigh(x.reshape(4, 4), subset_by_value=[0, 9])[0])

    with pytest.raises(xgrad.NotDifferentiable):
        xgrad.gradient(f, library_functions.DEFINITE, method="autodiff")


def test_compiled_functions_lead_to_differences():
    integrate = pytest.importorskip("scipy.integrate")

    def f(x):
        values = integrate.odeint(
            lambda y, t: -x[0] * y, x[1], [0.0, 1.0], rtol=1e-12, atol=1e-12
        )
        return np.sum(values)

    with pytest.warns(RuntimeWarning, match=r"scipy\.integrate\.odeint at test_inst"):
        found = xgrad.gradient(f, GENERAL[:2])
    a, b = GENERAL[:2]
    np.testing.assert_allclose(found, [-b * np.exp(-a), 1 + np.exp(-a)], rtol=1e-6)


def test_integrals_that_were_extrapolated_are_left_to_scipy():
    integrate = pytest.importorskip("scipy.integrate")

    def f(x):
        return integrate.quad(lambda t: np.cos(x[0] * t) / np.sqrt(t), 0, 1)[0]

    with pytest.raises(xgrad.NotDifferentiable):
        xgrad.gradient(f, GENERAL[:1], method="autodiff")


def test_roots_have_derivatives_of_the_second_order():
    optimize = pytest.importorskip("scipy.optimize")

    def f(x):
        return optimize.brentq(lambda t: t * t * x[1] - x[0], 0.1, 9, xtol=1e-14)

    x = np.array([2.0, 0.7])
    root = np.sqrt(x[0] / x[1])
    slopes = np.array([1 / x[0], -1 / x[1]]) / 2 * root
    bend = root / 4 * np.outer([1 / x[0], -1 / x[1]], [1 / x[0], -1 / x[1]])
    bend += np.diag(root / 2 * np.array([-1, 1]) / x**2)
    found = xgrad.gradient(f, x, method="autodiff")
    np.testing.assert_allclose(found, slopes, rtol=1e-9)
    found = xgrad.hessian(f, x, method="autodiff")
    np.testing.assert_allclose(found, bend, rtol=1e-8)


DECORATED = """
def decorator(function):
    def wrapper(*args):
        return function(*args)
    return wrapper

@decorator
def real_part(x):
    return complex(x).real
"""


def test_a_refusal_names_the_function_below_a_decorator():
    names = {"__name__": "package"}
    exec(compile(DECORATED, "site-packages/package.py", "exec"), names)

    def f(x):
        return names["real_part"](x[0]) ** 2

    with pytest.raises(
        xgrad.NotDifferentiable, match=r"in package\.real_part at test_"
    ):
        xgrad.gradient(f, GENERAL, method="autodiff")


@pytest.mark.thorough
def test_likelihoods_of_gaussian_processes_are_exact():
    """Their classes have hooks for classes that are derived from them."""
    processes = pytest.importorskip("sklearn.gaussian_process")
    kernels = processes.kernels
    points = np.random.default_rng(5).normal(size=(30, 2))
    kernel = kernels.ConstantKernel() * kernels.RBF([1.0, 2.0]) + kernels.WhiteKernel()
    model = processes.GaussianProcessRegressor(kernel, optimizer=None)
    model.fit(points, np.sin(points[:, 0]))
    place = model.kernel_.theta + 0.1
    found = xgrad.gradient(model.log_marginal_likelihood, place, method="autodiff")
    _, expected = model.log_marginal_likelihood(place, eval_gradient=True)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.thorough
def test_likelihoods_of_statsmodels_are_exact():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(5)
    x = sm.add_constant(rng.normal(size=(60, 2)))
    beta = np.array([0.3, -0.5, 0.8])
    counts = rng.poisson(np.exp(x @ beta))
    yes = (counts > 1).astype(float)
    models = {
        "Logit": (sm.Logit(yes, x), beta),
        "Probit": (sm.Probit(yes, x), beta),
        "Poisson": (sm.Poisson(counts, x), beta),
        "NegativeBinomial": (sm.NegativeBinomial(counts, x), [*beta, 0.5]),
        "ZeroInflatedPoisson": (sm.ZeroInflatedPoisson(counts, x), [0.1, *beta]),
        "GLM": (sm.GLM(counts, x, family=sm.families.Poisson()), beta),
        "OLS": (sm.OLS(x @ beta + rng.normal(size=60), x), beta),
    }
    for name, (model, place) in models.items():
        place = np.asarray(place)
        found = xgrad.gradient(model.loglike, place, method="autodiff")
        if hasattr(model, "score"):
            np.testing.assert_allclose(found, model.score(place), rtol=1e-7, atol=1e-8)
        expected = xgrad.gradient(
            model.loglike, place, method="ladder", vectorized=False
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


def test_a_shape_that_a_law_takes_for_a_limit_is_told():
    stats = pytest.importorskip("scipy.stats")
    points, others = np.array([0.3, 1.2]), np.array([0.0, 0.2])

    def density(shapes):
        return np.sum(stats.kappa4.pdf(points, others, shapes))

    # At a shape of 0 there is a branch, beside which the law is noisy.
    with pytest.warns(RuntimeWarning, match="takes differences"):
        found = xgrad.gradient(density, np.array([0.0, 0.1]))
    beside = xgrad.gradient(density, np.array([1e-3, 0.1]), method="autodiff")
    np.testing.assert_allclose(found, beside, rtol=1e-2)
