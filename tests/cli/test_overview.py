"""The program ``xgrad``: its names, its versions, and a reader who stops reading."""

import subprocess
import sys

import pytest

from xgrad.__main__ import main
from xgrad._cli import overview


def test_versions_are_printed(capsys):
    assert main(["versions"]) == 0
    assert capsys.readouterr().out.startswith("xgrad ")


@pytest.mark.parametrize(
    ("program", "name"),
    [("/usr/bin/xgrad", "xgrad"), ("x/__main__.py", "python -m xgrad")],
)
def test_help_names_the_program_as_it_was_called(program, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [program])
    assert main([]) == 0
    assert f"\n{name} demo" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: {name} ")


@pytest.mark.parametrize("reason", ["", "numba cannot be imported: why"])
def test_it_says_whether_losses_are_compiled(reason, monkeypatch, capsys):
    monkeypatch.setattr(overview, "why_not_compiled", lambda: reason)
    monkeypatch.setattr(overview, "version", lambda name: "1.2")
    assert main([]) == 0
    expected = (
        f"Losses of NumPy arrays are not compiled: {reason}.\n"
        if reason
        else "Losses of large NumPy arrays are compiled by numba 1.2.\n"
    )
    assert expected in capsys.readouterr().out


def test_a_reader_may_stop_reading():
    code = "import sys; from xgrad.__main__ import main; sys.exit(main(['versions']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.close()  # before anything is written
        assert writer.stderr is not None
        errors = writer.stderr.read().decode()
    assert writer.returncode == 0
    assert errors == ""
