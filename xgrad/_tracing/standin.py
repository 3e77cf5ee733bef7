"""Stand in for an array at many points, of which the caller's function sees one.

The base is the array at the point around which all others lie. Data of the others are
stored on a `Region`: as differences from the base, which linear operations carry on
exactly, or as values, which all other operations need.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._batched.region import Region
from xgrad._batched.trace import NotBatchedError, Trace

HANDLERS: dict[str, Callable[..., Any]] = {}
NUMPY_NAMES: dict[Any, str] = {}


class Batched:
    """An array at many points, which looks like the array at one of them.

    ``base`` is the array at ``x``, and ``region`` says which entries differ from it
    (None: not one). ``stored_diff`` and ``stored_value``, ``(points, slots, *inner)``,
    are their differences and their values; at least one of them is stored. ``tracer``
    is the `Trace` that the array belongs to (`trace` is a method of NumPy's arrays).

    ``owner`` is the array whose memory it shares as a view, at the ``version`` that
    this then had; ``stale`` says that its memory was written to through another array.
    """

    # Every operation makes one: slots keep it small, and fast to read.
    __slots__ = (
        "base",
        "owner",
        "region",
        "stale",
        "stored_diff",
        "stored_value",
        "tracer",
        "version",
    )
    # An operator leaves the operation to the operand of the highest priority: above
    # those of `np.matrix` (10), SciPy's sparse arrays (10.1) and CuPy's arrays (100).
    __array_priority__ = 1e6
    # By this the boundary of xgrad recognizes it without an import.
    hides_points = True

    def __init__(
        self,
        trace: Trace,
        base: Array,
        region: Region | None = None,
        diff: Array | None = None,
        value: Array | None = None,
    ) -> None:
        self.tracer = trace
        self.base = base
        self.region: Any = region  # Any: most code has asked already whether it is None
        self.stored_diff = diff
        self.stored_value = value
        self.owner: Batched | None = None
        self.version = 0
        self.stale = False

    @property
    def value(self) -> Array:
        """Values on the region, ``(points, slots, *inner)``; computed if need be."""
        if self.stored_value is None:
            base = self.region.gather(self.base, self.tracer.axes_first)
            self.stored_value = base + self.stored_diff
        return self.stored_value

    @property
    def diff(self) -> Array:
        """Differences on the region, ``(points, slots, *inner)``; 0 in invalid ones."""
        if self.stored_diff is None:
            self.stored_diff = self.diff_as(None)
        return self.stored_diff

    @property
    def has_diff(self) -> bool:
        """Whether differences are stored, so that none need be formed from values."""
        return self.stored_diff is not None

    def diff_as(self, dtype: Any) -> Array:
        """Return the differences in another dtype, also those of booleans and integers.

        They are formed in that dtype if they are not stored, since booleans have none
        and differences of unsigned integers would wrap around.
        """
        xp, region = self.tracer.xp, self.region
        # Stored differences come first: they are exact, while those of values cancel.
        if self.stored_diff is not None:
            return (
                self.stored_diff
                if dtype is None
                else _cast(xp, self.stored_diff, dtype)
            )
        value = self.stored_value
        base = region.gather(self.base, self.tracer.axes_first)
        if dtype is not None:
            value, base = _cast(xp, value, dtype), _cast(xp, base, dtype)
        diff = value - base
        if region.valid is not None:
            diff = region.mask(diff)
        self.tracer.unchecked_diffs.append(diff)
        return diff

    def map_stored(self, function: Callable[[Array], Array]) -> dict[str, Any]:
        """Apply a function to the stored data; return arguments for a new array."""
        stored = {}
        if self.stored_diff is not None:
            stored["diff"] = function(self.stored_diff)
        if self.stored_value is not None:
            stored["value"] = function(self.stored_value)
        return stored

    def ensure_current(self) -> Batched:
        """Return itself; refuse if a view of it, or the owner of it, was written to."""
        owner = self.owner
        if self.stale or (owner is not None and owner.version != self.version):
            raise self.tracer.refuse(
                "an assignment through a view", "assign to the array itself, or copy"
            )
        return self

    def as_view_of(self, source: Batched) -> Batched:
        """Mark itself as sharing the memory of another array, as NumPy's views do."""
        # The owner itself, not a view of it: all views of one memory have one owner.
        owner = source if source.owner is None else source.owner
        self.owner, self.version = owner, owner.version
        return self

    def assign(self, other: Batched) -> None:
        """Replace its content by that of another array, as assignments in place do."""
        # Data are never written to, since other arrays share them: names are exchanged.
        self.base, self.region = other.base, other.region
        self.stored_diff, self.stored_value = other.stored_diff, other.stored_value
        self.version += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape at one point."""
        return self.base.shape

    @property
    def dtype(self) -> Any:
        """Dtype at every point."""
        return self.base.dtype

    @property
    def ndim(self) -> int:
        """Number of axes at one point."""
        return len(self.base.shape)

    @property
    def size(self) -> int:
        """Number of entries at one point."""
        return math.prod(self.base.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an entry."""
        return self.base.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the array at one point."""
        return self.size * self.itemsize

    @property
    def device(self) -> Any:
        """Device of the arrays."""
        return device_of(self.base)

    def to_device(self, device: Any, /) -> Batched:
        """Return itself on its own device; refuse any other."""
        if device != self.device:
            raise self.tracer.refuse("a move to another device")
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return HANDLERS["namespace"](self.tracer.xp)

    @staticmethod
    def namespace(xp: Any) -> Any:
        """Return a namespace whose functions take arrays of ``xp`` and batched ones."""
        return HANDLERS["namespace"](xp)

    def __repr__(self) -> str:
        return f"<{self.shape} {self.dtype} at {self.tracer.points} points>"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over an array without axes")
        return (self[i] for i in range(self.shape[0]))

    def __divmod__(self, other: Any) -> Any:
        divide: Any = HANDLERS["operator"]
        pair = (self, other)
        return divide(operator.floordiv, pair), divide(operator.mod, pair)

    def __rdivmod__(self, other: Any) -> Any:
        divide: Any = HANDLERS["operator"]
        pair = (other, self)
        return divide(operator.floordiv, pair), divide(operator.mod, pair)

    # Python wants one value from each of these, and many points have many. The text of
    # the error tells both what the caller wrote and what to write instead.
    def __bool__(self) -> bool:
        raise self.tracer.refuse(
            "a branch on a value (bool(x), if, and, or, min, max)",
            "choose by `where(condition, a, b)`",
        )

    def __float__(self) -> float:
        raise self.tracer.refuse(
            "float(x), a function of `math`, or an assignment into another array",
            "use the array itself, array functions, and `zeros_like(x)` or `stack`",
        )

    def __complex__(self) -> complex:
        raise self.tracer.refuse("complex(x)", "use `astype`")

    def __int__(self) -> int:
        raise self.tracer.refuse("int(x)", "use `astype`")

    def __index__(self) -> int:
        raise self.tracer.refuse(
            "an index computed from x", "use `where` or a sum over a mask"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self.tracer.refuse(
            "np.asarray(x), np.array([x[0], ...]), an assignment into another array, "
            "or a library that converts x to NumPy",
            "use `stack` or `concat`, `zeros_like(x)`, and array functions",
        )

    def __dlpack__(self, *arguments: Any, **options: Any) -> Any:
        raise self.tracer.refuse("an export through DLPack", "use array functions")

    def sort(self, axis: int = -1, kind: str | None = None) -> None:
        """Sort in place, as the method of NumPy's arrays does."""
        if self.owner is not None:
            raise self.tracer.refuse(
                "sorting a view in place", "use the function `sort`"
            )
        self.assign(HANDLERS["sort"](self, axis, kind))

    def item(self, *arguments: Any) -> Any:
        """Refuse, since there is no single number."""
        raise self.tracer.refuse("x.item()", "use the array")

    def tolist(self) -> Any:
        """Refuse, since there are no single numbers."""
        raise self.tracer.refuse("x.tolist()", "use the array")

    def __getattr__(self, name: str) -> Any:
        """Return a method, which calls the handler of the function of its name."""
        # Only those methods that NumPy's arrays have, whatever is registered.
        if name in METHODS:
            handler = HANDLERS[name]
            return lambda *args, **kwargs: handled(
                self.tracer, name, handler, (self.ensure_current(), *args), kwargs
            )
        if not name.startswith("__"):
            # Noted, not raised: `hasattr` and `getattr` with a default go on.
            self.tracer.refuse(f"the attribute `{name}`", "write it without")
        raise AttributeError(f"an array at many points has no attribute {name!r}")

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        return HANDLERS["ufunc"](self.tracer, ufunc, method, inputs, options)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        # By the function itself, since several have one `__name__`.
        name = NUMPY_NAMES.get(function)
        if name is None:
            raise self.tracer.refuse(
                f"np.{getattr(function, '__name__', function)}",
                "write it with functions of the array API standard",
            )
        return handled(self.tracer, f"np.{name}", HANDLERS[name], args, kwargs)

    def __cupy_override_elementwise_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        return HANDLERS["cupy_kernel"](self.tracer, kernel, args, kwargs)

    def __cupy_override_reduction_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        return HANDLERS["cupy_reduction"](self.tracer, kernel, self, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        return HANDLERS["getitem"](self.ensure_current(), key)

    def __setitem__(self, key: Any, value: Any) -> None:
        HANDLERS["setitem"](self, key, value)

    @property
    def T(self) -> Any:  # noqa: N802 (the name of the standard)
        """Axes in reverse order."""
        return HANDLERS["transpose"](self.ensure_current())

    @property
    def mT(self) -> Any:  # noqa: N802
        """The last two axes swapped."""
        return HANDLERS["matrix_transpose"](self.ensure_current())

    @property
    def real(self) -> Any:
        """Real part."""
        return HANDLERS["real"](self.ensure_current())

    @property
    def imag(self) -> Any:
        """Imaginary part."""
        return HANDLERS["imag"](self.ensure_current())

    # As NumPy's arrays: `==` compares entries, so that no hash agrees with it.
    __hash__ = None  # type: ignore[assignment]


def handled(
    trace: Trace, name: str, handler: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    """Call a handler; refuse arguments that it does not have by their names."""
    try:
        return handler(*args, **kwargs)
    except TypeError as error:
        # An error of the call itself has no frame below this one.
        here = error.__traceback__
        if isinstance(error, NotBatchedError) or here is None or here.tb_next:
            raise
        name = name.removeprefix("np.numpy.").removeprefix("np.")
        # Python names the handler, which the caller does not know: it is cut off.
        complaint = str(error).partition(") ")[2] or "other arguments"
        raise trace.refuse(f"`{name}`, which {complaint}", "write it without") from None


METHODS = frozenset(
    "all any argmax argmin argsort astype clip conj conjugate copy cumprod cumsum "
    "diagonal dot flatten max mean min prod ptp ravel repeat reshape round squeeze "
    "std sum swapaxes take trace transpose var".split()
)
PLAIN = (bool, int, float, complex)


def _cast(xp: Any, x: Array, dtype: Any) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)


def is_operand(x: Any) -> bool:
    """Whether a batched array can be combined with it by an operator."""
    # Anything else, such as a tensor of another kind, gets its own operator's chance.
    return isinstance(x, (*PLAIN, Batched, list, tuple)) or hasattr(x, "dtype")


def _as_array(x: Any) -> Any:
    """Return lists as arrays, since NumPy's operators take both."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def _add_operators() -> None:
    """Give `Batched` its operators: plain, reflected, in place and of one operand."""

    def forward(function: Callable[..., Any]) -> Any:
        def method(self: Batched, other: Any) -> Any:
            if not is_operand(other):
                return NotImplemented
            return HANDLERS["operator"](function, (self, _as_array(other)))

        return method

    def reflected(function: Callable[..., Any]) -> Any:
        def method(self: Batched, other: Any) -> Any:
            if not is_operand(other):
                return NotImplemented
            return HANDLERS["operator"](function, (_as_array(other), self))

        return method

    def in_place(function: Callable[..., Any]) -> Any:
        def method(self: Batched, other: Any) -> Any:
            return HANDLERS["in_place"](function, self, other)

        return method

    def unary(function: Callable[..., Any]) -> Any:
        return lambda self: HANDLERS["operator"](function, (self,))

    # Functions of `operator` stand for the operators, since they work on all libraries
    # and give the same object every time, by which a chunk knows its operation again.
    names = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift"
    for name in names.split():
        function = getattr(operator, name)
        short = name.rstrip("_")
        setattr(Batched, f"__{short}__", forward(function))
        setattr(Batched, f"__r{short}__", reflected(function))
        setattr(Batched, f"__i{short}__", in_place(function))
    for name in "lt le gt ge eq ne".split():
        setattr(Batched, f"__{name}__", forward(getattr(operator, name)))
    for name in "neg pos abs invert".split():
        setattr(Batched, f"__{name}__", unary(getattr(operator, name)))


_add_operators()
