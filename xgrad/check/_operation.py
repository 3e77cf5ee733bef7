"""An operation with a backward pass, as a scalar function that can be checked.

That function is the sum of the products of all outputs with fixed cotangents. Its
gradients with respect to the inputs are what the backward pass returns.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
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
from xgrad._evaluation import Function
from xgrad.check._analytic import promote_gradients

# Sizes of cotangents between 1/2 and 1, in six bits: exact in every dtype.
SIZES = np.arange(33, 64) / 64


@dataclass(frozen=True, eq=False)
class Operation:
    """A function of several arrays, with its outputs at one point.

    ``outputs`` are those at the inputs of ``cotangent_sum``. ``is_single`` says that
    the caller passed one array instead of a tuple.
    """

    cotangent_sum: CotangentSum
    outputs: tuple[Array, ...]
    is_single: bool

    @classmethod
    def evaluate(cls, f: Callable[..., Any], inputs: Any, seed: int) -> Operation:
        """Call ``f`` once, as the caller would, and draw cotangents for its outputs."""
        is_single = not isinstance(inputs, tuple | list)
        arrays = (inputs,) if is_single else tuple(inputs)
        if not arrays:
            raise ValueError("`inputs` holds no array: pass at least one")
        names = {_input_name(is_single, i): x for i, x in enumerate(arrays)}
        xp = common_namespace(**names)
        active = _active_inputs(xp, names)
        # Copies, because `f` may write into its arguments.
        outputs = _as_tuple(f(*(xp.asarray(x, copy=True) for x in arrays)))
        if not outputs:
            raise ValueError("`f` returned no output")
        for i, output in enumerate(outputs):
            _require_output(
                xp, _output_name(i, len(outputs)), output, arrays[active[0]]
            )
        cotangents = _draw_cotangents(xp, outputs, seed)
        # Copies, because `f` may return the same buffer from every call.
        copies = tuple(xp.asarray(output, copy=True) for output in outputs)
        return cls(CotangentSum(f, xp, arrays, active, cotangents), copies, is_single)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the active inputs, as the caller would write them."""
        return tuple(_input_name(self.is_single, i) for i in self.cotangent_sum.active)

    @property
    def arrays(self) -> list[Array]:
        """The active inputs."""
        return [self.cotangent_sum.inputs[i] for i in self.cotangent_sum.active]

    @property
    def paths(self) -> list[tuple[Any, ...]]:
        """The keys that lead to the active inputs, as in `xgrad._arrays.paths`."""
        return [() if self.is_single else (i,) for i in self.cotangent_sum.active]

    @functools.cached_property
    def function(self) -> Function:
        """The sum as a function of the active inputs, as float32 or float64."""
        xp = self.cotangent_sum.xp
        floats = tuple(
            as_float(xp, name, x)
            for name, x in zip(self.names, self.arrays, strict=True)
        )
        return Function(self.cotangent_sum, xp, [None] * len(floats), floats, False)

    @property
    def value(self) -> Array:
        """The sum at the inputs."""
        with quiet():
            return self.cotangent_sum.add_up(self.outputs)

    @property
    def eps(self) -> float:
        """Precision of the coarsest of active inputs and outputs."""
        xp, arrays = self.cotangent_sum.xp, (*self.arrays, *self.outputs)
        return max(float_info(xp, array.dtype).eps for array in arrays)

    @property
    def noise(self) -> Array:
        """Rounding error of the sum, if all entries of the outputs are rounded alone.

        An entry is rounded to half a unit in the last place, eps / 2 of it; such errors
        are spread evenly and measure about half of that. Their squares add up.
        """
        xp, first = self.cotangent_sum.xp, self.function.leaves[0]
        wide = wide_dtype(xp, first)
        with quiet():
            variance = _add(
                wide_sum(xp, (float_info(xp, y.dtype).eps / 4 * cast(xp, y, wide)) ** 2)
                for y in self.outputs
            )
            return xp.where(xp.isfinite(variance), xp.sqrt(variance), 0.0)

    def gradients(self, vjp: Callable[..., Any]) -> tuple[tuple[Array, ...], float]:
        """Call ``vjp``; return gradients of the active inputs, and their precision."""
        p = self.cotangent_sum
        arguments = (*p.inputs, *p.cotangents)
        gradients = _as_tuple(vjp(*(p.xp.asarray(x, copy=True) for x in arguments)))
        # With or without the entries for integer inputs, as the caller prefers.
        if len(gradients) == len(p.inputs):
            gradients = tuple(gradients[i] for i in p.active)
        if len(gradients) != len(p.active):
            raise ValueError(
                f"`vjp` returned {len(gradients)} gradients for {len(p.inputs)} "
                f"inputs, {len(p.active)} of them floating: return one for each input, "
                "or one for each floating input"
            )
        named = [
            ("vjp(...)" if len(gradients) == 1 else f"vjp(...)[{i}]", gradient)
            for i, gradient in enumerate(gradients)
        ]
        arrays = list(zip(self.names, self.arrays, strict=True))
        return promote_gradients(p.xp, named, arrays)


@dataclass(frozen=True, eq=False)
class CotangentSum(Portable):
    """The sum of cotangents times outputs, as a function of the active inputs.

    ``active`` are the numbers of the floating arrays among ``inputs``. Each input goes
    to ``call`` in its own dtype.
    """

    call: Callable[..., Any]
    xp: Any
    inputs: tuple[Array, ...]
    active: tuple[int, ...]
    cotangents: tuple[Array, ...]

    @property
    def anchor(self) -> Array:
        """An array whose namespace is that of this object in another process, too."""
        return self.inputs[0]

    def __call__(self, x: Sequence[Array]) -> Array:
        """Return the sum at other values of the active inputs."""
        xp, values = self.xp, dict(zip(self.active, x, strict=True))
        arguments = [
            cast(xp, values[i], original.dtype)
            if i in values
            else xp.asarray(original, copy=True)
            for i, original in enumerate(self.inputs)
        ]
        outputs = _as_tuple(self.call(*arguments))
        if len(outputs) != len(self.cotangents):
            raise ValueError(
                f"`f` returned {len(self.cotangents)} outputs at the inputs, but "
                f"{len(outputs)} close to them"
            )
        # Checked at every point: a sum would broadcast outputs of other shapes.
        for i, (u, output) in enumerate(zip(self.cotangents, outputs, strict=True)):
            name = _output_name(i, len(outputs))
            require_array(name, output)
            require_same_shape(f"{name} nearby", output, name, u)
        return self.add_up(outputs)

    def add_up(self, outputs: Sequence[Array]) -> Array:
        """Return the sum for some outputs, in float64 if the device has it."""
        xp = self.xp
        wide = wide_dtype(xp, self.inputs[self.active[0]])
        return _add(
            wide_sum(xp, cast(xp, u, wide) * cast(xp, output, wide))
            for u, output in zip(self.cotangents, outputs, strict=True)
        )


def _input_name(is_single: bool, i: int) -> str:
    return "inputs" if is_single else f"inputs[{i}]"


def _output_name(i: int, count: int) -> str:
    return "f(*inputs)" if count == 1 else f"f(*inputs)[{i}]"


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _add(terms: Iterable[Array]) -> Array:
    # `sum` would begin with a Python 0, which not every namespace adds to its arrays.
    return functools.reduce(operator.add, terms)


def _active_inputs(xp: Any, named: dict[str, Array]) -> tuple[int, ...]:
    """Return the numbers of the inputs that hold real floating numbers."""
    active = []
    for i, (name, x) in enumerate(named.items()):
        # Integers and booleans are labels, indices or masks: nothing to move by a step.
        if is_integral(xp, x) or x.dtype == xp.bool:
            continue
        as_float(xp, name, x)  # raises for complex numbers and the like
        active.append(i)
    if not active:
        raise ValueError(
            "`inputs` holds no floating numbers: there is nothing to differentiate "
            "with respect to"
        )
    return tuple(active)


def _require_output(xp: Any, name: str, output: Any, like: Array) -> None:
    """Raise unless an output has a derivative."""
    require_array(name, output)
    common_namespace(**{name: output, "inputs": like})
    if not is_floating(xp, output):
        raise TypeError(
            f"`{name}` has dtype {output.dtype} and no derivative: let `f` return only "
            "real floating arrays, for example through a wrapper that drops the others"
        )


def _draw_cotangents(xp: Any, outputs: Sequence[Array], seed: int) -> tuple[Array, ...]:
    """Draw random factors for the outputs, each in the shape and dtype of its own.

    Up to 31 entries no two of them are equal in size, so that a backward pass that
    takes one for another is found, and none is 1: it may forget no cotangent.
    """
    rng = np.random.default_rng(seed)
    ends = np.cumsum([math.prod(output.shape) for output in outputs])
    sizes = SIZES[rng.permutation(ends[-1]) % len(SIZES)]
    factors = np.split(sizes * rng.choice([-1.0, 1.0], ends[-1]), ends[:-1])
    return tuple(
        from_host(xp, own.reshape(tuple(y.shape)), like=y, dtype=y.dtype)
        for own, y in zip(factors, outputs, strict=True)
    )
