"""Finding the kernel of a loss for a library and a dtype."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from xgrad._arrays import LOG, is_cupy, is_numpy


# Room for each of 20 kernels in 8 dtypes, for both libraries.
@functools.lru_cache(maxsize=512)
def find_kernel(name: str, xp: Any, dtype: Any) -> Callable[..., Any] | None:
    """Return a kernel; None if there is none for this library and dtype.

    ``name`` is that of a loss, perhaps after "weighted_", or one of those in the tables
    of the modules. If two modules have the kernel, the second one computes what the
    first one does not.

    The environment variable ``XGRAD_KERNELS`` is read when a name is asked for with a
    namespace and dtype for the first time, and the answer stays for the life of the
    process. "0" means that there are no kernels, "numpy" that none is compiled by
    numba, and "numba" that these are compiled for arrays of any size, not for large
    ones only. Set it before the first loss; a later change has an effect on those names
    alone that have not been asked for.
    """
    setting = os.environ.get("XGRAD_KERNELS")
    modules: tuple[str, ...] = ()
    if is_numpy(xp):
        modules = ("numpy",) if setting == "numpy" else ("numba", "numpy")
    elif is_cupy(xp):
        modules = ("cupy",)
    if setting == "0":
        return None
    kernels = [
        kernel
        for module in modules
        if (kernel := _find_in(f"xgrad._kernels.{module}", name, dtype)) is not None
    ]
    if len(kernels) == 2:
        return functools.partial(_first_answer, *kernels)
    if not kernels and modules:
        LOG.debug("no kernel %r for %s: it is computed by the formulas", name, dtype)
    return kernels[0] if kernels else None


def _find_in(module: str, name: str, dtype: Any) -> Callable[..., Any] | None:
    try:
        kernels = importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The module itself may be left out; one that it imports must not be missing.
        if error.name != module:
            raise
        return None
    kernel: Callable[..., Any] | None = kernels.find(name, dtype)
    return kernel


def _first_answer(
    first: Callable[..., Any],
    second: Callable[..., Any],
    *arguments: Any,
    **settings: Any,
) -> Any:
    """Return what the first kernel computes, or else the second one."""
    answer = first(*arguments, **settings)
    return second(*arguments, **settings) if answer is None else answer


@functools.cache
def is_numba_installed() -> bool:
    """Return whether there is a numba, without importing it."""
    return importlib.util.find_spec("numba") is not None


@functools.cache
def why_not_compiled() -> str:
    """Import numba; return why no kernel is compiled, or an empty string."""
    setting = os.environ.get("XGRAD_KERNELS")
    if setting in ("0", "numpy"):
        return f"XGRAD_KERNELS is {setting}"
    if not is_numba_installed():
        return "numba is not installed; `pip install 'xgrad[fast]'`"
    try:
        numba = importlib.import_module("numba")
    except Exception as error:  # such as that of a version made for an older NumPy
        return f"numba cannot be imported: {error}"
    return "NUMBA_DISABLE_JIT is set" if numba.config.DISABLE_JIT else ""
