"""Checks of gradients: mistakes that are named, costs, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from cases.checked import LARGE, cubes, far_from_zero, smooth

from xgrad import check_gradient, gradient
from xgrad._arrays.namespaces import device_of


@pytest.mark.parametrize("entry", [0, 1, 4321, 9998, 9999])
def test_halving_names_the_wrong_entry(rng, entry):
    f, right, x = smooth(10_000, rng)
    wrong = right.copy()
    wrong[entry] *= 1.03
    report = check_gradient(f, wrong, x)
    assert report.verdict == "fail"
    assert report.worst.index == (entry,)
    assert report.worst.given == pytest.approx(wrong[entry])
    assert report.worst.measured == pytest.approx(right[entry])
    assert report.worst.allowed < abs(right[entry]) * 1e-4
    assert report.hint == f"all of the difference lies in x[{entry}]"


def test_halving_names_the_worst_of_several(rng):
    f, right, x = smooth(5000, rng)
    wrong = right.copy()
    wrong[[10, 3000]] = [right[10] + 5, right[3000] - 7]
    report = check_gradient(f, wrong, x)
    assert {row.index for row in report.entries} == {(10,), (3000,)}


def test_an_entry_of_many_axes_is_named_by_its_index(rng):
    f, right, x = smooth(1200, rng)
    shape = (10, 8, 15)
    wrong = right.reshape(shape).copy()
    wrong[2, 7, 11] += 1
    report = check_gradient(lambda x: f(x.ravel()), wrong, x.reshape(shape))
    assert report.worst.index == (2, 7, 11)
    assert "x[2, 7, 11]" in str(report)


def _network(rng, n):
    """Loss and gradient by weights (n, 3) and biases of tanh(A W + b)."""
    A = rng.normal(size=(6, n))

    def f(p):
        return np.mean(np.tanh(A @ p["W"] + p["b"][0]))

    def grad(p):
        slope = (1 - np.tanh(A @ p["W"] + p["b"][0]) ** 2) / 18
        return {"W": A.T @ slope, "b": [slope.sum(axis=0)]}

    return f, grad, {"W": rng.normal(size=(n, 3)), "b": [rng.normal(size=3)]}


@pytest.mark.parametrize("n", [4, 200])
def test_nested_parameters_are_checked_array_by_array(rng, n):
    f, grad, p = _network(rng, n)
    assert check_gradient(f, grad, p).verdict == "pass"

    def wrong(p):
        slopes = grad(p)
        slopes["b"][0][1] = 0
        return slopes

    report = check_gradient(f, wrong, p)
    assert report.verdict == "fail"
    assert report.worst.index == ("b", 0, (1,))
    assert "x['b'][0][1]" in str(report)
    assert report.hint.startswith("only x['b'][0] differs")


@pytest.mark.parametrize("n", [4, 200])
def test_nested_gradients_match_by_the_names_of_their_keys(rng, n):
    f, grad, p = _network(rng, n)
    # Backward passes fill in the last layer first.
    assert check_gradient(f, lambda p: dict(reversed(grad(p).items())), p)

    def exchanged(p):
        slopes = grad(p)
        return {"b": [slopes["b"][0][::-1]], "W": slopes["W"]}

    report = check_gradient(f, exchanged, p)
    assert report.verdict == "fail"
    assert report.worst.index[:2] == ("b", 0)


MISTAKES = {
    "twice the measured one": lambda g: 2 * g,
    "half the measured one": lambda g: g / 2,
    "the wrong sign": lambda g: -g,
    "1.001 times the measured one": lambda g: 1.001 * g,
    "30 times the measured one: did you forget the 1/30 of a mean?": lambda g: 30 * g,
    "1/30 of the measured one: do you divide by 30": lambda g: g / 30,
    "57 times the measured one: did you forget the 1/57": lambda g: 57 * g,
    "0 everywhere": lambda g: 0 * g,
    "transposed": lambda g: g.T.reshape(g.shape),
}


@pytest.mark.parametrize("shape", [(30, 4), (30, 30)])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_usual_mistakes_are_named(rng, shape, mistake):
    A, x = rng.normal(size=(5, shape[0])), rng.normal(size=shape)
    f = lambda x: np.sum(np.sin(A @ x))  # noqa: E731
    given = MISTAKES[mistake](A.T @ np.cos(A @ x))
    report = check_gradient(f, given, x)
    assert report.verdict == "fail"
    assert mistake in report.hint
    assert report.hint in str(report)


@pytest.mark.parametrize("shape", [(3,), (30, 4), (30, 30)])
@pytest.mark.parametrize("rate", [0.1, -3.0])
def test_a_wrong_penalty_is_named(rng, shape, rate):
    A, x = rng.normal(size=(5, shape[0])), rng.normal(size=shape)
    f = lambda x: np.sum(np.sin(A @ x)) + rate * np.sum(x**2)  # noqa: E731
    report = check_gradient(f, A.T @ np.cos(A @ x) + rate * x, x)
    assert report.verdict == "fail"
    assert f"differs from the measured one by {-rate:g} * x:" in report.hint


ORDERS = {
    "in reverse order": lambda g: g[::-1],
    "shifted by one entry": lambda g: np.roll(g, 1),
    "shifted back by one entry": lambda g: np.roll(g, -1),
}


@pytest.mark.parametrize("n", [6, LARGE])
@pytest.mark.parametrize("order", ORDERS)
def test_entries_out_of_order_are_named(rng, n, order):
    f, right, x = smooth(n, rng)
    report = check_gradient(f, ORDERS[order](right).copy(), x)
    assert report.verdict == "fail"
    assert report.hint == f"the given gradient with respect to x is {order}"


def test_a_shift_along_an_axis_is_named(rng):
    f, right, x = smooth(24, rng)
    given = np.roll(right.reshape(4, 6), 1, axis=0)
    report = check_gradient(lambda x: f(x.ravel()), given, x.reshape(4, 6))
    assert report.hint.endswith("is shifted by one entry along axis 0")


def test_shuffled_entries_are_named(rng):
    f, right, x = smooth(9, rng)
    given = right[[3, 0, 1, 2, 8, 4, 7, 5, 6]]
    report = check_gradient(f, given, x)
    assert report.hint.endswith("has the right entries, but in another order")
    given[0] *= 1.01
    assert "another order" not in check_gradient(f, given, x).hint


@pytest.mark.parametrize("labels", [[1], [1, 0, 2, 2]])
def test_a_guard_in_a_logarithm_is_named(rng, labels):
    """The textbook's loss has one, its backward pass has none."""
    z = rng.normal(size=(len(labels), 3))
    onehot = np.eye(3)[labels]

    def softmax(z):
        return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)

    def loss(z, guard=1e-7):
        return -np.sum(onehot * np.log(softmax(z) + guard)) / len(labels)

    grad = lambda z: (softmax(z) - onehot) / len(labels)  # noqa: E731
    report = check_gradient(loss, grad, z)
    assert report.verdict == "fail"
    assert "of itself, as a guard does that only `f` has" in report.hint
    advised = float(report.hint.rpartition("rtol=")[2])
    assert 1e-7 < advised <= 1e-5
    assert check_gradient(loss, grad, z, rtol=advised).verdict == "pass"
    assert check_gradient(lambda z: loss(z, 0.0), grad, z).verdict == "pass"


@pytest.mark.parametrize("shape", [(12, 5), (40, 30)])
@pytest.mark.parametrize(
    ("place", "where"), [((3,), "x[3, ...]"), ((..., 2), "x[..., 2]")]
)
def test_a_wrong_row_or_column_is_named(rng, shape, place, where):
    A, x = rng.normal(size=(5, shape[0])), rng.normal(size=shape)
    given = A.T @ np.cos(A @ x)
    given[place] = 0
    report = check_gradient(lambda x: np.sum(np.sin(A @ x)), given, x)
    assert report.verdict == "fail"
    assert report.hint == f"all of the difference lies in {where}"


def test_the_cost_does_not_grow_with_the_size(rng):
    found = set()
    for n in (257, LARGE, 20_000):
        f, right, x = smooth(n, rng)
        found.add(check_gradient(f, right, x).evaluations)
    assert found == {8 * 26 + 30 + 2}


@pytest.mark.parametrize("full", [True, False])
def test_full_says_whether_entries_are_measured(rng, full):
    for n in (5, 300):
        f, right, x = smooth(n, rng)
        report = check_gradient(f, right, x, full=full)
        assert report.verdict == "pass"
        assert len(report.entries) == n * full


def test_several_arrays_share_the_directions(rng):
    f, grad, p = _network(rng, 200)
    assert len(check_gradient(f, grad, p).directions) == 8
    assert len(check_gradient(f, grad, p, directions=1).directions) == 2
    assert len(check_gradient(f, grad, p, directions=20).directions) == 20


def test_the_seed_decides(rng):
    f, right, x = smooth(LARGE, rng)
    first, same, other = (
        check_gradient(f, right, x, seed=seed).directions for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


def test_nothing_warns_of_a_loop(rng):
    f = lambda x: float(x[0]) ** 2 + float(x[1])  # noqa: E731
    report = check_gradient(f, lambda x: [2 * x[0], 1.0] * x**0, rng.normal(size=2))
    assert report.verdict == "pass"


def test_threads_evaluate(rng):
    f, right, x = smooth(300, rng)
    report = check_gradient(f, right, x, workers=2, full=True)
    assert report.verdict == "pass"


def test_progress_is_told(rng):
    f, right, x = smooth(300, rng)
    told = []
    report = check_gradient(f, right, x, progress=lambda *pair: told.append(pair))
    assert told[-1] == (report.evaluations, report.evaluations)


@pytest.mark.parametrize("n", [5, 300])
def test_functions_of_many_points_are_checked(xp, rng, n):
    batch = lambda x: xp.sum(x**3, axis=-1)  # noqa: E731
    x = xp.asarray(far_from_zero(rng, n))
    grad = cubes(xp)[1]
    assert check_gradient(batch, grad, x, vectorized=True).verdict == "pass"
    wrong = lambda x: -grad(x)  # noqa: E731
    assert check_gradient(batch, wrong, x, vectorized=True).verdict == "fail"


def test_nested_functions_of_many_points_are_checked(rng):
    def batch(p):
        return np.sum(p["a"] ** 2, axis=-1) * np.sum(p["b"], axis=-1)

    p = {"a": rng.normal(size=3), "b": rng.normal(size=4)}
    one = lambda p: {"a": 2 * p["a"] * p["b"].sum(), "b": 0 * p["b"] + p["a"] @ p["a"]}  # noqa: E731
    assert check_gradient(batch, one, p, vectorized=True).verdict == "pass"


def test_numerical_gradients_pass(rng):
    f, _, x = smooth(8, rng)
    assert check_gradient(f, lambda x: gradient(f, x), x).verdict == "pass"


def test_the_arrays_of_the_caller_stay_as_they_are(rng):
    x = rng.normal(size=5)
    x.flags.writeable = False
    before = x.copy()

    def f(x):
        x *= 2  # its own copy
        return np.sum(x**2)

    def grad(x):
        x *= 8
        return x

    assert check_gradient(f, grad, x, vectorized=False).verdict == "pass"
    np.testing.assert_array_equal(x, before)


def test_everything_stays_on_its_device(xp, rng):
    f, _ = cubes(xp)
    seen = []

    def grad(x):
        seen.append(device_of(x))
        return 3 * x**2

    x = xp.asarray(far_from_zero(rng, 3))
    assert check_gradient(f, grad, x)
    assert seen == [device_of(x)]


X = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_gradient(np.sin, np.cos, X), "return a scalar.*check_vjp"),
        (lambda: check_gradient(3, np.cos, X), "`f` must be callable"),
        (lambda: check_gradient(np.sum, X, np.ones_like), "`x` is a function"),
        (lambda: check_gradient(np.sum, np.ones(3), X), r"`grad` has shape \(3,\)"),
        (lambda: check_gradient(np.sum, lambda x: x[:1], X), r"`grad\(x\)` has shape"),
        (lambda: check_gradient(np.sum, lambda x: None, X), "is a `return` missing"),
        (lambda: check_gradient(np.sum, "x", X), "`grad` must be an array"),
        (lambda: check_gradient(np.sum, 1j * X, X), "must hold real numbers"),
        (lambda: check_gradient(np.sum, X, 1j * X), "must hold real numbers"),
        (lambda: check_gradient(np.sum, X, X[:0]), r"`x` has no entries|has shape"),
        (
            lambda: check_gradient(lambda p: p["a"].sum(), {"b": X}, {"a": X}),
            r"nested as x is, with grad\['a'\]; got grad\['b'\]",
        ),
        (
            lambda: check_gradient(lambda p: p["a"].sum(), {"b": X, "a": X}, {"a": X}),
            r"nested as x is, with grad\['a'\]; got grad\['b'\], grad\['a'\]",
        ),
        (lambda: check_gradient(np.sum, X, X, directions=0), "`directions` must be"),
        (
            lambda: check_gradient(np.sum, X, X, directions=10**30),
            "`directions` must be at most 10000",
        ),
        (lambda: check_gradient(np.sum, X, X, full="yes"), "`full` must be one of"),
        (lambda: check_gradient(np.sum, X, X, rtol=-1), "`rtol` must be in"),
        (lambda: check_gradient(np.sum, X, X, rtol="1"), "`rtol` must be a number"),
        (lambda: check_gradient(np.sum, X, X, seed=-1), "`seed` must be at least"),
        (lambda: check_gradient(np.sum, X, X, vectorized=2), "`vectorized` must be"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_lazy_arrays_are_refused():
    array = pytest.importorskip("dask.array")
    with pytest.raises(TypeError, match="lazy array"):
        check_gradient(lambda x: x.sum(), lambda x: x, array.ones(3))


def test_arrays_of_two_libraries_are_refused():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="different libraries"):
        check_gradient(np.sum, strict.ones(2), X)


def test_an_exception_says_where_f_was_evaluated():
    def f(x):
        if x[0] > 1.1:
            raise RuntimeError("too large")
        return np.sum(x)

    with pytest.raises(RuntimeError, match="too large") as caught:
        check_gradient(f, np.ones(2), X, vectorized=False)
    assert "xgrad was evaluating `f`" in caught.value.__notes__[0]


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_a_factor_cannot_be_seen_where_all_slopes_are_zero(factor):
    def f(w):
        return np.sum(w**2)

    report = check_gradient(f, lambda w: factor * 2 * w, np.zeros((3, 2)))
    assert report.verdict == "inconclusive"
    assert "all slopes are 0" in report.hint
    assert "check at random values" in report.hint
    # One entry is enough to tell.
    x = np.zeros((3, 2))
    x[1, 1] = 1.0
    verdict = check_gradient(f, lambda w: factor * 2 * w, x).verdict
    assert verdict == ("pass" if factor == 1 else "fail")
