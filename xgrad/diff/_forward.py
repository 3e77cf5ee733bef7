"""Exact derivatives along directions: `f`, or its gradient, runs once with tangents."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    common_namespace,
    from_host,
    leaves,
    quiet,
    to_numpy,
)
from xgrad._autodiff import Pushed
from xgrad._differences import require_scalar
from xgrad._evaluation import Function
from xgrad.diff._attempts import PLAIN, Attempt
from xgrad.diff._exact import (
    disagreement_of_record,
    gradients_of,
)
from xgrad.diff._proof import DIRECTIONS, Disagreement, Proof
from xgrad.diff._search import (
    Comparison,
    Exact,
    disagreement_of,
    first_right,
)


@dataclass(frozen=True, eq=False)
class Derived:
    """A function to differentiate: the caller's own, its gradient or its derivative.

    ``kind`` names it in the memory of proofs, and ``attempt_of`` makes the function
    from an attempt; None: it is the caller's own. ``require`` says how what it is made
    of by an attempt differs from plain calls. ``is_elementwise`` tells that entries do
    not mix, and ``order`` is that of the derivative of the caller's function. With
    ``ignores_zeros`` functions of entries take 0 times infinity for 0.
    """

    function: Function
    kind: str = "forward"
    attempt_of: Callable[[Attempt, bool], Callable[[Any], Any]] | None = None
    require: Callable[[Attempt], Disagreement | None] | None = None
    is_elementwise: bool = False
    order: int = 1
    ignores_zeros: bool = False

    def at(self, attempt: Attempt) -> Function:
        """Return the function, for plain calls."""
        if self.attempt_of is None:
            return self.function
        call = self.attempt_of(attempt, self.ignores_zeros)
        return replace(self.function, call=call, vectorized=False)

    def push(self, attempt: Attempt, tangents: Sequence[Any]) -> Pushed:
        """Run the function with tangents, None in place of zeros."""
        run = self._attempt_around(attempt)
        return run.push(self.at(attempt), tangents, self.ignores_zeros)

    def slope(self, attempt: Attempt, tangents: Sequence[Any]) -> Array:
        """Return the tangent of the result, zeros where it does not depend on x."""
        pushed = self.push(attempt, tangents)
        if pushed.tangent is None:
            value = self.function.convert_result(pushed.result)
            return self.function.xp.zeros_like(value)
        slope: Array = pushed.tangent
        return slope

    def record(self, attempt: Attempt) -> Any:
        """Run the function on a tape."""
        return self._attempt_around(attempt).record(self.at(attempt))

    def ignoring_zeros(self) -> Derived:
        """Return the same function, whose branches that are not taken count nothing."""
        return replace(self, ignores_zeros=True)

    def _attempt_around(self, attempt: Attempt) -> Attempt:
        # The function of an attempt has made of the caller's what there is to be made.
        return attempt if self.attempt_of is None else PLAIN


def gradient_of(function: Function) -> Derived:
    """Return the gradient of a scalar function as something to be differentiated."""

    return Derived(
        function,
        "forward of gradient",
        functools.partial(Gradient, function.xp, function),
        functools.partial(disagreement_of_record, function, _ones_of_scalar),
        order=2,
    )


def derivative_of(function: Function, order: int) -> Derived:
    """Return the derivative of an elementwise function, of an order from 0."""
    if order == 0:
        return Derived(function, is_elementwise=True)
    lower = derivative_of(function, order - 1)
    return Derived(
        function,
        f"forward of order {order}",
        functools.partial(Slope, function.xp, lower),
        functools.partial(_disagreement, lower),
        is_elementwise=True,
        order=order + 1,
    )


@dataclass(frozen=True, eq=False)
class Gradient(Portable):
    """The gradient of a scalar function: in the shape of x, or of a nesting a vector.

    It may be called with recorded arrays.
    """

    xp: Any
    function: Function
    attempt: Attempt
    ignores_zeros: bool

    @property
    def anchor(self) -> Array:
        """An array by which another process recognises the namespace."""
        return self.function.leaves[0]

    def __call__(self, x: Any) -> Any:
        """Return the slopes at ``x``."""
        function = self.function
        arrays = [x] if function.tree is None else [a for _, a in leaves(x)]
        slopes = gradients_of(self.attempt, function, arrays, self.ignores_zeros)
        if function.tree is None:
            return slopes[0]
        xp = common_namespace(x=slopes[0])
        return xp.concat([xp.reshape(g, (-1,)) for g in slopes])


@dataclass(frozen=True, eq=False)
class Slope(Portable):
    """The derivative of an elementwise function, at recorded arrays, too."""

    xp: Any
    lower: Derived
    attempt: Attempt
    ignores_zeros: bool

    @property
    def anchor(self) -> Array:
        """An array by which another process recognises the namespace."""
        return self.lower.function.leaves[0]

    def __call__(self, x: Any) -> Any:
        """Return the derivative at ``x``."""
        xp = common_namespace(x=x)
        function = replace(self.lower.function, xp=xp, leaves=(x,))
        lower = replace(self.lower, function=function, ignores_zeros=self.ignores_zeros)
        tangent = lower.push(self.attempt, [xp.ones_like(x)]).tangent
        return xp.zeros_like(x) if tangent is None else tangent


def push_exactly(derived: Derived, tangents: Sequence[Any]) -> Exact:
    """Run a function with tangents, and prove it where it was not proved before.

    Raise `Inexact` if no attempt is right.
    """
    return first_right(derived.function, *_pushed(derived, tangents))


def _disagreement(derived: Derived, attempt: Attempt) -> Disagreement | None:
    """Return how a derivative made in one way differs from plain calls."""
    ones = [derived.function.xp.ones_like(x) for x in derived.function.leaves]
    kind, run, compare = _pushed(derived, ones)
    return disagreement_of(derived.function, kind, attempt, run, compare)


def _pushed(
    derived: Derived, tangents: Sequence[Any]
) -> tuple[str, Callable[[Attempt], Pushed], Callable[..., Comparison]]:
    """Return the kind of a derivative, how to make it, and how to compare it."""

    def run(attempt: Attempt) -> Pushed:
        return derived.push(attempt, tangents)

    return derived.kind, run, functools.partial(_compare, derived)


def _compare(
    derived: Derived, attempt: Attempt, pushed: Pushed, value: Array
) -> Comparison:
    """Compare a way to run a function with plain calls, along random directions."""
    # As its own derivative it would be proved, whatever the caller's function is.
    if derived.require is not None and (wrong := derived.require(attempt)):
        return Comparison(wrong, 0)
    function = derived.at(attempt)
    cotangent = random_cotangent(value)
    proof = Proof(function, cotangent)
    with quiet():
        product = functools.partial(directed_product, derived, attempt, proof.weights)
        kinks = functools.partial(_kinks, derived, attempt)
        difference = proof.compare_beside_kinks(product, kinks)
        if difference is None and derived.attempt_of is not None:
            difference = _compare_order(derived, attempt)
    difference = proof.compare_value(value) or difference
    return Comparison(difference, proof.evaluations, proof.is_doubted)


def _compare_order(derived: Derived, attempt: Attempt) -> Disagreement | None:
    """Compare a derivative with values of the function, if that has passes of its own.

    The rules of xgrad can be differentiated again and again. A backward pass may hold
    numbers of the point at which it was called, which no other pass knows of.
    """
    recording = attempt.record(derived.function)
    if not getattr(recording, "has_custom_pulls", False):
        return None
    function, order = derived.function, derived.order
    value = function.convert_result(recording.result)
    proof = Proof(function, random_cotangent(value))

    def product(direction: list[Any]) -> float:
        if derived.is_elementwise:
            ones = [np.ones(v.shape) for v in direction]
            return directed_product(
                derived, attempt, proof.weights * direction[0] ** order, ones
            )
        flat = np.concatenate([v.reshape(-1) for v in direction])
        weights = flat if len(direction) > 1 else direction[0]
        return directed_product(derived, attempt, proof.weights * weights, direction)

    return proof.compare_order(product, order)


def directed_product(
    derived: Derived, attempt: Attempt, weights: Any, direction: list[Any]
) -> float:
    """Return the weighted sum of the exact slopes along a direction."""
    tangents = [
        from_host(derived.function.xp, v, like=x, dtype=x.dtype)
        for x, v in zip(derived.function.leaves, direction, strict=True)
    ]
    slope = derived.push(attempt, tangents).tangent
    if slope is None:
        return 0.0
    slopes = to_numpy(slope)
    if np.isnan(slopes).any() and not derived.ignores_zeros:
        # As of a branch that is not taken, which is repaired afterwards.
        again = derived.ignoring_zeros().push(attempt, tangents).tangent
        slopes = np.where(np.isnan(slopes), to_numpy(again), slopes)
    return float(np.sum(weights * slopes))


def _kinks(derived: Derived, attempt: Attempt) -> list[Array] | None:
    """Mark the entries of x at a corner of a function, or of what it is made of."""
    marks = corners(attempt.record(derived.function), derived.function)
    if derived.attempt_of is None:
        return marks
    others = corners(derived.record(attempt), derived.at(attempt))
    if marks is None or others is None:
        return others if marks is None else marks
    return [a | b for a, b in zip(marks, others, strict=True)]


def corners(
    recording: Any, function: Function, are_hidden: bool = False
) -> list[Array] | None:
    """Mark the entries of x at which a function has a corner, from its recording."""
    value = function.convert_result(recording.result)
    marks: list[Array] | None = recording.kinks(random_cotangent(value), are_hidden)
    return marks


def random_cotangent(value: Array) -> Array:
    """Return random numbers like f(x), by which its entries are proved at once.

    They are no signs, of which a few would cancel what is looked for, and not those of
    the directions: of a skew Jacobian the products would be 0.
    """
    xp, random = common_namespace(value=value), np.random.default_rng(DIRECTIONS)
    sizes = random.uniform(0.5, 1.0, tuple(value.shape))
    weights = sizes * random.choice([-1.0, 1.0], tuple(value.shape))
    return from_host(xp, weights, like=value, dtype=value.dtype)


def _ones_of_scalar(value: Array) -> Array:
    require_scalar(value)
    return common_namespace(value=value).ones_like(value)
