"""Which entries of a result depend on which entries of the argument."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import (
    at_perturbed_points,
    coordinate_matrix,
    device_of,
    float_info,
    public,
    quiet,
    refuse_nesting,
    require_sparse,
    to_numpy,
    unwrap,
    wrap_like,
)
from xgrad._batched import Batched
from xgrad._evaluation import Function, bind_function, execution_for
from xgrad.diff._attempts import Inexact
from xgrad.diff._forward import Derived
from xgrad.diff._runs import Runs, sparse_jacobian


@public
def sparsity_pattern(f: Callable[[Any], Any], x: Any, /) -> Any:
    """Return which entries of ``f(x)`` depend on which entries of ``x``.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, of NumPy or CuPy
        Point at which the dependence is looked at.

    Returns
    -------
    sparse matrix of booleans, (result entries, x entries)
        A ``scipy.sparse`` ``csr_array`` or a ``cupyx`` ``csr_matrix``. `color_columns`
        and ``sparsity=`` take it.

    Raises
    ------
    TypeError
        If ``x`` is nested, or if its library has no sparse matrices.
    ImportError
        If scipy, the extra ``sparse``, is not installed.
    ValueError
        If ``f`` uses nothing of its argument.

    Notes
    -----
    It is found in one run of ``f``, by arrays that hold one direction for each entry of
    ``x`` and only where it has an effect. An entry counts if the operations of ``f``
    lead to it, whatever the numbers are: both branches of ``where`` count, but of an
    ``if`` that which is taken. Where a whole array was computed at once, as by a
    transform, entries without an effect at ``x`` are left out. If ``f`` allows no such
    run, it is called twice for each entry of ``x``, with that entry moved.

    Examples
    --------
    >>> import numpy as np
    >>> sparsity_pattern(lambda x: x[1:] * x[:-1], np.ones(3)).toarray()
    array([[ True,  True, False],
           [False,  True,  True]])
    """
    function, _ = bind_function(f, x, None, execution_for())
    require_sparse(function.xp)
    refuse_nesting(x, "`sparsity_pattern`")
    try:
        return _as_booleans(sparse_jacobian(Runs(Derived(function), 0, None)))
    except Inexact:
        return pattern_of(function)


def pattern_of(function: Function) -> Any:
    """Return the pattern of a function that has no exact derivative."""
    moves = Moves(Derived(function), 0, None)
    try:
        with at_perturbed_points():
            pattern = _as_booleans(sparse_jacobian(moves))
    except Exception:
        # Whatever it is: if a plain call raises it, too, it is the caller's own.
        return _pattern_by_calls(function)
    with at_perturbed_points():
        plain = unwrap(function.at_base())
    # It may look at the type of x, and do something else.
    if plain.shape != moves.value.shape or not bool((plain == moves.value).all()):
        return _pattern_by_calls(function)
    return pattern


def _as_booleans(matrix: Any) -> Any:
    """Return the matrix with all its stored entries true, whatever they were."""
    matrix.data = matrix.data.astype(bool)
    matrix.data[...] = True
    return matrix


class Moves(Runs):
    """Runs of a function with each entry moved, in place of tangents."""

    def push(self, tangent: Any) -> Any:
        """Return the result at many points, at each of which an entry has moved."""
        if tangent is None:  # of an empty array
            self.value = unwrap(self.function.at_base())
            return None
        trace, region, xp = tangent.tracer, tangent.region, tangent.tracer.xp
        base = unwrap(self.x)
        step = math.sqrt(float_info(self.xp, self.x.dtype).eps)
        sizes = region.gather(step * xp.maximum(xp.abs(base), 1.0), trace.axes_first)
        moved = Batched(trace, base, region, tangent.diff * sizes)
        arguments = self.function.copy_leaves(without=0)
        arguments[0] = wrap_like(moved, self.x)
        with quiet():
            result = self.function.call_with(arguments)
        if trace.refusal is not None:
            raise trace.refusal
        content = unwrap(self.function.convert_result(result))
        is_moved = isinstance(content, Batched) and content.tracer is trace
        self.value = content.ensure_current().base if is_moved else content
        return content if is_moved else None


def _pattern_by_calls(function: Function) -> Any:
    """Return the pattern from plain calls with one entry moved, up and down."""
    xp, x = function.xp, function.leaves[0]
    count = math.prod(x.shape)
    step = math.sqrt(float_info(xp, x.dtype).eps) * xp.maximum(xp.abs(x), 1.0)
    numbers = xp.reshape(xp.arange(count, device=device_of(x)), x.shape)
    rows: list[np.ndarray] = []
    with at_perturbed_points(), quiet():
        base = function.at_point(xp.asarray(x, copy=True))
        for i in range(count):
            move = xp.where(numbers == i, step, 0.0)
            changed = (function.at_point(x + move) != base) | (
                function.at_point(x - move) != base
            )
            rows.append(np.flatnonzero(to_numpy(changed)))
    columns = np.repeat(np.arange(count), [len(r) for r in rows])
    entries = (
        xp.asarray(a, device=device_of(x))
        for a in (np.concatenate([columns[:0], *rows]), columns)
    )
    row, column = entries
    shape = math.prod(base.shape), count
    return coordinate_matrix(xp, xp.astype(row == row, xp.bool), row, column, shape)
