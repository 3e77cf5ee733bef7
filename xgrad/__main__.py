"""``python -m xgrad``: the backends of this machine, and commands."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from xgrad import __version__
from xgrad._cli import check as check_command
from xgrad._cli.overview import lesson, overview


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code.

    Without a command that is 1 if ``XGRAD_BACKEND`` asks for what cannot be used.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # terminals that know no arrows
    options = _parser().parse_args(arguments)
    if options.command == "check":
        return check_command.run(options)
    if options.command == "demo":
        return lesson(options.backend)
    return overview()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xgrad",
        description="Without a command: which backends there are, and which is used.",
    )
    parser.add_argument("--version", action="version", version=f"xgrad {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="{check,demo}")
    check = commands.add_parser("check", help="check a gradient written by hand")
    check_command.add_arguments(check)
    demo = commands.add_parser("demo", help="the lesson on loss functions")
    demo.add_argument("--backend", default="auto", help="numpy, cupy, torch, jax, ...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
