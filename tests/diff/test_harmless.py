"""Derivatives harm nobody: arguments stay, and errors and warnings are told."""

import numpy as np
import pytest
from cases.compare import assert_close
from cases.statuses import warns_of

import xgrad
from xgrad import custom_vjp, gradient, jvp, losses, to_numpy, vjp


def test_the_argument_of_f_is_never_the_callers(xp):
    x = xp.asarray([1.0, 2.0])
    seen = []
    gradient(lambda v: (seen.append(v), xp.sum(v**2))[1], x)
    assert all(v is not x for v in seen)


def test_a_function_that_writes_into_its_argument_harms_nobody():
    def f(v):
        v *= 2
        return np.sum(v**2)

    x = np.array([1.0, 2.0])
    assert_close(gradient(f, x), [8, 16], rtol=1e-10)
    np.testing.assert_array_equal(x, [1.0, 2.0])

    def g(tree):
        tree["a"] += 1
        tree["b"] -= 1
        return np.sum(tree["a"] * tree["b"])

    tree = {"a": np.array([1.0, 2.0]), "b": np.array([5.0, 7.0])}
    slopes = gradient(g, tree)
    assert_close(slopes["a"], [4, 6], rtol=1e-10)
    np.testing.assert_array_equal(tree["a"], [1.0, 2.0])


def test_a_function_that_keeps_its_argument_sees_it_unchanged():
    kept = []

    def f(v):
        kept.append((v, v.copy()))
        return np.sum(v**2)

    gradient(f, np.array([1.0, 2.0]), method="central", vectorized=False)
    assert len(kept) == 9
    for held, copied in kept:
        np.testing.assert_array_equal(held, copied)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_an_exception_leaves_the_input_as_it_was(error, at):
    calls = 0

    def f(v):
        nonlocal calls
        calls += 1
        if calls == at:
            raise error("stop")
        return np.sum(v**2)

    x = np.array([1.0, 2.0])
    with pytest.raises(error, match="stop"):
        gradient(f, x, method="central", vectorized=False)
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_an_exception_tells_the_coordinate_and_the_step():
    def f(tree):
        if tree["w"][1, 0] > 3:
            raise RuntimeError("too large")
        return np.sum(tree["w"])

    tree = {"w": np.array([[1.0, 2.0], [3.0, 4.0]])}
    with pytest.raises(RuntimeError, match="too large") as caught:
        gradient(f, tree, method="central", accuracy=2, vectorized=False)
    (note,) = caught.value.__notes__
    assert note.startswith("xgrad was evaluating `f` at x['w'][1, 0] moved by 7.63e-06")


def test_an_exception_in_a_batch_tells_where_it_began():
    def f(v):
        if len(v) > 1:
            raise RuntimeError("no batches")
        return np.sum(v, axis=-1)

    with pytest.raises(RuntimeError, match="no batches") as caught:
        gradient(f, np.ones(3), method="central", vectorized=True)
    assert (
        "12 points at once, the first with x[0] moved by" in caught.value.__notes__[0]
    )


def test_warnings_at_x_are_the_callers_and_elsewhere_are_silenced():
    with pytest.warns(RuntimeWarning, match="divide by zero"), warns_of("NONFINITE"):
        gradient(lambda v: np.sum(1 / v), np.array([0.0]))
    with warns_of("NONFINITE") as told:
        slopes = gradient(
            lambda v: np.sum(np.sqrt(v)), np.array([1e-9]), method="central"
        )
    assert len(told) == 1
    assert np.isfinite(slopes).all()


def test_checks_of_a_prediction_are_off_beside_x_but_on_at_x(xp, rng):
    p, y = xp.asarray(rng.dirichlet(np.ones(3), 4)), xp.asarray([0, 1, 2, 0])
    slopes = gradient(lambda q: losses.cross_entropy(q, y, delta=0.1), p)
    exact = to_numpy(losses.cross_entropy.grad(p, y, delta=0.1))
    assert_close(slopes, exact, rtol=1e-8, atol=1e-11)
    with pytest.raises(ValueError, match="sum to 1"):
        gradient(lambda q: losses.cross_entropy(q, y), p / 2)
    with pytest.raises(ValueError, match=r"target\[0\] is 3"):
        gradient(lambda q: losses.cross_entropy(q, y + 3), p)


MOVES = {
    "itself": lambda xp, x: x,
    "a sum and a constant": lambda xp, x: x + xp.ones_like(x),
    "a view": lambda xp, x: xp.reshape(x, (-1,)),
    "other axes": lambda xp, x: xp.permute_dims(x, (1, 0)),
    "a part": lambda xp, x: x[1:, :],
    "a sum over an axis": lambda xp, x: xp.sum(x, axis=0),
    "a mean": lambda xp, x: xp.mean(x, axis=1),
    "repeated": lambda xp, x: xp.broadcast_to(x, (2, *x.shape)),
}


@pytest.mark.parametrize("move", MOVES)
def test_results_are_the_callers_to_write_into(xp, move):
    x = xp.reshape(xp.arange(120, dtype=xp.float64), (3, 40))
    if type(x).__module__.startswith("jax"):
        pytest.skip("arrays of JAX cannot be written into")
    v = x / 7

    def f(x):
        return MOVES[move](xp, x)

    _, pull = vjp(f, x)
    cotangent = xp.ones_like(f(x))
    slopes = pull(cotangent), pull(cotangent), gradient(lambda x: xp.sum(f(x)), x)
    pair = gradient(lambda p: xp.sum(f(p[0]) + f(p[1])), (x, v))
    products = jvp(f, x, v), xgrad.jacobian(f, x)
    results = [*slopes, *pair, *products]
    givens = [(array, to_numpy(array).copy()) for array in (x, v, cotangent)]
    before = [to_numpy(result).copy() for result in results]
    for i, result in enumerate(results):
        result += 1
        before[i] = before[i] + 1
        for other, expected in zip(results, before, strict=True):
            np.testing.assert_array_equal(to_numpy(other), expected)
    for array, expected in givens:
        np.testing.assert_array_equal(to_numpy(array), expected)


def test_what_a_custom_pull_keeps_is_not_given_away():
    kept = np.full(40, 2.0)
    twice = custom_vjp(lambda x: 2 * x, lambda x, cotangent: kept)
    slopes = gradient(lambda x: np.sum(twice(x)), np.ones(40))
    slopes += 1
    assert (kept == 2).all()


@pytest.mark.parametrize("size", [10, 5_000])
def test_slopes_of_a_sum_are_an_array_of_their_own(size):
    slopes = gradient(np.sum, np.zeros(size))
    assert slopes.flags.writeable
    assert slopes.flags.owndata
    assert slopes.strides == (8,)
