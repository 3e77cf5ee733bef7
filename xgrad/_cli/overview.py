"""The table of backends, and the lesson on one of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import array_api_compat

from xgrad import __version__
from xgrad._arrays import (
    BACKEND_VARIABLE,
    Backend,
    BackendUnavailable,
    backends,
    namespace,
)

COMMANDS = """\
python -m xgrad demo                          the lesson on loss functions, right here
python -m xgrad check module:f module:grad    check a gradient of yours (--help)
"""


def overview() -> int:
    """Print the table of backends."""
    found = backends()
    print(f"xgrad {__version__}\n")
    print(_table(found))
    print()
    try:
        print(f'"auto" picks: {_name(namespace())}')
    except (BackendUnavailable, ValueError) as error:
        print(f'"auto" fails: {error}')
        return 1
    print(_why_no_gpu(found))
    print(COMMANDS, end="")
    return 0


def lesson(backend: str) -> int:
    from xgrad._cli import demo  # loads the losses

    try:
        xp = namespace(backend)
    except (BackendUnavailable, ValueError) as error:
        print(f"error: {str(error).replace('`name`', '--backend')}", file=sys.stderr)
        return 2
    print(f"arrays of {_name(xp)}", end="\n\n")
    if _name(xp) == "numpy" and backend == "auto":
        print(_why_no_gpu(backends()))
    demo.lesson(xp)
    return 0


def _why_no_gpu(found: Sequence[Backend]) -> str:
    """A line with its end, or nothing where the GPU is used."""
    gpu = next(backend for backend in found if backend.name == "cupy")
    if not gpu.available:
        return f"The GPU is not used: {gpu.reason}.\n"
    if _name(namespace()) != "cupy":
        return f"The GPU is not used: {BACKEND_VARIABLE} says otherwise.\n"
    return ""


def _name(xp: Any) -> str:
    checks = {
        "numpy": array_api_compat.is_numpy_namespace,
        "cupy": array_api_compat.is_cupy_namespace,
        "torch": array_api_compat.is_torch_namespace,
        "jax": array_api_compat.is_jax_namespace,
        "dask": array_api_compat.is_dask_namespace,
    }
    return next((name for name, check in checks.items() if check(xp)), xp.__name__)


def _table(found: Sequence[Backend]) -> str:
    rows = [("backend", "version", "usable", "devices")]
    for backend in found:
        usable = "yes" if backend.available else "no"
        what = ", ".join(backend.devices) or backend.reason
        rows.append((backend.name, backend.version or "-", usable, what))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]
        )
        for row in rows
    )
