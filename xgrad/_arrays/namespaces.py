"""The boundary: which namespace, which dtype, which shape, and every message about it.

The only importer of array-api-compat. Below this module arrays are known to be good,
and their namespace travels as the first argument, ``xp``.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import fields
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import array_api_compat
import numpy as np

Array = Any
ArrayT = TypeVar("ArrayT")

# True while xgrad evaluates a caller's function at points that the caller did not
# choose: losses then leave the values of their prediction unchecked.
perturbed: ContextVar[bool] = ContextVar("xgrad_perturbed", default=False)


def common_namespace(**arrays: Any) -> Any:
    """The namespace that all arrays share, on one device."""
    if all(type(array) is np.ndarray for array in arrays.values()):
        return _numpy()
    for name, array in arrays.items():
        require_array(name, array)
    hidden = [bare(a) for a in arrays.values() if hides_points(a)]
    if hidden:
        # An array at many points: what holds for its base holds for all of it.
        bases = {
            name: array.base if hides_points(type(array)) else array
            for name, array in arrays.items()
        }
        xp = _common_namespace(bases)
        return hidden[0].namespace(xp)
    return _common_namespace(arrays)


def plain_namespace(prediction: Any, target: Any) -> Any:
    """The namespace of two arrays of NumPy, or of CuPy on one device; else None."""
    kind = type(prediction)
    if kind is not type(target):
        return None
    if kind is np.ndarray:
        return _numpy()
    if kind.__module__.partition(".")[0] != "cupy" or not is_cupy_array(prediction):
        return None
    return _common_namespace({"prediction": prediction, "target": target})


def present(**arrays: Any) -> dict[str, Any]:
    """Those of some optional arrays that are not None."""
    return {name: array for name, array in arrays.items() if array is not None}


@functools.cache
def _numpy() -> Any:
    return array_api_compat.array_namespace(np.empty(0))


def _common_namespace(given: dict[str, Any]) -> Any:
    try:
        xp = array_api_compat.array_namespace(*given.values())
    except TypeError:
        kinds = " and ".join(f"`{name}` a {_kind(a)}" for name, a in given.items())
        raise TypeError(
            f"arrays of different libraries: {kinds}. xgrad copies nothing between "
            "libraries: convert one of them, for example with `xp.asarray`"
        ) from None
    if len(given) > 1:
        _require_one_device(given)
    return xp


def hides_points(x: Any) -> bool:
    """Whether it stands for an array at many points, of which a function sees one.

    Such an array, one of array_api_strict that holds it, its class or its namespace.
    """
    return getattr(bare(x), "hides_points", False) is True


def bare(x: Any) -> Any:
    """What an array of array_api_strict holds; everything else as it is."""
    kind: Any = type(x)
    return x._array if _is_strict(kind) else x


@functools.cache
def _is_strict(kind: Any) -> bool:
    return any(
        base.__module__.startswith("array_api_strict") and base.__name__ == "Array"
        for base in kind.__mro__
    )


def dressed(x: Any, like: Array) -> Array:
    """What is `bare`, as an array of the kind of ``like``."""
    kind: Any = type(like)
    if bare(like) is like:
        return x
    return (_hiding(kind) if hides_points(x) else kind)._new(x, device=like.device)


@functools.cache
def _hiding(kind: Any) -> Any:
    """The class of arrays of array_api_strict that hold an array at many points."""

    def namespace(self: Any, *, api_version: str | None = None) -> Any:
        return self._array.namespace(kind.__array_namespace__(self))

    def assign(self: Any, key: Any, value: Any) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        self._array[tuple(map(bare, parts))] = bare(value)

    members = {"__array_namespace__": namespace, "__setitem__": assign}
    return type(kind.__name__, (kind,), members)


def bare_namespace(xp: Any) -> Any:
    """The namespace of what arrays of ``xp`` hold."""
    if array_api_compat.is_array_api_strict_namespace(xp):
        return array_api_compat.array_namespace(np.empty(0))
    return xp


def require_array(name: str, array: Any) -> None:
    """Raise unless it is an array of a library that xgrad knows."""
    if isinstance(array, np.ma.MaskedArray | np.matrix):
        raise TypeError(
            f"`{name}` is a {_kind(array)}, whose arithmetic differs from that of "
            "arrays: pass a plain array, for example `numpy.asarray(...)` and `weight=`"
        )
    if not array_api_compat.is_array_api_obj(array):
        if name.endswith("]") and isinstance(array, (bool, int, float)):
            whole = name.rpartition("[")[0]
            raise TypeError(
                f"`{name}` must be an array, but is the Python number {array!r}: if "
                f"`{whole}` is meant as one array, pass `numpy.asarray({whole})`"
            )
        raise TypeError(
            f"`{name}` must be an array (NumPy, CuPy, PyTorch, JAX, ...), "
            f"but is a {_kind(array)}: pass for example `numpy.asarray({name})`"
        )


def _require_one_device(arrays: dict[str, Any]) -> None:
    devices = {name: array_api_compat.device(a) for name, a in arrays.items()}
    # Arrays that JAX traces have none.
    known = [device for device in devices.values() if device is not None]
    if any(device != known[0] for device in known):
        places = " and ".join(f"`{name}` on {d}" for name, d in devices.items())
        raise ValueError(
            f"arrays on different devices: {places}. xgrad copies nothing between "
            "devices: move one of them first"
        )


class Portable:
    """A frozen value that can be sent to another process, where a module cannot go.

    The namespace, ``xp``, is left behind and found again from the array ``anchor``;
    what is cached stays behind too.
    """

    xp: Any

    @property
    def anchor(self) -> Any:
        """An array of the namespace."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """The fields, without the namespace."""
        names = (field.name for field in fields(self))  # type: ignore[arg-type]
        return {name: self.__dict__[name] for name in names if name != "xp"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The fields, and the namespace of the arrays that arrived."""
        self.__dict__.update(state)
        self.__dict__["xp"] = common_namespace(x=self.anchor)


def _kind(array: Any) -> str:
    kind = type(array)
    library = kind.__module__.partition(".")[0]
    return (
        kind.__qualname__ if library == "builtins" else f"{library}.{kind.__qualname__}"
    )


def device_of(x: Array) -> Any:
    """Device of an array, for the functions that create arrays beside it."""
    return array_api_compat.device(x)


def from_host(xp: Any, values: Any, *, like: Array, dtype: Any = None) -> Array:
    """An array of the namespace, on the device of ``like``."""
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # PyTorch would share it, and warns
    return xp.asarray(values, dtype=dtype, device=device_of(like))


def is_lazy(xp: Any, x: Array) -> bool:
    """Whether values are not at hand: a Dask array, or an array traced by JAX."""
    if is_jax(xp):
        import jax

        return isinstance(x, jax.core.Tracer)
    return is_dask(xp)


# dtypes


def default_dtype(xp: Any, kind: str, like: Array) -> Any:
    """Default dtype of the namespace for ``"real floating"``, ``"indexing"``, ..."""
    if is_numpy(xp):
        return _defaults_of_numpy()[kind]
    return xp.__array_namespace_info__().default_dtypes(device=device_of(like))[kind]


@functools.cache
def _defaults_of_numpy() -> Any:
    return _numpy().__array_namespace_info__().default_dtypes()


@functools.lru_cache(maxsize=256)
def _is_kind(xp: Any, dtype: Any, kind: str) -> bool:
    if _is_of_ml_dtypes(dtype):
        return kind == ("integral" if "int" in str(dtype) else "real floating")
    return bool(xp.isdtype(dtype, kind))


def _is_of_ml_dtypes(dtype: Any) -> bool:
    """Whether it is bfloat16 or another dtype that NumPy itself knows nothing about."""
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


class FloatInfo(NamedTuple):
    """What a floating dtype can hold, as Python numbers."""

    eps: float
    tiny: float  # the smallest normal number
    largest: float
    size: int  # in bytes


@functools.lru_cache(maxsize=64)
def float_info(xp: Any, dtype: Any) -> FloatInfo:
    """Limits of a floating dtype; of the parts of a complex one."""
    if _is_of_ml_dtypes(dtype):
        import ml_dtypes

        info: Any = ml_dtypes.finfo(dtype)
    else:
        info = xp.finfo(dtype)
    parts = 2 if _is_kind(xp, dtype, "complex floating") else 1
    return FloatInfo(
        eps=float(info.eps),
        tiny=float(info.smallest_normal),
        largest=float(info.max),
        size=int(info.bits) // 8 * parts,
    )


def as_float(xp: Any, name: str, x: Array) -> Array:
    """``x`` as floats to compute with: at least 32 bits, integers promoted."""
    if x.dtype in (xp.float64, xp.float32):
        return x
    if is_floating(xp, x):
        # float32 in the other order of bytes is not equal to float32.
        narrow = float_info(xp, x.dtype).size <= 4
        return xp.astype(x, xp.float32 if narrow else xp.float64)
    if is_integral(xp, x):
        return xp.astype(x, default_dtype(xp, "real floating", x))
    remedy = (
        "take `xp.real` of it if that is meant"
        if is_complex(xp, x)
        else "convert it with `xp.astype`, for example to float64"
    )
    raise TypeError(
        f"`{name}` must hold real numbers, but its dtype is {x.dtype}: {remedy}"
    )


def as_real(xp: Any, name: str, x: Array, dtype: Any) -> Array:
    """Floats, integers or booleans in a floating dtype."""
    if _is_kind(xp, x.dtype, "bool"):
        return xp.astype(x, dtype)
    return cast(xp, as_float(xp, name, x), dtype)


def real_dtype(xp: Any, x: Array) -> Any:
    """The floating dtype itself, or that of the parts of complex numbers."""
    if not is_complex(xp, x):
        return x.dtype
    return xp.float32 if x.dtype == xp.complex64 else xp.float64


def as_complex(xp: Any, x: Array) -> Array:
    """Floats as complex numbers of the same precision."""
    return xp.astype(x, xp.complex64 if x.dtype == xp.float32 else xp.complex128)


def as_index(xp: Any, x: Array) -> Array:
    """Integers of any width, or booleans, in the dtype that is indexed with."""
    return xp.astype(x, default_dtype(xp, "indexing", x), copy=False)


def wide_dtype(xp: Any, x: Array, narrow: Any = None) -> Any:
    """float64 where the device of ``x`` has it, else ``narrow``, or the dtype of it."""
    if is_numpy(xp):
        return xp.float64
    if is_jax(xp):
        import jax

        has_float64 = jax.config.jax_enable_x64
    else:
        has_float64 = _has_float64(xp, device_of(x))
    return xp.float64 if has_float64 else narrow or x.dtype


@functools.lru_cache(maxsize=64)
def _has_float64(xp: Any, device: Any) -> bool:
    info = xp.__array_namespace_info__()
    return "float64" in info.dtypes(device=device, kind="real floating")


def total(xp: Any, x: Array) -> Array:
    """Sum of all entries, accumulated in float64 where the device has it."""
    return xp.sum(x, dtype=wide_dtype(xp, x))


def is_numpy(xp: Any) -> bool:
    """Whether the namespace is NumPy, so that the host reads values at no cost."""
    return isinstance(xp, ModuleType) and array_api_compat.is_numpy_namespace(xp)


def is_cupy(xp: Any) -> bool:
    """Whether the namespace is CuPy."""
    return isinstance(xp, ModuleType) and array_api_compat.is_cupy_namespace(xp)


def is_cupy_array(x: Any) -> bool:
    """Whether it is an array of CuPy."""
    return array_api_compat.is_cupy_array(x)


def is_torch(xp: Any) -> bool:
    """Whether the namespace is PyTorch."""
    return bool(array_api_compat.is_torch_namespace(xp))


def is_jax(xp: Any) -> bool:
    """Whether the namespace is JAX."""
    return bool(array_api_compat.is_jax_namespace(xp))


def is_dask(xp: Any) -> bool:
    """Whether the namespace is Dask, whose arrays compute nothing yet."""
    return bool(array_api_compat.is_dask_namespace(xp))


def cast(xp: Any, x: Array, dtype: Any) -> Array:
    """``x`` in another dtype; scalars of NumPy stay scalars where there are such."""
    if x.dtype == dtype:
        return x
    if isinstance(x, np.generic):
        return (
            x.astype(dtype) if np.dtype(dtype).isnative else np.asarray(x).astype(dtype)
        )
    return xp.astype(x, dtype)


# shapes and values


def require_known_shapes(**arrays: Any) -> None:
    """Raise where Dask does not know yet how many entries there are."""
    for name, x in arrays.items():
        if any(length != length for length in x.shape):
            raise ValueError(
                f"`{name}` has the unknown shape {tuple(x.shape)}: call its method "
                "`compute_chunk_sizes` first"
            )


def require_same_shape(name: str, x: Array, other_name: str, other: Array) -> None:
    """Raise unless both shapes are equal: nothing broadcasts."""
    if x.shape == other.shape:
        return
    shape, target = tuple(x.shape), tuple(other.shape)
    fix = (
        f"reshape one of them, for example `{other_name}.reshape({shape})`"
        if math.prod(shape) == math.prod(target)
        else "pass two arrays of one shape"
    )
    raise ValueError(
        f"`{name}` has shape {shape} but `{other_name}` has shape {target}; "
        f"xgrad never broadcasts: {fix}"
    )


def integer(name: str, value: Any, *, least: int | None) -> int:
    """A Python integer of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an integer; got {value!r}")
    if least is not None and number < least:
        raise ValueError(f"`{name}` must be at least {least}; got {value!r}")
    return number


def real(name: str, value: Any) -> float:
    """A real number as a float of Python."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` is an integer too large for a float") from None


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """The value itself if it is among the allowed ones."""
    allowed = tuple(allowed)
    for choice in allowed:
        if _same(value, choice):
            return choice
    listed = ", ".join(map(repr, allowed))
    raise ValueError(f"`{name}` must be one of {listed}; got {value!r}")


def _same(value: Any, choice: Any) -> bool:
    """Equality in which 1 is not True, and an array equals nothing."""
    if value is choice:
        return True
    if isinstance(value, (bool, np.bool_)) != isinstance(choice, bool):
        return False
    if hasattr(value, "shape") and not isinstance(value, np.generic):
        return False
    return bool(value == choice)


def binade(xp: Any, x: Array) -> Array:
    """The largest power of two that is not above each positive number."""
    if is_numpy(xp) or is_cupy(xp):
        # Sign and exponent without the fraction: 10 times faster than a logarithm.
        if x.dtype == xp.float64:
            return (x.view(xp.uint64) & np.uint64(0xFFF << 52)).view(xp.float64)
        return (x.view(xp.uint32) & np.uint32(0x1FF << 23)).view(xp.float32)
    return 2.0 ** xp.floor(xp.log2(x))


def quiet() -> Any:
    """Context in which xgrad's own arithmetic raises no floating-point warning."""
    return np.errstate(all="ignore")
