"""The code of the README runs, and prints what the README says."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CODE = [block for block in BLOCKS if "def test_" not in block]
PRINTED = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", CODE)
def test_the_code_runs(code, capsys, monkeypatch):
    monkeypatch.setenv("XGRAD_BACKEND", "numpy")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_tests_are_those_of_an_example():
    (block,) = (block for block in BLOCKS if "def test_" in block)
    example = Path(__file__).parent.parent / "examples" / "test_your_code.py"
    assert block in example.read_text(encoding="utf-8")


def test_the_table_of_a_check_is_the_one_shown(capsys):
    (code,) = (code for code in CODE if "check_gradient" in code)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    (shown,) = (text.splitlines() for text in PRINTED if "Gradient check" in text)
    assert printed[:2] == shown[:2]
    assert printed[3].split() == shown[3].split()
    assert printed[-3] == shown[-3]


def test_the_report_of_classes_is_the_one_shown(capsys):
    (code,) = (code for code in CODE if ".report(" in code)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed in PRINTED


def test_errors_and_statuses_are_those_shown(capsys):
    (code,) = (code for code in CODE if "full_output" in code)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    (shown,) = (text.splitlines() for text in PRINTED if "±" in text)
    assert len(printed) == len(shown) == 3
    for line, expected in zip(printed, shown, strict=True):
        value, _, bound, status = line.split()
        assert [value, status] == [expected.split()[0], expected.split()[3]]
        # Bounds rest on rounding, which is another one on other processors.
        assert 0.01 < float(bound) / float(expected.split()[2]) < 100
