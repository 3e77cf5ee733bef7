"""Second attempts at code with objects: methods, layers in lists, base classes."""

from __future__ import annotations

import abc
import dataclasses
import functools
import gc
import math
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
from cases.second_attempts import second
from cases.tape import slope_by_differences, slope_on_tape

from xgrad._autodiff.twins import twin_class, twin_of
from xgrad._tracing import NotTraceableError, is_library

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


class Layer:
    """A layer that fills an array, and keeps it for later."""

    count = 0

    def __init__(self, scale):
        self.scale, self.output = scale, None

    def forward(self, x):
        self.output = np.zeros((2, *x.shape))
        self.output[0], self.output[1] = x * self.scale, x**2
        return self.output.sum(axis=0)


class Activated(Layer):
    """A derived layer, with a property and methods of its base."""

    def __init__(self, scale):
        super().__init__(scale * 2)
        self.activation = math.tanh

    def forward(self, x):
        return super().forward(x) + self.activation(x[0]) * self.weight

    @property
    def weight(self):
        return np.array([self.scale, 1.0])[0]


class Model(abc.ABC):
    """Layers by their names, as in textbooks."""

    def __init__(self):
        self.layers = OrderedDict(first=Layer(1.0), second=Activated(0.5))
        self.last, self.library = Layer(0.3), np

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x) / 3
        Layer.count += 1
        return self.last.forward(x)

    def loss(self, x):
        y = self.predict(x)
        total = self.library.zeros(1)
        total[0] = np.sum(y * y)
        return total

    @abc.abstractmethod
    def __call__(self, x):
        """Return the loss, in a derived class."""

    def __add__(self, other):
        y = np.zeros(2)
        y[0] = other[0] * len(self)
        return y

    def __len__(self):
        return len(self.layers)


class Network(Model):
    """A model that can be called."""

    def __call__(self, x):
        return self.loss(x)


@dataclasses.dataclass
class Parameters:
    """A data class with two ways to make one."""

    weights: object
    scale: float = 2.0

    @classmethod
    def of(cls, x):
        return cls(np.array([x[0], 1.0]))

    @staticmethod
    def angle(x):
        return math.cos(x[1])

    def __getattr__(self, name):
        if name == "made_up":
            return 3.0
        raise AttributeError(name)


def filled(x):
    y = np.zeros(2)
    y[1] = x[0]
    return y


MODEL = Network()
STAGES = [filled, np.zeros, Layer(2.0)]
TABLE = {"sine": math.sin, "filled": filled, "constants": [1.0, {"deep": filled}]}
HOLDER = SimpleNamespace(function=filled)


def made_in_the_function(x):
    model = Network()
    is_as_usual = isinstance(model, Model) and isinstance(MODEL, Model)
    return model.loss(x) * (2 if is_as_usual and type(model) is Network else 1)


def data_class(x):
    p = Parameters.of(x)
    return p.weights * p.scale * p.made_up + Parameters(x).weights[2] + p.angle(x)


def from_containers(x):
    y = STAGES[1](2)
    y[0] = TABLE["sine"](x[0])
    return y + STAGES[0](x) + TABLE["constants"][1]["deep"](x) * STAGES[2].forward(x)[0]


@functools.cache
def parts_of_a_model(module):
    """Return an object, a class, a function and a module, which a cache keeps."""
    return Layer(2.0), Layer, filled, module


def from_a_cache(x):
    layer, kind, function, module = parts_of_a_model(np)
    is_same = parts_of_a_model(np)[0] is layer
    y = module.zeros(2)
    y[0] = layer.forward(x)[0] * is_same
    return y + kind(3.0).forward(x)[1] + function(x)


def method_of_a_local_object():
    layer = Activated(1.5)
    return lambda x: layer.forward(x)


FUNCTIONS = {
    "a method that is called": lambda x: MODEL.loss(x),
    "a bound method": MODEL.loss,
    "a callable object": MODEL,
    "operators": lambda x: (MODEL + x) * len(MODEL),
    "made in the function": made_in_the_function,
    "a data class": data_class,
    "containers": from_containers,
    "a cache": from_a_cache,
    "a closure": method_of_a_local_object(),
    "a base class by name": lambda x: Layer.forward(MODEL.last, x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_methods_are_exact(name):
    f = FUNCTIONS[name]
    exact, expected = slope_on_tape(second(f), X.copy()), slope_by_differences(f, X)
    np.testing.assert_allclose(exact.value, expected.value, rtol=1e-14)
    np.testing.assert_allclose(exact.gradient, expected.gradient, rtol=1e-7, atol=1e-8)


def test_objects_and_classes_of_the_user_are_shared():
    layer, before = Layer(2.0), dict(vars(Layer))
    count = Layer.count
    slope_on_tape(second(lambda x: layer.forward(x)), X)
    assert type(layer) is Layer
    assert layer.output.shape == (2, 5)
    slope_on_tape(second(MODEL.loss), X)
    assert Layer.count == count + 1
    assert {**vars(Layer), "count": count} == before
    assert type(MODEL.last) is Layer
    assert type(MODEL.layers["first"]) is Layer


def test_a_cache_of_the_user_holds_originals():
    parts_of_a_model.cache_clear()
    slope_on_tape(second(from_a_cache), X)
    assert parts_of_a_model.cache_info().currsize == 1
    assert type(parts_of_a_model(np)[0]) is Layer
    assert parts_of_a_model.cache_info().currsize == 1


def test_twins_are_ordinary_objects_outside_of_a_call():
    made = []

    def f(x):
        made.append(Layer(3.0))
        return made[0].forward(x)

    slope_on_tape(second(f), X)
    np.testing.assert_array_equal(made[0].forward(X), Layer(3.0).forward(X))


def changes_a_list(x):
    STAGES.append(x[0])
    return x * 1.0


def changes_an_attribute(x):
    MODEL.layers["third"] = Layer(1.0)
    return x * 1.0


@pytest.mark.parametrize("f", [changes_a_list, changes_an_attribute])
def test_changes_of_copied_containers_are_refused(f):
    with pytest.raises(NotTraceableError, match="a change of a list or dict"):
        slope_on_tape(second(f), X)
    assert len(STAGES) == 3
    assert len(MODEL.layers) == 2


class Slotted:
    """A class without a dict to share."""

    __slots__ = ("x",)


class Registered:
    """A class that wants to know of classes derived from it."""

    rate = 2.0

    def __init_subclass__(cls):
        raise AssertionError

    def filled(self, x):
        y = np.zeros(2)
        y[0] = x[0] * self.rate
        return y


class Mixed(Slotted):
    """A class of objects with slots and a dict."""

    def __init__(self, x):
        self.x = x
        self.y = 3.0


class Closing:
    """A class whose objects close something when they go."""

    def __del__(self):
        raise AssertionError


class Failure(ValueError):
    """An error, which is caught by its class."""


@pytest.mark.parametrize("kind", [Closing, Failure, np.poly1d, int])
def test_classes_without_twins(kind):
    assert twin_class(kind, is_library) is None


def test_objects_with_slots_have_no_twins():
    slotted = Slotted()
    assert twin_of(slotted, is_library) is slotted


def test_objects_with_slots_and_a_dict_share_both():
    mixed = Mixed(2.0)
    twin = twin_of(mixed, is_library)
    assert twin is not mixed
    assert (twin.x, twin.y, type(twin).__name__) == (2.0, 3.0, "Mixed")


def test_hooks_see_no_classes_of_twins():
    registered = Registered()
    found = slope_on_tape(second(lambda x: registered.filled(x)), X)
    np.testing.assert_array_equal(found.value, [2 * X[0], 0])
    assert isinstance(twin_of(registered, is_library), Registered)
    assert isinstance(registered, twin_class(Registered, is_library))


def catches_its_error(x):
    try:
        raise Failure
    except Failure:
        return np.array([x[0]])


def test_errors_of_the_user_are_caught():
    found = slope_on_tape(second(catches_its_error), X)
    assert found.value == X[:1]


def test_nothing_is_left_to_the_collector():
    functions = [second(f) for f in FUNCTIONS.values()]
    for f in functions:
        slope_on_tape(f, X)
    gc.collect()
    gc.disable()
    try:
        for f in functions:
            slope_on_tape(f, X)
            assert gc.collect() == 0
    finally:
        gc.enable()
