"""`axis=-1`: rows that are independent points, and proof that they are."""

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import gradient, losses, to_numpy


def test_rows_along_the_last_axis(xp, rng):
    x = rng.normal(size=(6, 3))
    slopes = gradient(lambda v: xp.sum(v**3, axis=-1), xp.asarray(x), axis=-1)
    assert_close(slopes, 3 * x**2, rtol=1e-10, atol=1e-10)


def test_rows_cost_columns_not_entries(rng):
    calls = 0

    def f(v):
        nonlocal calls
        calls += 1
        return np.sum(v**2, axis=-1)

    gradient(f, rng.normal(size=(1000, 5)), axis=-1, method="central")
    assert calls == 4 * 5 + 3  # the points, f(x) and the proof of independence


def test_more_leading_axes(xp, rng):
    x = rng.normal(size=(2, 3, 4))
    slopes = gradient(lambda v: xp.sum(v**2, axis=-1), xp.asarray(x), axis=-1)
    assert_close(slopes, 2 * x, rtol=1e-10, atol=1e-12)
    single = gradient(lambda v: xp.sum(v**2), xp.asarray(x[0, 0]), axis=-1)
    assert_close(single, 2 * x[0, 0], rtol=1e-10, atol=1e-12)


def test_softmax_cross_entropy_by_columns_agrees_with_its_closed_form(xp, rng):
    logits, labels = rng.normal(size=(50, 10)) * 3, rng.integers(0, 10, 50)
    x, y = xp.asarray(logits), xp.asarray(labels)
    loss = losses.softmax_cross_entropy
    slopes = gradient(lambda z: loss(z, y, reduction="none"), x, axis=-1)
    exact = to_numpy(loss.grad(x, y, reduction="none"))
    assert np.abs(to_numpy(slopes) - exact).max() <= 1e-8 * np.abs(exact).max()


COUPLED = {
    "mean": lambda v: np.sum(v**2, axis=-1) - np.mean(v),
    "next row": lambda v: np.sum(v**2, axis=-1) + np.roll(v[:, 0], 1),
    "every second row": lambda v: np.sum(v**2, axis=-1) + np.roll(v[:, 0], 2),
    "normalised": lambda v: np.sum(v, axis=-1) / np.max(np.abs(v)),
    "first row": lambda v: v[:, 0] * v[0, 0],
    "softmax over rows": lambda v: (
        losses.softmax_cross_entropy(v, np.zeros(len(v), int), reduction="none")
        * np.exp(v).sum()
    ),
}


@pytest.mark.parametrize("count", [2, 7, 500])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COUPLED)
def test_coupled_rows_are_refused(name, dtype, count, rng):
    x = rng.uniform(0.5, 2.0, (count, 3)).astype(dtype)
    if name == "every second row" and count == 2:
        pytest.skip("two rows rolled by two are the rows themselves")
    with pytest.raises(ValueError, match="rows of `x` must be independent"):
        gradient(COUPLED[name], x, axis=-1)


def test_rows_that_break_others_with_nan_are_refused():
    def f(v):
        return np.sum(v, axis=-1) + np.sqrt(1.5 - np.max(v))

    with pytest.raises(ValueError, match="must be independent"):
        gradient(f, np.array([[1.0, 1.5], [0.5, 1.2]]), axis=-1)
