"""scikit-learn's own tests of its metrics pass on xgrad's, but for a table of them."""

import pytest

from peers.runner import run_tests

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
MODULES = {  # and how many tests pass, at least
    "test_classification": 180,
    "test_common": 1300,
    "test_ranking": 195,
}
# Where the two differ on purpose. What xgrad does not offer is skipped by the plugin.
LEFT_OUT = {
    **dict.fromkeys(
        [
            "test_average_binary_jaccard_score",
            "test_balanced_accuracy_score_unseen",
            "test_confusion_matrix_single_label",
            "test_precision_recall_curve_toydata",
            "test_roc_curve_one_label",
            "test_roc_curve_toydata",
            "test_zero_division_nan_warning",
        ],
        "xgrad returns what is undefined as `zero_division` says, without a warning",
    ),
    **dict.fromkeys(
        [
            "test_average_precision_score_binary_pos_label_errors",
            "test_average_precision_score_multiclass_pos_label_errors",
            "test_roc_auc_score_multiclass_labels_error",
        ],
        "labels are numbers from 0, and there is no `pos_label` to be checked",
    ),
    "test_continuous_inf_nan_input": "infinite scores have an order and are taken",
    "test_confusion_matrix_dtype": "weights of dtype object are refused",
    "test_returned_value_consistency": "results are NumPy's scalars, no Python floats",
    "test_roc_curve_drop_intermediate": "no point of a curve is dropped",
}


@pytest.mark.thorough
@pytest.mark.parametrize("module", MODULES)
def test_scikit_learn_passes_its_tests_on_metrics_of_xgrad(module):
    passed, failed = run_tests("scikit_learn", f"sklearn.metrics.tests.{module}")
    assert failed <= set(LEFT_OUT), sorted(failed - set(LEFT_OUT))
    assert passed >= MODULES[module]
