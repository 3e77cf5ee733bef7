"""SciPy's own tests of its derivatives pass on xgrad's, but for a table of them."""

import pytest

from peers.runner import run_tests

pytest.importorskip("scipy", "1.15", reason="scipy is not installed")
MODULES = {  # and how many tests pass, at least
    "scipy.optimize.tests.test__numdiff": 32,
    "scipy.differentiate.tests.test_differentiate": 160,
}
# Where the two differ on purpose. What xgrad does not offer is skipped by the plugin:
# callbacks, tolerances, and iterations with an order and steps of the caller.
LEFT_OUT = {
    "test_equivalence": "dense and sparse Jacobians round in ways of their own",
    "test_tight_bounds": "steps are powers of two, which in bounds a few steps wide "
    "leaves less room than SciPy takes; the error is within its bound",
    "test_input_validation": "messages and kinds of errors are each library's own",
    "test_example": "a Hessian of `f` alone has seven digits by its second differences",
}


@pytest.mark.thorough
@pytest.mark.parametrize("module", MODULES)
def test_scipy_passes_its_tests_on_derivatives_of_xgrad(module):
    passed, failed = run_tests("scipy_derivatives", module)
    assert failed <= set(LEFT_OUT), sorted(failed - set(LEFT_OUT))
    assert passed >= MODULES[module]
