"""The rule between packages: an import points to a lower rank, and to a face."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import xgrad

ROOT = Path(xgrad.__file__).parent
# CONTRIBUTING.md shows the same table. Rooms of one rank do not know each other.
RANKS = (
    ("_arrays",),
    ("_rules",),
    ("_kernels", "_tracing"),
    ("_batched", "_autodiff"),
    ("_evaluation", "losses", "special", "_batches", "testing"),
    ("_differences", "metrics"),
    ("diff",),
    ("check",),
    ("plot",),
    ("",),  # xgrad/__init__.py
    ("_cli", "_pytest"),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
# What is public or computes losses knows nothing of derivatives, whatever the ranks.
APART = {"losses", "special", "_batches", "testing", "metrics"}
DERIVATIVES = {
    "_tracing",
    "_batched",
    "_autodiff",
    "_evaluation",
    "_differences",
    "diff",
    "check",
}
PUBLIC = {"losses", "metrics", "diff", "check", "plot", "special", "testing"}
ARRAYS = re.compile(r"\b(Array|ArrayT|Any|ndarray)\b")
ALLOWED = {
    ("metrics", "losses"),
    ("check", "diff"),
    ("plot", "diff"),
    ("plot", "check"),
    ("plot", "metrics"),
}


def room_of(module):
    """The first part of a module's name below `xgrad`."""
    return module.split(".")[1] if "." in module else ""


def modules():
    for path in ROOT.rglob("*.py"):
        parts = ("xgrad", *path.relative_to(ROOT).with_suffix("").parts)
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(path):
    """Yield the modules of xgrad that a file imports, or imports names from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xgrad"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT.parent / whole.replace(".", "/")).with_suffix(".py")
                yield (whole if is_module.exists() else node.module), node.module


EDGES = [
    (importer, imported, package)
    for importer, path in modules()
    for imported, package in imports(path)
    if importer != "xgrad"  # which re-exports the faces
]


def test_every_room_has_a_rank():
    assert {room_of(name) for name, _ in modules()} == set(RANK)


def test_imports_point_to_a_lower_rank():
    rooms = {(room_of(a), room_of(b)) for a, b, _ in EDGES}
    # The version stands at the root.
    rooms -= {("_cli", ""), ("__main__", "")}
    upward = {(a, b) for a, b in rooms if a != b and RANK[a] <= RANK[b]}
    assert not upward
    assert len(rooms) > 30


def test_other_rooms_are_entered_by_their_face():
    inside = {
        (importer, package)
        for importer, imported, package in EDGES
        if room_of(importer) != room_of(imported)
        and package.count(".") > 1
        and room_of(importer) != "__main__"
    }
    assert not inside


def test_public_rooms_stand_apart():
    rooms = {(room_of(a), room_of(b)) for a, b, _ in EDGES}
    between = {(a, b) for a, b in rooms if a != b and {a, b} <= PUBLIC}
    assert between <= ALLOWED
    assert not {(a, b) for a, b in rooms if a in APART and b in DERIVATIVES}


def test_no_room_has_a_cycle_inside():
    edges = {(a, b) for a, b, _ in EDGES if room_of(a) == room_of(b) and a != b}
    left = {name for edge in edges for name in edge}
    assert len(left) > 60
    while left:
        free = {a for a in left if not any(x == a and b in left for x, b in edges)}
        assert free, f"these modules import each other: {sorted(left)}"
        left -= free


def test_values_that_hold_arrays_are_not_compared():
    """The `__eq__` that a data class makes would raise on its arrays."""
    wrong = []
    for name, path in modules():
        # Kernels of libraries that may be missing hold no data.
        if name.endswith(("__main__", "_kernels.cupy")) or "_kernels.numba_" in name:
            continue
        module = importlib.import_module(name)
        wrong += {
            f"{name}.{value.__qualname__}"
            for value in vars(module).values()
            if isinstance(value, type)
            and dataclasses.is_dataclass(value)
            and value.__dataclass_params__.eq
            and any(ARRAYS.search(str(f.type)) for f in dataclasses.fields(value))
            and inspect.getsourcefile(value) == str(path)
        }
    assert not wrong


def test_only_the_boundary_imports_array_api_compat():
    users = {
        room_of(name)
        for name, path in modules()
        if "import array_api_compat" in path.read_text(encoding="utf-8")
    }
    assert users <= {"_arrays", "_cli"}
