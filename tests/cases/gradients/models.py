"""Models by their weights."""

from __future__ import annotations

import math

import numpy as np

from cases.gradients.data import E10, T01, normal, one_hot, signs
from cases.gradients.elementwise import GELU, HALF_SQUARE, RELU, SQUARE, TANH
from cases.gradients.losses import binary_logits, hinge
from cases.gradients.pairs import (
    Case,
    Pair,
    averaged,
    both,
    case,
    like,
    linear,
    scaled,
    shifted,
    summed,
)
from cases.gradients.rows import cross_entropy, softmax


def two_layers(X: np.ndarray, V: np.ndarray, activation: Pair, loss: Pair) -> Pair:
    """``loss(activation(X @ W) @ V)`` by ``W``."""
    (act, act_slope), (value, slope) = activation, loss

    def f(xp, W):
        return value(xp, act(xp, like(xp, W, X) @ W) @ like(xp, W, V))

    def grad(xp, W):
        z = like(xp, W, X) @ W
        back = slope(xp, act(xp, z) @ like(xp, W, V)) @ like(xp, W, V.T)
        return like(xp, W, X.T) @ (back * act_slope(xp, z))

    return f, grad


def bias(Z: np.ndarray, loss: Pair) -> Pair:
    """``loss(Z + b)`` by the row ``b``."""
    value, slope = loss
    return (
        lambda xp, b: value(xp, like(xp, b, Z) + b),
        lambda xp, b: xp.sum(slope(xp, like(xp, b, Z) + b), axis=0),
    )


def recurrent(inputs: np.ndarray, w: np.ndarray) -> Pair:
    """``h = tanh(W @ h + u)`` over inputs ``u``, the last one read out, by ``W``."""

    def states(xp, W):
        h = [xp.zeros_like(W[0, :])]
        for u in inputs:
            h.append(xp.tanh(W @ h[-1] + like(xp, W, u)))
        return h

    def grad(xp, W):
        h, back, slope = states(xp, W), like(xp, W, w), xp.zeros_like(W)
        for before, after in zip(h[-2::-1], h[:0:-1], strict=True):
            z = back * (1 - after**2)
            slope = slope + z[:, None] * before[None, :]
            back = xp.matrix_transpose(W) @ z
        return slope

    return lambda xp, W: xp.sum(like(xp, W, w) * states(xp, W)[-1]), grad


def embedding(rows: list[int], w: np.ndarray) -> Pair:
    """``tanh`` of some rows of a table, some of them twice, some never."""

    def looked_up(xp, x):
        index = xp.asarray(rows, dtype=xp.int64, device=x.device)
        return xp.take(x, index, axis=0)

    def grad(xp, x):
        slopes = like(xp, x, w) * (1 - xp.tanh(looked_up(xp, x)) ** 2)
        return like(xp, x, np.eye(x.shape[0])[rows].T) @ slopes

    return lambda xp, x: xp.sum(like(xp, x, w) * xp.tanh(looked_up(xp, x))), grad


def attention(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, w: np.ndarray, by: str = "Q"
) -> Pair:
    """``softmax(Q @ K.T / sqrt(d)) @ V``, read out by weights, by queries or keys."""
    scale = 1 / math.sqrt(Q.shape[-1])

    def given(xp, x):
        return (x, like(xp, x, K)) if by == "Q" else (like(xp, x, Q), x)

    def weights(xp, x):
        q, k = given(xp, x)
        return softmax(xp, scale * (q @ xp.matrix_transpose(k)))

    def grad(xp, x):
        (q, k), p = given(xp, x), weights(xp, x)
        back = like(xp, x, w) @ xp.matrix_transpose(like(xp, x, V))
        back = scale * p * (back - xp.sum(p * back, axis=-1, keepdims=True))
        return back @ k if by == "Q" else xp.matrix_transpose(back) @ q

    return lambda xp, x: xp.sum(
        like(xp, x, w) * (weights(xp, x) @ like(xp, x, V))
    ), grad


RIDGE = scaled(summed(SQUARE), 0.05)
X10, X20, X4 = normal(140, 50, 10), normal(141, 100, 20), normal(142, 30, 4)
LOGITS3 = cross_entropy(one_hot(143, 30, 3), 30)
INTEGERS = np.random.default_rng(144).integers(-3, 4, (20, 10)).astype(float)
SOLUTION = np.arange(10.0) - 4
RESIDUALS = shifted(HALF_SQUARE, INTEGERS @ SOLUTION)

CASES: tuple[Case, ...] = (
    case(
        "linear regression",
        linear(X10, averaged(shifted(SQUARE, normal(145, 50)))),
        normal(146, 10),
    ),
    case(
        "ridge regression",
        both(linear(X10, averaged(shifted(SQUARE, normal(147, 50)))), RIDGE),
        normal(148, 10),
    ),
    case(
        "linear regression by a (4, 3) matrix",
        linear(X4, averaged(shifted(SQUARE, normal(149, 30, 3)))),
        normal(150, 4, 3),
    ),
    case(
        "linear regression by a (4, 4) matrix",
        linear(X4, summed(shifted(HALF_SQUARE, normal(151, 30, 4)))),
        normal(152, 4, 4),
    ),
    case(
        "logistic regression",
        linear(X20, averaged(binary_logits(T01))),
        normal(153, 20),
    ),
    case(
        "logistic regression, ridge",
        both(linear(X20, averaged(binary_logits(T01))), RIDGE),
        normal(154, 20),
    ),
    case(
        "logistic regression, 1,000 weights",
        linear(normal(155, 100, 1_000), averaged(binary_logits(T01))),
        0.05 * normal(156, 1_000),
    ),
    case(
        "hinge regression",
        linear(X10, averaged(hinge(signs(157, 50)))),
        normal(158, 10),
    ),
    case("softmax regression", linear(X4, LOGITS3), normal(159, 4, 3)),
    case("softmax regression, (3, 3)", linear(X4[:, :3], LOGITS3), normal(160, 3, 3)),
    case(
        "contrastive",
        linear(normal(161, 6, 4), cross_entropy(np.eye(6), 6)),
        normal(162, 4, 6),
    ),
    case(
        "two layers, tanh",
        two_layers(X4, normal(163, 6, 3), TANH, LOGITS3),
        normal(164, 4, 6),
    ),
    case(
        "two layers, gelu",
        two_layers(X4, normal(165, 4, 3), GELU, LOGITS3),
        normal(166, 4, 4),
    ),
    case(
        "two layers, relu",
        two_layers(X4, normal(167, 5, 3), RELU, LOGITS3),
        normal(168, 4, 5),
    ),
    case(
        "two layers, (100, 100)",
        two_layers(normal(169, 30, 100) / 10, normal(170, 100, 3) / 10, TANH, LOGITS3),
        normal(171, 100, 100),
    ),
    case(
        "two layers by the second",
        linear(np.tanh(X4 @ normal(172, 4, 6)), LOGITS3),
        normal(173, 6, 3),
    ),
    case("bias", bias(normal(174, 30, 3), LOGITS3), normal(175, 3)),
    case("recurrent", recurrent(normal(176, 4, 3), normal(177, 3)), normal(178, 3, 3)),
    case(
        "embedding", embedding([2, 0, 2, 5, 7], normal(179, 5, 3)), normal(180, 10, 3)
    ),
    case(
        "attention by queries",
        attention(
            normal(181, 4, 3), normal(182, 5, 3), normal(183, 5, 2), normal(184, 4, 2)
        ),
        normal(185, 4, 3),
    ),
    case(
        "attention by keys",
        attention(
            normal(181, 4, 3),
            normal(182, 5, 3),
            normal(183, 5, 2),
            normal(184, 4, 2),
            "K",
        ),
        normal(186, 5, 3),
    ),
    case(
        "attention with heads",
        attention(
            normal(187, 2, 4, 3),
            normal(188, 2, 5, 3),
            normal(189, 2, 5, 2),
            normal(190, 2, 4, 2),
        ),
        normal(191, 2, 4, 3),
    ),
    case(
        "least squares", linear(X10, summed(shifted(HALF_SQUARE, normal(192, 50)))), E10
    ),
    case(
        "least squares at its solution", linear(INTEGERS, summed(RESIDUALS)), SOLUTION
    ),
    case(
        "least squares near its solution",
        linear(INTEGERS, summed(RESIDUALS)),
        SOLUTION + 1e-3 * normal(193, 10),
    ),
)
