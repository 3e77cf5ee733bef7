"""Losses of rows, by hand."""

from __future__ import annotations

import numpy as np

from cases.gradients.data import T10, normal, one_hot, signs, soft, uniform
from cases.gradients.elementwise import sigmoid, softplus, step
from cases.gradients.pairs import Case, Pair, case, like, stretched


def log_softmax(xp, x):
    s = x - xp.max(x, axis=-1, keepdims=True)
    return s - xp.log(xp.sum(xp.exp(s), axis=-1, keepdims=True))


def softmax(xp, x):
    return xp.exp(log_softmax(xp, x))


def logsumexp(xp, x):
    top = xp.max(x, axis=-1, keepdims=True)
    total = xp.sum(xp.exp(x - top), axis=-1, keepdims=True)
    return xp.sum(top + xp.log(total))


def cross_entropy(T: np.ndarray, over: float = 1.0) -> Pair:
    """By logits, for one-hot, soft or weighted targets, divided by a number."""
    mass = T.sum(axis=-1, keepdims=True) / over

    def f(xp, x):
        return -xp.sum(like(xp, x, T / over) * log_softmax(xp, x))

    def grad(xp, x):
        return like(xp, x, mass) * softmax(xp, x) - like(xp, x, T / over)

    return f, grad


def divergence(T: np.ndarray) -> Pair:
    """Kullback-Leibler divergence by probabilities; targets may be 0."""
    constant = float(np.sum(T * np.log(np.where(T > 0, T, 1.0))))

    def live(xp, p):
        return xp.where(like(xp, p, T) > 0, p, 1.0)

    return (
        lambda xp, p: constant - xp.sum(like(xp, p, T) * xp.log(live(xp, p))),
        lambda xp, p: -like(xp, p, T) / live(xp, p),
    )


def focal(target: np.ndarray) -> Pair:
    """Mean focal loss by logits, gamma = 2; what is not the class is summed."""

    def parts(xp, x):
        hot = like(xp, x, target)
        log_q = xp.sum(hot * log_softmax(xp, x), axis=-1, keepdims=True)
        rest = xp.sum((1 - hot) * softmax(xp, x), axis=-1, keepdims=True)
        return hot, log_q, rest

    def f(xp, x):
        _, log_q, rest = parts(xp, x)
        return -xp.mean(rest**2 * log_q)

    def grad(xp, x):
        hot, log_q, rest = parts(xp, x)
        k = rest * (2 * xp.exp(log_q) * log_q - rest)
        return k * (hot - softmax(xp, x)) / x.shape[0]

    return f, grad


def length(xp, x):
    return xp.sqrt(xp.sum(x**2, axis=-1, keepdims=True))


def cosine_distance(t: np.ndarray) -> Pair:
    """One less the cosine, summed over rows."""
    unit = t / np.linalg.norm(t, axis=-1, keepdims=True)

    def cosine(xp, x):
        u = like(xp, x, unit)
        return xp.sum(x * u, axis=-1, keepdims=True) / length(xp, x)

    def grad(xp, x):
        along = cosine(xp, x) * x / length(xp, x)
        return (along - like(xp, x, unit)) / length(xp, x)

    return lambda xp, x: xp.sum(1 - cosine(xp, x)), grad


def triplet(near: np.ndarray, far: np.ndarray) -> Pair:
    """By anchors: squared distances and a margin of 1, summed over rows."""

    def gap(xp, x):
        to_near, to_far = x - like(xp, x, near), x - like(xp, x, far)
        return 1 + xp.sum(to_near**2 - to_far**2, axis=-1, keepdims=True)

    return (
        lambda xp, x: xp.sum(xp.maximum(gap(xp, x), 0.0)),
        lambda xp, x: 2 * like(xp, x, far - near) * step(xp, gap(xp, x)),
    )


def softmax_entropy() -> Pair:
    """Entropy of a softmax, summed over rows."""

    def rows(xp, x):
        return -xp.sum(softmax(xp, x) * log_softmax(xp, x), axis=-1, keepdims=True)

    return (
        lambda xp, x: xp.sum(rows(xp, x)),
        lambda xp, x: -softmax(xp, x) * (log_softmax(xp, x) + rows(xp, x)),
    )


def survival(n: int) -> Pair:
    """Cox's partial likelihood: each one among those that live as long."""
    at_risk = np.triu(np.ones((n, n)))

    def table(xp, x):
        rows = xp.broadcast_to(x[None, :], (n, n))
        return xp.where(like(xp, x, at_risk) > 0, rows, -xp.inf)

    return (
        lambda xp, x: (logsumexp(xp, table(xp, x)) - xp.sum(x)) / n,
        lambda xp, x: (xp.sum(softmax(xp, table(xp, x)), axis=0) - 1) / n,
    )


def contests(wins: np.ndarray) -> Pair:
    """Bradley and Terry's likelihood of who wins against whom."""

    def f(xp, x):
        return xp.sum(like(xp, x, wins) * softplus(xp, x[None, :] - x[:, None]))

    def grad(xp, x):
        pull = like(xp, x, wins) * sigmoid(xp, x[None, :] - x[:, None])
        return xp.sum(pull, axis=0) - xp.sum(pull, axis=1)

    return f, grad


LOGSUMEXP: Pair = (logsumexp, softmax)
HOT, CLASS_WEIGHTS = one_hot(80, 8, 5), uniform(81, 0.5, 2, 5)
HOT_WEIGHTED = HOT * CLASS_WEIGHTS
ZEROS = np.array([[0.5, 0.0, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0], [0.1, 0.2, 0.3, 0.4]])
NEAR = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.5, 0.0, 1.0]])
FAR_AWAY = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 2.0, 2.0]])

CASES: tuple[Case, ...] = (
    case("logsumexp", LOGSUMEXP, normal(82, 10)),
    case("logsumexp of rows, 30", LOGSUMEXP, 30 * uniform(83, -1, 1, 6, 4)),
    case("logsumexp at 1e8 of 1e8", stretched(LOGSUMEXP, 1e8), 1e8 * normal(84, 10)),
    case("softmax cross entropy, sum", cross_entropy(HOT), normal(85, 8, 5)),
    case("softmax cross entropy, mean", cross_entropy(HOT, 8), normal(86, 8, 5)),
    case("softmax cross entropy, sum, 30", cross_entropy(HOT), 30 * signs(87, 8, 5)),
    case(
        "softmax cross entropy, mean, 30",
        cross_entropy(HOT, 8),
        30 * uniform(88, -1, 1, 8, 5),
    ),
    case(
        "softmax cross entropy, offset", cross_entropy(HOT, 8), 1e3 + normal(89, 8, 5)
    ),
    case(
        "softmax cross entropy, smooth labels",
        cross_entropy(0.9 * HOT + 0.02, 8),
        normal(90, 8, 5),
    ),
    case(
        "softmax cross entropy, class weights",
        cross_entropy(HOT_WEIGHTED, float(HOT_WEIGHTED.sum())),
        normal(91, 8, 5),
    ),
    case(
        "softmax cross entropy, one row",
        cross_entropy(soft(92, 1, 3)[0]),
        normal(93, 3),
    ),
    case(
        "softmax cross entropy, (100, 10)",
        cross_entropy(one_hot(94, 100, 10), 100),
        2 * normal(95, 100, 10),
    ),
    case(
        "softmax cross entropy, (1000, 10)",
        cross_entropy(one_hot(96, 1_000, 10), 1_000),
        2 * normal(97, 1_000, 10),
    ),
    case(
        "softmax cross entropy at its minimum",
        cross_entropy(np.full((3, 4), 0.25), 3),
        np.zeros((3, 4)),
    ),
    case("divergence, zeros in the target", divergence(ZEROS), soft(98, 3, 4)),
    case(
        "divergence, zeros in both",
        divergence(ZEROS),
        np.where(ZEROS > 0, soft(99, 3, 4), 0.0),
    ),
    case("divergence by logits", cross_entropy(ZEROS, 3), normal(100, 3, 4)),
    case("focal", focal(HOT), normal(101, 8, 5)),
    case("focal, logits of 30", focal(HOT), 10 * uniform(102, -3, 3, 8, 5)),
    case("cosine distance", cosine_distance(normal(103, 4, 3)), normal(104, 4, 3)),
    case(
        "cosine distance of a tiny vector",
        cosine_distance(normal(105, 4, 3)),
        normal(106, 4, 3) * np.array([[1.0], [1e-6], [1.0], [2.0]]),
    ),
    case("cosine distance, all tiny", cosine_distance(T10), 1e-7 * normal(107, 10)),
    case("triplet", triplet(normal(108, 5, 3), normal(109, 5, 3)), normal(110, 5, 3)),
    case(
        "triplet, a tie",
        triplet(NEAR, FAR_AWAY),
        [[1, 0.5, 0], [0, 1, 1], [1, 1, 1]],
        "kink",
    ),
    case("entropy of a softmax", softmax_entropy(), normal(111, 4, 6)),
    case("survival", survival(10), normal(112, 10)),
    case("contests", contests(uniform(113, 0, 5, 10, 10)), normal(114, 10)),
)
