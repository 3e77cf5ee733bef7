"""Decompositions of matrices, Fourier transforms, and what leaves nan out."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import CUBE, FIVE, GRID, SQUARE, C, P, W, collected, expressions

GAPS = np.array([[True, True, False, True]] * 3)
MATRICES = expressions(
    "decompositions",
    GRID,
    {
        "svd, rank one": lambda x: (lambda u, s, v: s[0] * np.outer(u[:, 0], v[0]))(
            *np.linalg.svd(x, full_matrices=False)
        ),
        "qr r": lambda x: np.abs(np.linalg.qr(x.T, mode="r")),
        "qr q": lambda x: np.linalg.qr(x.T)[0] ** 2,
        "pinv rcond": lambda x: np.linalg.pinv(x, rcond=1e-10),
        "norm nuc axis": lambda x: np.linalg.norm(x, "nuc", axis=(1, 0), keepdims=True),
        "matrix_rank": lambda x: np.linalg.matrix_rank(x) * x,
        "lstsq residuals": lambda x: np.linalg.lstsq(x.T, C[:4], rcond=None)[1],
        "lstsq of x": lambda x: np.linalg.lstsq(x.T, x[0], rcond=None)[0] + x[:, 0],
        "einsum ...": lambda x: np.einsum("...j,jk->...k", x, W),
        "einsum of length 1": lambda x: np.einsum("ij,ij->i", x[:1], x),
        "einsum of lists": lambda x: np.einsum(x, [0, 1], x, [0, 1], [1]),
        "cross repeated": lambda x: np.cross(x[:, :3], x[0, 1:]),
        "cross axes": lambda x: np.cross(x[:, 1:], P[:, :3], axisa=0, axisb=1, axisc=0),
        "cov of x and y": lambda x: np.cov(x, x**2, rowvar=False),
        "cov with weights": lambda x: np.cov(x, aweights=[1, 2, 3, 4.0], bias=True),
        "quantile of lists": lambda x: np.quantile(x, [[0.2], [0.7]], axis=1),
        "quantile method": lambda x: np.quantile(x, 0.4, axis=0, method="hazen"),
        "cumulative_prod with 1": lambda x: np.cumulative_prod(
            x, axis=1, include_initial=True
        ),
        "nanmin": lambda x: np.nanmin(np.where(GAPS, x, np.nan), axis=1),
        "nanprod": lambda x: np.nanprod(np.where(GAPS, x, np.nan)),
        "nanvar": lambda x: np.nanvar(np.where(GAPS, x, np.nan), axis=1, ddof=1),
        "nanstd": lambda x: np.nanstd(np.where(GAPS, x, np.nan), keepdims=True),
        "nanmedian": lambda x: np.nanmedian(np.where(GAPS, x, np.nan), axis=1),
        "nanpercentile": lambda x: np.nanpercentile(np.where(GAPS, x, np.nan), 30),
        "nancumsum": lambda x: np.nancumsum(np.where(GAPS, x, np.nan), axis=0),
        "nancumprod": lambda x: np.nancumprod(np.where(GAPS, x, np.nan), axis=1),
    },
)
SQUARES = expressions(
    "decompositions",
    SQUARE,
    {
        "cholesky upper": lambda x: np.linalg.cholesky(x @ x.T, upper=True),
        "eigh of the upper triangle": lambda x: np.linalg.eigh(x, "U")[0],
        "eigh vectors": lambda x: np.linalg.eigh(x)[1] ** 2,
        "eigvalsh upper": lambda x: np.linalg.eigvalsh(x, UPLO="U"),
        "svd of a square": lambda x: np.abs(np.linalg.svd(x)[2]),
        "linalg.trace": lambda x: np.linalg.trace(x @ x, offset=1),
    },
)
CUBES = expressions(
    "decompositions",
    CUBE,
    {
        "trace of a stack": lambda x: np.trace(x**2),
        "einsum bij,bkj->bik": lambda x: np.einsum("bij,bkj->bik", x, x),
        "fftn": lambda x: np.abs(np.fft.fftn(x, s=(3, 3), axes=(0, 1))) ** 2,
        "irfftn": lambda x: np.fft.irfftn(x, axes=(2, 1)),
        "rfft2": lambda x: np.abs(np.fft.rfft2(x, axes=(0, 1), norm="ortho")),
        "ifft2": lambda x: np.fft.ifft2(x).real,
        "fftshift": lambda x: np.fft.fftshift(x, axes=1) * x,
    },
)
VECTORS = expressions(
    "decompositions",
    FIVE,
    {
        "fft padded": lambda x: np.abs(np.fft.fft(x, n=8)) ** 2,
        "rfft cut": lambda x: np.fft.rfft(x, 4).imag + np.fft.rfft(x, 4).real,
        "irfft": lambda x: np.fft.irfft(x + 1j * x**2, n=7, norm="forward"),
        "hfft": lambda x: np.fft.hfft(x * (1 + 2j)),
        "ihfft": lambda x: np.fft.ihfft(x).real,
        "filter": lambda x: np.fft.irfft(np.fft.rfft(x) * [1, 0.5, 0.1], 5),
        "ifftshift": lambda x: np.fft.ifftshift(x) * x,
    },
)
IDIOMS = collected(globals())
