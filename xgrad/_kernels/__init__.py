"""Optional fast paths for one array library each, looked up by name.

A kernel computes a loss in one or two passes over its arguments. It takes
``(prediction, target, *, wanted, reduction, check, is_perturbed)`` and the numbers
among the loss's options, and returns the value and the gradient as the plain formulas
would, to rounding; ``wanted`` is ``"value"``, ``"slope"`` or ``"both"``, and
``is_perturbed`` says that the caller did not choose the prediction. It returns None
where it has no answer, or where a value breaks a rule: the formulas then compute it, or
raise.

Nothing depends on a kernel. Without its module, or with ``XGRAD_KERNELS=0`` in the
environment of the process, everything is computed by the formulas.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

from xgrad._arrays import is_cupy, is_numpy


@functools.lru_cache(maxsize=256)
def find_kernel(name: str, xp: Any, dtype: Any) -> Callable[..., Any] | None:
    """The kernel for a loss, or ``"confusion_counts"``; None where there is none."""
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
        if error.name != module:
            raise
        return None
    found: Callable[..., Any] | None = kernels.find(name, dtype)
    return found
