"""Signatures of losses. Written by `python tests/tools/write_stubs.py`."""

from typing import Any, Literal

from xgrad._arrays.types import ArrayT
from xgrad.losses._loss import Loss as Loss
from xgrad.losses._loss import Reduction

class _Plain(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _SigmoidBinaryCrossEntropy(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        positive_weight: Any = 1.0,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        positive_weight: Any = 1.0,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        positive_weight: Any = 1.0,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _CrossEntropy(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 0.0,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 0.0,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 0.0,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _Dice(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        smooth: float = 1.0,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        smooth: float = 1.0,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        smooth: float = 1.0,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _Focal(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        gamma: float = 2.0,
        class_weight: Any = None,
        ignore_index: int | None = None,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        gamma: float = 2.0,
        class_weight: Any = None,
        ignore_index: int | None = None,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        gamma: float = 2.0,
        class_weight: Any = None,
        ignore_index: int | None = None,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _SoftmaxCrossEntropy(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _GaussianNll(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        variance: Any,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        variance: Any,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        variance: Any,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _Huber(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 1.0,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 1.0,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        delta: float = 1.0,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _Pinball(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        quantile: float = 0.5,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        quantile: float = 0.5,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        quantile: float = 0.5,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _RootMeanSquaredError(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Literal["mean"] = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Literal["mean"] = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Literal["mean"] = "mean",
        weight: Any = None,
        check: bool = True,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

class _SmoothL1(Loss):
    def __call__(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        beta: float = 1.0,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        ...

    def grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        beta: float = 1.0,
    ) -> ArrayT:
        """Return the gradient of the loss by the prediction."""
        ...

    def value_and_grad(  # type: ignore[override]
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        beta: float = 1.0,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss, and its gradient by the prediction."""
        ...

binary_cross_entropy: _Plain
hinge: _Plain
sigmoid_binary_cross_entropy: _SigmoidBinaryCrossEntropy
squared_hinge: _Plain
cosine_distance: _Plain
cross_entropy: _CrossEntropy
dice: _Dice
focal: _Focal
kl_divergence: _Plain
softmax_cross_entropy: _SoftmaxCrossEntropy
gaussian_nll: _GaussianNll
half_squared_error: _Plain
huber: _Huber
log_cosh: _Plain
mean_absolute_error: _Plain
mean_squared_error: _Plain
mean_squared_log_error: _Plain
pinball: _Pinball
poisson_nll: _Plain
root_mean_squared_error: _RootMeanSquaredError
smooth_l1: _SmoothL1
