"""The rules of Fourier transforms, which are linear: their adjoints."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.functions import rule

# The adjoint of a transform is the one backwards, with the factor of the other side.
ADJOINT = {"fft": np.fft.ifft, "ifft": np.fft.fft}
DUAL: dict[str, Any] = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


@rule("fft", "ifft")
def _transform(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    name, _, axis, norm = operation
    edge = tape.edge(x, pull_transform, ADJOINT[name], axis, norm, x.shape[axis])
    return tape.result(plain(tape.value_of(x)), edge)


def pull_transform(g: Any, adjoint: Any, axis: int, norm: str, length: int) -> Any:
    """Transform the other way; what was cut off has no part, what was padded no way."""
    return resize(adjoint(g, axis=axis, norm=DUAL[norm]), axis, length)


def resize(g: Any, axis: int, length: int) -> Any:
    """Return an array of another length along an axis: cut, or padded with zeros."""
    missing = length - g.shape[axis]
    if missing <= 0:
        return g if missing == 0 else g[(*(slice(None),) * axis, slice(length))]
    shape = (*g.shape[:axis], missing, *g.shape[axis + 1 :])
    return np.concatenate([g, np.zeros(shape, g.dtype, like=g)], axis=axis)


@rule("rfft")
def _real_transform(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    _, n, axis, norm = operation
    count = x.shape[axis] if n is None else n
    edge = tape.edge(x, pull_real_transform, count, axis, norm, x.shape[axis])
    return tape.result(plain(tape.value_of(x)), edge)


def pull_real_transform(g: Any, n: int, axis: int, norm: Any, length: int) -> Any:
    """Transform back to real numbers, where all but the ends of ``g`` count twice."""
    half = g / weights(g, n, axis)
    return resize(np.fft.irfft(half, n, axis=axis, norm=DUAL[norm]), axis, length)


@rule("irfft")
def _transform_to_real(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    _, _, axis, norm = operation
    edge = tape.edge(x, pull_transform_to_real, axis, norm, x.shape[axis])
    return tape.result(plain(tape.value_of(x)), edge)


def pull_transform_to_real(g: Any, axis: int, norm: Any, length: int) -> Any:
    """Transform forwards, and count all entries twice that have a conjugate."""
    n = g.shape[axis]
    half = np.fft.rfft(g, axis=axis, norm=DUAL[norm])
    return resize(half * weights(half, n, axis), axis, length)


def weights(half: Any, n: int, axis: int) -> Any:
    """Return 1 for the frequencies that are their own conjugates, and 2 for others."""
    count = half.shape[axis]
    numbers = np.arange(count)
    # Frequency 0, and for an even length the highest one.
    is_double = (numbers > 0) & (2 * numbers != n)
    shape = (count, *(1,) * (half.ndim - 1 - axis))
    doubled = np.where(is_double, 2.0, 1.0).reshape(shape)
    return np.asarray(doubled, dtype=np.finfo(half.dtype).dtype, like=half)
