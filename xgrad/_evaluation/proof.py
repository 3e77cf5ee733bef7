"""Whether a plain function can be evaluated at many points at once, and how.

With ``vectorized="auto"`` the function is tried at a few points, and its results there
are compared with those of plain calls. What passes is remembered; one point is proved
again on every call. What does not pass is evaluated one point at a time, with a warning
that names the line that asks for it.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MethodType
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    float_info,
    free_gpu_bytes,
    from_host,
    has_hidden_axis,
    is_complex,
    is_lazy,
    is_out_of_memory,
    native_vmap,
    quiet,
)
from xgrad._batched import PACKAGE, NotBatchedError, describe_line, is_library
from xgrad._evaluation.evaluator import Runner
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.function import Function, NotFiniteError
from xgrad._evaluation.points import Chunk, Points

# Arrays larger than this at each point gain nothing from standing side by side: of the
# call overhead that is saved, little is left beside the arithmetic.
CPU_ROW_BYTES = 16 * 2**10
GPU_ROW_BYTES = 32 * 2**20
# So few columns, of so few points, are evaluated one by one: it takes less time.
FEW_COLUMNS = 2
FEW_OFFSETS = 16
# Environment variable for tests: "1" evaluates all entries at all points, "0" what
# differs; either way also where a loop would do.
SWITCH = "XGRAD_DENSE"
# Rounding of a result, relative to its size; of functions that round more inside, it is
# measured.
ROUNDING = 64.0


@dataclass
class _Verdicts:
    """What is known about one function: the way to call it, by shapes and dtypes."""

    modes: dict[Any, tuple[Mode, int]] = field(default_factory=dict)
    last: Mode | None = None


# By the function; of a bound method, by its object and then its function.
_VERDICTS: weakref.WeakKeyDictionary[Any, dict[Any, _Verdicts]] = (
    weakref.WeakKeyDictionary()
)


def _verdicts(f: Any) -> _Verdicts:
    """What is known about a function, as long as it lives."""
    owner, part = (f.__self__, f.__func__) if isinstance(f, MethodType) else (f, None)
    try:
        return _VERDICTS[owner][part]
    except KeyError:
        return _VERDICTS.setdefault(owner, {}).setdefault(part, _Verdicts())
    except TypeError:  # cannot be remembered
        return _Verdicts()


def mode_of(f: Callable[..., Any]) -> Mode | None:
    """How a function was last found to be called by ``vectorized="auto"``."""
    return _verdicts(f).last


def remembered(f: Callable[..., Any], x: Array) -> tuple[Mode | None, int]:
    """How a scalar function of one NumPy array is called, and its width."""
    key = _plain_key(x.shape, x.dtype.char, os.environ.get(SWITCH))
    return _verdicts(f).modes.get(key, (None, 0))


@functools.lru_cache
def _plain_key(shape: tuple[int, ...], char: str, switch: str | None) -> Any:
    name = np.dtype(char).name
    leaves = ((shape, name),)
    return ("array_api_compat.numpy", 0, True, 1, name, leaves, (), switch)


def _key(*parts: Any) -> Any:
    """What a verdict holds for: namespace, leaf, by entries, pairs, dtype, shapes."""
    return (*parts, os.environ.get(SWITCH))


def chosen(
    runner: Runner, function: Function, leaf: int, points: Points, base: Array
) -> Function:
    """The function with the way to call it, where that was left open.

    ``base`` is ``f(x)``; ``leaf`` the array that ``points`` move.
    """
    if function.mode != "auto":
        return function
    xp = function.xp
    vmap = native_vmap(xp) is not None
    lazy = is_lazy(xp, points.base) or not (vmap or has_hidden_axis(xp))
    if points.total == 0 or lazy:
        return replace(function, mode="loop")
    key = leaf, points.by_entries, str(points.base.dtype), len(points.columns)
    found = runner.chosen.get(key)
    if found is None:
        trial = _Trial(runner, function, leaf, points, base)
        found = runner.chosen[key] = trial.found(vmap)
    return found


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
        function, points = self.function, self.points
        loop = replace(function, mode="loop")
        forced = os.environ.get(SWITCH)
        few = points.count <= FEW_COLUMNS and len(points.offsets) <= FEW_OFFSETS
        large = points.point_bytes > self._row_limit
        if not points.by_entries and (few or large) and forced is None:
            return loop
        verdicts = _verdicts(function.call)
        key = _key(
            function.xp.__name__,
            self.leaf,
            points.by_entries,
            len(points.columns),
            str(points.base.dtype),
            tuple((tuple(x.shape), str(x.dtype)) for x in function.leaves),
            tuple(self.base.shape),
        )
        mode, width = verdicts.modes.get(key, (None, 0))
        if mode is None:
            self._require_deterministic()
        if few and forced is None:
            mode = "loop"
        found: Function | None = loop
        if mode != "loop":
            ways: list[Mode] = ["vmap"] if vmap else ["sparse", "dense"]
            if not vmap and (forced == "1" or not points.by_entries):
                ways = ["dense"]
            found = self._tried(ways, mode)
        if found is None:  # memory ran out: it may not next time
            return loop
        width = max(width, found.width)
        verdicts.modes[key] = found.mode, width
        verdicts.last = found.mode
        return replace(found, width=width) if found.mode != "loop" else loop

    def _tried(self, ways: list[Mode], mode: Mode | None) -> Function | None:
        """The function in the first way that passes; ``mode`` is what passed before.

        None where memory ran out.
        """
        if mode in ways:
            ways = ways[ways.index(mode) :]
        sample = self._sample(mode is not None)
        reasons = []
        for way in ways:
            try:
                return self._passed(way, sample, way == mode)
            except Exception as error:
                if is_out_of_memory(error):
                    return None
                # As text: an exception keeps the arrays of `f` alive.
                ours = isinstance(error, _Refused | NotFiniteError)
                reasons.append((ours, _reason(error, self.function.call)))
        # What the function does tells more than what became of its results.
        self._warn(min(reasons, key=lambda reason: reason[0])[1])
        return replace(self.function, mode="loop")

    def _warn(self, reason: str) -> None:
        """Tell, once a call, that there will be a loop and why."""
        if not self.runner.told:
            self.runner.told.append(reason)
            message = (
                "xgrad evaluates `f` one point at a time, not many at once, because "
                f"of {reason}; or give vectorized=False, which does not warn"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=_depth())

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
            with at_perturbed_points():
                found, (value, trace) = function.traced(self.leaf, points, chunk)
            if tuple(found.shape) != (chunk.size, *shape):
                raise _Refused("their shape differs from that of f(x)")
            found = xp.reshape(found, (1, chunk.size, *shape))
            if not (known or trace.is_numpy or bool(trace.diffs_are_finite)):
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
        # Each entry by its own size: a small one must not hide behind a large one.
        size = xp.maximum(_size(xp, expected), _size(xp, self.base))
        allowed = ROUNDING * eps * size

        def agrees(allowed: Array) -> bool:
            found_close = xp.all(_close(xp, found, expected, allowed))
            smallest = xp.min(allowed, axis=(0, 1))
            return bool(found_close & xp.all(_close(xp, value, self.base, smallest)))

        if agrees(allowed):
            return True
        # More than that only where the function rounds more inside, within reason.
        noise = xp.minimum(16 * self._noise(eps), eps**0.5 * xp.max(size))
        return agrees(allowed + noise)

    def _noise(self, eps: float) -> Array:
        """How much each result moves if the arguments move by a rounding."""
        xp, found = self.function.xp, []
        for seed in range(4):
            moved = []
            for x in self.function.leaves:
                signs = np.random.default_rng(seed).choice([-1.0, 1.0], tuple(x.shape))
                moves = from_host(xp, signs, like=x, dtype=None)
                moves = xp.astype(moves, x.dtype) * (eps * xp.abs(x))
                moved.append(x + moves)
            with at_perturbed_points():
                value = self.function.values(moved)
            found.append(_size(xp, value - self.base))
        return functools.reduce(xp.maximum, found)

    def _require_deterministic(self) -> None:
        """Raise if a second call at one point gives another result."""
        xp, function = self.function.xp, self.function
        with at_perturbed_points():
            once = self.base
            if is_complex(xp, function.anchor):  # f(x) itself was real
                once = function.values(function.copies(lambda x: x))
            again = function.values(function.copies(lambda x: x))
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
            "inside `f`, and let no counter or state change its result (with "
            "vectorized=False nobody looks)"
        )


def _size(xp: Any, x: Array) -> Array:
    return xp.where(xp.isfinite(x), xp.abs(x), xp.zeros_like(xp.abs(x)))


def _close(xp: Any, a: Array, b: Array, allowed: Any) -> Array:
    missing = xp.isnan(a) & xp.isnan(b)
    return (a == b) | missing | (xp.abs(a - b) <= allowed)


# The warning


def _reason(error: BaseException, f: Any) -> str:
    code = getattr(f, "__code__", None)
    place = "" if code is None else describe_line(code.co_filename, code.co_firstlineno)
    if isinstance(error, NotBatchedError):
        remedy = error.remedy or (
            "write it with functions of `array_api_compat.array_namespace(x)`"
        )
        return f"{error.idiom}{error.place or place}: {remedy}"
    if isinstance(error, _Refused):
        return f"its results{place}: {error}"
    for frame in traceback.extract_tb(error.__traceback__):
        if not is_library(frame.filename):
            place = describe_line(frame.filename, frame.lineno or 0)
    text = str(error).partition("\n")[0]
    return (
        f"an error ({type(error).__name__}: {text}){place}: write it with functions "
        "of `array_api_compat.array_namespace(x)`, or of NumPy"
    )


def _depth() -> int:
    """How many frames up the caller of xgrad stands."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
        depth += 1
    return depth
