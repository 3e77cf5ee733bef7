"""Functions of another kind at one point than at those where a way was proved.

A way to call a function is proved at a few points. Each of these functions is ordinary
there, and does something else at one of the points that follow.
"""

import contextlib
import functools
import warnings

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian

from xgrad import to_numpy

# Only the point below x[8] is outside of the domain of the functions that follow.
EDGE = np.linspace(0.5, 1.5, 20)
EDGE[8] = 1e-4


def assert_close(values, expected, rtol=1e-7, atol=0.0):
    np.testing.assert_allclose(values, expected, rtol=rtol, atol=atol)


def assert_like_the_loop(derivative, f, x, **options):
    """Compare with calls of one point, and expect the one warning of a loop."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        values = derivative(f, x, **options)
    loops = [w for w in told if "one point at a time" in str(w.message)]
    assert len(loops) == 1
    assert str(loops[0].filename) == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = derivative(f, x, vectorized=False, **options)
    assert_close(values, expected, rtol=1e-6, atol=1e-9)
    return values


# Exceptions that the function catches


def log_determinant(x):
    low = np.linalg.cholesky(np.diag(x))
    return np.sum(np.log(np.diagonal(low)))


@pytest.mark.parametrize(
    "instead", [1e6, -np.inf, np.nan, np.float64(3.0), np.array(2.0)]
)
def test_an_error_that_is_caught_at_one_point(instead):
    def f(x):
        try:
            return log_determinant(x)
        except np.linalg.LinAlgError:
            return instead

    values = assert_like_the_loop(gradient, f, EDGE)
    assert_close(np.delete(values, 8), 0.5 / np.delete(EDGE, 8), rtol=1e-6)


def test_an_error_that_is_caught_in_a_jacobian():
    def f(x):
        try:
            low = np.linalg.cholesky(np.diag(x))
        except np.linalg.LinAlgError:
            return np.full(3, 1e6)
        return np.diagonal(low)[:3]

    values = assert_like_the_loop(jacobian, f, EDGE)
    assert_close(np.diagonal(values), 0.5 / np.sqrt(EDGE[:3]), rtol=1e-6)


def test_an_error_that_is_caught_in_a_hessian():
    x = np.linspace(0.5, 1.5, 6)
    x[3] = 1e-5

    def f(x):
        try:
            return log_determinant(x)
        except np.linalg.LinAlgError:
            return 1e6

    assert_like_the_loop(hessian, f, x)


@pytest.mark.parametrize("solve", [np.linalg.inv, lambda a: np.linalg.solve(a, a[0])])
def test_a_matrix_that_is_singular_at_one_point(solve):
    x = np.linspace(0.5, 1.5, 20)
    h = 2.0**-11  # the step of entries between 1/2 and 1, at the default accuracy

    def f(x):
        matrix = np.diag(x) + np.diag(np.where(np.arange(20) == 5, h - x0, 0.0))
        try:
            return np.sum(solve(matrix))
        except np.linalg.LinAlgError:
            return 0.0

    x0 = x[5]
    assert_like_the_loop(gradient, f, x)


def test_a_term_that_is_left_out_where_it_fails():
    def f(x):
        total = np.sum(x**2)
        with contextlib.suppress(np.linalg.LinAlgError):
            total = total - log_determinant(x)
        return total

    values = assert_like_the_loop(gradient, f, EDGE)
    assert_close(np.delete(values, 8), np.delete(2 * EDGE - 0.5 / EDGE, 8), atol=1e-6)


def test_a_floating_point_error_that_is_caught():
    def f(x):
        with np.errstate(all="raise"):
            try:
                return np.sum(np.log(x))
            except FloatingPointError:
                return 0.0

    values = assert_like_the_loop(gradient, f, EDGE)
    assert_close(np.delete(values, 8), np.delete(1 / EDGE, 8), rtol=1e-6)


def test_an_error_at_x_itself_that_is_caught():
    x = EDGE.copy()
    x[8] = -1e-4

    def f(x):
        try:
            return log_determinant(x)
        except np.linalg.LinAlgError:
            return -10.0

    assert_like_the_loop(gradient, f, x)


# Results by the text of x


@pytest.mark.parametrize(
    "text",
    [
        str,
        repr,
        lambda x: f"{x}",
        lambda x: format(x),
        lambda x: hash(str(x)),
        lambda x: str((x, 1)),
        lambda x: "%s" % x,  # noqa: UP031
        lambda x: f"{x[0]:.17g} {x[1:]!r}",
        lambda x: "{}".format(x * 2),  # noqa: UP032
    ],
)
def test_a_memo_by_the_text_of_x(text):
    memo = {}

    def f(x):
        key = text(x)
        if key not in memo:
            memo[key] = np.sum(x**2)
        return memo[key]

    x = np.linspace(1.0, 2.0, 10)
    with pytest.warns(RuntimeWarning, match="text of an array") as told:
        assert_close(gradient(f, x), 2 * x)
    assert len(told) == 1
    assert_close(gradient(f, x + 1), 2 * (x + 1))
    assert_close(gradient(f, x + 2), 2 * (x + 2))


# Positions that are computed from x


@pytest.mark.parametrize("past_the_end", [True, False])
def test_a_computed_index_outside_of_the_array(past_the_end):
    x = np.array([0.02, 0.1, 0.19, 0.3, 0.35, 0.9999, 0.52, 0.6, 0.7, 0.77, 0.88, 0.95])
    weights = np.arange(12.0)

    def f(x):
        places = np.floor(12 * x).astype(int)
        return np.sum(x[places if past_the_end else -places - 1] * weights)

    with pytest.raises(IndexError, match="12") as raised:
        gradient(f, x)
    assert "x[5] moved by" in raised.value.__notes__[0]


# Numbers that equal others


@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_cache_of_numbers_and_complex_steps(n):
    cube = functools.lru_cache(None)(lambda v: v**3)
    x = np.linspace(0.5, 1.5, n)

    def f(x):
        return sum(cube(v) for v in x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_close(gradient(f, x, method="complex"), 3 * x**2, rtol=1e-14)
        assert_close(gradient(f, x), 3 * x**2)
        assert_close(gradient(f, x, method="complex"), 3 * x**2, rtol=1e-14)


def test_a_function_that_is_not_deterministic_in_complex_numbers():
    calls = []
    x = np.linspace(0.5, 1.5, 5)
    with pytest.raises(ValueError, match="not deterministic"):
        gradient(
            lambda x: calls.append(1) or np.sum(x**2) * len(calls), x, method="complex"
        )


# Arguments


@pytest.mark.parametrize("vectorized", [False, "auto"])
@pytest.mark.parametrize("options", [{}, {"method": "ladder"}, {"full_output": True}])
def test_no_point_is_a_view_of_others(vectorized, options):
    def harmless(x):
        y = 1.0 * x
        owner = x
        while getattr(owner, "base", None) is not None and type(x) is np.ndarray:
            owner = owner.base
            assert owner.size == x.size
        return np.sum(y**2)

    x = np.linspace(0.5, 1.5, 6)
    values = gradient(harmless, x, vectorized=vectorized, **options)
    values = values[0] if isinstance(values, tuple) else values
    assert_close(values, 2 * x)
    values = jacobian(lambda x: harmless(x) * x, x, vectorized=False)
    assert np.isfinite(values).all()


def torch_cases():
    torch = pytest.importorskip("torch")

    def determinant(x):
        low = torch.linalg.cholesky(torch.diag(x))
        return torch.sum(torch.log(torch.diagonal(low)))

    def instead(x):
        try:
            return determinant(x)
        except torch.linalg.LinAlgError:
            return torch.tensor(1e6, dtype=x.dtype)

    def left_out(x):
        total = torch.sum(x**2)
        with contextlib.suppress(torch.linalg.LinAlgError):
            total = total - determinant(x)
        return total

    return torch, instead, left_out


@pytest.mark.parametrize("number", [0, 1])
def test_vmap_and_an_error_that_is_caught(number):
    torch, *functions = torch_cases()
    values = assert_like_the_loop(gradient, functions[number], torch.asarray(EDGE))
    values = to_numpy(values)
    expected = [0.5 / EDGE, 2 * EDGE - 0.5 / EDGE][number]
    assert_close(np.delete(values, 8), np.delete(expected, 8), rtol=1e-6, atol=1e-6)
