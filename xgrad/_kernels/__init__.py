"""Optional fast paths for one array library each, looked up by name.

A kernel computes a loss in one or two passes over its arguments. It takes
``(prediction, target, *, wanted, reduction, check, is_perturbed)`` and those options of
the loss that are numbers, and returns the value and the gradient as the plain formulas
would, to rounding. ``wanted`` is ``"value"``, ``"slope"`` or ``"both"``; the domain of
a prediction that ``is_perturbed``, which the caller did not choose, is not checked. A
kernel returns None if it cannot compute a case, or if a value breaks a rule: the
formulas then compute it, or raise.

A loss whose entries or rows weigh differently is asked for by the name "weighted_" and
that of the loss, and gets ``weight`` and ``ignore_index`` too.

Nothing depends on a kernel. Without its module, or with ``XGRAD_KERNELS=0`` in the
environment, the formulas compute everything.

Modules in reading order:

- `lookup`: finding a kernel, and switching all of them off
- `numpy`: the table of NumPy's kernels, and those of counts and of points
- `numpy_memory`: sizes of blocks, and memory to compute in
- `numpy_rows`, `numpy_errors`: cross entropies, and losses of differences
- `numpy_ranks`, `numpy_order`: scores in order, for metrics of ranks; with weights
- `numba`: the table of compiled kernels, for large NumPy arrays
- `numba_calls`, `numba_compile`: what is around a compiled loop; compiling, and threads
- `numba_math`: exp and log as polynomials, with their errors
- `numba_rows`, `numba_flat`, `numba_errors`, `numba_labels`: loops over rows, those of
  few classes, elements, and labels
- `cupy`: the kernels of CuPy, as launches of CUDA kernels
- `cuda`: the sources of these, made of the ``.cu`` files
"""

from xgrad._kernels.lookup import find_kernel as find_kernel
from xgrad._kernels.lookup import why_not_compiled as why_not_compiled
