"""Define a two-layer network for any array namespace ``xp``, and its slopes two ways.

The parameters are a dict: weights ``W1``, ``W2`` and biases ``b1``, ``b2``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad
from xgrad.losses import softmax_cross_entropy

Parameters = dict[str, Any]


def fresh(
    xp: Any, inputs: int, hidden: int, outputs: int, *, seed: int, dtype: Any
) -> Parameters:
    """Draw random weights on the host, so that every backend starts with the same."""
    rng = np.random.default_rng(seed)
    # Variance 1/n keeps the size of the activations (LeCun et al., Efficient BackProp).
    host = {
        "W1": rng.standard_normal((inputs, hidden)) / inputs**0.5,
        "b1": np.zeros(hidden),
        "W2": rng.standard_normal((hidden, outputs)) / hidden**0.5,
        "b2": np.zeros(outputs),
    }
    return {name: xp.asarray(value, dtype=dtype) for name, value in host.items()}


def forward(xp: Any, p: Parameters, X: Any) -> tuple[Any, Any]:
    """Return the hidden activations and the logits of the rows of ``X``.

    Parameters may have one more leading axis, with a network at each index; the results
    then have it, too.
    """
    A = xp.tanh(X @ p["W1"] + p["b1"][..., None, :])  # A = tanh(X W1 + b1)
    return A, A @ p["W2"] + p["b2"][..., None, :]  # Z = A W2 + b2


def loss_of(
    xp: Any, X: Any, labels: Any, *, check: bool = True
) -> Callable[[Parameters], Any]:
    """Return the mean cross entropy of the rows as a function of the parameters."""
    return lambda p: softmax_cross_entropy(forward(xp, p, X)[1], labels, check=check)


def exact_loss_and_slopes(
    xp: Any, p: Parameters, X: Any, labels: Any, *, check: bool = True
) -> tuple[Any, Parameters]:
    """Compute the loss and its exact slopes, without a backward pass by hand."""
    return xgrad.value_and_gradient(loss_of(xp, X, labels, check=check), p)


def backward(xp: Any, p: Parameters, X: Any, A: Any, dZ: Any) -> Parameters:
    """Compute the slopes of all parameters from that of the logits, ``dZ``."""
    dA = dZ @ p["W2"].T  # Z = A W2 + b2
    dH = dA * (1 - A**2)  # A = tanh(H), and tanh' = 1 - tanh^2
    return {
        "W1": X.T @ dH,  # H = X W1 + b1
        "b1": xp.sum(dH, axis=0),
        "W2": A.T @ dZ,
        "b2": xp.sum(dZ, axis=0),
    }


def loss_and_slopes(
    xp: Any, p: Parameters, X: Any, labels: Any, *, check: bool = True
) -> tuple[Any, Parameters]:
    """Compute the same by the backward pass above."""
    A, Z = forward(xp, p, X)
    loss, dZ = softmax_cross_entropy.value_and_grad(Z, labels, check=check)
    return loss, backward(xp, p, X, A, dZ)


def descended(
    p: Parameters, velocity: Parameters, slopes: Parameters, rate: float, memory: float
) -> tuple[Parameters, Parameters]:
    """Take one step of gradient descent with momentum; return both dicts anew."""
    velocity = {k: memory * velocity[k] - rate * slopes[k] for k in p}
    return {k: p[k] + velocity[k] for k in p}, velocity
