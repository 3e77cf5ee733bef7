"""Compiled kernels: their numbers, options, layouts, threads, and when they answer."""

import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from cases.kernels import Spy, assert_same, find_in, formulas, replace_lookup
from cases.losses import LOSSES

import xgrad
from xgrad import losses, metrics, special
from xgrad._kernels import lookup, numba_calls
from xgrad._kernels import numba as kernels

installed = pytest.mark.skipif(
    not lookup.is_numba_installed() or os.environ.get("XGRAD_KERNELS") == "0",
    reason="numba is missing, or there are no kernels",
)
DTYPES = ["float32", "float64"]
REDUCTIONS = ["mean", "sum", "none"]
ELEMENTS = [*kernels.OF_ELEMENTS]


@pytest.fixture
def always(monkeypatch):
    """Let compiled kernels alone answer, for arrays of any size; count the answers."""
    for limit in ("LEAST_BESIDE_FEW_STEPS", "LEAST_TO_COMPILE"):
        monkeypatch.setattr(numba_calls, limit, 1)
    # Or else small arrays of later tests would be computed by what is compiled here.
    monkeypatch.setattr(numba_calls, "_ready", set())
    spy = Spy(find_in("numba"))
    replace_lookup(monkeypatch, spy)
    return spy


def compare(call, *arguments, units=8, **options):
    """Assert that a call returns what it would without kernels."""
    answer = call(*arguments, **options)
    assert_same(answer, formulas(call, *arguments, **options), units)


# Functions


@installed
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "exact", "units"),
    [("exp", np.exp, 1), ("log", np.log, 2), ("log1p", np.log1p, 2)],
)
def test_polynomials_are_right_to_the_last_places(rng, name, exact, units, dtype):
    numba = pytest.importorskip("numba")
    function = getattr(numba_calls.loops("math"), name)

    @numba.njit
    def apply(x):
        results = np.empty_like(x)
        for i in range(x.size):
            results[i] = function(x[i])
        return results

    span = {"exp": 80, "log": 80, "log1p": 1}[name]
    x = (span * rng.random(20_000)).astype(dtype)
    # Exponents up to 44, the largest one of float32.
    x = {"exp": 44 - 1.5 * x, "log": np.exp(x - 40), "log1p": x}[name]
    right = exact(x.astype(np.longdouble)).astype(dtype)
    np.testing.assert_array_max_ulp(apply(x), right, maxulp=units)
    edges = np.array([0, np.nan], dtype)
    with np.errstate(divide="ignore"):
        assert_same(apply(edges), exact(edges))


@installed
def test_functions_keep_their_limits():
    numba = pytest.importorskip("numba")
    math = numba_calls.loops("math")
    exp, log = math.exp, math.log

    @numba.njit
    def apply(x):
        return exp(x), log(-x)

    for dtype in map(np.dtype, DTYPES):
        tiny = np.finfo(dtype).smallest_subnormal
        assert apply(dtype.type(-np.inf)) == (0, np.inf)
        small, logarithm = apply(np.log(dtype.type(tiny)))
        assert small == tiny
        assert logarithm == pytest.approx(float(np.log(-np.log(tiny))), rel=1e-6)
        assert apply(-tiny)[1] == pytest.approx(float(np.log(tiny)), rel=1e-6)
        largest = dtype.type(kernels.LARGEST_LOGIT[dtype])
        assert apply(largest)[0] == pytest.approx(float(np.exp(largest)), rel=1e-6)


@installed
@pytest.mark.parametrize("dtype", DTYPES)
def test_lifted_exponentials_are_0_or_normal_numbers(rng, dtype):
    numba = pytest.importorskip("numba")
    exp, lifted_exp = (
        getattr(numba_calls.loops("math"), f) for f in ("exp", "lifted_exp")
    )

    @numba.njit
    def apply(x):
        results = np.empty_like(x), np.empty_like(x)
        for i in range(x.size):
            results[0][i] = exp(x[i])
            results[1][i] = lifted_exp(x[i])
        return results

    info = np.finfo(dtype)
    lift = 2.0 ** (info.nmant + 1)
    least = float(np.log(info.smallest_subnormal))
    x = np.linspace(least, 44, 2001).astype(dtype)
    plain, lifted = apply(x)
    assert (lifted >= info.tiny).all()
    np.testing.assert_array_equal((lifted / lift).astype(dtype), plain)
    odd = np.array([-np.inf, least - 2, np.nan, -np.nan, np.nan], dtype)
    # Another nan than that of NumPy, such as a missing number of R.
    odd[-1:].view(f"i{info.dtype.itemsize}")[:] += 1954
    for results in apply(odd):
        np.testing.assert_array_equal(results, [0, 0, np.nan, np.nan, np.nan])


@installed
@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithms_of_shares_keep_their_digits(rng, dtype):
    numba = pytest.importorskip("numba")
    minus_log_share = numba_calls.loops("math").minus_log_share

    @numba.njit
    def apply(own, others):
        results = np.empty_like(own)
        for i in range(own.size):
            results[i] = minus_log_share(own[i], others[i])
        return results

    own = np.exp(5 * rng.normal(size=20_000)).astype(dtype)
    ratio = np.exp(rng.choice([0.1, 1, 10], 20_000) * rng.normal(size=20_000))
    others = (own * ratio).astype(dtype)
    right = np.log1p(others.astype(np.longdouble) / own).astype(dtype)
    np.testing.assert_array_max_ulp(apply(own, others), right, maxulp=3)
    assert (apply(own, np.zeros_like(own)) == 0).all()


# Losses


@installed
@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes_of_tiny_weights_keep_their_digits(rng, always, dtype):
    # Sums of exponentials are so large that their inverse times a weight is no normal
    # number, while the slopes are.
    x = (kernels.LARGEST_LOGIT[np.dtype(dtype)] - 5 - 9 * rng.random((300, 10))).astype(
        dtype
    )
    y = rng.integers(0, 10, 300)
    weight = np.full(300, np.finfo(dtype).tiny * 1e9, dtype)
    weight[::3] = 0
    options = {"weight": weight, "reduction": "sum"}
    slope = losses.softmax_cross_entropy.grad(x, y, **options)
    right = losses.softmax_cross_entropy.grad(x, y, reduction="none") * weight[:, None]
    assert always.answered == 2
    assert (abs(right).max(axis=1)[weight > 0] > 0).all()
    np.testing.assert_allclose(slope, right, rtol=1e-4 if dtype == "float32" else 1e-12)


@installed
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("method", ["__call__", "grad", "value_and_grad"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTS)
def test_losses_of_elements(rng, always, name, dtype, method, reduction):
    # More than one block, and a rest of the registers.
    x = (3 * rng.normal(size=(20_003,))).astype(dtype)
    target = rng.random(20_003).astype(dtype)
    target[:100] = target[:100].round()
    x[:7] = [0, 0.5, -np.inf, np.inf, np.nan, 1e30, -1e30]
    x[100:110] = target[100:110]
    weight = rng.integers(0, 3, 20_003).astype(dtype)
    weight[8] = 2
    call = getattr(LOSSES[name], method)
    # The formulas add in other groups: a sum of 20,000 differs by more than a number.
    for options in ({}, {"weight": weight}):
        for part in (slice(None), slice(7, None), slice(8, 9)):
            chosen = {name: value[part] for name, value in options.items()}
            compare(call, x[part], target[part], reduction=reduction, **chosen)
    assert always.answered == always.asked == 6


@installed
@pytest.mark.parametrize(
    ("name", "option"),
    [("huber", "delta"), ("sigmoid_binary_cross_entropy", "positive_weight")],
)
def test_options_reach_the_kernel(rng, always, name, option):
    x, t = rng.normal(size=(50, 3)), rng.random((50, 3))
    compare(LOSSES[name].value_and_grad, x, t, **{option: 0.25})
    assert LOSSES[name](x, t, **{option: 0.25}) != LOSSES[name](x, t)
    assert always.answered == 3


@installed
def test_targets_of_two_classes_may_be_integers_and_are_checked(rng, always):
    x, t = rng.normal(size=200), rng.integers(0, 2, 200)
    for target in (t, t.astype(bool), t.astype(np.int8)):
        compare(losses.sigmoid_binary_cross_entropy, x, target)
    assert always.answered == 3
    for bad in (2, -1, -1e-300):
        target = t.astype(float)
        target[50] = bad
        with pytest.raises(ValueError, match=r"target\[50\]"):
            losses.sigmoid_binary_cross_entropy(x, target)


@installed
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 7, 20, 64, 65, 129, 400])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy"])
def test_weights_and_one_hot_targets_of_rows(
    rng, always, name, classes, dtype, reduction
):
    x = rng.normal(size=(150, classes)).astype(dtype)
    if name == "cross_entropy":
        x = special.softmax(x)
    y = rng.integers(0, classes, 150)
    weight = rng.integers(0, 3, 150).astype(dtype)
    one_hot = np.eye(classes, dtype=dtype)[y]
    before = always.answered
    call = LOSSES[name].value_and_grad
    for target in (y, one_hot):
        for options in ({}, {"weight": weight}):
            compare(call, x, target, reduction=reduction, **options)
    assert always.answered == before + 4
    soft = np.full_like(one_hot, 1 / classes)
    compare(call, x, soft, reduction=reduction)
    assert always.answered == before + 4


@installed
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [5, 64, 65, 500])
@pytest.mark.parametrize("offset", [0, 400])  # within the limits and beyond
def test_slopes_of_sure_rows_keep_their_digits(rng, always, classes, dtype, offset):
    x = rng.normal(size=(300, classes)).astype(dtype)
    y = rng.integers(0, classes, 300)
    rows = np.arange(300)
    x[rows, y] = rng.integers(10, 60, 300)
    slope = losses.softmax_cross_entropy.grad(x + x.dtype.type(offset), y)
    of_label = slope[rows, y]
    slope[rows, y] = 0
    rounding = 2 * offset * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        of_label, -slope.sum(axis=1, dtype=float), rtol=rounding + 1e-5
    )
    assert (of_label < 0).all()
    assert always.answered == 1


@installed
@pytest.mark.parametrize("name", ["cross_entropy", *ELEMENTS])
def test_weights_are_multiplied_first(rng, always, name):
    # A slope divided by the sum of weights alone, or a large one, is infinite.
    x = np.full(200, 1e15, "f4")
    target = np.zeros(200, "f4")
    if name == "cross_entropy":
        x = np.tile(np.array([1e-15, 1], "f4"), (200, 1))
        target = np.zeros(200, int)
    weight = np.full(200, 1e-30, "f4")
    value, slope = LOSSES[name].value_and_grad(x, target, weight=weight)
    plain = LOSSES[name].value_and_grad(x, target)
    np.testing.assert_allclose(
        (value, *slope.ravel()), (plain[0], *plain[1].ravel()), 1e-5
    )
    assert np.isfinite(slope).all()
    assert always.answered == 2


@installed
@pytest.mark.parametrize("classes", [5, 70])
def test_ignored_rows(rng, always, classes):
    x = rng.normal(size=(300, classes))
    y = rng.integers(0, classes, 300)
    call = losses.softmax_cross_entropy.value_and_grad
    for label in (1, -100):
        for target in (np.where(y == 1, label, y), np.eye(classes)[y]):
            for options in ({}, {"weight": rng.random(300)}):
                for reduction in REDUCTIONS:
                    compare(
                        call,
                        x,
                        target,
                        ignore_index=label,
                        reduction=reduction,
                        **options,
                    )
    assert always.answered == 24
    x[y == 1] = np.nan
    value, slope = call(x, y, ignore_index=1)
    assert np.isfinite(value)
    assert (slope[y == 1] == 0).all()
    with pytest.raises(ValueError, match="not ignored"):
        call(x, np.full(300, 1), ignore_index=1)
    with pytest.raises(ValueError, match=r"target\[0\]"):
        call(x, np.full(300, 2**64 - 1, np.uint64), ignore_index=-1)


@installed
def test_odd_arguments_are_left_to_the_formulas(rng, always):
    x, y = rng.normal(size=(40, 4)), rng.integers(0, 4, 40)
    call = losses.softmax_cross_entropy
    for options in (
        {"weight": np.ones(40, int)},
        {"label_smoothing": 0.1},
        {"class_weight": np.ones(4)},
        {"weight": np.full(40, np.inf)},
    ):
        compare(call, x, y, reduction="sum", **options)
    for options, words in (
        ({"weight": np.ones(39)}, "weight"),
        ({"weight": np.zeros(40)}, "sum to 0"),
        ({"weight": [1] * 40}, "weight"),
        ({"ignore_index": 1.5}, "ignore_index"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            call(x, y, **options)
    with pytest.raises(ValueError, match=r"target\[3\]"):
        call(x, np.where(np.arange(40) == 3, 4, y))
    assert always.answered == 0


@installed
@pytest.mark.parametrize("case", ["mean", "rest", "unaligned", "read-only"])
def test_layouts(rng, always, case):
    x, y = rng.normal(size=(1000, 10)), rng.integers(0, 10, 1000)
    if case == "unaligned":
        x = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(float).reshape(x.shape)
    if case == "read-only":
        x.flags.writeable = y.flags.writeable = False
    if case == "rest":
        x = np.asfortranarray(x)[::2, ::-1]
        y = y[::2]
    compare(losses.softmax_cross_entropy.value_and_grad, x, y)
    compare(losses.huber.value_and_grad, x, x[::-1])
    assert always.answered == 2


# Softmax, counts and moments


@installed
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (300, 5), (2, 70, 64), (9, 65), (3, 1000)])
@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_softmax_and_its_sum(rng, always, name, shape, dtype):
    x = (10 * rng.normal(size=shape)).astype(dtype)
    compare(getattr(special, name), x)
    assert always.answered == 1
    compare(getattr(special, name), x, axis=0)
    for odd in (np.inf, -np.inf, np.nan):
        x[-1] = odd
        compare(getattr(special, name), x)


@installed
@pytest.mark.parametrize("kinds", ["i8 i8", "u1 i8", "i2 u4", "u8 i1", "i1 u1"])
def test_counts_of_labels(rng, always, kinds):
    left, right = kinds.split()
    p, t = (rng.integers(0, 9, 30_001).astype(kind) for kind in (left, right))
    for metric in (metrics.confusion_matrix, metrics.accuracy):
        np.testing.assert_array_equal(
            metric(p, t, num_classes=9), formulas(metric, p, t, num_classes=9)
        )
    assert always.answered == 2
    assert metrics.accuracy(t, t, num_classes=9) == 1
    for bad in (9, -1):
        p = p.astype(np.int64)
        p[20_000] = bad
        for metric in (metrics.confusion_matrix, metrics.accuracy):
            with pytest.raises(ValueError, match=r"prediction\[20000\]"):
                metric(p, t, num_classes=9)


@installed
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_of_regression(rng, always, dtype):
    target = (1e4 + rng.normal(size=30_001)).astype(dtype)
    prediction = (target + rng.normal(size=30_001)).astype(dtype)

    def moments(p, t):
        return metrics.Regression().update(p, t).moments

    np.testing.assert_allclose(
        moments(prediction, target),
        formulas(moments, prediction, target),
        rtol=1e-13,
        atol=1e-9,
    )
    assert always.answered == 1
    constant = np.full_like(target, 0.1)
    assert moments(constant, constant)[4] == 0
    target[5] = 0
    compare(moments, prediction.astype(float), target.astype(float))
    assert always.answered == 2  # an infinite relative error is left to the formulas


# Threads


@installed
@pytest.mark.parametrize("shape", [(70_000, 10), (700, 1000)])
def test_results_do_not_depend_on_threads(rng, always, monkeypatch, shape):
    numba = pytest.importorskip("numba")
    x, y = rng.normal(size=shape).astype("f4"), rng.integers(0, 10, shape[0])
    t = rng.random(shape).astype("f4")

    def results():
        value, slope = losses.softmax_cross_entropy.value_and_grad(x, y)
        error = losses.mean_squared_error(x, t)
        counts = metrics.confusion_matrix(y, y[::-1].copy(), num_classes=10)
        return value, error, slope.tobytes(), counts.tobytes()

    monkeypatch.setattr(numba_calls.loops("compile"), "LEAST_TO_SHARE", 2)
    first = None
    for count in (1, 2, 3):
        monkeypatch.setattr(numba, "get_num_threads", lambda count=count: count)
        first = first or results()
        assert results() == first


@installed
def test_threads_of_the_caller_may_meet(rng, always, monkeypatch):
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba_calls.loops("compile"), "LEAST_TO_SHARE", 2)
    monkeypatch.setattr(numba, "get_num_threads", lambda: 2)
    x, y = rng.normal(size=(2000, 10)), rng.integers(0, 10, 2000)
    answers = []

    def work():
        answers.extend(losses.softmax_cross_entropy(x, y) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*answers}) == 1
    assert len(answers) == 80


@installed
@pytest.mark.parametrize("starts", [0, 1])
def test_threads_that_do_not_start_leave_the_work_to_others(
    rng, always, monkeypatch, starts
):
    compiling = numba_calls.loops("compile")
    monkeypatch.setattr(compiling, "LEAST_TO_SHARE", 2)
    monkeypatch.setattr(pytest.importorskip("numba"), "get_num_threads", lambda: 3)
    started = []

    class Pool:
        def submit(self, work):
            if len(started) == starts:
                raise RuntimeError("can't start new thread")
            started.append(compiling.Future())  # which never runs
            return started[-1]

    x, y = rng.normal(size=(2000, 10)), rng.integers(0, 10, 2000)
    expected = losses.softmax_cross_entropy(x, y)
    monkeypatch.setattr(compiling, "_pool", Pool)
    assert losses.softmax_cross_entropy(x, y) == expected
    assert len(started) == starts
    assert all(future.cancelled() for future in started)


@installed
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_starts_threads_of_its_own(tmp_path):
    code = (
        "import os, warnings, numpy as np, xgrad, numba\n"
        # Python warns of forks, for other reasons too.
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "from xgrad._kernels import numba_calls\n"
        "compiling = numba_calls.loops('compile')\n"
        "compiling.LEAST_TO_SHARE = 2\n"
        "numba.get_num_threads = lambda: 2\n"
        "x = np.linspace(0, 1, 200_000)\n"
        "def loss():\n"
        "    return float(xgrad.losses.mean_squared_error(x, x[::-1]))\n"
        "expected, pool = loss(), compiling._pool()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    is_right = loss() == expected and compiling._pool() is not pool\n"
        "    is_right = is_right and compiling._pool().submit(int).result(60) == 0\n"
        "    os._exit(0 if is_right else 3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert run(code, XGRAD_KERNELS="1", NUMBA_NUM_THREADS="2") == "0"


# When they answer


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


def test_small_arrays_do_not_import_numba():
    code = (
        "import sys, numpy as np, xgrad\n"
        "xgrad.losses.softmax_cross_entropy(np.ones((9, 3)), np.zeros(9, int))\n"
        "print('numba' in sys.modules)"
    )
    assert run(code, XGRAD_KERNELS="1") == "False"


@installed
@pytest.mark.parametrize(("setting", "expected"), [("1", "True"), ("numpy", "False")])
def test_large_arrays_import_it_unless_the_environment_says_otherwise(
    setting, expected
):
    code = (
        "import sys, numpy as np, xgrad\n"
        "x = np.ones((20_000, 10))\n"
        "xgrad.losses.mean_squared_error(x, x)\n"
        "print('numba' in sys.modules)"
    )
    assert run(code, XGRAD_KERNELS=setting) == expected


@installed
def test_a_numba_that_cannot_be_imported_is_none():
    code = (
        "import sys, numpy as np, xgrad\n"
        "from xgrad._kernels import lookup\n"
        "class Finder:\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'numba.core':\n"
        "            raise ImportError('Numba needs NumPy 1.0 or less')\n"
        "sys.meta_path.insert(0, Finder)\n"
        "x = np.ones((20_000, 10))\n"
        "print(xgrad.losses.mean_squared_error(x, x), lookup.why_not_compiled())"
    )
    assert run(code, XGRAD_KERNELS="1") == (
        "0.0 numba cannot be imported: Numba needs NumPy 1.0 or less"
    )


@installed
def test_nothing_is_compiled_where_numba_is_told_so():
    code = (
        "import numpy as np, xgrad\n"
        "from xgrad._kernels import lookup\n"
        "x = np.ones((20_000, 10))\n"
        "print(xgrad.losses.mean_squared_error(x, x), lookup.why_not_compiled())"
    )
    answer = run(code, XGRAD_KERNELS="1", NUMBA_DISABLE_JIT="1")
    assert answer == "0.0 NUMBA_DISABLE_JIT is set"


def test_without_numba_there_are_none(monkeypatch):
    monkeypatch.setenv("XGRAD_KERNELS", "1")
    monkeypatch.setattr(kernels, "is_numba_installed", lambda: False)
    assert kernels.find("huber", np.dtype("float64")) is None
    lookup.find_kernel.cache_clear()
    xp = xgrad.namespace("numpy")
    assert lookup.find_kernel("huber", xp, np.dtype("float64")) is None
    assert lookup.find_kernel("cross_entropy", xp, np.dtype("float64")) is not None
    lookup.find_kernel.cache_clear()


@installed
def test_arrays_are_large_enough_or_a_kernel_is_ready(monkeypatch):
    monkeypatch.setattr(numba_calls, "_ready", set())
    assert not numba_calls.is_worth_it(numba_calls.LEAST_TO_COMPILE - 1, ("k",))
    assert numba_calls.is_worth_it(numba_calls.LEAST_TO_COMPILE, ("k",))
    assert numba_calls.is_worth_it(1, ("k",))
    assert not numba_calls.is_worth_it(100, ("k",), few_steps=True)
    assert not numba_calls.is_worth_it(0, ("k",))


@installed
def test_they_are_cached_in_files(tmp_path):
    code = (
        "import numpy as np, xgrad\n"
        "from xgrad._kernels import numba_calls as calls\n"
        "x = np.ones((20_000, 10))\n"
        "xgrad.losses.mean_squared_error(x, x)\n"
        "print(sum(calls.loops('errors').squared.stats.cache_hits.values()))"
    )
    environment = {"XGRAD_KERNELS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run(code, **environment) == "0"
    assert run(code, **environment) == "1"


@installed
def test_a_change_of_a_function_within_a_loop_is_seen():
    pytest.importorskip("numba")
    compiling = numba_calls.loops("compile")
    folder = Path(compiling.__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("numba_*.py")))
    name = numba_calls.loops("rows").softmax.py_func.__qualname__
    assert name == f"softmax_{zlib.crc32(sources):08x}"
