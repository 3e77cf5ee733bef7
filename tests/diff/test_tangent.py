"""Tangent lines and planes."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import derivative, tangent_line

import xgrad


def test_tangents_touch_the_curve_of_the_lesson(xp):
    x = np.array([5.0, 10.0])
    tangent = tangent_line(lambda v: 0.01 * v**2 + 0.1 * v, xp.asarray(x))
    assert_close(tangent.slope, [0.2, 0.3], rtol=1e-12)
    assert_close(tangent(xp.asarray(x)), 0.01 * x**2 + 0.1 * x, rtol=1e-14)
    grid = xp.asarray(np.zeros((3, 2)))
    assert_close(tangent(grid), np.tile([-0.25, -1.0], (3, 1)), rtol=1e-10)


def test_a_tangent_plane(xp):
    tangent = tangent_line(lambda v: xp.sum(v**2), xp.asarray([3.0, 4.0]))
    assert_close(tangent.slope, [6.0, 8.0], rtol=1e-10)
    t = np.array([[3.0, 4.0], [0.0, 0.0], [4.0, 4.0]])
    assert_close(tangent(xp.asarray(t)), [25.0, -25.0, 31.0], rtol=1e-10)


@pytest.mark.parametrize("method", ["auto", "central"])
def test_a_tangent_stays_when_its_point_of_contact_changes(method):
    x = np.array([3.0, 4.0])
    tangent = xgrad.tangent_line(lambda v: v**2, x, method=method)
    x += 1
    assert_close(tangent(np.array([3.0, 5.0])), [9.0, 24.0], rtol=1e-10)


def test_python_numbers_are_points_too():
    tangent = tangent_line(math.exp, 1)
    assert_close(tangent(2.0), 2 * math.e, rtol=1e-11)
    assert_close(
        tangent(np.linspace(0, 1, 3)), [0, math.e / 2, math.e], rtol=1e-9, atol=1e-9
    )
    assert_close(derivative(math.sin, 0), 1.0, rtol=1e-12)
