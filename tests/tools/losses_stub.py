"""The stub of `xgrad.losses`: signatures of the losses for type checkers.

At run time a loss reads its options from its formulas. A type checker cannot, and would
take any keyword; the stub repeats what ``inspect.signature`` says.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path

from xgrad import losses
from xgrad.losses import Loss

PATH = Path(losses.__file__).with_suffix(".pyi")
HEAD = '''"""Signatures of losses. Written by `python tests/tools/write_stubs.py`."""

from typing import Any, Literal

from xgrad._arrays.types import ArrayT
from xgrad.losses._loss import Loss as Loss
from xgrad.losses._loss import Reduction
'''
# A method of one kind of loss: it takes fewer keywords than the base class says.
METHOD = '''
    def {name}(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
{options}    ) -> {result}:
        """{summary}"""
        ...

'''
# Editors show the summary beside the signature; the whole is in `help` of the loss.
METHODS = {
    "__call__": ("ArrayT", "Return the loss, reduced as asked."),
    "grad": ("ArrayT", "Return the gradient of the loss by the prediction."),
    "value_and_grad": (
        "tuple[ArrayT, ArrayT]",
        "Return the loss, and its gradient by the prediction.",
    ),
}


def written() -> str:
    """The whole stub: a class for each set of options, and the losses."""
    kinds: dict[str, str] = {}
    names = []
    for name, loss in vars(losses).items():
        if isinstance(loss, Loss):
            kind = kinds.setdefault(_options(loss), _kind(name, kinds))
            names.append(f"{name}: {kind}")
    classes = [_class(kind, options) for options, kind in kinds.items()]
    return "\n".join([HEAD, *classes, *names, ""])


def _kind(name: str, kinds: Mapping[str, str]) -> str:
    """Name of a class: that of the first loss, but for those without options."""
    return f"_{name.title().replace('_', '')}" if kinds else "_Plain"


def _options(loss: Loss) -> str:
    parameters = inspect.signature(loss).parameters.values()
    lines = []
    for parameter in parameters:
        if parameter.kind != parameter.KEYWORD_ONLY:
            continue
        annotation, default = parameter.annotation, ""
        if parameter.name == "reduction" and loss.reductions != Loss.reductions:
            annotation = f"Literal[{', '.join(map(_quoted, loss.reductions))}]"
        if parameter.default is not parameter.empty:
            value = parameter.default
            shown = _quoted(value) if isinstance(value, str) else repr(value)
            default = f" = {shown}"
        lines.append(f"        {parameter.name}: {annotation}{default},\n")
    return "".join(lines)


def _quoted(word: str) -> str:
    return f'"{word}"'


def _class(kind: str, options: str) -> str:
    methods = (
        METHOD.format(name=name, options=options, result=result, summary=summary)
        for name, (result, summary) in METHODS.items()
    )
    body = "".join(method.lstrip("\n") for method in methods).rstrip("\n")
    return f"class {kind}(Loss):\n{body}\n"
