"""Gradients that people write by hand, all right.

`CASES` holds functions ``f(xp, x)`` in the array API standard 2024.12, each with its
gradient ``grad(xp, x)`` and a point in float64; both also run in float32. A pair ``(f,
grad)`` of an elementwise function has its values and its slopes, until `summed` or
`averaged` makes a scalar of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Function = Callable[[Any, Any], Any]
Pair = tuple[Function, Function]
Kind = Literal["smooth", "kink"]


@dataclass(frozen=True, eq=False)
class Case:
    """A scalar function, its gradient and a point; of a kink, a subgradient there."""

    name: str
    f: Function
    grad: Function
    x: np.ndarray
    kind: Kind = "smooth"

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def add(name: str, pair: Pair, x: Any, kind: Kind = "smooth") -> None:
    """Add a case under a name of its own."""
    assert all(case.name != name for case in CASES), f"{name} is there already"
    CASES.append(Case(name, *pair, np.asarray(x, dtype=np.float64), kind))


# Data


def varied(values: np.ndarray) -> np.ndarray:
    """Random values, seen to vary."""
    assert values.size == 1 or np.ptp(values) > 0, "random data must vary"
    return values


def normal(seed: int, *shape: int) -> np.ndarray:
    """Standard normal numbers."""
    return varied(np.random.default_rng(seed).normal(size=shape))


def uniform(seed: int, low: float, high: float, *shape: int) -> np.ndarray:
    """Numbers of an interval."""
    return varied(np.random.default_rng(seed).uniform(low, high, shape))


def bits(seed: int, *shape: int) -> np.ndarray:
    """Zeros and ones."""
    return varied(np.random.default_rng(seed).integers(0, 2, shape)).astype(float)


def signs(seed: int, *shape: int) -> np.ndarray:
    """Ones and minus ones."""
    return 2 * bits(seed, *shape) - 1


def one_hot(seed: int, rows: int, classes: int) -> np.ndarray:
    """Rows of one-hot targets."""
    labels = np.random.default_rng(seed).integers(0, classes, rows)
    return np.eye(classes)[varied(labels)]


def soft(seed: int, rows: int, classes: int) -> np.ndarray:
    """Rows of probabilities."""
    return varied(np.random.default_rng(seed).dirichlet(np.ones(classes), rows))


def away(x: np.ndarray, gap: float = 0.2) -> np.ndarray:
    """The same, further away from 0."""
    return x + gap * np.sign(x)


def like(xp: Any, x: Any, values: Any) -> Any:
    """Constants beside ``x``."""
    return xp.asarray(values, dtype=x.dtype, device=x.device)


# Pairs out of pairs


def summed(pair: Pair) -> Pair:
    """Sum of elementwise values."""
    value, slope = pair
    return lambda xp, x: xp.sum(value(xp, x)), slope


def averaged(pair: Pair) -> Pair:
    """Mean of elementwise values."""
    value, slope = pair
    return (
        lambda xp, x: xp.mean(value(xp, x)),
        lambda xp, x: slope(xp, x) / math.prod(x.shape),
    )


def weighted(pair: Pair, w: np.ndarray) -> Pair:
    """Sum of elementwise values, each with its weight."""
    value, slope = pair
    return (
        lambda xp, x: xp.sum(like(xp, x, w) * value(xp, x)),
        lambda xp, x: like(xp, x, w) * slope(xp, x),
    )


def shifted(pair: Pair, t: np.ndarray) -> Pair:
    """The same of the differences from a target."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, x - like(xp, x, t)),
        lambda xp, x: grad(xp, x - like(xp, x, t)),
    )


def stretched(pair: Pair, s: Any) -> Pair:
    """The same in other units, one for all or one for each entry."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, x / like(xp, x, s)),
        lambda xp, x: grad(xp, x / like(xp, x, s)) / like(xp, x, s),
    )


def raised(pair: Pair, offset: float) -> Pair:
    """The same plus a constant."""
    f, grad = pair
    return lambda xp, x: f(xp, x) + offset, grad


def scaled(pair: Pair, factor: float) -> Pair:
    """The same times a constant."""
    f, grad = pair
    return lambda xp, x: factor * f(xp, x), lambda xp, x: factor * grad(xp, x)


def both(first: Pair, second: Pair) -> Pair:
    """Sum of two functions of the same array."""
    return (
        lambda xp, x: first[0](xp, x) + second[0](xp, x),
        lambda xp, x: first[1](xp, x) + second[1](xp, x),
    )


def linear(A: np.ndarray, pair: Pair) -> Pair:
    """The same of ``A @ x``, with ``x`` one or several columns of weights."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, like(xp, x, A) @ x),
        lambda xp, x: like(xp, x, A.T) @ grad(xp, like(xp, x, A) @ x),
    )


def padded(xp: Any, v: Any, axis: int, before: int, after: int) -> Any:
    """Zeros before and after, along an axis."""
    shape = list(v.shape)

    def zeros(size: int) -> Any:
        shape[axis] = size
        return xp.zeros(tuple(shape), dtype=v.dtype, device=v.device)

    return xp.concat([zeros(before), v, zeros(after)], axis=axis)


# Elementwise functions


def sigmoid(xp, x):
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + z), z / (1 + z))


def sigmoid_slope(xp, x):
    z = xp.exp(-xp.abs(x))
    return z / (1 + z) ** 2


def softplus(xp, x):
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


def gelu(xp, x):
    return x / 2 * (1 + xp.tanh(0.8 * (x + 0.045 * x**3)))


def gelu_slope(xp, x):
    t = xp.tanh(0.8 * (x + 0.045 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * 0.8 * (1 + 0.135 * x**2)


def log_cosh(xp, x):
    a = xp.abs(x)
    near = xp.log1p(2 * xp.sinh(xp.minimum(a, 1.0) / 2) ** 2)
    return xp.where(a < 1, near, a + xp.log1p(xp.exp(-2 * a)) - math.log(2))


def huber(xp, x):
    inner = xp.minimum(xp.abs(x), 1.0)
    return inner**2 / 2 + xp.abs(x) - inner


def squire_trapp_slope(xp, x):
    s, c = xp.sin(x), xp.cos(x)
    below = s**3 + c**3
    return xp.exp(x) * (below - 3 * s * c * (s - c)) / below**2


def step(xp, x, below=0.0):
    """1 where positive."""
    return xp.where(x > 0, xp.ones_like(x), xp.full_like(x, below))


SIN: Pair = (lambda xp, x: xp.sin(x), lambda xp, x: xp.cos(x))
COS: Pair = (lambda xp, x: xp.cos(x), lambda xp, x: -xp.sin(x))
EXP: Pair = (lambda xp, x: xp.exp(x), lambda xp, x: xp.exp(x))
LOG: Pair = (lambda xp, x: xp.log(x), lambda xp, x: 1 / x)
SQRT: Pair = (lambda xp, x: xp.sqrt(x), lambda xp, x: 0.5 / xp.sqrt(x))
RECIPROCAL: Pair = (lambda xp, x: 1 / x, lambda xp, x: -1 / x**2)
SQUARE: Pair = (lambda xp, x: x**2, lambda xp, x: 2 * x)
HALF_SQUARE: Pair = (lambda xp, x: x**2 / 2, lambda xp, x: x)
CUBE: Pair = (lambda xp, x: x**3, lambda xp, x: 3 * x**2)
CONSTANT: Pair = (lambda xp, x: 0 * x + 3, lambda xp, x: 0 * x)
SIGMOID: Pair = (sigmoid, sigmoid_slope)
SOFTPLUS: Pair = (softplus, sigmoid)
TANH: Pair = (lambda xp, x: xp.tanh(x), lambda xp, x: 1 / xp.cosh(x) ** 2)
SWISH: Pair = (
    lambda xp, x: x * sigmoid(xp, x),
    lambda xp, x: sigmoid(xp, x) + x * sigmoid_slope(xp, x),
)
GELU: Pair = (gelu, gelu_slope)
ELU: Pair = (
    lambda xp, x: xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0.0))),
    lambda xp, x: xp.exp(xp.minimum(x, 0.0)),
)
SOFTSIGN: Pair = (
    lambda xp, x: x / (1 + xp.abs(x)),
    lambda xp, x: 1 / (1 + xp.abs(x)) ** 2,
)
RELU: Pair = (lambda xp, x: xp.maximum(x, 0.0), step)
LEAKY: Pair = (
    lambda xp, x: xp.maximum(x, x / 16),
    lambda xp, x: step(xp, x, below=1 / 16),
)
ABS: Pair = (lambda xp, x: xp.abs(x), lambda xp, x: xp.sign(x))
CLIPPED: Pair = (
    lambda xp, x: xp.minimum(xp.maximum(x, -1.0), 1.0),
    lambda xp, x: step(xp, 1 - xp.abs(x)),
)
SIGNED_SQUARE: Pair = (lambda xp, x: x * xp.abs(x), lambda xp, x: 2 * xp.abs(x))
LOG_COSH: Pair = (log_cosh, lambda xp, x: xp.tanh(x))
HUBER: Pair = (huber, lambda xp, x: xp.minimum(xp.maximum(x, -1.0), 1.0))
CAUCHY: Pair = (lambda xp, x: xp.log1p(x**2), lambda xp, x: 2 * x / (1 + x**2))
X_LOG_X: Pair = (lambda xp, x: x * xp.log(x), lambda xp, x: xp.log(x) + 1)
ARCSIN: Pair = (lambda xp, x: xp.asin(x), lambda xp, x: 1 / xp.sqrt((1 - x) * (1 + x)))
EXP_LESS_X: Pair = (lambda xp, x: xp.exp(x) - x, lambda xp, x: xp.expm1(x))
SQUIRE_TRAPP: Pair = (
    lambda xp, x: xp.exp(x) / (xp.sin(x) ** 3 + xp.cos(x) ** 3),
    squire_trapp_slope,
)
CUBIC: Pair = (
    lambda xp, x: (x - 100) ** 2 + 1e-6 * (x - 300) ** 3,
    lambda xp, x: 2 * (x - 100) + 3e-6 * (x - 300) ** 2,
)
PINBALL: Pair = (
    lambda xp, e: xp.maximum(-0.75 * e, 0.25 * e),
    lambda xp, e: 0.5 * xp.sign(e) - 0.25 * xp.abs(xp.sign(e)),
)

add("sigmoid", summed(SIGMOID), 3 * normal(1, 10))
add("sigmoid, far out", summed(SIGMOID), [-30.0, 0.5, 30.0])
add("softplus", summed(SOFTPLUS), 2 * normal(2, 100))
add("softplus, -30 to 30", averaged(SOFTPLUS), np.linspace(-30, 30, 10))
add("tanh, mean of 257", averaged(TANH), normal(3, 257))
add("swish", summed(SWISH), 2 * normal(4, 2, 5))
add("gelu", averaged(GELU), 2 * normal(5, 10, 10))
add("elu, also at 0", summed(ELU), [-1.5, 0.0, 2.0])
add("softsign, 256", summed(SOFTSIGN), away(normal(6, 256)))
add("log cosh", averaged(LOG_COSH), [1e-6, -1e-3, 0.5, -0.999, 1.001, -3.0, 30.0])
add("relu off its corner", summed(RELU), away(normal(7, 100)))
add("relu at 0", summed(RELU), [0.0, 1.0, -1.0], "kink")
add(
    "relu, some at 0",
    weighted(RELU, away(normal(8, 4, 5))),
    away(normal(9, 4, 5)) * (np.arange(20).reshape(4, 5) % 4 > 0),
    "kink",
)
add("leaky relu at 0", summed(LEAKY), 0.0, "kink")
add("abs at 0", averaged(ABS), [[0.0, 2.0], [-1.0, 0.5]], "kink")
add("clip at its ends", summed(CLIPPED), [1.0, -1.0, 0.5, 2.0], "kink")
add("x abs(x) at 0", summed(SIGNED_SQUARE), [0.0, 1.0, -2.0])
add("sin of a number", SIN, 0.7)
add("Squire-Trapp", SQUIRE_TRAPP, 1.5)
add("cubic far from its centre", CUBIC, 300.001)
add("arcsin near 1", summed(ARCSIN), [0.9, 0.99, -0.999])
add("cube of one entry", summed(CUBE), [1.3])
add("sin of two", summed(SIN), [2.0, -0.3])
add("sin of three dimensions", summed(SIN), normal(10, 2, 3, 4))
add("mean square of three dimensions", averaged(SQUARE), normal(11, 5, 4, 3))
add("fast waves", summed(stretched(SIN, 0.01)), [1.0, 0.3, -0.7])
add("10,000 waves", summed(SIN), normal(12, 10_000))
add("mean square of 10,000", averaged(SQUARE), normal(13, 10_000))
add(
    "weighted exponentials",
    weighted(EXP_LESS_X, np.arange(1.0, 101.0)),
    normal(14, 100),
)

# Scales

SCALES = 10.0 ** np.arange(-8, 9)
SPREAD = SCALES * uniform(20, 0.5, 1.5, 17)
for unit in (1e-7, 1e-3, 1e4, 1e8):
    wave = summed(stretched(SIN, unit))
    add(f"waves of {unit:.0e}", wave, unit * normal(21, 10))
add("waves of all scales", summed(stretched(SIN, SCALES)), SPREAD)
add("logarithms of all scales", summed(LOG), SPREAD)
add("squares of all scales", summed(SQUARE), SPREAD)
add("log at 1e-6", LOG, 1e-6)
add("1/x at 1e-6", RECIPROCAL, 1e-6)
add("1/x at 1e-6, -2e-6, 1", summed(RECIPROCAL), [1e-6, -2e-6, 1.0])
add("square root at 1e-8", SQRT, 1e-8)
add("x log x at 1e-12", summed(X_LOG_X), [1e-12])
add("square at 1e8", SQUARE, 1e8)
add("squares at 1e8", summed(SQUARE), 1e8 * normal(22, 3))
add("cubes at 1e-7", summed(CUBE), 1e-7 * normal(23, 2, 2))
add("exp at 20", summed(EXP), [20.0, 19.5, 21.0])
add("large offset", raised(summed(SIN), 1e6), normal(24, 10))

# Zeros

HALF_ZERO = normal(30, 10) * (np.arange(10) % 2)
EVEN = (np.arange(10) % 2 == 0).astype(float)
add("sin, half of x zero", summed(SIN), HALF_ZERO)
add("squares, half of x zero", summed(SQUARE), HALF_ZERO)
add("squares of every other entry", weighted(SQUARE, EVEN), normal(31, 10))
add("constant", summed(CONSTANT), normal(32, 3))
add("cos at 0", summed(COS), np.zeros(3))
add("exponentials at their minimum", weighted(EXP_LESS_X, 1 + EVEN), np.zeros(10))

# Losses, elementwise


def binary_cross_entropy(t: np.ndarray) -> Pair:
    """By probabilities."""

    def value(xp, p):
        y = like(xp, p, t)
        return -(y * xp.log(p) + (1 - y) * xp.log1p(-p))

    def slope(xp, p):
        return (p - like(xp, p, t)) / (p * (1 - p))

    return value, slope


def binary_logits(t: np.ndarray, positive: float = 1.0) -> Pair:
    """Binary cross entropy by logits, with a weight of the positive class."""

    def value(xp, x):
        y = like(xp, x, t)
        return positive * y * softplus(xp, -x) + (1 - y) * softplus(xp, x)

    def slope(xp, x):
        y = like(xp, x, t)
        return (1 - y) * sigmoid(xp, x) - positive * y * sigmoid(xp, -x)

    return value, slope


def hinge(t: np.ndarray) -> Pair:
    """Of signed targets."""

    def slope(xp, x):
        y = like(xp, x, t)
        return -y * step(xp, 1 - y * x)

    return lambda xp, x: xp.maximum(1 - like(xp, x, t) * x, 0.0), slope


def squared_hinge(t: np.ndarray) -> Pair:
    """Of signed targets."""
    value, _ = hinge(t)
    return (
        lambda xp, x: value(xp, x) ** 2,
        lambda xp, x: -2 * like(xp, x, t) * value(xp, x),
    )


def poisson(t: np.ndarray) -> Pair:
    """By the logarithm of the rate."""
    return (
        lambda xp, x: xp.exp(x) - like(xp, x, t) * x,
        lambda xp, x: xp.exp(x) - like(xp, x, t),
    )


def poisson_rate(t: np.ndarray) -> Pair:
    """By the rate."""
    return (
        lambda xp, x: x - like(xp, x, t) * xp.log(x),
        lambda xp, x: 1 - like(xp, x, t) / x,
    )


def gaussian_variance(e: np.ndarray) -> Pair:
    """By the variance."""
    return (
        lambda xp, v: (xp.log(v) + like(xp, v, e**2) / v) / 2,
        lambda xp, v: (v - like(xp, v, e**2)) / (2 * v**2),
    )


def gaussian_log_variance(e: np.ndarray) -> Pair:
    """By the logarithm of the variance."""
    return (
        lambda xp, s: (s + like(xp, s, e**2) * xp.exp(-s)) / 2,
        lambda xp, s: (1 - like(xp, s, e**2) * xp.exp(-s)) / 2,
    )


def squared_log_error(t: np.ndarray) -> Pair:
    """Of numbers above -1."""
    return (
        lambda xp, p: (xp.log1p(p) - like(xp, p, np.log1p(t))) ** 2,
        lambda xp, p: 2 * (xp.log1p(p) - like(xp, p, np.log1p(t))) / (1 + p),
    )


def root_mean_square() -> Pair:
    """Root of the mean of squares."""

    def f(xp, e):
        return xp.sqrt(xp.mean(e**2))

    return f, lambda xp, e: e / (math.prod(e.shape) * f(xp, e))


def dice(t: np.ndarray) -> Pair:
    """One less the overlap of a soft mask with a hard one."""

    def parts(xp, p):
        return 2 * xp.sum(p * like(xp, p, t)), xp.sum(p) + float(t.sum())

    def f(xp, p):
        above, below = parts(xp, p)
        return 1 - above / below

    def grad(xp, p):
        above, below = parts(xp, p)
        return (above / below - 2 * like(xp, p, t)) / below

    return f, grad


NEAR_ENDS = [1e-6, 1 - 1e-6, 1e-4, 1 - 1e-4]
T10, T34 = normal(40, 10), normal(41, 3, 4)
T01, T11 = bits(42, 100), signs(43, 10)
TIE = np.array([1.0, -1.0, 1.0, -1.0])
E10 = normal(44, 10)
add("mean squared error", averaged(shifted(SQUARE, T34)), normal(45, 3, 4))
add(
    "half squared error of 1,000",
    summed(shifted(HALF_SQUARE, normal(46, 1_000))),
    normal(47, 1_000),
)
add("root mean squared error", shifted(root_mean_square(), T10), normal(48, 10))
add(
    "squared logarithmic error",
    averaged(squared_log_error(uniform(49, 0, 3, 10))),
    uniform(50, 0, 3, 10),
)
add("absolute error", averaged(shifted(ABS, T10)), T10 + away(normal(51, 10)))
add("absolute error, a tie", averaged(shifted(ABS, TIE)), [1.0, 0.5, 2.0, 0.0], "kink")
add("huber", averaged(shifted(HUBER, T34)), T34 + 2 * normal(52, 3, 4))
add("huber at its knee", summed(HUBER), [1.0, -1.0, 0.5])
add("huber at a shifted knee", averaged(shifted(HUBER, TIE)), [2.0, -2.0, 0.0, 4.0])
add("smooth l1", averaged(stretched(HUBER, 0.5)), normal(53, 10))
add("log cosh of residuals", averaged(shifted(LOG_COSH, T10)), normal(54, 10))
add("cauchy loss", averaged(shifted(CAUCHY, T10)), normal(55, 10))
add("pinball", averaged(shifted(PINBALL, T10)), T10 + away(normal(56, 10)))
add("pinball, a tie", summed(shifted(PINBALL, TIE)), [1.0, 0.0, 2.0, 0.5], "kink")
add(
    "binary cross entropy",
    averaged(binary_cross_entropy(T01[:10])),
    uniform(57, 0.05, 0.95, 10),
)
add(
    "binary cross entropy, sure and right",
    averaged(binary_cross_entropy(np.array([0.0, 1.0, 0.0, 1.0]))),
    NEAR_ENDS,
)
add(
    "binary cross entropy, sure and wrong",
    averaged(binary_cross_entropy(np.array([1.0, 0.0, 1.0, 0.0]))),
    NEAR_ENDS,
)
add("binary cross entropy by logits", summed(binary_logits(T01)), 3 * normal(58, 100))
add(
    "binary cross entropy, logits of 30",
    averaged(binary_logits(bits(59, 4, 3))),
    30 * signs(60, 4, 3),
)
add(
    "binary cross entropy, positives weigh 3",
    averaged(binary_logits(uniform(61, 0, 1, 10), positive=3.0)),
    normal(62, 10),
)
add("hinge", averaged(hinge(T11)), T11 * (1 + away(normal(63, 10))))
add("hinge, ties", averaged(hinge(TIE)), [1.0, -1.0, 0.5, 3.0], "kink")
add("squared hinge", averaged(squared_hinge(T11)), normal(64, 10))
add("squared hinge at its edge", summed(squared_hinge(TIE)), [1.0, -1.0, 0.5, 3.0])
add("poisson", averaged(poisson(uniform(65, 0, 5, 10))), normal(66, 10))
add(
    "poisson by the rate",
    summed(poisson_rate(uniform(67, 0, 5, 10))),
    uniform(68, 0.1, 4, 10),
)
add(
    "gaussian by the mean",
    weighted(shifted(HALF_SQUARE, T10), 1 / uniform(69, 0.1, 2, 10)),
    normal(70, 10),
)
add(
    "gaussian by the variance",
    averaged(gaussian_variance(E10)),
    uniform(71, 0.5, 2, 10),
)
add(
    "gaussian by a small variance",
    averaged(gaussian_variance(1e-3 * E10)),
    1e-6 * uniform(72, 0.5, 2, 10),
)
add(
    "gaussian by the logarithm of the variance",
    summed(gaussian_log_variance(E10)),
    normal(73, 10),
)
add("dice", dice(T01), uniform(74, 0.05, 0.95, 100))

# Losses of rows


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
add("logsumexp", LOGSUMEXP, normal(82, 10))
add("logsumexp of rows, 30", LOGSUMEXP, 30 * uniform(83, -1, 1, 6, 4))
add("logsumexp at 1e8 of 1e8", stretched(LOGSUMEXP, 1e8), 1e8 * normal(84, 10))
add("softmax cross entropy, sum", cross_entropy(HOT), normal(85, 8, 5))
add("softmax cross entropy, mean", cross_entropy(HOT, 8), normal(86, 8, 5))
add("softmax cross entropy, sum, 30", cross_entropy(HOT), 30 * signs(87, 8, 5))
add(
    "softmax cross entropy, mean, 30",
    cross_entropy(HOT, 8),
    30 * uniform(88, -1, 1, 8, 5),
)
add("softmax cross entropy, offset", cross_entropy(HOT, 8), 1e3 + normal(89, 8, 5))
add(
    "softmax cross entropy, smooth labels",
    cross_entropy(0.9 * HOT + 0.02, 8),
    normal(90, 8, 5),
)
add(
    "softmax cross entropy, class weights",
    cross_entropy(HOT_WEIGHTED, float(HOT_WEIGHTED.sum())),
    normal(91, 8, 5),
)
add("softmax cross entropy, one row", cross_entropy(soft(92, 1, 3)[0]), normal(93, 3))
add(
    "softmax cross entropy, (100, 10)",
    cross_entropy(one_hot(94, 100, 10), 100),
    2 * normal(95, 100, 10),
)
add(
    "softmax cross entropy, (1000, 10)",
    cross_entropy(one_hot(96, 1_000, 10), 1_000),
    2 * normal(97, 1_000, 10),
)
add(
    "softmax cross entropy at its minimum",
    cross_entropy(np.full((3, 4), 0.25), 3),
    np.zeros((3, 4)),
)
add("divergence, zeros in the target", divergence(ZEROS), soft(98, 3, 4))
add(
    "divergence, zeros in both",
    divergence(ZEROS),
    np.where(ZEROS > 0, soft(99, 3, 4), 0.0),
)
add("divergence by logits", cross_entropy(ZEROS, 3), normal(100, 3, 4))
add("focal", focal(HOT), normal(101, 8, 5))
add("focal, logits of 30", focal(HOT), 10 * uniform(102, -3, 3, 8, 5))
add("cosine distance", cosine_distance(normal(103, 4, 3)), normal(104, 4, 3))
add(
    "cosine distance of a tiny vector",
    cosine_distance(normal(105, 4, 3)),
    normal(106, 4, 3) * np.array([[1.0], [1e-6], [1.0], [2.0]]),
)
add("cosine distance, all tiny", cosine_distance(T10), 1e-7 * normal(107, 10))
add("triplet", triplet(normal(108, 5, 3), normal(109, 5, 3)), normal(110, 5, 3))
add(
    "triplet, a tie",
    triplet(NEAR, FAR_AWAY),
    [[1, 0.5, 0], [0, 1, 1], [1, 1, 1]],
    "kink",
)
add("entropy of a softmax", softmax_entropy(), normal(111, 4, 6))
add("survival", survival(10), normal(112, 10))
add("contests", contests(uniform(113, 0, 5, 10, 10)), normal(114, 10))

# Normalisation and statistics


def centred(xp, x, axis):
    """Less the mean, twice: a mean is rounded."""
    d = x - xp.mean(x, axis=axis, keepdims=True)
    return d - xp.mean(d, axis=axis, keepdims=True)


def normalised(w: np.ndarray, axis: int, eps: float = 1e-5) -> Pair:
    """A layer or batch norm, read out by weights."""

    def parts(xp, x):
        d = centred(xp, x, axis)
        size = xp.sqrt(xp.mean(d**2, axis=axis, keepdims=True) + eps)
        return d / size, size

    def grad(xp, x):
        y, size = parts(xp, x)
        v = like(xp, x, w - w.mean(axis=axis, keepdims=True))
        return (v - y * xp.mean(v * y, axis=axis, keepdims=True)) / size

    return lambda xp, x: xp.sum(like(xp, x, w) * parts(xp, x)[0]), grad


def root_normalised(w: np.ndarray) -> Pair:
    """Rows over the root of their mean square, read out by weights."""

    def parts(xp, x):
        size = xp.sqrt(xp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
        return x / size, size

    def grad(xp, x):
        (y, size), v = parts(xp, x), like(xp, x, w)
        return (v - y * xp.mean(v * y, axis=-1, keepdims=True)) / size

    return lambda xp, x: xp.sum(like(xp, x, w) * parts(xp, x)[0]), grad


def correlation(t: np.ndarray) -> Pair:
    """One less the correlation coefficient: a cosine of what is centred."""
    value, slope = cosine_distance(t - t.mean())
    return (
        lambda xp, x: value(xp, centred(xp, x, -1)),
        lambda xp, x: centred(xp, slope(xp, centred(xp, x, -1)), -1),
    )


VARIANCE: Pair = (
    lambda xp, x: xp.mean(centred(xp, x, -1) ** 2),
    lambda xp, x: 2 * centred(xp, x, -1) / x.shape[0],
)
W3D = normal(120, 2, 3, 4)
W_LAYER, W_BATCH = normal(121, 4, 10), normal(122, 10, 3)
add("layer norm", normalised(W_LAYER, -1), 2 + normal(123, 4, 10))
add("layer norm, variance near 0", normalised(W_LAYER, -1), 1e-4 * normal(124, 4, 10))
add("layer norm, close rows", normalised(W_LAYER, -1), 1 + 1e-4 * normal(125, 4, 10))
add("layer norm of constant rows", normalised(W_LAYER, -1), np.full((4, 10), 2.0))
add("layer norm of three dimensions", normalised(W3D, -1), normal(126, 2, 3, 4))
add("batch norm", normalised(W_BATCH, 0), 3 * normal(127, 10, 3) - 1)
add(
    "batch norm, variance near 0", normalised(W_BATCH, 0), 1 + 1e-6 * normal(128, 10, 3)
)
add(
    "batch norm, one column constant",
    normalised(W_BATCH, 0),
    normal(129, 10, 3) * np.array([1.0, 0.0, 1.0]) + 1,
)
add("root mean square norm", root_normalised(W_LAYER), normal(130, 4, 10))
add("variance", VARIANCE, normal(131, 100))
add("variance beside a large mean", VARIANCE, 1e4 + normal(132, 100))
add("correlation", correlation(T10), normal(133, 10))

# Models by their weights


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
add(
    "linear regression",
    linear(X10, averaged(shifted(SQUARE, normal(145, 50)))),
    normal(146, 10),
)
add(
    "ridge regression",
    both(linear(X10, averaged(shifted(SQUARE, normal(147, 50)))), RIDGE),
    normal(148, 10),
)
add(
    "linear regression by a (4, 3) matrix",
    linear(X4, averaged(shifted(SQUARE, normal(149, 30, 3)))),
    normal(150, 4, 3),
)
add(
    "linear regression by a (4, 4) matrix",
    linear(X4, summed(shifted(HALF_SQUARE, normal(151, 30, 4)))),
    normal(152, 4, 4),
)
add("logistic regression", linear(X20, averaged(binary_logits(T01))), normal(153, 20))
add(
    "logistic regression, ridge",
    both(linear(X20, averaged(binary_logits(T01))), RIDGE),
    normal(154, 20),
)
add(
    "logistic regression, 1,000 weights",
    linear(normal(155, 100, 1_000), averaged(binary_logits(T01))),
    0.05 * normal(156, 1_000),
)
add("hinge regression", linear(X10, averaged(hinge(signs(157, 50)))), normal(158, 10))
add("softmax regression", linear(X4, LOGITS3), normal(159, 4, 3))
add("softmax regression, (3, 3)", linear(X4[:, :3], LOGITS3), normal(160, 3, 3))
add(
    "contrastive",
    linear(normal(161, 6, 4), cross_entropy(np.eye(6), 6)),
    normal(162, 4, 6),
)
add(
    "two layers, tanh",
    two_layers(X4, normal(163, 6, 3), TANH, LOGITS3),
    normal(164, 4, 6),
)
add(
    "two layers, gelu",
    two_layers(X4, normal(165, 4, 3), GELU, LOGITS3),
    normal(166, 4, 4),
)
add(
    "two layers, relu",
    two_layers(X4, normal(167, 5, 3), RELU, LOGITS3),
    normal(168, 4, 5),
)
add(
    "two layers, (100, 100)",
    two_layers(normal(169, 30, 100) / 10, normal(170, 100, 3) / 10, TANH, LOGITS3),
    normal(171, 100, 100),
)
add(
    "two layers by the second",
    linear(np.tanh(X4 @ normal(172, 4, 6)), LOGITS3),
    normal(173, 6, 3),
)
add("bias", bias(normal(174, 30, 3), LOGITS3), normal(175, 3))
add("recurrent", recurrent(normal(176, 4, 3), normal(177, 3)), normal(178, 3, 3))
add("embedding", embedding([2, 0, 2, 5, 7], normal(179, 5, 3)), normal(180, 10, 3))
add(
    "attention by queries",
    attention(
        normal(181, 4, 3), normal(182, 5, 3), normal(183, 5, 2), normal(184, 4, 2)
    ),
    normal(185, 4, 3),
)
add(
    "attention by keys",
    attention(
        normal(181, 4, 3), normal(182, 5, 3), normal(183, 5, 2), normal(184, 4, 2), "K"
    ),
    normal(186, 5, 3),
)
add(
    "attention with heads",
    attention(
        normal(187, 2, 4, 3),
        normal(188, 2, 5, 3),
        normal(189, 2, 5, 2),
        normal(190, 2, 4, 2),
    ),
    normal(191, 2, 4, 3),
)
add("least squares", linear(X10, summed(shifted(HALF_SQUARE, normal(192, 50)))), E10)
add("least squares at its solution", linear(INTEGERS, summed(RESIDUALS)), SOLUTION)
add(
    "least squares near its solution",
    linear(INTEGERS, summed(RESIDUALS)),
    SOLUTION + 1e-3 * normal(193, 10),
)

# Polynomials and matrices


def quadratic(A: np.ndarray, b: np.ndarray) -> Pair:
    """``x @ A @ x / 2 + b @ x``, with any square ``A``."""

    def f(xp, x):
        return xp.sum(x * (like(xp, x, A) @ x)) / 2 + xp.sum(like(xp, x, b) * x)

    return f, lambda xp, x: like(xp, x, (A + A.T) / 2) @ x + like(xp, x, b)


def rosenbrock(xp, x):
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_grad(xp, x):
    u = x[1:] - x[:-1] ** 2
    left = -400 * x[:-1] * u - 2 * (1 - x[:-1])
    return padded(xp, left, 0, 0, 1) + padded(xp, 200 * u, 0, 1, 0)


def broyden_terms(xp, x):
    around = padded(xp, x[:-1], 0, 1, 0) + 2 * padded(xp, x[1:], 0, 0, 1)
    return (3 - 2 * x) * x - around + 1


def broyden_grad(xp, x):
    r = broyden_terms(xp, x)
    around = padded(xp, r[1:], 0, 0, 1) + 2 * padded(xp, r[:-1], 0, 1, 0)
    return 2 * ((3 - 4 * x) * r - around)


def beale(xp, x):
    powers = xp.stack([x[1], x[1] ** 2, x[1] ** 3])
    return xp.sum((like(xp, x, [1.5, 2.25, 2.625]) - x[0] * (1 - powers)) ** 2)


def beale_grad(xp, x):
    y = x[1]
    powers = xp.stack([y, y**2, y**3])
    r = 2 * (like(xp, x, [1.5, 2.25, 2.625]) - x[0] * (1 - powers))
    steep = xp.stack([xp.ones_like(y), 2 * y, 3 * y**2])
    return xp.stack([xp.sum(r * (powers - 1)), xp.sum(r * x[0] * steep)])


def product_grad(xp, x):
    """Products of all others, so that an entry may be 0."""
    same = like(xp, x, np.eye(x.shape[0])) > 0
    return xp.prod(xp.where(same, 1.0, x[None, :]), axis=1)


def geometric_mean(xp, x):
    return xp.exp(xp.mean(xp.log(x)))


def gram_grad(xp, X):
    Xt = xp.matrix_transpose(X)
    eye = xp.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return 2 * X @ xp.linalg.inv(Xt @ X + eye)


def gram(xp, X):
    eye = xp.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return xp.linalg.slogdet(xp.matrix_transpose(X) @ X + eye)[1]


def inverse_transposed(xp, X):
    return xp.matrix_transpose(xp.linalg.inv(X))


def trace_of_inverse_grad(xp, X):
    inverse = inverse_transposed(xp, X)
    return -inverse @ inverse


def diagonal_in(B: np.ndarray) -> Pair:
    """``log det(I + B @ diag(x) @ B.T)``."""

    def matrix(xp, x):
        b = like(xp, x, B)
        eye = like(xp, x, np.eye(B.shape[0]))
        return eye + (b * x[None, :]) @ xp.matrix_transpose(b)

    def grad(xp, x):
        b = like(xp, x, B)
        return xp.sum(b * (xp.linalg.inv(matrix(xp, x)) @ b), axis=0)

    return lambda xp, x: xp.linalg.slogdet(matrix(xp, x))[1], grad


def bilinear(A: np.ndarray, B: np.ndarray) -> Pair:
    """``sum((A @ X @ B)**2) / 2``."""

    def inside(xp, X):
        return like(xp, X, A) @ X @ like(xp, X, B)

    return (
        lambda xp, X: xp.sum(inside(xp, X) ** 2) / 2,
        lambda xp, X: like(xp, X, A.T) @ inside(xp, X) @ like(xp, X, B.T),
    )


def factors(M: np.ndarray, V: np.ndarray) -> Pair:
    """``mean((U @ V - M)**2)`` by ``U``."""
    value, slope = averaged(shifted(SQUARE, M))
    return (
        lambda xp, U: value(xp, U @ like(xp, U, V)),
        lambda xp, U: slope(xp, U @ like(xp, U, V)) @ like(xp, U, V.T),
    )


def paired(C: np.ndarray) -> Pair:
    """``sum(C * X)``: the trace of ``C.T @ X``."""
    return (
        lambda xp, X: xp.sum(like(xp, X, C) * X),
        lambda xp, X: like(xp, X, C) + 0 * X,
    )


ROSENBROCK: Pair = (rosenbrock, rosenbrock_grad)
BROYDEN: Pair = (lambda xp, x: xp.sum(broyden_terms(xp, x) ** 2), broyden_grad)
PRODUCT: Pair = (lambda xp, x: xp.prod(x), product_grad)
GEOMETRIC_MEAN: Pair = (
    geometric_mean,
    lambda xp, x: geometric_mean(xp, x) / (x.shape[0] * x),
)
LOG_DET: Pair = (lambda xp, X: xp.linalg.slogdet(X)[1], inverse_transposed)
DET: Pair = (
    lambda xp, X: xp.linalg.det(X),
    lambda xp, X: xp.linalg.det(X) * inverse_transposed(xp, X),
)
TRACE_OF_INVERSE: Pair = (
    lambda xp, X: xp.linalg.trace(xp.linalg.inv(X)),
    trace_of_inverse_grad,
)
TRACE_OF_CUBE: Pair = (
    lambda xp, X: xp.linalg.trace(X @ X @ X),
    lambda xp, X: 3 * xp.matrix_transpose(X @ X),
)
A10, A3 = normal(200, 10, 10), 2 * np.eye(3) + 0.5 * normal(201, 3, 3)
A100 = normal(202, 100, 100)
add("quadratic of two", quadratic(np.array([[2.0, 1], [-1, 3]]), np.ones(2)), [0.5, -1])
add("quadratic", quadratic(A10, T10), normal(203, 10))
add("quadratic of 100", quadratic(A100, normal(204, 100)), normal(205, 100))
add("quadratic in units of 1e8", stretched(quadratic(A10, T10), 1e8), 1e8 * E10)
add("quadratic in units of 1e-7", stretched(quadratic(A10, T10), 1e-7), 1e-7 * E10)
add("rosenbrock", ROSENBROCK, [-1.2, 1.0])
add("rosenbrock of 10", ROSENBROCK, normal(206, 10))
add("rosenbrock of 1,000", ROSENBROCK, uniform(207, 0.5, 1.5, 1_000))
add("rosenbrock at its solution", ROSENBROCK, np.ones(10))
add("rosenbrock in units of 1e-4", stretched(ROSENBROCK, 1e-4), 1e-4 * normal(208, 3))
add("broyden tridiagonal", BROYDEN, normal(209, 10))
add("beale", (beale, beale_grad), [1.0, 0.8])
add("product", PRODUCT, away(normal(210, 10), 0.5))
add("product with a zero", PRODUCT, [1.5, 0.0, -2.0, 0.5, 3.0])
add("product with two zeros", PRODUCT, [1.5, 0.0, -2.0, 0.0, 3.0])
add("geometric mean", GEOMETRIC_MEAN, uniform(211, 0.5, 2, 100))
add("trace of a product", paired(normal(212, 3, 5)), normal(213, 3, 5))
add(
    "squares of A X B",
    bilinear(normal(214, 4, 3), normal(215, 5, 4)),
    normal(216, 3, 5),
)
add("squares of A X B, (3, 3)", bilinear(normal(217, 4, 3), normal(218, 3, 4)), A3)
add("factors", factors(normal(219, 6, 5), normal(220, 2, 5)), normal(221, 6, 2))
add("log det", LOG_DET, A3)
add("log det of X.T X + I", (gram, gram_grad), normal(222, 5, 3))
add("log det of X.T X + I, wide", (gram, gram_grad), normal(223, 3, 4))
add("log det of a diagonal", diagonal_in(normal(224, 4, 6)), uniform(225, 0.5, 2, 6))
add("gaussian by its precision", both(paired(A3 @ A3.T), scaled(LOG_DET, -1.0)), A3)
add("determinant", DET, A3)
add("trace of the inverse", TRACE_OF_INVERSE, A3)
add("trace of the cube", TRACE_OF_CUBE, normal(226, 4, 4))

# Stencils


def energy(axes: int) -> Pair:
    """Half the squares of differences of neighbours along each axis."""

    def steps(xp, x, axis):
        return xp.diff(x, axis=axis)

    def f(xp, x):
        return sum(xp.sum(steps(xp, x, a) ** 2) for a in range(axes)) / 2

    def grad(xp, x):
        slope = xp.zeros_like(x)
        for a in range(axes):
            d = steps(xp, x, a)
            slope = slope + padded(xp, d, a, 1, 0) - padded(xp, d, a, 0, 1)
        return slope

    return f, grad


def window(x: Any, corner: tuple[int, ...], size: tuple[int, ...]) -> Any:
    """A part of a picture."""
    return x[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))]


def filtered(k: np.ndarray, shape: tuple[int, ...]) -> Pair:
    """Sum of ``tanh`` of a picture filtered by a kernel, by the picture."""
    size = tuple(n - m + 1 for n, m in zip(shape, k.shape, strict=True))

    def z(xp, x):
        return sum(float(k[c]) * window(x, c, size) for c in np.ndindex(*k.shape))

    def grad(xp, x):
        back, slope = 1 - xp.tanh(z(xp, x)) ** 2, xp.zeros_like(x)
        for c in np.ndindex(*k.shape):
            part = float(k[c]) * back
            for a, (before, m) in enumerate(zip(c, k.shape, strict=True)):
                part = padded(xp, part, a, before, m - 1 - before)
            slope = slope + part
        return slope

    return lambda xp, x: xp.sum(xp.tanh(z(xp, x))), grad


def kernel(picture: np.ndarray, w: np.ndarray) -> Pair:
    """The same, read out by weights, by the kernel."""

    def z(xp, k):
        corners = np.ndindex(*k.shape)
        parts = (k[c] * like(xp, k, window(picture, c, w.shape)) for c in corners)
        return sum(parts)

    def grad(xp, k):
        back = like(xp, k, w) * (1 - xp.tanh(z(xp, k)) ** 2)
        corners = np.ndindex(*k.shape)
        parts = (like(xp, k, window(picture, c, w.shape)) * back for c in corners)
        return xp.reshape(xp.stack([xp.sum(part) for part in parts]), k.shape)

    return lambda xp, k: xp.sum(like(xp, k, w) * xp.tanh(z(xp, k))), grad


def variation(eps: float) -> Pair:
    """Total variation of a picture, smooth where it is flat."""

    def parts(xp, x):
        down, right = x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]
        return down, right, xp.sqrt(down**2 + right**2 + eps**2)

    def grad(xp, x):
        down, right, r = parts(xp, x)
        corner = padded(xp, padded(xp, -(down + right) / r, 0, 0, 1), 1, 0, 1)
        below = padded(xp, padded(xp, down / r, 0, 1, 0), 1, 0, 1)
        beside = padded(xp, padded(xp, right / r, 0, 0, 1), 1, 1, 0)
        return corner + below + beside

    return lambda xp, x: xp.sum(parts(xp, x)[2]), grad


def chain() -> Pair:
    """Sum of ``sin`` of products of neighbours."""

    def grad(xp, x):
        c = xp.cos(x[1:] * x[:-1])
        return padded(xp, c * x[1:], 0, 0, 1) + padded(xp, c * x[:-1], 0, 1, 0)

    return lambda xp, x: xp.sum(xp.sin(x[1:] * x[:-1])), grad


add("energy of 257 in a row", energy(1), normal(230, 257))
add("energy of (16, 16)", energy(2), normal(231, 16, 16))
add("energy of three dimensions", energy(3), normal(232, 3, 4, 5))
add("energy of a plateau", energy(1), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 3.0, 0.0, 0.0])
add("filtered signal of 256", filtered(normal(233, 5), (256,)), normal(234, 256))
add("filtered picture", filtered(normal(235, 3, 2), (6, 7)), normal(236, 6, 7))
add("kernel of a signal", kernel(normal(237, 30), normal(238, 28)), normal(239, 3))
add(
    "kernel of a picture",
    kernel(normal(240, 8, 9), normal(241, 6, 7)),
    normal(242, 3, 3),
)
add("total variation", variation(0.1), normal(243, 8, 9))
add("total variation of a flat picture", variation(0.5), np.eye(5, 4))
add("chain of 100", chain(), normal(244, 100))

# Norms and barriers


def norm(p: float) -> Pair:
    """The ``p``-norm of a vector, ``p`` above 1."""

    def f(xp, x):
        return xp.sum(xp.abs(x) ** p) ** (1 / p)

    return f, lambda xp, x: xp.sign(x) * (xp.abs(x) / f(xp, x)) ** (p - 1)


def row_lengths() -> Pair:
    """Sum of the lengths of rows; the subgradient of a row of zeros is 0."""

    def grad(xp, x):
        r = length(xp, x)
        return x / xp.where(r > 0, r, 1.0)

    return lambda xp, x: xp.sum(length(xp, x)), grad


def largest(xp, x):
    """Where the largest entries are; equal ones share."""
    at = xp.where(x == xp.max(x), xp.ones_like(x), xp.zeros_like(x))
    return at / xp.sum(at)


MAX: Pair = (lambda xp, x: xp.max(x), largest)
LARGEST_SIZE: Pair = (
    lambda xp, x: xp.max(xp.abs(x)),
    lambda xp, x: xp.sign(x) * largest(xp, xp.abs(x)),
)
BARRIER: Pair = (lambda xp, y: -xp.log(1 - y), lambda xp, y: 1 / (1 - y))
SPARSE_ROWS = normal(250, 4, 3)
add("length", norm(2.0), normal(251, 10))
add("length in units of 1e8", stretched(norm(2.0), 1e8), 1e8 * normal(252, 10))
add("length at 0", row_lengths(), np.zeros(3), "kink")
add("3-norm", norm(3.0), normal(253, 100))
add("1.5-norm", norm(1.5), away(normal(254, 10)))
add("3-norm, some zeros", norm(3.0), HALF_ZERO)
add("1-norm", summed(ABS), away(normal(255, 10)))
add("1-norm with zeros", summed(ABS), HALF_ZERO, "kink")
add("lengths of rows", row_lengths(), SPARSE_ROWS)
add("lengths of rows, one 0", row_lengths(), SPARSE_ROWS * [[1], [0], [1], [1]], "kink")
add("largest", MAX, normal(256, 10))
add("largest, a tie", MAX, [1.0, 3.0, 3.0, -2.0], "kink")
add("largest size", LARGEST_SIZE, normal(257, 3, 4))
add("largest size, a tie", LARGEST_SIZE, [[1.0, 3.0], [-3.0, -2.0]], "kink")
add("barrier", linear(uniform(258, -1, 1, 20, 3), summed(BARRIER)), [0.2, -0.1, 0.3])
add("barrier near its wall", summed(BARRIER), [0.5, 1 - 2**-10])
add("entropy", summed(X_LOG_X), soft(259, 1, 10)[0])

# Geometry and mixtures


def area(xp, x):
    a, b = x[:, 0], x[:, 1]
    return xp.sum(a * xp.roll(b, -1) - xp.roll(a, -1) * b) / 2


def area_grad(xp, x):
    across = xp.roll(x, -1, axis=0) - xp.roll(x, 1, axis=0)
    return xp.stack([across[:, 1], -across[:, 0]], axis=1) / 2


def edges(xp, x):
    return xp.roll(x, -1, axis=0) - x


def perimeter_grad(xp, x):
    unit = edges(xp, x) / length(xp, edges(xp, x))
    return xp.roll(unit, 1, axis=0) - unit


def coulomb(xp, x):
    off = 1 - like(xp, x, np.eye(x.shape[0]))
    r = xp.sqrt(xp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1) + (1 - off))
    return xp.sum(off / r) / 2


def coulomb_grad(xp, x):
    d = x[:, None, :] - x[None, :, :]
    eye = like(xp, x, np.eye(x.shape[0]))
    r = xp.sqrt(xp.sum(d**2, axis=-1, keepdims=True) + eye[:, :, None])
    return -xp.sum(d / r**3, axis=1)


def distances(points: np.ndarray) -> Pair:
    """Sum of the distances to points; the subgradient at one of them leaves it out."""
    f, grad = row_lengths()
    return (
        lambda xp, x: f(xp, x - like(xp, x, points)),
        lambda xp, x: xp.sum(grad(xp, x - like(xp, x, points)), axis=0),
    )


def mixture(points: np.ndarray) -> Pair:
    """Likelihood of points under a mixture of Gaussians, by the means."""

    def gaps(xp, means):
        return like(xp, means, points)[:, None, :] - means[None, :, :]

    def logits(xp, means):
        return -xp.sum(gaps(xp, means) ** 2, axis=-1) / 2

    def grad(xp, means):
        share = softmax(xp, logits(xp, means))[:, :, None]
        return -xp.sum(share * gaps(xp, means), axis=0)

    return lambda xp, means: -logsumexp(xp, logits(xp, means)), grad


PLACES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [5.0, 4.0]])
POLYGON = [[0.0, 0.0], [2.0, -0.5], [3.0, 1.0], [2.5, 3.0], [0.5, 2.0]]
add("area of a polygon", (area, area_grad), POLYGON)
add(
    "perimeter of a polygon",
    (lambda xp, x: xp.sum(length(xp, edges(xp, x))), perimeter_grad),
    POLYGON,
)
add("repulsion of five points", (coulomb, coulomb_grad), 2 * normal(260, 5, 3))
add("distances to points", distances(PLACES), [1.0, 2.0])
add("distances at one of the points", distances(PLACES), [4.0, 0.0], "kink")
add("mixture by its means", mixture(normal(261, 20, 2)), normal(262, 3, 2))
