"""The proof of an exact derivative, by plain calls of the function around x.

Its value on a tape has to be that of a plain call, and its slope along a random
direction that of differences: four values at two distances show both the slope and how
well it is known. Where they disagree, a ladder of steps decides.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    common_namespace,
    float_info,
    from_host,
    quiet,
    to_numpy,
)
from xgrad._differences import EachOutput, Problem, Status, plan_for, stencil
from xgrad._evaluation import (
    ROUNDING,
    Function,
    agree,
    bind_function,
    entry_columns,
    execution_for,
    open_evaluator,
)

# Directions that are tried where one of them cannot tell.
DIRECTIONS = 3
# A slope is known well if its error is below this share of it: what a proof looks for
# are dependences that were lost, which change a slope by a share of its own size.
WELL_KNOWN = 1e-2
# And a slope of 0 if the error is below this share of the function, which is the slope
# of a function that grows by itself when x does.
NOTHING = 1e-6


@dataclass(frozen=True)
class Slope:
    """A slope along a direction by differences, with its error bound and status."""

    value: float
    error: float
    status: Status = Status.OK


@dataclass(frozen=True)
class Disagreement:
    """The two numbers that differ, and in what: "value", "slope", or what else."""

    quantity: str
    exact: float
    measured: float


class Proof:
    """Plain calls of a function around x, and what they say of an exact derivative.

    ``cotangent`` weighs the entries of the result, so that there is one slope.
    ``is_clear`` tells of the last comparison whether differences could tell, and
    ``is_doubted`` whether steps of one size disagreed along each direction, where those
    of all sizes found a slope that is too uncertain to tell.
    """

    def __init__(self, function: Function, cotangent: Array) -> None:
        self.function = function
        self.weights = np.asarray(to_numpy(cotangent), dtype=np.float64)
        self.evaluations = 0
        self.is_clear = self.is_doubted = False
        info = max(
            (_float_info(x) for x in (*function.leaves, cotangent)),
            key=lambda info: info.eps,
        )
        self.eps = info.eps

    def compare_value(self, value: Array) -> Disagreement | None:
        """Return how a value on a tape differs from that of a plain call."""
        with at_perturbed_points():
            plain = self.function.evaluate(self.function.copy_leaves())
        self.evaluations += 1
        first, second = (np.asarray(to_numpy(a), np.float64) for a in (value, plain))
        if first.shape != second.shape:
            raise ValueError(
                f"`f` returned shape {second.shape} for a plain array, and "
                f"{first.shape} where x is recorded: its result must have one shape"
            )
        with quiet():
            finite = np.where(np.isfinite(second), np.abs(second), 0.0)
            size = np.max(finite, initial=0.0)
            # Composites of functions may round otherwise, and cancel what is left.
            same = agree(first, second, ROUNDING * self.eps**0.75 * size)
        if same.all():
            return None
        at = np.unravel_index(np.argmin(same), same.shape)
        return Disagreement("value", float(first[at]), float(second[at]))

    def compare_slopes(
        self, slopes: Sequence[Array], kinks: Callable[[], Sequence[Array] | None]
    ) -> Disagreement | None:
        """Return how exact slopes differ from differences along random directions.

        Entries move whose slope is finite; ``kinks`` is as in `compare_beside_kinks`.
        """
        moves = [np.isfinite(to_numpy(g)) for g in slopes]
        product = functools.partial(_product, slopes)
        return self.compare_beside_kinks(product, kinks, moves)

    def compare_beside_kinks(
        self,
        product: Callable[[list[Any]], float],
        kinks: Callable[[], Sequence[Array] | None],
        moves: Sequence[Any] | None = None,
    ) -> Disagreement | None:
        """Return how exact slopes along directions differ, at a corner of others.

        ``kinks`` marks the entries that lie at a corner, or returns None. There the
        slopes of the sides differ, and so do differences.
        """
        difference = self.compare_products(product, moves)
        marks = None if self.is_clear and difference is None else kinks()
        if marks is None:
            return difference
        smooth = [~np.asarray(to_numpy(mark)) for mark in marks]
        if moves is not None:
            smooth = [a & b for a, b in zip(smooth, moves, strict=True)]
        if not any(move.any() for move in smooth):
            return None
        return self.compare_products(product, smooth)

    def compare_products(
        self, product: Callable[[list[Any]], float], moves: Sequence[Any] | None = None
    ) -> Disagreement | None:
        """Return how exact slopes along directions differ from those by differences.

        ``product`` takes a direction, one array for each leaf, and ``moves`` marks the
        entries that are to move; by default all of them.
        """
        self.is_clear, self.is_doubted = True, False
        if not all(np.isfinite(self.weights).ravel()):
            return None
        wrong, doubts = None, 0
        for seed in range(DIRECTIONS):
            direction = self._direction(seed, moves)
            exact = product(direction)
            slope = self._near_slope(direction)
            verdict = _verdict(exact, slope, self.scale)
            if verdict is None or verdict is False:
                near, slope = slope, self._ladder_slope(direction)
                differs = verdict is False
                verdict = _verdict(exact, slope, self.scale)
                if verdict is None and differs:
                    doubts += slope.status == Status.OK
                    verdict = False if _refute(exact, near, slope) else None
            size = max(abs(exact), abs(slope.value))
            if verdict and (wrong is None or size > NOTHING * self.scale):
                return None
            if verdict is False:
                if wrong is not None:
                    return wrong
                wrong = Disagreement("slope", exact, slope.value)
            # After a direction that disagreed, two slopes of 0 say nothing.
        # None was clear, or one of three, which disagreed.
        self.is_clear, self.is_doubted = wrong is not None, doubts == DIRECTIONS
        return wrong

    def compare_order(
        self, product: Callable[[list[Any]], float], order: int
    ) -> Disagreement | None:
        """Return how derivatives of an order above 1 along directions differ.

        Unlike a slope of the derivative below, which may have lost what it depends on,
        they are measured from values of the function itself.
        """
        wrong = None
        for seed in range(DIRECTIONS):
            direction = self._direction(seed, None)
            exact = product(direction)
            measured = self._derivative(direction, order)
            verdict = _verdict(exact, measured, self.scale)
            if verdict:
                return None
            if verdict is False:
                if wrong is not None:
                    return wrong
                wrong = Disagreement(
                    f"derivative of order {order}", exact, measured.value
                )
        return wrong

    def _derivative(self, direction: list[Any], order: int) -> Slope:
        """Return the derivative of an order along a line, by central differences."""
        formulas = [stencil("central", accuracy, order) for accuracy in (4, 2)]
        # The distance at which truncation and rounding of the former are alike.
        h = 2.0 ** round(math.log2(self.eps ** (1 / (order + 4))))
        offsets = sorted({0}.union(*(formula.offsets for formula in formulas)))
        self.scale = math.inf
        try:
            values = {o: self._at(direction, o * h) for o in offsets}
        except Exception:
            return Slope(math.nan, math.inf, Status.NONFINITE)
        self.scale = max(map(abs, values.values()))
        fine, coarse = (
            sum(w * (values[o] - values[0]) for o, w in formula.rounded_weights)
            / h**order
            for formula in formulas
        )
        rounding = ROUNDING * self.eps * self.scale / h**order
        return Slope(fine, abs(fine - coarse) + rounding)

    def confirms(self, slopes: Sequence[Array], only: Sequence[Any]) -> bool:
        """Whether differences confirm the slopes of some entries, and do not refute."""
        return self.confirms_products(functools.partial(_product, slopes), only)

    def confirms_products(
        self, product: Callable[[list[Any]], float], moves: Sequence[Any] | None = None
    ) -> bool:
        """Whether differences confirm the slope along a direction."""
        direction = self._direction(0, moves)
        exact = product(direction)
        slope = self._near_slope(direction)
        if _verdict(exact, slope, self.scale):
            return True
        return _verdict(exact, self._ladder_slope(direction), self.scale) is True

    def is_smooth(
        self, product: Callable[[list[Any]], float], moves: Sequence[Any]
    ) -> bool:
        """Whether steps of all sizes confirm the slope along a direction.

        At a corner those of one size may do so, if the sides mirror each other.
        """
        direction = self._direction(0, moves)
        try:
            # As far away as x is large: of a slope of 0, this is what it is small to.
            scale = abs(self._at(direction, 1.0))
        except Exception:
            return False
        return (
            _verdict(product(direction), self._ladder_slope(direction), scale) is True
        )

    def slope_of_entry(self, leaf: int, entry: tuple[int, ...]) -> Slope:
        """Return the slope by one entry of x, by steps of all sizes."""
        direction = [np.zeros(tuple(x.shape)) for x in self.function.leaves]
        direction[leaf][entry] = 1.0
        return self._ladder_slope(direction)

    def _direction(self, seed: int, moves: Sequence[Any] | None) -> list[Any]:
        """Return random numbers up to the size of each entry of x, of both signs."""
        random, direction = np.random.default_rng(seed), []
        for i, x in enumerate(self.function.leaves):
            size = np.abs(np.asarray(to_numpy(x), np.float64))
            # An entry of 0 moves as its neighbours do.
            typical = np.mean(size[size > 0]) if np.any(size > 0) else 1.0
            size = np.where(size > 0, size, typical)
            # (Signs alone would be x itself, or cancel, for few entries.)
            size = size * random.choice([-1.0, 1.0], size.shape)
            size = size * random.uniform(0.5, 1.0, size.shape)
            direction.append(size if moves is None else np.where(moves[i], size, 0.0))
        return direction

    def _at(self, direction: list[Any], t: float) -> float:
        """Evaluate the weighted sum of ``f(x + t * direction)``."""
        function = self.function
        moved = [
            x + from_host(function.xp, t * v, like=x, dtype=x.dtype)
            for x, v in zip(function.leaves, direction, strict=True)
        ]
        with at_perturbed_points():
            values = function.evaluate(moved)
        self.evaluations += 1
        return float(np.sum(self.weights * to_numpy(values)))

    def _near_slope(self, direction: list[Any]) -> Slope:
        """Return a central difference of fourth order, and that of second order."""
        # The distance at which truncation and rounding of the former are alike.
        h = 2.0 ** round(math.log2(self.eps**0.2))
        try:
            values = [self._at(direction, t) for t in (-2 * h, -h, h, 2 * h)]
        except Exception:
            # x is at the edge of its domain: nothing can be told along this direction.
            self.scale = math.inf
            return Slope(math.nan, math.inf, Status.NONFINITE)
        wide, narrow = values[3] - values[0], values[2] - values[1]
        second, fourth = narrow / (2 * h), (8 * narrow - wide) / (12 * h)
        self.scale = max(map(abs, values))
        rounding = ROUNDING * self.eps * self.scale / h
        return Slope(fourth, abs(fourth - second) + rounding)

    def _ladder_slope(self, direction: list[Any]) -> Slope:
        """Return the slope by steps of all sizes, and whether there is one."""
        plan = plan_for(method="ladder", full_output=True)
        execution = execution_for(vectorized=False)

        def line(t: Any) -> float:
            return self._at(direction, float(t))

        function, _ = bind_function(line, np.zeros(()), None, execution)
        try:
            with open_evaluator(execution, function.leaves[0], silent=True) as evaluate:
                problem = Problem(function, ("t",), plan, evaluate)
                base = problem.at_base()
                readout = functools.partial(EachOutput, base)
                result = problem.differentiate(0, base, entry_columns, readout)
        except Exception:
            return Slope(math.nan, math.inf, Status.NONFINITE)
        status = Status(int(result.status.reshape(-1)[0]))
        value, error = (float(a.reshape(-1)[0]) for a in (result.value, result.error))
        return Slope(value, error, status)


def _float_info(x: Array) -> Any:
    # Slopes of arrays of the standard are those that it wraps.
    return float_info(common_namespace(x=x), x.dtype)


def _product(slopes: Sequence[Array], direction: list[Any]) -> float:
    """Return the slope along a direction, from the slopes of all entries."""
    with quiet():
        pairs = zip(slopes, direction, strict=True)
        return sum(
            float(np.sum(np.where(v == 0, 0, to_numpy(g) * v))) for g, v in pairs
        )


def _refute(exact: float, near: Slope, slope: Slope) -> bool:
    """Whether two slopes that agree, of which one is not well known, exclude another.

    Four bounds, each of which fails in one case of twenty, are no accident.
    """
    return (
        slope.status == Status.OK
        and abs(near.value - slope.value) <= near.error + slope.error
        and abs(exact - slope.value) > 4 * (near.error + slope.error)
    )


def _verdict(exact: float, slope: Slope, scale: float) -> bool | None:
    """Whether an exact slope is right; None if the measured one cannot tell."""
    if slope.status != Status.OK or not math.isfinite(slope.value):
        return None
    size = max(abs(exact), abs(slope.value))
    if slope.error > max(WELL_KNOWN * size, NOTHING * scale):
        return None
    # Rounding in the exact slope itself is far below what is looked for.
    return abs(exact - slope.value) <= 2 * slope.error + NOTHING * size
