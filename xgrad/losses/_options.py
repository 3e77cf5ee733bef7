"""The options of one loss: their names, their defaults and their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter
from numbers import Real
from typing import Any

from xgrad._arrays import ABSENT, Array, meant_argument
from xgrad._rules import FINITE, Guard, Number, NumberOrArray

Rule = Number | NumberOrArray
# Keywords of every loss.
SHARED = ("reduction", "weight", "check")


class Options:
    """The options of one loss, besides those that every loss takes.

    Parameters
    ----------
    loss : str
        Name of the loss, for messages.
    of_formulas, of_target : sequences of inspect.Parameter
        Options that the formulas take, and those that change the target beforehand.
    rules : mapping of names to Number or NumberOrArray
        Rules for options of the formulas; a number without a rule must be finite.
    """

    def __init__(
        self,
        loss: str,
        of_formulas: Sequence[Parameter],
        of_target: Sequence[Parameter],
        rules: Mapping[str, Rule],
    ) -> None:
        self.loss = loss
        self._defaults = {p.name: p.default for p in (*of_formulas, *of_target)}
        self._names = [p.name for p in of_formulas]
        unknown = rules.keys() - self._defaults.keys()
        if unknown:
            raise TypeError(
                f"`{loss}` has rules for {sorted(unknown)}, but its options "
                f"are {list(self._defaults)}"
            )
        self.rules: dict[str, Rule] = {
            p.name: FINITE
            for p in of_formulas  # a bool is a Real, too, but no number to compute with
            if isinstance(p.default, Real) and not isinstance(p.default, bool)
        }
        self.rules |= {n: rule for n, rule in rules.items() if n in self._names}

    def complete(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a call with the defaults; raise for unknown names."""
        for name in options.keys() - self._defaults.keys():
            raise TypeError(
                f"`{self.loss}` got an unexpected keyword argument {name!r}: "
                f"{self._advise(name)}"
            )
        for name, default in self._defaults.items():
            if default is Parameter.empty and name not in options:
                raise TypeError(f"`{self.loss}` needs the keyword argument {name!r}")
        return self._defaults | options

    def _advise(self, name: str) -> str:
        """Return which option another name means, or a list of all."""
        own = meant_argument(name, [*self._defaults, *SHARED])
        if own:
            return f"it is called `{own}` by xgrad"
        if name in ABSENT:
            return ABSENT[name]
        listed = ", ".join(map(repr, self._defaults)) or "none"
        return (
            f"its own options are {listed}; all losses take reduction, weight and check"
        )

    def arrays(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options that are arrays, or should be."""
        # A Python number belongs to every library, and needs none.
        return {
            name: options[name]
            for name, rule in self.rules.items()
            if isinstance(rule, NumberOrArray) and not isinstance(options[name], Real)
        }

    def validate(
        self, xp: Any, options: dict[str, Any], prediction: Array, guard: Guard
    ) -> dict[str, Any]:
        """Return the options of the formulas, with numbers as Python floats."""
        validated = {name: options[name] for name in self._names}
        for name, rule in self.rules.items():
            value = options[name]
            if isinstance(rule, Number):
                validated[name] = rule.validate_as(xp, name, value, prediction.dtype)
            else:
                validated[name] = rule.validate(xp, name, value, prediction, guard)
        return validated

    def numbers(
        self, xp: Any, options: dict[str, Any], dtype: Any
    ) -> dict[str, float] | None:
        """Return the options as Python floats; None if one is bad, or not a number."""
        numbers = {}
        for name, value in options.items():
            rule = self.rules.get(name)
            if isinstance(rule, NumberOrArray) and isinstance(value, Real):
                rule = rule.number
            if not isinstance(rule, Number):
                return None
            try:
                numbers[name] = rule.validate_as(xp, name, value, dtype)
            # The checks of the whole call raise; another argument may come first there.
            except (TypeError, ValueError):
                return None
        return numbers
