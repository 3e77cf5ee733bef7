"""The arguments of a call, bound: a function at arrays of floats, a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    as_float,
    cast,
    common_namespace,
    floating_dtype,
    is_torch,
    leaves,
    quiet,
    rebuild,
    recorded_natively,
    require_callable,
)
from xgrad._evaluation.checkpoint import Checkpoint, open_checkpoint
from xgrad._evaluation.checkpoint_key import call_key
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.function import Function

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def bind_function(
    f: Callable[[Any], Any], x: Any, dtype: Any, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """Bind ``f`` to the leaves of ``x`` as floats, of the ``dtype`` unless it is None.

    Return the function, and the leaves as they are in ``x``, with their names.
    """
    require_callable("f", f)
    if type(x) is np.ndarray and x.dtype in FLOATS and dtype is None:
        # The usual case, for which this is all that has to be done.
        xp = common_namespace(x=x)
        return Function(f, xp, None, (x,), execution.vectorized), [("x", x)]
    # (Scalars of NumPy are arrays without axes, though some are Python's by descent.)
    if isinstance(x, int | float) and not hasattr(x, "dtype"):
        raise TypeError(
            f"`x` must be an array, but is the number {x!r}: pass `np.asarray({x!r})`, "
            "or use `derivative`, which takes numbers"
        )
    nested = isinstance(x, (dict, list, tuple))
    named_leaves = leaves(x) if nested else [("x", x)]
    if not named_leaves:
        raise ValueError("`x` holds no array: there is nothing to differentiate by")
    xp = common_namespace(**dict(named_leaves))
    if is_torch(xp) and not recorded_natively.get():
        # Parameters of a model record every operation, for slopes of PyTorch's own.
        named_leaves = [(name, leaf.detach()) for name, leaf in named_leaves]
    floats = [as_float(xp, name, leaf) for name, leaf in named_leaves]
    if dtype is not None:
        dtype = floating_dtype(xp, dtype)
        with quiet():
            floats = [as_float(xp, "x", cast(xp, leaf, dtype)) for leaf in floats]
    # The structure without the arrays, which would travel to every worker twice.
    skeleton = rebuild(x, [None] * len(named_leaves)) if nested else None
    return Function(f, xp, skeleton, tuple(floats), execution.vectorized), named_leaves


def checkpoint_of(
    execution: Execution,
    function: Function,
    names: Sequence[str],
    derivative: Mapping[str, Any],
) -> contextlib.AbstractContextManager[Checkpoint] | None:
    """Return the checkpoint of a call, to be opened; None if none is asked for.

    ``names`` are those of the leaves. ``derivative`` describes what is computed, and
    must not change between two calls.
    """
    if execution.checkpoint is None:
        return None
    call = call_key(derivative, function, names, execution.vectorized)
    return open_checkpoint(execution.checkpoint, call, function)
