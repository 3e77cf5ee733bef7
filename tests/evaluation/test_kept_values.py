"""Values that a function keeps: once its call is over, each acts as the array at x."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from cases.differences import gradient, way_name

from xgrad import losses

X = np.linspace(0.5, 1.5, 12)


def keep_matrices():
    """Return what a function keeps that is evaluated at many points at once."""
    kept = []

    def f(x):
        kept.append(x.reshape(4, 3))
        return np.sum(kept[-1] ** 3)

    for _ in range(3):
        np.testing.assert_allclose(gradient(f, X), 3 * X**2, rtol=1e-8)
    assert way_name(f) == "sparse"
    kept = [matrix for matrix in kept if type(matrix) is not np.ndarray]
    assert kept
    return kept


EXPECTED = X.reshape(4, 3)
USES = {
    "text": lambda w: f"{w} {w!s} {w!r}",
    "asarray": np.asarray,
    "product": lambda w: np.ones((2, 4)) @ w,
    "reflected": lambda w: 1 - w,
    "ufunc": lambda w: np.multiply(w, w, out=np.empty((4, 3))),
    "reduced ufunc": np.maximum.reduce,
    "function": lambda w: np.concatenate([w, np.ones((1, 3)), w]),
    "norm": np.linalg.norm,
    "where": lambda w: np.where(w > 1, w, 0.0),
    "method": lambda w: w.mean(axis=0),
    "other method": lambda w: w.tobytes(),
    "list": lambda w: w.tolist(),
    "entry": lambda w: float(w[1, 2]),
    "branch": lambda w: 1.0 if w[0, 0] > 0 else 2.0,
    "mask": lambda w: w[w > 1],
    "transposed": lambda w: w.T,
    "rows": lambda w: [row + 1 for row in w],
    "length": len,
    "bound": lambda w: max(w[0]),
    "copy": copy.deepcopy,
    "rounded": lambda w: round(w[1, 1], 2),
    "pickle": lambda w: pickle.loads(pickle.dumps(w)),
    "loss": lambda w: losses.mean_squared_error(w, np.ones((4, 3))),
    "negative": lambda w: -w,
    "keys": lambda w: np.arange(30.0)[(10 * w).astype(int)],
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_kept_array_acts_as_the_array_at_x(use):
    for kept in keep_matrices():
        result, expected = use(kept), use(EXPECTED.copy())
        assert type(result) is type(expected)
        np.testing.assert_array_equal(result, expected)


def test_a_kept_array_may_be_written_to():
    first, *others = keep_matrices()
    first[0, 0] = 7.0
    first[1] *= 2
    expected = EXPECTED.copy()
    expected[0, 0], expected[1] = 7.0, 2 * expected[1]
    np.testing.assert_array_equal(first, expected)
    first.sort(axis=0)
    np.testing.assert_array_equal(first, np.sort(expected, axis=0))
    for other in others:
        np.testing.assert_array_equal(other, EXPECTED)
    assert X[0] == 0.5


def test_a_history_of_values():
    history = []

    def f(x):
        history.append(np.sum(x**2))
        return history[-1]

    for _ in range(3):
        gradient(f, X)
    assert min(history) <= np.sum(X**2) <= max(history)
    np.testing.assert_allclose(np.mean(history), np.sum(X**2), rtol=1e-3)
    assert sorted(history) == sorted(map(float, history))


def test_a_solution_to_begin_the_next_one_with():
    start = [np.ones(12)]

    def f(x):
        for _ in range(20):
            start[0] = start[0] - (start[0] ** 2 - x) / (2 * start[0])
        return np.sum(start[0])

    for _ in range(3):
        np.testing.assert_allclose(gradient(f, X), 0.5 / np.sqrt(X), rtol=1e-7)
    assert way_name(f) == "sparse"
    np.testing.assert_allclose(np.asarray(start[0]), np.sqrt(X), rtol=1e-3)


def test_the_last_value_for_an_equal_argument():
    last = [None, None]

    def f(x):
        if last[0] is None or not np.array_equal(x, last[0]):
            last[:] = x, np.sum(x**2)
        return last[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for shift in (0, 1, 1, 2):
            slopes = gradient(f, X + shift)
            np.testing.assert_allclose(slopes, 2 * (X + shift), rtol=1e-7)


def test_a_value_of_an_earlier_call_is_no_result():
    kept = []

    def f(x):
        kept.append(np.sum(x**2))
        of_many_points = [v for v in kept if not isinstance(v, np.generic)]
        return of_many_points[0] if len(of_many_points) > 3 else kept[-1]

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(6):
            gradient(f, X)
    assert any("keep none of them" in str(w.message) for w in told)
