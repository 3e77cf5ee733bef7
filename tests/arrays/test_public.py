"""Calls as people write them: arguments by name, and the words of other libraries."""

import contextlib
import inspect
import itertools
import json
import subprocess
import sys
from types import FunctionType

import numpy as np
import pytest
from cases.losses import LOSSES, needed, sample

import xgrad
from xgrad import losses, metrics
from xgrad._arrays.foreign import ARGUMENTS, FUNCTIONS, own_name

P, T = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), np.array([1, 0, 0])
COMPARING = {
    name: value
    for name, value in vars(metrics).items()
    if isinstance(value, FunctionType)
    and list(inspect.signature(value).parameters)[:2] == ["prediction", "target"]
}
REQUIRED = {"k": 1, "beta": 2.0}
PARAMETERS = {
    parameter
    for function in [*LOSSES.values(), *COMPARING.values(), xgrad.batches]
    for parameter in inspect.signature(function).parameters
} | {
    parameter
    for name in "gradient derivative check_gradient softmax assert_close".split()
    for home in (xgrad, xgrad.special, xgrad.testing)
    if name in home.__all__
    for parameter in inspect.signature(getattr(home, name)).parameters
}
OTHERS = {"names"}  # of the method `report`


def resolved(path):
    value = xgrad
    for name in path.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("name", LOSSES)
def test_arguments_of_losses_have_names(name):
    loss = LOSSES[name]
    p, t = sample(loss, np.random.default_rng(0))
    options = needed(loss)
    for method in (loss, loss.grad):
        expected = method(p, t, **options)
        assert np.array_equal(method(prediction=p, target=t, **options), expected)
        assert np.array_equal(method(p, target=t, **options), expected)


@pytest.mark.parametrize("name", COMPARING)
def test_arguments_of_metrics_have_names(name):
    metric = COMPARING[name]
    options = {
        n: v for n, v in REQUIRED.items() if n in inspect.signature(metric).parameters
    }
    for p, t in ((P, T), (T.astype(float), T + 1.0)):
        try:
            expected = metric(p, t, **options)
        except (TypeError, ValueError):  # a metric of numbers, or one of classes
            continue
        np.testing.assert_equal(metric(prediction=p, target=t, **options), expected)
        return
    raise AssertionError("neither labels nor numbers fit")


def test_arguments_of_states_have_names():
    state = metrics.Classification(2).update(prediction=P, target=T)
    assert state.accuracy() == metrics.accuracy(P, T)
    state = metrics.Regression().update(prediction=T + 1.0, target=T)
    assert state.max_error() == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.f1(y_true=T, y_pred=P),
            "`y_true` is called `target` .*`y_pred` is called `prediction`",
        ),
        (lambda: metrics.f1(P, T, sample_weight=T), "f1.* is called `weight`"),
        (lambda: metrics.f1(P, T, pos_label=1), "is called `positive`"),
        (lambda: metrics.f1(P, T, avrage="micro"), "is called `average`"),
        (lambda: metrics.f1(P, T, zzz=1), "is none of prediction, target, .*weight"),
        (
            lambda: metrics.f1(P, T, "micro"),
            r"takes 2 positional arguments.* got 3: give .*average=.* by name",
        ),
        (lambda: xgrad.vjp(np.sum, P, P), r"but got 3: write .*`pull\(cotangent\)`"),
        (lambda: metrics.f1(P), "missing 1 required .*'target'"),
        (lambda: losses.huber(y_true=P, y_pred=P), r"^huber\(\).* is called `target`"),
        (
            lambda: losses.huber(P, P, "sum"),
            r"^huber\(\) takes 2 positional arguments.* got 3.*reduction=",
        ),
        (lambda: losses.huber.grad(P, P, eps=1), "is called `delta` by xgrad"),
        (lambda: losses.huber(P, P, sample_weight=P), "is called `weight` by xgrad"),
        (lambda: losses.huber(P), r"^huber\(\) missing"),
        (lambda: metrics.Mean().update(), r"^Mean.update\(\) missing"),
        (
            lambda: metrics.Mean().update(T, T),
            r"Mean.update\(\) takes 1 positional argument, .* but got 2.*weight=",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_answered_with_own_names(call, message):
    with pytest.raises(TypeError, match=f"(?s){message}"):
        call()


def test_errors_inside_a_function_stay_as_they_are():
    with pytest.raises(TypeError, match="must be an array") as info:
        metrics.accuracy(None, T)
    assert info.value.__cause__ is None
    assert info.traceback[-1].name == "require_array"


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: xgrad.gradient(np.sum, X, method="2-point"), "calls 'forward'"),
        (lambda: xgrad.jacobian(np.sin, X, method="cs"), "calls 'complex'"),
        (lambda: losses.huber(X, X, reduction="batchmean"), "calls 'mean'"),
        (lambda: metrics.r2_score(X, X, average="raw_values"), "calls None"),
        (lambda: metrics.r2_score(X, X, average="other"), "got 'other'$"),
        # No reduction is called so.
        (lambda: losses.huber(X, X, reduction="cs"), "got 'cs'$"),
        (lambda: xgrad.gradient(np.sum, X, method="simplex"), "got 'simplex'$"),
    ],
)
def test_choices_of_other_libraries_are_answered_with_own_words(call, advice):
    with pytest.raises(ValueError, match=advice):
        call()


def test_words_for_arguments_name_parameters():
    assert {own for names in ARGUMENTS.values() for own in names} <= PARAMETERS | OTHERS


@pytest.mark.parametrize("word", FUNCTIONS)
def test_words_of_other_libraries_are_answered_with_own_names(word):
    assert resolved(FUNCTIONS[word]) is not None
    for module in (xgrad, losses, metrics, xgrad.special, xgrad.testing, xgrad.plot):
        if hasattr(module, word):
            continue
        with pytest.raises(
            AttributeError, match=f"has no attribute '{word}': use `xgrad"
        ) as info:
            getattr(module, word)
        assert (
            resolved(str(info.value).split("`")[1].removeprefix("xgrad.")) is not None
        )


@pytest.mark.parametrize(
    ("state", "word", "own"),
    [
        (metrics.Regression(), "rmse", "root_mean_squared_error"),
        (metrics.Classification(3), "f1_score", "f1"),
        (metrics.Probabilities(), "ece", "expected_calibration_error"),
    ],
)
def test_states_answer_words_of_other_libraries_with_their_own(state, word, own):
    with pytest.raises(AttributeError, match=f"no attribute '{word}': use `{own}`$"):
        getattr(state, word)


@pytest.mark.parametrize(
    ("word", "own"),
    [
        ("MSELoss", "losses.mean_squared_error"),
        ("BCEWithLogitsLoss", "losses.sigmoid_binary_cross_entropy"),
        ("NLLLoss", "losses.cross_entropy"),
        ("SmoothL1Loss", "losses.smooth_l1"),
        ("F1Score", "metrics.f1"),
        ("ConfusionMatrix", "metrics.confusion_matrix"),
        ("softmax", "special.softmax"),
        ("Gradient", "gradient"),
        ("vmap", None),
    ],
)
def test_classes_and_other_modules_are_understood(word, own):
    assert own_name(word) == own


def test_python_suggests_nothing_beside_the_own_name():
    code = "from xgrad import metrics; metrics.f1_score"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "use `xgrad.metrics.f1`" in done.stderr
    assert "Did you mean" not in done.stderr


def test_names_with_underscores_load_nothing():
    code = (
        "import sys, xgrad; hasattr(xgrad, '__wrapped__'), hasattr(xgrad, '_x');"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"


X = np.array([1.0, 2.0, 4.0])
LABELS = np.array([0, 1, 1])


def numbers():
    """Every result of NumPy that is a single number, with the name of its function."""
    for name, loss in LOSSES.items():
        p, t = sample(loss, np.random.default_rng(0))
        for reduction in loss.reductions[:2]:
            yield name, loss(p, t, reduction=reduction, **needed(loss))
    for name, metric in COMPARING.items():
        parameters = inspect.signature(metric).parameters
        options = {n: v for n, v in REQUIRED.items() if n in parameters}
        averages = (
            ("macro", "micro", "weighted") if "average" in parameters else (None,)
        )
        for p, t, average in itertools.product(
            (P, LABELS, X, P[:, 1]), (LABELS, X), averages
        ):
            own = options | ({} if average is None else {"average": average})
            with contextlib.suppress(TypeError, ValueError):
                yield name, metric(p, t, **own)
    states = (
        metrics.Classification(2).update(P, LABELS),
        metrics.Regression().update(X, X + 1),
        metrics.Probabilities().update(P, LABELS),
        metrics.Mean().update(X),
    )
    for state in states:
        for name, method in inspect.getmembers(state, inspect.ismethod):
            with contextlib.suppress(TypeError):
                if name not in ("update", "report") and not name.startswith("_"):
                    yield name, method()
    yield "batch_mean", xgrad.batch_mean(X)
    yield "batch_mean", xgrad.batch_mean(X, population=3)
    yield "logsumexp", xgrad.special.logsumexp(X)
    yield "sigmoid", xgrad.special.sigmoid(np.asarray(1.0))
    for method in ("central", "ladder", "auto"):
        yield "derivative", xgrad.derivative(np.sin, 1.0, method=method)
    yield "gradient", xgrad.gradient(np.sin, np.asarray(1.0))
    yield "value_and_gradient", xgrad.value_and_gradient(np.sin, np.asarray(1.0))
    yield "jvp", xgrad.jvp(lambda x: np.sum(x**2), X, X)


def test_single_numbers_of_numpy_are_scalars():
    seen = list(numbers())
    assert len({name for name, _ in seen}) > 50
    for name, value in seen:
        for number in value if isinstance(value, tuple) else (value,):
            if getattr(number, "ndim", None) == 0:
                assert isinstance(number, np.generic), name
                assert isinstance(round(number, 2), float | np.generic), name


def test_numbers_of_metrics_can_be_written_as_json():
    state = metrics.Classification(2).update(P, T)
    for value in (metrics.matthews(T, T), state.f1(), metrics.roc_auc(P[:, 1], T)):
        assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "call",
    [
        lambda: xgrad.gradient(np.sum),
        lambda: xgrad.gradient(X),  # as an optimizer calls `jac=xgrad.gradient`
        lambda: xgrad.gradient(X, X, X),
    ],
)
def test_a_function_of_x_alone_is_advised_where_f_or_x_is_missing(call):
    with pytest.raises(TypeError, match=r"partial\(xgrad.gradient, f\)`$"):
        call()


def test_derivatives_name_their_own_options():
    with pytest.raises(TypeError, match="`h` is called `step` by xgrad"):
        xgrad.gradient(np.sum, X, h=1e-3)
    with pytest.raises(TypeError, match="`n` is called `order` by xgrad"):
        xgrad.derivative(np.sin, X, n=2)
    with pytest.raises(TypeError, match="`tol` is called `rtol` by xgrad"):
        xgrad.check_gradient(np.sum, np.ones(3), X, tol=1e-3)
    with pytest.raises(TypeError, match=r"2 positional arguments.* got 3.*sparsity="):
        xgrad.jacobian(np.sin, X, X)


@pytest.mark.parametrize(
    "call",
    [
        lambda: xgrad.gradient(np.sum, x=X),
        lambda: xgrad.gradient(np.sum, x0=X),
        lambda: xgrad.plot.tangent(np.sin, x=1.0),
    ],
)
def test_arguments_without_names_are_told_apart_from_options(call):
    with pytest.raises(TypeError, match="given by position: write `x` without a name"):
        call()


def test_a_method_that_arrays_have_not_is_told_in_the_words_of_numpy():
    for method in ("auto", "autodiff", "central"):
        with pytest.raises(AttributeError, match=r"'numpy.ndarray' object .*'pow'"):
            xgrad.gradient(lambda x: x.pow(2).sum(), X, method=method)


def test_errors_of_the_function_stay_as_they_are():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        xgrad.gradient(lambda a, b: np.sum(a), X)
