"""Losses of any precision: sums are accurate, and dtypes stay."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from cases.losses import LOSSES, needed, sample

from xgrad import losses, to_numpy

SINGLE = 2.0**-23


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


@pytest.mark.thorough
def test_a_mean_over_ten_million_float32_losses_is_right():
    count = 10_000_000
    p = np.random.default_rng(0).uniform(0, 1, count).astype(np.float32)
    exact = math.fsum(p.tolist()) / count
    value = losses.mean_absolute_error(p, np.zeros_like(p))
    assert value.dtype == np.float32
    assert_close(value, exact, rtol=1e-6)
    squared = math.fsum((p.astype(float) ** 2).tolist()) / count
    assert_close(losses.mean_squared_error(p, np.zeros_like(p)), squared, rtol=1e-6)


@pytest.mark.parametrize("count", [70_000, 10_000_000])
def test_a_mean_over_many_half_precision_losses_neither_overflows_nor_stalls(count):
    rows = np.full(count, 2.5, np.float16)
    value, slope = losses.mean_squared_error.value_and_grad(rows, np.zeros_like(rows))
    assert value == 6.25
    assert slope.dtype == np.float16
    assert_close(slope[0], 5 / count, rtol=0.01, atol=2.0**-25)  # subnormal, or lost


def test_a_mean_over_many_half_precision_rows():
    logits = np.tile(np.array([[2.0, 1.0]], np.float16), (70_000, 1))
    value = losses.softmax_cross_entropy(logits, np.zeros(70_000, np.uint8))
    assert_close(value, math.log1p(math.exp(-1)), rtol=4 * SINGLE)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("width", [100, 1000, 100_000])
def test_long_rows_are_added_up_accurately(rng, width, order):
    p = np.asarray(rng.uniform(0, 1, (4, width)).astype(np.float32), order=order)
    value = losses.half_squared_error(p, 0 * p, reduction="none")
    exact = np.array([math.fsum((row.astype(float) ** 2).tolist()) / 2 for row in p])
    assert_close(value, exact, rtol=4 * SINGLE)
    flat = losses.softmax_cross_entropy(0 * p, np.zeros(4, int), reduction="none")
    assert_close(flat, np.full(4, math.log(width)), rtol=4 * SINGLE)
    even = np.asarray(np.full((4, width), 1 / width, np.float32), order=order)
    assert_close(losses.cross_entropy(even, even), math.log(width), rtol=8 * SINGLE)
    soft = losses.softmax_cross_entropy(0 * p, even, reduction="none")
    assert_close(soft, np.full(4, math.log(width)), rtol=8 * SINGLE)


BFLOATS = ["ml_dtypes", "torch", "jax"]


def _bfloat(library, values):
    if library == "torch":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        return torch.asarray(values).to(torch.bfloat16)
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    if library == "jax":
        jax = pytest.importorskip("jax", reason="jax is not installed")
        return jax.numpy.asarray(values, dtype=jax.numpy.bfloat16)
    return np.asarray(values).astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("library", BFLOATS)
@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_is_computed_in_float32(rng, library, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    options = dict.fromkeys(needed(loss), 0.5)
    half = _bfloat(library, p)
    target = _same(library, t)
    value, gradient = loss.value_and_grad(half, target, check=False, **options)
    assert gradient.dtype == half.dtype
    assert "float32" in str(value.dtype)
    single = to_numpy(_widened(half))
    expected, slopes = loss.value_and_grad(single, t, check=False, **options)
    assert_close(value, expected, rtol=16 * SINGLE)
    rounding = 2.0**-8  # bfloat16 has 8 bits
    assert_close(_widened(gradient), slopes, rtol=rounding, atol=1e-6)


def _same(library, values):
    if library == "ml_dtypes":
        return values
    module = pytest.importorskip("torch" if library == "torch" else "jax.numpy")
    return module.asarray(values)


def _widened(x):
    return to_numpy(x.float() if hasattr(x, "float") else x.astype(np.float32))


@pytest.mark.parametrize("library", BFLOATS)
@pytest.mark.parametrize("count", [70_000, 10_000_000])
def test_a_mean_over_many_bfloats_is_right(library, count):
    rows = _bfloat(library, np.full(count, 2.25, np.float32))
    value = losses.mean_absolute_error(rows, 0 * rows)
    assert_close(_widened(value), 2.25, rtol=SINGLE)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [">f4", ">f8", "longdouble"])
def test_other_floats_of_numpy_keep_their_dtype(rng, name, dtype):
    p, t = sample(LOSSES[name], rng)
    options = dict.fromkeys(needed(LOSSES[name]), 0.5)
    found = LOSSES[name].value_and_grad(p.astype(dtype), t, **options)
    expected = LOSSES[name].value_and_grad(p, t, **options)
    for actual, right in zip(found, expected, strict=True):
        # (Scalars of NumPy are always in the order of bytes of the machine.)
        is_scalar = isinstance(actual, np.generic)
        kind = np.dtype(dtype)
        assert actual.dtype == (kind.newbyteorder("=") if is_scalar else kind)
        assert_close(actual.astype(float), right, rtol=1e-5, atol=1e-5)


def test_integer_predictions_are_promoted(xp):
    value = losses.mean_squared_error(xp.asarray([1, 2]), xp.asarray([0, 4]))
    assert to_numpy(value) == 2.5
    assert value.dtype == (xp.float32 if xp.name == "torch" else xp.float64)
