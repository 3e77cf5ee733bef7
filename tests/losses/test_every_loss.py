"""What holds of every loss: values, slopes, weights, dtypes, layouts. None is named."""

import inspect
import math
import pickle

import numpy as np
import pytest
from cases.compare import assert_close, central
from cases.formulas import FORMULAS, exact
from cases.libraries import LIBRARIES, WITH_LAZY
from cases.losses import LOSSES, chosen, needed, on, sample

from xgrad import check_gradient, gradient, losses, special, to_numpy
from xgrad._rules.domains import REAL
from xgrad.losses._class_loss import ClassLoss

EPS = 2.0**-52
CLASSES = {name for name, loss in LOSSES.items() if isinstance(loss, ClassLoss)}
SUMMABLE = {name for name, loss in LOSSES.items() if "sum" in loss.reductions}


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


@pytest.fixture(params=["default options", "other options"])
def options(request, name):
    """All options by default, and none by default."""
    loss = LOSSES[name]
    return (needed if request.param == "default options" else chosen)(loss)


def _arrays(xp, loss, rng):
    return [xp.asarray(a) for a in sample(loss, rng)]


def test_every_loss_has_a_formula_to_be_compared_with():
    assert FORMULAS.keys() == LOSSES.keys()


def test_values_and_slopes_agree_with_the_formula(xp, rng, name, options):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    values, slopes = exact(name, p, t, **options)
    plan = {"reduction": "none"} if name in SUMMABLE else {}
    found = loss.value_and_grad(xp.asarray(p), xp.asarray(t), **plan, **on(xp, options))
    if name not in SUMMABLE:
        assert name == "root_mean_squared_error"
        values = math.sqrt(values.mean())
        slopes = slopes / (2 * p.size * values)
    # Errors of rounding are relative to the sizes of what is added: about 1.
    for actual, right in zip(found, (values, slopes), strict=True):
        scale = np.maximum(np.abs(right), 1)
        assert_close(
            (to_numpy(actual) - right) / scale, 0 * right, rtol=0, atol=4 * EPS
        )


def test_reductions_are_sums_and_means_of_the_losses(xp, rng, name, options):
    loss = LOSSES[name]
    options = on(xp, {n: v for n, v in options.items() if n != "class_weight"})
    options.pop("ignore_index", None)
    arrays = _arrays(xp, loss, rng)
    mean, slope = loss.value_and_grad(*arrays, **options)
    if name not in SUMMABLE:
        assert name == "root_mean_squared_error"
        return
    each = to_numpy(loss(*arrays, reduction="none", **options))
    assert_close(mean, each.mean(), rtol=4 * EPS)
    assert_close(
        loss(*arrays, reduction="sum", **options), each.sum(), rtol=4 * EPS, atol=EPS
    )
    slopes = to_numpy(loss.grad(*arrays, reduction="none", **options))
    assert_close(loss.grad(*arrays, reduction="sum", **options), slopes, rtol=0)
    assert_close(slope, slopes / each.size, rtol=2 * EPS)


def test_gradients_pass_their_check(rng, name, options):
    loss = LOSSES[name]
    p, t = sample(loss, rng)

    def value(q):
        return loss(q, t, **options)

    report = check_gradient(value, loss.grad(p, t, **options), p)
    assert report, str(report)


VARIED = {
    "class_weight": lambda x, y, w: losses.softmax_cross_entropy(x, y, class_weight=w),
    "variance": lambda x, y, w: losses.gaussian_nll(x, 0 * x, variance=1 + x**2 + w),
    "weight": lambda x, y, w: losses.mean_squared_error(x, 0 * x, weight=x**2 * w),
    "a soft target": lambda x, y, w: losses.softmax_cross_entropy(x, w * x**2),
    "divergence": lambda x, y, w: losses.kl_divergence(
        special.softmax(x), special.softmax(x * w)
    ),
}


@pytest.mark.parametrize("which", VARIED)
@pytest.mark.parametrize("library", [*LIBRARIES])
def test_derivatives_by_other_arguments_than_the_prediction(rng, which, library):
    """At the end of what is allowed, too: a step beyond it is xgrad's own."""
    xp = LIBRARIES[library]()
    x, y = xp.asarray(rng.uniform(0.5, 2, (3, 4))), xp.asarray([0, 1, 3])
    w = np.array([0.0, 1.0, 2.0, 0.5])
    slope = gradient(lambda w: VARIED[which](x, y, w), xp.asarray(w))
    expected = central(lambda w: float(to_numpy(_plain(which, x, y, w, xp))), w, 1e-6)
    assert np.ptp(expected) > 0
    assert_close(slope, expected, rtol=1e-6, atol=1e-7)


def _plain(which, x, y, w, xp):
    x, y = np.asarray(to_numpy(x)), np.asarray(to_numpy(y))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xgrad._rules.checks.enforce", lambda *arguments: None)
        return VARIED[which](x, y, w)


@pytest.mark.parametrize("library", ["numpy", "strict"])
def test_a_derivative_needs_no_loop_over_points(rng, name, options, library):
    """A loop would warn, and the suite turns warnings into errors."""
    loss, xp = LOSSES[name], WITH_LAZY[library]()
    p, t = sample(loss, rng)
    settings, target = on(xp, options), xp.asarray(t)
    slopes = gradient(lambda q: loss(q, target, **settings), xp.asarray(p))
    exact_slopes = loss.grad(p, t, **options)
    assert_close(slopes, exact_slopes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_with_weights_agree_with_differences(rng, name, reduction, options):
    loss = LOSSES[name]
    if reduction not in loss.reductions:
        assert name == "root_mean_squared_error"
        return
    p, t = sample(loss, rng)
    weight = rng.uniform(0.5, 2, p.shape[:-1] if loss.rows else p.shape)
    plain = dict(options, check=False, weight=weight, reduction=reduction)
    slopes = central(lambda q: float(loss(q, t, **plain)), p)
    assert np.ptp(slopes) > 0
    # Rounding of the central difference: eps / h times the loss, and h**2.
    assert_close(loss.grad(p, t, **plain), slopes, rtol=1e-7, atol=1e-9)


def test_value_and_grad_are_the_value_and_the_grad(xp, rng, name, options):
    loss = LOSSES[name]
    arrays, options = _arrays(xp, loss, rng), on(xp, options)
    value, gradient = loss.value_and_grad(*arrays, **options)
    assert_close(value, to_numpy(loss(*arrays, **options)), rtol=2 * EPS)
    assert_close(gradient, to_numpy(loss.grad(*arrays, **options)), rtol=2 * EPS)


def test_weights_count_rows(xp, rng, name, options):
    """A weight of 2 is a row given twice, a weight of 0 a row left out."""
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    p[2, 1] = math.nan  # of the row left out
    weight = np.array([2.0, 1.0, 0.0, 1.0, 1.0])
    repeated = [0, 0, 1, 3, 4]
    if not loss.rows:
        weight = np.repeat(weight[:, None], p.shape[1], axis=1)
    twice = {
        n: v[repeated] if np.shape(v) == p.shape else v for n, v in options.items()
    }
    weighted, slope = loss.value_and_grad(
        xp.asarray(p),
        xp.asarray(t),
        weight=xp.asarray(weight),
        check=False,
        **on(xp, options),
    )
    expected, slopes = loss.value_and_grad(p[repeated], t[repeated], **twice)
    assert_close(weighted, expected, rtol=8 * EPS)
    scattered = np.zeros_like(p)
    np.add.at(scattered, repeated, slopes)
    assert_close(slope, scattered, rtol=16 * EPS, atol=EPS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_keep_namespace_dtype_and_device(xp, rng, name, dtype, options):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    target = xp.asarray(t) if name in CLASSES else xp.asarray(t, dtype)
    prediction = xp.asarray(p.astype(dtype))
    value, gradient = loss.value_and_grad(prediction, target, **on(xp, options))
    for result in (value, gradient):
        assert result.dtype == getattr(xp, dtype)
    assert type(gradient) is type(prediction)
    assert tuple(gradient.shape) == p.shape
    if xp.name != "dask":
        assert gradient.device == prediction.device
    single = dtype == "float32"
    expected, slopes = loss.value_and_grad(p, t, **options)
    assert_close(value, expected, rtol=1e-5 if single else 8 * EPS)
    assert_close(gradient, slopes, rtol=1e-4 if single else 16 * EPS, atol=1e-6)


def test_half_precision_gives_a_float32_loss_and_a_half_gradient(
    xp, rng, name, options
):
    if xp.name.startswith("strict"):
        pytest.skip("array_api_strict has no half precision")
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    options = on(xp, options)
    half, target = xp.asarray(p, np.float16), xp.asarray(t)
    value, gradient = loss.value_and_grad(half, target, check=False, **options)
    assert value.dtype == xp.float32
    assert gradient.dtype == half.dtype
    single = xp.asarray(p.astype(np.float16).astype(np.float32))
    expected, slopes = loss.value_and_grad(single, target, check=False, **options)
    # A kernel computes the float32 loss, and rounds elsewhere than the formulas.
    assert_close(value, to_numpy(expected), rtol=4 * float(np.finfo("f4").eps))
    np.testing.assert_array_max_ulp(
        to_numpy(gradient), to_numpy(slopes).astype(np.float16), maxulp=1
    )


def _layouts(a):
    yield np.asfortranarray(a)
    yield a[::-1].copy()[::-1]
    yield np.repeat(a, 2, axis=-1)[..., ::2]
    yield np.concatenate([a, a])[: len(a)]
    yield a.T.copy().T


def test_layouts_do_not_matter(rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    if loss.prediction is REAL:
        p = 20 * p  # rows that are sure of a class are computed in another way
    value, gradient = loss.value_and_grad(p, t, **needed(loss))
    for prediction, target in zip(_layouts(p), _layouts(t), strict=True):
        arguments = prediction, target
        both = loss.value_and_grad(*arguments, **needed(loss))
        for found in (both[0], loss(*arguments, **needed(loss))):
            assert_close(found, value, rtol=4 * EPS)
        for found in (both[1], loss.grad(*arguments, **needed(loss))):
            assert_close(found, gradient, rtol=4 * EPS, atol=EPS)


def test_arguments_are_left_as_they_are(rng, name, options):
    p, t = sample(LOSSES[name], rng)
    weight = np.ones(p.shape[:-1] if LOSSES[name].rows else p.shape)
    before = [np.copy(a) for a in (p, t, weight)]
    LOSSES[name].value_and_grad(p, t, weight=weight, **options)
    for array, copy in zip((p, t, weight), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_scalars_are_elements(xp, rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    if loss.rows:
        p, t, shape = p[0], t[0], (4,)
    else:
        p, t, shape = p[0, 0], t[0, 0], ()
    options = {n: v[0, 0] for n, v in needed(loss).items()}
    value, gradient = loss.value_and_grad(
        xp.asarray(p), xp.asarray(t), **on(xp, options)
    )
    assert tuple(value.shape) == ()
    assert tuple(gradient.shape) == shape
    each = loss.value_and_grad(np.asarray(p)[None], np.asarray(t)[None], **options)
    assert_close(value, each[0], rtol=4 * EPS)
    assert_close(gradient, each[1][0], rtol=4 * EPS, atol=EPS)


def test_more_axes_are_more_rows(xp, rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng, (6, 4))
    options = dict.fromkeys(needed(loss), 0.5)
    flat = loss.value_and_grad(p, t, **options)
    deep = loss.value_and_grad(
        xp.asarray(p.reshape(2, 3, 4)),
        xp.asarray(t.reshape(2, 3, *t.shape[1:])),
        **options,
    )
    assert_close(deep[0], flat[0], rtol=4 * EPS)
    assert_close(deep[1], flat[1].reshape(2, 3, 4), rtol=4 * EPS, atol=EPS)


def test_nan_of_a_prediction_reaches_its_loss_and_slope(xp, name, rng):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    p[1, 1] = math.nan
    arrays, options = (xp.asarray(p), xp.asarray(t)), on(xp, needed(loss))
    assert np.isnan(to_numpy(loss(*arrays, **options)))
    if name in SUMMABLE:
        each, slope = loss.value_and_grad(*arrays, reduction="none", **options)
        index = (1,) if loss.rows else (1, 1)
        assert np.isnan(to_numpy(each)).sum() == 1
        assert np.isnan(to_numpy(each)[index])
        assert np.isnan(to_numpy(slope)[1]).any()
        assert not np.isnan(np.delete(to_numpy(slope), 1, axis=0)).any()


def test_an_empty_mean_is_refused_and_an_empty_sum_is_zero(xp, name):
    loss = LOSSES[name]
    p = xp.asarray(np.zeros((0, 3)))
    t = xp.asarray(np.zeros(0, int)) if name in CLASSES else p
    options = dict.fromkeys(needed(loss), 1.0)
    with pytest.raises(ValueError, match="mean over no losses is undefined"):
        loss(p, t, check=False, **options)
    if name in SUMMABLE:
        assert to_numpy(loss(p, t, reduction="sum", **options)) == 0
        assert tuple(loss.grad(p, t, reduction="sum", **options).shape) == (0, 3)
        assert 0 in loss(p, t, reduction="none", **options).shape


def test_losses_travel_to_other_processes(name):
    assert pickle.loads(pickle.dumps(LOSSES[name])) is LOSSES[name]


def test_signatures_show_the_options(name):
    loss = LOSSES[name]
    parameters = list(inspect.signature(loss).parameters)
    assert parameters[:5] == ["prediction", "target", "reduction", "weight", "check"]
    assert parameters[5:] == list(chosen(loss))
    assert "Examples" in loss.__doc__
