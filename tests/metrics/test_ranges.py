"""Ratios lie in their range to the last bit, whatever the scale of the weights."""

import math

import numpy as np
import pytest
from cases.metrics import RATIOS
from hypothesis import given
from hypothesis import strategies as st

from xgrad import metrics, to_numpy

UNIT = ("accuracy", "balanced_accuracy", *RATIOS)
SIGNED = {
    "matthews": {},
    "cohen_kappa": {},
    "linear": {"weights": "linear"},
    "quadratic": {"weights": "quadratic"},
}
AREAS = ("roc_auc", "average_precision")
SCALES = [5e-324, 1e-310, 1e-300, 1e-160, 1.0, 1e160, 1e300]


def _metric(name):
    return getattr(metrics, "cohen_kappa" if name in ("linear", "quadratic") else name)


@st.composite
def rows(draw):
    """Labels, scores and weights of which some are tiny beside the others."""
    seed, classes = draw(st.integers(0, 10**6)), draw(st.integers(2, 4))
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 25))
    p, t = rng.integers(0, classes, (2, count))
    if draw(st.booleans()):
        p = t
    spread = draw(st.sampled_from([0, 8, 17, 300]))
    weight = rng.random(count) * 10.0 ** -rng.integers(0, spread + 1, count)
    return p, t, classes, weight + (weight == 0)


@given(rows=rows(), scale=st.sampled_from(SCALES))
def test_no_ratio_leaves_its_range(rows, scale):
    p, t, classes, weight = rows
    weight = weight * scale + 5e-324
    for name in UNIT:
        options = {} if name == "accuracy" else {"average": None}
        if name == "balanced_accuracy":
            options = {}
        value = _metric(name)(p, t, num_classes=classes, weight=weight, **options)
        assert np.all((value >= 0) & (value <= 1))
    for name in RATIOS:
        for average in ("macro", "micro", "weighted"):
            value = _metric(name)(
                p, t, num_classes=classes, weight=weight, average=average
            )
            assert 0 <= value <= 1
    for name, options in SIGNED.items():
        value = _metric(name)(p, t, num_classes=classes, weight=weight, **options)
        assert -1 <= value <= 1
    for name in AREAS:
        value = _metric(name)(p, t == 1, weight=weight)
        assert 0 <= value <= 1 or math.isnan(value)


@given(rows=rows(), scale=st.sampled_from(SCALES))
def test_where_nothing_is_wrong_the_value_is_exactly_1(rows, scale):
    _, t, classes, weight = rows
    weight = weight * scale + 5e-324
    options = {"num_classes": classes, "weight": weight}
    assert metrics.accuracy(t, t, **options) == 1
    assert metrics.balanced_accuracy(t, t, **options) == 1
    several = len({*t}) > 1
    for name, own in SIGNED.items():
        assert _metric(name)(t, t, **options, **own) == float(several)
    for name in RATIOS:
        value = _metric(name)(t, t, **options, average="micro")
        assert value == 1
        each = _metric(name)(t, t, **options, average=None, zero_division=1.0)
        np.testing.assert_array_equal(each, np.ones(classes))
    for name in AREAS:
        value = _metric(name)(1.0 * (t == 1), t == 1, weight=weight)
        assert value == 1 or math.isnan(value)


@pytest.mark.parametrize("name", [*UNIT, *SIGNED, *AREAS])
def test_the_scale_of_the_weights_changes_nothing(xp, name):
    p, t = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    scores = np.array([0.1, 0.6, 0.3, 0.7, 0.2])
    weight = np.array([1.0, 3.0, 5.0, 1.0, 0.5])
    first = xp.asarray(scores if name in AREAS else p)
    options = SIGNED.get(name, {})
    values = [
        float(_metric(name)(first, xp.asarray(t), weight=xp.asarray(w), **options))
        for w in (weight, weight * 1e-300, weight * 1e300, weight * 1e-200)
    ]
    assert values[0] not in (0.0, 1.0)
    np.testing.assert_allclose(
        values, values[0], rtol=1e-6 if xp.name == "torch" else 1e-14
    )


@pytest.mark.parametrize("name", [*UNIT, *SIGNED])
def test_single_precision_keeps_the_range(xp, name, rng):
    options = SIGNED.get(name, {})
    for _ in range(20):
        t = rng.integers(0, 3, 20)
        scores = rng.normal(size=(20, 3)) + 3 * np.eye(3)[t]
        weight = (rng.random(20) * 1e30).astype(np.float32)
        value = _metric(name)(
            xp.asarray(scores.astype(np.float32)),
            xp.asarray(t),
            weight=xp.asarray(weight),
            **options,
        )
        assert value.dtype == xp.float32
        assert -1 <= float(to_numpy(value)) <= 1


def test_a_rare_class_with_tiny_weights_still_counts():
    """A difference of sums would have lost it."""
    t = np.array([0, 0, 1, 1])
    weight = np.array([1.0, 1.0, 1e-20, 3e-20])
    assert metrics.matthews(t, t, weight=weight) == 1
    assert metrics.cohen_kappa(t, t, weight=weight) == 1
    p = np.array([0, 0, 1, 0])
    found = metrics.specificity(p, t, weight=weight, average=None)
    np.testing.assert_allclose(found, [0.25, 1.0], rtol=1e-15)
