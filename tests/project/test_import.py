"""Importing xgrad loads nothing, and its names load nothing that they do not need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import xgrad

HEAVY = ["cupy", "torch", "jax", "dask", "matplotlib", "sklearn", "scipy", "tqdm"]
EVERYTHING = "import sys, xgrad; [getattr(xgrad, name) for name in dir(xgrad)];"
PUBLIC = {
    "Backend",
    "BackendUnavailable",
    "Coloring",
    "Estimate",
    "GradientReport",
    "NotDifferentiable",
    "Status",
    "Tangent",
    "assert_gradient",
    "backend_name",
    "backends",
    "batch_mean",
    "batches",
    "check",
    "check_gradient",
    "check_hessian",
    "check_jacobian",
    "check_vjp",
    "color_columns",
    "sparsity_pattern",
    "custom_vjp",
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
    "plot",
    "random_batch",
    "show_versions",
    "special",
    "tangent_line",
    "testing",
    "to_numpy",
    "value_and_gradient",
    "vjp",
}


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["xgrad", "xgrad._pytest"])
def test_import_loads_neither_numpy_nor_a_module_of_xgrad(module):
    code = (
        f"import sys, {module}; print(*sorted(m for m in sys.modules"
        " if m.partition('.')[0] in ('xgrad', 'numpy', 'array_api_compat')))"
    )
    assert _run(code).split() == sorted({"xgrad", module})


@pytest.mark.sampled(3)
@pytest.mark.parametrize("module", HEAVY)
def test_all_names_together_load_no(module):
    assert _run(f"{EVERYTHING} print(int({module!r} in sys.modules))") == "0"


def test_all_names_together_need_the_two_dependencies_alone():
    code = (
        f"import sys; before = set(sys.modules); {EVERYTHING}"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    assert _run(code).split() == ["array_api_compat", "numpy", "xgrad"]


def test_public_names_are_those_of_the_contract():
    assert {name for name in dir(xgrad) if not name.startswith("_")} == PUBLIC
    assert set(xgrad.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_name_is_found_and_kept(name):
    found = getattr(xgrad, name)
    assert vars(xgrad)[name] is found
    home = sys.modules[xgrad._HOMES.get(name, f"xgrad.{name}")]
    assert found is (getattr(home, name) if name in xgrad._HOMES else home)


def test_an_unknown_name_is_refused_in_the_words_of_python():
    name = "gradeint"
    with pytest.raises(AttributeError) as refused:
        getattr(xgrad, name)
    with pytest.raises(AttributeError) as usual:
        getattr(ast, name)
    assert str(refused.value) == str(usual.value).replace("'ast'", "'xgrad'")
    assert not hasattr(xgrad, name)


def test_type_checkers_see_what_is_found():
    tree = ast.parse(Path(xgrad.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert all(isinstance(node, ast.ImportFrom) for node in block.body)
    # `name as name` is what makes a name public to type checkers.
    assert all(a.asname == a.name for node in block.body for a in node.names)
    seen = {a.name: node.module for node in block.body for a in node.names}
    assert seen == xgrad._HOMES | dict.fromkeys(xgrad._MODULES, "xgrad")


def test_pytest_may_be_run_by_a_program_that_has_imported_xgrad():
    code = "import xgrad, pytest; print(int(pytest.main(['-W', 'error', '--version'])))"
    assert _run(code).splitlines()[-1] == "0"


def test_names_that_are_mistyped_have_a_suggestion():
    code = "import xgrad; xgrad.gradeint"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Did you mean: 'gradient'?" in done.stderr
