"""Series and DataFrames of pandas are taken as NumPy arrays of their values."""

import numpy as np
import pytest

import xgrad
from xgrad import losses, metrics

pd = pytest.importorskip("pandas")

T = np.array([1, 0, 1, 1])
P = np.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1], [0.3, 0.7]])
# Their index must not matter.
SERIES = pd.Series(T, index=[3, 2, 1, 0])
FRAME = pd.DataFrame(P, columns=["no", "yes"])


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int8"])
def test_labels_may_be_a_series(dtype):
    labels = SERIES.astype(dtype)
    assert metrics.accuracy(FRAME, labels) == 0.75
    assert metrics.f1(prediction=FRAME, target=labels) == metrics.f1(P, T)


def test_losses_take_frames_and_return_arrays():
    value, slope = losses.softmax_cross_entropy.value_and_grad(FRAME, SERIES)
    expected = losses.softmax_cross_entropy.value_and_grad(P, T)
    assert value == expected[0]
    assert type(slope) is np.ndarray
    assert np.array_equal(slope, expected[1])
    weight = pd.Series([1.0, 2.0, 3.0, 4.0])
    assert losses.softmax_cross_entropy(FRAME, SERIES, weight=weight) == (
        losses.softmax_cross_entropy(P, T, weight=weight.to_numpy())
    )


def test_states_take_series():
    state = metrics.Classification(2).update(FRAME, SERIES)
    assert state.accuracy() == 0.75
    assert metrics.Mean().update(pd.Series([1.0, 2.0])).mean() == 1.5


def test_columns_of_different_numbers_become_one_array():
    frame = pd.DataFrame({"a": [True, False], "b": [1, 2]})
    other = np.array([[1.0, 1.0], [0.0, 2.0]])
    assert losses.mean_squared_error(frame, frame.astype(float)) == 0
    assert losses.mean_squared_error(frame, other) == 0


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["cat", "dog"], "str"),
        (["a", "b"], "category"),
        ([1, None], "object"),
        ([1j, 2j], "complex128"),
    ],
)
def test_columns_that_hold_no_numbers_are_named(values, dtype):
    series = pd.Series(values, dtype=dtype)
    with pytest.raises(
        TypeError, match=r"`target` is a pandas\.Series of dtype .*factorize"
    ):
        losses.mean_squared_error(np.ones(2), series)
    frame = pd.DataFrame({"x": [1.0, 2.0], "name": series})
    with pytest.raises(
        TypeError, match=r"`prediction` is a .*DataFrame whose column 'name'"
    ):
        losses.mean_squared_error(frame, np.ones((2, 2)))


def test_derivatives_take_series_and_frames():
    series = pd.Series([1.0, 2.0])
    slopes = xgrad.gradient(lambda x: np.sum(x**2), series)
    assert type(slopes) is np.ndarray
    np.testing.assert_allclose(slopes, [2.0, 4.0])
    nested = xgrad.gradient(lambda p: np.sum(p["w"] ** 2), {"w": FRAME})
    np.testing.assert_allclose(nested["w"], 2 * P)
    assert xgrad.check_gradient(lambda x: np.sum(x**2), 2 * series, series)
    assert xgrad.check_gradient(lambda x: np.sum(x**2), lambda x: 2 * x, series)


@pytest.mark.filterwarnings("ignore:xgrad takes differences")
@pytest.mark.parametrize("product", [lambda w, a: w[0] * a, lambda w, a: a * w[0]])
def test_functions_compute_with_series(product):
    series = pd.Series([1.0, 2.0, 4.0], index=[3, 1, 2])

    def f(w):
        return np.dot(product(w, series), series) * w[1]

    np.testing.assert_allclose(xgrad.gradient(f, np.ones(2)), 21.0, rtol=1e-9)


def test_plots_take_series_and_frames():
    pytest.importorskip("matplotlib").use("Agg")
    ax = xgrad.plot.history(pd.DataFrame({"loss": [2.3, 0.9], "error": [0.8, 0.3]}))
    assert [line.get_label() for line in ax.lines] == ["loss", "error"]
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [0.8, 0.3])
    ax = xgrad.plot.confusion(pd.DataFrame([[9, 1], [2, 8]]))
    assert [text.get_text() for text in ax.texts] == ["9", "1", "2", "8"]


def test_softmax_takes_a_frame():
    expected = xgrad.special.softmax(P)
    np.testing.assert_array_equal(xgrad.special.softmax(FRAME), expected)


@pytest.mark.parametrize("labels", [SERIES > 0, (SERIES > 0).astype("boolean")])
def test_booleans_are_labels(labels):
    assert metrics.accuracy(FRAME, labels) == 0.75
