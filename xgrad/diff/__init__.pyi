"""Signatures of derivatives, by `python tests/tools/write_stubs.py`."""

from collections.abc import Callable
from typing import Any, Literal, overload

from numpy.typing import NDArray

from xgrad._arrays import ArrayT
from xgrad._autodiff import custom_vjp as custom_vjp
from xgrad._differences import Coloring as Coloring
from xgrad._differences import Estimate as Estimate
from xgrad._differences import Method
from xgrad._differences import Status as Status
from xgrad._differences import color_columns as color_columns
from xgrad._evaluation import CheckpointPath, Progress, Vectorized, Workers
from xgrad.diff._exact import NotDifferentiable as NotDifferentiable
from xgrad.diff._gradient import value_and_gradient as value_and_gradient
from xgrad.diff._pattern import sparsity_pattern as sparsity_pattern
from xgrad.diff._products import hvp as hvp
from xgrad.diff._tangent import Tangent as Tangent
from xgrad.diff._tangent import tangent_line as tangent_line
from xgrad.diff._vjp import vjp as vjp

@overload
def gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: Literal[False] = False,
    axis: Literal[-1] | None = None,
    terms: bool = False,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[ArrayT, Estimate]:
    """Return the gradient of a function of an array, or of nested arrays."""
    ...

@overload
def gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: Literal[False] = False,
    axis: Literal[-1] | None = None,
    terms: bool = False,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> ArrayT:
    """Return the gradient of a function of an array, or of nested arrays."""
    ...

@overload
def gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: Literal[True],
    axis: Literal[-1] | None = None,
    terms: bool = False,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[ArrayT, Estimate, Any]:
    """Return the gradient of a function of an array, or of nested arrays."""
    ...

@overload
def gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: Literal[True],
    axis: Literal[-1] | None = None,
    terms: bool = False,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> tuple[ArrayT, Any]:
    """Return the gradient of a function of an array, or of nested arrays."""
    ...

@overload
def gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: bool = False,
    axis: Literal[-1] | None = None,
    terms: bool = False,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: bool,
) -> Any:
    """Return the gradient of a function of an array, or of nested arrays."""
    ...

@overload
def derivative(
    f: Callable[[Any], Any],
    x: float,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: Literal[True],
) -> tuple[NDArray[Any], Estimate]:
    """Return the derivative of an elementwise function, at every entry."""
    ...

@overload
def derivative(
    f: Callable[[Any], Any],
    x: float,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: Literal[False] = False,
) -> NDArray[Any]:
    """Return the derivative of an elementwise function, at every entry."""
    ...

@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: Literal[True],
) -> tuple[ArrayT, Estimate]:
    """Return the derivative of an elementwise function, at every entry."""
    ...

@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: Literal[False] = False,
) -> ArrayT:
    """Return the derivative of an elementwise function, at every entry."""
    ...

@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: bool,
) -> Any:
    """Return the derivative of an elementwise function, at every entry."""
    ...

@overload
def jacobian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    sparsity: None = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[ArrayT, Estimate]:
    """Return the Jacobian of a function of an array, or of nested arrays."""
    ...

@overload
def jacobian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    sparsity: None = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> ArrayT:
    """Return the Jacobian of a function of an array, or of nested arrays."""
    ...

@overload
def jacobian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    sparsity: Any,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[Any, Estimate]:
    """Return the Jacobian of a function of an array, or of nested arrays."""
    ...

@overload
def jacobian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    sparsity: Any,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> Any:
    """Return the Jacobian of a function of an array, or of nested arrays."""
    ...

@overload
def jacobian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: bool,
) -> Any:
    """Return the Jacobian of a function of an array, or of nested arrays."""
    ...

@overload
def hessian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: None = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[ArrayT, Estimate]:
    """Return the Hessian of a scalar function, symmetric to the last bit."""
    ...

@overload
def hessian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: None = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> ArrayT:
    """Return the Hessian of a scalar function, symmetric to the last bit."""
    ...

@overload
def hessian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: Any,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[True],
) -> tuple[Any, Estimate]:
    """Return the Hessian of a scalar function, symmetric to the last bit."""
    ...

@overload
def hessian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: Any,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: Literal[False] = False,
) -> Any:
    """Return the Hessian of a scalar function, symmetric to the last bit."""
    ...

@overload
def hessian(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: Any = None,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: CheckpointPath = None,
    full_output: bool,
) -> Any:
    """Return the Hessian of a scalar function, symmetric to the last bit."""
    ...

@overload
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
    full_output: Literal[True],
) -> tuple[Any, Estimate]:
    """Return the Jacobian-vector product, the derivative along ``v``."""
    ...

@overload
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
    full_output: Literal[False] = False,
) -> Any:
    """Return the Jacobian-vector product, the derivative along ``v``."""
    ...

@overload
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
    full_output: bool,
) -> Any:
    """Return the Jacobian-vector product, the derivative along ``v``."""
    ...
