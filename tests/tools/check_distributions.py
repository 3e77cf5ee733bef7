"""What the wheel and the source distribution in a folder hold.

python -m build && python tests/tools/check_distributions.py dist
"""

from __future__ import annotations

import email
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a user of the sources needs besides the package.
SOURCES = {
    "CHANGELOG.md",
    "CITATION.cff",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.ko.md",
    "README.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/conf.py",
    "docs/pictures/field.png",
    "docs/tutorial.md",
    "examples/lesson.py",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/project/user_code/wrong.py",
}


def main(folder: str) -> None:
    """Raise unless both hold what they should."""
    (wheel,) = Path(folder).glob("xgrad-*.whl")
    (source,) = Path(folder).glob("xgrad-*.tar.gz")
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "xgrad").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(about))
    installed = {name for name in names if ".dist-info/" not in name}
    assert installed == package, installed ^ package
    data = {"py.typed", "losses/__init__.pyi", "_kernels/rows.cu"}
    assert {f"xgrad/{name}" for name in data} <= installed
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held >= package | SOURCES, (package | SOURCES) - held
    assert not any(name.endswith(".pyc") for name in held)
    for field in ("Summary", "Keywords", "License-Expression", "Requires-Python"):
        assert metadata[field], field
    sizes = [f"{path.name}: {path.stat().st_size:,} bytes" for path in (wheel, source)]
    print(*sizes, f"{len(installed)} files are installed", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])
