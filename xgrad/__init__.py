"""Losses, metrics, mini-batches and numerical derivatives on the array you have."""

from xgrad import losses as losses
from xgrad import metrics as metrics
from xgrad import special as special
from xgrad._backends import Backend as Backend
from xgrad._backends import BackendUnavailable as BackendUnavailable
from xgrad._backends import backends as backends
from xgrad._backends import namespace as namespace
from xgrad._backends import to_numpy as to_numpy
from xgrad._minibatch import batch_mean as batch_mean
from xgrad._minibatch import batches as batches
from xgrad._minibatch import random_batch as random_batch
from xgrad.diff import Coloring as Coloring
from xgrad.diff import Estimate as Estimate
from xgrad.diff import Status as Status
from xgrad.diff import Tangent as Tangent
from xgrad.diff import color_columns as color_columns
from xgrad.diff import derivative as derivative
from xgrad.diff import gradient as gradient
from xgrad.diff import hessian as hessian
from xgrad.diff import hvp as hvp
from xgrad.diff import jacobian as jacobian
from xgrad.diff import jvp as jvp
from xgrad.diff import tangent_line as tangent_line
from xgrad.diff import value_and_gradient as value_and_gradient

__version__ = "0.1.0"
