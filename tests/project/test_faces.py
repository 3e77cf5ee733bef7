"""Public modules show public names only, and their objects say where they live."""

import importlib
import pickle
from types import FunctionType

import pytest

import xgrad
from xgrad import losses

FACES = ("check", "diff", "losses", "metrics", "plot", "special", "testing")


def face(name):
    return importlib.import_module(f"xgrad.{name}")


def has_a_home(value):
    """Whether it is a class, a function or a loss, and no alias of types."""
    return isinstance(value, type | FunctionType | losses.Loss)


@pytest.mark.parametrize("name", FACES)
def test_completion_shows_public_names_only(name):
    shown = {word for word in dir(face(name)) if not word.startswith("__")}
    assert shown == set(face(name).__all__)


@pytest.mark.parametrize("name", FACES)
def test_a_star_import_brings_public_names_only(name):
    names = {}
    exec(f"from xgrad.{name} import *", names)
    names.pop("__builtins__")
    assert names.keys() == set(face(name).__all__)


@pytest.mark.parametrize("name", FACES)
def test_objects_name_a_public_module(name):
    for word in face(name).__all__:
        value = getattr(face(name), word)
        if has_a_home(value):
            assert "._" not in value.__module__, word
            assert getattr(importlib.import_module(value.__module__), word) is value


def test_names_of_the_root_come_from_a_public_module():
    for word in xgrad.__all__:
        value = getattr(xgrad, word)
        if has_a_home(value):
            assert "._" not in value.__module__, word


@pytest.mark.parametrize("name", FACES)
def test_public_objects_can_be_pickled_by_name(name):
    for word in face(name).__all__:
        value = getattr(face(name), word)
        if has_a_home(value):
            assert pickle.loads(pickle.dumps(value)) is value
            module, _, attribute = f"{value.__module__}.{word}".rpartition(".")
            assert f"{module}\n{attribute}".encode() in pickle.dumps(value, protocol=0)
