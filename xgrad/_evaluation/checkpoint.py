"""The checkpoint of a long call: finished chunks in a file, so that it can go on there.

A call that goes on evaluates ``f(x)`` again, to verify that the function is the same,
and makes its passes over the points in the same order as the first one.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xgrad._arrays import Array, float_info, from_host, is_lazy, to_numpy
from xgrad._evaluation.agreement import agree, finite_size
from xgrad._evaluation.checkpoint_file import (
    Contents,
    Pass,
    read_contents,
    write_contents,
)
from xgrad._evaluation.checkpoint_key import pass_key
from xgrad._evaluation.checkpoint_lock import lock_file
from xgrad._evaluation.function import Function
from xgrad._evaluation.hidden_axis import WAYS
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.ways import Way

# Chunks of a pass at least, if it has so many points: the chunk that a worker has begun
# when the process is killed is then below 0.4 % of a pass.
CHUNKS = 256
# Between two saves passes this many times the time that one takes, so that saving costs
# less than 5 % of a call.
PATIENCE = 20
# By so many roundings may f(x) differ from the one in the file: sums depend on how many
# threads share them. Another function differs by far more. Set by trial.
BASE_ROUNDING = 1024


class Checkpoint:
    """The file of one call, locked while it is open.

    ``safe`` is the number of evaluations in the file. A file is ``refused`` if it
    belongs to another call, and stays as it is.
    """

    def __init__(self, path: Path, call: dict[str, Any]) -> None:
        self.path = path
        self.safe = 0
        self.refused = False
        self._contents = Contents(call)
        self._next = 0
        self._changed = False
        self._saved_at, self._save_time = -math.inf, 0.0
        if path.exists():
            self._read()
            self.safe = self._contents.finished

    def agreed_base(self, xp: Any, value: Array) -> Array:
        """Return ``f(x)`` of the first call; raise if this one has another value."""
        now, base = to_numpy(value), self._contents.base
        if base is None:
            self._changed, self._contents.base = True, np.array(now)
            return value
        same = base.shape == now.shape and base.dtype == now.dtype
        if same:
            size = np.maximum(finite_size(np, now), finite_size(np, base))
            allowed = BASE_ROUNDING * float_info(xp, value.dtype).eps * size
            with np.errstate(invalid="ignore"):
                same = bool(agree(now, base, allowed).all())
        if not same:
            raise self._other_call("`f` returns something else at x")
        return from_host(xp, base, like=value, dtype=value.dtype)

    def recorded_way(self, function: Function, choose: Callable[[], Way]) -> Way:
        """Return the way that the file records for the next pass, or else choose it."""
        passes = self._contents.passes
        if function.vectorized != "auto" or self._next >= len(passes):
            return choose()
        key = passes[self._next].key
        if key["mode"] not in WAYS:
            raise self._damaged()
        return WAYS[key["mode"]](key["width"])

    def next_pass(self, way: Way, near: Neighborhood, most: int) -> Pass:
        """Return the pass that begins, in chunks as they were cut at first.

        ``most`` is the number of points that may be evaluated at once.
        """
        points, base = near.points, near.base
        key = pass_key(way, near)
        passes = self._contents.passes
        number, self._next = self._next, self._next + 1
        limit = max(1, -(-points.total // CHUNKS))
        if number == len(passes):
            passes.append(Pass(key, min(most, limit)))
        recorded = passes[number]
        self._require_same(key, recorded.key)
        if points.total:
            recorded.chunks = list(points.chunks(recorded.most))
        # Complex steps store complex values of the precision of f(x).
        dtype = to_numpy(base[:0] if base.ndim else base).dtype
        if not 1 <= recorded.most <= limit or not all(
            k < len(recorded.chunks)
            and values.shape == (*recorded.chunks[k].counts, *base.shape)
            and values.dtype in (dtype, np.result_type(dtype, np.complex64))
            for k, values in recorded.values.items()
        ):
            raise self._damaged()
        return recorded

    def store(self, one_pass: Pass, number: int, values: Array) -> None:
        """Store the values of a finished chunk, which are saved soon."""
        self._changed = True
        one_pass.values[number] = np.array(to_numpy(values), order="C")
        if time.monotonic() - self._saved_at >= PATIENCE * self._save_time:
            self.try_to_save()

    def try_to_save(self) -> bool:
        """Save all that is finished; warn and return False if that is impossible."""
        try:
            self._save()
        except OSError as error:
            # As if it had taken a second: a full disk need not be tried all the time.
            self._saved_at, self._save_time = time.monotonic(), 1.0
            warnings.warn(
                f"`checkpoint` {str(self.path)!r} could not be saved ({error})",
                RuntimeWarning,
                stacklevel=2,
            )
            return False
        return True

    def _save(self) -> None:
        if not self._changed:
            return
        started = time.monotonic()
        write_contents(self.path, self._contents)
        self._changed, self.safe = False, self._contents.finished
        self._saved_at = time.monotonic()
        self._save_time = self._saved_at - started

    def _read(self) -> None:
        with self.path.open("rb") as file:
            try:
                contents = read_contents(file)
            # A damaged file may lead to any exception of reading.
            except Exception as error:
                raise self._damaged() from error
        self._require_same(self._contents.call, contents.call)
        self._contents = replace(contents, call=self._contents.call)

    def _require_same(self, key: dict[str, Any], recorded: dict[str, Any]) -> None:
        changed = [name for name in key if key[name] != recorded.get(name)]
        if changed:
            raise self._other_call(f"its {' and '.join(changed)} differ")

    def _damaged(self) -> ValueError:
        self.refused = True
        return ValueError(
            f"`checkpoint` {str(self.path)!r} is not a checkpoint of xgrad, or is "
            "damaged: give another name, or delete the file to begin anew"
        )

    def _other_call(self, difference: str) -> ValueError:
        self.refused = True
        return ValueError(
            f"`checkpoint` {str(self.path)!r} belongs to another call ({difference}): "
            "give another name, or delete the file to begin anew"
        )


@contextlib.contextmanager
def open_checkpoint(
    path: Any, call: dict[str, Any], function: Function
) -> Iterator[Checkpoint]:
    """Yield the checkpoint of a call, and save it however the call ends.

    ``call`` is the `call_key`: a file with another one is refused.
    """
    if is_lazy(function.xp, function.leaves[0]):
        raise TypeError(
            "`checkpoint` keeps values, which a lazy array does not have yet: compute "
            "it first"
        )
    text = os.fspath(path)
    if not Path(text).name or "\0" in text or Path(text).is_dir():
        raise ValueError(f"`checkpoint` must be the name of a file; got {text!r}")
    # Absolute from now on, since `f` may change the directory.
    path = Path(os.path.realpath(text))
    with lock_file(path):
        checkpoint = Checkpoint(path, call)
        try:
            yield checkpoint
        # An interruption as well: it is raised again.
        except BaseException as error:
            if checkpoint.refused:
                raise
            checkpoint.try_to_save()
            error.add_note(
                f"{checkpoint.safe} evaluations are safe in {str(path)!r}: the same "
                "call goes on from there"
            )
            raise
        checkpoint.try_to_save()
