"""Jacobians, Hessians and products of idioms agree with each other and with slopes."""

from __future__ import annotations

import numpy as np
import pytest
from cases.idioms import IDIOMS, Idiom, point
from cases.tape import slope_on_tape, weights_of

from xgrad import hessian, hvp, jacobian, jvp
from xgrad._autodiff import forward, pushes
from xgrad._tracing import NotTraceableError


def traced(idiom: Idiom, x: np.ndarray) -> np.ndarray:
    """Return the gradient by a tape; skip what is refused there, or needs SciPy."""
    if idiom.theme == "SciPy":
        pytest.importorskip("scipy")
    try:
        found = slope_on_tape(idiom.function(), x.copy())
    except NotTraceableError:
        pytest.skip("it is refused")
    if not np.allclose(found.value, idiom.function()(x.copy())):
        pytest.skip("it looks at the class of x")
    return found.gradient


@pytest.mark.sampled(5)
@pytest.mark.parametrize("idiom", IDIOMS, ids=str)
def test_jacobians_of_idioms(idiom):
    x = point(idiom.shape)
    with np.errstate(all="ignore"):
        slope = traced(idiom, x)
        if not slope.any():
            pytest.skip("it is constant")
        value = np.asarray(idiom.function()(x.copy()), float)
        dense = jacobian(idiom.function(), x.copy(), vectorized=False)
        sparse = jacobian(idiom.function(), x.copy(), sparsity="auto", vectorized=False)
        v = np.cos(np.arange(x.size)).reshape(x.shape)
        product = jvp(idiom.function(), x.copy(), v, vectorized=False)
    size = max(1.0, float(np.max(np.abs(dense))))
    close = {"rtol": 1e-9, "atol": 1e-10 * size}
    by_tape = np.tensordot(np.asarray(weights_of(value)), dense, value.ndim)
    np.testing.assert_allclose(by_tape, slope, **close)
    flat = dense.reshape(-1, x.size)
    np.testing.assert_allclose(sparse.toarray().reshape(flat.shape), flat, **close)
    np.testing.assert_allclose(product, np.tensordot(dense, v, x.ndim), **close)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("idiom", IDIOMS, ids=str)
def test_hessians_of_idioms(idiom):
    x = point(idiom.shape)

    def weighted():
        f = idiom.function()
        return lambda x: np.sum(f(x) * f(x))

    with np.errstate(all="ignore"):
        if not traced(idiom, x).any():
            pytest.skip("it is constant")
        dense = hessian(weighted(), x.copy(), vectorized=False)
        sparse = hessian(weighted(), x.copy(), sparsity="auto", vectorized=False)
        v = np.cos(np.arange(x.size)).reshape(x.shape)
        product = hvp(weighted(), x.copy(), v, vectorized=False)
    size = max(1.0, float(np.max(np.abs(dense))))
    close = {"rtol": 1e-9, "atol": 1e-10 * size}
    flat = dense.reshape(x.size, x.size)
    np.testing.assert_allclose(sparse.toarray(), flat, **close)
    np.testing.assert_allclose(product, np.tensordot(dense, v, x.ndim), **close)


# Functions whose Jacobian takes a push that is no function of entries.
PUSHED = {
    "pull_running_sum": np.cumsum,
    "pull_sort": lambda x: np.sort(x) ** 2,
    "pull_transform": lambda x: np.abs(np.fft.fft(x)) ** 2,
    "pull_solution": lambda x: np.linalg.solve(np.eye(3) + np.outer(x, x), x),
    "pull_matrix": lambda x: np.linalg.solve(np.eye(3) + np.outer(x, x), x),
    "pull_inverse": lambda x: np.linalg.inv(np.eye(3) + np.outer(x, x)),
    "pull_norm": lambda x: np.linalg.norm(x) * x,
    "pull_product": lambda x: np.prod(x) * x,
    "pull_left": lambda x: np.outer(x, x) @ x,
}


@pytest.mark.parametrize("name", PUSHED)
@pytest.mark.parametrize("sparsity", [None, "auto"])
def test_a_proof_finds_a_push_that_is_wrong(name, sparsity, monkeypatch):
    f = PUSHED[name]
    (pull,) = (p for p in pushes.PUSHES if getattr(p, "__name__", "") == name)
    right = pushes.PUSHES[pull]
    monkeypatch.setitem(forward.PUSHES, pull, lambda *args: 1.5 * right(*args))
    monkeypatch.setenv("XGRAD_PROVE", "1")
    x = np.array([0.6, 1.7, -0.7])
    with pytest.raises(ValueError, match="does not agree with `f` itself"):
        jacobian(lambda x: f(x), x, method="autodiff", sparsity=sparsity)
