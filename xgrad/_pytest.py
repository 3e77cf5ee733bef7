"""The pytest plugin: fixtures for tests that run on every backend.

pytest imports it in every run on the machine where xgrad is installed, so it loads no
more than the package, which is lazy, and imports a backend where a test uses it.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import xgrad

# Those of `xgrad.backends()`, which would import them all.
BACKENDS = ("numpy", "cupy", "torch", "jax", "dask", "array_api_strict")
DEFAULT = "numpy,cupy"


class Backend(str):
    """Name of a backend as a parameter of our `xp`, told from strings of the user."""

    __slots__ = ()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and its twin in the configuration file."""
    meaning = (
        "backends that the fixture `xp` runs a test on, separated by commas: "
        f"{', '.join(BACKENDS)}"
    )
    group = parser.getgroup("xgrad", "tests on several array libraries (xgrad)")
    group.addoption(
        "--xgrad-backends",
        metavar="NAMES",
        help=f"{meaning} (default: the setting xgrad_backends, else {DEFAULT})",
    )
    parser.addini(
        "xgrad_backends",
        f"{meaning} (default: {DEFAULT}). Where one cannot be used its tests are "
        "skipped; with XGRAD_REQUIRE_GPU=1 in the environment those of cupy fail.",
        type="args",  # a list, or a string that need not have spaces
        default=DEFAULT.split(","),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Provide `xp` over the backends of this run, unless another plugin does."""
    names = _names(config)
    if not any(map(_brings_xp, config.pluginmanager.get_plugins())):
        config.pluginmanager.register(_fixtures(names), "xgrad-backends")


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> str | None:
    """Say which backends tests are about to run on, and why not on the others."""
    used = dict.fromkeys(filter(None, map(_backend, items)))
    if not used or config.getoption("collectonly"):
        return None
    return f"xgrad: {'; '.join(map(_state, used))}"


@pytest.fixture(scope="session")
def assert_gradient() -> Callable[..., Any]:
    """`xgrad.assert_gradient(f, grad, x)`: fail unless a gradient is right."""
    return xgrad.assert_gradient


def _fixtures(names: Sequence[str]) -> object:
    # Made anew for each run, since the parameters of a fixture stand in its decorator;
    # `pytest_generate_tests` would parametrise a user's own `xp` as well.
    class Fixtures:
        @pytest.fixture(params=list(map(Backend, names)), ids=list(names))
        def xp(self, request: pytest.FixtureRequest) -> Any:
            """Array namespace to create arrays with, of one backend after the other."""
            namespace, reason = _found(request.param)
            if reason and _required(request.param):
                pytest.fail(f"XGRAD_REQUIRE_GPU=1, but {reason}", pytrace=False)
            if reason:
                pytest.skip(reason)
            return namespace

    return Fixtures()


def _names(config: pytest.Config) -> tuple[str, ...]:
    source, text = "--xgrad-backends", config.getoption("xgrad_backends")
    if text is None:
        source, text = "xgrad_backends", ",".join(config.getini("xgrad_backends"))
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not names or not set(names) <= set(BACKENDS):
        raise pytest.UsageError(
            f"{source} must name one or more of {', '.join(BACKENDS)}, separated by "
            f"commas; got {text!r}"
        )
    return names


def _brings_xp(plugin: object) -> bool:
    """Whether a plugin has an `xp`; that of a conftest overrides ours by itself."""
    # Among plugins the last one wins, which would be ours.
    of_conftest = Path(getattr(plugin, "__file__", None) or "").name == "conftest.py"
    return not of_conftest and getattr(plugin, "xp", None) is not None


def _backend(item: pytest.Item) -> Backend | None:
    """The backend that our fixture runs a test on; None for the `xp` of others."""
    callspec = getattr(item, "callspec", None)
    parameter = callspec.params.get("xp") if callspec else None
    return parameter if isinstance(parameter, Backend) else None


def _state(name: str) -> str:
    _, reason = _found(name)
    if reason:
        outcome = "fails" if _required(name) else "skipped"
        return f"{name} {outcome}: {reason.partition(': ')[2]}"
    return f"{name} {importlib.import_module(name).__version__}"


def _found(name: str) -> tuple[Any, str]:
    """The namespace of a backend, and why it cannot be used if it cannot."""
    # With warnings as errors, an import that warns would look like a broken backend.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xgrad.namespace(name), ""
        except xgrad.BackendUnavailable as error:
            return None, str(error)


def _required(name: str) -> bool:
    return name == "cupy" and os.environ.get("XGRAD_REQUIRE_GPU") == "1"
