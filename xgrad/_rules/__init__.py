"""Rules for values and options, and when they are enforced.

Modules in reading order:

- `checks`: one rule for the values of one argument; all checks of a call at once
- `domains`: the values that predictions, targets and options may have
- `options`: numbers, or arrays with one number for each entry
- `labels`: class labels
"""

from xgrad._rules.checks import NO_STARTS as NO_STARTS
from xgrad._rules.checks import Guard as Guard
from xgrad._rules.checks import ValueCheck as ValueCheck
from xgrad._rules.checks import enforce as enforce
from xgrad._rules.checks import weight_sum_check as weight_sum_check
from xgrad._rules.domains import ABOVE_MINUS_ONE as ABOVE_MINUS_ONE
from xgrad._rules.domains import BINARY_TARGET as BINARY_TARGET
from xgrad._rules.domains import CLASS_WEIGHT as CLASS_WEIGHT
from xgrad._rules.domains import COUNTS as COUNTS
from xgrad._rules.domains import DISTRIBUTION as DISTRIBUTION
from xgrad._rules.domains import POSITIVE_WEIGHT as POSITIVE_WEIGHT
from xgrad._rules.domains import REAL as REAL
from xgrad._rules.domains import SIGNS as SIGNS
from xgrad._rules.domains import SOFT_TARGET as SOFT_TARGET
from xgrad._rules.domains import UNIT_INTERVAL as UNIT_INTERVAL
from xgrad._rules.domains import VARIANCE as VARIANCE
from xgrad._rules.domains import Domain as Domain
from xgrad._rules.labels import IGNORABLE as IGNORABLE
from xgrad._rules.labels import NUMBERED as NUMBERED
from xgrad._rules.labels import all_in_range as all_in_range
from xgrad._rules.labels import confusion_counts as confusion_counts
from xgrad._rules.labels import count_pairs as count_pairs
from xgrad._rules.labels import equals_number as equals_number
from xgrad._rules.labels import gather_labels as gather_labels
from xgrad._rules.labels import in_range as in_range
from xgrad._rules.labels import label_mask as label_mask
from xgrad._rules.labels import prefers_gather as prefers_gather
from xgrad._rules.labels import range_checks as range_checks
from xgrad._rules.labels import require_labels as require_labels
from xgrad._rules.options import FINITE as FINITE
from xgrad._rules.options import FRACTION as FRACTION
from xgrad._rules.options import NOT_NEGATIVE as NOT_NEGATIVE
from xgrad._rules.options import POSITIVE as POSITIVE
from xgrad._rules.options import Number as Number
from xgrad._rules.options import NumberOrArray as NumberOrArray
