"""An import only points to a lower rank."""

import ast
from pathlib import Path

import pytest

import xgrad

PACKAGE = Path(xgrad.__file__).parent
LAYERS = [
    {"_stencil", "_tree"},
    {"_array"},
    {"_backends", "_batched", "_device", "_math", "_noise", "_points"},
    {"special", "_loss", "_coloring", "_execution", "_minibatch", "_schemes"},
    {"losses", "_evaluate", "_ladder", "_readout"},
    {"metrics", "_hidden", "_plan"},
    {"_steps"},
    {"_engine"},
    {"_gradient"},
    {"_derivative", "_jacobian", "_products"},
    {"_hessian"},
    {"diff"},
    {"__init__"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "xgrad":
            modules = {alias.name for alias in node.names}
            found |= modules & RANK.keys() or {"__init__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "xgrad."
        ):
            found.add(node.module.removeprefix("xgrad."))
        elif isinstance(node, ast.Import):
            found |= {"__init__" for a in node.names if a.name.startswith("xgrad")}
    return found


EDGES = sorted(
    (path.stem, imported)
    for path in PACKAGE.glob("*.py")
    for imported in _imports(path)
)


def test_every_module_has_a_rank():
    assert {path.stem for path in PACKAGE.glob("*.py")} == RANK.keys()


@pytest.mark.parametrize(("importer", "imported"), EDGES)
def test_imports_point_down(importer, imported):
    assert RANK[imported] < RANK[importer]


def test_only_the_boundary_and_the_backends_import_array_api_compat():
    users = {
        path.stem
        for path in PACKAGE.glob("*.py")
        if "import array_api_compat" in path.read_text()
    }
    assert users == {"_array", "_backends", "_device", "__main__"}
