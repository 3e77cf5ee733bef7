"""Write the stubs of xgrad, the signatures that type checkers read.

python tests/tools/write_stubs.py    # after a loss or an option has changed
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from tools import derivatives_stub, losses_stub  # noqa: E402 (needs the path)

STUBS = {stub.PATH: stub.written for stub in (losses_stub, derivatives_stub)}


if __name__ == "__main__":
    for path, written in STUBS.items():
        path.write_text(written(), encoding="utf-8")
