"""Options of derivatives and checks are those of `Plan` and `Execution`."""

import ast
import dataclasses
import inspect

import pytest

import xgrad
from xgrad._differences import Plan
from xgrad._evaluation import Execution

FIELDS = {f.name: f for kind in (Plan, Execution) for f in dataclasses.fields(kind)}
# Options that are no field: those of one function, and arrays beside `x`.
OWN = {
    xgrad.gradient: {"sparsity", "args", "has_aux"},
    xgrad.value_and_gradient: {"sparsity", "args", "has_aux"},
    xgrad.derivative: {"args"},
    xgrad.jacobian: {"args", "sparsity"},
    xgrad.hessian: {"args", "grad", "sparsity"},
    xgrad.jvp: {"args"},
    xgrad.hvp: {"args", "grad"},
    xgrad.tangent_line: set(),
    xgrad.vjp: set(),
    xgrad.check_gradient: {"directions", "full", "rtol", "seed"},
    xgrad.assert_gradient: {"directions", "full", "rtol", "seed"},
    xgrad.check_vjp: {"directions", "full", "rtol", "seed"},
}
# Functions that are exact where they can be; the others take differences.
EXACT = {
    xgrad.derivative,
    xgrad.gradient,
    xgrad.hessian,
    xgrad.hvp,
    xgrad.jacobian,
    xgrad.jvp,
    xgrad.tangent_line,
    xgrad.value_and_gradient,
}
# The plan of a Hessian or of a sparse gradient follows from the call, and warnings from
# what it has done.
INTERNAL = {"sparse", "curvature", "is_told"}


def options_of(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind == p.KEYWORD_ONLY}


@pytest.mark.parametrize("function", OWN, ids=lambda function: function.__name__)
def test_signatures_repeat_types_and_defaults_of_the_fields(function):
    options = options_of(function)
    assert options.keys() >= OWN[function]
    for name in options.keys() - OWN[function]:
        stated = FIELDS[name]
        exact = name == "method" and function in EXACT
        default = "auto" if exact else stated.default
        assert options[name].annotation == stated.type, name
        assert options[name].default == default, name


def test_every_field_is_an_option_of_a_function():
    used = {name for function in OWN for name in options_of(function)}
    assert FIELDS.keys() - INTERNAL <= used


@pytest.mark.parametrize("kind", [Plan, Execution])
def test_every_field_is_explained_in_one_line(kind):
    """A string below a field is what it means."""
    tree = ast.parse(inspect.getsource(kind)).body[0]
    pairs = zip(tree.body, tree.body[1:], strict=False)
    explained = {
        field.target.id: below.value.value
        for field, below in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }
    assert explained.keys() == {field.name for field in dataclasses.fields(kind)}
    assert all("\n" not in text and text.endswith(".") for text in explained.values())


def test_equal_options_share_a_plan_and_arrays_are_never_cached():
    from xgrad._differences import plan_for

    assert plan_for(method="central", accuracy=2) is plan_for(
        method="central", accuracy=2
    )
    assert plan_for(accuracy=2) is not plan_for(accuracy=4)
    assert plan_for(step=0.5) is not plan_for(step=0.5)
    with pytest.raises(TypeError, match="accuracy"):
        plan_for(accuracy=True)
