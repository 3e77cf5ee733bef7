"""The signature and the docstring that `help` shows for a loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

HEAD = "Parameters\n----------\n"
ARRAYS = """\
prediction, target : arrays
    What a model says, and what is true, of the shapes and kinds told above. They may
    be written as keywords.
"""
SHARED_PARAMETERS = """\
reduction : {reductions}
    How the losses of all entries or rows are combined.
weight : array, optional
    The weight of each loss, in the shape of the unreduced loss. A mean divides by the
    sum of the weights; entries of weight 0 are ignored, even if they are inf or nan.
check : bool
    Whether to check the values of the arguments, which on a GPU makes the host wait.

Returns
-------
array
    The mean or the sum, 0-d, or the loss of each entry or row, in the library, device
    and float dtype of the prediction (float32 for half precision).

Raises
------
TypeError
    If an argument is no array or of a wrong dtype, or arrays are of different
    libraries.
ValueError
    If shapes do not fit, nothing is there to average, or with ``check`` a value is
    wrong."""


def options_of(formula: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a formula after xp, prediction and target."""
    return list(inspect.signature(formula).parameters.values())[3:]


def signature_with(
    method: Callable[..., Any], options: Sequence[inspect.Parameter]
) -> inspect.Signature:
    """Return the signature of a method, with these options instead of ``**options``.

    ``self`` is left out.
    """
    signature = inspect.signature(method)
    _, *parameters = signature.parameters.values()
    named = [p for p in parameters if p.kind != p.VAR_KEYWORD]
    return signature.replace(parameters=[*named, *options])


def document_shared_parameters(
    doc: str | None, reductions: tuple[str, ...]
) -> str | None:
    """Return the docstring of a formula with the parameters that all losses share."""
    if doc is None:  # under `python -OO`
        return None
    # Sections of a numpydoc docstring have an order: examples come last.
    text, examples, code = inspect.cleandoc(doc).partition("\n\nExamples\n--------")
    text += "\n" if HEAD in text else f"\n\n{HEAD}"
    listed = ", ".join(f'"{reduction}"' for reduction in reductions)
    shared = SHARED_PARAMETERS.format(reductions=f"{{{listed}}}")
    text = text.replace(HEAD, f"{HEAD}{ARRAYS}", 1)
    return f"{text}{shared}{examples}{code}"
