"""What depends on the device and the library: memory, threads, sparse matrices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import array_api_compat

from xgrad._arrays.namespaces import is_numpy
from xgrad._arrays.types import Array


def free_gpu_bytes(x: Array) -> int | None:
    """Free memory of the GPU that holds ``x``; None where ``x`` is on a CPU."""
    if array_api_compat.is_cupy_array(x):
        import cupy

        with x.device:
            pooled = cupy.get_default_memory_pool().free_bytes()
            return int(cupy.cuda.runtime.memGetInfo()[0]) + int(pooled)
    if array_api_compat.is_torch_array(x) and x.device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(x.device)[0])
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device.

    CuPy's is a `MemoryError`; those of PyTorch and JAX are known by what they say.
    """
    if isinstance(error, MemoryError):
        return True
    text = f"{type(error).__name__} {error}"
    return isinstance(error, RuntimeError) and (
        "OutOfMemory" in text or "RESOURCE_EXHAUSTED" in text
    )


def on_device_of(x: Array) -> Any:
    """Context in which CuPy works on the device of ``x``, in whatever thread."""
    return x.device if array_api_compat.is_cupy_array(x) else contextlib.nullcontext()


def device_adopter(x: Array) -> Callable[[], None]:
    """What a new thread must call to use the device and the stream of this one."""
    if not array_api_compat.is_cupy_array(x):
        return lambda: None
    import cupy

    device = x.device
    with device:
        stream = cupy.cuda.get_current_stream()

    def adopt() -> None:
        device.use()
        stream.use()

    return adopt


def native_vmap(xp: Any) -> Callable[..., Any] | None:
    """What a library has to run a plain function at many points at once."""
    if array_api_compat.is_torch_namespace(xp):
        import torch

        return torch.vmap
    if array_api_compat.is_jax_namespace(xp):
        import jax

        return jax.vmap
    return None


def has_hidden_axis(xp: Any) -> bool:
    """Whether plain functions of its arrays can be run at many points by xgrad."""
    return (
        is_numpy(xp)
        or array_api_compat.is_cupy_namespace(xp)
        or array_api_compat.is_array_api_strict_namespace(xp)
    )
