"""What Sphinx does not do by itself: tables of functions, links to them, and sources.

- The parameters that all losses share are described once.
- Each section of the reference begins with a table of the functions that it describes.
- Code such as ``check_gradient`` in a page, or in a docstring, links to the reference.
- Long code in a table can be broken.
- Public objects link to their source, which stands in a private module.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sphinx.addnodes
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import xgrad
from xgrad.losses import Loss
from xgrad.losses._signature import ARRAYS, HEAD, SHARED_PARAMETERS

PACKAGE = Path(xgrad.__file__).parent
# A call, such as `losses.huber(y, t)`, links like the name of the function. That of a
# result, `jacobian(f)(x)`, is code of another library.
CALL = re.compile(r"(?:xgrad\.)?([\w.]+)(?:\((?:(?!\)\().)*\))?", re.S)
# Its lists hold names of NumPy and SciPy, such as `gradient`.
LISTS = "reference/functions"
# Before a word of some length, in the middle of code.
BREAK = re.compile(r"(?<=[._(,=])(?=[\w\"]{4})")
# Their names need no module before them, unless two of them have the same.
OPEN_MODULES = ("", "losses.", "metrics.", "special.", "testing.")
MODULES = (*OPEN_MODULES, "plot.")


# Docstrings


def drop_shared_parameters(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Leave out the parameters of every loss, which the top of the page describes."""
    if not isinstance(value, Loss):
        return
    text = "\n".join([*lines, ""])
    reductions = ", ".join(f'"{word}"' for word in value.reductions)
    shared = SHARED_PARAMETERS.format(reductions=f"{{{reductions}}}")
    text = text.replace(ARRAYS, "").replace(shared, "").replace(f"{HEAD}\n", "")
    lines[:] = text.splitlines()


# Tables


def add_summaries(app: Any, document: nodes.document) -> None:
    """Put a table of the described objects at the top of each section."""
    if not app.env.docname.startswith("reference/"):
        return
    for section in list(document.findall(nodes.section)):
        described = [node for node in section.children if is_described(node)]
        if len(described) > 1:
            section.insert(section.index(described[0]), summary(described))


def is_described(node: nodes.Node) -> bool:
    return isinstance(node, sphinx.addnodes.desc) and node["domain"] == "py"


def summary(described: list[Any]) -> nodes.table:
    """Return a table of names, which are links, and first lines of descriptions."""
    body = nodes.tbody()
    for description in described:
        signature, content = description[0], description[1]
        link = nodes.reference(
            "", "", nodes.literal("", signature["fullname"]), internal=True
        )
        link["refid"] = signature["ids"][0]
        first = next(iter(content.findall(nodes.paragraph)), nodes.paragraph())
        row = nodes.row(
            "",
            *(
                nodes.entry("", p)
                for p in (nodes.paragraph("", "", link), first.deepcopy())
            ),
        )
        body.append(row)
    columns = (nodes.colspec(colwidth=30), nodes.colspec(colwidth=70))
    return nodes.table(
        "", nodes.tgroup("", *columns, body, cols=2), classes=["summary"]
    )


# Links


class LinkCode(SphinxPostTransform):
    """Link code that names a public object to its description."""

    default_priority = 5  # before references are resolved

    def run(self, **options: Any) -> None:
        if self.env.docname == LISTS:
            return
        objects = self.env.get_domain("py").objects
        for literal in list(self.document.findall(nodes.literal)):
            name = self.full_name(literal, objects)
            if name is None or is_linked(literal) or is_foreign(literal):
                continue
            entry = objects[name]
            if entry.docname == self.env.docname and inside(literal, entry.node_id):
                continue  # a description needs no link to itself
            uri = self.app.builder.get_relative_uri(self.env.docname, entry.docname)
            link = nodes.reference("", "", internal=True)
            link["refuri"] = f"{uri}#{entry.node_id}"
            literal.replace_self(link)
            link.append(literal)

    def full_name(self, literal: nodes.literal, objects: Any) -> str | None:
        match = CALL.fullmatch(literal.astext())
        if match is None:
            return None
        is_full = match[1].partition(".")[0] + "." in MODULES
        modules = ("",) if is_full else OPEN_MODULES
        names = [f"xgrad.{module}{match[1]}" for module in modules]
        return next((name for name in names if name in objects), None)


def is_linked(node: nodes.Node) -> bool:
    kinds = nodes.reference | sphinx.addnodes.pending_xref | nodes.title
    return any(isinstance(parent, kinds) for parent in parents(node))


def is_foreign(node: nodes.Node) -> bool:
    """Return whether a node is in a column of another library, beside one of xgrad."""
    entry = next((p for p in parents(node) if isinstance(p, nodes.entry)), None)
    head = entry and next(iter(entry.parent.parent.parent.findall(nodes.thead)), None)
    if not head:
        return False
    titles = [title.astext() for title in head[0]]
    return "xgrad" in titles and titles[entry.parent.index(entry)] != "xgrad"


def inside(node: nodes.Node, node_id: str) -> bool:
    return any(
        isinstance(parent, sphinx.addnodes.desc) and node_id in parent[0]["ids"]
        for parent in parents(node)
    )


def parents(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


class BreakCode(SphinxPostTransform):
    """Let code in tables break after punctuation: long names would widen columns."""

    formats = ("html",)
    default_priority = 900  # after links

    def run(self, **options: Any) -> None:
        for table in self.document.findall(nodes.table):
            for literal in table.findall(nodes.literal):
                pieces = BREAK.split(literal.astext())
                literal.children = []
                for i, piece in enumerate(pieces):
                    if i:
                        literal += nodes.raw("", "<wbr>", format="html")
                    literal += nodes.Text(piece)


# Sources


@functools.cache
def module_of_source(modname: str | None, attribute: str) -> str | None:
    """Return the private module that defines a public object."""
    if modname is None:  # a description by hand
        return None
    value = importlib.import_module(modname)
    for name in attribute.split("."):
        value = getattr(value, name, None)
    try:
        path = Path(inspect.getsourcefile(inspect.unwrap(value)))
    except TypeError:  # no function, and no class
        return modname
    if not path.is_relative_to(PACKAGE):
        return modname
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def setup(app: Any) -> dict[str, bool]:
    # Before napoleon, at 500, reads the sections.
    app.connect("autodoc-process-docstring", drop_shared_parameters, priority=400)
    app.connect("doctree-read", add_summaries)
    app.connect("viewcode-follow-imported", lambda app, *name: module_of_source(*name))
    app.add_post_transform(LinkCode)
    app.add_post_transform(BreakCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
