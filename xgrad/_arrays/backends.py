"""Backends: choosing an array library, and copying arrays of any library to NumPy."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.arguments import a_type, one_of
from xgrad._arrays.log import LOG
from xgrad._arrays.probes import PROBES, Backend, probe
from xgrad._arrays.standins import is_standin
from xgrad._arrays.trees import transform

BACKEND_VARIABLE = "XGRAD_BACKEND"


class BackendUnavailable(RuntimeError):
    """A named backend cannot be used here; the message gives reason and remedy."""


def namespace(name: str = "auto", /) -> Any:
    """Return the array namespace of a backend, to create arrays with.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch"``, ``"jax"``, ``"dask"``,
        ``"array_api_strict"``, or ``"auto"``: CuPy if a GPU can be used, else NumPy.
        The environment variable ``XGRAD_BACKEND`` overrides ``"auto"``; capital letters
        and blanks do not matter there.

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

    Warns
    -----
    RuntimeWarning
        Once, if CuPy is installed but cannot be used, and NumPy takes its place.

    Examples
    --------
    >>> xp = namespace("numpy")
    >>> xp.sum(xp.asarray([1.0, 2.0]))
    np.float64(3.0)
    """
    source = ""
    name = one_of("name", name, ("auto", *PROBES))
    # The variable stands in for the caller who names nothing; a name in code wins.
    requested = os.environ.get(BACKEND_VARIABLE, "").strip().casefold()
    if name == "auto" and requested:
        source = f" (requested by the environment variable {BACKEND_VARIABLE})"
        name = one_of(BACKEND_VARIABLE, requested, ("auto", *PROBES))
    if name == "auto":
        name = _default()
    backend = probe(name)
    if not backend.available:
        raise BackendUnavailable(
            f"the backend {name!r}{source} cannot be used: {backend.reason}"
        )
    return importlib.import_module(_NAMESPACES.get(name, name))


def _default() -> str:
    """Return "cupy", or "numpy" if CuPy cannot be used, and say so if it is there."""
    cupy = probe("cupy")
    if cupy.available:
        return "cupy"
    LOG.info("namespace() is NumPy: %s", cupy.reason)
    # Who has CuPy wants the GPU; who has it not may not have one.
    if cupy.version is not None:
        _warn_once(f"xgrad uses NumPy, since CuPy cannot be used: {cupy.reason}")
    return "numpy"


@functools.cache
def _warn_once(message: str) -> None:
    # The stack is this function, the default, `namespace`, and its caller.
    warnings.warn(message, RuntimeWarning, stacklevel=4)


_NAMESPACES = {
    "numpy": "array_api_compat.numpy",
    "cupy": "array_api_compat.cupy",
    "torch": "array_api_compat.torch",
    "jax": "jax.numpy",
    "dask": "array_api_compat.dask.array",
}


def backends() -> tuple[Backend, ...]:
    """Return every backend that xgrad supports, as it is installed on this machine.

    Installed libraries are imported to find out, which may take a second or two.

    Returns
    -------
    tuple of Backend

    Examples
    --------
    >>> backends()[0].name
    'numpy'
    """
    return tuple(map(probe, PROBES))


def backend_name(xp: Any, /) -> str:
    """Return the short name of a namespace, such as ``"torch"``.

    Parameters
    ----------
    xp : module
        A namespace that `namespace` has returned, or a library itself.

    Raises
    ------
    TypeError
        If it is no namespace of a backend.

    Examples
    --------
    >>> backend_name(namespace("numpy"))
    'numpy'
    """
    # The namespace of stand-ins has the name of that of arrays.
    module = sys.modules[xp.__name__] if is_standin(xp) else xp
    if isinstance(module, ModuleType):
        for name, is_of in _NAMES.items():
            if is_of(module):
                return name
    raise TypeError(
        f"`xp` must be a namespace, as `xgrad.namespace()` returns it, but is "
        f"{a_type(xp)}: pass `array_api_compat.array_namespace(x)` for an array `x`"
    )


# A compatibility layer may stand around a library, under a name of its own.
_NAMES = {
    "numpy": array_api_compat.is_numpy_namespace,
    "cupy": array_api_compat.is_cupy_namespace,
    "torch": array_api_compat.is_torch_namespace,
    "jax": array_api_compat.is_jax_namespace,
    "dask": array_api_compat.is_dask_namespace,
    "array_api_strict": array_api_compat.is_array_api_strict_namespace,
}


def to_numpy(x: Any, /) -> Any:
    """Return the values of arrays on the host, as NumPy arrays.

    This is the only function of xgrad that copies an array from a device to the host.
    NumPy arrays are returned as they are, without a copy; lazy arrays are computed.

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
    >>> import numpy as np
    >>> to_numpy({"weights": np.ones(2)})
    {'weights': array([1., 1.])}
    """
    return transform(_leaf_to_numpy, x)


def _leaf_to_numpy(path: str, x: Any) -> Any:
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
        # NumPy reads only the default device of array_api_strict. DLPack shares memory:
        # NumPy 2.0 takes none that is read-only, and the caller is to have an own copy.
        host = xp.__array_namespace_info__().default_device()
        return np.from_dlpack(xp.asarray(x.to_device(host), copy=True)).copy()
    raise TypeError(
        f"`{path}` is {a_type(x)}; `to_numpy` takes arrays and nested dicts, "
        "lists and tuples of arrays"
    )


def _torch_to_numpy(x: Any) -> Any:
    import torch

    x = x.detach().cpu()
    # NumPy has no bfloat16; float32 holds each of its values.
    return (x.float() if x.dtype == torch.bfloat16 else x).resolve_conj().numpy()
