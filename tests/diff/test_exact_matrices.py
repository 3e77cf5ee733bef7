"""Exact Jacobians, Hessians and products: where they might be wrong in silence."""

from __future__ import annotations

import functools
import math
import tracemalloc

import numpy as np
import pytest
from cases.calls import told
from cases.compare import assert_close

import xgrad
from xgrad import (
    Status,
    derivative,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    sparsity_pattern,
    to_numpy,
)

ZEROS = np.zeros(3)


# What inner functions with a corner leave behind


SMOOTH = {
    "norm": (lambda x: np.linalg.norm(x) ** 2, ZEROS, 2 * np.eye(3)),
    "hypot": (lambda x: np.hypot(x[0], x[1]) ** 2, ZEROS[:2], 2 * np.eye(2)),
    "std": (lambda x: np.std(x) ** 2, np.ones(3), 2 / 3 * np.eye(3) - 2 / 9),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_hessian_is_not_zero_because_of_a_corner_that_a_square_removes(name):
    f, x, expected = SMOOTH[name]
    found, messages = told(lambda: hessian(f, x))
    assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert "differences" in messages[0]
    found, _ = told(lambda: hvp(f, x, np.arange(1.0, x.size + 1)))
    assert_close(found, expected @ np.arange(1.0, x.size + 1), rtol=1e-6, atol=1e-6)


def test_a_corner_elsewhere_hides_no_wrong_hessian():
    found, _ = told(lambda: hessian(lambda x: np.linalg.norm(x[:2]) ** 2, ZEROS))
    assert_close(found[:2, :2], 2 * np.eye(2), rtol=1e-6, atol=1e-6)

    def f(x):
        return np.linalg.norm(x) ** 2 + np.abs(x[2])

    found, messages = told(lambda: hessian(f, ZEROS))
    assert_close(found[:2, :2], 2 * np.eye(2), rtol=1e-6, atol=1e-6)
    assert messages


def test_a_skew_jacobian_is_proved_by_other_numbers_than_the_directions():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])

    def f(x):
        return turn @ x if type(x) is np.ndarray else turn @ x - turn @ x

    # The values differ as well; but at 0 they do not.
    found, messages = told(lambda: jacobian(f, np.zeros(2)))
    assert_close(found, turn, rtol=1e-6)
    assert "slope" in messages[0]


POWERS = [
    # (power of abs(x), order of the derivative, whether it has a corner at 0)
    (1, 1, True),
    (1, 2, True),
    (1, 3, True),
    (3, 2, False),
    (3, 3, True),
    (3, 4, True),
    (4, 2, False),
]


@pytest.mark.parametrize(("power", "order", "is_corner"), POWERS)
def test_derivatives_of_every_order_tell_of_corners(power, order, is_corner):
    _, estimate = derivative(
        lambda x: np.abs(x) ** power,
        np.array([0.0, 1.0]),
        order=order,
        full_output=True,
    )
    expected = Status.KINK if is_corner else Status.OK
    assert list(estimate.status) == [expected, Status.OK]


def test_hessians_tell_of_corners_of_the_function():
    x = np.array([0.0, 1.0, 2.0])
    _, estimate = hessian(
        lambda x: np.abs(x[0]) * x[1] + x[2] ** 2, x, full_output=True
    )
    assert (estimate.status[0] == Status.KINK).all()
    assert (estimate.status[:, 0] == Status.KINK).all()
    assert (estimate.status[1:, 1:] == Status.OK).all()
    _, estimate = hessian(lambda x: np.sum(np.maximum(x, 0) ** 3), x, full_output=True)
    assert (estimate.status == Status.OK).all()


def test_a_slope_that_is_not_finite_is_told_of_for_every_leaf():
    def call():
        x = {"a": np.ones(1), "b": np.zeros(1)}
        return jacobian(lambda x: x["a"] + np.sqrt(x["b"]), x)

    found, messages = told(call)
    assert found["b"] == np.inf
    assert "x['b'][0]" in messages[0]


# Patterns of functions without an exact derivative


def filled(x):
    y = np.zeros(3)
    for i in range(3):
        y[i] = np.frombuffer(x.tobytes())[i] ** 2
    return y


def depends_on_the_type(x):
    return x * np.sum(x) if type(x) is np.ndarray else x * x


def test_patterns_do_without_arrays_at_many_points():
    x = np.array([1.0, 2.0, 3.0])
    found, _ = told(lambda: jacobian(filled, x, sparsity="auto"))
    assert_close(found.toarray(), np.diag(2 * x), rtol=1e-6)
    assert (sparsity_pattern(filled, x).toarray() == np.eye(3)).all()


def test_patterns_are_those_of_plain_calls():
    x = np.array([1.0, 2.0, 3.0])
    found, _ = told(lambda: jacobian(depends_on_the_type, x, sparsity="auto"))
    expected = np.sum(x) * np.eye(3) + x[:, None]
    assert_close(found.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("convert", [np.array, np.asarray])
def test_patterns_of_empty_arrays(convert):
    found = sparsity_pattern(lambda x: convert(x), np.zeros(0))
    assert found.shape == (0, 0)


# Sparse Hessians


def test_sparse_hessians_in_half_precision():
    x = np.array([0.5, 1.5], np.float16)
    found = hessian(lambda x: np.sum(x**3) + x[0] * x[1], x, sparsity="auto")
    assert found.dtype == np.float16
    assert_close(found.astype(float).toarray(), [[3, 1], [1, 9]], rtol=2e-3)


# Second attempts, and what the first refuses


def fills_zeros(x):
    y = np.zeros(3)
    y[0], y[1] = x[0] ** 2, math.sin(x[1]) * x[0]
    return np.sum(y**2)


def changes_a_constant(x):
    BUFFER[:] = 2.0
    y = x * BUFFER * x
    BUFFER[:] = 5.0
    return np.sum(y * x)


BUFFER = np.zeros(3)


@pytest.mark.parametrize("f", [fills_zeros, changes_a_constant])
def test_hessians_by_the_attempts_that_gradients_take(f):
    x = np.array([0.5, 1.5, -0.7])
    found = hessian(f, x, method="autodiff")

    def slope(i):
        e = 1e-4 * np.eye(3)[i]
        up, down = gradient(f, x + e), gradient(f, x - e)
        return (up - down) / 2e-4

    expected = np.array([slope(i) for i in range(3)])
    assert_close(found, expected, rtol=1e-6, atol=1e-6)
    again, estimate = hessian(f, x, method="autodiff", full_output=True)
    assert_close(again, found, rtol=1e-14)
    assert (estimate.status == Status.OK).all()
    sparse = hessian(f, x, method="autodiff", sparsity="auto")
    assert_close(sparse.toarray(), found, rtol=1e-14)
    assert_close(hvp(f, x, x, method="autodiff"), found @ x, rtol=1e-12)


def test_derivatives_of_functions_of_math():
    found = derivative(lambda x: math.sin(x), 0.3, order=3, method="autodiff")
    assert_close(found, -math.cos(0.3), rtol=1e-13)


@functools.lru_cache
def cached_square(x):
    return x**2


def test_functions_with_a_cache_are_left_to_differences():
    x = np.array([0.5, 1.5])
    found, messages = told(lambda: jacobian(lambda x: cached_square(x[0]) * x, x))
    assert_close(found, [[0.75, 0], [1.5, 0.25]], rtol=1e-6)
    assert "hash(x)" in messages[0]


def test_arrays_without_axes_that_are_read_and_used():
    x = np.array(0.7)
    found = hessian(lambda x: x[()] * x * x[()] * x[...] * x, x)
    assert_close(found, 20 * 0.7**3, rtol=1e-13)


# Backward passes of the caller's own


SECOND = {
    "hessian": lambda f, x: np.diag(hessian(lambda x: np.sum(f(x)), x)),
    "hvp": lambda f, x: hvp(lambda x: np.sum(f(x)), x, np.ones_like(x)),
    "derivative": lambda f, x: derivative(f, x, order=2),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_backward_pass_that_holds_numbers_has_no_second_derivative(name):
    x = np.array([0.5, 1.5, -0.7])
    slopes = 3 * x**2
    cube = xgrad.custom_vjp(lambda x: x**3, lambda x, g: g * slopes)
    found, messages = told(lambda: SECOND[name](cube, x))
    assert_close(found, 6 * x, rtol=1e-5)
    assert "derivative of order 2" in messages[0]
    right = xgrad.custom_vjp(lambda x: x**3, lambda x, g: g * 3 * x**2)
    found, messages = told(lambda: SECOND[name](right, x))
    assert_close(found, 6 * x, rtol=1e-13)
    assert not messages


def test_functions_may_have_empty_parts():
    def f(x):
        y = x[..., None]
        y[..., 1:] *= 1.47 * y
        return x * 2

    x = np.ones((2, 3, 2))
    assert_close(jacobian(f, x), 2 * np.eye(12).reshape(*x.shape, *x.shape), rtol=0)


def gated(x):
    """Roots, of which the branch below 0 is not taken, though it is computed."""
    return np.where(x > 0, np.sqrt(x), 0.0) * x


@pytest.mark.parametrize("sparsity", [None, "auto"])
def test_a_branch_that_was_not_taken_makes_no_nan_in_a_hessian(sparsity):
    x = np.array([-1.0, 4.0])
    with np.errstate(invalid="ignore"):
        found = hessian(lambda x: np.sum(gated(x)), x, sparsity=sparsity)
        product = hvp(lambda x: np.sum(gated(x)), x, np.ones(2))
        second = derivative(gated, x, order=2)
    found = found if sparsity is None else found.toarray()
    # Of x**1.5 at 4.
    np.testing.assert_allclose(found, [[0, 0], [0, 0.375]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(product, [0, 0.375], rtol=0, atol=1e-15)
    np.testing.assert_allclose(second, [0, 0.375], rtol=0, atol=1e-15)


def test_a_new_axis_in_front_is_a_key():
    x = np.array([0.5, 1.5, -0.7])
    found = hessian(lambda x: np.sum((x[None] * x[:, None]) ** 2 * x[None]), x)
    expected = jacobian(lambda x: gradient(lambda x: (x @ x) * np.sum(x**3), x), x)
    assert_close(found, expected, rtol=1e-12)


def test_numbers_of_numpy_are_arrays_without_axes():
    x = np.float64(0.7)
    assert_close(gradient(lambda x: x[()] * x, x), 1.4, rtol=1e-14)
    assert_close(hessian(lambda x: x[()] * x, x), 2.0, rtol=1e-14)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("f", [lambda x: x * np.sum(x), np.cumsum, lambda x: x[::-1]])
def test_a_function_that_mixes_entries_has_no_derivative_of_entries(f, order):
    with pytest.raises(ValueError, match="mixes entries"):
        derivative(lambda x: f(x), np.array([0.5, 1.5, -0.7]), order=order)


@pytest.mark.parametrize("sparsity", [None, "auto"])
def test_a_gradient_of_another_shape_is_named(sparsity):
    with pytest.raises(ValueError, match=r"`grad` returned shape \(\)"):
        hessian(np.sum, np.ones(3), grad=lambda x: np.sum(x**2), sparsity=sparsity)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("f", [np.abs, lambda x: x * np.abs(x), lambda x: 0 * x])
def test_orders_at_which_nothing_is_left_have_an_estimate(f, order):
    x = np.array([0.0, 2.0])
    found, estimate = derivative(f, x, order=order, full_output=True)
    assert estimate.error.shape == found.shape == (2,)
    assert estimate.status[1] == Status.OK
    if order > 2:
        np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("size", [2, 5, 40])
def test_an_infinite_slope_belongs_to_one_entry(size):
    x = np.linspace(0, 1, size)
    with pytest.warns(RuntimeWarning, match=r"NONFINITE at f\(x\)\[0\] by x\[0\]"):
        found = jacobian(np.sqrt, x, method="autodiff")
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, np.diag(0.5 / np.sqrt(x)), rtol=1e-15)


def test_arrays_of_the_standard_have_corners_and_branches():
    xp = pytest.importorskip("array_api_strict")
    x = xp.asarray([0.0, 1.0, -1.0])
    _, estimate = hessian(lambda x: xp.sum(xp.abs(x)), x, full_output=True)
    assert int(estimate.status[0, 0]) == Status.KINK

    def roots(x):
        return xp.where(x > 0, xp.sqrt(x), xp.zeros_like(x))

    found = jacobian(roots, xp.asarray([4.0, -1.0]))
    assert_close(to_numpy(found), [[0.25, 0], [0, 0]], rtol=1e-14)


def test_marks_of_corners_take_no_table_of_all_pairs():
    x = np.linspace(1.0, 2.0, 30_000)
    x[7] = x[6]

    def steps(x):
        return np.abs(x[1:] - x[:-1])

    tracemalloc.start()
    try:
        _, jac = jacobian(steps, x, sparsity="auto", full_output=True)
        _, hess = hessian(
            lambda x: np.sum(steps(x)) + np.sum(x**2),
            x,
            sparsity="auto",
            full_output=True,
        )
        _, slopes = derivative(
            lambda x: np.abs(x - 1.5) ** 3, x - x[9] + 1.5, order=3, full_output=True
        )
        _, first = derivative(np.abs, x - x[9], full_output=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A table of booleans alone takes 900 MB.
    assert peak < 100e6
    assert np.sum(jac.status == Status.KINK) > 0
    assert np.sum(hess.status == Status.KINK) > 0
    assert list(np.flatnonzero(first.status == Status.KINK)) == [9]
    assert list(np.flatnonzero(slopes.status == Status.KINK)) == [9]


@pytest.mark.parametrize("method", ["auto", "autodiff", "central"])
def test_further_arguments_of_f_are_constants(method):
    def f(x, a, b):
        return np.sum(a * x**3) + b

    def grad(x, a, b):
        return 3 * a * x**2

    x, v, args = np.array([1.0, 2.0]), np.array([1.0, -1.0]), (2.0, 5.0)
    options = {"args": args, "method": method}
    expected = np.diag(12 * x)
    # Second differences keep half of the digits.
    second, first = (1e-5, 1e-9) if method == "central" else (1e-14, 1e-14)
    for given in (None, grad):
        found = hessian(f, x, grad=given, **options)
        assert_close(found, expected, rtol=second, atol=second)
        product = hvp(f, x, v, grad=given, **options)
        assert_close(product, expected @ v, rtol=second)
    assert_close(jacobian(grad, x, **options), expected, rtol=first, atol=first)
    assert_close(jvp(grad, x, v, **options), expected @ v, rtol=first)
    assert_close(derivative(grad, x, **options), 12 * x, rtol=first)
    for call in (jacobian, derivative):
        with pytest.raises(TypeError, match="`args` must be a tuple"):
            call(grad, x, args=2.0)


# How the function is run decides what its derivative is made of


def _by_kind_of_array(x):
    return np.sum(x**2) if isinstance(x, np.ndarray) else np.sum(x)


def _by_kind_of_entry(x):
    return sum(v**3 if isinstance(v, float) else v for v in x)


@pytest.mark.parametrize(
    ("f", "curvature"),
    [
        (_by_kind_of_array, lambda x: np.full_like(x, 2.0)),
        (_by_kind_of_entry, lambda x: 6 * x),
    ],
)
def test_a_gradient_is_proved_in_the_way_in_which_it_is_differentiated(f, curvature):
    x = np.array([1.0, 2.0, -0.5])
    assert_close(hessian(f, x), np.diag(curvature(x)), rtol=1e-12)
    assert_close(hvp(f, x, x), curvature(x) * x, rtol=1e-12)
    second = derivative(lambda x: x**3 if isinstance(x, np.ndarray) else x, x, order=2)
    assert_close(second, 6 * x, rtol=1e-12)


def test_values_that_a_function_keeps_from_one_call_to_the_next():
    last = {}

    def f(x):
        if "x" not in last or not np.array_equal(x, last["x"]):
            last["x"], last["value"] = np.copy(x), np.sum(np.exp(x))
        return last["value"]

    x = np.array([0.5, 1.0])
    found, _ = told(lambda: hessian(f, x))
    np.testing.assert_allclose(found, np.diag(np.exp(x)), atol=1e-6)


def test_products_without_a_term_and_reads_without_an_entry():
    x = np.array([0.5, 1.0, 2.0])

    def f(x):
        return np.zeros((0, 3)) @ x, x[[]], x[np.zeros(3, bool)]

    found = jacobian(lambda x: sum(np.sum(a) for a in f(x)) + x**2, x)
    assert_close(found, np.diag(2 * x), rtol=1e-12)


# Patterns that lack entries


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("prepare", [lambda pattern: pattern, xgrad.color_columns])
def test_a_pattern_that_lacks_an_entry_is_an_error(prepare, dtype):
    pytest.importorskip("scipy", reason="SciPy is not installed")
    x = np.linspace(1, 2, 6).astype(dtype)
    bands = np.eye(6, dtype=bool) | np.eye(6, k=1, dtype=bool)

    def f(x, couplings):
        y = x**2 * np.concatenate([x[1:], x[:1] ** 0])
        for i, j, size in couplings:
            y[i] += size * x[j]
        return y

    right = jacobian(f, x, args=((),), sparsity=prepare(bands)).toarray()
    assert_close(right, jacobian(f, x, args=((),)), rtol=1e-6)
    for i, j in ((0, 5), (3, 0), (5, 2)):
        for size in (1.0, 0.1):
            with pytest.raises(ValueError, match=rf"row {i} depends on entries"):
                jacobian(f, x, args=([(i, j, size)],), sparsity=prepare(bands))

    def total(x, couplings):
        return np.sum(x**3) + sum(size * x[i] * x[j] for i, j, size in couplings)

    diagonal = prepare(np.eye(6, dtype=bool))
    found = hessian(total, x, args=((),), sparsity=diagonal).toarray()
    assert_close(found, np.diag(6 * x), rtol=1e-6)
    with pytest.raises(ValueError, match="leaves out"):
        hessian(total, x, args=([(1, 4, 0.5)],), sparsity=diagonal)


def test_a_row_of_nothing_but_rounding_has_its_pattern():
    pytest.importorskip("scipy", reason="SciPy is not installed")
    x = np.linspace(1, 2, 4)

    def f(x):
        return np.stack([np.sum(x) - x[0] - x[1] - x[2] - x[3] + x[0], 1e3 * x[1]])

    pattern = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], bool)
    found = jacobian(f, x, sparsity=pattern).toarray()
    np.testing.assert_allclose(found, [[1, 0, 0, 0], [0, 1e3, 0, 0]], atol=1e-12)


# Arrays that are made within a derivative of a derivative


def _made_like(x):
    y = np.zeros_like(x) + x
    table = np.array([x[0], x[1], x[2]]) ** 2
    for i, j in enumerate(np.argsort(y)):
        table[i] += y[j] ** 3
    return np.sum(table * np.ones_like(x) * np.full_like(x, 2.0))


def _filled_diagonal(x):
    y, z = np.array([x[0], x[1], x[2]]), np.empty_like(x)
    z[...] = 0.1
    np.fill_diagonal(y.reshape(3, -1), z[0])
    return np.sum(y**3)


@pytest.mark.parametrize(
    ("f", "curvature"),
    [
        (_made_like, lambda x: 4 + 12 * x),
        (_filled_diagonal, lambda x: 6 * x * [0, 1, 1]),
    ],
)
def test_arrays_that_are_made_like_x_in_a_copy_of_the_function(f, curvature):
    x = np.array([1.0, 2.0, 3.0])
    found, estimate = hessian(f, x, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(found, np.diag(curvature(x)), rtol=1e-14)


def test_infinite_bounds_beside_x_have_second_derivatives():
    def f(p):
        bounds = np.concatenate([[-np.inf], [p[0]], [p[0] + np.exp(p[1])], [np.inf]])
        shares = 1 / (1 + np.exp(-bounds))
        return -np.sum(np.log(np.diff(shares)))

    p = np.array([0.3, -0.2])
    found, estimate = hessian(f, p, full_output=True)
    assert estimate.method == "autodiff"
    assert (estimate.status == Status.OK).all()
    np.testing.assert_allclose(found, hessian(f, p, method="central"), rtol=1e-5)
