"""The table of functions and libraries is what calls of the functions say."""

import pytest
from tools import backends_page

import xgrad

pytestmark = pytest.mark.filterwarnings("ignore")
USABLE = {backend.name for backend in xgrad.backends() if backend.available}


@pytest.fixture
def float64_in_jax():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def shown():
    """The outcomes of the table by room and name; "all" stands for each name."""
    lines = [
        line.strip("| \n").split(" | ") for line in backends_page.shown().splitlines()
    ]
    for label, *outcomes in lines[2:]:
        room, _, names = label.partition(": ")
        for name in names.split(", `"):
            yield (
                (room, name.strip("`")),
                dict(zip(backends_page.COLUMNS, outcomes, strict=True)),
            )


@pytest.mark.thorough
@pytest.mark.parametrize("library", backends_page.COLUMNS)
def test_the_table_is_true(library, request):
    if library in ("jax", "jit"):
        request.getfixturevalue("float64_in_jax")
    elif library not in USABLE:
        pytest.skip(f"{library} is not installed")
    table = dict(shown())
    wrong = []
    for room, name, call, arrays in backends_page.rows():
        outcomes = table.get((room, name)) or table[room, "all"]
        outcome = backends_page.outcome(call, arrays, library)
        if outcome != outcomes[library]:
            wrong.append((room, name, outcome, outcomes[library]))
    assert not wrong


def test_every_function_stands_in_the_table():
    table = dict(shown())
    for room, name, _, _ in backends_page.rows():
        assert (room, name) in table or (room, "all") in table, (room, name)
