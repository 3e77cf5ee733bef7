"""The state of classification metrics over many batches: a value that is merged."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    common_namespace,
    drop_none,
    integer,
    public,
    quiet,
    to_numpy,
    wide_dtype,
)
from xgrad.metrics import _confusion
from xgrad.metrics._confusion import BETA, CONFIDENCE, Average, Normalize
from xgrad.metrics._labelled_rows import LabelledRows, as_labelled_rows

# The averages that `report` shows.
AVERAGED: tuple[Literal["macro", "weighted"], ...] = ("macro", "weighted")


@dataclass(frozen=True, eq=False)
class Classification:
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
    ``update`` and ``+`` return new states, whose counts stay on their device. States
    can be pickled, summed with ``sum``, and updated with Dask arrays. The methods give
    the metrics of `xgrad.metrics` of the same names, over all rows seen.

    Examples
    --------
    >>> import numpy as np
    >>> state = Classification(2)
    >>> state = state.update(np.array([0, 1]), np.array([0, 1]))
    >>> state = state.update(np.array([1]), np.array([0]))
    >>> state.accuracy()
    array(0.666)
    """

    num_classes: int
    counts: Any = None

    def __post_init__(self) -> None:
        """Check the number of classes."""
        integer("num_classes", self.num_classes, least=1)

    @public
    def update(
        self, prediction: Any, target: Any, *, weight: Any = None
    ) -> Classification:
        """Return the state after more rows; arguments and errors as in `accuracy`."""
        # Rows of another library than before are refused before they are counted.
        common_namespace(prediction=prediction, **drop_none(counts=self.counts))
        rows = as_labelled_rows(prediction, target, weight, self.num_classes)
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

    def __radd__(self, other: Any) -> Any:
        """Return the state itself for 0, at which ``sum(states)`` starts."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def confusion_matrix(self, *, normalize: Normalize = None) -> Any:
        """Return the counts, or with ``normalize`` fractions, as `confusion_matrix`."""
        xp, matrix = self._matrix(wide=normalize is not None)
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

    def balanced_accuracy(self, *, zero_division: float = math.nan) -> Any:
        """Return the mean of the recalls of the classes."""
        return self.recall(zero_division=zero_division)

    def precision(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Return the fraction of rows given a label that truly have it."""
        return self._average(_confusion.precision, average, positive, zero_division)

    def recall(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Return the fraction of rows of a class that were given its label."""
        return self._average(_confusion.recall, average, positive, zero_division)

    def specificity(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Return the fraction of rows of other classes without the label."""
        return self._average(_confusion.specificity, average, positive, zero_division)

    def f1(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Return the harmonic mean of precision and recall."""
        ratio = _confusion.f_beta(1.0)
        return self._average(ratio, average, positive, zero_division)

    def f_beta(
        self,
        *,
        beta: float,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Return precision and recall together, recall ``beta`` times as important."""
        ratio = _confusion.f_beta(BETA.validate("beta", beta))
        return self._average(ratio, average, positive, zero_division)

    def matthews(self, *, zero_division: float = 0.0) -> Any:
        """Return Matthews' correlation coefficient of predicted and true labels."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.matthews(xp, matrix, zero_division)

    def cohen_kappa(self, *, zero_division: float = 0.0) -> Any:
        """Return Cohen's kappa: agreement beyond that of labels given at random."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.cohen_kappa(xp, matrix, zero_division)

    def report(self, *, names: Any = None) -> dict[str, Any]:
        """Print a table of the classes, and return it.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the classes; by default their numbers.

        Returns
        -------
        dict
            For each class, and for ``"macro"`` and ``"weighted"`` averages, a dict with
            ``precision``, ``recall``, ``f1`` and ``support`` (the number of its rows,
            or their weight), and the ``"accuracy"``: Python numbers.
        """
        if names is None:
            names = range(self.num_classes)
        try:
            # One more than is needed tells too many, of an endless iterator as well.
            labels = [str(n) for n in itertools.islice(names, self.num_classes + 1)]
        except TypeError:
            raise TypeError(
                f"`names` must be {self.num_classes} names; got {names!r}"
            ) from None
        reserved = {*AVERAGED, "accuracy"}  # other keys of the dict
        usable = {*labels} - reserved
        if len(usable) != self.num_classes or len(labels) > self.num_classes:
            raise ValueError(
                f"`names` must be {self.num_classes} different names, none of which is "
                f"one of {sorted(reserved)}; got {names!r}"
            )
        # One copy of the counts from the device serves all metrics.
        counts = None if self.counts is None else to_numpy(self.counts)
        host = replace(self, counts=counts)
        # As they are: integers are printed as such.
        _, matrix = host._matrix(wide=False)
        support = matrix.sum(axis=1).tolist()
        data = dict(zip(labels, host._columns(None, support), strict=True))
        for average in AVERAGED:
            data[average] = host._columns(average, [sum(support)])[0]
        report: dict[str, Any] = {**data, "accuracy": float(host.accuracy())}
        print(_format_report(report))
        return report

    def _columns(self, average: Average, support: list[Any]) -> list[dict[str, Any]]:
        """Return dicts of precision, recall and F1 of each class, or of an average."""
        metrics = [
            to_numpy(metric(average=average)).reshape(-1).tolist()
            for metric in (self.precision, self.recall, self.f1)
        ]
        names = ("precision", "recall", "f1", "support")
        rows = zip(*metrics, support, strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _average(
        self, ratio: _confusion.Ratio, average: Average, positive: int, fill: float
    ) -> Any:
        """Return a ratio of counts, averaged over the classes as asked."""
        positive = _confusion.require_average(average, self.num_classes, positive)
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.average_ratio(xp, matrix, ratio, average, positive, fill)

    def _matrix(self, *, wide: bool = True) -> tuple[Any, Array]:
        """Return the namespace and the counts, with ``wide`` as floats to divide."""
        # Before the first rows no library is known, and NumPy is always there.
        if self.counts is None:
            counts = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)
        else:
            counts = self.counts
        xp = common_namespace(counts=counts)
        if wide:
            counts = cast(xp, counts, wide_dtype(xp, counts, xp.float32))
        return xp, counts


def state_of_rows(rows: LabelledRows) -> Classification:
    """Return the state of the rows of one call."""
    with quiet():
        return Classification(rows.num_classes, rows.confusion_matrix())


def _format_report(data: dict[str, Any]) -> str:
    """Return the text of a report, a line for each class and average."""
    columns = ("precision", "recall", "f1", "support")
    rows = {name: row for name, row in data.items() if isinstance(row, dict)}
    width = max(len("accuracy"), *map(len, rows))
    lines = [" " * width + "".join(f"{column:>11}" for column in columns)]
    for name, row in rows.items():
        # Counts have no decimals, weights may.
        cells = [f"{row[c]:11.4f}" for c in columns[:3]] + [f"{row['support']:11.6g}"]
        lines.append(f"{name:>{width}}" + "".join(cells))
    lines.append(f"{'accuracy':>{width}}{data['accuracy']:11.4f}")
    return "\n".join(lines)
