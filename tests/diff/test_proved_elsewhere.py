"""Rules that were proved at one point, and are used at another where they do not hold.

A branch that is taken at x alone has no derivative of its own, and a constant that `f`
changes later may have been the same all the time when the rules were proved.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cases.calls import counted, told
from cases.compare import assert_close

import xgrad
from xgrad import derivative, gradient, hessian, hvp, jacobian, jvp, vjp

ONES, AT_ZERO = np.ones(3), np.array([0.0, 1.0, 2.0])


# Equal at x alone


def quotient(x):
    """Return ``expm1(x) / x``, whose branch at 0 is a constant."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.expm1(safe) / safe)


def quotient_by_marks(x):
    marks = x != 0
    result = np.ones_like(x)
    result[marks] = np.expm1(x[marks]) / x[marks]
    return result


def quotient_by_branches(x):
    return np.stack([np.expm1(v) / v if v else 1 + 0 * v for v in x])


QUOTIENTS = [quotient, quotient_by_marks, quotient_by_branches]
SLOPES = np.array([0.5, 1.0, (np.e**2 + 1) / 4])
CURVATURES = np.array([1 / 3, np.e - 2, (np.e**2 - 1) / 4])


@pytest.mark.parametrize("f", QUOTIENTS)
def test_a_branch_that_is_taken_at_x_alone_is_proved_there(f):
    def total(x):
        return np.sum(f(x))

    calls = {
        gradient: (total, SLOPES),
        jacobian: (f, np.diag(SLOPES)),
        hessian: (total, np.diag(CURVATURES)),
    }
    for derive, (function, expected) in calls.items():
        derive(function, AT_ZERO + 1)
        found, messages = told(lambda d=derive, g=function: d(g, AT_ZERO))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        assert "whether values are equal" in messages[0]
    for derive, expected in ((jvp, SLOPES), (hvp, CURVATURES)):
        function = total if derive is hvp else f
        derive(function, AT_ZERO + 1, ONES)
        found, _ = told(lambda d=derive, g=function: d(g, AT_ZERO, ONES))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    derivative(f, AT_ZERO + 1)
    found, _ = told(lambda: derivative(f, AT_ZERO))
    np.testing.assert_allclose(found, SLOPES, rtol=1e-7)


def test_such_a_point_says_nothing_of_others():
    def f(x):
        return np.sum(quotient(x))

    told(lambda: gradient(f, AT_ZERO))
    _, estimate = gradient(f, AT_ZERO + 1, full_output=True)
    assert estimate.method == "autodiff"
    with pytest.raises(ValueError, match="whether values are equal"):
        gradient(f, AT_ZERO, method="autodiff")


@pytest.mark.parametrize("max_bytes", [None, 10**9, 1000])
def test_such_a_branch_in_little_memory(max_bytes):
    def f(x):
        for _ in range(20):
            x = np.where(x == 0, 0 * x, x + 1) * 0.5
        return np.sum(x)

    gradient(f, AT_ZERO + 1, max_bytes=max_bytes)
    found, _ = told(lambda: gradient(f, AT_ZERO, max_bytes=max_bytes))
    right = gradient(f, AT_ZERO + 1, method="central")
    # The branch at 0 makes a jump: no slope is right there, but others are.
    np.testing.assert_allclose(found[1:], right[1:], rtol=1e-6)


def self_distances(x):
    squares = np.sum((x[:, None] - x) ** 2, axis=-1)
    return np.sum(np.where(squares == 0, 0, 1 / np.where(squares == 0, 1, squares)))


def hard_maximum(x):
    return np.sum((x == np.max(x, axis=-1, keepdims=True)) * x**2)


@pytest.mark.parametrize("f", [self_distances, hard_maximum])
def test_values_that_stay_equal_are_not_proved_again(f, rng):
    x = rng.normal(size=(4, 2))
    gradient(f, x)
    calls = []

    def counted(x):
        calls.append(1)
        return f(x)

    gradient(counted, x)
    calls.clear()
    found, estimate = gradient(counted, x, full_output=True)
    assert estimate.method == "autodiff"
    # That at x, and two for the bounds: that they stay equal is known by now.
    assert len(calls) == 3
    right = gradient(f, x, method="ladder")
    np.testing.assert_allclose(found, right, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "guard",
    [lambda x: abs(x) > 0, lambda x: ~(x * x <= 0), lambda x: np.logical_and(x, x)],
)
def test_a_branch_for_one_point_is_proved_however_it_is_asked_for(guard):
    def f(x):
        safe = np.where(guard(x), x, 1)
        return np.sum(np.where(guard(x), np.expm1(x) / safe, 1))

    gradient(f, AT_ZERO + 1)
    found, messages = told(lambda: gradient(f, AT_ZERO))
    right = gradient(lambda x: np.sum(1 + x / 2 + x**2 / 6), AT_ZERO)
    np.testing.assert_allclose(found[AT_ZERO == 0], right[AT_ZERO == 0], rtol=1e-5)
    assert "xgrad takes differences" in messages[0]


@pytest.mark.parametrize("step", [np.sign, lambda x: np.heaviside(x, 0.0)])
def test_the_value_of_a_step_at_zero_is_that_of_x_alone(step):
    def f(x):
        return np.sum(x * step(x * x)) + np.sum(x**2)

    gradient(f, AT_ZERO + 1)
    found, messages = told(lambda: gradient(f, AT_ZERO))
    np.testing.assert_allclose(found, 1 + 2 * AT_ZERO, rtol=1e-6)
    assert "whether values are equal" in messages[0]


@pytest.mark.parametrize(
    ("derive", "most"),
    [
        (gradient, 1.0),  # the tape knows that they were set to 0
        (lambda f, x: jacobian(lambda x: f(x)[None], x), 1.0),
        (lambda f, x: jvp(f, x, x), 1.3),  # ever fewer points are looked at
        (lambda f, x: hvp(f, x, x), 1.3),
    ],
)
def test_zeros_at_every_point_cost_few_further_calls(derive, most, rng):
    weights = rng.normal(size=(40, 6))

    def f(x):
        rectified = np.maximum(weights @ x, 0)
        return np.sum(np.where(rectified > 0, rectified**2, rectified / 10))

    f = counted(f)
    points = rng.normal(size=(110, 6))
    for x in points[:10]:
        derive(f, x)
    f.calls = 0
    for x in points[10:]:
        derive(f, x)
    assert f.calls <= most * 100


def test_a_value_at_x_alone_is_told():
    with pytest.warns(RuntimeWarning, match="equal at x"):
        found = gradient(lambda x: np.sum(np.unique(x)), np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, 1, rtol=1e-6)


# The text of x


@pytest.mark.parametrize("derive", [gradient, hessian, jacobian])
def test_functions_that_print_are_exact(derive, capsys):
    def f(x):
        total = np.sum(x**3)
        print(f"{total:.3f}, {x}, {x[0]!r}")
        return total

    for x in (ONES, 2 * ONES):
        found = derive(f, x, method="autodiff")
        expected = np.diag(6 * x) if derive is hessian else 3 * x**2
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{np.sum(x**3):.3f}, {x}, {x[0]!r}"


@pytest.mark.parametrize("text", [str, repr, "{0[0]:.3f} {0[1]:.3f}".format])
def test_results_that_are_kept_by_their_text_are_never_wrong(text):
    kept = {}

    def squares(part):
        key = text(part)
        if key not in kept:
            kept[key] = np.sum(part**2)
        return kept[key]

    def f(x):
        return squares(x[:2]) + squares(x[2:])

    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 5.0, 6.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x in (first, first, second, first[::-1].copy()):
            np.testing.assert_allclose(gradient(f, x), 2 * x, rtol=1e-6)


# Another branch


def test_a_branch_that_needs_another_way_is_exact_as_well():
    def f(x):
        if x[0] > 0:
            return np.sum(x**2)
        table = np.zeros(3)
        table[:] = x**3
        return np.sum(table)

    gradient(f, ONES)
    x = -ONES
    for expected, at in ((3 * x**2, x), (2 * ONES, ONES), (3 * x**2, x)):
        found, estimate = gradient(f, at, full_output=True)
        assert estimate.method == "autodiff"
        assert_close(found, expected, rtol=1e-14)


# Changed after its use


def test_a_buffer_that_is_used_again_only_later():
    buffer, state = np.ones(1000), {"writes": False}

    def f(x):
        total = np.sum(x)
        for k in range(3):
            if state["writes"]:
                buffer[:] = k + 1
            total = total + np.sum(x**2 * buffer)
        return total

    x = np.linspace(0, 1, 1000)
    assert_close(gradient(f, x), 1 + 6 * x, rtol=1e-14)
    state["writes"] = True
    found, estimate = gradient(f, x, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(found, 1 + 12 * x, rtol=1e-14)


def one_entry(data):
    data.reshape(-1)[data.size // 3 + 1] = 1 - data.reshape(-1)[data.size // 3 + 1]


def two_rows(data):
    data[[5, 70]] = data[[70, 5]]


def last_entry(data):
    data[-1, -1] = not data[-1, -1]


@pytest.mark.parametrize("change", [one_entry, two_rows, last_entry])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex64, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_small_change_of_a_large_array_after_its_use(change, dtype, order, rng):
    original = np.asarray(rng.normal(size=(101, 211)) > 0, dtype, order)
    data, state = original.copy(order), {"writes": False}

    def f(x):
        data[...] = original
        total = np.sum((data * x).real ** 2)
        if state["writes"]:
            change(data)
        return total

    x = np.linspace(1, 2, 211)
    expected = 2 * x * np.sum(np.abs(original), axis=0)
    assert_close(gradient(f, x), expected, rtol=1e-6)
    state["writes"] = True
    assert_close(gradient(f, x, method="autodiff"), expected, rtol=1e-6)


def test_a_number_without_axes_that_changes():
    def f(x):
        factor = np.array(2.0)
        y = x * factor
        factor += 1
        return np.sum(y * factor)

    assert_close(gradient(f, ONES, method="autodiff"), 6 * ONES, rtol=1e-15)


@pytest.mark.parametrize("n", [3, 2000])
def test_products_with_cotangents_are_those_at_the_point_that_was_passed(n):
    x, y = np.linspace(1, 2, n), {"a": np.linspace(1, 2, n)}
    _, pull = vjp(lambda x: np.sin(x) * x, x)
    _, pull_nested = vjp(lambda p: p["a"] * np.sum(p["a"]), y)
    first, nested = pull(np.ones(n)), pull_nested(np.ones(n))["a"]
    x[:], y["a"][:] = 0, 0
    np.testing.assert_array_equal(pull(np.ones(n)), first)
    np.testing.assert_array_equal(pull_nested(np.ones(n))["a"], nested)


def test_products_with_cotangents_after_a_change_of_data_are_refused():
    data = np.linspace(1, 2, 2000).reshape(100, 20)
    _, pull = vjp(lambda w: data @ w, np.ones(20))
    assert_close(pull(np.ones(100)), np.sum(data, axis=0), rtol=1e-14)
    data *= 2
    with pytest.raises(xgrad.NotDifferentiable, match="has changed after its use"):
        pull(np.ones(100))


# Branches that were not taken


def test_products_with_cotangents_are_repaired_as_gradients_are():
    x = np.array([-1.0, 0.25, 4.0])
    with np.errstate(invalid="ignore"):
        _, pull = vjp(lambda x: np.where(x <= 0, 0, np.sqrt(x)), x)
    assert_close(pull(ONES), np.array([0.0, 1.0, 0.25]), rtol=1e-14)
    _, pull = vjp(np.sqrt, np.array([0.0, 1.0]))
    with pytest.warns(RuntimeWarning, match="NONFINITE"):
        assert pull(np.ones(2))[0] == np.inf


# Numbers that no rule knows


@pytest.mark.parametrize(
    "f",
    [
        lambda x, k: np.roll(x, k) ** 2,
        lambda x, k: x[(np.arange(3) + k) % 3] * x,
        lambda x, k: np.eye(3, k=k) @ x,
    ],
)
def test_entries_that_mix_only_later_are_refused(f):
    for order in (1, 2):
        assert_close(
            derivative(f, AT_ZERO, order=order, args=(0,)),
            np.diag(jacobian(lambda x: derivative(f, x, args=(0,)), AT_ZERO))
            if order == 2
            else np.diag(jacobian(f, AT_ZERO, args=(0,))),
            rtol=1e-14,
        )
        with pytest.raises(ValueError, match="mixes entries"):
            derivative(f, AT_ZERO, order=order, args=(1,))


@pytest.mark.parametrize("rows", [2, 5])
def test_rows_that_are_coupled_only_later_are_refused(rows, rng):
    def f(x, k):
        return np.sum(np.roll(x, k, axis=0) * x, axis=-1)

    def in_pairs(x, pair):
        y = x.copy()
        y[list(pair)] = y[list(pair)[::-1]]
        return np.sum(y * x, axis=-1)

    x = rng.normal(size=(rows, 3))
    assert_close(gradient(f, x, axis=-1, args=(0,)), 2 * x, rtol=1e-14)
    with pytest.raises(ValueError, match="row"):
        gradient(f, x, axis=-1, args=(1,))
    gradient(in_pairs, x, axis=-1, args=((0, 0),))
    for i in range(rows - 1):
        with pytest.raises(ValueError, match="row"):
            gradient(in_pairs, x, axis=-1, args=((i, i + 1),))
