"""The error of whatever a stand-in cannot do, and the caller's line."""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path
from typing import Any

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
STANDARD_LIBRARY = f"{Path(linecache.__file__).parent}{os.sep}"


class NotTraceableError(TypeError):
    """The function does something that a stand-in for an array cannot do.

    ``idiom`` is what it does, ``remedy`` what it could do instead, and ``place`` the
    line of the caller that does it.
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
    while frame is not None:
        if not is_library(frame.f_code.co_filename):
            return describe_line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


def line_of_caller(error: Exception) -> str:
    """Describe the innermost line outside of libraries that an error has left."""
    frame, line = error.__traceback__, ""
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if not is_library(name):
            line = describe_line(name, frame.tb_lineno)
        frame = frame.tb_next
    return line


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
