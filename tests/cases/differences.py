"""Gradients by differences, for the tests of what stands below them.

`xgrad.gradient` is exact where it can be, and calls the function once.
"""

from __future__ import annotations

import functools
from typing import Any

import xgrad

# (Partial functions, because warnings name the line that calls them.)
gradient: Any = functools.partial(xgrad.gradient, method="central")
value_and_gradient: Any = functools.partial(xgrad.value_and_gradient, method="central")
gradient.__name__, value_and_gradient.__name__ = "gradient", "value_and_gradient"
# Central differences and then the ladder: what "auto" takes where bounds are given,
# though there are none.
AUTO: dict[str, Any] = {"method": "auto", "bounds": (None, None)}
