"""Turns the arguments of a call into a function at arrays of floats."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xgrad._arrays import (
    Array,
    as_float,
    cast,
    common_namespace,
    floating_dtype,
    leaves,
    quiet,
    rebuild,
)
from xgrad._evaluation.checkpoint import Checkpoint, description, opened
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.function import Function


def function_at(
    f: Callable[[Any], Any], x: Any, dtype: Any, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """Bind ``f`` to the arrays of ``x`` as floats; return those arrays as they came."""
    if not callable(f):
        raise TypeError(f"`f` must be callable; got {type(f).__name__}")
    nested = isinstance(x, (dict, list, tuple))
    given = leaves(x) if nested else [("x", x)]
    if not given:
        raise ValueError("`x` holds no array: there is nothing to differentiate by")
    xp = common_namespace(**dict(given))
    floats = [as_float(xp, name, leaf) for name, leaf in given]
    if dtype is not None:
        dtype = floating_dtype(xp, dtype)
        with quiet():
            floats = [as_float(xp, "x", cast(xp, leaf, dtype)) for leaf in floats]
    skeleton = rebuild(x, [None] * len(given)) if nested else None
    return Function(f, xp, skeleton, tuple(floats), execution.mode), given


def checkpoint_of(
    execution: Execution,
    function: Function,
    names: Sequence[str],
    about: Mapping[str, Any],
) -> contextlib.AbstractContextManager[Checkpoint] | None:
    """Return the checkpoint of a call, to be opened; None if none is asked for.

    ``about`` says which derivative is computed: it must not change between two calls.
    """
    if execution.checkpoint is None:
        return None
    call = description(about, function, names, execution.vectorized)
    return opened(execution.checkpoint, call, function)
