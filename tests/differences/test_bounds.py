"""No point leaves the bounds, and they cost no accuracy."""

import re

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import derivative, gradient

BOUNDED = ["central", "forward", "backward", "complex", "ladder", "auto"]


@pytest.mark.parametrize("method", BOUNDED)
@pytest.mark.parametrize("width", [1e-9, 1e-3, 1.0, 1e3])
def test_no_point_leaves_the_bounds(method, width, rng):
    low = np.array([0.0, 1.0, -1.0, 1e6])
    high = low + width
    for place in (0.0, 1e-12, 0.3, 0.9999, 1.0):
        x = np.clip(low + place * width, low, high)
        outside = 0

        def f(v, low=low, high=high):
            nonlocal outside
            outside += np.any((v.real < low) | (v.real > high))
            return np.sum(np.sin(v / 7))

        value, estimate = gradient(
            f,
            x,
            method=method,
            bounds=(low, high),
            vectorized=False,
            full_output=True,
        )
        assert outside == 0
        error = np.abs(value - np.cos(x / 7) / 7)
        fine = (estimate.status == 0) & np.isfinite(estimate.error)
        assert (error[fine] <= estimate.error[fine]).mean() >= 0.75 if fine.any() else 1
        if width >= 1:
            # At 1e6 a single step is longer than the wave, and its result says so.
            is_single = method in ("central", "forward", "backward")
            assert fine[: 3 if is_single and width > 1 else 4].all()
            # Steps in proportion to x = 1e-12 drown in the rounding of the sum.
            assert method == "ladder" or error[:3].max() <= 1e-4


def test_bounds_cost_no_accuracy():
    x = np.array([0.0, 1.0])
    free = derivative(np.exp, x) - np.exp(x)
    found = derivative(np.exp, x, bounds=(0.0, 1.0)) - np.exp(x)
    assert np.abs(free).max() <= 1e-11
    assert np.abs(found).max() <= 1e-11


def test_bounds_may_be_open_nested_and_on_every_backend(xp):
    tree = {"a": xp.asarray([0.0, 1.0]), "b": xp.asarray(2.0)}
    bounds = {"a": xp.asarray([0.0, 0.0]), "b": 1.0}, None
    found = gradient(
        lambda t: xp.sum(xp.sqrt(t["a"]) ** 5) + t["b"] ** 2, tree, bounds=bounds
    )
    assert_close(found["a"], [0.0, 2.5], rtol=1e-8, atol=1e-5)
    assert_close(found["b"], 4.0, rtol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bounds_of_higher_derivatives(order):
    seen = []

    def f(v):
        seen.append(float(v))
        return np.exp(v)

    found = derivative(f, 0.0, order=order, bounds=(0.0, None))
    assert min(seen) >= 0
    assert_close(found, 1.0, rtol=1e-4)


TREE = {"a": np.array([0.0, 1.0]), "b": {"c": np.array([2.0])}}
BELOW = np.zeros(2)


def _of_tree(tree):
    return np.sum(np.sqrt(tree["a"]) ** 5) + np.sum(tree["b"]["c"] ** 2)


@pytest.mark.parametrize("method", ["central", "ladder", "auto"])
@pytest.mark.parametrize(
    "bounds",
    [
        {"a": (0.0, None)},
        {"a": (BELOW, BELOW + 1)},
        {"a": [BELOW, None], "b": None},
        {"a": (0, 3.0), "b": {"c": (None, np.array([2.0]))}},
        ({"a": BELOW}, None),
        ({"a": BELOW, "b": None}, {"b": {"c": np.float64(2.0)}}),
        ({"a": 0.0}, {"a": BELOW + 1, "b": {"c": None}}),
    ],
)
def test_bounds_of_some_of_the_arrays(bounds, method):
    lowest, highest = np.inf, -np.inf

    def f(tree):
        nonlocal lowest, highest
        lowest = min(lowest, tree["a"].min())
        highest = max(highest, tree["b"]["c"].max())
        return _of_tree(tree)

    options = {"method": method, "vectorized": False}
    value = gradient(f, TREE, bounds=bounds, **options)
    assert lowest >= 0
    # Only some of these have an upper bound of the other array.
    assert (highest > 2.0) == ("2." not in repr(bounds))
    assert_close(value["a"], [0.0, 2.5], rtol=1e-8, atol=1e-5)
    assert_close(value["b"]["c"], [4.0], rtol=1e-8)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            {"w": (0, 1)},
            "`bounds['w'][0]` is no bound of an array of x, x['a'], x['b']",
        ),
        ({"a": 0.0}, "`bounds['a']` is no bound"),
        ({"a": (0.0, 1.0, 2.0)}, "`bounds['a'][2]` is no bound"),
        ({"b": (0.0, 1.0)}, "`bounds['b'][0]` is no bound"),
        (({"w": 0.0}, None), "`bounds[0]['w']` is no bound"),
        ((None, BELOW), "`bounds[1]` is no bound"),
        (([BELOW], None), "`bounds[0][0]` is no bound"),
        ({"a": (2.0, None)}, "x['a'][0]"),
    ],
)
def test_bounds_of_other_arrays_are_refused(bounds, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        gradient(_of_tree, TREE, bounds=bounds)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (([0.0, 0.0], [3.0, 3.0]), r"`bounds\[0\]` is a list: pass an array"),
        ((None, (3.0, 3.0)), r"`bounds\[1\]` is a tuple: pass an array"),
        (3.0, r"`bounds` must be a pair; got 3\.0: give \(low, high\)"),
        ((True, None), "`bounds` must be a number or an array"),
    ],
)
def test_bounds_of_another_form_say_what_to_give(bounds, message):
    with pytest.raises(TypeError, match=message):
        gradient(np.sum, np.ones(2), bounds=bounds)


def test_an_array_has_no_bounds_by_name():
    with pytest.raises(ValueError, match=r"`bounds\['a'\]\[0\]` is no bound"):
        gradient(np.sum, np.ones(2), bounds={"a": (0, 1)})
