"""Pictures are drawn where they are asked for, and show what they are of."""

import numpy as np
import pytest

from xgrad import check_gradient, check_vjp, metrics, plot

matplotlib = pytest.importorskip("matplotlib", reason="plots need matplotlib")
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
    assert {"entries", "entries that differ", "tolerance"} <= set(labels)
    low, high = ax.get_ylim()
    heights = np.concatenate([s.get_offsets()[:, 1] for s in ax.collections])
    assert low < np.min(heights)
    assert high > np.max(heights)


def test_an_exact_slope_does_not_stretch_the_axis():
    x = np.linspace(1, 2, 6)
    exact = check_gradient(np.sum, np.ones(6), x)
    assert 0 in [c.excess for c in exact.entries + exact.directions]
    ax = plot.report(exact)
    low, high = ax.get_ylim()
    assert 1e-4 < low < 1e-3
    assert high < 1e3
    assert "a thousandth of it, or less" in _labels(ax)
    assert ax.get_xlabel() == "comparison"


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda report: plot.report(report),
        lambda report: plot.history({"loss": [1.0]}),
        lambda report: plot.tangent(np.sin, 1.0),
        lambda report: plot.step_sweep(np.sin, 1.0),
        lambda report: plot.gradient_field(np.sum, (0, 1), (0, 1), points=2),
    ],
)
def test_without_matplotlib_the_extra_is_named(failed, draw, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"install xgrad\[plot\]"):
        draw(failed)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot.history({"loss": [1.0]}, ax=ax),
        lambda ax: plot.tangent(np.sin, 1.0, ax=ax),
        lambda ax: plot.step_sweep(np.sin, 1.0, ax=ax),
        lambda ax: plot.gradient_field(np.sum, (0, 1), (0, 1), points=2, ax=ax),
    ],
)
def test_pictures_are_drawn_on_given_axes_and_touch_nothing_else(draw):
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert not plt.get_fignums()
    assert draw(None) is not draw(None)
    assert len(plt.get_fignums()) == 2
    assert dict(matplotlib.rcParams) == before


# Fields


def _arrows(ax):
    (quiver,) = (c for c in ax.collections if hasattr(c, "U"))
    return np.column_stack([quiver.X, quiver.Y]), np.column_stack([quiver.U, quiver.V])


def test_arrows_are_gradients_at_their_feet():
    ax = plot.gradient_field(lambda x: x[0] ** 2 + 3 * x[1], (-2, 2), (0, 1), points=5)
    feet, arrows = _arrows(ax)
    assert len(feet) == 25
    np.testing.assert_allclose(arrows[:, 0], 2 * feet[:, 0], atol=1e-8)
    np.testing.assert_allclose(arrows[:, 1], 3.0, rtol=1e-8)
    assert set(feet[:, 0]) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert set(feet[:, 1]) == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_descent_turns_the_arrows_round():
    def f(x):
        return np.sum(x**2)

    up = _arrows(plot.gradient_field(f, xlim=(-2, 2), ylim=(-2, 2), points=3))
    down = _arrows(plot.gradient_field(f, (-2, 2), (-2, 2), points=3, descent=True))
    np.testing.assert_array_equal(up[1], -down[1])


def test_there_are_no_arrows_where_the_gradient_is_not_finite():
    def f(x):
        return np.sqrt(x[0]) if x[0] > 0 else np.nan

    feet, arrows = _arrows(plot.gradient_field(f, (-1, 1), (0, 1), points=3))
    assert set(feet[:, 0]) == {1.0}
    assert np.isfinite(arrows).all()


def test_contour_lines_can_be_left_out():
    def lines(levels):
        drawn = plot.gradient_field(np.sum, (0, 1), (0, 1), points=2, levels=levels)
        return len(drawn.collections)

    assert lines(0) == 1
    assert lines(5) == 2


def test_fields_are_drawn_of_functions_of_other_arrays():
    import array_api_strict as strict

    def f(x):
        return strict.sum(x * x)

    _, arrows = _arrows(
        plot.gradient_field(f, (0, 1), (1, 2), points=2, levels=0, xp=strict)
    )
    np.testing.assert_allclose(arrows[:, 0], [0, 2, 0, 2], atol=1e-8)


@pytest.mark.parametrize(
    ("f", "dots"), [(lambda x: 3.0 + 0 * x[0], 9), (lambda x: np.nan * x[0], 0)]
)
def test_a_field_without_arrows_is_drawn(f, dots):
    ax = plot.gradient_field(f, (0, 1), (0, 1), points=3)
    ax.figure.canvas.draw()
    assert len(ax.lines[0].get_xdata()) == dots


def test_fields_that_are_not_narrow_have_equal_scales():
    def aspect(width):
        drawn = plot.gradient_field(np.sum, (0, width), (0, 1), points=2)
        return drawn.get_aspect()

    assert (aspect(1), aspect(3), aspect(100)) == (1.0, 1.0, "auto")


# Tangents


def test_tangents_touch_and_have_the_slope_of_the_curve():
    ax = plot.tangent(np.exp, np.array([0.0, 1.0]), xlim=(-1, 2))
    curve, *tangents = (line for line in ax.lines if len(line.get_xdata()) > 1)
    points = [line for line in ax.lines if len(line.get_xdata()) == 1]
    x = curve.get_xdata()
    assert (x[0], x[-1]) == (-1, 2)
    np.testing.assert_allclose(curve.get_ydata(), np.exp(x))
    for at, tangent, point in zip((0.0, 1.0), tangents, points, strict=True):
        expected = np.exp(at) * (1 + x - at)
        np.testing.assert_allclose(tangent.get_ydata(), expected, rtol=1e-7, atol=1e-9)
        assert point.get_xydata().tolist() == [[at, np.exp(at)]]


def test_many_tangents_go_through_the_styles_again():
    assert len(plot.tangent(np.sin, np.linspace(0, 6, 9)).lines) == 1 + 2 * 9


@pytest.mark.parametrize(("x", "low", "high"), [(5.0, 2.5, 7.5), ([5, 10], 0, 15)])
def test_there_is_room_beside_the_points_of_contact(x, low, high):
    assert plot.tangent(np.square, x).get_xlim() == (low, high)


def test_functions_of_single_numbers_have_tangents():
    import math

    assert "slope 0.5403 at 1" in _labels(plot.tangent(lambda x: math.sin(x), 1.0))


def _labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# Sweeps


def _swept(ax):
    curve = ax.lines[0]
    marks = {line.get_marker(): line.get_xydata()[0] for line in ax.lines[1:]}
    return curve.get_xydata(), marks["*"], marks["_"]


def test_a_sweep_is_a_v_and_the_chosen_step_lies_at_its_bottom():
    ax = plot.step_sweep(np.exp, 1.0, exact=np.e)
    errors, star, bar = _swept(ax)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    best = np.nanmin(errors[:, 1])
    assert errors[0, 1] > 1e6 * best
    assert errors[-1, 1] > 1e6 * best
    chosen = errors[errors[:, 0] == star[0]]
    assert chosen.tolist() == [star.tolist()]
    assert star[1] < 100 * best
    # On the side of truncation the error falls with the fourth power of the step.
    fall = np.diff(np.log2(errors[-5:, 1]))
    np.testing.assert_allclose(fall, 4, atol=0.3)
    assert bar[0] == star[0]
    assert bar[1] >= star[1]


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("central", "central, accuracy 2"),
        ("forward", "forward, accuracy 2"),
        ("ladder", "central, accuracy 4"),
        ("complex", "central, accuracy 4"),
        ("auto", "central, accuracy 4"),
    ],
)
def test_a_sweep_says_what_it_shows(method, label):
    accuracy = 2 if method == "central" else None
    ax = plot.step_sweep(np.log, 1e-3, method=method, accuracy=accuracy, exact=1e3)
    assert _labels(ax)[0] == label
    assert f"step chosen by {method!r}" in _labels(ax)
    _, star, bar = _swept(ax)
    assert bar[1] >= star[1]


def test_what_the_ladder_does_not_know_is_shaded():
    assert "smaller errors are not known" in _labels(plot.step_sweep(np.log, 0.3))
    assert "smaller errors are not known" not in _labels(
        plot.step_sweep(np.log, 0.3, exact=1 / 0.3)
    )


def test_one_entry_of_an_array_is_swept():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    ax = plot.step_sweep(lambda x: np.sum(x**3), x, index=2, exact=27.0)
    assert ax.get_title() == "Derivative with respect to x[1, 0]: 27"
    assert _swept(ax)[1][1] < 1e-7
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])


def test_the_entry_that_is_known_worst_is_swept_unasked():
    def f(x):
        return x[0] + np.sin(200 * x[1]) + np.log(x[2]) * 1e-3

    ax = plot.step_sweep(f, np.array([1.0, 0.5, 2.0]))
    assert ax.get_title().startswith("Derivative with respect to x[1]: ")
    assert _swept(ax)[1][1] <= _swept(ax)[2][1]


def test_sweeps_of_float32_and_of_large_numbers_have_fitting_steps():
    errors, *_ = _swept(plot.step_sweep(np.sin, np.float32(1.0)))
    assert errors[0, 0] >= 2.0**-23
    errors, star, _ = _swept(plot.step_sweep(lambda x: x**1.5, 1e200, exact=1.5e100))
    assert len(errors) <= 80
    assert errors[0, 0] < star[0] < errors[-1, 0]


@pytest.mark.parametrize("exact", [None, 0.0])
def test_a_derivative_of_zero_is_swept_at_heights_that_can_be_read(exact):
    ax = plot.step_sweep(lambda x: 3.0 + 0 * x, 1.0, exact=exact)
    ax.figure.canvas.draw()
    assert ax.get_ylim()[0] > 1e-40


# Histories


def test_a_history_has_a_line_for_each_name():
    epochs = [{"loss": 3.0, "error": 0.5}, {"loss": np.float32(2.0), "error": 0.25}]
    ax = plot.history(epochs)
    assert _labels(ax) == ["loss", "error"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[3, 2], [0.5, 0.25]]
    assert ax.lines[0].get_xdata()[:].tolist() == [1, 2]
    assert len({(line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 2
    same = plot.history({"loss": [3.0, 2.0], "error": np.array([0.5, 0.25])})
    assert [line.get_ydata().tolist() for line in same.lines] == [[3, 2], [0.5, 0.25]]


def test_scores_have_an_axis_of_their_own():
    epochs = [
        {"loss": 2.3, "test accuracy": 0.5, "f1": 0.4},
        {"loss": 0.9, "test accuracy": 0.8, "f1": 0.7},
    ]
    ax = plot.history(epochs)
    left, right = ax.figure.axes
    assert left is ax
    assert _labels(left) == ["loss", "test accuracy", "f1"]  # one legend
    assert [line.get_label() for line in left.lines] == ["loss"]
    assert [line.get_label() for line in right.lines] == ["test accuracy", "f1"]
    assert (left.get_ylabel(), right.get_ylabel()) == ("loss", "test accuracy, f1")
    styles = {
        (line.get_linestyle(), line.get_marker())
        for line in (*left.lines, *right.lines)
    }
    assert len(styles) == 3
    assert left.get_zorder() > right.get_zorder()


@pytest.mark.parametrize(
    ("names", "right", "expected"),
    [
        (["accuracy", "f1"], None, []),
        (["loss", "error"], None, []),
        (["loss", "accuracy"], (), []),
        (["loss", "rate"], ["rate"], ["rate"]),
    ],
)
def test_the_axis_on_the_right_can_be_chosen(names, right, expected):
    ax = plot.history({name: [1.0, 0.5] for name in names}, right=right)
    others = [a for a in ax.figure.axes if a is not ax]
    assert [line.get_label() for a in others for line in a.lines] == expected


# Mistakes


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (
            lambda: plot.gradient_field(np.sum, (1, 0), (0, 1)),
            ValueError,
            "`xlim` must be finite numbers, the lower one first",
        ),
        (
            lambda: plot.gradient_field(np.sum, (0, 1), 3),
            TypeError,
            "`ylim` must be a pair",
        ),
        (
            lambda: plot.gradient_field(np.sum, (0, 1), (0, 1), points=1),
            ValueError,
            "`points` must be at least 2",
        ),
        (
            lambda: plot.gradient_field(lambda x: x, (0, 1), (0, 1)),
            ValueError,
            r"must return one number, but returned shape \(2,\)",
        ),
        (
            lambda: plot.tangent(np.sin, np.ones((2, 2))),
            ValueError,
            "points of contact are numbers",
        ),
        (lambda: plot.tangent(np.sin, []), ValueError, "at least one number"),
        (lambda: plot.tangent(np.sin, np.nan), ValueError, "only finite ones"),
        (lambda: plot.step_sweep(np.sum, np.ones(0)), ValueError, "has no entries"),
        (lambda: plot.step_sweep(np.sum, "a"), TypeError, "`x` must be an array"),
        (
            lambda: plot.step_sweep(np.sum, np.ones(3), index=3),
            ValueError,
            "`index` must be below 3",
        ),
        (
            lambda: plot.step_sweep(np.sum, {"a": np.ones(3)}),
            TypeError,
            "needs one array",
        ),
        (
            lambda: plot.step_sweep(np.sin, 1.0, exact=np.inf),
            ValueError,
            "`exact` must be a finite number; got inf",
        ),
        (
            lambda: plot.step_sweep(lambda x: x * np.nan, 1.0),
            ValueError,
            "the derivative is not finite at x",
        ),
        (lambda: plot.history([]), ValueError, "is empty"),
        (
            lambda: plot.history({"a": [1.0], "b": [1.0]}, right=["c"]),
            ValueError,
            "`right` must be one of 'a', 'b'; got 'c'",
        ),
        (
            lambda: plot.history({"a": [1.0]}, right=["a"]),
            ValueError,
            "`right` names all series",
        ),
        (
            lambda: plot.history({"a": [1.0]}, right="a"),
            TypeError,
            "`right` must be a collection of names",
        ),
        (lambda: plot.history({"loss": []}), ValueError, "is empty"),
        (lambda: plot.history([1.0, 2.0]), TypeError, "must map names"),
        (lambda: plot.history(None), TypeError, "must map names"),
        (lambda: plot.report(True), TypeError, "`report` must be what `check_grad"),
        (lambda: plot.history({"a": 1.0}), TypeError, "sequence of numbers for 'a'"),
        (lambda: plot.history({"a": ["x"]}), TypeError, "numbers for 'a'"),
        (
            lambda: plot.tangent(3, 1.0),
            TypeError,
            "`f` must be callable",
        ),
        (
            lambda: plot.history([{"a": 1.0}, {"b": 2.0}]),
            ValueError,
            r"epoch 2 has \['b'\], but the first one has \['a'\]",
        ),
    ],
)
def test_mistakes_are_named(draw, error, message):
    with pytest.raises(error, match=message):
        draw()


# Classes


def test_a_confusion_matrix_shows_counts_in_letters_that_can_be_read():
    counts = np.array([[90, 10, 0], [5, 5, 0], [0, 0, 0]])
    ax = plot.confusion(counts, names=["cat", "horse", "dog"])
    assert [text.get_text() for text in ax.texts] == [str(n) for n in counts.flat]
    colors = [text.get_color() for text in ax.texts]
    assert colors == ["white"] + 8 * ["black"]
    assert [label.get_text() for label in ax.get_yticklabels()][1] == "horse"
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array()[0], [0.9, 0.1, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")


def test_weights_are_shown_in_two_digits_and_many_classes_in_colours_alone():
    ax = plot.confusion(np.array([[0.125, 2.0], [30.25, 1.0]]))
    assert [text.get_text() for text in ax.texts] == ["0.12", "2", "30", "1"]
    assert not plot.confusion(np.eye(21)).texts


def test_curves_of_several_classes_tell_their_areas(rng):
    t = rng.integers(0, 3, 200)
    scores = rng.normal(size=(200, 3)) + np.eye(3)[t]
    ax = plot.roc(scores, t, names=["a", "b", "c"])
    areas = metrics.roc_auc(scores, t, average=None)
    expected = [f"{n}, area {v:.3f}" for n, v in zip("abc", areas, strict=True)]
    assert _labels(ax) == [*expected, "no information"]
    for k, line in enumerate(ax.lines[:3]):
        curve = metrics.roc_curve(scores[:, k], t == k)
        np.testing.assert_array_equal(line.get_xdata(), curve.false_positive_rate)
        np.testing.assert_array_equal(line.get_ydata(), curve.true_positive_rate)
    assert len({line.get_linestyle() for line in ax.lines[:3]}) == 3


def test_a_long_curve_is_drawn_by_as_many_points_as_can_be_seen(rng):
    t = rng.integers(0, 2, 100_000)
    scores = rng.normal(size=100_000) + t
    line = plot.roc(scores, t).lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    assert len(x) <= 2002
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    curve = metrics.roc_curve(scores, t)
    exact = np.interp(x, curve.false_positive_rate, curve.true_positive_rate)
    np.testing.assert_allclose(exact, y, atol=0.01)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plot.confusion(np.ones((2, 3))), ValueError, r"must be \(C, C\)"),
        (lambda: plot.confusion(-np.eye(2)), ValueError, "not negative"),
        (lambda: plot.confusion(np.eye(2) > 0), TypeError, "must hold numbers"),
        (lambda: plot.confusion(np.eye(2), names="abc"), ValueError, "2 names"),
        (lambda: plot.confusion(np.eye(2), names=2), TypeError, "2 names"),
        (lambda: plot.roc(np.eye(3), np.arange(3), names="ab"), ValueError, "3 names"),
        (lambda: plot.roc(np.ones(2), np.array([0, 2])), ValueError, r"\[0, 2\)"),
        (
            lambda: plot.confusion(metrics.Classification(2)),
            TypeError,
            r"pass `counts.confusion_matrix\(\)`",
        ),
        (
            lambda: plot.confusion(np.eye(2), ax=np.array([])),
            TypeError,
            "`ax` must be Axes of matplotlib, but is a numpy.ndarray",
        ),
    ],
)
def test_pictures_of_classes_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
