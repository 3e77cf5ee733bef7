"""Functions of installed packages, as users call them inside their own functions.

Each table has functions of a vector, which use SciPy or the Python code of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], Any]

# The versions of SciPy that these need: older ones lack an option, or compile more.
SINCE = {
    **dict.fromkeys(
        (f"distribution of {n}" for n in ("skewnorm", "beta", "nbinom")), "1.14"
    ),
    **dict.fromkeys(("quantiles of skewnorm", "pearsonr", "its p"), "1.14"),
    **dict.fromkeys(("solve upper", "solve lower", "solve diagonal"), "1.15"),
    **dict.fromkeys(("make_interp_spline", "grid at x"), "1.15"),
    **dict.fromkeys(("RBFInterpolator", "RBFInterpolator at x", "sosfiltfilt"), "1.17"),
}

_rng = np.random.default_rng(11)
ROOT = _rng.normal(size=(4, 4))
GENERAL = (ROOT + 3 * np.eye(4)).ravel()
DEFINITE = (ROOT @ ROOT.T + 4 * np.eye(4)).ravel()
SIDE, SIDES = _rng.normal(size=4), _rng.normal(size=(4, 2))
DATA = _rng.normal(size=20)
POSITIVE, SHARES = np.abs(DATA) + 0.1, _rng.uniform(0.1, 0.9, 20)
COUNTS = _rng.poisson(4, 20)
_WEIGHTS = _rng.normal(size=400)


def weighed(values: Any) -> Any:
    """Return one number of many, in which each has its own weight."""
    values = np.real(values)
    weights = _WEIGHTS[: np.size(values)]
    return np.sum(values * weights.reshape(np.shape(values)))


def square(x: Any) -> Any:
    """Return the matrix of a vector of 16 entries."""
    return x.reshape(4, 4)


def of_linear_algebra() -> dict[str, tuple[Function, np.ndarray]]:
    """Functions of `scipy.linalg`."""
    import scipy.linalg as la
    import scipy.sparse as sparse
    from scipy.sparse import linalg as sparse_linalg

    matrix = sparse.csc_matrix(square(GENERAL))

    def by_factor(x, lower):
        return la.cho_solve(la.cho_factor(square(x), lower=lower), SIDE)

    def by_triangles(x, trans):
        return la.lu_solve(la.lu_factor(square(x)), SIDES, trans=trans)

    def recomposed(x):
        values, vectors = la.eigh(square(x))
        return (vectors * np.log(values)) @ vectors.T

    general = {
        "solve": lambda x: la.solve(square(x), SIDE),
        # Options of memory by position: they say nothing of a transposed matrix.
        "solve by position": lambda x: la.solve(square(x), +SIDE, False, False, True),
        "qr by position": lambda x: la.qr(x.reshape(8, 2), False, None, "economic")[1],
        "solve transposed": lambda x: la.solve(square(x), SIDES, transposed=True),
        "solve upper": lambda x: la.solve(
            square(x), SIDES, assume_a="upper triangular"
        ),
        "solve lower": lambda x: la.solve(
            square(x), SIDES, assume_a="lower triangular"
        ),
        "solve diagonal": lambda x: la.solve(square(x), SIDES, assume_a="diagonal"),
        "solve_triangular": lambda x: la.solve_triangular(square(x), SIDE),
        "solve_triangular T": lambda x: la.solve_triangular(
            square(x), SIDES, trans="T", lower=True
        ),
        "solve_triangular unit": lambda x: la.solve_triangular(
            square(x), SIDES, lower=True, unit_diagonal=True, check_finite=False
        ),
        "inv": lambda x: la.inv(square(x)),
        "det": lambda x: la.det(square(x)),
        "norm": lambda x: (
            la.norm(x, 3) + la.norm(square(x)) + la.norm(square(x), "nuc")
        ),
        "lstsq": lambda x: la.lstsq(x.reshape(8, 2), np.arange(8.0))[0],
        "lu_solve": lambda x: by_triangles(x, 0),
        "lu_solve transposed": lambda x: by_triangles(x, 1),
        "eigvals": lambda x: np.abs(la.eigvals(square(x))),
        "svd": lambda x: la.svd(x.reshape(8, 2), full_matrices=False)[1],
        "svdvals": lambda x: la.svdvals(square(x)),
        "pinv": lambda x: la.pinv(x.reshape(8, 2)),
        "qr": lambda x: la.qr(x.reshape(8, 2), mode="economic")[1],
        "qr alone": lambda x: la.qr(x.reshape(8, 2), mode="r")[0],
        "expm": lambda x: la.expm(square(x) / 5),
        "toeplitz": lambda x: la.toeplitz(x[:4], x[3:9]),
        "toeplitz symmetric": lambda x: la.toeplitz(x),
        "hankel": lambda x: la.hankel(x[:4], x[3:9]) + la.hankel(x[:6])[:4],
        "circulant": lambda x: la.circulant(x),
        "block_diag": lambda x: la.block_diag(square(x), x[:2]),
    }
    upper, lower = np.array([[1.0], [9.0]]), np.array([[9.0], [1.0]])
    banded = {
        "solve_banded": lambda x: la.solve_banded((1, 2), square(x), SIDES),
        "solveh_banded": lambda x: la.solveh_banded(x.reshape(2, 8) + upper, x[:8]),
        "solveh_banded lower": lambda x: la.solveh_banded(
            x.reshape(2, 8) + lower, x[:8], lower=True
        ),
        "cholesky_banded": lambda x: la.cholesky_banded(x.reshape(2, 8) + upper),
        "cho_solve_banded": lambda x: la.cho_solve_banded(
            (la.cholesky_banded(x.reshape(2, 8) + lower, lower=True), True), x[:8]
        ),
        "cho_solve_banded upper": lambda x: la.cho_solve_banded(
            (x.reshape(2, 8) + upper, False), x[:8]
        ),
        "eigvals_banded": lambda x: la.eigvals_banded(x.reshape(2, 8)),
        "eigvals_banded lower": lambda x: la.eigvals_banded(
            x[:12].reshape(3, 4), lower=True
        ),
        "eigh_tridiagonal": lambda x: np.abs(la.eigh_tridiagonal(x[:5], x[5:9])[1]),
        "eigvalsh_tridiagonal": lambda x: la.eigvalsh_tridiagonal(x[:5], x[5:9]),
        "solve_toeplitz": lambda x: la.solve_toeplitz((x[:4] + 9, x[4:8]), SIDES),
        "spsolve": lambda x: sparse_linalg.spsolve(matrix, x[:4]),
    }
    equations = {
        "solve_sylvester": lambda x: la.solve_sylvester(
            square(x), square(x[::-1]) + 9 * np.eye(4), np.diag(x[:4])
        ),
        "solve_continuous_lyapunov": lambda x: la.solve_continuous_lyapunov(
            square(x), np.diag(x[:4])
        ),
        "eig": lambda x: np.abs(la.eig(square(x))[0]),
        "lu": lambda x: np.concatenate(la.lu(square(x))),
        "lu permuted": lambda x: np.concatenate(la.lu(square(x), permute_l=True)),
        "lu by indices": lambda x: np.stack(la.lu(square(x), p_indices=True)[1:]),
        "qr pivoting": lambda x: la.qr(square(x), pivoting=True)[1],
    }
    definite = {
        "solve pos": lambda x: la.solve(square(x), SIDES, assume_a="pos"),
        "solve sym": lambda x: la.solve(square(x), SIDES, assume_a="sym", lower=True),
        "cholesky": lambda x: la.cholesky(square(x)),
        "cholesky lower": lambda x: la.cholesky(square(x), lower=True),
        "cho_solve": lambda x: by_factor(x, lower=False),
        "cho_solve lower": lambda x: by_factor(x, lower=True),
        "eigh": recomposed,
        "eigh values": lambda x: la.eigh(square(x), eigvals_only=True),
        "eigvalsh": lambda x: la.eigvalsh(square(x), lower=False),
        "sqrtm": lambda x: la.sqrtm(square(x)),
        "logm": lambda x: la.logm(square(x)),
        "fractional_matrix_power": lambda x: la.fractional_matrix_power(square(x), 0.3),
        "pinvh": lambda x: la.pinvh(square(x)),
        "eigh of two": lambda x: np.abs(la.eigh(square(x), square(x[::-1]))[1]),
        "eigh in part": lambda x: la.eigh(
            square(x), eigvals_only=True, subset_by_index=[1, 2]
        ),
    }
    return {
        name: (f, GENERAL) for name, f in (general | banded | equations).items()
    } | {name: (f, DEFINITE) for name, f in definite.items()}


def of_signals() -> dict[str, tuple[Function, np.ndarray]]:
    """Functions of `scipy.fft`, `scipy.signal` and `scipy.spatial.distance`."""
    import scipy.fft
    import scipy.fftpack
    import scipy.signal
    import scipy.spatial.distance as distance

    functions = {
        "fft": lambda x: scipy.fft.fft(x),
        "rfft": lambda x: np.abs(scipy.fft.rfft(x, n=20)) ** 2,
        "irfft": lambda x: scipy.fft.irfft(scipy.fft.rfft(x) ** 2),
        "fft2": lambda x: np.abs(scipy.fft.fft2(square(x), norm="ortho")) ** 2,
        "dctn": lambda x: scipy.fft.dctn(square(x), s=(3, 5)),
        "idctn": lambda x: scipy.fft.idctn(square(x), 3, axes=[0], norm="ortho"),
        "dstn": lambda x: scipy.fft.dstn(square(x), norm="forward"),
        "idstn": lambda x: scipy.fft.idstn(square(x)),
        "fftpack": lambda x: scipy.fftpack.dct(x) + np.abs(scipy.fftpack.fft(x)),
        "fftconvolve": lambda x: scipy.signal.fftconvolve(x, x),
        "convolve": lambda x: scipy.signal.convolve(x, x[:3], mode="same"),
        "correlate": lambda x: scipy.signal.correlate(x, x[:3]),
        "detrend": lambda x: scipy.signal.detrend(x),
        "hilbert": lambda x: np.abs(scipy.signal.hilbert(x)),
        "cdist": lambda x: distance.cdist(square(x), x[:8].reshape(2, 4) + 1),
        "cdist squared": lambda x: np.exp(
            -distance.cdist(square(x), square(x), "sqeuclidean")
        ),
        "pdist": lambda x: distance.squareform(distance.pdist(square(x), "cityblock")),
        "squareform back": lambda x: distance.squareform(
            distance.cdist(square(x), square(x)), checks=False
        ),
        "euclidean": lambda x: distance.euclidean(x[:8], x[8:]),
    }

    def cosines(name, type, norm):
        return lambda x: getattr(scipy.fft, name)(x, type, norm=norm)

    def metric(name, **options):
        return lambda x: distance.cdist(
            np.abs(square(x)), SIDES.T.reshape(2, 4) ** 2, name, **options
        )

    metrics = "cosine correlation canberra braycurtis jensenshannon mahalanobis".split()
    functions |= {f"cdist {name}": metric(name) for name in metrics}
    functions["cdist minkowski"] = metric("minkowski", p=3)
    functions["cdist seuclidean"] = metric("seuclidean", V=SIDE**2)
    functions["pdist seuclidean"] = lambda x: distance.pdist(square(x), "seuclidean")
    for name, norm in (
        *(("dct", None), ("idct", "ortho"), ("dst", "ortho"), ("idst", "forward")),
    ):
        for kind in (1, 2, 3, 4):
            functions[f"{name} of type {kind}"] = cosines(name, kind, norm)
    return {name: (f, GENERAL) for name, f in functions.items()}


def of_splines() -> dict[str, tuple[Function, np.ndarray]]:
    """Interpolators of `scipy.interpolate`, by their values and by places."""
    import scipy.interpolate as splines

    t, places = np.arange(16.0), np.array([0.3, 1.7, 4.45, 8.9, 14.2])
    knots, grid = np.arange(20.0), (np.arange(4.0), np.arange(4.0))
    corners = np.array([[0.3, 1.2], [2.2, 2.7]])
    cubic = splines.CubicSpline(t, GENERAL)
    linear = splines.interp1d(t, GENERAL, fill_value="extrapolate")
    of_values = {
        "CubicSpline": lambda x: splines.CubicSpline(t, x)(places),
        "clamped": lambda x: splines.CubicSpline(t, x, bc_type="clamped")(places),
        "in rows": lambda x: splines.CubicSpline(grid[0], square(x), axis=1)(1.3, 1),
        "CubicSpline over knots": lambda x: splines.CubicSpline(
            np.cumsum(np.abs(x) + 1), np.sin(t)
        )(places),
        "integral": lambda x: splines.CubicSpline(t, x).integrate(0.3, 7.7),
        "antiderivative": lambda x: splines.PPoly(
            square(x), np.arange(5.0)
        ).antiderivative(2)(places / 4),
        "derivative": lambda x: cubic.derivative()(x),
        "PchipInterpolator": lambda x: splines.PchipInterpolator(t, x)(places),
        "Akima1DInterpolator": lambda x: splines.Akima1DInterpolator(t, x)(places),
        "make_interp_spline": lambda x: splines.make_interp_spline(t, x, 4)(places),
        "make_interp_spline natural": lambda x: splines.make_interp_spline(
            t, np.stack([x, x**2], axis=1), bc_type=("natural", [(1, [0.3, 0.1])])
        )(places, nu=1),
        "make_interp_spline over knots": lambda x: splines.make_interp_spline(
            np.cumsum(np.abs(x) + 1), np.sin(t), 5
        )(places),
        "BSpline": lambda x: splines.BSpline(knots, x, 3)(places + 2),
        "BSpline of rows": lambda x: splines.BSpline(
            knots[:8], square(x), 3, axis=1, extrapolate="periodic"
        )(places[:2]),
        "BSpline integral": lambda x: splines.BSpline(knots, x, 3).integrate(3.2, 9.1),
        "splev": lambda x: splines.splev(places, splines.splrep(t, x), der=1, ext=3),
        "FITPACK": lambda x: splines.InterpolatedUnivariateSpline(t, x)(places),
        "interp1d cubic": lambda x: splines.interp1d(t, x, "cubic")(places),
        "grid": lambda x: splines.RegularGridInterpolator(grid, square(x))(corners),
        "interpn": lambda x: splines.interpn(grid, square(x), corners, "nearest"),
        "RBFInterpolator": lambda x: splines.RBFInterpolator(SIDES, x[:4])(corners),
    }
    of_places = {
        "CubicSpline at x": lambda x: cubic(x),
        "extrapolated at x": lambda x: cubic(x + 9),
        "PPoly at x": lambda x: splines.PPoly(square(GENERAL), np.arange(5.0))(x, 1),
        "BSpline at x": lambda x: splines.BSpline(knots, GENERAL, 3)(x),
        "UnivariateSpline at x": splines.UnivariateSpline(t, np.sin(t)),
        "splev at x": lambda x: splines.splev(x, splines.splrep(t, np.sin(t))),
        "interp1d at x": lambda x: linear(x),
        "grid at x": lambda x: splines.RegularGridInterpolator(grid, square(GENERAL))(
            x[:4].reshape(2, 2) / 4
        ),
        "RBFInterpolator at x": lambda x: splines.RBFInterpolator(SIDES, SIDE)(
            x[:4].reshape(2, 2) / 4
        ),
    }
    return {name: (f, GENERAL) for name, f in of_values.items()} | {
        name: (f, places) for name, f in of_places.items()
    }


def of_filters() -> dict[str, tuple[Function, np.ndarray]]:
    """Functions of `scipy.ndimage`, and recursive filters of `scipy.signal`."""
    import scipy.ndimage as images
    import scipy.signal as signals

    b, a = signals.butter(2, 0.3)
    sections = signals.butter(4, 0.3, output="sos")
    kernel = SIDES[:3]
    disk = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])

    def at_places(order, mode):
        return lambda x: images.map_coordinates(
            square(x), 1.7 * square(x)[:2], order=order, mode=mode, cval=0.3
        )

    modes = ["nearest", "wrap", "reflect", "mirror", "constant"]
    modes += ["grid-wrap", "grid-constant"]
    at = {
        f"map_coordinates {order} {mode}": at_places(order, mode)
        for order, mode in zip([3, 1, 3, 5, 3, 2, 1], modes, strict=True)
    }
    functions = at | {
        "correlate1d": lambda x: images.correlate1d(square(x), SIDE, axis=0, origin=1),
        "convolve1d": lambda x: images.convolve1d(x, SIDE, mode="mirror", origin=-1),
        "correlate": lambda x: images.correlate(square(x), kernel, mode="wrap"),
        "convolve": lambda x: images.convolve(
            square(x), kernel, mode="constant", cval=1.0
        ),
        "uniform_filter": lambda x: images.uniform_filter(square(x), 3),
        "uniform_filter1d": lambda x: images.uniform_filter1d(x, 4, origin=1),
        "gaussian_filter": lambda x: images.gaussian_filter(square(x), 0.7),
        "laplace": lambda x: images.laplace(square(x), mode="nearest"),
        "sobel": lambda x: images.sobel(square(x)),
        "derivative of gaussian_filter": lambda x: images.gaussian_filter(
            square(x), 0.7, order=(1, 0)
        ),
        "maximum_filter": lambda x: images.maximum_filter(square(x), 3, mode="mirror"),
        "minimum_filter": lambda x: images.minimum_filter(
            square(x), footprint=disk, mode="constant", cval=0.1, origin=(1, 0)
        ),
        "grey_dilation": lambda x: images.grey_dilation(
            square(x), structure=0.1 * disk, mode="wrap"
        ),
        "median_filter": lambda x: images.median_filter(square(x), 3),
        "percentile_filter": lambda x: images.percentile_filter(x, 30, 4),
        "spline_filter": lambda x: images.spline_filter(square(x), 2),
        "shift": lambda x: images.shift(square(x), x[:2], mode="reflect"),
        "zoom": lambda x: images.zoom(square(x), 1.6, grid_mode=True, mode="nearest"),
        "rotate": lambda x: images.rotate(square(x), 30.0, order=1),
        "affine_transform": lambda x: images.affine_transform(
            square(x), x[:4].reshape(2, 2) / 3, x[4:6], mode="grid-wrap"
        ),
        "lfilter": lambda x: signals.lfilter(b, a, x),
        "lfilter of x": lambda x: signals.lfilter(x[:3], x[3:5], square(x), axis=0),
        "lfilter with states": lambda x: np.concatenate(
            signals.lfilter(b, a, square(x), axis=0, zi=x[:8].reshape(2, 4))
        ),
        "sosfilt": lambda x: signals.sosfilt(sections, square(x)),
        "sosfiltfilt": lambda x: signals.sosfiltfilt(sections, x, padlen=5),
        "filtfilt": lambda x: signals.filtfilt(b, a, x),
        "convolve2d": lambda x: signals.convolve2d(square(x), square(x)[1:, :2]),
        "convolve2d same": lambda x: signals.convolve2d(
            square(x), square(x)[1:, :2], "same", "symm"
        ),
        "convolve2d valid": lambda x: signals.convolve2d(
            square(x)[:2, :3], square(x), "valid"
        ),
        "correlate2d": lambda x: signals.correlate2d(
            square(x), square(x)[1:, :2], "same", "wrap"
        ),
        "correlate2d valid": lambda x: signals.correlate2d(
            square(x), square(x)[1:, :2], "valid"
        ),
        "upfirdn": lambda x: signals.upfirdn(x[:3], square(x), 3, 2, axis=0),
        "resample_poly": lambda x: signals.resample_poly(x, 3, 2),
        "stft": lambda x: np.abs(signals.stft(x, nperseg=8)[2]),
        "freqz": lambda x: np.abs(signals.freqz(x[:3], x[3:6], 8)[1]),
        "medfilt": lambda x: signals.medfilt(x),
        "savgol_filter": lambda x: signals.savgol_filter(x, 5, 2),
    }
    return {name: (f, GENERAL) for name, f in functions.items()}


def of_statistics() -> dict[str, tuple[Function, np.ndarray]]:
    """Densities, quantiles and statistics of `scipy.stats`."""
    import scipy.stats as stats

    parameters = {
        "norm": (DATA, (0.3, 1.2)),
        "t": (DATA, (5.0, 0.3, 1.2)),
        "laplace": (DATA, (0.3, 1.2)),
        "logistic": (DATA, (0.3, 1.2)),
        "cauchy": (DATA, (0.3, 1.2)),
        "skewnorm": (DATA, (1.0, 0.1, 1.2)),
        "truncnorm": (DATA, (-9.0, 9.0, 0.1, 1.2)),
        "gamma": (POSITIVE, (2.3, 0.0, 1.2)),
        "lognorm": (POSITIVE, (0.7, 0.0, 1.2)),
        "weibull_min": (POSITIVE, (1.7, 0.0, 1.2)),
        "expon": (POSITIVE, (0.0, 1.2)),
        "genpareto": (POSITIVE, (0.1, 0.0, 1.1)),
        "beta": (SHARES, (2.0, 3.0)),
        "poisson": (COUNTS, (4.0,)),
        "nbinom": (COUNTS, (5.0, 0.4)),
    }

    def cumulative(name, data):
        law = getattr(stats, name)
        return lambda p: law.cdf(data, *p) + 2 * law.sf(data, *p) ** 2

    def quantile(name):
        return lambda p: getattr(stats, name).ppf(SHARES, *p)

    def density(name, data):
        law = getattr(stats, name)
        logarithm = law.logpmf if name in ("poisson", "nbinom") else law.logpdf
        return lambda p: logarithm(data, *p)

    table: dict[str, tuple[Function, np.ndarray]] = {
        f"density of {name}": (density(name, data), np.array(p))
        for name, (data, p) in parameters.items()
    } | {
        f"distribution of {name}": (cumulative(name, data), np.array(p))
        for name, (data, p) in parameters.items()
    }
    table |= {
        f"quantiles of {name}": (quantile(name), np.array(p))
        for name, (_, p) in parameters.items()
        if name not in ("poisson", "nbinom")
    }
    place = np.array([0.3, 1.2])
    return table | {
        "cdf": (lambda p: stats.norm.cdf(DATA, p[0], p[1]), place),
        "ppf": (lambda p: stats.norm.ppf(SHARES, p[0], p[1]), place),
        "frozen": (lambda p: stats.norm(p[0], p[1]).logpdf(DATA), place),
        "normal of many": (
            lambda x: stats.multivariate_normal.logpdf(SIDE, np.zeros(4), square(x)),
            DEFINITE,
        ),
        "zscore": (lambda x: stats.zscore(x), GENERAL),
        "gmean": (lambda x: stats.gmean(np.abs(x)), GENERAL),
        "skew": (lambda x: stats.skew(x) + stats.kurtosis(x), GENERAL),
        "entropy": (lambda x: stats.entropy(np.abs(x)), GENERAL),
        "linregress": (lambda x: stats.linregress(np.arange(16.0), x).slope, GENERAL),
        "median": (lambda p: stats.norm.median(p[0], p[1]), place),
        "interval": (lambda p: np.stack(stats.norm.interval(0.9, p[0], p[1])), place),
        "moments": (lambda p: stats.gamma.stats(p[1], p[0], moments="mvsk"), place),
        "entropy of gamma": (lambda p: stats.gamma.entropy(p[1], p[0]), place),
        "pearsonr": (lambda x: stats.pearsonr(x, np.arange(16.0) ** 2)[0], GENERAL),
        "its p": (lambda x: stats.pearsonr(x, np.arange(16.0) ** 2)[1], GENERAL),
        "ttest_ind": (
            lambda x: stats.ttest_ind(x[:9], x[9:], equal_var=False).pvalue,
            GENERAL,
        ),
        "f_oneway": (lambda x: stats.f_oneway(x[:5], x[5:10], x[10:])[1], GENERAL),
        "variation": (lambda x: stats.variation(x), GENERAL),
        "gaussian_kde": (lambda x: stats.gaussian_kde(x)(DATA), GENERAL),
        "gaussian_kde at x": (lambda x: stats.gaussian_kde(DATA).evaluate(x), GENERAL),
        "its logarithm": (
            lambda x: stats.gaussian_kde(x.reshape(2, 8), "silverman").logpdf(SIDES.T),
            GENERAL,
        ),
        "its bandwidth": (lambda p: stats.gaussian_kde(DATA, p[0])(SHARES), place),
        "boxcox": (lambda x: stats.boxcox_llf(x[0], POSITIVE), np.array([0.3])),
    }


def of_analysis() -> dict[str, tuple[Function, np.ndarray]]:
    """Functions of `scipy.integrate`, `scipy.optimize` and `scipy.interpolate`."""
    import scipy.integrate as integrate
    import scipy.optimize as optimize
    from scipy.interpolate import BarycentricInterpolator, interp1d
    from scipy.optimize import rosen

    def cubic(x):
        return lambda t: t**3 + (1 + x[0] ** 2) * t - x[1]

    def pair(t, x):
        return [t[0] ** 3 + (9 + x[0]) * t[1] - 1, t[1] - x[1] ** 2 * t[0]]

    def integral(a, b):
        return lambda x: integrate.quad(
            lambda t: np.exp(-(x[0] ** 2) * t * t) * np.cos(t) * x[1], a(x), b(x)
        )[0]

    def oscillator(p):
        def rates(t, y):
            return np.array([y[1], -p[0] * y[0] - p[1] * y[1]])

        return integrate.solve_ivp(rates, (0, 2), [1.0, 0.0]).y[:, -1]

    functions = {
        "rosen": rosen,
        "trapezoid": lambda x: integrate.trapezoid(x**2, dx=0.1),
        "simpson": lambda x: integrate.simpson(x**2, dx=0.1),
        "cumulative": lambda x: integrate.cumulative_trapezoid(x**2, dx=0.1),
        "fixed_quad": lambda x: integrate.fixed_quad(
            lambda t: np.exp(-x[0] * t) * x[1], 0, 1
        )[0],
        "quad": integral(lambda x: 0, lambda x: 1),
        "quad between x": integral(lambda x: x[2], lambda x: x[3]),
        "quad with a corner": lambda x: integrate.quad(
            lambda t, p: np.abs(t - p), -4.0, 5.0, args=(x[0],)
        )[0],
        "quad above": integral(lambda x: x[2], lambda x: np.inf),
        "quad below": integral(lambda x: -np.inf, lambda x: 0),
        "quad everywhere": integral(lambda x: -np.inf, lambda x: np.inf),
        "dblquad": lambda x: integrate.dblquad(
            lambda s, t: np.exp(-(x[0] ** 2) * s * t), 0, 1, 0, lambda t: t
        )[0],
        "brentq": lambda x: optimize.brentq(cubic(x), -9, 9, xtol=1e-13),
        "brenth": lambda x: optimize.brenth(cubic(x), -9, 9, xtol=1e-13),
        "ridder": lambda x: optimize.ridder(cubic(x), -9, 9, xtol=1e-13),
        "bisect": lambda x: optimize.bisect(
            lambda t, p: cubic(p)(t), -9, 9, args=(x,), xtol=1e-13
        ),
        "root_scalar": lambda x: (
            optimize.root_scalar(cubic(x), bracket=(-9, 9), xtol=1e-13).root
        ),
        "fsolve": lambda x: optimize.fsolve(pair, [1, 1], args=(x,)),
        "root": lambda x: (
            optimize.root(lambda t: np.array(pair(t, x)), [1.0, 1.0], tol=1e-12).x
        ),
        "linear_sum_assignment": lambda x: square(x)[
            optimize.linear_sum_assignment(square(x))
        ],
        "solve_ivp": lambda x: oscillator(np.abs(x[:2])),
        "interp1d": lambda x: interp1d(np.arange(16.0), x)(np.array([2.3, 4.4])),
        "barycentric": lambda x: BarycentricInterpolator(np.arange(5.0), x[:5])(2.3),
    }
    return {name: (f, GENERAL) for name, f in functions.items()}


def of_numpy() -> dict[str, tuple[Function, np.ndarray]]:
    """Functions of NumPy that are written in Python, without a rule of their own."""
    polynomial = np.polynomial
    functions = {
        "poly": lambda x: np.poly(x[:4]),
        "roots": lambda x: np.abs(np.roots(x[:5])),
        "polyadd": lambda x: np.polyadd(x[:4], x[4:9]),
        "polymul": lambda x: np.polymul(x[:4], x[4:8]),
        "polyint": lambda x: np.polyint(x),
        "poly1d": lambda x: np.poly1d(x[:4])(0.3),
        "Polynomial": lambda x: polynomial.Polynomial(x[:4])(0.3),
        "Chebyshev": lambda x: polynomial.Chebyshev(x[:4])(0.3),
        "legval": lambda x: polynomial.legendre.legval(0.3, x),
        "hermfit": lambda x: polynomial.hermite.hermfit(np.arange(16.0) / 8, x, 3),
        "tensorinv": lambda x: np.linalg.tensorinv(x.reshape(2, 2, 4)),
        "union1d": lambda x: np.union1d(x[:3], x[1:4]),
        "trim_zeros": lambda x: np.trim_zeros(x),
        "asarray_chkfinite": lambda x: np.asarray_chkfinite(x) ** 2,
    }
    return {name: (f, GENERAL) for name, f in functions.items()}
