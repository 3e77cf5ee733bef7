"""The automatic differentiation that PyTorch and JAX have of their own."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from xgrad._arrays import Array, is_jax, is_torch, recorded_natively
from xgrad._autodiff import Pushed


class NativeRecording:
    """A recording by the library of the arrays, as `Recording` is by xgrad.

    ``result`` is what the function returned, without its history; ``pull_all`` takes a
    cotangent to those of the leaves.
    """

    uses_argument = True  # the library does not tell

    def __init__(
        self,
        result: Any,
        leaves: Sequence[Array],
        pull_all: Callable[[Any], Sequence[Any]] | None,
    ) -> None:
        self.result = result
        self.leaves = leaves
        self._pull = pull_all

    @property
    def is_constant(self) -> bool:
        """Whether the result has no history that leads to the argument."""
        return self._pull is None

    @property
    def path(self) -> int:
        """A number that is 0 for every branch: the library does not tell them apart."""
        return 0

    def pull(self, cotangent: Array, *, ignores_zeros: bool = False) -> list[Array]:
        """Return the cotangent of each leaf from that of the result."""
        if self._pull is None:
            return [x * 0 for x in self.leaves]
        slopes = self._pull(cotangent)
        return [
            x * 0 if g is None else g for g, x in zip(slopes, self.leaves, strict=True)
        ]

    def kinks(self, cotangent: Array, are_hidden: bool = False) -> None:
        """Return None: the library does not tell where its rules have corners."""
        return


def record_natively(
    call: Callable[[list[Any]], Any], xp: Any, leaves: Sequence[Array]
) -> NativeRecording | None:
    """Record a function by its own library; None if that has no derivatives."""
    is_inner = recorded_natively.get()
    with _recording():
        if is_torch(xp):
            record = _record_inside_torch if is_inner else _record_by_torch
            return record(call, leaves)
        if is_jax(xp):
            return _record_by_jax(call, leaves)
        return None


@contextlib.contextmanager
def _recording() -> Iterator[None]:
    """Tell derivatives inside of the function that they are recorded."""
    token = recorded_natively.set(True)
    try:
        yield
    finally:
        recorded_natively.reset(token)


def _record_by_torch(
    call: Callable[[list[Any]], Any], leaves: Sequence[Array]
) -> NativeRecording:
    import torch

    tensors = [x.detach().clone().requires_grad_(True) for x in leaves]
    with torch.enable_grad():
        # A view of each, because a function may write into its argument, and a leaf
        # of PyTorch's graph may not be written into.
        result = call([x.view_as(x) for x in tensors])
    if not (isinstance(result, torch.Tensor) and result.requires_grad):
        return NativeRecording(result, leaves, None)

    def pull_all(cotangent: Any) -> Any:
        slopes = torch.autograd.grad(
            result, tensors, cotangent, retain_graph=True, allow_unused=True
        )
        return _apart(slopes, [cotangent])

    return NativeRecording(result.detach(), leaves, pull_all)


def _apart(tensors: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return tensors of PyTorch in memory of their own: none is that of another one."""
    taken = {other.untyped_storage().data_ptr() for other in others}
    apart = []
    for x in tensors:
        if x is not None:
            storage = x.untyped_storage()
            is_whole = x.numel() * x.element_size() == storage.nbytes()
            is_own = is_whole and storage.data_ptr() not in taken
            x = x if is_own else x.clone()
            taken.add(x.untyped_storage().data_ptr())
        apart.append(x)
    return apart


def _record_inside_torch(
    call: Callable[[list[Any]], Any], leaves: Sequence[Array]
) -> NativeRecording:
    """Record a function so that the outer record goes on through its derivative."""
    import torch

    result, pull = torch.func.vjp(lambda *arrays: call(list(arrays)), *leaves)
    return NativeRecording(result, leaves, pull)


def _record_by_jax(
    call: Callable[[list[Any]], Any], leaves: Sequence[Array]
) -> NativeRecording:
    import jax

    result, pull = jax.vjp(lambda *arrays: call(list(arrays)), *leaves)
    return NativeRecording(result, leaves, pull)


def push_natively(
    call: Callable[[list[Any]], Any],
    xp: Any,
    leaves: Sequence[Array],
    tangents: Sequence[Any],
) -> Pushed | None:
    """Run a function with tangents by its own library; None if that has no rules."""
    tangents = [
        x * 0 if t is None else t for x, t in zip(leaves, tangents, strict=True)
    ]
    is_inner = recorded_natively.get()
    if is_torch(xp):
        import torch

        _load_forward_mode()
        push = torch.func.jvp
    elif is_jax(xp):
        import jax

        push = jax.jvp
    else:
        return None
    with _recording():
        result, tangent = push(
            lambda *arrays: call(list(arrays)), tuple(leaves), tuple(tangents)
        )
    if is_torch(xp) and not is_inner:
        (tangent,) = _apart([tangent], tangents)
    return Pushed(result, tangent, 0, True)


@functools.cache
def _load_forward_mode() -> None:
    """Let PyTorch load its forward mode, which calls what PyTorch itself deprecates."""
    import torch

    zero = torch.zeros(())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(lambda x: x + x, (zero,), (zero,))


def gradients_natively(
    call: Callable[[list[Any]], Any], xp: Any, leaves: Sequence[Array]
) -> list[Array]:
    """Return the gradients of a scalar by its own library, which can be nested."""
    every = tuple(range(len(leaves)))
    if is_torch(xp):
        import torch

        grad = torch.func.grad(lambda *arrays: call(list(arrays)), argnums=every)
    else:
        import jax

        grad = jax.grad(lambda *arrays: call(list(arrays)), argnums=every)
    with _recording():
        return list(grad(*leaves))
