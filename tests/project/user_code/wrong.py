"""Mistakes that type checkers report, each on a line that says so."""

import numpy as np
from numpy.typing import NDArray

import xgrad
from xgrad.losses import (
    gaussian_nll,
    huber,
    mean_squared_error,
    root_mean_squared_error,
)

x: NDArray[np.float64] = np.ones(3)

xgrad.gradient(np.sum, x, acuracy=2)  # wrong
xgrad.gradient(np.sum, x, method="centre")  # wrong
xgrad.gradient(np.sum, x, axis=0)  # wrong
xgrad.gradient(np.sum)  # wrong
xgrad.gradient(3, x)  # wrong
xgrad.gradient(np.sum, x, full_output="yes")  # wrong
shape = xgrad.gradient(np.sum, x, full_output=True).shape  # wrong
xgrad.value_and_gradient(np.sum, x, full_output=True)  # wrong
xgrad.derivative(np.sin, x, axis=-1)  # wrong
xgrad.jacobian(np.sin, x, terms=True)  # wrong
xgrad.hessian(np.sum, x, gradient=np.cos)  # wrong
xgrad.hvp(np.sum, x)  # wrong
huber(x, x, dleta=2.0)  # wrong
huber(x, x, delta="2")  # wrong
huber(x, x, reduction="meen")  # wrong
huber.grad(x, x, quantile=0.5)  # wrong
huber.value_and_grad(x, x, beta=1.0)  # wrong
huber(x)  # wrong
mean_squared_error(x, x, delta=1.0)  # wrong
root_mean_squared_error(x, x, reduction="sum")  # wrong
gaussian_nll(x, x)  # wrong
xgrad.losses.hubr(x, x)  # wrong
xgrad.metrics.f1(x, x, average="makro")  # wrong
xgrad.metrics.f_beta(x, x)  # wrong
xgrad.batches(x, x)  # wrong
xgrad.batches(x, x, size=2, shufle=True)  # wrong
xgrad.check_gradient(np.sum, x, x, full="all")  # wrong
xgrad.assert_gradient(np.sum, x, x, tolerance=1e-3)  # wrong
xgrad.gradeint(np.sum, x)  # wrong
xgrad.plot.tangent(np.sin, 1.0, xlims=(0, 1))  # wrong
