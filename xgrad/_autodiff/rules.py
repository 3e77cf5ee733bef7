"""The rule of a function of entries: how each argument gets its share of a cotangent.

Rules are made of the table of partial derivatives, and are looked up by the function
itself: anybody may give a function the name of another.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff.partials import (
    MINUS,
    ONE,
    PARTIALS,
    UNKNOWN,
    ZERO,
    Partial,
    itself,
)

Pull = Callable[..., Any]
# Entries from which on the memory of an array is worth a question: 128 KiB in doubles,
# more than the first cache of a processor. Only speed depends on it.
LARGE = 16_384

# Python's operators, by the names that NumPy has for them.
OPERATORS: dict[Any, str] = {
    operator.add: "add",
    operator.sub: "subtract",
    operator.mul: "multiply",
    operator.truediv: "divide",
    operator.floordiv: "floor_divide",
    operator.mod: "remainder",
    operator.pow: "power",
    operator.neg: "negative",
    operator.pos: "positive",
    operator.abs: "absolute",
    operator.lt: "less",
    operator.le: "less_equal",
    operator.gt: "greater",
    operator.ge: "greater_equal",
    operator.eq: "equal",
    operator.ne: "not_equal",
}
LETTERS = {"a": 0, "b": 1, "c": 2, "d": 3, "y": -1}


# The pulls of functions of entries, and what takes the tangent of the argument to its
# share in that of the result, from the same arrays; for those with corners, the
# function that marks these; and those of functions that choose among their arguments.
ENTRYWISE: dict[Pull, Pull] = {}
KINKS: dict[Pull, Pull] = {}
CHOICES: set[Pull] = set()


class Argument:
    """One argument of a rule: what its pull keeps, by position (-1 is the result)."""

    __slots__ = ("complex", "needs", "pull")

    def __init__(self, partial: Partial) -> None:
        self.needs = tuple(LETTERS[letter] for letter in partial.needs)
        self.pull = pull_of(partial)
        if self.pull is not None:
            # A real derivative is a factor, on both ways.
            ENTRYWISE[self.pull] = partial.push or self.pull
            if partial.chooses:
                CHOICES.add(self.pull)
            if partial.kink is not None:
                KINKS[self.pull] = partial.kink
        self.complex: Argument | Pull | None
        if partial.for_complex is not None:
            self.complex = Argument(partial.for_complex)
            return
        # Of an analytic function, whose derivative is conjugated on the way back.
        self.complex = conjugate_pull_of(partial)
        if self.complex is not None and self.pull is not None:
            ENTRYWISE.setdefault(self.complex, self.pull)


Rule = tuple[Argument | None, ...]  # None: the function is constant but for jumps


def pull_of(partial: Partial) -> Pull | None:
    """Return what takes a cotangent to that of the argument; None if nothing does."""
    if partial is UNKNOWN:
        return None
    derivative = partial.function
    if partial is ONE or partial is MINUS:
        return itself if partial is ONE else operator.neg
    if partial.pull is not None:
        return partial.pull
    if derivative is itself:
        return operator.truediv if partial.divides else operator.mul
    combine = np.divide if partial.divides else np.multiply

    def pull(g: Any, *saved: Any) -> Any:
        d = derivative(*saved)
        # Of a large array the derivative's own memory holds the product: new memory
        # takes as long to fetch as the product itself.
        if type(d) is np.ndarray and d.size >= LARGE and is_own(d, g, saved):
            return combine(g, d, out=d)
        return g / d if partial.divides else g * d

    return pull


def is_own(d: Any, g: Any, saved: tuple[Any, ...]) -> bool:
    """Whether an array is a new one, which can hold the product with a cotangent."""
    return (
        type(g) is np.ndarray
        and d.shape == g.shape
        and d.dtype == g.dtype
        and d.base is None
        and all(d is not array for array in saved)
    )


def conjugate_pull_of(partial: Partial) -> Pull | None:
    """Return the same for complex numbers, by the conjugate of the derivative."""
    derivative = partial.function
    known = partial.pull is not None
    if partial is ONE or partial is MINUS or partial is UNKNOWN or known:
        return pull_of(partial)
    if partial.divides:
        return lambda g, *saved: g / np.conj(derivative(*saved))
    return lambda g, *saved: g * np.conj(derivative(*saved))


def complex_rule(argument: Argument, value: Any) -> tuple[Argument, Pull | None]:
    """Return the argument of a rule and its pull, where numbers are complex."""
    other = argument.complex
    if not isinstance(other, Argument):
        return argument, other
    # A function that is not analytic has its own rule for complex arguments only.
    is_complex = value.dtype.kind == "c"
    return (other, other.pull) if is_complex else (argument, argument.pull)


@functools.cache
def rule_named(name: str) -> Rule | None:
    """Return the rule of a function of NumPy; None if there is none."""
    partials = PARTIALS.get(name)
    return None if partials is None else rule_of(partials)


def rule_of(partials: tuple[Partial, ...]) -> Rule:
    """Return the rule of a function from its partial derivatives."""
    return tuple(None if p is ZERO else Argument(p) for p in partials)
