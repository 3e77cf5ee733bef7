"""A function of several arrays that returns several, as one that is checked.

What is differentiated is the sum of the products of its outputs with fixed cotangents.
"""

from __future__ import annotations

import functools
import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    as_float,
    cast,
    common_namespace,
    float_info,
    from_host,
    is_floating,
    is_integral,
    quiet,
    require_array,
    require_same_shape,
    wide_dtype,
    wide_sum,
)
from xgrad._differences import Plan, Problem
from xgrad._evaluation import Execution, Function, Progress, Workers, runner
from xgrad.check._analytic import as_slopes, refuse_without_values
from xgrad.check._procedure import Check, Full, Options
from xgrad.check._report import GradientReport as GradientReport
from xgrad.check._slopes import FACTORS, Subject


@dataclass(frozen=True)
class Projected(Portable):
    """The sum, as a function of the floating inputs.

    These are at the places ``moved`` of ``inputs``; each goes to ``call`` in its dtype.
    """

    call: Callable[..., Any]
    xp: Any
    inputs: tuple[Array, ...]
    moved: tuple[int, ...]
    cotangents: tuple[Array, ...]

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.inputs[0]

    def __call__(self, x: Sequence[Array]) -> Array:
        """The sum at other inputs."""
        xp, here = self.xp, dict(zip(self.moved, x, strict=True))
        arguments = [
            cast(xp, here[i], given.dtype)
            if i in here
            else xp.asarray(given, copy=True)
            for i, given in enumerate(self.inputs)
        ]
        outputs = _as_tuple(self.call(*arguments))
        if len(outputs) != len(self.cotangents):
            raise ValueError(
                f"`f` returned {len(self.cotangents)} outputs at the inputs, but "
                f"{len(outputs)} beside them"
            )
        for i, (u, output) in enumerate(zip(self.cotangents, outputs, strict=True)):
            name = _output_name(i, len(outputs))
            require_array(name, output)
            require_same_shape(name, output, "f(*inputs)", u)
        return self.of(outputs)

    def of(self, outputs: Sequence[Array]) -> Array:
        """The sum of some outputs, in float64 where the device has it."""
        xp = self.xp
        wide = wide_dtype(xp, self.inputs[self.moved[0]])
        return _added(
            wide_sum(xp, cast(xp, u, wide) * cast(xp, output, wide))
            for u, output in zip(self.cotangents, outputs, strict=True)
        )


@dataclass(frozen=True)
class Kernel:
    """A function of several arrays at ``inputs``, with its ``outputs`` there.

    ``one`` says that the caller gave an array, not a tuple of them.
    """

    projected: Projected
    outputs: tuple[Array, ...]
    one: bool

    @classmethod
    def of(cls, f: Callable[..., Any], inputs: Any, seed: int) -> Kernel:
        """Calls ``f`` once, as the caller would."""
        one = not isinstance(inputs, tuple | list)
        given = (inputs,) if one else tuple(inputs)
        if not given:
            raise ValueError("`inputs` holds no array: give one or more")
        xp = common_namespace(**{_name(one, i): x for i, x in enumerate(given)})
        moved = _moved(xp, one, given)
        outputs = _as_tuple(f(*(xp.asarray(x, copy=True) for x in given)))
        if not outputs:
            raise ValueError("`f` returned no output")
        cotangents = tuple(
            _cotangent(xp, output, i, len(outputs), given[moved[0]], seed)
            for i, output in enumerate(outputs)
        )
        # In memory of their own, since `f` may hand out one buffer again and again.
        kept = tuple(xp.asarray(output, copy=True) for output in outputs)
        return cls(Projected(f, xp, given, moved, cotangents), kept, one)

    @property
    def names(self) -> tuple[str, ...]:
        """How the caller writes the inputs that are moved."""
        return tuple(_name(self.one, i) for i in self.projected.moved)

    @property
    def arrays(self) -> list[Array]:
        """The inputs that are moved."""
        return [self.projected.inputs[i] for i in self.projected.moved]

    @property
    def paths(self) -> list[tuple[Any, ...]]:
        """Where they are among the inputs."""
        return [() if self.one else (i,) for i in self.projected.moved]

    @functools.cached_property
    def function(self) -> Function:
        """The sum as a function of the floating inputs."""
        p = self.projected
        floats = tuple(
            as_float(p.xp, name, x)
            for name, x in zip(self.names, self.arrays, strict=True)
        )
        return Function(p, p.xp, [None] * len(floats), floats, "loop")

    @property
    def value(self) -> Array:
        """The sum at the inputs."""
        with quiet():
            return self.projected.of(self.outputs)

    @property
    def eps(self) -> float:
        """Precision of the coarsest of the arrays."""
        xp, arrays = self.projected.xp, (*self.arrays, *self.outputs)
        return max(float_info(xp, array.dtype).eps for array in arrays)

    @property
    def noise(self) -> Array:
        """What the sum is uncertain by, as each output is rounded in its own way."""
        xp, first = self.projected.xp, self.function.leaves[0]
        wide = wide_dtype(xp, first)
        with quiet():
            variance = _added(
                wide_sum(xp, (float_info(xp, y.dtype).eps / 4 * cast(xp, y, wide)) ** 2)
                for y in self.outputs
            )
            return xp.where(xp.isfinite(variance), xp.sqrt(variance), 0.0)

    def gradients(self, vjp: Callable[..., Any]) -> tuple[tuple[Array, ...], float]:
        """What ``vjp`` returns for the inputs that are moved, and its precision."""
        p = self.projected
        arguments = (*p.inputs, *p.cotangents)
        found = _as_tuple(vjp(*(p.xp.asarray(x, copy=True) for x in arguments)))
        if len(found) == len(p.inputs):
            found = tuple(found[i] for i in p.moved)
        if len(found) != len(p.moved):
            raise ValueError(
                f"`vjp` returned {len(found)} gradients for {len(p.inputs)} inputs, "
                f"{len(p.moved)} of them floating: return one for each"
            )
        given = [
            (f"the gradient by {name}", slope)
            for name, slope in zip(self.names, found, strict=True)
        ]
        return as_slopes(p.xp, given, list(zip(self.names, self.arrays, strict=True)))


def _name(one: bool, i: int) -> str:
    return "inputs" if one else f"inputs[{i}]"


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _added(parts: Any) -> Array:
    return functools.reduce(operator.add, parts)


def _moved(xp: Any, one: bool, given: tuple[Array, ...]) -> tuple[int, ...]:
    """The places of inputs that can be moved: those of real floating numbers."""
    moved = []
    for i, x in enumerate(given):
        if is_integral(xp, x) or x.dtype == xp.bool:
            continue
        as_float(xp, _name(one, i), x)  # refuses what holds no real numbers
        moved.append(i)
    if not moved:
        raise ValueError(
            "`inputs` holds no floating numbers: there is nothing to differentiate by"
        )
    return tuple(moved)


def _output_name(i: int, count: int) -> str:
    return "the result of f" if count == 1 else f"output {i} of f"


def _cotangent(
    xp: Any, output: Any, i: int, count: int, like: Array, seed: int
) -> Array:
    """Random factors for one output, in its shape and dtype."""
    name = _output_name(i, count)
    require_array(name, output)
    common_namespace(**{name: output, "inputs": like})
    if not is_floating(xp, output):
        raise TypeError(
            f"{name} has dtype {output.dtype} and no derivative: let `f` return real "
            "floating arrays alone, for example through a wrapper that drops the rest"
        )
    rng = np.random.default_rng([seed, i])
    draws = rng.choice(FACTORS, tuple(output.shape))
    return from_host(xp, draws, like=output, dtype=output.dtype)


def check_vjp(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Any,
    /,
    *,
    directions: int = 8,
    full: Full = "auto",
    rtol: float | None = None,
    seed: int = 0,
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
) -> GradientReport:
    """Report on whether a function is the backward pass of another.

    Parameters
    ----------
    f : callable
        ``f(*inputs)`` returns an array or a tuple of arrays, of real numbers.
    vjp : callable
        ``vjp(*inputs, *cotangents)`` gets one cotangent for each output, in its shape
        and dtype, and returns the products of cotangents and Jacobian: a gradient for
        each input (one array if there is one input). Those of integer inputs are not
        looked at, and may be None or left out.
    inputs : array, or tuple or list of arrays
        Where to check. They are handed out in their own dtype, one point at a time, so
        that kernels get what they are written for.
    directions, full, rtol, seed, max_bytes, workers, progress
        As in `check_gradient`.

    Returns
    -------
    GradientReport
        True only if the backward pass is right; as text it is a table.

    Raises
    ------
    TypeError
        If an output holds no real floating numbers, so that it has no derivative, or an
        argument is no array.
    ValueError
        If there are no floating inputs, or gradients of the wrong number or shape.

    Notes
    -----
    The cotangents are random, with signs and halves of them. What is checked is the
    gradient of the sum of their products with the outputs, in float64 where the device
    has it, as in `check_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> def product(a, b):
    ...     return a @ b
    >>> def product_vjp(a, b, slope):
    ...     return slope @ b.T, a.T @ slope
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    >>> check_vjp(product, product_vjp, (a, b)).verdict
    'pass'
    """
    started = time.perf_counter()
    options = Options(directions, full, rtol, seed)
    execution = Execution(
        vectorized=False, max_bytes=max_bytes, workers=workers, progress=progress
    )
    plan = Plan(method="ladder", full_output=True)
    for name, function in (("f", f), ("vjp", vjp)):
        if not callable(function):
            raise TypeError(f"`{name}` must be callable; got {type(function).__name__}")
    refuse_without_values("inputs", inputs)
    kernel = Kernel.of(f, inputs, options.seed)
    with runner(execution, kernel.function.leaves[0], silent=True) as run_by:
        run = Problem(kernel.function, kernel.names, plan, run_by)
        base = run.take_value(kernel.value)
        slopes, given_eps = kernel.gradients(vjp)
        rounding = float_info(run.xp, base.dtype).eps
        subject = Subject(run, base, slopes, kernel.eps, rounding, kernel.noise)
        where = kernel.arrays, kernel.paths, "inputs"
        return Check(subject, options, given_eps, *where).report(started)
