"""``python -m xgrad check``: a gradient check of functions that are named by words."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import xgrad
from xgrad.check import Verdict

CODES: dict[Verdict, int] = {"pass": 0, "fail": 1, "kink": 3, "inconclusive": 4}
USAGE = 2
# Whose frames are left out of tracebacks: xgrad's, those of imports and of dataclasses.
OURS = (str(Path(__file__).parents[1]), str(Path(importlib.__file__).parent), "<")
EPILOG = """\
A function is written module:name, as in "package.losses:slope" or "losses.py:slope";
modules are looked for in the current folder, too. A point is a file of NumPy, or
numbers: --at point.npy (one array), --at parameters.npz (a dict of arrays), --at 1.5,2
(write --at=-1,2 where the first one is negative).

exit codes: 0 pass, 1 fail, 3 a corner at the point, 4 inconclusive; 2 if there was
nothing to check: a wrong argument, or an exception in one of the functions
"""


class Mistake(Exception):
    """Something in the arguments that the user has to change."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``check`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("function", metavar="module:f", help="the function, of an array to a scalar")
    add("gradient", metavar="module:grad", help="its gradient, or with --vjp its vjp")
    add("--at", action="append", required=True, metavar="POINT", help="where to check")
    add("--vjp", action="store_true", help="check a backward pass by check_vjp; each "
        "--at is an input")  # fmt: skip
    add("--directions", type=int, default=8, help="random directions (default 8)")
    add("--full", action="store_true", help="compare all entries, however many")
    add("--rtol", type=float, help="relative difference that is allowed")
    add("--seed", type=int, default=0, help="of the random directions (default 0)")
    add("--dtype", help="evaluate in this dtype, for example float64")
    add("--backend", default="numpy", help="library of the arrays that the functions "
        "get: numpy (default), cupy, torch, jax, or auto")  # fmt: skip
    add("--plot", metavar="FILE", help="draw the report into a file")


def run(options: argparse.Namespace) -> int:
    """Check, print the report, and give the exit code that belongs to it."""
    try:
        report = _report(options)
        print(report)
        if options.plot:
            _draw(report, options.plot)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except Exception as error:
        _print(error)
        return USAGE
    return CODES[report.verdict]


def _report(options: argparse.Namespace) -> xgrad.GradientReport:
    f, given = (_loaded(words) for words in (options.function, options.gradient))
    xp = _namespace(options.backend)
    points = [_point(xp, words) for words in options.at]
    full = True if options.full else "auto"
    shared: Any = {
        "directions": options.directions,
        "full": full,
        "rtol": options.rtol,
        "seed": options.seed,
    }
    if options.vjp:
        if options.dtype:
            raise Mistake("--dtype is not for --vjp: kernels get their inputs as given")
        return xgrad.check_vjp(f, given, _inputs(points), **shared)
    if len(points) > 1:
        raise Mistake("give one --at, or an .npz for several arrays; --vjp takes more")
    return xgrad.check_gradient(f, given, points[0], dtype=options.dtype, **shared)


def _inputs(points: list[Any]) -> tuple[Any, ...]:
    """Several points, or the arrays of one file in their order."""
    if len(points) == 1 and isinstance(points[0], dict):
        return tuple(points[0].values())
    if any(isinstance(point, dict) for point in points):
        raise Mistake("with --vjp give one .npz, or an .npy for each input")
    return tuple(points)


def _namespace(name: str) -> Any:
    try:
        return xgrad.namespace(name)
    except (ValueError, RuntimeError) as error:
        raise Mistake(str(error).replace("`name`", "--backend")) from None


# Functions


def _loaded(words: str) -> Any:
    module_name, colon, path = words.rpartition(":")
    if not (module_name and colon and path):
        raise Mistake(f"write {words!r} as module:name, for example losses:slope")
    found = _module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, dir(found), 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise Mistake(f"{module_name!r} has no {name!r}{hint}")
        found = getattr(found, name)
    if not callable(found):
        raise Mistake(f"{words!r} is a {type(found).__name__}, not a function")
    return found


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if name.endswith(".py"):
        return _file(Path(name))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Mistake(
                f"there is no module {error.name!r} in {here}, nor is it installed"
            ) from None
        raise


def _file(path: Path) -> Any:
    if not path.is_file():
        raise Mistake(f"there is no file {path} in {Path.cwd()}")
    folder = str(path.resolve().parent)  # where a script finds its neighbours
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


# Points


def _point(xp: Any, words: str) -> Any:
    """An array of the namespace, or a dict of them."""
    path = Path(words)
    if path.suffix in (".npy", ".npz") or path.exists():
        found = _read(path)
    else:
        found = _numbers(words)
    if isinstance(found, dict):
        return {name: _array(xp, values) for name, values in found.items()}
    return _array(xp, found)


def _array(xp: Any, values: Any) -> Any:
    return values if xp.__name__.endswith("numpy") else xp.asarray(values)


def _numbers(words: str) -> Any:
    try:
        return np.array([float(number) for number in words.split(",")])
    except ValueError:
        raise Mistake(
            f"--at {words!r} is neither a file nor numbers: give an .npy or .npz, or "
            "for example --at 1.5,2"
        ) from None


def _read(path: Path) -> Any:
    try:
        found = np.load(path, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else dict(found)
    except FileNotFoundError:
        raise Mistake(f"there is no file {path} in {Path.cwd()}") from None
    except (OSError, ValueError, EOFError):
        raise Mistake(
            f"{path} holds no array of numbers: write it by numpy.save or numpy.savez"
        ) from None


# Reports and errors


def _draw(report: xgrad.GradientReport, path: str) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Mistake("--plot needs matplotlib: install xgrad[plot]") from None
    figure = Figure(layout="constrained")
    xgrad.plot.report(report, ax=figure.add_subplot())
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise Mistake(f"--plot {path}: {error}") from None
    print(f"picture: {path}")


def _print(error: Exception) -> None:
    """Errors of xgrad as a sentence; those of the user's code with its own frames."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(OURS):
        frames = frames.tb_next
    if frames is None:
        print(f"error: {error}", file=sys.stderr)
    else:
        traceback.print_exception(type(error), error, frames)
