"""Calls of the caller's function: at which points, in which way, and by whom.

A `Function` is bound to its arrays, an `Execution` says how to run it, and `Points` are
divided into columns; all of them near x are a `Neighborhood`. `choose_way` finds the
fastest `Way` to call the function that is proved to be right, and an `Evaluator` yields
the values.

The modules, in reading order: `execution`, `sharing` and `progress`, the options;
`prepare` and `function`; `points`, `columns`, `chunk`, `notes` and `neighborhood`;
`ways` and `hidden_axis`; `agreement`, `refusals` and `loop_warning`; `choice`, `proof`,
`proved_ways` and `pace`; `call_state`, `evaluator`, `workers` and `memory`; and
`checkpoint`, `checkpoint_key`, `checkpoint_file` and `checkpoint_lock`.
"""

from xgrad._evaluation.agreement import ROUNDING as ROUNDING
from xgrad._evaluation.agreement import agree as agree
from xgrad._evaluation.choice import choose_way as choose_way
from xgrad._evaluation.choice import evaluate_in_known_way as evaluate_in_known_way
from xgrad._evaluation.columns import Columns as Columns
from xgrad._evaluation.columns import columns_of_colors as columns_of_colors
from xgrad._evaluation.columns import entry_columns as entry_columns
from xgrad._evaluation.columns import pair_columns as pair_columns
from xgrad._evaluation.columns import row_columns as row_columns
from xgrad._evaluation.columns import single_column as single_column
from xgrad._evaluation.evaluator import Evaluator as Evaluator
from xgrad._evaluation.evaluator import open_evaluator as open_evaluator
from xgrad._evaluation.execution import CheckpointPath as CheckpointPath
from xgrad._evaluation.execution import Execution as Execution
from xgrad._evaluation.execution import Vectorized as Vectorized
from xgrad._evaluation.execution import Workers as Workers
from xgrad._evaluation.execution import execution_for as execution_for
from xgrad._evaluation.function import Function as Function
from xgrad._evaluation.function import only_point as only_point
from xgrad._evaluation.loop_warning import caller_level as caller_level
from xgrad._evaluation.loop_warning import describe_fault as describe_fault
from xgrad._evaluation.memory import SMALL_BYTES as SMALL_BYTES
from xgrad._evaluation.memory import keep_released_memory as keep_released_memory
from xgrad._evaluation.neighborhood import Neighborhood as Neighborhood
from xgrad._evaluation.points import Points as Points
from xgrad._evaluation.points import concat_blocks as concat_blocks
from xgrad._evaluation.points import row_of as row_of
from xgrad._evaluation.prepare import bind_function as bind_function
from xgrad._evaluation.prepare import checkpoint_of as checkpoint_of
from xgrad._evaluation.progress import Progress as Progress
from xgrad._evaluation.proved_ways import ways_of_function as ways_of_function
from xgrad._evaluation.sharing import share_equal as share_equal
from xgrad._evaluation.ways import Way as Way
