"""Run the code of the pages, and compare its output with the pages or write it there.

    python docs/run.py            # compare
    python docs/run.py --write    # write outputs into the pages, and pictures

The ``python`` blocks of a page form one program. A ``text`` block right after one of
them is its output: the last digits may differ, errors (``3e-13``) may differ by a
factor of 1,000, and times are not compared. Of a ``text sample`` block, whose rows
depend on rounding, only the first line has to agree. Pictures are the files that the
code saves.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import linecache
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text( sample)?\n(.*?)^```\n)?", re.M | re.S
)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.(\d*))?(e[-+]?\d+)?( m?s\b)?(?!\w)")


def pages() -> list[Path]:
    """List the pages that contain code."""
    files = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    return sorted(page for page in files if BLOCK.search(_text(page)))


def needed(page: Path) -> set[str]:
    """Return the names of the packages that the code of a page imports."""
    code = "".join(match[1] for match in BLOCK.finditer(_text(page)))
    return set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.M))


def printed(page: Path) -> Iterator[tuple[re.Match[str], str]]:
    """Run the blocks of a page in order; yield each match with its output."""
    names: dict[str, object] = {"__name__": "__page__"}
    text, where = _text(page), f"<{page.name}>"
    # Tracebacks and `inspect` find the source, at its line of the page.
    linecache.cache[where] = len(text), None, text.splitlines(True), where
    for match in BLOCK.finditer(text):
        source = "\n" * text.count("\n", 0, match.start(1)) + match[1]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(source, where, "exec"), names)
        yield match, output.getvalue()


def agrees(match: re.Match[str], output: str) -> bool:
    """Tell whether a page shows the output of a block."""
    shown = match[3] or ""
    if match[2]:
        shown, output = (text.partition("\n")[0] for text in (shown, output))
    return same(shown, output)


def same(shown: str, output: str) -> bool:
    """Tell whether two outputs differ only as those of two machines may."""
    if _words(shown) != _words(output):
        return False
    pairs = zip(NUMBER.finditer(shown), NUMBER.finditer(output), strict=True)
    return all(_close(expected, actual) for expected, actual in pairs)


def _words(text: str) -> list[str]:
    """Split a text into words, with each number replaced by ``#``."""
    return NUMBER.sub("#", text).split()


def _close(expected: re.Match[str], actual: re.Match[str]) -> bool:
    """Tell whether two numbers agree to the digits shown; times always do."""
    a, b = (float(match[0].split()[0]) for match in (expected, actual))
    decimals, power, unit = expected.groups()
    if unit:
        return True
    if power and "-" in power:  # rounding errors, which differ between processors
        return a == b or (a * b > 0 and 1e-3 < a / b < 1e3)
    last = 10.0 ** (int(power[1:] if power else 0) - len(decimals or ""))
    return abs(a - b) <= 2 * last * bool(decimals)


def write(page: Path) -> bool:
    """Write outputs that differ into the page; tell whether there were any."""
    pieces, end, text = [], 0, _text(page)
    for match, output in printed(page):
        if not agrees(match, output):
            kind = match[2] or ""
            shown = f"\n```text{kind}\n{output}```\n" if output else ""
            pieces += [text[end : match.end(1)], "```\n", shown]
            end = match.end()
    pieces.append(text[end:])
    page.write_text("".join(pieces), encoding="utf-8")
    return len(pieces) > 1


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def missing_pictures(page: Path, folder: Path) -> set[str]:
    """Names of pictures that the code saved but that the page does not show."""
    linked = set(re.findall(r"pictures/([\w-]+\.png)\)", _text(page)))
    existing = {picture.name for picture in PICTURES.iterdir()}
    return {path.name for path in folder.glob("*.png")} - (linked & existing)


def differences(page: Path) -> list[str]:
    """Run a page in a temporary folder and describe where its output differs."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        outputs = [
            f"shown:\n{match[3]}\nprinted:\n{output}"
            for match, output in printed(page)
            if not agrees(match, output)
        ]
        missing = missing_pictures(page, Path(name))
    return outputs + [f"the picture {picture} is not shown" for picture in missing]


def main() -> int:
    """Compare or write the pages; return the number of those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the outputs")
    parser.add_argument("names", nargs="*", help="only these pages, without `.md`")
    options = parser.parse_args()
    if unknown := {*options.names} - {page.stem for page in pages()}:
        parser.error(f"no page with code is called {', '.join(sorted(unknown))}")
    os.environ["XGRAD_BACKEND"] = "numpy"
    os.environ["MPLBACKEND"] = "Agg"
    differ = 0
    for page in pages():
        if options.names and page.stem not in options.names:
            continue
        name = page.relative_to(DOCS.parent)
        try:
            if options.write:
                with contextlib.chdir(PICTURES):
                    changes = ["written"] if write(page) else []
            else:
                changes = differences(page)
        except ModuleNotFoundError as error:
            print(f"{name}: skipped, since {error.name} is not installed")
            continue
        print(f"{name}: {' '.join(changes) or 'as shown'}")
        differ += bool(changes)
    return differ


if __name__ == "__main__":
    sys.exit(main())
