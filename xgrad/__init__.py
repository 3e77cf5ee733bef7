"""Exact gradients, losses, metrics and mini-batches on the array you have.

PYTEST_DONT_REWRITE: pytest would warn where a program imports xgrad before it runs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# pytest imports xgrad for its plugin in every run on the machine, so `import xgrad`
# loads nothing: names come from these modules when they are first asked for (PEP 562).
_PUBLIC = {
    "xgrad._arrays": "Backend BackendUnavailable backend_name backends namespace "
    "show_versions to_numpy",
    "xgrad._batches": "batch_mean batches random_batch",
    "xgrad.check": "GradientReport assert_gradient check_gradient check_hessian "
    "check_jacobian check_vjp",
    "xgrad.diff": "Coloring Estimate NotDifferentiable Status Tangent color_columns "
    "custom_vjp derivative gradient hessian hvp jacobian jvp sparsity_pattern "
    "tangent_line value_and_gradient vjp",
}
_HOMES = {name: home for home, names in _PUBLIC.items() for name in names.split()}
_MODULES = ("check", "diff", "losses", "metrics", "plot", "special", "testing")

if TYPE_CHECKING:  # the same once more, for editors and type checkers
    from xgrad import check as check
    from xgrad import diff as diff
    from xgrad import losses as losses
    from xgrad import metrics as metrics
    from xgrad import plot as plot
    from xgrad import special as special
    from xgrad import testing as testing
    from xgrad._arrays import Backend as Backend
    from xgrad._arrays import BackendUnavailable as BackendUnavailable
    from xgrad._arrays import backend_name as backend_name
    from xgrad._arrays import backends as backends
    from xgrad._arrays import namespace as namespace
    from xgrad._arrays import show_versions as show_versions
    from xgrad._arrays import to_numpy as to_numpy
    from xgrad._batches import batch_mean as batch_mean
    from xgrad._batches import batches as batches
    from xgrad._batches import random_batch as random_batch
    from xgrad.check import GradientReport as GradientReport
    from xgrad.check import assert_gradient as assert_gradient
    from xgrad.check import check_gradient as check_gradient
    from xgrad.check import check_hessian as check_hessian
    from xgrad.check import check_jacobian as check_jacobian
    from xgrad.check import check_vjp as check_vjp
    from xgrad.diff import Coloring as Coloring
    from xgrad.diff import Estimate as Estimate
    from xgrad.diff import NotDifferentiable as NotDifferentiable
    from xgrad.diff import Status as Status
    from xgrad.diff import Tangent as Tangent
    from xgrad.diff import color_columns as color_columns
    from xgrad.diff import custom_vjp as custom_vjp
    from xgrad.diff import derivative as derivative
    from xgrad.diff import gradient as gradient
    from xgrad.diff import hessian as hessian
    from xgrad.diff import hvp as hvp
    from xgrad.diff import jacobian as jacobian
    from xgrad.diff import jvp as jvp
    from xgrad.diff import sparsity_pattern as sparsity_pattern
    from xgrad.diff import tangent_line as tangent_line
    from xgrad.diff import value_and_gradient as value_and_gradient
    from xgrad.diff import vjp as vjp
else:  # hidden from type checkers, which would take every name for a public one
    __all__ = sorted([*_HOMES, *_MODULES])

    def __getattr__(name):
        if name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        elif name in _MODULES:
            value = import_module(f"xgrad.{name}")
        else:
            # Tools ask modules for names with underscores, which must load nothing.
            if name.startswith("_"):
                raise AttributeError(f"module 'xgrad' has no attribute {name!r}")
            raise import_module("xgrad._arrays").explain_missing_name(__name__, name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*__all__, *(n for n in globals() if n.startswith("__"))})
