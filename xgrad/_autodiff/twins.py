"""Twins of the user's objects, whose methods are copies that see substitutes.

A twin shares the attributes of its original. Its class is derived from the original's,
and looks up the copies of its methods in the substitution of the present call.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any, Generic, Protocol


class Copies(Protocol):
    """Whatever knows the copies of functions for one call.

    ``is_left`` tells of the name of a file whether its code is left as it is.
    """

    is_left: Callable[[str], bool]

    def replace(self, value: Any) -> Any:
        """Return what stands in for a value."""

    def copied(self, function: Any) -> Any:
        """Return the copy of a function; itself if it is left as it is."""


# The copies of the present call; None outside of a second attempt.
COPIES: ContextVar[Copies | None] = ContextVar("xgrad_copies", default=None)

# The flag of classes that are written in Python (`Py_TPFLAGS_HEAPTYPE`).
IN_PYTHON = 1 << 9
# Bases that are no code of the user, and have no state of their own.
ABSTRACT = (object, Generic, abc.ABC)
# Methods that Python calls for a class itself, or for how attributes are found.
OF_CLASSES = frozenset(
    (
        *("__new__", "__init_subclass__", "__class_getitem__", "__set_name__"),
        *("__getattr__", "__getattribute__", "__setattr__", "__delattr__"),
    )
)


class TwinType(type):
    """A class of twins; what is assigned to it is assigned to the original."""

    def __getattribute__(cls, name: str) -> Any:
        value = super().__getattribute__(name)
        copies = COPIES.get()
        is_special = copies is None or name.startswith(("__", "_abc_"))
        return value if is_special else copies.replace(value)  # type: ignore[union-attr]

    def __setattr__(cls, name: str, value: Any) -> None:
        # Abstract classes have some of their own.
        if name.startswith(("_abc_", "__abstract")):
            super().__setattr__(name, value)
        else:
            setattr(cls.__original__, name, value)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__original__)


class AbstractTwinType(TwinType, abc.ABCMeta):
    """A class of twins of an abstract class, whose type is another one."""


class Unnoticed:
    """A base before others, whose hooks would see each class of twins."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Do nothing."""


# A bounded number: classes that are made anew for each call would not be freed.
@functools.lru_cache(maxsize=1024)
def twin_class(kind: Any, is_left: Callable[[str], bool]) -> Any:
    """Return the class of the twins of a class; None if it can have none.

    ``is_left`` tells of the name of a file whether its code is left as it is.
    """
    if not _can_have_twins(kind, is_left):
        return None
    members: dict[str, Any] = {
        name: _forward(member)
        for base in reversed(kind.__mro__)
        for name, member in vars(base).items()
        if name.startswith("__") and isinstance(member, FunctionType)
        if name not in OF_CLASSES
    }
    members |= {"__getattribute__": _attribute, "__hash__": kind.__hash__}
    members |= {"__slots__": (), "__module__": kind.__module__}
    members |= {"__qualname__": kind.__qualname__, "__original__": kind}
    meta = TwinType if type(kind) is type else AbstractTwinType
    return meta(kind.__name__, (Unnoticed, kind), members)


def _can_have_twins(kind: Any, is_left: Callable[[str], bool]) -> bool:
    """Whether all of a class is code that a derived class can replace."""
    bases = [base for base in kind.__mro__ if base not in ABSTRACT]
    is_plain = (
        bases
        and type(kind) in (type, abc.ABCMeta)
        and kind.__getattribute__ is object.__getattribute__
    )
    if not is_plain or hasattr(kind, "__del__"):
        return False
    return all(_is_to_copy(base, is_left) for base in bases)


def _is_to_copy(kind: type, is_left: Callable[[str], bool]) -> bool:
    if kind.__module__ == "__main__":
        return True
    path = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    is_in_python = path.endswith(".py") and bool(kind.__flags__ & IN_PYTHON)
    return is_in_python and not is_left(path)


def twin_of(value: Any, is_left: Callable[[str], bool]) -> Any:
    """Return the twin of an object; the object itself if it can have none."""
    own_class: Any = type(value)
    kind = twin_class(own_class, is_left)
    if kind is None or not hasattr(value, "__dict__"):
        return value
    twin: Any = object.__new__(kind)
    object.__setattr__(twin, "__dict__", value.__dict__)
    for slot in slots_of(own_class):
        # The twin has slots of its own, with the same values.
        with contextlib.suppress(AttributeError):
            slot.__set__(twin, slot.__get__(value))
    return twin


def slots_of(kind: type) -> list[Any]:
    """Return the descriptors of the slots of a class."""
    members = (m for base in kind.__mro__ for m in vars(base).values())
    return [m for m in members if isinstance(m, MemberDescriptorType)]


def _forward(function: Any) -> Any:
    """Return a method that calls the copy of a function."""

    @functools.wraps(function)
    def method(*args: Any, **kwargs: Any) -> Any:
        copies = COPIES.get()
        copy = function if copies is None else copies.replace(function)
        return copy(*args, **kwargs)

    return method


def _attribute(self: Any, name: str) -> Any:
    """Return an attribute of a twin: methods are copies, objects are twins."""
    copies = COPIES.get()
    if copies is None or name.startswith("__"):
        return object.__getattribute__(self, name)
    for base in type(self).__mro__[2:]:  # behind the twin's own, and `Unnoticed`
        if name in vars(base):
            member = vars(base)[name]
            if type(member) is property and member.fget is not None:
                return copies.replace(member.fget)(self)
            break
    return copies.replace(object.__getattribute__(self, name))


class Super:
    """The methods of base classes for a twin, as `super()` finds them."""

    __slots__ = ("_plain",)

    def __init__(self, *args: Any) -> None:
        if not args:
            # Python's own looks at the method that calls it, too.
            frame: Any = sys._getframe(1)
            first = frame.f_code.co_varnames[0]
            args = frame.f_locals["__class__"], frame.f_locals[first]
        object.__setattr__(self, "_plain", super(*args))

    def __getattribute__(self, name: str) -> Any:
        value = getattr(object.__getattribute__(self, "_plain"), name)
        copies = COPIES.get()
        if copies is None or not isinstance(value, MethodType):
            return value
        return copies.replace(value)
