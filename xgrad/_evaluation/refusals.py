"""The exceptions by which a way to call the function is given up."""

from __future__ import annotations


class RefusedError(Exception):
    """A way to call the function gives wrong results, for the reason in the message."""


class NotFiniteError(ArithmeticError):
    """Differences are not finite, so that the values themselves are needed."""
