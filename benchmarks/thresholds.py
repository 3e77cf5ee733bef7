"""What the thresholds of differences decide: each one moved, all others as they are.

    python benchmarks/thresholds.py [name ...]

prints a Markdown table. For each threshold and each factor by which it is moved, of the
families of `tests/cases/families.py`, on the seeds that thresholds are tuned on: the
share of silent errors, of right answers and of answers that are OK, in both dtypes; and
of random functions, which have no trap, how many are left open. A threshold that no
column depends on decides nothing, and its rule is to go.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # tables of cases

from cases.differences import of_method
from cases.families import FAMILIES, LIMITED, TUNED, Member, members
from cases.functions import random_cases

from xgrad import Status, derivative

COUNT = 12
LADDER = """
    rung_choice.ALLOWED_NOISES rung_choice.BOUND rung_values.ALIKE
    rung_values.MOST_MULTIPLES rung_status.TOP_SHARE rung_status.VALUE_SHARE
    rung_status.CORNER_STAYS rung_status.CORNER_NOISE rung_status.SMOOTH_POWER
    rung_status.ONCE_MORE rung_status.OTHER_SLOPE rung_status.CHANCE
    stencil.APERIODIC
"""
CLOSE = "closeness.ROUNDINGS closeness.CONTRADICTION"
THRESHOLDS = {
    "ladder": LADDER.split(),
    "auto": [*CLOSE.split(), "refinement.ROUNDINGS"],
    "central": CLOSE.split(),
}
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
# Where a factor of 4 has no meaning: a power, or a part of a whole.
NEAR = {
    "rung_status.SMOOTH_POWER": (0.6, 0.8, 1.0, 1.25, 1.7),
    "rung_status.ONCE_MORE": (0.5, 0.75, 1.0, 1.5, 2.0),
    "rung_status.CORNER_STAYS": (0.4, 0.7, 1.0, 1.4, 1.9),
    "stencil.APERIODIC": (0.9, 0.95, 1.0, 1.05, 1.1),
}


@contextmanager
def moved(threshold: str, factor: float) -> Iterator[None]:
    """Multiply a threshold for a while, wherever it is imported."""
    module, name = threshold.split(".")
    home = importlib.import_module(f"xgrad._differences.{module}")
    value = getattr(home, name)
    homes = [
        other
        for key, other in sys.modules.items()
        if key.startswith("xgrad._differences") and getattr(other, name, None) is value
    ]
    for other in homes if module != "closeness" else [home]:
        setattr(other, name, value * factor)
    try:
        yield
    finally:
        for other in homes:
            setattr(other, name, value)


def shares(drawn: list[Member], method: str) -> tuple[float, float, float]:
    """Return the percentages of silent errors, right answers and OK ones."""
    silent = right = ok = 0
    for member in drawn:
        value, estimate = derivative(
            member.f,
            member.x,
            full_output=True,
            vectorized=False,
            **{**of_method(method), **member.options},
        )
        error = abs(float(value) - member.truth)
        is_right = error <= 1e-4 * abs(member.truth)
        is_ok = estimate.status == Status.OK
        silent += bool(is_ok and not is_right and error > 10 * float(estimate.error))
        right += is_right
        ok += bool(is_ok)
    return tuple(100 * n / len(drawn) for n in (silent, right, ok))  # type: ignore[return-value]


def left_open(method: str) -> int:
    """Return how many of 480 random functions are not OK."""
    count = 0
    for case in random_cases(480, 1):
        _, estimate = derivative(
            case.f, case.x, full_output=True, vectorized=False, **of_method(method)
        )
        count += int(estimate.status != Status.OK)
    return count


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    wanted = sys.argv[1:]
    drawn = {
        (dtype, limited): [
            member
            for family in FAMILIES
            if (family in LIMITED) == limited
            for seed in TUNED
            for member in members(seed, dtype, COUNT, family)
        ]
        for dtype in ("float64", "float32")
        for limited in (False, True)
    }
    columns = "float64 | of limited | float32 | of limited | open of 480"
    print(f"| method | threshold | times | {columns} |")
    print("|---|---|---|---|---|---|---|---|")
    for method, thresholds in THRESHOLDS.items():
        for threshold in thresholds:
            if wanted and not any(name in threshold for name in wanted):
                continue
            for factor in NEAR.get(threshold, FACTORS):
                with moved(threshold, factor):
                    cells = [
                        "{:.1f} / {:.1f} / {:.1f}".format(*shares(group, method))
                        for group in drawn.values()
                    ]
                    cells.append(str(left_open(method)))
                print(f"| {method} | `{threshold}` | {factor} | {' | '.join(cells)} |")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
