"""Softmax and related functions, which are stable for any input."""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from xgrad._arrays import (
    Array,
    ArrayT,
    as_float,
    cast,
    common_namespace,
    default_dtype,
    integer,
    is_complex,
    is_dask,
    is_floating,
    map_blocks,
    missing_names,
    one_of,
    public,
    public_dir,
    quiet,
    stable,
)
from xgrad._kernels import find_kernel
from xgrad._rules import Guard, in_range, label_mask, range_checks, require_labels

__all__ = ["log_softmax", "logsumexp", "one_hot", "sigmoid", "softmax"]
__dir__ = public_dir(globals())
if not TYPE_CHECKING:  # a type checker would take every name for an attribute
    __getattr__ = missing_names(__name__)


@public
def softmax(x: ArrayT, /, *, axis: int = -1) -> ArrayT:
    """Return probabilities proportional to ``exp(x)`` along an axis.

    Parameters
    ----------
    x : array of real numbers
        Logits of any shape with at least one axis. An entry of ``-inf`` is masked: its
        probability is 0.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array
        Same shape as ``x``, and the same dtype if that is floating. The result is
        ``nan`` along a slice that is ``-inf`` throughout.

    Raises
    ------
    TypeError
        If ``x`` is not an array of real numbers.
    ValueError
        If the axis does not exist or has no entries.

    Notes
    -----
    The maximum is subtracted first, so that an offset common to a slice changes nothing
    (Blanchard, Higham and Higham, IMA Journal of Numerical Analysis 41(4), 2021).

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([1e8, 1e8 + 1]))
    array([0.269, 0.731])
    """
    return _along_axis(stable.softmax, x, axis)


@public
def log_softmax(x: ArrayT, /, *, axis: int = -1) -> ArrayT:
    """Return the logarithm of `softmax`, which is finite even if that underflows.

    The parameters, errors and source are those of `softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return _along_axis(stable.log_softmax, x, axis)


@public
def logsumexp(x: ArrayT, /, *, axis: int = -1) -> ArrayT:
    """Return ``log(sum(exp(x)))`` along an axis, which the result no longer has.

    The parameters, errors and source are those of `softmax`. A slice that is ``-inf``
    throughout gives ``-inf``.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.array([[1000.0, 1000.0], [0.0, 0.0]]))
    array([1000.693,    0.693])
    """
    return _along_axis(stable.logsumexp, x, axis, drop=True)


@public
def sigmoid(x: ArrayT, /) -> ArrayT:
    """Return ``1 / (1 + exp(-x))`` of every entry, without overflow.

    Parameters
    ----------
    x : array of real numbers
        Any shape.

    Returns
    -------
    array
        Same shape as ``x``, and the same dtype if that is floating; between 0 and 1.

    Raises
    ------
    TypeError
        If ``x`` is not an array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([-1000.0, 0.0, 2.0]))
    array([0.   , 0.5  , 0.881])
    """
    return _apply(stable.sigmoid, x)


@public
def one_hot(
    labels: ArrayT, /, num_classes: int, *, dtype: Any = None, check: bool = True
) -> ArrayT:
    """Return labels as rows of zeros with a single one.

    Parameters
    ----------
    labels : array of integers, shape (...)
        Class labels of any integer dtype, in ``[0, num_classes)``.
    num_classes : int
        Number of classes, the length of the last axis of the result.
    dtype : dtype, optional
        Dtype of the result; by default the default float of the namespace.
    check : bool
        False skips the check of the values, so that nothing waits for the device; a
        label out of range then gives a row of ``nan`` (of zeros if the dtype has no
        ``nan``).

    Returns
    -------
    array, shape (..., num_classes)

    Raises
    ------
    TypeError
        If the labels are not integers, or ``dtype`` is no dtype of their library.
    ValueError
        If a label is out of range (the message names the first one), or
        ``num_classes`` is less than 1 or more than an array can hold.

    Examples
    --------
    >>> import numpy as np
    >>> one_hot(np.array([2, 0], dtype=np.uint8), 3)
    array([[0., 0., 1.], [1., 0., 0.]])
    """
    xp = common_namespace(labels=labels)
    num_classes = integer("num_classes", num_classes, least=1)
    # `arange` would refuse it in the words of each library, which do not name it.
    if num_classes > sys.maxsize:
        raise ValueError(f"`num_classes` is {num_classes}, more than an array can hold")
    require_labels(xp, "labels", labels)
    guard = Guard(xp, one_of("check", check, (True, False)))
    checks = range_checks(xp, "labels", labels, num_classes)
    mask = label_mask(xp, guard(labels, checks), num_classes)
    guard.enforce()
    if dtype is None:
        dtype = default_dtype(xp, "real floating", labels)
    try:
        rows = xp.astype(mask, dtype)
    except (TypeError, ValueError, AttributeError, RuntimeError):
        # Each library has its own exception for what is no dtype.
        raise TypeError(
            f"`dtype` must be a dtype such as `xp.float64`; got {dtype!r}"
        ) from None
    if not check and (is_floating(xp, rows) or is_complex(xp, rows)):
        valid = in_range(xp, labels, num_classes)
        rows = xp.where(valid[..., None], rows, float("nan"))
    return rows


def _along_axis(function: Any, x: Any, axis: int, *, drop: bool = False) -> Any:
    """Check the axis, and apply ``function(xp, x, axis)``, which may drop it."""
    common_namespace(x=x)
    axis = integer("axis", axis, least=None)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"`axis` is {axis}, but `x` has shape {tuple(x.shape)}")
    if x.shape[axis] == 0:
        raise ValueError(
            f"`x` has shape {tuple(x.shape)}: axis {axis} must hold at least one entry"
        )
    axis %= x.ndim
    if type(x) is np.ndarray and axis == x.ndim - 1:
        kernel = find_kernel(function.__name__, common_namespace(x=x), x.dtype)
        values = None if kernel is None else kernel(x)
        if values is not None:
            return values
    return _apply(partial(function, axis=axis), x, axis, drop=drop)


def _apply(
    function: Any, x: Any, axis: int | None = None, *, drop: bool = False
) -> Any:
    """Return ``function(xp, x)`` without warnings; no Dask block divides the axis."""
    if getattr(x, "record_call", None) is not None:
        return x.record_call(partial(_with_pull, function, axis=axis, drop=drop))
    xp = common_namespace(x=x)
    # Before the branch, so that Dask refuses a dtype at once, not when it computes.
    values = as_float(xp, "x", x)
    if not is_dask(xp):
        with quiet():
            return _apply_to_block(xp, x, function=function)
    return map_blocks(
        partial(_apply_to_block, function=function),
        x if axis is None else x.rechunk({axis: -1}),
        dtype=_cast_like(xp, values, x).dtype,
        drop_axis=axis if drop else None,
    )


def _with_pull(
    function: Any, x: Any, *, axis: int | None, drop: bool
) -> tuple[Any, Any, tuple[Any, ...]]:
    """Return ``function(xp, x)`` with its pull in a derivative, and what that keeps."""
    value = _apply(function, x, axis, drop=drop)
    kernel = function.func if isinstance(function, partial) else function
    if kernel is stable.sigmoid:
        return value, _pull_sigmoid, (x, value)
    if kernel is stable.logsumexp:
        return value, _pull_logsumexp, (x, value, axis)
    pull = _pull_softmax if kernel is stable.softmax else _pull_log_softmax
    return value, pull, (value, axis)


def _pull_sigmoid(g: Array, x: Array, value: Array) -> Array:
    # Not 1 - sigmoid(x), of which nothing is left where that is close to 1.
    return g * value * sigmoid(-x)


def _pull_softmax(g: Array, value: Array, axis: int) -> Array:
    return value * (g - np.sum(g * value, axis=axis, keepdims=True))


def _pull_log_softmax(g: Array, value: Array, axis: int) -> Array:
    return g - np.exp(value) * np.sum(g, axis=axis, keepdims=True)


def _pull_logsumexp(g: Array, x: Array, value: Array, axis: int) -> Array:
    rest = x - np.expand_dims(value, axis)
    # A slice that is -inf throughout has no difference; nothing moves its value.
    share = np.where(x == -math.inf, 0, np.exp(rest))
    return np.expand_dims(g, axis) * share


def _apply_to_block(xp: Any, x: Array, *, function: Any) -> Array:
    return _cast_like(xp, function(xp, as_float(xp, "x", x)), x)


def _cast_like(xp: Any, values: Array, x: Array) -> Array:
    """Return the values in the dtype of ``x`` if that is floating."""
    return cast(xp, values, x.dtype) if is_floating(xp, x) else values
