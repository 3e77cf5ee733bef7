"""Fourier transforms, of several axes by those of one."""

from __future__ import annotations

import functools
import operator
from typing import Any

from xgrad._tracing.arguments import axes_of, axis_of, require
from xgrad._tracing.functions.elements import conjugate
from xgrad._tracing.functions.rearranging import roll
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn

# A factor that is not applied forwards is applied backwards.
OTHER_NORM = {None: "forward", "backward": "forward", "forward": "backward"}


def transform(
    name: str, x: StandIn, n: int | None = None, axis: int = -1, norm: Any = None
) -> StandIn:
    """Apply `fft`, `ifft`, `rfft` or `irfft` along one axis, cut or padded to ``n``."""
    place, function = axis_of(x, axis), getattr(x.tracer.xp.fft, name)
    count = None if n is None else operator.index(n)
    options = {"n": count, "norm": norm or "backward"}
    return x.tracer.everywhere(
        (name, count, place, norm or "backward"),
        lambda a: function(a, axis=place, **options),
        lambda a: function(a, axis=place + 1, **options),
        x,
    )


for _name in "fft ifft rfft irfft".split():
    handles(f"fft.{_name}")(functools.partial(transform, _name))


@handles("fft.hfft")
def hfft(x: StandIn, n: int | None = None, axis: int = -1, norm: Any = None) -> StandIn:
    """Transform the half of an array whose other half is its conjugate."""
    return transform("irfft", conjugate(x), n, axis, OTHER_NORM.get(norm, norm))


@handles("fft.ihfft")
def ihfft(
    x: StandIn, n: int | None = None, axis: int = -1, norm: Any = None
) -> StandIn:
    """Return the half of a transform backwards whose other half is its conjugate."""
    return conjugate(transform("rfft", x, n, axis, OTHER_NORM.get(norm, norm)))


def _transform_axes(
    name: str, x: StandIn, s: Any = None, axes: Any = None, norm: Any = None
) -> StandIn:
    """Apply a transform along several axes, cut or padded to ``s``."""
    lengths, places = _lengths_of_axes(x, s, axes)
    if s is None and name == "irfftn":
        lengths[-1] = 2 * (lengths[-1] - 1)
    steps = list(zip(lengths, places, strict=True))
    *others, (length, last) = steps
    inner = "ifft" if name.startswith("i") else "fft"
    # In NumPy's order: real input comes first, and real output last.
    if name == "rfftn":
        x = transform("rfft", x, length, last, norm)
    elif name != "irfftn":
        others = steps
    for n, axis in others if name == "irfftn" else reversed(others):
        x = transform(inner, x, n, axis, norm)
    return transform("irfft", x, length, last, norm) if name == "irfftn" else x


def _lengths_of_axes(x: StandIn, s: Any, axes: Any) -> Any:
    """Return the lengths to cut or pad to, and the axes."""
    require(s is None or None not in s, x, "a Fourier transform with None in s=")
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    places = axes_of(x, tuple(axes))
    if s is not None and len(s) != len(places):
        raise ValueError(f"s has {len(s)} lengths for {len(places)} axes")
    # NumPy's -1 asks for the length of ``x``.
    wanted = (-1,) * len(places) if s is None else s
    pairs = zip(wanted, places, strict=True)
    return [x.shape[axis] if n == -1 else n for n, axis in pairs], places


for _name in "fftn ifftn rfftn irfftn".split():
    handles(f"fft.{_name}")(functools.partial(_transform_axes, _name))


def _transform_two_axes(
    name: str, x: StandIn, s: Any = None, axes: Any = (-2, -1), norm: Any = None
) -> StandIn:
    return _transform_axes(name, x, s, axes, norm)


for _name in "fft2 ifft2 rfft2 irfft2".split():
    _several = functools.partial(_transform_two_axes, _name.replace("2", "n"))
    handles(f"fft.{_name}")(_several)


def _shift(sign: int, x: StandIn, axes: Any = None) -> StandIn:
    """Move the entry of frequency 0 to the middle of axes, or back."""
    places = axes_of(x, axes)
    return roll(x, tuple(sign * (x.shape[a] // 2) for a in places), places)


handles("fft.fftshift")(functools.partial(_shift, 1))
handles("fft.ifftshift")(functools.partial(_shift, -1))
