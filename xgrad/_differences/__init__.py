"""Numerical differentiation: from values of a function to derivatives with bounds.

The modules in reading order. What is computed: `stencil` (exact weights, relative
steps), `plan` (the options of a call, checked), `result` (value, error bound, step,
status). What the caller is told of it: `components`, `estimate` and `status_warning`.
Where: `bounds` (in their forms), `sizes` and `placement` (steps of one array), `noise`
(the points and the procedure that measure it), `coloring`, `color_groups` and `pattern`
(columns that are evaluated together). From values to derivatives: `readout` and
`sparse_readout` turn values into `samples`, which `scheme` (one step), `ladder` (many
steps) or `curvature` (second differences) combine. Of a ladder, `rung_values` are what
it saw, with the higher derivatives in it (`rung_orders`), `rung_choice` is the rung
that answers, and `rung_status` what speaks against it. How it runs: `passes` (one run
over the points of an array), `closeness` (what values close to x say), `refinement`
(the method "auto"), `doubt` ("central" with an estimate), `analytic` (a proof for the
complex step) and `engine`, which puts them together. Upon it stand `line` (derivatives
along a direction) and `mixed` (Hessians); `direct` is a straight line past it, for one
array and nothing else, and `requirements` checks what the function returned.
"""

from xgrad._differences.coloring import Coloring as Coloring
from xgrad._differences.components import component_name as component_name
from xgrad._differences.direct import differentiate_directly as differentiate_directly
from xgrad._differences.engine import Problem as Problem
from xgrad._differences.estimate import Estimate as Estimate
from xgrad._differences.ladder import Ladder as Ladder
from xgrad._differences.line import Line as Line
from xgrad._differences.line import directional_derivative as directional_derivative
from xgrad._differences.line import slopes_along as slopes_along
from xgrad._differences.line import vectors_like as vectors_like
from xgrad._differences.mixed import second_differences as second_differences
from xgrad._differences.noise import noise_level as noise_level
from xgrad._differences.pattern import color_columns as color_columns
from xgrad._differences.plan import Plan as Plan
from xgrad._differences.plan import plan_for as plan_for
from xgrad._differences.plan import prepare as prepare
from xgrad._differences.readout import EachOutput as EachOutput
from xgrad._differences.readout import Readout as Readout
from xgrad._differences.readout import SumOfTerms as SumOfTerms
from xgrad._differences.requirements import coloring_for as coloring_for
from xgrad._differences.requirements import fitting_coloring as fitting_coloring
from xgrad._differences.requirements import is_auto as is_auto
from xgrad._differences.requirements import require_rows as require_rows
from xgrad._differences.requirements import require_scalar as require_scalar
from xgrad._differences.result import Result as Result
from xgrad._differences.result import Status as Status
from xgrad._differences.samples import Samples as Samples
from xgrad._differences.sizes import own_size as own_size
from xgrad._differences.sparse_readout import SparseJacobian as SparseJacobian
from xgrad._differences.sparse_readout import SparseSumOfTerms as SparseSumOfTerms
from xgrad._differences.status_warning import ComponentName as ComponentName
from xgrad._differences.status_warning import entries_of as entries_of
from xgrad._differences.status_warning import warn_unless_ok as warn_unless_ok
from xgrad._differences.stencil import ACCURACIES as ACCURACIES
from xgrad._differences.stencil import Method as Method
from xgrad._differences.stencil import rungs_for as rungs_for
from xgrad._differences.stencil import stencil as stencil
