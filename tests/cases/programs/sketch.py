"""A program while it is drawn, with the values of its steps for NumPy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cases.programs.interpreter import (
    LARGEST,
    LIBRARIES,
    MOST_AXES,
    MOST_ENTRIES,
    Constant,
    Step,
    perform,
)


class NothingFits(Exception):
    """No value of the sketch suits the operation."""


class Sketch:
    """A program that is being drawn, and its values for NumPy's ``x``."""

    def __init__(self, draw: Callable[..., Any], shape: tuple[int, ...], seed: int):
        self.draw, self.shape, self.seed = draw, shape, seed
        self.rng = np.random.default_rng(seed)
        self.steps: list[Step] = []
        self.values: list[Any] = [point(shape, seed)]

    def one_of(self, choices: Any) -> Any:
        """Draw one of these; the first one is the simplest."""
        return self.draw(st.sampled_from(list(choices)))

    def operand(self, fits: Callable[[Any], Any] = lambda value: True) -> int:
        """Draw one of the last values that fit."""
        fitting = [i for i in self._small() if fits(self.values[i])]
        return self._one_of_the_last(fitting[-3:])

    def operands(self, fits: Callable[[Any, Any], Any]) -> tuple[int, int]:
        """Draw two of the values that fit each other; the same twice is possible."""
        pairs = itertools.product(self._small(), repeat=2)
        fitting = [p for p in pairs if fits(*(self.values[i] for i in p))]
        return self._one_of_the_last(fitting[-8:])

    def _small(self) -> list[int]:
        sizes = [np.max(np.abs(value)) for value in self.values]
        return [i for i, size in enumerate(sizes) if size <= LARGEST]

    def _one_of_the_last(self, fitting: list[Any]) -> Any:
        if not fitting:
            raise NothingFits
        return self.one_of(fitting[::-1])

    def constant(self, shape: tuple[int, ...]) -> Constant:
        """Make an array of numbers of size 1, short enough to read."""
        return Constant(np.round(self.rng.normal(size=shape), 2).tolist())

    def indices(self, count: int, shape: Any) -> Constant:
        """Make indices along an axis with ``count`` entries, some of them twice."""
        return Constant(self.rng.integers(0, count, shape).tolist())

    def mask(self, shape: tuple[int, ...]) -> Constant:
        """Make booleans, at least one of them true."""
        mask = self.rng.random(shape) < 0.5
        mask.flat[self.rng.integers(mask.size)] = True
        return Constant(mask.tolist())

    def threshold(self) -> float:
        """Draw a number that arithmetic on short constants never gives: no ties."""
        return self.one_of([0.013_177_31, -0.531_377_91, 0.731_337_17])

    def add(self, step: Step) -> None:
        """Append a step if its value is tame, and another one that makes it so."""
        value = perform(step, LIBRARIES["numpy"], np, self.values)
        if not _tame(step, value):
            return
        self.steps.append(step)
        self.values.append(value)
        peak = float(np.max(np.abs(value)))
        if peak > LARGEST:
            scale = 2.0 ** -math.ceil(math.log2(peak))
            options = {"op": "multiply", "constant": scale}
            self.add(Step("binary", (len(self.steps),), options))


def point(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Make distinct values of size 1."""
    return np.random.default_rng(seed).normal(size=shape)


def _tame(step: Step, value: Any) -> bool:
    if not (0 < value.size <= MOST_ENTRIES and value.ndim <= MOST_AXES):
        return False
    # The root of a variance that is almost nothing has no digits to compare.
    spread = step.options.get("op") != "std" or np.min(value) > 0.05
    return spread and bool(np.all(np.abs(value) < 1e6))
