"""Functions of the caller: buffers, compiled and lazy arrays, bad arguments."""

import itertools

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import (
    derivative,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_gradient,
)
from cases.statuses import warns_of

from xgrad import losses, special, to_numpy

X = np.linspace(0.5, 2.0, 7)


def cubes(v):
    """A function that other processes can find."""
    return np.sum(v**3)


# What a function may do


def test_a_buffer_that_f_reuses_is_copied_in_time():
    buffer = np.empty(7)

    def f(v):
        return np.multiply(v, v, out=buffer)

    assert_close(derivative(f, X), 2 * X, rtol=1e-9)
    found = jacobian(f, X, vectorized=False)
    assert_close(found, np.diag(2 * X), rtol=1e-9, atol=1e-9)
    many = np.empty((100, 7))

    def g(v):
        return np.multiply(v, v, out=many[: len(v)])

    found = jacobian(g, X, vectorized=True, max_bytes=600)
    assert_close(found, np.diag(2 * X), rtol=1e-9, atol=1e-9)


def test_what_f_keeps_is_not_handed_out():
    kept = np.full(2, 3.0)
    value, _ = value_and_gradient(
        lambda v: kept + 0 * v[:, 0], np.ones((2, 3)), axis=-1
    )
    value[...] = 7.0
    assert (kept == 3.0).all()
    same = derivative(lambda v: v, X)  # a function may return its argument
    assert_close(same, np.ones(7), rtol=1e-12)


def test_a_matrix_shares_nothing_with_its_colouring():
    pytest.importorskip("scipy", reason="scipy is not installed")
    from xgrad import color_columns

    coloring = color_columns(np.eye(7, dtype=bool))
    first = jacobian(lambda v: v * 0, X, sparsity=coloring)
    first.eliminate_zeros()
    assert first.nnz == 0
    second = jacobian(lambda v: v**2, X, sparsity=coloring)
    assert_close(second.toarray(), np.diag(2 * X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [2, 100])
@pytest.mark.parametrize("vectorized", ["auto", False])
def test_the_straight_line_gives_the_same_value_and_gradient(dtype, count, vectorized):
    def f(x):
        return np.sum(np.sin(x) * x)

    x = np.linspace(0.5, 2.0, count, dtype=dtype)
    for _ in range(2):  # "auto" goes straight from the second call on
        short = value_and_gradient(f, x, vectorized=vectorized)
    long = value_and_gradient(f, x, vectorized=vectorized, max_bytes=2**20)
    for found, expected in zip(short, long, strict=True):
        assert type(found) is type(expected)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert short[0] == long[0] == f(x)
    np.testing.assert_allclose(
        short[1], long[1], rtol=1e-3 if dtype == np.float32 else 1e-8
    )


def test_value_and_gradient_on_every_backend(xp):
    x = xp.asarray([3.0, 4.0])
    value, slopes = value_and_gradient(lambda v: xp.sum(v**2), x)
    assert tuple(value.shape) == ()
    assert_close(value, 25.0, rtol=1e-15)
    assert_close(slopes, [6.0, 8.0], rtol=1e-10)
    value, slopes = value_and_gradient(lambda v: v**2, x, terms=True)
    assert_close(value, 25.0, rtol=1e-15)
    rows, _ = value_and_gradient(
        lambda v: xp.sum(v**2, axis=-1), xp.asarray([[3.0, 4.0]]), axis=-1
    )
    assert_close(rows, [25.0], rtol=1e-15)


def test_warnings_are_the_callers_and_xgrads_arithmetic_is_silent():
    big = np.array([3e4], np.float16)
    assert np.isinf(gradient(lambda v: np.sum(v**2) * 1e3, big)).all()
    with np.errstate(over="ignore"), warns_of("NONFINITE") as told:
        found = gradient(lambda v: np.sum(v**2), np.array([1e300]))
    assert len(told) == 1
    assert np.isnan(found).all() or np.isinf(found).all()


# Compiled and lazy arrays


def test_central_differences_inside_a_compiled_function():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(X)

    def f(v):
        return jnp.sum(v**3, axis=-1)

    def both(v):
        value, estimate = gradient(f, v, vectorized=True, full_output=True)
        return value, estimate.error

    value, error = jax.jit(both)(x)
    assert_close(value, 3 * X**2, rtol=1e-9)
    assert np.isfinite(to_numpy(error)).all()
    compiled = jax.jit(lambda v: jacobian(jnp.sin, v, vectorized=True))
    assert_close(compiled(x), np.diag(np.cos(X)), rtol=1e-9, atol=1e-9)
    compiled = jax.jit(lambda v: hessian(f, v, vectorized=True))
    assert_close(compiled(x), np.diag(6 * X), rtol=1e-5, atol=1e-5)
    compiled = jax.jit(lambda v: gradient(f, v[None], axis=-1, vectorized=True))
    assert_close(compiled(x), 3 * X[None] ** 2, rtol=1e-9)
    from xgrad import color_columns

    coloring = color_columns(np.eye(7, dtype=bool))
    for _ in range(2):  # nothing that was traced is kept
        compiled = jax.jit(
            lambda v: gradient(lambda t: t**3, v, terms=True, sparsity=coloring)
        )
        assert_close(compiled(x), 3 * X**2, rtol=1e-9)


def test_dask_arrays_stay_lazy():
    dask = pytest.importorskip("dask", reason="dask is not installed")
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    x = da.from_array(X, chunks=3)

    def refuse(*arguments, **options):
        raise AssertionError("computed before it was asked for")

    with dask.config.set(scheduler=refuse):
        slopes = gradient(lambda v: (v**3).sum(axis=-1), x, vectorized=True)
        second = derivative(lambda v: v**3, x, order=2)
        curved = hessian(lambda v: (v**3).sum(axis=-1), x, vectorized=True)
    assert_close(slopes, 3 * X**2, rtol=1e-9)
    assert_close(second, 6 * X, rtol=1e-6)
    assert_close(curved, np.diag(6 * X), rtol=1e-5, atol=1e-5)


def test_losses_inside_derivatives(xp, rng):
    logits, labels = rng.normal(size=(4, 3)), rng.integers(0, 3, 4)
    x, y = xp.asarray(logits), xp.asarray(labels)
    exact = (special.softmax(logits) - np.eye(3)[labels]) / 4
    for method in ("central", "ladder", "auto"):
        found = gradient(lambda z: losses.softmax_cross_entropy(z, y), x, method=method)
        assert_close(found, exact, rtol=1e-8, atol=1e-9)


# Bad arguments

BAD = [
    (lambda: gradient(cubes, X, workers=0), "`workers` must be at least 1"),
    (lambda: gradient(cubes, X, bounds=(1.0, 9.0)), r"x\[0\] is 0.5"),
    (lambda: gradient(cubes, X, bounds=(np.ones(2), None)), r"`bounds` has shape"),
    (lambda: gradient(cubes, X, vectorized=1), "`vectorized` must be one of"),
    (
        lambda: gradient(cubes, X, workers=lambda f, c: itertools.repeat(f(c[0]))),
        "results for",
    ),
    (
        lambda: gradient(cubes, X, workers=lambda f, c: [f(c[0])]),
        "one for each, in order",
    ),
]
WRONG_KIND = [
    (lambda: gradient(cubes, X, workers="many"), "`workers` must be a number"),
    (lambda: gradient(cubes, X, workers=1.5), "`workers` must be a number"),
    (lambda: gradient(cubes, X, workers=lambda f, c: None), "as `map` does"),
    (lambda: gradient(cubes, X, progress="bar"), "`progress` must be"),
    (lambda: gradient(cubes, X, bounds=3.0), "must be a pair"),
    (lambda: gradient(cubes, X, step=True), "`step` must be a number"),
    (lambda: gradient(cubes, X, accuracy=4.0), "`accuracy` must be an integer"),
    (lambda: gradient(lambda v: None, X), "is a `return` missing"),
    (lambda: gradient(lambda v: [v[0]], X), "return one array of"),
    (lambda: gradient(np.ma.array, np.array(1.0)), r"`f\(x\)` is a numpy.MaskedArray"),
    (lambda: hvp(lambda v: None, X, X), "must return an array or a number"),
    (lambda: jvp(cubes, X, None), "`v` must be an array"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()
