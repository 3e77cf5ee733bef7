"""All benchmarks, or some of them.

    python -m benchmarks                              # all but the long ones
    python -m benchmarks losses_speed metrics_speed   # these

Each topic is a script of its own and runs in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

TOPICS = {
    "losses_speed": "losses beside NumPy, PyTorch and optax, and beside the memory",
    "losses_hard_input": "what losses say about hard input",
    "metrics_speed": "metrics and mini-batches",
    "ranking_speed": "areas and curves of scores beside scikit-learn",
    "fixed_cost": "what small derivatives cost beside SciPy's",
    "diff_accuracy": "how right derivatives are",
    "check_detection": "whether wrong gradients are found",
    "autodiff": "exact gradients beside autograd, MyGrad, PyTorch and JAX",
    "diff_structure": "what structure saves",
    "packages": "exact gradients through other packages",
    "optimizers": "SciPy's optimizers with exact derivatives",
    "evaluation_workers": "what processes gain, and what a checkpoint costs",
    "diff_batched": "plain functions at many points at once (five minutes)",
}
LONG = ("diff_batched",)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    listed = "; ".join(f"{name}: {what}" for name, what in TOPICS.items())
    parser.add_argument("topic", nargs="*", help=listed)
    chosen = parser.parse_args(arguments).topic
    for name in chosen:
        if name not in TOPICS:
            parser.error(f"there is no topic {name!r}: choose from {', '.join(TOPICS)}")
    failed = 0
    for name in chosen or [name for name in TOPICS if name not in LONG]:
        print(f"## {TOPICS[name]}\n", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        failed |= subprocess.run([sys.executable, str(script)], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
