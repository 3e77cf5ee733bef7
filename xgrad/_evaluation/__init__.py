"""Calls of the caller's function: at which points, in which way, and by whom."""

from xgrad._evaluation.columns import colors as colors
from xgrad._evaluation.columns import entries as entries
from xgrad._evaluation.columns import everything as everything
from xgrad._evaluation.columns import pairs as pairs
from xgrad._evaluation.columns import rows as rows
from xgrad._evaluation.evaluator import Runner as Runner
from xgrad._evaluation.evaluator import runner as runner
from xgrad._evaluation.execution import CPU_BYTES as CPU_BYTES
from xgrad._evaluation.execution import Execution as Execution
from xgrad._evaluation.execution import Kept as Kept
from xgrad._evaluation.execution import Mode as Mode
from xgrad._evaluation.execution import Vectorized as Vectorized
from xgrad._evaluation.execution import Workers as Workers
from xgrad._evaluation.function import Function as Function
from xgrad._evaluation.points import Points as Points
from xgrad._evaluation.points import joined as joined
from xgrad._evaluation.points import picked as picked
from xgrad._evaluation.prepare import checkpoint_of as checkpoint_of
from xgrad._evaluation.prepare import function_at as function_at
from xgrad._evaluation.progress import Progress as Progress
from xgrad._evaluation.proof import FEW_COLUMNS as FEW_COLUMNS
from xgrad._evaluation.proof import ROUNDING as ROUNDING
from xgrad._evaluation.proof import chosen as chosen
from xgrad._evaluation.proof import remembered as remembered
