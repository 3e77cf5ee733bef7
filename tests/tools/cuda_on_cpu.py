"""CUDA kernels without a GPU: compiled for any architecture, and run on the CPU.

`compiled` hands a `cupy.RawKernel` to NVRTC. `on_the_cpu` stands in for the module
``cupy`` inside `xgrad._kernels.cupy`: its arrays are those of NumPy, and a kernel is
its own CUDA source, compiled by g++. Each thread of a block is a thread of the host, a
barrier stands for ``__syncthreads``, and arrays lie between margins, so that a write
beside them raises. Blocks run one after another.

The cubins rest on private functions of CuPy, so that CuPy is pinned where this runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

GPP = shutil.which("g++")
MARGIN = 64  # entries beside an array that a kernel must leave alone
# What NumPy arrays of these dtypes are to a kernel.
POINTERS = {"float16": "unsigned short", "bfloat16": "unsigned short"} | {
    "float32": "float",
    "float64": "double",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
}


def compiled(kernel: Any, architecture: str) -> bytes:
    """The cubin of a raw kernel for ``sm_<architecture>``; raises what NVRTC says."""
    from cupy._core import core
    from cupy.cuda import compiler

    options = core.assemble_cupy_compiler_options(kernel.options)
    program = compiler._NVRTCProgram(kernel.code, "kernel.cu", (), (), method="cubin")
    return program.compile((*options, "-ftz=true", f"-arch=sm_{architecture}"))[0]


def all_kernels(kernels: Any) -> dict[str, Any]:
    """Every kernel that there is, apart from some pairs of labels of two dtypes."""
    return {" ".join(map(str, key)): kernel for key, kernel in _all_kernels(kernels)}


def _all_kernels(kernels: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for kind in kernels.FLOATS:
        yield ("finish", kind), kernels.finish_kernel(kind)
        for loss in (0, 1, 2):
            yield ("errors", loss, kind), kernels.errors_kernel(loss, kind)
    for loss, kind, label, team in itertools.product(
        (0, 1), kernels.FLOATS, kernels.INTEGERS, (0, *kernels.TEAMS)
    ):
        # What depends on the label does not depend on the rest.
        if label == "int64" or (kind == "float32" and team == 4):
            for vector in (False, True)[: 1 + (team == 0)]:
                key = loss, kind, label, team, vector
                yield ("rows", *key), kernels.rows_kernel(*key)
    for kind in kernels.WIDE:
        yield ("points", kind), kernels.points_kernel(kind)
    for label in kernels.INTEGERS:
        yield ("pairs", label, "int64"), kernels.pairs_kernel(label, "int64")
        yield ("pairs", "uint8", label), kernels.pairs_kernel("uint8", label)


@contextlib.contextmanager
def on_the_cpu(kernels: Any) -> Iterator[list[str]]:
    """The module of CuPy's kernels, on NumPy arrays; lists what is launched."""
    launched: list[str] = []

    class Kernel:
        def __init__(self, code: str, name: str) -> None:
            self.code, self.name = code, name

        def __call__(
            self,
            grid: Sequence[int],
            block: Sequence[int],
            arguments: Sequence[Any],
            shared_mem: int = 0,
        ) -> None:
            launched.append(self.name)
            launch(self.code, self.name, grid, block, arguments, shared_mem)

    stand_in = SimpleNamespace(
        RawKernel=Kernel,
        empty=_poisoned,
        zeros=np.zeros,
        ascontiguousarray=np.ascontiguousarray,  # 0-d becomes 1-d, as in CuPy
    )
    original = kernels.cupy
    _forget(kernels)
    kernels.cupy = stand_in
    try:
        yield launched
    finally:
        kernels.cupy = original
        _forget(kernels)


def _forget(kernels: Any) -> None:
    """No kernel of the one kind is left for the other."""
    for value in vars(kernels).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def _poisoned(shape: Any, dtype: Any) -> np.ndarray:
    """New memory in which an entry that nobody wrote is conspicuous."""
    array = np.empty(shape, dtype)
    odd = np.full(array.nbytes, 0xFD, np.uint8)
    return odd.view(dtype).reshape(array.shape)


def launch(
    code: str,
    name: str,
    grid: Sequence[int],
    block: Sequence[int],
    arguments: Sequence[Any],
    shared_mem: int = 0,
) -> None:
    """Run a kernel on NumPy arrays, which it may change, and NumPy scalars."""
    kept: list[Any] = []  # alive during the call
    padded: list[tuple[np.ndarray, np.ndarray]] = []
    words = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            kind = f"({POINTERS[str(argument.dtype)]}*)"
            memory = np.full(argument.nbytes + 2 * MARGIN, 0xA5, np.uint8)
            inner = memory[MARGIN : MARGIN + argument.nbytes]
            inner[...] = np.frombuffer(argument.tobytes(), np.uint8)
            padded.append((argument, memory))
            kept.append(ctypes.c_void_p(memory.ctypes.data + MARGIN))
            words.append(f"{kind}p[{len(kept) - 1}]")
        elif isinstance(argument, np.generic):
            holder = np.array(argument)
            padded.append((holder, holder))
            kept.append(ctypes.c_void_p(holder.ctypes.data))
            words.append(f"*({POINTERS[str(holder.dtype)]}*)p[{len(kept) - 1}]")
        else:
            # CuPy passes a number of Python in 64 bits, whatever the kernel takes.
            raise TypeError(f"pass arrays and NumPy scalars, not {type(argument)}")
    library = _library(code, f"{name}({', '.join(words)})")
    library.launch(
        (ctypes.c_void_p * len(kept))(*kept),
        int(grid[0]),
        int(grid[1]) if len(grid) > 1 else 1,
        int(block[0]),
        ctypes.create_string_buffer(max(1, shared_mem)),
    )
    for argument, memory in padded:
        if argument is memory:
            continue
        margins = (memory[:MARGIN], memory[MARGIN + argument.nbytes :])
        if any((margin != 0xA5).any() for margin in margins):
            raise RuntimeError(f"`{name}` wrote beside an array")
        found = memory[MARGIN : MARGIN + argument.nbytes].tobytes()
        changed = np.frombuffer(found, argument.dtype).reshape(argument.shape)
        if argument.flags.writeable:
            argument[...] = changed
        elif found != argument.tobytes():
            raise RuntimeError(f"`{name}` wrote into an argument")


@functools.cache
def _library(code: str, call: str) -> Any:
    dynamic = r"extern\s+__shared__\s+([\w\s]+?)\s*(\w+)\s*\[\s*\]"
    code = re.sub(dynamic, r"\1* \2 = (\1*)dynamic_memory", code)
    text = code + LAUNCH.replace("CALL", call)
    product = _folder() / f"{_digest(HEADER + text)}.so"
    if not product.exists():
        source = product.with_suffix(".cpp")
        source.write_text(text)
        _compile(["-shared", "-include", str(_header()), str(source)], product)
    return ctypes.CDLL(str(product))


@functools.cache
def _header() -> Path:
    """The header, compiled once: it takes longer than a kernel."""
    header = _folder() / f"{_digest(HEADER)}.hpp"
    product = header.with_suffix(".hpp.gch")
    if not product.exists():
        header.write_text(HEADER)
        _compile(["-x", "c++-header", str(header)], product)
    return header


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / "xgrad_kernels_on_cpu"
    folder.mkdir(exist_ok=True)
    return folder


def _compile(arguments: list[str], product: Path) -> None:
    part = product.with_name(f"{os.getpid()}-{product.name}")
    flags = "-O1 -std=c++20 -fPIC -pthread -w".split()
    done = subprocess.run(
        ["g++", *flags, *arguments, "-o", str(part)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"g++ refused a kernel:\n{done.stderr}")
    part.replace(product)  # in one step: other processes look for it


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


# The words of CUDA that C++ lacks, as far as the kernels use them.
HEADER = r"""
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>
using std::abs; using std::exp; using std::fmax; using std::log;
#define __global__
#define __device__
#define __restrict__
#define __launch_bounds__(...)
#define __shared__ alignas(16) static
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct Place { unsigned x, y; };
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;
static char* dynamic_memory;

struct Warp {
  std::barrier<> gate;
  char lane[32][8];
  explicit Warp(int lanes) : gate(lanes) {}
};
struct Block {
  std::barrier<> gate;
  std::vector<std::unique_ptr<Warp>> warps;
  explicit Block(int threads) : gate(threads) {
    for (int first = 0; first < threads; first += 32)
      warps.emplace_back(new Warp(threads - first < 32 ? threads - first : 32));
  }
};
static Block* block_;
inline Warp& warp_() { return *block_->warps[threadIdx.x / 32]; }
inline void __syncthreads() { block_->gate.arrive_and_wait(); }

template <class T> T from_lane_(T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  Warp& warp = warp_();
  memcpy(warp.lane[threadIdx.x % 32], &value, sizeof(T));
  warp.gate.arrive_and_wait();
  memcpy(&value, warp.lane[source], sizeof(T));
  warp.gate.arrive_and_wait();
  return value;
}
template <class T> T __shfl_xor_sync(unsigned, T value, unsigned by, unsigned = 32) {
  return from_lane_(value, threadIdx.x % 32 ^ by);
}
template <class T>
T __shfl_sync(unsigned, T value, unsigned source, unsigned width = 32) {
  return from_lane_(value, threadIdx.x % 32 / width * width + source);
}
template <class T> void atomicAdd(T* place, T value) {
  std::atomic_ref<T>(*place).fetch_add(value);
}
inline float __expf(float x) { return exp(x); }
template <class To, class From> To same_bits_(From from) {
  To to;
  static_assert(sizeof(To) == sizeof(From));
  memcpy(&to, &from, sizeof(To));
  return to;
}
inline float __int_as_float(int bits) { return same_bits_<float>(bits); }
inline int __float_as_int(float x) { return same_bits_<int>(x); }
inline double __longlong_as_double(long long x) { return same_bits_<double>(x); }
"""

LAUNCH = r"""
extern "C" void launch(
    void** p, unsigned along, unsigned across, unsigned threads, char* shared) {
  gridDim = {along, across};
  blockDim = {threads, 1};
  dynamic_memory = shared;
  for (unsigned b = 0; b < along * across; b++) {
    Block current(threads);
    block_ = &current;
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; t++)
      running.emplace_back([=] {
        blockIdx = {b % along, b / along};
        threadIdx = {t, 0};
        CALL;
        // Whoever is done holds up no barrier.
        warp_().gate.arrive_and_drop();
        block_->gate.arrive_and_drop();
      });
    for (auto& one : running) one.join();
  }
}
"""
