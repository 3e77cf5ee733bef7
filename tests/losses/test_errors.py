"""Wrong arguments of losses: every message says what to change."""

import numpy as np
import pytest
from cases.losses import LOSSES, needed, sample

from xgrad import losses, metrics
from xgrad._rules.domains import ABOVE_MINUS_ONE
from xgrad._rules.options import POSITIVE
from xgrad.losses._loss import Loss

A = np.array([[0.2, 0.8], [0.5, 0.5]])
SIGNS = np.array([[1, -1], [1, 1]])
L = np.array([0, 1])


def softmax(p=A, t=L, **options):
    return losses.softmax_cross_entropy(p, t, **options)


BAD = [
    (
        lambda: losses.sigmoid_binary_cross_entropy(A, A > 0, positive_weight=A),
        "`positive_weight` has shape .* one for each column",
    ),
    (
        lambda: losses.sigmoid_binary_cross_entropy(A, A > 0, positive_weight=-A[0]),
        r"`positive_weight` must be finite and not negative",
    ),
    (lambda: losses.mean_squared_error(A[:, :1], A[:, 0]), r"\(2, 1\).*\(2,\).*resh"),
    (lambda: losses.mean_squared_error(A[:, 0], A[:, :1]), r"target.reshape\(\(2,\)\)"),
    (lambda: losses.half_squared_error(A, A[0]), r"pass two arrays of one shape"),
    (
        lambda: softmax(A, L[:, None]),
        r"must be \(2,\) \(integer labels\) or \(2, 2\).*target.reshape\(\(2,\)\)",
    ),
    (lambda: losses.kl_divergence(A, L), r"`prediction` has shape \(2, 2\) but"),
    (lambda: softmax(np.array(1.0), np.array(0)), "last axis"),
    (lambda: softmax(np.empty((3, 0)), np.zeros(3, int)), "at least one entry"),
    (lambda: softmax(L, A), "look swapped"),
    (lambda: losses.mean_squared_error(L, A, check=False), "look swapped"),
    (lambda: losses.mean_squared_error(A, A, reduction="avg"), "`reduction` must be"),
    (
        lambda: losses.root_mean_squared_error(A, A, reduction="sum"),
        "'mean'; got 'sum'",
    ),
    (
        lambda: losses.mean_squared_error(A, A, weight=A[0]),
        r"`weight` has shape \(2,\)",
    ),
    (lambda: softmax(weight=A), r"the unreduced loss, \(2,\)"),
    (lambda: losses.cross_entropy(A + 0.5, L), r"\[0, 1\] is 1.3"),
    (
        lambda: losses.cross_entropy(A / 2, L),
        r"sum to 1, but the sum of prediction\[0\] is 0.5.*softmax",
    ),
    (lambda: losses.binary_cross_entropy(A, A + 2), "`target` .*labels 0 and 1"),
    (lambda: losses.kl_divergence(A, A / 2), "`target` must hold rows that sum to 1"),
    (lambda: losses.binary_cross_entropy(-A, A), r"prediction\[0, 0\] is -0.2"),
    (lambda: losses.binary_cross_entropy(A, 3 * A), r"target\[0, 1\] is 2.4"),
    (lambda: losses.mean_squared_log_error(-5 * A, A), r"above -1.*\[0, 0\] is -1.0"),
    (lambda: losses.mean_squared_log_error(A, A - 3), r"`target` must be above -1"),
    (lambda: losses.poisson_nll(A, -A), r"not be negative, but target\[0, 0\]"),
    (lambda: losses.hinge(A, A > 0.4), r"be -1 or 1.*\[0, 0\] is 0.0.*2 \* target - 1"),
    (lambda: losses.squared_hinge(A, 2 * SIGNS), r"be -1 or 1.*\[0, 0\] is 2.0"),
    (
        lambda: losses.cross_entropy(A, L, delta=-1),
        "`delta` must be finite and not negative",
    ),
    (lambda: losses.huber(A, A, delta=0), "`delta` must be positive and finite; got 0"),
    (lambda: losses.huber(A, A, delta=np.inf), "`delta` must be positive and finite"),
    (
        lambda: losses.huber(A.astype("f4"), A, delta=1e39),
        "got 1e.39, which float32 holds as inf",
    ),
    (
        lambda: losses.gaussian_nll(A.astype("f4"), A, variance=1e-50),
        "got 1e-50, which float32 holds as 0.0",
    ),
    (
        lambda: losses.gaussian_nll(A, A, variance=np.where(A > 0.5, np.nan, 1.0)),
        r"finite, but variance\[0, 1\] is nan",
    ),
    (lambda: losses.smooth_l1(A, A, beta=-1.0), "`beta` must be positive"),
    (lambda: losses.pinball(A, A, quantile=1.5), r"`quantile` must lie in \[0, 1\]"),
    (lambda: losses.focal(A, L, gamma=-1), "`gamma` must be finite and not"),
    (
        lambda: losses.sigmoid_binary_cross_entropy(A, A, positive_weight=np.nan),
        "`positive_weight` must be finite",
    ),
    (lambda: losses.gaussian_nll(A, A, variance=0), "`variance` must be positive"),
    (lambda: losses.gaussian_nll(A, A, variance=A - 0.5), r"variance\[0, 0\] is -0.3"),
    (
        lambda: losses.gaussian_nll(A, A, variance=A[0]),
        r"`prediction` has shape \(2, 2\) but `variance` has shape \(2,\)",
    ),
    (lambda: softmax(class_weight=np.ones(3)), "one entry for each of the 2 classes"),
    (lambda: softmax(class_weight=-A[0]), r"not negative, but class_weight\[0\] is"),
    (lambda: softmax(label_smoothing=1.1), r"`label_smoothing` must lie in \[0, 1\]"),
    (lambda: softmax(label_smoothing=np.nan), r"`label_smoothing` must lie in"),
]
WRONG_KIND = [
    (lambda: losses.mean_squared_error([1.0], A), "`prediction` must be an array"),
    (lambda: losses.mean_squared_error(A, 1.0), "`target` must be an array"),
    (lambda: losses.huber(A, None), "`target` must be an array"),
    (lambda: losses.huber.grad(None, A), "`prediction` must be an array"),
    (lambda: losses.gaussian_nll(A, A, variance=None), "`variance` must be an array"),
    (lambda: metrics.accuracy(None, L), "`prediction` must be an array"),
    (lambda: losses.mean_squared_error(A * 1j, A), "`prediction` must hold real"),
    (lambda: losses.mean_squared_error(A, A * 1j), "`target` must hold real"),
    (lambda: losses.mean_squared_error(A > 0, A), "`prediction` must hold real"),
    (lambda: losses.mean_squared_error(np.ma.array(A), A), "MaskedArray"),
    (lambda: losses.mean_squared_error(A, np.asmatrix(A)), "matrix"),
    (lambda: softmax(A, A[0]), "integer class labels"),
    (lambda: softmax(A, A[0] > 0), "integer class labels"),
    (lambda: losses.mean_squared_error(A, A, weight=A * 1j), "`weight` must hold real"),
    (lambda: losses.mean_squared_error(A, A, delta=1), "unexpected keyword.*'delta'"),
    (lambda: losses.huber(A, A, beta=1), "its own options are 'delta'"),
    (lambda: losses.huber.grad(A, A, beta=1), "`huber` got an unexpected keyword"),
    (lambda: losses.mean_squared_error(A, A, "mean"), "positional argument"),
    (lambda: losses.gaussian_nll(A, A), "`gaussian_nll` needs .* 'variance'"),
    (lambda: losses.gaussian_nll(A, A, variance=[1.0]), "`variance` must be an array"),
    (lambda: losses.gaussian_nll(A, A, variance=A * 1j), "`variance` must hold real"),
    (lambda: losses.huber(A, A, delta=A), "(?s)`delta` must be a number.*`float`"),
    (lambda: losses.huber(A, A, delta="1"), "`delta` must be a number; got '1'$"),
    (lambda: losses.huber(A, A, delta=True), "`delta` must be a number; got True"),
    (lambda: softmax(class_weight=[1.0, 2.0]), "`class_weight` must be an array"),
    (lambda: softmax(class_weight=A[0] * 1j), "`class_weight` must hold real"),
    (lambda: softmax(ignore_index=1.0), "`ignore_index` must be an integer"),
    (lambda: softmax(ignore_index=True), "`ignore_index` must be an integer"),
    (lambda: softmax(label_smoothing="0.1"), "`label_smoothing` must be a number"),
    (lambda: losses.focal(A, L, label_smoothing=0.1), "unexpected .*'label_"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", LOSSES)
def test_a_column_against_a_row_is_refused_by_every_loss(rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    options = dict.fromkeys(needed(loss), 1.0)
    target = t[:, None] if t.ndim == 1 else t[..., None]
    for method in (loss, loss.grad, loss.value_and_grad):
        with pytest.raises(ValueError, match=r"shape .*reshape"):
            method(p, target, **options)
    if t.ndim > 1:
        with pytest.raises(ValueError, match=r"never broadcasts"):
            loss(p, t[:1], **options)


@pytest.mark.parametrize("name", LOSSES)
def test_every_rule_for_values_is_left_out_without_checks(rng, name):
    """`check=False` looks at no value, and raises for none."""
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    options = dict.fromkeys(needed(loss), 1.0)
    bad = np.full(p.shape, -7.5)
    value, slope = loss.value_and_grad(bad, t, check=False, **options)
    assert np.shape(value) == ()
    assert slope.shape == p.shape
    if t.ndim > 1:
        loss(p, bad, check=False, **options)


def test_libraries_and_devices_are_not_mixed():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict missing")
    here = strict.asarray([[1.0, 2.0]])
    there = strict.asarray([[1.0, 2.0]], device=strict.Device("device1"))
    ones = np.ones((1, 2))
    with pytest.raises(TypeError, match="different libraries: `prediction` is a numpy"):
        losses.mean_squared_error(ones, here)
    with pytest.raises(ValueError, match="different devices: `prediction` is on"):
        losses.mean_squared_error(here, there)
    with pytest.raises(TypeError, match=r"libraries.*`variance` is an array_api"):
        losses.gaussian_nll(ones, ones, variance=here)
    with pytest.raises(ValueError, match=r"different devices.*`class_weight` is on"):
        losses.softmax_cross_entropy(
            here, strict.asarray([0]), class_weight=there[0, :]
        )


# The wrapper itself


def test_a_slope_with_other_options_is_refused():
    @Loss
    def scaled(xp, prediction, target, /, *, scale=1.0):
        """A loss."""
        return scale * prediction

    with pytest.raises(TypeError, match="`scaled` must take the same parameters"):

        @scaled.slope
        def _(xp, prediction, target, /, *, scale=2.0):
            return scale

    with pytest.raises(TypeError, match="`scaled` has no gradient"):
        scaled.grad(np.ones(2), np.ones(2))


def test_a_formula_of_another_shape_than_promised_is_refused():
    @Loss
    def of_rows(xp, prediction, target, /, *, power=2.0):
        """A loss of rows that does not say so."""
        return xp.sum(xp.abs(prediction - target) ** power, axis=-1)

    with pytest.raises(
        ValueError, match=r"shape \(2,\) instead of \(2, 2\).*rows=True"
    ):
        of_rows(A, A)
    with pytest.raises(ValueError, match="`power` must be finite"):
        of_rows(A, A, power=np.inf)


def test_a_loss_of_ones_own_gets_everything_from_the_wrapper():
    def log_ratio(xp, prediction, target, /, *, power=1.0):
        """Size of the logarithm of a ratio."""
        return xp.abs(xp.log1p(prediction) - xp.log1p(target)) ** power

    loss = Loss(
        log_ratio,
        prediction=ABOVE_MINUS_ONE,
        target=ABOVE_MINUS_ONE,
        options={"power": POSITIVE},
    )
    assert repr(loss).endswith("log_ratio>")
    with pytest.raises(TypeError, match=r"has rules for .'pwer'.*options are .'power'"):
        Loss(log_ratio, options={"pwer": POSITIVE})
    p, t = np.array([1.0, 3.0]), np.array([1.0, 1.0])
    assert loss(p, t, power=2, reduction="sum") == pytest.approx(np.log(2) ** 2)
    with pytest.raises(ValueError, match="`power` must be positive"):
        loss(p, t, power=0)
    with pytest.raises(ValueError, match="`prediction` must be above -1"):
        loss(-p, t)
