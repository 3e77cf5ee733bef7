"""scikit-learn's metrics on xgrad's functions, a plugin for scikit-learn's own tests.

    python -m pytest -p peers.scikit_learn --pyargs sklearn.metrics.tests.test_ranking

Loaded before a test module it puts functions of the same names and arguments in the
place of scikit-learn's. They translate: names of classes into numbers, the order of the
arguments, and averages over the classes that are there. What xgrad does not offer is
skipped, with the reason.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.utils.multiclass import type_of_target

from xgrad import metrics


def _leave_out(reason: str) -> NoReturn:
    pytest.skip(f"not in xgrad: {reason}")


def _rows(*arrays: Any) -> list[np.ndarray]:
    """Columns and lists as rows; several labels a row are left out."""
    rows = []
    for values in arrays:
        if type_of_target(values) in ("multilabel-indicator", "multiclass-multioutput"):
            _leave_out("several labels a row")
        array = np.asarray(values)
        rows.append(array.reshape(-1) if array.ndim == 2 else array)
    if len({len(array) for array in rows}) > 1:
        raise ValueError("Found input variables with inconsistent numbers of samples")
    return rows


def _encode(y_true: Any, y_pred: Any, labels: Any = None) -> tuple[Any, Any, Any]:
    """Numbers of the classes in both, and the classes."""
    y_true, y_pred = _rows(y_true, y_pred)
    every = [y_true, y_pred] if labels is None else [y_true, y_pred, np.asarray(labels)]
    if len({array.dtype.kind in "OUS" for array in every if len(array)}) > 1:
        raise ValueError("Mix of label input types")
    classes = np.unique(np.concatenate(every))
    return *(np.searchsorted(classes, y) for y in (y_true, y_pred)), classes


def _weight(sample_weight: Any) -> Any:
    return None if sample_weight is None else np.asarray(sample_weight)


def _fill(zero_division: Any) -> float:
    return 0.0 if isinstance(zero_division, str) else float(zero_division)


def accuracy_score(y_true, y_pred, *, normalize=True, sample_weight=None):
    t, p, classes = _encode(y_true, y_pred)
    value = metrics.accuracy(
        p, t, num_classes=max(len(classes), 1), weight=_weight(sample_weight)
    )
    if normalize:
        return float(value)
    total = len(t) if sample_weight is None else np.sum(sample_weight)
    return float(value * total)


def confusion_matrix(
    y_true, y_pred, *, labels=None, sample_weight=None, normalize=None
):
    t, p, classes = _encode(y_true, y_pred, labels)
    chosen = classes if labels is None else np.asarray(labels)
    if not np.isin(chosen, np.concatenate(_rows(y_true, y_pred))).any() and len(t):
        raise ValueError("At least one label specified must be in y_true")
    index = np.searchsorted(classes, chosen)
    inside = np.isin(t, index) & np.isin(p, index)
    weight = _weight(sample_weight)
    if weight is not None and weight.shape != t.shape:
        raise ValueError("Found input variables with inconsistent numbers of samples")
    counts = metrics.confusion_matrix(
        p[inside],
        t[inside],
        num_classes=len(classes),
        weight=None if weight is None else weight[inside],
        normalize=normalize,
    )
    return counts[np.ix_(index, index)]


def _ratio(
    name, y_true, y_pred, labels, pos_label, average, sample_weight, fill, **own
):
    if average == "samples":
        _leave_out("averages over the labels of a row")
    t, p, classes = _encode(y_true, y_pred, labels)
    if average == "binary":
        if len(classes) > 2:
            raise ValueError("Target is multiclass but average='binary'")
        if len(classes) and pos_label not in classes:
            if len(classes) == 2:
                raise ValueError(f"pos_label={pos_label} is not a valid label")
            return _fill(fill)
        labels, average = [pos_label], "macro"
    chosen = classes if labels is None else np.asarray(labels)
    return getattr(metrics, name)(
        p,
        t,
        num_classes=len(classes),
        weight=_weight(sample_weight),
        average=average,
        labels=np.searchsorted(classes, chosen),
        zero_division=_fill(fill),
        **own,
    )


def _ratio_score(name):
    def score(
        y_true,
        y_pred,
        *,
        labels=None,
        pos_label=1,
        average="binary",
        sample_weight=None,
        zero_division="warn",
    ):
        return _ratio(
            name,
            *(y_true, y_pred, labels, pos_label, average, sample_weight),
            zero_division,
        )

    return score


def fbeta_score(
    y_true,
    y_pred,
    *,
    beta,
    labels=None,
    pos_label=1,
    average="binary",
    sample_weight=None,
    zero_division="warn",
):
    return _ratio(
        "f_beta",
        *(y_true, y_pred, labels, pos_label, average, sample_weight),
        zero_division,
        beta=beta,
    )


def balanced_accuracy_score(y_true, y_pred, *, sample_weight=None, adjusted=False):
    t, p, classes = _encode(y_true, y_pred)
    value = metrics.balanced_accuracy(
        p, t, num_classes=len(classes), weight=_weight(sample_weight)
    )
    if adjusted:
        chance = 1 / len(np.unique(t))
        value = (value - chance) / (1 - chance)
    return float(value)


def matthews_corrcoef(y_true, y_pred, *, sample_weight=None):
    t, p, classes = _encode(y_true, y_pred)
    return float(
        metrics.matthews(p, t, num_classes=len(classes), weight=_weight(sample_weight))
    )


def cohen_kappa_score(y1, y2, *, labels=None, weights=None, sample_weight=None, **more):
    if more:
        _leave_out("replace_undefined_by")
    t, p, classes = _encode(y2, y1, labels)
    if labels is not None:
        _leave_out("labels of kappa")
    return float(
        metrics.cohen_kappa(
            p,
            t,
            num_classes=len(classes),
            weights=weights,
            weight=_weight(sample_weight),
            zero_division=np.nan,
        )
    )


def _binary(y_true, pos_label):
    (y_true,) = _rows(y_true)
    classes = np.unique(y_true)
    if len(classes) > 2:
        raise ValueError("multiclass format is not supported")
    if pos_label is None or (pos_label == 1 and pos_label not in classes):
        if classes.dtype.kind in "OUS" or not set(classes) <= {-1, 0, 1}:
            raise ValueError("pos_label is not specified")
        pos_label = 1
    return (y_true == pos_label).astype(int)


def _scores(values):
    scores = np.asarray(values)
    return scores.reshape(-1) if scores.shape[1:] == (1,) else scores


def roc_curve(
    y_true, y_score, *, pos_label=None, sample_weight=None, drop_intermediate=True
):
    t = _binary(y_true, pos_label)
    curve = metrics.roc_curve(_scores(y_score), t, weight=_weight(sample_weight))
    if drop_intermediate and len(curve[0]) > 3:
        # scikit-learn leaves out what lies on a line, but not the first of all.
        steps = (np.diff(np.diff(rate[1:])) for rate in curve[:2])
        bends = np.r_[True, True, np.logical_or(*steps), True]
        return tuple(array[bends] for array in curve)
    return tuple(curve)


def precision_recall_curve(
    y_true, y_score, *, pos_label=None, sample_weight=None, drop_intermediate=False
):
    if drop_intermediate:
        _leave_out("points of a curve that are dropped")
    t = _binary(y_true, pos_label)
    scores = _scores(y_score)
    return tuple(
        metrics.precision_recall_curve(scores, t, weight=_weight(sample_weight))
    )


def roc_auc_score(
    y_true,
    y_score,
    *,
    average="macro",
    sample_weight=None,
    max_fpr=None,
    multi_class="raise",
    labels=None,
):
    if max_fpr is not None:
        _leave_out("areas of a part")
    kind = type_of_target(y_true)
    if kind == "multilabel-indicator":
        _leave_out("several labels a row")
    if kind == "multiclass" or (np.ndim(y_score) == 2 and np.shape(y_score)[1] > 2):
        if multi_class == "ovo":
            _leave_out("areas of pairs of classes")
        if multi_class == "raise":
            raise ValueError("multi_class must be in ('ovo', 'ovr')")
        if average == "micro":
            _leave_out("pooled areas")
        if labels is not None or not np.allclose(1, np.sum(y_score, axis=1)):
            _leave_out("checks of probabilities and labels that areas do not need")
        t = np.searchsorted(np.unique(y_true), y_true)
        value = metrics.roc_auc(
            np.asarray(y_score), t, average=average, weight=_weight(sample_weight)
        )
        return value if average is None else float(value)
    classes = np.unique(y_true)
    t = (np.asarray(y_true).reshape(-1) == classes[-1]).astype(int)
    if len(classes) < 2:
        _leave_out("a warning for one class")
    scores = _scores(y_score)
    return float(metrics.roc_auc(scores, t, weight=_weight(sample_weight)))


def average_precision_score(
    y_true, y_score, *, average="macro", pos_label=1, sample_weight=None
):
    if type_of_target(y_true) == "multilabel-indicator":
        _leave_out("several labels a row")
    if type_of_target(y_true) == "multiclass":
        if average not in ("macro", "weighted", None):
            _leave_out("pooled areas")
        t = np.searchsorted(np.unique(y_true), y_true)
        scores = np.asarray(y_score)
        value = metrics.average_precision(
            scores, t, average=average, weight=_weight(sample_weight)
        )
        return value if average is None else float(value)
    t = _binary(y_true, pos_label)
    value = metrics.average_precision(
        _scores(y_score), t, weight=_weight(sample_weight)
    )
    return float(value)


def top_k_accuracy_score(
    y_true, y_score, *, k=2, normalize=True, sample_weight=None, labels=None
):
    _leave_out("ties of the k-th score, which scikit-learn counts the other way")


SHIMS = {
    "precision_score": _ratio_score("precision"),
    "recall_score": _ratio_score("recall"),
    "f1_score": _ratio_score("f1"),
    "jaccard_score": _ratio_score("jaccard"),
    **{
        function.__name__: function
        for function in (
            accuracy_score,
            average_precision_score,
            balanced_accuracy_score,
            cohen_kappa_score,
            confusion_matrix,
            fbeta_score,
            matthews_corrcoef,
            precision_recall_curve,
            roc_auc_score,
            roc_curve,
        )
    },
}


def _raises(expected: Any, *arguments: Any, match: Any = None, **options: Any) -> Any:
    """Expect an error, of a wrong value or kind: its words are each library's own."""
    refusals = (ValueError, TypeError)
    return RAISES(refusals if expected in refusals else expected, *arguments, **options)


RAISES = pytest.raises


def pytest_configure() -> None:
    """Put xgrad's functions in the place of scikit-learn's."""
    pytest.raises = _raises
    for name, shim in SHIMS.items():
        setattr(sk, name, functools.wraps(getattr(sk, name))(shim))
