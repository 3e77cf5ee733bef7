"""Which array libraries can be used here, and why the others cannot."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.arguments import one_of
from xgrad._arrays.trees import transform

BACKEND_VARIABLE = "XGRAD_BACKEND"


class BackendUnavailable(RuntimeError):
    """A named backend cannot be used here; the message gives reason and remedy."""


@dataclass(frozen=True)
class Backend:
    """An array library as this machine has it.

    ``version`` is ``None`` where the library is not installed, ``devices`` are the
    devices that can be used, and ``reason`` says why there are none (empty where the
    backend is ``available``).
    """

    name: str
    version: str | None
    available: bool
    devices: tuple[str, ...]
    reason: str


def namespace(name: str = "auto", /) -> Any:
    """Array namespace to create arrays with.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch"``, ``"jax"``, ``"dask"``,
        ``"array_api_strict"``, or ``"auto"``: CuPy where a GPU can be used, else
        NumPy. The environment variable ``XGRAD_BACKEND`` overrides ``"auto"``.

    Returns
    -------
    module
        The namespace of the array API standard, as array-api-compat wraps it.

    Raises
    ------
    BackendUnavailable
        If a named backend cannot be used; ``"auto"`` falls back to NumPy instead.
    ValueError
        If no backend has that name.

    Examples
    --------
    >>> xp = namespace("numpy")
    >>> xp.sum(xp.asarray([1.0, 2.0]))
    np.float64(3.0)
    """
    asked_by = ""
    chosen = one_of("name", name, ("auto", *_PROBES))
    if chosen == "auto" and os.environ.get(BACKEND_VARIABLE):
        asked_by = f" (asked for by the environment variable {BACKEND_VARIABLE})"
        chosen = one_of(
            BACKEND_VARIABLE, os.environ[BACKEND_VARIABLE], ("auto", *_PROBES)
        )
    if chosen == "auto":
        chosen = "cupy" if _probe("cupy").available else "numpy"
    backend = _probe(chosen)
    if not backend.available:
        raise BackendUnavailable(
            f"the backend {chosen!r}{asked_by} cannot be used: {backend.reason}"
        )
    return importlib.import_module(_NAMESPACES.get(chosen, chosen))


def backends() -> tuple[Backend, ...]:
    """Every backend that xgrad knows, as this machine has it.

    Installed libraries are imported to find out, which may take a second or two.

    Returns
    -------
    tuple of Backend

    Examples
    --------
    >>> backends()[0].name
    'numpy'
    """
    return tuple(_probe(name) for name in _PROBES)


def to_numpy(x: Any, /) -> Any:
    """The values of an array on the host, as a NumPy array.

    The one function of xgrad that copies from a device to the host. NumPy arrays come
    back as they are; lazy arrays are computed.

    Parameters
    ----------
    x : array, or nested dict, list or tuple of arrays
        Arrays of any backend.

    Returns
    -------
    numpy.ndarray, or the same nesting of them

    Raises
    ------
    TypeError
        If a leaf is not an array.

    Examples
    --------
    >>> to_numpy({"weights": np.ones(2)})
    {'weights': array([1., 1.])}
    """
    return transform(_to_numpy, x)


def _to_numpy(path: str, x: Any) -> Any:
    if array_api_compat.is_numpy_array(x):
        return np.asarray(x)
    if array_api_compat.is_cupy_array(x):
        return x.get()
    if array_api_compat.is_torch_array(x):
        return _torch_to_numpy(x)
    if array_api_compat.is_dask_array(x):
        return np.asarray(x.compute())
    if array_api_compat.is_jax_array(x):
        return np.asarray(x)
    if array_api_compat.is_array_api_obj(x):
        xp = array_api_compat.array_namespace(x)
        host = xp.__array_namespace_info__().default_device()
        return np.from_dlpack(x.to_device(host)).copy()
    raise TypeError(
        f"`{path}` is a {type(x).__name__}; `to_numpy` takes arrays and nested dicts, "
        "lists and tuples of arrays"
    )


def _torch_to_numpy(x: Any) -> Any:
    import torch

    x = x.detach().cpu()
    # NumPy has no bfloat16; float32 holds each of its values.
    return (x.float() if x.dtype == torch.bfloat16 else x).resolve_conj().numpy()


# Probes: one function a backend, which imports the library and lists its devices or
# raises _Unusable.


class _Unusable(Exception):
    """Why an installed library cannot be used."""


def _probe(name: str) -> Backend:
    version = None
    try:
        library = _imported(name)
        version = str(getattr(library, "__version__", "unknown"))
        return Backend(name, version, True, _PROBES[name](library), "")
    except _Unusable as error:
        return Backend(name, version, False, (), str(error))


def _imported(name: str) -> Any:
    module = _MODULES.get(name, name)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise _Unusable(_broken(module, error)) from error
        raise _Unusable(f"{name} is not installed. {_REMEDIES[name]}") from error
    except Exception as error:  # an installation broken in any way is a reason to tell
        raise _Unusable(_broken(module, error)) from error


def _broken(module: str, error: Exception) -> str:
    return f"importing {module} failed ({_first_line(error)}): install it anew"


def _cupy_devices(cupy: Any) -> tuple[str, ...]:
    if not cupy.is_available():
        raise _Unusable(_why_no_gpu(cupy))
    runtime = cupy.cuda.runtime
    try:
        # A bare wheel finds the GPU, yet compiles and computes nothing.
        cupy.add(cupy.ones(2), 1)
    except Exception as error:
        raise _Unusable(
            "CuPy finds a GPU but cannot run a kernel on it: "
            f"{_first_line(error)}. If CUDA libraries are missing, "
            f"{_CUDA_REMEDY}"
        ) from error
    return tuple(
        f"cuda:{i} {runtime.getDeviceProperties(i)['name'].decode()}"
        for i in range(runtime.getDeviceCount())
    )


def _why_no_gpu(cupy: Any) -> str:
    try:
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's own, which cannot be imported without CuPy
        text = _first_line(error)
        if "InsufficientDriver" in text:
            return (
                "CuPy is installed, but the NVIDIA driver is missing or too old "
                f"({text}). Install a current driver; `nvidia-smi` shows whether "
                "it works"
            )
        if "NoDevice" in text:
            return (
                f"CuPy and the driver are installed, but there is no GPU ({text}). "
                "Check that the GPU is visible: `nvidia-smi`, CUDA_VISIBLE_DEVICES"
            )
        if "DynamicLib" in type(error).__name__:
            return (
                f"CuPy is installed, but CUDA libraries are missing ({text}). "
                f"Remedy: {_CUDA_REMEDY}"
            )
        return f"CuPy is installed, but CUDA does not start: {text}"
    return (
        "CuPy and the driver are installed, but no GPU is visible. Check "
        "`nvidia-smi` and the environment variable CUDA_VISIBLE_DEVICES"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _torch_devices(torch: Any) -> tuple[str, ...]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = (f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count))
    return ("cpu", *gpus)


def _jax_devices(numpy_of_jax: Any) -> tuple[str, ...]:
    import jax

    return tuple(map(str, jax.devices()))


def _cpu(library: Any) -> tuple[str, ...]:
    return ("cpu",)


_CUDA_REMEDY = (
    "install CuPy with them: `pip install 'xgrad[cuda13x]'` "
    "(or `cuda12x` for a driver of CUDA 12)"
)
_PROBES: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "numpy": _cpu,
    "cupy": _cupy_devices,
    "torch": _torch_devices,
    "jax": _jax_devices,
    "dask": _cpu,
    "array_api_strict": _cpu,
}
_MODULES = {"dask": "dask.array"}
_NAMESPACES = {
    "numpy": "array_api_compat.numpy",
    "cupy": "array_api_compat.cupy",
    "torch": "array_api_compat.torch",
    "jax": "jax.numpy",
    "dask": "array_api_compat.dask.array",
}
_REMEDIES = {
    "numpy": "Install it: `pip install numpy`",
    "cupy": (
        "With an NVIDIA GPU: `pip install 'xgrad[cuda13x]'` "
        "(or `cuda12x` for a driver of CUDA 12)"
    ),
    "torch": "Install it: `pip install torch`",
    "jax": "Install it: `pip install jax`",
    "dask": "Install it: `pip install 'dask[array]'`",
    "array_api_strict": "Install it: `pip install array-api-strict`",
}
