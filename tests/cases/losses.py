"""The registry of losses, with samples and options that their rules allow."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from xgrad import losses, to_numpy
from xgrad._rules.domains import (
    ABOVE_MINUS_ONE,
    BINARY_TARGET,
    COUNTS,
    DISTRIBUTION,
    REAL,
    SIGNS,
    UNIT_INTERVAL,
)
from xgrad._rules.options import Number, NumberOrArray
from xgrad.losses._class_loss import ClassLoss
from xgrad.losses._loss import Loss

# Every loss of the library: a new one is tested unasked.
LOSSES = {
    name: value
    for name, value in vars(losses).items()
    if isinstance(value, Loss) and not name.startswith("_")
}
SAMPLES = {
    REAL: lambda rng, shape: rng.normal(size=shape),
    UNIT_INTERVAL: lambda rng, shape: rng.uniform(0.05, 0.95, shape),
    BINARY_TARGET: lambda rng, shape: rng.uniform(0.05, 0.95, shape),
    DISTRIBUTION: lambda rng, shape: rng.dirichlet(np.full(shape[1], 3.0), shape[0]),
    ABOVE_MINUS_ONE: lambda rng, shape: rng.uniform(-0.5, 3.0, shape),
    COUNTS: lambda rng, shape: rng.poisson(2.0, shape).astype(float),
    SIGNS: lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}


def sample(
    loss: Loss, rng: np.random.Generator, shape: tuple[int, int] = (5, 4)
) -> tuple[np.ndarray, np.ndarray]:
    """A prediction and a target that the domains of the loss allow."""
    prediction = SAMPLES[loss.prediction](rng, shape)
    if isinstance(loss, ClassLoss):
        target = rng.integers(0, shape[1], shape[0])
    else:
        target = SAMPLES[loss.target](rng, shape)
    assert np.ptp(prediction) > 0, "the sample must vary"
    assert np.ptp(target) > 0, "the sample must vary"
    return prediction, target


def needed(loss: Loss, shape: tuple[int, int] = (5, 4)) -> dict[str, Any]:
    """The options that a loss cannot do without."""
    own = list(inspect.signature(loss).parameters.values())[5:]
    return {p.name: chosen(loss, shape)[p.name] for p in own if p.default is p.empty}


def chosen(loss: Loss, shape: tuple[int, int] = (5, 4)) -> dict[str, Any]:
    """Every option of a loss, none of them as it is by default."""
    options: dict[str, Any] = {}
    for name, rule in loss.rules.items():
        if isinstance(rule, Number):
            options[name] = next(v for v in (0.75, 1.5, -0.75) if rule.holds(v))
        elif isinstance(rule, NumberOrArray):
            size = shape[-1:] if rule.by_columns else shape
            varied = np.random.default_rng(1).uniform(0.5, 2.0, size)
            assert all(rule.number.holds(v) for v in varied.flat)
            options[name] = varied
    weights = np.random.default_rng(2).uniform(0.5, 2.0, shape[1])
    of_target = {"class_weight": weights, "label_smoothing": 0.25, "ignore_index": 1}
    return options | adjusting(loss, of_target)


def adjusting(loss: Loss, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options of targets that a loss takes."""
    names = loss.adjustable if isinstance(loss, ClassLoss) else ()
    return {name: value for name, value in options.items() if name in names}


def on(xp: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Options whose arrays belong to a library."""
    return {
        name: xp.asarray(value) if isinstance(value, np.ndarray) else value
        for name, value in options.items()
    }


def value_and_slope_of_each(
    loss: Loss, prediction: Any, target: Any, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Compute losses and slopes, unreduced, on the host."""
    value, slope = loss.value_and_grad(prediction, target, reduction="none", **options)
    return to_numpy(value), to_numpy(slope)
