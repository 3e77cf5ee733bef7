"""Losses against those of other libraries, values and derivatives.

The first reference of every loss is `cases/formulas.py`. This is a second one, by
authors of other libraries. PyTorch and JAX derive their own gradients.
"""

import importlib

import numpy as np
import pytest
from cases.compare import assert_close
from cases.losses import LOSSES, needed, sample

from benchmarks.losses_hard_input import CASES, answer, with_xgrad
from xgrad import losses, special

EPS = 2.0**-52


def _library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


# Losses of elements or rows, as functions of (module, prediction, target)
TORCH = {
    "half_squared_error": lambda f, p, t: (
        f.mse_loss(p, t, reduction="none").sum(-1) / 2
    ),
    "mean_squared_error": lambda f, p, t: f.mse_loss(p, t, reduction="none"),
    "mean_absolute_error": lambda f, p, t: f.l1_loss(p, t, reduction="none"),
    "mean_squared_log_error": lambda f, p, t: f.mse_loss(
        p.log1p(), t.log1p(), reduction="none"
    ),
    "huber": lambda f, p, t: f.huber_loss(p, t, reduction="none"),
    "smooth_l1": lambda f, p, t: f.smooth_l1_loss(p, t, reduction="none"),
    "log_cosh": lambda f, p, t: (p - t).cosh().log(),
    "poisson_nll": lambda f, p, t: f.poisson_nll_loss(p, t, reduction="none"),
    "gaussian_nll": lambda f, p, t: f.gaussian_nll_loss(
        p, t, f_like(p, 0.5), reduction="none"
    ),
    "cross_entropy": lambda f, p, t: f.nll_loss(p.log(), t, reduction="none"),
    "softmax_cross_entropy": lambda f, p, t: f.cross_entropy(p, t, reduction="none"),
    "kl_divergence": lambda f, p, t: f.kl_div(p.log(), t, reduction="none").sum(-1),
    "cosine_distance": lambda f, p, t: 1 - f.cosine_similarity(p, t, dim=-1),
    "binary_cross_entropy": lambda f, p, t: f.binary_cross_entropy(
        p, t, reduction="none"
    ),
    "sigmoid_binary_cross_entropy": lambda f, p, t: f.binary_cross_entropy_with_logits(
        p, t, reduction="none"
    ),
    "hinge": lambda f, p, t: (1 - t * p).clamp(min=0),
    "squared_hinge": lambda f, p, t: (1 - t * p).clamp(min=0) ** 2,
    "focal": lambda f, p, t: _torch_focal(f, p, t),
    "pinball": lambda f, p, t: (0.5 * (t - p)).maximum(-0.5 * (t - p)),
}


def f_like(p, value):
    return p.detach() * 0 + value


def _torch_focal(f, p, t):
    each = f.cross_entropy(p, t, reduction="none")
    return (1 - (-each).exp()) ** 2 * each


OPTAX = {
    "mean_squared_error": lambda o, p, t: o.squared_error(p, t),
    "half_squared_error": lambda o, p, t: o.l2_loss(p, t).sum(-1),
    "huber": lambda o, p, t: o.huber_loss(p, t),
    "log_cosh": lambda o, p, t: o.log_cosh(p, t),
    "softmax_cross_entropy": lambda o, p, t: (
        o.softmax_cross_entropy_with_integer_labels(p, t)
    ),
    "kl_divergence": lambda o, p, t: o.kl_divergence(_jnp().log(p), t),
    "cosine_distance": lambda o, p, t: o.cosine_distance(p, t),
    "sigmoid_binary_cross_entropy": lambda o, p, t: o.sigmoid_binary_cross_entropy(
        p, t
    ),
    "hinge": lambda o, p, t: o.hinge_loss(p, t),
}
SCIPY = {
    "huber": lambda s, p, t: s.huber(1.0, p - t),
    "kl_divergence": lambda s, p, t: s.rel_entr(t, p).sum(-1),
    "binary_cross_entropy": lambda s, p, t: -s.xlogy(t, p) - s.xlog1py(1 - t, -p),
    "sigmoid_binary_cross_entropy": lambda s, p, t: (
        -t * s.log_expit(p) - (1 - t) * s.log_expit(-p)
    ),
    "softmax_cross_entropy": lambda s, p, t: (
        -s.log_softmax(p, axis=-1)[np.arange(len(t)), t]
    ),
    "cross_entropy": lambda s, p, t: -s.xlogy(np.eye(4)[t], p).sum(-1),
    "mean_squared_log_error": lambda s, p, t: (
        (s.boxcox1p(p, 0) - s.boxcox1p(t, 0)) ** 2
    ),
}


def _jnp():
    return importlib.import_module("jax.numpy")


def _found(name, p, t):
    options = dict.fromkeys(needed(LOSSES[name]), 0.5)
    return LOSSES[name].value_and_grad(p, t, reduction="none", **options)


def _assert_agree(found, expected):
    """To 4 units of rounding of what is added up, which is of size 1 at most."""
    for actual, right in zip(found, expected, strict=True):
        scale = np.maximum(np.abs(right), 1)
        assert_close(
            (actual - right) / scale, np.zeros_like(right), rtol=0, atol=4 * EPS
        )


@pytest.mark.parametrize("name", TORCH)
def test_losses_agree_with_torch(rng, name):
    torch = _library("torch")
    p, t = sample(LOSSES[name], rng, (50, 4))
    prediction = torch.tensor(p, requires_grad=True)
    each = TORCH[name](torch.nn.functional, prediction, torch.tensor(t))
    each.sum().backward()
    _assert_agree(_found(name, p, t), (each.detach().numpy(), prediction.grad.numpy()))


@pytest.mark.parametrize("name", OPTAX)
def test_losses_agree_with_optax(rng, name):
    optax, jax = _library("optax"), _library("jax")
    jax.config.update("jax_enable_x64", True)
    p, t = sample(LOSSES[name], rng, (50, 4))

    def each(q):
        return OPTAX[name](optax, q, jax.numpy.asarray(t))

    slope = jax.grad(lambda q: each(q).sum())(jax.numpy.asarray(p))
    _assert_agree(_found(name, p, t), (np.asarray(each(p)), np.asarray(slope)))


@pytest.mark.parametrize("name", SCIPY)
def test_losses_agree_with_scipy(rng, name):
    _library("scipy")
    p, t = sample(LOSSES[name], rng, (50, 4))
    expected = SCIPY[name](importlib.import_module("scipy.special"), p, t)
    _assert_agree(_found(name, p, t)[:1], (expected,))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignored", [None, 2, -100])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_options_of_cross_entropy_agree_with_torch(
    rng, weighted, smoothing, ignored, reduction
):
    torch = _library("torch")
    p, t = rng.normal(size=(30, 5)), rng.integers(0, 5, 30)
    if ignored == -100:
        t[::4] = -100
    weight = rng.uniform(0.1, 2, 5) if weighted else None
    prediction = torch.tensor(p, requires_grad=True)
    value = torch.nn.functional.cross_entropy(
        prediction,
        torch.tensor(t),
        weight=None if weight is None else torch.tensor(weight),
        ignore_index=-1 if ignored is None else ignored,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    value.sum().backward()
    found = losses.softmax_cross_entropy.value_and_grad(
        p,
        t,
        class_weight=weight,
        label_smoothing=smoothing,
        ignore_index=ignored,
        reduction=reduction,
    )
    # torch adds up the smoothed part of all rows first, and divides it by C at the end.
    expected = value.detach().numpy(), prediction.grad.numpy()
    for actual, right in zip(found, expected, strict=True):
        assert_close(actual, right, rtol=32 * EPS, atol=8 * EPS)


def test_positive_weight_agrees_with_torch(rng):
    torch = _library("torch")
    p, t = rng.normal(size=20), rng.uniform(size=20)
    prediction = torch.tensor(p, requires_grad=True)
    value = torch.nn.functional.binary_cross_entropy_with_logits(
        prediction, torch.tensor(t), pos_weight=torch.tensor(3.0)
    )
    value.backward()
    found = losses.sigmoid_binary_cross_entropy.value_and_grad(p, t, positive_weight=3)
    _assert_agree(found, (value.detach().numpy(), prediction.grad.numpy()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hard_input_is_right_where_others_are_wrong(case):
    found = answer(with_xgrad()[case.kind], case.arguments)
    assert found == (case.right if case.right == "raises" else f"{case.right:.4g}")


def test_logarithms_of_sums_agree_with_scipy(rng):
    _library("scipy")
    scipy = importlib.import_module("scipy.special")
    x = rng.normal(size=(50, 7)) * 10
    for name in ("logsumexp", "softmax", "log_softmax"):
        found = getattr(special, name)(x)
        expected = getattr(scipy, name)(x, axis=-1)
        assert_close(found, expected, rtol=4 * EPS, atol=4 * EPS)
