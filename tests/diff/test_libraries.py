"""What arrays of PyTorch and JAX bring along, which derivatives must know."""

import warnings

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


def nested_derivatives(xp, x):
    """Derivatives inside of derivatives, and the same by formulas."""
    ones = xp.ones_like(x)

    def cubes(y):
        return xp.sum(y**3)

    def fourth(y):
        return xp.sum(y**4)

    yield xgrad.gradient(lambda x: xp.sum(xgrad.gradient(cubes, x)), x), 6 * x
    yield xgrad.jacobian(lambda x: xgrad.gradient(cubes, x), x)[0, 0], 6 * x[0]
    yield xgrad.gradient(lambda x: xp.sum(xgrad.hessian(fourth, x)), x), 24 * x
    yield xgrad.jvp(lambda x: xgrad.gradient(fourth, x), x, ones), 12 * x**2
    # The inner argument does not mix with the outer one.
    inner = xgrad.derivative(lambda x: x * xgrad.derivative(lambda y: x * y, ones), x)
    yield inner, 2 * x


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_derivatives_inside_of_derivatives(library):
    """They are recorded by the library, and nothing is cut off or warned of."""
    if library == "torch":
        xp = pytest.importorskip("torch")
        x = xp.tensor([1.0, 2.0], dtype=xp.float32)
    else:
        xp = pytest.importorskip("jax.numpy")
        x = xp.asarray([1.0, 2.0], dtype=xp.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        for found, expected in nested_derivatives(xp, x):
            np.testing.assert_allclose(
                np.asarray(found), np.asarray(expected), rtol=1e-5
            )


def test_corners_of_every_library_are_told(xp):
    x = xp.asarray([0.0, 1.0, -2.0, 1.0])
    for f, corners in (
        (lambda v: xp.sum(xp.abs(v) + v**2), [0]),
        (lambda v: xp.max(v) + xp.sum(v**3), [1, 3]),
        (lambda v: xp.sum(xp.exp(v) * xp.sin(v)), []),
        (lambda v: xp.sum(xp.tanh(1000 * v)), []),
    ):
        _, estimate = xgrad.gradient(f, x, full_output=True)
        kinks = xgrad.to_numpy(estimate.status) == xgrad.Status.KINK
        assert np.flatnonzero(kinks).tolist() == corners
    _, estimate = xgrad.jacobian(lambda v: xp.abs(v) * v[1], x, full_output=True)
    kinks = xgrad.to_numpy(estimate.status) == xgrad.Status.KINK
    assert np.argwhere(kinks).tolist() == [[0, 0]]
    v = xp.ones_like(x)
    _, estimate = xgrad.jvp(lambda v: xp.abs(v) + v**2, x, v, full_output=True)
    assert xgrad.to_numpy(estimate.status).tolist() == [2, 0, 0, 0]
    _, estimate = xgrad.hessian(
        lambda v: xp.sum(v * xp.abs(v) + v**3), x, full_output=True
    )
    kinks = xgrad.to_numpy(estimate.status) == xgrad.Status.KINK
    assert kinks[0, 0]
    assert not kinks[1:, 1:].any()
