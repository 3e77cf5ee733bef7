"""Checks of float32 gradients: by a function in float64, if it allows that."""

from __future__ import annotations

import numpy as np
import pytest
from cases.checked import LARGE, cubes, far_from_zero, smooth

from xgrad import check_gradient


@pytest.mark.parametrize("shape", [(1,), (7,), (LARGE,)])
@pytest.mark.parametrize("factor", [0.9998, 1.0002, 1.001])
def test_a_small_factor_is_found(rng, shape, factor):
    f, grad = cubes(np)
    x = far_from_zero(rng, shape).astype(np.float32)
    report = check_gradient(f, grad, x)
    assert report.verdict == "pass"
    assert "float32 (numpy, evaluated in float64)" in str(report)
    wrong = (grad(x.astype(np.float64)) * factor).astype(np.float32)
    assert check_gradient(f, wrong, x).verdict == "fail"


def test_every_library_computes_in_float64_where_it_has_it(xp, rng):
    f, grad = cubes(xp)
    x = xp.asarray(far_from_zero(rng, 20), dtype="float32")
    assert check_gradient(f, grad, x).verdict == "pass"
    verdict = check_gradient(f, lambda x: grad(x) * 1.002, x).verdict
    assert verdict == ("inconclusive" if _has_no_float64(xp) else "fail")


def _has_no_float64(xp):
    return xp.asarray([1.0], dtype="float64").dtype != xp.float64


SLOPES = {
    "sum of exp": (lambda x: np.sum(np.exp(x)), np.exp),
    "norm": (lambda x: np.sqrt(np.sum(x**2)), lambda x: x / np.sqrt(np.sum(x**2))),
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("factor", [1.1, 2.0, -1.0, 0.0])
def test_one_wrong_entry_among_a_thousand_is_found(name, factor):
    f, grad = SLOPES[name]
    x = np.random.default_rng(5).normal(size=LARGE).astype(np.float32)
    given = grad(x)
    assert check_gradient(f, given, x).verdict == "pass"
    median = int(np.argsort(np.abs(given))[LARGE // 2])
    given[median] *= factor
    report = check_gradient(f, given, x)
    assert report.verdict == "fail"
    assert report.worst.index == (median,)


ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
    "leaky": (
        lambda z: np.where(z > 0, z, z / 128),
        lambda z: (z > 0) + (z <= 0) / 128,
    ),
    "abs": (np.abs, np.sign),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(4))
def test_networks_with_corners_nearby_pass(activation, seed):
    act, slope = ACTIVATIONS[activation]
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 5)).astype(np.float32)
    y = rng.normal(size=(60, 3)).astype(np.float32)
    p = {
        "a": (rng.normal(size=(5, 8)) / 2).astype(np.float32),
        "b": (rng.normal(size=(8, 3)) / 2).astype(np.float32),
    }

    def f(p):
        return np.sum((act(X @ p["a"]) @ p["b"] - y) ** 2) / 120

    def grad(p):
        hidden = X @ p["a"]
        error = (act(hidden) @ p["b"] - y) / 60
        inner = (error @ p["b"].T * slope(hidden)).astype(np.float32)
        return {"a": X.T @ inner, "b": act(hidden).T @ error}

    assert check_gradient(f, grad, p).verdict == "pass"
    wrong = lambda p: {**grad(p), "a": grad(p)["a"] * np.float32(1.001)}  # noqa: E731
    assert check_gradient(f, wrong, p).verdict == "fail"


# Functions that only seem to compute in float64, or cannot


def _refuses(x):
    if x.dtype == np.float64:
        raise TypeError("float32 alone")
    return np.sum(np.sin(x))


def _returns_float32(x):
    return np.sum(np.sin(x.astype(np.float32)))


def _rounds_inside(x):
    return np.float64(np.sum(np.sin(x.astype(np.float32))))


def _is_another_function(x):
    return np.sum(np.sin(x) if x.dtype == np.float32 else np.cos(x))


SINGLE = [_refuses, _returns_float32, _rounds_inside, _is_another_function]


@pytest.mark.parametrize("f", SINGLE)
def test_a_function_of_float32_alone_is_checked_in_float32(f, rng):
    x = far_from_zero(rng, 12).astype(np.float32)
    report = check_gradient(f, np.cos, x)
    assert report.verdict == "pass"
    assert "evaluated in" not in str(report)
    assert check_gradient(f, lambda x: 1.05 * np.cos(x), x).verdict == "fail"


def test_what_float32_cannot_tell_is_not_passed():
    # The slopes along directions agree, and would agree with a wrong entry, too.
    x = np.random.default_rng(3).normal(size=300 * LARGE).astype(np.float32)
    report = check_gradient(_returns_float32, np.cos(x), x)
    assert report.verdict == "inconclusive"
    assert "evaluate `f` in float64" in report.hint
    # A tolerance that the caller asks for does not hide entries.
    assert check_gradient(_returns_float32, np.cos(x), x, rtol=1e-2).verdict != "fail"


@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0])
@pytest.mark.parametrize("name", SLOPES)
def test_no_wrong_entry_among_a_thousand_passes_in_float32(name, factor):
    f, grad = SLOPES[name]
    single = lambda x: f(x.astype(np.float32))  # noqa: E731
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=LARGE).astype(np.float32)
        given = grad(x)
        typical = np.sqrt(np.mean((given * x) ** 2))
        given[np.argmin(np.abs(np.abs(given * x) - typical))] *= factor
        assert check_gradient(single, given, x).verdict != "pass"


def test_rounding_of_the_given_gradient_is_no_mistake(rng):
    """Near a minimum, the terms of a gradient cancel."""
    A = rng.normal(size=(50, 8)).astype(np.float32)
    b = rng.normal(size=50).astype(np.float32)
    best = np.linalg.lstsq(A, b, rcond=None)[0]
    x = (best * (1 + 1e-5)).astype(np.float32)
    f = lambda x: np.sum((A @ x - b) ** 2) / 2  # noqa: E731
    grad = lambda x: A.T @ (A @ x - b)  # noqa: E731
    exact = A.T.astype(float) @ (A.astype(float) @ x - b)
    assert np.max(np.abs(grad(x) - exact)) > 1e-4 * np.max(np.abs(exact))
    assert check_gradient(f, grad, x).verdict != "fail"
    assert check_gradient(f, exact, x).verdict == "pass"
    assert check_gradient(f, 1.01 * exact, x).verdict == "fail"


def test_evaluations_in_float64_are_counted(rng):
    calls = []

    def f(x):
        calls.append(x.dtype.name)
        return np.sum(x**2)

    told = []
    x = rng.normal(size=300).astype(np.float32)
    report = check_gradient(f, lambda x: 2 * x, x, progress=lambda *p: told.append(p))
    assert set(calls[1:]) == {"float64"}
    assert report.evaluations == len(calls)
    assert told[-1] == (len(calls), len(calls))


def test_a_dtype_that_is_asked_for_is_taken(rng):
    f, right, x = smooth(6, rng)
    x = x.astype(np.float32)
    report = check_gradient(f, lambda x: right.astype(x.dtype), x, dtype="float32")
    assert "evaluated in" not in str(report)
