"""What losses of several libraries say about input that is hard, or wrong.

    python benchmarks/losses_hard_input.py

Prints a Markdown table: what is right, and what each library computes, or that it
raises. Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad import losses

F32 = np.float32


@dataclass(frozen=True)
class Case:
    """One input of a kind of loss, and what is right."""

    name: str
    kind: str
    arguments: tuple[Any, ...]
    right: float | str


def textbook(y: np.ndarray, t: np.ndarray) -> float:
    """Cross entropy as in Deep Learning from Scratch, chapter 4."""
    return float(-np.sum(np.log(y[np.arange(len(y)), t] + 1e-7)) / len(y))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def with_torch() -> dict[str, Callable[..., Any]]:
    torch = importlib.import_module("torch")
    f = torch.nn.functional
    tensor = torch.as_tensor
    return {
        "labels": lambda x, t: f.cross_entropy(tensor(x), tensor(t)),
        "hot": lambda x, t: f.cross_entropy(tensor(x), tensor(t)),
        "squares": lambda p, t: f.mse_loss(tensor(p), tensor(t)),
        "logistic": lambda x, t: f.binary_cross_entropy_with_logits(
            tensor(x), tensor(t)
        ),
    }


def with_optax() -> dict[str, Callable[..., Any]]:
    optax = importlib.import_module("optax")
    array = importlib.import_module("jax.numpy").asarray
    return {
        "labels": lambda x, t: optax.softmax_cross_entropy_with_integer_labels(
            array(x), array(t)
        ).mean(),
        "hot": lambda x, t: optax.softmax_cross_entropy(array(x), array(t)).mean(),
        "squares": lambda p, t: optax.squared_error(array(p), array(t)).mean(),
        "huber": lambda p, t: optax.huber_loss(array(p), array(t)).mean(),
        "logistic": lambda x, t: optax.sigmoid_binary_cross_entropy(
            array(x), array(t)
        ).mean(),
        "log_cosh": lambda p, t: optax.log_cosh(array(p), array(t)).mean(),
    }


def with_textbook() -> dict[str, Callable[..., Any]]:
    return {"labels": lambda x, t: textbook(softmax(x), t)}


def with_xgrad() -> dict[str, Callable[..., Any]]:
    return {
        "labels": losses.softmax_cross_entropy,
        "hot": losses.softmax_cross_entropy,
        "squares": losses.mean_squared_error,
        "huber": losses.huber,
        "logistic": losses.sigmoid_binary_cross_entropy,
        "log_cosh": losses.log_cosh,
    }


LIBRARIES = {
    "xgrad": with_xgrad,
    "torch": with_torch,
    "optax": with_optax,
    "textbook": with_textbook,
}
X = np.array([[2.0, 1.0, 0.5], [0.0, 3.0, 1.0]], F32)
HOT = np.eye(3, dtype=F32)
COLUMN, ROW = np.ones((3, 1), F32), np.arange(3, dtype=F32)
FIRST = math.log1p(math.exp(-1.0) + math.exp(-1.5))  # of the first row, label 0
SECOND = math.log1p(math.exp(-3.0) + math.exp(-2.0))  # of the second, label 1


def one(*values: float) -> np.ndarray:
    return np.array(values, F32)


CASES = [
    Case(
        "labels in uint8",
        "labels",
        (X, np.array([0, 1], np.uint8)),
        (FIRST + SECOND) / 2,
    ),
    Case("label -1 of 3 classes", "labels", (X, np.array([0, -1])), "raises"),
    Case("label 3 of 3 classes", "labels", (X, np.array([0, 3])), "raises"),
    Case(
        "float32 logits around 1e8",
        "labels",
        (one(0, 8)[None] + F32(1e8), np.array([1])),
        math.log1p(math.exp(-8.0)),
    ),
    Case(
        "a class masked by -inf, one-hot",
        "hot",
        (one(-np.inf, 1, 2)[None], HOT[2:]),
        math.log1p(math.exp(-1.0)),
    ),
    Case(
        "70,000 rows in float16",
        "labels",
        (np.tile(X[:1], (70_000, 1)).astype(np.float16), np.zeros(70_000, int)),
        FIRST,
    ),
    Case("(3, 1) against (3,)", "squares", (COLUMN, ROW), "raises"),
    Case("the same, Huber", "huber", (COLUMN, ROW), "raises"),
    Case("logit inf with target 1", "logistic", (one(np.inf), one(1)), 0.0),
    Case("log cosh of 1e-3 in float32", "log_cosh", (one(1e-3), one(0)), 5e-7),
    Case("mean over no rows", "squares", (one(), one()), "raises"),
]


def answer(call: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> str:
    """What a library makes of the arguments, in a few characters."""
    if call is None:
        return "-"
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = float(call(*arguments))
    except Exception:  # each library raises errors of its own
        return "raises"
    return "nan" if math.isnan(value) else f"{value:.4g}"


def main() -> None:
    tables = {}
    for name, make in LIBRARIES.items():
        try:
            tables[name] = make()
        except ImportError:
            print(f"{name} is not installed")
    print("| input | right | " + " | ".join(tables) + " |")
    print("|---" * (len(tables) + 2) + "|")
    for case in CASES:
        right = case.right if isinstance(case.right, str) else f"{case.right:.4g}"
        found = [
            answer(calls.get(case.kind), case.arguments) for calls in tables.values()
        ]
        print(f"| {case.name} | {right} | " + " | ".join(found) + " |")


if __name__ == "__main__":
    main()
