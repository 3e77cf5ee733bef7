"""Numerical derivatives of functions of arrays."""

from xgrad._coloring import Coloring as Coloring
from xgrad._coloring import color_columns as color_columns
from xgrad._derivative import Tangent as Tangent
from xgrad._derivative import derivative as derivative
from xgrad._derivative import tangent_line as tangent_line
from xgrad._gradient import gradient as gradient
from xgrad._gradient import value_and_gradient as value_and_gradient
from xgrad._hessian import hessian as hessian
from xgrad._jacobian import jacobian as jacobian
from xgrad._plan import Estimate as Estimate
from xgrad._products import hvp as hvp
from xgrad._products import jvp as jvp
from xgrad._schemes import Status as Status
