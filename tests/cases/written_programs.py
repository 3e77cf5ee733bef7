"""Random programs as text: views, aliases and assignments to arrays, at any place.

All functions in them are analytic, so that a step along the imaginary axis gives their
derivatives to the last digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SHAPES = [(6,), (4, 3), (2, 3, 2)]
# Larger values lose digits, and leave the statement out that made them.
LARGEST = 20.0


class Writer:
    """Write one program, statement by statement; each is tried on plain arrays."""

    def __init__(self, seed: int, length: int = 10) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = self.one_of(SHAPES)
        self.x = np.round(self.rng.uniform(0.2, 1.8, self.shape), 2)
        self.lines: list[str] = []
        self.arrays: dict[str, Any] = {"x": self.x.copy()}
        while len(self.lines) < length:
            self.propose(self.one_of(STATEMENTS)(self))

    def one_of(self, choices: Any) -> Any:
        """Draw one of these."""
        return choices[self.rng.integers(len(choices))]

    def propose(self, line: str | None) -> None:
        """Keep a statement that NumPy can run, and whose values stay small."""
        if line is None:
            return
        try:
            arrays = run("\n".join([*self.lines, line]), self.x.copy())
        except (ValueError, IndexError, TypeError):  # shapes that do not fit
            return
        sizes = [np.max(np.abs(a), initial=0) for a in arrays.values()]
        is_small = all(a.size and a.ndim < 5 and a.size < 65 for a in arrays.values())
        if is_small and max(sizes) < LARGEST:
            self.lines.append(line)
            self.arrays = arrays

    def name(self, fits: Callable[[Any], bool] = lambda array: True) -> str | None:
        """Draw the name of one of the last arrays that fit."""
        names = [name for name, array in self.arrays.items() if fits(array)]
        return self.one_of(names[-5:]) if names else None

    def new_name(self) -> str:
        """Return the next name."""
        return f"v{len(self.lines) + 1}"

    def key(self, array: Any) -> str:
        """Draw a key of integers and slices."""
        items = []
        for n in array.shape[: self.rng.integers(1, array.ndim + 1)]:
            start = int(self.rng.integers(n))
            step = self.one_of(["", "", "::2", "::-1", f"{start}:", f":{start + 1}"])
            items.append(step or str(start - n * int(self.rng.integers(2))))
        return self.one_of([", ".join(items), "..., " + items[0], items[0], "..."])

    def advanced_key(self, array: Any) -> str:
        """Draw a key that makes a copy: a list of positions or a mask."""
        n = array.shape[0]
        positions = self.rng.integers(-n, n, self.rng.integers(1, 4)).tolist()
        mask = np.append(self.rng.random(n - 1) < 0.5, True).tolist()
        return self.one_of([f"{positions}", f"np.array({mask})"])

    def operand(self, shape: tuple[int, ...] | None = None) -> str:
        """Draw an expression, if possible of a shape that fits."""

        def fits(array: Any) -> bool:
            try:
                return np.broadcast_shapes(array.shape, shape) == shape
            except ValueError:
                return False

        name = self.name(lambda a: True) if shape is None else self.name(fits)
        number = f"{self.rng.uniform(0.5, 1.5):.2f}"
        if name is None:
            return number
        return self.one_of(
            [name, name, f"np.sin({name})", f"{number} * {name}", number]
        )

    def text(self) -> str:
        """Return the program as the body of a function of `x`."""
        return "\n".join(self.lines)


def has_axes(array: Any) -> bool:
    """Whether an array has an axis to take a part of."""
    return array.ndim > 0


def function_of_entries(w: Writer) -> str:
    name = w.name()
    operand = w.operand(w.arrays[name].shape)
    formula = w.one_of(
        [
            "np.sin({0})",
            "np.tanh({0})",
            "np.exp({0} / 8)",
            "{0}**2 / 4",
            "{0} / 3 + {1}",
            "{0} * {1}",
            "{1} - {0}",
            "{0} / (2 + {1} ** 2)",
            "np.cumsum({0}) / 3",
            "{0}.copy()",
            "np.array({0}, copy=True, like=x)",
            "np.zeros_like({0})",
        ]
    )
    return f"{w.new_name()} = {formula.format(name, operand)}"


def reduction(w: Writer) -> str | None:
    name = w.name(has_axes)
    axis = None if name is None else w.one_of([*range(w.arrays[name].ndim), None])
    operation = w.one_of(["sum", "mean", "prod"])
    return name and f"{w.new_name()} = np.{operation}({name}, axis={axis})"


def view(w: Writer) -> str | None:
    name = w.name(has_axes)
    if name is None:
        return None
    array = w.arrays[name]
    key = w.key(array)
    expression = w.one_of(
        [
            f"{name}[{key}]",
            f"{name}[{key}]",
            f"{name}.T",
            f"{name}.reshape(-1)",
            f"{name}.reshape({array.shape[0]}, -1)",
            f"{name}.reshape(2, -1)",
            f"{name}.swapaxes(0, -1)",
            f"{name}[..., None]",
            f"{name}.ravel()",
            f"np.flip({name}, 0)",
            f"np.squeeze({name})",
            f"np.broadcast_to({name}, (2, *{name}.shape))",
            name,
        ]
    )
    return f"{w.new_name()} = {expression}"


def gather(w: Writer) -> str | None:
    name = w.name(has_axes)
    key = None if name is None else w.advanced_key(w.arrays[name])
    return name and f"{w.new_name()} = {name}[{key}]"


def joined(w: Writer) -> str | None:
    name = w.name(has_axes)
    if name is None:
        return None
    other = w.operand(w.arrays[name].shape)
    function = w.one_of(["np.stack", "np.concatenate"])
    return f"{w.new_name()} = {function}([{name}, {name} * {other}])"


def written(w: Writer) -> str | None:
    name = w.name(lambda a: has_axes(a) and a.flags.writeable)
    if name is None:
        return None
    array = w.arrays[name]
    key = w.one_of([w.key(array), w.key(array), w.advanced_key(array)])
    try:
        shape = eval(f"array[{key}]", {"array": array, "np": np}).shape
    except IndexError:
        return None
    operator = w.one_of(["=", "=", "+=", "*=", "-=", "/= 1.5 +"])
    # NumPy does not look for overlap where a mask is assigned to: a product is new.
    factor = "1 * " if "array" in key else ""
    return f"{name}[{key}] {operator} {factor}{w.operand(shape)}"


def updated(w: Writer) -> str | None:
    name = w.name(lambda a: a.flags.writeable)
    if name is None:
        return None
    operator = w.one_of(["+=", "*=", "-=", "/= 1.5 +"])
    return f"{name} {operator} {w.operand(w.arrays[name].shape)}"


def by_function(w: Writer) -> str | None:
    name = w.name(lambda a: has_axes(a) and a.flags.writeable)
    if name is None:
        return None
    array = w.arrays[name]
    operand, row = w.operand(array.shape), w.operand(array.shape[1:])
    statement = w.one_of(
        [
            "np.multiply({0}, {1}, out={0})",
            "np.add({1}, {0}, out={0})",
            "np.sin({0}, out={0})",
            "np.copyto({0}, {1})",
            "{0}.fill(1.25)",
            "np.put({0}, [0, -1, 0], [0.5, 0.75, 1.25])",
            "np.add.at({0}, [0, 0, 1], {2})",
            "np.fill_diagonal({0}, 0.75)",
            "np.cumsum({0}, axis=0, out={0})",
        ]
    )
    return statement.format(name, operand, row)


def with_overlap(w: Writer) -> str | None:
    name = w.name(lambda a: has_axes(a) and a.shape[0] > 1 and a.flags.writeable)
    statement = w.one_of(
        [
            "{0}[1:] += {0}[:-1]",
            "{0}[:-1] = {0}[1:]",
            "{0}[...] = {0}[::-1]",
            "{0}[0], {0}[-1] = {0}[-1], {0}[0]",
            "{0}[::-1] *= {0}",
            "{0}[0] = {0}[1] * {0}[0]",
        ]
    )
    return name and statement.format(name)


def filled(w: Writer) -> str:
    name, operand = w.new_name(), w.operand(w.shape)
    return w.one_of(
        [
            f"{name} = np.zeros({w.shape}, dtype=x.dtype, like=x)",
            f"{name} = np.empty_like(x); {name}[...] = {operand}",
            f"{name} = np.ones_like(x); {name}[0] = {operand.replace(name, 'x')}",
        ]
    )


STATEMENTS = [
    *[function_of_entries] * 3,
    reduction,
    *[view] * 4,
    gather,
    joined,
    *[written] * 5,
    *[updated] * 2,
    *[by_function] * 2,
    *[with_overlap] * 2,
    filled,
]


def run(text: str, x: Any) -> dict[str, Any]:
    """Run the statements; return all arrays by their names."""
    names: dict[str, Any] = {"np": np, "x": x}
    exec(text, names)
    return {
        name: np.asarray(a) if isinstance(a, np.generic) else a
        for name, a in names.items()
        if name == "x" or name[0] == "v"
    }


def function_of(text: str) -> Callable[[Any], Any]:
    """Return the function that runs a program and sums up all of its arrays."""
    names = sorted({line.split(" = ")[0] for line in text.split("\n") if "v" in line})
    totals = " + ".join(
        f"np.sum(np.cos({name} / 2 + {i}))"
        for i, name in enumerate(["x", *(n for n in names if n.isidentifier())])
    )
    body = "\n".join(f"    {line}" for line in [*text.split("\n"), f"return {totals}"])
    names_of_module: dict[str, Any] = {"np": np}
    exec(f"def f(x):\n{body}\n", names_of_module)
    return names_of_module["f"]


def written_programs(seeds: Iterator[int] | range) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the texts of random programs, with their points."""
    for seed in seeds:
        writer = Writer(seed)
        yield writer.text(), writer.x


def gradient_by_imaginary_steps(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Return the exact gradient of an analytic function."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1e-30j
        gradient[index] = f(moved).imag / 1e-30
    return gradient
