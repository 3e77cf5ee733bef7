r"""SciPy's derivatives on xgrad's functions, a plugin for SciPy's own tests.

    python -m pytest -p peers.scipy_derivatives \
        --pyargs scipy.optimize.tests.test__numdiff

Loaded before a test module it puts functions of the same names and arguments in the
place of `approx_derivative`, and of the functions of `scipy.differentiate`. They say by
which differences xgrad computes the same, and arrange its arrays as SciPy does. What
xgrad does not offer is skipped, with the reason.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

import numpy as np
import pytest
import scipy.differentiate
import scipy.optimize._numdiff as numdiff
from scipy._lib._array_api import xp_capabilities_table
from scipy._lib._util import _RichResult
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

import xgrad

METHODS = {"2-point": "forward", "3-point": "central", "cs": "complex"}


def _leave_out(reason: str) -> NoReturn:
    pytest.skip(f"not in xgrad: {reason}")


def _call(fun: Any, args: Any, kwargs: Any, x: Any) -> Any:
    value = fun(x, *args, **kwargs)
    return value if np.ndim(value) else np.reshape(value, (1,))


def _step(x: Any, rel_step: Any, abs_step: Any) -> Any:
    if abs_step is not None:
        return np.broadcast_to(np.asarray(abs_step, x.dtype), x.shape)
    if rel_step is None:
        return None
    sign = np.where(x >= 0, 1.0, -1.0)
    return np.asarray(rel_step) * sign * np.where(x == 0, 1.0, np.abs(x))


def approx_derivative(
    fun,
    x0,
    method="3-point",
    rel_step=None,
    abs_step=None,
    f0=None,
    bounds=(-np.inf, np.inf),
    sparsity=None,
    as_linear_operator=False,
    args=(),
    kwargs=None,
    full_output=False,
    workers=None,
):
    x = np.atleast_1d(x0)
    x = x if x.dtype.kind == "f" else x.astype(float)
    f = functools.partial(_call, fun, args, kwargs or {})
    is_bounded = any(np.any(np.isfinite(bound)) for bound in bounds)
    if f0 is not None and np.ndim(f0) > 1:
        raise ValueError("`f0` passed has more than 1 dimension.")
    if as_linear_operator:
        if is_bounded:
            raise ValueError("Bounds not supported when `as_linear_operator` is True.")
        product = functools.partial(xgrad.jvp, f, x, method=METHODS[method])
        return LinearOperator(
            (f(x).size, x.size), lambda v: product(v.reshape(x.shape))
        )
    step = None if method == "cs" else _step(x, rel_step, abs_step)
    compute = functools.partial(
        _jacobian,
        *(f, x, METHODS[method], step),
        bounds=bounds if is_bounded else None,
        sparsity=None if sparsity is None else _pattern(sparsity),
        workers=workers,
        # So that the calls are those that are counted.
        vectorized=False if full_output else "auto",
        full_output=True,
    )
    value, estimate = compute()
    if value.ndim > 2:
        raise RuntimeError("`fun` return value has more than 1 dimension.")
    if sparsity is None and value.shape[0] == 1:
        value = value[0]
    return (value, {"nfev": estimate.evaluations}) if full_output else value


def _jacobian(f, x, method, step, **options):
    """The Jacobian, of a forward difference by the sides that signed steps mean."""
    if method == "forward":
        options["accuracy"] = 1
    elif method == "central" and step is None and options["bounds"] is None:
        method = "ladder"
    if step is not None:
        options["step"] = np.abs(step)
    value, estimate = xgrad.jacobian(f, x, method=method, **options)
    if method == "forward" and step is not None and options["sparsity"] is None:
        other, _ = xgrad.jacobian(f, x, method="backward", **options)
        value = np.where(step < 0, other, value)
    return value, estimate


def _pattern(sparsity: Any) -> Any:
    """The pattern, without groups of columns, which xgrad finds by itself."""
    pattern = sparsity[0] if isinstance(sparsity, tuple) else sparsity
    return pattern != 0 if issparse(pattern) else np.asarray(pattern) != 0


def _result(x: Any, value: Any, estimate: Any, name: str = "df") -> Any:
    good = estimate.status == xgrad.Status.OK
    return _RichResult(
        x=x,
        success=good,
        status=np.where(good, 0, -3).astype(np.int32)[()],
        error=estimate.error,
        **{name: value},
    )


def _require_defaults(maxiter, order, initial_step, step_factor, callback) -> None:
    if callback is not None:
        _leave_out("a callback")
    if (maxiter, order, initial_step, step_factor) != (10, 8, 0.5, 2.0):
        _leave_out("iterations, their order and their steps")


def derivative(
    f,
    x,
    *,
    args=(),
    tolerances=None,
    maxiter=10,
    order=8,
    initial_step=0.5,
    step_factor=2.0,
    step_direction=0,
    preserve_shape=False,
    callback=None,
):
    _require_defaults(maxiter, order, initial_step, step_factor, callback)
    if tolerances is not None:
        _leave_out("tolerances")
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(float)
    args = args if isinstance(args, tuple) else (args,)
    if preserve_shape:
        value, estimate = xgrad.jacobian(f, x, method="ladder", full_output=True)
        return _result(x, value, estimate)
    x, direction, *args = np.broadcast_arrays(x, step_direction, *args)
    of_x = functools.partial(_at, f, args)
    results = {
        sign: xgrad.derivative(of_x, x, method=method, full_output=True)
        for sign, method in ((-1, "backward"), (0, "ladder"), (1, "forward"))
        if np.any(direction == sign)
    }
    value, error, status = (
        np.select([direction == sign for sign in results], arrays)
        for arrays in zip(
            *((v, e.error, e.status) for v, e in results.values()), strict=True
        )
    )
    dtype = x.dtype
    estimate = xgrad.Estimate(error.astype(dtype)[()], None, status, 0)
    return _result(x, value.astype(dtype)[()], estimate)


def _at(f: Any, args: Any, x: Any) -> Any:
    return f(x, *args)


def _each_point(function: Any, f: Any, x: Any, name: str) -> Any:
    """Differentiate at each point of the trailing axes, and put these last again."""
    x = np.asarray(x)
    if x.ndim == 0:
        raise ValueError("Argument `x` must be at least 1-D.")
    rows = x.reshape(len(x), -1).T
    answers = [function(f, np.ascontiguousarray(row), full_output=True) for row in rows]

    def stacked(arrays):
        array = np.stack(arrays, axis=-1)
        return array.reshape(*array.shape[:-1], *x.shape[1:])

    value = stacked([value for value, _ in answers])
    error = stacked([estimate.error for _, estimate in answers])
    status = stacked([estimate.status for _, estimate in answers])
    return _result(x, value, xgrad.Estimate(error, None, status, 0), name)


def jacobian(
    f,
    x,
    *,
    tolerances=None,
    maxiter=10,
    order=8,
    initial_step=0.5,
    step_factor=2.0,
    step_direction=0,
):
    _require_defaults(maxiter, order, initial_step, step_factor, None)
    if tolerances is not None or np.any(step_direction):
        _leave_out("tolerances and directions of a Jacobian")
    compute = functools.partial(xgrad.jacobian, method="ladder")
    return _each_point(compute, f, x, "df")


def hessian(
    f, x, *, tolerances=None, maxiter=10, order=8, initial_step=0.5, step_factor=2.0
):
    _require_defaults(maxiter, order, initial_step, step_factor, None)
    if tolerances is not None:
        _leave_out("tolerances")
    return _each_point(functools.partial(xgrad.hessian, method="central"), f, x, "ddf")


def pytest_configure() -> None:
    """Put xgrad's functions in the place of SciPy's."""
    for module, shim in (
        (numdiff, approx_derivative),
        (scipy.differentiate, derivative),
        (scipy.differentiate, jacobian),
        (scipy.differentiate, hessian),
    ):
        original = getattr(module, shim.__name__)
        wrapped = functools.wraps(original)(shim)
        if original in xp_capabilities_table:
            xp_capabilities_table[wrapped] = xp_capabilities_table[original]
        setattr(module, shim.__name__, wrapped)
