"""Loss functions with closed-form gradients.

Regression losses compare numbers, classification losses compare classes. The prediction
comes first and the target second; everything else is a keyword:

======================  ==============================================================
``reduction``           ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of
                        each entry (or row)
``weight``              array in the shape of the unreduced loss; a weighted mean
                        divides by the sum of the weights, and entries of weight 0 are
                        ignored, even if they are inf or nan
``check``               ``False`` skips the checks of values, which on a GPU make the
                        host wait; a label out of range then gives ``nan``
======================  ==============================================================

Every loss returns an array of the prediction's library, device and dtype (float32 for
half precision). It has the methods ``grad`` and ``value_and_grad``, which take the same
arguments. It raises ``TypeError`` for a wrong dtype and for arrays of different
libraries, and ``ValueError`` for a wrong value or shape. Nothing broadcasts. Sums over
all entries accumulate in float64, where the device has it.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from xgrad._arrays import missing_names as _missing_names
from xgrad._arrays import public_dir as _public_dir
from xgrad._arrays import publish as _publish
from xgrad.losses._binary import binary_cross_entropy as binary_cross_entropy
from xgrad.losses._binary import hinge as hinge
from xgrad.losses._binary import (
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
)
from xgrad.losses._binary import squared_hinge as squared_hinge
from xgrad.losses._classification import cosine_distance as cosine_distance
from xgrad.losses._classification import cross_entropy as cross_entropy
from xgrad.losses._classification import dice as dice
from xgrad.losses._classification import focal as focal
from xgrad.losses._classification import kl_divergence as kl_divergence
from xgrad.losses._classification import softmax_cross_entropy as softmax_cross_entropy
from xgrad.losses._loss import Loss as Loss
from xgrad.losses._regression import gaussian_nll as gaussian_nll
from xgrad.losses._regression import half_squared_error as half_squared_error
from xgrad.losses._regression import huber as huber
from xgrad.losses._regression import log_cosh as log_cosh
from xgrad.losses._regression import mean_absolute_error as mean_absolute_error
from xgrad.losses._regression import mean_squared_error as mean_squared_error
from xgrad.losses._regression import mean_squared_log_error as mean_squared_log_error
from xgrad.losses._regression import pinball as pinball
from xgrad.losses._regression import poisson_nll as poisson_nll
from xgrad.losses._regression import root_mean_squared_error as root_mean_squared_error
from xgrad.losses._regression import smooth_l1 as smooth_l1

__all__ = [
    "Loss",
    "binary_cross_entropy",
    "cosine_distance",
    "cross_entropy",
    "dice",
    "focal",
    "gaussian_nll",
    "half_squared_error",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "pinball",
    "poisson_nll",
    "root_mean_squared_error",
    "sigmoid_binary_cross_entropy",
    "smooth_l1",
    "softmax_cross_entropy",
    "squared_hinge",
]
__dir__ = _public_dir(globals())
if not _TYPE_CHECKING:  # a type checker would take every name for an attribute
    __getattr__ = _missing_names(__name__)
_publish(__name__, *(globals()[name] for name in __all__))
