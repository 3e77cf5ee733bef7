"""Classification of many batches: a frozen value, updated, added and sent around."""

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
    quiet,
    to_numpy,
    wide_dtype,
)
from xgrad.metrics import _confusion
from xgrad.metrics._arguments import Rows, as_rows
from xgrad.metrics._confusion import BETA, CONFIDENCE, Average, Normalize

AVERAGED: tuple[Literal["macro", "weighted"], ...] = ("macro", "weighted")


@dataclass(frozen=True, eq=False)
class Classification:
    """How often each class was given each label, over any number of batches.

    Parameters
    ----------
    num_classes : int
        Number of classes.
    counts : array, shape (C, C), optional
        Rows are true classes, columns predicted ones; by default nothing was seen.
        Integers (int64), or floats (float64 where the device has it) with weights.

    Notes
    -----
    ``update`` and ``+`` return new states; what they hold stays on its device. States
    can be pickled, summed with ``sum``, and updated with Dask arrays. The metrics are
    those of `xgrad.metrics` of the same names over all rows seen.

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

    def update(
        self, prediction: Any, target: Any, /, *, weight: Any = None
    ) -> Classification:
        """The state after more rows; arguments and errors are those of `accuracy`."""
        common_namespace(prediction=prediction, **drop_none(counts=self.counts))
        rows = as_rows(prediction, target, weight, self.num_classes)
        return self + of_rows(rows)

    def __add__(self, other: Classification) -> Classification:
        """The state of the rows of both."""
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
        counts, more = self.counts, other.counts
        if counts.dtype != more.dtype:  # one of them has weights
            wide = wide_dtype(xp, counts, xp.float32)
            counts, more = cast(xp, counts, wide), cast(xp, more, wide)
        return replace(self, counts=counts + more)

    def __radd__(self, other: Any) -> Any:
        """So that ``sum(states)`` works, which starts at 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def confusion_matrix(self, *, normalize: Normalize = None) -> Any:
        """Counts, or shares with ``normalize="true"``, ``"pred"`` or ``"all"``."""
        xp, matrix = self._matrix(wide=normalize is not None)
        with quiet():
            return _confusion.normalized(xp, matrix, normalize)

    def accuracy(self, *, zero_division: float = math.nan) -> Any:
        """Share of the rows whose label is right."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.accuracy(xp, matrix, zero_division)

    def accuracy_interval(self, *, confidence: float = 0.95) -> tuple[Any, Any]:
        """Lower and upper end of Wilson's interval for the accuracy."""
        xp, matrix = self._matrix()
        level = CONFIDENCE.validate("confidence", confidence)
        with quiet():
            share = _confusion.accuracy(xp, matrix, math.nan)
            return _confusion.wilson(xp, share, xp.sum(matrix), level)

    def balanced_accuracy(self, *, zero_division: float = math.nan) -> Any:
        """Mean of the recalls of the classes."""
        return self.recall(zero_division=zero_division)

    def precision(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Share of the rows given a label that truly have it."""
        return self._averaged(_confusion.precision, average, positive, zero_division)

    def recall(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Share of the rows of a class that were given its label."""
        return self._averaged(_confusion.recall, average, positive, zero_division)

    def specificity(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Share of the rows of other classes that were not given the label."""
        return self._averaged(_confusion.specificity, average, positive, zero_division)

    def f1(
        self,
        *,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Harmonic mean of precision and recall."""
        parts = _confusion.f_beta(1.0)
        return self._averaged(parts, average, positive, zero_division)

    def f_beta(
        self,
        *,
        beta: float,
        average: Average = "macro",
        positive: int = 1,
        zero_division: float = 0.0,
    ) -> Any:
        """Precision and recall together, recall ``beta`` times as important."""
        parts = _confusion.f_beta(BETA.validate("beta", beta))
        return self._averaged(parts, average, positive, zero_division)

    def matthews(self, *, zero_division: float = 0.0) -> Any:
        """Matthews' correlation coefficient of predicted and true labels."""
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.matthews(xp, matrix, zero_division)

    def cohen_kappa(self, *, zero_division: float = 0.0) -> Any:
        """Cohen's kappa: agreement beyond that of labels given at random."""
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
            ``precision``, ``recall``, ``f1`` and ``support`` (its rows, or their
            weight), and the ``"accuracy"``: numbers of Python.
        """
        if names is None:
            names = range(self.num_classes)
        try:  # of names without an end, no more than are needed
            labels = [str(n) for n in itertools.islice(names, self.num_classes + 1)]
        except TypeError:
            raise TypeError(
                f"`names` must be {self.num_classes} names; got {names!r}"
            ) from None
        taken = {*AVERAGED, "accuracy"}
        if len({*labels} - taken) != self.num_classes or len(labels) > self.num_classes:
            raise ValueError(
                f"`names` must be {self.num_classes} different names, none of which is "
                f"one of {sorted(taken)}; got {names!r}"
            )
        host = replace(
            self, counts=None if self.counts is None else to_numpy(self.counts)
        )
        _, matrix = host._matrix(wide=False)
        support = matrix.sum(axis=1).tolist()
        data = dict(zip(labels, host._columns(None, support), strict=True))
        for average in AVERAGED:
            data[average] = host._columns(average, [sum(support)])[0]
        report: dict[str, Any] = {**data, "accuracy": float(host.accuracy())}
        print(_table(report))
        return report

    def _columns(self, average: Average, support: list[Any]) -> list[dict[str, Any]]:
        """Precision, recall and F1 of each class, or of their average."""
        found = [
            to_numpy(metric(average=average)).reshape(-1).tolist()
            for metric in (self.precision, self.recall, self.f1)
        ]
        names = ("precision", "recall", "f1", "support")
        rows = zip(*found, support, strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _averaged(
        self, parts: _confusion.Parts, average: Average, positive: int, fill: float
    ) -> Any:
        positive = _confusion.require_average(average, self.num_classes, positive)
        xp, matrix = self._matrix()
        with quiet():
            return _confusion.averaged(xp, matrix, parts, average, positive, fill)

    def _matrix(self, *, wide: bool = True) -> tuple[Any, Array]:
        """The counts and their namespace; as floats to divide."""
        if self.counts is None:
            counts = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)
        else:
            counts = self.counts
        xp = common_namespace(counts=counts)
        return xp, cast(
            xp, counts, wide_dtype(xp, counts, xp.float32)
        ) if wide else counts


def of_rows(rows: Rows) -> Classification:
    """The state of the rows of one call."""
    with quiet():
        return Classification(rows.num_classes, rows.confusion())


def _table(data: dict[str, Any]) -> str:
    """A report in columns."""
    columns = ("precision", "recall", "f1", "support")
    rows = {name: part for name, part in data.items() if isinstance(part, dict)}
    width = max(len("accuracy"), *map(len, rows))
    lines = [" " * width + "".join(f"{column:>11}" for column in columns)]
    for name, part in rows.items():
        cells = [f"{part[c]:11.4f}" for c in columns[:3]] + [f"{part['support']:11.6g}"]
        lines.append(f"{name:>{width}}" + "".join(cells))
    lines.append(f"{'accuracy':>{width}}{data['accuracy']:11.4f}")
    return "\n".join(lines)
