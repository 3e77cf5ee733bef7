"""Run the code of the pages, and compare or write what it prints and draws.

    python docs/run.py            # compare
    python docs/run.py --write    # write outputs into the pages, pictures beside them

Blocks of a page marked ``python`` are one program, in their order. A block marked
``text`` right behind one is what that one prints: the last digits may differ, errors
(``3e-13``) by a factor, and times wholly. Pictures are files that the code saves.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import linecache
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
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
    text = _text(page)
    for match in BLOCK.finditer(text):
        # Tracebacks and `inspect` find the source, at its line of the page.
        first = text.count("\n", 0, match.start(1))
        source = "\n" * first + match[1]
        where = f"<{page.name}:{first + 1}>"
        linecache.cache[where] = len(source), None, source.splitlines(True), where
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(source, where, "exec"), names)
        yield match, output.getvalue()


def agrees(shown: str | None, output: str) -> bool:
    """Whether a page shows what its code prints."""
    shown = shown or ""
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
        if not agrees(match[2], output):
            shown = f"\n```text\n{output}```\n" if output else ""
            pieces += [text[end : match.end(1)], "```\n", shown]
            end = match.end()
    pieces.append(text[end:])
    page.write_text("".join(pieces), encoding="utf-8")
    return len(pieces) > 1


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def main() -> int:
    """The number of pages that differ from what their code prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write what differs")
    parser.add_argument("names", nargs="*", help="some pages alone, by their names")
    options = parser.parse_args()
    os.environ["XGRAD_BACKEND"] = "numpy"
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.chdir(PICTURES)
    differ = 0
    for page in pages():
        if options.names and page.stem not in options.names:
            continue
        if options.write:
            found = write(page)
        else:
            found = any(not agrees(match[2], text) for match, text in printed(page))
        print(f"{page.relative_to(DOCS.parent)}: {'differs' if found else 'as shown'}")
        differ += found
    return differ


if __name__ == "__main__":
    sys.exit(main())
