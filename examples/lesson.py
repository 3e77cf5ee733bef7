"""Run the lesson on loss functions, step by step, on NumPy or CuPy.

python examples/lesson.py --plot lesson.png
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import xgrad
from xgrad.losses import cross_entropy, half_squared_error
from xgrad.special import one_hot

RIGHT = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]
WRONG = [0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]
POINTS = [[3.0, 4.0], [1.0, 2.0], [1.0, 1.0], [0.3, 0.3], [0.01, 0.01]]


def main() -> None:
    options = _options()
    xp = xgrad.namespace(options.backend)
    print(f"arrays of {xp.__name__}")
    losses_of_one_row(xp)
    losses_of_a_batch(xp)
    derivatives(xp)
    gradients(xp)
    draw(options.plot)


def losses_of_one_row(xp: Any) -> None:
    print("\n1. One row: the digit is a 2")
    label = xp.asarray(2)
    target = one_hot(label, 10)
    for name, row in (("sure of 2", RIGHT), ("sure of 7", WRONG)):
        y = xp.asarray(row)
        half = float(half_squared_error(y, target))
        entropy = float(cross_entropy(y, label, delta=1e-7))
        print(f"   {name}: sum((y - t)^2)/2 = {half:.4f}, -log(y_2) = {entropy:.6f}")


def losses_of_a_batch(xp: Any) -> None:
    print("\n2. A batch: the mean over its rows")
    y, labels = xp.asarray([RIGHT, WRONG]), xp.asarray([2, 2])
    by_label = float(cross_entropy(y, labels, delta=1e-7))
    by_one_hot = float(cross_entropy(y, one_hot(labels, 10), delta=1e-7))
    print(f"   cross entropy by labels {by_label:.6f}, one-hot {by_one_hot:.6f}")


def curve(x: Any) -> Any:
    return 0.01 * x**2 + 0.1 * x


def derivatives(xp: Any) -> None:
    print("\n3. f(x) = 0.01 x^2 + 0.1 x and its tangents")
    for point in (5.0, 10.0):
        tangent = xgrad.tangent_line(curve, xp.asarray(point))
        slope, start = float(tangent.slope), float(tangent(0.0))
        print(f"   f'({point:g}) = {slope:.6f}, tangent {slope:.2f} x {start:+.2f}")


def gradients(xp: Any) -> None:
    print("\n4. f(x0, x1) = x0^2 + x1^2")
    along_x0 = xgrad.derivative(lambda x0: x0**2 + 4.0**2, xp.asarray(3.0))
    along_x1 = xgrad.derivative(lambda x1: 3.0**2 + x1**2, xp.asarray(4.0))
    print(f"   partial derivatives at (3, 4): {float(along_x0):g}, {float(along_x1):g}")

    def squares(x: Any) -> Any:
        return xp.sum(x**2, axis=-1)

    together = xgrad.to_numpy(xgrad.gradient(squares, xp.asarray(POINTS), axis=-1))
    for point, row in zip(POINTS, together, strict=True):
        alone = xgrad.to_numpy(xgrad.gradient(squares, xp.asarray(point)))
        print(
            f"   gradient at {point}: {alone.round(10)}, with all rows {row.round(10)}"
        )


def draw(path: str) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo plot: it needs matplotlib, pip install 'xgrad[plot]'")
        return
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    xgrad.plot.tangent(curve, [5.0, 10.0], xlim=(0, 20), ax=left)
    xgrad.plot.gradient_field(
        lambda x: np.sum(x**2),
        (-2, 2.25),
        (-2, 2.25),
        points=18,
        descent=True,
        ax=right,
    )
    figure.savefig(path, dpi=110)
    print(f"\nplot: {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=["auto", "numpy", "cupy"], default="auto")
    parser.add_argument("--plot", metavar="FILE", default="lesson.png")
    return parser.parse_args()


if __name__ == "__main__":
    main()
