"""Check the backward pass of a kernel written by hand, and train a network with it.

On an NVIDIA GPU, two CUDA kernels compute ``y = z * sigmoid(z)``, where ``z = x w + b``
and each column has its own w and b, and the slopes of y. Elsewhere NumPy computes them.
`custom_vjp` makes one operation of the two, which exact gradients go through.

    python examples/custom_kernel.py [--backend cupy|numpy]
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad
from xgrad.losses import softmax_cross_entropy

SOURCE = r"""
extern "C" __global__ void forward(const float* x, const float* w, const float* b,
                                   float* y, int rows, int columns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= rows * columns) return;
    float z = x[i] * w[i % columns] + b[i % columns];
    y[i] = z / (1.0f + expf(-z));
}

// One thread per column; dy is the slope of the loss with respect to y, dx to x, ...
extern "C" __global__ void backward(const float* x, const float* w, const float* b,
                                    const float* dy, float* dx, float* dw, float* db,
                                    int rows, int columns) {
    int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= columns) return;
    double sum_w = 0.0, sum_b = 0.0;
    for (int r = 0; r < rows; ++r) {
        int i = r * columns + j;
        float z = x[i] * w[j] + b[j];
        float s = 1.0f / (1.0f + expf(-z));
        float dz = dy[i] * s * (1.0f + z * (1.0f - s));  // (z s)' = s + z s (1 - s)
        dx[i] = dz * w[j];
        sum_w += dz * x[i];
        sum_b += dz;
    }
    dw[j] = sum_w;
    db[j] = sum_b;
}
"""
THREADS = 128


@functools.cache
def _kernel(name: str) -> Any:
    import cupy

    return cupy.RawKernel(SOURCE, name)


def _launch(name: str, count: int, arrays: tuple[Any, ...], shape: Any) -> None:
    sizes = np.int32(shape[0]), np.int32(shape[1])
    blocks = -(-count // THREADS)
    _kernel(name)((blocks,), (THREADS,), (*arrays, *sizes))


def swish(x: Any, w: Any, b: Any) -> Any:
    """Compute the forward pass of float32 arrays."""
    if isinstance(x, np.ndarray):
        z = x * w + b
        return z / (1 + np.exp(-z))
    import cupy

    x, w, b = map(cupy.ascontiguousarray, (x, w, b))
    y = cupy.empty_like(x)
    _launch("forward", x.size, (x, w, b, y), x.shape)
    return y


def swish_vjp(x: Any, w: Any, b: Any, dy: Any) -> tuple[Any, Any, Any]:
    """Compute the slopes with respect to x, w and b from that of the result."""
    if isinstance(x, np.ndarray):
        z = x * w + b
        s = 1 / (1 + np.exp(-z))
        dz = dy * s * (1 + z * (1 - s))
        return dz * w, np.sum(dz * x, axis=0), np.sum(dz, axis=0)
    import cupy

    # A cotangent may be a transposed view, or one number that stands for all.
    x, w, b, dy = map(cupy.ascontiguousarray, (x, w, b, dy))
    slopes = cupy.empty_like(x), cupy.empty_like(w), cupy.empty_like(b)
    _launch("backward", x.shape[1], (x, w, b, dy, *slopes), x.shape)
    return slopes


def planted(vjp: Callable[..., Any]) -> Callable[..., Any]:
    """Put a common mistake into a backward pass: a mean instead of a sum."""

    def wrong(x: Any, w: Any, b: Any, dy: Any) -> tuple[Any, Any, Any]:
        dx, dw, db = vjp(x, w, b, dy)
        return dx, dw, db / x.shape[0]

    return wrong


layer = xgrad.custom_vjp(swish, swish_vjp)


def parameters(xp: Any, rng: Any) -> dict[str, Any]:
    """Draw the weights of a network of 20 inputs, 32 hidden units and 3 classes."""
    host = {
        "W": rng.normal(size=(20, 32)) / 20**0.5,
        "w": np.ones(32),
        "b": np.zeros(32),
        "V": rng.normal(size=(32, 3)) / 32**0.5,
    }
    return {name: xp.asarray(value, dtype=xp.float32) for name, value in host.items()}


def train(xp: Any, layer: Callable[..., Any], steps: int = 100) -> list[float]:
    """Fit random clusters by gradient descent; return the loss at each step."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 200)
    centres = rng.normal(size=(3, 20))
    X = xp.asarray(centres[labels] + rng.normal(size=(200, 20)), dtype=xp.float32)
    labels = xp.asarray(labels)
    p, losses = parameters(xp, rng), []

    def loss(p: dict[str, Any]) -> Any:
        hidden = layer(X @ p["W"], p["w"], p["b"])
        return softmax_cross_entropy(hidden @ p["V"], labels)

    for _ in range(steps):
        value, slopes = xgrad.value_and_gradient(loss, p, method="autodiff")
        losses.append(float(value))
        p = {name: p[name] - 0.5 * slopes[name] for name in p}
    return losses


def check(xp: Any) -> bool:
    """Check both backward passes; tell whether the verdicts are as expected."""
    rng = np.random.default_rng(0)
    shapes = (64, 300), (300,), (300,)
    inputs = [xp.asarray(rng.normal(size=s), dtype=xp.float32) for s in shapes]
    right = xgrad.check_vjp(swish, swish_vjp, inputs)
    print(f"{right}\n\nWith a mistake that was put in on purpose:\n")
    wrong = xgrad.check_vjp(swish, planted(swish_vjp), inputs)
    print(wrong)
    return bool(right.verdict == "pass" and wrong.verdict == "fail")


def main() -> int:
    """Check the backward pass and train with it; return 0 if all is as expected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="auto", help="cupy, numpy or auto")
    xp = xgrad.namespace(parser.parse_args().backend)
    print(f"arrays of {xp.__name__.rpartition('.')[2]}\n")
    as_expected = check(xp)

    losses = train(xp, layer)
    print(f"\nThe kernel in a network: loss {losses[0]:.3f}, ", end="")
    print(f"after {len(losses)} steps {losses[-1]:.3f}")
    try:
        train(xp, xgrad.custom_vjp(swish, planted(swish_vjp)), steps=1)
    except ValueError as error:
        print(f"With the mistake: {error}")
    else:
        as_expected = False
    return 0 if as_expected and losses[-1] < losses[0] / 10 else 1


if __name__ == "__main__":
    sys.exit(main())
