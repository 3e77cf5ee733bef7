"""The second attempt: code that NumPy hides from stand-ins has exact gradients, too."""

from __future__ import annotations

import functools
import gc
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from math import exp, sqrt
from types import ModuleType

import numpy as np
import pytest
from cases import helpers_of_users
from cases.helpers_of_users import total
from cases.tape import slope_by_differences, slope_on_tape
from numpy import array, linalg, zeros

import xgrad
from xgrad._autodiff.substitution import substituted
from xgrad._tracing import NotTraceableError

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])
SIZE, WEIGHTS = 3, [1.0, 2.0, 3.0]
portable = xgrad.namespace("numpy")
squares = np.vectorize(lambda v: math.cos(v) if v > 0 else v * v)


def filled(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] ** 2
    return y


def filled_table(x):
    y = zeros((len(x), len(x)))
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            y[i, j] = a * b + j
    return y @ x


def filled_ones(x):
    y = np.ones_like(WEIGHTS)
    y[1:] *= x[:2]
    y += x[2]
    return y


def filled_by_rows(x):
    y = np.empty((2, len(x)))
    y[0], y[1] = x, np.full(len(x), x[0])
    return y


def list_of_entries(x):
    return np.array([x[0], 2 * x[1], 1.0]) ** 2


def list_of_lists(x):
    rotation = array([[np.cos(x[0]), -np.sin(x[0])], [np.sin(x[0]), np.cos(x[0])]])
    return rotation @ np.asarray([x[1], 1.0], float)


def appended(x):
    path = [x[0]]
    for i in range(1, len(x)):
        path.append(path[-1] + 0.1 * math.sin(x[i]))
    return np.array(path)


def lists_as_arguments(x):
    return (
        np.sum([x[0], x[1]]) + linalg.norm([x[0], x[2]]) + np.dot([x[0], 2.0], x[1:3])
    )


def joined_lists(x):
    return np.concatenate([[x[0]], [x[1], 2.0], x]) * np.r_[x[0], 1.0, x, 3.0]


def columns(x):
    return np.c_[x, np.ones(len(x))] @ np.hstack([x[0], 1.0])


def comprehensions(x):
    return np.array([[a * b for a in x] for b in x if b > 0]) * sum(v for v in x)


def generator(x):
    return np.fromiter((math.exp(v) for v in x), dtype=float)


def own_generator(x):
    def steps():
        state = np.zeros(2)
        for v in x:
            state[0], state[1] = state[1], v
            yield state[0] * state[1]

    return np.array(list(steps()))


def nested_functions(x):
    def inner(v):
        y = np.zeros(2)
        y[0] = v
        return y * (lambda w: math.sin(w))(v)

    return inner(x[0]) + inner(x[1])


def calls_another_module(x):
    return helpers_of_users.table_of(x) * total(x)


def recursion(x):
    return helpers_of_users.factorial_like(x, 3)


def default_arguments(x, make=np.zeros, *, functions=math):
    y = make(3)
    y[0], y[2] = functions.log(x[0], 2), make(1)[0]
    return y * x[0]


def imports_inside(x):
    from math import hypot

    import numpy as numbers
    import numpy.linalg as algebra
    from numpy import full

    y = full(2, x[1])
    y[0] = hypot(x[0], x[2])
    return numbers.array([algebra.norm(y), y[0]])


def global_module_of_user(x):
    return helpers_of_users.SCALE * np.array([x[0], SIZE])


def portable_namespace(x):
    y = portable.zeros(3)
    y[0], y[1:] = x[0], x[:2]
    return y


def namespace_of_the_array(x):
    y = x.__array_namespace__().zeros(2)
    y[1] = x[0]
    return y


def converted(x):
    y, z = np.asarray(x, dtype=float), np.array(x)
    z[0] = 3 * x[1]
    return np.asanyarray(y) * np.ascontiguousarray(z) * np.copy(WEIGHTS)[0]


def asks_for_classes(x):
    is_as_usual = isinstance(x, np.ndarray) and isinstance(x[0], float)
    return x**2 if is_as_usual and np.isscalar(x[0]) else x


def vectorized(x):
    return squares(x) + np.vectorize(lambda a, b: a * math.atan(b))(x, 2.0)


def tried(x):
    try:
        return math.log(x[0])
    except ValueError:
        return x[0]


def fails_in_mathematics(x):
    try:
        return math.sqrt(x[1])
    except ValueError:
        return x[1] * 3


def branches_and_loops(x):
    y, n = np.zeros(2), 0
    while y[0] < 3 and n < 10:
        y[0] += math.fabs(x[n % len(x)])
        n += 1
    return y * n


def euler(x):
    states = np.zeros((10, 2))
    states[0] = x[:2]
    for i in range(9):
        a, b = states[i]
        states[i + 1] = [a + 0.1 * math.sin(b), b - 0.1 * a * x[2]]
    return states


def views_of_made_arrays(x):
    y = np.zeros((3, 2))
    row, flat = y[1], y.reshape(-1)
    row[:] = x[:2]
    flat[::2] += x[2:5]
    return y.T * row.sum()


def constants_stay_constants(x):
    grid = np.linspace(0, 1, 3)
    values = np.eye(3)[0] + np.arange(3.0) + [float(v) for v in grid]
    return np.outer(values, x) + int(grid.sum())


def mutable_closure():
    count = 0

    def f(x):
        nonlocal count
        count += 1
        y = np.zeros(2)
        y[0] = x[0] * 2
        return y

    return f


def closures():
    numbers, own, made, ones = np, filled, zeros, np.ones

    def recursive(x, n):
        return own(x)[0] if n == 0 else numbers.array([recursive(x, n - 1), x[n]])[0]

    def f(x):
        y, z = made(2), ones(2)
        y[0], z[1] = recursive(x, 2), x[1]
        return y * z

    return f


def in_its_own_closure():
    table = {}

    def even(x, n):
        return x[0] if n == 0 else table["odd"](x, n - 1)

    def odd(x, n):
        return math.sin(even(x, n - 1)) + again(x)

    table["odd"] = odd
    again = functools.partial(lambda f, x: np.array([x[1], f is odd])[0], odd)
    return functools.partial(lambda n, x: np.array([even(x, n)]), 4)


class Model:
    """An object of the user whose methods fill arrays."""

    scale = 3.0

    def __call__(self, x):
        return self.method(x) if False else np.array([x[0] * self.scale, x[1]])

    def method(self, x):
        y = np.zeros(2)
        y[0] = x[0] * self.scale
        return y

    @staticmethod
    def plain(x):
        return np.array([x[0], math.cos(x[1])])

    @classmethod
    def of_class(cls, x):
        return np.array([x[0] * cls.scale, math.cos(x[1])])


WRITTEN = [
    filled,
    filled_table,
    filled_ones,
    filled_by_rows,
    list_of_entries,
    list_of_lists,
    appended,
    lists_as_arguments,
    joined_lists,
    columns,
    comprehensions,
    generator,
    own_generator,
    nested_functions,
    calls_another_module,
    recursion,
    default_arguments,
    imports_inside,
    global_module_of_user,
    portable_namespace,
    namespace_of_the_array,
    converted,
    asks_for_classes,
    vectorized,
    tried,
    fails_in_mathematics,
    branches_and_loops,
    euler,
    views_of_made_arrays,
    constants_stay_constants,
    mutable_closure(),
    closures(),
    in_its_own_closure(),
    lambda x: np.array([math.sin(v) for v in x]),
    lambda x: (np.zeros(2) + x[0]) * np.array([x[1], 1.0]),
    functools.partial(default_arguments, make=np.ones),
    functools.partial(lambda n, x: np.array([n * x[0]]), 3.0),
    Model().method,
    Model(),
    Model.plain,
    Model.of_class,
    math.fsum,
    np.array,
]


def name_of(f):
    return getattr(f, "__name__", type(f).__name__)


def second(f):
    """The function of a second attempt, which there is."""
    function, reason = substituted(f)
    assert reason == ""
    return function


def assert_exact(f, x=X):
    exact, expected = slope_on_tape(second(f), x.copy()), slope_by_differences(f, x)
    np.testing.assert_allclose(exact.value, expected.value, rtol=1e-14, atol=1e-15)
    assert np.shape(exact.value) == np.shape(expected.value)
    np.testing.assert_allclose(exact.gradient, expected.gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("f", WRITTEN, ids=name_of)
def test_second_attempts_are_exact(f):
    assert_exact(f)


NEED_IT = [filled, filled_table, list_of_entries, appended, generator, vectorized]


@pytest.mark.parametrize("f", NEED_IT)
def test_the_first_attempt_is_refused(f):
    with pytest.raises((NotTraceableError, ValueError)):
        slope_on_tape(f, X)


@pytest.mark.parametrize("f", WRITTEN, ids=name_of)
def test_plain_calls_are_those_of_numpy(f):
    """Without a stand-in among its arguments, it is the function itself."""
    np.testing.assert_array_equal(second(f)(X), f(X))


# `math`


MATHEMATICS = {
    **{
        name: lambda x, name=name: getattr(math, name)(abs(x[0]))
        for name in (
            "acos asin asinh atan atanh ceil cos cosh degrees erf erfc exp expm1 fabs "
            "floor gamma lgamma log log10 log1p log2 radians sin sinh sqrt tan tanh "
            "trunc ulp"
        ).split()
    },
    "acosh": lambda x: math.acosh(1 + x[0]),
    "atan2": lambda x: math.atan2(x[0], x[1]),
    "atan2 of a number": lambda x: math.atan2(x[0], 2),
    "copysign": lambda x: math.copysign(x[0], -2.0),
    "dist": lambda x: math.dist([x[0], 1.0], (x[1], x[2])),
    "fmod": lambda x: math.fmod(7 * x[0], x[3]),
    "frexp": lambda x: math.frexp(5 * x[0])[0] + math.frexp(x[0])[1],
    "fsum": lambda x: math.fsum(v * v for v in x),
    "hypot": lambda x: math.hypot(x[0], x[1], 2.0),
    "isclose": lambda x: x[0] * math.isclose(x[0], x[0] + 1e-12),
    "isnan": lambda x: x[0] if math.isnan(x[0]) else 2 * x[0],
    "ldexp": lambda x: math.ldexp(x[0], 3),
    "log with a base": lambda x: math.log(x[0], 3) + math.log(2, x[3]),
    "modf": lambda x: math.modf(7 * x[0])[0] * math.modf(3 * x[3])[1],
    "pow": lambda x: math.pow(x[0], 3) + math.pow(2, x[1]) + math.pow(x[0], x[1]),
    "pow of 2": lambda x: math.pow(x[1], 2),
    "prod": lambda x: math.prod([x[0], x[1], 3], start=x[2]),
    "remainder": lambda x: math.remainder(9 * x[0], x[3]) + math.remainder(x[0], 0.3),
    "of constants": lambda x: math.sin(0.3) * math.floor(2.5) * x[0],
    "from math": lambda x: exp(x[0]) * sqrt(x[3]),
    "of an array of one entry": lambda x: math.sin(x[:1].sum()),
    "constants": lambda x: math.pi * x[0] + math.inf * 0 if x[0] < 0 else math.e * x[0],
}
if hasattr(math, "cbrt"):
    MATHEMATICS["cbrt"] = lambda x: math.cbrt(x[0]) + math.exp2(x[1])
if hasattr(math, "sumprod"):
    MATHEMATICS["sumprod"] = lambda x: math.sumprod([x[0], 2.0], [x[1], x[2]])
if hasattr(math, "fma"):
    MATHEMATICS["fma"] = lambda x: math.fma(x[0], x[1], 2.0)
WITHOUT_RULES = {"erf", "erfc", "gamma", "lgamma"}


@pytest.mark.parametrize("name", [n for n in MATHEMATICS if n not in WITHOUT_RULES])
def test_functions_of_math(name):
    assert_exact(MATHEMATICS[name])


def test_results_of_math_have_the_same_bits_and_fail_alike():
    for name in ("sin", "exp", "tanh", "log1p"):
        function = getattr(math, name)
        found = slope_on_tape(second(lambda x, g=function: g(x[0])), X).value
        assert found == function(X[0])
    with pytest.raises(ValueError, match=r"math domain error|expected a"):
        slope_on_tape(second(lambda x: math.log(x[1])), X)
    with pytest.raises(OverflowError):
        slope_on_tape(second(lambda x: math.exp(1e4 * x[0])), X)
    with pytest.raises(TypeError, match="one entry"):
        slope_on_tape(second(lambda x: math.sin(x)), X)


def test_single_precision_stays():
    x = X.astype(np.float32)
    found = slope_on_tape(second(lambda x: np.array([math.sin(x[0]), x[1]])), x)
    assert found.gradient.dtype == np.float32
    expected = [math.cos(x[0]), 1, 0, 0, 0]
    weights = slope_by_differences(lambda x: x[:2], X).gradient
    np.testing.assert_allclose(found.gradient, expected * weights, rtol=1e-6)


# Other libraries


def sums_of_exponentials(x):
    import scipy.special as special

    rows = x[:4].reshape(2, 2)
    total = special.logsumexp(rows) * special.softmax(x) + special.log_softmax(x)
    return total[:2] * special.logsumexp([x[0], 1000.0]) + special.logsumexp(
        rows, axis=1, keepdims=True
    )


def test_sums_of_exponentials_of_scipy():
    pytest.importorskip("scipy")
    assert_exact(sums_of_exponentials)
    from scipy.special import log_softmax, logsumexp, softmax

    assert_exact(lambda x: logsumexp(x, axis=0) * softmax(x, axis=-1))
    assert_exact(lambda x: log_softmax(x.reshape(5, 1) * x, axis=1))
    with pytest.raises(NotTraceableError, match="asarray"):
        slope_on_tape(second(lambda x: logsumexp(x, b=2.0)), X)


def with_cupy(x):
    import cupy as cp
    from cupy import empty_like

    y, z = cp.zeros(3), empty_like(STORE)
    y[0], z[:] = x[0], x[1]
    return cp.concatenate([y, cp.sum(x, keepdims=True), cp.asarray(x)]) * z[0]


def test_functions_of_cupy_take_stand_ins(monkeypatch):
    """By a module of that name with functions of NumPy, which dispatches nothing."""
    module = ModuleType("cupy")
    for name in ("zeros", "concatenate", "sum", "asarray", "empty_like"):
        function = functools.partial(lambda f, *a, **k: f(*map(plain, a), **k))
        function = functools.partial(function, getattr(np, name))
        function.__name__, function.__module__ = name, "cupy"
        monkeypatch.setattr(module, name, function, raising=False)

    def plain(a):
        assert not hasattr(type(a), "hides_points")
        return a

    monkeypatch.setitem(sys.modules, "cupy", module)
    assert_exact(with_cupy)


# What is refused.


def leaves_by_float(x):
    return np.array([float(x[0]), 1.0])


def leaves_by_int(x):
    return np.zeros(2) + int(x[0])


def leaves_by_item(x):
    return np.zeros(2) + x.item(0)


def leaves_into_an_array_of_the_user(x):
    STORE[0] = x[0]
    return STORE * 2


def leaves_into_integers(x):
    y = np.zeros(3, dtype=int)
    y[0] = x[0]
    return y


def leaves_into_objects(x):
    return np.array([x[0], x[1]], dtype=object).sum()


STORE = np.zeros(2)
LEAVING = [
    (leaves_by_float, "float"),
    (leaves_by_int, "int"),
    (leaves_by_item, "item"),
    (leaves_into_an_array_of_the_user, "float"),
    (leaves_into_integers, "int"),
    (leaves_into_objects, "objects"),
]


@pytest.mark.parametrize(("f", "idiom"), LEAVING)
def test_what_leaves_the_trace_is_still_refused(f, idiom):
    # NumPy replaces the error of an assignment by its own, and keeps it as the cause.
    with pytest.raises((NotTraceableError, ValueError)) as caught:
        slope_on_tape(second(f), X)
    refusal = caught.value.__cause__ or caught.value
    assert isinstance(refusal, NotTraceableError)
    assert idiom in refusal.idiom
    assert "test_second_attempt.py" in refusal.place


def counts_globally(x):
    global COUNT
    COUNT += 1
    y = np.zeros(2)
    y[0] = x[0]
    return y


def hides_a_global_write(x):
    def count():
        global COUNT
        COUNT = 0

    count()
    return x


COUNT = 0
REFUSED = [
    (counts_globally, "it assigns to a global name"),
    (hides_a_global_write, "it assigns to a global name"),
    (functools.partial(counts_globally), "it assigns to a global name"),
    (functools.singledispatch, "it belongs to a library"),
    (max, "it is no function that is written in Python"),
    (dict, "it is no function that is written in Python"),
]


@pytest.mark.parametrize(("f", "reason"), REFUSED)
def test_functions_without_a_second_attempt(f, reason):
    assert substituted(f) == (None, reason)


def calls_a_counter(x):
    return counts_globally(x) if x[0] > 100 else np.array([bump(), x[0]])


def bump():
    global COUNT
    COUNT += 1
    return 1.0


def test_called_functions_that_write_globals_are_called_as_they_are():
    before = COUNT
    found = slope_on_tape(second(calls_a_counter), X)
    assert before + 1 == COUNT
    assert found.value.tolist() == [1.0, X[0]]


def of_constants(x):
    y = np.zeros(3)
    y[0] = 2.0
    number = int(y[0]) * [1.0, 2.0, 3.0][y.size - 1]
    return x * float(y.sum()) * len(y.tolist()) * number


def test_constants_on_the_tape_are_converted_as_arrays_are():
    assert_exact(of_constants)


def one_entry(x):
    y = np.zeros(5)
    y[0] = x[0]
    return y


def one_integer(x):
    y = np.zeros(5, dtype=int)
    y[0] = x[0]
    return y


@pytest.mark.parametrize(
    ("f", "idiom", "remedy"),
    [
        (one_entry, "an assignment of an entry of x", "np.zeros(n, like=x)"),
        (one_integer, "an array of integers", "arrays of floats"),
        (lambda x: np.array([x[0], 1.0]), "np.array([x[0], ...])", "stack"),
    ],
)
def test_first_refusals_name_the_cure(f, idiom, remedy):
    with pytest.raises(NotTraceableError) as caught:
        slope_on_tape(f, X)
    assert idiom in caught.value.idiom
    assert remedy in caught.value.remedy
    assert "test_second_attempt.py" in caught.value.place


# Nothing of the user is changed, and all of it is seen.


def test_modules_are_untouched():
    before = {m.__name__: dict(vars(m)) for m in (helpers_of_users, np, math)}
    own = dict(globals())
    for f in (calls_another_module, filled, vectorized, imports_inside):
        slope_on_tape(second(f), X)
    for module in (helpers_of_users, np, math):
        assert vars(module) == before[module.__name__]
    assert globals() == own
    assert filled.__globals__ is globals()
    np.testing.assert_array_equal(filled(X), X**2)


def scaled(x):
    y = np.zeros(2)
    y[0] = x[0] * helpers_of_users.SCALE * FACTOR
    return np.append(y, helpers_of_users.table_of(x))


FACTOR = 2.0


def test_globals_that_change_between_calls_are_seen(monkeypatch):
    function = second(scaled)
    for factor, scale in ((2.0, 2.0), (3.0, 2.0), (3.0, 5.0)):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        monkeypatch.setattr(helpers_of_users, "SCALE", scale)
        found = slope_on_tape(function, X)
        np.testing.assert_array_equal(found.value, scaled(X))
        expected = slope_by_differences(scaled, X).gradient
        np.testing.assert_allclose(found.gradient, expected, rtol=1e-8)


def replaced_while_it_runs(x):
    first = current(x)
    helpers_of_users.CALLS.append("now")
    return np.array([first, current(x)])


def current(x):
    return helpers_of_users.SCALE * math.sin(x[0]) * len(helpers_of_users.CALLS)


def test_side_effects_reach_the_module_of_the_user():
    helpers_of_users.CALLS.clear()
    found = slope_on_tape(second(replaced_while_it_runs), X)
    assert helpers_of_users.CALLS == ["now"]
    np.testing.assert_allclose(found.value, [0, 2 * math.sin(X[0])])
    helpers_of_users.CALLS.clear()


def test_closures_are_shared():
    calls = []

    def f(x):
        calls.append(1)
        y = np.zeros(2)
        y[0] = x[0]
        return y

    slope_on_tape(second(f), X)
    assert calls == [1]


def unknown_name(x):
    return np.zeros(2) + undefined_name  # noqa: F821


def test_unknown_names_are_errors_of_python():
    with pytest.raises(NameError, match="undefined_name"):
        slope_on_tape(second(unknown_name), X)


def test_nothing_is_left_to_the_collector():
    function, x = second(calls_another_module), X.copy()
    slope_on_tape(function, x)
    gc.collect()
    gc.disable()
    try:
        for f in (calls_another_module, nested_functions, closures(), recursion):
            function = second(f)
            slope_on_tape(function, x)
            assert gc.collect() == 0
    finally:
        gc.enable()


def test_threads_have_traces_of_their_own():
    expected = [slope_by_differences(total, X * k).gradient for k in range(1, 9)]
    barrier = threading.Barrier(8)

    def differentiate(k):
        barrier.wait()
        return [slope_on_tape(second(total), X * k).gradient for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(differentiate, range(1, 9))):
            for gradient in found:
                np.testing.assert_allclose(gradient, expected[k], rtol=1e-7)
    helpers_of_users.CALLS.clear()
