"""Apply the kernels that CuPy hands over."""

from __future__ import annotations

from typing import Any

from xgrad._tracing.linearity import add_kernel
from xgrad._tracing.registry import FUNCTIONS, call, handles
from xgrad._tracing.standin import StandIn
from xgrad._tracing.tracer import Tracer


@handles("cupy kernel")
def _apply_kernel(
    tracer: Tracer, kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply an elementwise kernel of CuPy."""
    name = getattr(kernel, "name", str(kernel))
    # CuPy hands over all options, those that were not given as None.
    kwargs = {option: value for option, value in kwargs.items() if value is not None}
    # More arguments than inputs: the others are the arrays to write into.
    if len(args) > getattr(kernel, "nin", len(args)):
        raise tracer.refuse(
            "an assignment of an entry of x into another array (`y[i] = x[i]`)",
            "make that array by `np.zeros(n, like=x)` or `zeros_like(x)`, or use "
            "`stack`",
        )
    if kwargs:
        raise tracer.refuse(f"`{name}` with {sorted(kwargs)}", "make a new array")
    add_kernel(tracer.xp, kernel)
    return tracer.elementwise(kernel, *args)


@handles("cupy reduction")
def _apply_reduction(
    kernel: Any, x: StandIn, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply a reduction kernel of CuPy."""
    # The kernel's name is all that tells which reduction it is.
    name = kernel.name.removeprefix("cupy_")
    positional = zip(("axis", "dtype", "out", "keepdims"), args, strict=False)
    arguments = {n: a for n, a in positional if a is not None}
    arguments |= {n: a for n, a in kwargs.items() if a is not None}
    name = {"amax": "max", "amin": "min"}.get(name, name)
    if name not in FUNCTIONS or "out" in arguments:
        raise x.tracer.refuse(f"the reduction `{kernel.name}`", "use plain functions")
    return call(x.tracer, name, FUNCTIONS[name], (x,), arguments)
