"""Compiled functions of `scipy.signal` for stand-ins, written in NumPy's.

A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing (2010), chapters 4
and 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.custom import custom_vjp
from xgrad._autodiff.scipy_filters import (
    is_recorded,
    lfilter_step_by_step,
    sums_of_windows,
)
from xgrad._tracing import unrecorded

BOUNDARIES = {"fill": "constant", "pad": "constant", "wrap": "wrap"}
BOUNDARIES |= {"symm": "symmetric", "symmetric": "symmetric", "circular": "wrap"}


def convolve2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
) -> Any:
    """Return sums of neighbors in an image, times a kernel in reverse order."""
    if mode == "valid" and _is_larger(in2, in1):
        in1, in2 = in2, in1
    kernel = in2[::-1, ::-1]
    widths = [(n - 1, n - 1) for n in in2.shape]
    kind = BOUNDARIES[boundary]
    options: Any = {"constant_values": fillvalue} if kind == "constant" else {}
    around: Any = np.pad(in1, widths, kind, **options)  # type: ignore[call-overload]
    total = sums_of_windows(around, kernel)
    if mode == "full":
        return total
    pairs = list(zip(in1.shape, in2.shape, strict=True))
    if mode == "same":
        part = [slice((n - 1) // 2, (n - 1) // 2 + m) for m, n in pairs]
    else:
        part = [slice(n - 1, m) for m, n in pairs]
    return total[tuple(part)]


def correlate2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
) -> Any:
    """Return sums of neighbors in an image, times a kernel."""
    if mode == "valid" and _is_larger(in2, in1):
        raise ValueError("a kernel that is larger than the image has no substitute")
    other = np.conj(in2[::-1, ::-1])
    if mode == "same":
        # The middle of the kernel lies on the other side where its length is even.
        full = convolve2d(in1, other, "full", boundary, fillvalue)
        pairs = zip(in1.shape, in2.shape, strict=True)
        return full[tuple(slice(n // 2, n // 2 + m) for m, n in pairs)]
    return convolve2d(in1, other, mode, boundary, fillvalue)


def _is_larger(kernel: Any, image: Any) -> bool:
    """Whether a kernel is longer than an image along an axis."""
    return any(a > b for a, b in zip(kernel.shape, image.shape, strict=True))


def upfirdn(
    h: Any,
    x: Any,
    up: int = 1,
    down: int = 1,
    axis: int = -1,
    mode: str = "constant",
    cval: float = 0,
) -> Any:
    """Return a signal with zeros in between, filtered, of which some entries stay."""
    if mode != "constant" or cval:
        raise ValueError("signals that go on beyond their ends have no substitute")
    rows = np.moveaxis(x, axis, 0)
    count, length = rows.shape[0], len(h)
    spread = np.zeros((count * up, *rows.shape[1:]), like=rows)
    spread[::up] = rows
    spread = spread[: (count - 1) * up + 1]
    widths = [(length - 1, length - 1), *[(0, 0)] * (rows.ndim - 1)]
    around = np.pad(spread, widths)
    size = spread.shape[0] + length - 1
    total: Any = 0.0
    for k in range(length):
        start = length - 1 - k
        total = total + h[k] * around[start : start + size : down]
    return np.moveaxis(total, 0, axis)


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Return a signal filtered by a rational function, in transposed direct form II.

    With ``zi``, also return the states at the end.
    """
    # The coefficients of most filters are constants, whatever they are.
    b, a = (c if is_recorded(c) else np.atleast_1d(unrecorded(c)) for c in (b, a))
    order = max(len(a), len(b)) - 1
    rows = np.moveaxis(x, axis, -1)
    if is_recorded(b) or is_recorded(a) or rows.shape[-1] < order:
        return lfilter_step_by_step(b, a, x, axis, zi)
    result = _filtered(b, a, rows)
    if zi is None:
        return np.moveaxis(result, -1, axis)
    b, a = (np.pad(c, (0, order + 1 - len(c))) / a[0] for c in (b, a))
    first = np.moveaxis(zi, axis, -1)
    responses = _responses(b, a, rows.shape[-1])
    result = result + first @ responses
    ends = rows[..., ::-1], result[..., ::-1]
    last = [
        sum(
            b[k + m] * ends[0][..., m - 1] - a[k + m] * ends[1][..., m - 1]
            for m in range(1, order + 1 - k)
        )
        for k in range(order)
    ]
    states = np.stack(last, axis=-1)
    return np.moveaxis(result, -1, axis), np.moveaxis(states, -1, axis)


def _responses(b: Any, a: Any, count: int) -> Any:
    """Return what a filter makes of each state alone, in rows."""
    import scipy.signal

    zeros = np.zeros(count)
    states = np.eye(len(a) - 1)
    rows = [scipy.signal.lfilter(b, a, zeros, zi=state)[0] for state in states]
    return np.reshape(rows, (len(states), count))


def _filter(b: Any, a: Any, x: Any) -> Any:
    import scipy.signal

    return scipy.signal.lfilter(b, a, x)


def _filter_back(b: Any, a: Any, x: Any, slope: Any) -> Any:
    """Filter in the other direction of time."""
    return None, None, _filtered(b, a, slope[..., ::-1])[..., ::-1]


_filtered = custom_vjp(_filter, _filter_back)


def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Return a signal filtered by sections of second order, one after the other."""
    states = []
    for i in range(sos.shape[0]):
        b, a = sos[i, :3], sos[i, 3:]
        if zi is None:
            x = lfilter(b, a, x, axis)
        else:
            x, state = lfilter(b, a, x, axis, zi[i])
            states.append(state)
    return x if zi is None else (x, np.stack(states))
