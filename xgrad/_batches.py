"""Mini-batches in an order drawn on the host, the same on every backend for a seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    ArrayT,
    as_float,
    cast,
    common_namespace,
    default_dtype,
    from_host,
    integer,
    one_of,
    public,
    public_dir,
    publish,
    quiet,
    require_known_shapes,
    to_numpy,
    wide_dtype,
    wide_sum,
)
from xgrad._rules import require_labels

__all__ = ["batch_mean", "batches", "random_batch"]
__dir__ = public_dir(globals())


class Batches:
    """Mini-batches of arrays, one epoch after the other; `len` is that of an epoch.

    Each ``iter`` is the next epoch, in an order of its own, so that a loop over epochs
    may use one object. The object can be pickled, and continues with the same epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch that the next ``iter`` begins.
    """

    def __init__(
        self,
        arrays: tuple[Array, ...],
        order: Order | None,
        *,
        size: int,
        drop_last: bool,
        epoch: int,
        start: int,
    ) -> None:
        self._arrays = arrays
        self._order = order
        self._size = size
        count = arrays[0].shape[0]
        self._stop = count - count % size if drop_last else count
        # The first epoch alone may have been interrupted.
        self._first_row = start * size
        self.epoch = epoch

    def __repr__(self) -> str:
        """Say how many batches an epoch has, and of what."""
        batches = "1 batch" if len(self) == 1 else f"{len(self)} batches"
        arrays = "1 array" if len(self._arrays) == 1 else f"{len(self._arrays)} arrays"
        return (
            f"Batches({batches} of size {self._size}; {arrays} of "
            f"{self._arrays[0].shape[0]} rows; next epoch {self.epoch})"
        )

    def __len__(self) -> int:
        return math.ceil(self._stop / self._size)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        epoch, first_row = self.epoch, self._first_row
        self.epoch, self._first_row = epoch + 1, 0
        slices = (
            slice(row, min(row + self._size, self._stop))
            for row in range(first_row, self._stop, self._size)
        )
        if self._order is None:
            return _cut(self._arrays, slices)
        xp = common_namespace(array=self._arrays[0])
        order = _as_index(xp, self._arrays[0], self._order.of_epoch(epoch))
        return (_take_rows(xp, self._arrays, order[rows]) for rows in slices)


def _cut(
    arrays: tuple[Array, ...], slices: Iterable[slice]
) -> Iterator[tuple[Any, ...]]:
    # The ellipsis is for array_api_strict, which wants an index for every axis.
    return (tuple(array[rows, ...] for array in arrays) for rows in slices)


@dataclass(frozen=True, eq=False)
class Order:
    """Random orders of rows, one for each epoch of a seed."""

    count: int
    seed: int | None
    labels: np.ndarray | None  # of the rows, to spread evenly

    def of_epoch(self, epoch: int) -> np.ndarray:
        """Return the order of the rows in an epoch, on the host."""
        entropy = None if self.seed is None else [self.seed, epoch]
        # PCG64 is named, since NumPy may change its default: orders stay the same.
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        if self.labels is None:
            return rng.permutation(self.count)
        return _spread_labels(self.labels, rng)


@public
def batches(
    *arrays: Any,
    size: int,
    seed: int | None = None,
    epoch: int = 0,
    shuffle: bool = True,
    drop_last: bool = False,
    stratify: Any = None,
    start: int = 0,
) -> Batches:
    """Return mini-batches of arrays with the same number of rows, each row once.

    Parameters
    ----------
    *arrays : arrays, shape (N, ...)
        Arrays to cut along their first axis, in the same order; they stay on their
        device.
    size : int
        Number of rows in a batch, at most ``N``. The last batch is shorter if ``size``
        does not divide ``N``.
    seed : int, optional
        Seed of the order: with the same seed and epoch it is the same on every
        backend. By default the order differs each time.
    epoch : int
        Number of the first epoch: each epoch of one seed has its own order.
    shuffle : bool
        False keeps the order of the rows; a batch is then a view, if the library has
        views.
    drop_last : bool
        True leaves out a last batch that is shorter than ``size``.
    stratify : array of integers, shape (N,), optional
        Labels of the rows, which are then spread evenly: every label has about the
        same share of each batch as of all rows. The labels are copied to the host once.
    start : int
        Number of batches to skip at the beginning of the first epoch: with the same
        seed and epoch, an interrupted epoch continues where it stopped.

    Returns
    -------
    Batches
        Each ``iter`` of it is the next epoch, and yields tuples with an array for each
        of ``arrays``. Its ``len`` is the number of batches of an epoch, its attribute
        ``epoch`` the number of the epoch that comes next. It can be pickled.

    Raises
    ------
    TypeError
        If an argument is not an array, the arrays are of different libraries, or an
        option has the wrong type.
    ValueError
        If the arrays differ in their number of rows, ``size`` exceeds it, ``epoch`` or
        ``start`` is given without ``seed``, or ``stratify`` with ``shuffle=False``.

    Notes
    -----
    Nothing is prefetched, and nothing but the order is stored: a batch of shuffled
    arrays is one indexing operation on their device.

    Examples
    --------
    >>> import numpy as np
    >>> loader = batches(np.arange(10.0), np.arange(10), size=4, seed=1)
    >>> for epoch in range(2):
    ...     print([y_batch.tolist() for x_batch, y_batch in loader])
    [[8, 4, 7, 0], [1, 2, 5, 9], [6, 3]]
    [[7, 2, 4, 6], [1, 0, 3, 5], [9, 8]]
    """
    _, count, size = _check_arrays(arrays, size)
    for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
        one_of(name, flag, (True, False))
    seed, epoch = _as_seed(seed), integer("epoch", epoch, least=0)
    start = integer("start", start, least=0)
    if seed is None:
        _refuse_without_seed(epoch, start if shuffle else 0)
    if size > count:
        raise ValueError(_too_few_rows(size, count))
    if stratify is not None and not shuffle:
        raise ValueError(
            "`stratify` decides the order of the rows, and `shuffle=False` keeps "
            "it: leave one of them out"
        )
    labels = None if stratify is None else _labels_on_host(stratify, count)
    return Batches(
        arrays,
        Order(count, seed, labels) if shuffle else None,
        size=size,
        drop_last=drop_last,
        epoch=epoch,
        start=start,
    )


def _refuse_without_seed(epoch: int, start: int) -> None:
    """Raise if the epoch, or the start in an order, means nothing without a seed."""
    if epoch:
        raise ValueError(
            f"`epoch` is {epoch} but `seed` is not given: only with a seed does an "
            "epoch have an order of its own; give a seed"
        )
    if start:
        raise ValueError(
            f"`start` is {start} but `seed` is not given: the batches would be skipped "
            "in a new order; give the seed of the interrupted epoch"
        )


@public
def random_batch(
    *arrays: Any,
    size: int,
    seed: int | None = None,
    replace: bool = False,
    stratify: Any = None,
) -> tuple[Any, ...]:
    """Draw one random mini-batch, the same rows of every array.

    Parameters
    ----------
    *arrays : arrays, shape (N, ...)
        Arrays to draw rows from; they stay on their device.
    size : int
        Number of rows to draw.
    seed : int, optional
        Seed of the draw, which gives the same rows on every backend. By default the
        rows differ each time.
    replace : bool
        Whether a row may be drawn more than once, as by the textbook's
        ``numpy.random.choice(60000, 100)``.
    stratify : array of integers, shape (N,), optional
        Labels of the rows: every label has the same share of the batch as of all rows,
        up to one row. The labels are copied to the host.

    Returns
    -------
    tuple of arrays, shape (size, ...)

    Raises
    ------
    TypeError
        If an argument is not an array, the arrays are of different libraries, or an
        option has the wrong type.
    ValueError
        If the arrays differ in their number of rows, or ``size`` exceeds it without
        ``replace``.

    Examples
    --------
    >>> import numpy as np
    >>> (rows,) = random_batch(np.arange(60_000), size=100, seed=0)
    >>> rows.shape
    (100,)
    """
    xp, count, size = _check_arrays(arrays, size)
    one_of("replace", replace, (True, False))
    if size > count and (not replace or count == 0):
        raise ValueError(_too_few_rows(size, count))
    rng = np.random.default_rng(_as_seed(seed))
    if stratify is None:
        rows = rng.choice(count, size, replace=replace)
    else:
        rows = _draw_by_label(_labels_on_host(stratify, count), size, rng, replace)
    return _take_rows(xp, arrays, _as_index(xp, arrays[0], rows))


@public
def batch_mean(
    values: ArrayT, /, *, population: int | None = None
) -> tuple[ArrayT, ArrayT]:
    """Return the mean of a batch of losses and its standard error.

    Parameters
    ----------
    values : array, shape (n,)
        Losses of the rows of a batch (``reduction="none"``).
    population : int, optional
        Number of rows that the batch was drawn from without replacement. The standard
        error then has the finite-population factor ``sqrt(1 - n/population)``, and is 0
        if the batch is the whole population. By default the batch counts as drawn with
        replacement.

    Returns
    -------
    mean, standard_error : 0-d arrays
        The standard error says how far the mean of all rows may be from that of the
        batch: ``S / sqrt(n)``, where ``S`` is the standard deviation with ``n - 1``
        degrees of freedom. It is ``nan`` for a single row of many. Both have the
        floating dtype of ``values`` (float32 for half precision).

    Raises
    ------
    TypeError
        If the values are not an array of real numbers.
    ValueError
        If the values are not 1-d, are empty, or are more than the population.

    Notes
    -----
    Cochran, Sampling Techniques (3rd ed.), theorem 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> batch_mean(np.array([1.0, 2.0, 3.0, 4.0]), population=60_000)
    (np.float64(2.5), np.float64(0.6455))
    """
    xp = common_namespace(values=values)
    require_known_shapes(values=values)
    losses = as_float(xp, "values", values)
    if losses.ndim != 1 or losses.shape[0] == 0:
        raise ValueError(
            f"`values` has shape {tuple(losses.shape)}, but must be 1-d and not empty: "
            'give the losses of the rows, from reduction="none"'
        )
    n = losses.shape[0]
    if population is not None and integer("population", population, least=1) < n:
        raise ValueError(
            f"`population` is {population}, but `values` has {n} rows: a batch is part "
            "of its population"
        )
    with quiet():
        mean = wide_sum(xp, losses) / n
        # Two passes, so that a large mean does not swallow the spread.
        deviation = cast(xp, losses, wide_dtype(xp, losses)) - mean
        spread = wide_sum(xp, deviation**2)
        if n == population:
            error = xp.zeros_like(xp.asarray(mean))
        else:
            unseen = 1.0 if population is None else 1.0 - n / population
            freedom = float(n - 1) if n > 1 else math.nan
            error = (spread / freedom / n * unseen) ** 0.5
        return cast(xp, mean, losses.dtype), cast(xp, error, losses.dtype)


def _check_arrays(arrays: tuple[Any, ...], size: Any) -> tuple[Any, int, int]:
    """Return the namespace, the number of rows, and the size as an integer."""
    if not arrays:
        raise TypeError("give at least one array to cut into batches")
    names = {f"arrays[{i}]": array for i, array in enumerate(arrays)}
    xp = common_namespace(**names)
    require_known_shapes(**names)
    size = integer("size", size, least=1)
    flat = [name for name, array in names.items() if array.ndim == 0]
    if flat:
        raise ValueError(f"`{flat[0]}` is 0-d: batches are cut along the first axis")
    counts = [array.shape[0] for array in arrays]
    if len(set(counts)) > 1:
        raise ValueError(
            f"the arrays have {counts} rows: give arrays with the same first axis"
        )
    return xp, counts[0], size


def _as_seed(seed: Any) -> int | None:
    if isinstance(seed, np.random.Generator):
        raise TypeError(
            "`seed` must be an integer, by which each order can be drawn again, but is "
            "a Generator of NumPy: pass for example `int(rng.integers(2**32))`"
        )
    return None if seed is None else integer("seed", seed, least=0)


def _labels_on_host(labels: Any, count: int) -> np.ndarray:
    """Return the labels of ``count`` rows as a NumPy array."""
    xp = common_namespace(stratify=labels)
    require_labels(xp, "stratify", labels)
    if tuple(labels.shape) != (count,):
        raise ValueError(
            f"`stratify` has shape {tuple(labels.shape)}, but must have one label for "
            f"each row, ({count},)"
        )
    return to_numpy(labels)


def _spread_labels(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of the rows in which a label comes at even distances."""
    # Shuffled first, so that the rows of a label take their places in random order.
    shuffled = rng.permutation(len(labels))
    grouped = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    # Of the n rows of a label, row i comes at a random place between i/n and (i + 1)/n
    # of the order.
    place = np.arange(len(labels)) - first + rng.random(len(labels))
    return grouped[np.argsort(place / np.repeat(counts, counts), kind="stable")]


def _draw_by_label(
    labels: np.ndarray, size: int, rng: np.random.Generator, replace: bool
) -> np.ndarray:
    """Return rows in random order; each label has its share, by largest remainders."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * size / len(labels)
    shares = np.floor(exact).astype(int)
    # Chance decides between equal remainders, or small labels would always win.
    by_remainder = np.lexsort((rng.random(len(counts)), shares - exact))
    shares[by_remainder[: size - shares.sum()]] += 1
    rows = [
        rng.choice(np.flatnonzero(inverse == k), share, replace=replace)
        for k, share in enumerate(shares)
    ]
    return rng.permutation(np.concatenate(rows))


def _too_few_rows(size: int, count: int) -> str:
    if count == 0:
        return "the arrays have no rows to make batches of"
    return (
        f"`size` is {size}, but there are only {count} rows: "
        "take smaller batches (or draw with replace=True in `random_batch`)"
    )


def _as_index(xp: Any, like: Array, index: Any) -> Array:
    """Return positions from the host as an index on the device of ``like``."""
    return from_host(xp, index, like=like, dtype=default_dtype(xp, "indexing", like))


def _take_rows(xp: Any, arrays: tuple[Array, ...], index: Array) -> tuple[Any, ...]:
    return tuple(xp.take(array, index, axis=0) for array in arrays)


publish("xgrad", batches, random_batch, batch_mean)
