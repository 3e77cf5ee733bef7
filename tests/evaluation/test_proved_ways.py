"""Functions that are made anew in a loop are known again by their code."""

import functools
import gc
import math
import warnings
import weakref

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian, way_name

from xgrad._evaluation import proved_ways

X = np.linspace(0.5, 1.5, 12)


def record(call):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        value = call()
    return value, [w for w in told if w.category is RuntimeWarning]


def test_a_lambda_in_a_loop_is_proved_once():
    calls = [0]

    def loss(x, data):
        calls[0] += 1
        return np.sum((x - data) ** 2)

    counts = []
    for i in range(4):
        data, calls[0] = np.full(12, float(i)), 0
        slopes = gradient(lambda x: loss(x, data), X)  # noqa: B023
        np.testing.assert_allclose(slopes, 2 * (X - i), rtol=1e-8, atol=1e-8)
        counts.append(calls[0])
    assert counts[0] > 3
    assert counts[1:] == [3, 3, 3]


@pytest.mark.parametrize(
    ("derivative", "options", "count"),
    [
        (gradient, {}, 3),
        (gradient, {"full_output": True}, 5),  # and for two points close to x
        (gradient, {"accuracy": 6}, 3),
        (gradient, {"bounds": (0.0, 2.0)}, 3),
        (gradient, {"method": "complex"}, 8),
        (jacobian, {}, 3),
        (jacobian, {"full_output": True}, 5),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_function_that_is_known_is_called_for_x_for_the_points_and_for_the_proof(
    derivative, options, count
):
    calls = [0]

    def f(x):
        calls[0] += 1
        return np.sum(x**2)

    derivative(f, X, **options)
    calls[0] = 0
    derivative(f, X, **options)
    assert calls[0] <= count


@pytest.mark.parametrize("max_bytes", [400, 2000, 10**6])
def test_the_first_chunk_is_a_chunk_like_others(max_bytes):
    def f(x):
        return np.sum(np.sin(x) * np.roll(x, 1)) * np.cos(x)

    expected = jacobian(f, X, vectorized=False)
    points = []
    for _ in range(3):
        found, estimate = jacobian(
            f,
            X,
            max_bytes=max_bytes,
            full_output=True,
            progress=lambda done, total: points.append((done, total)),
        )
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
        assert points[-1] == (estimate.evaluations, estimate.evaluations)


def test_memory_that_runs_out_in_the_first_chunk_halves_it():
    limit = [10**9]

    def f(x):
        if type(x) is not np.ndarray and x.tracer.points > limit[0]:
            raise MemoryError
        return np.sum(x**2)

    gradient(f, X, max_bytes=10**6)
    limit[0] = 10
    found, told = record(lambda: gradient(f, X, max_bytes=10**6))
    np.testing.assert_allclose(found, 2 * X, rtol=1e-8)
    assert told == []


def test_partial_functions_are_known_by_what_they_wrap():
    calls = [0]

    def loss(data, x, scale=1.0):
        calls[0] += 1
        return scale * np.sum((x - data) ** 2)

    for i in range(3):
        calls[0] = 0
        gradient(functools.partial(loss, X * (i + 2), scale=2.0 + i), X)
        assert (calls[0] == 3) == (i > 0)


def test_jacobians_and_hessians_of_functions_made_anew():
    counts = []
    for _ in range(3):
        calls = [0]

        def f(x, calls=calls):
            calls[0] += 1
            return np.sum(x**3) * x

        jacobian(f, X)
        hessian(lambda x: np.sum(f(x)), X[:4])
        counts.append(calls[0])
    assert counts[1] == counts[2] < counts[0]


def test_other_kinds_of_data_are_proved_anew():
    calls = [0]

    def make(data):
        def f(x):
            calls[0] += 1
            return np.sum((x - data) ** 2)

        return f

    def count(data):
        calls[0] = 0
        gradient(make(data), X)
        return calls[0]

    assert count(1.0) > 3
    assert count(2.0) == 3
    assert count(np.ones(12)) > 3
    assert count(2 * np.ones(12)) == 3
    assert count(np.ones((3, 12))) > 3


def test_a_function_made_anew_that_changes_its_ways_is_caught():
    def make(wrong):
        def f(x):
            if wrong and type(x) is not np.ndarray:
                return np.sum(x**2) * 1.5
            return np.sum(x**2)

        return f

    gradient(make(False), X)
    slopes, told = record(lambda: gradient(make(True), X))
    np.testing.assert_allclose(slopes, 2 * X, rtol=1e-8)
    assert len(told) == 1
    slopes, told = record(lambda: gradient(make(False), X))
    assert told == []
    np.testing.assert_allclose(slopes, 2 * X, rtol=1e-8)


def test_a_loop_is_inherited_by_equal_values_only():
    def make(kind):
        def f(x):
            return float(np.sum(x**2)) if kind == "float" else np.sum(x**2)

        return f

    _, told = record(lambda: gradient(make("float"), X))
    assert len(told) == 1
    _, told = record(lambda: gradient(make("float"), X))
    assert told == []
    f = make("array")
    _, told = record(lambda: gradient(f, X))
    assert told == []
    assert way_name(f) == "sparse"


def test_counters_are_not_kept_for_ever():
    for i in range(200):
        f = lambda x, i=i: math.fsum(x) * i  # noqa: E731
        record(lambda f=f: gradient(f, X[:4]))
    kinds = proved_ways._BY_CODE[f.__code__]
    assert len(kinds) <= proved_ways.MOST_KINDS


def test_nothing_of_a_function_is_kept():
    data = np.ones(12)
    reference = weakref.ref(data)

    def make(data):
        return lambda x: np.sum((x - data) ** 2)

    gradient(make(data), X)
    jacobian(lambda x, data=data: x - data, X)
    del data
    gc.collect()
    assert reference() is None


class Odd:
    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "value",
    [
        np,
        np.ndarray,
        np.float32(1),
        np.sum,
        math,
        Odd(),
        Odd,
        object(),
        "text",
        b"",
        1j,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("loops", [False, True])
def test_anything_may_be_enclosed(value, loops):
    def make():
        def f(x, default=value):
            assert value is default
            return math.fsum(x) if loops else np.sum(x)

        return f

    for _ in range(2):
        slopes, _ = record(lambda: gradient(make(), X))
        np.testing.assert_allclose(slopes, np.ones(12), rtol=1e-9)


def test_variables_without_a_value_so_far():
    def f(x):
        return np.sum(x**2) if type(x) is not str else later

    np.testing.assert_allclose(gradient(f, X), 2 * X, rtol=1e-8)
    with pytest.raises(NameError):
        f("")
    later = 1.0


def test_a_function_of_many_branches_takes_no_end_of_memory(monkeypatch, rng):
    monkeypatch.setattr(proved_ways, "MOST_WAYS", 20)

    def f(x):
        steps = [np.sin, np.cos, np.exp, np.tanh, np.sinh]
        return sum(step(v) for step, v in zip(steps, x, strict=True) if v > 0)

    for _ in range(40):
        x = rng.normal(size=5)
        x[0] = 1.0
        found = gradient(f, x, method="autodiff")
        expected = np.stack([np.cos(x), -np.sin(x), np.exp(x)])[range(3), range(3)]
        np.testing.assert_allclose(found[:3], np.where(x[:3] > 0, expected, 0))
    assert len(proved_ways.ways_of_function(f).ways) <= 21
