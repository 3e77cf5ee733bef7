"""What `python -m benchmarks.gpu` measures: losses, metrics, batches and derivatives.

Every case is a call of xgrad, and the same by plain CuPy or by PyTorch where these have
it. The namespace may be NumPy's, to see that all of it runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import xgrad
from benchmarks.losses_speed import by_hand
from examples.network import fresh
from xgrad import losses, metrics
from xgrad.losses import Loss, softmax_cross_entropy
from xgrad.special import one_hot, softmax

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One line: what it is, how long it should take at most, and who does it."""

    what: str
    call: Call
    peers: Mapping[str, Call] = field(default_factory=dict)
    target: float | None = None  # seconds


@dataclass(frozen=True)
class Sizes:
    """The sizes of all cases; small ones show that they run."""

    rows: int = 60_000
    wide: tuple[int, int] = (8192, 32_000)
    labels: tuple[int, ...] = (60_000, 60_000_000)
    pixels: int = 784
    hidden: int = 50
    sparse: int = 1_000_000
    dense: int = 1_000
    hessian: int = 100


QUICK = Sizes(300, (32, 200), (300, 1_000), 12, 5, 1_000, 30, 8)


class Cases:
    """Cases on the arrays of a namespace; ``torch`` is None where it has no device."""

    def __init__(self, xp: Any, plain: Any, torch: Any, sizes: Sizes) -> None:
        self.xp, self.plain, self.torch, self.sizes = xp, plain, torch, sizes
        self.rng = plain.random.default_rng(0)  # large numbers are drawn on the device

    def numbers(self, shape: tuple[int, ...], dtype: str = "float32") -> Any:
        """Normal numbers on the device."""
        return self.rng.standard_normal(shape, dtype=np.float32).astype(dtype)

    def _labels(self, count: int, classes: int) -> Any:
        return self.rng.integers(0, classes, size=count)

    # Losses

    def every_loss(self, shape: tuple[int, int], dtype: str) -> Iterator[Case]:
        """Value and value with gradient of each loss, values unchecked."""
        for name, loss in vars(losses).items():
            if isinstance(loss, Loss):
                p, t, options = self._sample(name, shape, dtype)
                yield from self._of_loss(name, loss, p, t, options)

    def _of_loss(
        self, name: str, loss: Loss, p: Any, t: Any, options: dict[str, Any]
    ) -> Iterator[Case]:
        for method in ("value", "with gradient"):
            both = method == "with gradient"
            call = loss.value_and_grad if both else loss
            peers: dict[str, Call] = {}
            if name in ("softmax_cross_entropy", "mean_squared_error"):
                peers["plain"] = by_hand(self.plain, name, (p, t), both)
                if self.torch is not None:
                    peers["torch"] = self._torch_loss(name, p, t, both)

            def run(call: Any = call, check: bool = False) -> Any:
                return call(p, t, check=check, **options)

            yield Case(f"{name}, {method}", run, peers)
            if name == "softmax_cross_entropy":
                yield Case(f"{name}, {method}, checked", lambda: run(check=True))

    def _torch_loss(self, name: str, p: Any, t: Any, both: bool) -> Call:
        torch = self.torch
        function = {
            "softmax_cross_entropy": torch.nn.functional.cross_entropy,
            "mean_squared_error": torch.nn.functional.mse_loss,
        }[name]
        p, t = torch.from_dlpack(p), torch.from_dlpack(t)
        if not both:
            return lambda: function(p, t)
        p = p.clone().requires_grad_(True)

        def value_and_gradient() -> Any:
            loss = function(p, t)
            return loss, torch.autograd.grad(loss, p)

        return value_and_gradient

    def _sample(
        self, name: str, shape: tuple[int, int], dtype: str
    ) -> tuple[Any, Any, dict[str, Any]]:
        """A prediction, a target and options that the loss accepts."""
        p, t = self.numbers(shape, dtype), self.numbers(shape, dtype)
        plain = self.plain
        if name in ("softmax_cross_entropy", "focal", "cross_entropy"):
            chosen = softmax(p) if name == "cross_entropy" else p
            return chosen, self._labels(*shape), {}
        if name == "kl_divergence":
            return softmax(p), softmax(t), {}
        if "binary" in name:
            inside = 1 / (1 + plain.exp(-p)) if name.startswith("binary") else p
            return inside, (t > 0).astype(dtype), {}
        if "hinge" in name:
            return p, plain.where(t > 0, 1.0, -1.0).astype(dtype), {}
        if name in ("poisson_nll", "mean_squared_log_error"):
            return p * p, plain.floor(plain.abs(t)), {}
        if name == "gaussian_nll":
            return p, t, {"variance": plain.ones_like(p)}
        return p, t, {}

    # Metrics and mini-batches

    def metrics(self) -> Iterator[Case]:
        """Metrics of classes, the number of classes given."""
        for count in self.sizes.labels:
            p, t = self._labels(count, 10), self._labels(count, 10)
            names = ("accuracy", "confusion_matrix", "f1")
            for name in names:
                call = getattr(metrics, name)

                def run(call: Any = call, p: Any = p, t: Any = t) -> Any:
                    return call(p, t, num_classes=10)

                peers = self._torch_metric(name, p, t)
                yield Case(f"{name} of {count:,} labels", run, peers)

    def _torch_metric(self, name: str, p: Any, t: Any) -> dict[str, Call]:
        if self.torch is None or name == "f1":
            return {}
        torch = self.torch
        a, b = torch.from_dlpack(p), torch.from_dlpack(t)
        if name == "accuracy":
            return {"torch": lambda: (a == b).double().mean()}
        return {"torch": lambda: torch.bincount(b * 10 + a, minlength=100)}

    def batches(self) -> Iterator[Case]:
        """An epoch of mini-batches of 128."""
        X = self.numbers((self.sizes.rows, self.sizes.pixels))
        y = self._labels(len(X), 10)

        def epoch() -> None:
            for _ in xgrad.batches(X, y, size=128, seed=0):
                pass

        def torch_epoch() -> None:
            order = self.torch.randperm(len(X), device=a.device)
            for part in order.split(128):
                a[part], b[part]

        peers: dict[str, Call] = {}
        if self.torch is not None:
            a, b = self.torch.from_dlpack(X), self.torch.from_dlpack(y)
            peers["torch"] = torch_epoch
        yield Case(f"an epoch over {len(X):,} x {X.shape[1]}, size 128", epoch, peers)

    # Derivatives

    def gradients(self) -> Iterator[Case]:
        """Gradients by rows, of a plain function, of a network."""
        xp, rows = self.xp, self.sizes.rows
        x, labels = self.numbers((rows, 10)), self._labels(rows, 10)

        def each(logits: Any) -> Any:
            return softmax_cross_entropy(logits, labels, reduction="none", check=False)

        def mean(logits: Any) -> Any:
            return softmax_cross_entropy(logits, labels, check=False)

        yield Case(
            f"gradient, axis=-1, {rows:,} x 10",
            lambda: xgrad.gradient(each, x, axis=-1, method="central", accuracy=2),
            target=2e-3,
        )
        yield Case(
            f"gradient of the mean by {rows * 10:,} logits",
            lambda: xgrad.gradient(mean, x, method="central", accuracy=2),
        )
        p = fresh(
            xp, self.sizes.pixels, self.sizes.hidden, 10, seed=0, dtype=xp.float32
        )
        data, few = self.numbers((100, self.sizes.pixels)), labels[:100]

        def network(p: dict[str, Any]) -> Any:
            active = xp.tanh(data @ p["W1"] + p["b1"])
            return softmax_cross_entropy(active @ p["W2"] + p["b2"], few, check=False)

        count = sum(int(value.size) for value in p.values())
        yield Case(
            f"gradient by {count:,} parameters of a network",
            lambda: xgrad.gradient(network, p, method="central", accuracy=2),
            target=0.1,
        )
        yield Case(
            f"exact gradient by {count:,} parameters of a network",
            lambda: xgrad.gradient(network, p, method="autodiff"),
            self._torch_network(p, data, few),
        )

    def _torch_network(self, p: Any, data: Any, labels: Any) -> dict[str, Call]:
        """Return the gradient of the same network by PyTorch, where it is installed."""
        if self.torch is None:
            return {}
        torch = self.torch
        leaves = {name: torch.from_dlpack(value) for name, value in p.items()}
        X, y = torch.from_dlpack(data), torch.from_dlpack(labels)

        def call() -> Any:
            q = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
            Z = torch.tanh(X @ q["W1"] + q["b1"]) @ q["W2"] + q["b2"]
            torch.nn.functional.cross_entropy(Z, y).backward()
            return {name: leaf.grad for name, leaf in q.items()}

        return {"torch": call}

    def matrices(self) -> Iterator[Case]:
        """Jacobians, sparse and dense, and a Hessian."""
        if importlib.util.find_spec("scipy"):  # patterns are its matrices
            yield self._sparse_jacobian()
        xp = self.xp
        m = self.sizes.dense
        A, v = self.numbers((m, m), "float64"), self.numbers((m,), "float64")
        yield Case(
            f"dense Jacobian, n = {m:,}",
            lambda: xgrad.jacobian(lambda x: xp.tanh(A @ x), v),
        )
        h = self.numbers((self.sizes.hessian,), "float64")

        def rosenbrock(x: Any) -> Any:
            return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

        yield Case(
            f"Hessian, n = {self.sizes.hessian}", lambda: xgrad.hessian(rosenbrock, h)
        )

    def _sparse_jacobian(self) -> Case:
        import scipy.sparse

        xp, n = self.xp, self.sizes.sparse
        ones = np.ones(n, dtype=bool)
        diagonals = [ones[1:], ones, ones[1:]]
        pattern = scipy.sparse.diags_array(diagonals, offsets=[-1, 0, 1], dtype=bool)
        coloring = xgrad.color_columns(pattern)
        x = self.numbers((n,), "float64")
        zero = x[:1] * 0

        def tridiagonal(x: Any) -> Any:
            left, right = xp.concat([zero, x[:-1]]), xp.concat([x[1:], zero])
            return (3 - 2 * x) * x - left - 2 * right + 1

        return Case(
            f"sparse Jacobian, n = {n:,}",
            lambda: xgrad.jacobian(tridiagonal, x, sparsity=coloring),
        )

    def exact(self) -> Iterator[Case]:
        """Exact derivatives of plain code, beside those of PyTorch."""
        plain, n, rows = self.plain, self.sizes.sparse, self.sizes.rows
        x, v = self.numbers((n,), "float64"), self.numbers((n,), "float64")

        def rosenbrock(x: Any, xp: Any = plain) -> Any:
            return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

        yield Case(
            f"value and gradient of Rosenbrock's function, n = {n:,}",
            lambda: xgrad.value_and_gradient(rosenbrock, x, method="autodiff"),
            self._torch_gradient(rosenbrock, x),
        )
        yield Case(
            f"its product with a Hessian, n = {n:,}",
            lambda: xgrad.hvp(rosenbrock, x, v, method="autodiff"),
            self._torch_product(rosenbrock, x, v),
        )
        yield Case(
            f"a product with the Jacobian of its terms, n = {n:,}",
            lambda: xgrad.jvp(lambda x: x[1:] - x[:-1] ** 2, x, v, method="autodiff"),
        )
        if importlib.util.find_spec("scipy"):
            yield Case(
                f"its sparse Hessian without a pattern, n = {n:,}",
                lambda: xgrad.hessian(rosenbrock, x, sparsity="auto"),
            )
        logits, labels = self.numbers((rows, 10)), self._labels(rows, 10)
        places = plain.arange(rows)

        def entropy(z: Any, xp: Any = plain) -> Any:
            z = z - xp.max(z, 1, keepdims=True)
            return xp.mean(xp.log(xp.sum(xp.exp(z), 1)) - z[places, labels])

        yield Case(
            f"cross entropy by hand, {rows:,} x 10, value and gradient",
            lambda: xgrad.value_and_gradient(entropy, logits, method="autodiff"),
            self._torch_entropy(logits, labels),
        )

    def _torch_gradient(self, f: Any, x: Any) -> dict[str, Call]:
        """Return the gradient of a function of a namespace by PyTorch."""
        if self.torch is None:
            return {}
        torch, tensor = self.torch, self.torch.from_dlpack(x)

        def call() -> Any:
            leaf = tensor.detach().requires_grad_()
            f(leaf, torch).backward()
            return leaf.grad

        return {"torch": call}

    def _torch_product(self, f: Any, x: Any, v: Any) -> dict[str, Call]:
        """Return the product of a Hessian with a vector by PyTorch."""
        if self.torch is None:
            return {}
        torch = self.torch
        tensor, vector = torch.from_dlpack(x), torch.from_dlpack(v)

        def call() -> Any:
            slope = torch.func.grad(lambda x: f(x, torch))
            return torch.func.jvp(slope, (tensor,), (vector,))[1]

        return {"torch": call}

    def _torch_entropy(self, logits: Any, labels: Any) -> dict[str, Call]:
        """Return the gradient of the cross entropy, written by hand, by PyTorch."""
        if self.torch is None:
            return {}
        torch = self.torch
        y = torch.from_dlpack(labels)
        places = torch.arange(len(y), device=y.device)

        def entropy(z: Any, xp: Any = torch) -> Any:
            z = z - xp.amax(z, 1, keepdim=True)
            return xp.mean(xp.log(xp.sum(xp.exp(z), 1)) - z[places, y])

        return self._torch_gradient(entropy, logits)

    def checks(self) -> Iterator[Case]:
        """Gradient checks: of a formula, and of the kernel of an example."""
        from examples.custom_kernel import swish, swish_vjp

        x, labels = self.numbers((64, 300)), self._labels(64, 300)
        target = one_hot(labels, 300)

        def f(z: Any) -> Any:
            return softmax_cross_entropy(z, target)

        def slope(z: Any) -> Any:
            return softmax_cross_entropy.grad(z, target)

        yield Case(
            "check_gradient, 64 x 300", lambda: xgrad.check_gradient(f, slope, x)
        )
        inputs = x, self.numbers((300,)), self.numbers((300,))
        yield Case(
            "check_vjp of a RawKernel",
            lambda: xgrad.check_vjp(swish, swish_vjp, inputs),
            target=0.05,
        )
