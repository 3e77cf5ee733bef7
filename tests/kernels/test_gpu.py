"""What only a GPU can tell; and, without one, that what measures it runs.

Tests of CuPy are skipped where there is no GPU, with the reason, and fail there with
``XGRAD_REQUIRE_GPU=1``.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases.libraries import LIBRARIES

import xgrad
from xgrad import losses, metrics
from xgrad.losses import Loss, softmax_cross_entropy

ROOT = Path(__file__).parents[2]
EVERY_LOSS = sorted(name for name, v in vars(losses).items() if isinstance(v, Loss))


@pytest.fixture(params=["cupy"])
def cupy(request):
    LIBRARIES[request.param]()  # skips, or fails, without a GPU
    return pytest.importorskip("cupy")


@pytest.fixture
def rows(cupy):
    rng = np.random.default_rng(0)
    logits = cupy.asarray(rng.normal(size=(5000, 10)), dtype=cupy.float32)
    return logits, cupy.asarray(rng.integers(0, 10, 5000))


@pytest.mark.parametrize("bad", [-1, -10, 10, 2**31, -(2**40)])
def test_bad_labels_never_wrap(cupy, rows, bad):
    logits, labels = rows
    labels[1234] = bad
    with pytest.raises(ValueError, match=rf"target\[1234\] is {bad}"):
        softmax_cross_entropy(logits, labels)
    each = softmax_cross_entropy(logits, labels, reduction="none", check=False)
    assert cupy.isnan(each).nonzero()[0].tolist() == [1234]
    with pytest.raises(ValueError, match=rf"target\[1234\] is {bad}"):
        metrics.accuracy(logits, labels)


def _captured(cupy, call):
    """Record a call as a graph of CUDA: waiting for the device in it is an error."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        call()  # compiled, and memory pooled
        stream.synchronize()
        stream.begin_capture()
        try:
            call()
        finally:
            graph = stream.end_capture()
    return graph


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_unchecked_losses_do_not_wait_for_the_device(cupy, name):
    from benchmarks.gpu_cases import QUICK, Cases

    cases = Cases(xgrad.namespace("cupy"), cupy, None, QUICK)
    prediction, target, options = cases._sample(name, (64, 10), "float32")
    loss = getattr(losses, name)

    def call():
        loss.value_and_grad(prediction, target, check=False, **options)

    assert _captured(cupy, call) is not None


def test_waiting_for_the_device_would_be_noticed(cupy, rows):
    with pytest.raises(Exception, match=r"(?i)captur"):
        _captured(cupy, lambda: float(rows[0].sum()))


def test_central_differences_of_batches_do_not_wait(cupy):
    x = cupy.linspace(0.1, 1.0, 20)

    def f(x):
        return cupy.sum(cupy.sin(x), axis=-1)

    def call():
        xgrad.gradient(f, x, vectorized=True)

    assert _captured(cupy, call) is not None


def test_results_on_another_stream_are_the_same(cupy, rows):
    expected = softmax_cross_entropy.value_and_grad(*rows)
    slopes = xgrad.gradient(lambda z: softmax_cross_entropy(z, rows[1]), rows[0])
    with cupy.cuda.Device(0), cupy.cuda.Stream(non_blocking=True) as stream:
        found = softmax_cross_entropy.value_and_grad(*rows)
        again = xgrad.gradient(lambda z: softmax_cross_entropy(z, rows[1]), rows[0])
        stream.synchronize()
    for one, other in zip((*found, again), (*expected, slopes), strict=True):
        assert cupy.array_equal(one, other)


def test_threads_take_the_stream_of_their_caller(cupy):
    x = cupy.linspace(0.1, 1.0, 200)
    streams = set()

    def f(x):
        streams.add(cupy.cuda.get_current_stream().ptr)
        return cupy.sum(x**2)

    with cupy.cuda.Stream(non_blocking=True) as stream:
        xgrad.gradient(f, x, vectorized=False, workers=2)
        stream.synchronize()
    assert streams == {stream.ptr}


def test_chunks_fit_into_little_memory(cupy):
    """A pool that may grow by 64 MiB only, and points that need a gigabyte."""
    x = cupy.linspace(0.1, 1.0, 4000)
    expected = xgrad.gradient(lambda x: cupy.sum(cupy.sin(x)), x)
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    limit = pool.get_limit()
    pool.set_limit(size=pool.used_bytes() + 2**26)
    try:
        found = xgrad.gradient(
            lambda x: cupy.sum(cupy.sin(x), axis=-1),
            x,
            vectorized=True,
            max_bytes=2**30,
        )
    finally:
        pool.set_limit(size=limit)
    np.testing.assert_allclose(found.get(), expected.get(), rtol=1e-7)


def test_batches_and_single_points_agree_in_float32(cupy):
    rng = np.random.default_rng(1)
    x = cupy.asarray(rng.normal(size=200), dtype=cupy.float32)

    def f(x):
        return cupy.sum(cupy.tanh(x) * x, axis=-1)

    one = xgrad.gradient(f, x, vectorized=False)
    many = xgrad.gradient(f, x, vectorized=True)
    np.testing.assert_allclose(one.get(), many.get(), rtol=2e-2, atol=2e-2)


def test_tiny_numbers_are_not_lost(cupy):
    """Kernels may flush what is below the normal numbers, and nothing above it."""
    tiny = cupy.full((4, 3), 1e-37, dtype=cupy.float32)
    target = cupy.zeros_like(tiny)
    loss = losses.mean_absolute_error(tiny, target)
    np.testing.assert_allclose(float(loss), 1e-37, rtol=1e-5)


@pytest.mark.parametrize("name", ["lesson.py", "custom_kernel.py"])
def test_examples_agree_with_numpy(cupy, name, tmp_path):
    def printed(backend):
        command = [sys.executable, str(ROOT / "examples" / name), "--backend", backend]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, check=True
        )
        return done.stdout

    on_the_gpu, on_the_host = printed("cupy"), printed("numpy")
    assert "PASS" in on_the_gpu or "0.5975" in on_the_gpu
    assert len(on_the_gpu.splitlines()) == len(on_the_host.splitlines())


# Without a GPU


@pytest.mark.thorough
def test_the_benchmark_of_a_gpu_runs_on_a_cpu():
    pytest.importorskip("scipy", reason="patterns are matrices of scipy")
    command = [sys.executable, "-m", "benchmarks.gpu", "--no-tests", "--quick"]
    done = subprocess.run(
        [*command, "--backend", "numpy"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    for name in EVERY_LOSS:
        assert done.stdout.count(f"| {name}, with gradient |") == 2
    for title in (
        "Metrics",
        "Mini-batches",
        "Gradients",
        "Jacobians",
        "Gradient checks",
    ):
        assert f"**{title}" in done.stdout
    assert "nan" not in done.stdout


def test_tables_replace_those_of_the_last_run(tmp_path, monkeypatch):
    from benchmarks import gpu

    readme = tmp_path / "README.md"
    monkeypatch.setattr(gpu, "README", readme)
    readme.write_text("# A\n\n## B\n\ntext\n", encoding="utf-8")
    gpu.write("first")
    assert readme.read_text(encoding="utf-8").endswith("text\n\n## On a GPU\n\nfirst\n")
    readme.write_text(readme.read_text(encoding="utf-8") + "\n## C\n", encoding="utf-8")
    gpu.write("second")
    expected = "# A\n\n## B\n\ntext\n\n## On a GPU\n\nsecond\n\n## C\n"
    assert readme.read_text(encoding="utf-8") == expected


def test_a_missing_gpu_is_named(monkeypatch, capsys):
    from benchmarks import gpu

    def unavailable(name):
        raise xgrad.BackendUnavailable("no GPU here")

    monkeypatch.setattr(xgrad, "namespace", unavailable)
    assert gpu.main([]) == 1
    assert "no GPU here" in capsys.readouterr().out
