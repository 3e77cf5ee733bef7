"""Tangents agree with cotangents, for every rule, and at many points at once."""

from __future__ import annotations

import tracemalloc

import array_api_compat
import numpy as np
import pytest
from cases.derivatives import (
    FIBRE_CASES,
    MATRIX_CASES,
    MOVE_CASES,
    TRANSFORM_CASES,
    Case,
    entry_cases,
)
from cases.derivatives.slopes import second_on_tape
from cases.tape import weights_of

from xgrad._autodiff import forward, push_forward, record, structural
from xgrad._autodiff.partials import PARTIALS
from xgrad._batched import Batched, Memo, Region, Trace, all_differences

CASES = [
    *entry_cases(list(PARTIALS)),
    *FIBRE_CASES,
    *MATRIX_CASES,
    *TRANSFORM_CASES,
    *MOVE_CASES,
]
NAMESPACE = array_api_compat.array_namespace(np.ones(1))
# Both ways round a few times at each step, and cancel no more than the condition.
ERROR = 1e-10

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True)
def ignore_warnings_of_nan():
    with np.errstate(all="ignore"):
        yield


def pushed(f, x, tangent):
    """Run ``f`` forward; zeros stand for None."""
    run = push_forward(lambda leaves: f(*leaves), NAMESPACE, [x], [tangent])
    value = np.asarray(run.result)
    tangent = np.zeros_like(value) if run.tangent is None else run.tangent
    return value, tangent


def unit_tangents(x):
    """One direction for each entry of x, as one array at many points."""
    n = x.size
    trace = Trace(NAMESPACE, n, Memo())
    numbers = np.arange(n)[:, None]
    region = Region.at_positions(NAMESPACE, x.shape, numbers, None, trace.cache)
    ones = np.ones((n, *region.extent), x.dtype)
    return Batched(trace, np.zeros_like(x), region, ones)


def weights_like(value):
    random = np.random.default_rng(3)
    weights = random.normal(size=value.shape)
    if value.dtype.kind == "c":
        weights = weights + 1j * random.normal(size=value.shape)
    return weights.astype(value.dtype)


def cotangent_of(f, x, weights):
    return record(lambda leaves: f(*leaves), NAMESPACE, [x]).pull(weights)[0]


def product(a, b):
    return float(np.sum(np.real(np.conj(a) * b)))


@every_case
def test_products_with_tangents_and_cotangents_agree(case: Case):
    """Of every Jacobian J, ``w . (J v)`` is ``(J' w) . v``."""

    def f(x):
        return case.function(np, x)

    x = case.point
    v = np.random.default_rng(2).normal(size=x.shape)
    value, tangent = pushed(f, x, v)
    assert tangent.shape == value.shape
    assert tangent.dtype == value.dtype
    weights = weights_like(value)
    slope = cotangent_of(f, x, weights)
    size = max(1.0, float(np.sum(np.abs(slope * v))))
    found, expected = product(weights, tangent), product(slope, v)
    assert found == pytest.approx(expected, rel=0, abs=ERROR * size * case.noise)


@every_case
def test_unit_tangents_make_the_jacobian(case: Case):
    def f(x):
        return case.function(np, x)

    x = case.point
    if x.size == 0:
        pytest.skip("an empty array has no directions")
    value, tangents = pushed(f, x, unit_tangents(x))
    weights = weights_like(value)
    slope = cotangent_of(f, x, weights)
    if isinstance(tangents, Batched):
        tangents = all_differences(tangents.tracer, tangents, value.dtype)
    else:
        assert not tangents.any()
        tangents = np.zeros((x.size, *value.shape))
    products = np.real(np.conj(weights) * tangents)
    found = np.array([np.sum(p) for p in products]).reshape(x.shape)
    size = max(1.0, float(np.max(np.abs(slope))))
    np.testing.assert_allclose(found, slope, rtol=0, atol=ERROR * size * case.noise)


@pytest.mark.filterwarnings("ignore:logm result")  # of SciPy, at any float32
@pytest.mark.sampled(3)
@every_case
def test_float32_stays_float32(case: Case):
    x = case.point.astype(np.float32)
    value, tangent = pushed(lambda x: case.function(np, x), x, np.ones_like(x))
    assert tangent.dtype == value.dtype


@pytest.mark.sampled(3)
@every_case
def test_forward_over_reverse_is_reverse_over_reverse(case: Case):
    if case.rule == "sqrtm":  # complex of double eigenvalues, before
        pytest.importorskip("scipy", "1.16")

    def f(x):
        return case.function(np, x)

    x = case.point
    v = np.random.default_rng(2).normal(size=x.shape)
    expected = second_on_tape(f, x, v)

    def gradient(x):
        run = record(lambda leaves: f(*leaves), x.__array_namespace__(), [x])
        return run.pull(weights_of(run.result).astype(run.result.dtype))[0]

    _, found = pushed(gradient, x, v)
    size = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * size * case.noise)


def peak_of_loop(steps):
    """The memory of a run with tangents, beside its arguments."""
    x = np.linspace(0.5, 1.5, 1000)

    def f(x):
        y = x
        for _ in range(steps):
            y = y + 0.01 * np.sin(y) * x
        return y

    tracemalloc.start()
    pushed(f, x, np.ones_like(x))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_long_loop_keeps_no_arrays():
    peak_of_loop(10)
    assert peak_of_loop(2000) < 1.1 * peak_of_loop(100)


def trajectory(x):
    """A large array, of which each row is made of the one before."""
    rows = np.zeros((400, len(x)), like=x)
    rows[0] = x
    for i in range(1, len(rows)):
        rows[i] = rows[i - 1] + 0.01 * np.cos(rows[i - 1])
    return rows


def test_assignments_take_no_copy_of_the_tangent(monkeypatch):
    x = np.linspace(0.5, 1.5, 7)
    copies = []
    monkeypatch.setattr(
        forward,
        "change_chain",
        lambda array, steps, change: (
            copies.append(array),
            structural.change_chain(array, steps, change),
        ),
    )
    value, tangent = pushed(trajectory, x, np.ones_like(x))
    assert len(copies) == len(value) == 400
    assert len({id(array) for array in copies}) == 1
    by_rows = 1e5 * (trajectory(x + 5e-6) - trajectory(x - 5e-6))
    np.testing.assert_allclose(tangent, by_rows, rtol=0, atol=1e-9)


def test_a_value_that_was_read_keeps_its_tangent_when_its_array_is_written_into():
    def f(x):
        y = np.zeros(3, like=x)
        y[:] = x
        same, view, moved = y[1] + 0, y[0:2], y + 1.0
        y[1] = 5 * x[0]
        y[0] = 0.0
        return same + np.sum(view) + np.sum(moved)

    x, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25, 2.0])
    value, tangent = pushed(f, x, v)
    assert value == f(x)
    # `same` is x[1], the view shows 0 and 5 * x[0], and `moved` is of all of x.
    assert tangent == v[1] + 5 * v[0] + np.sum(v)
