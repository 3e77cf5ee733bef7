"""Wrong and odd arguments of every public function: a result, or a clear refusal.

A call returns, or raises `TypeError` or `ValueError` with a message that names one of
its parameters; what a function of the caller's raised comes out unchanged. Either way
the arguments are as they were. Targets are found in the public registries, and the
values are drawn from a pool for each parameter: one without a pool fails.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
import re
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import array_api_strict as strict
import numpy as np
import pytest
from cases.losses import LOSSES, needed, sample
from cases.odd_values.arrays import Choose, odd_array
from cases.odd_values.files import FOLDER
from cases.odd_values.functions import (
    FUNCTIONS,
    cubes,
    doubled,
    record_errors,
    squares,
)
from cases.odd_values.pools import ARRAYS, CALLABLES, POOLS, pattern
from cases.odd_values.values import ODD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xgrad
from xgrad import metrics, special, testing

search = settings(
    max_examples=6_000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
RNG = np.random.default_rng(20261125)
tried: dict[str, int] = {}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Words that are taken for names of files make files there."""
    monkeypatch.chdir(FOLDER.name)


# Targets


class Target(NamedTuple):
    """A function, good values of its parameters, and others to begin from."""

    call: Callable[..., Any]
    good: dict[str, Any]
    like: dict[str, Any]


X = np.array([0.5, 1.5, 2.0])
LABELS, SCORES = np.array([0, 1, 2, 1]), RNG.dirichlet(np.ones(3), 4)
WEIGHT = np.array([1.0, 2.0, 0.5, 1.5])
GOOD = {
    "args": (),
    "actual": X,
    "arrays": SCORES,
    "beta": 1.0,
    "counts": np.array([[2, 1, 0], [0, 2, 1], [1, 0, 3]]),
    "desired": X,
    "f": squares,
    "grad": doubled,
    "hess": lambda x: 2 * np.eye(len(x)),
    "inputs": (X, SCORES[:, 0]),
    "jac": lambda x: np.diag(3 * x**2),
    "k": 2,
    "labels": LABELS,
    "num_classes": 3,
    "pattern": pattern(3, 3),
    "prediction": LABELS,
    "size": 2,
    "stratify": LABELS,
    "t": X,
    "target": LABELS,
    "v": np.array([1.0, -1.0, 0.5]),
    "values": WEIGHT,
    "vjp": lambda a, b, slope: (2 * a * slope, 2 * b * slope),
    "weight": WEIGHT,
    "x": X,
}
NUMERIC = {"prediction": WEIGHT + 0.5, "target": WEIGHT}
OTHERWISE: dict[str, dict[str, Any]] = {
    "check_jacobian": {"f": cubes},
    "derivative": {"f": cubes},
    "jacobian": {"f": cubes},
    "jvp": {"f": cubes},
    "logsumexp": {"x": SCORES},
    **{
        name: {"prediction": WEIGHT, "target": LABELS % 2}
        for name in ("roc_auc", "average_precision", "roc_curve")
    },
    "precision_recall_curve": {"prediction": WEIGHT, "target": LABELS % 2},
    **{
        name: {"prediction": SCORES}
        for name in (
            "top_k_accuracy",
            "log_loss",
            "brier_score",
            "expected_calibration_error",
            "Probabilities.update",
        )
    },
    "Regression.update": NUMERIC,
    **dict.fromkeys(
        "r2_score explained_variance mean_absolute_percentage_error max_error "
        "median_absolute_error".split(),
        NUMERIC,
    ),
}
# Not called with arguments that could be wrong, or tested with the backends.
EXCLUDED = {"namespace", "backends", "to_numpy", "Backend", "BackendUnavailable"}
EXCLUDED |= {
    "backend_name",
    "show_versions",
    "Coloring",
    "Estimate",
    "GradientReport",
    "NotDifferentiable",
    "Status",
    "Tangent",
}


def target(
    name: str, call: Callable[..., Any], **especially: Any
) -> tuple[str, Target]:
    """A target whose parameters are those of its signature."""
    given, like = {}, {}
    own = GOOD | OTHERWISE.get(name, {}) | especially
    for parameter in inspect.signature(call).parameters.values():
        missing = {parameter.name} - ARRAYS - CALLABLES - POOLS.keys()
        assert not missing, f"`{name}` has {missing}: give it a line in POOLS"
        needed = parameter.default is parameter.empty
        assert not needed or parameter.name in own, f"`{name}`: a good {parameter}?"
        good = own[parameter.name] if needed else parameter.default
        given[parameter.name] = good
        like[parameter.name] = own.get(parameter.name, good)
    return name, Target(call, given, like)


def of_losses() -> Iterator[tuple[str, Target]]:
    """Every loss, its gradient, and both."""
    for name, loss in LOSSES.items():
        p, t = sample(loss, np.random.default_rng(5), (4, 3))
        good = {"prediction": p, "target": t, **needed(loss, (4, 3))}
        good["weight"] = WEIGHT if loss.rows else np.ones((4, 3))
        for method in ("__call__", "grad", "value_and_grad"):
            bound = getattr(loss, method)

            def call(*arguments: Any, bound: Any = bound, **options: Any) -> Any:
                return bound(*arguments, **options)

            call.__signature__ = inspect.signature(loss)  # type: ignore[attr-defined]
            yield target(f"{name}.{method}", call, **good)


def of_metrics() -> Iterator[tuple[str, Target]]:
    """Every metric, and every method of the states."""
    for name, metric in vars(metrics).items():
        if isinstance(metric, types.FunctionType) and not name.startswith("_"):
            parameters = inspect.signature(metric).parameters.values()
            first = [p.name for p in parameters][:1]
            if first == ["prediction"]:
                yield target(name, metric)
    states = [
        metrics.Classification(3).update(SCORES, LABELS),
        metrics.Regression().update(*NUMERIC.values()),
        metrics.Mean().update(WEIGHT),
        metrics.Probabilities().update(SCORES, LABELS),
    ]
    for state in states:
        kind = type(state).__name__
        for name, member in vars(type(state)).items():
            if isinstance(member, types.FunctionType) and not name.startswith("_"):
                yield target(f"{kind}.{name}", getattr(state, name))

    def counted(num_classes: Any, counts: Any) -> Any:
        return metrics.Classification(num_classes, counts).confusion_matrix()

    yield target("Classification", counted)


def of_the_rest() -> Iterator[tuple[str, Target]]:
    """All other functions of `xgrad`, and those of `special` and `testing`."""
    for name in sorted({*xgrad.__all__} - EXCLUDED):
        function = getattr(xgrad, name)
        if not isinstance(function, types.ModuleType):
            yield target(name, function)
    for module in (special, testing):
        for name, function in vars(module).items():
            own = getattr(function, "__module__", None) == module.__name__
            if own and inspect.isfunction(function) and not name.startswith("_"):
                yield target(name, function)
    yield target("Tangent", lambda t: xgrad.tangent_line(squares, X)(t))


TARGETS = dict([*of_losses(), *of_metrics(), *of_the_rest()])
WITH_ARGUMENTS = [name for name, target in TARGETS.items() if target.good]


# A case


def odd_value(choose: Choose, name: str, like: Any) -> Any:
    """An odd value of a parameter."""
    kinds = [] if name == "directions" else ["odd"]  # which may be so many as to last
    kinds += ["array"] * 4 * (name in ARRAYS) + ["array"] * (
        name in {"grad", "hess", "jac"}
    )
    kinds += ["function"] * 3 * (name in CALLABLES and name not in POOLS) + [
        "own"
    ] * 2 * (name in POOLS)
    kind = choose(kinds)
    if kind == "array":
        return odd_array(choose, like)
    pools = {"odd": ODD, "function": FUNCTIONS, "own": POOLS.get(name, ODD)}
    return choose(pools[kind])()


def case(choose: Choose, name: str) -> dict[str, Any]:
    """All arguments of a function, one to three of them odd."""
    _, good, like = TARGETS[name]
    odd = {choose(list(good)) for _ in range(choose([1, 1, 2, 3]))}
    return good | {n: odd_value(choose, n, like[n]) for n in sorted(odd)}


def image(x: Any, depth: int = 0) -> Any:
    """Everything about an argument that a call could change."""
    if isinstance(x, np.ndarray):
        values = np.asarray(x)
        memory = [repr(v) for v in values.flat] if x.dtype.hasobject else None
        writeable = x.flags.writeable
        return x.dtype, x.shape, x.strides, writeable, memory or values.tobytes()
    if isinstance(x, strict._array_object.Array):
        return image(x._array)
    if isinstance(x, dict) and depth < 9:
        return [(k, image(v, depth + 1)) for k, v in x.items()]
    if isinstance(x, (list, tuple)) and depth < 9:
        return type(x), [image(v, depth + 1) for v in x]
    if isinstance(x, xgrad.Coloring):
        return [image(v) for v in (x.colors, x.rows, x.columns)]
    return repr(x) if isinstance(x, (int, float, complex, str, set)) else id(x)


def invoked(call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """The call, positional or by name as its signature says."""
    positional, options = [], {}
    for parameter in inspect.signature(call).parameters.values():
        value = arguments[parameter.name]
        if parameter.kind == parameter.VAR_POSITIONAL:
            positional += [value, value]
        elif parameter.kind == parameter.KEYWORD_ONLY:
            options[parameter.name] = value
        else:
            positional.append(value)
    return call(*positional, **options)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing is printed."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def names_one(message: str, names: Iterable[str]) -> bool:
    """Whether a message names a parameter: a single letter only in backticks."""
    return any(
        re.search(rf"(`|of ){name}\b" if len(name) == 1 else rf"\b{name}\b", message)
        for name in names
    )


def violation(name: str, arguments: dict[str, Any]) -> str:
    """What is wrong with a call; nothing if it obeys the rule."""
    call, good, _ = TARGETS[name]
    raised: list[Any] = []
    called = {
        n: record_errors(value, raised) if n in CALLABLES and callable(value) else value
        for n, value in arguments.items()
    }
    before = {n: image(value) for n, value in arguments.items()}
    found = ""
    try:
        with silent(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "xgrad evaluates `f` one point at a time")
            warnings.filterwarnings("ignore", ".* not OK ")  # what odd points deserve
            invoked(call, called)
    except BaseException as error:
        kind, message = type(error), str(error)
        if any(error is other for other in raised) or (
            kind is AssertionError and name in ("assert_close", "assert_gradient")
        ):
            pass
        elif kind not in (TypeError, ValueError):
            found = f"{kind.__name__}: {message}"
        elif not names_one(message, good):
            found = f"{kind.__name__} that names no argument: {message}"
    changed = [n for n, value in arguments.items() if image(value) != before[n]]
    return f"changed {changed}" if changed else found


def assert_refused_or_done(name: str, arguments: dict[str, Any]) -> None:
    tried[name] = tried.get(name, 0) + 1
    found, good = violation(name, arguments), TARGETS[name].good
    odd = {n: v for n, v in arguments.items() if v is not good[n]}
    assert not found, f"{name} with {odd!r:.500}: {found}"


@pytest.mark.parametrize("name", TARGETS)
def test_good_arguments_are_good(name):
    call, good, _ = TARGETS[name]
    with silent():
        invoked(call, good)


# The same cases at every run: Hypothesis also draws numbers found in whatever modules
# happen to be loaded, so that it searches in the slow test only.
@pytest.mark.parametrize("count", [25, pytest.param(100, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", WITH_ARGUMENTS)
def test_odd_arguments_are_refused_by_name_or_do(name, count):
    for i in range(count):
        choose = random.Random(f"{name} {i}").choice
        assert_refused_or_done(name, case(choose, name))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_ARGUMENTS)
def test_many_odd_arguments(name):
    @search
    @given(st.randoms(use_true_random=True))
    def check(drawn):
        assert_refused_or_done(name, case(drawn.choice, name))

    check()


def test_odd_calls_were_those_of_public_functions():
    assert set(tried) <= set(TARGETS)
