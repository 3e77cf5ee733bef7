"""Every function with floating results of the array API standard has a slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np
import pytest
from cases.derivatives.base import numbers, real_and_imaginary
from cases.derivatives.slopes import gradient_by_differences, trace_of

X, Y = numbers(3, 4, low=0.2, high=0.9), numbers(3, 4, seed=2, low=1.1, high=1.9)
SQUARE = np.random.default_rng(0).normal(size=(3, 3))
DEFINITE = SQUARE @ SQUARE.T + 3 * np.eye(3)
INDEX = np.array([2, 0, 2])
# What they return is no floating array, or does not depend on numbers at all.
WITHOUT_SLOPES = """all any arange argmax argmin argsort asarray bitwise_and
    bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
    broadcast_shapes can_cast count_nonzero empty empty_like equal eye finfo from_dlpack
    full greater greater_equal iinfo isdtype isfinite isinf isnan less less_equal
    logical_and logical_not logical_or logical_xor nonzero not_equal ones ones_like
    result_type searchsorted signbit zeros zeros_like
    fft.fftfreq fft.rfftfreq linalg.matrix_rank""".split()
# Of unary and binary functions, as the standard has them.
UNARY = """abs acos acosh asin asinh atan atanh ceil conj cos cosh exp expm1 floor imag
    log log10 log1p log2 negative positive real reciprocal round sign sin sinh sqrt
    square tan tanh trunc cumulative_prod cumulative_sum diff flip
    matrix_transpose max mean min prod sort squeeze std sum tril triu unique_values var
    fft.fft fft.fftn fft.fftshift fft.hfft fft.ifft fft.ifftn fft.ifftshift fft.ihfft
    fft.irfft fft.irfftn fft.rfft fft.rfftn linalg.diagonal linalg.matrix_norm
    linalg.matrix_transpose linalg.pinv linalg.svdvals linalg.trace
    linalg.vector_norm""".split()
BINARY = """add atan2 copysign divide floor_divide hypot logaddexp maximum minimum
    multiply nextafter pow remainder subtract vecdot linalg.vecdot""".split()
LIKE_MATRICES = "cholesky det inv".split()
OTHER: dict[str, Callable[[Any, Any], Any]] = {
    "astype": lambda xp, x: xp.real(xp.astype(x, xp.complex128)),
    "broadcast_arrays": lambda xp, x: xp.broadcast_arrays(x, x[0, :])[1],
    "broadcast_to": lambda xp, x: xp.broadcast_to(x, (2, 3, 4)),
    "clip": lambda xp, x: xp.clip(x, 0.4, 0.7),
    "concat": lambda xp, x: xp.concat([x, x**2], axis=1),
    "expand_dims": lambda xp, x: xp.expand_dims(x, axis=1),
    "full_like": lambda xp, x: xp.full_like(x, 2.0) * x,
    "linspace": lambda xp, x: xp.linspace(x[0, 0], x[1, 1], 5),
    "matmul": lambda xp, x: xp.matmul(x, xp.matrix_transpose(x)),
    "meshgrid": lambda xp, x: xp.meshgrid(x[0, :], x[:, 1])[1],
    "moveaxis": lambda xp, x: xp.moveaxis(x, 0, 1),
    "permute_dims": lambda xp, x: xp.permute_dims(x, (1, 0)),
    "repeat": lambda xp, x: xp.repeat(x, 2, axis=0),
    "reshape": lambda xp, x: xp.reshape(x, (4, 3)),
    "roll": lambda xp, x: xp.roll(x, 1, axis=0),
    "stack": lambda xp, x: xp.stack([x, x**2]),
    "take": lambda xp, x: xp.take(x, INDEX, axis=0),
    "take_along_axis": lambda xp, x: xp.take_along_axis(x, INDEX[:, None], axis=1),
    "tensordot": lambda xp, x: xp.tensordot(x, x, axes=((0,), (0,))),
    "tile": lambda xp, x: xp.tile(x, (2, 1)),
    "unique_all": lambda xp, x: xp.unique_all(x).values,
    "unique_counts": lambda xp, x: xp.unique_counts(x)[0],
    "unique_inverse": lambda xp, x: xp.unique_inverse(x)[0],
    "unstack": lambda xp, x: xp.unstack(x)[1],
    "where": lambda xp, x: xp.where(x > 0.5, x**2, x),
    "linalg.cross": lambda xp, x: xp.linalg.cross(x[:, :3], x[:, 1:]),
    "linalg.eigh": lambda xp, x: xp.linalg.eigh(x[:, :3] + 0)[1] + x[:, :3],
    "linalg.eigvalsh": lambda xp, x: xp.linalg.eigvalsh(x[:, :3]),
    "linalg.matmul": lambda xp, x: xp.linalg.matmul(x.T, x),
    "linalg.matrix_power": lambda xp, x: xp.linalg.matrix_power(x[:, :3], 3),
    "linalg.outer": lambda xp, x: xp.linalg.outer(x[0, :], x[:, 1]),
    "linalg.qr": lambda xp, x: xp.linalg.qr(x)[1],
    "linalg.slogdet": lambda xp, x: xp.linalg.slogdet(x[:, :3])[1],
    "linalg.solve": lambda xp, x: xp.linalg.solve(x[:, :3], x),
    "linalg.svd": lambda xp, x: xp.linalg.svd(x, full_matrices=False)[1],
    "linalg.tensordot": lambda xp, x: xp.linalg.tensordot(x, x, axes=2),
}


def _get(xp: Any, name: str) -> Any:
    for attribute in name.split("."):
        xp = getattr(xp, attribute)
    return xp


def _unary(name: str) -> Callable[[Any, Any], Any]:
    needs_rows = name in ("cumulative_prod", "cumulative_sum")

    def function(xp: Any, x: Any) -> Any:
        if name == "acosh":
            x = x + 1
        value = _get(xp, name)(x, axis=1) if needs_rows else _get(xp, name)(x)
        is_complex = value.dtype.kind == "c"
        return real_and_imaginary(value) if is_complex else value

    return function


FUNCTIONS = {
    **{name: _unary(name) for name in UNARY},
    **{name: lambda xp, x, n=name: _get(xp, n)(x, Y * x + Y) for name in BINARY},
    **{
        f"linalg.{name}": lambda xp, x, n=name: getattr(xp.linalg, n)(
            x[:, :3] @ x[:, :3].T + DEFINITE
        )
        for name in LIKE_MATRICES
    },
    **OTHER,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floating_functions_of_the_standard(name):
    def f(x):
        return FUNCTIONS[name](array_api_compat.array_namespace(x), x)

    found = trace_of(f, X.copy()).gradient
    expected = gradient_by_differences(f, X)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_the_table_has_all_functions_of_the_standard():
    strict = pytest.importorskip("array_api_strict")
    with strict.ArrayAPIStrictFlags(api_version="2024.12"):
        info = strict.__array_namespace_info__()
        assert info.capabilities()
    names = {name for name in strict.__all__ if callable(getattr(strict, name))}
    for extension in ("linalg", "fft"):
        module = getattr(strict, extension)
        names |= {f"{extension}.{name}" for name in module.__all__}
    later = {"isin", "linalg.eig", "linalg.eigvals"}  # of 2025.12
    kinds = {n for n in names if isinstance(getattr(strict, n, None), type)}
    flags = {n for n in names if n.endswith("_flags") or n.startswith("__")}
    known = FUNCTIONS.keys() | set(WITHOUT_SLOPES)
    assert names - kinds - flags - later - known == set()
    assert known <= names
