"""Array operations and host synchronisations, counted: a GPU pays for each."""

import pytest
from counting import counting
from helpers import LOSSES, sample

from xgrad import gradient, losses, metrics

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is missing")
DEVICE = strict.Device("device1")


def _arrays(*values):
    return [strict.asarray(v, device=DEVICE) for v in values]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_without_checks_never_wait_for_the_device(rng, name):
    p, t = _arrays(*sample(LOSSES[name], rng))
    with counting(forbid_syncs=True) as count:
        LOSSES[name].value_and_grad(p, t, check=False)
    assert 0 < count.launches <= 40


@pytest.mark.parametrize("name", LOSSES)
def test_losses_with_checks_wait_once(rng, name):
    p, t = _arrays(*sample(LOSSES[name], rng))
    with counting() as count:
        LOSSES[name](p, t)
    assert len(count.syncs) <= 1


def test_operations_of_softmax_cross_entropy(rng):
    p, t = _arrays(*sample(losses.softmax_cross_entropy, rng))
    with counting() as count:
        losses.softmax_cross_entropy.value_and_grad(p, t, check=False)
    assert count.launches <= 32
    assert count.uploads == []


def test_metrics_wait_once_where_the_classes_are_known(rng):
    labels, target = _arrays(rng.integers(0, 3, 20), rng.integers(0, 3, 20))
    for metric in (metrics.accuracy, metrics.confusion_matrix, metrics.f1):
        with counting() as count:
            metric(labels, target, num_classes=3)
        assert len(count.syncs) == 1


def test_gradients_of_a_batched_function_never_wait(rng):
    (x,) = _arrays(rng.normal(size=5))
    with counting(forbid_syncs=True) as count:
        gradient(lambda x: strict.sum(x**2, axis=-1), x, vectorized=True)
    assert count.launches > 0


@pytest.mark.parametrize("n", [3, 30])
def test_gradients_by_rows_wait_once_for_the_proof(rng, n):
    (x,) = _arrays(rng.normal(size=(n, 4)))
    with counting() as count:
        gradient(lambda x: strict.sum(x**2, axis=-1), x, axis=-1)
    assert len(count.syncs) == 1
