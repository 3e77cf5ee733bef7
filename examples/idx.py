"""Read IDX files, the format of MNIST, without trusting their headers.

An IDX file is two zero bytes, a type code, the number of dimensions, their sizes as
big-endian uint32, and then the values in C order. It may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

GZIP = b"\x1f\x8b"
DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 4
PIECE = 2**20
NAMES = {"images": "{}-images-idx3-ubyte", "labels": "{}-labels-idx1-ubyte"}

Part = tuple[np.ndarray, np.ndarray]


def read_mnist(folder: str | Path, seed: int = 0) -> tuple[Part, Part]:
    """Return (images, labels) for training and (images, labels) for the test.

    If there are no training files, the 10,000 test rows are shuffled by ``seed`` and
    split: four fifths for training, one fifth for the test. A line on stdout says so.
    """
    train = {kind: _find(folder, "train", kind) for kind in NAMES}
    test = {kind: _find(folder, "t10k", kind) for kind in NAMES}
    _require(folder, "t10k", test)
    if all(train.values()):
        return _read_part(train), _read_part(test)
    return _split(*_read_part(test), seed)


def read_idx(path: str | Path) -> np.ndarray:
    """Return the array in an IDX file, writable and in this machine's byte order.

    Raises ``ValueError``, which names the file, unless it holds exactly one array.
    """
    with _opened(Path(path)) as file:
        dtype, sizes = _header(path, file)
        count = dtype.itemsize * math.prod(sizes)
        payload = _payload(path, file, count)
    values = np.frombuffer(payload, dtype).reshape(sizes)
    return values.astype(dtype.newbyteorder("="), copy=False)


# One file


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, and unpack it if it begins like gzip."""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: broken gzip stream: {error}") from error


def _header(path: str | Path, file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    magic = _read(file, 4)
    if len(magic) < 4:
        raise ValueError(
            f"{path}: the header is cut short: 4 bytes expected, {len(magic)} found"
        )
    zeros, code, ndim = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0":
        raise ValueError(
            f"{path}: an IDX file begins with two zero bytes, this one with "
            f"{zeros.hex(' ')}"
        )
    if code not in DTYPES:
        known = ", ".join(f"{known:02x}" for known in DTYPES)
        raise ValueError(f"{path}: type code {code:02x}, but IDX knows {known}")
    if not 1 <= ndim <= MOST_DIMENSIONS:
        raise ValueError(
            f"{path}: {ndim} dimensions, but 1 to {MOST_DIMENSIONS} are supported"
        )
    return np.dtype(DTYPES[code]), _sizes(path, file, ndim)


def _sizes(path: str | Path, file: BinaryIO, ndim: int) -> tuple[int, ...]:
    sizes = _read(file, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(
            f"{path}: the header is cut short: {4 + 4 * ndim} bytes expected, "
            f"{4 + len(sizes)} found"
        )
    return tuple(np.frombuffer(sizes, ">u4").tolist())


def _payload(path: str | Path, file: BinaryIO, count: int) -> bytearray:
    # Reading one byte more than promised shows whether the file goes on, without
    # unpacking all of a hostile stream. It also takes gzip to the end of the stream,
    # where the checksum is compared.
    payload = _read(file, count + 1)
    if len(payload) < count:
        raise ValueError(
            f"{path}: the values are cut short: {count} bytes expected, "
            f"{len(payload)} found"
        )
    if len(payload) > count:
        raise ValueError(
            f"{path}: trailing bytes: the header promises {count} bytes of values, "
            "but the file goes on"
        )
    return payload


def _read(file: BinaryIO, count: int) -> bytearray:
    """Read at most ``count`` bytes, fewer at the end of the file.

    It reads piece by piece, so that a false header cannot make it reserve more memory
    than there are bytes in the file.
    """
    found = bytearray()
    while len(found) < count:
        piece = file.read(min(PIECE, count - len(found)))
        if not piece:
            break
        found += piece
    return found


# MNIST


def _find(folder: str | Path, part: str, kind: str) -> Path | None:
    plain = Path(folder) / NAMES[kind].format(part)
    packed = plain.with_name(f"{plain.name}.gz")
    return next((path for path in (plain, packed) if path.is_file()), None)


def _require(folder: str | Path, part: str, found: dict[str, Path | None]) -> None:
    missing = [NAMES[kind].format(part) for kind, path in found.items() if path is None]
    if missing:
        wanted = " and ".join(f"{name}[.gz]" for name in missing)
        raise FileNotFoundError(f"{folder}: looked for {wanted}, found no such file")


def _read_part(paths: dict[str, Path]) -> Part:
    images, labels = read_idx(paths["images"]), read_idx(paths["labels"])
    _require_bytes(paths["images"], "images", images, 3)
    _require_bytes(paths["labels"], "labels", labels, 1)
    if len(images) != len(labels):
        raise ValueError(
            f"{paths['images']} holds {len(images)} images, but {paths['labels']} "
            f"{len(labels)} labels"
        )
    bad = np.flatnonzero(labels > 9)
    if bad.size:
        raise ValueError(
            f"{paths['labels']}: labels are 0 to 9, but labels[{bad[0]}] is "
            f"{labels[bad[0]]}"
        )
    return images, labels


def _require_bytes(path: Path, what: str, values: np.ndarray, ndim: int) -> None:
    if values.dtype != np.uint8 or values.ndim != ndim:
        raise ValueError(
            f"{path}: {what} must be uint8 with {ndim} dimension(s), but are "
            f"{values.dtype} with {values.ndim}"
        )


def _split(images: np.ndarray, labels: np.ndarray, seed: int) -> tuple[Part, Part]:
    order = np.random.default_rng(seed).permutation(len(images))
    train, test = np.split(order, [len(order) * 4 // 5])
    print(
        "No training files, only t10k: its rows were shuffled and split, "
        f"{len(train):,} to train with and {len(test):,} to test."
    )
    return (images[train], labels[train]), (images[test], labels[test])
