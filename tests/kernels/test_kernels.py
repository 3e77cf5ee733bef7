"""Kernels compute what the formulas compute."""

import itertools
import os

import numpy as np
import pytest
from cases.kernels import assert_same, formulas
from cases.losses import LOSSES, SAMPLES, sample

import xgrad
from xgrad import losses, metrics
from xgrad._evaluation import columns
from xgrad._evaluation import points as _points
from xgrad._kernels import numpy as kernels
from xgrad.losses._class_loss import ClassLoss

pytestmark = pytest.mark.skipif(
    os.environ.get("XGRAD_KERNELS") == "0", reason="XGRAD_KERNELS=0: there are none"
)
XP = xgrad.namespace("numpy")
DTYPES = ["float32", "float64"]
METHODS = ["__call__", "grad", "value_and_grad"]
REDUCTIONS = ["mean", "sum", "none"]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", kernels.OF_FLOATS)
def test_kernels_of_losses_agree_with_the_formulas(
    rng, module, spy, name, dtype, method, reduction
):
    loss = LOSSES[name]
    for shape in ((1, 3), (200, 2), (33, 10), (7, 40), (3, 300)):
        p, t = sample(loss, rng, shape) if shape[0] > 1 else _row(loss, rng, shape)
        p = p.astype(dtype)
        t = t if isinstance(loss, ClassLoss) else t.astype(dtype)
        call = getattr(loss, method)
        found = call(p, t, reduction=reduction)
        assert_same(found, formulas(call, p, t, reduction=reduction))
    assert spy.asked == 5
    # The losses of errors, one by one, are left to the formulas; compiled kernels leave
    # those of rows of errors alone.
    one_by_one = isinstance(loss, ClassLoss) or (
        module == "numba" and name != "half_squared_error"
    )
    assert spy.answered == (5 if one_by_one or reduction != "none" else 0)


def _row(loss, rng, shape):
    prediction = SAMPLES[loss.prediction](rng, shape)
    if isinstance(loss, ClassLoss):
        return prediction, np.array([1])
    return prediction, SAMPLES[loss.target](rng, shape)


HARD = {
    "offsets": lambda x: x + 1e4,
    "one row far up": lambda x: x + 300 * (np.arange(len(x)) == 3)[:, None],
    "far down": lambda x: x - 60,
    "spread": lambda x: 1e3 * x,
    "huge": lambda x: 1e30 * x,
    "near the largest exponent": lambda x: x + 85,
    "confident": lambda x: 40 * x,
    "vanishing": lambda x: 1e-30 * x,
    "masked": lambda x: np.where(x > 1, -np.inf, x),
    "masked rows": lambda x: np.where(np.arange(len(x))[:, None] % 5, x, -np.inf),
    "nan": lambda x: np.where(np.abs(x) > 2, np.nan, x),
    "inf": lambda x: np.where(np.abs(x) > 2, np.inf, x),
}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("classes", [3, 10, 300])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", HARD)
def test_hard_logits(rng, spy, case, dtype, classes):
    x = HARD[case](rng.normal(size=(60, classes))).astype(dtype)
    y = rng.integers(0, classes, 60)
    call = losses.softmax_cross_entropy.value_and_grad
    for reduction in REDUCTIONS:
        found = call(x, y, reduction=reduction)
        assert_same(found, formulas(call, x, y, reduction=reduction))
    assert spy.answered == 3


@pytest.mark.parametrize(("dtype", "top"), [("float32", 87.5), ("float64", 708.0)])
def test_slopes_keep_their_digits_near_the_largest_exponent(dtype, top):
    rows = 300_000
    x = np.full((rows, 2), top, dtype)
    x[:, 1] -= 1
    slope = losses.softmax_cross_entropy.grad(x, np.zeros(rows, int))
    share = 1 / (1 + np.e)
    tolerance = 16 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(slope[0] * rows, [-share, share], rtol=tolerance)


def test_a_certain_label_has_no_slope(rng):
    x = np.where(np.arange(10) == 3, rng.normal(size=(1000, 10)), -np.inf)
    slope = losses.softmax_cross_entropy.grad(x, np.full(1000, 3))
    assert (slope == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_that_overflow_do_so_quietly(dtype):
    x = np.zeros((9000, 2), dtype)
    x[:, 0] = -float(np.finfo(dtype).max) / 2
    for reduction in ("sum", "mean"):
        found = losses.softmax_cross_entropy(
            x, np.zeros(9000, int), reduction=reduction
        )
        expected = formulas(
            losses.softmax_cross_entropy, x, np.zeros(9000, int), reduction=reduction
        )
        assert found == pytest.approx(expected)
    assert losses.softmax_cross_entropy(x, np.zeros(9000, int), reduction="sum") > 1e38


def test_tiny_probabilities_keep_their_digits(spy):
    x = np.array([[0.0, -60.0, -80.0], [10.0, -60.0, 0.0]], np.float32)
    slope = losses.softmax_cross_entropy.grad(x, np.array([0, 0]), reduction="sum")
    share = np.exp(x.astype(float))
    share /= share.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(slope[:, 1:], share[:, 1:], rtol=1e-6)
    assert spy.answered == 1


LAYOUTS = {
    "one row": lambda x, y: (x[0], y[0]),
    "reversed": lambda x, y: (x[::-1, ::-1], y[::-1]),
    "columns first": lambda x, y: (np.asfortranarray(x), y),
    "every other": lambda x, y: (x[::2, ::3], y[::2] % 4),
    "three axes": lambda x, y: (x.reshape(4, 15, 10), y.reshape(4, 15)),
    "no copy": lambda x, y: (x.reshape(4, 15, 10).swapaxes(0, 1), y.reshape(4, 15).T),
    "labels apart": lambda x, y: (x, np.stack([y, y], axis=1)[:, 0]),
    "small labels": lambda x, y: (x, y.astype(np.uint8)),
    "other bytes": lambda x, y: (x, y.astype(">i4")),
    "unsigned": lambda x, y: (x, y.astype(np.uint64)),
}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy"])
def test_layouts_of_rows(rng, spy, name, layout):
    x, y = rng.dirichlet(np.full(10, 3.0), 60), rng.integers(0, 10, 60)
    if layout == "every other":  # rows must stay distributions
        x[:, ::3] /= x[:, ::3].sum(axis=1, keepdims=True)
    p, t = LAYOUTS[layout](x, np.asarray(y))
    t = np.asarray(t)
    kept = p.copy(), t.copy()
    loss = LOSSES[name]
    for call, reduction in itertools.product(
        (loss, loss.grad, loss.value_and_grad), REDUCTIONS
    ):
        found = call(p, t, reduction=reduction)
        assert_same(found, formulas(call, p, t, reduction=reduction))
    assert spy.answered == 9
    np.testing.assert_array_equal(p, kept[0])
    np.testing.assert_array_equal(t, kept[1])


def test_delta_reaches_the_kernel(spy):
    p = np.array([[0.25, 0.75], [1.0, 0.0]])
    loss = losses.cross_entropy(p, np.array([0, 1]), delta=0.25, reduction="sum")
    np.testing.assert_allclose(loss, -np.log(0.5) - np.log(0.25), rtol=1e-15)
    assert spy.answered == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error"])
def test_sums_of_many_numbers_accumulate_in_float64(name, dtype):
    p, t = np.full(3_000_001, 0.1, dtype), np.zeros(3_000_001, dtype)
    exact = float(np.dtype(dtype).type(0.1))
    exact = exact**2 if "squared" in name else exact
    assert LOSSES[name](p, t) == pytest.approx(
        exact, rel=2 * float(np.finfo(dtype).eps)
    )


# Labels


@pytest.mark.usefixtures("small_blocks")
def test_counts_of_labels(rng, spy):
    p, t = rng.integers(0, 4, 1000).astype(np.int16), rng.integers(0, 4, 1000)
    for metric in (metrics.confusion_matrix, metrics.accuracy):
        np.testing.assert_array_equal(metric(p, t), formulas(metric, p, t))
    assert spy.answered == 2
    with pytest.raises(ValueError, match=r"prediction\[0\]"):
        metrics.confusion_matrix(np.full(1000, 4), t, num_classes=4)


# Points of a derivative


@pytest.mark.parametrize("dtype", [*DTYPES, "complex128"])
@pytest.mark.parametrize("pairs", [False, True])
def test_points_of_a_derivative(rng, dtype, pairs):
    base = rng.normal(size=(2, 3)).astype(dtype)
    step = np.full_like(base, 0.5)
    points = _points.Points(XP, base, step, (-1, 1, 2))
    if pairs:
        first, second = np.array([0, 5, 2]), np.array([1, 5, 3])
        points = points.divided(columns.pair_columns(XP, base, first, second))
    else:
        points = points.divided(columns.entry_columns(XP, base))
    for chunk in (_points.Chunk(0, 3, 0, 3), _points.Chunk(1, 2, 1, 3)):
        found, expected = points.batch(chunk), formulas(points.batch, chunk)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("module", ["numpy"], indirect=True)
def test_points_are_made_by_the_kernel(spy, rng):
    x = rng.normal(size=4)
    f = lambda v: np.sum(v**2, axis=-1)  # noqa: E731
    slopes = xgrad.gradient(f, x, method="central", vectorized=True)
    np.testing.assert_allclose(slopes, 2 * x, rtol=1e-9)
    assert spy.answered > 0
