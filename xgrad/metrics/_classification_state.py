"""The state of classification metrics over many batches: a value that is merged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    cast,
    common_namespace,
    copied,
    drop_none,
    integer,
    public_methods,
    quiet,
    to_numpy,
    wide_dtype,
)
from xgrad.metrics import _confusion
from xgrad.metrics._confusion import (
    BETA,
    CONFIDENCE,
    Average,
    KappaWeights,
    Normalize,
    Ratio,
)
from xgrad.metrics._labelled_rows import LabelledRows, as_labelled_rows
from xgrad.metrics._report import (
    AVERAGED,
    COLUMNS,
    ClassificationReport,
    class_names,
)
from xgrad.metrics._state import State, seen


@public_methods
@dataclass(frozen=True, eq=False)
class Classification(State):
    """Counts of true and predicted classes, over any number of batches.

    Parameters
    ----------
    num_classes : int
        Number of classes.
    counts : array, shape (C, C), optional
        Confusion matrix of the rows seen so far: its rows are true classes, its columns
        predicted ones. int64, or with weights floats (float64 where the device has it);
        by default there are none.

    Notes
    -----
    ``update`` and ``+`` return new states: write ``state = state.update(...)``. Counts
    stay on their device. States can be pickled, summed with ``sum``, and updated with
    Dask arrays. The methods give the metrics of `xgrad.metrics` of the same names, over
    all rows seen; before the first rows they raise ``ValueError``.

    Examples
    --------
    >>> import numpy as np
    >>> state = Classification(2)
    >>> state = state.update(np.array([0, 1]), np.array([0, 1]))
    >>> state = state.update(np.array([1]), np.array([0]))
    >>> state.accuracy()
    np.float64(0.666)
    """

    num_classes: int
    counts: Any = None

    def __post_init__(self) -> None:
        """Check the number of classes."""
        integer("num_classes", self.num_classes, least=1)

    def update(
        self,
        prediction: Any,
        target: Any,
        *,
        weight: Any = None,
        ignore_index: int | None = None,
    ) -> Classification:
        """Return the state after more rows; arguments and errors as in `accuracy`."""
        # Rows of another library than before are refused before they are counted.
        common_namespace(prediction=prediction, **drop_none(counts=self.counts))
        rows = as_labelled_rows(
            prediction, target, weight, self.num_classes, ignore_index
        )
        return self + state_of_rows(rows)

    def __add__(self, other: Classification) -> Classification:
        """Return the state of the rows of both."""
        if not isinstance(other, Classification):
            return NotImplemented
        if self.num_classes != other.num_classes:
            raise ValueError(
                f"states of {self.num_classes} and {other.num_classes} classes cannot "
                "be added: count both with the same `num_classes`"
            )
        if self.counts is None or other.counts is None:
            counts = self.counts if other.counts is None else other.counts
            return replace(self, counts=counts)
        xp = common_namespace(counts=self.counts, other=other.counts)
        counts, added = self.counts, other.counts
        # Those of rows with weights are floats, and not every library adds both kinds.
        if counts.dtype != added.dtype:
            wide = wide_dtype(xp, counts, xp.float32)
            counts, added = cast(xp, counts, wide), cast(xp, added, wide)
        return replace(self, counts=counts + added)

    def confusion_matrix(self, *, normalize: Normalize = None) -> Any:
        """Return the counts, or with ``normalize`` fractions, as `confusion_matrix`."""
        xp, matrix = self._matrix(wide=normalize is not None)
        if normalize is None:
            return copied(xp, matrix)  # the state is not the caller's to change
        with quiet():
            return _confusion.normalize_counts(xp, matrix, normalize)

    def accuracy(self, *, zero_division: float = math.nan) -> Any:
        """Return the fraction of rows that are classified correctly."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.accuracy(xp, matrix, zero_division)

    def accuracy_interval(self, *, confidence: float = 0.95) -> tuple[Any, Any]:
        """Return the lower and the upper end of Wilson's interval for the accuracy."""
        xp, matrix = self._matrix()
        level = CONFIDENCE.validate("confidence", confidence)
        with quiet():
            fraction = _confusion.accuracy(xp, matrix, math.nan)
            return _confusion.wilson_interval(xp, fraction, xp.sum(matrix), level)

    def balanced_accuracy(
        self,
        *,
        zero_division: float = math.nan,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the mean of the recalls of the classes."""
        return self.recall(zero_division=zero_division, labels=labels)

    def precision(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the fraction of rows given a label that truly have it."""
        return self._average(
            _confusion.precision, average, positive, zero_division, labels
        )

    def recall(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the fraction of rows of a class that were given its label."""
        return self._average(
            _confusion.recall, average, positive, zero_division, labels
        )

    def specificity(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the fraction of rows of other classes without the label."""
        return self._average(
            _confusion.specificity, average, positive, zero_division, labels
        )

    def jaccard(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the rows of a class given its label, over rows that have either."""
        return self._average(
            _confusion.jaccard, average, positive, zero_division, labels
        )

    def f1(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return the harmonic mean of precision and recall."""
        ratio = _confusion.f_beta(1.0)
        return self._average(ratio, average, positive, zero_division, labels)

    def f_beta(
        self,
        *,
        beta: float,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
        labels: Sequence[int] | None = None,
    ) -> Any:
        """Return precision and recall together, recall ``beta`` times as important."""
        ratio = _confusion.f_beta(BETA.validate("beta", beta))
        return self._average(ratio, average, positive, zero_division, labels)

    def matthews(self, *, zero_division: float = 0.0) -> Any:
        """Return Matthews' correlation coefficient of predicted and true labels."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.matthews(xp, matrix, zero_division)

    def cohen_kappa(
        self, *, weights: KappaWeights = None, zero_division: float = 0.0
    ) -> Any:
        """Return Cohen's kappa: agreement beyond that of labels given at random."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.cohen_kappa(xp, matrix, weights, zero_division)

    def report(self, *, names: Any = None) -> ClassificationReport:
        """Return a table of the classes, which prints as such and is a mapping.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the classes; by default their numbers.
        """
        names = class_names(names, self.num_classes)
        # One copy of the counts from the device serves all metrics.
        host = replace(self, counts=to_numpy(seen(self.counts)))
        # As they are: integers are printed as such.
        _, matrix = host._matrix(wide=False)
        support = matrix.sum(axis=1).tolist()
        data = dict(zip(names, host._columns(None, support), strict=True))
        for average in AVERAGED:
            data[average] = host._columns(average, [sum(support)])[0]
        return ClassificationReport(data | {"accuracy": float(host.accuracy())})

    def _columns(self, average: Average, support: list[Any]) -> list[dict[str, Any]]:
        """Return dicts of precision, recall and F1 of each class, or of an average."""
        metrics = [
            to_numpy(metric(average=average)).reshape(-1).tolist()
            for metric in (self.precision, self.recall, self.f1)
        ]
        rows = zip(*metrics, support, strict=True)
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def _average(
        self,
        ratio: Ratio,
        average: Average,
        positive: int,
        zero_division: float,
        labels: Sequence[int] | None,
    ) -> Any:
        """Return a ratio of counts, averaged over the classes as asked."""
        positive = _confusion.require_average(average, self.num_classes, positive)
        classes = _confusion.require_classes(labels, self.num_classes, average)
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.average_ratio(
                xp, matrix, ratio, average, positive, zero_division, classes
            )

    def _matrix(self, *, wide: bool = True) -> tuple[Any, Array]:
        """Return the namespace and the counts, with ``wide`` as floats to divide."""
        counts = seen(self.counts)
        xp = common_namespace(counts=counts)
        if wide:
            counts = cast(xp, counts, wide_dtype(xp, counts, xp.float32))
        return xp, counts


def state_of_rows(rows: LabelledRows) -> Classification:
    """Return the state of the rows of one call."""
    with quiet():
        return Classification(rows.num_classes, rows.confusion_matrix())
