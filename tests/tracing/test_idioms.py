"""However a function is written: on many points at once it gives what it gives on one.

Where that cannot be, xgrad goes from point to point, and says which line asked for it.
"""

from __future__ import annotations

import functools
import itertools
import re
import warnings
from collections import Counter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from cases.differences import gradient, jacobian, way_name
from cases.idioms import FILES, IDIOMS, C, Idiom, point
from cases.libraries import LIBRARIES

import xgrad
from xgrad._evaluation import proved_ways

NUMPY = [idiom for idiom in IDIOMS if not idiom.portable]
PORTABLE = [idiom for idiom in IDIOMS if idiom.portable]
# A device that NumPy cannot read stands in for a GPU where there is none.
PORTABLE_LIBRARIES = ["numpy", "strict", "strict-device1", "cupy"]

# Functions that use no value of their argument.
UNUSED = {"number", "length", "shape alone"}
FLOAT, BOOL = r"float|math", r"bool|branch"
ARRAY, MASK = r"asarray|np\.array", r"mask|boolean"
OTHER = r"assign|zeros|asarray|out="
# What needs a value, or an array, of one point; the pattern is to be in the warning.
EXPECTED_TO_LOOP = {
    "float": FLOAT,
    "float of entries": FLOAT,
    "float of 0-d": FLOAT,
    "fromiter": FLOAT,
    "math.sin": FLOAT,
    "math.sqrt of a sum": FLOAT,
    "math.fsum": FLOAT,
    "math.hypot": FLOAT,
    "math of 0-d": FLOAT,
    "try math": FLOAT,
    "try float of a point": FLOAT,
    "item": r"item",
    "item of 0-d": r"item",
    "tolist": r"tolist",
    "format": "",
    "int": r"int\(|asarray",
    "int of argmax": r"int\(|asarray",
    "bool": BOOL,
    "if x": BOOL,
    "if x[0] > 0": BOOL,
    "if x.any()": BOOL,
    "if all": rf"asarray|{BOOL}",
    "0 < x[0] < 1": BOOL,
    "and": BOOL,
    "not": BOOL,
    "any": BOOL,
    "in": BOOL,
    "sorted": BOOL,
    "newton": BOOL,
    "checked": BOOL,
    "builtin max": rf"max|{BOOL}",
    "builtin min": rf"min|{BOOL}",
    "max of two": rf"max|{BOOL}",
    "asarray": ARRAY,
    "np.array": ARRAY,
    "array of entries": ARRAY,
    "array of rows": ARRAY,
    "asarray of a list": ARRAY,
    "asarray is an alias": ARRAY,
    "try asarray": ARRAY,
    "np.sum of a list": "",
    "list": "",
    "vectorize": r"vectorize|asarray",
    "x[x > 1]": MASK,
    "x[~mask of x]": MASK,
    "x[0, x > 1]": MASK,
    "mask of x from x": MASK,
    "extract": r"extract|mask",
    "where of one": r"where|nonzero",
    "nonzero": r"nonzero",
    "argwhere": r"argwhere|nonzero",
    "C[argmax]": r"index",
    "zeros of a shape": OTHER,
    "zeros of a shape sliced": OTHER,
    "out of ndarray": OTHER,
    "buffer overwritten": OTHER,
    "buffer added to": OTHER,
    "buffer as out": OTHER,
    "row of a buffer overwritten": OTHER,
    "cached by bytes": r"tobytes",
    "attribute of ndarray": r"ctypes",
    "isinstance": "",
    "isinstance of an entry": "",
    "isscalar": "",
    "type": "",
    "scipy logsumexp": r"logsumexp|asarray",
    "det of scipy": r"det|asarray",
    "cubic spline": r"CubicSpline|asarray",
    "pdist": r"pdist|asarray",
}
# Words of advice: every warning has one of them.
REMEDY = r"\b(use|write|choose|assign|make|reshape|name|instead)\b|give `"
LEAST_SHARE = 0.7
# A file of idioms: what a warning says after it quotes a line.
AN_IDIOM = f"({'|'.join(map(re.escape, FILES))})"


class Outcome(NamedTuple):
    """A derivative, at many points at once and point by point."""

    found: np.ndarray
    expected: np.ndarray
    mode: str | None
    told: list[warnings.WarningMessage]


@functools.cache
def outcome(idiom: Idiom, name: str, dense: bool) -> Outcome:
    """What becomes of an idiom on a library."""
    library = LIBRARIES[name]()

    def x() -> Any:
        return library.asarray(point(idiom.shape))

    value = idiom.function()(x())
    derivative = derivative_of(idiom, value)
    expected = derivative(idiom.function(), x(), vectorized=False)
    f = idiom.function()
    with pytest.MonkeyPatch.context() as patch:
        # All idioms are called by one line of code, by which a verdict is inherited.
        patch.setattr(proved_ways, "_BY_CODE", WeakKeyDictionary())
        # Either way of the hidden axis, also for so few entries that a loop would do.
        patch.setenv("XGRAD_DENSE", str(int(dense)))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = derivative(f, x(), vectorized="auto")
    return Outcome(xgrad.to_numpy(found), xgrad.to_numpy(expected), way_name(f), told)


def derivative_of(idiom: Idiom, value: Any) -> Any:
    """Choose a function: a gradient by nothing of its argument is an error."""
    is_array = getattr(value, "ndim", 0) or idiom.name in UNUSED
    return jacobian if is_array else gradient


def require(idiom: Idiom) -> None:
    """Skip where what an idiom needs is not installed."""
    if idiom.theme == "SciPy":
        pytest.importorskip("scipy")


def check(idiom: Idiom, library: str, dense: bool) -> None:
    """The derivative is right: batched silently, or looped over with one warning."""
    require(idiom)
    found, expected, mode, told = outcome(idiom, library, dense)
    assert np.any(expected) == (idiom.theme != "constant"), "an idiom says something"
    # Both are the same quotients up to rounding: eps times some tens of roundings,
    # divided by a step of at least 2**-11, of values that are of the size of x.
    noise = 1e-7 * np.max(np.abs(expected)) + 1e-9
    np.testing.assert_allclose(found, expected, rtol=0, atol=noise, equal_nan=True)
    if mode == "loop":
        assert [warning.category for warning in told] == [RuntimeWarning]
        text = str(told[0].message)
        assert re.search(REMEDY, text)
        reason, file, _ = re.split(AN_IDIOM, text, maxsplit=1)
        assert file
        assert re.search(EXPECTED_TO_LOOP.get(idiom.name, ""), reason)
    else:
        assert mode in (("dense",) if dense else ("sparse", "dense"))
        assert [str(warning.message) for warning in told] == []
        assert idiom.name not in EXPECTED_TO_LOOP


modes = pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
shares = pytest.mark.parametrize(
    "every", [10, pytest.param(1, marks=pytest.mark.thorough)], ids=["some", "all"]
)


@pytest.mark.sampled(5)
@modes
@pytest.mark.parametrize("idiom", NUMPY, ids=str)
def test_numpy_idioms(idiom, dense):
    check(idiom, "numpy", dense)


@pytest.mark.sampled(5)
@modes
@pytest.mark.parametrize("library", PORTABLE_LIBRARIES)
@pytest.mark.parametrize("idiom", PORTABLE, ids=str)
def test_portable_idioms(idiom, library, dense):
    check(idiom, library, dense)


@shares
@modes
@pytest.mark.parametrize(
    ("idioms", "library"),
    [(NUMPY, "numpy"), (PORTABLE, "numpy"), (PORTABLE, "strict-device1")],
    ids=["numpy", "portable", "portable on a device"],
)
def test_most_idioms_are_batched(idioms, library, dense, every):
    idioms = idioms[::every]
    for idiom in idioms:
        require(idiom)
    looped = [i.name for i in idioms if outcome(i, library, dense).mode == "loop"]
    share = 1 - len(looped) / len(idioms)
    assert share >= LEAST_SHARE, f"{share:.0%} are batched, but not {looped}"


def test_the_tables_are_large_and_their_names_differ():
    assert len(NUMPY) >= 190
    assert len(PORTABLE) >= 100
    names = Counter((idiom.portable, idiom.name) for idiom in IDIOMS)
    assert [name for name, count in names.items() if count > 1] == []
    assert EXPECTED_TO_LOOP.keys() <= {idiom.name for idiom in IDIOMS}


@shares
@modes
def test_no_chunk_of_a_batched_idiom_loops(dense, every, monkeypatch):
    """What passed its trial goes on: a chunk that cannot would loop, and warn."""
    monkeypatch.setenv("XGRAD_DENSE", str(int(dense)))
    several = 0
    for idiom in NUMPY[::every]:
        if idiom.theme == "SciPy" or idiom.name in EXPECTED_TO_LOOP:
            continue
        f, x = idiom.function(), point(idiom.shape)
        derivative = derivative_of(idiom, f(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            derivative(f, x)
            if way_name(f) != "loop":
                warnings.filterwarnings("error", "xgrad evaluates")
                derivative(f, x, max_bytes=400)
                several += 1
    assert several > 300 / every


# Functions that are not deterministic


def counting() -> Any:
    """The number of calls matters."""
    calls = itertools.count(1)
    return lambda x: np.sum(x**2) * next(calls)


def learning() -> Any:
    """A rate falls from call to call, by little."""
    rate = [1.0]

    def f(x):
        rate[0] *= 0.999
        return np.sum(x**2) * rate[0]

    return f


def noisy() -> Any:
    """One generator for all calls."""
    rng = np.random.default_rng(0)
    return lambda x: np.sum(x**2) + rng.normal()


def noisy_array() -> Any:
    """One number for each entry."""
    rng = np.random.default_rng(0)
    return lambda x: x * rng.normal(size=x.shape)


def dropout() -> Any:
    """A mask that is drawn anew."""
    rng = np.random.default_rng(0)
    return lambda x: np.sum(x * (rng.random(50) > 0.5)[:, None] * C)


def sampled() -> Any:
    """A mini-batch that is drawn anew."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(100, 5))
    return lambda x: np.mean((data[rng.choice(100, 10)] @ x - 1) ** 2)


NOT_DETERMINISTIC = [counting, learning, noisy, noisy_array, dropout, sampled]


@modes
@pytest.mark.parametrize("make", NOT_DETERMINISTIC, ids=lambda make: make.__name__)
def test_functions_that_are_not_deterministic_are_refused(make, dense, monkeypatch):
    if dense:
        monkeypatch.setenv("XGRAD_DENSE", "1")
    else:
        monkeypatch.setenv("XGRAD_DENSE", "0")
    derivative = jacobian if make is noisy_array else gradient
    with pytest.raises(ValueError, match=r"not deterministic"):
        derivative(make(), point((5,)), vectorized="auto")
