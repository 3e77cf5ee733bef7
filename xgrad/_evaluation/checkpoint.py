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
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from xgrad._arrays import Array, float_info, from_host, is_lazy, to_numpy
from xgrad._evaluation.checkpoint_file import locked, read_arrays, sibling
from xgrad._evaluation.function import Function
from xgrad._evaluation.points import Chunk, Points

FORMAT = 1
# Chunks of a pass at least, where it has so many points: what a killed process loses.
CHUNKS = 256
# Between two saves passes this many times the time that one takes.
PATIENCE = 20
# By so many units in the last place may f(x) differ: sums of several threads do.
ROUNDING = 1024


@dataclass
class Pass:
    """One pass over points: its chunks, and the values of those that are finished."""

    about: dict[str, Any]
    fitting: int  # points in a chunk at most
    chunks: list[Chunk] = field(default_factory=list)
    values: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Evaluations that need not be done again."""
        return sum(math.prod(values.shape[:2]) for values in self.values.values())


class Checkpoint:
    """The file of one call, locked while it is open."""

    def __init__(self, path: Path, call: dict[str, Any]) -> None:
        self.path = path
        self.safe = 0  # evaluations in the file
        self.refused = False  # it is not that of this call, and stays as it is
        self._call = call
        self._base: np.ndarray | None = None
        self._passes: list[Pass] = []
        self._next = 0
        self._changed = False
        self._saved_at, self._save_time = -math.inf, 0.0
        if path.exists():
            with path.open("rb") as file:
                self._read(file)
            self.safe = self._finished

    # What a call does with it

    def base(self, xp: Any, found: Array) -> Array:
        """``f(x)`` as it was at first; raises where it has changed since."""
        now = to_numpy(found)
        if self._base is None:
            self._changed, self._base = True, np.array(now)
            return found
        same = self._base.shape == now.shape and self._base.dtype == now.dtype
        if same:
            size = np.maximum(np.abs(now), np.abs(self._base))
            allowed = ROUNDING * float_info(xp, found.dtype).eps * size
            with np.errstate(invalid="ignore"):
                near = np.abs(now - self._base) <= allowed
            near |= (now == self._base) | ((now != now) & (self._base != self._base))
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
        self, function: Function, leaf: int, points: Points, base: Array, fitting: int
    ) -> Pass:
        """The chunks of the pass that begins, as they were cut at first."""
        about = _description(function, leaf, points, tuple(base.shape))
        number, self._next = self._next, self._next + 1
        most = max(1, -(-points.total // CHUNKS))
        if number == len(self._passes):
            self._passes.append(Pass(about, min(fitting, most)))
        found = self._passes[number]
        changed = [name for name in about if about[name] != found.about[name]]
        if changed:
            raise self._other(f"its {' and '.join(changed)} differ")
        if points.total:
            found.chunks = list(points.chunks(found.fitting))
        dtype = to_numpy(base[:0] if base.ndim else base).dtype
        if not 1 <= found.fitting <= most or not all(
            k < len(found.chunks)
            and values.shape == (*_lead(found.chunks[k]), *base.shape)
            and values.dtype in (dtype, np.result_type(dtype, np.complex64))
            for k, values in found.values.items()
        ):
            raise self._damaged()
        return found

    def keep(self, part: Pass, number: int, values: Array) -> None:
        """Note the values of a finished chunk; they are saved soon."""
        self._changed = True
        part.values[number] = np.array(to_numpy(values), order="C")
        if time.monotonic() - self._saved_at >= PATIENCE * self._save_time:
            self.try_to_save()

    @property
    def _finished(self) -> int:
        return sum(part.finished for part in self._passes) + (self._base is not None)

    # The file

    def try_to_save(self) -> bool:
        """Save what is finished; warn where that cannot be, and go on."""
        try:
            self.save()
        except OSError as error:
            self._saved_at, self._save_time = time.monotonic(), 1.0
            warnings.warn(
                f"`checkpoint` {str(self.path)!r} could not be saved ({error})",
                RuntimeWarning,
                stacklevel=2,
            )
            return False
        return True

    def save(self) -> None:
        """Replace the file by one with all that is finished."""
        if not self._changed:
            return
        started = time.monotonic()
        passes = [
            {"about": part.about, "fitting": part.fitting} for part in self._passes
        ]
        about = {"format": FORMAT, "call": self._call, "passes": passes}
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        arrays: dict[str, Any] = {"about": text}
        if self._base is not None:
            arrays["base"] = self._base
        for i, part in enumerate(self._passes):
            arrays |= {f"{i}/{k}": values for k, values in part.values.items()}
        unfinished = sibling(self.path, "part")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._changed, self.safe = False, self._finished
        self._saved_at = time.monotonic()
        self._save_time = self._saved_at - started

    def _read(self, file: IO[bytes]) -> None:
        try:
            arrays = read_arrays(file)
            about = json.loads(arrays.pop("about").tobytes().decode())
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}")
            call = dict(about["call"])
            base = arrays.pop("base", None)
            passes = [
                Pass({name: part["about"][name] for name in DESCRIBED}, part["fitting"])
                for part in about["passes"]
            ]
            if not all(type(part.fitting) is int for part in passes):
                raise TypeError("points of a chunk are counted in integers")
            for name, values in arrays.items():
                i, k = map(int, name.split("/"))
                if min(i, k) < 0 or values.ndim < 2:
                    raise ValueError(f"no values of a chunk: {name}")
                passes[i].values[k] = values
        except Exception as error:  # whatever a damaged file leads to
            raise self._damaged() from error
        changed = [name for name in self._call if self._call[name] != call.get(name)]
        if changed:
            raise self._other(f"its {' and '.join(changed)} differ")
        self._base, self._passes = base, passes

    def _damaged(self) -> ValueError:
        self.refused = True
        return ValueError(
            f"`checkpoint` {str(self.path)!r} is not a checkpoint of xgrad, or is "
            "damaged: give another name, or delete the file to begin anew"
        )

    def _other(self, what: str) -> ValueError:
        self.refused = True
        return ValueError(
            f"`checkpoint` {str(self.path)!r} belongs to another call ({what}): give "
            "another name, or delete the file to begin anew"
        )


def _lead(chunk: Chunk) -> tuple[int, int]:
    return chunk.last - chunk.first, chunk.stop - chunk.start


@contextlib.contextmanager
def opened(path: Any, call: dict[str, Any], function: Function) -> Iterator[Checkpoint]:
    """The checkpoint of a call; what is finished is saved however the call ends."""
    if is_lazy(function.xp, function.leaves[0]):
        raise TypeError(
            "`checkpoint` keeps values, which a lazy array does not have yet: compute "
            "it first"
        )
    text = os.fspath(path)
    if not Path(text).name or "\0" in text or Path(text).is_dir():
        raise ValueError(f"`checkpoint` must be the name of a file; got {text!r}")
    # Once and for all: `f` may change the directory.
    path = Path(os.path.realpath(text))
    with locked(path):
        kept = Checkpoint(path, call)
        try:
            yield kept
        except BaseException as error:
            if kept.refused:
                raise
            kept.try_to_save()
            error.add_note(
                f"{kept.safe} evaluations are safe in {str(path)!r}: the same call "
                "goes on from there"
            )
            raise
        kept.try_to_save()


def description(
    about: Mapping[str, Any], function: Function, names: Sequence[str], vectorized: Any
) -> dict[str, Any]:
    """What must not change between two calls that share a checkpoint."""
    xs = [
        {
            "name": name,
            "shape": list(x.shape),
            "dtype": str(x.dtype).rpartition(".")[2],
            "values": _digest(x),
        }
        for name, x in zip(names, function.leaves, strict=True)
    ]
    return {
        **about,
        "x": xs,
        "library": function.xp.__name__,
        "vectorized": str(vectorized),
    }


DESCRIBED = ("leaf", "mode", "width", "shape", "offsets", "steps", "columns", "bounds")


def _description(
    function: Function, leaf: int, points: Points, shape: tuple[int, ...]
) -> dict[str, Any]:
    """What must not change between two passes over the same points."""
    sides = () if points.sides is None else (points.sides,)
    labels = () if points.labels is None else (points.labels,)
    found = (
        leaf,
        function.mode,
        function.width,
        list(shape),
        list(points.offsets),
        _digest(points.step),
        _digest(*points.columns, *labels),
        _digest(*(points.box or ()), *sides),
    )
    return dict(zip(DESCRIBED, found, strict=True))


def _digest(*arrays: Array) -> str:
    found = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(to_numpy(array))
        found.update(f"{values.dtype} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()
