"""The beginning of each check: the function, its arrays, and f(x)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from xgrad._arrays import Array
from xgrad._differences import Problem, prepare
from xgrad._evaluation import Execution, open_evaluator
from xgrad.check._analytic import refuse_without_values
from xgrad.check._slopes import PLAN


@contextmanager
def open_problem(
    f: Callable[[Any], Any], x: Any, dtype: Any, execution: Execution
) -> Iterator[tuple[Problem, list[Array]]]:
    """Bind a function to its arrays; yield it, and the arrays as they were passed."""
    refuse_without_values("x", x)
    plan = replace(PLAN, dtype=dtype)
    function, named_leaves = prepare(f, x, plan, execution)
    names = tuple(name for name, _ in named_leaves)
    with open_evaluator(execution, function.leaves[0], silent=True) as evaluator:
        problem = Problem(function, names, plan, evaluator)
        yield problem, [leaf for _, leaf in named_leaves]


def precision_of(problem: Problem, base: Array) -> float:
    """Return the precision of a function.

    Every array enters its result: the coarsest one decides.
    """
    return max(problem.eps(i, base) for i in range(len(problem.names)))


def dtype_of_calls(problem: Problem, arrays: Sequence[Array]) -> str:
    """Return the dtype in which the function is called, "" if it is that of all."""
    called_with = problem.function.leaves
    pairs = zip(arrays, called_with, strict=True)
    changed = [str(now.dtype) for x, now in pairs if now.dtype != x.dtype]
    return changed[0] if changed else ""
