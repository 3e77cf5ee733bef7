"""CuPy's kernels without a GPU: they compile, and compute what the formulas compute.

They are compiled for every architecture that CuPy's wheels serve, and run on the CPU on
small arrays (`cuda_on_cpu`), together with the code that launches them. What this does
not show: races between blocks, the rounding of a GPU's `exp`, and speed.
"""

import numpy as np
import pytest
from cases.losses import LOSSES, sample
from tools.cuda_on_cpu import GPP, all_kernels, compiled, on_the_cpu

import xgrad
from xgrad._evaluation import columns
from xgrad._evaluation import points as _points
from xgrad.losses import _loss as _loss
from xgrad.losses._class_loss import ClassLoss

pytest.importorskip("cupy", reason="CuPy is missing: pip install 'xgrad[kernels]'")

from xgrad._kernels import cupy as kernels

ARCHITECTURES = ["75", "80", "90", "100"]
OF_LOSSES = [name for name in kernels.KERNELS if name in LOSSES]
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
SETTINGS = {"reduction": "mean", "check": True, "is_perturbed": False}
# Every path: one entry, a team of each size, a block with and without vectors.
WIDTHS = [1, 2, 10, 17, 70, 144, 149]

needs_gpp = pytest.mark.skipif(GPP is None, reason="g++ is missing")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles(architecture):
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        load_nvidia_dynamic_lib("nvrtc")
    except Exception as error:
        pytest.skip(f"NVRTC is missing: {error}")
    found = all_kernels(kernels)
    names = {kernel.name for kernel in found.values()}
    assert names == {"rows", "errors", "finish", "pairs", "points"}
    for name, kernel in found.items():
        registers = max(registers_of(compiled(kernel, architecture)))
        # A launch takes them eight by eight, and a multiprocessor has 65,536.
        threads = 512 if " 0 " in name else 256
        threads = 1024 if kernel.name == "finish" else threads
        assert 0 < -(-registers // 8) * 8 * threads <= 65_536, name


def registers_of(cubin):
    """Registers that each kernel of a binary needs, from its section of notes.

    An entry is the format 0x04, the attribute 0x2f, a length of 8, then the number of
    a symbol and that of its registers.
    """
    found, start = [], 0
    while (start := cubin.find(b"\x04\x2f\x08\x00", start)) >= 0:
        found.append(int.from_bytes(cubin[start + 8 : start + 12], "little"))
        start += 4
    return found


@pytest.fixture
def on_cpu(monkeypatch):
    """The kernels on NumPy arrays, with few threads: each is one of the host."""
    monkeypatch.setattr(kernels, "THREADS", 64)
    monkeypatch.setattr(kernels, "MOST_THREADS", 64)
    monkeypatch.setattr(kernels, "FINISH_THREADS", 64)
    monkeypatch.setattr(kernels, "SHORT_ROW", 100)
    monkeypatch.setattr(kernels, "MOST_BLOCKS", 3)
    monkeypatch.setattr(kernels, "COUNTING_BLOCKS", 3)
    monkeypatch.setattr(kernels, "_address", lambda array: array.ctypes.data)
    with on_the_cpu(kernels) as launched:
        yield launched


def arrays(loss, rng, shape, dtype):
    """A sample of a loss in a dtype, which may be one that NumPy does not know."""
    if shape[1] == 1 and isinstance(loss, ClassLoss):
        prediction, target = np.ones(shape), np.zeros(shape[0], np.int64)
    else:
        prediction, target = sample(loss, rng, shape)
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes", reason="ml_dtypes is missing").bfloat16
    target = target if isinstance(loss, ClassLoss) else target.astype(dtype)
    return prediction.astype(dtype), target


def kernel_of(name):
    return kernels.KERNELS[name][0]


def expected_of(loss, prediction, target, wanted="both", reduction="mean", **options):
    method = {"value": loss, "slope": loss.grad, "both": loss.value_and_grad}[wanted]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_loss, "find_kernel", lambda *names: None)
        result = method(prediction, target, reduction=reduction, **options)
    return {"value": (result, None), "slope": (None, result)}.get(wanted, result)


def assert_same(found, expected, dtype):
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        if other is None:
            continue
        assert str(one.dtype) == str(other.dtype)
        assert one.shape == other.shape
        one, other = np.asarray(one, float), np.asarray(other, float)
        finite = np.abs(other[np.isfinite(other)])
        # Values of half precision are computed in float32.
        eps = EPS.get(dtype, 2.0**-23) if i else 2.0**-23
        eps = 2.0**-52 if dtype == "float64" else eps
        atol = 8 * eps * max(1e-3, finite.max(initial=0.0))
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


@needs_gpp
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", kernels.FLOATS)
@pytest.mark.parametrize("name", OF_LOSSES)
def test_losses_agree_with_the_formulas(rng, on_cpu, name, dtype, width):
    loss = LOSSES[name]
    p, t = arrays(loss, rng, (21, width), dtype)
    for wanted in ("both", "value", "slope"):
        found = kernel_of(name)(p, t, wanted=wanted, **SETTINGS)
        assert_same(found, expected_of(loss, p, t, wanted), dtype)
    # Two launches each, whatever is wanted.
    assert len(on_cpu) == 6


@needs_gpp
@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("name", OF_LOSSES)
def test_reductions(rng, on_cpu, name, reduction):
    loss = LOSSES[name]
    p, t = arrays(loss, rng, (21, 10), "float32")
    settings = SETTINGS | {"reduction": reduction}
    found = kernel_of(name)(p, t, wanted="both", **settings)
    of_classes = isinstance(loss, ClassLoss)
    if not of_classes and reduction == "none":
        assert found is None
        return
    assert_same(found, expected_of(loss, p, t, reduction=reduction), "float32")
    assert on_cpu == ["rows" if of_classes else "errors", "finish"]


HARD = {
    "offsets": lambda x: x + 1e4,
    "spread": lambda x: 1e3 * x,
    "masked": lambda x: np.where(x > 0.8, -np.inf, x),
    "masked rows": lambda x: np.where(np.arange(len(x))[:, None] % 5, x, -np.inf),
    "nan": lambda x: np.where(np.abs(x) > 2, np.nan, x),
    "inf": lambda x: np.where(np.abs(x) > 2, np.inf, x),
}


@needs_gpp
@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("width", [10, 17, 144, 149])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("case", HARD)
def test_hard_logits(rng, case, dtype, width):
    x = HARD[case](rng.normal(size=(21, width))).astype(dtype)
    y = rng.integers(0, width, 21)
    loss = LOSSES["softmax_cross_entropy"]
    settings = SETTINGS | {"reduction": "none"}
    found = kernels.softmax_cross_entropy(x, y, wanted="both", **settings)
    assert_same(found, expected_of(loss, x, y, reduction="none"), dtype)


@needs_gpp
@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("width", [2, 10, 144, 149, 5000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sure_rows_keep_their_digits(dtype, width):
    gaps = np.array([3.0, 16.0, 40.0, 80.0, 0.0])
    labels = np.array([0, 1, width // 2, width - 1, 1])
    x = np.zeros((len(gaps), width), dtype) - gaps[:, None].astype(dtype)
    x[np.arange(len(gaps)), labels] = 0
    settings = SETTINGS | {"reduction": "none"}
    found, _ = kernels.softmax_cross_entropy(x, labels, wanted="value", **settings)
    expected = np.log1p((width - 1) * np.exp(-gaps))
    # The sum of so many terms, and exp and log.
    rtol = (width**0.5 + 8) * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol)


@needs_gpp
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("width", [10, 144, 149])
def test_bad_labels_are_refused_or_poison_their_row(rng, on_cpu, name, width):
    loss = LOSSES[name]
    p, t = arrays(loss, rng, (21, width), "float32")
    bad = np.where(np.arange(21) == 13, width, t)
    for labels in (bad, np.where(bad == width, -1, bad), bad.astype(np.uint64)):
        assert kernel_of(name)(p, labels, wanted="both", **SETTINGS) is None
        settings = {"reduction": "none", "check": False, "is_perturbed": False}
        found = kernel_of(name)(p, labels, wanted="both", **settings)
        expected = expected_of(loss, p, labels, reduction="none", check=False)
        assert np.isnan(found[0]).sum() == 1
        assert_same(found, expected, "float32")
    assert len(on_cpu) == 12


@needs_gpp
@pytest.mark.parametrize("label", kernels.INTEGERS)
def test_labels_of_every_dtype(rng, on_cpu, label):
    loss = LOSSES["softmax_cross_entropy"]
    p, t = arrays(loss, rng, (21, 10), "float32")
    found = kernels.softmax_cross_entropy(p, t.astype(label), wanted="both", **SETTINGS)
    assert_same(found, expected_of(loss, p, t), "float32")
    assert on_cpu == ["rows", "finish"]


@needs_gpp
@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_improper_probabilities_are_refused_where_they_are_checked(dtype):
    for rows in ([[0.5, 0.6]], [[1.5, -0.5]], [[-0.1, 1.1]], [[0.0, 0.0]]):
        p, t = np.array(rows, dtype), np.array([0])
        call = kernels.cross_entropy
        assert call(p, t, wanted="value", **SETTINGS) is None
        for change in ({"check": False}, {"is_perturbed": True}):
            found = call(p, t, wanted="both", **SETTINGS | change)
            loss = LOSSES["cross_entropy"]
            assert_same(found, expected_of(loss, p, t, check=False), dtype)


@needs_gpp
@pytest.mark.usefixtures("on_cpu")
def test_delta_and_layout(rng):
    loss = LOSSES["cross_entropy"]
    p, t = arrays(loss, rng, (21, 10), "float32")
    p, t = np.asfortranarray(p), np.stack([t, t], axis=1)[:, 0]
    found = kernels.cross_entropy(p, t, wanted="both", delta=0.25, **SETTINGS)
    assert_same(found, expected_of(loss, p, t, delta=0.25), "float32")
    p, t = p.reshape(3, 7, 10), t.reshape(3, 7)
    settings = SETTINGS | {"reduction": "none"}
    for rows, labels in ((p, t), (p[0, 0], t[0, 0].reshape(()))):
        found = kernels.cross_entropy(rows, labels, wanted="both", **settings)
        expected = expected_of(loss, rows, labels, reduction="none")
        assert_same(found, expected, "float32")


@needs_gpp
@pytest.mark.parametrize("classes", [3, 150])
@pytest.mark.parametrize("dtypes", [("int64", "int64"), ("uint8", "int16")])
def test_counts_of_labels(rng, on_cpu, classes, dtypes):
    rows, columns = (rng.integers(0, min(classes, 120), 300).astype(d) for d in dtypes)
    found = kernels.confusion_counts(rows, columns, classes)
    assert found.dtype == np.int64
    expected = np.zeros((classes, classes), np.int64)
    np.add.at(expected, (rows, columns), 1)
    np.testing.assert_array_equal(found, expected)
    assert kernels.confusion_counts(rows, columns, 2) is None
    if dtypes[1] == "int64":
        columns[7] = -1
        assert kernels.confusion_counts(rows, columns, classes) is None
    assert set(on_cpu) == {"pairs"}


@needs_gpp
@pytest.mark.parametrize("dtype", kernels.WIDE)
@pytest.mark.parametrize("kind", ["entries", "pairs", "rows", "colors"])
def test_points_of_a_derivative(rng, on_cpu, dtype, kind):
    xp = xgrad.namespace("numpy")
    base = rng.normal(size=(2, 3)).astype(dtype)
    points = _points.Points(xp, base, np.full_like(base, 0.5), (-1, 1, 2))
    division = {
        "entries": lambda: columns.entry_columns(xp, base),
        "pairs": lambda: columns.pair_columns(
            xp, base, np.array([0, 5]), np.array([1, 5])
        ),
        "rows": lambda: columns.row_columns(xp, base),
        "colors": lambda: columns.columns_of_colors(
            xp, base, np.array([0, 1, 0, 1, 1, 0]), 2
        ),
    }[kind]()
    points = points.divided(division)
    ids = tuple(ids[:2] for ids in points.columns)
    (positions,) = points.coordinates
    found = kernels.perturbed_points(
        base, positions, points.column_of_entry, ids, False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_points, "find_kernel", lambda *names: None)
        expected = points.batch(_points.Chunk(0, 2, 0, 3))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert on_cpu == ["points"]


def test_rows_are_shared_out_to_all_threads():
    for count, classes in ((1, 1), (60_000, 10), (7, 1024), (8192, 32_000), (3, 10**6)):
        team, threads, blocks = kernels.layout(count, classes)
        assert threads % 32 == 0
        assert threads <= 1024
        assert 1 <= blocks <= kernels.MOST_BLOCKS
        assert team in (0, *kernels.TEAMS)
        rows_at_once = blocks * threads // (team or threads)
        assert rows_at_once >= min(count, kernels.MOST_BLOCKS)
    assert kernels.layout(60_000, 10) == (4, 256, 938)


def test_the_functions_of_cupy_that_launch_kernels_exist():
    import cupy

    for name in ("RawKernel", "empty", "zeros", "ascontiguousarray"):
        assert callable(getattr(cupy, name))
    assert cupy.cuda.runtime.is_hip is False
    assert kernels.find("softmax_cross_entropy", np.dtype("float16")) is not None
    assert kernels.find("softmax_cross_entropy", np.dtype("int64")) is None
    assert kernels.find("matches", np.dtype("int64")) is None
