"""The code of the README runs, and prints what the README says."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PRINTED = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", CODE)
def test_the_code_runs(code, capsys, monkeypatch):
    monkeypatch.setenv("XGRAD_BACKEND", "numpy")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_errors_and_statuses_are_those_shown(capsys):
    (code,) = (code for code in CODE if "full_output" in code)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    shown = PRINTED[0].splitlines()
    assert len(printed) == len(shown) == 3
    for line, expected in zip(printed, shown, strict=True):
        value, _, bound, status = line.split()
        assert [value, status] == [expected.split()[0], expected.split()[3]]
        # Bounds rest on rounding, which is another one on other processors.
        assert 0.01 < float(bound) / float(expected.split()[2]) < 100
