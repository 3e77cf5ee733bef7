"""Metrics of probabilities, of all rows at once and over many batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xgrad._arrays import (
    Array,
    ArrayT,
    BlockStarts,
    cast,
    common_namespace,
    default_dtype,
    device_of,
    drop_none,
    integer,
    is_dask,
    product_keeping_zeros,
    public,
    public_methods,
    quiet,
    require_known_shapes,
    row_sum,
    summarize_blocks,
    wide_dtype,
)
from xgrad._rules import Guard, count_pairs, gather_labels, label_mask, weight_sum_check
from xgrad.metrics._arguments import (
    as_labels,
    cast_like_prediction,
    some_row_check,
)
from xgrad.metrics._scored_rows import ScoredRows, as_scored_rows
from xgrad.metrics._state import State, seen


@public
def log_loss(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int | None = None,
) -> ArrayT:
    """Mean of ``-log(p)`` of the probability that each row gives to its true class.

    It is the cross entropy: a probability of 0 for what is true gives ``inf``, and
    nothing is clipped (Good, Journal of the Royal Statistical Society B 14(1), 1952).

    Parameters
    ----------
    prediction : array of floats, shape (N,) or (N, C)
        Probabilities of class 1 of two, or of all classes, whose rows sum to 1 within
        ``sqrt(eps)``. Others raise ``ValueError``.
    target : array of integers or booleans, shape (N,), or one-hot rows (N, C)
        True labels.
    weight : array, shape (N,), optional
        Weights of the rows, not negative.
    ignore_index : int, optional
        Label of rows that do not count.

    Examples
    --------
    >>> import numpy as np
    >>> log_loss(np.array([0.1, 0.5, 0.8]), np.array([0, 1, 1]))
    np.float64(0.341)
    """
    rows = "log_loss", prediction, target, weight, ignore_index
    sums = _sums_that_count(*rows, terms=(_log_losses,))
    return cast_like_prediction(sums[1] / sums[0], prediction)


@public
def brier_score(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int | None = None,
) -> ArrayT:
    """Mean squared distance of the probabilities from 1 for the true class, else 0.

    For two classes it is ``(p - t)**2``, from 0 to 1; for more the sum of the squares
    of all classes, from 0 to 2 (Brier, Monthly Weather Review 78(1), 1950). Parameters
    and errors are those of `log_loss`.

    Examples
    --------
    >>> import numpy as np
    >>> brier_score(np.array([0.1, 0.5, 0.8]), np.array([0, 1, 1]))
    np.float64(0.1)
    """
    rows = "brier_score", prediction, target, weight, ignore_index
    sums = _sums_that_count(*rows, terms=(_squares,))
    return cast_like_prediction(sums[1] / sums[0], prediction)


@public
def expected_calibration_error(
    prediction: ArrayT,
    target: Any,
    *,
    bins: int = 15,
    weight: Any = None,
    ignore_index: int | None = None,
) -> ArrayT:
    """Mean distance of the confidence from the accuracy, over bins of confidence.

    For ``(N, C)`` the confidence is the largest probability of a row, and its class is
    right or wrong (Guo et al., On Calibration of Modern Neural Networks, ICML 2017);
    for ``(N,)`` it is the probability of class 1, compared with how often rows are of
    that class. Bins divide [0, 1] in equal parts, each with its upper end. Other
    parameters and errors are those of `log_loss`.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    >>> expected_calibration_error(p, np.array([0, 0, 1, 0]), bins=2)
    np.float64(0.0)
    """
    bins = integer("bins", bins, least=1)
    rows = "expected_calibration_error", prediction, target, weight, ignore_index
    terms = (partial(_bins, bins=bins),)
    sums = _sums_that_count(*rows, terms=terms, bins=bins)
    return cast_like_prediction(_calibration_error(sums, bins, 1), prediction)


@public_methods
@dataclass(frozen=True, eq=False)
class Probabilities(State):
    """Metrics of probabilities over any number of batches.

    Parameters
    ----------
    bins : int
        Number of bins of the `expected_calibration_error`.
    sums : array, optional
        Sums over the rows seen so far, in float64 where the device has it: of their
        weights, log losses and squares, and of weights, confidences and right rows in
        each bin. By default there are none.

    Notes
    -----
    ``update`` and ``+`` return new states: write ``state = state.update(...)``. Before
    the first rows metrics raise ``ValueError``.

    Examples
    --------
    >>> import numpy as np
    >>> state = Probabilities()
    >>> state = state.update(np.array([0.1, 0.5]), np.array([0, 1]))
    >>> state = state.update(np.array([0.8]), np.array([1]))
    >>> state.brier_score()
    np.float64(0.1)
    """

    bins: int = 15
    sums: Any = None

    def __post_init__(self) -> None:
        """Check the number of bins."""
        integer("bins", self.bins, least=1)

    def update(
        self,
        prediction: Any,
        target: Any,
        *,
        weight: Any = None,
        ignore_index: int | None = None,
    ) -> Probabilities:
        """Return the state after more rows; arguments and errors as in `log_loss`."""
        # Rows of another library than before are refused before they are counted.
        common_namespace(prediction=prediction, **drop_none(sums=self.sums))
        terms = _log_losses, _squares, partial(_bins, bins=self.bins)
        rows = "update", prediction, target, weight, ignore_index
        return self + replace(self, sums=_sums(*rows, terms=terms, bins=self.bins))

    def __add__(self, other: Probabilities) -> Probabilities:
        """Return the state of the rows of both."""
        if not isinstance(other, Probabilities):
            return NotImplemented
        if self.bins != other.bins:
            raise ValueError(
                f"states of {self.bins} and {other.bins} bins cannot be added: make "
                "both with the same `bins`"
            )
        if self.sums is None or other.sums is None:
            return self if other.sums is None else other
        common_namespace(sums=self.sums, other=other.sums)
        return replace(self, sums=self.sums + other.sums)

    def log_loss(self) -> Any:
        """Return the mean of ``-log(p)`` of the true class; nan without weight."""
        return self._mean(1)

    def brier_score(self) -> Any:
        """Return the mean squared distance from the true class; nan without weight."""
        return self._mean(2)

    def expected_calibration_error(self) -> Any:
        """Return the mean distance of confidence from accuracy; nan without weight."""
        return _calibration_error(seen(self.sums), self.bins, 3)

    def _mean(self, entry: int) -> Any:
        sums = seen(self.sums)
        with quiet():
            return sums[entry] / sums[0]


def _sums(
    name: str,
    prediction: Any,
    target: Any,
    weight: Any,
    ignore_index: int | None,
    *,
    terms: tuple[Any, ...],
    bins: int = 0,
) -> Array:
    """Return the sum of the weights and those of each term, in one array."""
    arrays = {
        "prediction": prediction,
        "target": target,
        **drop_none(weight=weight),
    }
    xp = common_namespace(**arrays)
    require_known_shapes(prediction=prediction, target=target)
    summarize = partial(_summarize, name=name, ignore_index=ignore_index, terms=terms)
    with quiet():
        if not is_dask(xp):
            return summarize(arrays, {})
        arrays["target"] = as_labels(xp, target)
        numbers = sum(3 * bins if isinstance(term, partial) else 1 for term in terms)
        dtype = wide_dtype(xp, target, default_dtype(xp, "real floating", target))
        sums = summarize_blocks(summarize, arrays, shape=(1 + numbers,), dtype=dtype)
        return xp.sum(sums, axis=0)


def _sums_that_count(
    name: str,
    prediction: Any,
    target: Any,
    weight: Any,
    ignore_index: int | None,
    **options: Any,
) -> Array:
    """Return those sums; raise if there are no rows, or none of them counts."""
    sums = _sums(name, prediction, target, weight, ignore_index, **options)
    if target.shape[0] == 0:
        raise ValueError(f"the `{name}` of no rows is undefined: skip the empty batch")
    xp = common_namespace(sums=sums)
    guard = Guard(xp, active=True)
    is_weighted = weight is not None
    check = weight_sum_check(sums[0]) if is_weighted else some_row_check(xp, sums[0])
    total = guard(sums[0], [check])
    guard.enforce()
    return sums + 0 * total if is_dask(xp) else sums


def _summarize(
    arrays: dict[str, Any],
    starts: BlockStarts,
    *,
    name: str,
    ignore_index: int | None,
    terms: tuple[Any, ...],
) -> Array:
    rows = as_scored_rows(
        name,
        arrays["prediction"],
        arrays["target"],
        arrays.get("weight"),
        ignore_index,
        are_probabilities=True,
        starts=starts,
    )
    xp, weight = rows.xp, rows.weight
    rows = replace(rows, scores=cast(xp, rows.scores, rows.sum_dtype))
    if weight is None:
        count = float(rows.target.shape[0])
        device = device_of(rows.target)
        total = xp.full((1,), count, dtype=rows.sum_dtype, device=device)
    else:
        total = xp.reshape(xp.sum(weight), (1,))
    return xp.concat([total, *(term(rows) for term in terms)])


def _weighted_sum(rows: ScoredRows, values: Array) -> Array:
    """Return the weighted sum of one value a row, ``(1,)``."""
    if rows.weight is not None:
        values = product_keeping_zeros(rows.xp, rows.weight, values)
    return rows.xp.reshape(rows.xp.sum(values), (1,))


def _log_losses(rows: ScoredRows) -> Array:
    xp, p = rows.xp, rows.scores
    if p.ndim == 1:
        # 1 - p would have lost the digits of a small p.
        losses = -xp.where(rows.target == 1, xp.log(p), xp.log1p(-p))
    else:
        losses = -xp.log(gather_labels(xp, p, rows.target))
    return _weighted_sum(rows, losses)


def _squares(rows: ScoredRows) -> Array:
    xp, p = rows.xp, rows.scores
    if p.ndim == 1:
        return _weighted_sum(rows, (p - cast(xp, rows.target, p.dtype)) ** 2)
    is_true = label_mask(xp, rows.target, rows.num_classes)
    squares = row_sum(xp, xp.where(is_true, 1 - p, p) ** 2)
    return _weighted_sum(rows, squares / 2 if rows.num_classes == 2 else squares)


def _bins(rows: ScoredRows, bins: int) -> Array:
    """Return weights, confidences and right rows of each bin, ``(3 * bins,)``."""
    xp, p = rows.xp, rows.scores
    if p.ndim == 1:
        confidence, is_right = p, rows.target == 1
    else:
        confidence, is_right = xp.max(p, axis=-1), xp.argmax(p, axis=-1) == rows.target
    edges = xp.arange(1, bins, dtype=p.dtype, device=device_of(p)) / bins
    index = xp.searchsorted(edges, confidence, side="left")
    weight = xp.ones_like(confidence) if rows.weight is None else rows.weight
    sums = [
        count_pairs(xp, xp.zeros_like(index), index, 1, bins, values)
        for values in (weight, weight * confidence, xp.where(is_right, weight, 0.0))
    ]
    return xp.reshape(xp.concat(sums), (-1,))


def _calibration_error(sums: Array, bins: int, first: int) -> Array:
    """Return the error from all sums, of which those of bins begin at ``first``."""
    xp = common_namespace(sums=sums)
    confidence = sums[first + bins : first + 2 * bins]
    is_right = sums[first + 2 * bins : first + 3 * bins]
    with quiet():
        error = xp.sum(xp.abs(confidence - is_right)) / sums[0]
    # The sums of a bin are rounded apart from the sum of all weights.
    return xp.where(error > 1, 1.0, error)
