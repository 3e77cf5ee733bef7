"""Questions that libraries answer each in their own way: memory, streams, `vmap`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.namespaces import device_of, is_lazy, is_numpy, is_torch
from xgrad._arrays.types import Array

NO_DEVICE = contextlib.nullcontext()


def free_gpu_bytes(x: Array) -> int | None:
    """Return the free memory of the GPU that holds ``x``; None if it is on a CPU."""
    if type(x) is np.ndarray:
        return None
    if array_api_compat.is_cupy_array(x):
        import cupy

        with x.device:
            # CUDA counts what CuPy's pool holds in reserve as used.
            pooled = cupy.get_default_memory_pool().free_bytes()
            return int(cupy.cuda.runtime.memGetInfo()[0]) + int(pooled)
    if array_api_compat.is_torch_array(x) and x.device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(x.device)[0])
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device.

    CuPy's is a `MemoryError`; those of PyTorch and JAX are told by their text.
    """
    if isinstance(error, MemoryError):
        return True
    text = f"{type(error).__name__} {error}"
    return isinstance(error, RuntimeError) and (
        "OutOfMemory" in text or "RESOURCE_EXHAUSTED" in text
    )


def on_device_of(x: Array) -> Any:
    """Return a context in which CuPy works on the device of ``x``, in any thread."""
    if type(x) is not np.ndarray and array_api_compat.is_cupy_array(x):
        return x.device
    return NO_DEVICE


def device_adopter(x: Array) -> Callable[[], None]:
    """Return a function by which a new thread takes over this thread's CuPy stream.

    It also selects the device of ``x``. Without it a thread would begin on the first
    device, with a stream that does not wait for the one that made ``x``.
    """
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


def has_values(xp: Any, x: Array) -> bool:
    """Whether the host may look at the values of ``x``, though it may have to wait.

    Lazy arrays have none yet, and those under PyTorch's ``vmap`` stand for many.
    """
    if is_torch(xp):
        import torch

        return not torch._C._functorch.is_functorch_wrapped_tensor(x)
    return not is_lazy(xp, x)


def is_on_host(xp: Any, x: Array) -> bool:
    """Whether the host reads the values of ``x`` without waiting for a device."""
    if is_numpy(xp):
        return True
    if not has_values(xp, x):
        return False
    if is_torch(xp):
        return bool(x.device.type == "cpu")
    if array_api_compat.is_jax_namespace(xp):
        return all(device.platform == "cpu" for device in x.devices())
    if array_api_compat.is_array_api_strict_namespace(xp):
        return bool(device_of(x) == xp.Device("CPU_DEVICE"))
    return False


def native_vmap(xp: Any) -> Callable[..., Any] | None:
    """Return the library's own `vmap`; None if it has none."""
    if is_numpy(xp):
        return None
    if array_api_compat.is_torch_namespace(xp):
        import torch

        return torch.vmap
    if array_api_compat.is_jax_namespace(xp):
        import jax

        return jax.vmap
    return None


def has_hidden_axis(xp: Any) -> bool:
    """Whether xgrad can evaluate a plain function of these arrays at many points."""
    # PyTorch and JAX have a `vmap` of their own.
    return (
        is_numpy(xp)
        or array_api_compat.is_cupy_namespace(xp)
        or array_api_compat.is_array_api_strict_namespace(xp)
    )
