"""Stand in for an array while the caller's function runs."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from array_api_compat import is_array_api_obj

from xgrad._arrays import Array, copied, device_of
from xgrad._tracing.closed import any_closed, released
from xgrad._tracing.namespace import namespace_of
from xgrad._tracing.registry import CREATION, FUNCTIONS, NUMPY_NAMES, Function, call
from xgrad._tracing.tracer import Tracer


class StandIn:
    """An object that looks like the array at ``x``, whose values are those of `base`.

    Python, NumPy and CuPy hand all that is done with it to the functions of this
    package, which are written in the primitives of its ``tracer``. (`trace` is a method
    of NumPy's arrays.)
    """

    # Every operation makes one: slots keep it small, and fast to read.
    __slots__ = ("base", "tracer")
    # An operator leaves the operation to the operand of the highest priority: above
    # those of `np.matrix` (10), SciPy's sparse arrays (10.1) and CuPy's arrays (100).
    __array_priority__ = 1e6
    # By this the boundary of xgrad recognizes it without an import.
    stands_in = True
    # A function of closed form, with its pull, is one operation where this is a method.
    record_pull: Any = None
    record_call: Any = None

    base: Array
    tracer: Tracer

    def ensure_current(self) -> Self:
        """Return itself; refuse if its memory was written to through another array."""
        raise NotImplementedError

    def ensure_writable(self, value: Any) -> None:
        """Refuse if ``x[key] = value`` would change another array as well."""
        raise NotImplementedError

    def as_view_of(self, source: Self) -> Self:
        """Mark itself as sharing the memory of another array, as NumPy's views do."""
        raise NotImplementedError

    def assign(self, other: Self) -> None:
        """Replace its content by that of another array, as assignments do."""
        raise NotImplementedError

    def update(self, new: Self) -> Self:
        """Assign the result of ``x += other`` and the like; return the array to use."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape at ``x``, as at all other points."""
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

    def to_device(self, device: Any, /) -> Self:
        """Return itself on its own device; refuse any other."""
        if device != self.device:
            raise self.tracer.refuse("a move to another device")
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return namespace_of(self.tracer.xp)

    # A namespace whose functions take arrays of a library and stand-ins.
    namespace = staticmethod(namespace_of)

    def __repr__(self) -> str:
        if self.tracer.closed:
            return repr(self.base)
        # Noted, not raised, so that debuggers can show it. A function that looks up
        # results by the text of x, or reads numbers from it, needs that of one point.
        self.tracer.refuse(*TEXT)
        return f"<{self.shape} {self.dtype} at many points>"

    def __format__(self, spec: str) -> str:
        if self.tracer.closed:
            return format(self.base, spec)
        # Numbers have formats that arrays have not: the text stands for any of them.
        return repr(self)

    def __str__(self) -> str:
        return str(self.base) if self.tracer.closed else repr(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over an array without axes")
        return (self[i] for i in range(self.shape[0]))

    def __divmod__(self, other: Any) -> Any:
        return operator.floordiv(self, other), operator.mod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return operator.floordiv(other, self), operator.mod(other, self)

    def sort(self, axis: int = -1, kind: str | None = None) -> None:
        """Sort in place, as the method of NumPy's arrays does."""
        self._assign_result("sort", axis, kind)

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect") -> None:
        """Partition in place, as the method of NumPy's arrays does."""
        self._assign_result("partition", kth, axis, kind)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the entries along an axis that a condition marks."""
        if self.tracer.closed:
            return np.compress(condition, self.base, axis)
        # The function of this name has the array second.
        args = condition, self.ensure_current(), axis
        return call(self.tracer, "compress", FUNCTIONS["compress"], args, {})

    def conj(self) -> Any:
        """Return the conjugate of complex numbers; real ones are the array itself."""
        is_complex = self.dtype.kind == "c"
        return self._call("conj") if is_complex else self.ensure_current()

    conjugate = conj

    def _assign_result(self, name: str, *args: Any) -> None:
        """Replace its content by the result of a function of itself."""
        if self.tracer.closed:
            self.base = self._call(name, *args)
            return
        self.ensure_writable(None)
        self.assign(self._call(name, *args))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if self.tracer.closed:
            return np.array(self.ensure_current().base, *args[:1])
        # SciPy's sparse matrices leave a product to the other operand, if that makes an
        # array of one object: they ask for it first.
        caller = sys._getframe(1)
        module = str(caller.f_globals.get("__name__", ""))
        if module.startswith("scipy.sparse") and caller.f_code.co_name in LEAVING:
            holder = np.empty((), dtype=object)
            holder[()] = self
            return holder
        constant = self.plain_constant()
        if constant is not None:
            return np.asarray(constant, *args, **kwargs)
        raise self.tracer.refuse(
            "np.asarray(x), np.array([x[0], ...]), an assignment into another array, "
            "or a library that converts x to NumPy",
            "use `stack` or `concat`, `zeros_like(x)`, `a @ x` for a.dot(x), and array "
            "functions",
        )

    def plain_constant(self) -> Any:
        """Return the array of a constant; None if its values may differ by points."""
        return None

    def __copy__(self) -> Any:
        if self.tracer.closed:
            return copied(self.tracer.xp, self.base)
        return self.tracer.copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.__copy__()

    def __round__(self, digits: int | None = None) -> Any:
        rounded = self._call("round", digits or 0)
        return int(rounded) if digits is None else rounded

    @property
    def flat(self) -> Flat:
        """All entries in the order of C, to read and to assign to."""
        return Flat(self)

    @flat.setter
    def flat(self, values: Any) -> None:
        Flat(self)[:] = values

    def __getattr__(self, name: str) -> Any:
        """Return a method, which calls the function of its name."""
        if self.tracer.closed:
            return getattr(self.base, name)
        # Only those methods that plain arrays have, whatever is registered.
        if name in METHODS and (name != "ptp" or hasattr(self.base, name)):
            tracer, function = self.tracer, FUNCTIONS[name]
            return lambda *args, **kwargs: call(
                tracer, name, function, (self.ensure_current(), *args), kwargs
            )
        # What plain arrays have not, a question (`hasattr`, `getattr` with a default)
        # has the right answer for.
        if not name.startswith("__") and hasattr(self.base, name):
            # Noted, not raised, since such a question goes on.
            self.tracer.refuse(f"the attribute `{name}`", "write it without")
        # In the words of the array, from which Python also suggests a near name.
        kind = type(self.base)
        owner = f"{kind.__module__}.{kind.__qualname__}"
        message = f"{owner!r} object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=self.base)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function of a given name with itself as its first argument."""
        if self.tracer.closed:
            function = PROPERTIES.get(name) or getattr(np, name)
            return function(self.base, *args, **kwargs)
        array = self.ensure_current()
        return call(self.tracer, name, FUNCTIONS[name], (array, *args), kwargs)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        # Elementary functions of one array are most of what functions call.
        if has_closed(inputs):
            return getattr(ufunc, method)(*released(inputs), **released(options))
        plain = method == "__call__" and len(inputs) == 1 and not options
        if plain and ufunc.nout == 1 and ufunc.signature is None:
            return apply(self, ufunc, *inputs)
        args = self.tracer, ufunc, method, inputs, options
        return call(self.tracer, ufunc.__name__, FUNCTIONS["numpy ufunc"], args, {})

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        if any_closed((*args, *kwargs.values())):
            return function(*released(args), **released(kwargs))
        # By the function itself, since several have one `__name__`.
        name = NUMPY_NAMES.get(function)
        if name is None and function in CREATION:
            # NumPy leaves the argument `like` out, which is this array.
            name, args = f"like {function.__name__}", (self, *args)
        elif name is None:
            module = getattr(function, "__module__", "")
            prefix = {"numpy.linalg": "np.linalg", "numpy.fft": "np.fft"}
            raise self.tracer.refuse(
                f"{prefix.get(module, 'np')}.{getattr(function, '__name__', function)}",
                "write it with functions of the array API standard",
            )
        return call(self.tracer, name, FUNCTIONS[name], args, kwargs)

    def __cupy_override_elementwise_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        args = self.tracer, kernel, args, kwargs
        return call(self.tracer, "a kernel", FUNCTIONS["cupy kernel"], args, {})

    def __cupy_override_reduction_kernel__(
        self, kernel: Any, *args: Any, **kwargs: Any
    ) -> Any:
        args = kernel, self, args, kwargs
        return call(self.tracer, "a kernel", FUNCTIONS["cupy reduction"], args, {})

    def __getitem__(self, key: Any) -> Any:
        if self.tracer.closed or (type(key) not in PLAIN_KEYS and any_closed((key,))):
            return released(self)[released(key)]
        return call(self.tracer, "getitem", FUNCTIONS["getitem"], (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.tracer.closed:
            self.base = copied(self.tracer.xp, self.base)  # which others may share
            self.base[released(key)] = released(value)
            return
        if any_closed((key, value)):
            key, value = released((key, value))
        call(self.tracer, "setitem", FUNCTIONS["setitem"], (self, key, value), {})

    T = property(lambda self: self._call("transpose"), doc="Axes in reverse order.")
    mT = property(  # noqa: N815 (the name of the standard)
        lambda self: self._call("matrix_transpose"), doc="The last two axes swapped."
    )
    real = property(lambda self: self._call("real"), doc="Real part.")
    imag = property(lambda self: self._call("imag"), doc="Imaginary part.")

    # As NumPy's arrays: `==` compares entries, so that no hash agrees with it.
    __hash__ = None  # type: ignore[assignment]


def assign_flat(x: StandIn, places: Any, values: Any) -> None:
    """Assign to entries, by their positions among all."""
    if not np.size(places):
        return
    if x.ndim:
        x[np.unravel_index(places, x.shape)] = values
    else:  # One number, which is the last of several in the end.
        x[...] = values.reshape(-1)[-1] if getattr(values, "ndim", 0) else values


class Flat:
    """All entries of an array in the order of C, as the attribute `flat` has them."""

    def __init__(self, array: StandIn) -> None:
        self.array = array

    def __len__(self) -> int:
        return self.array.size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return FUNCTIONS["flatten"](self.array)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        numbers = np.arange(len(self))[key]
        if getattr(value, "ndim", 0) and value.size != np.size(numbers):
            raise self.array.tracer.refuse(
                "an assignment to `flat` of fewer or more entries", "give one for each"
            )
        assign_flat(self.array, numbers, value)


METHODS = frozenset(
    "all any argmax argmin argpartition argsort astype choose clip "
    "copy cumprod cumsum diagonal dot fill flatten max mean min nonzero prod "
    "ptp put ravel repeat reshape round searchsorted squeeze std sum swapaxes take "
    "trace transpose var view".split()
)
# The properties of arrays of which there are functions.
PROPERTIES: dict[str, Any] = {
    "transpose": operator.attrgetter("T"),
    "matrix_transpose": operator.attrgetter("mT"),
    "real": operator.attrgetter("real"),
    "imag": operator.attrgetter("imag"),
}
# The functions of SciPy's sparse matrices that do so.
LEAVING = ("_matmul_dispatch", "_mul_dispatch")
OPERANDS = (StandIn, np.ndarray, np.generic, int, float, complex)


# Libraries ask for the text of what they do not take, to tell it in an error.
TEXT = (
    "the text of an array (str, repr, print)",
    "print it outside of `f`, and write with NumPy what another library does",
)
# Python wants one value from each of these, and many points have many. The text of the
# error tells both what the caller wrote and what to write instead.
REFUSED = {
    "__bool__": (
        "a branch on a value (bool(x), if, and, or, min, max)",
        "choose by `where(condition, a, b)`",
    ),
    "__float__": (
        "float(x), a function of `math`, or an assignment into another array",
        "use the array itself, array functions, and `zeros_like(x)` or `stack`",
    ),
    "__complex__": ("complex(x)", "use `astype`"),
    "__int__": ("int(x)", "use `astype`"),
    "__index__": ("an index computed from x", "use `where` or a sum over a mask"),
    "__dlpack__": ("an export through DLPack", "use array functions"),
    "__reduce_ex__": ("a copy by pickle", "copy by `x.copy()`"),
    "item": ("x.item()", "use the array"),
    "tolist": ("x.tolist()", "use the array"),
}


# Keys of an array that hold no other array.
PLAIN_KEYS = frozenset({int, slice, type(...), type(None)})


def has_closed(operands: tuple[Any, ...]) -> bool:
    """Whether a stand-in among operands has outlived its call."""
    for operand in operands:
        if isinstance(operand, StandIn) and operand.tracer.closed:
            return True
    return False


def apply(x: StandIn, function: Function, *operands: Any) -> Any:
    """Apply an operator or a ufunc, and note the errors that it raises."""
    if has_closed(operands):
        return function(*released(operands))
    try:
        # The one operator that is no function of entries.
        if function is operator.matmul:
            return FUNCTIONS["matmul"](*operands)
        return x.tracer.elementwise(function, *operands)
    except Exception as error:
        x.tracer.note(error)
        raise


def is_sparse(x: Any) -> bool:
    """Whether an object is a sparse matrix of SciPy or of CuPy."""
    module = type(x).__module__
    return module.startswith(("scipy.sparse", "cupyx.scipy.sparse")) and hasattr(
        x, "toarray"
    )


def _as_operand(x: Any) -> Any:
    """Return lists as arrays, since NumPy's operators take both."""
    if isinstance(x, (list, tuple)):
        return np.asarray(x)
    # Anything else, such as a tensor of another kind, gets its own operator's chance. A
    # Series of pandas is no array, too, and answers NumPy's functions itself.
    is_own = hasattr(x, "__array_ufunc__") and not is_array_api_obj(x)
    return x if hasattr(x, "dtype") and not is_own else NotImplemented


def _forward(function: Function, is_reflected: bool = False) -> Any:
    """Return the method of an operator of two operands."""

    def method(self: StandIn, other: Any) -> Any:
        if not isinstance(other, OPERANDS):
            if is_sparse(other):
                pair = (other, self) if is_reflected else (self, other)
                if self.tracer.closed:
                    return function(*released(pair))
                sparse = FUNCTIONS["sparse operator"]
                args = (function, *pair)
                return call(self.tracer, "a sparse matrix", sparse, args, {})
            other = _as_operand(other)
            if other is NotImplemented:
                return other
        operands = (other, self) if is_reflected else (self, other)
        return apply(self, function, *operands)

    return method


def _in_place(function: Function) -> Any:
    """Return the method of an operator in place."""

    def method(self: StandIn, other: Any) -> Any:
        new = apply(self, function, self, other)
        if self.tracer.closed:
            return new
        return call(self.tracer, "in place", FUNCTIONS["in place"], (self, new), {})

    return method


def _unary(function: Function) -> Any:
    """Return the method of an operator of one operand."""
    return lambda self: apply(self, function, self)


def _refused(name: str, idiom: str, remedy: str) -> Any:
    """Return a method that is refused while the function is recorded."""

    def method(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        # NumPy 2.0 asks each exponent for an index, which no float has.
        has_none = name == "__index__" and self.dtype.kind in "fc"
        if not self.tracer.closed and not has_none:
            raise self.tracer.refuse(idiom, remedy)
        plain = getattr(self.base, name, None)
        if plain is None:
            raise TypeError(f"an array of dtype {self.dtype} has no {name}")
        return plain(*args, **kwargs)

    return method


def _add_operators() -> None:
    """Give `StandIn` its operators: plain, reflected, in place and of one operand."""
    # Functions of `operator` stand for the operators, since they work on all libraries
    # and give the same object every time, by which a tracer knows the operation again.
    names = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift"
    for name in names.split():
        function = getattr(operator, name)
        short = name.rstrip("_")
        setattr(StandIn, f"__{short}__", _forward(function))
        setattr(StandIn, f"__r{short}__", _forward(function, is_reflected=True))
        setattr(StandIn, f"__i{short}__", _in_place(function))
    for name in "lt le gt ge eq ne".split():
        setattr(StandIn, f"__{name}__", _forward(getattr(operator, name)))
    for name in "neg pos abs invert".split():
        setattr(StandIn, f"__{name}__", _unary(getattr(operator, name)))
    for name, (idiom, remedy) in REFUSED.items():
        setattr(StandIn, name, _refused(name, idiom, remedy))


_add_operators()
