"""`assert_close` accepts what is right, and refuses every kind of difference."""

import math
import re
from collections import namedtuple

import numpy as np
import pytest

import xgrad
from xgrad.testing import assert_close

FLOATS = ["float32", "float64"]
NUMBERS = [*FLOATS, "complex64", "complex128", "int8", "int64", "uint8", "bool"]
SCALES = [1e-7, 1.0, 1e8]


def _refuses(actual, desired, match=None, **tolerances):
    with pytest.raises(AssertionError, match=match):
        assert_close(actual, desired, **tolerances)


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
    _refuses(np.float32(2.0), np.asarray(2.0), "dtype: float32, not float64")
    _refuses(np.float64(2.0), np.asarray([2.0]), r"shape: \(\), not \(1,\)")


def test_memory_need_not_be_contiguous():
    x = np.arange(12.0).reshape(3, 4)
    assert_close(x.T, np.ascontiguousarray(x.T))
    assert_close(x[::-1], x[::-1].copy())


def test_values_of_lazy_arrays_are_computed():
    dask = pytest.importorskip("dask.array")
    x = np.arange(6.0)
    assert_close(dask.from_array(x, chunks=2), dask.from_array(x, chunks=3))
    _refuses(dask.from_array(x, chunks=2), dask.from_array(x + 1), "6 of 6 values")


# tolerances


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
@pytest.mark.parametrize("scale", SCALES)
def test_half_of_the_digits_must_agree(xp, dtype, scale):
    x = np.asarray([scale, -3 * scale], dtype)
    part = math.sqrt(_eps(dtype))
    assert_close(xp.asarray(x * (1 + part / 2), dtype), xp.asarray(x, dtype))
    _refuses(xp.asarray(x * (1 + part * 2), dtype), xp.asarray(x, dtype), "2 of 2")


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
    _refuses(xp.asarray(wrong(x), dtype), xp.asarray(x, dtype), "of 12 values")


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_at_the_scale_of_the_array_is_allowed(xp, dtype):
    rounding = 1e6 * _eps(dtype)
    desired = xp.asarray([1e6, 0.0], dtype)
    assert_close(xp.asarray([1e6, 15 * rounding], dtype), desired, rtol=0)
    _refuses(xp.asarray([1e6, 17 * rounding], dtype), desired, r"actual\[1\]", rtol=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_scale_is_that_of_finite_entries(xp, value):
    desired = xp.asarray([value, 0.0])
    assert_close(xp.asarray([value, 0.0]), desired)
    _refuses(xp.asarray([value, 1e-300]), desired, "1 of 2 values")


def test_tolerances_are_those_of_the_caller(xp):
    desired = xp.asarray([1.0, 100.0])
    assert_close(xp.asarray([1.0, 109.0]), desired, rtol=0.1)
    _refuses(xp.asarray([1.0, 111.0]), desired, r"\(rtol=0.1, atol=0\)", rtol=0.1)
    assert_close(xp.asarray([1.5, 100.5]), desired, atol=0.6)
    _refuses(xp.asarray([1.7, 100.5]), desired, "1 of 2 values", atol=0.6)
    assert_close(xp.asarray([1.6, 110.5]), desired, rtol=0.1, atol=0.6)


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
    _refuses(given, wanted, r"1 of 2 values. Worst: actual\[1\]", rtol=rtol)


def test_infinite_parts_of_complex_numbers_must_agree(xp):
    desired = xp.asarray([complex(np.inf, 1.0)])
    assert_close(xp.asarray([complex(np.inf, 1.0)]), desired)
    for value in (complex(-np.inf, 1.0), complex(1.0, np.inf), complex(np.inf, 2.0)):
        _refuses(xp.asarray([value]), desired, "1 of 1 values")


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
    _refuses(
        given, wanted, rf"actual\[1\] is {actual}, not {desired}; .*tolerance 0 \("
    )
    # A tolerance is another matter, and no difference wraps.
    assert_close(given, wanted, atol=apart)
    _refuses(given, wanted, atol=apart / 2)


# what is not a value


def test_another_library_is_refused():
    pytest.importorskip("array_api_strict")
    ours, other = np.ones(2), xgrad.namespace("array_api_strict").ones(2)
    _refuses(ours, other, "in library: numpy, not array_api_strict$")
    _refuses(other, ours, "in library: array_api_strict, not numpy$")


def test_another_device_is_refused():
    strict = pytest.importorskip("array_api_strict")
    here = strict.ones(2)
    there = strict.ones(2, device=strict.Device("device1"))
    _refuses(here, there, "in device: .*CPU_DEVICE.*, not .*device1")
    _refuses(there, here, "in device: .*device1.*, not .*CPU_DEVICE")


@pytest.mark.parametrize("dtype", NUMBERS)
def test_another_dtype_is_refused(xp, dtype):
    for other in NUMBERS:
        if other != dtype:
            given, wanted = xp.asarray([1], dtype), xp.asarray([1], other)
            _refuses(given, wanted, f"in dtype: .*{dtype}, not .*{other}$")


@pytest.mark.parametrize(
    ("shape", "other"),
    [((), (1,)), ((2,), (2, 1)), ((2,), (1, 2)), ((0,), (0, 3)), ((1,), (3,))],
)
def test_another_shape_is_refused(xp, shape, other):
    given, wanted = xp.asarray(np.ones(shape)), xp.asarray(np.ones(other))
    _refuses(given, wanted, re.escape(f"in shape: {shape}, not {other}"))
    _refuses(wanted, given, re.escape(f"in shape: {other}, not {shape}"))


def test_all_that_differs_is_named(xp):
    given, wanted = xp.asarray([1.0], "float32"), xp.asarray(1.0, "float64")
    _refuses(given, wanted, r"dtype: .*float32, not .*float64; shape: \(1,\), not \(\)")


# numbers


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64"])
@pytest.mark.parametrize("number", [1 / 3, 7, -2.5, 1e-42, math.inf, math.nan])
def test_a_number_is_compared_in_the_dtype_of_the_array(xp, dtype, number):
    assert_close(xp.asarray(number, dtype), number)
    assert_close(xp.asarray(number, dtype), number, rtol=0)
    _refuses(xp.asarray(1.001, dtype), number, "1 of 1 values")
    _refuses(xp.asarray([number], dtype), number, r"in shape: \(1,\), not \(\)")


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
    _refuses(xp.asarray(value, dtype), wrong, "1 of 1 values")


def test_a_number_has_no_library_and_no_device():
    strict = pytest.importorskip("array_api_strict")
    there = strict.asarray(2.0, device=strict.Device("device1"))
    assert_close(there, 2.0)
    _refuses(there, 2.5, "actual is 2.0, not 2.5")


# containers

Pair = namedtuple("Pair", "left right")


def test_nested_arrays_are_compared_leaf_by_leaf(xp):
    def tree(slope=1.0, shift=2.0):
        layers = [(xp.asarray([slope]), xp.asarray(shift))]
        return {"layers": layers, "pair": Pair(xp.asarray(3), {})}

    assert_close(tree(), tree())
    assert_close(dict(reversed(tree().items())), tree())
    _refuses(tree(shift=2.5), tree(), r"^`actual\['layers'\]\[0\]\[1\]` differs from")
    with pytest.raises(AssertionError) as refused:
        assert_close(tree(5.0, 2.5), tree())
    first, second = str(refused.value).splitlines()
    assert "actual['layers'][0][0][0] is 5.0, not 1.0" in first
    assert "actual['layers'][0][1] is 2.5, not 2.0" in second


def test_leaves_may_be_numbers(xp):
    assert_close([xp.asarray(1.0), xp.asarray(2.0)], [1.0, 2.0])
    _refuses([xp.asarray(1.0), xp.asarray(2.0)], [1.0, 2.5], r"actual\[1\] is 2.0")


ONE = np.ones(1)


@pytest.mark.parametrize(
    ("actual", "desired"),
    [
        (ONE, [ONE]),
        ([ONE], ONE),
        (ONE, [1.0]),
        ([ONE], (ONE,)),
        ([ONE], {0: ONE}),
        ([ONE], [ONE, ONE]),
        ([ONE, ONE], [ONE]),
        ([], [ONE]),
        ([], {}),
        ({}, {"a": {}}),
        ({"a": []}, {"a": {}}),
        ({"a": ONE}, {"b": ONE}),
        ({"a": ONE}, {"a": ONE, "b": ONE}),
        ({1: ONE}, {True: ONE}),
        (None, [None]),
    ],
)
def test_other_containers_are_refused(actual, desired):
    _refuses(actual, desired, "^`actual` is nested like .*, but `desired` like ")


# messages


def test_the_message_counts_and_names_the_worst(xp):
    desired = xp.asarray([[1.0, 2.0, 4.0], [8.0, 0.5, 0.0]])
    actual = xp.asarray([[1.0, 2.5, 4.0], [9.5, 1.5, 0.0]])
    message = (
        r"^`actual` differs from `desired` in 3 of 6 values. Worst: actual\[1, 1\] "
        r"is 1.5, not 0.5; difference 1, tolerance 0.05 \(rtol=0.1, atol=0\)$"
    )
    _refuses(actual, desired, message, rtol=0.1)


def test_the_worst_of_exact_values_is_the_farthest():
    _refuses(np.asarray([1, 5, 3]), np.asarray([2, 2, 2]), r"Worst: actual\[1\] is 5")
    worst = r"Worst: actual\[1\] is nan, not 2.0; tolerance 3e-08"
    _refuses(np.asarray([9.0, np.nan]), np.asarray([1.0, 2.0]), worst)


def test_a_traceback_ends_in_the_test():
    with pytest.raises(AssertionError) as refused:
        assert_close(np.ones(1), np.zeros(1))
    assert [e.name for e in refused.traceback][-1] == "assert_close"
    assert refused.traceback[-1].ishidden(refused)


# what is no array


@pytest.mark.parametrize("actual", [None, 1.0, "text", np.ma.ones(2), object()])
def test_what_comes_out_must_be_an_array(actual):
    _refuses(actual, np.ones(2), "`actual` (must be an array|is a numpy.MaskedArray)")
    _refuses([actual], [np.ones(2)], r"`actual\[0\]`")


@pytest.mark.parametrize(
    "desired", [None, "text", np.ma.ones(2), np.asarray(["a", "b"]), np.array([None])]
)
def test_what_is_desired_must_be_numbers(desired):
    with pytest.raises(TypeError, match="`desired` "):
        assert_close(np.ones(2), desired)
    with pytest.raises(TypeError, match=r"`desired\['a'\]` "):
        assert_close({"a": np.ones(2)}, {"a": desired})


def test_arguments_stay_as_they_are(xp):
    actual, desired = xp.asarray([1.0, np.nan]), xp.asarray([1.0, np.inf])
    _refuses(actual, desired)
    np.testing.assert_array_equal(xgrad.to_numpy(actual), [1.0, np.nan])
    np.testing.assert_array_equal(xgrad.to_numpy(desired), [1.0, np.inf])


# dtypes that NumPy does not have, and one that others do not


def test_extended_precision_has_its_own_tolerance():
    x = np.asarray([1.0, 3.0], np.longdouble)
    part = np.sqrt(np.finfo(x.dtype).eps)
    assert_close(x * (1 + part / 2), x)
    _refuses(x * (1 + part * 2), x, "2 of 2 values")


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_bfloat16_has_its_own_tolerance(library):
    pytest.importorskip(library)
    xp = xgrad.namespace(library)
    desired = xp.asarray([2.0, 3.0, 4.0], dtype=xp.bfloat16)
    assert_close(desired * 1.05, desired)  # eps is 0.008, its square root 0.09
    _refuses(desired * 1.5, desired, "3 of 3 values")
    assert_close(1 / desired[1], 1 / 3)


def test_torch_tensors_that_require_gradients_are_compared():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert_close(x, torch.tensor([1.0, 2.0]))
    _refuses(x, torch.tensor([1.0, 3.0]), r"actual\[1\] is 2.0, not 3.0")


def test_a_desired_number_that_no_float_holds_is_refused():
    with pytest.raises(ValueError, match="`desired` is an integer too large"):
        assert_close(np.ones(3), 10**400)
