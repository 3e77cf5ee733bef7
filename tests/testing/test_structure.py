"""`assert_close` refuses other kinds of arrays and containers, and says so."""

import re
from collections import namedtuple

import numpy as np
import pytest
from cases.refusals import NUMBERS, assert_refuses

import xgrad
from xgrad.testing import assert_close

# what is not a value


def test_another_library_is_refused():
    pytest.importorskip("array_api_strict")
    ours, other = np.ones(2), xgrad.namespace("array_api_strict").ones(2)
    assert_refuses(ours, other, "in library: numpy, not array_api_strict$")
    assert_refuses(other, ours, "in library: array_api_strict, not numpy$")


def test_another_device_is_refused():
    strict = pytest.importorskip("array_api_strict")
    here = strict.ones(2)
    there = strict.ones(2, device=strict.Device("device1"))
    assert_refuses(here, there, "in device: .*CPU_DEVICE.*, not .*device1")
    assert_refuses(there, here, "in device: .*device1.*, not .*CPU_DEVICE")


@pytest.mark.parametrize("dtype", NUMBERS)
def test_another_dtype_is_refused(xp, dtype):
    for other in NUMBERS:
        if other != dtype:
            given, wanted = xp.asarray([1], dtype), xp.asarray([1], other)
            assert_refuses(given, wanted, f"in dtype: .*{dtype}, not .*{other}$")


@pytest.mark.parametrize(
    ("shape", "other"),
    [((), (1,)), ((2,), (2, 1)), ((2,), (1, 2)), ((0,), (0, 3)), ((1,), (3,))],
)
def test_another_shape_is_refused(xp, shape, other):
    given, wanted = xp.asarray(np.ones(shape)), xp.asarray(np.ones(other))
    assert_refuses(given, wanted, re.escape(f"in shape: {shape}, not {other}"))
    assert_refuses(wanted, given, re.escape(f"in shape: {other}, not {shape}"))


def test_all_that_differs_is_named(xp):
    given, wanted = xp.asarray([1.0], "float32"), xp.asarray(1.0, "float64")
    assert_refuses(
        given, wanted, r"dtype: .*float32, not .*float64; shape: \(1,\), not \(\)"
    )


# containers

Pair = namedtuple("Pair", "left right")


def test_nested_arrays_are_compared_leaf_by_leaf(xp):
    def tree(slope=1.0, shift=2.0):
        layers = [(xp.asarray([slope]), xp.asarray(shift))]
        return {"layers": layers, "pair": Pair(xp.asarray(3), {})}

    assert_close(tree(), tree())
    assert_close(dict(reversed(tree().items())), tree())
    assert_refuses(
        tree(shift=2.5), tree(), r"^`actual\['layers'\]\[0\]\[1\]` differs from"
    )
    with pytest.raises(AssertionError) as refused:
        assert_close(tree(5.0, 2.5), tree())
    first, second = str(refused.value).splitlines()
    assert "actual['layers'][0][0][0] is 5.0, not 1.0" in first
    assert "actual['layers'][0][1] is 2.5, not 2.0" in second


def test_leaves_may_be_numbers(xp):
    assert_close([xp.asarray(1.0), xp.asarray(2.0)], [1.0, 2.0])
    assert_refuses(
        [xp.asarray(1.0), xp.asarray(2.0)], [1.0, 2.5], r"actual\[1\] is 2.0"
    )


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
    assert_refuses(actual, desired, "^`actual` is nested like .*, but `desired` like ")


# messages


def test_the_message_counts_and_names_the_worst(xp):
    desired = xp.asarray([[1.0, 2.0, 4.0], [8.0, 0.5, 0.0]])
    actual = xp.asarray([[1.0, 2.5, 4.0], [9.5, 1.5, 0.0]])
    message = (
        r"^`actual` differs from `desired` in 3 of 6 values. Worst: actual\[1, 1\] "
        r"is 1.5, not 0.5; difference 1, tolerance 0.05 \(rtol=0.1, atol=2.8e-14\)$"
    )
    assert_refuses(actual, desired, message, rtol=0.1)


def test_the_worst_of_exact_values_is_the_farthest():
    assert_refuses(
        np.asarray([1, 5, 3]), np.asarray([2, 2, 2]), r"Worst: actual\[1\] is 5"
    )
    worst = r"Worst: actual\[1\] is nan, not 2.0; tolerance 3e-08"
    assert_refuses(np.asarray([9.0, np.nan]), np.asarray([1.0, 2.0]), worst)


def test_a_traceback_ends_in_the_test():
    with pytest.raises(AssertionError) as refused:
        assert_close(np.ones(1), np.zeros(1))
    assert [e.name for e in refused.traceback][-1] == "assert_close"
    assert refused.traceback[-1].ishidden(refused)


# what is no array


@pytest.mark.parametrize("actual", [None, 1.0, "text", np.ma.ones(2), object()])
def test_what_comes_out_must_be_an_array(actual):
    assert_refuses(
        actual, np.ones(2), "`actual` (must be an array|is a numpy.MaskedArray)"
    )
    assert_refuses([actual], [np.ones(2)], r"`actual\[0\]`")


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
    assert_refuses(actual, desired)
    np.testing.assert_array_equal(xgrad.to_numpy(actual), [1.0, np.nan])
    np.testing.assert_array_equal(xgrad.to_numpy(desired), [1.0, np.inf])
