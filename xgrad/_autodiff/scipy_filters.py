"""Filters of `scipy.ndimage` and `scipy.signal` for stand-ins, written in NumPy's.

Each adds up shifted arrays, or goes through a signal step by step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._autodiff.custom import custom_vjp
from xgrad._tracing import unrecorded

# The names that NumPy has for what lies beyond the edges.
EDGES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "grid-wrap": "wrap",
    "constant": "constant",
    "grid-constant": "constant",
}


def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Return sums of neighbors along an axis, times weights."""
    return _along(input, weights, axis, output, mode, cval, origin)


def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Return sums of neighbors along an axis, times weights in reverse order."""
    origin = -origin - (1 if len(weights) % 2 == 0 else 0)
    return _along(input, weights[::-1], axis, output, mode, cval, origin)


def uniform_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Return means of neighbors along an axis."""
    weights = np.full(size, 1 / size)
    return _along(input, weights, axis, output, mode, cval, origin)


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Return sums of neighbors along all axes, times weights."""
    return _everywhere(input, weights, output, mode, cval, (origin,) * input.ndim)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Return sums of neighbors along all axes, times weights in reverse order."""
    weights = np.flip(weights)
    origins = tuple(-origin - (1 if n % 2 == 0 else 0) for n in weights.shape)
    return _everywhere(input, weights, output, mode, cval, origins)


def _along(
    x: Any, weights: Any, axis: int, output: Any, mode: str, cval: float, origin: int
) -> Any:
    shape, origins = [1] * x.ndim, [0] * x.ndim
    shape[axis], origins[axis] = len(weights), origin
    weights = np.reshape(weights, shape)
    return _everywhere(x, weights, output, mode, cval, tuple(origins))


def _everywhere(
    x: Any,
    weights: Any,
    output: Any,
    mode: str,
    cval: float,
    origins: tuple[int, ...],
) -> Any:
    """Add up shifted arrays, of which each has one of the weights."""
    weights = np.asarray(weights) if isinstance(weights, list) else weights
    before = [n // 2 + o for n, o in zip(weights.shape, origins, strict=True)]
    widths = [(b, n - 1 - b) for b, n in zip(before, weights.shape, strict=True)]
    options: Any = {"constant_values": cval} if EDGES[mode] == "constant" else {}
    around: Any = np.pad(x, widths, EDGES[mode], **options)  # type: ignore[call-overload]
    total = sums_of_windows(around, weights)
    if output is None:
        return total
    if hasattr(output, "__setitem__"):
        output[...] = total
        return output
    return total.astype(output)


def sums_of_windows(x: Any, weights: Any) -> Any:
    """Return the sums of all windows of an array, times weights."""
    if not is_recorded(weights) and x.dtype.kind == "f":
        return _sums(x, np.asarray(unrecorded(weights), x.dtype))
    shape = [m - n + 1 for m, n in zip(x.shape, weights.shape, strict=True)]
    total: Any = 0
    for index in np.ndindex(*weights.shape):
        part = tuple(slice(i, i + n) for i, n in zip(index, shape, strict=True))
        total = total + weights[index] * x[part]
    return total


def is_recorded(x: Any) -> bool:
    """Whether an array depends on the variables of a derivative."""
    return is_standin(x) and x.plain_constant() is None


def _sums_at_once(x: Any, weights: Any) -> Any:
    import scipy.ndimage

    everywhere = scipy.ndimage.correlate(x, weights, mode="constant")
    sizes = zip(x.shape, weights.shape, strict=True)
    return everywhere[tuple(slice(n // 2, n // 2 + m - n + 1) for m, n in sizes)]


def _sums_back(x: Any, weights: Any, slope: Any) -> Any:
    around = np.pad(slope, [(n - 1, n - 1) for n in weights.shape])
    return sums_of_windows(around, np.flip(weights)), None


_sums = custom_vjp(_sums_at_once, _sums_back)


def lfilter_step_by_step(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Return a signal filtered by a rational function, in transposed direct form II.

    A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing (2010), section
    6.3. With ``zi``, also return the states at the end.
    """
    b, a = np.atleast_1d(b), np.atleast_1d(a)
    order = max(len(a), len(b))
    b, a = (np.pad(c, (0, order - len(c))) / a[0] for c in (b, a))
    rows = np.moveaxis(x, axis, 0)
    if zi is None:
        states = [np.zeros(rows.shape[1:])] * (order - 1)
    else:
        first = np.moveaxis(zi, axis, 0)
        states = [first[i] for i in range(order - 1)]
    states.append(np.zeros(rows.shape[1:]))  # the last one is always 0
    results = []
    for i in range(rows.shape[0]):
        y = b[0] * rows[i] + states[0]
        results.append(y)
        for k in range(1, order):
            states[k - 1] = b[k] * rows[i] - a[k] * y + states[k]
    filtered = np.moveaxis(np.stack(results), 0, axis)
    if zi is None:
        return filtered
    return filtered, np.moveaxis(np.stack(states[:-1]), 0, axis)
