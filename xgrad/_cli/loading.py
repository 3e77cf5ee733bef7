"""Functions, points and namespaces from the words of a command line."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from xgrad._arrays import BackendUnavailable, is_numpy, namespace


class Mistake(Exception):
    """An error in the arguments, which the user has to correct."""


def load_namespace(name: str) -> Any:
    """Return the namespace of a backend that the option ``--backend`` names."""
    try:
        return namespace(name)
    except (BackendUnavailable, ValueError) as error:
        raise Mistake(str(error).replace("`name`", "--backend")) from None


def load_function(words: str) -> Any:
    """Import a function that is written as ``module:name`` or ``file.py:name``."""
    module_name, colon, path = words.rpartition(":")
    if not (module_name and colon and path):
        raise Mistake(f"write {words!r} as module:name, for example losses:slope")
    value = _import(module_name)
    for name in path.split("."):
        if not hasattr(value, name):
            near = difflib.get_close_matches(name, dir(value), 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise Mistake(f"{module_name!r} has no {name!r}{hint}")
        value = getattr(value, name)
    if not callable(value):
        raise Mistake(f"{words!r} is of type {type(value).__name__}, not a function")
    return value


def _import(name: str) -> Any:
    # `python -P` and callers of `main` do not have the current folder on the path.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if name.endswith(".py"):
        return _import_file(Path(name))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that fails to import another one is the user's code: its traceback
        # says more than that a module is missing.
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Mistake(
                f"there is no module {error.name!r} in {here}, nor is it installed"
            ) from None
        raise


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise Mistake(f"there is no file {path} in {Path.cwd()}")
    # A script may import its neighbours.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs, as by an import: dataclasses look up their module.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def load_point(xp: Any, words: str) -> Any:
    """Return the array of a file or of numbers, or the dict of arrays of an .npz."""
    path = Path(words)
    if path.suffix in (".npy", ".npz") or path.exists():
        point = _read(path)
    else:
        point = _numbers(words)
    if isinstance(point, dict):
        return {name: _to_namespace(xp, values) for name, values in point.items()}
    return _to_namespace(xp, point)


def _read(path: Path) -> Any:
    try:
        # Pickled objects could run code.
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
    except FileNotFoundError:
        raise Mistake(f"there is no file {path} in {Path.cwd()}") from None
    except (OSError, ValueError, EOFError):
        raise Mistake(
            f"{path} holds no array of numbers: write it with numpy.save or numpy.savez"
        ) from None


def _numbers(words: str) -> Any:
    try:
        return np.array([float(number) for number in words.split(",")])
    except ValueError:
        raise Mistake(
            f"--at {words!r} is neither a file nor numbers: pass an .npy or .npz, or "
            "for example --at 1.5,2"
        ) from None


def _to_namespace(xp: Any, values: Any) -> Any:
    return values if is_numpy(xp) else xp.asarray(values)
