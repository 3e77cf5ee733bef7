"""Array operations and host synchronisations, counted: a GPU pays for each."""

import numpy as np
import pytest
from cases.differences import AUTO, derivative, gradient, hessian, hvp, jacobian, jvp
from cases.losses import LOSSES, chosen, needed, sample
from tools.counting import counting

import xgrad
from xgrad import losses, metrics

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is missing")
DEVICE = strict.Device("device1")


def _arrays(*values):
    return [strict.asarray(v, device=DEVICE) for v in values]


def _options(options):
    return {
        n: _arrays(v)[0] if isinstance(v, np.ndarray) else v for n, v in options.items()
    }


@pytest.mark.parametrize("options", [needed, chosen])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_without_checks_never_wait_for_the_device(rng, name, options):
    p, t = _arrays(*sample(LOSSES[name], rng))
    settings = _options(options(LOSSES[name]))
    with counting(forbid_syncs=True) as count:
        LOSSES[name].value_and_grad(p, t, check=False, **settings)
    # Those of `focal` with weights of classes and rows that are ignored are 63.
    assert 0 < count.launches <= 63
    assert count.uploads == []


@pytest.mark.parametrize("options", [needed, chosen])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_with_checks_wait_once(rng, name, options):
    p, t = _arrays(*sample(LOSSES[name], rng))
    weight = _arrays(np.ones(p.shape[:-1] if LOSSES[name].rows else p.shape))[0]
    settings = _options(options(LOSSES[name]))
    with counting() as count:
        LOSSES[name](p, t, weight=weight, **settings)
    assert len(count.syncs) == 1


# Operations of the value, of the slope, and of both from one pass: a change of one of
# these numbers is a change of speed on every GPU.
LAUNCHES = {
    "half_squared_error": (6, 2, 8),
    "mean_squared_error": (4, 3, 7),
    "mean_absolute_error": (4, 3, 7),
    "root_mean_squared_error": (5, 14, 14),
    "mean_squared_log_error": (14, 15, 18),
    "huber": (10, 3, 13),
    "smooth_l1": (9, 4, 13),
    "log_cosh": (16, 3, 19),
    "pinball": (7, 7, 14),
    "poisson_nll": (7, 3, 9),
    "gaussian_nll": (8, 3, 11),
    "cross_entropy": (13, 10, 20),
    "softmax_cross_entropy": (14, 12, 19),
    "kl_divergence": (18, 8, 26),
    "focal": (29, 39, 47),
    "dice": (16, 15, 31),
    "cosine_distance": (54, 53, 55),
    "binary_cross_entropy": (14, 14, 28),
    "sigmoid_binary_cross_entropy": (20, 15, 32),
    "hinge": (5, 7, 12),
    "squared_hinge": (6, 6, 12),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_operations_of_losses(rng, name):
    loss = LOSSES[name]
    p, t = _arrays(*sample(loss, rng))
    counts = []
    for method in (loss, loss.grad, loss.value_and_grad):
        with counting(forbid_syncs=True) as count:
            method(p, t, check=False, **_options(needed(loss)))
        counts.append(count.launches)
    assert tuple(counts) == LAUNCHES[name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", ["uint8", "int32", "int64"])
def test_softmax_cross_entropy_with_gradient_takes_20_operations(rng, dtype, labels):
    x, y = rng.normal(size=(6, 10)).astype(dtype), rng.integers(0, 10, 6).astype(labels)
    p, t = _arrays(x, y)
    with counting(forbid_syncs=True) as count:
        losses.softmax_cross_entropy.value_and_grad(p, t, check=False)
    assert count.launches <= 20


def test_metrics_wait_once_where_the_classes_are_known(rng):
    labels, target = _arrays(rng.integers(0, 3, 20), rng.integers(0, 3, 20))
    for metric in (
        metrics.accuracy,
        metrics.confusion_matrix,
        metrics.precision,
        metrics.recall,
        metrics.f1,
        metrics.specificity,
        metrics.balanced_accuracy,
        metrics.matthews,
        metrics.cohen_kappa,
        metrics.Classification(3).update,
    ):
        options = {} if "update" in repr(metric) else {"num_classes": 3}
        with counting() as count:
            metric(labels, target, **options)
        assert len(count.syncs) == 1


def test_metrics_of_scores_wait_once(rng):
    scores, target = _arrays(rng.normal(size=(20, 3)), rng.integers(0, 3, 20))
    both, weight = _arrays(rng.integers(0, 2, 20), rng.random(20))
    (one_hot,) = _arrays(np.eye(3)[rng.integers(0, 3, 20)])
    for call in (
        lambda: metrics.f1(scores, target),
        lambda: metrics.accuracy(scores, target),
        lambda: metrics.top_k_accuracy(scores, target, k=2),
        lambda: metrics.roc_auc(scores[:, 0], both),
        lambda: metrics.roc_auc(scores, target, weight=weight),
        lambda: metrics.average_precision(scores[:, 0], both),
        lambda: metrics.accuracy(scores, target, weight=weight),
        lambda: metrics.accuracy(scores, target, weight=weight, ignore_index=1),
        lambda: metrics.f1(scores, target, ignore_index=-1, labels=[0, 2]),
        lambda: metrics.f1(scores, one_hot, weight=weight),
        lambda: metrics.Probabilities().update(scores[:, 0] * 0 + 0.5, both),
        lambda: metrics.r2_score(scores, scores**2, weight=weight),
    ):
        with counting() as count:
            call()
        assert len(count.syncs) == 1


def test_metrics_of_numbers_never_wait(rng):
    p, t, values = _arrays(rng.normal(size=30), rng.normal(size=30), rng.normal(size=9))
    with counting(forbid_syncs=True) as count:
        metrics.r2_score(p, t)
        metrics.explained_variance(p, t)
        metrics.max_error(p, t)
        metrics.median_absolute_error(p, t)
        metrics.mean_absolute_percentage_error(p, t)
        state = metrics.Regression().update(p, t)
        (state + state).r2_score()
        metrics.Mean().update(values).standard_error(population=100)
    assert count.launches > 0


def test_gradients_of_a_batched_function_never_wait(rng):
    (x,) = _arrays(rng.normal(size=5))
    with counting(forbid_syncs=True) as count:
        gradient(lambda x: strict.sum(x**2, axis=-1), x, vectorized=True)
    assert count.launches > 0


def _f(x):
    return strict.sum(x**2, axis=-1)


def _terms(x):
    return (x[..., 1:] - x[..., :-1]) ** 2


BANDS = np.eye(4, 5, dtype=bool) | np.eye(4, 5, k=1, dtype=bool)
NEVER_WAIT = {
    "gradient": lambda x: gradient(_f, x, vectorized=True),
    "with its estimate": lambda x: gradient(_f, x, vectorized=True, full_output=True),
    "forward": lambda x: gradient(_f, x, vectorized=True, method="forward"),
    "terms": lambda x: gradient(_terms, x, vectorized=True, terms=True),
    "sparse terms": lambda x: gradient(
        _terms, x, vectorized=True, terms=True, sparsity=BANDS, full_output=True
    ),
    "derivative": lambda x: derivative(strict.sin, x, vectorized=True, order=2),
    "jacobian": lambda x: jacobian(_terms, x, vectorized=True, full_output=True),
    "hessian": lambda x: hessian(_f, x, vectorized=True, full_output=True),
    "jvp": lambda x: jvp(_terms, x, x, vectorized=True, full_output=True),
    "hvp": lambda x: hvp(_f, x, x, vectorized=True),
    "hvp of a gradient": lambda x: hvp(_f, x, x, grad=lambda v: 2 * v, vectorized=True),
}


@pytest.mark.parametrize("name", NEVER_WAIT)
def test_central_differences_of_a_batched_function_never_wait(rng, name):
    (x,) = _arrays(rng.normal(size=5))
    with counting(forbid_syncs=True) as count:
        NEVER_WAIT[name](x)
    assert count.launches > 0


# How often the host looks at values, whatever the sizes: at the statuses, unless a
# stencil is applied to a batched function; at the bounds; at what the proof of the
# complex step found; at the columns to do again, twice (a copy to the host counts as
# two).
WAITS = {
    "a loop": (lambda x: gradient(_f, x, vectorized=False), 1),
    "bounds": (lambda x: gradient(_f, x, vectorized=True, bounds=(-9, 9)), 1),
    "complex": (lambda x: gradient(_f, x, method="complex", vectorized=False), 2),
    "ladder": (lambda x: gradient(_f, x, vectorized=True, method="ladder"), 1),
    "auto": (lambda x: gradient(_f, x, vectorized=True, **AUTO), 6),
}


@pytest.mark.parametrize("n", [3, 30])
@pytest.mark.parametrize("name", WAITS)
def test_the_host_waits_a_constant_number_of_times(rng, name, n):
    call, expected = WAITS[name]
    (x,) = _arrays(rng.uniform(0.5, 2.0, n))
    with counting() as count:
        call(x)
    assert len(count.syncs) == expected


@pytest.mark.parametrize("n", [3, 300])
def test_an_exact_gradient_waits_once_and_copies_nothing(rng, n):
    """The host asks whether all slopes are finite, in calls after the proof."""

    def f(x):
        return strict.sum(strict.exp(x[1:] * x[:-1]) * strict.sin(x[1:]))

    (x,) = _arrays(rng.uniform(0.5, 2.0, n))
    xgrad.gradient(f, x)
    with counting() as count:
        xgrad.gradient(f, x)
    assert count.syncs == ["__bool__"]


@pytest.mark.parametrize("n", [3, 30])
def test_the_hidden_axis_waits_for_its_proof_and_the_statuses(rng, n):
    def f(x):
        return strict.sum(x**2)

    (x,) = _arrays(rng.uniform(0.5, 2.0, n))
    waits = []
    for _ in range(3):
        with counting() as count:
            gradient(f, x)
        waits.append(len(count.syncs))
    # At first use also for two results at x, whether they are the same.
    assert waits == [3, 2, 2]


OPERATIONS = {
    "central": (lambda x: gradient(_f, x, vectorized=True), 60),
    "with its estimate": (NEVER_WAIT["with its estimate"], 230),
    "ladder": (lambda x: gradient(_f, x, vectorized=True, method="ladder"), 700),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_do_not_grow_with_the_size(rng, name):
    call, most = OPERATIONS[name]
    counts = set()
    for n in (3, 50):
        (x,) = _arrays(rng.uniform(0.5, 2.0, n))
        with counting() as count:
            call(x)
        counts.add(count.launches)
    assert len(counts) == 1
    assert counts.pop() <= most


@pytest.mark.parametrize("n", [3, 30])
def test_gradients_by_rows_wait_for_the_proof_and_the_statuses(rng, n):
    (x,) = _arrays(rng.normal(size=(n, 4)))
    with counting() as count:
        gradient(lambda x: strict.sum(x**2, axis=-1), x, axis=-1, vectorized=False)
    assert len(count.syncs) == 2
