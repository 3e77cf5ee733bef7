"""Losses of Dask arrays: one task for each block, which looks at its values by itself.

Nothing is computed before it is asked for, and then one block after the other. Within
its task a loss sees plain arrays: its checks, its fast paths and its silence about
overflow are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xgrad._arrays.context import quiet
from xgrad._arrays.namespaces import common_namespace
from xgrad._arrays.types import Array

BlockStarts = Mapping[str, tuple[int, ...]]
# Called with one block of each array and where these blocks start in their arrays;
# returns losses and slopes, one of them None where it is not wanted.
Terms = Callable[[dict[str, Any], BlockStarts], tuple[Any, Any]]


def losses_of_blocks(
    terms: Terms, arrays: dict[str, Array], *, rows: bool, wanted: str, dtype: Any
) -> tuple[Any, Any]:
    """Losses and slopes of Dask arrays, or one of them; rows are kept whole.

    Both come from one task, side by side along the last axis of one array.
    """
    import dask.array as da

    first, blocks, thin = _aligned(arrays, rows)
    has_losses, has_slopes = wanted != "slope", wanted != "value"
    slope_width = first.shape[-1] if rows else 1
    width = (1 if has_losses else 0) + (slope_width if has_slopes else 0)
    packed = da.map_blocks(
        _block,
        *blocks,
        terms=terms,
        names=list(arrays),
        thin=thin,
        rows=rows,
        chunks=(*(first.chunks[:-1] if rows else first.chunks), (width,)),
        new_axis=None if rows else first.ndim,
        dtype=dtype,
        meta=(first._meta if rows else first._meta[..., None]).astype(dtype),
    )
    losses = packed[..., 0] if has_losses else None
    if not has_slopes:
        return losses, None
    return losses, packed[..., int(has_losses) :] if rows else packed[..., -1]


def _aligned(
    arrays: dict[str, Array], rows: bool
) -> tuple[Array, list[Array], list[bool]]:
    """The prediction, and arrays with its blocks; ``thin`` ones lack its last axis."""
    first = arrays["prediction"]
    if rows:
        first = first.rechunk({first.ndim - 1: -1})
    blocks, thin = [], []
    for name, array in arrays.items():
        beside = array.shape != first.shape and name in ("target", "weight")
        thin.append(beside)
        if beside:  # labels and weights of rows
            blocks.append(array.rechunk(first.chunks[:-1])[..., None])
        elif array.shape == first.shape:
            blocks.append(array.rechunk(first.chunks))
        else:  # the same for every block
            blocks.append(array.rechunk(-1))
    return first, blocks, thin


def summarize_blocks(
    function: Callable[[dict[str, Any], BlockStarts], Array],
    arrays: dict[str, Array],
    *,
    shape: tuple[int, ...],
    dtype: Any,
) -> Array:
    """What a function makes of each block of rows, one after the other."""
    import dask
    import dask.array as da

    first = arrays["prediction"]
    whole = {
        name: a.rechunk((first.chunks[0], *a.shape[1:])) for name, a in arrays.items()
    }
    pieces = zip(*(a.to_delayed().ravel() for a in whole.values()), strict=True)
    summarise, start, found = dask.delayed(_summary, pure=True), 0, []
    for length, blocks in zip(first.chunks[0], pieces, strict=True):
        part = summarise(function, list(whole), start, *blocks)
        found.append(da.from_delayed(part, shape=shape, dtype=dtype))
        start += length
    return da.stack(found)


def _summary(
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
    """``function(xp, *arguments)`` of each block, where overflow raises no warning."""
    import dask.array as da

    return da.map_blocks(
        _quietly, *arguments, function=function, dtype=dtype, drop_axis=drop_axis
    )


def _quietly(*blocks: Any, function: Callable[..., Array]) -> Array:
    with quiet():
        return function(common_namespace(x=blocks[0]), *blocks)


def _block(
    *blocks: Any,
    terms: Terms,
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
