"""``python -m xgrad check``: check a gradient of functions that are named by words."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

import xgrad
from xgrad._cli.loading import Mistake, load_function, load_namespace, load_point
from xgrad.check import Verdict

# 2 is the code of argparse for wrong usage.
CODES: dict[Verdict, int] = {"pass": 0, "fail": 1, "kink": 3, "inconclusive": 4}
USAGE = 2
# Frames that a traceback of the user's code need not show: those of xgrad, of imports
# and contexts, and of generated code such as "<string>".
OURS = (
    str(Path(__file__).parents[1]),
    str(Path(importlib.__file__).parent),
    contextlib.__file__,
    "<",
)
EPILOG = """\
A function is written module:name, as in "package.losses:slope" or "losses.py:slope";
modules in the current folder are found, too. A point is a file of NumPy, or numbers:
--at point.npy (one array), --at parameters.npz (a dict of arrays), --at 1.5,2 (write
--at=-1,2 if the first number is negative).

exit codes: 0 pass, 1 fail, 3 a corner at the point, 4 inconclusive; 2 if nothing was
checked because of a wrong argument, or an exception in one of the functions
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("function", metavar="module:f", help="the function, of an array to a scalar")
    add("gradient", metavar="module:grad", help="its gradient, or with --vjp its vjp")
    add("--at", action="append", required=True, metavar="POINT", help="the point")
    add("--vjp", action="store_true", help="check a backward pass by check_vjp; each "
        "--at is an input")  # fmt: skip
    add("--directions", type=int, default=8, help="random directions (default 8)")
    add("--full", action="store_true", help="compare all entries, however many")
    add("--rtol", type=float, help="allowed relative difference")
    add("--seed", type=int, default=0, help="seed of the directions (default 0)")
    add("--dtype", help="evaluate in this dtype, for example float64")
    # NumPy by default, and not the GPU: the points come from files of NumPy.
    add("--backend", default="numpy", help="library of the arrays that the functions "
        "get: numpy (default), cupy, torch, jax, or auto")  # fmt: skip
    add("--plot", metavar="FILE", help="draw the report into a file")


def run(options: argparse.Namespace) -> int:
    """Check, print the report, and return the exit code of its verdict."""
    try:
        report = _check(options)
        print(report)
        if options.plot:
            _draw(report, options.plot)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except Exception as error:
        # The user's functions may raise anything.
        _print_error(error)
        return USAGE
    return CODES[report.verdict]


def _check(options: argparse.Namespace) -> xgrad.GradientReport:
    f, gradient = map(load_function, (options.function, options.gradient))
    xp = load_namespace(options.backend)
    points = [load_point(xp, words) for words in options.at]
    shared: Any = {
        "directions": options.directions,
        "full": True if options.full else "auto",
        "rtol": options.rtol,
        "seed": options.seed,
    }
    if options.vjp:
        if options.dtype:
            raise Mistake("--dtype is not for --vjp: inputs keep their own dtypes")
        return xgrad.check_vjp(f, gradient, _inputs(points), **shared)
    # Several points would be several inputs, which only a backward pass has.
    if len(points) > 1:
        raise Mistake(
            "pass one --at, an .npz for several arrays; only --vjp takes more"
        )
    return xgrad.check_gradient(f, gradient, points[0], dtype=options.dtype, **shared)


def _inputs(points: list[Any]) -> tuple[Any, ...]:
    """Return the inputs of ``--vjp``: several points, or the arrays of one file."""
    if len(points) == 1 and isinstance(points[0], dict):
        return tuple(points[0].values())
    if any(isinstance(point, dict) for point in points):
        raise Mistake("with --vjp pass one .npz, or an .npy for each input")
    return tuple(points)


def _draw(report: xgrad.GradientReport, path: str) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Mistake("--plot needs matplotlib: install xgrad[plot]") from None
    # Without pyplot, which may choose a backend that needs a display.
    figure = Figure(layout="constrained")
    xgrad.plot.report(report, ax=figure.add_subplot())
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise Mistake(f"--plot {path}: {error}") from None
    print(f"plot: {path}")


def _print_error(error: Exception) -> None:
    """Print an error of xgrad as a sentence, and one of user code with its frames."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(OURS):
        frames = frames.tb_next
    if frames is None:
        print(f"error: {error}", file=sys.stderr)
    else:
        traceback.print_exception(type(error), error, frames)
