"""``python -m xgrad``: the backends of this machine, and which one is picked."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import array_api_compat

from xgrad import __version__
from xgrad._backends import VARIABLE, Backend, BackendUnavailable, backends, namespace


def main() -> int:
    """Print the table; 1 if ``XGRAD_BACKEND`` asks for what cannot be used."""
    found = backends()
    print(f"xgrad {__version__}\n")
    print(_table(found))
    gpu = next(backend for backend in found if backend.name == "cupy")
    print()
    try:
        print(f'"auto" picks: {_picked()}')
    except (BackendUnavailable, ValueError) as error:
        print(f'"auto" fails: {error}')
        return 1
    if not gpu.available:
        print(f"The GPU is not used: {gpu.reason}.")
    elif _picked() != "cupy":
        print(f"The GPU is not used: {VARIABLE} says otherwise.")
    return 0


def _picked() -> str:
    xp = namespace()
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


if __name__ == "__main__":
    sys.exit(main())
