"""Under `max_bytes` a tape drops what it saved, and comes to the same gradient."""

from __future__ import annotations

import gc
import random
import tracemalloc
import weakref

import array_api_strict
import numpy as np
import pytest
from cases.derivatives import (
    FIBRE_CASES,
    MATRIX_CASES,
    MOVE_CASES,
    TRANSFORM_CASES,
    entry_cases,
)
from cases.idioms import IDIOMS, point
from cases.second_attempts import X as SHORT
from cases.second_attempts import second
from cases.tape import weights_of
from cases.written_for_numpy import WRITTEN_FOR_NUMPY
from cases.written_programs import Writer, function_of

import xgrad
from xgrad._arrays import common_namespace
from xgrad._autodiff import ChangedConstantError, record
from xgrad._autodiff.budget import Budget
from xgrad._autodiff.partials import PARTIALS
from xgrad._autodiff.replay import Stretches
from xgrad._autodiff.substitution import substituted
from xgrad.losses import softmax_cross_entropy

RULES = [
    *entry_cases(list(PARTIALS)),
    *FIBRE_CASES,
    *MATRIX_CASES,
    *TRANSFORM_CASES,
    *MOVE_CASES,
]
X = np.random.default_rng(0).normal(size=500)


@pytest.fixture
def cuts(monkeypatch):
    """Cut tapes at random, and drop nearly all stretches, however little that frees."""
    rng = random.Random(0)

    def cut(share, dropped=0.8):
        monkeypatch.setattr(Budget, "is_full", lambda _: rng.random() < share)
        monkeypatch.setattr(Budget, "pays", lambda _: rng.random() < dropped)
        monkeypatch.setattr(Budget, "is_hopeless", lambda *_: False)

    cut(0.3)
    return cut


def trace(f, x, max_bytes=None, **options):
    """Record a function; return the recording, gradient and kinks of its result."""
    xp = common_namespace(x=x)
    with np.errstate(all="ignore"):
        recording = record(
            lambda leaves: f(leaves[0]), xp, [x], max_bytes=max_bytes, **options
        )
        result = np.asarray(recording.result)
        cotangent = xp.asarray(weights_of(result).astype(result.dtype))
        slopes = recording.pull(cotangent)[0]
        again = recording.pull(cotangent)[0]
        kinks = recording.kinks(cotangent)
    np.testing.assert_array_equal(np.asarray(slopes), np.asarray(again))
    return recording, np.asarray(slopes), kinks


def assert_same(f, x):
    """Nothing differs by a bit from a tape that keeps everything."""
    plain, slopes, kinks = trace(f, x.copy())
    sparing, found, found_kinks = trace(f, x.copy(), 1)
    np.testing.assert_array_equal(np.asarray(sparing.result), np.asarray(plain.result))
    np.testing.assert_array_equal(found, slopes)
    assert sparing.path == plain.path
    assert (found_kinks is None) == (kinks is None)
    if kinks is not None:
        np.testing.assert_array_equal(found_kinks[0], kinks[0])
    return isinstance(sparing.tape, Stretches)


def peak(f, x, max_bytes=None):
    """Return the most memory that value and gradient take, and the gradient."""
    xp = common_namespace(x=x)
    tracemalloc.start()
    try:
        recording = record(lambda leaves: f(leaves[0]), xp, [x], max_bytes=max_bytes)
        (slopes,) = recording.pull(np.ones(()))
        return tracemalloc.get_traced_memory()[1], slopes
    finally:
        tracemalloc.stop()


# The same bits


@pytest.mark.sampled(5)
@pytest.mark.parametrize("case", RULES, ids=str)
def test_every_rule(case, cuts):
    cuts(1.0, dropped=1.0)
    assert_same(lambda x: case.function(np, x), case.point)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("share", [1.0, 0.3, 0.1])
def test_programs_that_write(share, cuts):
    cuts(share)
    counts = []
    for seed in range(60):
        writer = Writer(seed)
        text = writer.text()
        hidden = substituted(function_of(text.replace(", like=x", "")))[0]
        counts += [assert_same(f, writer.x) for f in (function_of(text), hidden)]
    assert sum(counts) > 0.9 * len(counts)


def test_idioms(cuts):
    cuts(0.5)
    compared = 0
    for idiom in IDIOMS:
        f, x = idiom.function(), point(idiom.shape)
        try:
            trace(f, x.copy())
        except Exception:
            continue  # refused without a limit, too
        compared += assert_same(f, x)
    assert compared > 250


@pytest.mark.parametrize("f", WRITTEN_FOR_NUMPY)
def test_second_attempts(f, cuts):
    cuts(0.5)
    assert_same(second(f), SHORT)


def test_arrays_of_the_standard(cuts):
    cuts(1.0, dropped=1.0)

    def f(x):
        xp = x.__array_namespace__()
        y = xp.zeros_like(x)
        for _ in range(5):
            y[0] = x[1] * 2.0
            x = xp.sin(x) + y * x
        return xp.sum(x)

    x = array_api_strict.asarray(X)
    _, slopes, _ = trace(f, x)
    _, found, _ = trace(f, x, 1)
    np.testing.assert_array_equal(found, slopes)


def euler(steps):
    def f(x):
        for _ in range(steps):
            x = x + 0.01 * (np.sin(x) - 0.5 * x)
        return np.sum(x**2)

    return f


def in_place(steps):
    def f(x):
        state = x.copy()
        first = state[:10]
        for _ in range(steps):
            state += 0.01 * np.sin(state)
            first *= 0.999
            state[-1] = state[0] * state[1]
        return np.sum(state**2)

    return f


def filled(steps):
    def f(x):
        for _ in range(steps):
            bend = np.zeros(x.shape, like=x)
            bend[1:-1] = x[2:] - 2 * x[1:-1] + x[:-2]
            x = x + 0.1 * bend - 0.001 * x**3
        return np.sum(x**2)

    return f


def network(steps):
    W = np.random.default_rng(1).normal(size=(50, 50)) / 7

    def f(x):
        h, V = x.reshape(50, -1), W * x[0]
        for _ in range(steps):
            h = xgrad.special.sigmoid(V @ h) - np.where(h > 0, h, 0.01 * h) / 2
        return np.sum(h**2)

    return f


def noisy(steps):
    def f(x):
        rng = np.random.default_rng(2)
        for _ in range(steps):
            growth = 0.01 * np.sin(x) * np.exp(-x * x)
            x = x + growth * rng.normal(size=x.shape)
        return np.sum(x**2)

    return f


# Memory


@pytest.mark.sampled(2)
@pytest.mark.parametrize("make", [euler, in_place, filled, network])
def test_loops_take_little_memory(make):
    f, x = make(600), np.tile(X, 2)
    peak(make(3), x)  # what is imported and remembered at first use
    plain, slopes = peak(f, x)
    little, found = peak(f, x, plain // 10)
    np.testing.assert_array_equal(found, slopes)
    assert little < plain / 6


@pytest.mark.slow
def test_twenty_thousand_steps_take_the_memory_of_six_hundred():
    x = np.tile(X, 2)
    peak(euler(3), x)
    of_600, _ = peak(euler(600), x)
    _, slopes = peak(euler(20_000), x)
    little, found = peak(euler(20_000), x, of_600 // 2)
    np.testing.assert_array_equal(found, slopes)
    assert little < of_600


def test_memory_grows_as_the_root_of_the_steps():
    peak(euler(3), X, 1)
    one, many = (peak(euler(n), X, 1)[0] for n in (300, 2_700))
    assert many < 4 * one


def test_positions_take_memory_as_well():
    """Of numbers there is nothing to drop but the tape itself."""

    def f(x):
        y = x[0]
        for _ in range(2_000):
            y = np.sin(y) * 1.01
        return y

    peak(f, X, 100_000)
    plain, slopes = peak(f, X)
    little, found = peak(f, X, plain // 20)
    np.testing.assert_array_equal(found, slopes)
    assert little < plain / 4


def trajectory(x):
    states = np.zeros((1_000, x.size), like=x)
    states[0] = x
    for t in range(999):
        states[t + 1] = states[t] + 0.01 * np.sin(states[t])
    return np.sum(states[-1] ** 2)


def with_random_numbers(x):
    rng = np.random.default_rng(0)
    for _ in range(1_000):
        x = x + 0.01 * np.sin(x) + 0.01 * rng.normal(size=x.shape)
    return np.sum(x**2)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("f", [trajectory, with_random_numbers])
@pytest.mark.parametrize("max_bytes", [1, 500_000])
def test_where_nothing_is_won_little_is_lost(f, max_bytes):
    """Each stretch would begin with all states, or with the numbers that were drawn."""
    x = np.tile(X, 2)
    peak(f, x, max_bytes)
    plain, slopes = peak(f, x)
    other, found = peak(f, x, max_bytes)
    np.testing.assert_array_equal(found, slopes)
    # The first stretch, which makes the array of states, makes it once more.
    assert other < 1.5 * plain


def test_what_fits_is_kept():
    recording, _, _ = trace(euler(10), X, 10_000_000)
    assert not isinstance(recording.tape, Stretches)


# The caller's code


def test_random_numbers_are_not_drawn_again():
    plain, slopes = peak(noisy(500), X)
    little, found = peak(noisy(500), X, 100_000)
    np.testing.assert_array_equal(found, slopes)
    # They are one of five arrays that the rules of a step keep.
    assert little < plain / 2


def test_functions_of_the_caller_are_called_once(cuts):
    cuts(0.5, dropped=1.0)
    calls = {"f": 0, "forward": 0, "backward": 0}

    def forward(x):
        calls["forward"] += 1
        return x**3

    def backward(x, slope):
        calls["backward"] += 1
        return slope * 3 * x**2

    cube, labels = xgrad.custom_vjp(forward, backward), np.array([1, 0])

    def f(x):
        calls["f"] += 1
        for _ in range(4):
            x = np.sin(cube(x)) + x
        return softmax_cross_entropy(x.reshape(2, 3), labels)

    assert assert_same(f, X[:6])
    # Two recordings, each of them with three ways back.
    assert calls == {"f": 2, "forward": 8, "backward": 24}


def test_errors_that_the_function_catches(cuts):
    cuts(0.5, dropped=1.0)

    def f(x):
        for n in (2, 3, 4):
            try:
                x = x * np.ones(n) + x[:1] @ x
            except ValueError:
                x = np.cos(x)
            view = x[1:]
            x[0] = 0.5
            try:
                view + np.ones(7)
            except ValueError:
                x = x * view[0]
        return np.sum(x)

    assert assert_same(f, X[:3])


def test_errors_that_it_does_not_catch():
    def f(x):
        x[999_999] = 1

    with pytest.raises(IndexError):
        trace(f, X, 1)


def changing(x):
    work = np.ones(1_000)
    for t in range(100):
        x = np.sin(x + work)
        work[:] = t
    return np.sum(x)


def test_constants_that_change_are_noticed(cuts):
    cuts(0.5, dropped=1.0)
    x = np.tile(X, 2)
    with pytest.raises(ChangedConstantError, match="has changed after its use"):
        trace(changing, x, 1)
    _, slopes, _ = trace(changing, x)
    _, found, _ = trace(changing, x, 1, copies_constants=True)
    np.testing.assert_array_equal(found, slopes)


def test_constants_that_change_are_copied_in_the_next_attempt():
    x = np.tile(X, 2)
    # What was proved without a limit is proved again under one.
    expected = xgrad.gradient(changing, x, method="autodiff")
    for _ in range(2):
        found = xgrad.gradient(changing, x, method="autodiff", max_bytes=200_000)
        np.testing.assert_array_equal(found, expected)


def test_small_constants_may_change(cuts):
    cuts(0.5, dropped=1.0)

    def f(x):
        work, index = np.ones(6), np.array([0, 2])
        for t in range(6):
            x = x * work + x[index][0]
            work[:], index[0] = t / 6, t
        return np.sum(np.sin(x))

    assert assert_same(f, X[:6])


# The public functions


def corners(x):
    for _ in range(20):
        x = np.maximum(x, 0.5 * x) + 0.01 * x
    return np.sum(np.abs(x))


@pytest.mark.parametrize(
    ("f", "options"),
    [
        (euler(50), {}),
        (euler(50), {"full_output": True}),
        (corners, {"full_output": True}),
        (lambda x: np.sin(x) * np.exp(-x) + x, {"terms": True}),
        (lambda x: np.sum(np.sin(np.sin(x * x)), axis=-1), {"axis": -1}),
    ],
)
def test_gradients_are_those_without_a_limit(f, options, cuts):
    x = X[:40].reshape(5, 8).copy()
    x[0, 0] = 0.0
    expected = xgrad.gradient(f, x, method="autodiff", **options)
    found = xgrad.gradient(f, x, method="autodiff", max_bytes=1, **options)
    if not options.get("full_output"):
        np.testing.assert_array_equal(found, expected)
        return
    np.testing.assert_array_equal(found[0], expected[0])
    for name in ("error", "status"):
        pair = (getattr(estimate, name) for _, estimate in (found, expected))
        np.testing.assert_array_equal(*pair)
    assert found[1].method == "autodiff"
    assert (found[1].status == xgrad.Status.KINK).any() == (f is corners)


def test_value_and_gradient_of_several_arrays():
    p = {"rate": np.array(0.1), "x": X}

    def f(p):
        x = p["x"]
        for _ in range(300):
            x = x + p["rate"] * np.sin(x)
        return np.mean(x)

    expected = xgrad.value_and_gradient(f, p)
    found = xgrad.value_and_gradient(f, p, max_bytes=50_000)
    assert found[0] == expected[0]
    for name in p:
        np.testing.assert_array_equal(found[1][name], expected[1][name])


def test_gradients_within_gradients(cuts):
    cuts(0.3)

    def inner(x):
        return xgrad.gradient(
            lambda y: np.sum(np.sin(x * y) ** 3), x, method="autodiff", max_bytes=1
        )

    def f(x):
        for _ in range(3):
            x = x - 0.1 * inner(x)
        return np.sum(x**2)

    expected = xgrad.gradient(f, X[:6], method="autodiff")
    found = xgrad.gradient(f, X[:6], method="autodiff", max_bytes=1)
    np.testing.assert_array_equal(found, expected)


# Nothing is left


def test_nothing_is_left_to_the_collector(cuts):
    cuts(0.3)
    programs = [Writer(seed) for seed in range(20)]
    functions = [(function_of(w.text()), w.x) for w in programs]
    for f, x in functions:
        trace(f, x.copy(), 1)
    gc.collect()
    gc.disable()
    try:
        for f, x in functions:
            trace(f, x.copy(), 1)
            assert gc.collect() == 0
    finally:
        gc.enable()


def test_arrays_go_with_their_stretch():
    alive = []

    def f(x):
        for i in range(400):
            x = np.exp(-x)
            if i < 100:
                alive.append(weakref.ref(x.base))
        return np.sum(x)

    gc.disable()
    try:
        recording, _, _ = trace(f, X, 40_000)
        assert sum(ref() is not None for ref in alive) < 30
        del recording
        assert all(ref() is None for ref in alive)
    finally:
        gc.enable()
