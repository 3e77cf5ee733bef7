"""Cases of Fourier transforms: odd and even lengths, cut, padded, and scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.derivatives.base import Case, numbers, real_and_imaginary

# The rule that each function comes to.
RULES = {
    "fft": "fft",
    "ifft": "ifft",
    "rfft": "rfft",
    "irfft": "irfft",
    "hfft": "irfft",
    "ihfft": "rfft",
}
RULES_OF_AXES = {
    "fftn": "fft",
    "ifftn": "ifft",
    "rfftn": "rfft",
    "irfftn": "irfft",
}
TAKES_REAL = {"rfft", "ihfft", "rfftn"}
LENGTHS = (None, 4, 6, 7, 9)
NORMS = (None, "ortho", "forward")
AXES: tuple[dict[str, Any], ...] = (
    {},
    {"s": (3, 5), "axes": (0, 2)},
    {"s": (5, 4), "axes": (2, 1)},
    {"s": (-1, 7), "axes": (1, 2)},
    {"axes": (1,), "norm": "ortho"},
    {"s": (7, 2), "axes": (-1, -2), "norm": "forward"},
)
VOLUME = numbers(3, 4, 5)


def _transformed(name: str, options: dict[str, Any]) -> Any:
    """Return a real function of a transform of real, or else of complex numbers."""

    def function(xp: Any, x: Any) -> Any:
        z = x if name in TAKES_REAL else x * (1 + 0.5j) + 1j * x**2
        return real_and_imaginary(getattr(xp.fft, name)(z, **options))

    return function


def _along_one_axis() -> list[Case]:
    collected = []
    for name, rule in RULES.items():
        for n in LENGTHS:
            for norm in NORMS:
                for length in (6, 7):
                    options = {"n": n, "axis": 0, "norm": norm}
                    label = f"{name} of {length}, n={n}, norm={norm}"
                    function = _transformed(name, options)
                    collected.append(Case(rule, label, function, numbers(length, 2)))
    return collected


def _along_axes() -> list[Case]:
    collected = []
    for name, rule in RULES_OF_AXES.items():
        for options in AXES:
            function = _transformed(name, options)
            # JAX has no -1 in `s`.
            portable = -1 not in options.get("s", ())
            label = f"{name} {options}"
            collected.append(Case(rule, label, function, VOLUME, portable))
    return collected


def _of_real(name: str) -> Any:
    return lambda xp, x: real_and_imaginary(getattr(xp.fft, name)(x**2))


TRANSFORM_CASES: tuple[Case, ...] = (
    *_along_one_axis(),
    *_along_axes(),
    Case("fft", "fft2 of real numbers", _of_real("fft2"), VOLUME),
    Case("ifft", "ifft2 of real numbers", _of_real("ifft2"), VOLUME),
    Case("rfft", "rfft2", _of_real("rfft2"), VOLUME),
    Case("irfft", "irfft2 of real numbers", _of_real("irfft2"), VOLUME),
    Case("fft", "of one entry", _of_real("fft"), numbers(3, 1)),
    Case("fft", "of no rows", _of_real("fft"), np.empty((0, 3))),
    Case(
        "rfft",
        "an axis twice",
        lambda xp, x: real_and_imaginary(xp.fft.rfftn(x, axes=(0, 2, 0))),
        VOLUME,
        is_portable=False,
    ),
    Case("roll_back", "fftshift", lambda xp, x: xp.fft.fftshift(x**2), VOLUME),
    Case(
        "roll_back",
        "ifftshift of axes",
        lambda xp, x: xp.fft.ifftshift(x, axes=(0, -1)) * x,
        VOLUME,
    ),
)
