"""Pictures are drawn where they are asked for, and show what they are of."""

import numpy as np
import pytest

from xgrad import check_gradient, check_vjp, plot

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    from matplotlib import pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def failed():
    x = np.linspace(1, 2, 6)
    given = 2 * x + np.array([0, 0, 1, 0, 0, 0])
    return check_gradient(lambda x: np.sum(x**2), given, x)


def _points(ax):
    return sum(len(scatter.get_offsets()) for scatter in ax.collections)


def test_a_report_shows_every_comparison_and_names_the_worst(failed):
    ax = plot.report(failed)
    assert _points(ax) == len(failed.entries) + len(failed.directions) == 14
    assert ax.get_title().splitlines()[0] == "Gradient check: FAIL"
    assert [text.get_text() for text in ax.texts] == ["x[2]"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"entries", "entries that differ", "allowed"} <= set(labels)
    low, high = ax.get_ylim()
    heights = np.concatenate([s.get_offsets()[:, 1] for s in ax.collections])
    assert low < np.min(heights)
    assert high > np.max(heights)


def test_a_report_is_drawn_on_given_axes(failed):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot.report(failed, ax=ax) is ax


def test_reports_of_any_kind_are_drawn():
    for report in (
        check_gradient(np.sum, np.ones(3), np.ones(3)),
        check_gradient(lambda x: np.sum(x) * np.nan, np.ones(3), np.ones(3)),
        check_gradient(np.sum, np.full(3, np.nan), np.ones(3)),
        check_vjp(np.sin, lambda x, u: u * np.cos(x), np.ones((2, 2))),
    ):
        ax = plot.report(report)
        ax.figure.canvas.draw()
        assert _points(ax) == len(report.entries) + len(report.directions)


def test_without_matplotlib_the_extra_is_named(failed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"install xgrad\[plot\]"):
        plot.report(failed)
