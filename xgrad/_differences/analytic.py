"""Proof that a function is analytic, as the complex step needs it."""

from __future__ import annotations

from xgrad._arrays import Array, as_complex, at_perturbed_points, from_host, quiet
from xgrad._differences.closeness import CONTRADICTION
from xgrad._differences.ladder import Ladder
from xgrad._differences.passes import Passes
from xgrad._differences.placement import REAL_SCHEME
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result
from xgrad._differences.samples import Samples, identity
from xgrad._differences.sizes import floored_size, own_size
from xgrad._differences.stencil import IMAGINARY_STEP, rungs_for
from xgrad._evaluation import Points

# The part of a slope up to which differences may be off where they tell something.
WELL_KNOWN = 0.1
# The part of a move by which another point lies beside x, out of reach of steps there.
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
    eps = passes.eps(leaf, base)
    # A function that changes on the scale of small entries shows it to steps of a
    # ladder that are in proportion to these.
    ladder = Ladder(rungs_for(eps))
    with quiet():
        # Each entry is rounded by itself, to half a unit in the last place.
        lost = (result.value * readout.components(points, x)) ** 2
        noise = eps / 2 * xp.sqrt(xp.sum(lost))
    for scheme, size in ((REAL_SCHEME, floored_size), (ladder, own_size)):
        direction = passes.placements[leaf].check_direction(size)
        step = scheme.relative_step(eps)
        offsets = scheme.offsets(True)
        line = Points(xp, x, direction * step, offsets, name=points.name)
        values = passes.column_values(passes.function, leaf, base, line)
        with quiet():
            expected = xp.sum(result.value * readout.components(points, direction))
            measured = scheme.combine(
                _along(passes, base, line, step, values, eps, noise), True
            )
            gap = xp.abs(xp.sum(measured.value) - expected)
            allowed = CONTRADICTION * xp.sum(measured.error)
            wrong, is_known = gap > allowed, allowed <= WELL_KNOWN * xp.abs(expected)
        if bool(is_known & ~wrong):
            return
        if not bool(wrong):
            direction = direction * ASIDE
            if not _is_wrong_beside(passes, leaf, x + direction, direction, noise):
                return
            break
    raise ValueError(
        "with method='complex' `f` must be analytic, but its real and imaginary "
        "steps disagree: it takes a conjugate, a real part or an absolute value "
        "somewhere; use method='central' or 'ladder'"
    )


def _is_wrong_beside(
    passes: Passes, leaf: int, x: Array, direction: Array, noise: Array
) -> bool:
    """Whether imaginary and real steps along a direction disagree at another point."""
    xp, leaves = passes.xp, list(passes.function.leaves)
    leaves[leaf] = x
    function = passes.function.at_leaves(leaves)
    with at_perturbed_points(), quiet():
        base = function.at_base()
        eps, size = passes.eps(leaf, base), IMAGINARY_STEP
        line = Points(xp, x, as_complex(xp, direction) * (1j * size), (1,))
        values = passes.column_values(function.with_complex_leaves(), leaf, base, line)
        expected, size = xp.imag(values[0]) / size, REAL_SCHEME.relative_step(eps)
        line = Points(xp, x, direction * size, REAL_SCHEME.offsets(True))
        values = passes.column_values(function, leaf, base, line)
        samples = _along(passes, base, line, size, values, eps, noise)
        measured = REAL_SCHEME.combine(samples, True)
        gap = xp.abs(xp.sum(measured.value) - xp.sum(expected))
        return bool(gap > CONTRADICTION * xp.sum(measured.error))


def _along(
    passes: Passes,
    base: Array,
    line: Points,
    step: float,
    values: Array,
    eps: float,
    noise: Array,
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
        noise=noise,
    )
