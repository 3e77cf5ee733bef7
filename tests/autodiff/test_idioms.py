"""However a function is written: its slope is exact, or refused with what to do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cases.idioms import IDIOMS, Idiom, point
from cases.tape import (
    slope_by_differences,
    slope_of_slope_on_tape,
    slope_on_tape,
)

from xgrad._tracing import NotTraceableError

FLOAT, ARRAY = r"^float\(x\)", r"^np\.asarray\(x\)"
# What a protocol cannot see, or what leaves the arrays; the pattern is in the message.
REFUSED = {
    **dict.fromkeys(
        (
            "fromiter",
            "math.sin",
            "math.sqrt of a sum",
            "math.fsum",
            "math.hypot",
            "math of 0-d",
            "try math",
            "float",
            "float of entries",
            "float of 0-d",
            "try float of a point",
            "zeros of a shape",
            "row of a buffer overwritten",
            "zeros filled",
        ),
        FLOAT,
    ),
    **dict.fromkeys(
        (
            "r_",
            "c_",
            "array of entries",
            "array of rows",
            "asarray",
            "np.array",
            "asarray of a list",
            "asarray is an alias",
            "try asarray",
            "np.sum of a list",
            "list",
            "ndarray.dot",
            "vectorize",
            "nditer",
            "zeros of a shape sliced",
            "buffer overwritten",
            "scipy logsumexp",
            "scipy softmax",
            "log_softmax of scipy",
            "norm.logpdf",
            "solve of scipy",
            "det of scipy",
            "simpson",
            "cubic spline",
            "gaussian_filter",
            "pdist",
        ),
        ARRAY,
    ),
    **dict.fromkeys(
        ("out of ndarray", "buffer added to", "buffer as out"),
        r"operation in place on another array",
    ),
    "int": r"^int\(x\)",
    "item": r"^x\.item\(\)",
    "item of 0-d": r"^x\.item\(\)",
    "tolist": r"^x\.tolist\(\)",
    "to_numpy": r"DLPack",
    "resize in place": r"attribute `resize`",
    "cached by bytes": r"attribute `tobytes`",
    "attribute of ndarray": r"attribute `ctypes`",
    "strides": r"attribute `strides`",
}
# Functions that ask for the class of their argument: their values differ from those of
# the plain call, by which the proof finds them.
SEES_ITS_CLASS = {"isinstance", "isinstance of an entry", "isscalar", "type"}
# Functions that do something else in single precision.
SEES_ITS_DTYPE = {"astype without copy", "dtype"}
REMEDY = r"\b(use|write|choose|make|give|compute|copy|take)\b"


def require(idiom: Idiom) -> None:
    """Skip where what an idiom needs is not installed."""
    if idiom.theme == "SciPy":
        pytest.importorskip("scipy")


@pytest.mark.parametrize("idiom", IDIOMS, ids=str)
def test_idioms_are_exact_or_refused(idiom):
    require(idiom)
    x = point(idiom.shape)
    with np.errstate(all="ignore"):
        if idiom.name in REFUSED:
            with pytest.raises(NotTraceableError) as refusal:
                slope_on_tape(idiom.function(), x)
            assert re.search(REFUSED[idiom.name], refusal.value.idiom)
            assert re.search(REMEDY, refusal.value.remedy)
            return
        before = x.copy()
        found = slope_on_tape(idiom.function(), x)
        np.testing.assert_array_equal(x, before, "the caller's array is left alone")
        expected = slope_by_differences(idiom.function(), x)
    if idiom.name in SEES_ITS_CLASS:
        assert not np.allclose(found.value, expected.value)
        return
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-6, atol=1e-7)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("idiom", IDIOMS, ids=str)
def test_single_precision_stays(idiom):
    require(idiom)
    if idiom.name in REFUSED or idiom.name in SEES_ITS_DTYPE:
        pytest.skip("it is refused, or another function")
    x = point(idiom.shape)
    with np.errstate(all="ignore"):
        double = slope_on_tape(idiom.function(), x.copy())
        single = slope_on_tape(idiom.function(), x.astype(np.float32))
    assert single.gradient.dtype == np.float32
    size = np.abs(double.gradient).max()
    # Of some hundred roundings, which a singular matrix or a cancellation makes larger.
    np.testing.assert_allclose(single.gradient, double.gradient, atol=2e-3 * size)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("idiom", IDIOMS, ids=str)
def test_the_slope_of_a_slope_is_exact(idiom):
    require(idiom)
    if idiom.name in REFUSED:
        pytest.skip("it is refused")
    x = point(idiom.shape)

    def slope(z):
        return slope_on_tape(idiom.function(), z.copy()).gradient

    with np.errstate(all="ignore"):
        found = slope_of_slope_on_tape(idiom.function(), x)
        expected = slope_by_differences(slope, x)
    np.testing.assert_allclose(found.value, slope(x), rtol=1e-10, atol=1e-12)
    size = np.abs(expected.gradient).max()
    np.testing.assert_allclose(
        found.gradient, expected.gradient, rtol=1e-6, atol=1e-7 * (1 + size)
    )


def test_the_lists_name_idioms():
    names = {idiom.name for idiom in IDIOMS}
    assert names >= REFUSED.keys()
    assert names >= SEES_ITS_CLASS | SEES_ITS_DTYPE
