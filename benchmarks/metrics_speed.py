"""Metrics and mini-batches against scikit-learn, NumPy's bincount and PyTorch.

    python benchmarks/metrics_speed.py [--rows 60000 6000000]

Prints Markdown tables. All in one run and one thread, the best of several calls; peers
that are not installed are left out. Reading the labels is a maximum of each array.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad
from xgrad import metrics

CLASSES = 10


def best(call: Callable[[], Any], seconds: float = 1.0) -> float:
    """The shortest processor time of a call, in seconds; others may use the machine."""
    call()
    shortest, started = np.inf, time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.process_time()
        call()
        shortest = min(shortest, time.process_time() - before)
    return shortest


def labels(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, of which nine in ten are right, and targets."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, CLASSES, rows)
    other = rng.integers(0, CLASSES, rows)
    return np.where(rng.random(rows) < 0.9, target, other), target


def bare_bincount(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The shortest confusion matrix in NumPy, without any check."""
    size = CLASSES * CLASSES
    return np.bincount(t * CLASSES + p, minlength=size).reshape(CLASSES, CLASSES)


Pairs = dict[str, tuple[Callable[[], Any], Callable[[], Any]]]


def of_labels(rows: int) -> Pairs:
    """Metrics of labels: xgrad's call and scikit-learn's."""
    import sklearn.metrics as sk

    p, t = labels(rows)
    known: Any = {"num_classes": CLASSES}
    weight = np.random.default_rng(1).random(rows)
    hidden = np.where(weight < 0.1, -100, t)
    kept = hidden >= 0
    return {
        "accuracy": (
            lambda: metrics.accuracy(p, t, **known),
            lambda: sk.accuracy_score(t, p),
        ),
        "confusion matrix": (
            lambda: metrics.confusion_matrix(p, t, **known),
            lambda: sk.confusion_matrix(t, p),
        ),
        "macro F1": (
            lambda: metrics.f1(p, t, **known),
            lambda: sk.f1_score(t, p, average="macro"),
        ),
        "macro F1, weighted rows": (
            lambda: metrics.f1(p, t, weight=weight, **known),
            lambda: sk.f1_score(t, p, average="macro", sample_weight=weight),
        ),
        "macro F1, a tenth ignored": (
            lambda: metrics.f1(p, hidden, ignore_index=-100, **known),
            lambda: sk.f1_score(hidden[kept], p[kept], average="macro"),
        ),
        "Jaccard": (
            lambda: metrics.jaccard(p, t, **known),
            lambda: sk.jaccard_score(t, p, average="macro"),
        ),
        "quadratic kappa": (
            lambda: metrics.cohen_kappa(p, t, weights="quadratic", **known),
            lambda: sk.cohen_kappa_score(t, p, weights="quadratic"),
        ),
        "report": (
            lambda: metrics.classification_report(p, t, **known)["accuracy"],
            lambda: sk.classification_report(t, p, output_dict=True)["accuracy"],
        ),
    }


def of_scores(rows: int) -> Pairs:
    """Metrics of probabilities of two classes, and of ten."""
    import sklearn.metrics as sk

    rng = np.random.default_rng(0)
    p = rng.random(rows)
    t = (rng.random(rows) < p).astype(np.int64)
    few = max(rows // CLASSES, 1)
    many, of_many = rng.dirichlet(np.ones(CLASSES), few), labels(few)[1]
    return {
        "log loss": (lambda: metrics.log_loss(p, t), lambda: sk.log_loss(t, p)),
        "log loss of 10 classes": (
            lambda: metrics.log_loss(many, of_many),
            lambda: sk.log_loss(of_many, many),
        ),
        "Brier score": (
            lambda: metrics.brier_score(p, t),
            lambda: sk.brier_score_loss(t, p),
        ),
    }


def compare(rows: int, pairs: Pairs) -> None:
    """One line for each metric, against scikit-learn and against a bare bincount."""
    p, t = labels(rows)
    bare, read = best(lambda: bare_bincount(p, t)), best(lambda: (p.max(), t.max()))
    for name, (ours, theirs) in pairs.items():
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-12)
        took, peer = best(ours), best(theirs)
        shown = rows // CLASSES if "10 classes" in name else rows
        print(
            f"| {name} | {shown:,} | {took * 1e3:.3g} ms | {peer * 1e3:.3g} ms "
            f"| {peer / took:.3g} | {took / bare:.2f} | {took / read:.2f} |"
        )


def squares() -> None:
    """R2 of float32 targets with a large mean, in batches."""
    rng = np.random.default_rng(0)
    target = (1e4 + rng.normal(size=100_000)).astype(np.float32)
    noise = rng.normal(size=100_000) / 2
    prediction = (target + noise).astype(np.float32)
    wide = [a.astype(np.float64) for a in (prediction, target)]
    right = 1 - np.sum((wide[0] - wide[1]) ** 2) / np.sum(
        (wide[1] - wide[1].mean()) ** 2
    )
    state = metrics.Regression()
    for i in range(0, len(target), 1000):
        state = state.update(prediction[i : i + 1000], target[i : i + 1000])
    sums = np.sum(target**2), np.sum(target), np.sum((prediction - target) ** 2)
    raw = 1 - sums[2] / (sums[0] - sums[1] ** 2 / np.float32(len(target)))
    print(f"| exact | {right:.6f} |")
    print(f"| xgrad, 100 batches | {float(state.r2_score()):.6f} |")
    print(f"| sums of squares in float32 | {raw:.6f} |")
    try:
        import torch
        import torchmetrics
    except ImportError:
        return
    metric = torchmetrics.R2Score()
    metric.update(torch.from_numpy(prediction), torch.from_numpy(target))
    print(
        f"| torchmetrics {torchmetrics.__version__} | {float(metric.compute()):.6f} |"
    )


def epoch(size: int = 128) -> None:
    """One epoch of 60,000 x 784 in shuffled batches."""
    x = np.random.default_rng(0).random((60_000, 784), dtype=np.float32)
    y = np.arange(60_000) % 10

    def ours() -> int:
        return sum(len(b) for b, _ in xgrad.batches(x, y, size=size, seed=1))

    took = best(ours, 3.0)
    print(f"| `xgrad.batches` | {took * 1e3:.1f} ms | |")
    try:
        import torch
        from torch.utils.data import DataLoader, TensorDataset
    except ImportError:
        return
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))

    def theirs() -> int:
        return sum(len(b) for b, _ in DataLoader(data, batch_size=size, shuffle=True))

    peer = best(theirs, 3.0)
    print(
        f"| torch `DataLoader(TensorDataset)` | {peer * 1e3:.1f} ms "
        f"| {peer / took:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 6_000_000])
    arguments = parser.parse_args()
    print(
        "| metric | rows | xgrad | scikit-learn | times faster | of a bare bincount "
        "| of reading the labels |"
    )
    print("|---|---|---|---|---|---|---|")
    for rows in arguments.rows:
        compare(rows, of_labels(rows))
        compare(rows, of_scores(rows))
    print("\n| R2 of float32 targets around 1e4 | |\n|---|---|")
    squares()
    print("\n| one epoch, batches of 128 of (60000, 784) | time | times as long |")
    print("|---|---|---|")
    epoch()


if __name__ == "__main__":
    main()
