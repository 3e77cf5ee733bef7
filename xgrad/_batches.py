"""Mini-batches: one order on every backend, drawn on the host from a seed."""

from __future__ import annotations

import math
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
    publish,
    quiet,
    require_known_shapes,
    to_numpy,
    wide_dtype,
    wide_sum,
)
from xgrad._rules import require_labels


class Batches:
    """Iterator over the mini-batches of one epoch, with the number left as `len`."""

    def __init__(
        self,
        xp: Any,
        arrays: tuple[Array, ...],
        size: int,
        order: Any,
        drop_last: bool,
        first: int,
    ) -> None:
        self._xp = xp
        self._arrays = arrays
        self._size = size
        self._order = order
        count = arrays[0].shape[0]
        self._stop = count - count % size if drop_last else count
        self._start = first * size

    def __iter__(self) -> Batches:
        return self

    def __len__(self) -> int:
        return max(math.ceil((self._stop - self._start) / self._size), 0)

    def __next__(self) -> tuple[Any, ...]:
        if self._start >= self._stop:
            raise StopIteration
        part = slice(self._start, min(self._start + self._size, self._stop))
        self._start = part.stop
        if self._order is None:
            return tuple(array[part, ...] for array in self._arrays)
        return _taken(self._xp, self._arrays, self._order[part])


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
    """Mini-batches of arrays with the same number of rows, each row once.

    Parameters
    ----------
    *arrays : arrays, shape (N, ...)
        Cut along their first axis in the same order; they stay on their device.
    size : int
        Rows of a batch, at most ``N``. The last batch is shorter where ``size`` does
        not divide ``N``.
    seed : int, optional
        Seed of the order: with the same seed and epoch it is the same on every
        backend. By default it differs each time.
    epoch : int
        Another order for each epoch of one seed.
    shuffle : bool
        False keeps the order; the batches are then views where the library has views.
    drop_last : bool
        Leave a shorter last batch out.
    stratify : array of integers, shape (N,), optional
        Labels of the rows, which are then spread evenly: each batch has every label
        about as often as all rows have it. They are copied to the host once.
    start : int
        Number of batches to leave out at the beginning: with the same seed and epoch
        an interrupted epoch goes on where it was.

    Returns
    -------
    iterator of tuples
        One array for each of ``arrays`` a batch; ``len`` gives the batches left.

    Raises
    ------
    TypeError
        If something is not an array, or libraries are mixed.
    ValueError
        If the arrays differ in rows, ``size`` exceeds them, or ``epoch`` or ``start``
        comes without ``seed``.

    Notes
    -----
    Nothing is fetched ahead and nothing but the order is held: a batch is a view of
    unshuffled arrays, and else one indexing operation on their device.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(10.0), np.arange(10)
    >>> [len(x_batch) for x_batch, y_batch in batches(x, y, size=4, seed=1)]
    [4, 4, 2]
    """
    xp, count, size = _checked(arrays, size)
    for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
        one_of(name, flag, (True, False))
    seed, epoch = _seed(seed), integer("epoch", epoch, least=0)
    if epoch and seed is None:
        raise ValueError(
            f"`epoch` is {epoch} but `seed` is not given: without a seed no order "
            "belongs to an epoch; give a seed"
        )
    if integer("start", start, least=0) and shuffle and seed is None:
        raise ValueError(
            f"`start` is {start} but `seed` is not given: another order would begin; "
            "give the seed of the order to go on with"
        )
    if size > count:
        raise ValueError(_too_few_rows(size, count))
    if not shuffle:
        if stratify is not None:
            raise ValueError(
                "`stratify` decides the order, and `shuffle=False` keeps it"
            )
        return Batches(xp, arrays, size, None, drop_last, start)
    entropy = None if seed is None else [seed, epoch]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    if stratify is None:
        order = rng.permutation(count)
    else:
        order = _spread(_host_labels(stratify, count), rng)
    return Batches(xp, arrays, size, _index(xp, arrays[0], order), drop_last, start)


def random_batch(
    *arrays: Any,
    size: int,
    seed: int | None = None,
    replace: bool = False,
    stratify: Any = None,
) -> tuple[Any, ...]:
    """One random mini-batch, the same rows of every array.

    Parameters
    ----------
    *arrays : arrays, shape (N, ...)
        They stay on their device.
    size : int
        Number of rows to draw.
    seed : int, optional
        Seed of the draw: the same rows on every backend.
    replace : bool
        Whether a row may be drawn more than once, as the textbook's
        ``numpy.random.choice(60000, 100)`` does.
    stratify : array of integers, shape (N,), optional
        Labels of the rows: each is drawn as often as all rows have it, to the nearest
        row. They are copied to the host.

    Returns
    -------
    tuple of arrays, shape (size, ...)

    Raises
    ------
    TypeError
        If something is not an array, or libraries are mixed.
    ValueError
        If the arrays differ in rows, or ``size`` exceeds them without ``replace``.

    Examples
    --------
    >>> import numpy as np
    >>> (rows,) = random_batch(np.arange(60_000), size=100, seed=0)
    >>> rows.shape
    (100,)
    """
    xp, count, size = _checked(arrays, size)
    one_of("replace", replace, (True, False))
    if size > count and (not replace or count == 0):
        raise ValueError(_too_few_rows(size, count))
    rng = np.random.default_rng(_seed(seed))
    if stratify is None:
        chosen = rng.choice(count, size, replace=replace)
    else:
        chosen = _drawn(_host_labels(stratify, count), size, rng, replace)
    return _taken(xp, arrays, _index(xp, arrays[0], chosen))


def batch_mean(
    values: ArrayT, /, *, population: int | None = None
) -> tuple[ArrayT, ArrayT]:
    """Mean of a batch of losses, and how far the mean of all rows may be from it.

    Parameters
    ----------
    values : array, shape (n,)
        Losses of the rows of a batch (``reduction="none"``).
    population : int, optional
        Number of rows that the batch was drawn from without replacement. The standard
        error then has the finite-population factor ``sqrt(1 - n/population)`` and is 0
        for the whole population. By default the batch counts as drawn with
        replacement.

    Returns
    -------
    mean, standard_error : 0-d arrays
        The standard error is ``S / sqrt(n)`` with ``n - 1`` degrees of freedom, and
        ``nan`` for a single row of many.

    Raises
    ------
    TypeError
        If the values are not an array of real numbers.
    ValueError
        If they are not 1-d, empty, or more than the population.

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
            left = 1.0 if population is None else 1.0 - n / population
            freedom = float(n - 1) if n > 1 else math.nan
            error = (spread / freedom / n * left) ** 0.5
        return cast(xp, mean, losses.dtype), cast(xp, error, losses.dtype)


def _checked(arrays: tuple[Any, ...], size: Any) -> tuple[Any, int, int]:
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


def _seed(seed: Any) -> int | None:
    return None if seed is None else integer("seed", seed, least=0)


def _host_labels(labels: Any, count: int) -> np.ndarray:
    xp = common_namespace(stratify=labels)
    require_labels(xp, "stratify", labels)
    if tuple(labels.shape) != (count,):
        raise ValueError(
            f"`stratify` has shape {tuple(labels.shape)}, but must have one label for "
            f"each row, ({count},)"
        )
    return to_numpy(labels)


def _spread(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order in which every label comes at even distances."""
    shuffled = rng.permutation(len(labels))
    grouped = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    # The i-th of n rows of a label comes somewhere in the i-th n-th of the order.
    place = np.arange(len(labels)) - first + rng.random(len(labels))
    return grouped[np.argsort(place / np.repeat(counts, counts), kind="stable")]


def _drawn(
    labels: np.ndarray, size: int, rng: np.random.Generator, replace: bool
) -> np.ndarray:
    """Rows in a random order, of each label its share by the largest remainders."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * size / len(labels)
    shares = np.floor(exact).astype(int)
    # Equal remainders are told apart by chance, not by the number of the label.
    rest = np.lexsort((rng.random(len(counts)), shares - exact))
    shares[rest[: size - shares.sum()]] += 1
    chosen = [
        rng.choice(np.flatnonzero(inverse == k), share, replace=replace)
        for k, share in enumerate(shares)
    ]
    return rng.permutation(np.concatenate(chosen))


def _too_few_rows(size: int, count: int) -> str:
    return (
        f"`size` is {size}, but there are only {count} rows: "
        "take smaller batches (or draw with replace=True in `random_batch`)"
    )


def _index(xp: Any, like: Array, index: Any) -> Array:
    return from_host(xp, index, like=like, dtype=default_dtype(xp, "indexing", like))


def _taken(xp: Any, arrays: tuple[Array, ...], index: Array) -> tuple[Any, ...]:
    return tuple(xp.take(array, index, axis=0) for array in arrays)


publish("xgrad", batches, random_batch, batch_mean)
