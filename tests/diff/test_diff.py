"""Derivatives: right values, at edges, of nested parameters and of batches."""

import math

import mpmath
import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import derivative
from cases.statuses import warns_of
from hypothesis import given
from hypothesis import strategies as st

from xgrad import gradient, to_numpy
from xgrad._differences.stencil import ACCURACIES

EPS = 2.0**-52
METHODS = [(m, a) for m, (offered, _) in ACCURACIES.items() for a in offered]


def _squares(xp):
    return lambda x: xp.sum(x**2)


# Values


def test_gradient_of_the_sum_of_squares(xp):
    for values in ([3.0, 4.0], [3, 4]):
        slopes = gradient(_squares(xp), xp.asarray(values))
        # Integers take the default float of the library, float32 with torch.
        rtol = 1e-10 if slopes.dtype == xp.float64 else 1e-4
        assert_close(slopes, [6.0, 8.0], rtol=rtol)


# Attainable errors of smooth functions of size 1, see `_differences.stencil`.
SMOOTH = {
    "exp": (math.exp, math.exp),
    "sin": (math.sin, math.cos),
    "tanh": (math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "log1p": (math.log1p, lambda x: 1 / (1 + x)),
}
LIMITS = {  # float64: (central 2, 4, 6, 8), then float32
    "float64": {2: 3e-11, 4: 4e-13, 6: 5e-14, 8: 2e-14},
    "float32": {2: 2e-5, 4: 3e-6, 6: 2e-6, 8: 1e-6},
}


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("accuracy", [2, 4, 6, 8])
def test_median_error_of_smooth_functions(accuracy, dtype, rng):
    errors = []
    for name, (_, exact) in SMOOTH.items():
        x = rng.uniform(0.3, 2.0, 200).astype(dtype)
        slopes = derivative(getattr(np, name), x, accuracy=accuracy)
        assert slopes.dtype == x.dtype
        truth = np.array([exact(float(v)) for v in x])
        errors.append(np.abs(slopes / truth - 1))
    assert np.median(errors) <= LIMITS[dtype][accuracy]


@pytest.mark.parametrize(("method", "accuracy"), METHODS)
def test_every_method_is_right_to_its_accuracy(xp, method, accuracy):
    x = xp.asarray([0.5, 1.0, -2.0])
    slopes = gradient(lambda x: xp.sum(xp.exp(x)), x, method=method, accuracy=accuracy)
    # Truncation and rounding balance near eps**(p / (p + 1)).
    rtol = 50 * EPS ** (accuracy / (accuracy + 1))
    assert_close(slopes, np.exp([0.5, 1.0, -2.0]), rtol=rtol)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("method", ["central", "forward", "backward"])
def test_higher_derivatives(xp, order, method):
    x = [0.3, 1.0, 2.0]
    found = derivative(xp.exp, xp.asarray(x), order=order, method=method)
    accuracy = ACCURACIES[method][1]
    rtol = 200 * EPS ** (accuracy / (accuracy + order))
    assert_close(found, np.exp(x), rtol=rtol)


@given(
    degree=st.integers(0, 4),
    x=st.floats(-4, 4).filter(lambda v: abs(v) > 1e-3),
)
def test_polynomials_within_the_accuracy_are_exact_to_rounding(degree, x):
    found = float(derivative(lambda v: v**degree, x, accuracy=4))
    exact = degree * x ** (degree - 1) if degree else 0.0
    # Rounding of the values over the step, 2**-11 to 2**-10 times the scale.
    assert abs(found - exact) <= 2**13 * EPS * max(1, abs(x)) ** degree


def test_the_quotient_divides_by_the_step_really_taken():
    # float32 near 1e4 has a spacing of 1e-3: a step of 1e-2 is rounded by 5 %.
    x = np.array([12345.678], np.float32)
    slope = gradient(lambda x: np.sum(x.astype(np.float64)), x, step=1e-2)
    assert slope == 1


@pytest.mark.parametrize("x", [1e-300, 1e-8, 1.0, 1e8, 1e300, -1e300])
def test_steps_are_relative_to_large_numbers(x):
    assert_close(gradient(lambda v: np.sum(3 * v), np.array([x])), [3.0], rtol=1e-10)


def test_each_component_has_its_own_step(xp):
    x = np.array([1e6, 1.0, 1e3])
    scale = xp.asarray(x)
    slopes = gradient(lambda v: xp.sum(xp.exp(v / scale)), xp.asarray(x))
    assert_close(slopes, math.e / x, rtol=1e-9)


def test_float32_data_evaluated_in_float64_is_as_good_as_float64(xp):
    x = xp.asarray([0.5, 1.5], "float32")
    slopes = gradient(lambda v: xp.sum(xp.exp(v)), x, dtype=xp.float64)
    assert slopes.dtype == xp.float64
    assert_close(slopes, np.exp([0.5, 1.5]), rtol=1e-12)


def test_a_function_that_computes_in_float32_gets_steps_for_float32():
    x = np.array([1.0, 2.0])
    slopes = gradient(lambda v: np.sum(np.exp(v.astype(np.float32))), x)
    assert slopes.dtype == np.float64
    assert_close(slopes, np.exp(x), rtol=2e-5)


def test_half_precision_is_evaluated_in_float32():
    seen = []

    def f(v):
        seen.append(v.dtype)
        return np.sum(v**2)

    slopes = gradient(f, np.array([1.0, 2.0], np.float16))
    assert set(seen) == {np.dtype(np.float32)}
    assert slopes.dtype == np.float16
    assert_close(slopes, [2, 4], rtol=1e-3)


# Edges of the domain


def test_a_side_that_is_not_finite_leaves_it_to_the_other(xp):
    x = xp.asarray([0.0, 1e-5, 1.0])
    with warns_of("NONFINITE"):
        slopes = to_numpy(derivative(lambda v: xp.log1p(xp.sqrt(v) ** 3), x))
    assert np.isfinite(slopes).all()
    x = xp.asarray([1.0])
    with warns_of("NONFINITE"):
        found = gradient(
            lambda v: xp.sum(xp.where(v < 1, math.nan, v**2)), x, method="central"
        )
    assert_close(found, [2.0], rtol=1e-5)
    with warns_of("NONFINITE"):
        found = gradient(
            lambda v: xp.sum(xp.where(v > 1, math.inf, v**2)), x, method="central"
        )
    assert_close(found, [2.0], rtol=1e-5)


def test_nan_on_both_sides_stays_nan_and_touches_no_neighbour(xp):
    x = xp.asarray([1.0, math.nan, 2.0])
    with warns_of("NONFINITE"):
        slopes = to_numpy(derivative(lambda v: v**2, x))
    assert_close(slopes, [2.0, math.nan, 4.0], rtol=1e-10)


def test_a_hole_at_the_point_itself_is_bridged():
    with pytest.warns(RuntimeWarning, match="invalid value"), warns_of("NONFINITE"):
        found = derivative(lambda v: np.sin(v) / v, 0.0)
    assert_close(found, 0.0, rtol=0, atol=1e-12)


# Nested parameters


def _tree(xp):
    return {
        "layers": [(xp.asarray([[1.0, 2.0]]), xp.asarray(3.0)), (xp.asarray([4.0]),)],
        "unused": xp.asarray(np.zeros((0, 2))),
    }


def _loss_of_tree(xp):
    def f(tree):
        (weights, bias), (scale,) = tree["layers"]
        return xp.sum(weights**2) * bias + xp.sum(scale**3) + xp.sum(tree["unused"])

    return f


def test_nested_parameters_keep_their_structure(xp):
    slopes = gradient(_loss_of_tree(xp), _tree(xp))
    assert set(slopes) == {"layers", "unused"}
    (weights, bias), (scale,) = slopes["layers"]
    assert_close(weights, [[6.0, 12.0]], rtol=1e-10)
    assert_close(bias, 5.0, rtol=1e-10)
    assert_close(scale, [48.0], rtol=1e-10)
    assert tuple(slopes["unused"].shape) == (0, 2)
    assert type(slopes["layers"][0]) is tuple


def test_nested_parameters_with_a_batch_axis(xp):
    def f(tree):
        rows = xp.sum(tree["w"] ** 2, axis=-1)
        return rows * tree["b"]

    tree = {"w": xp.asarray([1.0, 2.0]), "b": xp.asarray(3.0)}
    slopes = gradient(f, tree, vectorized=True)
    assert_close(slopes["w"], [6.0, 12.0], rtol=1e-10)
    assert_close(slopes["b"], 5.0, rtol=1e-10)


def test_steps_may_be_nested_too(xp):
    tree = {"a": xp.asarray([1.0, 2.0]), "b": xp.asarray(3.0)}
    step = {"a": xp.asarray([1e-3, 1e-2]), "b": xp.asarray(1e-3)}
    slopes = gradient(lambda t: xp.sum(t["a"] ** 2) + t["b"] ** 2, tree, step=step)
    assert_close(slopes["a"], [2.0, 4.0], rtol=1e-10)
    assert_close(slopes["b"], 6.0, rtol=1e-10)


# One point or many


@pytest.mark.sampled(7)
@pytest.mark.parametrize("max_bytes", [None, 1, 24, 100, 1000])
@pytest.mark.parametrize(("method", "accuracy"), METHODS)
def test_batches_of_any_size_agree_with_the_loop(xp, rng, method, accuracy, max_bytes):
    matrix = xp.asarray(rng.normal(size=(3, 3)))
    x = xp.asarray(rng.normal(size=3))

    def f(v):
        return xp.sum((v @ matrix) * xp.sin(v), axis=-1)

    options = {"method": method, "accuracy": accuracy, "max_bytes": max_bytes}
    together = gradient(f, x, vectorized=True, **options)
    alone = gradient(f, x, vectorized=False, **options)
    noise = 100 * EPS ** (accuracy / (accuracy + 1))
    assert_close(together, to_numpy(alone), rtol=noise, atol=noise)


def test_elementwise_and_row_functions_take_a_batch_axis(xp, rng):
    x = rng.normal(size=(4, 3))
    slopes = derivative(xp.sin, xp.asarray(x), vectorized=True)
    assert_close(slopes, np.cos(x), rtol=1e-9)
    rows = gradient(
        lambda v: xp.sum(v**2, axis=-1), xp.asarray(x), axis=-1, vectorized=True
    )
    assert_close(rows, 2 * x, rtol=1e-9, atol=1e-12)


def test_points_of_one_call_stay_within_the_budget():
    sizes = []

    def f(v):
        sizes.append(v.nbytes)
        return np.sum(v**2, axis=-1)

    gradient(f, np.ones(50), method="central", vectorized=True, max_bytes=4000)
    assert max(sizes) <= 4000
    assert sum(sizes) == (4 * 50 + 1) * 400


def test_integers_and_python_numbers_as_results():
    with pytest.warns(RuntimeWarning, match=r"differences of `f`, because of complex"):
        found = gradient(lambda v: complex(v[0]).real ** 2, np.array([3.0]))
    assert_close(found, [6], rtol=1e-10)
    assert_close(gradient(lambda v: int(v[0] > 2), np.array([3.0])), [0], rtol=0)
    assert_close(gradient(lambda v: np.ones((1, 1)) * v, np.array(3.0)), 1, rtol=1e-10)


# Against another library


def test_a_hard_function_against_mpmath():
    x = 1.5  # Squire and Trapp, SIAM Review 40(1), 1998
    with mpmath.workdps(30):
        exact = mpmath.diff(
            lambda v: mpmath.exp(v) / (mpmath.sin(v) ** 3 + mpmath.cos(v) ** 3), x
        )
    found = derivative(lambda v: np.exp(v) / (np.sin(v) ** 3 + np.cos(v) ** 3), x)
    assert_close(found, float(exact), rtol=1e-9)
