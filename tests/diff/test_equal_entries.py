"""Functions that put entries in order: what their derivatives are where some are equal.

Which of two equal entries comes first changes nothing but the derivative, and that only
where the two count differently.
"""

from __future__ import annotations

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import Status, derivative, gradient, hessian, jacobian, jvp

KINK, OK = int(Status.KINK), int(Status.OK)
WEIGHTS = np.arange(4.0)
X = np.array([0.5, 1.0, 2.0])


def statuses(f, x):
    _, estimate = gradient(f, np.asarray(x), full_output=True)
    assert estimate.method == "autodiff"
    return estimate.status.tolist()


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.median, [0.0, 0.0, 0.0], [KINK] * 3),
        (np.median, [1.0, 1.0, 2.0, 0.0, 3.0], [KINK, KINK, OK, OK, OK]),
        (np.median, [1.0, 1.0, 2.0, 0.0], [OK] * 4),
        (lambda x: np.sort(x) @ WEIGHTS, [1.0, 1.0, 2.0, 0.0], [KINK, KINK, OK, OK]),
        (lambda x: np.sort(x)[2:] @ WEIGHTS[:2], [1.0, 1.0, 2.0, 0.0], [OK] * 4),
        (lambda x: np.sum(np.sort(x) ** 2), [1.0, 1.0, 2.0, 1.0], [OK] * 4),
        (lambda x: np.partition(x, 1)[0], [1.0, 1.0, 2.0, 1.0], [KINK, KINK, OK, KINK]),
        (lambda x: np.quantile(x, 0.25), [1.0, 1.0, 2.0, 0.0], [KINK, KINK, OK, OK]),
        (lambda x: np.quantile(x, 0.1), [1.0, 1.0, 2.0, 0.0], [KINK, KINK, OK, OK]),
        (lambda x: np.nanmedian(x), [2.0, np.nan, 2.0, 2.0], [KINK, OK, KINK, KINK]),
    ],
)
def test_equal_entries_that_count_differently_are_a_corner(f, x, expected):
    assert statuses(f, x) == expected


def halves(x):
    return x[0] ** 2 if x[0] < x[1] else 3 * x[1]


def doubles(x):
    low = np.floor(x).astype(int)
    table = np.array([0.0, 1.0, 4.0, 9.0, 16.0])
    return np.sum(table[low] + (x - low) * (table[low + 1] - table[low]))


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: x[np.argmax(x)], [1.0, 1.0, 0.0], [KINK, KINK, OK]),
        (lambda x: x[x.argmin()] * 2, [1.0, 0.0, 0.0], [OK, KINK, KINK]),
        (lambda x: x[np.argsort(x)] @ WEIGHTS[:3], [1.0, 1.0, 0.0], [KINK, KINK, OK]),
        (lambda x: max(x), [1.0, 1.0, 0.0], [KINK, KINK, OK]),
        (lambda x: min(x), [1.0] * 8 + [2.0], [KINK] * 8 + [OK]),
        (lambda x: x[np.argmax(x)], [0.0] * 16, [KINK] * 16),
        (lambda x: np.sum(x * np.copysign(2, x)), [0.0, 1.0, -1.0], [KINK, OK, OK]),
        (lambda x: sorted(x)[1], [1.0, 1.0, 0.0], [KINK, KINK, OK]),
        (halves, [1.0, 1.0], [KINK, KINK]),
        (lambda x: np.sum(np.where(x > 0, x, 0)), [0.0, 1.0, -0.0], [KINK, OK, KINK]),
        (lambda x: np.sum(x * (x >= 1)), [0.0, 1.0, 2.0], [OK, KINK, OK]),
        (lambda x: np.sum(x % 1 * np.floor(x)), [0.5, 1.0, 1.5], [OK, KINK, OK]),
        (doubles, [0.5, 1.0, 2.5], [OK, KINK, OK]),
    ],
)
def test_a_choice_between_equal_values_is_a_corner_where_it_counts(f, x, expected):
    assert statuses(f, x) == expected
    _, rows = jacobian(f, np.asarray(x), full_output=True)
    assert rows.status.tolist() == expected


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x[np.argsort(x)] ** 2),
        lambda x: x[np.argsort(x)] @ x[[2, 1, 0]],
        lambda x: np.sum(np.where(x <= x, x**2, 3 * x)),
        lambda x: np.sum(np.where(x < x[::-1][::-1], x**2, 3 * x)),
        lambda x: np.sum(x**2) if x[0] < x[1] else np.dot(x, x),
        lambda x: np.sum(np.clip(x**3, -9, np.minimum(9, 9))),
        lambda x: np.sum(np.where(x > 1, x**2, 2 * x**2 - 2 * x + 1)),
    ],
)
def test_a_choice_between_equal_values_is_none_where_it_does_not_count(f):
    assert statuses(f, [1.0, 1.0, 0.5]) == [OK] * 3
    _, slopes = jacobian(f, np.array([1.0, 1.0, 0.5]), full_output=True)
    assert (slopes.status == OK).all()


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: np.sum(np.sqrt(x**2)), [0.0, 1.0], [KINK, OK]),
        (lambda x: np.sqrt(np.sum((x - 1) ** 2)), [1.0, 1.0], [KINK, KINK]),
        (lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)), [4.0, -1.0], [OK, OK]),
        (lambda x: np.sum(1 / (1 + np.exp(-x))), [0.0, -1000.0], [OK, OK]),
    ],
)
def test_an_infinite_slope_times_zero_may_be_a_corner(f, x, expected):
    with np.errstate(all="ignore"):
        assert statuses(f, x) == expected
        _, slopes = jvp(f, np.asarray(x), np.ones(2), full_output=True)
    assert int(slopes.status) == max(expected)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.sum(np.abs(np.abs(x))), [KINK, KINK, OK]),
        (lambda x: np.hypot(np.hypot(x[0], x[1]), x[2] - 1), [KINK, KINK, KINK]),
        (lambda x: np.abs(np.std(x[:2])), [KINK, KINK, OK]),
        (lambda x: np.sort(np.abs(x)) @ [1, 2, 3], [KINK, KINK, OK]),
        (lambda x: np.sum(np.abs(np.abs(x)) ** 2), [OK, OK, OK]),
    ],
)
def test_a_corner_is_seen_through_another_one(f, expected):
    assert statuses(f, [0.0, 0.0, 1.0]) == expected


def test_a_sparse_matrix_that_has_other_entries_close_by():
    def f(x):
        return np.where(x >= 1, x * np.roll(x, 1), x)

    x = np.ones(5)
    for derive, g in ((jacobian, f), (hessian, lambda x: np.sum(f(x) ** 2))):
        found, dense = derive(g, x, full_output=True)
        sparse, estimate = derive(g, x, sparsity="auto", full_output=True)
        assert_close(sparse.toarray(), found, rtol=1e-14)
        rows, columns = sparse.tocoo().coords
        assert (estimate.status == dense.status[rows, columns]).all()


def steps(x):
    return np.where(x < 1, x, x + 5)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (steps, [OK, KINK, OK]),
        (lambda x: np.floor(x) + x, [OK, KINK, KINK]),
        (lambda x: x % 1, [OK, KINK, KINK]),
        (lambda x: np.where(x < 1, x, 2 * x - 1), [OK, KINK, OK]),
        (lambda x: np.where(x < 1, x, x**2 / 2 + 0.5), [OK, OK, OK]),
    ],
)
def test_a_jump_is_told_where_it_is(f, expected):
    x = X
    assert statuses(lambda x: np.sum(f(x)), x) == expected
    for derive in (derivative, lambda f, x, **options: jvp(f, x, X, **options)):
        _, estimate = derive(f, x, full_output=True)
        assert estimate.status.tolist() == expected
    _, dense = jacobian(f, x, full_output=True)
    assert np.diag(dense.status).tolist() == expected
    assert (dense.status[~np.eye(3, dtype=bool)] == OK).all()
    _, sparse = jacobian(f, x, sparsity="auto", full_output=True)
    assert sparse.status.tolist() == expected


def test_a_jump_along_other_entries_than_those_that_move():
    x = X
    _, estimate = jvp(steps, x, np.array([1.0, 0.0, 1.0]), full_output=True)
    assert estimate.status.tolist() == [OK, OK, OK]
    f = lambda p: np.sum(steps(p["a"])) + np.sum(p["b"])  # noqa: E731
    _, estimate = gradient(f, {"a": x, "b": x}, full_output=True)
    assert estimate.status["a"].tolist() == [OK, KINK, OK]
    assert estimate.status["b"].tolist() == [OK, OK, OK]


def test_second_derivatives_know_choices_between_equal_values():
    def f(x):
        return np.sum(np.where(x > 1, x**2, 2 * x**2 - 2 * x + 1))

    _, estimate = hessian(f, np.array([1.0, 0.5]), full_output=True)
    assert estimate.status.tolist() == [[KINK, OK], [OK, OK]]


def test_equal_entries_of_different_rows_are_none():
    x = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 1.0]])
    expected = [[OK] * 3, [OK, KINK, KINK]]
    assert statuses(lambda x: np.sort(x, axis=1)[:, 0] @ [1, 2], x) == expected
    assert statuses(lambda x: np.sum(np.quantile(x, 0.2, axis=1)), x) == expected
    assert statuses(lambda x: np.sum(np.sort(x, axis=0)[0]), x) == [[OK] * 3] * 2


def test_rows_of_a_jacobian_know_their_corners():
    _, estimate = jacobian(np.sort, np.array([1.0, 1.0, 2.0]), full_output=True)
    expected = [[KINK, KINK, OK], [KINK, KINK, OK], [OK, OK, OK]]
    assert estimate.status.tolist() == expected


def test_corners_that_cancel_are_none_in_second_derivatives():
    x = np.array([1.0, 1.0, 2.0])
    found, estimate = hessian(lambda x: np.sum(np.sort(x) ** 2), x, full_output=True)
    assert_close(found, 2 * np.eye(3), rtol=1e-12)
    assert (estimate.status == OK).all()
    _, estimate = hessian(lambda x: np.sort(x) ** 2 @ [1, 2, 3], x, full_output=True)
    assert (estimate.status[:2, :2] == KINK).all()


def test_a_sum_of_exponentials_has_no_corner_where_its_largest_are_equal():
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed")
    x = np.array([1.0, 1.0, 0.0, 1.0])
    expected = np.exp(x) / np.sum(np.exp(x))
    for f in (np.logaddexp.reduce, lambda x: special.logsumexp(x)):
        found, estimate = gradient(f, x, full_output=True)
        assert_close(found, expected, rtol=1e-12)
        assert estimate.status.tolist() == [OK] * 4
        curvature, estimate = hessian(f, x, full_output=True)
        outer = np.outer(expected, expected)
        assert_close(curvature, np.diag(expected) - outer, rtol=1e-12)
        assert (estimate.status == OK).all()
