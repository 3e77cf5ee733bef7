"""The second attempt: code that NumPy hides from stand-ins has exact gradients, too."""

from __future__ import annotations

import functools
import gc
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import helpers_of_users, written_for_numpy
from cases.helpers_of_users import total
from cases.second_attempts import X, assert_exact, second
from cases.tape import slope_by_differences, slope_on_tape
from cases.written_for_numpy import (
    WRITTEN_FOR_NUMPY,
    appended,
    calls_another_module,
    closures,
    filled,
    filled_table,
    generator,
    imports_inside,
    list_of_entries,
    nested_functions,
    recursion,
    vectorized,
)

from xgrad._autodiff.substitution import substituted
from xgrad._tracing import NotTraceableError


def name_of(f):
    return getattr(f, "__name__", type(f).__name__)


@pytest.mark.parametrize("f", WRITTEN_FOR_NUMPY, ids=name_of)
def test_second_attempts_are_exact(f):
    assert_exact(f)


NEED_IT = [filled, filled_table, list_of_entries, appended, generator, vectorized]


@pytest.mark.parametrize("f", NEED_IT)
def test_the_first_attempt_is_refused(f):
    with pytest.raises((NotTraceableError, ValueError)):
        slope_on_tape(f, X)


@pytest.mark.parametrize("f", WRITTEN_FOR_NUMPY, ids=name_of)
def test_plain_calls_are_those_of_numpy(f):
    """Without a stand-in among its arguments, it is the function itself."""
    np.testing.assert_array_equal(second(f)(X), f(X))


# What is refused.


def leaves_by_complex(x):
    return np.array([complex(x[0]).real, 1.0])


def leaves_by_int(x):
    return np.zeros(2) + int(x[0])


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
    (leaves_by_complex, "complex"),
    (leaves_by_int, "int"),
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
    modules = (helpers_of_users, written_for_numpy, np, math)
    before = {m.__name__: dict(vars(m)) for m in modules}
    for f in (calls_another_module, filled, vectorized, imports_inside):
        slope_on_tape(second(f), X)
    for module in modules:
        assert vars(module) == before[module.__name__]
    assert filled.__globals__ is vars(written_for_numpy)
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
