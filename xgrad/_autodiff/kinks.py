"""The corners of functions of fibres, from what their pulls keep.

These end with the axes of the fibres, and whether the result keeps them. Those of
functions of entries are in the table of partial derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.fibres import pull_deviation, pull_extremum, with_axes
from xgrad._autodiff.norms import pull_norm
from xgrad._autodiff.rules import KINKS


def _ties(x: Any, y: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """Mark the entries that attain an extremum together with others."""
    attains = x == with_axes(y, axes, keepdims)
    return attains & (np.sum(attains, axis=axes, keepdims=True) > 1)


def _equal_entries(x: Any, y: Any, count: Any, axes: Any, keepdims: Any) -> Any:
    """Mark fibres whose standard deviation is 0."""
    return np.broadcast_to(with_axes(y == 0, axes, keepdims), x.shape)


def _vectors_of_zeros(x: Any, y: Any, p: float, axes: Any, keepdims: Any) -> Any:
    """Mark vectors whose norm is 0."""
    return np.broadcast_to(with_axes(np.asarray(y == 0), axes, keepdims), x.shape)


KINKS[pull_extremum] = _ties
KINKS[pull_deviation] = _equal_entries
KINKS[pull_norm] = _vectors_of_zeros
