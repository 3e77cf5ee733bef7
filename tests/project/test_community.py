"""Files for those who report and contribute: they ask for what a report needs."""

from pathlib import Path

import pytest

import xgrad
from xgrad.__main__ import main

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / ".github/ISSUE_TEMPLATE"


@pytest.mark.parametrize("name", ["wrong_result", "slow"])
def test_reports_are_asked_for_versions(name, capsys):
    text = (TEMPLATES / f"{name}.yml").read_text(encoding="utf-8")
    assert "python -m xgrad versions" in text
    assert "xgrad.show_versions()" in text
    # Both commands exist, and print the same.
    xgrad.show_versions()
    expected = capsys.readouterr().out
    assert main(["versions"]) == 0
    assert capsys.readouterr().out == expected


def test_pull_requests_are_asked_for_what_ci_runs():
    text = (ROOT / ".github/pull_request_template.md").read_text(encoding="utf-8")
    for word in ("pytest", "ruff", "mypy", "changelog", "xgrad versions"):
        assert word in text


@pytest.mark.parametrize("name", ["SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_the_rules_are_there_and_linked(name):
    assert (ROOT / name).is_file()
    assert f"({name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"({name})" in (ROOT / "README.ko.md").read_text(encoding="utf-8")
