"""Names of files in a folder that lasts as long as the tests."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory()
NUMBERS_OF_FILES = itertools.count()


def new_file(content: bytes | None = None) -> Path:
    """Name a file that does not exist, or write one with some content."""
    path = Path(FOLDER.name) / f"{next(NUMBERS_OF_FILES)}.npz"
    if content is not None:
        path.write_bytes(content)
    return path
