"""Cases of the functions of whole fibres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cases.derivatives.base import Case, cases, numbers, real_and_imaginary

V, M, T, ONE = numbers(7), numbers(4, 5), numbers(2, 3, 4), numbers()
EMPTY = np.empty((0, 3))
GAPS = np.where(numbers(4, 5) > 1.5, np.nan, numbers(4, 5, seed=1))
ZEROS = np.array([[1.0, 0.0, 2.0, 3.0, 0.0, 1.5], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
METHODS = """inverted_cdf averaged_inverted_cdf closest_observation
    interpolated_inverted_cdf hazen weibull linear median_unbiased normal_unbiased lower
    higher midpoint nearest""".split()
COMPLEX: dict[str, Callable[[Any, Any], Any]] = {
    "prod": lambda xp, z: xp.prod(z, axis=0),
    "cumulative_sum": lambda xp, z: xp.cumsum(z, axis=1),
    "cumulative_prod": lambda xp, z: xp.cumprod(z, axis=0),
    "var": lambda xp, z: xp.var(z, axis=0),
    "std": lambda xp, z: xp.std(z, axis=1),
    "sort": lambda xp, z: xp.sort(z, axis=1),
    "max": lambda xp, z: xp.max(z, axis=0),
}


def _reductions(name: str) -> dict[str, tuple[Any, np.ndarray]]:
    """A reduction over one axis, several, all, and none; of what has no entries."""

    def of(**options: Any) -> Any:
        return lambda xp, x: getattr(xp, name)(x, **options)

    return {
        "all": (of(), M),
        "axis": (of(axis=0), M),
        "last axis, kept": (of(axis=-1, keepdims=True), M),
        "two axes": (of(axis=(0, 2)), T),
        "two axes, kept": (of(axis=(2, 0), keepdims=True), T),
        "no axis": (of(axis=()), M),
        "of a number": (of(), ONE),
        "of one entry": (of(axis=1), M[:, :1]),
        "of no rows": (of(axis=1), EMPTY),
    }


def _of_parts(function: Any) -> Any:
    return lambda xp, x: real_and_imaginary(function(xp, x[0] + 1j * x[1]))


PLAIN = tuple(
    case
    for name in ("max", "min", "prod", "var")
    for case in cases(name, _reductions(name))
)
SPREADS = (
    *cases(
        "std",
        {
            k: v
            for k, v in _reductions("std").items()
            if k
            in (
                "all",
                "axis",
                "last axis, kept",
                "two axes",
                "two axes, kept",
                "of no rows",
            )
        },
    ),
    *cases(
        "var",
        {
            "ddof": (lambda xp, x: xp.var(x, axis=0, ddof=1), M),
            "correction": (lambda xp, x: xp.var(x, axis=1, correction=1), M),
            "half a degree": (lambda xp, x: xp.var(x, axis=1, ddof=0.5), M),
        },
    ),
    *cases(
        "std",
        {
            "ddof": (lambda xp, x: xp.std(x, axis=0, ddof=1, keepdims=True), M),
        },
    ),
    *cases(
        "pull_left",
        {
            "cov": (lambda xp, x: xp.cov(x), M),
            "cov of two": (lambda xp, x: xp.cov(x, x**2, rowvar=False), M),
            "cov with weights": (
                lambda xp, x: xp.cov(x, aweights=[1, 2, 3, 4, 5.0]),
                M,
            ),
            "cov with counts": (lambda xp, x: xp.cov(x, fweights=[1, 2, 3, 1, 1]), M),
            "cov of a vector": (lambda xp, x: xp.cov(x, bias=True), V),
        },
        noise=10,
    ),
)
MISSING = (
    *cases(
        "multiply",
        {
            "nanvar": (lambda xp, x: xp.nanvar(x, axis=0, ddof=1), GAPS),
        },
    ),
    *cases(
        "sqrt",
        {
            "nanstd": (lambda xp, x: xp.nanstd(x, axis=1), GAPS),
        },
    ),
    *cases(
        "clip",
        {
            "corrcoef": (lambda xp, x: xp.corrcoef(x), M),
            "corrcoef of two": (lambda xp, x: xp.corrcoef(x, xp.exp(x)), V),
        },
        noise=10,
    ),
)
QUANTILES = (
    *cases(
        "median",
        {
            **_reductions("median"),
            "even": (lambda xp, x: xp.median(x), numbers(6)),
        }
        | {},
        is_portable=False,
    ),
    *cases(
        "quantile",
        {
            "number": (lambda xp, x: xp.quantile(x, 0.3), M),
            "axis": (lambda xp, x: xp.quantile(x, 0.81, axis=0), M),
            "several": (
                lambda xp, x: xp.quantile(x, [[0.1, 0.5], [0.9, 1.0]], axis=1),
                M,
            ),
            "ends, kept": (
                lambda xp, x: xp.quantile(x, [0, 1], axis=1, keepdims=True),
                M,
            ),
        },
    ),
    *cases(
        "quantile",
        {
            method: (
                lambda xp, x, m=method: xp.quantile(
                    x, [0.2, 0.37, 0.8], axis=0, method=m
                ),
                M,
            )
            for method in METHODS
        },
        is_portable=False,
    ),
    *cases("percentile", {"all": (lambda xp, x: xp.percentile(x, 30.0), M)}),
    *cases(
        "nanmedian",
        {
            "axis": (lambda xp, x: xp.nanmedian(x, axis=1), GAPS),
            "all, kept": (lambda xp, x: xp.nanmedian(x, keepdims=True), GAPS),
        },
    ),
    *cases(
        "nanquantile",
        {
            "several": (lambda xp, x: xp.nanquantile(x, [0.3, 0.6], axis=0), GAPS),
            "hazen": (
                lambda xp, x: xp.nanquantile(x, 0.4, axis=1, method="hazen"),
                GAPS,
            ),
        },
        is_portable=False,
    ),
    *cases("nanpercentile", {"all": (lambda xp, x: xp.nanpercentile(x, 40), GAPS)}),
)
SCANS = (
    *cases(
        "cumulative_sum",
        {
            "all": (lambda xp, x: xp.cumsum(x**2), M),
            "axis": (lambda xp, x: xp.cumsum(x, axis=0), T),
            "with 0": (
                lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True),
                M,
            ),
            "nancumsum": (lambda xp, x: xp.nancumsum(x, axis=1), GAPS),
            "of no rows": (lambda xp, x: xp.cumsum(x, axis=1), EMPTY),
            "of nothing": (lambda xp, x: xp.cumsum(x, axis=0), EMPTY),
        },
    ),
    *cases(
        "cumulative_prod",
        {
            "all": (lambda xp, x: xp.cumprod(x), M[:2]),
            "axis": (lambda xp, x: xp.cumprod(x, axis=1), T),
            "zeros": (lambda xp, x: xp.cumprod(x, axis=1), ZEROS),
            "zeros down": (lambda xp, x: xp.cumprod(x, axis=0), ZEROS.T.copy()),
            "with 1": (
                lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True),
                M,
            ),
            "nancumprod": (lambda xp, x: xp.nancumprod(x, axis=0), GAPS),
            "of no rows": (lambda xp, x: xp.cumprod(x, axis=1), EMPTY),
            "of nothing": (lambda xp, x: xp.cumprod(x, axis=0), EMPTY),
        },
    ),
    *cases(
        "sort",
        {
            "last axis": (lambda xp, x: xp.sort(x), M),
            "all": (lambda xp, x: xp.sort(x, axis=None), M),
            "axis": (lambda xp, x: xp.sort(x, axis=0) ** 2, M),
            "of a stack": (lambda xp, x: xp.sort(x, axis=1), T),
            "of no rows": (lambda xp, x: xp.sort(x), EMPTY),
        },
    ),
)
OTHERS = (
    *cases(
        "prod",
        {
            "one zero": (lambda xp, x: xp.prod(x, axis=1), ZEROS[:, 1:4]),
            "two zeros": (lambda xp, x: xp.prod(x, axis=1), ZEROS),
            "nanprod": (lambda xp, x: xp.nanprod(x, axis=0), GAPS),
        },
    ),
    *cases(
        "max",
        {
            "nanmax": (lambda xp, x: xp.nanmax(x, axis=0), GAPS),
            "ptp": (lambda xp, x: xp.ptp(x, axis=1), M),
            "initial": (lambda xp, x: xp.max(x, axis=0, initial=0.5), M),
            "where": (lambda xp, x: xp.max(x, initial=-9, where=M > 0, axis=1), M),
        },
    ),
    *cases("min", {"nanmin": (lambda xp, x: xp.nanmin(x, axis=1), GAPS)}),
)
COMPLEX_CASES = tuple(
    Case(name, "complex", _of_parts(function), numbers(2, 3, 4), name != "max", 10.0)
    for name, function in COMPLEX.items()
)
PARTITIONS = cases(
    "partition",
    {
        "last axis": (lambda xp, x: xp.partition(x, 2), M),
        "axis": (lambda xp, x: xp.partition(x, (0, 2), axis=0) ** 2, M),
    },
    is_portable=False,
)
FIBRE_CASES: tuple[Case, ...] = (
    *PLAIN,
    *SPREADS,
    *MISSING,
    *PARTITIONS,
    *QUANTILES,
    *SCANS,
    *OTHERS,
    *COMPLEX_CASES,
)
