"""Softmax and its relatives against mpmath and at the edges."""

import math

import mpmath
import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import special, to_numpy

EPS = 2.0**-52
HARD = [
    [0.0, 1.0, -2.0],
    [1e8, 1e8 + 1, 1e8 - 3],
    [-1e3, 0.0, 1e3],
    [-math.inf, 2.0, 3.0],
]


def _softmax(row):
    largest = max(row)
    terms = [mpmath.e ** (mpmath.mpf(v) - largest) for v in row]
    return [t / sum(terms) for t in terms]


def test_softmax_is_right_at_any_offset_and_mask(xp):
    expected = [[float(p) for p in _softmax(row)] for row in HARD]
    assert_close(special.softmax(xp.asarray(HARD)), expected, rtol=4 * EPS)


def test_log_softmax_is_right_where_the_probability_underflows(xp):
    with mpmath.workdps(500):
        expected = [
            [float(mpmath.log(p)) if p else -math.inf for p in _softmax(row)]
            for row in HARD
        ]
    assert_close(special.log_softmax(xp.asarray(HARD)), expected, rtol=8 * EPS)


def test_logsumexp_is_right(xp):
    rows = [row for row in HARD if math.isfinite(row[0])]
    expected = [
        float(mpmath.log(sum(mpmath.e ** mpmath.mpf(v) for v in row))) for row in rows
    ]
    assert_close(special.logsumexp(xp.asarray(rows)), expected, rtol=2 * EPS)


@pytest.mark.parametrize("gap", [3.0, 16.0, 40.0, 700.0])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_sum_close_to_one_keeps_its_digits(xp, gap, axis):
    rows = np.array([[-gap, 0.0, -gap - 1], [0.0, 0.0, -gap], [0.5, 0.5 - gap, -gap]])
    largest = rows.max(axis=-1)
    others = [math.exp(-gap) + math.exp(-gap - 1), 1 + math.exp(-gap)]
    others.append(math.exp(-gap) + math.exp(-gap - 0.5))
    log_sum = np.array([math.log1p(rest) for rest in others])
    x = xp.asarray(rows if axis else rows.T)
    values = to_numpy(special.logsumexp(x, axis=axis))
    assert_close(values, largest + log_sum, rtol=4 * EPS)
    logarithms = to_numpy(special.log_softmax(x, axis=axis))
    logarithms = logarithms if axis else logarithms.T
    expected = (rows - largest[:, None]) - log_sum[:, None]
    assert_close(logarithms, expected, rtol=4 * EPS)


def test_rows_of_minus_infinity(xp):
    masked = xp.asarray([[-math.inf, -math.inf]])
    assert np.isnan(to_numpy(special.softmax(masked))).all()
    assert to_numpy(special.logsumexp(masked)) == [-math.inf]


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
def test_any_axis(xp, rng, function):
    x = rng.normal(size=(2, 3, 4))
    apply = getattr(special, function)
    for axis in (0, 1, 2, -3):
        moved = np.moveaxis(
            to_numpy(apply(xp.asarray(np.moveaxis(x, axis, -1)))), -1, axis
        )
        assert_close(apply(xp.asarray(x), axis=axis), moved, rtol=4 * EPS)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 31, 32, 33, 64, 1000])
def test_any_width(xp, rng, width):
    x = rng.normal(size=(3, width)) * 5
    exponential = np.exp(x - x.max(axis=-1, keepdims=True))
    expected = exponential / exponential.sum(axis=-1, keepdims=True)
    assert_close(special.softmax(xp.asarray(x)), expected, rtol=16 * EPS)


def test_sigmoid_is_right_on_both_sides(xp):
    x = [-math.inf, -700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0, math.inf]
    with mpmath.workdps(50):
        expected = [float(1 / (1 + mpmath.exp(-mpmath.mpf(v)))) for v in x]
    assert_close(special.sigmoid(xp.asarray(x)), expected, rtol=2 * EPS)


@pytest.mark.parametrize("function", ["softmax", "log_softmax", "logsumexp", "sigmoid"])
def test_dtypes(xp, function):
    apply = getattr(special, function)
    assert apply(xp.asarray([1.0, 2.0], "float32")).dtype == xp.float32
    integers = to_numpy(apply(xp.asarray([1, 2])))
    assert_close(apply(xp.asarray([1.0, 2.0])), integers, rtol=1e-6)


def test_half_precision_is_computed_in_float32_and_comes_back():
    x = np.array([12.0, 11.0, 0.0], np.float16)
    result = special.softmax(x)
    assert result.dtype == np.float16
    expected = special.softmax(x.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "int32", "int64", "uint64"]
)
def test_one_hot_takes_integers_of_any_width(xp, dtype):
    if xp.name == "torch" and dtype == "uint64":
        pytest.skip("torch compares no uint64")
    rows = special.one_hot(xp.asarray([2, 0], dtype), 3)
    np.testing.assert_array_equal(to_numpy(rows), [[0, 0, 1], [1, 0, 0]])


def test_one_hot_has_more_classes_than_the_labels_can_count(xp):
    rows = to_numpy(special.one_hot(xp.asarray([255], "uint8"), 300))
    assert rows.shape == (1, 300)
    assert rows[0, 255] == 1
    assert rows.sum() == 1


def test_one_hot_refuses_bad_labels_by_index_and_value(xp):
    with pytest.raises(ValueError, match=r"labels in \[0, 3\), but labels\[1\] is 3"):
        special.one_hot(xp.asarray([0, 3, -1]), 3)
    rows = to_numpy(special.one_hot(xp.asarray([0, 3, -1]), 3, check=False))
    assert np.isnan(rows[1:]).all()
    np.testing.assert_array_equal(rows[0], [1, 0, 0])


def test_one_hot_takes_a_dtype_and_any_shape(xp):
    rows = special.one_hot(xp.asarray([[0], [1]]), num_classes=2, dtype=xp.int32)
    assert rows.dtype == xp.int32
    assert tuple(rows.shape) == (2, 1, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: special.softmax([1.0]), TypeError, "`x` must be an array"),
        (lambda: special.softmax(np.ones(2) * 1j), TypeError, "real numbers"),
        (lambda: special.softmax(np.array(["a"])), TypeError, "real numbers"),
        (lambda: special.softmax(np.ones((2, 0))), ValueError, "at least one entry"),
        (lambda: special.softmax(np.ones(2), axis=1), ValueError, "`axis` is 1"),
        (lambda: special.softmax(np.array(1.0)), ValueError, "`axis` is -1"),
        (lambda: special.sigmoid(np.ma.ones(2)), TypeError, "MaskedArray"),
        (lambda: special.one_hot(np.ones(2), 3), TypeError, "integer class labels"),
        (lambda: special.one_hot(np.array([True]), 3), TypeError, "integer"),
        (lambda: special.one_hot(np.array([0]), 0), ValueError, "at least 1"),
        (lambda: special.one_hot(np.array([0]), 2.5), TypeError, "must be an integer"),
    ],
)
def test_bad_arguments_say_what_to_change(call, error, message):
    with pytest.raises(error, match=message):
        call()
