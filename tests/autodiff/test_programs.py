"""Random programs: the tape finds the value and the gradient of the plain function."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from cases.programs.interpreter import LIBRARIES, Program, run
from cases.programs.sketch import point
from cases.programs.strategy import programs
from cases.tape import slope_by_differences, slope_on_tape, weights_of
from cases.written_programs import (
    Writer,
    function_of,
    gradient_by_imaginary_steps,
)
from hypothesis import given, settings

import xgrad
from xgrad._autodiff.substitution import substituted

# The same programs on every run, so that a failure is that of a change.
quick = settings(max_examples=100, derandomize=True, deadline=None)
search = settings(quick, max_examples=3_000)
NAMES = ["numpy", "numpy, array API"]


def assert_slope_is_that_of_differences(program: Program, name: str) -> None:
    """Where differences of two steps agree, the tape agrees with them, too."""
    x = point(program.shape, program.seed)

    def f(v: Any) -> Any:
        return run(program, LIBRARIES[name], v)

    exact = slope_on_tape(f, x.copy())
    coarse = slope_by_differences(f, x)
    np.testing.assert_allclose(exact.value, coarse.value, rtol=1e-12, atol=1e-14)
    assert np.shape(exact.value) == coarse.value.shape
    fine = slope_by_differences(f, x, step=2.0**-13).gradient
    scale = np.max(np.abs(coarse.gradient), initial=0) + np.max(np.abs(coarse.value))
    # A kink between two points makes both of them useless.
    agree = np.abs(fine - coarse.gradient) <= 1e-7 * scale
    assert exact.gradient.dtype == x.dtype
    np.testing.assert_allclose(
        exact.gradient[agree], fine[agree], rtol=0, atol=3e-7 * scale
    )


@pytest.mark.parametrize("name", NAMES)
def test_programs_of_functions(name):
    @quick
    @given(programs())
    def check(program):
        assert_slope_is_that_of_differences(program, name)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_programs_of_functions(name):
    @search
    @given(programs())
    def check(program):
        assert_slope_is_that_of_differences(program, name)

    check()


# Views, aliases and assignments


def assert_gradient_is_that_of_imaginary_steps(text: str, x: np.ndarray) -> None:
    """The tape has all digits; the text of a program that fails is in the message."""
    f = function_of(text)
    hidden = function_of(text.replace(", like=x", ""))
    expected = gradient_by_imaginary_steps(f, x)
    scale = max(1.0, np.max(np.abs(expected)))
    for function in (f, substituted(hidden)[0]):
        exact = slope_on_tape(function, x.copy())
        weight = weights_of(exact.value)
        np.testing.assert_allclose(exact.value, f(x.copy()), rtol=1e-12, err_msg=text)
        np.testing.assert_allclose(
            exact.gradient / weight,
            expected,
            rtol=1e-9,
            atol=1e-10 * scale,
            err_msg=text,
        )


def assert_seeds_are_right(seeds: range) -> None:
    for seed in seeds:
        writer = Writer(seed)
        assert_gradient_is_that_of_imaginary_steps(writer.text(), writer.x)


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_programs_that_write(start):
    assert_seeds_are_right(range(start, start + 100))


@pytest.mark.slow
def test_many_programs_that_write():
    assert_seeds_are_right(range(300, 20_000))


# Programs that once were wrong, as far as they matter.
WRITTEN = {
    "a rule that holds a view, which is written to": """
v1 = x[:1, -3]
v1[0:] = np.sin(v1)
v3 = np.prod(v1, axis=None)
x[...] = x[::-1] * x""",
    "ravel copies what is not contiguous": """
v1 = x[..., 1:]
v2 = v1.ravel()
v1[...] += v1
v4 = np.sin(v2)""",
    "a view through an array that repeats another one": """
v1 = np.broadcast_to(x, (2, *x.shape))
x[:1] *= 0.83
v3 = v1[..., 1:]""",
    "a value with more axes than its place": """
v1 = np.ones_like(x)
v1[0] = x[1:2, :1] ** 2
v1[2:, 0] = np.sin(x[:1, :1])""",
    "views of views": """
v1 = x.T.reshape(-1)
v2 = x.reshape(-1)[::2]
v2[1:] += v2[:-1]
v4 = v2.copy()
v2 *= v1[0]""",
    "an alias": """
v1 = v2 = x * 2
v2 += x
v1[0] = v2[1]""",
    "an assignment after a rule has kept the result": """
v1 = np.exp(x / 4)
v1[0] = v1[1] * x[0]
v2 = np.exp(v1 / 8)
v1 *= v2""",
    "a swap": """
x[0], x[1] = x[1] * 1, x[0] * 2""",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_programs_that_were_wrong_once(name):
    x = np.round(np.random.default_rng(3).uniform(0.2, 1.8, (4, 3)), 2)
    assert_gradient_is_that_of_imaginary_steps(WRITTEN[name].strip(), x)


# Memory and threads

TEXTS = [Writer(seed) for seed in range(40)]


def test_no_gradient_leaves_anything_to_the_collector():
    functions = [(function_of(w.text()), w.x) for w in TEXTS]
    for f, x in functions:
        slope_on_tape(f, x.copy())
    gc.collect()
    gc.disable()
    try:
        for f, x in functions:
            slope_on_tape(f, x.copy())
            assert gc.collect() == 0
    finally:
        gc.enable()


def test_nothing_stays_alive_after_a_gradient():
    alive = []

    def f(x):
        y = np.exp(x)
        z = y * 1
        z[0] = y[1]
        alive.extend(weakref.ref(a.base) for a in (y, z))
        return np.sum(z)

    gc.disable()
    try:
        slope_on_tape(f, np.ones(5))
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()


def test_threads_differentiate_at_once():
    functions = [(function_of(w.text()), w.x) for w in TEXTS]
    expected = [slope_on_tape(f, x.copy()).gradient for f, x in functions]

    def differentiate(_: int) -> list[np.ndarray]:
        return [slope_on_tape(f, x.copy()).gradient for f, x in functions]

    with ThreadPoolExecutor(8) as pool:
        for gradients in pool.map(differentiate, range(8)):
            for ours, alone in zip(gradients, expected, strict=True):
                np.testing.assert_array_equal(ours, alone)


TRANSFORMS = {
    "fft": lambda v: np.real(np.fft.fft(v) * (1 + 0.5j)),
    "rfft": lambda v: np.imag(np.fft.rfft(v)),
    "irfft": lambda v: np.fft.irfft(v, 4),
    "sort": lambda v: np.sort(v, axis=0),
    "solve": lambda v: np.linalg.solve(np.eye(3) * 9 + v, v[0]),
    "inv": lambda v: np.linalg.inv(np.eye(3) * 9 + v),
    "det": lambda v: np.linalg.det(v),
    "norm": lambda v: np.linalg.norm(v, axis=0),
    "einsum": lambda v: np.einsum("ij,jk->ki", v, v),
    "convolve": lambda v: np.convolve(v[0], v[1]),
    "roll": lambda v: np.roll(v, 1, 1),
    "median": lambda v: np.median(v, axis=1),
    "cumsum": lambda v: np.cumsum(v, axis=0),
    "take": lambda v: np.take(v, [2, 0, 2], axis=0),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("starts_constant", [False, True])
def test_a_view_is_read_again_after_a_write_whatever_reads_it(name, starts_constant):
    x = np.random.default_rng(0).uniform(0.5, 2.0, (3, 3))
    weights = np.random.default_rng(1).normal(size=16)

    def f(x):
        owner = np.zeros_like(x) if starts_constant else x * 1
        view = owner.T
        owner += np.sin(x) * x
        view **= 2
        result = TRANSFORMS[name](view)
        return np.sum(np.reshape(result, (-1,)) * weights[: result.size])

    found = xgrad.gradient(f, x, method="autodiff")
    right, estimate = xgrad.gradient(
        f, x, method="ladder", vectorized=False, full_output=True
    )
    allowed = 10 * estimate.error + 1e-9 * np.max(np.abs(right))
    assert (np.abs(found - right) <= allowed).all()
