"""Dtypes: their kinds and limits, and conversions between them."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays.advice import conversion_code, prefix_of
from xgrad._arrays.arguments import python_float
from xgrad._arrays.namespaces import (
    device_of,
    is_cupy,
    is_jax,
    is_numpy,
    numpy_namespace,
)
from xgrad._arrays.types import Array


def default_dtype(xp: Any, kind: str, like: Array) -> Any:
    """Return the default dtype of a kind, such as ``"real floating"``, on a device."""
    if is_numpy(xp):
        return _numpy_defaults()[kind]
    return xp.__array_namespace_info__().default_dtypes(device=device_of(like))[kind]


@functools.cache
def _numpy_defaults() -> Any:
    return numpy_namespace().__array_namespace_info__().default_dtypes()


# Room for the 14 dtypes of the standard in 4 kinds and 4 libraries at once.
@functools.lru_cache(maxsize=256)
def _is_kind(xp: Any, dtype: Any, kind: str) -> bool:
    if _is_ml_dtype(dtype):
        return kind == ("integral" if "int" in str(dtype) else "real floating")
    return bool(xp.isdtype(dtype, kind))


def _is_ml_dtype(dtype: Any) -> bool:
    """Whether it is bfloat16 or another dtype that NumPy gets from `ml_dtypes`."""
    return getattr(getattr(dtype, "type", None), "__module__", None) == "ml_dtypes"


def is_floating(xp: Any, x: Array) -> bool:
    """Whether the dtype is real floating."""
    return _is_kind(xp, x.dtype, "real floating")


def is_complex(xp: Any, x: Array) -> bool:
    """Whether the dtype is complex."""
    return _is_kind(xp, x.dtype, "complex floating")


def is_integral(xp: Any, x: Array) -> bool:
    """Whether the dtype is an integer of any width; booleans are not."""
    return _is_kind(xp, x.dtype, "integral")


def is_boolean(xp: Any, x: Array) -> bool:
    """Whether the dtype is that of booleans."""
    return _is_kind(xp, x.dtype, "bool")


class FloatInfo(NamedTuple):
    """Limits of a floating dtype, as Python numbers."""

    eps: float
    tiny: float  # the smallest normal number
    largest: float
    size: int  # in bytes


@functools.lru_cache(maxsize=64)
def float_info(xp: Any, dtype: Any) -> FloatInfo:
    """Return the limits of a floating dtype, or of the real part of a complex one."""
    if _is_ml_dtype(dtype):
        import ml_dtypes

        info: Any = ml_dtypes.finfo(dtype)
    else:
        info = xp.finfo(dtype)
    components = 2 if _is_kind(xp, dtype, "complex floating") else 1
    return FloatInfo(
        eps=float(info.eps),
        tiny=float(info.smallest_normal),
        largest=float(info.max),
        size=int(info.bits) // 8 * components,
    )


def as_float(xp: Any, name: str, x: Array) -> Array:
    """Return ``x`` as float32 or float64, which formulas compute with.

    Half precision becomes float32, and integers the default float of the namespace.
    """
    if x.dtype in (xp.float64, xp.float32):
        return x
    if is_floating(xp, x):
        # float32 in the other order of bytes is not equal to float32.
        narrow = float_info(xp, x.dtype).size <= 4
        return xp.astype(x, xp.float32 if narrow else xp.float64)
    if is_integral(xp, x):
        return xp.astype(x, default_dtype(xp, "real floating", x))
    remedy = (
        f"pass `{prefix_of([x])}.real({name})` if you mean its real part"
        if is_complex(xp, x)
        else f"convert it, for example with {conversion_code(name, x, 'float64')}"
    )
    raise TypeError(
        f"`{name}` must hold real numbers, but its dtype is {x.dtype}: {remedy}"
    )


def as_real(xp: Any, name: str, x: Array, dtype: Any) -> Array:
    """Return floats, integers or booleans in the floating dtype ``dtype``."""
    if is_boolean(xp, x):
        return xp.astype(x, dtype)
    return cast(xp, as_float(xp, name, x), dtype)


def real_dtype(xp: Any, x: Array) -> Any:
    """Return the dtype of floats, or that of the real part of complex numbers."""
    if not is_complex(xp, x):
        return x.dtype
    return xp.float32 if x.dtype == xp.complex64 else xp.float64


def as_complex(xp: Any, x: Array) -> Array:
    """Return floats as complex numbers of the same precision."""
    return xp.astype(x, xp.complex64 if x.dtype == xp.float32 else xp.complex128)


def as_index(xp: Any, x: Array) -> Array:
    """Return integers of any width, or booleans, in the dtype of indices."""
    return xp.astype(x, default_dtype(xp, "indexing", x), copy=False)


def wide_dtype(xp: Any, x: Array, narrow: Any = None) -> Any:
    """Return float64 if the device of ``x`` has it, else ``narrow`` or its own dtype.

    Apple's GPUs have no float64, and neither has JAX unless it is switched on.
    """
    if is_numpy(xp):
        return xp.float64
    if is_jax(xp):
        import jax

        # Not cached: the switch may be turned between two calls.
        has_float64 = jax.config.jax_enable_x64
    else:
        has_float64 = _has_float64(xp, device_of(x))
    return xp.float64 if has_float64 else narrow or x.dtype


@functools.lru_cache(maxsize=64)
def _has_float64(xp: Any, device: Any) -> bool:
    info = xp.__array_namespace_info__()
    return "float64" in info.dtypes(device=device, kind="real floating")


def wide_sum(xp: Any, x: Array) -> Array:
    """Return the sum of all entries, accumulated in float64 if the device has it."""
    return xp.sum(x, dtype=wide_dtype(xp, x))


def cast(xp: Any, x: Array, dtype: Any) -> Array:
    """Return ``x`` in another dtype; a NumPy scalar stays a scalar."""
    if x.dtype == dtype:
        return x
    if isinstance(x, np.generic):
        # A scalar is always in the order of bytes of the machine, an array need not be.
        return (
            x.astype(dtype) if np.dtype(dtype).isnative else np.asarray(x).astype(dtype)
        )
    return xp.astype(x, dtype)


# Sign and exponent of a float, by the character of its dtype.
EXPONENTS = {
    "d": (np.dtype(np.uint64), np.uint64(0xFFF << 52)),
    "f": (np.dtype(np.uint32), np.uint32(0x1FF << 23)),
}


def floor_power_of_two(xp: Any, x: Array) -> Array:
    """Return the largest power of two that is not above each positive number.

    With a power of two as the step, dividing by it is exact.
    """
    if type(x) is np.ndarray or is_numpy(xp) or is_cupy(xp):
        # Sign and exponent without the fraction, in 52 bits of 64 or 23 of 32: 10 times
        # faster than a logarithm.
        bits, mask = EXPONENTS[x.dtype.char]
        return (x.view(bits) & mask).view(x.dtype)
    return 2.0 ** xp.floor(xp.log2(x))


def floating_dtype(xp: Any, dtype: Any) -> Any:
    """Return a floating dtype of the namespace, passed as such or by its name."""
    resolved = getattr(xp, dtype, dtype) if isinstance(dtype, str) else dtype
    try:
        floating = bool(xp.isdtype(resolved, "real floating"))
    except (TypeError, ValueError, AttributeError):
        # Each library has its own exception for what is no dtype.
        floating = False
    if not floating:
        raise TypeError(
            f"`dtype` must be a real floating dtype such as `xp.float64`; got {dtype!r}"
        )
    _require_width(xp, resolved)
    return resolved


def _require_width(xp: Any, dtype: Any) -> None:
    """Raise for 64 bits in JAX, if it has them switched off and would take 32."""
    if not is_jax(xp):
        return
    import jax

    if float_info(xp, dtype).size > 4 and not jax.config.jax_enable_x64:
        raise ValueError(
            f"`dtype` is {np.dtype(dtype)}, which JAX has switched off: call "
            '`jax.config.update("jax_enable_x64", True)` before you make arrays'
        )


def result_dtype(xp: Any, x: Array, requested: Any) -> Any:
    """Return the requested dtype, else that of ``x``; the default float of integers."""
    if requested is not None:
        return floating_dtype(xp, requested)
    if is_floating(xp, x):
        return x.dtype
    return default_dtype(xp, "real floating", x)


def as_array(x: Any) -> Any:
    """Return a Python number as a 0-d NumPy array; anything else unchanged."""
    if isinstance(x, int | float) and not isinstance(x, bool | np.generic):
        return np.asarray(python_float("x", x))
    return x
