"""``python -m xgrad``: the table of backends."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from importlib.metadata import version

from xgrad import __version__
from xgrad._arrays import (
    BACKEND_VARIABLE,
    Backend,
    BackendUnavailable,
    backend_name,
    backends,
    namespace,
)
from xgrad._kernels import why_not_compiled

COMMANDS = """\
{program} demo                          show the lesson on loss functions
{program} check module:f module:grad    check a gradient of yours (--help)
{program} versions                      print what the report of a fault needs
"""
# A narrower terminal would leave no room for reasons.
LEAST_WIDTH = 60


def print_overview(program: str) -> int:
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
    print(why_no_gpu(all_backends), end="")
    print(f"{_compiled()}\n")
    print(COMMANDS.format(program=program), end="")
    return 0


def why_no_gpu(all_backends: Sequence[Backend]) -> str:
    """Return a line that says why the GPU is not used, or "" if it is."""
    gpu = next(backend for backend in all_backends if backend.name == "cupy")
    if not gpu.available:
        return f"The GPU is not used: {gpu.reason}.\n"
    if backend_name(namespace()) != "cupy":
        return f"The GPU is not used: {BACKEND_VARIABLE} says otherwise.\n"
    return ""


def _compiled() -> str:
    """Return a line that says whether losses of large NumPy arrays are compiled."""
    reason = why_not_compiled()
    if reason:
        return f"Losses of NumPy arrays are not compiled: {reason}."
    return f"Losses of large NumPy arrays are compiled by numba {version('numba')}."


def _table(all_backends: Sequence[Backend]) -> str:
    """Lay out the backends in aligned columns; reasons continue on further lines."""
    rows = [("backend", "version", "usable", "devices")]
    for backend in all_backends:
        usable = "yes" if backend.available else "no"
        devices = ", ".join(backend.devices) or backend.reason
        rows.append((backend.name, backend.version or "-", usable, devices))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    room = max(shutil.get_terminal_size().columns, LEAST_WIDTH)
    return "\n".join(
        textwrap.fill(
            row[3],
            room,
            initial_indent="".join(
                f"{cell:{width}}  " for cell, width in zip(row, widths, strict=False)
            ),
            subsequent_indent=" " * (sum(widths) + 2 * len(widths)),
        )
        for row in rows
    )
