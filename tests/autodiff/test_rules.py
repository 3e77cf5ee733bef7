"""Every rule of differentiation agrees with differences of NumPy's own function.

The cases are made of the tables of rules: a rule without a case fails.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from cases.derivatives import (
    FIBRE_CASES,
    MATRIX_CASES,
    MOVE_CASES,
    TRANSFORM_CASES,
    Case,
    entry_cases,
)
from cases.derivatives.slopes import (
    gradient_by_differences,
    second_on_tape,
    slope_along,
    trace_of,
)
from cases.tape import weights_of

from xgrad._autodiff import norms, overrides, products, structural
from xgrad._autodiff.fibres import FIBRES
from xgrad._autodiff.functions import EVERYWHERE
from xgrad._autodiff.partials import PARTIALS
from xgrad._autodiff.rules import rule_named

ENTRY_CASES = entry_cases(list(PARTIALS))
OTHER_CASES = [*FIBRE_CASES, *MATRIX_CASES, *TRANSFORM_CASES, *MOVE_CASES]
CASES = [*ENTRY_CASES, *OTHER_CASES]
# Used where tapes are nested: the second order of the rule on the right needs it.
NESTED = {"add at": "add_at_places"}
# What 53 and 24 bits leave of functions whose condition is of the order of 10.
ERROR, ERROR_OF_SECOND_ORDER, ERROR32 = 3e-9, 1e-6, 2e-5

# JAX compiles each of them, which takes long: every function, and every third case.
IN_JAX = [
    *(c for c in ENTRY_CASES if c.label.startswith(("vectors", "complex"))),
    *OTHER_CASES[::3],
]

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True)
def ignore_warnings_of_nan():
    with np.errstate(all="ignore"):
        yield


def names_of_pulls() -> set[str]:
    """Names of the functions of the structural modules that take a cotangent."""
    modules = (structural, overrides, products, norms)
    return {
        name
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "g" in list(inspect.signature(function).parameters)[:2]
    }


def assert_close(found, expected, error):
    """Both are equal up to an error relative to the largest entry."""
    assert found.shape == expected.shape
    size = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=error * size)


def test_every_rule_has_a_case():
    required = names_of_pulls() | set(FIBRES) | set(EVERYWHERE) - set(NESTED)
    # One has cases under its name in a table, the other beside all of sparse arrays.
    required -= {"pull_norm_of_matrices", "pull_sparse"}
    assert required - {case.rule for case in OTHER_CASES} == set()
    assert set(PARTIALS) - {case.rule for case in ENTRY_CASES} == set()
    labels = [str(case) for case in CASES]
    assert len(set(labels)) == len(labels) > 700


@every_case
def test_first_order(case: Case, monkeypatch):
    used = set()
    for table in (FIBRES, EVERYWHERE):
        for name, rule in table.items():

            def noted(*args, name=name, rule=rule):
                used.add(name)
                return rule(*args)

            monkeypatch.setitem(table, name, noted)
    x = case.point.copy()
    trace = trace_of(lambda x: case.function(np, x), x)
    value = np.asarray(case.function(np, case.point))
    assert trace.value.dtype == value.dtype
    assert_close(trace.value, value, 1e-12 * case.noise)
    expected = gradient_by_differences(lambda x: case.function(np, x), case.point)
    assert trace.gradient.dtype == np.float64
    assert_close(trace.gradient, expected, ERROR)
    np.testing.assert_array_equal(x, case.point)
    # The case goes by the rule that it is named after, or that is a constant.
    entrywise = any(rule is rule_named(case.rule) for rule in trace.rules)
    assert entrywise or case.rule in used | trace.pulls


@pytest.mark.filterwarnings("ignore:logm result")  # of SciPy, at any float32
@pytest.mark.sampled(3)
@every_case
def test_float32(case: Case):
    x = case.point.astype(np.float32)
    trace = trace_of(lambda x: case.function(np, x), x)
    assert trace.gradient.dtype == np.float32
    exact = trace_of(lambda x: case.function(np, x), x.astype(float)).gradient
    assert_close(trace.gradient, exact, ERROR32 * case.noise)


@pytest.mark.sampled(3)
@every_case
def test_second_order(case: Case, monkeypatch):
    """A tape within a tape, against differences of the exact gradient."""
    used = set()
    for name, rule in EVERYWHERE.items():

        def noted(*args, name=name, rule=rule):
            used.add(name)
            return rule(*args)

        monkeypatch.setitem(EVERYWHERE, name, noted)

    def f(x):
        return case.function(np, x)

    x = case.point
    direction = np.random.default_rng(2).normal(size=x.shape)
    found = second_on_tape(f, x, direction)
    expected = slope_along(lambda x: trace_of(f, x).gradient, x, direction)
    # The gradient of a slope along a direction is the slope of the gradient.
    assert_close(found, expected, ERROR_OF_SECOND_ORDER * max(1, case.noise / 100))
    if case.rule in NESTED.values():
        assert used & set(NESTED)


@pytest.mark.thorough
@pytest.mark.parametrize("case", [c for c in IN_JAX if c.is_portable], ids=str)
def test_against_jax(case: Case):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    weights = weights_of(case.function(np, case.point))

    def total(x):
        return jax.numpy.sum(weights * case.function(jax.numpy, x))

    try:
        expected = np.asarray(jax.grad(total)(case.point))
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        pytest.skip(f"JAX: {str(error)[:80]}")
    found = trace_of(lambda x: case.function(np, x), case.point).gradient
    assert_close(found, expected, ERROR)
