"""The stub of `xgrad.diff`: signatures of the derivatives for type checkers.

The result of a derivative depends on ``full_output``, which only overloads can express.
An overload repeats the parameters of the function, as ``inspect.signature`` gives them,
but for the few that decide about the result.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xgrad import diff

PATH = Path(diff.__file__).with_suffix(".pyi")
HEAD = '''"""Signatures of derivatives, by `python tests/tools/write_stubs.py`."""

from collections.abc import Callable
from typing import Any, Literal, overload

from numpy.typing import NDArray

from xgrad._arrays import ArrayT
from xgrad._autodiff import custom_vjp as custom_vjp
from xgrad._differences import Coloring as Coloring
from xgrad._differences import Estimate as Estimate
from xgrad._differences import Method
from xgrad._differences import Status as Status
from xgrad._differences import color_columns as color_columns
from xgrad._evaluation import {evaluation}
from xgrad.diff._exact import NotDifferentiable as NotDifferentiable
from xgrad.diff._gradient import value_and_gradient as value_and_gradient
from xgrad.diff._pattern import sparsity_pattern as sparsity_pattern
from xgrad.diff._products import hvp as hvp
from xgrad.diff._tangent import Tangent as Tangent
from xgrad.diff._tangent import tangent_line as tangent_line
from xgrad.diff._vjp import vjp as vjp
'''
EVALUATION = ("CheckpointPath", "Kept", "Progress", "Vectorized", "Workers")

# The annotation of a parameter in an overload, with its default.
WITH_AUX, WITHOUT_AUX = (
    {"has_aux": "Literal[True]"},
    {"has_aux": "Literal[False] = False"},
)
YES = {"full_output": "Literal[True]"}
NO = {"full_output": "Literal[False] = False"}
EITHER = {"full_output": "bool"}
ARRAY, NUMBER = {"x": "ArrayT"}, {"x": "float"}
DENSE, SPARSE = {"sparsity": "None = None"}, {"sparsity": "Any"}
OVERLOADS: dict[str, tuple[tuple[dict[str, str], str], ...]] = {
    "gradient": (
        (ARRAY | WITHOUT_AUX | YES, "tuple[ArrayT, Estimate]"),
        (ARRAY | WITHOUT_AUX | NO, "ArrayT"),
        (ARRAY | WITH_AUX | YES, "tuple[ArrayT, Estimate, Any]"),
        (ARRAY | WITH_AUX | NO, "tuple[ArrayT, Any]"),
        (ARRAY | EITHER, "Any"),
    ),
    "derivative": (
        (NUMBER | YES, "tuple[NDArray[Any], Estimate]"),
        (NUMBER | NO, "NDArray[Any]"),
        (ARRAY | YES, "tuple[ArrayT, Estimate]"),
        (ARRAY | NO, "ArrayT"),
        (ARRAY | EITHER, "Any"),
    ),
    "jacobian": (
        (ARRAY | DENSE | YES, "tuple[ArrayT, Estimate]"),
        (ARRAY | DENSE | NO, "ArrayT"),
        (ARRAY | SPARSE | YES, "tuple[Any, Estimate]"),
        (ARRAY | SPARSE | NO, "Any"),
        (ARRAY | EITHER, "Any"),
    ),
    "hessian": (
        (ARRAY | DENSE | YES, "tuple[ArrayT, Estimate]"),
        (ARRAY | DENSE | NO, "ArrayT"),
        (ARRAY | SPARSE | YES, "tuple[Any, Estimate]"),
        (ARRAY | SPARSE | NO, "Any"),
        (ARRAY | EITHER, "Any"),
    ),
    "jvp": (
        (YES, "tuple[Any, Estimate]"),
        (NO, "Any"),
        (EITHER, "Any"),
    ),
}


def written() -> str:
    """Return the whole stub."""
    body = "\n".join(
        _overload(getattr(diff, name), annotations, result)
        for name, overloads in OVERLOADS.items()
        for annotations, result in overloads
    )
    used = ", ".join(name for name in EVALUATION if name in body)
    return HEAD.format(evaluation=used) + "\n" + body


def _overload(
    function: Callable[..., Any], changed: dict[str, str], result: str
) -> str:
    """Return one overload, with the first line of the docstring."""
    parameters = inspect.signature(function).parameters.values()
    lines = []
    for parameter in parameters:
        if parameter.kind == parameter.KEYWORD_ONLY and "*" not in lines:
            lines += ["/", "*"]
        default = ""
        if parameter.default is not parameter.empty:
            default = f" = {parameter.default!r}".replace("'", '"')
        annotation = changed.get(parameter.name, f"{parameter.annotation}{default}")
        lines.append(f"{parameter.name}: {annotation}")
    listed = "".join(f"    {line},\n" for line in lines)
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    return (
        f"@overload\ndef {function.__name__}(\n{listed}) -> {result}:\n"
        f'    """{summary}"""\n    ...\n'
    )
