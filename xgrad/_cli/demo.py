"""``python -m xgrad demo``: the lesson on loss functions, in the terminal.

Each step is a function. Its docstring is the title; its body is printed and then run,
so that the code on the screen is the code that computes.
"""

from __future__ import annotations

import inspect
import math
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad
from xgrad._arrays import backend_name, backends
from xgrad._cli.loading import Mistake, load_namespace
from xgrad._cli.overview import why_no_gpu
from xgrad.losses import cross_entropy, half_squared_error, softmax_cross_entropy

IMPORTS = """\
import math, time
import numpy as np, xgrad
from xgrad.losses import cross_entropy, half_squared_error, softmax_cross_entropy

xp = xgrad.namespace()
"""


def run(backend: str) -> int:
    """Show the lesson with arrays of a backend, and return the exit code."""
    try:
        xp = load_namespace(backend)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    print(f"arrays of {backend_name(xp)}", end="\n\n")
    if backend_name(xp) == "numpy" and backend == "auto":
        print(why_no_gpu(backends()))
    _show_steps(xp)
    return 0


def _show_steps(xp: Any) -> None:
    """Print title and code of each step, and run it."""
    print(textwrap.indent(IMPORTS, "    "))
    for number, step in enumerate(STEPS, 1):
        title = f"{number}. {inspect.getdoc(step)}"
        print(f"{title}\n{'-' * len(title)}\n")
        code = _body(step)
        if code:
            print(textwrap.indent(code, "    "))
        step(xp)
        print()


def _body(step: Callable[[Any], None]) -> str:
    """Return the code of a step without its head, title and types.

    It is empty if the source is not installed.
    """
    try:
        lines = inspect.getsource(step).splitlines(keepends=True)
    except OSError:  # a distribution of compiled files alone
        return ""
    # The first two lines are the head and the title. Types would distract readers to
    # whom loss functions are new.
    code = textwrap.dedent("".join(lines[2:])).lstrip("\n")
    return code.replace(" -> Any:", ":").replace(": Any", "")


def _one_answer(xp: Any) -> None:
    """How wrong is an answer? The digit was a 2, and this network says 7"""
    label = xp.asarray(2)
    target = xgrad.special.one_hot(label, 10)
    answer = xp.asarray([0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0])
    print(f"sum((y - t)^2) / 2 = {float(half_squared_error(answer, target)):.4f}")
    print(f"-log(y[2])         = {float(cross_entropy(answer, label)):.4f}")


def _many_rows(xp: Any) -> None:
    """Sixty thousand answers: their loss, its gradient, and how many are right"""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 60_000)
    scores = xp.asarray(rng.normal(size=(60_000, 10)) + 3 * np.eye(10)[labels])
    labels = xp.asarray(labels)
    start = time.perf_counter()
    loss, slope = softmax_cross_entropy.value_and_grad(scores, labels)
    print(f"loss {float(loss):.4f}, gradient of shape {tuple(slope.shape)}:", end=" ")
    print(f"{1000 * (time.perf_counter() - start):.1f} ms")
    print(f"accuracy {float(xgrad.metrics.accuracy(scores, labels)):.4f}")


def _wrong_label(xp: Any) -> None:
    """A label without a class raises an error, and never counts as another one"""
    try:
        softmax_cross_entropy(xp.asarray([[1.0, 2.0, 3.0]]), xp.asarray([-1]))
    except ValueError as error:
        print(error)


def _mini_batch(xp: Any) -> None:
    """The loss of a mini-batch is close to that of all rows, and says how close"""
    losses = np.random.default_rng(0).exponential(size=60_000)
    print(f"all 60000 rows: {losses.mean():.4f}")
    for size in (100, 10_000):
        (batch,) = xgrad.random_batch(xp.asarray(losses), size=size, seed=1)
        mean, error = xgrad.batch_mean(batch, population=60_000)
        print(f"{size:5} of them: {float(mean):.4f} +- {float(error):.4f}")


def _slopes(xp: Any) -> None:
    """A derivative is the slope of the line that touches the curve"""

    def curve(x: Any) -> Any:
        return 0.01 * x**2 + 0.1 * x

    print(xgrad.derivative(curve, xp.asarray([5.0, 10.0])))
    line = xgrad.tangent_line(curve, xp.asarray(5.0))
    print(f"tangent at 5: {float(line.slope):.2f} x {float(line(0.0)):+.2f}")


def _field(xp: Any) -> None:
    """The gradient points uphill, its negative downhill: here to the middle"""
    axis = np.linspace(-2, 2, 9)
    points = xp.asarray(np.stack(np.meshgrid(axis, axis[::-1]), axis=-1))
    uphill = xgrad.gradient(lambda x: xp.sum(x**2, axis=-1), points, axis=-1)
    for row in -xgrad.to_numpy(uphill):  # `arrow` is one of → ↗ ↑ ↖ ← ↙ ↓ ↘
        print(" ", *(arrow(across, up) for across, up in row))


def arrow(across: float, up: float) -> str:
    """Return the closest of eight arrows to a direction, or "o" if its length is 0."""
    # Numerical slopes at the middle are not exactly 0; the others are above 0.5.
    if math.hypot(across, up) < 1e-6:
        return "o"
    return "→↗↑↖←↙↓↘"[round(math.atan2(up, across) / (math.pi / 4)) % 8]


def _hard_points(xp: Any) -> None:
    """Numerical derivatives that report their own accuracy: log, abs and sin at once"""

    def f(x: Any) -> Any:
        return xp.log(x[0]) + xp.abs(x[1] - 1) + xp.sin(x[2])

    x = xp.asarray([1e-8, 1.0, 2584.1506])
    value, estimate = xgrad.gradient(f, x, method="ladder", full_output=True)
    columns = xgrad.to_numpy([value, estimate.error, estimate.status])
    for slope, error, status in zip(*columns, strict=True):
        print(f"{slope:10.6g} +- {error:.0e} {xgrad.Status(status).name}")


def _all_rows(xp: Any) -> None:
    """The gradient of 60,000 losses with ten scores each, compared with the formula"""
    rng = np.random.default_rng(0)
    scores = xp.asarray(rng.normal(size=(60_000, 10)))
    labels = xp.asarray(rng.integers(0, 10, 60_000))

    def rows(z: Any) -> Any:
        return softmax_cross_entropy(z, labels, reduction="none")

    start = time.perf_counter()
    numerical = xgrad.gradient(rows, scores, axis=-1, method="central")
    formula = softmax_cross_entropy.grad(scores, labels, reduction="none")
    worst = float(xp.max(xp.abs(numerical - formula)))
    print(f"they differ by {worst:.0e}; {time.perf_counter() - start:.2f} s")


def _wrong_gradient(xp: Any) -> None:
    """A gradient written by hand, with a mistake"""

    def f(w: Any) -> Any:
        return xp.mean(w**2)

    w = xp.asarray([1.0, 2.0, 3.0, 4.0])
    print(xgrad.check_gradient(f, lambda w: 2 * w, w))
    print("\nwith 2 w / 4:", xgrad.check_gradient(f, lambda w: w / 2, w).verdict)


STEPS = (
    _one_answer,
    _many_rows,
    _wrong_label,
    _mini_batch,
    _slopes,
    _field,
    _hard_points,
    _all_rows,
    _wrong_gradient,
)
