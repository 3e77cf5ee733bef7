"""Kernels are found by name, library and dtype, or there are none."""

import os
import subprocess
import sys

import numpy as np
import pytest
from cases.losses import LOSSES

import xgrad
from xgrad._kernels import find_kernel, lookup
from xgrad._kernels import numpy as kernels

pytestmark = pytest.mark.skipif(
    os.environ.get("XGRAD_KERNELS") == "0", reason="XGRAD_KERNELS=0: there are none"
)
XP = xgrad.namespace("numpy")


def test_every_kernel_of_numbers_is_that_of_a_loss():
    assert kernels.OF_FLOATS.keys() <= LOSSES.keys()


@pytest.mark.parametrize("name", ["array_api_strict", "torch", "jax"])
def test_other_libraries_have_none(name):
    pytest.importorskip(name, reason=f"{name} is missing")
    xp = xgrad.namespace(name)
    assert find_kernel("softmax_cross_entropy", xp, xp.float32) is None


def test_unknown_names_and_dtypes_have_none():
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float32")) is not None
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float16")) is None
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("O")) is None
    assert find_kernel("confusion_counts", XP, np.dtype("float64")) is None
    assert find_kernel("log_cosh", XP, np.dtype("float64")) is None


def test_without_their_module_there_are_none(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    find_kernel.cache_clear()
    monkeypatch.setattr(lookup.importlib, "import_module", missing)
    assert find_kernel("softmax_cross_entropy", XP, np.dtype("float64")) is None
    find_kernel.cache_clear()


def test_a_broken_module_is_no_missing_one(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'other'", name="other")

    find_kernel.cache_clear()
    monkeypatch.setattr(lookup.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="other"):
        find_kernel("softmax_cross_entropy", XP, np.dtype("float64"))
    find_kernel.cache_clear()


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_the_environment_switches_them_off(value):
    code = (
        "import xgrad, numpy as np; from xgrad._kernels import find_kernel; "
        "xp = xgrad.namespace('numpy'); "
        "print(find_kernel('mean_squared_error', xp, np.dtype('f8')) is None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XGRAD_KERNELS": value},
    )
    assert done.stdout.strip() == str(value == "0")
