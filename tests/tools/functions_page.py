"""Write the page of functions that a function may use whose derivative is taken.

python tests/tools/functions_page.py    # after a function was added
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xgrad._autodiff.scipy_functions import SCIPY
from xgrad._autodiff.special import table_of
from xgrad._tracing import FUNCTIONS

PATH = Path(__file__).parents[2] / "docs" / "reference" / "functions.md"
START = """# Functions that xgrad follows

A function has an [exact gradient](../how-to/exact.md), and runs at many points at once
[along a hidden axis](../explanation/batching.md), if it computes with operators,
indices and these functions. Those of NumPy include its ufuncs; functions of the
standard come from `array_api_compat.array_namespace(x)`. If `f` needs others, or an
argument that one of these lacks, its gradient is made of differences, for which it is
evaluated one point at a time. A warning then names the function.

This page is written by a script from the table of the functions.
"""
SUBSTITUTES = """## Functions of SciPy that have substitutes

SciPy's own are compiled. Exact derivatives take these in their place, with the
arguments that NumPy's functions have a counterpart for. Functions of SciPy, and of
other packages, that are written in Python need none: xgrad runs
[copies of them](../how-to/exact.md#functions-of-other-packages).
"""


def written() -> str:
    """Return the text of the page."""
    names = {name for name in FUNCTIONS if " " not in name}
    plain = {name.removeprefix("numpy.") for name in names} - {"getitem", "setitem"}
    ours = sorted(plain)
    only_standard = [name for name in ours if not _is_of_numpy(name)]
    of_numpy = [name for name in ours if _is_of_numpy(name)]
    made = sorted(n.removeprefix("like ") for n in FUNCTIONS if n.startswith("like "))
    return "\n".join(
        [
            START,
            _section("Functions of NumPy, and of the standard", of_numpy),
            _section("Functions of the standard alone", only_standard),
            _section("New arrays, with `like=x`", made),
            _section(
                "Functions of `scipy.special` with an exact derivative", special()
            ),
            SUBSTITUTES,
            _section("In `scipy.linalg`", sorted(SCIPY["scipy.linalg"]), "###"),
            _section("In `scipy.fft`", sorted(SCIPY["scipy.fft"]), "###"),
            _section("Elsewhere in SciPy", elsewhere(), "###"),
        ]
    )


def elsewhere() -> list[str]:
    """Return the names of the substitutes in other modules of SciPy."""
    modules = SCIPY.keys() - {"scipy.linalg", "scipy.fft"}
    # A method that makes an object, or calls it, goes by its class.
    return sorted(
        {
            f"{module.removeprefix('scipy.')}.{name.partition('.__')[0]}"
            for module in modules
            for name in SCIPY[module]
        }
    )


def special() -> list[str]:
    """Return the names of SciPy's functions that have a rule of differentiation."""
    import scipy.special

    # "sici 1" is the second output of `sici`, and `_lambertw` the ufunc of `lambertw`.
    rules = table_of(scipy.special)
    names = {name.partition(" ")[0].removeprefix("_") for name in rules}
    # The others are those of `scipy.stats`.
    return sorted(name for name in names if hasattr(scipy.special, name))


def _is_of_numpy(name: str) -> bool:
    value = np
    for attribute in name.split("."):
        value = getattr(value, attribute, None)
    return value is not None


def _section(title: str, names: list[str], level: str = "##") -> str:
    lines, line = [], ""
    for name in names:
        word = f"`{name}`" + ("," if name != names[-1] else "")
        if len(line) + len(word) > 87:
            lines.append(line.rstrip())
            line = ""
        line += f"{word} "
    return "\n".join([f"{level} {title}", "", *lines, line.rstrip(), ""])


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
