"""The boundary to array libraries; above it arrays are known to be good.

Modules in reading order:

- `types`: aliases for annotations
- `arguments`, `advice`: checks of arguments, their messages, and the code they advise
- `namespaces`: the library of an array, ``xp``, the first argument from here on
- `dtypes`: kinds, limits and conversions of dtypes
- `stable`: formulas that are stable in floating point
- `trees`: nested dicts, lists and tuples of arrays
- `backends`, `probes`, `versions`: choosing a library, and why another cannot be used;
  what is installed, for the report of a fault
- `log`: the logger "xgrad"
- `device`, `sparse`, `blocks`: what libraries do each in their own way; Dask's blocks
- `context`: settings that reach a caller's function unpassed
- `standins`: recognizing stand-ins, also in arrays of array_api_strict
- `portable`, `faces`: base class of values that are pickled; names of public objects
- `public`, `frames`, `foreign`, `mistakes`: calls as people write them, with pandas,
  with the names of other libraries, and with functions that fail
"""

from xgrad._arrays.advice import integer_code as integer_code
from xgrad._arrays.advice import prefix_of as prefix_of
from xgrad._arrays.arguments import a_type as a_type
from xgrad._arrays.arguments import drop_none as drop_none
from xgrad._arrays.arguments import integer as integer
from xgrad._arrays.arguments import one_of as one_of
from xgrad._arrays.arguments import python_float as python_float
from xgrad._arrays.arguments import refuse_nesting as refuse_nesting
from xgrad._arrays.arguments import require_array as require_array
from xgrad._arrays.arguments import require_callable as require_callable
from xgrad._arrays.arguments import require_known_shapes as require_known_shapes
from xgrad._arrays.arguments import require_same_shape as require_same_shape
from xgrad._arrays.backends import BACKEND_VARIABLE as BACKEND_VARIABLE
from xgrad._arrays.backends import BackendUnavailable as BackendUnavailable
from xgrad._arrays.backends import backend_name as backend_name
from xgrad._arrays.backends import backends as backends
from xgrad._arrays.backends import namespace as namespace
from xgrad._arrays.backends import to_numpy as to_numpy
from xgrad._arrays.blocks import BlockStarts as BlockStarts
from xgrad._arrays.blocks import losses_of_blocks as losses_of_blocks
from xgrad._arrays.blocks import map_blocks as map_blocks
from xgrad._arrays.blocks import summarize_blocks as summarize_blocks
from xgrad._arrays.context import at_perturbed_points as at_perturbed_points
from xgrad._arrays.context import perturbed as perturbed
from xgrad._arrays.context import quiet as quiet
from xgrad._arrays.context import recorded_natively as recorded_natively
from xgrad._arrays.context import shows_statuses as shows_statuses
from xgrad._arrays.context import without_status_warnings as without_status_warnings
from xgrad._arrays.device import NO_DEVICE as NO_DEVICE
from xgrad._arrays.device import device_adopter as device_adopter
from xgrad._arrays.device import free_gpu_bytes as free_gpu_bytes
from xgrad._arrays.device import has_hidden_axis as has_hidden_axis
from xgrad._arrays.device import has_values as has_values
from xgrad._arrays.device import is_on_host as is_on_host
from xgrad._arrays.device import is_out_of_memory as is_out_of_memory
from xgrad._arrays.device import native_vmap as native_vmap
from xgrad._arrays.device import on_device_of as on_device_of
from xgrad._arrays.dtypes import as_array as as_array
from xgrad._arrays.dtypes import as_complex as as_complex
from xgrad._arrays.dtypes import as_float as as_float
from xgrad._arrays.dtypes import as_index as as_index
from xgrad._arrays.dtypes import as_real as as_real
from xgrad._arrays.dtypes import cast as cast
from xgrad._arrays.dtypes import default_dtype as default_dtype
from xgrad._arrays.dtypes import float_info as float_info
from xgrad._arrays.dtypes import floating_dtype as floating_dtype
from xgrad._arrays.dtypes import floor_power_of_two as floor_power_of_two
from xgrad._arrays.dtypes import is_boolean as is_boolean
from xgrad._arrays.dtypes import is_complex as is_complex
from xgrad._arrays.dtypes import is_floating as is_floating
from xgrad._arrays.dtypes import is_integral as is_integral
from xgrad._arrays.dtypes import real_dtype as real_dtype
from xgrad._arrays.dtypes import result_dtype as result_dtype
from xgrad._arrays.dtypes import wide_dtype as wide_dtype
from xgrad._arrays.dtypes import wide_sum as wide_sum
from xgrad._arrays.faces import public_dir as public_dir
from xgrad._arrays.faces import publish as publish
from xgrad._arrays.foreign import ABSENT as ABSENT
from xgrad._arrays.foreign import explain_missing_method as explain_missing_method
from xgrad._arrays.foreign import explain_missing_name as explain_missing_name
from xgrad._arrays.foreign import meant_argument as meant_argument
from xgrad._arrays.foreign import missing_names as missing_names
from xgrad._arrays.log import LOG as LOG
from xgrad._arrays.namespaces import common_namespace as common_namespace
from xgrad._arrays.namespaces import copied as copied
from xgrad._arrays.namespaces import device_of as device_of
from xgrad._arrays.namespaces import from_host as from_host
from xgrad._arrays.namespaces import is_cupy as is_cupy
from xgrad._arrays.namespaces import is_dask as is_dask
from xgrad._arrays.namespaces import is_everywhere as is_everywhere
from xgrad._arrays.namespaces import is_jax as is_jax
from xgrad._arrays.namespaces import is_lazy as is_lazy
from xgrad._arrays.namespaces import is_numpy as is_numpy
from xgrad._arrays.namespaces import is_torch as is_torch
from xgrad._arrays.namespaces import laid_out_like as laid_out_like
from xgrad._arrays.namespaces import numpy_or_cupy_namespace as numpy_or_cupy_namespace
from xgrad._arrays.namespaces import owned as owned
from xgrad._arrays.namespaces import reshaped as reshaped
from xgrad._arrays.portable import Portable as Portable
from xgrad._arrays.probes import Backend as Backend
from xgrad._arrays.public import public as public
from xgrad._arrays.public import public_methods as public_methods
from xgrad._arrays.sparse import coordinate_matrix as coordinate_matrix
from xgrad._arrays.sparse import require_sparse as require_sparse
from xgrad._arrays.sparse import sparse_matrix as sparse_matrix
from xgrad._arrays.stable import CLOSE_TO_ONE as CLOSE_TO_ONE
from xgrad._arrays.stable import MATMUL_SUM_LENGTH as MATMUL_SUM_LENGTH
from xgrad._arrays.stable import divide_or_zero as divide_or_zero
from xgrad._arrays.stable import product_keeping_zeros as product_keeping_zeros
from xgrad._arrays.stable import quotient_keeping_zeros as quotient_keeping_zeros
from xgrad._arrays.stable import row_sum as row_sum
from xgrad._arrays.stable import subtract_max as subtract_max
from xgrad._arrays.stable import sum_along as sum_along
from xgrad._arrays.standins import call_unwrapped as call_unwrapped
from xgrad._arrays.standins import has_standin as has_standin
from xgrad._arrays.standins import is_standin as is_standin
from xgrad._arrays.standins import unwrap as unwrap
from xgrad._arrays.standins import unwrapped_namespace as unwrapped_namespace
from xgrad._arrays.standins import wrap_like as wrap_like
from xgrad._arrays.trees import leaves as leaves
from xgrad._arrays.trees import matching_leaves as matching_leaves
from xgrad._arrays.trees import paths as paths
from xgrad._arrays.trees import rebuild as rebuild
from xgrad._arrays.trees import transform as transform
from xgrad._arrays.types import Array as Array
from xgrad._arrays.types import ArrayT as ArrayT
from xgrad._arrays.versions import show_versions as show_versions

publish("xgrad", Backend, BackendUnavailable, backend_name, backends, namespace)
publish("xgrad", show_versions, to_numpy)
