"""Exact gradients of arrays that have no values yet."""

import numpy as np
import pytest

import xgrad


@pytest.mark.parametrize("method", ["auto", "autodiff"])
def test_an_exact_gradient_may_be_compiled(method):
    jax = pytest.importorskip("jax", reason="JAX is not installed")

    def slopes(x):
        return xgrad.gradient(lambda v: jax.numpy.sum(v**3), x, method=method)

    x = jax.numpy.asarray([1.0, 2.0])
    np.testing.assert_allclose(jax.jit(slopes)(x), 3 * x**2, rtol=1e-6)
