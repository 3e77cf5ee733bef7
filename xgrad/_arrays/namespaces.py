"""Namespaces: which library arrays belong to, and whether they are on one device."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.advice import prefix_of
from xgrad._arrays.arguments import a_type, require_array
from xgrad._arrays.standins import has_standin, is_standin, unwrap
from xgrad._arrays.types import Array


def common_namespace(**arrays: Any) -> Any:
    """Return the namespace of the arrays; raise unless they share it and a device."""
    # The way through array-api-compat takes several microseconds, as long as a small
    # loss itself.
    if all(type(array) is np.ndarray for array in arrays.values()):
        return numpy_namespace()
    for name, array in arrays.items():
        require_array(name, array, arrays.values())
    standins = [unwrap(a) for a in arrays.values() if has_standin(a)]
    if standins:
        # The base of a stand-in has the library and the device of the array.
        bases = {
            name: array.base if is_standin(array) else array
            for name, array in arrays.items()
        }
        xp = _common_namespace(bases)
        return standins[0].namespace(xp)
    return _common_namespace(arrays)


def numpy_or_cupy_namespace(prediction: Any, target: Any) -> Any:
    """Return the namespace of two NumPy arrays, or two CuPy arrays on one device.

    It is None for any other two arguments: these libraries alone have kernels.
    """
    kind = type(prediction)
    if kind is not type(target):
        return None
    if kind is np.ndarray:
        return numpy_namespace()
    if kind.__module__.partition(".")[0] != "cupy" or not is_cupy_array(prediction):
        return None
    return _common_namespace({"prediction": prediction, "target": target})


@functools.cache
def numpy_namespace() -> Any:
    """Return the namespace of NumPy, as array-api-compat wraps it."""
    return array_api_compat.array_namespace(np.empty(0))


def _common_namespace(arrays: dict[str, Any]) -> Any:
    try:
        xp = array_api_compat.array_namespace(*arrays.values())
    except TypeError:
        kinds = " and ".join(f"`{name}` is {a_type(a)}" for name, a in arrays.items())
        raise TypeError(
            f"arrays of different libraries: {kinds}. xgrad copies nothing between "
            f"libraries: convert one of them, for example {_conversion(arrays)}"
        ) from None
    if len(arrays) > 1:
        _require_one_device(arrays)
    return xp


def _conversion(arrays: dict[str, Any]) -> str:
    """Return the code that makes arrays belong to the library of the first one."""
    prefixes = {name: prefix_of([array]) for name, array in arrays.items()}
    prefix, *_ = prefixes.values()
    others = [name for name, other in prefixes.items() if other != prefix]
    name = others[0] if others else list(arrays)[-1]
    function = "xgrad.to_numpy" if prefix == "np" else f"{prefix}.asarray"
    return f"`{function}({name})`"


def _require_one_device(arrays: dict[str, Any]) -> None:
    devices = {name: array_api_compat.device(a) for name, a in arrays.items()}
    # Arrays that JAX traces have no device.
    concrete = [device for device in devices.values() if device is not None]
    if any(device != concrete[0] for device in concrete):
        places = " and ".join(f"`{name}` is on {d}" for name, d in devices.items())
        raise ValueError(
            f"arrays on different devices: {places}. xgrad copies nothing between "
            "devices: move one of them first"
        )


def device_of(x: Array) -> Any:
    """Return the device of an array, for functions that create arrays on it."""
    return array_api_compat.device(x)


def from_host(xp: Any, values: Any, *, like: Array, dtype: Any = None) -> Array:
    """Return host values as an array of the namespace, on the device of ``like``."""
    if xp is numpy_namespace():
        return np.asarray(values, dtype=dtype)
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        # PyTorch shares the memory of NumPy arrays, and warns if it is read-only.
        values = values.copy()
    return xp.asarray(values, dtype=dtype, device=device_of(like))


def copied(xp: Any, array: Array) -> Array:
    """Return a copy of an array."""
    # The method takes a tenth of the time of `asarray`, and each call of a function
    # makes two copies.
    if type(array) is np.ndarray:
        return array.copy("K")
    if is_torch(xp):
        return array.clone()  # with its history, if it has one
    return xp.asarray(array, copy=True)


def laid_out_like(array: Any, like: Any) -> Any:
    """Return an array of NumPy in the memory layout that copies of another one have.

    Anything else is returned as it is. A function may ask for the layout, as
    ``ravel("K")`` does.
    """
    if type(like) is not np.ndarray or like.flags.c_contiguous:
        return array
    if type(array) is not np.ndarray or array.shape != like.shape:
        return array
    new = np.empty_like(like, dtype=array.dtype)
    if new.strides == array.strides:
        return array
    new[...] = array
    return new


def owned(x: Any, others: Iterable[Any] = ()) -> Any:
    """Return an array of NumPy or CuPy in memory of its own, which is none of others.

    It is a copy of a view, and of one of the others. Anything else is returned as it
    is.
    """
    if is_standin(x) or not hasattr(x, "base"):
        return x
    is_own = x.base is None and not any(x is other for other in others)
    return x if is_own else x.copy()


def reshaped(xp: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """Return an array in another shape."""
    # The method takes a fifth of the time of the function.
    return x.reshape(shape) if type(x) is np.ndarray else xp.reshape(x, shape)


def is_everywhere(xp: Any, mask: Array) -> bool:
    """Whether all entries of a mask are True; the host waits for them."""
    # Counting takes a quarter of the time of `all`.
    if type(mask) is np.ndarray:
        return np.count_nonzero(mask) == mask.size
    return bool(mask if type(mask) is np.bool_ else xp.all(mask))


def is_lazy(xp: Any, x: Array) -> bool:
    """Whether ``x`` has no values yet: a Dask array, or an array traced by JAX."""
    if xp is numpy_namespace():
        return False
    if is_jax(xp):
        import jax

        return isinstance(x, jax.core.Tracer)
    return is_dask(xp)


def is_numpy(xp: Any) -> bool:
    """Whether the namespace is NumPy, so that the host reads values at no cost."""
    if xp is numpy_namespace():  # nearly always, and in a tenth of the time
        return True
    # That of a stand-in is no module: code for NumPy would read its memory.
    return isinstance(xp, ModuleType) and array_api_compat.is_numpy_namespace(xp)


def is_cupy(xp: Any) -> bool:
    """Whether the namespace is CuPy."""
    return isinstance(xp, ModuleType) and array_api_compat.is_cupy_namespace(xp)


def is_cupy_array(x: Any) -> bool:
    """Whether ``x`` is an array of CuPy."""
    return array_api_compat.is_cupy_array(x)


def is_torch(xp: Any) -> bool:
    """Whether the namespace is PyTorch."""
    return bool(array_api_compat.is_torch_namespace(xp))


def is_jax(xp: Any) -> bool:
    """Whether the namespace is JAX."""
    return bool(array_api_compat.is_jax_namespace(xp))


def is_dask(xp: Any) -> bool:
    """Whether the namespace is Dask, whose arrays are computed only on demand."""
    return bool(array_api_compat.is_dask_namespace(xp))
