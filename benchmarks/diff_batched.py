"""What a plain function costs: `vectorized="auto"` beside the textbook's loop.

    python benchmarks/diff_batched.py            # about five minutes
    python benchmarks/diff_batched.py --quick    # tiny sizes, to see that it runs

prints Markdown tables. The functions are written for one point, as one would without
xgrad; both sides take central differences of accuracy 2. One process on one CPU and one
thread, calls in turn, after a first call of each; a time is the median of its rounds
(of one, for calls of more than two seconds), a ratio that of the medians. A loop that
would take more than 20 s is extrapolated from some of its entries and marked by a
tilde; its error is that of these entries. Errors are the largest of the differences
from the exact gradient, divided by the largest entry of the gradient.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read when NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # tables of cases

from cases.functions import rosenbrock_slope

import xgrad
from examples.network import backward, fresh
from xgrad import gradient
from xgrad._evaluation.proved_ways import mode_of
from xgrad.losses import softmax_cross_entropy

# Near the best for values and curvatures of size 1: eps**(1/3) is 6e-6.
LOOP_STEP = 1e-5
LONGEST_LOOP = 20.0  # seconds
SAMPLED_ENTRIES = 300
# Shorter than this, calls are repeated within a round.
SHORTEST_ROUND = 4e-3
MOST_ROUNDS, SECONDS_A_CASE, SLOW = 15, 2.0, 2.0

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """A plain function of an array or a dict of arrays, a point, the exact gradient."""

    name: str
    size: str
    f: Callable[[Any], Any]
    x: Any
    exact: Any


# The functions, as they are written without xgrad


def squares(x: np.ndarray) -> Any:
    """Sum of squares."""
    return np.sum(x**2)


def rosenbrock(x: np.ndarray) -> Any:
    """Rosenbrock's function, of one point."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def mean_cross_entropy(z: np.ndarray, labels: np.ndarray) -> Any:
    """Mean over the rows of logits, with the largest logit taken out of the sum."""
    top = np.max(z, axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(z - top), axis=1)) + top[:, 0]
    return np.mean(log_sum - z[np.arange(len(labels)), labels])


def cross_entropy_slope(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross entropy by the logits."""
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return (e / np.sum(e, axis=1, keepdims=True) - np.eye(z.shape[1])[labels]) / len(z)


# The cases


def sums(sizes: list[int]) -> list[Case]:
    """Functions whose every term depends on one or two variables."""
    rng = np.random.default_rng(0)
    cases = []
    for n in sizes:
        x = rng.uniform(-2, 2, n)
        cases.append(Case("`np.sum(x**2)`", f"{n:,}", squares, x, 2 * x))
    for n in sizes:
        x = rng.uniform(-2, 2, n)
        exact = rosenbrock_slope(x)
        cases.append(Case("Rosenbrock", f"{n:,}", rosenbrock, x, exact))
    return cases


def logistic(rows: int, n: int) -> Case:
    """Logistic regression: the mean loss of labels of -1 and 1."""
    rng = np.random.default_rng(0)
    data, w = rng.normal(size=(rows, n)), rng.normal(size=n) / n**0.5
    y = np.where(rng.random(rows) < 0.5, -1.0, 1.0)

    def loss(w: np.ndarray) -> Any:
        return np.mean(np.logaddexp(0.0, -y * (data @ w)))

    exact = data.T @ (-y / (1 + np.exp(y * (data @ w)))) / rows
    return Case("logistic regression", f"{n:,} of {rows:,} rows", loss, w, exact)


def network(inputs: int, hidden: int, outputs: int, batch: int) -> list[Case]:
    """A network of two layers: by its first weights, and by all its parameters."""
    p = fresh(np, inputs, hidden, outputs, seed=0, dtype=np.float64)
    rng = np.random.default_rng(0)
    data, labels = rng.random((batch, inputs)), rng.integers(0, outputs, batch)

    def loss(p: dict[str, np.ndarray]) -> Any:
        active = np.tanh(data @ p["W1"] + p["b1"])
        return mean_cross_entropy(active @ p["W2"] + p["b2"], labels)

    def loss_of_first(w: np.ndarray) -> Any:
        return loss({**p, "W1": w})

    active = np.tanh(data @ p["W1"] + p["b1"])
    slope = cross_entropy_slope(active @ p["W2"] + p["b2"], labels)
    exact = backward(np, p, data, active, slope)
    count = f"{sum(value.size for value in p.values()):,}"
    name = f"network {inputs}-{hidden}-{outputs}, batch {batch}"
    return [
        Case(
            f"{name}: first weights",
            f"{p['W1'].size:,}",
            loss_of_first,
            p["W1"],
            exact["W1"],
        ),
        Case(f"{name}: all parameters, a dict", count, loss, p, exact),
    ]


def cross_entropies(rows: int, classes: int) -> list[Case]:
    """Mean softmax cross entropy as one plain function of all logits."""
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(rows, classes)), rng.integers(0, classes, rows)
    exact = cross_entropy_slope(z, labels)
    name, size = f"cross entropy of ({rows}, {classes}) logits", f"{z.size:,}"
    return [
        Case(
            f"{name}, by hand",
            size,
            lambda z: mean_cross_entropy(z, labels),
            z,
            exact,
        ),
        Case(
            f"{name}, `softmax_cross_entropy`",
            size,
            lambda z: softmax_cross_entropy(z, labels),
            z,
            exact,
        ),
    ]


# The textbook's loop


def leaves(x: Any) -> list[np.ndarray]:
    """The arrays of a point."""
    return list(x.values()) if isinstance(x, dict) else [x]


def flat(x: Any) -> np.ndarray:
    """All entries of the arrays of a point, in a row."""
    return np.concatenate([leaf.ravel() for leaf in leaves(x)])


def textbook_loop(
    f: Callable[[Any], Any], x: Any, entries: np.ndarray | None = None
) -> np.ndarray:
    """Central differences, in place; only of some of all entries if given."""
    h = LOOP_STEP
    slopes, start = [], 0
    for leaf in leaves(x):
        v = leaf.reshape(-1)
        chosen: Any = range(v.size)
        if entries is not None:
            chosen = entries[(entries >= start) & (entries < start + v.size)] - start
        for i in chosen:
            keep = v[i]
            v[i] = keep + h
            above = f(x)
            v[i] = keep - h
            below = f(x)
            slopes.append((above - below) / (2 * h))
            v[i] = keep
        start += v.size
    return np.asarray(slopes)


# Timing


def seconds(call: Call, repeats: int = 1) -> float:
    """Time of one call, of several in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def medians(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds of each call, taken in turn after a first call of each."""
    for call in calls.values():
        call()
    once = {name: seconds(call) for name, call in calls.items()}
    repeats = {name: 1 + int(SHORTEST_ROUND / t) for name, t in once.items()}
    a_round = sum(once[name] * repeats[name] for name in calls)
    rounds = min(MOST_ROUNDS, max(3, int(SECONDS_A_CASE / a_round)))
    if a_round > SLOW:
        rounds = 1
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call, repeats[name]))
    return {name: statistics.median(found) for name, found in times.items()}


@dataclass(frozen=True)
class Row:
    """What was measured of a case."""

    plain: float
    loop: float
    extrapolated: bool
    auto: float
    loop_error: float
    error: float
    mode: str | None


def measure(case: Case) -> Row:
    """Both sides of a case."""
    f, x, exact = case.f, case.x, flat(case.exact)
    some = np.unique(np.linspace(0, exact.size - 1, SAMPLED_ENTRIES).astype(int))
    textbook_loop(f, x, some)  # a first call
    loop = seconds(lambda: textbook_loop(f, x, some)) * exact.size / some.size
    calls: dict[str, Call] = {
        "plain": lambda: f(x),
        "auto": lambda: gradient(f, x, method="central", accuracy=2),
    }
    extrapolated = loop > LONGEST_LOOP
    if extrapolated:
        slopes, expected = textbook_loop(f, x, some), exact[some]
    else:
        start = time.perf_counter()
        slopes, expected = textbook_loop(f, x), exact
        loop = time.perf_counter() - start
    if loop <= SLOW:
        calls["loop"] = lambda: textbook_loop(f, x)
    loop_error = np.max(np.abs(slopes - expected))
    found = medians(calls)
    error = np.max(np.abs(flat(gradient(f, x, method="central", accuracy=2)) - exact))
    size = np.max(np.abs(exact))
    return Row(
        plain=found["plain"],
        loop=found.get("loop", loop),
        extrapolated=extrapolated,
        auto=found["auto"],
        loop_error=float(loop_error / size),
        error=float(error / size),
        mode=mode_of(f),
    )


# The tables


def told(t: float) -> str:
    """A time, in a unit that suits it."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if t * factor < 1000:
            return f"{t * factor:.3g} {unit}"
    return f"{t:,.0f} s" if t >= 100 else f"{t:.3g} s"


def beside_the_loop(cases: list[Case]) -> None:
    """Times and errors of both sides."""
    print(
        '\n**`gradient(f, x, accuracy=2)` of plain functions, `vectorized="auto"`**\n'
    )
    print(
        "| function | variables | one call of f | textbook's loop | xgrad | "
        "times faster | error of the loop | of xgrad | mode |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        row = measure(case)
        mark = "~" if row.extrapolated else ""
        ratio = row.loop / row.auto
        faster = f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"
        print(
            f"| {case.name} | {case.size} | {told(row.plain)} | "
            f"{mark}{told(row.loop)} | {told(row.auto)} | {mark}{faster} | "
            f"{mark}{row.loop_error:.1e} | {row.error:.1e} | {row.mode} |",
            flush=True,
        )


def linear_cost(sizes: list[int]) -> None:
    """How the time of a gradient grows with the number of variables."""
    print("\n**The cost of a gradient grows with the variables, not their square**\n")
    print(
        "| n | `np.sum(x**2)` | a variable | in plain f | error | "
        "Rosenbrock | a variable | in plain f | error |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for n in sizes:
        x = np.random.default_rng(0).uniform(-2, 2, n)
        cells = [f"{n:,}"]
        for f, exact in ((squares, 2 * x), (rosenbrock, rosenbrock_slope(x))):
            found = medians(
                {
                    "plain": lambda f=f, x=x: f(x),
                    "auto": lambda f=f, x=x: gradient(
                        f, x, method="central", accuracy=2
                    ),
                }
            )
            error = np.max(np.abs(gradient(f, x, method="central", accuracy=2) - exact))
            cells += [
                told(found["auto"]),
                f"{found['auto'] / n * 1e6:.2g} µs",
                f"{found['auto'] / found['plain']:,.0f}",
                f"{error / np.max(np.abs(exact)):.1e}",
            ]
        print(f"| {' | '.join(cells)} |", flush=True)


def pin() -> None:
    """Stay on one CPU, where the system offers that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def machine() -> str:
    """Name of the processor, and the system."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {platform.system()}"


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    quick = parser.parse_args().quick
    pin()
    print(
        f"`python benchmarks/diff_batched.py{' --quick' if quick else ''}`:",
        f"{machine()},",
    )
    print(f"one thread; Python {platform.python_version()}, numpy {np.__version__},")
    print(f"xgrad {xgrad.__version__}. Step of the textbook's loop: {LOOP_STEP:g}.")
    if quick:
        cases = [*sums([2, 10]), logistic(20, 10)]
        cases += [*network(6, 5, 3, 4), *cross_entropies(30, 3)]
        steps = [100, 300]
    else:
        cases = sums([2, 10, 100, 1_000, 10_000])
        cases += [logistic(1_000, 100), logistic(1_000, 1_000)]
        cases += [*network(784, 50, 10, 100), *cross_entropies(60_000, 10)]
        steps = [100, 1_000, 10_000, 100_000, 1_000_000]
    beside_the_loop(cases)
    linear_cost(steps)


if __name__ == "__main__":
    main()
