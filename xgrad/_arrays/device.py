"""What depends on the device and the library: memory, threads, sparse matrices."""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import array_api_compat

from xgrad._array import Array, from_host, is_numpy


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


def out_of_memory(error: BaseException) -> bool:
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


def adopt_place(x: Array) -> Callable[[], None]:
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


def require_sparse(xp: Any) -> None:
    """Raise unless there are sparse matrices for the arrays of a namespace."""
    if array_api_compat.is_cupy_namespace(xp):
        return
    if is_numpy(xp):
        if importlib.util.find_spec("scipy") is None:
            raise ImportError(
                "a sparse Jacobian of NumPy arrays needs scipy: install xgrad[sparse]"
            )
        return
    raise TypeError(
        f"a sparse Jacobian needs NumPy or CuPy arrays, and x is of {xp.__name__}: "
        "convert it, or leave `sparsity` out (`gradient(..., terms=True)` takes it for "
        "every library)"
    )


@functools.lru_cache(maxsize=16)
def _empty_matrix(shape: tuple[int, int]) -> Any:
    from scipy.sparse import csr_array

    return csr_array(shape)


def sparse_matrix(
    xp: Any, data: Array, indices: Any, pointers: Any, shape: tuple[int, int]
) -> Any:
    """A matrix stored by rows: of scipy for NumPy, of cupyx for CuPy."""
    if is_numpy(xp):
        # Filled into a copy of an empty one: what the pattern is was checked when it
        # was made. The pattern is copied too, since the caller may change the matrix.
        matrix = copy.copy(_empty_matrix(shape))
        matrix.data = data
        matrix.indices, matrix.indptr = indices.copy(), pointers.copy()
        return matrix
    from cupyx.scipy.sparse import csr_matrix

    pattern = (from_host(xp, a, like=data) for a in (indices, pointers))
    return csr_matrix((data, *pattern), shape=shape)
