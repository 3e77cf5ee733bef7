"""Components that are not OK are never silent, and estimates are short to read."""

import contextlib
import math
import re
import threading
import warnings

import numpy as np
import pytest
from cases.differences import (
    AUTO,
    derivative,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    of_method,
    tangent_line,
    value_and_gradient,
)
from cases.statuses import warns_of

from xgrad import Estimate, Status, check_gradient, plot

X = np.array([0.0, 1.0])
ONES = np.ones(2)


def roots(x):
    return np.sqrt(x)


def sum_of_roots(x):
    return np.sum(np.sqrt(x))


def corners(x):
    return np.sum(np.abs(x))


def warning_of(call):
    """Return the text of the only warning of a call, which must be of this line."""
    with (
        np.errstate(all="ignore"),
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        call()
    (warning,) = told
    assert warning.category is RuntimeWarning
    assert warning.filename == __file__
    return str(warning.message)


# Where the warning comes from

EYE = np.eye(2, dtype=bool)
CALLS = {
    "gradient": (lambda: gradient(sum_of_roots, X), "x[0]"),
    "a loop": (lambda: gradient(sum_of_roots, X, vectorized=False), "x[0]"),
    "backward": (lambda: gradient(sum_of_roots, X, method="backward"), "x[0]"),
    "accuracy 2": (lambda: gradient(sum_of_roots, X, accuracy=2), "x[0]"),
    "terms": (lambda: gradient(roots, X, terms=True), "x[0]"),
    "sparse terms": (lambda: gradient(roots, X, terms=True, sparsity=EYE), "x[0]"),
    "rows": (
        lambda: gradient(lambda x: np.sum(roots(x), axis=-1), X[None, :], axis=-1),
        "x[0, 0]",
    ),
    "nested": (
        lambda: gradient(lambda p: sum_of_roots(p["w"][0]), {"w": [X]}),
        "x['w'][0][0]",
    ),
    "value and gradient": (lambda: value_and_gradient(sum_of_roots, X), "x[0]"),
    "derivative": (lambda: derivative(np.log, np.array([[1.0, 1e-8]])), "x[0, 1]"),
    "order 2": (lambda: derivative(roots, X, order=2), "x[0]"),
    "Jacobian": (lambda: jacobian(roots, X), "f(x)[0] by x[0]"),
    "sparse Jacobian": (
        lambda: jacobian(roots, X[::-1], sparsity=EYE),
        "f(x)[1] by x[1]",
    ),
    "Jacobian-vector product": (lambda: jvp(roots, X, ONES), "f(x)[0]"),
    "Hessian": (lambda: hessian(sum_of_roots, X), "x[0] and x[0]"),
    "Hessian of a gradient": (
        lambda: hessian(sum_of_roots, X[::-1], grad=np.log),
        "x[0] and x[1]",
    ),
    "Hessian-vector product": (lambda: hvp(sum_of_roots, X, ONES), "x[0]"),
    "product of a gradient": (lambda: hvp(corners, X, ONES, grad=roots), "x[0]"),
    "tangent": (lambda: tangent_line(roots, X), "x[0]"),
    "tangent plane": (lambda: tangent_line(sum_of_roots, X), "x[0]"),
}
QUANTITIES = {
    "Jacobian": "Jacobian",
    "sparse Jacobian": "Jacobian",
    "Jacobian-vector product": "Jacobian-vector product",
    "Hessian": "Hessian",
    "Hessian of a gradient": "Hessian",
    "Hessian-vector product": "Hessian-vector product",
    "product of a gradient": "Hessian-vector product",
    "derivative": "derivative",
    "order 2": "derivative",
    "tangent": "slope",
    "tangent plane": "slope",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_component_that_is_not_finite_is_told_once(name):
    call, place = CALLS[name]
    text = warning_of(call)
    assert f" components of the {QUANTITIES.get(name, 'gradient')} " in text
    assert f"NONFINITE at {place}): {Status.NONFINITE.advice}" in text


@pytest.mark.parametrize("method", ["ladder", "auto"])
def test_corners_and_vertical_tangents_are_told_where_they_are_known(method):
    options = of_method(method)
    text = warning_of(lambda: gradient(corners, np.zeros((2, 2)), **options))
    assert text.startswith("4 of 4 components of the gradient are not OK ")
    assert "(the first: KINK at x[0, 0]): " + Status.KINK.advice in text
    assert text.endswith(
        "full_output=True returns all statuses instead of this warning"
    )
    text = warning_of(lambda: derivative(np.cbrt, 0.0, **of_method(method)))
    assert text.startswith("the derivative is not OK (UNRESOLVED at x): ")
    with warns_of("KINK"):
        tangent_line(np.abs, 0.0, **of_method(method))
    # (That "auto" takes differences here is what no option of `jvp` asks for.)
    with warns_of("KINK") if method == "ladder" else contextlib.nullcontext():
        jvp(np.abs, X, ONES, method=method)


def test_the_complex_step_tells_what_underflows():
    with warns_of("UNRESOLVED"):
        gradient(lambda x: x[0] * x[1], np.array([1e-200, 1e-200]), method="complex")


def test_a_step_that_vanishes_is_unresolved_without_an_estimate_too():
    x = np.array([1.0, 1e20])
    with warns_of("UNRESOLVED"):
        derivative(lambda v: v**2, x, step=1e-3)
    with warns_of("UNRESOLVED"):
        gradient(lambda v: np.sum(v**2), x, step=1e-3, bounds=(None, 1e21))
    with warns_of("UNRESOLVED"):
        hessian(lambda v: np.sum(v**2), x, step=1e-3)


@pytest.mark.parametrize("vectorized", [False, "auto"])
@pytest.mark.parametrize("n", [1, 40])
def test_a_hole_at_x_itself_is_told(n, vectorized):
    x = np.zeros(n)
    with np.errstate(invalid="ignore"), warns_of("NONFINITE"):
        gradient(lambda v: np.sin(v[0]) / v[0] + np.sum(v), x, vectorized=vectorized)


def test_each_library_tells_it(xp):
    x = xp.asarray([0.0, 1.0])
    for vectorized in (False, "auto"):
        with warns_of("NONFINITE"):
            gradient(lambda v: xp.sum(xp.sqrt(v)), x, vectorized=vectorized)
    with warns_of("KINK"):
        gradient(lambda v: xp.sum(xp.abs(v)), x, method="ladder")


# Where there is none


def test_what_is_ok_or_returned_or_drawn_does_not_warn():
    gradient(sum_of_roots, X + 1)
    for method in ("ladder", "auto", "complex", "forward"):
        gradient(lambda x: np.sum(np.exp(x)), X, **of_method(method))
    _, estimate = gradient(sum_of_roots, X, full_output=True)
    assert estimate.status.tolist() == [Status.NONFINITE, Status.OK]
    check_gradient(corners, np.sign, X)
    gradient(sum_of_roots, np.zeros(0))


def test_plots_do_not_warn():
    pytest.importorskip("matplotlib", reason="matplotlib is missing").use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    plot.gradient_field(sum_of_roots, (0, 1), (0, 1), points=3)
    plot.step_sweep(np.sqrt, 1e-8)
    plot.tangent(np.sqrt, 1e-9, xlim=(0, 1))
    pyplot.close("all")
    with warns_of("NONFINITE"):
        gradient(sum_of_roots, X)


def test_a_derivative_inside_of_another_one_tells_only_at_x():
    def inner(x):
        return np.sum(gradient(sum_of_roots, x, vectorized=False))

    with pytest.warns(RuntimeWarning) as told:
        gradient(inner, X + 1e-9, vectorized=False)
    texts = [str(warning.message) for warning in told]
    assert len([text for text in texts if "not OK" in text]) == 2  # f(x), and its own


def test_threads_warn_as_well():
    told = []

    def work():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gradient(sum_of_roots, X, workers=2, vectorized=False)
            told.extend(caught)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(told) == 1


# Partly finite points


@pytest.mark.parametrize("accuracy", [2, 4, 6])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("f", "x"), [(np.sqrt, 0.0), (np.log, 1e-8)])
def test_points_that_are_partly_not_finite_are_never_ok(f, x, order, accuracy):
    _, estimate = derivative(f, x, order=order, accuracy=accuracy, full_output=True)
    assert estimate.status == Status.NONFINITE


def test_points_that_only_the_bound_needs_count_too():
    def f(x):
        return np.where(np.abs(x) > 1.5 * step, math.nan, x**3)

    step = 2.0**-10
    _, estimate = derivative(f, 0.0, accuracy=2, step=step, full_output=True)
    assert estimate.status == Status.NONFINITE
    assert estimate.error == math.inf


def test_auto_asks_the_ladder_where_points_are_missing():
    value, estimate = derivative(np.log, 1e-8, **AUTO, full_output=True)
    assert estimate.status == Status.OK
    assert abs(value - 1e8) <= estimate.error


def test_within_bounds_all_points_lie_on_one_side_and_are_ok():
    _, estimate = derivative(np.exp, 0.0, bounds=(0, None), full_output=True)
    assert estimate.status == Status.OK
    value = derivative(lambda x: np.where(x > 0, math.nan, x), 0.0, bounds=(-1, 0))
    assert value == pytest.approx(1.0)


# Sentences


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_sentence(status):
    assert len(status.advice) > 30
    assert not status.advice.endswith(".")
    assert not any(other.advice == status.advice for other in Status if other != status)


# Estimates


def test_an_estimate_is_short():
    x = np.ones((4, 4))
    x[0, 3] = 0
    _, estimate = gradient(corners, x, method="ladder", full_output=True)
    assert re.fullmatch(
        r"Estimate\(15 OK, 1 KINK at \[0, 3\]; worst error \de\+00 at \[0, 3\]; "
        r"\d+ evaluations\)",
        repr(estimate),
    )


def test_an_estimate_of_nested_arrays_names_their_leaves():
    tree = {"w": [np.zeros(3)], "b": np.array(0.0)}
    _, estimate = gradient(
        lambda p: corners(p["w"][0]) + 2 * np.abs(p["b"]),
        tree,
        method="ladder",
        full_output=True,
    )
    assert "4 KINK (the first at ['w'][0][0]); worst error" in repr(estimate)
    assert " at ['b']; " in repr(estimate)
    page = estimate._repr_html_()
    rows = re.findall("<tr><td>(.*?)</td><td>KINK</td>", page)
    assert rows[0] == "[&#x27;b&#x27;]"
    assert len(rows) == 4
    assert "KINK: the slopes" in page


def test_an_estimate_shows_the_worst_components_in_eight_rows():
    status = np.array([0] * 20 + [1, 3], np.int8)
    error = np.arange(22.0)
    error[-1] = math.inf
    estimate = Estimate(error, error, status, 100)
    assert repr(estimate) == (
        "Estimate(20 OK, 1 UNRESOLVED at [20], 1 NONFINITE at [21]; "
        "worst error inf at [21]; 100 evaluations)"
    )
    indices = re.findall(r"<tr><td>(.*?)</td>", estimate._repr_html_())
    assert indices == ["[21]", "[20]", "[19]", "[18]", "[17]", "[16]", "[15]", "[14]"]


def test_estimates_of_one_number_and_of_nothing():
    _, estimate = derivative(np.sin, 1.0, full_output=True)
    assert re.fullmatch(
        r"Estimate\(1 OK; worst error \S+; 7 evaluations\)", repr(estimate)
    )
    _, estimate = gradient(sum_of_roots, np.zeros(0), full_output=True)
    assert repr(estimate) == "Estimate(no components; 1 evaluations)"
    assert "<table>" in estimate._repr_html_()


def test_estimates_of_every_library(xp):
    x = xp.asarray([1.0, 0.0])
    _, estimate = gradient(
        lambda v: xp.sum(xp.abs(v)), x, method="ladder", full_output=True
    )
    assert repr(estimate).startswith("Estimate(1 OK, 1 KINK at [1]; worst error ")
    assert "<td>KINK</td>" in estimate._repr_html_()


def test_a_lazy_estimate_computes_nothing():
    dask = pytest.importorskip("dask.array", reason="dask is not installed")

    def never(block):
        raise AssertionError("computed")

    lazy = dask.ones(3).map_blocks(never, dtype=float, meta=np.empty(0))
    estimate = Estimate(lazy, lazy, lazy, 4)
    assert repr(estimate) == "Estimate(not computed yet; 4 evaluations)"
    assert "not computed yet" in estimate._repr_html_()
