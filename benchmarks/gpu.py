"""Everything on a GPU: the test suite on CuPy, and then the speed of losses.

    python -m benchmarks.gpu            # pip install -e ".[test,cuda13x]" first
    python -m benchmarks.gpu --no-tests

Prints Markdown tables, with the GPU, its driver and the versions. Without a GPU it says
why none can be used, and stops.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import xgrad
from benchmarks import speed

ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    options = parser.parse_args(arguments)
    try:
        xgrad.namespace("cupy")
    except xgrad.BackendUnavailable as error:
        print(error)
        return 1
    failed = 0
    if not options.no_tests:
        command = [sys.executable, "-m", "pytest", "-q", "-k", "cupy or cuda"]
        needed = {**os.environ, "XGRAD_REQUIRE_GPU": "1"}
        failed = subprocess.run(command, cwd=ROOT, env=needed, check=False).returncode
    quick = ["--quick"] if options.quick else []
    speed.main(["--backend", "cupy", *quick])
    return failed


if __name__ == "__main__":
    sys.exit(main())
