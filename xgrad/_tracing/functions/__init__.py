"""The functions that stand-ins take, written in primitives and in one another.

Each module registers its functions when it is imported. In reading order: `elements`,
`shapes`, `indexing`, `joining`, `reductions`, `rearranging`, `scans`, `statistics`,
`missing`, `products`, `sparse`, `subscripts`, `einsum`, `norms`, `linalg`, `fourier`,
`covariance`, `filters`, `numerics`, `writing`, `choosing`, `searching` and `creation`.
"""

from __future__ import annotations

from xgrad._tracing.functions import choosing as choosing
from xgrad._tracing.functions import covariance as covariance
from xgrad._tracing.functions import creation as creation
from xgrad._tracing.functions import einsum as einsum
from xgrad._tracing.functions import elements as elements
from xgrad._tracing.functions import filters as filters
from xgrad._tracing.functions import fourier as fourier
from xgrad._tracing.functions import indexing as indexing
from xgrad._tracing.functions import joining as joining
from xgrad._tracing.functions import linalg as linalg
from xgrad._tracing.functions import missing as missing
from xgrad._tracing.functions import norms as norms
from xgrad._tracing.functions import numerics as numerics
from xgrad._tracing.functions import products as products
from xgrad._tracing.functions import rearranging as rearranging
from xgrad._tracing.functions import reductions as reductions
from xgrad._tracing.functions import scans as scans
from xgrad._tracing.functions import searching as searching
from xgrad._tracing.functions import shapes as shapes
from xgrad._tracing.functions import sparse as sparse
from xgrad._tracing.functions import statistics as statistics
from xgrad._tracing.functions import subscripts as subscripts
from xgrad._tracing.functions import writing as writing
