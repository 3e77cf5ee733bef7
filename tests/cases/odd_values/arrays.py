"""Draw arrays of odd dtypes, shapes, layouts and values."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import array_api_strict as strict
import numpy as np

Choose = Callable[[Sequence[Any]], Any]
DTYPES = tuple(
    "bool i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 >f4 >i8 g c8 c16 O U3 S3 M8[D] m8[s] "
    "i4,f8".split()
)
SHAPES = (
    *((), (0,), (1,), (2,), (3,), (5,), (0, 3), (3, 0), (1, 3), (3, 1), (4, 3)),
    *((3, 3), (2, 3, 4), (1, 0, 2), (1,) * 30),
)
NUMBERS = (
    *(0, 1, 2, 3, -1, 0.5, 300, -1.5, 1e-320, 1e30, 1e308, -math.inf),
    *(math.inf, math.nan),
)


def fill(dtype: str, shape: tuple[int, ...], numbers: list[float]) -> np.ndarray:
    """Make an array of any dtype from numbers, as far as it can hold them."""
    values = np.resize(np.asarray(numbers, dtype=float), shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dtype[0] in "Mm":
            integers = np.nan_to_num(values, posinf=9, neginf=9).astype("i8")
            return np.asarray(integers.astype(dtype))
        if dtype == "i4,f8":
            return np.zeros(shape, dtype=dtype)
        return values.astype(dtype)


def lay_out(x: np.ndarray, layout: str) -> Any:
    """Lay out an array otherwise in memory, or in another kind of array."""
    if layout == "read-only":
        x.flags.writeable = False
    elif layout == "reversed" and x.ndim:
        return np.flip(np.flip(x).copy())
    elif layout == "strided":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (), x.dtype)
        view = wide[..., ::2] if x.ndim else wide
        view[...] = x
        return view
    elif layout == "unaligned" and x.dtype != object:
        memory = np.zeros(x.nbytes + 1, np.uint8)[1:]
        view = memory.view(x.dtype).reshape(x.shape)
        view[...] = x
        return view
    elif layout == "broadcast":
        return np.broadcast_to(x.reshape(-1)[:1].reshape(()), x.shape) if x.size else x
    elif layout == "masked":
        return np.ma.array(x, mask=np.zeros(x.shape, bool))
    elif layout == "matrix" and x.ndim == 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asmatrix(x)
    elif layout == "scalar":
        return x[()] if x.ndim == 0 else x
    elif layout == "list":
        return x.tolist()
    elif layout == "tuple":
        return tuple(x.tolist()) if x.ndim else (x,)
    elif layout == "nested":
        return {"a": x, "b": [x.copy()]}
    elif layout == "strict":
        with contextlib.suppress(TypeError):
            return strict.asarray(x.copy())
    return x


LAYOUTS = tuple(
    "read-only reversed strided unaligned broadcast masked matrix scalar "
    "list tuple nested strict".split()
)


def odd_array(choose: Choose, good: Any) -> Any:
    """Draw an array, which is often like a good one but for one thing."""
    usual = np.shape(good) if isinstance(good, np.ndarray) else (3,)
    kind = good.dtype.str if isinstance(good, np.ndarray) else "f8"
    changed = choose(["dtype", "shape", "layout", "values", "all"])
    all_of_them = changed == "all"
    dtype, shape, layout, x = kind, usual, "plain", None
    if changed == "dtype" or all_of_them:
        dtype = choose(DTYPES)
    if changed == "shape" or all_of_them:
        shape = choose(SHAPES)
    if changed == "layout" or all_of_them:
        layout = choose(LAYOUTS)
    if (changed == "values" or all_of_them) or not isinstance(good, np.ndarray):
        x = fill(dtype, shape, [choose(NUMBERS) for _ in range(choose([1, 2, 3]))])
    else:
        x = fill(dtype, shape, good.reshape(-1).tolist() or [1.0])
    return lay_out(x, layout)
