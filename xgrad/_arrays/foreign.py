"""Words of other libraries, and the names that xgrad has for the same things.

They are no aliases: an error that names the word of xgrad is clearer than two words for
one thing. The tables are only read for such an error.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import opcode
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

# Words of other libraries for an argument; the first one that a function has is meant.
ARGUMENTS: dict[str, list[str]] = {
    word: own
    for words, *own in (
        ("y_true targets truth ground_truth gt y label", "target"),
        # Those of scikit-learn are a list of all classes, those of others the targets.
        ("labels", "num_classes", "target"),
        ("y_pred y_score y_scores y_prob y_proba preds pred predictions", "prediction"),
        ("input inputs output outputs logits scores probabilities", "prediction"),
        ("sample_weight sample_weights weights", "weight"),
        ("class_weights alpha", "class_weight"),
        ("pos_weight class_weight", "positive_weight"),
        ("smoothing", "label_smoothing"),
        ("ignore_label", "ignore_index"),
        ("tau", "quantile"),
        ("var", "variance"),
        ("size_average reduce", "reduction"),
        ("n_classes n_labels classes", "num_classes"),
        ("pos_label", "positive"),
        ("multioutput", "average"),
        ("target_names", "names"),
        ("batch_size batchsize n_samples", "size"),
        ("random_state random_seed rng generator key", "seed"),
        ("eps epsilon", "step", "delta"),
        ("h dx rel_step abs_step", "step"),
        ("n nth", "order"),
        ("order acc", "accuracy"),
        ("fun func function", "f"),
        ("x0", "x"),
        ("n_jobs num_workers processes", "workers"),
        ("tol tolerance rel_tol", "rtol"),
        ("abs_tol", "atol"),
        ("dim", "axis"),
        ("vectorize", "vectorized"),
        ("verbose", "progress"),
    )
    for word in words.split()
}

# Arguments that losses and metrics of other libraries have, and what stands for them.
ABSENT: dict[str, str] = {
    word: advice
    for words, advice in (
        ("axis dim class_axis", "a row is the last axis: move it there by `moveaxis`"),
        (
            "from_logits",
            "`softmax_cross_entropy` and `sigmoid_binary_cross_entropy` take logits, "
            "`cross_entropy` and `binary_cross_entropy` probabilities",
        ),
        ("squared", "the root has a name of its own, `root_mean_squared_error`"),
        ("log_input", "the prediction is the logarithm of the rate"),
        ("log_target", "prediction and target are probabilities"),
        ("multi_class", "each class is compared with the rest"),
        ("multioutput", 'reduction="none" gives the loss of each entry'),
        ("eps epsilon", "nothing is clipped, nor added"),
    )
    for word in words.split()
}

# The same of checks.
ABSENT_IN_CHECKS = {
    "eps": "steps are found for each entry",
    "atol": "errors are measured, and `rtol` is the only tolerance",
}

# Words of other libraries for a choice; one that is not offered is not advised.
CHOICES: dict[str | None, Any] = {
    # methods of SciPy, JAX and others
    "2-point": "forward",
    "3-point": "central",
    "cs": "complex",
    "complex-step": "complex",
    "centered": "central",
    "richardson": "ladder",
    "numerical": "central",
    "numeric": "central",
    "exact": "autodiff",
    "reverse": "autodiff",
    "autograd": "autodiff",
    "backprop": "autodiff",
    # reductions of Keras and of the standard
    "average": "mean",
    "sum_over_batch_size": "mean",
    "batchmean": "mean",
    None: "none",
    # array libraries
    "gpu": "cupy",
    "cuda": "cupy",
    "cpu": "numpy",
    "np": "numpy",
    "pytorch": "torch",
    # averages of scikit-learn's regression
    "uniform_average": "uniform",
    "raw_values": None,
}

# Words of other libraries for a function, a class or a module of xgrad.
FUNCTIONS: dict[str, str] = {
    # scikit-learn and torchmetrics
    "accuracy_score": "metrics.accuracy",
    "balanced_accuracy_score": "metrics.balanced_accuracy",
    "top_k_accuracy_score": "metrics.top_k_accuracy",
    "precision_score": "metrics.precision",
    "recall_score": "metrics.recall",
    "sensitivity": "metrics.recall",
    "f1_score": "metrics.f1",
    "fbeta_score": "metrics.f_beta",
    "matthews_corrcoef": "metrics.matthews",
    "mcc": "metrics.matthews",
    "cohen_kappa_score": "metrics.cohen_kappa",
    "roc_auc_score": "metrics.roc_auc",
    "auroc": "metrics.roc_auc",
    "auc": "metrics.roc_auc",
    "average_precision_score": "metrics.average_precision",
    "jaccard_score": "metrics.jaccard",
    "iou": "metrics.jaccard",
    "auprc": "metrics.average_precision",
    "brier_score_loss": "metrics.brier_score",
    "calibration_error": "metrics.expected_calibration_error",
    "ece": "metrics.expected_calibration_error",
    "jaccard_index": "metrics.jaccard",
    "confmat": "metrics.confusion_matrix",
    "r2": "metrics.r2_score",
    "explained_variance_score": "metrics.explained_variance",
    "mape": "metrics.mean_absolute_percentage_error",
    "medae": "metrics.median_absolute_error",
    "AverageMeter": "metrics.Mean",
    "MeanMetric": "metrics.Mean",
    # losses of PyTorch, Keras, optax and the textbook
    "mse": "losses.mean_squared_error",
    "mse_loss": "losses.mean_squared_error",
    "squared_error": "losses.mean_squared_error",
    "l2_loss": "losses.half_squared_error",
    "sum_squared_error": "losses.half_squared_error",
    "rmse": "losses.root_mean_squared_error",
    "mae": "losses.mean_absolute_error",
    "l1_loss": "losses.mean_absolute_error",
    "msle": "losses.mean_squared_log_error",
    "huber_loss": "losses.huber",
    "smooth_l1_loss": "losses.smooth_l1",
    "quantile_loss": "losses.pinball",
    "pinball_loss": "losses.pinball",
    "mean_pinball_loss": "losses.pinball",
    "poisson_nll_loss": "losses.poisson_nll",
    "gaussian_nll_loss": "losses.gaussian_nll",
    "cross_entropy_loss": "losses.softmax_cross_entropy",
    "cross_entropy_with_logits": "losses.softmax_cross_entropy",
    "softmax_cross_entropy_with_logits": "losses.softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels": "losses.softmax_cross_entropy",
    "categorical_cross_entropy": "losses.cross_entropy",
    "sparse_categorical_crossentropy": "losses.cross_entropy",
    "cross_entropy_error": "losses.cross_entropy",
    "nll": "losses.cross_entropy",
    "nll_loss": "losses.cross_entropy",
    "bce": "losses.binary_cross_entropy",
    "bce_loss": "losses.binary_cross_entropy",
    "binary_crossentropy": "losses.binary_cross_entropy",
    "bce_with_logits": "losses.sigmoid_binary_cross_entropy",
    "bce_with_logits_loss": "losses.sigmoid_binary_cross_entropy",
    "binary_cross_entropy_with_logits": "losses.sigmoid_binary_cross_entropy",
    "kl_div_loss": "losses.kl_divergence",
    "kl_div": "losses.kl_divergence",
    "kl_divergence_loss": "losses.kl_divergence",
    "hinge_loss": "losses.hinge",
    "focal_loss": "losses.focal",
    "dice_loss": "losses.dice",
    "sigmoid_focal_loss": "losses.focal",
    "cosine_similarity": "losses.cosine_distance",
    "cosine_embedding_loss": "losses.cosine_distance",
    # derivatives of JAX, PyTorch, autograd, SciPy and the textbook
    "grad": "gradient",
    "numerical_gradient": "gradient",
    "numerical_diff": "derivative",
    "approx_fprime": "gradient",
    "approx_derivative": "jacobian",
    "elementwise_grad": "derivative",
    "value_and_grad": "value_and_gradient",
    "jac": "jacobian",
    "jacfwd": "jacobian",
    "jacrev": "jacobian",
    "hess": "hessian",
    "hessian_vector_product": "hvp",
    "gradcheck": "check_gradient",
    "check_grad": "check_gradient",
    "check_grads": "check_gradient",
    # the rest
    "DataLoader": "batches",
    "minibatches": "batches",
    "expit": "special.sigmoid",
    "to_categorical": "special.one_hot",
    "assert_allclose": "testing.assert_close",
    "asnumpy": "to_numpy",
    "get_array_module": "namespace",
}
# Python's measure of mistyped words: "avrage" is 0.92 of "average", while "beta", which
# is another word, is 0.67 of "delta".
CLOSE = 0.8
MODULES = ("losses", "metrics", "special", "plot", "testing")


def missing_names(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a public module, which raises for every name."""

    def missing_name(name: str) -> Any:
        raise explain_missing_name(module, name)

    return missing_name


def explain_missing_name(module: str, name: str) -> AttributeError | ImportError:
    """Return the error for a name that a public module has not; for ``__getattr__``.

    ``from module import name`` drops the words of an ``AttributeError``. It gets an
    ``ImportError`` if there is something to say.
    """
    # Tools ask modules for names with underscores.
    own = None if name.startswith("_") else own_name(name)
    message = f"module {module!r} has no attribute {name!r}"
    if own is None:
        # With `obj` Python suggests the nearest name.
        return AttributeError(message, name=name, obj=importlib.import_module(module))
    if _is_importing(sys._getframe(2)):
        message = f"cannot import name {name!r} from {module!r}: use `xgrad.{own}`"
        return ImportError(message, name=module)
    # Without names to compare with Python suggests none beside ours.
    return AttributeError(f"{message}: use `xgrad.{own}`", name=name, obj=None)


def explain_missing_method(
    owner: Any, name: str, advice: Mapping[str, str]
) -> AttributeError:
    """Return the error for a method that an object has not; for ``__getattr__``.

    ``advice`` says what stands for methods of other libraries, separated by blanks.
    """
    message = f"{type(owner).__name__!r} object has no attribute {name!r}"
    for words, instead in advice.items():
        if name in words.split():
            # Without an object to compare names with Python suggests none.
            return AttributeError(f"{message}: {instead}", name=name, obj=None)
    # Tools ask for names with underscores.
    own = "" if name.startswith("_") else (own_name(name) or "").rpartition(".")[2]
    if own and hasattr(type(owner), own):
        return AttributeError(f"{message}: use `{own}`", name=name, obj=None)
    return AttributeError(message, name=name, obj=owner)


def _is_importing(frame: FrameType) -> bool:
    """Whether a frame is at the instruction of ``from module import name``."""
    instruction = frame.f_code.co_code[frame.f_lasti]
    return instruction == opcode.opmap["IMPORT_FROM"]


def own_name(name: str) -> str | None:
    """Return the name below ``xgrad`` of what another library, or module, calls so."""
    word = _spelling(name)
    for module in ("", *MODULES):
        names = importlib.import_module(f"xgrad.{module}".strip(".")).__all__
        for own in names:
            if _spelling(own) == word:
                return f"{module}.{own}".strip(".")
    return next((own for key, own in FUNCTIONS.items() if _spelling(key) == word), None)


def _spelling(name: str) -> str:
    """Return a name without what tells classes from functions: ``MSELoss``."""
    return name.replace("_", "").lower()


# Calls that other libraries write with one argument more, and how it is done here.
USAGE = {"vjp": "write `value, pull = xgrad.vjp(f, x)`, and then `pull(cotangent)`"}


def explain_arguments(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    options: Mapping[str, Any],
    error: TypeError,
) -> TypeError:
    """Return the error of a call whose arguments do not fit, in words that help."""
    is_method = "." in function.__qualname__
    owner = args[0] if is_method and args else None
    # A loss is an object with a name and a signature of its own.
    name = getattr(owner, "__name__", function.__qualname__)
    signature = getattr(owner, "__signature__", None) or inspect.signature(function)
    parameters = {n: p for n, p in signature.parameters.items() if n != "self"}
    text = str(error).replace(f"{function.__qualname__}()", f"{name}()")
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    named = [n for n, p in parameters.items() if p.kind not in by_position]
    unknown = [option for option in options if option not in named]
    if unknown:
        advice = "; ".join(_advise(word, named, list(parameters)) for word in unknown)
        return TypeError(f"{name}() got an unexpected keyword argument: {advice}")
    is_first = bool(args) and not callable(args[0])
    if list(parameters)[:2] == ["f", "x"] and ("argument: 'x'" in text or is_first):
        text += (
            ": it returns the result at `x`; as a function of `x` alone write "
            f"`functools.partial(xgrad.{own_name(name)}, f)`"
        )
        return TypeError(text)
    if "missing" in text:
        return TypeError(text)
    positional = [n for n, p in parameters.items() if p.kind != p.KEYWORD_ONLY]
    by_name = [n for n, p in parameters.items() if p.kind == p.KEYWORD_ONLY]
    advice = f"give {', '.join(f'{n}=' for n in by_name)} by name" if by_name else ""
    advice = USAGE.get(name, advice)
    plural = "s" if len(positional) > 1 else ""
    listed = " and ".join(f"`{n}`" for n in positional)
    return TypeError(
        f"{name}() takes {len(positional)} positional argument{plural}, {listed}, "
        f"but got {len(args) - is_method}{advice and f': {advice}'}"
    )


def _advise(word: str, named: Sequence[str], parameters: Sequence[str]) -> str:
    own = word if word in parameters else meant_argument(word, parameters)
    absent = ABSENT if "prediction" in parameters else {}
    if "directions" in parameters:
        absent = ABSENT_IN_CHECKS
    if not own and word in absent:
        return f"there is no `{word}`: {absent[word]}"
    if not own:
        return f"`{word}` is none of {', '.join(named)}"
    if own in named:
        return f"`{word}` is called `{own}` by xgrad"
    return f"`{word}` is given by position: write `{own}` without a name"


def meant_argument(word: str, names: Sequence[str]) -> str | None:
    """Return which of the names of arguments another word means, if it is known."""
    own = [name for name in ARGUMENTS.get(word, ()) if name in names]
    return next(iter(own or difflib.get_close_matches(word, names, 1, CLOSE)), None)
