"""The function `einsum`, by products that are cheaper where these do."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from xgrad._arrays import is_numpy
from xgrad._tracing.arguments import tracer_of
from xgrad._tracing.functions.products import permute_any, tensordot
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import reshape_any
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn
from xgrad._tracing.tracer import Tracer

# Up to this size the product over all letters of an einsum, before anything is summed,
# is formed at the base: 2 MiB in float64. Chosen by hand; only speed and memory depend
# on it.
EINSUM_SIZE = 2**18


@handles("einsum")
def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """Multiply and sum by the letters of axes."""
    tracer = tracer_of(*operands)
    del optimize  # it changes the order of products, but not the result
    if not isinstance(subscripts, str) or "." in subscripts:
        raise tracer.refuse("einsum with an ellipsis or with lists", "name all axes")
    inputs, right = _parse_subscripts(subscripts, operands)
    if any(len(set(letters)) != len(letters) for letters in (*inputs, right)):
        return _einsum_everywhere(tracer, inputs, right, operands)
    # Two operands that share summed letters alone are a product of matrices, of which
    # only the rows and columns that differ are evaluated.
    if len(operands) == 2:
        result = _einsum_pair(inputs, right, operands)
        if result is not None:
            return result
    lengths = {
        letter: n
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, n in zip(letters, operand.shape, strict=True)
    }
    if math.prod(lengths.values()) > EINSUM_SIZE:
        return _einsum_everywhere(tracer, inputs, right, operands)
    return _einsum_by_broadcasting(inputs, right, operands, lengths)


def _parse_subscripts(
    subscripts: str, operands: tuple[Any, ...]
) -> tuple[list[str], str]:
    """Return the letters of each operand and those of the result."""
    left, _, right = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if "->" not in subscripts:
        letters = "".join(inputs)
        # NumPy's rule: letters that stand there once, in the order of the alphabet.
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(inputs) != len(operands):
        raise ValueError(
            f"einsum needs as many subscripts as operands, but has {len(inputs)} "
            f"subscripts for {len(operands)} operands"
        )
    for i, (letters, operand) in enumerate(zip(inputs, operands, strict=True)):
        if len(letters) != operand.ndim:
            raise ValueError(
                f"operand {i} of einsum has {operand.ndim} axes, but its subscripts "
                f"are {letters!r}"
            )
    return inputs, right


def _einsum_pair(inputs: list[str], right: str, operands: tuple[Any, ...]) -> Any:
    """Multiply two operands by `tensordot`; None if they share letters otherwise."""
    a, b = inputs
    shared = [c for c in a if c in b]
    if not shared or any(c in right for c in shared):
        return None
    rest = [c for c in a if c not in shared] + [c for c in b if c not in shared]
    if sorted(rest) != sorted(right):
        return None
    axes = tuple(a.index(c) for c in shared), tuple(b.index(c) for c in shared)
    result = tensordot(operands[0], operands[1], axes=axes)
    order = tuple(rest.index(c) for c in right)
    return permute_any(result, order)


def _einsum_by_broadcasting(
    inputs: list[str], right: str, operands: tuple[Any, ...], lengths: dict[str, int]
) -> Any:
    """Multiply all operands over all letters, then sum those not in the result."""
    order = right + "".join(c for c in lengths if c not in right)
    factors = []
    for letters, operand in zip(inputs, operands, strict=True):
        places = tuple(letters.index(c) for c in order if c in letters)
        operand = permute_any(operand, places)
        shape = tuple(lengths[c] if c in letters else 1 for c in order)
        factors.append(reshape_any(operand, shape))
    products = functools.reduce(operator.mul, factors)
    axes = tuple(range(len(right), len(order)))
    return sum_(products, axis=axes) if axes else products


def _einsum_everywhere(
    tracer: Tracer, inputs: list[str], right: str, operands: tuple[Any, ...]
) -> Any:
    """Evaluate all entries at all points: the hidden axis gets a letter of its own."""
    if not is_numpy(tracer.xp):
        raise tracer.refuse("this einsum", "use `tensordot` or `matmul`")
    # Any letter that is free. Constants go without it, and are not repeated.
    hidden = next(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in "".join(inputs))
    plain = f"{','.join(inputs)}->{right}"
    marked = [
        (hidden if isinstance(o, StandIn) else "") + letters
        for letters, o in zip(inputs, operands, strict=True)
    ]
    many = f"{','.join(marked)}->{hidden}{right}"
    return tracer.everywhere(
        ("einsum", plain),
        lambda *arrays: np.einsum(plain, *arrays),
        lambda *arrays: np.einsum(many, *arrays),
        *operands,
    )
