"""The examples run, and say PASS."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def needs():
    for module in ("sklearn", "matplotlib"):
        pytest.importorskip(module, reason=f"the examples need {module}")


def _run(name, *arguments, folder):
    return _printed(name, "--backend", "numpy", *arguments, folder=folder)


def _printed(name, *arguments, folder):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    # A cluster whose workers cannot start waits for them forever.
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, timeout=300
    )
    return done.stdout


def test_training_verifies_its_gradients(tmp_path):
    options = ("--epochs", "4", "--plot", "a.png")
    printed = _run("mnist_minibatch.py", *options, folder=tmp_path)
    assert printed.count("PASS  ") == 6
    assert "trained with: exact" in printed
    accuracy = float(printed.rpartition("test accuracy ")[2][:6])
    assert accuracy >= 0.95
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_training_with_the_gradients_by_hand_arrives_at_the_same(tmp_path):
    histories = []
    for gradients in ("exact", "hand"):
        options = ("--epochs", "1", "--gradients", gradients)
        printed = _run("mnist_minibatch.py", *options, folder=tmp_path)
        assert f"trained with: {gradients}" in printed
        histories.append(re.findall(r"epoch 1: loss ([\d.]+)", printed))
    (exact,), (by_hand,) = histories
    # Rounding in float32, over 600 steps.
    assert float(exact) == pytest.approx(float(by_hand), rel=1e-2)


def test_the_lesson_prints_the_values_of_the_textbook(tmp_path):
    printed = _run("lesson.py", folder=tmp_path)
    for value in ("0.0975", "0.510825", "0.5975", "2.302584", "[6. 8.]"):
        assert value in printed
    assert (tmp_path / "lesson.png").read_bytes().startswith(PNG)


def test_a_kernel_is_checked_and_a_planted_mistake_refused(tmp_path):
    printed = _run("custom_kernel.py", folder=tmp_path)
    right, rest = printed.split("put in on purpose")
    wrong, trained = rest.split("The kernel in a network")
    assert "Gradient check: PASS" in right
    assert "Gradient check: FAIL" in wrong
    assert "only inputs[2] differs; the given gradient with respect to" in wrong
    assert "inputs[2] is 1/64 of the measured one" in wrong
    assert "does not agree with `f` itself" in trained


def test_a_user_tests_code_on_both_backends():
    example = EXAMPLES / "test_your_code.py"
    assert len(example.read_text(encoding="utf-8").splitlines()) < 20
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, str(example)], capture_output=True, text=True, cwd=EXAMPLES
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout or "4 passed" in done.stdout


def test_rows_out_of_core_agree_on_a_cluster_and_in_batches(tmp_path):
    pytest.importorskip("dask.distributed", reason="distributed is not installed")
    sizes = ["--rows", "30001", "--chunk", "8000", "--workers", "1"]
    printed = _printed("out_of_core.py", *sizes, folder=tmp_path)
    assert "30,001 rows on a cluster" in printed
    assert "equal to 1e-10" in printed


def test_a_gradient_on_a_cluster_survives_its_faults(tmp_path):
    pytest.importorskip("dask.distributed", reason="distributed is not installed")
    sizes = ["--layers", "12", "--steps", "5", "--workers", "2"]
    printed = _printed("cluster_gradient.py", *sizes, folder=tmp_path)
    assert "killed a worker after" in printed
    assert printed.count("evaluations are safe") == 2
    assert "all the same, to the bit" in printed


def test_training_on_a_cluster_arrives_where_plain_batches_do(tmp_path):
    pytest.importorskip("dask.distributed", reason="distributed is not installed")
    sizes = ["--rows", "30001", "--chunk", "8000", "--workers", "1"]
    printed = _printed("cluster_training.py", *sizes, folder=tmp_path)
    assert "30,001 rows in 4 blocks, on a cluster" in printed
    cluster, batches = printed.split("the same in plain batches")
    passes = [re.findall(r"loss ([\d.]+), ", text) for text in (cluster, batches)]
    assert passes[0] == passes[1]
    assert len(passes[0]) == 5
    assert "the weights agree to 1e-10" in printed


def test_the_test_digits_are_never_trained_on(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from digits import grown_digits, split_digits

    (train, _), (test, _) = split_digits()
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}
    (rows, labels), (held_out, _) = grown_digits(rows=3000)
    assert rows.shape == (3000, 64)
    assert len(labels) == 3000
    assert len(held_out) == 360
    np.testing.assert_array_equal(rows, grown_digits(rows=3000)[0][0])
