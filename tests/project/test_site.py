"""The site: summaries, links and sources, of pages that Sphinx builds."""

import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed: the extra docs")
pytest.importorskip("myst_parser", reason="myst-parser is not installed")
pytestmark = pytest.mark.thorough

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    # Without cached pages of another state of the sources.
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", DOCS, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    shutil.rmtree(folder / ".doctrees", ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return folder


def text_of(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_sections_of_the_reference_begin_with_a_table(site):
    page = (site / "reference/losses.html").read_text()
    tables = re.findall(r'<table class="summary.*?</table>', page, re.S)
    assert len(tables) == 3  # regression, classification, special functions
    assert 'href="#xgrad.losses.huber"' in tables[0]
    assert "Half the squared error within delta" in text_of(tables[0])


def test_parameters_with_one_description_are_one_item(site):
    page = text_of((site / "reference/derivatives.html").read_text())
    assert re.search(r"terms, sparsity, method.*?As in gradient", page, re.S)
    assert page.count("As in gradient") < 20


def test_parameters_of_all_losses_are_described_once(site):
    page = text_of((site / "reference/losses.html").read_text())
    assert "How the losses of all entries or rows are combined" not in page
    assert "What a model says" not in page
    assert "label_smoothing (float)" in page


def test_code_in_pages_links_to_the_reference(site):
    page = (site / "how-to/arrays.html").read_text()
    assert re.search(r'href="../reference/checks.html#xgrad.check_vjp"', page)
    docstrings = (site / "reference/losses.html").read_text()
    assert re.search(r'<a [^>]*href="#xgrad.special.softmax"', docstrings)


def test_links_lead_to_what_is_there(site):
    for page in [site / "index.html", *site.glob("*/*.html")]:
        for target in re.findall(r'href="([^":?]*)#([^"]+)"', page.read_text()):
            path, anchor = target
            goal = (page.parent / path).resolve() if path else page
            assert f'id="{anchor}"' in goal.read_text(), (page.name, target)


def test_public_objects_link_to_their_source(site):
    page = (site / "reference/losses.html").read_text()
    assert "_modules/xgrad/losses/_regression.html#huber" in page
    page = (site / "reference/metrics.html").read_text()
    assert re.search(r"_modules/xgrad/metrics/_\w+.html#Classification.update", page)
