"""Formulas answer where a kernel steps aside, and nobody notices."""

import os

import numpy as np
import pytest
from cases.kernels import assert_same, formulas
from cases.losses import LOSSES, adjusting, sample

from xgrad import losses, metrics
from xgrad.losses import _formulas, _loss

pytestmark = pytest.mark.skipif(
    os.environ.get("XGRAD_KERNELS") == "0", reason="XGRAD_KERNELS=0: there are none"
)
DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("module", ["numpy"], indirect=True)
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


def test_improper_rows_are_computed_where_nobody_checks(spy):
    p = np.array([[0.5, 0.1], [2.0, 0.5]])
    loss = losses.cross_entropy(p, np.array([0, 1]), check=False, reduction="none")
    np.testing.assert_allclose(loss, -np.log([0.5, 0.5]), rtol=1e-15)
    assert spy.answered == 0


def test_large_arrays_are_taken_in_parts(monkeypatch, rng):
    """Formulas see some rows at a time, and results are those of all at once."""
    for name, loss in LOSSES.items():
        p, t = sample(loss, rng, (50, 4))
        weight = rng.uniform(0.5, 2.0, (50,) if loss.rows else (50, 4))
        own = {"variance": rng.uniform(0.5, 2.0, (50, 4))} if name[:2] == "ga" else {}
        of_target = {"class_weight": np.arange(1.0, 5.0), "label_smoothing": 0.1}
        own |= adjusting(loss, of_target)
        if name == "sigmoid_binary_cross_entropy":
            own["positive_weight"] = np.arange(1.0, 5.0)
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
    options |= adjusting(loss, {"label_smoothing": 0.1, "ignore_index": -1})
    whole = loss.value_and_grad(p[0], np.asarray(t[0]), **options)
    monkeypatch.setattr(_formulas, "CACHED_ENTRIES", 24)
    parts = loss.value_and_grad(p[0], np.asarray(t[0]), **options)
    assert_same(parts, whole)
