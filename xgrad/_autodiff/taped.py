"""Stand in for an array whose history is on a tape."""

from __future__ import annotations

import operator
from typing import Any, Self

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing import StandIn, is_creating

Step = tuple[Any, Any]  # a function of an array and an argument, which returns a view


class Taped(StandIn):
    """An array with its value, ``base``, and its position on the tape, ``at``.

    A position of -1 marks a constant. A view has ``origin``: the array whose memory it
    shares, the steps that lead from there to it, and the version of that array that it
    shows. ``version`` counts the assignments to an array, and ``kept`` tells that a
    rule holds its memory, so that the next assignment copies it first. ``number`` is
    that of a tape in little memory, and not set by others.
    """

    __slots__ = ("at", "kept", "number", "origin", "version")

    tracer: Any
    number: int

    def __init__(self, tape: Any, base: Array, at: int = -1) -> None:
        self.tracer = tape
        self.base = base
        self.at = at
        self.origin: tuple[Taped, tuple[Step, ...], int] | None = None
        self.version = 0
        self.kept = False

    @property
    def flags(self) -> Any:
        """Layout of the memory, as the arrays of NumPy and CuPy have it."""
        return self.base.flags

    def setflags(self, write: Any = None, align: Any = None, uic: Any = None) -> None:
        """Do nothing: a plain call has found that nothing is written into it."""

    def ensure_current(self) -> Self:
        """Return itself, with the present content of the array that it is a view of."""
        view = self.origin
        if view is not None and view[0].version != view[2]:
            self.tracer.renew(self)
        return self

    def ensure_writable(self, value: Any) -> None:
        """Do nothing: every array can be written into, also through its views."""

    def as_view_of(self, source: Any) -> Self:
        """Return itself: the primitives have linked views to their owners."""
        return self

    def assign(self, other: Any) -> None:
        """Replace the content by that of another array."""
        self.tracer.replace(self, other)

    def update(self, new: Any) -> Any:
        """Assign the result of ``x += other`` and the like; return the array to use."""
        # A scalar of NumPy cannot be changed: its name gets a new one.
        if is_scalar(self.base):
            return new
        self.tracer.replace(self, new)
        return self

    def record_pull(self, base: Any, pull: Any, *saved: Any) -> Any:
        """Return a function of this array with its own pull, ``pull(g, *saved)``."""
        return self.tracer.result(base, self.tracer.edge(self, pull, *saved))

    def record_call(self, function: Any) -> Any:
        """Return a function of this array that also returns its pull, and what to keep.

        A tape in little memory may call it again.
        """
        return self.tracer.called(function, self)

    def __getitem__(self, key: Any) -> Any:
        if self.tracer.closed:
            return self.ensure_current().base[key]
        return self.tracer.read(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.tracer.write(self, key, value)

    def __bool__(self) -> bool:
        # A branch: the derivative is that of the side that was taken.
        self.tracer.used = True
        is_other = bool(self.ensure_current().base)
        if not is_other and self.at >= 0 and not self.tracer.closed:
            self.tracer.note_equality(np.True_)
        return is_other

    def __float__(self) -> float:
        return float(self._constant("__float__"))

    def __int__(self) -> int:
        return int(self._constant("__int__"))

    def __index__(self) -> int:
        # An error for floats, as in the plain call. NumPy 2.0 asks exponents for it.
        return operator.index(self.ensure_current().base)

    def __complex__(self) -> complex:
        return complex(self._constant("__complex__"))

    def __hash__(self) -> int:  # type: ignore[override]
        # Arrays have none, but their entries do, by which caches and dicts know them.
        if self.ndim:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(self._constant("__hash__")[()])

    def plain_constant(self) -> Any:
        """Return the array of a constant, for a library; None if it depends on x."""
        if self.ensure_current().at >= 0:
            return None
        # An argument without a tangent is one, and is used all the same.
        self.tracer.used = True
        owner = self if self.origin is None else self.origin[0]
        self.tracer.exported[id(owner)] = owner
        # Such as an argument without entries.
        self.tracer.used = True
        return np.asarray(self.base)

    def item(self, *args: Any) -> Any:
        """Return an entry as a number, which is a stand-in in a copy of a function."""
        if not self._is_to_stay():
            return self._constant("item").item(*args)
        if len(args) == 1 and not isinstance(args[0], tuple):
            return self.reshape((-1,))[args[0]]
        if not args and self.size != 1:
            raise ValueError("only an array of one entry can be converted to a number")
        key = args[0] if len(args) == 1 else args
        return self[key].copy() if key else self.reshape((-1,))[0]

    def tolist(self) -> Any:
        """Return the entries in lists, as stand-ins in a copy of a function."""
        if not self._is_to_stay():
            return self._constant("tolist").tolist()
        return [row.tolist() for row in self] if self.ndim else self.copy()

    def _is_to_stay(self) -> bool:
        """Whether numbers that depend on x are to stay on the tape."""
        return (
            self.ensure_current().at >= 0 and not self.tracer.closed and is_creating()
        )

    def _constant(self, name: str) -> Any:
        """Return the value of a constant; refuse one that depends on x."""
        if self.ensure_current().at >= 0 and not self.tracer.closed:
            # An error of the plain call, which the function may catch, as there.
            if self.size != 1 and name.startswith("__"):
                raise TypeError("only arrays of one entry can be converted to numbers")
            raise self.tracer.refuse(*REFUSED[name])
        return self.base

    def __repr__(self) -> str:
        return repr(self._shown())

    def __str__(self) -> str:
        return str(self._shown())

    def __format__(self, spec: str) -> str:
        return format(self._shown(), spec)

    def _shown(self) -> Any:
        """Return the value, of which the function gets the text."""
        if self.ensure_current().at >= 0 and not self.tracer.closed:
            # It may look up results by it.
            self.tracer.used = self.tracer.reads_text = True
        return self.base


def laid_out_as_copies(base: Array) -> Array:
    """Return an argument in the layout of its copies, which plain calls get.

    Of others a function may make a copy where it makes a view of these.
    """
    is_other = isinstance(base, np.ndarray) and not base.flags.forc
    return base.copy("K") if is_other else base


def is_scalar(base: Any) -> bool:
    """Whether a value is a scalar of NumPy, also if it is recorded itself."""
    while isinstance(base, StandIn):
        base = base.base
    return isinstance(base, np.generic)


ARRAYS = "use the array itself and functions of arrays"
REFUSED = {
    "__float__": (
        "float(x), a function of `math`, or an assignment of an entry of x into an "
        "array that was made by `np.zeros` or the like",
        f"{ARRAYS}, and `np.zeros(n, like=x)`, `np.zeros_like(x)` or `np.stack`",
    ),
    "__complex__": ("complex(x)", "use `astype`"),
    "__hash__": (
        "hash(x), as for a key of a dict or a function with a cache",
        "call the function below the cache",
    ),
    "__int__": (
        "int(x), or an assignment of an entry of x into an array of integers",
        "use `astype` or `np.floor`, and arrays of floats",
    ),
    "item": ("x.item()", ARRAYS),
    "tolist": ("x.tolist()", ARRAYS),
}
