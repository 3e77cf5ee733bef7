"""Offer a namespace whose functions take stand-ins as well as arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from xgrad._arrays import call_unwrapped
from xgrad._tracing.arguments import first_standin
from xgrad._tracing.closed import any_closed, released
from xgrad._tracing.creating import CREATORS, creator
from xgrad._tracing.registry import FUNCTIONS, call


class Namespace:
    """An array namespace whose functions take stand-ins as well.

    It has the name of the namespace of plain arrays, so that `array_namespace` accepts
    both kinds together.
    """

    stands_in = True

    def __init__(self, xp: Any, path: str = "") -> None:
        self._xp = xp
        self._path = path
        self.__name__ = xp.__name__

    def __getattr__(self, name: str) -> Any:
        # Asked for only once: what is stored below is what the next look-up sees first.
        attribute = getattr(self._xp, name)
        if name in ("linalg", "fft") and not self._path:
            attribute = Namespace(attribute, f"{name}.")
        # (Classes, such as dtypes, are what they are.)
        elif callable(attribute) and not isinstance(attribute, type):
            dispatched = _dispatch(f"{self._path}{name}", attribute)
            is_creator = name in CREATORS and not self._path
            attribute = (
                creator(name, attribute, dispatched) if is_creator else dispatched
            )
        self.__dict__[name] = attribute
        return attribute


# One for each library: functions take from it what they then use as keys.
namespace_of = functools.cache(Namespace)


def _dispatch(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function ``plain``, which calls the one for stand-ins if it has to."""

    @functools.wraps(plain)
    def dispatch(*args: Any, **kwargs: Any) -> Any:
        if any_closed((*args, *kwargs.values())):
            return dispatch(*released(args), **released(kwargs))
        standin = first_standin((*args, *kwargs.values()))
        # A function of the caller may use one namespace for constants, too.
        if standin is None:
            return plain(*args, **kwargs)
        # Those that NumPy has beside the standard, in a namespace made of it.
        key = name if name in FUNCTIONS else f"numpy.{name}"
        if key not in FUNCTIONS:
            raise standin.tracer.refuse(
                f"`{name}`", "write it with other functions of the standard"
            )

        def traced(*args: Any, **kwargs: Any) -> Any:
            return call(standin.tracer, name, FUNCTIONS[key], args, kwargs)

        return call_unwrapped(traced, args, kwargs)

    return dispatch
