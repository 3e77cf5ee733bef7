"""Kernels compute what the formulas compute, or step aside."""

import os
import subprocess
import sys

import numpy as np
import pytest
from cases.losses import LOSSES, SAMPLES, sample

import xgrad
from xgrad import losses, metrics
from xgrad._evaluation import columns
from xgrad._evaluation import points as _points
from xgrad._kernels import find_kernel, lookup, numpy_memory
from xgrad._kernels import numpy as kernels
from xgrad.losses import _formulas
from xgrad.losses import _loss as _loss
from xgrad.losses._class_loss import ClassLoss
from xgrad.metrics import _labelled_rows

pytestmark = pytest.mark.skipif(
    os.environ.get("XGRAD_KERNELS") == "0", reason="XGRAD_KERNELS=0: there are none"
)
XP = xgrad.namespace("numpy")
DTYPES = ["float32", "float64"]
METHODS = ["__call__", "grad", "value_and_grad"]
REDUCTIONS = ["mean", "sum", "none"]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of some rows, so that small arrays have several."""
    monkeypatch.setattr(numpy_memory, "BLOCK", 64)
    monkeypatch.setattr(numpy_memory, "BYTES", 512)
    monkeypatch.setattr(numpy_memory, "SMALL", 0)


class Spy:
    """Counts how often a kernel has an answer."""

    def __init__(self):
        self.asked = self.answered = 0

    def __call__(self, name, xp, dtype):
        kernel = find_kernel(name, xp, dtype)

        def watched(*arguments, **settings):
            found = kernel(*arguments, **settings)
            self.asked += 1
            self.answered += found is not None
            return found

        return kernel and watched


@pytest.fixture
def spy(monkeypatch):
    watching = Spy()
    for module in (_loss, _points, _labelled_rows):
        monkeypatch.setattr(module, "find_kernel", watching)
    return watching


def formulas(call, *arguments, **options):
    """What a call returns without kernels."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_loss, _points, _labelled_rows):
            patch.setattr(module, "find_kernel", lambda *names: None)
        return call(*arguments, **options)


def assert_same(found, expected, units=8):
    """Equal to some units in the last place of the largest, nan and inf in place."""
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        one, other = np.asarray(one), np.asarray(other)
        finite = np.abs(other[np.isfinite(other)])
        size = max(1.0, finite.max(initial=0.0))
        eps = float(np.finfo(one.dtype).eps)
        np.testing.assert_allclose(one, other, rtol=0, atol=units * eps * size)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", kernels.OF_FLOATS)
def test_kernels_of_losses_agree_with_the_formulas(
    rng, spy, name, dtype, method, reduction
):
    loss = LOSSES[name]
    for shape in ((1, 3), (100, 2), (33, 10), (7, 40), (3, 300)):
        p, t = sample(loss, rng, shape) if shape[0] > 1 else _row(loss, rng, shape)
        p = p.astype(dtype)
        t = t if isinstance(loss, ClassLoss) else t.astype(dtype)
        call = getattr(loss, method)
        found = call(p, t, reduction=reduction)
        assert_same(found, formulas(call, p, t, reduction=reduction))
    assert spy.asked == 5
    # The losses of errors, one by one, are left to the formulas.
    of_classes = isinstance(loss, ClassLoss)
    assert spy.answered == (5 if of_classes or reduction != "none" else 0)


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
    call = LOSSES[name].value_and_grad
    for reduction in REDUCTIONS:
        found = call(p, t, reduction=reduction)
        assert_same(found, formulas(call, p, t, reduction=reduction))
    assert spy.answered == 3
    np.testing.assert_array_equal(p, kept[0])
    np.testing.assert_array_equal(t, kept[1])


def test_what_a_kernel_cannot_do_is_left_to_the_formulas(rng, spy):
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 3, 6)
    loss = losses.softmax_cross_entropy
    loss(x, np.eye(3)[y])  # weights of classes
    loss(x[:0], y[:0], reduction="sum")
    loss(x, np.array([0, 1, 2, 3, 1, 0]), check=False)  # a row that is nan
    assert (spy.asked, spy.answered) == (3, 0)
    loss(x, y, label_smoothing=0.1)
    loss(x, y, weight=np.ones(6))
    loss(x.astype(np.float16), y)
    loss(x.astype(">f8"), y)
    assert spy.asked == 3
    losses.mean_squared_error(x.T, x.T + 1)
    losses.mean_squared_error(x, x.astype(np.float32))
    losses.mean_absolute_error(np.array([np.nan]), np.array([1.0]))
    assert spy.answered == 0
    big = np.full(3, 1e300)
    assert losses.mean_squared_error(big, -big) == np.inf
    assert spy.answered == 0


def test_errors_are_those_of_the_formulas(rng):
    x, y = rng.normal(size=(6, 3)), np.array([0, 1, 2, 0, 5, 1])
    with pytest.raises(ValueError, match=r"target\[4\] is 5"):
        losses.softmax_cross_entropy(x, y)
    with pytest.raises(ValueError, match=r"prediction\[0, 0\] is"):
        losses.cross_entropy(np.where(x == x[0, 0], -1.0, 0.5), np.array([0] * 6))
    with pytest.raises(ValueError, match="sum to 1"):
        losses.cross_entropy(np.full((6, 3), 0.5), np.array([0] * 6))
    with pytest.raises(ValueError, match="`delta` must be finite and not negative"):
        losses.cross_entropy(np.full((6, 3), 1 / 3), np.array([0] * 6), delta=-1.0)
    with pytest.raises(ValueError, match="one of 'mean', 'sum', 'none'"):
        losses.mean_squared_error(x, x, reduction="average")
    with pytest.raises(TypeError, match="unexpected keyword argument 'delta'"):
        losses.mean_squared_error(x, x, delta=1.0)
    with pytest.raises(ValueError, match="never broadcasts"):
        losses.mean_squared_error(x, x[:, :1])


def test_the_first_error_is_that_of_the_formulas():
    p, y = np.full((4, 2), 0.5), np.array([0, 1, 1, 0])
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        losses.cross_entropy(p, y, delta=-1.0, other=3)
    with pytest.raises(ValueError, match="needs a last axis"):
        losses.cross_entropy(np.array(0.5), np.array(0), delta=-1.0)
    scores = np.array([[np.nan, 1.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"target\[1\] is 5"):
        metrics.accuracy(scores, np.array([0, 5]))
    with pytest.raises(ValueError, match=r"prediction\[0, 0\] is nan"):
        metrics.f1(scores, np.array([0, 1]))


def test_results_are_of_one_type(rng):
    for dtype in DTYPES:
        p, t = rng.normal(size=(2, 6)).astype(dtype)
        for loss in (losses.mean_squared_error, losses.huber):
            assert type(loss(p, t)) is type(formulas(loss, p, t))
            assert type(loss(p, t)) is type(loss(p, t, weight=np.ones(6)))


def test_certain_predictions_cost_nothing_and_not_less():
    each = losses.cross_entropy(np.eye(2), np.array([0, 1]), reduction="none")
    assert not np.signbit(each).any()


def test_a_loss_of_the_same_name_has_its_own_formula():
    @_loss.Loss
    def mean_absolute_error(xp, prediction, target, /):
        return 3 * xp.abs(prediction - target)

    assert mean_absolute_error(np.ones(3), np.zeros(3)) == 3.0


def test_delta_reaches_the_kernel(spy):
    p = np.array([[0.25, 0.75], [1.0, 0.0]])
    loss = losses.cross_entropy(p, np.array([0, 1]), delta=0.25, reduction="sum")
    np.testing.assert_allclose(loss, -np.log(0.5) - np.log(0.25), rtol=1e-15)
    assert spy.answered == 1


def test_improper_rows_are_computed_where_nobody_checks(spy):
    p = np.array([[0.5, 0.1], [2.0, 0.5]])
    loss = losses.cross_entropy(p, np.array([0, 1]), check=False, reduction="none")
    np.testing.assert_allclose(loss, -np.log([0.5, 0.5]), rtol=1e-15)
    assert spy.answered == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error"])
def test_sums_of_many_numbers_accumulate_in_float64(name, dtype):
    p, t = np.full(3_000_001, 0.1, dtype), np.zeros(3_000_001, dtype)
    exact = float(np.dtype(dtype).type(0.1))
    exact = exact**2 if "squared" in name else exact
    assert LOSSES[name](p, t) == pytest.approx(
        exact, rel=2 * float(np.finfo(dtype).eps)
    )


def test_large_arrays_are_taken_in_parts(monkeypatch, rng):
    """Formulas see some rows at a time, and results are those of all at once."""
    for name, loss in LOSSES.items():
        p, t = sample(loss, rng, (50, 4))
        weight = rng.uniform(0.5, 2.0, (50,) if loss.rows else (50, 4))
        own = {"variance": rng.uniform(0.5, 2.0, (50, 4))} if name[:2] == "ga" else {}
        if isinstance(loss, ClassLoss) and loss.adjustable:
            own = {"class_weight": np.arange(1.0, 5.0), "label_smoothing": 0.1}
        whole = loss.value_and_grad(p, t, weight=weight, **own)
        monkeypatch.setattr(_formulas, "CACHED_ENTRIES", 24)
        parts = loss.value_and_grad(p, t, weight=weight, **own)
        monkeypatch.undo()
        assert_same(parts, whole, units=16)


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if loss.rows])
def test_one_row_is_never_taken_apart(monkeypatch, rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng, (2, 60))
    options = {"weight": np.asarray(0.5)}
    if isinstance(loss, ClassLoss) and loss.adjustable:
        options |= {"label_smoothing": 0.1, "ignore_index": -1}
    whole = loss.value_and_grad(p[0], np.asarray(t[0]), **options)
    monkeypatch.setattr(_formulas, "CACHED_ENTRIES", 24)
    parts = loss.value_and_grad(p[0], np.asarray(t[0]), **options)
    assert_same(parts, whole)


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
    points = columns.entry_columns(_points.Points(XP, base, step, (-1, 1, 2)))
    if pairs:
        points = columns.pair_columns(points, np.array([0, 5, 2]), np.array([1, 5, 3]))
    for chunk in (_points.Chunk(0, 3, 0, 3), _points.Chunk(1, 2, 1, 3)):
        found, expected = points.batch(chunk), formulas(points.batch, chunk)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_points_are_made_by_the_kernel(spy, rng):
    x = rng.normal(size=4)
    slopes = xgrad.gradient(lambda v: np.sum(v**2, axis=-1), x, vectorized=True)
    np.testing.assert_allclose(slopes, 2 * x, rtol=1e-9)
    assert spy.answered > 0


# Where kernels come from


def test_every_kernel_of_numbers_is_that_of_a_loss():
    assert kernels.OF_FLOATS.keys() <= LOSSES.keys()


@pytest.mark.parametrize("name", ["array_api_strict", "torch", "jax"])
def test_other_libraries_have_none(name):
    pytest.importorskip(name, reason=f"{name} is missing")
    xp = xgrad.namespace(name)
    assert find_kernel("softmax_cross_entropy", xp, xp.float32) is None


def test_unknown_names_and_dtypes_have_none():
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float32")) is not None
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float16")) is None
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("O")) is None
    assert find_kernel("confusion_counts", XP, np.dtype("float64")) is None
    assert find_kernel("huber", XP, np.dtype("float64")) is None


def test_without_their_module_there_are_none(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    find_kernel.cache_clear()
    monkeypatch.setattr(lookup.importlib, "import_module", missing)
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float64")) is None
    find_kernel.cache_clear()


def test_a_broken_module_is_no_missing_one(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'other'", name="other")

    find_kernel.cache_clear()
    monkeypatch.setattr(lookup.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="other"):
        find_kernel("softmax_cross_entropy", XP, np.dtype("float64"))
    find_kernel.cache_clear()


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_the_environment_switches_them_off(value):
    code = (
        "import xgrad, numpy as np; from xgrad._kernels import find_kernel; "
        "xp = xgrad.namespace('numpy'); "
        "print(find_kernel('mean_squared_error', xp, np.dtype('f8')) is None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XGRAD_KERNELS": value},
    )
    assert done.stdout.strip() == str(value == "0")
