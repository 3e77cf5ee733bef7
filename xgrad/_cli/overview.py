"""``python -m xgrad``: the table of backends."""

from __future__ import annotations

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
python -m xgrad demo                          show the lesson on loss functions
python -m xgrad check module:f module:grad    check a gradient of yours (--help)
"""


def print_overview() -> int:
    """Print the table of backends, the default one, and the commands.

    Return the exit code, which is 1 if the default backend cannot be used.
    """
    all_backends = backends()
    print(f"xgrad {__version__}\n")
    print(_table(all_backends))
    print()
    try:
        print(f'"auto" picks: {backend_name(namespace())}')
    except (BackendUnavailable, ValueError) as error:
        print(f'"auto" fails: {error}')
        return 1
    print(why_no_gpu(all_backends))
    print(COMMANDS, end="")
    return 0


def why_no_gpu(all_backends: Sequence[Backend]) -> str:
    """Return a line that says why the GPU is not used, or "" if it is."""
    gpu = next(backend for backend in all_backends if backend.name == "cupy")
    if not gpu.available:
        return f"The GPU is not used: {gpu.reason}.\n"
    if backend_name(namespace()) != "cupy":
        return f"The GPU is not used: {BACKEND_VARIABLE} says otherwise.\n"
    return ""


def backend_name(xp: Any) -> str:
    """Return the short name of a namespace, such as "torch"."""
    # A compatibility layer may stand around the library, under a name of its own.
    checks = {
        "numpy": array_api_compat.is_numpy_namespace,
        "cupy": array_api_compat.is_cupy_namespace,
        "torch": array_api_compat.is_torch_namespace,
        "jax": array_api_compat.is_jax_namespace,
        "dask": array_api_compat.is_dask_namespace,
    }
    return next((name for name, check in checks.items() if check(xp)), xp.__name__)


def _table(all_backends: Sequence[Backend]) -> str:
    """Lay out the backends in aligned columns; the last one may be of any width."""
    rows = [("backend", "version", "usable", "devices")]
    for backend in all_backends:
        usable = "yes" if backend.available else "no"
        devices = ", ".join(backend.devices) or backend.reason
        rows.append((backend.name, backend.version or "-", usable, devices))
    # Reasons are sentences: a width for them would only add spaces at the end of lines.
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]
        )
        for row in rows
    )
