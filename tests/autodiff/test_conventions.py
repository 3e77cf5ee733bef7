"""At corners and other hard points, rules keep the conventions of the documentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases.derivatives.slopes import second_on_tape, trace_of

from xgrad._tracing import NotTraceableError

INF, NAN = math.inf, math.nan


def slope(f, x):
    """The gradient of the weighted sum of f, where a single weight is 1."""
    with np.errstate(all="ignore"):
        trace = trace_of(lambda x: np.sum(f(x)) + 0 * np.sum(x), np.asarray(x, float))
    return trace.gradient / WEIGHT


# The weight of a single number, which the helper of the tests multiplies by.
WEIGHT = np.random.default_rng(1).normal(size=())
CORNERS = [
    ("abs at 0", np.abs, [0.0, 2.0], [0, 1]),
    ("maximum at a tie", lambda x: np.maximum(x, 0), [0.0, 1.0, -1.0], [0.5, 1, 0]),
    ("maximum of equals", lambda x: np.maximum(x, x), [1.0], [1]),
    ("minimum at a tie", lambda x: np.minimum(x, 1), [1.0, 0.0], [0.5, 1]),
    ("max with ties", np.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0]),
    ("min of three equals", np.min, [2.0, 2.0, 2.0], [1 / 3] * 3),
    (
        "clip at bounds",
        lambda x: np.clip(x, 0, 1),
        [0.0, 0.5, 1.0, 2.0],
        [0.5, 1, 0.5, 0],
    ),
    ("sqrt at 0", np.sqrt, [0.0], [INF]),
    ("norm at 0", np.linalg.norm, [0.0, 0.0], [0, 0]),
    ("norm squared at 0", lambda x: np.linalg.norm(x) ** 2, [0.0, 0.0], [0, 0]),
    (
        "norm of one row of 0",
        lambda x: np.linalg.norm(x, axis=1),
        [[0, 0], [3, 4.0]],
        [[0, 0], [0.6, 0.8]],
    ),
    ("norm 3 at 0", lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0, 0]),
    ("norm 3 with an entry of 0", lambda x: np.linalg.norm(x, 3), [0.0, 2.0], [0, 1]),
    ("norm 1 at 0", lambda x: np.linalg.norm(x, 1), [0.0, 2.0], [0, 1]),
    ("norm of infinity at 0", lambda x: np.linalg.norm(x, INF), [0.0, 0.0], [0, 0]),
    (
        "spectral norm at 0",
        lambda x: np.linalg.norm(x, 2),
        np.zeros((2, 2)),
        np.zeros((2, 2)),
    ),
    (
        "spectral norm of the unit matrix",
        lambda x: np.linalg.norm(x, 2),
        np.eye(2),
        np.eye(2) / 2,
    ),
    (
        "smallest singular value of 0",
        lambda x: np.linalg.norm(x, -2),
        [[1.0, 2], [2, 4]],
        np.zeros((2, 2)),
    ),
    (
        "nuclear norm at 0",
        lambda x: np.linalg.norm(x, "nuc"),
        np.zeros((2, 3)),
        np.zeros((2, 3)),
    ),
    (
        "nuclear norm of rank 1",
        lambda x: np.linalg.norm(x, "nuc"),
        [[0, 2.0], [0, 0]],
        [[0, 1], [0, 0]],
    ),
    ("power 0 at 0", lambda x: x**0.0, [0.0], [0]),
    ("power 1 at 0", lambda x: x**1, [0.0], [1]),
    ("power 2 at 0", lambda x: x**2.0, [0.0], [0]),
    (
        "array power at 0",
        lambda x: x ** np.array([2.0, 1.0, 0.0]),
        np.zeros(3),
        [0, 1, 0],
    ),
    ("x**x at 0", lambda x: x**x, [0.0], [-INF]),
    ("0**x", lambda x: 0.0**x, [2.0], [0]),
    ("logaddexp of infinities", lambda x: np.logaddexp(x, -INF), [-INF], [0.5]),
    ("logaddexp of equals", lambda x: np.logaddexp(x, 1.0), [1.0], [0.5]),
    ("std of equals", np.std, [1.0, 1.0, 1.0], [0, 0, 0]),
    ("nanstd of equals", np.nanstd, [1.0, 1.0, NAN], [0, 0, NAN]),
    (
        "std of one of two rows",
        lambda x: np.std(x, axis=1),
        [[1, 1], [0, 2.0]],
        [[0, 0], [-0.5, 0.5]],
    ),
    ("var of equals", np.var, [1.0, 1.0], [0, 0]),
    ("prod with a 0", np.prod, [2.0, 0.0, 3.0], [0, 6, 0]),
    ("prod with two", np.prod, [2.0, 0.0, 0.0], [0, 0, 0]),
    ("cumprod with a 0", np.cumprod, [2.0, 0.0, 3.0, 4.0], [1, 2 + 6 + 24, 0, 0]),
    (
        "cumprod that underflows",
        np.cumprod,
        [1e-200, 1e-200, 1e200],
        [1 + 1e-200 + 1, 1e-200 + 1, 0],
    ),
    ("sinc at 0", np.sinc, [0.0], [0]),
    ("hypot at 0", lambda x: np.hypot(x, 0.0), [0.0], [0]),
    ("hypot of large numbers", lambda x: np.hypot(x, 3e200), [4e200], [0.8]),
    ("median of four", np.median, [1.0, 2.0, 3.0, 4.0], [0, 0.5, 0.5, 0]),
    (
        "median with nan",
        lambda x: np.nanmedian(x, axis=1),
        [[1, NAN, 3], [1, 2, 9.0]],
        [[0.5, 0, 0.5], [0, 1, 0]],
    ),
    (
        "nanmax of nothing but nan in a row",
        lambda x: np.nanmax(x[1:]),
        [NAN, 2.0, NAN],
        [NAN, 1, NAN],
    ),
    ("det of rank n - 1", np.linalg.det, [[1.0, 2], [2, 4]], [[4, -2], [-2, 1]]),
    ("det of 0", np.linalg.det, np.zeros((3, 3)), np.zeros((3, 3))),
    ("det of one number 0", np.linalg.det, [[0.0]], [[1]]),
    ("eigenvalues of the unit matrix", np.linalg.eigvalsh, np.eye(2), np.eye(2)),
    ("singular values of the unit matrix", np.linalg.svdvals, np.eye(2), np.eye(2)),
    ("copysign at 0", lambda x: np.copysign(x, -1.0), [0.0, 2.0], [0, -1]),
    ("heaviside", lambda x: np.heaviside(x, 0.5), [-1.0, 0.0], [0, 0]),
    (
        "where in one dimension more",
        lambda x: np.where([True, False, True], x, 0),
        [3.0],
        [2],
    ),
    ("arctan2 at its jump", lambda x: np.arctan2(x, 0.0), [0.0], [NAN]),
]


@pytest.mark.parametrize(
    ("f", "x", "expected"), [c[1:] for c in CORNERS], ids=[c[0] for c in CORNERS]
)
def test_corners(f, x, expected):
    found = slope(f, x)
    defined = ~np.isnan(np.asarray(x, float))
    expected = np.asarray(expected, float)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found[defined], expected[defined], rtol=1e-12, atol=1e-14
    )


def test_only_the_triangle_that_numpy_reads_has_a_slope():
    x = np.array([[4.0, 1.0], [1.0, 3.0]])
    for f in (np.linalg.cholesky, np.linalg.eigvalsh, lambda x: np.linalg.eigh(x)[1]):
        found = slope(f, x)
        assert found[0, 1] == 0 != found[1, 0]
    for f in (
        lambda x: np.linalg.cholesky(x, upper=True),
        lambda x: np.linalg.eigvalsh(x, "U"),
        lambda x: np.linalg.eigh(x, UPLO="U")[1],
    ):
        found = slope(f, x)
        assert found[1, 0] == 0 != found[0, 1]


@pytest.mark.parametrize(
    ("f", "x", "pattern"),
    [
        (lambda x: np.linalg.eigh(x)[1], np.eye(3), "eigenvectors.*0 and 1"),
        (lambda x: np.linalg.eigh(x)[1], np.diag([1.0, 2, 2]), "eigenvectors.*1 and 2"),
        (lambda x: np.linalg.svd(x)[0], np.eye(2), "singular vectors.*0 and 1"),
        (
            lambda x: np.linalg.svd(x, full_matrices=False)[2][0],
            np.ones((2, 3)),
            "of 0",
        ),
        (lambda x: np.linalg.svd(x)[0], np.ones((2, 3)), "not square"),
        (lambda x: np.linalg.pinv(x), np.ones((2, 2)), "full rank"),
        (lambda x: np.linalg.lstsq(x, x[:, 0])[0], np.ones((3, 2)), "full rank"),
        (lambda x: np.linalg.qr(x)[0], np.zeros((2, 2)), "depend on one another"),
        (lambda x: np.linalg.qr(x, mode="complete")[0], np.ones((3, 2)), "complete"),
        (
            lambda x: np.real(np.linalg.eigh(x + 1j * (x - x.T))[1]),
            np.array([[1.0, 2.0], [0.5, 3.0]]),
            "phase",
        ),
    ],
)
def test_what_has_no_derivative_is_refused(f, x, pattern):
    with pytest.raises(NotTraceableError, match=pattern):
        slope(f, x)


def test_values_that_are_equal_do_not_stop_functions_of_values_alone():
    found = slope(lambda x: np.linalg.eigh(x)[0] ** 2, np.diag([2.0, 2.0, 5.0]))
    np.testing.assert_allclose(found, np.diag([4.0, 4.0, 10.0]))


@pytest.mark.parametrize(
    "use",
    [
        np.prod,
        np.max,
        np.std,
        np.cumprod,
        np.linalg.norm,
        lambda x: np.linalg.norm(x, 3),
        lambda x: np.linalg.det(x[:, None] * np.arange(1.0, 3) + np.eye(2)),
        lambda x: np.linalg.inv(x[:, None] * np.arange(1.0, 3) + np.eye(2)),
    ],
)
def test_what_a_rule_keeps_is_not_changed_by_later_assignments(use):
    def f(x):
        table = np.zeros((5, 2), like=x)
        table[0] = x
        result = np.sum(use(table[0])) * 1.0
        table[0] = 7.0
        y = use(x)
        result = result + np.sum(y)
        if y.ndim:
            y[0] = 9.0
        return result

    x = np.array([1.5, 0.4])
    np.testing.assert_allclose(slope(f, x), 2 * slope(use, x))


@pytest.mark.parametrize("part", [0, 1])
def test_results_of_a_decomposition_may_be_written_into(part):
    def written(x):
        results = np.linalg.eigh(x)
        both = np.sum(results[0]) + np.sum(results[1])
        results[part][0] = 5.0
        return both

    def plain(x):
        return np.sum(np.linalg.eigh(x)[0]) + np.sum(np.linalg.eigh(x)[1])

    x = np.array([[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(slope(written, x), slope(plain, x))


def test_the_curvature_of_sinc_at_and_near_0():
    x = np.array([0.0, 1e-9, 1e-3, 0.0999, 0.1001, 2.0])
    found = second_on_tape(lambda x: np.sum(np.sinc(x)), x, np.ones(6)) / WEIGHT
    # By the series -pi**2 / 3 * (1 - 3 * (pi * x)**2 / 10 + ...), and from 0.1 on by
    # sinc''(x) = -pi**2 * sinc(x) - 2 * sinc'(x) / x.
    near, far = x[:3], x[3:]
    expected = -(math.pi**2) / 3 * (1 - 3 * (math.pi * near) ** 2 / 10)
    slopes = (np.cos(math.pi * far) - np.sinc(far)) / far
    others = -(math.pi**2) * np.sinc(far) - 2 * slopes / far
    np.testing.assert_allclose(found, [*expected, *others], rtol=1e-10)


def test_the_curvature_of_a_smooth_function_at_a_tie():
    x, one = np.array([0.3]), np.ones(1)
    found = second_on_tape(lambda x: np.sum(np.logaddexp(x, 0.3)), x, one)
    np.testing.assert_allclose(found, [WEIGHT / 4])


@pytest.mark.parametrize("f", [np.prod, np.cumprod, np.std, np.median, np.max])
def test_nan_in_one_row_stays_there(f):
    x = np.array([[1.0, 2.0, 4.0], [1.0, NAN, 3.0]])
    found = slope(lambda x: f(x, axis=1)[0], x)
    assert np.all(np.isfinite(found[0]))


@pytest.mark.parametrize("f", [np.fmax, np.fmin])
def test_a_nan_that_is_left_out_has_no_slope(f):
    np.testing.assert_array_equal(slope(lambda x: f(x[0], x[1]), [NAN, 2.0]), [0, 1])


def test_an_infinite_slope_of_a_maximum_goes_to_it_alone():
    found = slope(lambda x: np.sqrt(1 - np.max(x)), [0.0, 1.0, -2.0])
    np.testing.assert_array_equal(found, [0, -INF, 0])
