"""Run the code of the pages, and compare or write what it prints and draws.

    python docs/run.py            # compare
    python docs/run.py --write    # write outputs into the pages, pictures beside them

Blocks of a page marked ``python`` are one program, in their order. A block marked
``text`` right behind one is what that one prints: the last digits may differ, errors
(``3e-13``) by a factor, and times wholly. Of a block marked ``text sample``, whose rows
depend on rounding, only the first line has to agree. Pictures are files that the code
saves.
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
    """All pages that hold code."""
    found = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    return sorted(page for page in found if BLOCK.search(_text(page)))


def needed(page: Path) -> set[str]:
    """The modules that the code of a page imports, without their submodules."""
    code = "".join(match[1] for match in BLOCK.finditer(_text(page)))
    return set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.M))


def printed(page: Path) -> Iterator[tuple[re.Match[str], str]]:
    """Each block of code of a page, and what it prints."""
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
    """Whether a page shows what its code prints."""
    shown = match[3] or ""
    if match[2]:
        shown, output = (text.partition("\n")[0] for text in (shown, output))
    return same(shown, output)


def same(shown: str, output: str) -> bool:
    """Whether two outputs agree as far as those of two machines do."""
    if _words(shown) != _words(output):
        return False
    pairs = zip(NUMBER.finditer(shown), NUMBER.finditer(output), strict=True)
    return all(_close(wanted, found) for wanted, found in pairs)


def _words(text: str) -> list[str]:
    """What stands between the numbers."""
    return NUMBER.sub("#", text).split()


def _close(wanted: re.Match[str], found: re.Match[str]) -> bool:
    a, b = (float(match[0].split()[0]) for match in (wanted, found))
    decimals, power, unit = wanted.groups()
    if unit:
        return True
    if power and "-" in power:  # rounding, which is another one on other processors
        return a == b or (a * b > 0 and 1e-3 < a / b < 1e3)
    last = 10.0 ** (int(power[1:] if power else 0) - len(decimals or ""))
    return abs(a - b) <= 2 * last * bool(decimals)


def write(page: Path) -> bool:
    """Write outputs that differ into the page; whether there are any."""
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
    """Pictures that the code saved in a folder, and that the page does not show."""
    shown = set(re.findall(r"pictures/([\w-]+\.png)\)", _text(page)))
    kept = {picture.name for picture in PICTURES.iterdir()}
    return {path.name for path in folder.glob("*.png")} - (shown & kept)


def differences(page: Path) -> list[str]:
    """What a page shows otherwise than its code does, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        found = [
            f"shown:\n{match[3]}\nprinted:\n{output}"
            for match, output in printed(page)
            if not agrees(match, output)
        ]
        missing = missing_pictures(page, Path(name))
    return found + [f"the picture {picture} is not shown" for picture in missing]


def main() -> int:
    """The number of pages that differ from what their code prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write what differs")
    parser.add_argument("names", nargs="*", help="some pages alone, by their names")
    options = parser.parse_args()
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
                    found = ["written"] if write(page) else []
            else:
                found = differences(page)
        except ModuleNotFoundError as error:
            print(f"{name}: left out, since {error.name} is not installed")
            continue
        print(f"{name}: {' '.join(found) or 'as shown'}")
        differ += bool(found)
    return differ


if __name__ == "__main__":
    sys.exit(main())
