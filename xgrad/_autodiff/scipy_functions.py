"""The functions of SciPy that have substitutes, which take stand-ins.

SciPy converts its arguments, so that its own functions take none. Those that are
written in Python need no substitute: see `substitution`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff import (
    scipy_banded,
    scipy_distance,
    scipy_filters,
    scipy_grids,
    scipy_images,
    scipy_interpolate,
    scipy_linalg,
    scipy_matrices,
    scipy_signals,
    scipy_solvers,
    scipy_statistics,
)
from xgrad._autodiff.exponentials import EXPONENTIALS
from xgrad._autodiff.scipy_cosines import COSINES
from xgrad._tracing import MATRIX_FUNCTIONS, matrix_function

Function = Callable[..., Any]
# Options that change no result: where memory lies, what is looked at, and by whom.
OVERWRITING = ("overwrite_a", "overwrite_ab", "overwrite_b", "overwrite_x")
WITHOUT_EFFECT = (*OVERWRITING, "check_finite", "checks", "lwork", "plan", "workers")
# NumPy's transforms have the names and the arguments of SciPy's.
SIDES = ("", "i", "r", "ir", "h", "ih")
TRANSFORMS = (
    *(f"{side}fft" for side in SIDES),
    *(f"{side}fft{axes}" for side in SIDES[:4] for axes in ("2", "n")),
    *("fftshift", "ifftshift"),
)
SOLVERS = (
    *("brentq", "brenth", "ridder", "bisect", "fsolve", "root"),
    "linear_sum_assignment",
)
OF_FFTPACK = ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn")


def _functions_of(module: Any) -> dict[str, Function]:
    """Return the public functions of a module by their names."""
    members = inspect.getmembers(module, inspect.isfunction)
    return {
        name: function
        for name, function in members
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


FILTERS = _functions_of(scipy_filters)
OF_IMAGES = ("correlate", "correlate1d", "convolve", "convolve1d", "uniform_filter1d")
METHODS = scipy_interpolate.METHODS
SPLINES = {n: f for n, f in _functions_of(scipy_interpolate).items() if n != "basis"}
# By the module in which users find them.
SCIPY: dict[str, dict[str, Function]] = {
    "scipy.special": dict(EXPONENTIALS),
    "scipy.linalg": {
        **_functions_of(scipy_linalg),
        **_functions_of(scipy_banded),
        **{n: f for n, f in _functions_of(scipy_matrices).items() if n != "spsolve"},
        **{name: functools.partial(matrix_function, name) for name in MATRIX_FUNCTIONS},
    },
    "scipy.sparse.linalg": {"spsolve": scipy_matrices.spsolve},
    "scipy.fft": {name: getattr(np.fft, name) for name in TRANSFORMS} | COSINES,
    "scipy.fftpack": {
        **{name: getattr(np.fft, name) for name in OF_FFTPACK},
        **{name: COSINES[name] for name in ("dct", "dst", "dctn", "dstn")},
    },
    "scipy.interpolate": {
        **{n: f for n, f in SPLINES.items() if f not in METHODS.values()},
        **METHODS,
    },
    "scipy.integrate": {"quad": scipy_solvers.quad},
    "scipy.optimize": {n: getattr(scipy_solvers, n) for n in SOLVERS},
    "scipy.stats": dict(scipy_statistics.METHODS),
    "scipy.spatial.distance": _functions_of(scipy_distance),
    "scipy.ndimage": {name: FILTERS[name] for name in OF_IMAGES},
    "scipy.signal": _functions_of(scipy_signals),
}


# Compiled functions below Python code of SciPy. Where a version of SciPy has others,
# nothing is found here, and differences are taken.
PRIVATE: dict[str, dict[str, Function]] = {
    "scipy.interpolate._interpnd": {
        "_ndim_coords_from_arrays": scipy_grids.as_coordinates,
    },
    "scipy.ndimage._nd_image": scipy_images.LEAVES,
    "scipy.ndimage._rank_filter_1d": {
        "rank_filter": scipy_images.rank_filter_of_vector
    },
    "scipy.interpolate._rgi_cython": {
        "find_indices": scipy_grids.find_indices,
        "evaluate_linear_2d": scipy_grids.evaluate_linear_2d,
    },
    "scipy.interpolate._rbfinterp_np": {
        name: functools.partial(scipy_grids.in_generic_code, name)
        for name in ("_build_and_solve_system", "compute_interpolation")
    },
}


def calls_functions(ours: Function) -> bool:
    """Whether a substitute calls functions, which may hold stand-ins of their own."""
    return getattr(ours, "__module__", "") == scipy_solvers.__name__


def own_function(function: Any) -> Function | None:
    """Return the function that takes stand-ins in place of one of SciPy."""
    home = function.__module__
    for module, functions in (*PRIVATE.items(), *SCIPY.items()):
        if home.startswith(module):
            theirs = sys.modules.get(module)
            for name, ours in functions.items():
                if _member(theirs, name) is function:
                    return ours
    return None


def _member(module: Any, name: str) -> Any:
    """Return a function of a module, or a method of one of its classes; else None."""
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def fitting(
    theirs: Any, ours: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """Return a call of a function of SciPy as one of ours takes it.

    Options without effect are left out. None if ours has not all other arguments.
    """
    names = _names_of(theirs)[: len(args)]
    pairs = itertools.zip_longest(args, names)
    args_of_ours = [a for a, name in pairs if name not in WITHOUT_EFFECT]
    kwargs = {k: v for k, v in kwargs.items() if k not in WITHOUT_EFFECT}
    try:
        _signature(ours).bind(*args_of_ours, **kwargs)
    except TypeError:
        return None
    return args_of_ours, kwargs


@functools.cache
def _names_of(function: Any) -> list[str]:
    """Return the names of the arguments of a function, of which compiled ones tell."""
    try:
        return [*_signature(function).parameters]
    except ValueError:
        return []


@functools.cache
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)
