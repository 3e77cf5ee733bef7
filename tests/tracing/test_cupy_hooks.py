"""CuPy's override hooks, reached by stand-ins for its kernels, with NumPy underneath.

CuPy asks each argument of a kernel for a hook, and hands the kernel over to the first
one. So do these stand-ins, in which NumPy computes what a GPU would.
"""

import operator

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import gradient, way_name

from xgrad._tracing import Linear
from xgrad._tracing.linearity import add_kernel, linear_functions

X = np.linspace(0.3, 1.7, 40).reshape(5, 8)
C = np.random.default_rng(7).normal(size=(5, 8))


class Elementwise:
    """A kernel that a user has written, `cupy.ElementwiseKernel`: it has no name."""

    hook = "__cupy_override_elementwise_kernel__"

    def __init__(self, name, function, nin):
        self.name = name
        self.function = function
        self.nin = nin

    def __call__(self, *args, **kwargs):
        for argument in args:
            hook = getattr(argument, self.hook, None)
            if hook is not None:
                return hook(self, *args, **kwargs)
        return self.function(*args)  # the options of a GPU mean nothing here


class Ufunc(Elementwise):
    """A function of CuPy, `cupy.ufunc`, which hands over all of its options."""

    def __init__(self, function, nin):
        super().__init__(f"cupy_{function.__name__}", function, nin)
        self.__name__ = self.name

    def __call__(self, *args, out=None, dtype=None, casting=None):
        return super().__call__(*args, out=out, dtype=dtype, casting=casting)


class Reduction:
    """A reduction of CuPy, whose hook gets all arguments by position."""

    hook = "__cupy_override_reduction_kernel__"

    def __init__(self, name, function):
        self.name = name
        self.function = function

    def __call__(self, x, axis=None, dtype=None, out=None, keepdims=False):
        hook = getattr(x, self.hook, None)
        if hook is not None:
            return hook(self, axis, dtype, out, keepdims)
        return self.function(x, axis=axis, dtype=dtype, out=out, keepdims=keepdims)


add, subtract, multiply = (Ufunc(f, 2) for f in (np.add, np.subtract, np.multiply))
true_divide, power = Ufunc(np.divide, 2), Ufunc(np.power, 2)
negative, exp, log, conjugate = (
    Ufunc(f, 1) for f in (np.negative, np.exp, np.log, np.conjugate)
)
where, greater, maximum = Ufunc(np.where, 3), Ufunc(np.greater, 2), Ufunc(np.maximum, 2)
swish = Elementwise("swish", lambda x, slope: x / (1 + np.exp(-slope * x)), 2)
total, mean = Reduction("cupy_sum", np.sum), Reduction("cupy_mean", np.mean)
largest = Reduction("cupy_amax", lambda x, dtype, **options: np.max(x, **options))
smallest = Reduction("cupy_amin", lambda x, dtype, **options: np.min(x, **options))
norm = Reduction("my_norm", lambda x, **options: np.sum(x**2))
scaled = Elementwise("scaled", lambda x: 2 * x, 1)
product = Reduction("cupy_prod", np.prod)
position = Reduction("cupy_argmax", lambda x, axis, dtype, out, keepdims: np.argmax(x))

FUNCTIONS = {
    "add": lambda x: total(exp(add(x, C))),
    "add to a constant": lambda x: total(exp(add(C, x))),
    "add two": lambda x: total(exp(add(x, multiply(x, C)))),
    "subtract": lambda x: total(exp(subtract(x, C))),
    "subtract from a constant": lambda x: total(exp(subtract(C, x))),
    "subtract two": lambda x: total(exp(subtract(multiply(x, C), x))),
    "a number minus x": lambda x: total(exp(subtract(1.5, x))),
    "x minus a number": lambda x: total(exp(subtract(x, 1.5))),
    "multiply": lambda x: total(multiply(x, x)),
    "divide": lambda x: total(true_divide(x, 2 + C**2)),
    "divide a constant": lambda x: total(true_divide(C, x)),
    "power": lambda x: total(power(x, 3.0)),
    "negative": lambda x: total(exp(negative(x))),
    "logarithm": lambda x: total(log(x)),
    "conjugate": lambda x: total(conjugate(x)),
    "where": lambda x: total(where(C > 0, multiply(x, x), negative(x))),
    "where computed": lambda x: total(where(greater(x, 1.01), multiply(x, 3.0), x)),
    "maximum": lambda x: total(maximum(x, 1.01)),
    "operators": lambda x: total(x * C - 2 * x + x / 3),
    "a user's kernel": lambda x: total(swish(x, 2.0)),
    "a user's kernel of two": lambda x: total(swish(x, multiply(x, C))),
    "sum along an axis": lambda x: total(exp(total(x, axis=1, keepdims=True)) * x),
    "sum as a dtype": lambda x: total(x, dtype=np.float64),
    "mean": lambda x: total(exp(mean(x, axis=0))),
    "largest": lambda x: total(exp(largest(x, axis=1))),
    "smallest": lambda x: smallest(exp(x)),
    "product": lambda x: total(product(x, axis=(1,))),
    "position of the largest": lambda x: position(x) * total(x),
}
dense = pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])


@dense
@pytest.mark.parametrize("name", FUNCTIONS)
def test_kernels_of_cupy_take_stand_ins(name, dense, monkeypatch):
    monkeypatch.setenv("XGRAD_DENSE", str(int(dense)))
    f = FUNCTIONS[name]
    slopes = gradient(f, X)
    assert way_name(f) == ("dense" if dense else "sparse")
    # The same quotients up to rounding, divided by a step of about 1e-3.
    assert_close(slopes, gradient(f, X, vectorized=False), rtol=1e-8, atol=1e-8)


B = np.empty_like(C)
REFUSED = {
    "an array to write into": (lambda x: total(add(x, C, B)), "zeros_like"),
    "out= of a function": (lambda x: total(add(x, C, out=B)), "cupy_add.*out"),
    "a dtype of a function": (lambda x: total(add(x, C, dtype=float)), "dtype"),
    "out= of a reduction": (lambda x: total(x, out=np.empty(())), "cupy_sum"),
    "an unknown reduction": (lambda x: norm(x), "my_norm"),
    "an option that a reduction lacks": (lambda x: largest(x, dtype=float), "dtype"),
    "a keyword of a user's kernel": (lambda x: total(scaled(x, size=64)), "scaled"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_kernels_are_refused_by_name(name):
    f, pattern = REFUSED[name]
    with pytest.warns(RuntimeWarning, match=pattern):
        slopes = gradient(f, X)
    assert_close(slopes, gradient(f, X, vectorized=False), rtol=1e-12)


def test_kernels_are_linear_where_their_functions_are():
    xp = np
    for kernel, name in ((add, "add"), (subtract, "subtract"), (where, "where")):
        add_kernel(xp, kernel)
        assert linear_functions(xp)[kernel] is linear_functions(xp)[getattr(np, name)]
    for kernel in (exp, maximum, swish, Elementwise("cupy_add", np.hypot, 2)):
        add_kernel(xp, kernel)
        assert kernel not in linear_functions(xp)
    assert linear_functions(xp)[operator.sub] is Linear.DIFFERENCE


def test_functions_of_the_name_of_a_linear_one_are_not_linear():
    def add(a, b):
        return np.hypot(a, b)

    kernel = Elementwise("add", add, 2)
    kernel.__name__ = "add"
    slopes = gradient(lambda x: np.sum(kernel(x, C)), X)
    assert_close(slopes, X / np.hypot(X, C), rtol=1e-7)
