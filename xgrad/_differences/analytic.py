"""Proof that a function is analytic, as the complex step needs it."""

from __future__ import annotations

from xgrad._arrays import Array, from_host, quiet
from xgrad._differences.ladder import Ladder
from xgrad._differences.passes import Passes
from xgrad._differences.placement import REAL_SCHEME
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result
from xgrad._differences.samples import Samples, identity
from xgrad._differences.stencil import rungs_for
from xgrad._evaluation import Points

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
    silently otherwise.
    """
    xp, x = passes.xp, passes.function.leaves[leaf]
    direction, length = passes.placements[leaf].check_direction()
    with quiet():
        expected = xp.sum(result.value * readout.components(points, direction))
    eps = passes.eps(leaf, base)
    telling = length >= TELLING_MOVE * eps**0.5 / REAL_SCHEME.relative_step(eps)
    for scheme in (REAL_SCHEME, Ladder(rungs_for(eps))):
        step = scheme.relative_step(eps)
        offsets = scheme.offsets(True)
        line = Points(xp, x, direction * step, offsets, name=points.name)
        values = passes.column_values(passes.function, leaf, base, line)
        with quiet():
            measured = scheme.combine(
                _along(passes, base, line, step, values, eps), True
            )
            allowed = DISAGREEMENT * xp.sum(measured.error)
            allowed = allowed + eps**DIGITS * xp.abs(expected)
            wrong = xp.abs(xp.sum(measured.value) - expected) > allowed
            wrong = wrong & telling
        if not bool(wrong):
            return
    raise ValueError(
        "with method='complex' `f` must be analytic, but its real and imaginary "
        "steps disagree: it takes a conjugate, a real part or an absolute value "
        "somewhere; use method='central' or 'ladder'"
    )


def _along(
    passes: Passes, base: Array, line: Points, step: float, values: Array, eps: float
) -> Samples:
    """Return the values on a line as samples of a function of one number."""
    xp = passes.xp
    moves = [offset * step for offset in line.offsets]
    coordinates = from_host(xp, moves, like=base, dtype=base.dtype)
    coordinates = xp.reshape(coordinates, (-1, 1, *(1,) * base.ndim))
    return Samples(
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
