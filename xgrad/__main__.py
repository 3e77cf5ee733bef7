"""``python -m xgrad``: parse the command line, and run a command."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

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
    options = _parser().parse_args(arguments)
    if options.command == "check":
        return check_command.run(options)
    if options.command == "demo":
        from xgrad._cli import demo  # loads the losses, which nothing else needs

        return demo.run(options.backend)
    return print_overview()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xgrad",
        description="Without a command, show the backends and which one is used.",
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
