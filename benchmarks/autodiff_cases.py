"""Functions whose exact gradients are timed: plain, by hand, and as peers want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

Function = Callable[[Any], Any]

STEPS, ROUTE, RATE = 1_000, 300, 0.01
KERNEL = 5


@dataclass(frozen=True)
class Case:
    """One function of ``x``, and its gradient by hand.

    ``write(xp, *data)`` returns the function for a library; ``others`` has it for those
    that need another text, and ``refusals`` a word for those that have none.
    """

    name: str
    size: str
    x: Any
    write: Callable[..., Function]
    by_hand: Callable[..., Function] | None
    data: tuple[Any, ...] = ()
    others: dict[str, Callable[..., Function]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def function(self, library: str, xp: Any, convert: Function) -> Function:
        """Return the function of one library, with the data in its arrays."""
        write = self.others.get(library, self.write)
        return write(xp, *map(convert, self.data))


# Sums of squares and Rosenbrock's function


def square_sum(xp: Any) -> Function:
    return lambda x: xp.sum(x**2)


def square_sum_by_hand() -> Function:
    return lambda x: (np.sum(x**2), 2 * x)


def rosenbrock(xp: Any) -> Function:
    return lambda x: xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_by_hand() -> Function:
    def both(x: Any) -> Any:
        bend, short = x[1:] - x[:-1] ** 2, 1 - x[:-1]
        slope = np.zeros_like(x)
        slope[:-1] = -400 * bend * x[:-1] - 2 * short
        slope[1:] += 200 * bend
        return np.sum(100 * bend**2 + short**2), slope

    return both


# Models


def logistic(xp: Any, X: Any, signs: Any) -> Function:
    return lambda w: xp.mean(xp.log1p(xp.exp(-signs * (X @ w))))


def logistic_by_hand(X: Any, signs: Any) -> Function:
    def both(w: Any) -> Any:
        odds = np.exp(-signs * (X @ w))
        slope = X.T @ (-signs * odds / (1 + odds)) / len(signs)
        return np.mean(np.log1p(odds)), slope

    return both


def cross_entropy_of(xp: Any, z: Any, rows: Any, labels: Any) -> Any:
    """The mean cross entropy of the rows of z, as it is written by hand."""
    z = z - xp.max(z, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(z), axis=1)) - z[rows, labels])


def cross_entropy(xp: Any, rows: Any, labels: Any) -> Function:
    return lambda z: cross_entropy_of(xp, z, rows, labels)


def cross_entropy_by_hand(rows: Any, labels: Any) -> Function:
    def both(z: Any) -> Any:
        z = z - np.max(z, axis=1, keepdims=True)
        slope = np.exp(z)
        total = np.sum(slope, axis=1)
        value = np.mean(np.log(total) - z[rows, labels])
        slope /= total[:, None]
        slope[rows, labels] -= 1
        slope /= len(rows)
        return value, slope

    return both


def fused(xp: Any, rows: Any, labels: Any) -> Function:
    """The same by the loss of the library."""
    from xgrad.losses import softmax_cross_entropy

    return lambda z: softmax_cross_entropy(z, labels)


def fused_by_hand(rows: Any, labels: Any) -> Function:
    from xgrad.losses import softmax_cross_entropy

    return lambda z: softmax_cross_entropy.value_and_grad(z, labels)


def fused_torch(xp: Any, rows: Any, labels: Any) -> Function:
    from torch.nn.functional import cross_entropy

    return lambda z: cross_entropy(z, labels)


def network(xp: Any, X: Any, rows: Any, labels: Any) -> Function:
    def loss(p: Any) -> Any:
        A = xp.tanh(X @ p["W1"] + p["b1"])
        return cross_entropy_of(xp, A @ p["W2"] + p["b2"], rows, labels)

    return loss


def network_by_hand(X: Any, rows: Any, labels: Any) -> Function:
    top = cross_entropy_by_hand(rows, labels)

    def both(p: Any) -> Any:
        A = np.tanh(X @ p["W1"] + p["b1"])
        value, dZ = top(A @ p["W2"] + p["b2"])
        dH = (dZ @ p["W2"].T) * (1 - A**2)
        slopes = {"W1": X.T @ dH, "b1": np.sum(dH, axis=0)}
        return value, {**slopes, "W2": A.T @ dZ, "b2": np.sum(dZ, axis=0)}

    return both


def parameters(rng: Any, inputs: int = 784, hidden: int = 50, classes: int = 10) -> Any:
    """The weights and biases of a network of two layers."""
    return {
        "W1": rng.normal(size=(inputs, hidden)) / inputs**0.5,
        "b1": np.zeros(hidden),
        "W2": rng.normal(size=(hidden, classes)) / hidden**0.5,
        "b2": np.zeros(classes),
    }


# Loops


def loop(xp: Any) -> Function:
    def f(x: Any) -> Any:
        for _ in range(STEPS):
            x = xp.sin(x) * 1.01
        return x

    return f


def loop_jit(xp: Any) -> Function:
    from jax.lax import fori_loop

    return lambda x: fori_loop(0, STEPS, lambda _, x: xp.sin(x) * 1.01, x)


def loop_by_hand() -> Function:
    def both(x: Any) -> Any:
        states = []
        for _ in range(STEPS):
            states.append(x)
            x = np.sin(x) * 1.01
        slope = 1.0
        for state in reversed(states):
            slope = slope * 1.01 * np.cos(state)
        return x, slope

    return both


def euler(xp: Any) -> Function:
    def f(x: Any) -> Any:
        for _ in range(STEPS):
            x = x + RATE * (xp.sin(x) - 0.5 * x)
        return xp.sum(x**2)

    return f


def euler_jit(xp: Any) -> Function:
    from jax.lax import fori_loop

    def step(_: Any, x: Any) -> Any:
        return x + RATE * (xp.sin(x) - 0.5 * x)

    return lambda x: xp.sum(fori_loop(0, STEPS, step, x) ** 2)


def euler_by_hand() -> Function:
    def both(x: Any) -> Any:
        states = []
        for _ in range(STEPS):
            states.append(x)
            x = x + RATE * (np.sin(x) - 0.5 * x)
        slope = 2 * x
        for state in reversed(states):
            slope = slope + RATE * (np.cos(state) - 0.5) * slope
        return np.sum(x**2), slope

    return both


# Slices and writes


def convolved(image: Any, kernel: Any) -> Any:
    height, width = (n - KERNEL + 1 for n in image.shape)
    return sum(
        kernel[i, j] * image[i : i + height, j : j + width]
        for i in range(KERNEL)
        for j in range(KERNEL)
    )


def of_image(xp: Any, kernel: Any) -> Function:
    return lambda image: xp.sum(convolved(image, kernel) ** 2)


def of_kernel(xp: Any, image: Any) -> Function:
    return lambda kernel: xp.sum(convolved(image, kernel) ** 2)


def of_image_by_hand(kernel: Any) -> Function:
    def both(image: Any) -> Any:
        y = convolved(image, kernel)
        slope, g = np.zeros_like(image), 2 * y
        height, width = g.shape
        for i in range(KERNEL):
            for j in range(KERNEL):
                slope[i : i + height, j : j + width] += kernel[i, j] * g
        return np.sum(y**2), slope

    return both


def of_kernel_by_hand(image: Any) -> Function:
    def both(kernel: Any) -> Any:
        y = convolved(image, kernel)
        slope, g = np.zeros_like(kernel), 2 * y
        height, width = g.shape
        for i in range(KERNEL):
            for j in range(KERNEL):
                slope[i, j] = np.sum(g * image[i : i + height, j : j + width])
        return np.sum(y**2), slope

    return both


def filled(xp: Any) -> Function:
    def f(x: Any) -> Any:
        y = xp.zeros(x.shape, like=x)
        for i in range(len(x)):
            y[i] = x[i] ** 2
        return xp.sum(y)

    return f


def filled_jit(xp: Any) -> Function:
    from jax.lax import fori_loop

    def f(x: Any) -> Any:
        def step(i: Any, y: Any) -> Any:
            return y.at[i].set(x[i] ** 2)

        return xp.sum(fori_loop(0, len(x), step, xp.zeros_like(x)))

    return f


def trajectory(xp: Any) -> Function:
    def f(x: Any) -> Any:
        Y = xp.zeros((ROUTE + 1, len(x)), like=x)
        Y[0] = x
        for t in range(ROUTE):
            Y[t + 1] = Y[t] + RATE * xp.sin(Y[t])
        return xp.sum(Y**2)

    return f


def trajectory_torch(xp: Any) -> Function:
    """The same with a copy of each row, which PyTorch keeps and wants unchanged."""

    def f(x: Any) -> Any:
        Y = xp.zeros((ROUTE + 1, len(x)), like=x)
        Y[0] = x
        for t in range(ROUTE):
            row = Y[t].clone()
            Y[t + 1] = row + RATE * xp.sin(row)
        return xp.sum(Y**2)

    return f


def trajectory_jit(xp: Any) -> Function:
    from jax.lax import fori_loop

    def f(x: Any) -> Any:
        def step(t: Any, Y: Any) -> Any:
            return Y.at[t + 1].set(Y[t] + RATE * xp.sin(Y[t]))

        Y = xp.zeros((ROUTE + 1, len(x))).at[0].set(x)
        return xp.sum(fori_loop(0, ROUTE, step, Y) ** 2)

    return f


def trajectory_by_hand() -> Function:
    def both(x: Any) -> Any:
        Y = np.zeros((ROUTE + 1, len(x)))
        Y[0] = x
        for t in range(ROUTE):
            Y[t + 1] = Y[t] + RATE * np.sin(Y[t])
        slope = 2 * Y
        for t in range(ROUTE - 1, -1, -1):
            slope[t] += slope[t + 1] * (1 + RATE * np.cos(Y[t]))
        return np.sum(Y**2), slope[0]

    return both


REFUSED = {"autograd": "refused", "jax": "refused"}


def cases() -> list[Case]:
    """All functions, with points and data that are the same in every run."""
    rng = np.random.default_rng(0)
    made = []
    for n in (10, 1_000, 1_000_000):
        x = rng.normal(size=n)
        made.append(Case("a sum(x**2)", f"{n:,}", x, square_sum, square_sum_by_hand))
    for n in (10, 1_000, 1_000_000):
        x = rng.uniform(-2, 2, n)
        made.append(Case("b Rosenbrock", f"{n:,}", x, rosenbrock, rosenbrock_by_hand))
    X, signs = rng.normal(size=(1_000, 1_000)), rng.choice([-1.0, 1.0], 1_000)
    w = rng.normal(size=1_000) / 30
    made.append(Case("c logistic", "1,000", w, logistic, logistic_by_hand, (X, signs)))
    made += [network_case(rng), *entropy_cases(rng, 60_000)]
    point, start = np.array(0.5), rng.normal(size=100)
    made += [
        Case(
            "f loop of 0-d arrays",
            "2,000 operations",
            point,
            loop,
            loop_by_hand,
            others={"jit": loop_jit},
        ),
        Case(
            "g Euler's method",
            "5,000 operations",
            start,
            euler,
            euler_by_hand,
            others={"jit": euler_jit},
        ),
        *convolution_cases(rng),
        Case(
            "i filled array",
            "1,000",
            rng.normal(size=1_000),
            filled,
            None,
            others={"jit": filled_jit},
            refusals=REFUSED,
        ),
        trajectory_case(start),
    ]
    return made


def network_case(rng: Any, batch: int = 100) -> Case:
    X, labels = rng.normal(size=(batch, 784)), rng.integers(0, 10, batch)
    data = X, np.arange(batch), labels
    name = "d network 784-50-10"
    return Case(name, "39,760", parameters(rng), network, network_by_hand, data)


def entropy_cases(rng: Any, rows: int) -> list[Case]:
    z, labels = rng.normal(size=(rows, 10)), rng.integers(0, 10, rows)
    data, size = (np.arange(rows), labels), f"{rows:,} x 10"
    name = "e cross entropy"
    others = {"torch": fused_torch}
    refusals = dict.fromkeys(("autograd", "mygrad", "jax", "jit"), "-")
    return [
        Case(f"{name} by hand", size, z, cross_entropy, cross_entropy_by_hand, data),
        Case(
            f"{name} by the loss", size, z, fused, fused_by_hand, data, others, refusals
        ),
    ]


def convolution_cases(rng: Any) -> list[Case]:
    image, kernel = rng.normal(size=(512, 512)), rng.normal(size=(KERNEL, KERNEL))
    make = partial(Case, others={}, refusals={})
    return [
        make(
            "h convolution, image",
            "512 x 512",
            image,
            of_image,
            of_image_by_hand,
            (kernel,),
        ),
        make(
            "h convolution, kernel",
            "5 x 5",
            kernel,
            of_kernel,
            of_kernel_by_hand,
            (image,),
        ),
    ]


def trajectory_case(start: Any) -> Case:
    return Case(
        "j trajectory",
        "300 steps",
        start,
        trajectory,
        trajectory_by_hand,
        others={"torch": trajectory_torch, "jit": trajectory_jit},
        refusals=REFUSED,
    )
