"""Integrals and roots of SciPy for stand-ins: it finds them, and rules follow.

The functions that SciPy calls here get plain numbers and return plain ones. What it
has found is then evaluated on the record: the rule by which an integral was computed
(R. Piessens et al., QUADPACK (1983)), or some steps of Newton's method with a constant
matrix, by which each derivative of a root up to their number is that of the implicit
function (A. Griewank and A. Walther, Evaluating Derivatives (2008), chapter 15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._tracing import array_like, first_standin, unrecorded

Function = Callable[..., Any]
# The positive points and the weights of Gauss-Kronrod rules, of finite and of infinite
# intervals; the last point is 0.
POINTS_21 = (
    *(0.995657163025808080735527280689003, 0.973906528517171720077964012084452),
    *(0.930157491355708226001207180059508, 0.865063366688984510732096688423493),
    *(0.780817726586416897063717578345042, 0.679409568299024406234327365114874),
    *(0.562757134668604683339000099272694, 0.433395394129247190799265943165784),
    *(0.294392862701460198131126603103866, 0.148874338981631210884826001129720),
    0.0,
)
WEIGHTS_21 = (
    *(0.011694638867371874278064396062192, 0.032558162307964727478818972459390),
    *(0.054755896574351996031381300244580, 0.075039674810919952767043140916190),
    *(0.093125454583697605535065465083366, 0.109387158802297641899210590325805),
    *(0.123491976262065851077958109831074, 0.134709217311473325928054001771707),
    *(0.142775938577060080797094273138717, 0.147739104901338491374841515972068),
    0.149445554002916905664936468389821,
)
POINTS_15 = (
    *(0.991455371120812639206854697526329, 0.949107912342758524526189684047851),
    *(0.864864423359769072789712788640926, 0.741531185599394439863864773280788),
    *(0.586087235467691130294144838258730, 0.405845151377397166906606412076961),
    *(0.207784955007898467600689403773245, 0.0),
)
WEIGHTS_15 = (
    *(0.022935322010529224963732008058970, 0.063092092629978553290700663189204),
    *(0.104790010322250183839876322541518, 0.140653259715525918745189590510238),
    *(0.169004726639267902826583426598550, 0.190350578064785409913256402421014),
    *(0.204432940075298892414161999234649, 0.209482141084727828012999174891714),
)
# The sum of all parts is the integral, in the size of its terms, but for rounding,
# where QUADPACK has extrapolated no series.
SAME = 1e-12
# Steps of Newton's method: derivatives of the second order need three of them, whose
# matrix has only half of the digits.
STEPS = 3
# A step that is longer than this, in the size of the root, tells that it is none.
FAR = 1e-6


def quad(
    func: Function,
    a: Any,
    b: Any,
    args: Any = (),
    full_output: Any = 0,
    *,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
) -> Any:
    """Return an integral and the bound of its error."""
    import scipy.integrate

    args = args if isinstance(args, tuple) else (args,)
    low, high = (float(_plain(end)) for end in (a, b))
    options: Any = {"epsabs": epsabs, "epsrel": epsrel, "limit": limit}
    if low > high:
        value, *others = quad(func, b, a, args, full_output, **options)
        return -value, *others
    value, error, details, *message = scipy.integrate.quad(
        lambda t: float(_plain(func(t, *args))), low, high, full_output=1, **options
    )
    parts = zip(
        *(details[side][: details["last"]] for side in ("alist", "blist")), strict=True
    )
    terms = [term for part in parts for term in _terms(func, args, a, b, *part)]
    total, size = sum(terms), sum(abs(_plain(term)) for term in terms)
    if abs(_plain(total) - value) > SAME * size:
        raise ValueError("an integral that was extrapolated has no substitute")
    value = followed(value, total)
    return (value, error, details, *message) if full_output else (value, error)


def _terms(
    func: Function, args: tuple[Any, ...], a: Any, b: Any, left: float, right: float
) -> Iterator[Any]:
    """Yield the terms of the rule that QUADPACK has for a part of an interval."""
    low, high = (float(_plain(end)) for end in (a, b))
    is_finite = np.isfinite(low) and np.isfinite(high)
    points, weights = (POINTS_21, WEIGHTS_21) if is_finite else (POINTS_15, WEIGHTS_15)
    middle, half = (left + right) / 2, (right - left) / 2
    for point, weight in zip(points, weights, strict=True):
        for side in (1,) if point == 0 else (1, -1):
            u = middle + side * half * point
            if is_finite and low != high:
                # On the record, the points move with the ends.
                place = a + (b - a) * ((u - low) / (high - low))
                width = (b - a) * (half / (high - low))
                yield weight * width * func(place, *args)
            else:
                yield weight * half * _beyond(func, args, a, b, u)


def _beyond(func: Function, args: tuple[Any, ...], a: Any, b: Any, u: float) -> Any:
    """Return what is integrated over shares from 0 to 1 of an infinite interval."""
    far = (1 - u) / u
    is_below, is_above = np.isinf(_plain(a)), np.isinf(_plain(b))
    if is_below and is_above:
        both = func(far, *args) + func(-far, *args)
        return both / (u * u)
    return (func(b - far, *args) if is_below else func(a + far, *args)) / (u * u)


def brentq(f: Function, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """Return a root between two places."""
    return _bracketed("brentq", f, a, b, args, options)


def brenth(f: Function, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """Return a root between two places."""
    return _bracketed("brenth", f, a, b, args, options)


def ridder(f: Function, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """Return a root between two places."""
    return _bracketed("ridder", f, a, b, args, options)


def bisect(f: Function, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """Return a root between two places."""
    return _bracketed("bisect", f, a, b, args, options)


def _bracketed(
    name: str, f: Function, a: Any, b: Any, args: Any, options: dict[str, Any]
) -> Any:
    import scipy.optimize

    args = args if isinstance(args, tuple) else (args,)
    result = getattr(scipy.optimize, name)(
        lambda t: float(_plain(f(t, *args))), _plain(a), _plain(b), **options
    )
    found = result[0] if isinstance(result, tuple) else result
    root = followed_root(lambda t: f(t, *args), np.float64(found))
    if not isinstance(result, tuple):
        return root
    result[1].root = root
    return root, result[1]


def fsolve(func: Function, x0: Any, args: Any = (), **options: Any) -> Any:
    """Return a root of several equations."""
    import scipy.optimize

    args = args if isinstance(args, tuple) else (args,)
    if options.get("full_output") or options.get("fprime"):
        raise ValueError("these options of fsolve have no substitute")
    found = scipy.optimize.fsolve(
        lambda t: _plain(func(t, *args)), _plain(x0), **options
    )
    return followed_root(lambda t: func(t, *args), found)


def root(fun: Function, x0: Any, args: Any = (), **options: Any) -> Any:
    """Return what is known of a root of several equations."""
    import scipy.optimize

    args = args if isinstance(args, tuple) else (args,)
    if options.get("jac"):
        raise ValueError("a root by a matrix of slopes has no substitute")
    result = scipy.optimize.root(lambda t: _plain(fun(t, *args)), _plain(x0), **options)
    result.x = followed_root(lambda t: fun(t, *args), result.x)
    result.fun = fun(result.x, *args)
    # Matrices that change with the root, and stay behind here.
    for name in ("fjac", "r", "qtf", "jac"):
        result.pop(name, None)
    return result


def linear_sum_assignment(cost_matrix: Any, maximize: bool = False) -> Any:
    """Return the rows and columns of an assignment, which are constants."""
    import scipy.optimize

    return scipy.optimize.linear_sum_assignment(_plain(cost_matrix), maximize)


def followed_root(f: Function, found: Any) -> Any:
    """Return a root that moves with what ``f`` depends on."""
    shape = np.shape(found)
    matrix = _slopes(f, found)
    x = found
    for _ in range(STEPS):
        value = f(x)
        is_recorded = first_standin((value,)) is not None
        value = array_like(value, (value, x)) if is_recorded else np.asarray(value)
        step = np.reshape(matrix @ np.reshape(value, (-1,)), shape)
        x = x - step
        if not is_standin(x):
            return found
    length, size = np.max(np.abs(_plain(x) - found)), np.max(np.abs(found))
    if not length <= FAR * (1 + size):
        raise ValueError("a root that was not found has no substitute")
    return followed(found, x)


def followed(value: Any, recorded: Any) -> Any:
    """Return a value that moves as one on the record does, which is close to it."""
    if not is_standin(recorded):
        return value
    return value + (recorded - _plain(recorded))


def _slopes(f: Function, found: Any) -> Any:
    """Return the inverse of the matrix of slopes at a root, by central differences."""
    flat = np.reshape(found, (-1,))
    columns = []
    for i, entry in enumerate(flat):
        step = np.cbrt(np.finfo(float).eps) * max(1.0, abs(entry))
        sides = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[i] += sign * step
            value = _plain(f(np.reshape(moved, np.shape(found))[()]))
            sides.append(np.reshape(value, (-1,)))
        columns.append((sides[0] - sides[1]) / (2 * step))
    return np.linalg.inv(np.stack(columns, axis=1))


def _plain(x: Any) -> Any:
    """Return the plain value of an array, of a number or of a list of them."""
    if isinstance(x, (list, tuple)):
        return np.array([_plain(v) for v in x])
    return unrecorded(x)
