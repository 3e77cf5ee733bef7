"""Dask: one task for each block, which checks and computes its values by itself.

Nothing is computed before it is asked for, and then one block after the other. Within
its task a function sees plain arrays: its checks, its kernels and its silence about
overflow are those of plain calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xgrad._arrays.context import quiet
from xgrad._arrays.namespaces import common_namespace
from xgrad._arrays.types import Array

# By argument: the index at which a block begins in its array, for messages.
BlockStarts = Mapping[str, tuple[int, ...]]
# Called with one block of each array, by argument; returns losses and slopes, one of
# them None if it is not wanted.
LossOfBlocks = Callable[[dict[str, Any], BlockStarts], tuple[Any, Any]]


def losses_of_blocks(
    terms: LossOfBlocks,
    arrays: dict[str, Array],
    *,
    rows: bool,
    wanted: str,
    dtype: Any,
) -> tuple[Any, Any]:
    """Return the losses and slopes of Dask arrays; one is None if it is not ``wanted``.

    For a loss of ``rows`` no block divides the last axis of the prediction.
    """
    import dask.array as da

    prediction, aligned, thin = _align_blocks(arrays, rows)
    has_losses, has_slopes = wanted != "slope", wanted != "value"
    slope_width = prediction.shape[-1] if rows else 1
    width = (1 if has_losses else 0) + (slope_width if has_slopes else 0)
    # Losses and slopes lie side by side along the last axis of one array: from two
    # arrays Dask would compute each block twice.
    packed = da.map_blocks(
        _pack_block,
        *aligned,
        terms=terms,
        names=list(arrays),
        thin=thin,
        rows=rows,
        chunks=(*(prediction.chunks[:-1] if rows else prediction.chunks), (width,)),
        new_axis=None if rows else prediction.ndim,
        dtype=dtype,
        meta=(prediction._meta if rows else prediction._meta[..., None]).astype(dtype),
    )
    losses = packed[..., 0] if has_losses else None
    if not has_slopes:
        return losses, None
    return losses, packed[..., int(has_losses) :] if rows else packed[..., -1]


def _align_blocks(
    arrays: dict[str, Array], rows: bool
) -> tuple[Array, list[Array], list[bool]]:
    """Return the prediction, all arrays in its blocks, and which of them are thin.

    A thin array, the labels or weights of rows, lacks the last axis of the prediction;
    it is given one of length 1, since `map_blocks` aligns axes from the last one.
    """
    prediction = arrays["prediction"]
    if rows:
        prediction = prediction.rechunk({prediction.ndim - 1: -1})
    aligned, thin = [], []
    for name, array in arrays.items():
        is_thin = array.shape != prediction.shape and name in ("target", "weight")
        thin.append(is_thin)
        if is_thin:
            aligned.append(array.rechunk(prediction.chunks[:-1])[..., None])
        elif array.ndim and array.shape == prediction.shape[-array.ndim :]:
            aligned.append(array.rechunk(prediction.chunks[-array.ndim :]))
        else:  # the same option for every block
            aligned.append(array.rechunk(-1))
    return prediction, aligned, thin


def _pack_block(
    *blocks: Any,
    terms: LossOfBlocks,
    names: list[str],
    thin: list[bool],
    rows: bool,
    block_info: Any = None,
) -> Any:
    arrays, starts = {}, {}
    for i, (name, block) in enumerate(zip(names, blocks, strict=True)):
        start = tuple(begin for begin, _ in block_info[i]["array-location"])
        arrays[name] = block[..., 0] if thin[i] else block
        starts[name] = start[:-1] if thin[i] else start
    losses, slopes = terms(arrays, starts)
    columns = [] if losses is None else [losses[..., None]]
    if slopes is not None:
        columns.append(slopes if rows else slopes[..., None])
    xp = common_namespace(x=columns[0])
    return xp.concat(columns, axis=-1)


def summarize_blocks(
    function: Callable[[dict[str, Any], BlockStarts], Array],
    arrays: dict[str, Array],
    *,
    shape: tuple[int, ...],
    dtype: Any,
) -> Array:
    """Return the summaries of all blocks of rows, ``(blocks, *shape)``.

    ``function`` makes one of each block; ``shape`` and ``dtype`` are those of one.
    """
    import dask
    import dask.array as da

    lengths = arrays["prediction"].chunks[0]
    by_rows = {name: a.rechunk((lengths, *a.shape[1:])) for name, a in arrays.items()}
    rows = zip(*(a.to_delayed().ravel() for a in by_rows.values()), strict=True)
    summarize, start, summaries = dask.delayed(_summarize_block, pure=True), 0, []
    for length, blocks in zip(lengths, rows, strict=True):
        summary = summarize(function, list(by_rows), start, *blocks)
        summaries.append(da.from_delayed(summary, shape=shape, dtype=dtype))
        start += length
    return da.stack(summaries)


def _summarize_block(
    function: Callable[[dict[str, Any], BlockStarts], Array],
    names: list[str],
    start: int,
    *blocks: Any,
) -> Array:
    arrays = dict(zip(names, blocks, strict=True))
    starts = {n: (start, *(0,) * (a.ndim - 1)) for n, a in arrays.items()}
    with quiet():
        return function(arrays, starts)


def map_blocks(
    function: Callable[..., Array],
    *arguments: Any,
    dtype: Any,
    drop_axis: int | None = None,
) -> Array:
    """Return ``function(xp, *blocks)`` of the blocks of Dask arrays, without warnings.

    The result has the arguments' shape, without ``drop_axis``.
    """
    import dask.array as da

    return da.map_blocks(
        _call_quietly, *arguments, function=function, dtype=dtype, drop_axis=drop_axis
    )


def _call_quietly(*blocks: Any, function: Callable[..., Array]) -> Array:
    with quiet():
        return function(common_namespace(x=blocks[0]), *blocks)
