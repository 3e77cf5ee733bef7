"""The error of whatever a stand-in cannot do, and the caller's line."""

from __future__ import annotations

import itertools
import linecache
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
# How places begin that name a function of a package.
IN = " in "
LOCAL = "<locals>"
STANDARD_LIBRARY = f"{Path(linecache.__file__).parent}{os.sep}"


class NotTraceableError(TypeError):
    """The function does something that a stand-in for an array cannot do.

    ``idiom`` is what it does, ``remedy`` what it could do instead, and ``place`` the
    line of the caller that does it, with the function of a package that it calls.
    """

    def __init__(self, idiom: str, remedy: str = "", place: str = "") -> None:
        super().__init__(f"{idiom}{place}")
        self.idiom = idiom
        self.remedy = remedy
        self.place = place


def caller_line() -> str:
    """Describe the innermost line of code on the stack that is outside of libraries."""
    # Not by `traceback`, which reads the source of every frame: functions that catch
    # errors may be refused many times.
    frame: Any = sys._getframe(1)
    called: list[Any] = []
    while frame is not None:
        if not is_library(frame.f_code.co_filename):
            return _place_of(frame, frame.f_lineno, called)
        frame, called = frame.f_back, [frame, *called]
    return ""


def line_of_caller(error: Exception) -> str:
    """Describe the innermost line outside of libraries that an error has left."""
    entry, caller = error.__traceback__, None
    called: list[Any] = []
    while entry is not None:
        called.append(entry.tb_frame)
        if not is_library(entry.tb_frame.f_code.co_filename):
            caller, called = entry, []
        entry = entry.tb_next
    return _place_of(caller.tb_frame, caller.tb_lineno, called) if caller else ""


def _place_of(frame: Any, number: int, called: Sequence[Any]) -> str:
    """Describe a line of the caller, and the function of a package that it calls.

    ``called`` are the frames inside of the caller's, from the outermost one on.
    """
    line = describe_line(frame.f_code.co_filename, number)
    own = list(
        itertools.takewhile(lambda f: not is_sealed(f.f_code.co_filename), called)
    )
    if not own:
        return line
    # Decorators make functions inside of others, which the caller does not know.
    function = next((f for f in own if LOCAL not in f.f_code.co_qualname), own[0])
    name = function.f_globals.get("__name__", "")
    if name.partition(".")[0] == "numpy":  # the idiom names its functions
        return line
    public = (part for part in name.split(".") if not part.startswith("_"))
    return f"{IN}{'.'.join(public)}.{function.f_code.co_qualname}{line}"


def is_library(filename: str) -> bool:
    """Whether code is that of xgrad, of an installed package or of Python itself."""
    return is_sealed(filename) or _is_installed(filename)


def is_sealed(filename: str) -> bool:
    """Whether code is that of xgrad or of Python itself."""
    if filename.startswith((PACKAGE, "<frozen")):
        return True
    # Installed packages lie in a folder below the modules of Python.
    return filename.startswith(STANDARD_LIBRARY) and not _is_installed(filename)


def _is_installed(filename: str) -> bool:
    # Installed packages lie in a folder of one of these names on every system.
    return "site-packages" in filename or "dist-packages" in filename


def describe_line(filename: str, number: int) -> str:
    """Describe a line of code for a message: ``" at file.py:3 (y = float(x))"``."""
    text = linecache.getline(filename, number).strip()
    return f" at {Path(filename).name}:{number}" + (f" ({text})" if text else "")
