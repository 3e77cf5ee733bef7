"""Files of checkpoints: reading them safely, and locking them."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np


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


# Descriptors of locks. A process that forks, as pools do, would keep them for ever.
_held: set[int] = set()


def _let_go() -> None:
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def sibling(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.xgrad-{what}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file for this process alone, until it ends in whatever way."""
    lock = sibling(path, "lock")
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
    _held.add(descriptor)
    try:
        yield
    finally:
        _held.discard(descriptor)
        if os.name == "nt":  # which removes no open file
            os.close(descriptor)
        with contextlib.suppress(OSError):
            lock.unlink()
        if os.name != "nt":
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
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise ValueError(
                f"`checkpoint` needs a folder in which files can be locked ({error}): "
                "choose another one, for example on a local disk"
            ) from error
        # Whoever had it before may have removed the file that was locked just now.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)
