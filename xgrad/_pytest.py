"""The pytest plugin: fixtures for tests that run on every backend.

pytest imports it in every run on a machine where xgrad is installed. It therefore loads
nothing but the package, which is lazy, and a backend only when a test uses it.
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

# The names of `xgrad.backends()`, which would import all of these libraries.
BACKENDS = ("numpy", "cupy", "torch", "jax", "dask", "array_api_strict")
DEFAULT = "numpy,cupy"
SCOPES = ("function", "class", "module", "package", "session")


class BackendName(str):
    """Name of a backend; the class tells parameters of our `xp` from other strings."""

    __slots__ = ()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, and the setting of configuration files that it overrides."""
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
        f"{meaning} (default: {DEFAULT}). If one cannot be used, its tests are "
        "skipped; with XGRAD_REQUIRE_GPU=1 in the environment those of cupy fail.",
        # A list, or a string, which need not have spaces.
        type="args",
        default=DEFAULT.split(","),
    )
    parser.addini(
        "xgrad_scope",
        f"scope of the fixture `xp`: {', '.join(SCOPES)} (default: function). Fixtures "
        "that use `xp` cannot have a wider scope.",
        default=SCOPES[0],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Provide `xp` over the backends of this run, unless another plugin does."""
    names, scope = _backend_names(config), _scope(config)
    if not any(map(_provides_xp, config.pluginmanager.get_plugins())):
        config.pluginmanager.register(_fixtures(names, scope), "xgrad-backends")


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> str | None:
    """Say which backends the tests will run on, and why not on the others."""
    used = dict.fromkeys(filter(None, map(_backend_of, items)))
    if not used or config.getoption("collectonly"):
        return None
    return f"xgrad: {'; '.join(map(_describe, used))}"


@pytest.fixture(scope="session")
def assert_gradient() -> Callable[..., Any]:
    """Return `xgrad.assert_gradient(f, grad, x)`, which fails for a wrong gradient."""
    return xgrad.assert_gradient


def _fixtures(names: Sequence[str], scope: Any) -> object:
    """Return a plugin with the fixture `xp` over the backends of these names."""

    # Made anew for each run, since the parameters of a fixture stand in its decorator;
    # `pytest_generate_tests` would parametrise a user's own `xp` as well.
    class Fixtures:
        @pytest.fixture(
            params=list(map(BackendName, names)), ids=list(names), scope=scope
        )
        def xp(self, request: pytest.FixtureRequest) -> Any:
            """Array namespace to create arrays with, of each backend in turn."""
            namespace, reason = _load(request.param)
            if reason and _required(request.param):
                pytest.fail(f"XGRAD_REQUIRE_GPU=1, but {reason}", pytrace=False)
            if reason:
                pytest.skip(reason)
            return namespace

    return Fixtures()


def _backend_names(config: pytest.Config) -> tuple[str, ...]:
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


def _scope(config: pytest.Config) -> str:
    scope = str(config.getini("xgrad_scope")).strip()
    if scope not in SCOPES:
        raise pytest.UsageError(
            f"xgrad_scope must be one of {', '.join(SCOPES)}; got {scope!r}"
        )
    return scope


def _provides_xp(plugin: object) -> bool:
    """Whether a plugin other than a conftest has an `xp` of its own."""
    # A conftest overrides plugins by itself. Among plugins the last one wins, which
    # would be ours.
    is_conftest = Path(getattr(plugin, "__file__", None) or "").name == "conftest.py"
    return not is_conftest and getattr(plugin, "xp", None) is not None


def _backend_of(item: pytest.Item) -> BackendName | None:
    """Return the backend that our `xp` runs a test on; None for another `xp`."""
    callspec = getattr(item, "callspec", None)
    parameter = callspec.params.get("xp") if callspec else None
    return parameter if isinstance(parameter, BackendName) else None


def _describe(name: str) -> str:
    _, reason = _load(name)
    if reason:
        outcome = "fails" if _required(name) else "skipped"
        return f"{name} {outcome}: {reason.partition(': ')[2]}"
    return f"{name} {importlib.import_module(name).__version__}"


def _load(name: str) -> tuple[Any, str]:
    """Return the namespace of a backend and "", or None and why it is unusable."""
    # With warnings as errors, an import that warns would look like a broken backend.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xgrad.namespace(name), ""
        except xgrad.BackendUnavailable as error:
            return None, str(error)


def _required(name: str) -> bool:
    return name == "cupy" and os.environ.get("XGRAD_REQUIRE_GPU") == "1"
