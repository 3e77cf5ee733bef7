"""``python -m xgrad``, or ``xgrad``: parse the command line, and run a command."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from xgrad import __version__
from xgrad._cli import check as check_command
from xgrad._cli.overview import print_overview


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code.

    Without a command it is 1 if ``XGRAD_BACKEND`` names a backend that is not usable.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The demo prints arrows, which not every terminal can encode.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = _run(_parser().parse_args(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # `head` has read enough. Python would try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(options: argparse.Namespace) -> int:
    if options.command == "check":
        return check_command.run(options)
    # The overview and the demo say themselves why a GPU is not used.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "xgrad uses NumPy", RuntimeWarning)
        if options.command == "demo":
            from xgrad._cli import demo  # loads the losses, which nothing else needs

            return demo.run(options.backend)
        if options.command == "versions":
            from xgrad import show_versions

            show_versions()
            return 0
        return print_overview(_program())


def _program() -> str:
    """Return the words that have started the program."""
    return "xgrad" if Path(sys.argv[0]).stem == "xgrad" else "python -m xgrad"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Without a command, show the backends and which one is used.",
    )
    parser.add_argument("--version", action="version", version=f"xgrad {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="{check,demo,versions}")
    check = commands.add_parser("check", help="check a gradient written by hand")
    check_command.add_arguments(check)
    demo = commands.add_parser("demo", help="the lesson on loss functions")
    demo.add_argument("--backend", default="auto", help="numpy, cupy, torch, jax, ...")
    commands.add_parser("versions", help="what the report of a fault needs to say")
    return parser


if __name__ == "__main__":
    sys.exit(main())
