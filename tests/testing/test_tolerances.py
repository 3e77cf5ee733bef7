"""`assert_close` accepts what is right, and refuses every difference of values."""

import math

import numpy as np
import pytest
from cases.refusals import FLOATS, NUMBERS, assert_refuses

import xgrad
from xgrad.testing import assert_close

SCALES = [1e-7, 1.0, 1e8]


def _eps(dtype):
    return float(np.finfo(dtype).eps)


# what is right


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3)])
def test_equal_arrays_are_close(xp, dtype, shape):
    values = np.arange(math.prod(shape)).reshape(shape) % 2
    assert_close(xp.asarray(values, dtype), xp.asarray(values, dtype))
    assert_close(xp.asarray(values, dtype), xp.asarray(values, dtype), rtol=0)


def test_scalars_of_numpy_are_arrays_without_axes():
    assert_close(np.float64(2.0), np.asarray(2.0))
    assert_close(np.asarray(2), np.int64(2))
    assert_refuses(np.float32(2.0), np.asarray(2.0), "dtype: float32, not float64")
    assert_refuses(np.float64(2.0), np.asarray([2.0]), r"shape: \(\), not \(1,\)")


def test_memory_need_not_be_contiguous():
    x = np.arange(12.0).reshape(3, 4)
    assert_close(x.T, np.ascontiguousarray(x.T))
    assert_close(x[::-1], x[::-1].copy())


def test_values_of_lazy_arrays_are_computed():
    dask = pytest.importorskip("dask.array")
    x = np.arange(6.0)
    assert_close(dask.from_array(x, chunks=2), dask.from_array(x, chunks=3))
    assert_refuses(
        dask.from_array(x, chunks=2), dask.from_array(x + 1), "6 of 6 values"
    )


# tolerances


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
@pytest.mark.parametrize("scale", SCALES)
def test_half_of_the_digits_must_agree(xp, dtype, scale):
    x = np.asarray([scale, -3 * scale], dtype)
    part = math.sqrt(_eps(dtype))
    assert_close(xp.asarray(x * (1 + part / 2), dtype), xp.asarray(x, dtype))
    assert_refuses(
        xp.asarray(x * (1 + part * 2), dtype), xp.asarray(x, dtype), "2 of 2"
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x * 1.001,
        lambda x: np.where(np.arange(12).reshape(x.shape) == 7, x * 1.01, x),
        lambda x: np.where(np.arange(12).reshape(x.shape) == 7, 0, x),
        lambda x: -x,
        lambda x: 0 * x,
        lambda x: x.T.reshape(x.shape),
        lambda x: np.roll(x, 1),
        lambda x: x + 0.001 * np.abs(x).max(),
    ],
)
def test_wrong_values_are_refused_at_every_scale(xp, rng, dtype, scale, wrong):
    x = rng.normal(size=(3, 4)) * scale
    assert np.ptp(x) > 0
    assert_close(xp.asarray(x, dtype), xp.asarray(x, dtype))
    assert_refuses(xp.asarray(wrong(x), dtype), xp.asarray(x, dtype), "of 12 values")


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_at_the_scale_of_the_array_is_allowed(xp, dtype):
    rounding = 1e6 * _eps(dtype)
    desired = xp.asarray([1e6, 0.0], dtype)
    assert_close(xp.asarray([1e6, 15 * rounding], dtype), desired, rtol=0)
    assert_refuses(
        xp.asarray([1e6, 17 * rounding], dtype), desired, r"actual\[1\]", rtol=0
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_scale_is_that_of_finite_entries(xp, value):
    desired = xp.asarray([value, 0.0])
    assert_close(xp.asarray([value, 0.0]), desired)
    assert_refuses(xp.asarray([value, 1e-300]), desired, "1 of 2 values")


def test_tolerances_are_those_of_the_caller(xp):
    desired = xp.asarray([1.0, 100.0])
    assert_close(xp.asarray([1.0, 109.0]), desired, rtol=0.1)
    assert_refuses(xp.asarray([1.0, 111.0]), desired, r"\(rtol=0.1, atol=3", rtol=0.1)
    assert_close(xp.asarray([1.5, 100.5]), desired, atol=0.6)
    assert_refuses(xp.asarray([1.7, 100.5]), desired, "1 of 2 values", atol=0.6)
    assert_close(xp.asarray([1.6, 110.5]), desired, rtol=0.1, atol=0.6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_tolerances_of_zero_allow_nothing(xp, dtype):
    desired = xp.asarray([1e16, 1.0], dtype)
    exact = {"rtol": 0, "atol": 0}
    assert_close(desired, desired, **exact)
    actual = xp.asarray([1e16, 30.0], dtype)
    assert_refuses(actual, desired, r"1 of 2 .*tolerance 0 \(rtol=0, atol=0\)", **exact)


@pytest.mark.parametrize("dtype", FLOATS)
def test_an_own_tolerance_replaces_that_of_the_scale(xp, dtype):
    scale = 100 / _eps(dtype)
    desired = xp.asarray([scale, 0.25], dtype)
    actual = xp.asarray([scale, 0.10], dtype)
    assert_close(actual, desired)  # as documented
    assert_refuses(actual, desired, r"actual\[1\] is 0.1", atol=0)
    assert_refuses(actual, desired, r"actual\[1\] is 0.1", atol=0.01, rtol=0)


@pytest.mark.parametrize("tolerance", [-1e-9, np.nan, np.inf])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_a_tolerance_that_decides_nothing_is_refused(name, tolerance):
    with pytest.raises(ValueError, match=f"`{name}` must be finite and not negative"):
        assert_close(np.ones(1), np.ones(1), **{name: tolerance})


# values that are not finite


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
def test_nan_equals_nan_and_inf_its_like(xp, dtype):
    values = [np.nan, np.inf, -np.inf, 1.0]
    assert_close(xp.asarray(values, dtype), xp.asarray(values, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rtol", [None, 0, 2.0])
@pytest.mark.parametrize(
    ("actual", "desired"),
    [
        (np.nan, 1.0),
        (1.0, np.nan),
        (np.inf, -np.inf),
        (np.inf, 1.0),
        (1.0, np.inf),
        (np.nan, np.inf),
        (np.inf, np.nan),
        (np.inf, "largest"),
        ("largest", np.inf),
    ],
)
def test_one_that_is_not_finite_equals_no_other(xp, dtype, rtol, actual, desired):
    largest = np.finfo(dtype).max
    pair = [largest if value == "largest" else value for value in (actual, desired)]
    given, wanted = (xp.asarray([0.5, value], dtype) for value in pair)
    assert_refuses(given, wanted, r"1 of 2 values. Worst: actual\[1\]", rtol=rtol)


def test_infinite_parts_of_complex_numbers_must_agree(xp):
    desired = xp.asarray([complex(np.inf, 1.0)])
    assert_close(xp.asarray([complex(np.inf, 1.0)]), desired)
    for value in (complex(-np.inf, 1.0), complex(1.0, np.inf), complex(np.inf, 2.0)):
        assert_refuses(xp.asarray([value]), desired, "1 of 1 values")


# integers and booleans


@pytest.mark.parametrize(
    ("dtype", "actual", "desired"),
    [
        ("bool", True, False),
        ("int8", -128, 127),
        ("uint8", 0, 255),
        ("uint8", 255, 0),
        ("int64", 2**62 + 1, 2**62),
        ("int64", -(2**63), 2**63 - 1),
        ("uint64", 2**64 - 1, 2**64 - 2),
    ],
)
def test_integers_and_booleans_are_exact(xp, dtype, actual, desired):
    given, wanted = xp.asarray([0, actual], dtype), xp.asarray([0, desired], dtype)
    assert_close(given, given)
    apart = abs(int(actual) - int(desired))
    assert_refuses(
        given, wanted, rf"actual\[1\] is {actual}, not {desired}; .*tolerance 0 \("
    )
    # A tolerance is another matter, and no difference wraps.
    assert_close(given, wanted, atol=apart)
    assert_refuses(given, wanted, atol=apart / 2)


# numbers


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64"])
@pytest.mark.parametrize("number", [1 / 3, 7, -2.5, 1e-42, math.inf, math.nan])
def test_a_number_is_compared_in_the_dtype_of_the_array(xp, dtype, number):
    assert_close(xp.asarray(number, dtype), number)
    assert_close(xp.asarray(number, dtype), number, rtol=0)
    assert_refuses(xp.asarray(1.001, dtype), number, "1 of 1 values")
    assert_refuses(xp.asarray([number], dtype), number, r"in shape: \(1,\), not \(\)")


@pytest.mark.parametrize(
    ("dtype", "value", "right"),
    [("int8", 3, 3), ("uint8", 255, 255.0), ("bool", True, 1), ("int64", 1, True)],
)
def test_a_number_equals_an_integer(xp, dtype, value, right):
    assert_close(xp.asarray(value, dtype), right)


@pytest.mark.parametrize(
    ("dtype", "value", "wrong"),
    [
        ("int64", 3, 3.5),
        ("int64", 2**62 + 1, 2**62),
        ("uint8", 255, -1),
        ("uint8", 0, 256),
        ("uint64", 2**64 - 1, -1),
        ("bool", True, 2),
        ("bool", False, 1),
        ("int64", 3, 3 + 1j),
        ("int64", 3, math.nan),
        ("int64", 3, math.inf),
        ("int64", 3, 10**30),
        ("float64", 3.0, 3 + 1j),
        ("float32", math.inf, 1e300),
        ("float32", -math.inf, math.inf),
        ("complex64", 1 + 1j, 1.0),
    ],
)
def test_another_number_is_refused(xp, dtype, value, wrong):
    assert_refuses(xp.asarray(value, dtype), wrong, "1 of 1 values")


def test_a_number_has_no_library_and_no_device():
    strict = pytest.importorskip("array_api_strict")
    there = strict.asarray(2.0, device=strict.Device("device1"))
    assert_close(there, 2.0)
    assert_refuses(there, 2.5, "actual is 2.0, not 2.5")


# dtypes that NumPy does not have, and one that others do not


def test_extended_precision_has_its_own_tolerance():
    x = np.asarray([1.0, 3.0], np.longdouble)
    part = np.sqrt(np.finfo(x.dtype).eps)
    assert_close(x * (1 + part / 2), x)
    assert_refuses(x * (1 + part * 2), x, "2 of 2 values")


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_bfloat16_has_its_own_tolerance(library):
    pytest.importorskip(library)
    xp = xgrad.namespace(library)
    desired = xp.asarray([2.0, 3.0, 4.0], dtype=xp.bfloat16)
    assert_close(desired * 1.05, desired)  # eps is 0.008, its square root 0.09
    assert_refuses(desired * 1.5, desired, "3 of 3 values")
    assert_close(1 / desired[1], 1 / 3)


def test_torch_tensors_that_require_gradients_are_compared():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert_close(x, torch.tensor([1.0, 2.0]))
    assert_refuses(x, torch.tensor([1.0, 3.0]), r"actual\[1\] is 2.0, not 3.0")


def test_a_desired_number_that_no_float_holds_is_refused():
    with pytest.raises(ValueError, match="`desired` is an integer too large"):
        assert_close(np.ones(3), 10**400)
