"""With and without CuPy, but without a GPU: NumPy is picked, and the reason is told."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

import xgrad

CUPY = next(b for b in xgrad.backends() if b.name == "cupy")
REASONS = {
    True: r"driver is missing or too old|there is no GPU|no GPU is visible|CUDA",
    False: r"cupy is not installed.*xgrad\[cuda13x\]",
}

pytestmark = pytest.mark.skipif(
    CUPY.available, reason="a GPU can be used here: nothing falls back"
)


@pytest.fixture
def auto(monkeypatch):
    monkeypatch.delenv("XGRAD_BACKEND", raising=False)


def test_the_reason_fits_what_is_installed():
    installed = importlib.util.find_spec("cupy") is not None
    assert (CUPY.version is not None) is installed
    assert re.search(REASONS[installed], CUPY.reason)


@pytest.mark.usefixtures("auto")
# There may be a CuPy that warns that it cannot be used.
@pytest.mark.filterwarnings("ignore:xgrad uses NumPy:RuntimeWarning")
def test_auto_computes_on_numpy():
    xp = xgrad.namespace()
    x = xp.asarray([3.0, 4.0])
    slopes = xgrad.gradient(lambda v: xp.sum(v**2), x)
    assert xp.__name__ == "array_api_compat.numpy"
    assert abs(slopes - 2 * x).max() < 1e-10


def test_cupy_by_name_says_why_not():
    with pytest.raises(xgrad.BackendUnavailable, match="'cupy' cannot be used"):
        xgrad.namespace("cupy")


def test_the_command_tells_the_reason():
    env = {k: v for k, v in os.environ.items() if k != "XGRAD_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-m", "xgrad"],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    assert '"auto" picks: numpy' in done.stdout
    assert "The GPU is not used: " in done.stdout
