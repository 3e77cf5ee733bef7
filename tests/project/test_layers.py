"""An import only points to a lower rank."""

import ast
from pathlib import Path

import pytest

import xgrad

PACKAGE = Path(xgrad.__file__).parent
LAYERS = [
    {"_stencil", "_tree"},
    {"_array"},
    {"_blocks", "_guard", "_math"},
    {"_backends", "_batched", "_device", "_domains", "_labels", "_noise"},
    {"_kernels"},
    {"_points"},
    {
        "special",
        "_moments",
        "_ratios",
        "_rows",
        "_classes",
        "_coloring",
        "_execution",
        "_minibatch",
        "_schemes",
    },
    {"_case", "_classification", "_function", "_ladder", "_readout", "_regression"},
    {"_checkpoint", "_loss", "_ranks"},
    {"_kinds"},
    {"losses"},
    {"metrics", "_evaluate", "_options", "_plan"},
    {"_hidden"},
    {"_steps"},
    {"_engine", "_quick"},
    {"_gradient"},
    {"_derivative", "_jacobian", "_products"},
    {"_given", "_hessian", "_probe"},
    {"diff", "_judge", "_kernel", "_report"},
    {"_hints"},
    {"_checking"},
    {"check"},
    {"_pictured", "_sweep", "testing"},
    {"plot"},
    {"__init__"},
    {"_command", "_demo", "_pytest"},
    {"__main__"},
]
# Within the package of the hidden batch axis.
BATCHED = [
    {"region"},
    {"trace"},
    {"array"},
    {"rules"},
    {"moving"},
    {"folding", "slicing"},
    {"names"},
    {"elements", "indexing", "moves", "products", "reductions", "scans", "shapes"},
    {"linalg"},
    {"__init__"},
]


KERNELS = [{"cupy", "numpy"}, {"__init__"}]


def _ranks(layers: list[set[str]], package: str = "") -> dict[str, int]:
    return {package + name: i for i, names in enumerate(layers) for name in names}


RANK = _ranks(LAYERS) | _ranks(BATCHED, "_batched.") | _ranks(KERNELS, "_kernels.")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package, _, module = (node.module or "").partition(".")
            if package != "xgrad":
                continue
            names = {f"{module}.{alias.name}".strip(".") for alias in node.names}
            found |= names & RANK.keys() or {module or "__init__"}
        elif isinstance(node, ast.Import):
            found |= {"__init__" for a in node.names if a.name.startswith("xgrad")}
    return found


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {_name(path): path for path in PACKAGE.rglob("*.py")}
EDGES = sorted(
    (name, imported) for name, path in MODULES.items() for imported in _imports(path)
)


def test_every_module_has_a_rank():
    assert MODULES.keys() | {"_batched", "_kernels"} == RANK.keys()


@pytest.mark.parametrize(("importer", "imported"), EDGES)
def test_imports_point_down(importer, imported):
    package, _, inside = importer.partition(".")
    if inside and not imported.startswith(f"{package}."):
        assert RANK[imported] < RANK[package]
    else:
        assert RANK[imported] < RANK[importer]


def test_only_the_boundary_and_the_backends_import_array_api_compat():
    users = {
        name
        for name, path in MODULES.items()
        if "import array_api_compat" in path.read_text(encoding="utf-8")
    }
    assert users == {"_array", "_backends", "_device", "__main__"}
