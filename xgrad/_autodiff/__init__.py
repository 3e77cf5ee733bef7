"""Exact derivatives of plain functions of NumPy and CuPy arrays.

A `Tape` implements the primitives of `_tracing` for one call of the caller's function,
and `Taped` is the stand-in that the function sees. In reading order:

`partials` has the derivatives of functions of entries, `rules` makes pulls of them, and
`lookup` finds the rule of a function; `special`, `bessel`, `shapes` and `cumulative`
have those of SciPy.
`structural` has the pulls of moves, views and assignments, `products`, `fibres`,
`norms`, `inverses`, `decompositions`, `general_matrices`, `fourier`, `contractions` and
`convolutions` those of other functions, which `functions` collects; `overrides` are
functions that have a shorter way, `kinks` marks corners, and `borders` says where
comparisons change. `taped`, `positions`, `views` and `tape` record; `backward` goes
back; `recording` puts both together.
`forward` is a tape that keeps nothing: tangents go along with the values, by `pushes`.
`sparing` is a tape in little memory, which notes its operations in `stretches`, drops
what they have saved as `budget` says, and does them again in `replay`. `custom` is for
functions with a backward pass of their own. `substitution`, `substitutes`, `twins`,
`mathematics` and `builtin_kinds` run a copy of a function whose names of NumPy make
stand-ins;
`scipy_functions` collects what stands in for SciPy's compiled functions, from
`scipy_linalg`, `scipy_banded`, `scipy_matrices`, `scipy_cosines`, `scipy_distance`,
`scipy_interpolate`, `scipy_grids`, `scipy_filters`, `scipy_images`, `scipy_signals`,
`scipy_statistics`, `scipy_solvers` and `exponentials`.
"""

from __future__ import annotations

from xgrad._autodiff import contractions as contractions
from xgrad._autodiff import decompositions as decompositions
from xgrad._autodiff import fourier as fourier
from xgrad._autodiff import general_matrices as general_matrices
from xgrad._autodiff import inverses as inverses
from xgrad._autodiff import kinks as kinks
from xgrad._autodiff.backward import Cotangents as Cotangents
from xgrad._autodiff.custom import custom_vjp as custom_vjp
from xgrad._autodiff.forward import Pushed as Pushed
from xgrad._autodiff.forward import push_forward as push_forward
from xgrad._autodiff.positions import ChangedConstantError as ChangedConstantError
from xgrad._autodiff.recording import Recording as Recording
from xgrad._autodiff.recording import is_nested as is_nested
from xgrad._autodiff.recording import is_recorded as is_recorded
from xgrad._autodiff.recording import record as record
from xgrad._autodiff.substitution import substituted as substituted
from xgrad._autodiff.tape import Tape as Tape
from xgrad._autodiff.taped import Taped as Taped
