"""Count array operations and device-to-host synchronisations on a CPU.

``array_api_strict`` stands in for CuPy: while :func:`counting` is active, each of its
functions and operators that would launch work on a GPU is noted by name, and so is each
access that would make the host wait for the device::

    with counting() as count:
        loss(prediction, target)
    assert count.launches <= 9
    assert not count.syncs

``counting(forbid_syncs=True)`` raises :class:`HostSync` at the offending line instead.
Put the arrays on ``array_api_strict.Device("device1")``: NumPy then refuses them, so a
hidden copy to the host cannot pass unnoticed.

Exact and repeatable, so a test may pin the counts. It sees ``array_api_strict`` alone:
an operation is one launch of CuPy or more, and views count as free.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import array_api_strict

Array = type(array_api_strict.empty(0))

_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
OPERATORS = {
    *(f"__{prefix}{name}__" for name in _BINARY.split() for prefix in ("", "r", "i")),
    *(f"__{name}__" for name in "lt le gt ge eq ne neg pos abs invert".split()),
}
# What CuPy answers without a kernel: a new view of the same memory, or facts about it.
VIEWS = set(
    "broadcast_arrays broadcast_to expand_dims flip matrix_transpose moveaxis "
    "permute_dims reshape squeeze unstack diagonal".split()
)
FACTS = set(
    "broadcast_shapes can_cast empty empty_like finfo from_dlpack iinfo isdtype "
    "result_type".split()
)
# Results whose shape depends on the values: CuPy must read a count back first.
DATA_DEPENDENT = set(
    "nonzero unique_all unique_counts unique_inverse unique_values".split()
)
# Accesses that need a value on the host.
HOST_ACCESS = (
    "__bool__ __int__ __float__ __complex__ __index__ __array__ __buffer__ "
    "__dlpack__ __repr__ __str__"
).split()


class HostSync(RuntimeError):
    """The host waited for the device where the caller forbade it."""


@dataclass
class Count:
    """What happened inside :func:`counting`, in the order in which it happened."""

    operations: list[str] = field(default_factory=list)
    syncs: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)

    @property
    def launches(self) -> int:
        """Number of array operations: a lower bound of CuPy's kernel launches."""
        return len(self.operations)


@contextlib.contextmanager
def counting(*, forbid_syncs: bool = False) -> Iterator[Count]:
    """Count what ``array_api_strict`` does in this block; undo everything at its end.

    The counters hang on the classes and modules of ``array_api_strict``, so use one
    block at a time and one thread.
    """
    probe = _Probe(Count(), forbid_syncs)
    with contextlib.ExitStack() as undo:

        def replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
            original = vars(owner)[name]
            undo.callback(setattr, owner, name, original)
            setattr(owner, name, wrap(original))

        for name in OPERATORS & vars(Array).keys():
            replace(Array, name, functools.partial(probe.operation, name))
        for name in HOST_ACCESS:
            if name in vars(Array):
                replace(Array, name, functools.partial(probe.host_access, name))
        replace(Array, "__getitem__", probe.getitem)
        replace(Array, "__setitem__", probe.setitem)
        replace(Array, "to_device", probe.to_device)
        # The extensions are absent where the flags of array_api_strict disable them.
        linalg = getattr(array_api_strict, "linalg", None)
        fft = getattr(array_api_strict, "fft", None)
        for module in filter(None, (array_api_strict, linalg, fft)):
            for name in _array_functions(module):
                replace(module, name, functools.partial(probe.function, name))
        yield probe.count


def _array_functions(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and not name.startswith("_")
        and "flags" not in name
        and name not in VIEWS | FACTS
    ]


@dataclass
class _Probe:
    """Wrappers that note an outermost call and leave nested ones alone."""

    count: Count
    forbid_syncs: bool
    depth: int = 0

    def note_sync(self, name: str) -> None:
        if self.depth:
            return
        self.count.syncs.append(name)
        if self.forbid_syncs:
            raise HostSync(f"{name} copies from the device to the host and waits")

    def note(self, log: list[str], name: str) -> None:
        if not self.depth:
            log.append(name)

    def inside(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.depth += 1
        try:
            return call(*args, **options)
        finally:
            self.depth -= 1

    def operation(self, name: str, original: Any) -> Any:
        @functools.wraps(original)
        def counted(*args: Any, **options: Any) -> Any:
            if name in DATA_DEPENDENT:
                self.note_sync(name)
            self.note(self.count.operations, name)
            return self.inside(original, *args, **options)

        return counted

    def host_access(self, name: str, original: Any) -> Any:
        @functools.wraps(original)
        def counted(*args: Any, **options: Any) -> Any:
            self.note_sync(name)
            return self.inside(original, *args, **options)

        return counted

    def function(self, name: str, original: Any) -> Any:
        special = {"asarray": self.asarray, "astype": self.astype}.get(name)
        return special(original) if special else self.operation(name, original)

    def asarray(self, original: Any) -> Any:
        @functools.wraps(original)
        def counted(obj: Any, /, *, dtype: Any = None, **options: Any) -> Any:
            if not isinstance(obj, Array):
                self.note(self.count.uploads, "asarray")
            elif options.get("copy") or dtype not in (None, obj.dtype):
                self.note(self.count.operations, "asarray")
            return self.inside(original, obj, dtype=dtype, **options)

        return counted

    def astype(self, original: Any) -> Any:
        @functools.wraps(original)
        def counted(x: Any, dtype: Any, /, *, copy: bool = True, **options: Any) -> Any:
            if copy or dtype != x.dtype:
                self.note(self.count.operations, "astype")
            return self.inside(original, x, dtype, copy=copy, **options)

        return counted

    def to_device(self, original: Any) -> Any:
        @functools.wraps(original)
        def counted(x: Any, device: Any, /, **options: Any) -> Any:
            if device != x.device:
                if device == array_api_strict.Device("CPU_DEVICE"):
                    self.note_sync("to_device")
                else:
                    self.note(self.count.uploads, "to_device")
            return self.inside(original, x, device, **options)

        return counted

    def getitem(self, original: Any) -> Any:
        @functools.wraps(original)
        def counted(x: Any, key: Any, /) -> Any:
            if _has_mask(key):
                self.note_sync("x[mask]")
            if _has_array(key):
                self.note(self.count.operations, "x[array]")
            return self.inside(original, x, key)

        return counted

    def setitem(self, original: Any) -> Any:
        @functools.wraps(original)
        def counted(x: Any, key: Any, value: Any, /) -> Any:
            if _has_mask(key):
                self.note_sync("x[mask] =")
            self.note(self.count.operations, "x[...] =")
            return self.inside(original, x, key, value)

        return counted


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _has_array(key: Any) -> bool:
    return any(isinstance(part, Array) for part in _parts(key))


def _has_mask(key: Any) -> bool:
    return any(
        isinstance(part, Array) and part.dtype == array_api_strict.bool
        for part in _parts(key)
    )
