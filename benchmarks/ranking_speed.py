"""Areas under curves, and curves over all thresholds, against scikit-learn.

    python benchmarks/ranking_speed.py [--rows 60000 6000000]

Prints a Markdown table: processor times in one thread, the best of several calls, and
how many times as long scikit-learn takes. All results are compared first.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics as sk
from metrics_speed import best

from xgrad import metrics

PEERS: dict[Callable[..., Any], Callable[..., Any]] = {
    metrics.roc_auc: sk.roc_auc_score,
    metrics.average_precision: sk.average_precision_score,
    metrics.roc_curve: partial(sk.roc_curve, drop_intermediate=False),
    metrics.precision_recall_curve: sk.precision_recall_curve,
}
CLASSES = 10


def scores(rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores of several kinds in one order, and labels that follow them."""
    rng = np.random.default_rng(0)
    p = rng.random(rows)
    kinds = {
        "float64": p,
        "float32": p.astype(np.float32),
        "int64": (p * 2**40).astype(np.int64),
        "101 integers": np.round(100 * p).astype(np.int64),
    }
    return kinds, (rng.random(rows) < p).astype(np.int64)


def of_two_classes(rows: int) -> None:
    """Print a line for each metric, with a column for each kind of scores."""
    kinds, t = scores(rows)
    weights = {"": None, ", weighted": np.random.default_rng(1).random(rows)}
    for (ours, theirs), (name, w) in itertools.product(PEERS.items(), weights.items()):
        cells = [
            cell(partial(ours, s, t, weight=w), partial(theirs, t, s, sample_weight=w))
            for s in kinds.values()
        ]
        print(f"| {ours.__name__}{name} | {rows:,} | {' | '.join(cells)} |", flush=True)


def of_many_classes(rows: int) -> None:
    """Print the lines of ROC AUC of ten classes."""
    rng = np.random.default_rng(2)
    p, t = rng.dirichlet(np.ones(CLASSES), rows), rng.integers(0, CLASSES, rows)
    single = p.astype(np.float32)
    # Of rows that are off by the rounding of float32 scikit-learn says that they are
    # no probabilities.
    unrounded = single / single.sum(axis=1, keepdims=True, dtype=np.float64)
    for name, w in (("", None), (", weighted", rng.random(rows))):
        theirs = partial(sk.roc_auc_score, multi_class="ovr", sample_weight=w)
        cells = [
            cell(partial(metrics.roc_auc, ours, t, weight=w), partial(theirs, t, p))
            for ours, p in ((p, p), (single, unrounded))
        ]
        print(f"| roc_auc of 10 classes{name} | {rows:,} | {' | '.join(cells)} | | |")


def cell(ours: Callable[[], Any], theirs: Callable[[], Any]) -> str:
    """Compare the results; return a time, and how many times it the other one is."""
    found, expected = ours(), theirs()
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for left, right in zip(found, expected, strict=True):
        rtol = 1e-6 if left.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(left, right, rtol=rtol, atol=1e-15)
    took, peer = best(ours), best(theirs)
    return f"{took * 1e3:.3g} ms ({peer / took:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 6_000_000])
    print("| metric | rows | float64 | float32 | int64 | 101 integers |")
    print("|---|---|---|---|---|---|")
    for rows in parser.parse_args().rows:
        of_two_classes(rows)
        of_many_classes(rows // CLASSES)


if __name__ == "__main__":
    main()
