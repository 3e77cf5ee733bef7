"""Exact gradients of plain NumPy code, beside autograd, MyGrad, PyTorch and JAX.

    python benchmarks/autodiff.py                   # two minutes
    python benchmarks/autodiff.py --only "d" "e"    # cases whose names begin so

prints Markdown tables. All libraries take turns in one process on one thread; a time is
the median of its rounds, and that of the processor, which other programs on the machine
do not prolong. Every gradient is compared with the one by hand before it is timed.
Libraries that are not installed are left out, by name.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import Timer, duration, pin, table

pin(1)

import numpy as np  # noqa: E402 (its threads begin with it)

import xgrad  # noqa: E402
from benchmarks.autodiff_cases import Case, cases  # noqa: E402

Call = Callable[[], Any]
# Libraries that cannot be timed in rounds, for one call takes seconds.
SLOW = {"jax": ("f", "g")}
MEASURED = ("e cross entropy by hand", "g", "j")
PEERS = ("autograd", "mygrad", "torch", "jax")
COLUMNS = {
    "hand": "by hand",
    "xgrad": "xgrad",
    "autograd": "autograd",
    "mygrad": "MyGrad",
    "mygrad_open": "without its guard",
    "torch": "PyTorch",
    "jax": "JAX",
    "jit": "JAX under `jit`",
}


class ProcessorTimer(Timer):
    """The same by the time that the process spends on the processor."""

    def _time(self, call: Call, count: int) -> float:
        started = time.process_time()
        for _ in range(count):
            call()
        return time.process_time() - started


def mapped(function: Callable[[Any], Any], x: Any) -> Any:
    """Apply a function to an array, or to all arrays of a dict."""
    if isinstance(x, dict):
        return {name: function(value) for name, value in x.items()}
    return function(x)


# Libraries: a function of the case returns a call, which returns value and gradient


def by_hand(case: Case) -> Call | None:
    if case.by_hand is None:
        return None
    function = case.by_hand(*case.data)
    return lambda: function(case.x)


def with_xgrad(case: Case) -> Call:
    f = case.function("xgrad", np, lambda a: a)
    return lambda: xgrad.value_and_gradient(f, case.x)


def with_autograd(case: Case) -> Call:
    import autograd
    import autograd.numpy

    function = autograd.value_and_grad(
        case.function("autograd", autograd.numpy, lambda a: a)
    )
    return lambda: function(case.x)


def with_mygrad(case: Case) -> Call:
    import mygrad

    names = ("sum", "mean", "max", "exp", "log", "log1p", "sin", "tanh")
    xp = SimpleNamespace(**{name: getattr(np, name) for name in names})
    xp.zeros = lambda shape, like: mygrad.zeros(shape, dtype=np.float64)
    f = case.function("mygrad", xp, lambda a: a)

    def call() -> Any:
        x = mapped(mygrad.tensor, case.x)
        y = f(x)
        y.backward()
        return y.data, mapped(lambda t: t.grad, x)

    return call


def with_mygrad_open(case: Case) -> Call:
    import mygrad

    call = with_mygrad(case)

    def unguarded() -> Any:
        with mygrad.mem_guard_off:
            return call()

    return unguarded


def with_torch(case: Case) -> Call:
    import torch

    torch.set_num_threads(1)
    names = ("sum", "mean", "exp", "log", "log1p", "sin", "tanh")
    xp = SimpleNamespace(**{name: getattr(torch, name) for name in names})
    xp.max = lambda x, axis, keepdims: torch.amax(x, axis, keepdim=keepdims)
    xp.zeros = lambda shape, like: torch.zeros(shape, dtype=like.dtype)
    f = case.function("torch", xp, torch.as_tensor)
    x = mapped(torch.as_tensor, case.x)

    def call() -> Any:
        leaves = mapped(lambda t: t.detach().requires_grad_(), x)
        y = f(leaves)
        y.backward()
        return y.detach().numpy(), mapped(lambda t: t.grad.numpy(), leaves)

    return call


def with_jax(case: Case, name: str = "jax") -> Call:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    function = jax.value_and_grad(case.function(name, jnp, jnp.asarray))
    function = jax.jit(function) if name == "jit" else function
    x = mapped(jnp.asarray, case.x)
    return lambda: jax.block_until_ready(function(x))


def with_jit(case: Case) -> Call:
    return with_jax(case, "jit")


MAKERS = {
    "hand": by_hand,
    "xgrad": with_xgrad,
    "autograd": with_autograd,
    "mygrad": with_mygrad,
    "mygrad_open": with_mygrad_open,
    "torch": with_torch,
    "jax": with_jax,
    "jit": with_jit,
}


def package(name: str) -> str:
    return {"mygrad_open": "mygrad", "jit": "jax", "hand": "numpy"}.get(name, name)


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(package(name)) is not None


def refusal(case: Case, name: str) -> str | None:
    """Return the word for a case that a library cannot do in a few seconds."""
    return case.refusals.get("mygrad" if name == "mygrad_open" else name)


# Correctness


def largest_error(result: Any, right: Any) -> float:
    """The largest difference of two gradients, as a part of the largest entry."""
    if isinstance(right, dict):
        return max(largest_error(result[name], right[name]) for name in right)
    difference = np.max(np.abs(np.asarray(result) - right))
    return float(difference / np.max(np.abs(right)))


def require_right(case: Case, calls: dict[str, Call]) -> None:
    """Raise unless all libraries agree with the gradient by hand, or with xgrad."""
    value, slope = calls.get("hand", calls["xgrad"])()
    for name, call in calls.items():
        mine, gradient = call()
        # A loop of 2,000 operations rounds as many times.
        allowed = 1e-10
        if largest_error(gradient, slope) > allowed:
            raise AssertionError(f"{case.name}: the gradient of {name} is wrong")
        if abs(float(mine) - float(value)) > allowed * abs(float(value)):
            raise AssertionError(f"{case.name}: the value of {name} is wrong")


# Tables


def speed(chosen: list[Case]) -> None:
    """Times of value and gradient, as multiples of those of the plain function."""
    names = [name for name in MAKERS if is_installed(name)]
    header = ["function", "n", "plain f", *(COLUMNS[name] for name in names)]
    rows = [speed_row(case, names) for case in chosen]
    print("\n**Value and gradient, in evaluations of plain f**\n")
    print(table(header, rows), flush=True)


def speed_row(case: Case, names: list[str]) -> list[str]:
    plain = case.function("xgrad", np, lambda a: a)
    cells, calls, slow = {}, {}, {}
    for name in names:
        cells[name] = refusal(case, name) or "-"
        call = None if refusal(case, name) else MAKERS[name](case)
        if call is None:
            continue
        if case.name[0] in SLOW.get(name, ()):
            slow[name] = call
        else:
            calls[name] = call
    require_right(case, {**calls, **slow})
    timer = ProcessorTimer(rounds=11, most=6.0)
    times = timer.medians({"plain": lambda: plain(case.x), **calls})
    for name, call in slow.items():
        times[name] = timed(call)[0]
    for name in times.keys() - {"plain"}:
        cells[name] = number(times[name] / times["plain"])
    return [case.name, case.size, duration(times["plain"]), *cells.values()]


def number(value: float) -> str:
    """Three digits, and all of them where there are more before the point."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def timed(call: Call) -> tuple[float, Any]:
    """The seconds of one call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def small_calls(chosen: list[Case]) -> None:
    """The time of a call on ten numbers."""
    rows = []
    for case in chosen:
        if case.size == "10":
            f = case.function("xgrad", np, lambda a: a)
            calls = {"exact": with_xgrad(case), "plain": lambda f=f, c=case: f(c.x)}
            times = ProcessorTimer().medians(calls)
            rows.append([case.name, duration(times["exact"]), duration(times["plain"])])
    if rows:
        print("\n**Value and gradient of ten numbers**\n")
        print(table(["function", "a call of xgrad", "plain f"], rows), flush=True)


def proofs(chosen: list[Case]) -> None:
    """Calls of the function by the first exact gradient, and by every further one."""
    rows = []
    for case in chosen:
        f = case.function("xgrad", np, lambda a: a)
        count = 0

        def counted(x: Any, f: Callable[[Any], Any] = f) -> Any:
            nonlocal count
            count += 1
            return f(x)

        counts = []
        for _ in range(2):
            count = 0
            xgrad.value_and_gradient(counted, case.x)
            counts.append(str(count))
        rows.append([case.name, case.size, *counts])
    print("\n**Calls of f, of which one is recorded and the others are the proof**\n")
    print(table(["function", "n", "first time", "later"], rows), flush=True)


def memory(chosen: list[Case]) -> None:
    """The peak of memory of one call."""
    names = [
        name for name in ("plain", *MAKERS) if name == "plain" or is_installed(name)
    ]
    rows = []
    for case in chosen if sys.platform == "linux" else ():
        if not case.name.startswith(MEASURED):
            continue
        row = [case.name, case.size]
        for name in names:
            if refusal(case, name):
                row.append("-")
                continue
            command = [sys.executable, __file__, "--peak", name, case.name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row.append(f"{number(float(done.stdout.split()[-1]) / 1e6)} MB")
        rows.append(row)
    if rows:
        header = ["function", "n", *({"plain": "plain f", **COLUMNS}[n] for n in names)]
        print("\n**Peak of memory of a call**\n")
        print(table(header, rows), flush=True)


def print_peak(name: str, case: Case) -> None:
    """Print the bytes of one call: of Python's allocator, or of the process."""
    if name == "plain":
        f = case.function("xgrad", np, lambda a: a)
        call = lambda: f(case.x)  # noqa: E731
    else:
        call = MAKERS[name](case)
    if package(name) in ("torch", "jax"):
        print(peak_of_process(call))
        return
    call()
    tracemalloc.start()
    call()
    print(tracemalloc.get_traced_memory()[1])


def peak_of_process(call: Call) -> int:
    """The growth of the resident memory in one call, after one call before it.

    Libraries in C++ allocate by themselves. What the first call has freed goes back to
    the system, so that the second one has to ask for it again.
    """
    call()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def network_four_ways(chosen: list[Case]) -> None:
    """The gradient of a network by a loop, by differences, exactly, and by PyTorch."""
    case = next((case for case in chosen if case.name.startswith("d")), None)
    if case is None:
        return
    X, _, labels = case.data
    loss, right = network_loss(X, labels), by_hand(case)()[1]
    calls: dict[str, Call] = {
        "`xgrad.gradient(loss, p)`, exact": lambda: xgrad.gradient(loss, case.x),
        "the backward pass by hand": lambda: by_hand(case)()[1],
    }
    if is_installed("torch"):
        calls["PyTorch, `loss(p).backward()`"] = torch_network(case)
    once: dict[str, Call] = {
        "the textbook's loop, `numerical_gradient`": lambda: textbook(loss, case.x),
        '`xgrad.gradient(loss, p, method="central")`': lambda: xgrad.gradient(
            loss, case.x, method="central"
        ),
    }
    times = ProcessorTimer(rounds=25).medians(calls)
    errors = {name: largest_error(call(), right) for name, call in calls.items()}
    for name, call in once.items():  # one call is long enough
        times[name], slope = timed(call)
        errors[name] = largest_error(slope, right)
    rows = [
        # The one by hand is that which the others are compared with.
        [name, duration(times[name]), f"{errors[name]:.0e}" if errors[name] else "-"]
        for name in (*once, *calls)
    ]
    print("\n**The 39,760 slopes of a network, 784-50-10, 100 rows, float64**\n")
    print(table(["way", "time", "largest error"], rows), flush=True)


def network_loss(X: Any, labels: Any) -> Callable[[Any], Any]:
    from xgrad.losses import softmax_cross_entropy

    def loss(p: Any) -> Any:
        A = np.tanh(X @ p["W1"] + p["b1"])
        return softmax_cross_entropy(A @ p["W2"] + p["b2"], labels)

    return loss


def torch_network(case: Case) -> Call:
    import torch

    X, _, labels = map(torch.as_tensor, case.data)

    def call() -> Any:
        p = {n: torch.as_tensor(a).detach().requires_grad_() for n, a in case.x.items()}
        Z = torch.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        torch.nn.functional.cross_entropy(Z, labels).backward()
        return {name: t.grad.numpy() for name, t in p.items()}

    return call


def textbook(loss: Callable[[Any], Any], p: Any, h: float = 1e-4) -> Any:
    """Central differences, one weight after the other, as the textbook has them."""
    slopes = {name: np.zeros_like(a) for name, a in p.items()}
    for name, a in p.items():
        for i in np.ndindex(a.shape):
            before = a[i]
            a[i] = before + h
            above = loss(p)
            a[i] = before - h
            slopes[name][i] = (above - loss(p)) / (2 * h)
            a[i] = before
    return slopes


def versions() -> str:
    """Python, the processor and the libraries, as they are here."""
    names = [n for n in ("numpy", *PEERS) if is_installed(n)]
    missing = [n for n in PEERS if not is_installed(n)]
    text = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names)
    left_out = f"; not installed: {', '.join(missing)}" if missing else ""
    return f"{processor()}, Python {platform.python_version()}, {text}{left_out}"


def processor() -> str:
    """The name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(": ")[2] if names else platform.processor()


def main() -> None:
    """All tables, or the peak of memory of one call."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", help="cases whose names begin so")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # A warning would say that xgrad took differences.
    warnings.simplefilter("error", RuntimeWarning)
    chosen = cases()
    if options.peak:
        name, wanted = options.peak
        print_peak(name, next(case for case in chosen if case.name == wanted))
        return
    if options.only:
        chosen = [case for case in chosen if case.name.startswith(tuple(options.only))]
    print(versions())
    speed(chosen)
    small_calls(chosen)
    proofs(chosen)
    memory(chosen)
    network_four_ways(chosen)


if __name__ == "__main__":
    main()
