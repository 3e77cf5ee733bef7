"""Checks of gradients and of backward passes that are written by hand."""

from xgrad._arrays import public_dir as _public_dir
from xgrad._arrays import publish as _publish
from xgrad.check._gradient import assert_gradient as assert_gradient
from xgrad.check._gradient import check_gradient as check_gradient
from xgrad.check._hessian import check_hessian as check_hessian
from xgrad.check._jacobian import check_jacobian as check_jacobian
from xgrad.check._report import Comparison as Comparison
from xgrad.check._report import GradientReport as GradientReport
from xgrad.check._report import Verdict as Verdict
from xgrad.check._vjp import check_vjp as check_vjp

__all__ = [
    "Comparison",
    "GradientReport",
    "Verdict",
    "assert_gradient",
    "check_gradient",
    "check_hessian",
    "check_jacobian",
    "check_vjp",
]
__dir__ = _public_dir(globals())
_publish(__name__, *(globals()[name] for name in __all__))
