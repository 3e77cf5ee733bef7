"""Importing xgrad loads nothing that it may not need."""

import subprocess
import sys

import pytest

HEAVY = ["cupy", "torch", "jax", "dask", "matplotlib", "sklearn", "scipy", "tqdm"]


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", HEAVY)
def test_import_loads_no(module):
    code = f"import sys, xgrad; print(int({module!r} in sys.modules))"
    assert _run(code) == "0"


def test_import_adds_few_modules_to_those_of_numpy():
    code = (
        "import sys, numpy; before = set(sys.modules); import xgrad;"
        "new = {m for m in set(sys.modules) - before if not m.startswith("
        "('xgrad', 'numpy', 'array_api_compat'))}; print(len(new))"
    )
    assert int(_run(code)) < 30


def test_public_names_are_those_of_the_contract():
    import xgrad

    public = {name for name in vars(xgrad) if not name.startswith("_")}
    assert public == {
        "Backend",
        "BackendUnavailable",
        "Coloring",
        "Estimate",
        "Status",
        "Tangent",
        "backends",
        "batch_mean",
        "batches",
        "color_columns",
        "derivative",
        "diff",
        "gradient",
        "hessian",
        "hvp",
        "jacobian",
        "jvp",
        "losses",
        "metrics",
        "namespace",
        "random_batch",
        "special",
        "tangent_line",
        "to_numpy",
        "value_and_gradient",
    }
