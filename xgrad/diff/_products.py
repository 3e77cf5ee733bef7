"""Products of a Jacobian or a Hessian with a vector, without the matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    ArrayT,
    Portable,
    cast,
    float_info,
    leaves,
    matching_leaves,
    one_of,
    public,
    rebuild,
    require_array,
    result_dtype,
)
from xgrad._differences import (
    Estimate,
    Method,
    Plan,
    Problem,
    Result,
    directional_derivative,
    entries_of,
    plan_for,
    prepare,
    require_scalar,
    slopes_along,
    warn_unless_ok,
)
from xgrad._evaluation import (
    Execution,
    Function,
    Progress,
    Vectorized,
    Workers,
    bind_function,
    execution_for,
    open_evaluator,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._calls import with_arguments
from xgrad.diff._exact import differences_instead
from xgrad.diff._exact_directions import exact_hvp, exact_jvp
from xgrad.diff._forward import Derived, gradient_of


@public
def jvp(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    /,
    *,
    args: tuple[Any, ...] = (),
    method: Method = "auto",
    accuracy: int | None = None,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: bool = False,
) -> Any:
    """Return the Jacobian-vector product, the derivative along ``v``.

    It is exact where the function allows that.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate.
    v : array like ``x``, nested as ``x`` is
        The direction.
    args : tuple
        Further arguments of ``f``, ``f(x, *args)``, which are not differentiated.
    method, accuracy, dtype, vectorized, max_bytes, workers, progress, full_output
        As in `gradient`. By differences all components move along ``v`` at once; the
        one that moves most for its size sets the step.

    Returns
    -------
    array
        ``J v``, in the shape of ``f(x)``; with ``full_output=True`` also an `Estimate`.

    Raises
    ------
    TypeError
        If ``x``, ``v`` or the result of ``f`` is not an array of real numbers.
    ValueError
        If ``v`` has not the structure and shapes of ``x``, or if an option has a value
        that is not offered.

    Notes
    -----
    An exact product takes one run of ``f``, in which tangents go along with the values
    (forward mode: Griewank and Walther, Evaluating Derivatives, 2008, section 3.1), of
    about twice its cost; it is proved as a gradient is. Differences cost ``accuracy``
    evaluations and one at ``x``, whatever the sizes.

    Examples
    --------
    >>> import numpy as np
    >>> jvp(lambda x: x**2, np.array([3.0, 4.0]), np.array([1.0, 0.5]))
    array([6., 4.])
    """
    f = with_arguments(f, args)
    plan = plan_for(
        method=method, accuracy=accuracy, dtype=dtype, full_output=full_output
    )
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    result, evaluations, way = _along(f, x, v, plan, execution)
    if not full_output:
        warn_unless_ok("Jacobian-vector product", [result], entries_of(["f(x)"]))
        return result.value
    estimate = Estimate(result.error, result.step, result.status, evaluations, way)
    return result.value, estimate


def _along(
    f: Callable[[Any], Any], x: Any, v: Any, plan: Plan, execution: Execution
) -> tuple[Result, int, str]:
    """Return the product, the number of evaluations, and the method."""
    if plan.may_be_exact:
        try:
            return *exact_jvp(f, x, v, plan, execution), "autodiff"
        except Inexact as error:
            reason = error
        plan, execution = differences_instead(reason, plan, execution, x)
    function, arrays = prepare(f, x, plan.as_differences(x), execution)
    return directional_derivative(function, v, plan, execution, arrays[0][1])


@public
def hvp(
    f: Callable[[Any], Any],
    x: ArrayT,
    v: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    method: Method = "auto",
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
) -> ArrayT:
    """Return the Hessian-vector product, without forming the Hessian.

    It is exact where the function allows that.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate.
    v : array like ``x``, nested as ``x`` is
        The vector.
    args : tuple
        Further arguments of ``f`` and ``grad``, ``f(x, *args)``, which are not
        differentiated.
    grad : callable, optional
        Gradient of ``f``, nested and shaped like ``x``, whose derivative along ``v`` is
        taken. By differences the product then costs 6 calls of it, and one at ``x``.
    method : "auto", "autodiff" or "central"
        As in `gradient`.
    dtype, vectorized, max_bytes, workers, progress
        As in `gradient`.

    Returns
    -------
    array, or nesting like ``x``
        ``H v`` in the shape of ``x``.

    Raises
    ------
    TypeError
        If ``x``, ``v`` or a result is not an array of real numbers.
    ValueError
        If ``v`` has not the structure and shapes of ``x``, or a result has the wrong
        shape.

    Notes
    -----
    An exact product is the derivative of the exact gradient along ``v`` (forward over
    reverse mode: Griewank and Walther, Evaluating Derivatives, 2008, section 5.4), at
    the cost of about two gradients. By differences, without ``grad``, both are of
    accuracy 4 with steps near ``eps**(1/6)``; it costs as much as 4 gradients, and 12
    evaluations along ``v`` that look for corners near ``x``, at which a warning tells
    of a product that is not `OK`.

    Examples
    --------
    >>> import numpy as np
    >>> x, v = np.array([1.0, 3.0]), np.array([1.0, 1.0])
    >>> hvp(lambda x: x[0] ** 2 * x[1], x, v, grad=lambda x: np.stack(
    ...     [2 * x[0] * x[1], x[0] ** 2]))
    array([8., 2.])
    """
    f = with_arguments(f, args)
    grad = None if grad is None else with_arguments(grad, args, "grad")
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    one_of("method", method, ("auto", "autodiff", "central"))
    plan = plan_for(method=method, dtype=dtype)
    if plan.may_be_exact:
        try:
            return _exact_product(f, x, v, grad, plan, execution)
        except Inexact as error:
            _, execution = differences_instead(error, plan, execution, x)
    plan = plan_for(dtype=dtype)
    if grad is not None:
        return _product_of_gradient(grad, x, v, plan, execution)
    function, arrays = prepare(f, x, plan, execution)
    names = tuple(name for name, _ in arrays)
    with open_evaluator(execution, function.leaves[0]) as evaluator:
        problem = Problem(function, names, plan, evaluator)
        # f(x) itself, as the caller would: the checks of losses happen here.
        base = problem.at_base()
        require_scalar(base)
        results = slopes_along(problem, base, v)
        products = [
            problem.finish(leaf, result, tuple(leaf.shape))
            for (_, leaf), result in zip(arrays, results, strict=True)
        ]
    warn_unless_ok("Hessian-vector product", products, entries_of(names), "")
    return rebuild(x, [product.value for product in products])


def _exact_product(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    grad: Callable[[Any], Any] | None,
    plan: Plan,
    execution: Execution,
) -> Any:
    """Return the exact product, nested as ``x``; raise `Inexact` if there is none."""
    if grad is None:
        function, arrays = bind_function(f, x, plan.dtype, execution)
        derived = gradient_of(function)
    else:
        function, arrays = bind_function(grad, x, plan.dtype, execution)
        if function.batched:
            raise Inexact("a gradient of many points at once", was_told=True)
        derived = Derived(
            function,
            "forward of given gradient",
            lambda attempt, _: _vector_of(
                function, arrays, attempt.plain_call(function)
            ),
        )
    results = exact_hvp(derived, arrays, v, plan)
    names = [name for name, _ in arrays]
    warn_unless_ok("Hessian-vector product", results, entries_of(names), "")
    return rebuild(x, [result.value for result in results])


def _product_of_gradient(
    grad: Callable[[Any], Any], x: Any, v: Any, plan: Plan, execution: Execution
) -> Any:
    """Return ``H v`` as the derivative of the gradient along ``v``, nested as ``x``."""
    function, arrays = prepare(grad, x, plan, execution)
    xp = function.xp
    shapes = [tuple(leaf.shape) for _, leaf in arrays]
    vector = _vector_of(function, arrays, grad)
    # Corners are looked for, but not on a device, where that would be a wait.
    plan = replace(plan, full_output=not function.batched)
    function = replace(function, call=vector)
    widest = max(function.leaves, key=lambda leaf: float_info(xp, leaf.dtype).size)
    result, *_ = directional_derivative(function, v, plan, execution, widest)
    products, start = [], 0
    for (_, leaf), shape in zip(arrays, shapes, strict=True):
        rows = slice(start, start + math.prod(shape))
        value = xp.reshape(result.value[rows], shape)
        value = cast(xp, value, result_dtype(xp, leaf, plan.dtype))
        status = result.status
        if status is not None:
            status = xp.reshape(status[rows], shape)
        products.append(Result(value, status=status))
        start = rows.stop
    names = [name for name, _ in arrays]
    warn_unless_ok("Hessian-vector product", products, entries_of(names), "")
    return rebuild(x, [product.value for product in products])


def _vector_of(
    function: Function, arrays: Sequence[tuple[str, Array]], call: Callable[[Any], Any]
) -> _GradientVector:
    """Return a gradient, ``call``, as a function whose result is a vector."""
    return _GradientVector(
        call,
        function.xp,
        function.leaves[0],
        tuple(name for name, _ in arrays),
        tuple(tuple(leaf.shape) for _, leaf in arrays),
        function.batched,
    )


@dataclass(frozen=True, eq=False)
class _GradientVector(Portable):
    """A gradient nested like ``x`` as one vector (in a batch: one row a point)."""

    call: Callable[[Any], Any]
    xp: Any
    like: Array
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """An array by which another process recognises the namespace."""
        return self.like

    def __call__(self, x: Any) -> Array:
        """Return the gradients of all leaves, one after the other."""
        gradients = matching_leaves(
            self.call(x), "grad(x)", self.names, "the result of `grad`"
        )
        for name, gradient in gradients:
            require_array(name, gradient)
        lead = tuple(leaves(x)[0][1].shape[:1]) if self.batched else ()
        shapes = [tuple(gradient.shape) for _, gradient in gradients]
        wanted = [(*lead, *shape) for shape in self.shapes]
        if shapes != wanted:
            raise ValueError(
                f"`grad` returned shapes {shapes} where x has {wanted}: a gradient is "
                "nested and shaped like x"
            )
        flat = [self.xp.reshape(gradient, (*lead, -1)) for _, gradient in gradients]
        return self.xp.concat(flat, axis=-1)
