"""Finished chunks of a long call, kept in a file, so that a later call goes on there.

The file is an ``npz`` of plain arrays: ``about``, a description in JSON of the call and
of the passes over its points that have begun, ``base``, which is ``f(x)``, and the
values of each finished chunk. It is always replaced as a whole, never written into.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from xgrad._array import Array, float_info, from_host, is_lazy
from xgrad._backends import to_numpy
from xgrad._function import Function
from xgrad._points import Chunk, Points

FORMAT = 1
# Chunks of a pass at least, where it has so many points: what a killed process loses.
CHUNKS = 256
# Between two saves passes this many times the time that one takes.
PATIENCE = 20


class _Damaged(Exception):
    """The file is no checkpoint."""


@dataclass
class Pass:
    """One pass over points: its chunks, and the values of those that are finished."""

    about: dict[str, Any]
    chunks: list[Chunk]
    values: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def safe(self) -> int:
        """Evaluations that need not be done again."""
        return sum(self.chunks[i].size for i in self.values)


class Checkpoint:
    """The file of one call, locked while it is open."""

    def __init__(self, path: Path, call: dict[str, Any]) -> None:
        self.path = path
        self._call = call
        self._base: np.ndarray | None = None
        self._passes: list[Pass] = []
        self._next = 0
        self._changed = False
        self._saved_at, self._save_time = -np.inf, 0.0
        if path.exists():
            self._load()

    # What a call does with it

    def base(self, xp: Any, found: Array) -> Array:
        """``f(x)`` as it was at first; raises where it has changed since."""
        if self._base is None:
            self._base = np.array(to_numpy(found))
            self._changed = True
            return found
        now = to_numpy(found)
        same = self._base.shape == now.shape and self._base.dtype == now.dtype
        if same:
            eps = float_info(xp, found.dtype).eps
            size = np.max(
                np.abs(self._base), initial=0.0, where=np.isfinite(self._base)
            )
            near = np.isclose(now, self._base, 0.0, eps**0.5 * size, equal_nan=True)
            same = bool(near.all())
        if not same:
            raise self._other("`f` returns something else at x")
        return from_host(xp, self._base, like=found, dtype=found.dtype)

    def way(
        self, function: Function, base: Array, find: Callable[[], Function]
    ) -> Function:
        """The function with the way to call it that the next pass takes, or took."""
        if function.mode != "auto" or self._next >= len(self._passes):
            return find()
        about = self._passes[self._next].about
        known = base if about["mode"] != "loop" else None
        return replace(function, mode=about["mode"], width=about["width"], base=known)

    def next_pass(
        self,
        function: Function,
        leaf: int,
        points: Points,
        shape: tuple[int, ...],
        fitting: int,
    ) -> Pass:
        """The chunks of the pass that begins, as they were cut at first."""
        about = _description(function, leaf, points, shape)
        number, self._next = self._next, self._next + 1
        if number < len(self._passes):
            found = self._passes[number]
            changed = [name for name in about if about[name] != found.about.get(name)]
            if changed:
                raise self._other(f"its {' and '.join(changed)} differ")
            return found
        fitting = min(fitting, max(1, -(-points.total // CHUNKS)))
        chunks = list(points.chunks(fitting)) if points.total else []
        self._passes.append(Pass(about, chunks))
        return self._passes[-1]

    def keep(self, part: Pass, number: int, values: Array) -> None:
        """Note the values of a finished chunk; they are saved soon."""
        part.values[number] = np.array(to_numpy(values))
        self._changed = True
        if time.monotonic() - self._saved_at >= PATIENCE * self._save_time:
            self.save()

    @property
    def safe(self) -> int:
        """Evaluations that need not be done again."""
        return sum(part.safe for part in self._passes) + (self._base is not None)

    # The file

    def save(self) -> None:
        """Replace the file by one with all that is finished."""
        if not self._changed:
            return
        started = time.monotonic()
        passes = [
            {"about": part.about, "edges": [_edges(chunk) for chunk in part.chunks]}
            for part in self._passes
        ]
        about = {"format": FORMAT, "call": self._call, "passes": passes}
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        arrays: dict[str, Any] = {"about": text}
        if self._base is not None:
            arrays["base"] = self._base
        for i, part in enumerate(self._passes):
            arrays |= {f"{i}/{k}": values for k, values in part.values.items()}
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._changed = False
        self._saved_at = time.monotonic()
        self._save_time = self._saved_at - started

    def _load(self) -> None:
        with self.path.open("rb") as file:
            self._read(file)

    def _read(self, file: IO[bytes]) -> None:
        try:
            arrays = read_arrays(file)
            about = json.loads(arrays["about"].tobytes().decode())
            if about["format"] != FORMAT:
                raise _Damaged
            call = about["call"]
            passes = [
                Pass(part["about"], [Chunk(*map(int, e)) for e in part["edges"]])
                for part in about["passes"]
            ]
            for name in arrays.keys() - {"about", "base"}:
                i, k = map(int, name.split("/"))
                values, chunk = arrays[name], passes[i].chunks[k]
                lead = chunk.last - chunk.first, chunk.stop - chunk.start
                if values.shape != (*lead, *passes[i].about["shape"]):
                    raise _Damaged
                passes[i].values[k] = values
        except Exception as error:  # whatever a damaged file leads to
            raise ValueError(
                f"`checkpoint` {str(self.path)!r} is not a checkpoint of xgrad, or is "
                "damaged: give another name, or delete the file to begin anew"
            ) from error
        changed = [name for name in self._call if self._call[name] != call.get(name)]
        if changed:
            raise self._other(f"its {' and '.join(changed)} differ")
        self._base, self._passes = arrays.get("base"), passes

    def _other(self, what: str) -> ValueError:
        return ValueError(
            f"`checkpoint` {str(self.path)!r} belongs to another call ({what}): give "
            "another name, or delete the file to begin anew"
        )


def read_arrays(file: IO[bytes]) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed ``npz``, none of which claims more than there is.

    Pickles are refused. Raises `ValueError`, `zipfile.BadZipFile` or another exception
    of reading where the file is damaged.
    """
    arrays = {}
    length = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > length:
            raise ValueError("the arrays claim to be longer than the file")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            with archive.open(member) as part:
                version = np.lib.format.read_magic(part)
                if version != (1, 0):
                    raise ValueError("an array of another version")
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(part)
                left = part.read()
            count = math.prod(shape)
            if dtype.hasobject or count < 0 or count * dtype.itemsize != len(left):
                raise ValueError(f"{member.filename} has another length than it says")
            array = np.frombuffer(left, dtype)
            name = member.filename.removesuffix(".npy")
            arrays[name] = array.reshape(shape, order="F" if fortran else "C")
    return arrays


@contextlib.contextmanager
def opened(path: Any, call: dict[str, Any], function: Function) -> Iterator[Checkpoint]:
    """The checkpoint of a call; what is finished is saved however the call ends."""
    if is_lazy(function.xp, function.leaves[0]):
        raise TypeError(
            "`checkpoint` keeps values, which a lazy array does not have yet: compute "
            "it first"
        )
    path = Path(path)
    if not path.name or "\0" in str(path) or path.is_dir():
        raise ValueError(
            f"`checkpoint` must be the name of a file; got {os.fspath(path)!r}"
        )
    with _locked(path):
        kept = Checkpoint(path, call)
        try:
            yield kept
        except BaseException as error:
            kept.save()
            error.add_note(
                f"{kept.safe} evaluations are safe in {str(path)!r}: the same call "
                "goes on from there"
            )
            raise
        kept.save()


def description(kind: str, function: Function, plan: Any) -> dict[str, Any]:
    """What must not change between two calls that share a checkpoint."""
    xs = [
        {"shape": list(x.shape), "dtype": _name(x.dtype), "values": _digest(x)}
        for x in function.leaves
    ]
    return {
        "function": kind,
        "x": xs,
        "library": function.xp.__name__,
        "method": plan.method,
        "accuracy": None if plan.accuracy is None else int(plan.accuracy),
        "axis": plan.axis,
        "terms": plan.terms,
        "full_output": plan.full_output,
    }


def _description(
    function: Function, leaf: int, points: Points, shape: tuple[int, ...]
) -> dict[str, Any]:
    box = points.box or ()
    return {
        "leaf": leaf,
        "mode": function.mode,
        "width": function.width,
        "shape": list(shape),
        "offsets": list(points.offsets),
        "steps": _digest(points.step),
        "columns": _digest(*points.columns),
        "bounds": _digest(*box, *(() if points.sides is None else (points.sides,))),
    }


def _edges(chunk: Chunk) -> list[int]:
    return [chunk.start, chunk.stop, chunk.first, chunk.last]


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _digest(*arrays: Array) -> str:
    found = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(to_numpy(array))
        found.update(f"{values.dtype} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()


# One process at a time


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The file for this process alone, until it ends in whatever way."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = _lock(lock)
    except FileNotFoundError:
        raise ValueError(
            f"`checkpoint` must lie in a folder that exists; got {str(path)!r}"
        ) from None
    if descriptor is None:
        raise ValueError(
            f"`checkpoint` {str(path)!r} is in use by another process or call: wait "
            "for it, or give another name"
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    """A descriptor whose lock the system takes back when the process ends, or None."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        # Whoever had it before may have removed the file that was locked just now.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)
