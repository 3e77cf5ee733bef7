"""Metrics of classification and of regression, and their states for many batches.

The prediction comes first and the target second. In classification the prediction holds
labels ``(N,)`` of any integer dtype, or scores ``(N, C)``, whose largest entry (the
first of equal ones) is the label; the target holds labels ``(N,)``, or one-hot rows
``(N, C)``. Booleans are the labels 0 and 1. Labels are always checked. Checking labels
makes the host wait for the device once; without ``num_classes=`` or scores it waits
once more.

==================  ==================================================================
``num_classes``     number of classes; by default the columns of the scores, or one
                    more than the largest label
``weight``          array ``(N,)``, the weight of each row: not negative, of any scale
``average``         ``"macro"`` (default) is the mean over all classes, ``"weighted"``
                    that mean weighted by the true rows of each class, ``"micro"`` pools
                    the counts of all classes, ``"binary"`` takes the class ``positive``
                    of two, and ``None`` gives an array ``(C,)``
``positive``        the class that ``average="binary"`` takes
``zero_division``   value of 0/0, where nothing can be counted: 0.0, 1.0, or nan, which
                    is left out of averages
``ignore_index``    label of rows that do not count, whatever their prediction; it need
                    not be the number of a class
``labels``          the classes that an average is over, or with ``average=None`` those
                    of the array; by default all
==================  ==================================================================

A ratio lies in [0, 1] (Matthews' coefficient and Cohen's kappa in [-1, 1]) to the last
bit, and is exactly 1 where nothing is wrong.

In regression prediction and target hold numbers, ``(N,)`` or ``(N, K)``, and weights
are those of rows, not negative. Metrics of K outputs are averaged
(``average="uniform"``), or given for each (``average=None``). The regression losses can
be imported from here, too.

Results are 0-d arrays of the same library and device (of NumPy scalars). They have the
dtype of the prediction (float32 for half precision), or the default float dtype for
labels.
``TypeError`` is raised for a wrong dtype and for arrays of different libraries,
``ValueError`` for a wrong shape, a label out of range or a ``nan`` score. Dask arrays
give lazy results and need ``num_classes=``; wrong values then raise when the result is
computed.

`Classification`, `Probabilities`, `Regression` and `Mean` compute the same for rows
that come in batches: write ``state = state.update(...)``.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from xgrad._arrays import missing_names as _missing_names
from xgrad._arrays import public_dir as _public_dir
from xgrad._arrays import publish as _publish
from xgrad.losses import gaussian_nll as gaussian_nll
from xgrad.losses import half_squared_error as half_squared_error
from xgrad.losses import huber as huber
from xgrad.losses import log_cosh as log_cosh
from xgrad.losses import mean_absolute_error as mean_absolute_error
from xgrad.losses import mean_squared_error as mean_squared_error
from xgrad.losses import mean_squared_log_error as mean_squared_log_error
from xgrad.losses import pinball as pinball
from xgrad.losses import poisson_nll as poisson_nll
from xgrad.losses import root_mean_squared_error as root_mean_squared_error
from xgrad.losses import smooth_l1 as smooth_l1
from xgrad.metrics._class_ratios import balanced_accuracy as balanced_accuracy
from xgrad.metrics._class_ratios import f1 as f1
from xgrad.metrics._class_ratios import f_beta as f_beta
from xgrad.metrics._class_ratios import jaccard as jaccard
from xgrad.metrics._class_ratios import precision as precision
from xgrad.metrics._class_ratios import recall as recall
from xgrad.metrics._class_ratios import specificity as specificity
from xgrad.metrics._classification import accuracy as accuracy
from xgrad.metrics._classification import accuracy_interval as accuracy_interval
from xgrad.metrics._classification import (
    classification_report as classification_report,
)
from xgrad.metrics._classification import cohen_kappa as cohen_kappa
from xgrad.metrics._classification import confusion_matrix as confusion_matrix
from xgrad.metrics._classification import matthews as matthews
from xgrad.metrics._classification import top_k_accuracy as top_k_accuracy
from xgrad.metrics._classification_state import Classification as Classification
from xgrad.metrics._medians import median_absolute_error as median_absolute_error
from xgrad.metrics._probabilities import Probabilities as Probabilities
from xgrad.metrics._probabilities import brier_score as brier_score
from xgrad.metrics._probabilities import (
    expected_calibration_error as expected_calibration_error,
)
from xgrad.metrics._probabilities import log_loss as log_loss
from xgrad.metrics._ranking import PrecisionRecallCurve as PrecisionRecallCurve
from xgrad.metrics._ranking import RocCurve as RocCurve
from xgrad.metrics._ranking import average_precision as average_precision
from xgrad.metrics._ranking import precision_recall_curve as precision_recall_curve
from xgrad.metrics._ranking import roc_auc as roc_auc
from xgrad.metrics._ranking import roc_curve as roc_curve
from xgrad.metrics._regression import explained_variance as explained_variance
from xgrad.metrics._regression import max_error as max_error
from xgrad.metrics._regression import (
    mean_absolute_percentage_error as mean_absolute_percentage_error,
)
from xgrad.metrics._regression import r2_score as r2_score
from xgrad.metrics._regression_state import Mean as Mean
from xgrad.metrics._regression_state import Regression as Regression
from xgrad.metrics._report import ClassificationReport as ClassificationReport

__all__ = [
    "Classification",
    "ClassificationReport",
    "Mean",
    "PrecisionRecallCurve",
    "Probabilities",
    "Regression",
    "RocCurve",
    "accuracy",
    "accuracy_interval",
    "average_precision",
    "balanced_accuracy",
    "brier_score",
    "classification_report",
    "cohen_kappa",
    "confusion_matrix",
    "expected_calibration_error",
    "explained_variance",
    "f1",
    "f_beta",
    "gaussian_nll",
    "half_squared_error",
    "huber",
    "jaccard",
    "log_cosh",
    "log_loss",
    "matthews",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "pinball",
    "poisson_nll",
    "precision",
    "precision_recall_curve",
    "r2_score",
    "recall",
    "roc_auc",
    "roc_curve",
    "root_mean_squared_error",
    "smooth_l1",
    "specificity",
    "top_k_accuracy",
]
__dir__ = _public_dir(globals())
if not _TYPE_CHECKING:  # a type checker would take every name for an attribute
    __getattr__ = _missing_names(__name__)
_publish(__name__, *(globals()[name] for name in __all__))
