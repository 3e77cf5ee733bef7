"""Docstrings are sentences that say what comes back."""

import ast
import functools
import inspect
import re
from pathlib import Path

import pytest

import xgrad
from xgrad import losses, metrics, plot, special, testing

PACKAGE = Path(xgrad.__file__).parent
# A free relative clause leaves out the subject, which the reader then has to guess.
CLAUSES = ("What", "Where", "How", "That", "Those", "The same")
# The steps of the lesson, whose first lines are read out as questions.
LESSON = PACKAGE / "_cli" / "demo.py"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != LESSON)


@functools.cache
def docstrings(path):
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    return [
        (getattr(node, "name", path.stem), text)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, documented) and (text := ast.get_docstring(node))
    ]


def test_most_functions_are_documented():
    assert sum(len(docstrings(path)) for path in MODULES) > 1000


@pytest.mark.parametrize("clause", CLAUSES)
def test_no_docstring_begins_with_a_clause(clause):
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in MODULES
        for name, text in docstrings(path)
        if text.startswith(f"{clause} ")
    ]
    assert not wrong


FACES = (xgrad, losses, metrics, special, plot, testing)
# They have no argument that could be wrong.
WITHOUT_ARGUMENTS = ("backends", "show_versions")
PUBLIC = {
    f"{face.__name__}.{name}": getattr(face, name)
    for face in FACES
    for name in face.__all__
    if callable(getattr(face, name)) and not isinstance(getattr(face, name), type)
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_tell_their_errors_and_show_an_example(name):
    text = inspect.getdoc(PUBLIC[name])
    assert re.search(r"\b[Rr]aises?\b|\berrors\b", text) or name.endswith(
        WITHOUT_ARGUMENTS
    )
    assert "Examples\n--------" in text


PACKAGES = sorted(
    path.parent
    for path in MODULES
    if path.name == "__init__.py" and path.parent.name.startswith("_")
)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_names_its_modules_in_reading_order(package):
    text = (package / "__init__.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", ast.get_docstring(ast.parse(text)) or ""))
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert modules
    assert modules <= named
