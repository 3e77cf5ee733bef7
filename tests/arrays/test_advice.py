"""Messages advise code that works, in the words of the library that is used."""

import re

import numpy as np
import pytest
from cases.libraries import LIBRARIES

import xgrad
from xgrad import losses, metrics
from xgrad.losses import sigmoid_binary_cross_entropy, softmax_cross_entropy

X = np.array([1.0, 2.0, 3.0])
Z = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])


def squares(x):
    return np.sum(x**2)


def advised(call):
    """The first code in the message of an error that has a call or an operator."""
    with pytest.raises((TypeError, ValueError)) as refused:
        call()
    quoted = str(refused.value).split("`")[1::2]
    # (The name `grad(x)` is none.)
    return next(c for c in quoted if re.search(r"[(=/*]", c) and c != "grad(x)")


def follow(code, **names):
    """The names after a statement, or the first of them after an expression."""
    names = {"np": np, **names}
    try:
        return eval(code, names)
    except SyntaxError:
        exec(code, names)
        return names["target"]


def test_names_of_classes_become_numbers():
    target = np.array(["dog", "cat"])
    expected = softmax_cross_entropy(Z, np.array([1, 0]))
    code = advised(lambda: softmax_cross_entropy(Z, target))
    assert softmax_cross_entropy(Z, follow(code, target=target)) == expected


def test_names_of_predicted_classes_get_the_same_numbers():
    prediction, target = np.array(["ox", "cat"]), np.array(["dog", "cat"])
    code = advised(lambda: metrics.accuracy(prediction, np.array([1, 0])))
    names = {"np": np, "prediction": prediction, "target": target}
    exec(code, names)
    assert names["prediction"].tolist() == [2, 0]
    assert names["target"].tolist() == [1, 0]


@pytest.mark.parametrize("name", LIBRARIES)
def test_labels_of_another_dtype_are_converted(name):
    xp = LIBRARIES[name]()
    logits, labels = xp.asarray(Z), xp.asarray(np.array([1.0, 0.0]))
    code = advised(lambda: softmax_cross_entropy(logits, labels))
    used = {"xp": xp, "np": np, "torch": xp, "jnp": xp, "da": xp, "cupy": xp}
    integers = follow(code, target=labels, **used)
    assert xp.isdtype(integers.dtype, "integral")
    softmax_cross_entropy(logits, integers)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("factor", [True, 1j])
def test_booleans_and_complex_numbers_become_real_ones(name, factor):
    xp = LIBRARIES[name]()
    x = xp.asarray(np.ones(3, bool) * factor)
    code = advised(lambda: xgrad.special.sigmoid(x))
    used = {"xp": xp, "np": np, "torch": xp, "jnp": xp, "da": xp, "cupy": xp}
    xgrad.special.sigmoid(follow(code, x=x, **used))


def test_scores_of_one_class_become_labels():
    prediction, target = np.array([0.2, 0.9]), np.array([0, 1])
    with pytest.raises(TypeError, match=r"a threshold, `prediction > 0\.5`"):
        metrics.accuracy(prediction, target)
    assert metrics.accuracy(prediction > 0.5, target) == 1


@pytest.mark.parametrize("name", LIBRARIES)
def test_lists_become_arrays_of_the_library_of_the_others(name):
    xp = LIBRARIES[name]()
    logits = xp.asarray(Z)
    code = advised(lambda: softmax_cross_entropy(logits, [1, 0]))
    used = {"xp": xp, "np": np, "torch": xp, "jnp": xp, "da": xp, "cupy": xp}
    softmax_cross_entropy(logits, follow(code, target=[1, 0], **used))


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("is_first", [True, False])
def test_arrays_of_two_libraries_become_those_of_the_first(name, is_first):
    xp = LIBRARIES[name]()
    if type(xp.asarray(Z)) is np.ndarray:
        pytest.skip("NumPy's arrays go with themselves")
    labels = np.array([1, 0])
    logits, labels = (xp.asarray(Z), labels) if is_first else (Z, xp.asarray(labels))
    code = advised(lambda: softmax_cross_entropy(logits, labels))
    used = {"xp": xp, "torch": xp, "jnp": xp, "da": xp, "cupy": xp, "xgrad": xgrad}
    softmax_cross_entropy(logits, follow(code, target=labels, **used))


class Sparse:
    """A matrix of SciPy, as far as it says that it is one."""

    def toarray(self):
        return Z


@pytest.mark.parametrize(
    ("logits", "code"),
    [
        (list(Z), "np.stack(prediction)"),
        ({"z": Z}, "prediction['z']"),
        ((row for row in Z), "np.asarray(list(prediction))"),
        (Z.tolist(), "np.asarray(prediction)"),
        (Sparse(), "prediction.toarray()"),
    ],
)
def test_what_holds_the_numbers_becomes_an_array(logits, code):
    labels = np.array([1, 0])
    with pytest.raises(TypeError, match=re.escape(f"`{code}`")):
        softmax_cross_entropy(logits, labels)
    found = softmax_cross_entropy(follow(code, prediction=logits), labels)
    assert found == softmax_cross_entropy(Z, labels)


def test_weights_of_classes_by_their_numbers_become_an_array():
    weights, labels = {0: 1.0, 1: 2.0, 2: 0.5}, np.array([1, 0])
    code = advised(lambda: softmax_cross_entropy(Z, labels, class_weight=weights))
    found = softmax_cross_entropy(
        Z, labels, class_weight=follow(code, class_weight=weights)
    )
    expected = softmax_cross_entropy(Z, labels, class_weight=np.array([1, 2, 0.5]))
    assert found == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "is None: functions that work in place"), (np.sin, "numbers themselves")],
)
def test_what_holds_no_numbers_is_named(value, words):
    with pytest.raises(TypeError, match=words):
        softmax_cross_entropy(value, np.array([1, 0]))


LABELS = np.array([1, 0])
LOSS = softmax_cross_entropy


def test_classes_are_moved_to_the_last_axis():
    x, y = np.ones((2, 3, 4, 5)), np.ones((2, 4, 5), int)
    code = advised(lambda: LOSS(x, y))
    assert follow(code, prediction=x).shape == (2, 4, 5, 3)
    assert advised(lambda: LOSS(Z.T, LABELS)) == "np.moveaxis(prediction, 0, -1)"


def test_labels_become_rows_where_rows_are_compared():
    for loss in (losses.mean_squared_error, losses.half_squared_error):
        code = advised(lambda loss=loss: loss(Z, LABELS))
        rows = follow(code, target=LABELS, special=xgrad.special)
        np.testing.assert_array_equal(rows, np.eye(3)[LABELS])
    # A column of one number is no row of classes.
    code = advised(lambda: losses.mean_squared_error(X[:, None], np.arange(3)))
    assert code == "target.reshape((3, 1))"


def test_weights_of_rows_and_columns_are_repeated():
    for weight in (np.ones(2), np.ones(3)):
        code = advised(lambda w=weight: losses.huber(Z, 0 * Z, weight=w))
        repeated = follow(code, weight=weight)
        assert losses.huber(Z, 0 * Z, weight=repeated) > 0


WORDS = [
    (lambda: LOSS(Z, LABELS - 1), "`ignore_index=` names a label"),
    (lambda: metrics.f1(LABELS - 1, LABELS - 1), "`ignore_index=` names a label"),
    (lambda: losses.cross_entropy(Z[1:], LABELS[:1] + 2), r"raise the .*classes$"),
    (lambda: LOSS(X[:, None], np.array([0, 1, 0])), "`sigmoid_binary_cross_entropy`"),
    (lambda: LOSS(Z, LABELS, weight=np.ones(3)), "of classes are `class_weight=`"),
    (lambda: LOSS(Z, LABELS, class_weight=np.ones(2)), "of rows are `weight=`"),
    (lambda: LOSS(Z, LABELS, reduction=None), "got None, which xgrad calls 'none'"),
    (lambda: LOSS(Z, LABELS, axis=1), "by `moveaxis`"),
    (lambda: LOSS(Z, LABELS, from_logits=True), "`cross_entropy` and"),
    (lambda: losses.gaussian_nll(X, X, var=1.0), "it is called `variance`"),
    (lambda: losses.mean_squared_error(X, X, squared=False), "root_mean_squared_error"),
    (
        lambda: losses.root_mean_squared_error(X, X, reduction="sum"),
        "`reduction` must be 'mean'; got 'sum'",
    ),
    (lambda: metrics.roc_auc(X, np.array([0, 1, 2])), r"pass scores \(N, C\)"),
    (lambda: metrics.roc_auc(X, np.array([-1, 1, 1])), r"`\(target \+ 1\) // 2`"),
    (lambda: metrics.log_loss(Z, LABELS, eps=1e-9), "no `eps`: nothing is clipped"),
    (
        lambda: metrics.confusion_matrix(LABELS, LABELS, labels=[0, 1]),
        "`labels` is called `num_classes`",
    ),
    (lambda: xgrad.batches(X, size=1, axis=0), "`axis` is none of size"),
    (
        lambda: xgrad.check_gradient(squares, np.cos, X, atol=1e-4),
        "no `atol`: errors are measured",
    ),
]


@pytest.mark.parametrize(("call", "words"), WORDS)
def test_what_to_change_is_said(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


@pytest.mark.parametrize(
    ("owner", "method", "words"),
    [
        (LOSS, "gradient", "its method `grad`"),
        (LOSS, "value_and_gradient", "its method `value_and_grad`"),
        (metrics.Mean(), "result", "a metric by its name"),
        (metrics.Classification(2), "reset", "begin with a new one"),
        (metrics.Regression(), "merge", "`a \\+ b`"),
        (metrics.Probabilities(), "update_state", "`update`"),
        (metrics.Probabilities(), "nothing", "no attribute 'nothing'$"),
    ],
)
def test_methods_of_other_libraries_are_answered(owner, method, words):
    with pytest.raises(AttributeError, match=words):
        getattr(owner, method)
    assert not hasattr(owner, "other")


def test_signs_become_labels():
    target = np.array([-1.0, 1.0])
    code = advised(lambda: sigmoid_binary_cross_entropy(X[:2], target))
    assert follow(code, target=target).tolist() == [0, 1]


def test_a_gradient_of_another_shape_is_reshaped():
    code = advised(lambda: xgrad.check_gradient(squares, lambda x: 2 * x[:, None], X))
    assert code == "grad(x).reshape((3,))"
    code = advised(lambda: xgrad.jvp(squares, X, X[:, None]))
    assert code == "v.reshape((3,))"


def test_a_gradient_that_comes_with_the_value_is_picked():
    def both(x):
        return squares(x), 2 * x

    code = advised(lambda: xgrad.check_gradient(squares, both, X))
    picked = follow(code, grad=both)
    assert xgrad.check_gradient(squares, picked, X)
    nested = advised(
        lambda: xgrad.check_gradient(
            lambda p: squares(p["w"]), lambda p: (1.0, p), {"w": X}
        )
    )
    assert nested == code


@pytest.mark.parametrize("call", [xgrad.jvp, xgrad.hvp])
def test_a_direction_that_is_a_list_becomes_an_array(call):
    code = advised(lambda: call(squares, X, [1.0, 0.0, 0.0]))
    assert code == "np.asarray(v)"
    call(squares, X, follow(code, v=[1.0, 0.0, 0.0]))


def test_a_pattern_of_numbers_becomes_one_of_booleans():
    pattern = np.eye(3)
    code = advised(lambda: xgrad.color_columns(pattern))
    xgrad.color_columns(follow(code, pattern=pattern))
    code = advised(lambda: xgrad.jacobian(np.sin, X, sparsity=pattern))
    xgrad.jacobian(np.sin, X, sparsity=follow(code, sparsity=pattern))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ((1.0, X), r"a tuple of 2: .* by `stack`, or, .* the loss alone"),
        ([1.0], "a list of 1: "),
        ("loss", "a str: return an array or a number"),
        (None, "returned None: is a `return` missing"),
    ],
)
def test_results_that_are_no_arrays_are_named(result, message):
    with pytest.raises(TypeError, match=message):
        xgrad.gradient(lambda x: result, X)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("x", [np.ma.array([1.0, 2.0]), [[1.0, 2.0]]])
def test_weights_are_advised_only_where_there_are_some(x):
    x = x if isinstance(x, np.ma.MaskedArray) else np.asmatrix(x)
    code = advised(lambda: xgrad.gradient(squares, x))
    assert type(follow(code, x=x)) is np.ndarray
    with pytest.raises(TypeError) as refused:
        xgrad.gradient(squares, x)
    assert "weight" not in str(refused.value)
    with pytest.raises(TypeError) as refused:
        losses.mean_squared_error(x, X[:2])
    assert ("weight" in str(refused.value)) == isinstance(x, np.ma.MaskedArray)


def test_a_function_of_one_number_is_sent_to_the_derivative():
    with pytest.raises(TypeError, match=r"np.asarray\(3.0\).*use `derivative`"):
        xgrad.gradient(lambda x: x**2, 3.0)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.asarray])
def test_scalars_of_numpy_are_arrays(kind):
    assert abs(xgrad.gradient(lambda x: x**2, kind(3)) - 6) < 1e-3
