"""The format of checkpoint files, which are read without trust in what they hold.

A file is an ``npz`` of plain arrays. ``about`` describes, in JSON, the call and the
passes over its points that have begun; ``base`` is ``f(x)``, and ``i/k`` holds the
values of chunk ``k`` of pass ``i``. A file is replaced as a whole, never written into.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from xgrad._evaluation.checkpoint_key import PASS_NAMES
from xgrad._evaluation.checkpoint_lock import sibling
from xgrad._evaluation.chunk import Chunk

# The version of the format: files with another one are refused.
FORMAT = 1


@dataclass(eq=False)
class Pass:
    """One pass over points: its `pass_key`, its chunks, and their values if finished.

    A chunk has at most ``most`` points.
    """

    key: dict[str, Any]
    most: int
    chunks: list[Chunk] = field(default_factory=list)
    values: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Number of evaluations that need not be made again."""
        return sum(math.prod(values.shape[:2]) for values in self.values.values())


@dataclass(eq=False)
class Contents:
    """The contents of a file: the `call_key`, ``f(x)`` and the passes in order."""

    call: dict[str, Any]
    base: np.ndarray | None = None
    passes: list[Pass] = field(default_factory=list)

    @property
    def finished(self) -> int:
        """Number of evaluations that need not be made again."""
        return sum(one.finished for one in self.passes) + (self.base is not None)


def write_contents(path: Path, contents: Contents) -> None:
    """Replace a file by one with these contents, or leave it as it is."""
    passes = [{"about": one.key, "fitting": one.most} for one in contents.passes]
    about = {"format": FORMAT, "call": contents.call, "passes": passes}
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    arrays: dict[str, Any] = {"about": text}
    if contents.base is not None:
        arrays["base"] = contents.base
    for i, one in enumerate(contents.passes):
        arrays |= {f"{i}/{k}": values for k, values in one.values.items()}
    unfinished = sibling(path, "part")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
            # On the disk before it takes the place of the old file: after a crash there
            # is one of them, complete.
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read_contents(file: IO[bytes]) -> Contents:
    """Read a file; a damaged one raises some exception."""
    arrays = read_arrays(file)
    about = json.loads(arrays.pop("about").tobytes().decode())
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']}")
    passes = [
        Pass({name: one["about"][name] for name in PASS_NAMES}, one["fitting"])
        for one in about["passes"]
    ]
    # JSON has floats and booleans as well, which would fail later on.
    if not all(type(one.most) is int for one in passes):
        raise TypeError("the number of points in a chunk is not an integer")
    base = arrays.pop("base", None)
    for name, values in arrays.items():
        i, k = map(int, name.split("/"))
        if min(i, k) < 0 or values.ndim < 2:
            raise ValueError(f"{name} does not hold the values of a chunk")
        passes[i].values[k] = values
    return Contents(dict(about["call"]), base, passes)


def read_arrays(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Read the arrays of an uncompressed ``npz``, none longer than the file says.

    Pickles are refused. A damaged file raises `ValueError`, `zipfile.BadZipFile` or
    another exception of reading.
    """
    arrays = {}
    length = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # Before anything is read: a damaged length could claim all memory.
        if sum(member.file_size for member in members) > length:
            raise ValueError("the arrays claim to be longer than the file")
        for member in members:
            name = member.filename.removesuffix(".npy")
            arrays[name] = _read_array(archive, member)
    return arrays


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member.filename} is an array of another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        data = file.read()
    count = math.prod(shape)
    # Objects are pickles, which could run any code.
    if dtype.hasobject or count < 0 or count * dtype.itemsize != len(data):
        raise ValueError(f"{member.filename} has another length than it says")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
