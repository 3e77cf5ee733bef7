"""Runs tests of another library with a plugin that puts xgrad in its place."""

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def run_tests(plugin, module):
    """Return how many tests of a module passed, and the names of those that failed."""
    command = [sys.executable, "-m", "pytest", "-p", f"peers.{plugin}", "--pyargs"]
    command += [module, "-q", "-n", "0", "--tb=line"]
    # A configuration of its own: that of xgrad makes errors of all warnings.
    command += ["-p", "no:cacheprovider", "-c", os.devnull]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", ran.stdout[-200:])}
    failed = re.findall(r"^FAILED (?:\S*::)?(\w+)", ran.stdout, re.M)
    assert ran.returncode in (0, 1), ran.stdout[-2000:] + ran.stderr[-2000:]
    # Each failure is counted and named, or else a failure could be missed.
    assert len(failed) == counts.get("failed", 0), ran.stdout[-2000:]
    return counts["passed"], set(failed)
