"""Functions of a vector as people write them: NumPy and `math` hide what they do.

They fill arrays, make arrays of entries, and hand entries to `math`.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy import array, linalg, zeros

import xgrad
from cases import helpers_of_users
from cases.helpers_of_users import total

SIZE, WEIGHTS = 3, [1.0, 2.0, 3.0]
portable = xgrad.namespace("numpy")
squares = np.vectorize(lambda v: math.cos(v) if v > 0 else v * v)


def filled(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] ** 2
    return y


def filled_table(x):
    y = zeros((len(x), len(x)))
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            y[i, j] = a * b + j
    return y @ x


def filled_ones(x):
    y = np.ones_like(WEIGHTS)
    y[1:] *= x[:2]
    y += x[2]
    return y


def filled_by_rows(x):
    y = np.empty((2, len(x)))
    y[0], y[1] = x, np.full(len(x), x[0])
    return y


def list_of_entries(x):
    return np.array([x[0], 2 * x[1], 1.0]) ** 2


def list_of_lists(x):
    rotation = array([[np.cos(x[0]), -np.sin(x[0])], [np.sin(x[0]), np.cos(x[0])]])
    return rotation @ np.asarray([x[1], 1.0], float)


def appended(x):
    path = [x[0]]
    for i in range(1, len(x)):
        path.append(path[-1] + 0.1 * math.sin(x[i]))
    return np.array(path)


def lists_as_arguments(x):
    return (
        np.sum([x[0], x[1]]) + linalg.norm([x[0], x[2]]) + np.dot([x[0], 2.0], x[1:3])
    )


def joined_lists(x):
    return np.concatenate([[x[0]], [x[1], 2.0], x]) * np.r_[x[0], 1.0, x, 3.0]


def columns(x):
    return np.c_[x, np.ones(len(x))] @ np.hstack([x[0], 1.0])


def comprehensions(x):
    return np.array([[a * b for a in x] for b in x if b > 0]) * sum(v for v in x)


def generator(x):
    return np.fromiter((math.exp(v) for v in x), dtype=float)


def own_generator(x):
    def steps():
        state = np.zeros(2)
        for v in x:
            state[0], state[1] = state[1], v
            yield state[0] * state[1]

    return np.array(list(steps()))


def nested_functions(x):
    def inner(v):
        y = np.zeros(2)
        y[0] = v
        return y * (lambda w: math.sin(w))(v)

    return inner(x[0]) + inner(x[1])


def calls_another_module(x):
    return helpers_of_users.table_of(x) * total(x)


def recursion(x):
    return helpers_of_users.factorial_like(x, 3)


def default_arguments(x, make=np.zeros, *, functions=math):
    y = make(3)
    y[0], y[2] = functions.log(x[0], 2), make(1)[0]
    return y * x[0]


def imports_inside(x):
    from math import hypot

    import numpy as numbers
    import numpy.linalg as algebra
    from numpy import full

    y = full(2, x[1])
    y[0] = hypot(x[0], x[2])
    return numbers.array([algebra.norm(y), y[0]])


def global_module_of_user(x):
    return helpers_of_users.SCALE * np.array([x[0], SIZE])


def portable_namespace(x):
    y = portable.zeros(3)
    y[0], y[1:] = x[0], x[:2]
    return y


def namespace_of_the_array(x):
    y = x.__array_namespace__().zeros(2)
    y[1] = x[0]
    return y


def converted(x):
    y, z = np.asarray(x, dtype=float), np.array(x)
    z[0] = 3 * x[1]
    return np.asanyarray(y) * np.ascontiguousarray(z) * np.copy(WEIGHTS)[0]


def asks_for_classes(x):
    is_as_usual = isinstance(x, np.ndarray) and isinstance(x[0], float)
    return x**2 if is_as_usual and np.isscalar(x[0]) else x


def vectorized(x):
    return squares(x) + np.vectorize(lambda a, b: a * math.atan(b))(x, 2.0)


def tried(x):
    try:
        return math.log(x[0])
    except ValueError:
        return x[0]


def fails_in_mathematics(x):
    try:
        return math.sqrt(x[1])
    except ValueError:
        return x[1] * 3


def branches_and_loops(x):
    y, n = np.zeros(2), 0
    while y[0] < 3 and n < 10:
        y[0] += math.fabs(x[n % len(x)])
        n += 1
    return y * n


def euler(x):
    states = np.zeros((10, 2))
    states[0] = x[:2]
    for i in range(9):
        a, b = states[i]
        states[i + 1] = [a + 0.1 * math.sin(b), b - 0.1 * a * x[2]]
    return states


def views_of_made_arrays(x):
    y = np.zeros((3, 2))
    row, flat = y[1], y.reshape(-1)
    row[:] = x[:2]
    flat[::2] += x[2:5]
    return y.T * row.sum()


def constants_stay_constants(x):
    grid = np.linspace(0, 1, 3)
    values = np.eye(3)[0] + np.arange(3.0) + [float(v) for v in grid]
    return np.outer(values, x) + int(grid.sum())


def mutable_closure():
    count = 0

    def f(x):
        nonlocal count
        count += 1
        y = np.zeros(2)
        y[0] = x[0] * 2
        return y

    return f


def closures():
    numbers, own, made, ones = np, filled, zeros, np.ones

    def recursive(x, n):
        return own(x)[0] if n == 0 else numbers.array([recursive(x, n - 1), x[n]])[0]

    def f(x):
        y, z = made(2), ones(2)
        y[0], z[1] = recursive(x, 2), x[1]
        return y * z

    return f


def in_its_own_closure():
    table = {}

    def even(x, n):
        return x[0] if n == 0 else table["odd"](x, n - 1)

    def odd(x, n):
        return math.sin(even(x, n - 1)) + again(x)

    table["odd"] = odd
    again = functools.partial(lambda f, x: np.array([x[1], f is odd])[0], odd)
    return functools.partial(lambda n, x: np.array([even(x, n)]), 4)


class Model:
    """An object of the user whose methods fill arrays."""

    scale = 3.0

    def __call__(self, x):
        return self.method(x) if False else np.array([x[0] * self.scale, x[1]])

    def method(self, x):
        y = np.zeros(2)
        y[0] = x[0] * self.scale
        return y

    @staticmethod
    def plain(x):
        return np.array([x[0], math.cos(x[1])])

    @classmethod
    def of_class(cls, x):
        return np.array([x[0] * cls.scale, math.cos(x[1])])


WRITTEN_FOR_NUMPY = [
    filled,
    filled_table,
    filled_ones,
    filled_by_rows,
    list_of_entries,
    list_of_lists,
    appended,
    lists_as_arguments,
    joined_lists,
    columns,
    comprehensions,
    generator,
    own_generator,
    nested_functions,
    calls_another_module,
    recursion,
    default_arguments,
    imports_inside,
    global_module_of_user,
    portable_namespace,
    namespace_of_the_array,
    converted,
    asks_for_classes,
    vectorized,
    tried,
    fails_in_mathematics,
    branches_and_loops,
    euler,
    views_of_made_arrays,
    constants_stay_constants,
    mutable_closure(),
    closures(),
    in_its_own_closure(),
    lambda x: np.array([math.sin(v) for v in x]),
    lambda x: (np.zeros(2) + x[0]) * np.array([x[1], 1.0]),
    functools.partial(default_arguments, make=np.ones),
    functools.partial(lambda n, x: np.array([n * x[0]]), 3.0),
    Model().method,
    Model(),
    Model.plain,
    Model.of_class,
    math.fsum,
    np.array,
]
