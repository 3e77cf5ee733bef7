"""Random programs: the hidden batch axis computes what a loop over points does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases.differences import jacobian, way_name
from cases.programs.interpreter import (
    BINARY,
    LIBRARIES,
    OPERATIONS,
    REDUCTIONS,
    SHAPES,
    UNARY,
    Constant,
    Library,
    Program,
    Step,
    perform,
    run,
)
from cases.programs.sketch import point
from cases.programs.strategy import programs
from hypothesis import given, settings

import xgrad

# The same programs on every run, so that a failure is that of a change.
quick = settings(max_examples=100, derandomize=True, deadline=None)
search = settings(quick, max_examples=3_000)


# The properties


def assert_loop_and_hidden_axis_agree(program: Program, library: Library) -> None:
    """Sparse, dense and one point a call: the same Jacobian."""
    x = library.constants.asarray(point(program.shape, program.seed))

    def jacobian_by(vectorized: Any) -> tuple[np.ndarray, Any]:
        def f(v: Any) -> Any:
            return run(program, library, v)

        found = jacobian(f, x, vectorized=vectorized)
        return xgrad.to_numpy(found), way_name(f)

    expected, _ = jacobian_by(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XGRAD_DENSE", "0")
        found, mode = jacobian_by("auto")
        patch.setenv("XGRAD_DENSE", "1")
        dense, dense_mode = jacobian_by("auto")
    assert mode in ("sparse", "dense")
    assert dense_mode == "dense"
    # Both are the same quotients, up to rounding: eps times the largest value on the
    # way, divided by a step of 5e-4, is 1e-9 of it for some thousand roundings.
    noise = 1e-7 * np.max(np.abs(expected)) + 1e-9 * largest_value(program)
    np.testing.assert_allclose(found, expected, rtol=0, atol=noise)
    np.testing.assert_allclose(dense, expected, rtol=0, atol=noise)


def largest_value(program: Program) -> float:
    """Size of the largest value on the way, or of the result."""
    library, values = LIBRARIES["numpy"], [point(program.shape, program.seed)]
    for step in program.steps:
        values.append(perform(step, library, np, values))
    values.append(run(program, library, values[0]))
    return max(float(np.max(np.abs(value))) for value in values)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", LIBRARIES)
def test_programs_on_the_hidden_axis(name):
    @quick
    @given(programs())
    def check(program):
        assert_loop_and_hidden_axis_agree(program, LIBRARIES[name])

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_many_programs_on_the_hidden_axis(name):
    @search
    @given(programs())
    def check(program):
        assert_loop_and_hidden_axis_agree(program, LIBRARIES[name])

    check()


def traits(program: Program) -> Iterator[str]:
    """What a program contains, in words."""
    yield f"x of shape {program.shape}"
    yield "ends in a scalar" if program.scalar else "ends in an array"
    for step in program.steps:
        yield step.name
        yield from _traits_of(step)


def _traits_of(step: Step) -> Iterator[str]:
    options = step.options
    if "op" in options:
        yield options["op"]
    if step.name == "reduce":
        yield "keepdims" if options["keepdims"] else "no keepdims"
        yield f"over {type(options['axis']).__name__}"
    if step.name == "binary":
        constant = options.get("constant")
        kind = "array" if isinstance(constant, Constant) else "number"
        side = "left" if options.get("left") else "right"
        yield "two values" if constant is None else f"{kind} on the {side}"
    if step.name in ("where", "where, computed", "set", "concat", "stack"):
        other = {"otherwise", "value", "constant"} & set(options)
        yield f"{step.name} with a {'constant' if other else 'value'}"
    if step.name in ("concat", "stack", "matmul, transposed"):
        twice = len(step.of) == 2 and step.of[0] == step.of[1]
        yield f"{step.name} of {'the same twice' if twice else 'others'}"
    if step.name == "set":
        yield f"set by {options['how']}"
    if step.name in ("index", "set"):
        for k in options["index"]:
            backwards = isinstance(k, slice) and (k.step or 1) < 0
            name = "slice backwards" if backwards else type(k).__name__
            yield f"{step.name}: {name}"


TRAITS = [
    *(f"x of shape {shape}" for shape in SHAPES),
    *("ends in a scalar", "ends in an array"),
    *OPERATIONS,
    *UNARY,
    *BINARY,
    *REDUCTIONS,
    *("keepdims", "no keepdims", "over int", "over NoneType", "over tuple"),
    *("array on the left", "array on the right"),
    *("number on the left", "number on the right"),
    "two values",
    *(
        f"{name} with a {other}"
        for name in ("where", "where, computed", "set", "concat", "stack")
        for other in ("constant", "value")
    ),
    *(f"{name} of the same twice" for name in ("concat", "stack")),
    "matmul, transposed of the same twice",
    *(f"set by {how}" for how in ("set", "add", "multiply")),
    *(
        f"{name}: {kind}"
        for name in ("index", "set")
        for kind in ("slice", "slice backwards", "int", "ellipsis")
    ),
    "index: NoneType",
]


@pytest.mark.thorough
def test_programs_reach_every_operation_and_run_alike_on_every_library():
    reached: Counter[str] = Counter()

    @settings(quick, max_examples=1_000)
    @given(programs())
    def collect(program):
        reached.update(set(traits(program)))
        x = point(program.shape, program.seed)
        expected = run(program, LIBRARIES["numpy"], x)
        assert np.all(np.isfinite(expected))
        for library in LIBRARIES.values():
            found = run(program, library, library.constants.asarray(x))
            np.testing.assert_allclose(
                xgrad.to_numpy(found), expected, rtol=1e-12, atol=1e-12
            )

    collect()
    assert [name for name in TRAITS if not reached[name]] == []


def test_a_program_is_the_function_that_it_reads_like():
    program = Program(
        shape=(5,),
        seed=0,
        steps=(
            Step("index", (0,), {"index": (slice(None, None, -2),)}),
            Step("binary", (1,), {"op": "subtract", "constant": 1.5, "left": True}),
            Step("matmul", (2, 1), {}),
        ),
        scalar=True,
    )
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    for library in LIBRARIES.values():
        found = run(program, library, library.constants.asarray(x))
        # 15, and [5, 3, 1], and [-3.5, -1.5, 0.5], and their product
        assert float(found) == 15 + 9 - 4.5 + (-17.5 - 4.5 + 0.5)
