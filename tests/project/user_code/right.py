"""Code of users that type checkers accept, and what they make of it."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import xgrad
from xgrad.losses import Loss, gaussian_nll, huber, softmax_cross_entropy
from xgrad.metrics import Classification

Vector = NDArray[np.float64]


def bowl(x: Vector) -> np.float64:
    return np.sum(x**2)


def slope(x: Vector) -> Vector:
    return 2 * x


x: Vector = np.ones(3)
parameters = {"w": x, "b": x}

# Derivatives have the type of `x`, and an estimate where it is asked for.
assert_type(xgrad.gradient(bowl, x), Vector)
assert_type(xgrad.gradient(bowl, x, full_output=True), tuple[Vector, xgrad.Estimate])
assert_type(xgrad.gradient(bowl, x, accuracy=2, method="forward"), Vector)
assert_type(xgrad.gradient(lambda p: p["w"].sum(), parameters), dict[str, Vector])
assert_type(xgrad.gradient(lambda p: p[0].sum(), (x, x)), tuple[Vector, Vector])
assert_type(xgrad.value_and_gradient(bowl, x, bounds=(0, 2)), tuple[Any, Vector])
assert_type(xgrad.derivative(np.sin, x, order=2), Vector)
assert_type(xgrad.derivative(np.sin, 0.5), NDArray[Any])
assert_type(xgrad.hessian(bowl, x, grad=slope), Vector)
assert_type(xgrad.jacobian(slope, x), Vector)
assert_type(xgrad.jacobian(slope, x, sparsity=np.eye(3) > 0), Any)
assert_type(xgrad.hvp(bowl, x, x), Vector)
product, estimate = xgrad.jvp(slope, x, x, full_output=True)
assert_type(estimate, xgrad.Estimate)
assert_type(estimate.evaluations, int)


def either(full: bool) -> Any:
    return xgrad.gradient(bowl, x, full_output=full)


line = xgrad.tangent_line(bowl, x)
assert_type(line, xgrad.Tangent)

# Losses have the type of the prediction, and their own options.
assert_type(huber(x, x, delta=2.0), Vector)
assert_type(huber.grad(x, x, reduction="sum"), Vector)
assert_type(huber.value_and_grad(x, x, check=False), tuple[Vector, Vector])
assert_type(gaussian_nll(x, x, variance=x), Vector)
assert_type(softmax_cross_entropy(x, 2 * x, label_smoothing=0.1), Vector)


def total(loss: Loss, prediction: Vector, target: Vector) -> Vector:
    return loss(prediction, target, reduction="sum")


total(huber, x, x)
total(softmax_cross_entropy, x, x)

# Metrics, batches, checks.
labels = np.array([0, 1, 1])
assert_type(xgrad.metrics.r2_score(x, x), Vector)
xgrad.metrics.f1(labels, labels, average=None, num_classes=2)
state = Classification(2).update(labels, labels)
assert_type(state, Classification)
for given, theirs in xgrad.batches(labels, labels, size=2, seed=0):
    xgrad.metrics.accuracy(given, theirs)
report = xgrad.check_gradient(bowl, slope, x, directions=4, full=True)
assert_type(report, xgrad.GradientReport)
if not report and report.worst is not None:
    assert_type(report.worst.given, float)
xgrad.assert_gradient(bowl, slope, x, rtol=1e-5)
assert_type(xgrad.check_jacobian(np.sin, np.diag(x), x), xgrad.GradientReport)
xgrad.check_hessian(bowl, lambda x: 2 * np.eye(3), x, grad=slope, rtol=1e-5)
xgrad.check_vjp(np.sin, lambda x, u: u * np.cos(x), (x,), seed=1)
xgrad.testing.assert_close(slope(x), 2 * x)
assert_type(xgrad.backends()[0].devices, tuple[str, ...])
xgrad.plot.gradient_field(bowl, (-1, 1), (-1, 1), descent=True)
xgrad.plot.history([{"loss": 1.0}])
