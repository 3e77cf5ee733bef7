"""Locks of checkpoint files, which the system takes back when a process ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# Descriptors of locks. A process that is forked, as those of pools are, inherits them
# and would hold the locks for as long as it lives.
_descriptors: set[int] = set()


def _close_inherited() -> None:
    for descriptor in _descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def sibling(path: Path, purpose: str) -> Path:
    """Return the name of a file beside a checkpoint that serves a purpose of xgrad."""
    return path.with_name(f"{path.name}.xgrad-{purpose}")


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Lock a file for this call, by a file beside it; raise if another call has it."""
    lock = sibling(path, "lock")
    try:
        descriptor = _acquire(lock)
    except FileNotFoundError:
        raise ValueError(
            f"`checkpoint` must lie in a folder that exists; got {str(path)!r}"
        ) from None
    if descriptor is None:
        raise ValueError(
            f"`checkpoint` {str(path)!r} is in use by another process or call: wait "
            "for it, or give another name"
        )
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        _descriptors.discard(descriptor)
        # Windows removes no open file. Elsewhere it is removed while it is locked: a
        # call that locks it between closing and removing would lose it.
        if os.name == "nt":
            os.close(descriptor)
        with contextlib.suppress(OSError):
            lock.unlink()
        if os.name != "nt":
            os.close(descriptor)


def _acquire(path: Path) -> int | None:
    """Open and lock a file; return its descriptor, or None if another call has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock_descriptor(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise ValueError(
                f"`checkpoint` needs a folder in which files can be locked ({error}): "
                "choose another one, for example on a local disk"
            ) from error
        # The call that had the lock before may just have removed this file.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _lock_descriptor(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
