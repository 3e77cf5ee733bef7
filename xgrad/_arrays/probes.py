"""Probes: whether each array library can be used on this machine, or why it cannot."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# A list of all six backends then has lines that fit on a terminal.
REASON_WIDTH = 50


@dataclass(frozen=True)
class Backend:
    """An array library as it is installed on this machine.

    ``version`` is ``None`` if the library is not installed (and "unknown" if it cannot
    be imported), ``devices`` are the devices that can be used, and ``reason`` says why
    there are none (it is empty if the backend is ``available``).
    """

    name: str
    version: str | None
    available: bool
    devices: tuple[str, ...]
    reason: str

    def __repr__(self) -> str:
        """Name the library and its devices, or the reason in a few words."""
        name = " ".join(filter(None, (self.name, self.version)))
        if self.available:
            return f"Backend({name}, {', '.join(self.devices)})"
        cause = textwrap.shorten(self.reason.partition(". ")[0], REASON_WIDTH)
        return f"Backend({name}, not usable: {cause})"


class _UnusableError(Exception):
    """A library that cannot be used; the text gives the reason and a remedy."""


class _MissingError(_UnusableError):
    """A library that is not installed."""


def probe(name: str) -> Backend:
    """Import a library and find its devices; a failure becomes the ``reason``."""
    version = "unknown"
    try:
        library = _import_library(name)
        # A module such as `dask.array` has no version, its package has.
        version = str(getattr(importlib.import_module(name), "__version__", version))
        return Backend(name, version, True, PROBES[name](library), "")
    except _MissingError as error:
        return Backend(name, None, False, (), str(error))
    except _UnusableError as error:
        return Backend(name, version, False, (), str(error))


def _import_library(name: str) -> Any:
    module = _MODULES.get(name, name)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The library is there if it is another module that is missing.
        if error.name != module.partition(".")[0]:
            raise _UnusableError(_import_failure(module, error)) from error
        raise _MissingError(f"{name} is not installed. {_REMEDIES[name]}") from error
    except Exception as error:
        # A broken installation may raise anything, which is a reason to report.
        raise _UnusableError(_import_failure(module, error)) from error


def _import_failure(module: str, error: Exception) -> str:
    return f"importing {module} failed ({_summary(error)}): reinstall it"


def _summary(error: Exception) -> str:
    """Return the class of an error with the first and the last line of its text.

    Libraries that quote another error do so at the end: CuPy names the missing library
    there, below advice in several lines.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if any(map(str.isalnum, line))]
    ends = dict.fromkeys([*lines[:1], *lines[-1:]])
    text = " ... ".join(ends).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _cupy_devices(cupy: Any) -> tuple[str, ...]:
    if not cupy.is_available():
        raise _UnusableError(_no_gpu_reason(cupy))
    runtime = cupy.cuda.runtime
    try:
        # Without CUDA's libraries CuPy finds the GPU, but can compile nothing for it.
        cupy.add(cupy.ones(2), 1)
    except Exception as error:
        # Which library is missing decides about the exception.
        raise _UnusableError(
            "CuPy finds a GPU but cannot run a kernel on it: "
            f"{_summary(error)}. If CUDA libraries are missing, "
            f"{_CUDA_REMEDY}"
        ) from error
    return tuple(
        f"cuda:{i} {runtime.getDeviceProperties(i)['name'].decode()}"
        for i in range(runtime.getDeviceCount())
    )


def _no_gpu_reason(cupy: Any) -> str:
    try:
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        # An exception of CuPy, whose class cannot be imported without CuPy.
        text = _summary(error)
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


def _torch_devices(torch: Any) -> tuple[str, ...]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = (f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count))
    return ("cpu", *gpus)


def _jax_devices(numpy_of_jax: Any) -> tuple[str, ...]:
    # `jax.numpy`, the namespace, cannot list devices.
    import jax

    return tuple(map(str, jax.devices()))


def _cpu_only(library: Any) -> tuple[str, ...]:
    return ("cpu",)


_CUDA_REMEDY = (
    "install CuPy with them: `pip install 'xgrad[cuda13x]'` "
    "(or `cuda12x` for a driver of CUDA 12)"
)
# Each takes the imported library, and returns its devices or raises `_UnusableError`.
PROBES: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "numpy": _cpu_only,
    "cupy": _cupy_devices,
    "torch": _torch_devices,
    "jax": _jax_devices,
    "dask": _cpu_only,
    "array_api_strict": _cpu_only,
}
_MODULES = {"dask": "dask.array"}
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
