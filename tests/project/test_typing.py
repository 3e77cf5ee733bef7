"""Type checkers accept right code of users, and report each mistake of wrong code."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import write_stubs

ROOT = Path(__file__).parents[2]
USER_CODE = Path(__file__).with_name("user_code")
CHECKERS = {
    "mypy": ["mypy", "--strict", "--no-error-summary"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}


def _reported(checker: str, name: str, cache: Path) -> dict[int, str]:
    """What a checker reports of a file, by lines."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    command = [sys.executable, "-m", *CHECKERS[checker], str(USER_CODE / name)]
    quiet = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "MYPY_CACHE_DIR": str(cache)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | quiet,
        cwd=ROOT,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    pattern = rf"{name}:(\d+):(?:\d+ -)? (?:error|warning)[: -]+(.*)"
    return {int(line): text for line, text in re.findall(pattern, done.stdout)}


@pytest.mark.parametrize("checker", CHECKERS)
def test_right_code_is_accepted(checker, tmp_path):
    assert _reported(checker, "right.py", tmp_path) == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_mistake_is_reported_and_nothing_else(checker, tmp_path):
    lines = (USER_CODE / "wrong.py").read_text(encoding="utf-8").splitlines()
    wrong = {i for i, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) >= 25
    assert set(_reported(checker, "wrong.py", tmp_path)) == wrong


@pytest.mark.filterwarnings("ignore")  # what samples do at run time is their own
def test_right_code_runs():
    pytest.importorskip("matplotlib", reason="pictures need matplotlib").use("Agg")
    code = (USER_CODE / "right.py").read_text(encoding="utf-8")
    exec(compile(code, "right.py", "exec"), {"__name__": "right"})


@pytest.mark.parametrize("path", write_stubs.STUBS, ids=lambda path: path.parent.name)
def test_the_stubs_are_up_to_date(path):
    same = path.read_text(encoding="utf-8") == write_stubs.STUBS[path]()
    assert same, "signatures have changed: run `python tests/tools/write_stubs.py`"
