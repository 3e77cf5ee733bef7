"""Everything on a GPU: the test suite on CuPy, and then how long what takes.

    python -m benchmarks.gpu            # pip install -e ".[test,cuda13x]" first
    python -m benchmarks.gpu --write    # tables also go into benchmarks/README.md
    python -m benchmarks.gpu --no-tests
    python -m benchmarks.gpu --no-tests --quick --backend numpy   # that all of it runs

Times are medians by CUDA events after warm-up. "Python" is what a call takes on the
host, not waiting for the device; launches and copies to the host are counted by the
profiler of PyTorch, which sees those of CuPy, too. Without a GPU it says why none can
be used, and stops.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import io
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import xgrad
from benchmarks.gpu_cases import QUICK, Case, Cases, Sizes
from benchmarks.timing import DeviceTimer, Timer, duration, table

ROOT = Path(__file__).parents[1]
README = Path(__file__).with_name("README.md")
HEADING = "## On a GPU\n"
DTYPES = ("float32", "float16", "float64")
# Of the loss that is used most, in float32 with gradient: seconds at 60000 x 10, in two
# launches; part of the speed of a copy at 8192 x 32000.
SECONDS, LAUNCHES, SHARE = 30e-6, "2", 0.8


def main(arguments: list[str] | None = None) -> int:
    """Tests, then tables; the exit code of the tests."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--write", action="store_true", help="tables into README.md")
    parser.add_argument("--backend", choices=["cupy", "numpy"], default="cupy")
    options = parser.parse_args(arguments)
    try:
        xp = xgrad.namespace(options.backend)
    except xgrad.BackendUnavailable as error:
        print(error)
        return 1
    failed = 0
    if not options.no_tests:
        # One process, since there is one device; and every case, not a sample.
        command = [sys.executable, "-m", "pytest", "-q", "-rf", "-n", "0"]
        command += ["-m", "not slow", "-k", "cupy or cuda"]
        needed = {**os.environ, "XGRAD_REQUIRE_GPU": "1"}
        failed = subprocess.run(command, cwd=ROOT, env=needed, check=False).returncode
    report = Report(xp, options)
    for section in report.sections():
        print(section, flush=True)
        report.text.append(section)
    if options.write:
        write("\n".join(report.text))
    return failed


def write(text: str) -> None:
    """Replace the section of the README."""
    old = README.read_text(encoding="utf-8")
    found = re.search(rf"^{HEADING}.*?(?=^## |\Z)", old, re.M | re.S)
    new = f"{HEADING}\n{text}\n"
    if found is None:
        new = f"{old.rstrip()}\n\n{new}"
    else:
        new = f"{old[: found.start()]}{new}\n{old[found.end() :]}"
    README.write_text(new.rstrip() + "\n", encoding="utf-8")


class Report:
    """The tables of one run."""

    def __init__(self, xp: Any, options: argparse.Namespace) -> None:
        self.gpu = options.backend == "cupy"
        self.plain = importlib.import_module(options.backend)
        self.timer = DeviceTimer() if self.gpu else Timer(rounds=3)
        self.torch = _torch(self.gpu)
        self.sizes = QUICK if options.quick else Sizes()
        self.cases = Cases(xp, self.plain, self.torch, self.sizes)
        self.text: list[str] = []

    def sections(self) -> Iterable[str]:
        """All of them, one after the other."""
        yield f"{self.machine()}.\n"
        bandwidth = self.bandwidth()
        yield self.ceilings(bandwidth)
        rows = self.sizes.rows, 10
        for shape in (rows, self.sizes.wide):
            yield f"**Losses, {shape[0]:,} x {shape[1]:,}**, labels unchecked\n"
            yield self.losses(shape, bandwidth)
            yield self.verdict(shape, bandwidth)
        for title, cases in (
            ("Metrics", self.cases.metrics),
            ("Mini-batches", self.cases.batches),
            ("Gradients, float32", self.cases.gradients),
            ("Jacobians and Hessians, float64", self.cases.matrices),
            ("Exact derivatives of plain code", self.cases.exact),
            ("Gradient checks, float32", self.cases.checks),
        ):
            yield f"**{title}**\n"
            yield self.lines(cases())

    def machine(self) -> str:
        """What ran this, and when."""
        today = datetime.date.today().isoformat()
        parts = [today, f"Python {platform.python_version()}"]
        if self.gpu:
            runtime = self.plain.cuda.runtime
            parts += [
                runtime.getDeviceProperties(0)["name"].decode(),
                f"driver for CUDA {runtime.driverGetVersion()}",
                f"CUDA {runtime.runtimeGetVersion()}",
            ]
        parts.append(f"{self.plain.__name__} {self.plain.__version__}")
        if self.torch is not None:
            parts.append(f"torch {self.torch.__version__}")
        return ", ".join(parts)

    # Ceilings

    def bandwidth(self) -> float:
        """Bytes a second that a large copy reads and writes."""
        count = 2**20 if self.sizes is QUICK else 2**28
        source = self.plain.ones(count, dtype="float32")
        sink = self.plain.empty_like(source)
        copy = {"copy": lambda: self.plain.copyto(sink, source)}
        return 2 * source.nbytes / self.timer.medians(copy)["copy"]

    def ceilings(self, bandwidth: float) -> str:
        """What no kernel can beat."""
        rows = [["a large copy", f"{bandwidth / 1e9:.4g} GB/s"]]
        if self.gpu:
            empty = self.plain.RawKernel('extern "C" __global__ void f() {}', "f")

            def launch() -> None:
                empty((1,), (1,), ())

            device = self.timer.medians({"launch": launch})["launch"]
            rows.append(["an empty kernel, on the device", duration(device)])
            rows.append(["an empty kernel, Python", duration(self.host(launch))])
        return table(["ceiling", ""], rows) + "\n"

    # Cases

    def losses(self, shape: tuple[int, int], bandwidth: float) -> str:
        """A line for each call, and a column for each dtype."""
        lines: dict[str, list[str]] = {}
        for dtype in DTYPES:
            for case in self.cases.every_loss(shape, dtype):
                times = self.timer.medians({"xgrad": case.call, **case.peers})
                cell = duration(times["xgrad"])
                for name in case.peers:
                    cell += f", {times['xgrad'] / times[name]:.2f} of {name}"
                if case.what.startswith("softmax_cross_entropy"):
                    least = shape[0] * shape[1] * self.plain.dtype(dtype).itemsize
                    least *= 1 + ("gradient" in case.what)
                    share = least / times["xgrad"] / bandwidth
                    cell += f", {100 * share:.0f} % of a copy"
                if not lines.get(case.what):
                    lines[case.what] = [case.what, *self.counts(case.call)]
                lines[case.what].append(cell)
        head = ["loss", "Python", "launches", "copies to the host", *DTYPES]
        return table(head, list(lines.values())) + "\n"

    def verdict(self, shape: tuple[int, int], bandwidth: float) -> str:
        """Whether the loss that is used most is as fast as asked."""
        wanted = "softmax_cross_entropy, with gradient"
        (case,) = (
            c for c in self.cases.every_loss(shape, "float32") if c.what == wanted
        )
        seconds = self.timer.medians({"xgrad": case.call})["xgrad"]
        share = 2 * 4 * shape[0] * shape[1] / seconds / bandwidth
        launches = self.counts(case.call)[1]
        if shape == self.sizes.wide:
            asked, right = f"{100 * SHARE:.0f} % of a copy", share >= SHARE
        else:
            asked = f"{duration(SECONDS)} and {LAUNCHES} launches"
            right = seconds <= SECONDS and launches == LAUNCHES
        return (
            f"{wanted}, float32: {duration(seconds)}, {launches} launches, "
            f"{100 * share:.0f} % of a copy; asked were {asked}: "
            f"{'met' if right else 'missed'}\n"
        )

    def lines(self, cases: Iterable[Case]) -> str:
        """A line for each case."""
        rows = []
        for case in cases:
            times = self.timer.medians({"xgrad": case.call, **case.peers})
            peers = [f"{name} {duration(times[name])}" for name in case.peers]
            target = ""
            if case.target is not None:
                verdict = "met" if times["xgrad"] <= case.target else "missed"
                target = f"{duration(case.target)}: {verdict}"
            own = [duration(times["xgrad"]), *self.counts(case.call)]
            rows.append([case.what, *own, ", ".join(peers), target])
        head = [
            "",
            "xgrad",
            "Python",
            "launches",
            "copies to the host",
            "peers",
            "target",
        ]
        return table(head, rows) + "\n"

    def counts(self, call: Callable[[], Any]) -> list[str]:
        """Time of Python, launches, and copies to the host of one call."""
        return [duration(self.host(call)), *_counted(self.torch, call, self.gpu)]

    def host(self, call: Callable[[], Any], count: int = 10) -> float:
        """What a call takes on the host, which does not wait for the device."""
        call()
        self._wait()
        started = time.perf_counter()
        for _ in range(count):
            call()
        seconds = (time.perf_counter() - started) / count
        self._wait()
        return seconds

    def _wait(self) -> None:
        if self.gpu:
            self.plain.cuda.Device().synchronize()


def _torch(gpu: bool) -> Any:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    return torch if not gpu or torch.cuda.is_available() else None


def _counted(torch: Any, call: Callable[[], Any], gpu: bool) -> list[str]:
    """Launches and copies to the host; question marks without a profiler."""
    if torch is None or not gpu:
        return ["?", "?"]
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with (
        redirect_stdout(io.StringIO()),
        profile(activities=[ProfilerActivity.CUDA]) as seen,
    ):
        call()
        torch.cuda.synchronize()
    on_the_device = torch.autograd.DeviceType.CUDA
    names = [e.name for e in seen.events() if e.device_type == on_the_device]
    moved = [name for name in names if "Memcpy" in name or "Memset" in name]
    to_host = sum("DtoH" in name for name in moved)
    return [str(len(names) - len(moved)), str(to_host)]


if __name__ == "__main__":
    sys.exit(main())
