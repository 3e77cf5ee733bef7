"""What arrays of PyTorch and JAX bring along, which derivatives must know."""

import numpy as np
import pytest

import xgrad


def test_tensors_that_record_are_detached():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    slopes = xgrad.gradient(lambda p: (p["w"] ** 2).sum(), {"w": x})["w"]
    assert not slopes.requires_grad
    np.testing.assert_allclose(slopes.numpy(), [2.0, 4.0])
    assert x.requires_grad  # the caller's is as it was
    assert xgrad.check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, x)


@pytest.mark.parametrize("dtype", ["float64", np.float64])
def test_jax_without_float64_says_how_to_switch_it_on(dtype):
    jax = pytest.importorskip("jax")
    if jax.config.jax_enable_x64:
        pytest.skip("float64 is switched on")
    x = jax.numpy.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match="jax_enable_x64"):
        xgrad.gradient(lambda x: (x**2).sum(), x, dtype=dtype)
    with pytest.raises(ValueError, match="jax_enable_x64"):
        xgrad.check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, x, dtype=dtype)
    assert xgrad.gradient(lambda x: (x**2).sum(), x, dtype="float32").dtype == "float32"
