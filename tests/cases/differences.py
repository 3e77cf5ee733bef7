"""Derivatives by differences, for the tests of what stands below them.

Those of `xgrad` are exact where they can be, and call the function once.
"""

from __future__ import annotations

import functools
from typing import Any

import xgrad
from xgrad._evaluation.proved_ways import ways_of_function


def _by_differences(function: Any) -> Any:
    # (A partial function, because warnings name the line that calls it.)
    partial: Any = functools.partial(function, method="central")
    partial.__name__ = function.__name__
    return partial


derivative = _by_differences(xgrad.derivative)
gradient = _by_differences(xgrad.gradient)
hessian = _by_differences(xgrad.hessian)
hvp = _by_differences(xgrad.hvp)
jacobian = _by_differences(xgrad.jacobian)
jvp = _by_differences(xgrad.jvp)
tangent_line = _by_differences(xgrad.tangent_line)
value_and_gradient = _by_differences(xgrad.value_and_gradient)
# Central differences and then the ladder: what "auto" takes where bounds are given,
# though there are none.
AUTO: dict[str, Any] = {"method": "auto", "bounds": (None, None)}


def of_method(method: str) -> dict[str, Any]:
    """Return the options by which a method takes differences, "auto" as well."""
    return AUTO if method == "auto" else {"method": method}


def way_name(f):
    """Return the name of the way that was proved last for a function, or None."""
    last = ways_of_function(f).last
    return None if last is None else last.name
