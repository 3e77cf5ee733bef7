"""How right derivatives are, beside the peers that are installed, in one run.

    python benchmarks/diff_accuracy.py

prints Markdown tables. Peers: scipy (`differentiate.derivative`, the 3-point rule of
`optimize`), numdifftools, jacobi; whatever is missing is left out. A silent error is a
relative error above 1e-4 that nothing tells of: the status says OK (a success) and the
error bar is 10 times too small, or there is none. An answer is covered if its error
lies within its bar.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # tables of cases

from cases.differences import of_method
from cases.families import FAMILIES as TRAPS
from cases.families import LIMITED, REPORTED, TUNED, members
from cases.functions import FAMILIES, HARD, HARDER, Case, random_cases

from xgrad import Status, derivative

# value, error bar (nan: none), whether it claims to be right, evaluations
Answer = tuple[float, float, bool, int]
Method = Callable[[Case], Answer]


def of_xgrad(method: str, **options: Any) -> Method:
    """Derivative, bar and status by one of xgrad's methods."""

    def answer(case: Case) -> Answer:
        value, estimate = derivative(
            case.f, case.x, full_output=True, **{**of_method(method), **options}
        )
        ok = int(estimate.status) == Status.OK
        return float(value), float(estimate.error), ok, estimate.evaluations

    return answer


def peers() -> dict[str, Method]:
    """Every peer that is installed."""
    found: dict[str, Method] = {}
    if importlib.util.find_spec("scipy"):
        from scipy.differentiate import derivative as scipy_derivative
        from scipy.optimize._numdiff import approx_derivative

        def scipy(case: Case, **options: Any) -> Answer:
            got = scipy_derivative(case.f, case.x, **options)
            return float(got.df), float(got.error), bool(got.success), int(got.nfev)

        found["scipy.differentiate"] = scipy
        found["scipy.differentiate, step abs(x)/4"] = lambda case: scipy(
            case, initial_step=abs(case.x) / 4 or 0.25
        )

        def three_points(case: Case) -> Answer:
            f = lambda x: np.atleast_1d(case.f(x[0]))  # noqa: E731
            value = approx_derivative(f, np.array([case.x]), method="3-point")
            return float(np.ravel(value)[0]), math.nan, True, 3

        found["approx_derivative 3-point"] = three_points
    if importlib.util.find_spec("numdifftools"):
        import numdifftools

        def numdiff(case: Case) -> Answer:
            calls = numdifftools.Derivative(case.f, full_output=True)
            got = calls(case.x)
            bar = float(np.ravel(got.error_estimate)[0])
            return float(np.ravel(got.estimate)[0]), bar, True, 31

        found["numdifftools"] = numdiff
    if importlib.util.find_spec("jacobi"):
        from jacobi import jacobi

        def fitted(case: Case) -> Answer:
            value, error = jacobi(lambda x: float(case.f(np.float64(x))), case.x)
            return float(np.ravel(value)[0]), float(np.ravel(error)[0]), True, 14

        found["jacobi"] = fitted
    return found


METHODS: dict[str, Method] = {
    'xgrad "ladder"': of_xgrad("ladder"),
    'xgrad "auto"': of_xgrad("auto"),
    'xgrad "central"': of_xgrad("central"),
}


class Tally:
    """What a method did on a list of cases."""

    def __init__(self, method: Method, cases: list[Case]) -> None:
        self.good = self.better = self.silent = self.covered = self.judged = 0
        evaluations = []
        for case in cases:
            try:
                value, bar, ok, calls = method(case)
            except Exception:  # a peer that gives up
                continue
            evaluations.append(calls)
            if math.isnan(case.truth):
                continue
            error = abs(value - case.truth)
            relative = error / abs(case.truth) if case.truth else error
            self.good += relative < 1e-6
            self.better += relative < 1e-10
            no_bar = math.isnan(bar) or error > 10 * bar
            self.silent += bool(
                ok and math.isfinite(value) and relative > 1e-4 and no_bar
            )
            if ok and math.isfinite(error):
                self.judged += 1
                self.covered += bool(error <= bar)
        self.evaluations = int(np.median(evaluations)) if evaluations else 0

    def row(self) -> str:
        """Cells of a Markdown table."""
        return (
            f"{self.evaluations} | {self.good} | {self.better} | {self.silent} | "
            f"{self.covered} of {self.judged}"
        )


def counts(title: str, cases: list[Case]) -> None:
    """One table of counts."""
    print(f"\n**{title}** ({len(cases)} cases)\n")
    print("| method | evaluations | < 1e-6 | < 1e-10 | silent | covered |")
    print("|---|---|---|---|---|---|")
    for name, method in {**METHODS, **peers()}.items():
        print(f"| {name} | {Tally(method, cases).row()} |")


def statuses() -> None:
    """What "ladder" and "auto" say where a number alone may mislead."""
    print("\n**Where a number alone may mislead**\n")
    print('| function | truth | "ladder" | status | "auto" | status |')
    print("|---|---|---|---|---|---|")
    for case in HARDER:
        cells = []
        for method in ("ladder", "auto"):
            value, estimate = derivative(
                case.f, case.x, full_output=True, **of_method(method)
            )
            cells += [
                f"{float(value):.7g} ± {float(estimate.error):.1g}",
                Status(int(estimate.status)).name,
            ]
        truth = "none" if math.isnan(case.truth) else f"{case.truth:.7g}"
        print(f"| {case.name} | {truth} | {' | '.join(cells)} |")


def smooth(dtype: str, evaluate_in: str | None = None) -> None:
    """Median relative errors on smooth functions of size 1, and the coverage."""
    rng = np.random.default_rng(0)
    options = [("central", accuracy) for accuracy in (2, 4, 6, 8)]
    options += [("forward", 2), ("complex", None), ("ladder", None), ("auto", None)]
    for method, accuracy in options:
        errors, covered = [], []
        for g, slope in FAMILIES.values():
            x = rng.uniform(0.3, 2.0, 100).astype(dtype)
            if method == "complex" and g(np.array([1 + 0j])).dtype.kind != "c":
                continue
            value, estimate = derivative(
                g,
                x,
                accuracy=accuracy,
                dtype=evaluate_in,
                full_output=True,
                **of_method(method),
            )
            truth = slope(x.astype(np.float64))
            error = np.abs(value.astype(np.float64) - truth)
            errors.append(error / np.abs(truth))
            covered.append(error <= estimate.error)
        name = method if accuracy is None else f"{method} {accuracy}"
        median = np.median(np.concatenate(errors))
        share = np.mean(np.concatenate(covered))
        where = dtype if evaluate_in is None else f"{dtype} in {evaluate_in}"
        print(f"| {where} | {name} | {median:.1e} | {share:.3f} |")


def traps(seeds: tuple[int, ...], dtype: str) -> None:
    """Silent errors and right answers in the families of hard functions."""
    which = "tuned on" if seeds == TUNED else "held out"
    print(f"\n**Families, {dtype}** (seeds {which})\n")
    print('| family | functions | "ladder" | "auto" | "central" |')
    print("|---|---|---|---|---|")
    totals: dict[tuple[bool, str], list[tuple[bool, bool, bool]]] = {}
    for family in TRAPS:
        drawn = [m for seed in seeds for m in members(seed, dtype, 20, family)]
        cells = []
        for method in ("ladder", "auto", "central"):
            rows = []
            for member in drawn:
                value, estimate = derivative(
                    member.f,
                    member.x,
                    full_output=True,
                    **{**of_method(method), **member.options},
                )
                error = abs(float(value) - member.truth)
                right = error <= 1e-4 * abs(member.truth)
                ok = int(estimate.status) == Status.OK
                silent = ok and not right and error > 10 * float(estimate.error)
                rows.append((silent, right, ok))
            totals.setdefault((family in LIMITED, method), []).extend(rows)
            cells.append(_counts(rows, "{:.0f} / {:.0f} / {:.0f}", 1))
        name = family.__name__.replace("_", " ")
        name += "\\*" if family in LIMITED else ""
        print(f"| {name} | {len(drawn)} | {' | '.join(cells)} |")
    for limited in (False, True):
        cells = [
            _counts(totals[limited, m], "{:.1f} / {:.1f} / {:.1f} %", None)
            for m in ("ladder", "auto", "central")
        ]
        count = len(totals[limited, "ladder"])
        title = "those with \\*" if limited else "all others"
        print(f"| **{title}** | {count} | {' | '.join(cells)} |")


def _counts(rows: list[tuple[bool, bool, bool]], form: str, unit: int | None) -> str:
    sums = np.sum(rows, axis=0) * (unit or 100 / len(rows))
    return form.format(*sums)


def main() -> None:
    """All tables."""
    warnings.simplefilter("ignore")
    names = ("numpy", "scipy", "numdifftools", "jacobi")
    installed = [n for n in names if importlib.util.find_spec(n)]
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in installed)
    print(f"Python {platform.python_version()}, {versions}")
    counts("Hard points", HARD)
    for seed in (1, 2):
        counts(f"Random functions, seed {seed}", random_cases(480, seed))
    statuses()
    print("\n**Smooth functions of size 1** (800 points)\n")
    print("| dtype | method | median relative error | within the bar |")
    print("|---|---|---|---|")
    smooth("float64")
    smooth("float32")
    smooth("float32", "float64")
    np.seterr(all="ignore")
    for seeds in (TUNED, REPORTED):
        for dtype in ("float64", "float32"):
            traps(seeds, dtype)


if __name__ == "__main__":
    main()
