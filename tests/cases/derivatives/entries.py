"""Cases of the functions of entries, made of the table of their partial derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.derivatives.base import Case, numbers, real_and_imaginary

Interval = tuple[float, float]
ANY: Interval = (-2.0, 2.0)
POSITIVE: Interval = (0.3, 2.4)
INSIDE: Interval = (-0.8, 0.8)
MASK, INTEGERS = "mask", "integers"
# Where the arguments of a function come from; for all others it is `ANY`, once.
DOMAINS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        "add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2 hypot "
        "copysign heaviside".split(),
        (ANY, ANY),
    ),
    **dict.fromkeys("sqrt cbrt log log2 log10 reciprocal".split(), (POSITIVE,)),
    **dict.fromkeys("arcsin arccos arctanh".split(), (INSIDE,)),
    **dict.fromkeys(
        ("remainder", "fmod", "floor_divide", "divmod 0", "divmod 1"),
        (POSITIVE, (0.9, 1.7)),
    ),
    "divide": (ANY, POSITIVE),
    "power": (POSITIVE, ANY),
    "float_power": (POSITIVE, ANY),
    "nextafter": (ANY, ANY),
    "log1p": ((-0.6, 2.0),),
    "tan": ((-1.2, 1.2),),
    "arccosh": ((1.3, 3.0),),
    "arctan2": (ANY, POSITIVE),
    "clip": (ANY, (-1.2, -0.9), (0.9, 1.2)),
    "where": (MASK, ANY, ANY),
    "ldexp": (ANY, INTEGERS),
}
# By another name, or not a function of NumPy at all.
CALLS: dict[str, Any] = {
    "astype": lambda xp, x: x.astype(complex).real,
    "conjugate": lambda xp, x: xp.conj(x),
    # The real part of a real array is that array itself.
    "real": lambda xp, x: xp.real(x * (1 - 1j)),
    "modf 0": lambda xp, x: xp.modf(x)[0],
    "modf 1": lambda xp, x: xp.modf(x)[1],
    "frexp 0": lambda xp, x: xp.frexp(x)[0],
    "divmod 0": lambda xp, a, b: xp.divmod(a, b)[0],
    "divmod 1": lambda xp, a, b: xp.divmod(a, b)[1],
}
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "vectors": ((5,), (5,), (5,)),
    "numbers": ((), (), ()),
    "repeated": ((2, 1), (1, 3), (3,)),
    "repeated from 0-d": ((), (3,), (2, 1)),
    "empty": ((0,), (0,), (0,)),
}
# JAX has other conventions there, or lacks the function.
NOT_IN_JAX = {"astype", "fix", "spacing", "fabs"}


def _operand(domain: Any, shape: tuple[int, ...], seed: int) -> Any:
    if domain == MASK:
        return np.asarray(np.random.default_rng(seed).random(shape) > 0.5)
    if domain == INTEGERS:
        return np.asarray(np.random.default_rng(seed).integers(-2, 3, shape))
    return numbers(*shape, seed=seed, low=domain[0], high=domain[1])


def _cases_of(name: str) -> list[Case]:
    domains = DOMAINS.get(name, (ANY,))
    found = []
    for shapes_name, shapes in SHAPES.items():
        operands = [
            _operand(domain, shape, seed)
            for seed, (domain, shape) in enumerate(zip(domains, shapes, strict=False))
        ]
        for i, domain in enumerate(domains):
            if isinstance(domain, str):
                continue
            function = _of_one_argument(name, operands, i)
            label = f"{shapes_name}, argument {i}"
            portable = name not in NOT_IN_JAX
            found.append(Case(name, label, function, operands[i], portable))
    return found


def _of_one_argument(name: str, operands: list[Any], i: int) -> Any:
    """Return a function of one argument, with the others constant."""

    def function(xp: Any, x: Any) -> Any:
        if name in CALLS:
            return CALLS[name](xp, *operands[:i], x, *operands[i + 1 :])
        # In the dtype of x, as weak numbers of Python would be.
        others = [o.astype(x.dtype) if o.dtype.kind == "f" else o for o in operands]
        return getattr(xp, name)(*others[:i], x, *others[i + 1 :])

    return function


def _complex_case(name: str) -> list[Case]:
    """Return the case of complex arguments inside a real function, if NumPy has it."""
    domains = DOMAINS.get(name, (ANY,))
    function = CALLS.get(name) or (lambda xp, *z: getattr(xp, name)(*z))
    if name == "astype" or any(isinstance(d, str) for d in domains):
        return []
    pairs = [
        np.stack([_operand(d, (4,), seed), numbers(4, seed=seed + 5)])
        for seed, d in enumerate(domains)
    ]
    try:
        function(np, *(p[0] + 1j * p[1] for p in pairs))
    except TypeError:
        return []

    def of_parts(xp: Any, x: Any) -> Any:
        z = [x[i, 0] + 1j * x[i, 1] for i in range(len(domains))]
        return real_and_imaginary(function(xp, *z))

    # Orders of complex numbers, and what JAX refuses of them, are NumPy's alone.
    portable = name not in {"maximum", "minimum", "clip", "sign", "fix", "rint"}
    return [Case(name, "complex", of_parts, np.stack(pairs), portable, 4.0)]


def entry_cases(names: list[str]) -> list[Case]:
    """Return the cases of functions by their names."""
    return [case for name in names for case in (*_cases_of(name), *_complex_case(name))]
