"""Plots, drawn with matplotlib on the axes of the caller or on new ones."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from xgrad._arrays import missing_names as _missing_names
from xgrad._arrays import public_dir as _public_dir
from xgrad._arrays import publish as _publish
from xgrad.plot._confusion import confusion as confusion
from xgrad.plot._field import gradient_field as gradient_field
from xgrad.plot._history import history as history
from xgrad.plot._report import report as report
from xgrad.plot._roc import roc as roc
from xgrad.plot._steps import step_sweep as step_sweep
from xgrad.plot._tangent import tangent as tangent

__all__ = [
    "confusion",
    "gradient_field",
    "history",
    "report",
    "roc",
    "step_sweep",
    "tangent",
]
__dir__ = _public_dir(globals())
if not _TYPE_CHECKING:  # a type checker would take every name for an attribute
    __getattr__ = _missing_names(__name__)
_publish(__name__, *(globals()[name] for name in __all__))
