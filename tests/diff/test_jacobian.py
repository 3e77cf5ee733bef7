"""Jacobians, whole and sparse, and sums of terms."""

import math
import pickle
import tracemalloc

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import hessian, hvp, jacobian, jvp
from cases.functions import (
    broyden,
    broyden_slope,
    rosenbrock_slope,
    rosenbrock_terms,
)

from xgrad import Coloring, color_columns, gradient, sparsity_pattern, to_numpy

METHODS = ["central", "forward", "backward", "complex", "ladder", "auto"]


def bands(rows, columns, below, above):
    """A banded pattern of booleans."""
    i, j = np.ogrid[:rows, :columns]
    return (j - i >= -below) & (j - i <= above)


# Dense


@pytest.mark.parametrize("method", METHODS)
def test_jacobians_of_any_shape(xp, rng, method):
    matrix = rng.normal(size=(4, 6))
    x = rng.normal(size=(2, 3))
    tensor = xp.asarray(matrix)

    def f(v):
        product = xp.sum(tensor * xp.reshape(xp.sin(v), (1, 6)), axis=-1)
        return xp.reshape(product, (2, 1, 2))

    found = jacobian(f, xp.asarray(x), method=method)
    assert tuple(found.shape) == (2, 1, 2, 2, 3)
    exact = (matrix * np.cos(x).reshape(-1)).reshape(2, 1, 2, 2, 3)
    rtol = 1e-9 if method in ("forward", "backward") else 1e-11
    assert_close(found, exact, rtol=rtol, atol=rtol)


def test_jacobians_of_scalars_numbers_and_nested_parameters(xp):
    assert tuple(jacobian(xp.sin, xp.asarray(1.0)).shape) == ()
    tree = {"a": xp.asarray([1.0, 2.0]), "b": [xp.asarray(3.0)]}
    found = jacobian(lambda t: t["a"] * t["b"][0], tree)
    assert_close(found["a"], [[3.0, 0.0], [0.0, 3.0]], rtol=1e-10, atol=1e-12)
    assert_close(found["b"][0], [1.0, 2.0], rtol=1e-10)


def test_jacobians_of_empty_arrays(xp):
    empty = xp.asarray(np.zeros((0,)))
    assert tuple(jacobian(lambda v: v, empty).shape) == (0, 0)
    found = jacobian(lambda v: xp.sum(v) + xp.asarray([1.0, 2.0]), empty)
    assert tuple(found.shape) == (2, 0)
    rows = xp.asarray(np.zeros((3, 0)))
    assert tuple(jacobian(lambda v: v, rows).shape) == (3, 0, 3, 0)
    _, estimate = jacobian(lambda v: v, empty, full_output=True)
    assert tuple(estimate.status.shape) == (0, 0)


@pytest.mark.parametrize("max_bytes", [None, 1, 300])
@pytest.mark.parametrize("vectorized", [True, False])
def test_chunks_change_no_jacobian(rng, vectorized, max_bytes):
    x = rng.normal(size=7)
    options = {"vectorized": vectorized, "max_bytes": max_bytes}
    assert_close(jacobian(broyden, x, **options), broyden_slope(x), rtol=0, atol=1e-10)


def test_a_nan_in_one_output_spoils_no_other():
    def f(v):
        return np.stack([v[0] ** 2, np.where(v[0] > 0, math.nan, v[0]), v[1]])

    found, estimate = jacobian(
        f, np.array([1.0, 2.0]), method="ladder", full_output=True
    )
    assert_close(found[[0, 2]], [[2.0, 0.0], [0.0, 1.0]], rtol=1e-10, atol=1e-10)
    assert np.isnan(found[1]).all()
    assert estimate.status[[0, 2]].max() == 0
    assert (estimate.status[1] == 3).all()


def test_a_dense_jacobian_stays_near_its_budget():
    x = np.random.default_rng(0).normal(size=500)
    jacobian(broyden, x, vectorized=True)
    tracemalloc.start()
    found = jacobian(broyden, x, vectorized=True, max_bytes=2**20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The chunk and what f and the differences make of it, the slopes, their order.
    assert peak <= 8 * 2**20 + 3 * found.nbytes


# Sparse


def _random_pattern(rng, shape, density):
    return rng.random(shape) < density


PATTERNS = {
    "tridiagonal": lambda rng: bands(9, 9, 1, 1),
    "lower": lambda rng: bands(8, 5, 3, 0),
    "arrow": lambda rng: np.eye(30, dtype=bool) | (np.arange(30) == 0)[:, None],
    "dense column": lambda rng: np.eye(40, dtype=bool) | (np.arange(40) == 7)[None],
    "random": lambda rng: _random_pattern(rng, (20, 30), 0.1),
    "many colours": lambda rng: _random_pattern(rng, (12, 25), 0.5),
    "full": lambda rng: np.ones((4, 3), dtype=bool),
    "empty rows and columns": lambda rng: np.diag(np.arange(6) % 2 == 0),
    "nothing": lambda rng: np.zeros((3, 4), dtype=bool),
    "grid": lambda rng: sum(
        np.eye(36, k=k, dtype=bool) for k in (-6, -1, 0, 1, 6)
    ).astype(bool),
    "one": lambda rng: np.ones((1, 1), dtype=bool),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_columns_of_one_colour_share_no_row(rng, name):
    pattern = PATTERNS[name](rng)
    coloring = color_columns(pattern)
    assert coloring.shape == pattern.shape
    for color in range(coloring.num_colors):
        assert pattern[:, coloring.colors == color].sum(axis=1).max() <= 1
    assert coloring.num_colors >= pattern.sum(axis=1).max(initial=0)
    rebuilt = np.zeros_like(pattern)
    rebuilt[coloring.rows, coloring.columns] = True
    np.testing.assert_array_equal(rebuilt, pattern)


@pytest.mark.parametrize(("below", "above"), [(0, 1), (1, 1), (2, 3)])
def test_bands_take_as_many_colours_as_they_are_wide(below, above):
    coloring = color_columns(bands(50, 50, below, above))
    assert coloring.num_colors == below + above + 1


def test_a_grid_takes_few_colours():
    assert color_columns(PATTERNS["grid"](None)).num_colors <= 7


def _linear(pattern, rng):
    matrix = np.where(pattern, rng.uniform(0.5, 2.0, pattern.shape), 0.0)
    assert pattern.sum() < 2 or np.ptp(matrix[pattern]) > 0

    def f(x):
        return np.sin(x) @ matrix.T

    return f, lambda x: matrix * np.cos(x)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("max_bytes", [None, 1, 700])
@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("name", PATTERNS)
def test_sparse_jacobians_are_the_dense_ones(rng, name, vectorized, max_bytes):
    pytest.importorskip("scipy", reason="scipy is not installed")
    pattern = PATTERNS[name](rng)
    f, slope = _linear(pattern, rng)
    x = rng.normal(size=pattern.shape[1]) * 10 ** rng.uniform(-3, 0, pattern.shape[1])
    for method in ("central", "forward", "complex", "ladder", "auto"):
        found, estimate = jacobian(
            f,
            x,
            sparsity=pattern,
            method=method,
            vectorized=vectorized,
            max_bytes=max_bytes,
            full_output=True,
        )
        assert found.format == "csr"
        assert found.nnz == pattern.sum()
        error = np.abs(found.toarray() - slope(x))
        assert error.max(initial=0) <= 1e-6
        bounds = np.zeros(pattern.shape)
        bounds[color_columns(pattern).rows, color_columns(pattern).columns] = (
            estimate.error
        )
        assert (error <= bounds).mean() >= 0.95
        assert estimate.error.shape == estimate.step.shape == (found.nnz,)


def test_steps_are_those_of_each_column_inside_a_colour():
    pytest.importorskip("scipy", reason="scipy is not installed")
    scales = np.array([1e-6, 1.0, 1e6, 1e3])
    x = scales * 1.5
    found = jacobian(
        lambda v: np.sin(v / scales),
        x,
        sparsity=np.eye(4, dtype=bool),
        method="ladder",
    )
    assert_close(found.toarray().diagonal(), np.cos(1.5) / scales, rtol=1e-8)


def test_patterns_of_every_kind_are_the_same():
    scipy_sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    pattern = bands(6, 6, 1, 1)
    x = np.linspace(0.5, 1.5, 6)
    expected = jacobian(broyden, x, sparsity=pattern).toarray()
    coloring = color_columns(pattern)
    twice = scipy_sparse.coo_array(
        (np.ones(4), ([0, 1, 0, 5], [0, 1, 0, 5])), shape=(6, 6)
    )
    kinds = [
        coloring,
        pickle.loads(pickle.dumps(coloring)),
        scipy_sparse.csr_array(pattern),
        scipy_sparse.csc_matrix(pattern),
        scipy_sparse.coo_array(pattern),
        scipy_sparse.dia_array(pattern),
        scipy_sparse.lil_array(pattern),
    ]
    for kind in kinds:
        for _ in range(2):  # what a colouring keeps serves again
            found = jacobian(broyden, x, sparsity=kind)
            np.testing.assert_array_equal(found.toarray(), expected)
    assert color_columns(twice).rows.tolist() == [0, 1, 5]


def test_evaluations_do_not_grow_with_a_sparse_jacobian():
    scipy_sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    counts = []
    for n in (10, 1_000, 100_000):
        ones = [np.ones(n - 1), np.ones(n), np.ones(n - 1)]
        pattern = scipy_sparse.diags_array(ones, offsets=[-1, 0, 1])
        x = np.random.default_rng(0).normal(size=n)
        calls = 0

        def f(v):
            nonlocal calls
            calls += 1
            return broyden(v)

        tracemalloc.start()
        found = jacobian(f, x, sparsity=pattern, vectorized=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        counts.append(calls)
        assert_close(found.diagonal(), 3 - 4 * x, rtol=1e-9, atol=1e-9)
    assert counts == [13, 13, 13]
    assert peak < 200e6


def test_sparse_matrices_need_a_library_that_has_them():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict missing")
    with pytest.raises(TypeError, match="needs NumPy or CuPy arrays"):
        jacobian(lambda v: v, strict.ones(3), sparsity=strict.eye(3, dtype=strict.bool))


# Sums of terms


@pytest.mark.sampled(5)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sparse", [True, False])
def test_sums_of_terms(xp, rng, method, sparse):
    x = rng.normal(size=12)
    pattern = bands(11, 12, 0, 1) if sparse else None
    options = {"method": method, "sparsity": pattern, "terms": True}
    for max_bytes in (None, 1):
        found, estimate = gradient(
            rosenbrock_terms,
            xp.asarray(x),
            max_bytes=max_bytes,
            full_output=True,
            **options,
        )
        exact = rosenbrock_slope(x)
        error = np.abs(to_numpy(found) - exact)
        loose = 1e-7 if method in ("forward", "backward") else 1e-10
        assert error.max() <= loose * np.abs(exact).max()
        assert (error <= to_numpy(estimate.error)).mean() >= 0.9


def test_there_may_be_no_terms_at_all():
    pattern = np.zeros((0, 3), dtype=bool)
    for options in ({}, {"sparsity": pattern}):
        found = gradient(lambda v: v[:0], np.ones(3), terms=True, **options)
        assert_close(found, np.zeros(3), rtol=0)


def test_the_columns_of_terms_may_have_many_rows(rng):
    pattern = np.eye(100, dtype=bool) | (np.arange(100) == 7)[None]
    f, slope = _linear(pattern, rng)
    x = rng.normal(size=100)
    found = gradient(f, x, terms=True, sparsity=pattern)
    assert_close(found, slope(x).sum(axis=0), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("n", [100, 10_000])
def test_evaluations_of_a_sum_of_terms_do_not_grow(n):
    calls = 0

    def f(v):
        nonlocal calls
        calls += 1
        return rosenbrock_terms(v)

    rows = np.arange(n - 1)
    scipy_sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    pattern = scipy_sparse.csr_array(
        (np.ones(2 * n - 2), (np.tile(rows, 2), np.append(rows, rows + 1))),
        shape=(n - 1, n),
    )
    x = np.random.default_rng(0).uniform(-2, 2, n).astype(np.float32)
    found = gradient(f, x, method="central", terms=True, sparsity=pattern)
    exact = rosenbrock_slope(x.astype(np.float64))
    assert calls == 2 * 4 + 1
    assert found.dtype == np.float32
    # A loop over the whole sum is off by 0.5 here: the sum itself has lost the change.
    assert np.abs(found - exact).max() <= 1e-4 * np.abs(exact).max()


def test_long_sums_in_float32_are_right_without_a_pattern_too():
    x = np.random.default_rng(0).uniform(-2, 2, 400).astype(np.float32)
    exact = rosenbrock_slope(x.astype(np.float64))
    found = gradient(rosenbrock_terms, x, terms=True)
    assert np.abs(found - exact).max() <= 1e-5 * np.abs(exact).max()


def test_terms_of_nested_parameters(xp):
    tree = [xp.asarray([1.0, 2.0]), xp.asarray([3.0, 4.0])]
    found = gradient(lambda t: t[0] * t[1], tree, terms=True)
    assert_close(found[0], [3.0, 4.0], rtol=1e-10)
    assert_close(found[1], [1.0, 2.0], rtol=1e-10)


# Bad arguments

X = np.array([1.0, 2.0])
EYE = np.eye(2, dtype=bool)
BAD = [
    (lambda: gradient(np.sin, X, sparsity=EYE), "needs `terms=True`"),
    (lambda: gradient(np.sin, X, terms=True, axis=-1), "exclude each other"),
    (lambda: gradient(np.sum, X, method="ladder", accuracy=4), "leave it out"),
    (lambda: gradient(np.sum, X, method="ladder", step=1.0), "leave it out"),
    (lambda: gradient(np.sum, X, method="complex", accuracy=2), "leave it out"),
    (lambda: gradient(np.sin, X, terms=True, sparsity=EYE[:1]), r"shape \(1, 2\)"),
    (lambda: jacobian(np.sin, X, sparsity=EYE[:, :1]), "needs a column for each"),
    (lambda: color_columns(EYE[0]), "two axes"),
    (lambda: hessian(np.sin, X), "must return a scalar"),
    (lambda: hessian(np.sum, X, method="forward"), "give the gradient as `grad=`"),
    (lambda: hessian(np.sum, X, accuracy=6), "must be one of 2, 4"),
    (lambda: hessian(np.sum, X, bounds=(0, 9)), "give the gradient as `grad=`"),
    (lambda: hessian(np.sum, X, grad=np.sum), "a gradient is shaped like x"),
    (lambda: jvp(np.sin, X, np.ones(3)), r"`v` has shape \(3,\)"),
    (lambda: jvp(np.sum, {"a": X}, {"b": X}), "must be nested as x is"),
    (lambda: hvp(np.sin, X, X), "must return a scalar"),
    (lambda: hvp(np.sum, X, X, grad=np.sum), "nested and shaped like x"),
]
WRONG_KIND = [
    (lambda: gradient(np.sum, X, bounds=[(0, 9), (0, 9)]), "not as a pair for each"),
    (lambda: jacobian(np.sin, X, sparsity=np.eye(2)), "must hold booleans"),
    (lambda: jacobian(np.sin, X, sparsity=True), "write sparsity='auto'"),
    (lambda: sparsity_pattern(lambda t: t[0], [X]), "needs one array"),
    (lambda: jacobian(np.sin, X, sparsity="banded"), "must be 'auto'"),
    (lambda: jacobian(lambda t: t[0], [X], sparsity=EYE), "needs one array"),
    (lambda: hessian(np.sum, [X]), "needs one array"),
    (
        lambda: jvp(np.sin, X, [1.0, 2.0]),
        r"`v` must be an array.* pass .*np\.asarray",
    ),
    (lambda: jvp(np.sin, X, "v"), "must be an array"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_colourings_are_what_they_say():
    assert isinstance(color_columns(EYE), Coloring)
    assert color_columns(EYE).num_colors == 1


def test_a_coloring_is_shown_in_a_line():
    coloring = color_columns(np.eye(2000, dtype=bool))
    assert repr(coloring) == "<Coloring 2,000 x 2,000; entries: 2,000; colours: 1>"
