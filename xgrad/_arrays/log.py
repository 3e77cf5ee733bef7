"""The logger "xgrad", which tells of decisions that change the speed of a call.

Nothing is printed unless a program asks for it, for example with
``logging.basicConfig(level="INFO")``.
"""

import logging

LOG = logging.getLogger("xgrad")
