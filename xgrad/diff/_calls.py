"""Functions with further arguments, and functions that return more than a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import hides_points, perturbed, unwrap, wrap_like


def with_arguments(f: Callable[..., Any], args: Any) -> Callable[[Any], Any]:
    """Return a function of ``x`` alone, ``f(x, *args)``."""
    if not isinstance(args, tuple):
        raise TypeError(
            f"`args` must be a tuple of further arguments of `f`; got "
            f"{type(args).__name__}: write `args=(a,)` for one"
        )
    return (lambda x: f(x, *args)) if args else f


class WithAux:
    """A function that returns ``(result, aux)``: called, it returns the result.

    ``aux`` is what it returned last at a point of the caller's choice.
    """

    aux: Any = None

    def __init__(self, f: Callable[[Any], Any], like: Any) -> None:
        self.f = f
        self.like = like

    def __call__(self, x: Any) -> Any:
        """Return the result, and keep the rest."""
        pair = self.f(x)
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise TypeError(
                "with has_aux=True `f` must return a tuple (result, aux); got "
                f"{type(pair).__name__}"
            )
        if not perturbed.get():
            self.aux = pair[1]
        return pair[0]

    def take_aux(self) -> Any:
        """Return ``aux``, with arrays in place of those that were recorded."""
        return _detached(self.aux, self.like)


def _detached(value: Any, like: Any) -> Any:
    if isinstance(value, dict):
        return {key: _detached(item, like) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_detached(item, like) for item in value]
        if hasattr(value, "_fields"):
            return type(value)(*items)
        return items if isinstance(value, list) else tuple(items)
    if hides_points(value):
        return wrap_like(unwrap(value).base, like)
    return value
