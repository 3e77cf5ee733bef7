"""Proof that a function is analytic, as the complex step needs it."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array, as_complex, at_perturbed_points, from_host, quiet
from xgrad._differences.ladder import Ladder
from xgrad._differences.passes import Passes
from xgrad._differences.placement import REAL_SCHEME
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result
from xgrad._differences.samples import Samples, identity
from xgrad._differences.stencil import IMAGINARY_STEP, rungs_for
from xgrad._evaluation import Function, Points

# Error bounds by which both slopes must differ, so that a refusal is beyond doubt. Set
# by trial. A conjugate or a real part inside `f` makes a difference of the size of the
# slope itself: a larger factor misses some of them, a smaller one refuses functions
# that are analytic but rough.
DISAGREEMENT = 10
# Half of the digits of the slope: they are expected of no real difference.
DIGITS = 0.5
# Moves between close bounds are rounded to eps / 2 of the component. Of moves of at
# least 4 sqrt(eps) that is sqrt(eps) / 8, an eighth of the difference allowed by the
# digits.
TELLING_MOVE = 4
# The part of a slope up to which differences may be off where they tell something.
WELL_KNOWN = 0.1
# The part of the size of x by which another point lies beside it, out of reach of the
# steps there.
ASIDE = 2.0**-4


def require_analytic(
    passes: Passes,
    leaf: int,
    base: Array,
    points: Points,
    readout: Readout,
    result: Result,
) -> None:
    """Compare with real differences along a direction; raise if two methods disagree.

    A complex conjugate, a real part taken inside ``f`` and the like would pass
    silently otherwise. At a corner differences tell nothing, but beside it they do.
    """
    xp, x = passes.xp, passes.function.leaves[leaf]
    direction, length = passes.placements[leaf].check_direction()
    with quiet():
        expected = xp.sum(result.value * readout.components(points, direction))
    eps = passes.eps(leaf, base)
    telling = length >= TELLING_MOVE * eps**0.5 / REAL_SCHEME.relative_step(eps)
    function, is_known = passes.function, False
    for scheme in (REAL_SCHEME, Ladder(rungs_for(eps))):
        line = Points(
            xp, x, direction * scheme.relative_step(eps), scheme.offsets(True)
        )
        measured = _measured(passes, function, leaf, base, line, scheme)
        with quiet():
            error = DISAGREEMENT * xp.sum(measured.error)
            is_known = is_known or bool(error <= WELL_KNOWN * xp.abs(expected))
        if not bool(_is_wrong(xp, measured, expected, eps) & telling):
            if is_known or not math.prod(x.shape):
                return
            direction = direction * ASIDE
            if not _is_wrong_beside(passes, leaf, x + direction, direction, eps):
                return
            break
    raise ValueError(
        "with method='complex' `f` must be analytic, but its real and imaginary "
        "steps disagree: it takes a conjugate, a real part or an absolute value "
        "somewhere; use method='central' or 'ladder'"
    )


def _is_wrong(xp: Any, measured: Result, expected: Array, eps: float) -> Array:
    """Whether the sum of slopes differs from those by differences, beyond doubt."""
    with quiet():
        allowed = DISAGREEMENT * xp.sum(measured.error)
        allowed = allowed + eps**DIGITS * xp.abs(expected)
        return xp.abs(xp.sum(measured.value) - expected) > allowed


def _is_wrong_beside(
    passes: Passes, leaf: int, x: Array, direction: Array, eps: float
) -> bool:
    """Whether imaginary and real steps along a direction disagree at another point."""
    xp, leaves = passes.xp, list(passes.function.leaves)
    leaves[leaf] = x
    function = passes.function.at_leaves(leaves)
    with at_perturbed_points(), quiet():
        base = function.at_base()
        step = as_complex(xp, direction) * (1j * IMAGINARY_STEP)
        line = Points(xp, x, step, (1,))
        values = passes.column_values(function.with_complex_leaves(), leaf, base, line)
        expected = xp.sum(xp.imag(values)) / IMAGINARY_STEP
        step = direction * REAL_SCHEME.relative_step(eps)
        line = Points(xp, x, step, REAL_SCHEME.offsets(True))
        measured = _measured(passes, function, leaf, base, line, REAL_SCHEME)
        return bool(_is_wrong(xp, measured, expected, eps))


def _measured(
    passes: Passes,
    function: Function,
    leaf: int,
    base: Array,
    line: Points,
    scheme: Any,
) -> Result:
    """Return the slope along a line, by a scheme of real differences."""
    xp, eps = passes.xp, passes.eps(leaf, base)
    values = passes.column_values(function, leaf, base, line)
    with quiet():
        moves = [offset * scheme.relative_step(eps) for offset in line.offsets]
        coordinates = from_host(xp, moves, like=base, dtype=base.dtype)
        coordinates = xp.reshape(coordinates, (-1, 1, *(1,) * base.ndim))
        samples = Samples(
            xp=xp,
            offsets=line.offsets,
            base=base,
            blocks=[values[:, None, ...]],
            origin=0.0,
            coordinates=[coordinates],
            eps=eps,
            read=identity,
            align=identity,
            magnitudes=xp.abs,
        )
        result: Result = scheme.combine(samples, True)
        return result
