"""Finding the kernel of a loss for a library and a dtype."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

from xgrad._arrays import LOG, is_cupy, is_numpy


# Room for each of 8 kernels in 8 dtypes, for both libraries twice.
@functools.lru_cache(maxsize=256)
def find_kernel(name: str, xp: Any, dtype: Any) -> Callable[..., Any] | None:
    """Return a kernel; None if there is none for this library and dtype.

    ``name`` is that of a loss, or "matches", "confusion_counts", "perturbed_points" or
    "sort_groups".

    The environment variable ``XGRAD_KERNELS`` is read when a name is asked for with a
    namespace and dtype for the first time, and the answer stays for the life of the
    process: "0" means that there are no kernels, and any other value, like none, that
    there are. Set it before the first loss; a later change has an effect on those names
    alone that have not been asked for.
    """
    if os.environ.get("XGRAD_KERNELS") == "0":
        return None
    if is_numpy(xp):
        module = "xgrad._kernels.numpy"
    elif is_cupy(xp):
        module = "xgrad._kernels.cupy"
    else:
        return None
    try:
        kernels = importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The module itself may be left out; one that it imports must not be missing.
        if error.name != module:
            raise
        return None
    kernel: Callable[..., Any] | None = kernels.find(name, dtype)
    if kernel is None:
        LOG.debug("no kernel %r for %s: it is computed by the formulas", name, dtype)
    return kernel
