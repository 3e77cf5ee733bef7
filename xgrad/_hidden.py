"""Whether a plain function can be evaluated at many points at once, and how.

With ``vectorized="auto"`` the function is tried at a few points, and its results there
are compared with those of plain calls. What passes is remembered; one point is proved
again on every call. What does not pass is evaluated one point at a time, with a warning
that names the line that asks for it.
"""

from __future__ import annotations

import math
import os
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xgrad._array import (
    Array,
    float_info,
    from_host,
    is_complex,
    is_lazy,
    quiet,
)
from xgrad._batched import PACKAGE, NotBatchedError, is_library, line_of
from xgrad._device import (
    free_gpu_bytes,
    has_hidden_axis,
    native_vmap,
    out_of_memory,
)
from xgrad._evaluate import Function, NotFiniteError, Runner, elsewhere
from xgrad._execution import Mode
from xgrad._points import Chunk, Points

# Arrays larger than this at each point gain nothing from standing side by side: of the
# call overhead that is saved, little is left beside the arithmetic.
CPU_ROW_BYTES = 16 * 2**10
GPU_ROW_BYTES = 32 * 2**20
# So few columns, of so few points, are evaluated one by one: it takes less time.
FEW_COLUMNS = 2
FEW_OFFSETS = 16
# Rounding of a result, relative to its size; of functions that round more inside, it is
# measured.
ROUNDING = 64.0


@dataclass
class _Verdicts:
    """What is known about one function: the way to call it, by shapes and dtypes."""

    modes: dict[Any, tuple[Mode, int]] = field(default_factory=dict)
    last: Mode | None = None


_VERDICTS: weakref.WeakKeyDictionary[Any, _Verdicts] = weakref.WeakKeyDictionary()


def mode_of(f: Callable[..., Any]) -> Mode | None:
    """How a function was last found to be called by ``vectorized="auto"``."""
    return _verdicts(f).last


def remembered(f: Callable[..., Any], x: Array) -> tuple[Mode | None, int]:
    """How a scalar function of one array was found to be called, and its width."""
    try:
        verdicts = _VERDICTS[f]
    except (KeyError, TypeError):
        return None, 0
    dense = _dense()
    # As `_Trial` remembers it.
    name = x.dtype.name
    key = "array_api_compat.numpy", 0, dense, True, 1, name, ((x.shape, name),), ()
    return verdicts.modes.get(key, (None, 0))


def _dense() -> bool:
    return os.environ.get("XGRAD_DENSE", "0") not in ("", "0")


def _verdicts(f: Any) -> _Verdicts:
    try:
        return _VERDICTS.setdefault(f, _Verdicts())
    except TypeError:  # cannot be remembered
        return _Verdicts()


def chosen(
    runner: Runner, function: Function, leaf: int, points: Points, base: Array
) -> Function:
    """The function with the way to call it, where that was left open.

    ``base`` is ``f(x)``; ``leaf`` the array that ``points`` move.
    """
    if function.mode != "auto":
        return function
    loop = replace(function, mode="loop")
    xp = function.xp
    vmap = native_vmap(xp) is not None
    if points.total == 0 or is_lazy(xp, points.base):
        return loop
    if not (vmap or has_hidden_axis(xp)):
        return loop
    key = leaf, points.by_entries, str(points.base.dtype), len(points.columns)
    found = runner.chosen.get(key)
    if found is None:
        trial = _Trial(runner, function, leaf, points, base)
        found = runner.chosen[key] = trial.found(vmap)
    return loop if _few(points) else found


def _few(points: Points) -> bool:
    return points.count <= FEW_COLUMNS and len(points.offsets) <= FEW_OFFSETS


def _spread(count: int) -> list[int]:
    """Columns to try: the first, the last and some between (of pairs: neighbours)."""
    wanted = {0, 1, 2, count // 3, count // 2, 2 * count // 3, count - 1}
    return sorted(column for column in wanted if 0 <= column < count)


class _Refused(Exception):
    """This way to call the function does not work; says why."""


@dataclass(frozen=True)
class _Trial:
    """A function, tried at some of the points around one of its arrays."""

    runner: Runner
    function: Function
    leaf: int
    points: Points
    base: Array

    def found(self, vmap: bool) -> Function:
        """The function as it passes."""
        function, verdicts = self.function, _verdicts(self.function.call)
        dense = _dense()
        row = self.points.point_bytes
        ways: list[Mode] = ["vmap"] if vmap else ["dense"]
        if self.points.by_entries and not vmap and not dense:
            ways.insert(0, "sparse")
        elif row > self._row_limit and not dense:
            return replace(function, mode="loop")
        if _few(self.points) and not self.points.by_entries:
            return replace(function, mode="loop")
        key = (
            function.xp.__name__,
            self.leaf,
            dense,
            self.points.by_entries,
            len(self.points.columns),
            str(self.points.base.dtype),
            tuple((tuple(x.shape), str(x.dtype)) for x in function.leaves),
            tuple(self.base.shape),
        )
        mode, width = verdicts.modes.get(key, (None, 0))
        if mode == "loop":
            verdicts.last = mode
            return replace(function, mode="loop")
        known = mode is not None
        if mode is not None:
            ways = ways[ways.index(mode) :] if mode in ways else ways
        else:
            self._require_deterministic()
        error: BaseException | None = None
        sample = self._sample(known)
        for way in ways:
            try:
                found = self._passed(way, sample, known and way == mode)
            except Exception as failure:
                if error is None or isinstance(error, _Refused):
                    error = failure
                continue
            break
        else:
            found = replace(function, mode="loop")
            if "warned" not in self.runner.chosen:  # once a call
                self.runner.chosen["warned"] = function
                _warn(error, function.call)
        width = max(width, found.width)
        verdicts.modes[key] = found.mode, width
        verdicts.last = found.mode
        return replace(found, width=width) if found.mode != "loop" else found

    @property
    def _row_limit(self) -> int:
        on_cpu = free_gpu_bytes(self.points.base) is None
        return CPU_ROW_BYTES if on_cpu else GPU_ROW_BYTES

    def _sample(self, known: bool) -> tuple[Points, Chunk, Array]:
        """A few points, and what plain calls give there."""
        points, count = self.points, self.points.count
        columns = [count // 2] if known else _spread(count)
        if points.columns:
            points = points.some(columns)
        first = 0 if len(points.offsets) == 1 else len(columns) % 2
        chunk = Chunk(0, points.count, first, first + 1)
        plain = replace(self.function, mode="loop")
        shape = tuple(self.base.shape)
        return points, chunk, plain.at_points(self.leaf, points, chunk, shape)

    def _passed(
        self, way: Mode, sample: tuple[Points, Chunk, Array], known: bool
    ) -> Function:
        """The function called in one way, if that is right and pays."""
        function = replace(self.function, mode=way, base=self.base)
        points, chunk, expected = sample
        xp, shape = self.function.xp, tuple(self.base.shape)
        width = math.prod(points.base.shape)
        pays = True
        if way == "vmap":
            found, value = (
                function.attempt(self.leaf, points, chunk, shape),
                self.base,
            )
        else:
            with elsewhere():
                found, (value, trace) = function.traced(self.leaf, points, chunk)
            if tuple(found.shape) != (chunk.size, *shape):
                raise _Refused("their shape differs from that of f(x)")
            found = xp.reshape(found, (1, chunk.size, *shape))
            if not (known or trace.numpy or bool(trace.finite)):
                raise NotFiniteError
            width = max(1, trace.width)
            pays = trace.dense or 2 * trace.work < trace.base_work
        with quiet():
            if function.relative:
                found = value + found
            if is_complex(xp, points.base):
                value = self.base  # f(x) itself was real, and rounds otherwise
            if not self._same(found, expected, value):
                raise _Refused(
                    "they differ for many points and for one, as those of functions "
                    "that look at the type of x, change it in place or catch errors; "
                    "write it without"
                )
        size = float_info(xp, points.base.dtype).size
        if width * size > self._row_limit and not (pays and way == "sparse"):
            return replace(function, mode="loop")
        return replace(function, width=width)

    def _same(self, found: Array, expected: Array, value: Array) -> bool:
        """Whether results agree up to rounding."""
        xp = self.function.xp
        eps = max(float_info(xp, x.dtype).eps for x in (self.base, self.points.base))
        if not math.prod(self.base.shape):
            return True
        size = xp.maximum(xp.max(_size(xp, expected)), xp.max(_size(xp, self.base)))
        allowed = ROUNDING * eps * size

        def agrees(allowed: Any) -> bool:
            return bool(
                _all(
                    xp,
                    [
                        xp.all(_close(xp, found, expected, allowed)),
                        xp.all(_close(xp, value, self.base, allowed)),
                    ],
                )
            )

        if agrees(allowed):
            return True
        # More than that only where the function rounds more inside, within reason.
        noise = xp.minimum(16 * self._noise(eps), eps**0.5 * size)
        return agrees(allowed + noise)

    def _noise(self, eps: float) -> Array:
        """How much the function moves if its arguments move by a rounding."""
        xp, found = self.function.xp, []
        for seed in (1, 2):
            moved = []
            for x in self.function.leaves:
                signs = np.random.default_rng(seed).choice([-1.0, 1.0], tuple(x.shape))
                moves = from_host(xp, signs, like=x, dtype=None)
                moves = xp.astype(moves, x.dtype) * (eps * xp.abs(x))
                moved.append(x + moves)
            with elsewhere():
                value = self.function.values(moved)
            found.append(xp.max(_size(xp, value - self.base)))
        return xp.maximum(*found)

    def _require_deterministic(self) -> None:
        """Raise if a second call at one point gives another result."""
        xp, function = self.function.xp, self.function
        with elsewhere():
            once = self.base
            if is_complex(xp, function.anchor):  # f(x) itself was real
                once = function.values(function._copies(lambda x: x))
            again = function.values(function._copies(lambda x: x))
        if not math.prod(once.shape):
            return
        if tuple(again.shape) == tuple(once.shape):
            with quiet():
                eps = float_info(xp, once.dtype).eps
                allowed = ROUNDING * eps * xp.max(_size(xp, once))
                if bool(xp.all(_close(xp, again, once, allowed))):
                    return
        raise ValueError(
            "`f` is not deterministic: two calls at the same x gave different results, "
            "so that no difference of them means anything; seed its random numbers "
            "inside `f`, and let no counter or state change its result"
        )


def _all(xp: Any, flags: list[Array]) -> Array:
    return xp.all(xp.stack([xp.asarray(flag) for flag in flags]))


def _size(xp: Any, x: Array) -> Array:
    return xp.where(xp.isfinite(x), xp.abs(x), xp.zeros_like(xp.abs(x)))


def _close(xp: Any, a: Array, b: Array, allowed: Any) -> Array:
    missing = xp.isnan(a) & xp.isnan(b)
    return (a == b) | missing | (xp.abs(a - b) <= allowed)


# The warning


def _warn(error: BaseException | None, f: Any) -> None:
    """Tell that there will be a loop, why, and what to write instead."""
    if error is None or out_of_memory(error):
        return
    message = (
        f"xgrad evaluates `f` one point at a time, not many at once, because of "
        f"{_reason(error, f)}; or give vectorized=False, which does not warn"
    )
    warnings.warn(message, RuntimeWarning, stacklevel=_depth())


def _reason(error: BaseException, f: Any) -> str:
    code = getattr(f, "__code__", None)
    place = "" if code is None else line_of(code.co_filename, code.co_firstlineno)
    if isinstance(error, NotBatchedError):
        remedy = error.remedy or "write it with functions of the array's library"
        return f"{error.idiom}{error.place or place}: {remedy}"
    if isinstance(error, _Refused):
        return f"its results{place}: {error}"
    for frame in traceback.extract_tb(error.__traceback__):
        if not is_library(frame.filename):
            place = line_of(frame.filename, frame.lineno or 0)
    text = str(error).partition("\n")[0]
    return (
        f"a {type(error).__name__} ({text}){place}: write it with functions and "
        "methods of the array's library"
    )


def _depth() -> int:
    """How many frames up the caller of xgrad stands."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
        depth += 1
    return depth
