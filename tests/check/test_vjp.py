"""Checks of backward passes: functions of several arrays that return several."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad import check_gradient, check_vjp


def matmul(a, b):
    return a @ b


def matmul_vjp(a, b, slope):
    return slope @ b.T, a.T @ slope


def polar(x, y):
    """Two outputs of different shapes, the second in a dict of its own use."""
    return x * y, (x + y) ** 2 / 2


def polar_vjp(x, y, product, square):
    both = square * (x + y)
    return product * y + both, product * x + both


@pytest.fixture
def factors(xp, rng):
    return (
        xp.asarray(rng.normal(size=(3, 4))),
        xp.asarray(rng.normal(size=(4, 5))),
    )


def test_a_right_backward_pass_passes(factors):
    report = check_vjp(matmul, matmul_vjp, factors)
    assert report.verdict == "pass"
    assert report.name == "inputs"


MUTANTS = {
    "x1.001": lambda da, db: (1.001 * da, db),
    "sign": lambda da, db: (da, -db),
    "zero": lambda da, db: (0 * da, db),
    "swapped rows": lambda da, db: (da, db[::-1, ...]),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_backward_pass_fails(factors, mutant):
    if mutant == "swapped rows" and "torch" in type(factors[0]).__module__:
        pytest.skip("PyTorch has no negative steps")
    wrong = lambda *arrays: MUTANTS[mutant](*matmul_vjp(*arrays))  # noqa: E731
    report = check_vjp(matmul, wrong, factors)
    assert report.verdict == "fail"
    side = 0 if mutant in ("x1.001", "zero") else 1
    assert report.worst.index[0] == side
    assert report.hint.startswith(f"only inputs[{side}] differs")


def test_several_outputs_have_a_cotangent_each(xp, rng):
    inputs = tuple(xp.asarray(rng.normal(size=6)) for _ in range(2))
    assert check_vjp(polar, polar_vjp, inputs).verdict == "pass"

    def forgets_the_second(x, y, product, square):
        return polar_vjp(x, y, product, 0 * square)

    assert check_vjp(polar, forgets_the_second, inputs).verdict == "fail"


def test_a_backward_pass_that_ignores_its_cotangents_fails(xp, rng):
    x = xp.asarray(rng.normal(size=6))
    assert check_vjp(lambda x: x**2, lambda x, u: 2 * x * u, x).verdict == "pass"
    assert check_vjp(lambda x: x**2, lambda x, u: 2 * x, x).verdict == "fail"


# Operations with few outputs, and backward passes that confuse their cotangents.
CONFUSED = {
    "forgotten": (lambda a, b: np.sum(a * b), lambda a, b, g: (b, a)),
    "squared": (lambda a, b: np.sum(a * b), lambda a, b, g: (g * b * abs(g), g * a)),
    "swapped": (
        lambda a, b: (np.sum(a * a), np.sum(np.sin(b))),
        lambda a, b, g, h: (2 * a * h, np.cos(b) * g),
    ),
    "reversed": (lambda a, b: a * b, lambda a, b, g: (g[::-1] * b, g[::-1] * a)),
    "transposed": (np.outer, lambda a, b, g: (g.T @ b, g.T @ a)),
    "averaged": (
        lambda a, b: a * b,
        lambda a, b, g: (np.sign(g) * np.mean(abs(g)) * b, g * a),
    ),
}


@pytest.mark.parametrize("case", CONFUSED)
def test_confused_cotangents_are_found_with_every_seed(case):
    f, vjp = CONFUSED[case]
    a, b = np.array([1.0, 2.0]), np.array([0.5, -3.0])
    for seed in range(30):
        assert check_vjp(f, vjp, (a, b), seed=seed).verdict == "fail"


def test_one_input_needs_no_tuple(xp, rng):
    x = xp.asarray(rng.normal(size=(2, 3)))
    wrong = lambda x, u: xp.where(x == x[0, 1], x, 3 * x**2 * u)  # noqa: E731
    report = check_vjp(lambda x: x**3, wrong, x)
    assert report.verdict == "fail"
    assert report.worst.index == (0, 1)
    assert report.hint == "all of the difference lies in inputs[0, 1]"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("left_out", [True, False])
def test_integer_inputs_are_skipped(xp, rng, left_out):
    x, index = xp.asarray(rng.normal(size=5)), xp.asarray([4, 0, 0])
    where = xp.asarray([[0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]], "float64")

    def f(index, x):
        assert xp.isdtype(index.dtype, "integral")
        return xp.take(x, index) ** 2

    def vjp(index, x, slope):
        slopes = 2 * (where * where) @ x * slope
        found = xp.permute_dims(where, (1, 0)) @ slopes
        return found if left_out else (None, found)

    assert check_vjp(f, vjp, (index, x)).verdict == "pass"


def test_kernels_get_their_own_dtypes_one_point_at_a_time(rng):
    seen = set()

    def f(x, k, w):
        seen.add((x.dtype.name, k.dtype.name, w.dtype.name, x.shape))
        return x * w.astype(np.float32) + k

    def vjp(x, k, w, slope):
        assert slope.dtype == np.float32
        return slope * w.astype(np.float32), None, slope * x

    inputs = (
        rng.normal(size=7).astype(np.float32),
        np.array(3, dtype=np.uint8),
        rng.normal(size=7).astype(np.float16),
    )
    assert check_vjp(f, vjp, inputs).verdict == "pass"
    assert seen == {("float32", "uint8", "float16", (7,))}


def test_half_precision_is_checked_in_its_own_precision(rng):
    inputs = [rng.normal(size=s).astype(np.float16) for s in ((3, 4), (4, 5))]
    assert check_vjp(matmul, matmul_vjp, inputs).verdict == "pass"
    wrong = lambda a, b, u: (-u @ b.T, a.T @ u)  # noqa: E731
    assert check_vjp(matmul, wrong, inputs).verdict == "fail"


def _attention(x, y):
    weights = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True) * y + x * y


HALVES = {
    "attention": _attention,
    "sigmoid": lambda x, y: 1 / (1 + np.exp(-x * y)) + y * y,
    "quotient": lambda x, y: x / (1 + y * y) + x * x * y,
    "waves": lambda x, y: np.sin(x) * np.cos(y) + x,
    "squares": lambda x, y: np.mean((x - y) ** 2) + np.sum(x * y),
}
MISTAKES = {
    "none": lambda g, u: g,
    "factor 2": lambda g, u: (2 * g[0], g[1]),
    "factor 1/2": lambda g, u: (g[0], g[1] / 2),
    "sign": lambda g, u: (g[0], -g[1]),
    "zero": lambda g, u: (0 * g[0], g[1]),
    "transposed": lambda g, u: (g[0].T, g[1]),
}


def _verdicts_in_half(mistake, in_half):
    """Return the verdicts on a backward pass, of the function in half or in single."""
    verdicts = []
    for f in HALVES.values():
        for seed in range(3):
            rng = np.random.default_rng(seed)
            x, y = (rng.normal(size=(4, 4)).astype(np.float16) for _ in range(2))

            def vjp(x, y, u, f=f):
                wide = tuple(a.astype(np.float64) for a in (x, y))
                gradients = xgrad.vjp(lambda p: f(*p), wide)[1](u.astype(np.float64))
                wrong = MISTAKES[mistake](gradients, u)
                return tuple(g.astype(np.float16) for g in wrong)

            if in_half:
                report = check_vjp(f, vjp, (x, y))
            else:
                u = rng.choice([-1, 1], np.shape(f(x, y))).astype(np.float16)
                report = check_gradient(
                    lambda p, f=f, u=u: np.sum(f(*p) * u),
                    lambda p, vjp=vjp, u=u: vjp(*p, u),
                    (x, y),
                )
            verdicts.append(report.verdict)
    return verdicts


@pytest.mark.parametrize("in_half", [True, False])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found_in_half_precision(mistake, in_half):
    verdicts = _verdicts_in_half(mistake, in_half)
    if mistake == "none":
        assert "fail" not in verdicts
        assert verdicts.count("pass") >= (0.6 if in_half else 0.9) * len(verdicts)
    else:
        assert "pass" not in verdicts
        assert verdicts.count("fail") >= 0.8 * len(verdicts)


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_a_small_factor_is_not_passed_by_a_gradient_of_half_precision(factor, rng):
    x = rng.normal(size=12).astype(np.float16)
    right = lambda x: (3 * x**2).astype(np.float16)  # noqa: E731
    assert check_gradient(lambda x: np.sum(x**3), right, x).verdict == "pass"
    wrong = lambda x: (factor * right(x)).astype(np.float16)  # noqa: E731
    assert check_gradient(lambda x: np.sum(x**3), wrong, x).verdict != "pass"


def test_no_check_passes_with_a_difference_above_its_tolerance(rng):
    inputs = [rng.normal(size=s).astype(np.float16) for s in ((3, 5), (5, 3))]
    wrong = lambda a, b, u: (u @ b.T * np.float16(1.1), a.T @ u)  # noqa: E731
    verdicts = set()
    for seed in range(12):
        report = check_vjp(matmul, wrong, inputs, seed=seed)
        verdicts.add(report.verdict)
        compared = (*report.directions, *report.entries)
        above = [abs(c.given - c.measured) > c.allowed for c in compared]
        assert any(above) <= (report.verdict != "pass")
    assert "inconclusive" in verdicts


def test_sums_of_many_single_precision_outputs_are_exact_enough(rng):
    x = rng.normal(size=100_000).astype(np.float32)
    right = lambda x, u: np.cos(x) * u  # noqa: E731
    assert check_vjp(np.sin, right, x).verdict == "pass"
    assert check_vjp(np.sin, lambda x, u: 1.05 * right(x, u), x).verdict == "fail"


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.thorough)])
def test_one_wrong_entry_of_a_dense_jacobian_is_found(count):
    """An error of 1 % in one of 10,000 entries, in so many Jacobians."""
    found, named = 0, 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        J, x = rng.normal(size=(100, 100)), rng.normal(size=100)
        row, column = rng.integers(0, 100, 2)
        wrong = J.copy()
        wrong[row, column] *= 1.01
        f, vjp = lambda x, J=J: J @ x, lambda x, u, W=wrong: W.T @ u
        report = check_vjp(f, vjp, x, seed=seed)
        found += report.verdict == "fail"
        named += report.worst.index == (column,)
    assert found >= 0.99 * count
    assert named >= 0.99 * count


@pytest.mark.slow
def test_one_wrong_entry_is_found_along_directions_alone():
    found = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        J, x = rng.normal(size=(100, 100)), rng.normal(size=100)
        wrong = J.copy()
        wrong[tuple(rng.integers(0, 100, 2))] *= 1.01
        f, vjp = lambda x, J=J: J @ x, lambda x, u, W=wrong: W.T @ u
        assert check_vjp(f, lambda x, u, J=J: J.T @ u, x, full=False, seed=seed)
        found += check_vjp(f, vjp, x, full=False, seed=seed).verdict == "fail"
    assert found >= 990


def test_the_arrays_of_the_caller_stay_as_they_are(rng):
    inputs = rng.normal(size=4), np.array([1, 2])
    for x in inputs:
        x.flags.writeable = False

    def f(x, k):
        x *= 2
        k += 1
        return x * np.sum(k)

    def vjp(x, k, u):
        u *= 2
        k += 1
        return u * np.sum(k), None

    before = [x.copy() for x in inputs]
    assert check_vjp(f, vjp, inputs).verdict == "pass"
    for x, original in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, original)


def test_an_output_buffer_may_be_used_again(rng):
    buffer = np.empty(5)

    def f(x):
        np.multiply(x, x, out=buffer)
        return buffer

    assert check_vjp(f, lambda x, u: 2 * x * u, rng.normal(size=5)).verdict == "pass"


X = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_vjp(3, matmul_vjp, X), "`f` must be callable"),
        (lambda: check_vjp(np.sin, 3, X), "`vjp` must be callable"),
        (lambda: check_vjp(np.sin, np.cos, np.cos), "`inputs` is a function"),
        (
            lambda: check_vjp(lambda x: (x, x > 1), lambda x, u, v: u, X),
            r"`f\(\*inputs\)\[1\]` has dtype bool and no derivative",
        ),
        (
            lambda: check_vjp(np.argsort, lambda x, u: u, X),
            r"`f\(\*inputs\)` has dtype int64 and no derivative",
        ),
        (lambda: check_vjp(np.sin, lambda x, u: 1j * u, X), "must hold real numbers"),
        (lambda: check_vjp(np.sin, lambda x, u: (u, u), X), "returned 2 gradients"),
        (
            lambda: check_vjp(np.sin, lambda x, u: u[:1], X),
            r"`vjp\(\.\.\.\)",
        ),
        (lambda: check_vjp(np.sin, lambda x, u: None, X), "is a `return` missing"),
        (lambda: check_vjp(lambda x: (), lambda x: X, X), "`f` returned no output"),
        (lambda: check_vjp(lambda x: None, lambda x, u: u, X), "must be an array"),
        (
            lambda: check_vjp(np.sin, np.cos, np.array([1, 2])),
            "`inputs` holds no float",
        ),
        (lambda: check_vjp(np.sin, np.cos, X * 1j), "must hold real numbers"),
        (lambda: check_vjp(np.sin, np.cos, (3.0,)), r"`inputs\[0\]` must be an array"),
        (lambda: check_vjp(np.sin, np.cos, ()), "`inputs` holds no array"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
