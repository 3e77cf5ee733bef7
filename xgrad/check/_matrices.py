"""The check of a matrix of derivatives: all of its entries, or sums of its rows."""

from __future__ import annotations

import math
from dataclasses import replace

from xgrad.check._arguments import MatrixArguments
from xgrad.check._measurement import COARSE
from xgrad.check._options import CheckOptions
from xgrad.check._procedure import run_check
from xgrad.check._report import GradientReport
from xgrad.check._rows import RowSearch
from xgrad.check._sums import Outputs

# By default all entries of a matrix are compared up to this number. Each takes 60
# numbers on the host: 8 MB in all.
MOST_COMPARED = 2**14


def check_matrix(
    outputs: Outputs,
    options: CheckOptions,
    analytic_eps: float,
    arguments: MatrixArguments,
    most_entries: int,
    started: float,
) -> GradientReport:
    """Compare all entries of a matrix if they are few, else sums of its rows.

    ``most_entries`` is the largest number of entries of ``x``, up to which "auto" takes
    all of them.
    """
    entries = sum(math.prod(x.shape) for x in arguments.arrays)
    complete = options.full
    if complete == "auto":
        is_small = entries <= most_entries and entries * outputs.count <= MOST_COMPARED
        complete = is_small and outputs.eps < COARSE
    options = replace(options, full=bool(complete))
    if complete or outputs.count == 0:
        if options.rtol is None:
            options = replace(options, rtol=outputs.default_rtol(analytic_eps))
        function = outputs.one_by_one()
        return run_check(function, options, analytic_eps, arguments, started)
    weights = outputs.draw_weights(options.seed)
    arguments = replace(arguments, summed=True)
    return run_check(
        outputs.weighted(weights),
        options,
        analytic_eps,
        arguments,
        started,
        RowSearch(outputs, weights),
    )
