"""The table of which function works on which library, made by calling all of them.

python tests/tools/backends_page.py    # with every library installed

Each function is called with the same numbers on each library. Its result must be an
array of that library, and equal to that of NumPy; a refusal must be a `TypeError` or a
`ValueError`, whose message says what to do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from cases.losses import LOSSES, needed, sample  # noqa: E402 (needs the path)

import xgrad  # noqa: E402 (after the path)
from xgrad import metrics, special  # noqa: E402 (after the path)

PAGE = TESTS.parent / "docs/reference/backends.md"
BEGIN, END = "<!-- made by tests/tools/backends_page.py -->\n", "<!-- end -->\n"
COLUMNS = {
    "numpy": "NumPy",
    "array_api_strict": "array_api_strict",
    "torch": "PyTorch",
    "jax": "JAX",
    "jit": "JAX in `jit`",
    "dask": "Dask",
}
P = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]])
LABELS = np.array([0, 1, 2, 0])
X = np.array([0.5, 1.0, 2.0])
# Arguments by name or in turn, of which the first that NumPy takes are used.
ARGUMENTS = ((P, LABELS), (P[:, 0], LABELS % 2), (X, X + 0.5))
OPTIONS = {"top_k_accuracy": {"k": 2}, "f_beta": {"beta": 2.0}}
# A call takes arrays of a library, and options that the table sets for `jit`.
Call = Callable[..., Any]
Row = tuple[str, str, Call, tuple[Any, ...]]


def squares(x: Any) -> Any:
    return array_namespace(x).sum(x**2)


def squares_of_rows(x: Any) -> Any:
    return array_namespace(x).sum(x**2, axis=-1)


def cubes(x: Any) -> Any:
    return x**3


def rows() -> Iterator[Row]:
    """Yield a room, a name, a function, and its arguments as NumPy arrays."""
    for name, loss in LOSSES.items():
        options = needed(loss)
        arrays = sample(loss, np.random.default_rng(0))
        # Options that are arrays have to be of the library, too.
        call = partial(_with_named, loss, tuple(options))
        yield "losses", name, call, (*arrays, *options.values())
        call = partial(_with_named, loss.grad, tuple(options))
        yield "gradients of losses", name, call, (*arrays, *options.values())
    for name in metrics.__all__:
        metric = getattr(metrics, name)
        if isinstance(metric, FunctionType) and name != "classification_report":
            options = OPTIONS.get(name, {})
            # Lazy arrays cannot tell their largest label.
            if "num_classes" in inspect.signature(metric).parameters:
                options = options | {"num_classes": 3}
            call = partial(metric, **options)
            yield "metrics", name, call, _arguments(call)
    yield "states", "Classification", _classification, (P, LABELS)
    yield "states", "Regression", _regression, (X, X + 0.5)
    yield "states", "Mean", lambda x: metrics.Mean().update(x).mean(), (X,)
    for name in special.__all__:
        is_of_labels = name == "one_hot"
        call = _one_hot if is_of_labels else getattr(special, name)
        yield "special", name, call, (LABELS if is_of_labels else P,)
    yield "mini-batches", "batches", _first_batch, (P, LABELS)
    draw = partial(xgrad.random_batch, size=2, seed=0)
    yield "mini-batches", "random_batch", draw, (P,)
    yield "mini-batches", "batch_mean", xgrad.batch_mean, (X,)
    yield from _derivatives()


def _derivatives() -> Iterator[Row]:
    calls: dict[str, Call] = {
        "gradient": partial(xgrad.gradient, squares),
        "value_and_gradient": partial(xgrad.value_and_gradient, squares),
        "derivative": partial(xgrad.derivative, cubes),
        "jacobian": partial(xgrad.jacobian, cubes),
        "jacobian(sparsity=)": _sparse_jacobian,
        "hessian": partial(xgrad.hessian, squares),
        "jvp": lambda x: xgrad.jvp(cubes, x, x),
        "hvp": lambda x: xgrad.hvp(squares, x, x),
        "tangent_line": lambda x: xgrad.tangent_line(squares, x).value,
    }
    for method in ("central", "ladder", "complex"):
        call = partial(xgrad.gradient, squares, method=method)
        calls[f'gradient(method="{method}")'] = call
    many = partial(xgrad.gradient, squares_of_rows, method="central", vectorized=True)
    calls['gradient(method="central", vectorized=True)'] = many
    for name, call in calls.items():
        yield "derivatives", name, call, (X,)
    by_rows = partial(xgrad.gradient, squares_of_rows, axis=-1)
    yield "derivatives", "gradient(axis=-1)", by_rows, (P,)
    yield "checks", "check_gradient", _check_gradient, (X,)
    yield "checks", "check_jacobian", _check_jacobian, (X,)
    yield "checks", "check_hessian", _check_hessian, (X,)
    yield "checks", "check_vjp", _check_vjp, (X,)


def _sparse_jacobian(x: Any) -> Any:
    pattern = np.eye(3, dtype=bool)
    return xgrad.jacobian(cubes, x, sparsity=pattern).toarray()


def _check_gradient(x: Any) -> Any:
    return xgrad.check_gradient(squares, lambda x: 2 * x, x)


def _check_jacobian(x: Any) -> Any:
    return xgrad.check_jacobian(cubes, lambda x: _diagonal(3 * x**2), x)


def _check_hessian(x: Any) -> Any:
    return xgrad.check_hessian(squares, lambda x: _diagonal(2 + 0 * x), x)


def _diagonal(x: Any) -> Any:
    xp = array_namespace(x)
    eye = xp.eye(3, dtype=x.dtype, device=device(x))
    return eye * x


def _check_vjp(x: Any) -> Any:
    return xgrad.check_vjp(lambda x: x**2, lambda x, slope: 2 * x * slope, (x,))


def _with_named(
    loss: Call, names: tuple[str, ...], p: Any, t: Any, *options: Any, **own: Any
) -> Any:
    return loss(p, t, **dict(zip(names, options, strict=True)), **own)


def _arguments(call: Call) -> tuple[Any, ...]:
    for arrays in ARGUMENTS:
        try:
            call(*arrays)
        except (TypeError, ValueError):
            continue
        return arrays
    raise AssertionError(f"{call} takes none of the arguments")


def _one_hot(labels: Any, **options: Any) -> Any:
    return special.one_hot(labels, 3, **options)


def _classification(p: Any, t: Any) -> Any:
    return metrics.Classification(3).update(p, t).f1()


def _regression(p: Any, t: Any) -> Any:
    return metrics.Regression().update(p, t).r2_score()


def _first_batch(*arrays: Any) -> Any:
    return next(iter(xgrad.batches(*arrays, size=2, seed=0)))


def outcome(call: Call, arrays: tuple[Any, ...], library: str) -> str:
    """Call a function on a library: "yes", "lazy", "no", or an error if it is wrong."""
    expected = call(*arrays)
    name = "jax" if library == "jit" else library
    xp = xgrad.namespace(name)
    own = [xp.asarray(x) if isinstance(x, np.ndarray) else x for x in arrays]
    try:
        result = _jitted(call, own) if library == "jit" else call(*own)
    except (TypeError, ValueError) as error:
        # Libraries derive their own errors from these, and know no remedy.
        if type(error) not in (TypeError, ValueError):
            raise
        return "no"
    _require_same(expected, result)
    first = result[0] if isinstance(result, tuple) else result
    return "lazy" if library == "dask" and hasattr(first, "compute") else "yes"


def _jitted(call: Call, arrays: list[Any]) -> Any:
    """Call a function on traced arrays, without checks of values if it has some."""
    import jax

    try:
        return jax.jit(partial(call, check=False))(*arrays)
    except TypeError as error:
        if "check" not in str(error):
            raise
    return jax.jit(call)(*arrays)


def _require_same(expected: Any, result: Any) -> None:
    if isinstance(expected, xgrad.GradientReport):
        assert result.verdict == expected.verdict
        return
    is_several = isinstance(expected, tuple)
    pairs = zip(expected, result, strict=True) if is_several else [(expected, result)]
    for one, other in pairs:
        # Differences are more accurate in float64, which not every call has.
        values = other if isinstance(other, np.ndarray) else xgrad.to_numpy(other)
        np.testing.assert_allclose(values, one, rtol=1e-4, atol=1e-5)


def table(libraries: list[str]) -> str:
    """Return the table of all functions, those alike in one line."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    sizes: dict[str, int] = {}
    for room, name, call, arrays in rows():
        outcomes = tuple(outcome(call, arrays, library) for library in libraries)
        alike.setdefault((room, outcomes), []).append(name)
        sizes[room] = sizes.get(room, 0) + 1
    heads = [COLUMNS[library] for library in libraries]
    lines = [["", *heads], ["---"] * (len(heads) + 1)]
    for (room, outcomes), names in alike.items():
        listed = ", ".join(f"`{name}`" for name in names)
        label = f"{room}: all" if len(names) == sizes[room] else f"{room}: {listed}"
        lines.append([label, *outcomes])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def shown() -> str:
    """Return the table that the page shows."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    import jax

    # As NumPy computes: the table is about functions, not about precision.
    jax.config.update("jax_enable_x64", True)
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    made = table(list(COLUMNS))
    PAGE.write_text(
        f"{head}{BEGIN}{made}{END}{rest.partition(END)[2]}", encoding="utf-8"
    )
    print(made)
