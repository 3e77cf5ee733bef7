"""Derivatives of functions of arrays: exact ones, and differences with bounds."""

from xgrad._arrays import public_dir as _public_dir
from xgrad._arrays import publish as _publish
from xgrad._autodiff import custom_vjp as custom_vjp
from xgrad._differences import Coloring as Coloring
from xgrad._differences import Estimate as Estimate
from xgrad._differences import Status as Status
from xgrad._differences import color_columns as color_columns
from xgrad.diff._derivative import derivative as derivative
from xgrad.diff._exact import NotDifferentiable as NotDifferentiable
from xgrad.diff._gradient import gradient as gradient
from xgrad.diff._gradient import value_and_gradient as value_and_gradient
from xgrad.diff._hessian import hessian as hessian
from xgrad.diff._jacobian import jacobian as jacobian
from xgrad.diff._pattern import sparsity_pattern as sparsity_pattern
from xgrad.diff._products import hvp as hvp
from xgrad.diff._products import jvp as jvp
from xgrad.diff._tangent import Tangent as Tangent
from xgrad.diff._tangent import tangent_line as tangent_line
from xgrad.diff._vjp import vjp as vjp

__all__ = [
    "Coloring",
    "Estimate",
    "NotDifferentiable",
    "Status",
    "Tangent",
    "color_columns",
    "custom_vjp",
    "derivative",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "sparsity_pattern",
    "tangent_line",
    "value_and_gradient",
    "vjp",
]
__dir__ = _public_dir(globals())
_publish(__name__, *(globals()[name] for name in __all__))
