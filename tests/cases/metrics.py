"""Names of metrics by the kind of what they compare."""

RATIOS = ("precision", "recall", "f1", "specificity", "jaccard")
WHOLE = (
    "accuracy",
    "balanced_accuracy",
    "matthews",
    "cohen_kappa",
    "confusion_matrix",
)
# Those of numbers that are losses, too.
LOSSES = ("mean_absolute_error", "mean_squared_error", "root_mean_squared_error")
ERRORS = (
    "r2_score",
    "explained_variance",
    "mean_absolute_percentage_error",
    *LOSSES,
    "max_error",
)
