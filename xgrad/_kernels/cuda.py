"""CUDA sources of the kernels of CuPy, made of the ``.cu`` files next to this module.

CuPy is not imported here. A source begins with the types and macros that its file
expects, which the comment at the top of the file explains.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple


class FloatFormat(NamedTuple):
    """The types in which a kernel stores the numbers of a dtype and computes."""

    kind: int  # the macro KIND
    stored: str
    real: str
    eps: float


FLOATS = {
    "float16": FloatFormat(1, "unsigned short", "float", 2.0**-10),
    "bfloat16": FloatFormat(2, "unsigned short", "float", 2.0**-7),
    "float32": FloatFormat(0, "float", "float", 2.0**-23),
    "float64": FloatFormat(0, "double", "double", 2.0**-52),
}
INTEGERS = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
}
# Entries that a thread reads before it uses the first of them, AHEAD in the sources: 32
# bytes of float32, two of the largest loads, which are on their way together.
AHEAD = 8


def rows_source(loss: int, kind: str, label: str, team: int, vector: bool) -> str:
    """Return the source of losses and slopes of rows of classes."""
    head = f"typedef {INTEGERS[label]} Label;\n#define TEAM {team}\n"
    head += f"#define VECTOR {int(vector)}\n#define LOSS {loss}\n"
    return _float_source("rows", kind, head)


def errors_source(loss: int, kind: str) -> str:
    """Return the source of losses and slopes of the error of each element."""
    return _float_source("errors", kind, f"#define LOSS {loss}\n")


def finish_source(kind: str) -> str:
    """Return the source of the sum of what the blocks of another kernel left."""
    return _float_source("", kind, "")


def points_source(kind: str) -> str:
    """Return the source of the perturbed points of a derivative."""
    return _float_source("points", kind, "")


def pairs_source(left: str, right: str) -> str:
    """Return the source of counts of pairs of labels."""
    head = f"typedef {INTEGERS[left]} Left;\ntypedef {INTEGERS[right]} Right;\n"
    return head + _read("pairs")


def _float_source(name: str, kind: str, head: str) -> str:
    number, stored, real, _ = FLOATS[kind]
    types = f"typedef {stored} Stored;\ntypedef {real} Real;\n#define KIND {number}\n"
    # `finish` stands in `common`.
    return types + head + _read("common") + (_read(name) if name else "")


@functools.cache
def _read(name: str) -> str:
    return Path(__file__).with_name(f"{name}.cu").read_text(encoding="utf-8")
