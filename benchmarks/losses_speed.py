"""How long losses take beside NumPy, PyTorch and optax, and beside the memory.

    python -m benchmarks.losses_speed                    # one thread for everybody
    python -m benchmarks.losses_speed --threads 2
    python -m benchmarks.losses_speed --avx2          # nobody uses AVX-512
    python -m benchmarks.losses_speed --processor-time  # on a machine that others use
    python -m benchmarks.losses_speed --backend cupy  # device times, by CUDA events
    python -m benchmarks.losses_speed --quick         # tiny sizes, to see that it runs

Prints Markdown tables. Calls run in turn in one process and a time is the median of its
rounds; every side returns new arrays. Labels are int64, and xgrad checks them. "Of the
floor" is the time over that of moving the bytes which must be read and written, at the
speed of a large copy in the same run; "of exp" that over a bare `exp` of the entries,
in place. "NumPy alone" is xgrad without numba, if that is there. PyTorch runs with
THP_MEM_ALLOC_ENABLE=1. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import DeviceTimer, Timer, duration, pin, table, without_avx512

Call = Callable[[], Any]
METHODS = {"value": "__call__", "value and gradient": "value_and_grad"}


class Peers:
    """The same losses of other libraries, on the same numbers."""

    def __init__(self, gpu: bool, threads: int) -> None:
        self.gpu = gpu
        self.torch = _installed("torch")
        self.optax = None if gpu else _installed("optax")
        if self.torch is not None and gpu and not self.torch.cuda.is_available():
            self.torch = None
        if self.torch is not None and not gpu:
            self.torch.set_num_threads(threads)
        if self.optax is not None:
            importlib.import_module("jax").config.update("jax_enable_x64", True)

    def versions(self) -> list[str]:
        """What is compared with, and its version."""
        found = []
        if self.torch is not None:
            found.append(f"torch {self.torch.__version__}")
        if self.optax is not None:
            jax = importlib.import_module("jax")
            found.append(f"optax {self.optax.__version__} with jax {jax.__version__}")
        return found

    def calls(self, name: str, arrays: tuple[Any, Any], slope: bool) -> dict[str, Call]:
        """One call for each library that has this loss."""
        found = {}
        if self.torch is not None:
            found["torch"] = self._of_torch(name, arrays, slope)
        if self.optax is not None:
            found["optax jit"] = self._of_optax(name, arrays, slope)
        return found

    def _of_torch(self, name: str, arrays: tuple[Any, Any], slope: bool) -> Call:
        torch = self.torch
        function = {
            "softmax_cross_entropy": torch.nn.functional.cross_entropy,
            "mean_squared_error": torch.nn.functional.mse_loss,
            "mean_absolute_error": torch.nn.functional.l1_loss,
            "huber": torch.nn.functional.huber_loss,
        }[name]
        convert = torch.from_dlpack if self.gpu else torch.tensor
        p, t = map(convert, arrays)
        if not slope:
            return lambda: function(p, t)
        p.requires_grad_(True)

        def both() -> tuple[Any, Any]:
            loss = function(p, t)
            return loss, torch.autograd.grad(loss, p)

        return both

    def _of_optax(self, name: str, arrays: tuple[Any, Any], slope: bool) -> Call:
        jax, optax = importlib.import_module("jax"), self.optax
        function = {
            "softmax_cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
            "mean_squared_error": optax.squared_error,
            "mean_absolute_error": lambda p, t: abs(p - t),
            "huber": optax.huber_loss,
        }[name]

        def mean(p: Any, t: Any) -> Any:
            return function(p, t).mean()

        jitted = jax.jit(jax.value_and_grad(mean) if slope else mean)
        p, t = map(jax.numpy.asarray, arrays)
        return lambda: jax.block_until_ready(jitted(p, t))


def uncompiled(call: Call) -> Call:
    """The same call without compiled kernels."""
    from xgrad._kernels import numba_calls

    limits = ("LEAST", "LEAST_TO_COMPILE")

    def without() -> Any:
        before = [getattr(numba_calls, limit) for limit in limits]
        for limit in limits:
            setattr(numba_calls, limit, sys.maxsize)
        try:
            return call()
        finally:
            for limit, value in zip(limits, before, strict=True):
                setattr(numba_calls, limit, value)

    return without


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def by_hand(xp: Any, name: str, arrays: tuple[Any, Any], slope: bool) -> Call:
    """What one writes without a library."""
    p, t = arrays

    def softmax_cross_entropy() -> Any:
        index = xp.arange(len(t))
        shift = p - p.max(axis=1, keepdims=True)
        exponential = xp.exp(shift)
        normaliser = exponential.sum(axis=1, keepdims=True)
        loss = (xp.log(normaliser[:, 0]) - shift[index, t]).mean()
        if not slope:
            return loss
        gradient = exponential / normaliser
        gradient[index, t] -= 1
        return loss, gradient / len(t)

    def mean_squared_error() -> Any:
        error = p - t
        loss = (error**2).mean()
        return (loss, 2 * error / error.size) if slope else loss

    def mean_absolute_error() -> Any:
        error = p - t
        loss = xp.abs(error).mean()
        return (loss, xp.sign(error) / error.size) if slope else loss

    def huber() -> Any:
        error = p - t
        inner = xp.clip(error, -1, 1)
        loss = (inner * (error - inner / 2)).mean()
        return (loss, inner / error.size) if slope else loss

    calls: dict[str, Call] = {
        "huber": huber,
        "softmax_cross_entropy": softmax_cross_entropy,
        "mean_squared_error": mean_squared_error,
        "mean_absolute_error": mean_absolute_error,
    }
    return calls[name]


class Speed:
    """The tables of one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        import numpy as np

        import xgrad
        from xgrad._kernels import why_not_compiled

        clock = time.process_time if options.processor_time else time.perf_counter
        self.host_timer = Timer(options.rounds, clock=clock)
        self.gpu = options.backend == "cupy"
        self.namespace = xgrad.namespace(options.backend)
        self.xp = importlib.import_module(options.backend)
        self.timer = DeviceTimer() if self.gpu else self.host_timer
        self.peers = Peers(self.gpu, options.threads)
        self.rng = np.random.default_rng(0)
        self.quick = options.quick
        self.bandwidth = self._bandwidth()
        self.compiled = not self.gpu and not why_not_compiled()

    def _bandwidth(self) -> float:
        """Bytes a second that a large copy reads and writes."""
        source = self.xp.ones(2**20 if self.quick else 2**27, dtype=self.xp.float32)
        sink = self.xp.empty_like(source)
        copy = {"copy": lambda: self.xp.copyto(sink, source)}
        return 2 * source.nbytes / self.timer.medians(copy)["copy"]

    def numbers(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Normal numbers on the device."""
        return self.xp.asarray(self.rng.normal(size=shape).astype("f4")).astype(dtype)

    def losses(self) -> None:
        """One line for each loss, size, dtype and method."""
        from xgrad import losses

        rows, wide = (600, (64, 500)) if self.quick else (60_000, (4096, 32_000))
        if self.gpu and not self.quick:
            wide = (8192, 32_000)
        halves = ["float16"] if self.gpu else []
        sizes = [
            ("softmax_cross_entropy", (rows, 10), ["float32", "float64"]),
            ("softmax_cross_entropy", wide, ["float32", *halves]),
            ("mean_squared_error", (rows, 10), ["float32", "float64"]),
            ("mean_absolute_error", (rows, 10), ["float32", "float64"]),
            ("huber", (rows, 10), ["float32", "float64"]),
        ]
        lines = []
        names: list[str] = []
        for name, shape, dtypes in sizes:
            for dtype in dtypes:
                p = self.numbers(shape, dtype)
                if name == "softmax_cross_entropy":
                    t = self.xp.asarray(self.rng.integers(0, shape[1], shape[0]))
                else:
                    t = self.numbers(shape, dtype)
                for title, method in METHODS.items():
                    loss = getattr(losses, name)
                    line, names = self._line(loss, method, title, (p, t))
                    lines.append([name, f"{shape[0]} x {shape[1]}", dtype, *line])
        head = ["loss", "size", "dtype", "", "xgrad", "of the floor", "of exp", *names]
        print(table(head, lines) + "\n")

    def _line(
        self, loss: Any, method: str, title: str, arrays: tuple[Any, Any]
    ) -> tuple[list[str], list[str]]:
        """Times of one loss, and the names of the peers."""
        p, t = arrays
        slope = method == "value_and_grad"
        call = loss if not slope else loss.value_and_grad
        memory = self.xp.empty_like(p)
        calls: dict[str, Call] = {
            "xgrad": lambda: call(p, t, check=not self.gpu),
            "exp": lambda: self.xp.exp(p, out=memory),
            "by hand": by_hand(self.xp, loss.__name__, arrays, slope),
        }
        peers = self.peers.calls(loss.__name__, arrays, slope)
        if self.compiled:
            peers = {"NumPy alone": uncompiled(lambda: call(p, t)), **peers}
        times = self.timer.medians(calls | peers)
        own = times["xgrad"]
        floor = (p.nbytes * (1 + slope) + t.nbytes) / self.bandwidth
        names = ["by hand", *peers]
        ratios = [f"{own / times[n]:.2f} of {duration(times[n])}" for n in names]
        of_exp = f"{own / times['exp']:.2f}" if "softmax" in loss.__name__ else ""
        line = [title, duration(own), f"{own / floor:.1f}", of_exp, *ratios]
        return line, names

    def checks(self) -> None:
        """What it costs to look at the labels."""
        from xgrad.losses import softmax_cross_entropy as loss

        x = self.numbers((600 if self.quick else 60_000, 10), "float32")
        labels = self.xp.asarray(self.rng.integers(0, 10, len(x)))
        lines = []
        for title, method in METHODS.items():
            call = getattr(loss, method)
            times = self.timer.medians(
                {
                    "on": lambda call=call: call(x, labels),
                    "off": lambda call=call: call(x, labels, check=False),
                }
            )
            ratio = times["on"] / times["off"] - 1
            lines.append([title, duration(times["on"]), f"{100 * ratio:+.1f} %"])
        print(table(["softmax_cross_entropy", "check=True", "more"], lines) + "\n")

    def calls(self) -> None:
        """What a call takes on ten numbers: the time of Python."""
        import xgrad
        from xgrad import losses

        xp = self.xp
        p, t = self.numbers((10,), "float64"), self.numbers((10,), "float64")
        logits, label = self.numbers((1, 10), "float64"), xp.asarray([3])
        x = self.numbers((2,), "float64")

        def square(v: Any) -> Any:
            return (v**2).sum()

        many = self.numbers((100, 10), "float32")
        labels = xp.asarray(self.rng.integers(0, 10, 100))
        calls: dict[str, Call] = {
            "softmax_cross_entropy of (100, 10), with gradient": lambda: (
                losses.softmax_cross_entropy.value_and_grad(many, labels)
            ),
            "mean_squared_error": lambda: losses.mean_squared_error(p, t),
            "mean_absolute_error": lambda: losses.mean_absolute_error(p, t),
            "huber": lambda: losses.huber(p, t),
            "softmax_cross_entropy": lambda: losses.softmax_cross_entropy(
                logits, label
            ),
            "softmax_cross_entropy, with gradient": lambda: (
                losses.softmax_cross_entropy.value_and_grad(logits, label)
            ),
            "gradient of (v**2).sum(), n = 2": lambda: xgrad.gradient(
                square, x, method="central"
            ),
            "the same with accuracy=2": lambda: xgrad.gradient(
                square, x, method="central", accuracy=2
            ),
            "one call of (v**2).sum()": lambda: square(x),
            "((p - t) ** 2).mean()": lambda: ((p - t) ** 2).mean(),
        }
        times = self.host_timer.medians(calls)
        lines = [[name, duration(seconds)] for name, seconds in times.items()]
        print(table(["ten numbers, and a hundred rows", "a call"], lines) + "\n")

    def gradients(self) -> None:
        """Numerical gradients, until the host has them."""
        import xgrad
        from examples.network import fresh
        from xgrad import to_numpy

        xp, cross_entropy = self.namespace, xgrad.losses.softmax_cross_entropy
        x = self.numbers((600 if self.quick else 60_000, 10), "float32")
        labels = xp.asarray(self.rng.integers(0, 10, len(x)))

        def rows(logits: Any) -> Any:
            return cross_entropy(logits, labels, reduction="none", check=False)

        sizes = (20, 5, 3) if self.quick else (784, 50, 10)
        p = fresh(xp, *sizes, seed=0, dtype=xp.float32)
        data = self.numbers((100, sizes[0]), "float32")
        few = labels[:100] % sizes[2]

        def network(p: dict[str, Any]) -> Any:
            active = xp.tanh(data @ p["W1"] + p["b1"])
            return cross_entropy(active @ p["W2"] + p["b2"], few, check=False)

        count = sum(int(value.size) for value in p.values())
        calls: dict[str, Call] = {
            f"by rows, losses of {len(x)} x 10 logits": lambda: to_numpy(
                xgrad.gradient(rows, x, axis=-1, method="central", accuracy=2)
            ),
            f"all {count:,} parameters of a network, batch 100": lambda: to_numpy(
                xgrad.gradient(network, p, method="central", accuracy=2)["b2"]
            ),
        }
        times = Timer(rounds=7).medians(calls)
        lines = [[name, duration(seconds)] for name, seconds in times.items()]
        head = ["numerical gradient, float32", "a call, with the copy to the host"]
        print(table(head, lines) + "\n")

    def machine(self) -> str:
        """What ran this, in one line."""
        import numpy as np

        parts = [f"Python {platform.python_version()}", f"numpy {np.__version__}"]
        if self.compiled:
            parts.append(f"numba {version('numba')}")
        if self.gpu:
            cupy = self.xp
            name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
            driver = cupy.cuda.runtime.driverGetVersion()
            parts += [f"cupy {cupy.__version__}", f"{name}, driver {driver}"]
        speed = f"a copy moves {self.bandwidth / 1e9:.3g} GB/s"
        return ", ".join([*parts, *self.peers.versions(), speed])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_args(arguments)
    if options.avx2:
        without_avx512()
    if options.backend == "numpy" and "numpy" not in sys.modules:
        pin(options.threads)
    speed = Speed(options)
    print(f"{speed.machine()}; {options.threads} thread(s).\n")
    speed.losses()
    speed.checks()
    speed.calls()
    speed.gradients()


if __name__ == "__main__":
    main()
