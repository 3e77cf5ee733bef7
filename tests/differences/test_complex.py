"""The complex step: exact for analytic functions, and refused for others."""

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import derivative, gradient, jvp

from xgrad import to_numpy


def test_the_complex_step_is_exact_to_rounding(xp, rng):
    x = rng.uniform(0.5, 2.0, 50)
    value = derivative(
        lambda v: xp.exp(v) / (xp.sin(v) ** 3 + xp.cos(v) ** 3),
        xp.asarray(x),
        method="complex",
    )
    sine, cosine = np.sin(x), np.cos(x)
    below = sine**3 + cosine**3
    truth = np.exp(x) * (below - 3 * sine * cosine * (sine - cosine)) / below**2
    error = np.abs(to_numpy(value) - truth)
    assert np.median(error / np.abs(truth)) <= 4e-16
    assert_close(value, truth, rtol=1e-13, atol=1e-13)


def test_the_complex_step_of_float32(rng):
    x = rng.uniform(0.5, 2.0, 100).astype(np.float32)
    value = derivative(np.exp, x, method="complex")
    assert value.dtype == np.float32
    assert_close(value, np.exp(x.astype(np.float64)), rtol=4 * 2.0**-23)


DROPPING = {
    "abs": lambda v: np.sum(np.abs(v)),
    "real": lambda v: np.sum(v.real),
    "norm": np.linalg.norm,
}
BREAKING = {
    "conjugate": lambda v: np.sum(np.conj(v) * v),
    "real part inside": lambda v: np.sum(v.real * v),
    "abs inside": lambda v: np.sum(np.abs(v) * v),
}


@pytest.mark.parametrize("name", DROPPING)
def test_a_lost_imaginary_part_is_refused(name):
    with pytest.raises(TypeError, match="drops the imaginary part"):
        gradient(DROPPING[name], np.array([1.0, 2.0]), method="complex")


@pytest.mark.parametrize("name", BREAKING)
def test_functions_that_are_not_analytic_are_refused(name):
    with pytest.raises(ValueError, match="must be analytic"):
        gradient(BREAKING[name], np.array([1.0, 2.0]), method="complex")
    with pytest.raises(ValueError, match="must be analytic"):
        gradient(
            lambda v: BREAKING[name](v[None]), np.array([1.0, 2.0]), method="complex"
        )


@pytest.mark.parametrize(
    "f",
    [
        lambda v: np.sum(np.sign(v) * v),
        lambda v: np.sum(np.abs(v)) * v[1],
        lambda v: np.sum(np.sqrt(np.conj(v) * v) + v),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_functions_that_are_not_analytic_are_refused_at_a_corner_too(f, dtype):
    x = np.array([0.0, 1.0, -2.0], dtype)
    for vectorized in ("auto", False):
        with pytest.raises(ValueError, match="must be analytic"):
            gradient(f, x, method="complex", vectorized=vectorized)


def test_analytic_functions_pass_at_a_corner():
    def f(v):
        return np.sum(np.where(v.real > 0, np.sin(v), 2 * v)) + v[0] * v[1]

    found = gradient(f, np.array([0.0, 1.0, -2.0]), method="complex")
    assert_close(found, [3.0, np.cos(1.0), 2.0], rtol=1e-14)


@pytest.mark.parametrize("part", [1.0, 1e-3, 1e-5])
@pytest.mark.parametrize("width", [1e-5, 1e-3, 1.0, None])
def test_a_small_part_that_is_not_analytic_is_refused(width, part):
    x = np.array([1.0, 1.5, -0.7])
    bounds = None if width is None else (x - width, x + width)
    with pytest.raises(ValueError, match="must be analytic"):
        gradient(
            lambda v: np.sum(np.sin(v) + part * np.conj(v) * v),
            x,
            bounds=bounds,
            method="complex",
        )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("width", 10.0 ** np.arange(-16, 1, 3))
def test_analytic_functions_pass_within_bounds_of_any_width(width, dtype, rng):
    for _ in range(5):
        x = rng.normal(size=3).astype(dtype)
        room = np.abs(x) * np.asarray(width, dtype)
        for f in (
            lambda v: np.sum(np.exp(v)),
            lambda v: np.sum(np.sin(30 * v)),
            lambda v, x=x: np.sum(v - x * 1.00001),
            lambda v: 1e4 + np.sum(v * v),
        ):
            gradient(f, x, bounds=(x - room, x + room), method="complex")


@pytest.mark.parametrize("scale", [1e-290, 1e-25, 1e-6, 1.0, 1e6])
def test_analytic_functions_pass_at_every_scale(scale):
    x = np.array([1.0, 1.5]) * scale
    reciprocal = [lambda v: 1 / v] if scale > 1e-100 else []
    for f in (np.sin, lambda v: np.sin(50 * v / scale), *reciprocal):
        gradient(lambda v, f=f: np.sum(f(v)), x, method="complex")
        jvp(f, x, x, method="complex")
