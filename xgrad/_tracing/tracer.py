"""The primitives that all functions are written in, for a tracer to implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from xgrad._arrays import Array, is_numpy, is_standin
from xgrad._tracing.linearity import linear_functions
from xgrad._tracing.refusals import NotTraceableError, caller_line

Traced = Any  # a stand-in of the tracer's own class
Operand = Any  # a stand-in, an array or a number
Function = Callable[..., Any]
Axes = tuple[int, ...]


def is_over_numpy(xp: Any) -> bool:
    """Whether arrays of a namespace are those of NumPy, or stand for such arrays."""
    while is_standin(xp):
        xp = xp._xp
    return is_numpy(xp)


class Primitives(Protocol):
    """The operations in which all functions are written.

    Each computes the result at the base by a function of plain arrays. The function, or
    ``operation`` where one is asked for, has to be equal each time that the caller's
    function comes by: a tracer may know the operation by it.
    """

    def elementwise(self, function: Function, *operands: Operand) -> Traced:
        """Apply a function of entries at the same place, with broadcasting."""

    def summed(
        self,
        operation: Any,
        function: Function,
        x: Traced,
        axes: Axes,
        keepdims: bool,
        divisor: int = 1,
    ) -> Traced:
        """Sum over axes and divide by a number, as ``function(x, axes, keepdims)``."""

    def along(
        self,
        operation: Any,
        function: Function,
        x: Traced,
        axes: Axes,
        keepdims: bool | None,
        leave_one_out: tuple[Function, Function] | None = None,
    ) -> Traced:
        """Apply a function of whole fibres, ``function(x, axes, keepdims)``.

        It reduces the axes, or keeps their length (``keepdims`` None).
        ``leave_one_out`` computes for each entry the reduction of all others, and joins
        that with an entry.
        """

    def product(
        self, operation: Any, plain: Function, many: Function, a: Operand, b: Operand
    ) -> Traced:
        """Multiply ``a @ b``; the functions are those of `everywhere`."""

    def gathered(self, operation: Any, function: Function, x: Traced) -> Traced:
        """Apply a function that only moves, repeats or leaves out entries."""

    def placed(self, operation: Any, x: Traced, sources: Callable[[], Array]) -> Traced:
        """Put entries into zeros: ``sources()`` says which one goes where, or -1."""

    def sliced(self, x: Traced, key: tuple[Any, ...]) -> Traced:
        """Return ``x[key]`` for integers and slices, one for each axis, and None."""

    def reshaped(self, x: Traced, shape: tuple[int, ...]) -> Traced:
        """Return ``x`` in another shape, in C order."""

    def permuted(self, x: Traced, axes: tuple[int, ...]) -> Traced:
        """Return ``x`` with its axes in another order."""

    def broadcast(self, x: Traced, shape: tuple[int, ...]) -> Traced:
        """Return ``x`` repeated along new axes and along those of length 1."""

    def everywhere(
        self, operation: Any, plain: Function, many: Function, *operands: Operand
    ) -> Any:
        """Apply any function of all entries, which may return a tuple.

        ``many`` is the same function for operands with one more leading axis, along
        which it maps; constant operands have none.
        """

    def constant(
        self, operation: Any, like: Traced, make: Callable[[], Array]
    ) -> Traced:
        """Return an array that does not depend on x, and can be written into."""

    def copy(self, x: Traced) -> Traced:
        """Return ``x`` in memory of its own."""


class Tracer(Primitives):
    """One call of a function with stand-ins: its namespace, and what stopped it.

    The functions of this package are written in its primitives. A tracer says
    what these mean for its kind of stand-in, and ``overrides`` has those functions that
    it computes in a better way of its own. ``linear`` tells which functions of entries
    are linear.

    ``refusal`` is the first error that left a function, because it cannot be traced or
    fails at some of the points. Once the call is over, the tracer is ``closed``, and
    the stand-ins that are kept act as their bases.
    """

    closed = False
    overrides: ClassVar[dict[Function, Function]] = {}
    # Whether there is one point alone, whose values may choose entries and branches.
    knows_values: ClassVar[bool] = False

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.is_numpy = is_over_numpy(xp)
        self.linear = linear_functions(xp)
        self.refusal: Exception | None = None

    def refuse(
        self, idiom: str, remedy: str = "", place: str | None = None
    ) -> NotTraceableError:
        """Return the error to raise, and note it in case the function catches it.

        ``place`` is the caller's line, if it is not the present one.
        """
        place = caller_line() if place is None else place
        error = NotTraceableError(idiom, remedy, place)
        self.note(error)
        return error

    def known_values(self, x: Operand, idiom: str, remedy: str) -> Any:
        """Return the values of an operand as a plain array; refuse without any.

        They are known where there is one point alone: then they may choose entries.
        """
        if is_standin(x):
            raise self.refuse(idiom, remedy)
        return x

    def note_equality(self, equal: Any) -> None:
        """Note where values lie at a border, for a tracer that knows one point."""

    def note(self, error: Exception) -> None:
        """Note an error that leaves a function, in case the caller's one catches it.

        A result that is then returned is right where the function fails, and wrong at
        all other points.
        """
        # The first error is the cause; later ones may follow from its handling.
        if self.refusal is None:
            self.refusal = error
