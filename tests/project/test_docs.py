"""The documentation: its code runs and prints what it says, and its links lead on."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_BYTES = 150_000


def _module():
    spec = importlib.util.spec_from_file_location("run", DOCS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUN = _module()
PAGES = RUN.pages()
PICTURES = sorted((DOCS / "pictures").glob("*.png"))
TEXTS = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def test_there_are_pages_with_code():
    assert len(PAGES) >= 12
    assert ROOT / "README.md" in PAGES


@pytest.mark.sampled(4)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_prints_what_the_page_shows(page):
    for module in sorted(RUN.needed(page) - {"xgrad"}):
        pytest.importorskip(module, reason=f"the page needs {module}")
    command = [sys.executable, "-W", "error", str(DOCS / "run.py"), page.stem]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as shown" in done.stdout


def test_a_page_of_an_unknown_name_is_an_error():
    command = [sys.executable, str(DOCS / "run.py"), "explanation/steps"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no page with code is called explanation/steps" in done.stderr


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_pictures_are_small_and_shown(picture):
    assert picture.stat().st_size < MOST_BYTES
    assert any(f"pictures/{picture.name}" in _text(page) for page in TEXTS)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page):
    prose = re.sub(r"^```.*?^```|`[^`]*`", "", _text(page), flags=re.M | re.S)
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        name, _, heading = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if heading:
            assert heading in _headings(path), target


def _text(page):
    return page.read_text(encoding="utf-8")


def _headings(page):
    titles = re.findall(r"^#+ (.*)$", _text(page), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


# The comparison itself


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("loss 0.1234\n", "loss 0.1235\n", True),
        ("loss 0.1234\n", "loss 0.1244\n", False),
        ("loss 0.1234\n", "cost 0.1234\n", False),
        ("error 3e-13\n", "error 9e-12\n", True),
        ("error 3e-13\n", "error 3e-09\n", False),
        ("1 of 12 rows\n", "1 of 13 rows\n", False),
        ("in 3.3 ms\n", "in 21.0 ms\n", True),
        ("[6. 8.]\n", "[6. 8.]\n", True),
        ("[6. 8.]\n", "[6. 9.]\n", False),
        ("[6. 8.]\n", "[6. 8. 9.]\n", False),
        ("a  b\n", "a b\n", True),
        ("1e+08 OK\n", "1e+08 OK\n", True),
        ("1e+08 OK\n", "2e+08 OK\n", False),
        ("x[45, 0]\n", "x[46, 0]\n", False),
        ("0\n", "nan\n", False),
        ("", "", True),
        ("", "something\n", False),
    ],
)
def test_outputs_are_compared_by_their_numbers(shown, output, same):
    assert RUN.same(shown, output) is same


def test_a_page_that_shows_something_else_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert RUN.differences(page) == ["shown:\n3\n\nprinted:\n2\n"]
    assert RUN.write(page)
    assert page.read_text().endswith("```text\n2\n```\n")
    assert RUN.differences(page) == []
    assert not RUN.write(page)


def test_of_a_sample_the_first_line_is_compared(tmp_path):
    page = tmp_path / "page.md"
    code = "```python\nprint('PASS')\nprint('one row')\n```\n\n"
    page.write_text(f"{code}```text sample\nPASS\nanother row\n```\n")
    assert RUN.differences(page) == []
    page.write_text(f"{code}```text sample\nFAIL\none row\n```\n")
    assert len(RUN.differences(page)) == 1


def test_a_picture_that_is_not_shown_is_found(tmp_path):
    page = tmp_path / "page.md"
    code = "from pathlib import Path\nPath('new.png').touch()"
    page.write_text(f"```python\n{code}\n```\n")
    assert RUN.differences(page) == ["the picture new.png is not shown"]


def test_the_korean_readme_has_the_same_code_tables_and_links():
    english, korean = (_text(ROOT / name) for name in ("README.md", "README.ko.md"))
    blocks = re.compile(r"^```.*?^```$", re.M | re.S)
    assert blocks.findall(english) == blocks.findall(korean)

    def kept(text, pattern):
        return sorted(re.findall(pattern, blocks.sub("", text)))

    assert kept(english, r"\]\((?!README)([^)]+)\)") == kept(
        korean, r"\]\((?!README)([^)]+)\)"
    )
    names = {re.sub(r"\s", "", name) for name in kept(english, r"`[^`]+`")}
    assert names <= {re.sub(r"\s", "", name) for name in kept(korean, r"`[^`]+`")}
    assert korean.count("\n## ") == english.count("\n## ")


def test_the_citation_is_of_this_version():
    import xgrad

    assert f"\nversion: {xgrad.__version__}\n" in _text(ROOT / "CITATION.cff")


def test_code_in_the_guide_for_contributors_stands_in_the_sources():
    blocks = re.findall(r"```python\n(.*?)```", _text(ROOT / "CONTRIBUTING.md"), re.S)
    sources = (ROOT / "xgrad").rglob("*.py")
    lines = {line.strip() for path in sources for line in _text(path).splitlines()}
    written = {line.strip() for block in blocks for line in block.splitlines()}
    code = {line for line in written if not line.startswith('"""')}
    assert len(code) > 15
    assert code <= lines


def test_every_public_function_has_its_place_in_the_reference():
    import xgrad

    text = "".join(map(_text, (DOCS / "reference").glob("*.md")))
    named = set(re.findall(r"^\.\. auto\w+:: (?:[\w.]*\.)?(\w+)$", text, re.M))
    losses = {n for n, v in vars(xgrad.losses).items() if _is_loss(v)}
    assert losses <= named
    assert set(xgrad.__all__) - set(xgrad._MODULES) <= named
    assert _own(xgrad.metrics) - losses <= named
    assert _own(xgrad.special) <= named
    assert _own(xgrad.plot) <= named
    assert _own(xgrad.testing) <= named


def _is_loss(value):
    from xgrad.losses import Loss

    return isinstance(value, Loss)


def _own(module):
    """Public functions that are written in a module, and classes it hands on."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "") == module.__name__
        and not isinstance(value, np.ufunc)
    }
