"""Functions with a backward pass of their own: one operation on a tape."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import require_callable, unwrap, wrap_like
from xgrad._autodiff.structural import add_at_key, reshape_back
from xgrad._autodiff.taped import Taped


class custom_vjp:  # noqa: N801 (used like a function)
    """A function of arrays with its own backward pass, for exact derivatives.

    Called, it is ``f``. In the derivative of a function that calls it, ``vjp`` takes
    the place of the rules: for hand-written CUDA kernels, compiled code, and functions
    whose derivative is known in a better form.

    Parameters
    ----------
    f : callable
        ``f(*inputs)`` returns an array or a tuple of arrays, of real numbers.
    vjp : callable
        ``vjp(*inputs, *cotangents)`` gets one cotangent for each output, in its shape
        and dtype, and returns the products of cotangents and Jacobian: a gradient for
        each input, in its shape (one array if there is one input). Gradients of integer
        inputs are ignored, and may be None or left out.

    Raises
    ------
    TypeError
        If ``f`` or ``vjp`` is not callable.
    ValueError
        If, on the way back, ``vjp`` returns another number of gradients than there are
        inputs, or one of another shape.

    Notes
    -----
    Arguments that are not arrays are handed on as they are. `check_vjp` compares
    ``vjp`` with differences; the first derivative of a function that uses it is proved
    as well.

    Examples
    --------
    >>> import numpy as np
    >>> import xgrad
    >>> def cube_vjp(x, slope):
    ...     return slope * 3 * x**2
    >>> cube = custom_vjp(lambda x: x * x * x, cube_vjp)
    >>> xgrad.gradient(lambda x: np.sum(cube(x)), np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    def __init__(self, f: Callable[..., Any], vjp: Callable[..., Any], /) -> None:
        require_callable("f", f)
        require_callable("vjp", vjp)
        self.f = f
        self.vjp = vjp
        self.pull = CustomPull(f, vjp)
        functools.update_wrapper(self, f)

    def __repr__(self) -> str:
        return f"<custom_vjp of {getattr(self.f, '__name__', self.f)}>"

    def __call__(self, *inputs: Any) -> Any:
        """Return ``f(*inputs)``."""
        standins = [x for x in map(unwrap, inputs) if type(x) is Taped]
        recorded = [x for x in standins if not x.tracer.closed]
        if not recorded:
            return self.f(*(x.base if type(x) is Taped else x for x in inputs))
        tape = recorded[0].tracer.highest(recorded)
        outputs = self(*(_value_of(tape, x) for x in inputs))
        backward = Backward(self, tape, inputs, outputs)
        if not isinstance(outputs, tuple):
            return backward.record_output()
        return backward.record_outputs()


class Backward:
    """One call of a function with a backward pass, on its way onto a tape."""

    def __init__(
        self, custom: custom_vjp, tape: Any, inputs: tuple[Any, ...], outputs: Any
    ) -> None:
        self.vjp = custom.vjp
        self.pull = custom.pull
        self.tape = tape
        self.inputs = inputs
        self.outputs = outputs
        self.values = tuple(_copy(_value_of(tape, x)) for x in inputs)
        self.active = [i for i, x in enumerate(inputs) if tape.depends(unwrap(x))]
        self.last: tuple[Any, Any] = (None, None)

    def record_output(self) -> Any:
        """Put the only output on the tape."""
        base = unwrap(self.outputs)
        new = self.tape.result(base, *self._edges())
        # The caller's function may hold the output, and write into it later.
        return wrap_like(new, self._first())

    def record_outputs(self) -> tuple[Any, ...]:
        """Put all outputs on the tape, as the parts of one vector."""
        outputs = [unwrap(output) for output in self.outputs]
        flat = np.concatenate([output.reshape(-1) for output in outputs])
        vector = self.tape.result(flat, *self._edges())
        results, start = [], 0
        for output in outputs:
            stop = start + math.prod(output.shape)
            edge = self.tape.edge(vector, add_at_key, slice(start, stop))
            part = self.tape.result(flat[start:stop], edge)
            edge = self.tape.edge(part, reshape_back, (stop - start,))
            results.append(wrap_like(self.tape.result(output, edge), self._first()))
            start = stop
        return tuple(results)

    def _first(self) -> Any:
        return self.inputs[self.active[0]] if self.active else self.inputs[0]

    def _edges(self) -> list[Any]:
        x = [unwrap(x) for x in self.inputs]
        return [self.tape.edge(x[i], self.pull, self, i) for i in self.active]

    def gradients(self, g: Any) -> Any:
        """Return the gradients of all inputs from the cotangent of the output."""
        # Once for all inputs, which ask one after the other.
        if self.last[0] is not g:
            cotangents = [wrap_like(c, self._plain()) for c in self._split(g)]
            gradients = self.vjp(*self.values, *cotangents)
            self.last = g, self._checked(gradients)
        return self.last[1]

    def _plain(self) -> Any:
        return self.values[self.active[0]]

    def _split(self, g: Any) -> list[Any]:
        """Return one cotangent for each output, in its shape and dtype.

        Each is an array of its own in C order, as kernels want it: they may write into
        it, though ``g`` may be that of other operations, too.
        """
        if not isinstance(self.outputs, tuple):
            return [np.array(g) if isinstance(g, np.generic) else g.copy()]
        parts, start = [], 0
        for output in map(unwrap, self.outputs):
            stop = start + math.prod(output.shape)
            part = g[start:stop].reshape(output.shape).astype(output.dtype)
            parts.append(part.copy())
            start = stop
        return parts

    def _checked(self, gradients: Any) -> tuple[Any, ...]:
        """Return the gradients in a tuple; raise unless they fit the inputs."""
        if not isinstance(gradients, (tuple, list)):
            gradients = (gradients,)
        arrays = [i for i, x in enumerate(self.values) if hasattr(x, "dtype")]
        floats = [i for i in arrays if self.values[i].dtype.kind in "fc"]
        for places in (range(len(self.values)), arrays, floats):
            if len(places) == len(gradients):
                by_place = dict(zip(places, gradients, strict=True))
                break
        else:
            raise ValueError(
                f"`vjp` returned {len(gradients)} gradients for {len(self.values)} "
                "inputs: return one for each input"
            )
        for i in self.active:
            shape = getattr(by_place.get(i), "shape", None)
            if shape is None or tuple(shape) != tuple(self.values[i].shape):
                other = "no array" if shape is None else f"shape {tuple(shape)}"
                raise ValueError(
                    f"`vjp` returned {other} as the gradient of input {i}, which has "
                    f"shape {tuple(self.values[i].shape)}: return one like the input"
                )
        return tuple(unwrap(by_place.get(i)) for i in range(len(self.values)))


class CustomPull:
    """The pull of a function with a backward pass, known by the code of the two.

    Another backward pass is another rule: it is proved, although the function that
    calls it may have been proved before.
    """

    def __init__(self, f: Callable[..., Any], vjp: Callable[..., Any]) -> None:
        self.codes = tuple(getattr(g, "__code__", None) or id(g) for g in (f, vjp))

    def __hash__(self) -> int:
        return hash(self.codes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CustomPull) and self.codes == other.codes

    def __call__(self, g: Any, backward: Backward, i: int) -> Any:
        """Return the cotangent of one input."""
        return backward.gradients(g)[i]


def _value_of(tape: Any, x: Any) -> Any:
    """Return the value of an input, in the library of the caller."""
    content = unwrap(x)
    value = tape.value_of(content)
    if content is x or value is content:
        return value if content is x else x
    return wrap_like(value, x)


def _copy(x: Any) -> Any:
    """Return an array that nobody else writes into."""
    return x.copy() if isinstance(x, np.ndarray) else x
