"""Hessians, and products of Jacobians and Hessians with vectors."""

import functools

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import gradient, hessian, hvp, jvp, of_method
from cases.functions import rosenbrock, rosenbrock_curvature, rosenbrock_slope
from cases.statuses import warns_of

import xgrad
from xgrad import Status, to_numpy

METHODS = ["central", "forward", "backward", "complex", "ladder", "auto"]


# Hessians


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize(("accuracy", "rtol"), [(None, 1e-6), (2, 1e-6), (4, 1e-8)])
def test_hessians_from_the_function_alone(rng, accuracy, rtol, vectorized):
    x = rng.uniform(-2, 2, 10)
    exact = rosenbrock_curvature(x)
    found, estimate = hessian(
        rosenbrock, x, accuracy=accuracy, vectorized=vectorized, full_output=True
    )
    np.testing.assert_array_equal(found, found.T)
    assert np.abs(found - exact).max() <= rtol * np.abs(exact).max()
    assert (np.abs(found - exact) <= estimate.error).mean() >= 0.95
    assert estimate.evaluations == 2 * 10 * 11 + 1 + 12 * 10
    plain = hessian(rosenbrock, x, accuracy=accuracy, vectorized=vectorized)
    np.testing.assert_array_equal(plain, found)


def test_the_hessian_of_a_hundred_variables(rng):
    x = rng.uniform(-2, 2, 100)
    exact = rosenbrock_curvature(x)
    found = hessian(rosenbrock, x, vectorized=True)
    assert np.abs(found - exact).max() <= 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize("method", METHODS)
def test_hessians_from_the_gradient(rng, method):
    x = rng.uniform(-2, 2, 6)
    exact = rosenbrock_curvature(x)
    found, estimate = hessian(
        rosenbrock, x, grad=rosenbrock_slope, method=method, full_output=True
    )
    np.testing.assert_array_equal(found, found.T)
    assert np.abs(found - exact).max() <= 1e-7 * np.abs(exact).max()
    assert estimate.error.shape == (6, 6)


@pytest.mark.parametrize("method", ["ladder", "auto"])
def test_hessians_by_many_steps(rng, method):
    x = rng.uniform(-2, 2, 6)
    exact = rosenbrock_curvature(x)
    found, estimate = hessian(rosenbrock, x, full_output=True, **of_method(method))
    np.testing.assert_array_equal(found, found.T)
    assert np.abs(found - exact).max() <= 1e-6 * np.abs(exact).max()
    assert (np.abs(found - exact) <= estimate.error).mean() >= 0.95
    assert (estimate.status == Status.OK).all()
    expected = 26 * 21 + 31 if method == "ladder" else 4 * 21 + 1 + 12 * 6
    assert estimate.evaluations == expected
    plain = hessian(rosenbrock, x, **of_method(method))
    np.testing.assert_array_equal(plain, found)


@pytest.mark.parametrize("method", ["ladder", "auto"])
def test_hessians_of_mixed_scales(method):
    scales = 10.0 ** np.arange(-6, 7, 3)
    u = np.linspace(0.5, 1.5, scales.size)

    def f(v):
        return np.sum(np.sin(v)) * np.exp(-np.sum(v**2) / 9)

    found, estimate = hessian(
        lambda x: f(x / scales), u * scales, full_output=True, **of_method(method)
    )
    exact = hessian(f, u, method="ladder") / np.outer(scales, scales)
    error = np.abs(found - exact)
    assert (error <= 2 * estimate.error).all()
    assert (estimate.status == Status.OK).all()
    if method == "ladder":
        assert (error <= 1e-4 * np.abs(exact)).all()


@pytest.mark.parametrize("method", ["central", "ladder", "auto"])
@pytest.mark.parametrize("accuracy", [None, 4])
def test_there_is_no_second_derivative_at_a_corner(method, accuracy):
    if method == "ladder" and accuracy:
        return

    def f(x):
        return np.sum(np.abs(x)) ** 4 + np.exp(x[1])

    options = {**of_method(method), "accuracy": accuracy, "full_output": True}
    _, estimate = hessian(f, np.array([1.0, 0.0]), **options)
    kink = Status.KINK
    assert estimate.status.tolist() == [[Status.OK, kink], [kink, kink]]
    assert np.isinf(estimate.error).tolist() == [[False, True], [True, True]]
    # The mixed derivative of x |y| is the sign of y.
    _, estimate = hessian(
        lambda x: x[0] * np.abs(x[1]), np.array([1.0, 0.0]), **options
    )
    assert estimate.status[0, 1] == estimate.status[1, 0] == kink
    if method != "central" and not accuracy:
        with warns_of("KINK"):
            hessian(f, np.array([1.0, 0.0]), **of_method(method))


@pytest.mark.parametrize("method", ["central", "ladder", "auto"])
def test_an_estimate_tells_where_curvatures_differ(method):
    _, estimate = hessian(
        lambda x: x[0] ** 2 + x[1] * np.abs(x[1]),
        np.array([1.0, 0.0]),
        full_output=True,
        **of_method(method),
    )
    assert estimate.status[0, 0] == Status.OK
    assert estimate.status[1, 1] == Status.KINK
    assert estimate.error[1, 1] >= 2


# What `f` has beside x, near it: of the slope, or of the curvature.
BESIDE = {
    "corner": lambda t: np.abs(t),
    "hinge": lambda t: np.maximum(t, 0),
    "spline": lambda t: 3 * np.maximum(t, 0) ** 2,
}


def with_corner(name, distance):
    """Return a function with a corner so far from (1, 2), and its Hessian there."""

    def f(x):
        rest = BESIDE[name](x[0] * x[1] - 2 - distance)
        return np.sin(x[0]) * x[1] ** 2 + np.exp(x[0]) + rest

    exact = np.array([[-4 * np.sin(1) + np.e, 4 * np.cos(1)], [0, 2 * np.sin(1)]])
    exact[1, 0] = exact[0, 1]
    if name == "corner":
        exact -= np.array([[0, 1], [1, 0]])
    return f, exact


@pytest.mark.parametrize("method", ["central", "ladder", "auto"])
@pytest.mark.parametrize("distance", [1e-12, 1e-9, 1e-6, 1e-5])
@pytest.mark.parametrize("name", BESIDE)
def test_hessians_beside_a_corner_are_bounded_or_not_ok(name, distance, method):
    f, exact = with_corner(name, distance)
    found, estimate = hessian(
        f, np.array([1.0, 2.0]), full_output=True, **of_method(method)
    )
    fine = np.abs(found - exact) <= 2 * estimate.error
    assert (fine | (estimate.status != Status.OK)).all()


@pytest.mark.parametrize("has_gradient", [False, True])
@pytest.mark.parametrize("distance", [1e-12, 1e-9, 1e-6, 1e-5])
@pytest.mark.parametrize("name", BESIDE)
def test_products_beside_a_corner_are_told(name, distance, has_gradient):
    f, _ = with_corner(name, distance)
    slope = functools.partial(gradient, f, method="autodiff") if has_gradient else None
    with warns_of("(KINK|UNRESOLVED)"):
        hvp(f, np.array([1.0, 2.0]), np.array([1.0, -0.3]), grad=slope)


def test_entries_with_no_part_in_a_corner_are_not_told():
    share = np.array([1.0, 0.03, 0.003, 0.0])

    def f(x):
        return np.sum(x**2) + np.abs(np.sum(share * (x - 1)) - 1e-7)

    with pytest.warns(RuntimeWarning, match="2 of 4 components"):
        hvp(f, np.ones(4), np.ones(4))


@pytest.mark.parametrize("scale", [0.1, 1.0, 1e3])
def test_products_of_smooth_functions_are_not_doubted(scale, rng):
    for _ in range(20):
        x, v = scale * rng.normal(size=4), rng.normal(size=4)
        for f in (
            lambda x: np.exp(-np.sum((x / scale) ** 2)),
            lambda x: np.sum(np.sin(x / scale)) + 100,
            lambda x: np.prod(x),
            lambda x: np.sum(x),
        ):
            hvp(f, x, v)


def test_hessians_on_every_backend(xp):
    x = np.array([[0.5, 1.0], [2.0, -1.0]])

    def f(v):
        return xp.sum(v**3) + v[0, 0] * v[1, 1] ** 2

    exact = np.diag(6 * x.reshape(-1)).reshape(2, 2, 2, 2)
    exact[1, 1, 1, 1] += 2 * x[0, 0]
    exact[0, 0, 1, 1] = exact[1, 1, 0, 0] = 2 * x[1, 1]
    found = hessian(f, xp.asarray(x))
    assert tuple(found.shape) == (2, 2, 2, 2)
    assert_close(found, exact, rtol=1e-6, atol=1e-6)
    assert tuple(hessian(xp.exp, xp.asarray(0.0)).shape) == ()
    assert tuple(hessian(xp.sum, xp.asarray(np.zeros((0,)))).shape) == (0, 0)


# Products


@pytest.mark.parametrize("method", [m for m in METHODS if m != "auto"])
@pytest.mark.parametrize("vectorized", [True, False])
def test_directional_derivatives(xp, rng, method, vectorized):
    x, v = rng.normal(size=8), rng.normal(size=8)
    told = []
    found, estimate = jvp(
        lambda t: xp.exp(t[..., :-1] * t[..., 1:]),
        xp.asarray(x),
        xp.asarray(v),
        method=method,
        vectorized=vectorized,
        max_bytes=200,
        progress=lambda done, total: told.append(done),
        full_output=True,
    )
    assert told[-1] == estimate.evaluations
    exact = np.exp(x[:-1] * x[1:]) * (x[:-1] * v[1:] + v[:-1] * x[1:])
    error = np.abs(to_numpy(found) - exact)
    assert error.max() <= 1e-7
    assert (error <= to_numpy(estimate.error)).all()


@pytest.mark.parametrize("n", [3, 300])
def test_a_directional_derivative_costs_the_same_at_any_size(n):
    _, estimate = jvp(np.sin, np.ones(n), np.ones(n), full_output=True)
    assert estimate.evaluations == 7


@pytest.mark.parametrize("length", [1e-8, 1.0, 1e8])
def test_directions_have_any_length(xp, length):
    x = xp.asarray([1.0, 2.0])
    v = xp.asarray([length, -length])
    for method in ("central", "ladder"):
        found = jvp(lambda t: xp.sum(t**3), x, v, method=method)
        assert_close(found, length * (3 - 12), rtol=1e-9)
    assert_close(jvp(lambda t: t**2, x, 0 * v), [0.0, 0.0], rtol=0)


def test_directions_of_nested_parameters(xp):
    x = {"a": xp.asarray([1.0, 2.0]), "b": xp.asarray(3.0)}
    v = {"a": xp.asarray([0.5, -1.0]), "b": xp.asarray(2.0)}
    for f, vectorized in (
        (lambda t: t["a"] * t["b"], False),
        (lambda t: t["a"] * t["b"][:, None], True),
    ):
        found = jvp(f, x, v, vectorized=vectorized)
        assert_close(found, [0.5 * 3 + 1 * 2, -3 + 2 * 2], rtol=1e-10)


def test_products_with_the_hessian(rng):
    x, v = rng.uniform(-2, 2, 9), rng.normal(size=9)
    exact = rosenbrock_curvature(x) @ v
    calls = 0

    def slope(t):
        nonlocal calls
        calls += 1
        return rosenbrock_slope(t)

    for vectorized in (True, False):
        found = hvp(rosenbrock, x, v, vectorized=vectorized)
        assert np.abs(found - exact).max() <= 1e-8 * np.abs(exact).max()
    found = hvp(rosenbrock, x, v, grad=slope)
    assert np.abs(found - exact).max() <= 1e-10 * np.abs(exact).max()
    assert calls == 7


@pytest.mark.parametrize("method", ["central", "autodiff"])
@pytest.mark.parametrize("has_gradient", [True, False])
def test_products_by_matrices(rng, method, has_gradient):
    x, v = rng.normal(size=(2, 3, 4))
    grad = (lambda x: 4 * x**3) if has_gradient else None
    found = xgrad.hvp(lambda x: np.sum(x**4), x, v, grad=grad, method=method)
    assert_close(found, 12 * x**2 * v, rtol=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1e-8, 1e-6, 1e-4])
@pytest.mark.parametrize("has_gradient", [True, False])
def test_products_by_differences_tell_of_a_corner(distance, has_gradient):
    def f(x):
        return np.sum(np.abs(x) ** 3) + np.abs(x[0])

    def slope(x):
        return 3 * x * np.abs(x) + np.sign(x) * [1, 0]

    x, v = np.array([distance, 1.0]), np.ones(2)
    grad = slope if has_gradient else None
    with pytest.warns(RuntimeWarning, match=r"1 of 2 .* at x\[0\]"):
        found = hvp(f, x, v, grad=grad, method="central")
    assert_close(found[1], 6.0, rtol=1e-6)
    found = hvp(f, x + 0.1, v, grad=grad, method="central")
    assert_close(found, 6 * (x + 0.1), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_of_smooth_functions_tell_nothing(dtype, rng):
    functions = [
        lambda x: np.sum(x) * 1e3 + x[0] ** 2,
        lambda x: np.sum(np.exp(x)) - 1e4,
        lambda x: np.prod(np.sin(x)),
        lambda x: 0 * x[0] + 7,
    ]
    for f in functions:
        x, v = (rng.normal(size=4).astype(dtype) for _ in range(2))
        found = hvp(f, x, v, method="central")
        assert np.isfinite(found).all()


def test_products_with_the_hessian_on_every_backend(xp):
    x, v = xp.asarray([1.0, 2.0]), xp.asarray([1.0, -1.0])
    assert_close(hvp(lambda t: xp.sum(t**3), x, v), [6.0, -12.0], rtol=1e-8)
    found = hvp(lambda t: xp.sum(t**3), x, v, grad=lambda t: 3 * t**2)
    assert_close(found, [6.0, -12.0], rtol=1e-10)


def test_a_product_of_a_nested_gradient_goes_by_names():
    f = lambda p: np.sum(p["w"] ** 2) + np.sum(p["b"] ** 3)  # noqa: E731
    grad = lambda p: {"b": 3 * p["b"] ** 2, "w": 2 * p["w"]}  # noqa: E731
    p = {"w": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    v = {"w": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}
    product = hvp(f, p, v, grad=grad)
    assert list(product) == ["w", "b"]
    assert_close(product["w"], [2.0, 0.0], rtol=1e-8)
    assert_close(product["b"], [0.0, 24.0], rtol=1e-8)
    more = lambda p: {**grad(p), "c": p["b"]}  # noqa: E731
    with pytest.raises(ValueError, match=r"nested as x is, .*got .*grad\(x\)\['c'\]"):
        hvp(f, p, v, grad=more)


def test_products_with_the_hessian_of_nested_parameters(xp):
    x = {"a": xp.asarray([1.0, 2.0]), "b": xp.asarray(3.0)}
    v = {"a": xp.asarray([1.0, 0.0]), "b": xp.asarray(1.0)}

    def f(t):
        return xp.sum(t["a"] ** 2) * t["b"]

    def slope(t):
        return {"a": 2 * t["a"] * t["b"], "b": xp.sum(t["a"] ** 2)}

    for grad in (None, slope):
        found = hvp(f, x, v, grad=grad)
        assert_close(found["a"], [2 * 3 + 2 * 1, 4.0], rtol=1e-8)
        assert_close(found["b"], 2.0, rtol=1e-8)
