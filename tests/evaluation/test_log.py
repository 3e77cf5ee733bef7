"""The logger "xgrad" tells of what makes a call slower."""

import logging
import os
import threading

import numpy as np
import pytest
from cases.differences import gradient

from xgrad._evaluation.execution import Execution

X = np.linspace(0.5, 2.0, 30)


def looping(x):
    return float(sum(float(v) ** 2 for v in x))


def test_a_loop_is_logged_and_not_printed(caplog, capsys):
    caplog.set_level(logging.INFO, "xgrad")
    with pytest.warns(RuntimeWarning, match="one point at a time"):
        gradient(looping, X)
    (record,) = caplog.records
    assert record.name == "xgrad"
    assert "one point at a time, because of float(x)" in record.getMessage()
    assert capsys.readouterr() == ("", "")


def test_memory_that_runs_out_is_logged(caplog):
    caplog.set_level(logging.INFO, "xgrad")

    def f(v):
        if len(v) > 20:
            raise MemoryError
        return np.sum(v**2, axis=-1)

    slopes = gradient(f, X, vectorized=True)
    np.testing.assert_allclose(slopes, 2 * X, rtol=1e-9)
    assert "memory ran out for" in caplog.text
    assert "chunks are halved" in caplog.text


def test_all_processors_are_workers():
    count = Execution(workers=-1).worker_count
    assert 1 <= count <= os.cpu_count()
    threads = set()

    def f(x):
        threads.add(threading.current_thread().name)
        return np.sum(x**2)

    slopes = gradient(f, X, workers=-1, vectorized=False)
    np.testing.assert_allclose(slopes, 2 * X, rtol=1e-9)
    own = {name for name in threads if name.startswith("xgrad")}
    assert 1 <= len(own) <= count


@pytest.mark.parametrize("workers", [0, -2])
def test_other_numbers_below_one_are_refused(workers):
    with pytest.raises(ValueError, match="`workers` must be at least 1"):
        gradient(looping, X, workers=workers)
