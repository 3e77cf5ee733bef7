"""The rule of `einsum`: the operand and the result change places."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.functions import rule


@rule("einsum")
def _einsum(tape: Any, operation: Any, plain: Any, *operands: Any) -> Any:
    left, _, right = operation[1].partition("->")
    inputs = left.split(",")
    values = [tape.value_of(o) for o in operands]
    base = plain(*values)
    edges = []
    for i, operand in enumerate(operands):
        if not tape.depends(operand):
            continue
        others = [
            (inputs[j], tape.hold(operands[j], values[j]))
            for j in range(len(operands))
            if j != i
        ]
        edges.append(tape.edge(operand, pull_einsum, inputs[i], right, others))
    return tape.result(base, *edges)


def pull_einsum(g: Any, letters: str, right: str, others: Any) -> Any:
    """Multiply the cotangent by the conjugates of all other operands."""
    terms = [right, *(other for other, _ in others)]
    present = "".join(c for c in letters if c in "".join(terms))
    arrays = [np.conj(x) if x.dtype.kind == "c" else x for _, x in others]
    subscripts = f"{','.join(terms)}->{present}"
    share = np.einsum(subscripts, g, *arrays, optimize=len(arrays) > 1)
    # Along a letter of this operand alone, all entries were added up.
    key = tuple(slice(None) if c in present else None for c in letters)
    return share[key] if key else share
