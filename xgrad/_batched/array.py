"""An array at many points at once, of which the caller's function sees one.

Its base is the array at the point around which all others lie; what differs from it is
known on a `Region`: as differences, which linear operations carry on exactly, or as
values, which all others need.
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

    ``run`` is the `Trace` that it belongs to (`trace` is a method of NumPy's arrays).
    ``owner`` is the array whose memory it would share, at the ``version`` it then had.
    """

    __slots__ = (
        "base",
        "known_diff",
        "known_value",
        "owner",
        "region",
        "run",
        "stale",
        "version",
    )
    __array_priority__ = 1e6
    # Tells the boundary of xgrad what it is, without an import.
    hides_points = True

    def __init__(
        self,
        trace: Trace,
        base: Array,
        region: Region | None = None,
        diff: Array | None = None,
        value: Array | None = None,
    ) -> None:
        self.run = trace
        self.base = base
        self.region: Any = region  # not asked for where nothing differs
        self.known_diff = diff
        self.known_value = value
        self.owner: Batched | None = None
        self.version = 0
        self.stale = False

    # What is known of it

    @property
    def value(self) -> Array:
        """What its entries are where they differ, ``(points, slots, *inner)``."""
        if self.known_value is None:
            base = self.region.gather(self.base, self.run.rows)
            self.known_value = base + self.known_diff
        return self.known_value

    @property
    def diff(self) -> Array:
        """By how much its entries differ there; 0 in slots that do not exist."""
        if self.known_diff is None:
            self.known_diff = self.diff_as(None)
        return self.known_diff

    @property
    def has_diff(self) -> bool:
        """Whether differences are known without forming them from values."""
        return self.known_diff is not None

    def diff_as(self, dtype: Any) -> Array:
        """Differences in another dtype: of booleans and integers, too."""
        xp, region = self.run.xp, self.region
        if self.known_diff is not None:
            return (
                self.known_diff if dtype is None else _cast(xp, self.known_diff, dtype)
            )
        value, base = self.known_value, region.gather(self.base, self.run.rows)
        if dtype is not None:
            value, base = _cast(xp, value, dtype), _cast(xp, base, dtype)
        diff = value - base
        if region.valid is not None:
            diff = region.masked(diff)
        self.run.formed.append(diff)
        return diff

    def usable(self) -> Batched:
        """Itself, unless a view of it, or what it is a view of, was written to."""
        owner = self.owner
        if self.stale or (owner is not None and owner.version != self.version):
            raise self.run.refuse(
                "an assignment through a view", "assign to the array itself, or copy"
            )
        return self

    def viewing(self, of: Batched) -> Batched:
        """Marked as sharing memory with another one, as NumPy's views do."""
        owner = of if of.owner is None else of.owner
        self.owner, self.version = owner, owner.version
        return self

    def become(self, other: Batched) -> None:
        """Take on the content of another one: an assignment in place."""
        self.base, self.region = other.base, other.region
        self.known_diff, self.known_value = other.known_diff, other.known_value
        self.version += 1

    # What it looks like

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
        """Itself on its own device; no other is offered."""
        if device != self.device:
            raise self.run.refuse("a move to another device")
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return HANDLERS["namespace"](self.run.xp)

    @staticmethod
    def namespace(xp: Any) -> Any:
        """The namespace whose functions take batched arrays beside those of ``xp``."""
        return HANDLERS["namespace"](xp)

    def __repr__(self) -> str:
        return f"<{self.shape} {self.dtype} at {self.run.points} points>"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over an array without axes")
        return (self[i] for i in range(self.shape[0]))

    # What needs a single point

    def __divmod__(self, other: Any) -> Any:
        divide: Any = HANDLERS["operator"]
        pair = (self, other)
        return divide(operator.floordiv, pair), divide(operator.mod, pair)

    def __rdivmod__(self, other: Any) -> Any:
        divide: Any = HANDLERS["operator"]
        pair = (other, self)
        return divide(operator.floordiv, pair), divide(operator.mod, pair)

    def __bool__(self) -> bool:
        raise self.run.refuse(
            "a branch on a value (bool(x), if, and, or, min, max)",
            "choose by `where(condition, a, b)`",
        )

    def __float__(self) -> float:
        raise self.run.refuse(
            "float(x), a function of `math`, or an assignment into another array",
            "use the array itself, array functions, and `zeros_like(x)` or `stack`",
        )

    def __complex__(self) -> complex:
        raise self.run.refuse("complex(x)", "use `astype`")

    def __int__(self) -> int:
        raise self.run.refuse("int(x)", "use `astype`")

    def __index__(self) -> int:
        raise self.run.refuse(
            "an index computed from x", "use `where` or a sum over a mask"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self.run.refuse(
            "np.asarray(x), np.array([x[0], ...]), an assignment into another array, "
            "or a library that converts x to NumPy",
            "use `stack` or `concat`, `zeros_like(x)`, and array functions",
        )

    def __dlpack__(self, *arguments: Any, **options: Any) -> Any:
        raise self.run.refuse("an export through DLPack", "use array functions")

    def sort(self, axis: int = -1, kind: str | None = None) -> None:
        """Sort in place, as the method of NumPy's arrays does."""
        if self.owner is not None:
            raise self.run.refuse("sorting a view in place", "use the function `sort`")
        self.become(HANDLERS["sort"](self, axis, kind))

    def item(self, *arguments: Any) -> Any:
        """Refused: there is no single number."""
        raise self.run.refuse("x.item()", "use the array")

    def tolist(self) -> Any:
        """Refused: there are no single numbers."""
        raise self.run.refuse("x.tolist()", "use the array")

    def __getattr__(self, name: str) -> Any:
        """Methods, by the handler of the function of the same name."""
        if name in METHODS:
            handler = HANDLERS[name]
            return lambda *args, **kwargs: handled(
                self.run, name, handler, (self.usable(), *args), kwargs
            )
        if not name.startswith("__"):
            self.run.refuse(f"the attribute `{name}`", "write it without")
        raise AttributeError(f"an array at many points has no attribute {name!r}")

    # Protocols

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        return HANDLERS["ufunc"](self.run, ufunc, method, inputs, options)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        name = NUMPY_NAMES.get(function)
        if name is None:
            raise self.run.refuse(
                f"np.{getattr(function, '__name__', function)}",
                "write it with functions of the array API standard",
            )
        return handled(self.run, f"np.{name}", HANDLERS[name], args, kwargs)

    def __cupy_override_elementwise_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        return HANDLERS["cupy_kernel"](self.run, kernel, args, kwargs)

    def __cupy_override_reduction_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        return HANDLERS["cupy_reduction"](self.run, kernel, self, args, kwargs)

    # Indexing

    def __getitem__(self, key: Any) -> Any:
        return HANDLERS["getitem"](self.usable(), key)

    def __setitem__(self, key: Any, value: Any) -> None:
        HANDLERS["setitem"](self, key, value)

    @property
    def T(self) -> Any:  # noqa: N802 (the name of the standard)
        """Axes in reverse order."""
        return HANDLERS["transpose"](self.usable())

    @property
    def mT(self) -> Any:  # noqa: N802
        """The last two axes swapped."""
        return HANDLERS["matrix_transpose"](self.usable())

    @property
    def real(self) -> Any:
        """Real part."""
        return HANDLERS["real"](self.usable())

    @property
    def imag(self) -> Any:
        """Imaginary part."""
        return HANDLERS["imag"](self.usable())

    __hash__ = None  # type: ignore[assignment]


def handled(
    trace: Trace, name: str, handler: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    """What a handler gives; arguments that it does not have are refused by name."""
    try:
        return handler(*args, **kwargs)
    except TypeError as error:
        here = error.__traceback__
        if isinstance(error, NotBatchedError) or here is None or here.tb_next:
            raise
        name = name.removeprefix("np.numpy.").removeprefix("np.")
        what = str(error).partition(") ")[2] or "other arguments"
        raise trace.refuse(f"`{name}`, which {what}", "write it without") from None


METHODS = frozenset(
    "all any argmax argmin argsort astype clip conj conjugate copy cumprod cumsum "
    "diagonal dot flatten max mean min prod ptp ravel repeat reshape round squeeze "
    "std sum swapaxes take trace transpose var".split()
)
PLAIN = (bool, int, float, complex)


def _cast(xp: Any, x: Array, dtype: Any) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)


def is_operand(x: Any) -> bool:
    """Whether it can stand beside a batched array in an operation."""
    return isinstance(x, (*PLAIN, Batched, list, tuple)) or hasattr(x, "dtype")


def _as_array(x: Any) -> Any:
    """Lists beside an array, which NumPy takes."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def _add_operators() -> None:
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
