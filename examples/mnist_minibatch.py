"""Train a small network on real digits in mini-batches, and check every gradient.

python examples/mnist_minibatch.py --backend auto --plot digits.png

The gradients are exact ones of the forward pass, by one call; `--gradients hand` takes
the backward pass that `network.py` has by hand. The default data are 60,000 randomly
shifted copies of 1,437 digits that come with scikit-learn; `--data` trains on the files
of MNIST instead.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from digits import grown_digits
from idx import read_mnist
from network import (
    descended,
    exact_loss_and_slopes,
    forward,
    fresh,
    loss_and_slopes,
    loss_of,
)

import xgrad
from xgrad import metrics
from xgrad.losses import softmax_cross_entropy

SIZES = (100, 1_000, 10_000)
HIDDEN, CLASSES = 50, 10
RATE, MEMORY = 0.1, 0.9
GRADIENTS = {"exact": exact_loss_and_slopes, "hand": loss_and_slopes}
REPEATS = 50  # of a gradient, for its time


def main() -> int:
    options = _options()
    xp = xgrad.namespace(options.backend)
    print(_where(xp))
    results = {_name(xp): run(xp, options)}
    if _name(xp) == "cupy":
        print("\nThe same on NumPy, to compare the times:")
        results["numpy"] = run(xgrad.namespace("numpy"), options)
    _print_times({name: result["times"] for name, result in results.items()})
    first = next(iter(results.values()))
    if options.plot:
        _plot(first, options.plot)
        print(f"plot: {options.plot}")
    return 0 if all(result["passed"] for result in results.values()) else 1


def run(xp: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Run all stages on one backend; return their results and times."""
    times: dict[str, float] = {}

    def timed(stage: str, function: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        _wait(xp)
        times[stage] = time.perf_counter() - start
        return result

    (X, y), test = timed("data", _data, xp, options)
    print(f"{X.shape[0]} training rows, {test[0].shape[0]} test rows")
    if not options.data:
        print("(the training rows are 1,437 digits of scikit-learn, shifted at random)")
    p, history = timed("training", _train, xp, X, y, test, options)
    timed("gradients both ways", _compare_gradients, xp, p, X, y, options)
    logits = forward(xp, p, X)[1]
    errors = timed("batch estimates", _compare_batches, logits, y, options.seed)
    wide = xp.astype(logits, xp.float64)
    loss_right = timed("gradient of the loss", _verify_loss, wide, y)
    network_right = timed("gradient of the network", _verify_network, xp, X, y, options)
    counts = metrics.confusion_matrix(forward(xp, p, test[0])[1], test[1])
    return {
        "times": times,
        "history": history,
        "errors": errors,
        "counts": xgrad.to_numpy(counts),
        "passed": loss_right and network_right,
    }


# Data and training


def _data(xp: Any, options: argparse.Namespace) -> Any:
    if options.data:
        parts = read_mnist(options.data)
        parts = [(_flat(images) / np.float32(255), labels) for images, labels in parts]
    else:
        parts = grown_digits(seed=options.seed)
    return [
        (xp.asarray(images, dtype=xp.float32), xp.asarray(labels))
        for images, labels in parts
    ]


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _train(
    xp: Any, X: Any, y: Any, test: Any, options: argparse.Namespace
) -> tuple[Any, list[dict[str, float]]]:
    p = fresh(xp, X.shape[1], HIDDEN, CLASSES, seed=options.seed, dtype=xp.float32)
    velocity = {name: xp.zeros_like(value) for name, value in p.items()}
    history = []
    gradient = GRADIENTS[options.gradients]
    loader = xgrad.batches(X, y, size=options.batch_size, seed=options.seed)
    for epoch in range(options.epochs):
        for X_batch, y_batch in _progress(loader, f"epoch {epoch + 1}"):
            _, slopes = gradient(xp, p, X_batch, y_batch, check=False)
            p, velocity = descended(p, velocity, slopes, RATE, MEMORY)
        history.append(_evaluate(xp, p, X, y, test))
        print(
            "epoch {}: loss {loss:.4f}, test accuracy {accuracy:.4f}, "
            "macro F1 {f1:.4f}".format(epoch + 1, **history[-1])
        )
    return p, history


def _evaluate(xp: Any, p: Any, X: Any, y: Any, test: Any) -> dict[str, float]:
    scores = forward(xp, p, test[0])[1]
    return {
        "loss": float(softmax_cross_entropy(forward(xp, p, X)[1], y)),
        "accuracy": float(metrics.accuracy(scores, test[1])),
        "f1": float(metrics.f1(scores, test[1])),
    }


def _progress(loader: Any, label: str) -> Any:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return loader
    return tqdm(loader, desc=label, leave=False, disable=not sys.stderr.isatty())


# Time of the gradient of a mini-batch, both ways


def _compare_gradients(
    xp: Any, p: Any, X: Any, y: Any, options: argparse.Namespace
) -> None:
    size = options.batch_size
    print(f"\ngradient of {size} rows (trained with: {options.gradients})")
    for name, gradient in GRADIENTS.items():
        seconds = _median_seconds(xp, gradient, p, X[:size, ...], y[:size])
        print(f"  {name:5} {1e3 * seconds:7.3f} ms")


def _median_seconds(xp: Any, gradient: Any, p: Any, X: Any, y: Any) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        gradient(xp, p, X, y, check=False)
        _wait(xp)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


# Loss of a mini-batch against that of all rows


def _compare_batches(logits: Any, y: Any, seed: int) -> dict[int, float]:
    count = logits.shape[0]
    whole = float(softmax_cross_entropy(logits, y))
    print(f"\nloss over all {count} x {logits.shape[1]} outputs: {whole:.5f}")
    errors = {}
    for size in SIZES:
        if size > count:
            continue
        part, labels = xgrad.random_batch(logits, y, size=size, seed=seed)
        losses = softmax_cross_entropy(part, labels, reduction="none")
        mean, error = map(float, xgrad.batch_mean(losses, population=count))
        errors[size] = error
        print(
            f"  {size:6} rows: {mean:.5f} +- {error:.5f}"
            f"  ({(mean - whole) / error:+.1f} standard errors off)"
        )
    return errors


# Verdicts


def _verify_loss(logits: Any, y: Any) -> bool:
    """Compare the numerical gradient of every row with the closed form."""
    calls = 0

    def rows(z: Any) -> Any:
        nonlocal calls
        calls += 1
        return softmax_cross_entropy(z, y, reduction="none")

    numerical = xgrad.gradient(rows, logits, axis=-1, method="central")
    exact = softmax_cross_entropy.grad(logits, y, reduction="none")
    shape = " x ".join(map(str, logits.shape))
    print()
    return _verdict(f"gradient of the {shape} loss ({calls} calls)", numerical, exact)


def _verify_network(xp: Any, X: Any, y: Any, options: argparse.Namespace) -> bool:
    """Check both ways to a gradient, in float64 on a few rows."""
    X, y = xp.astype(X[:20, ...], xp.float64), y[:20]
    p = fresh(xp, X.shape[1], HIDDEN, CLASSES, seed=options.seed, dtype=xp.float64)
    by_hand = loss_and_slopes(xp, p, X, y)[1]
    report = xgrad.check_gradient(loss_of(xp, X, y), by_hand, p)
    print(f"{report.verdict.upper()}  backward pass by hand, against differences")
    exact = xgrad.gradient(loss_of(xp, X, y), p, method="autodiff")
    verdicts = [
        _verdict(f"exact gradient, {name} {p[name].shape}", exact[name], by_hand[name])
        for name in p
    ]
    return report.verdict == "pass" and all(verdicts)


def _verdict(what: str, slopes: Any, right: Any) -> bool:
    """Tell whether the worst entry is off by at most 1e-8 of the largest."""
    slopes, right = xgrad.to_numpy([slopes, right])
    error = float(np.abs(slopes - right).max() / np.abs(right).max())
    passed = error <= 1e-8
    print(f"{'PASS' if passed else 'FAIL'}  {what}: worst error {error:.1e}")
    return passed


# Output


def _where(xp: Any) -> str:
    found = {backend.name: backend for backend in xgrad.backends()}
    name = _name(xp)
    text = f"backend: {name}, device: {found[name].devices[0]}"
    reason = found["cupy"].reason
    reason = reason or "requested"
    return f"{text}\nwhy the CPU: {reason}" if name == "numpy" else text


def _name(xp: Any) -> str:
    return "cupy" if "cupy" in xp.__name__ else "numpy"


def _wait(xp: Any) -> None:
    """Wait for a GPU, so that its work is timed."""
    if _name(xp) == "cupy":
        import cupy

        cupy.cuda.get_current_stream().synchronize()


def _print_times(times: dict[str, dict[str, float]]) -> None:
    print("\n" + "seconds".ljust(26) + "".join(f"{name:>10}" for name in times))
    for stage in next(iter(times.values())):
        print(stage.ljust(26) + "".join(f"{t[stage]:10.2f}" for t in times.values()))


def _plot(result: dict[str, Any], path: str) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        sys.exit("--plot needs matplotlib: pip install 'xgrad[plot]'")
    figure = Figure(figsize=(13, 4), layout="constrained")
    curve, spread, matrix = figure.subplots(1, 3)
    history = [
        {"loss": epoch["loss"], "test error": 1 - epoch["accuracy"]}
        for epoch in result["history"]
    ]
    xgrad.plot.history(history, ax=curve).set_yscale("log")
    sizes, errors = list(result["errors"]), list(result["errors"].values())
    spread.loglog(sizes, errors, "o-", label="standard error")
    rule = [errors[0] * (sizes[0] / size) ** 0.5 for size in sizes]
    spread.loglog(sizes, rule, "k:", label="1 / sqrt(n)")
    spread.set(title="Loss of a mini-batch", xlabel="rows", ylabel="standard error")
    spread.legend()
    counts = result["counts"]
    matrix.imshow(counts, cmap="Blues", norm="log" if counts.all() else None)
    for (i, j), count in np.ndenumerate(counts):
        colour = "white" if count > counts.max() / 2 else "black"
        matrix.text(j, i, count, ha="center", va="center", color=colour, fontsize=8)
    matrix.set(title="Confusion on the test rows", xlabel="predicted", ylabel="true")
    matrix.set(xticks=range(len(counts)), yticks=range(len(counts)))
    figure.savefig(path, dpi=110)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=["auto", "numpy", "cupy"], default="auto")
    parser.add_argument("--data", metavar="DIR", help="folder with IDX files of MNIST")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--gradients", choices=sorted(GRADIENTS), default="exact")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", metavar="FILE", help="save a plot")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
