"""Every derivative is the same, exact and by differences, for all kinds of arrays."""

import numpy as np
import pytest
from cases.compare import assert_close

import xgrad

NUMBERS = np.random.default_rng(5).uniform(0.5, 1.5, (3, 4))
OTHERS = np.random.default_rng(6).uniform(0.5, 1.5, (6, 8))


def read_only():
    x = NUMBERS.copy()
    x.flags.writeable = False
    return x


KINDS = {
    "rows": NUMBERS,
    "Fortran order": np.asfortranarray(NUMBERS),
    "reversed": NUMBERS[::-1, ::-1],
    "every other": OTHERS[::2, ::2],
    "repeated": np.broadcast_to(NUMBERS[0], (3, 4)),
    "read-only": read_only(),
    "five axes": NUMBERS.reshape(1, 3, 1, 4, 1),
    "a vector": NUMBERS[0],
    "one number": NUMBERS[:1, 0],
    "no axes": np.asarray(1.5),
    "a scalar of NumPy": np.float64(1.5),
    "no entries": np.zeros((3, 0)),
    "no rows": np.zeros(0),
    "the other order of bytes": NUMBERS.astype(">f8"),
    "single": NUMBERS.astype(np.float32),
    "half": NUMBERS.astype(np.float16),
    "integers": np.arange(1, 13).reshape(3, 4),
    "a tuple": (NUMBERS, OTHERS),
    "a dict": {"a": NUMBERS, "b": [OTHERS[0], (np.asarray(2.0),)]},
}


def leaves_of(x):
    if isinstance(x, dict):
        x = list(x.values())
    return [y for i in x for y in leaves_of(i)] if isinstance(x, (list, tuple)) else [x]


def cubes(x):
    """The sum of the cubes of all entries."""
    return sum(np.sum(leaf**3) for leaf in leaves_of(x))


def powers(x):
    """The cube of each entry, of the first array."""
    return leaves_of(x)[0] ** 3


DERIVATIVES = {
    "gradient": lambda x, **how: xgrad.gradient(cubes, x, **how),
    "value": lambda x, **how: xgrad.value_and_gradient(cubes, x, **how)[1],
    "terms": lambda x, **how: xgrad.gradient(powers, x, terms=True, **how),
    "jacobian": lambda x, **how: xgrad.jacobian(powers, x, **how),
    "hessian": lambda x, **how: xgrad.hessian(cubes, x, **how),
    "jvp": lambda x, **how: xgrad.jvp(powers, x, x, **how),
    "hvp": lambda x, **how: xgrad.hvp(cubes, x, x, **how),
    "derivative": lambda x, **how: xgrad.derivative(powers, x, **how),
    "derivative 2": lambda x, **how: xgrad.derivative(powers, x, order=2, **how),
}
OF_ONE_ARRAY = ("hessian", "derivative", "derivative 2")
# By the bytes of a number: its rounding in half precision, and else a few times the
# errors of Hessians, the largest here.
TOLERANCES = {2: 1e-3, 4: 1e-3, 8: 3e-8}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DERIVATIVES)
def test_differences_agree_with_exact_derivatives(name, kind):
    x, derive = KINDS[kind], DERIVATIVES[name]
    if isinstance(x, (tuple, dict)) and name in OF_ONE_ARRAY:
        pytest.skip("it is a derivative by one array")
    exact = leaves_of(derive(x, method="autodiff"))
    measured = leaves_of(derive(x, method="central"))
    for one, other in zip(exact, measured, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        tolerance = TOLERANCES[one.dtype.itemsize]
        assert_close(other, one, rtol=tolerance, atol=tolerance)
