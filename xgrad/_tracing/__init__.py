"""Objects that stand for arrays while the caller's function runs, and their functions.

The caller's function gets a `StandIn` in place of an array. Python, NumPy and CuPy hand
over all that it does with it; each function is written once, in the primitives of a
`Tracer`, which says what they mean. In reading order:

`refusals` has the error for whatever a stand-in cannot do; `linearity` says which
functions are linear; `tracer` has the primitives; `arguments` finds stand-ins and makes
axes canonical; `closed` knows those that a function has kept; `registry` has the table
of functions, by their names in the standard and in NumPy, and the one place that calls
them; `creating` makes arrays that entries of stand-ins can be assigned to; `namespace`
offers all as a namespace; `standin` is the class that a caller's function sees; the
modules of `functions` hold the functions; `ufuncs` takes those of NumPy, and
`protocols` the kernels of CuPy.
"""

from __future__ import annotations

from xgrad._tracing import functions as functions
from xgrad._tracing import protocols as protocols
from xgrad._tracing import ufuncs as ufuncs
from xgrad._tracing.arguments import first_standin as first_standin
from xgrad._tracing.arguments import tracer_of as tracer_of
from xgrad._tracing.closed import is_closed as is_closed
from xgrad._tracing.closed import released as released
from xgrad._tracing.creating import CREATORS as CREATORS
from xgrad._tracing.creating import as_constant as as_constant
from xgrad._tracing.creating import creating_like as creating_like
from xgrad._tracing.creating import creator as creator
from xgrad._tracing.creating import is_creating as is_creating
from xgrad._tracing.functions.einsum import contract as contract
from xgrad._tracing.functions.einsum import einsum_everywhere as einsum_everywhere
from xgrad._tracing.functions.filters import convolve_vectors as convolve_vectors
from xgrad._tracing.functions.filters import first_row_of as first_row_of
from xgrad._tracing.functions.joining import array_like as array_like
from xgrad._tracing.functions.joining import concat_arrays as concat_arrays
from xgrad._tracing.functions.linalg import MATRIX_FUNCTIONS as MATRIX_FUNCTIONS
from xgrad._tracing.functions.linalg import matrix_function as matrix_function
from xgrad._tracing.functions.linalg import triangular_factors as triangular_factors
from xgrad._tracing.functions.norms import norm_of_vectors as norm_of_vectors
from xgrad._tracing.functions.rearranging import roll as roll
from xgrad._tracing.functions.reductions import sum_ as sum_
from xgrad._tracing.functions.reductions import unrecorded as unrecorded
from xgrad._tracing.functions.scans import running_sum as running_sum
from xgrad._tracing.functions.sparse import sparse_product as sparse_product
from xgrad._tracing.functions.statistics import deviation as deviation
from xgrad._tracing.functions.statistics import variance as variance
from xgrad._tracing.functions.writing import scatter_add as scatter_add
from xgrad._tracing.linearity import Linear as Linear
from xgrad._tracing.namespace import namespace_of as namespace_of
from xgrad._tracing.refusals import IN as IN
from xgrad._tracing.refusals import PACKAGE as PACKAGE
from xgrad._tracing.refusals import NotTraceableError as NotTraceableError
from xgrad._tracing.refusals import caller_line as caller_line
from xgrad._tracing.refusals import describe_line as describe_line
from xgrad._tracing.refusals import is_library as is_library
from xgrad._tracing.refusals import is_sealed as is_sealed
from xgrad._tracing.refusals import line_of_caller as line_of_caller
from xgrad._tracing.registry import CREATION as CREATION
from xgrad._tracing.registry import FUNCTIONS as FUNCTIONS
from xgrad._tracing.registry import NUMPY_NAMES as NUMPY_NAMES
from xgrad._tracing.registry import call as call
from xgrad._tracing.standin import StandIn as StandIn
from xgrad._tracing.tracer import Tracer as Tracer
