"""The pytest plugin, run on small projects as its users have them."""

import re
import sys

import numpy as np
import pytest

import xgrad
from xgrad import _pytest

pytest_plugins = "pytester"

# Inner runs in this process forget the modules that they import; libraries do not
# like to be imported twice, so that those which they use are loaded before.
USED = [
    xgrad.namespace("numpy"),
    xgrad.namespace("array_api_strict"),
    xgrad.assert_gradient,
]
# What takes its time in every run, and has no part in it.
QUICK = ["-p", "no:hypothesispytest", "-p", "no:unraisableexception"]
USES_XP = "def test_it(xp): assert xp.sum(xp.ones(2)) == 2"
OWN_XP = """
import pytest
@pytest.fixture(params=["numpy", "mine"])
def xp(request):
    return request.param
"""
IN_A_CLASS = """
import pytest
class TestIt:
    @pytest.fixture(params=["numpy", "mine"])
    def xp(self, request):
        return request.param
    def test_it(self, xp):
        assert xp in ("numpy", "mine")
"""
USES_OWN = "def test_it(xp): assert xp in ('numpy', 'mine')"
LINE = "xgrad: *"


class Missing:
    """A finder of modules for which some are not installed."""

    def __init__(self):
        self.names = set()

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture(autouse=True)
def missing(monkeypatch):
    """Names of modules that are not installed: at first that of cupy."""
    finder = Missing()
    sys.meta_path.insert(0, finder)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    finder.names.add("cupy")
    yield finder.names
    sys.meta_path.remove(finder)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("XGRAD_REQUIRE_GPU", "XGRAD_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(pytester):
    return lambda *arguments: pytester.runpytest_inprocess(*QUICK, *arguments)


@pytest.fixture
def run_apart(pytester):
    """The same in a process of its own."""
    return lambda *arguments: pytester.runpytest_subprocess(*QUICK, *arguments)


def _ids(result):
    """The parameters of the tests that ran, in order."""
    return re.findall(r"::test_it\[(.*?)\] [A-Z]", result.stdout.str())


# which backends


def test_by_default_numpy_and_cupy(pytester, run):
    pytester.makepyfile(USES_XP)
    result = run("-v")
    assert _ids(result) == ["numpy", "cupy"]
    result.assert_outcomes(passed=1, skipped=1)


def test_the_value_is_the_namespace(pytester, run):
    pytester.makepyfile("import xgrad\ndef test_it(xp): assert xp is xgrad.namespace()")
    run("-k", "numpy").assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("numpy", ["numpy"]),
        ("array_api_strict,numpy", ["array_api_strict", "numpy"]),
        (" numpy , cupy,", ["numpy", "cupy"]),
        ("numpy,numpy", ["numpy"]),
    ],
)
def test_the_option_and_the_setting_name_others(pytester, run, text, ids):
    pytester.makepyfile(USES_XP)
    assert _ids(run("-v", f"--xgrad-backends={text}")) == ids
    pytester.makeini(f"[pytest]\nxgrad_backends = {text}")
    assert _ids(run("-v")) == ids


def test_the_option_wins_over_the_setting(pytester, run):
    pytester.makepyfile(USES_XP)
    pytester.makeini("[pytest]\nxgrad_backends = array_api_strict")
    result = run("-v", "--xgrad-backends=numpy")
    assert _ids(result) == ["numpy"]


def test_the_setting_may_be_a_list_of_toml(pytester, run):
    pytester.makepyfile(USES_XP)
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nxgrad_backends = ["array_api_strict", "numpy"]'
    )
    assert _ids(run("-v")) == ["array_api_strict", "numpy"]


@pytest.mark.parametrize("text", ["", ",", "numpy,fortran", "auto", "NumPy"])
def test_unknown_names_are_refused_with_those_that_are_known(pytester, run, text):
    pytester.makepyfile("def test_it(): pass")
    message = (
        "must name one or more of numpy, cupy, torch, jax, dask, array_api_strict, "
        f"separated by commas; got {text!r}"
    )
    result = run(f"--xgrad-backends={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--xgrad-backends {message}" in result.stderr.str()
    pytester.makepyprojecttoml(
        f'[tool.pytest.ini_options]\nxgrad_backends = "{text}"',
    )
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"xgrad_backends {message}" in result.stderr.str()


def test_the_names_are_those_of_xgrad():
    assert list(_pytest.BACKENDS) == [backend.name for backend in xgrad.backends()]


def test_the_help_tells_of_option_setting_and_fixtures(pytester, run):
    run("--help").stdout.fnmatch_lines(
        ["*--xgrad-backends=NAMES", "*xgrad_backends (args):*"]
    )
    run("--fixtures").stdout.fnmatch_lines(
        ["*assert_gradient [[]session scope]*", "xp -- *", "*Array namespace*"],
    )


# scopes

SESSION = """
import pytest
@pytest.fixture(scope="session")
def data(xp):
    return xp.ones(3)
"""


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_fixtures_of_the_same_scope_may_use_it(pytester, run, scope):
    pytester.makeini(f"[pytest]\nxgrad_scope = {scope}")
    pytester.makeconftest(SESSION.replace("session", scope))
    pytester.makepyfile("def test_it(xp, data): assert xp.sum(data) == 3")
    result = run("-v", "--xgrad-backends=numpy,array_api_strict")
    assert _ids(result) == ["numpy", "array_api_strict"]
    result.assert_outcomes(passed=2)


def test_without_the_setting_a_test_has_its_own(pytester, run):
    pytester.makeconftest(SESSION)
    pytester.makepyfile("def test_it(data): pass")
    result = run("--xgrad-backends=numpy")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*"])


def test_an_unknown_scope_is_refused(pytester, run):
    pytester.makeini("[pytest]\nxgrad_scope = global")
    assert "xgrad_scope must be one of function, class" in run().stderr.str()


# backends that cannot be used


def test_a_skip_tells_its_reason(pytester, run):
    pytester.makepyfile(USES_XP)
    result = run("-rs")
    result.stdout.fnmatch_lines(
        ["SKIPPED*the backend 'cupy' cannot be used: cupy is not installed.*cuda13x*"]
    )
    result.assert_outcomes(passed=1, skipped=1)


def test_where_a_gpu_is_required_a_skip_of_cupy_is_a_failure(
    pytester, run, monkeypatch, missing
):
    monkeypatch.setenv("XGRAD_REQUIRE_GPU", "1")
    missing.update(["dask", "dask.array"])
    for name in missing:
        monkeypatch.delitem(sys.modules, name, raising=False)
    pytester.makepyfile(USES_XP)
    result = run("--xgrad-backends=numpy,cupy,dask")
    result.assert_outcomes(passed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "xgrad: numpy *; cupy fails: cupy is not installed*; dask skipped: *",
            "XGRAD_REQUIRE_GPU=1, but the backend 'cupy' cannot be used: cupy is not*",
        ]
    )


def test_a_library_that_warns_when_imported_is_not_broken(pytester, run, missing):
    missing.clear()
    pytester.makepyfile(
        USES_XP,
        cupy="""
            import warnings
            warnings.warn("of the library", DeprecationWarning)
            __version__ = "1"
            is_available = bool
        """,
    )
    result = run("-W", "error", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*CuPy is installed, but CUDA does not start*"])


# an `xp` of the user's own


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"conftest": OWN_XP, "test_own": USES_OWN}, []),
        ({"test_own": OWN_XP + USES_OWN}, []),
        ({"test_own": IN_A_CLASS}, []),
        ({"own": OWN_XP, "test_own": f"from own import xp\n{USES_OWN}"}, []),
        (
            {
                "own": OWN_XP,
                "conftest": "pytest_plugins = 'own'",
                "test_own": USES_OWN,
            },
            [],
        ),
        ({"own": OWN_XP, "test_own": USES_OWN}, ["-p", "own"]),
    ],
    ids=["conftest", "module", "class", "imported", "plugin", "-p"],
)
def test_an_own_xp_overrides_ours(pytester, run, files, arguments):
    pytester.makepyfile(**files)
    pytester.syspathinsert()
    result = run("-v", *arguments)
    assert _ids(result) == ["numpy", "mine"]
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line(LINE)


def test_an_own_xp_without_parameters_stays_so(pytester, run):
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef xp(): return 'mine'")
    pytester.makepyfile("def test_it(xp): assert xp == 'mine'")
    result = run("--xgrad-backends=numpy")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(LINE)


def test_an_argument_of_that_name_stays_so(pytester, run):
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("xp", ["numpy", "mine"])
        def test_it(xp):
            assert xp in ("numpy", "mine")
        """
    )
    result = run("-v")
    assert _ids(result) == ["numpy", "mine"]
    result.stdout.no_fnmatch_line(LINE)


def test_an_xp_in_one_folder_leaves_ours_to_the_others(pytester, run):
    own, other = pytester.mkpydir("own"), pytester.mkpydir("other")
    (own / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef xp(): return 'mine'"
    )
    (own / "test_own.py").write_text("def test_own(xp): assert xp == 'mine'")
    (other / "test_other.py").write_text(USES_XP)
    for arguments in (["own", "other"], ["other", "own"], []):
        result = run("-v", *arguments)
        assert _ids(result) == ["numpy", "cupy"]
        result.assert_outcomes(passed=2, skipped=1)


def test_an_own_xp_may_build_on_ours(pytester, run):
    pytester.makeconftest(
        """
        import pytest
        @pytest.fixture
        def xp(xp):
            return [xp]
        """
    )
    pytester.makepyfile("def test_it(xp): assert xp[0].ones(2).sum() == 2")
    result = run("-v")
    assert _ids(result) == ["numpy", "cupy"]
    result.stdout.fnmatch_lines([LINE])


# the line


def test_a_line_tells_what_tests_run_on(pytester, run):
    pytester.makepyfile(f"{USES_XP}\ndef test_other(): pass")
    result = run()
    result.stdout.fnmatch_lines(
        [
            "collected 3 items*",
            f"xgrad: numpy {np.__version__}; cupy skipped: cupy is not installed. *",
        ]
    )


def test_the_line_names_no_backend_that_no_test_uses(pytester, run):
    pytester.makepyfile(USES_XP)
    result = run("-k", "numpy")
    result.stdout.fnmatch_lines([f"xgrad: numpy {np.__version__}"])


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("def test_it(): pass", []),
        ("def test_it(assert_gradient): pass", ["--xgrad-backends=numpy"]),
        (f"{USES_XP}\ndef test_other(): pass", ["-k", "other"]),
        (USES_XP, ["--collect-only"]),
        (
            f"def helper():\n    '''\n    >>> 1\n    1\n    '''\n{USES_XP}",
            ["-k", "hel"],
        ),
    ],
)
def test_no_line_where_no_test_uses_a_backend(pytester, run, code, arguments):
    pytester.makepyfile(code)
    result = run("--doctest-modules", *arguments)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line(LINE)


# what it costs


@pytest.mark.parametrize("arguments", [[], ["--xgrad-backends=torch,jax,cupy"]])
def test_runs_that_do_not_use_it_load_nothing(pytester, run_apart, arguments):
    pytester.makepyfile(
        """
        import sys
        def test_it():
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert "xgrad" in loaded
            assert not loaded & {"numpy", "array_api_compat", "cupy", "torch", "jax"}
            ours = {name for name in sys.modules if name.startswith("xgrad")}
            assert ours == {"xgrad", "xgrad._pytest"}
        """
    )
    run_apart(*arguments).assert_outcomes(passed=1)


def test_it_can_be_left_out(pytester, run_apart):
    pytester.makepyfile("import sys\ndef test_it(): assert 'xgrad' not in sys.modules")
    run_apart("-p", "no:xgrad").assert_outcomes(passed=1)


# assert_gradient


def test_assert_gradient_is_that_of_xgrad(pytester, run_apart):
    pytester.makepyfile(
        """
        import pytest
        import xgrad
        @pytest.fixture(scope="session")
        def check(assert_gradient):
            return assert_gradient
        def test_it(check, assert_gradient):
            assert check is assert_gradient is xgrad.assert_gradient
        """
    )
    run_apart().assert_outcomes(passed=1)


def test_assert_gradient_tells_right_from_wrong(pytester, run_apart):
    pytester.makepyfile(
        """
        def test_right(xp, assert_gradient):
            assert_gradient(lambda x: xp.sum(x**2), lambda x: 2 * x, xp.ones(3))
        def test_wrong(xp, assert_gradient):
            assert_gradient(lambda x: xp.sum(x**2), lambda x: 3 * x, xp.ones(3))
        """
    )
    result = run_apart("--xgrad-backends=numpy")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_wrong[[]numpy] - *"])
