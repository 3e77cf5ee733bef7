"""The function `einsum`, by products that are cheaper where these do."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from xgrad._tracing.arguments import answers_numpy, first_standin, require, tracer_of
from xgrad._tracing.functions.joining import as_arrays
from xgrad._tracing.functions.products import permute_any, tensordot
from xgrad._tracing.functions.rearranging import diagonal
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import reshape_any
from xgrad._tracing.functions.subscripts import LETTERS, parse, read_arguments
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn

# Up to this size the product over all letters of an einsum, before anything is summed,
# is formed at the base: 2 MiB in float64. Chosen by hand; only speed and memory depend
# on it.
EINSUM_SIZE = 2**18


@handles("einsum")
def einsum(*arguments: Any, optimize: Any = False) -> Any:
    """Multiply and sum by the letters of axes."""
    tracer = tracer_of(*arguments)
    subscripts, arrays = read_arguments(arguments)
    arrays = as_arrays(*arrays)
    inputs, right = parse(subscripts, arrays)
    pairs = [_once(a, letters) for a, letters in zip(arrays, inputs, strict=True)]
    pairs = _without_repeats(pairs)
    inputs, operands = [p[1] for p in pairs], tuple(p[0] for p in pairs)
    if first_standin(operands) is None:
        raise tracer.refuse("einsum of these operands")
    # Two operands that share summed letters alone are a product of matrices, of which
    # only the rows and columns that differ are evaluated.
    if len(operands) == 2:
        result = _einsum_pair(inputs, right, operands)
        if result is not None:
            return result
    return contract(operands, inputs, right, optimize)


@overridable
def contract(
    operands: tuple[Any, ...], inputs: list[str], right: str, optimize: Any
) -> Any:
    """Multiply and sum operands, none of which has a letter twice."""
    lengths = {
        letter: n
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, n in zip(letters, operand.shape, strict=True)
    }
    if math.prod(lengths.values()) > EINSUM_SIZE:
        return einsum_everywhere(operands, inputs, right, optimize)
    return _einsum_by_broadcasting(inputs, right, operands, lengths)


def _once(x: Any, letters: str) -> tuple[Any, str]:
    """Return the diagonal over letters that an operand has twice, and its letters."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            same = x.shape[first] == x.shape[second]
            require(same, tracer_of(x), "einsum of a matrix that is not square")
            take = diagonal if isinstance(x, StandIn) else np.diagonal
            x = take(x, 0, first, second)
            rest = letters[:first] + letters[first + 1 : second] + letters[second + 1 :]
            letters = rest + letter
    return x, letters


def _without_repeats(pairs: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """Remove axes of length 1 that are repeated along those of other operands."""
    longest: dict[str, int] = {}
    for x, letters in pairs:
        for letter, n in zip(letters, x.shape, strict=True):
            longest[letter] = n if n != 1 else longest.get(letter, 1)
    shorter = []
    for x, letters in pairs:
        axes = list(zip(letters, x.shape, strict=True))
        left = [(c, n) for c, n in axes if n == longest[c]]
        if len(left) < len(axes):
            x = reshape_any(x, tuple(n for _, n in left))
        shorter.append((x, "".join(c for c, _ in left)))
    return shorter


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


def einsum_everywhere(
    operands: tuple[Any, ...], inputs: list[str], right: str, optimize: Any
) -> Any:
    """Evaluate all entries at all points: the hidden axis gets a letter of its own."""
    tracer = tracer_of(*operands)
    if not answers_numpy(tracer.xp):
        raise tracer.refuse("this einsum", "use `tensordot` or `matmul`")
    # Any letter that is free. Constants go without it, and are not repeated.
    hidden = next(c for c in reversed(LETTERS) if c not in "".join(inputs))
    plain = f"{','.join(inputs)}->{right}"
    marked = [
        (hidden if isinstance(o, StandIn) else "") + letters
        for letters, o in zip(inputs, operands, strict=True)
    ]
    many = f"{','.join(marked)}->{hidden}{right}"
    return tracer.everywhere(
        ("einsum", plain),
        lambda *arrays: np.einsum(plain, *arrays, optimize=optimize),
        lambda *arrays: np.einsum(many, *arrays, optimize=optimize),
        *operands,
    )
