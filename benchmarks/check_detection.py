"""How often gradient checkers find one wrong entry of a Jacobian, and pass right ones.

    python benchmarks/check_detection.py [--trials 200]

A dense 100 x 100 Jacobian of normal numbers, of which the backward pass has one entry
wrong; and the gradient of sum(sin(x / s)) at several scales ``s`` of x, which is right.
Prints Markdown tables. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad

Checker = Callable[[np.ndarray, np.ndarray, np.ndarray], bool]
N = 100


def with_xgrad(J: np.ndarray, W: np.ndarray, x: np.ndarray, **options: Any) -> bool:
    """Whether the default check passes ``x -> J x`` with the backward pass of ``W``."""
    return bool(xgrad.check_vjp(lambda x: J @ x, lambda x, u: W.T @ u, x, **options))


def with_directions(J: np.ndarray, W: np.ndarray, x: np.ndarray) -> bool:
    """The same by random directions alone."""
    return with_xgrad(J, W, x, full=False)


def with_torch(J: np.ndarray, W: np.ndarray, x: np.ndarray, fast: bool) -> bool:
    """PyTorch's gradcheck, with its defaults."""
    import torch

    forward, backward = torch.from_numpy(J), torch.from_numpy(W)

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            return forward @ x

        @staticmethod
        def backward(context: Any, slope: Any) -> Any:
            return backward.T @ slope

    point = torch.from_numpy(x).requires_grad_()
    return bool(
        torch.autograd.gradcheck(
            Product.apply, (point,), fast_mode=fast, raise_exception=False
        )
    )


def with_jax(J: np.ndarray, W: np.ndarray, x: np.ndarray) -> bool:
    """JAX's check_vjp, with its defaults."""
    import jax
    import jax.test_util

    jax.config.update("jax_enable_x64", x.dtype == np.float64)

    def f(x: Any) -> Any:
        return J @ x

    def vjp(x: Any) -> Any:
        return f(x), lambda u: (W.T @ u,)

    try:
        jax.test_util.check_vjp(f, vjp, (jax.numpy.asarray(x),))
    except AssertionError:
        return False
    return True


CHECKERS: dict[str, Checker] = {
    "xgrad": with_xgrad,
    "xgrad, directions alone": with_directions,
    "torch gradcheck": lambda *a: with_torch(*a, fast=False),
    "torch gradcheck, fast_mode": lambda *a: with_torch(*a, fast=True),
    "jax check_vjp": with_jax,
}


def available() -> dict[str, Checker]:
    """The checkers whose libraries are installed."""
    found = {}
    for name, check in CHECKERS.items():
        with contextlib.suppress(ImportError):
            if not name.startswith("xgrad"):
                __import__(name.partition(" ")[0])
            found[name] = check
    return found


def trial(seed: int, error: float, dtype: Any) -> tuple[np.ndarray, ...]:
    """A Jacobian, the same with one entry off by a part of it, and a point."""
    rng = np.random.default_rng(seed)
    J, x = rng.normal(size=(N, N)), rng.normal(size=N)
    W = J.copy()
    W[tuple(rng.integers(0, N, 2))] *= 1 + error
    return J.astype(dtype), W.astype(dtype), x.astype(dtype)


def table(trials: int, dtype: Any) -> None:
    """How many of the wrong ones are refused, and of the right ones accepted."""
    errors = (0.1, 0.01, 0.001)
    heads = [f"{error:.1%} off, found" for error in errors]
    print(f"\n{np.dtype(dtype).name}, {trials} Jacobians\n")
    print("| checker | " + " | ".join([*heads, "right, passed", "time a check"]) + " |")
    print("|---" * (len(heads) + 3) + "|")
    for name, check in available().items():
        cells = []
        for error in errors:
            problems = [trial(seed, error, dtype) for seed in range(trials)]
            cells.append(sum(not check(*p) for p in problems) / trials)
        rights = [trial(seed, 0.0, dtype) for seed in range(trials)]
        start = time.perf_counter()
        cells.append(sum(check(*p) for p in rights) / trials)
        spent = (time.perf_counter() - start) / trials
        shown = " | ".join(f"{cell:.3g}" for cell in cells)
        print(f"| {name} | {shown} | {1e3 * spent:.3g} ms |", flush=True)


def main() -> None:
    """Both precisions."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    table(trials, np.float64)
    table(trials, np.float32)


if __name__ == "__main__":
    main()
