"""Read the subscripts of `einsum`: letters for the axes of operands and result."""

from __future__ import annotations

import operator
import string
from collections.abc import Sequence
from typing import Any

# NumPy's letters for the numbers of axes, whose order is that of the numbers.
LETTERS = string.ascii_uppercase + string.ascii_lowercase
ELLIPSIS = "..."


def read_arguments(arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return subscripts and operands, from either form that NumPy has for them."""
    if isinstance(arguments[0], str):
        return arguments[0].replace(" ", ""), list(arguments[1:])
    # Operands and lists of numbers in turn, at the end a list for the result.
    operands, lists = list(arguments[0:-1:2]), list(arguments[1::2])
    text = ",".join(map(_letters, lists))
    if len(arguments) % 2:
        text += f"->{_letters(arguments[-1])}"
    return text, operands


def _letters(numbers: Any) -> str:
    return "".join(
        ELLIPSIS if n is Ellipsis else LETTERS[operator.index(n)] for n in numbers
    )


def parse(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """Return the letters of each operand and those of the result."""
    left, arrow, right = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise ValueError(
            f"einsum needs as many subscripts as operands, but has {len(inputs)} "
            f"subscripts for {len(operands)} operands"
        )
    if not arrow:
        letters = left.replace(ELLIPSIS, "").replace(",", "")
        # NumPy's rule: letters that stand there once, in the order of the alphabet.
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        right = ELLIPSIS + right if ELLIPSIS in left else right
    inputs, right = _without_ellipsis(inputs, right, operands)
    _require_all_axes(inputs, operands)
    return inputs, right


def _without_ellipsis(
    inputs: list[str], right: str, operands: Sequence[Any]
) -> tuple[list[str], str]:
    """Return subscripts with free letters in place of each ellipsis."""
    if all(ELLIPSIS not in letters for letters in inputs):
        return inputs, right
    counts = [
        operand.ndim - len(letters.replace(ELLIPSIS, "")) if ELLIPSIS in letters else 0
        for letters, operand in zip(inputs, operands, strict=True)
    ]
    taken = set("".join((*inputs, right)))
    free = "".join(c for c in LETTERS if c not in taken)[: max(counts)]
    # The last axes of all that an ellipsis stands for lie behind one another.
    inputs = [
        letters.replace(ELLIPSIS, free[len(free) - count :])
        for letters, count in zip(inputs, counts, strict=True)
    ]
    return inputs, right.replace(ELLIPSIS, free)


def _require_all_axes(inputs: list[str], operands: Sequence[Any]) -> None:
    for i, (letters, operand) in enumerate(zip(inputs, operands, strict=True)):
        if len(letters) != operand.ndim:
            raise ValueError(
                f"operand {i} of einsum has {operand.ndim} axes, but its subscripts "
                f"are {letters!r}"
            )
