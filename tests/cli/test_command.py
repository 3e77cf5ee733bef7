"""The command line: checks, their exit codes and mistakes, and the demo."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xgrad import __version__
from xgrad.__main__ import main

MODULE = """
import numpy as np

def f(x): return np.sum(x**3)
def grad(x): return 3 * x**2
def wrong(x): return 2 * x**2
def corner(x): return np.sum(np.abs(x))
def sign(x): return np.sign(x)
def product(a, b): return a @ b
def product_vjp(a, b, slope): return slope @ b.T, a.T @ slope
def net(p): return np.sum(p["w"] ** 2) + np.sum(p["b"])
def net_grad(p): return {"w": 2 * p["w"], "b": np.ones_like(p["b"])}
def raises(x): raise RuntimeError("inside the module")
def longer(x): return np.ones(7)

def rough(x):
    noise = np.random.default_rng(int(abs(x[0]) * 1e15) % 1000).normal()
    return np.sum(x) + noise / 10

class Model:
    @staticmethod
    def loss(x): return np.sum(x**3)

number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a module and points, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"mine_{tmp_path.name}"  # modules stay loaded from test to test
    (tmp_path / f"{name}.py").write_text(MODULE)
    np.save("x.npy", np.array([1.0, 2.0, 3.0]))
    np.savez("p.npz", w=np.ones(3), b=np.ones(1))
    np.save("a.npy", np.full((2, 3), 0.5))
    np.save("b.npy", np.arange(12.0).reshape(3, 4))
    np.savez("ab.npz", first=np.full((2, 3), 0.5), second=np.arange(12.0).reshape(3, 4))
    return name


@pytest.fixture
def check(folder):
    """Run ``check`` with names of the module."""

    def run(f, grad, *arguments):
        return main(["check", f"{folder}:{f}", f"{folder}:{grad}", *arguments])

    return run


@pytest.mark.parametrize(
    ("f", "grad", "at", "code", "verdict"),
    [
        ("f", "grad", "x.npy", 0, "PASS"),
        ("f", "wrong", "x.npy", 1, "FAIL"),
        ("corner", "sign", "0,1", 3, "KINK"),
        ("rough", "sign", "1,2", 4, "INCONCLUSIVE"),
        ("net", "net_grad", "p.npz", 0, "PASS"),
        ("Model.loss", "grad", "x.npy", 0, "PASS"),
    ],
)
def test_the_exit_code_is_the_verdict(check, capsys, f, grad, at, code, verdict):
    assert check(f, grad, "--at", at) == code
    assert capsys.readouterr().out.startswith(f"Gradient check: {verdict}")


def test_numbers_may_begin_with_a_negative_one(check, capsys):
    assert check("f", "grad", "--at=-1,2.5") == 0
    assert "(2,) float64" in capsys.readouterr().out


def test_functions_may_be_named_by_their_file(folder, capsys):
    words = [f"{folder}.py:f", f"{folder}.py:grad"]
    assert main(["check", *words, "--at", "x.npy"]) == 0
    assert "PASS" in capsys.readouterr().out


@pytest.mark.parametrize("at", [("a.npy", "b.npy"), ("ab.npz",)])
def test_backward_passes_are_checked(check, capsys, at):
    points = [word for path in at for word in ("--at", path)]
    assert check("product", "product_vjp", "--vjp", *points) == 0
    assert "inputs[1] (3, 4)" in capsys.readouterr().out


def test_options_reach_the_check(check, capsys):
    options = ["--directions", "3", "--rtol", "0.5", "--seed", "1", "--full"]
    assert check("f", "wrong", "--at", "x.npy", *options) == 0
    printed = capsys.readouterr().out
    assert "3 random directions and 3 entries" in printed


def test_float32_is_told_from_float64(check, capsys):
    np.save("x.npy", np.array([1.0, 2.0], dtype=np.float32))

    def allowed(*options):
        assert check("f", "grad", "--at", "x.npy", *options) == 0
        (row,) = (r for r in capsys.readouterr().out.splitlines() if "x[1]" in r)
        return float(row.split()[-1])

    assert allowed() > 100 * allowed("--dtype", "float64")


def test_arrays_of_other_libraries_are_handed_out(tmp_path, capsys):
    code = """
import array_api_strict as strict

def total(x):
    assert "array_api_strict" in type(x).__module__
    return strict.sum(x * x)

def slope(x): return 2 * x
"""
    (tmp_path / "strictly.py").write_text(code)
    words = ["check", "strictly:total", "strictly:slope", "--at", "x.npy"]
    assert main([*words, "--backend", "array_api_strict"]) == 0
    assert "(array_api_strict)" in capsys.readouterr().out


def test_arrays_of_jax_are_handed_out(tmp_path, capsys):
    pytest.importorskip("jax.numpy", reason="jax is not installed")
    code = """
import jax, jax.numpy as jnp

def total(x):
    assert isinstance(x, jax.Array)
    return jnp.sum(x * x)

def slope(x): return 2 * x
"""
    (tmp_path / "jaxed.py").write_text(code)
    words = ["check", "jaxed:total", "jaxed:slope", "--at", "1.5,2"]
    assert main([*words, "--backend", "jax"]) == 0
    assert "PASS" in capsys.readouterr().out


def test_the_report_is_drawn(check, capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    assert check("f", "grad", "--at", "x.npy", "--plot", "report.png") == 0
    assert "plot: report.png" in capsys.readouterr().out
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert check("f", "grad", "--at", "x.npy", "--plot", "report.xyz") == 2
    assert "--plot report.xyz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("f", "arguments", "message"),
    [
        ("ff", ["--at", "x.npy"], "has no 'ff'; did you mean f?"),
        ("number", ["--at", "x.npy"], "is of type int, not a function"),
        ("f", ["--at", "y.npy"], "there is no file y.npy in "),
        ("f", ["--at", "word"], "'word' is neither a file nor numbers"),
        ("f", ["--at", "objects.npy"], "objects.npy holds no array of numbers"),
        ("f", ["--at", "empty.npy"], "empty.npy holds no array of numbers"),
        ("f", ["--at", "complex.npy"], "`x` must hold real numbers"),
        ("f", ["--at", "x.npy", "--at", "x.npy"], "pass one --at"),
        ("f", ["--at", "x.npy", "--backend", "foo"], "--backend must be one of"),
        ("f", ["--at", "x.npy", "--dtype", "int64"], "`dtype` must be"),
        ("f", ["--at", "x.npy", "--rtol", "-1"], "`rtol` must be in [0, 1)"),
        ("f", ["--at", "x.npy", "--vjp", "--dtype", "float32"], "--dtype is not for"),
        ("f", ["--at", "x.npy", "--at", "p.npz", "--vjp"], "pass one .npz, or an"),
    ],
)
def test_mistakes_are_sentences(check, capsys, f, arguments, message):
    np.save("objects.npy", np.array([{}], dtype=object))
    np.save("complex.npy", np.ones(2) * 1j)
    Path("empty.npy").touch()
    assert check(f, "grad", *arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("error: ")
    assert not printed.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("losses", "write 'losses' as module:name"),
        (":f", "write ':f' as module:name"),
        ("losses:", "write 'losses:' as module:name"),
        ("no_such_module:f", "there is no module 'no_such_module' in "),
        ("no/such/file.py:f", "there is no file "),
    ],
)
def test_functions_that_are_not_found_are_named(capsys, words, message):
    assert main(["check", words, "math:sin", "--at", "x.npy"]) == 2
    assert message in capsys.readouterr().err


def test_errors_of_the_users_code_have_their_traceback(check, capsys, folder):
    for names in (("raises", "grad"), ("f", "raises")):
        assert check(*names, "--at", "x.npy") == 2
        printed = capsys.readouterr().err
        assert "RuntimeError: inside the module" in printed
        assert f"{folder}.py" in printed
        assert "_cli" not in printed
    assert check("f", "longer", "--at", "x.npy") == 2
    assert capsys.readouterr().err.startswith("error: `x` has shape (3,) but `grad(x)`")


def test_a_module_that_misses_another_one_is_not_called_missing(tmp_path, capsys):
    (tmp_path / "needs.py").write_text("import no_such_dependency\n")
    assert main(["check", "needs:f", "needs:f", "--at", "x.npy"]) == 2
    printed = capsys.readouterr().err
    assert "No module named 'no_such_dependency'" in printed
    assert "needs.py" in printed


def test_unknown_commands_and_missing_points_are_usage_errors(capsys):
    for arguments in (["chek"], ["check", "a:f", "a:g"]):
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 2
    assert "--at" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"xgrad {__version__}\n"


def test_the_shell_gets_the_exit_code(folder):
    words = [f"{folder}:f", f"{folder}:wrong", "--at", "x.npy"]
    command = [sys.executable, "-m", "xgrad", "check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


# The demo


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "torch", "jax"])
def test_the_demo_shows_code_and_what_it_prints(backend, capsys):
    module = "jax.numpy" if backend == "jax" else backend
    pytest.importorskip(module, reason=f"{backend} is not installed")
    assert main(["demo", "--backend", backend]) == 0
    printed = capsys.readouterr().out
    assert f"arrays of {backend}" in printed
    for shown in (
        "    label = xp.asarray(2)",
        "sum((y - t)^2) / 2 = 0.5975",
        "-log(y[2])         = 2.3026",
        "accuracy 0.9017",
        "target[0] is -1",
        "tangent at 5: 0.20 x -0.25",
        "  → → → → o ← ← ← ←",
        "did you forget the 1/4 of a mean?",
        "with 2 w / 4: pass",
    ):
        assert shown in printed
    assert "Any" not in printed
    code = [line for line in printed.splitlines() if line.startswith("    ")]
    assert max(map(len, code)) <= 88


def test_the_demo_says_why_it_has_no_gpu(capsys, monkeypatch):
    monkeypatch.delenv("XGRAD_BACKEND", raising=False)
    if main(["demo"]) == 0:
        printed = capsys.readouterr().out
        assert ("The GPU is not used: " in printed) != ("arrays of cupy" in printed)


def test_the_demo_runs_without_its_source(capsys, monkeypatch):
    import inspect

    def nowhere(function):
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", nowhere)
    assert main(["demo", "--backend", "numpy"]) == 0
    printed = capsys.readouterr().out
    assert "2.3026" in printed
    assert "label = " not in printed


def test_the_demo_refuses_unknown_backends(capsys):
    assert main(["demo", "--backend", "foo"]) == 2
    assert "--backend must be one of" in capsys.readouterr().err


def test_arrows_are_replaced_where_a_terminal_knows_none():
    command = [sys.executable, "-m", "xgrad", "demo", "--backend", "numpy"]
    done = subprocess.run(
        command, capture_output=True, env={"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0
    assert b"  ? ? ? ? o ? ? ? ?" in done.stdout
