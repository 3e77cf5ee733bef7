"""Numba: exp, log and log1p as polynomials that the compiler can vectorise.

LLVM has no exponential for the registers of a CPU: a loop with a call to the C library
takes one number at a time. These functions have no branches and no tables, so that a
loop around them becomes one of SIMD instructions. ``benchmarks/kernel_polynomials.py``
derives the coefficients by Remez's algorithm, and measures the errors.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from xgrad._kernels.numba_compile import OPTIONS, inlined

# exp(r) = 1 + r + r**2 q(r) for abs(r) <= log(2) / 2. The relative error is 3.1e-9 for
# the 5 coefficients of float32 and 1.2e-17 for the 10 of float64.
EXP_32 = (
    0.49999993451514996145,
    0.16666520689432354195,
    0.041668387394793947386,
    0.0083687098609969819043,
    0.0013814611843158430538,
)
EXP_64 = (
    0.50000000000000106168,
    0.16666666666666412776,
    0.0416666666665302659,
    0.0083333333334943329902,
    0.0013888888943597711496,
    0.00019841269506779700393,
    0.000024801493136177504993,
    2.7557586266351828126e-6,
    2.7630233921259341655e-7,
    2.5000072315545461707e-8,
)
# atanh(s) / s = 1 + z g(z) for z = s**2 <= 1/9. The relative error is 4.6e-9 for the 4
# coefficients of float32 and 3.5e-18 for the 10 of float64.
ATANH_32 = (
    0.33333206566331965031,
    0.20010849530638750907,
    0.13999570523920246213,
    0.14012229485511033316,
)
ATANH_64 = (
    0.33333333333333151901,
    0.20000000000078621707,
    0.14285714273926904057,
    0.11111111984867849969,
    0.090908719623822971842,
    0.076932799632548897411,
    0.066504867707828567823,
    0.060530432974565565321,
    0.041700500452184605285,
    0.085092888913831926486,
)


def _constants(dtype: Any, values: tuple[float, ...]) -> list[Any]:
    return [dtype(value) for value in values]


@intrinsic  # type: ignore[untyped-decorator]
def bits(context: Any, x: Any) -> Any:
    """Return the bits of a float as an integer, or those of an integer as a float."""
    of_floats = {types.float32: types.int32, types.float64: types.int64}
    others = of_floats | {integer: real for real, integer in of_floats.items()}

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return builder.bitcast(arguments[0], kind)

    return others[x](x), generate


@intrinsic  # type: ignore[untyped-decorator]
def larger(context: Any, a: Any, b: Any) -> Any:
    """Return the larger of two floats; nan if one is nan.

    The comparison of Python depends on the order then, which forbids to vectorise it.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        shape = ir.FunctionType(kind, [kind, kind])
        function = builder.module.declare_intrinsic("llvm.maximum", [kind], shape)
        return builder.call(function, arguments)

    return a(a, a), generate


@intrinsic  # type: ignore[untyped-decorator]
def add(context: Any, a: Any, b: Any) -> Any:
    """Return the sum of two floats, which may be grouped with others in any order.

    A loop that adds by it has several accumulators. The order is the compiler's and the
    same in every call.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments, flags=("reassoc", "nsz"))

    return a(a, a), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of an entry, which need not exist, before it is read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        number = ir.IntType(32)
        address = builder.bitcast(
            builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer()
        )
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [address.type],
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
        )
        # To be read, into all caches, and data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


def exp(x: Any) -> Any:
    """Return exp(x) of a number up to 71 (float64: 672), or nan of nan.

    Results below the smallest normal number are rounded as they should be.
    """
    raise NotImplementedError("for compiled functions only")


def lifted_exp(x: Any) -> Any:
    """Return exp(x) times 2**24 (float64: 2**53) of such a number, or nan of nan.

    ``n`` is ``x / log(2)`` rounded, ``r = x - n log(2)``, and ``exp(x) = 2**n exp(r)``.
    It is a normal number unless exp(x) rounds to 0, and 0 of -inf. For sums and
    quotients of exponentials, which save the product that takes the power away.
    """
    raise NotImplementedError("for compiled functions only")


def log(x: Any) -> Any:
    """Return log(x): -inf of 0, and nan of nan. The number must not be negative.

    ``x = 2**n m`` with ``m`` between the roots of 1/2 and 2, and ``log(m) =
    2 atanh((m - 1) / (m + 1))``.
    """
    raise NotImplementedError("for compiled functions only")


def minus_log_share(own: Any, others: Any) -> Any:
    """Return log((own + others) / own), to all digits near 0.

    ``own`` is a normal number, and ``others`` is not negative. The quotient is
    ``2**n m`` with ``m`` of 2**-0.59 to 2**0.59, and ``log(m) = 2 atanh(s)`` with
    ``s = (own + others - 2**n own) / (own + others + 2**n own)``, which is the only
    division. If ``n`` is 0, the numerator is ``others`` with all its digits.
    """
    raise NotImplementedError("for compiled functions only")


def log1p(x: Any) -> Any:
    """Return log(1 + x) = 2 atanh(x / (2 + x)) of a number in [0, 1], or nan of nan."""
    raise NotImplementedError("for compiled functions only")


_A0, _A1, _A2, _A3, _A4 = _constants(np.float32, EXP_32)
_B0, _B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9 = _constants(np.float64, EXP_64)
_C0, _C1, _C2, _C3 = _constants(np.float32, ATANH_32)
_D0, _D1, _D2, _D3, _D4, _D5, _D6, _D7, _D8, _D9 = _constants(np.float64, ATANH_64)


@inlined
def _exp_tail_32(r: Any) -> Any:
    return _A0 + r * (_A1 + r * (_A2 + r * (_A3 + r * _A4)))


@inlined
def _exp_tail_64(r: Any) -> Any:
    high = _B5 + r * (_B6 + r * (_B7 + r * (_B8 + r * _B9)))
    return _B0 + r * (_B1 + r * (_B2 + r * (_B3 + r * (_B4 + r * high))))


@inlined
def _atanh_tail_32(z: Any) -> Any:
    return _C0 + z * (_C1 + z * (_C2 + z * _C3))


@inlined
def _atanh_tail_64(z: Any) -> Any:
    high = _D5 + z * (_D6 + z * (_D7 + z * (_D8 + z * _D9)))
    return _D0 + z * (_D1 + z * (_D2 + z * (_D3 + z * (_D4 + z * high))))


def _log_2_in_parts(dtype: Any, digits: int) -> tuple[Any, Any]:
    """Return log(2) as a number of so many binary digits, and the rest."""
    with localcontext(prec=50):
        exact = Decimal(2).ln()
        high = int(exact * 2**digits) / 2.0**digits
        return dtype(high), dtype(float(exact - Decimal(high)))


def _lift(dtype: Any) -> int:
    """Return the least power of two that makes normal numbers of all."""
    return int(np.finfo(dtype).nmant) + 1


def _lifted_exp_of(dtype: Any, integer: Any, tail: Any) -> Any:
    """Return `lifted_exp` for one dtype, and integers of its width."""
    info = np.finfo(dtype)
    width, one = integer(info.nmant), dtype(1)
    bias = _lift(dtype) + 1 - info.minexp
    # 1.5 * 2**nmant has no digits after the point: what is added to it is rounded to an
    # integer, which then stands in its lowest bits. With the bias of exponents these
    # are the bits of 2**(n + lift), up to n = 103 and 970.
    shifter = dtype(1.5 * 2.0**info.nmant + bias)
    per_log_2 = dtype(1 / np.log(2))
    # exp(least) is below half of the smallest number, and n + bias is 0: so is 2**n.
    least = dtype(-bias * np.log(2))
    # n has 8 bits in float32 and 11 in float64: n * high is exact with or without fma.
    high, low = _log_2_in_parts(dtype, info.nmant - 11)

    def function(x: Any) -> Any:
        x = least if x < least else x
        shifted = x * per_log_2 + shifter
        n = shifted - shifter
        r = x - n * high - n * low
        return (one + r * (one + r * tail(r))) * bits(integer(bits(shifted) << width))

    return function


def _exp_of(dtype: Any) -> Any:
    """Return `exp` for one dtype."""
    back = dtype(2.0 ** -_lift(dtype))

    def function(x: Any) -> Any:
        return lifted_exp(x) * back

    return function


def _log_of(dtype: Any, integer: Any, tail: Any) -> Any:
    """Return `log` for one dtype, and integers of its width."""
    info = np.finfo(dtype)
    width = integer(info.nmant)
    one, zero, infinity = dtype(1), dtype(0), dtype(np.inf)
    two, log_2 = dtype(2), dtype(np.log(2))
    # Numbers that are not normal are made so, by a power of two.
    tiny, lift, lifted = info.tiny, dtype(2.0**info.nmant), dtype(info.nmant)
    # The bits of the root of 1/2, at which m begins: n is how many powers of two later.
    border = integer(int(dtype(np.sqrt(0.5)).view(integer)))

    def function(x: Any) -> Any:
        pattern = bits(x * lift if x < tiny else x)
        n = integer((pattern - border) >> width)
        m = bits(integer(pattern - (n << width)))
        exponent = dtype(n) - (lifted if x < tiny else zero)
        s = (m - one) / (m + one)
        z = s * s
        value = exponent * log_2 + two * (s + s * (z * tail(z)))
        value = value if x > zero else -infinity
        return value if x < infinity else x

    return function


def _minus_log_share_of(dtype: Any, integer: Any, tail: Any) -> Any:
    """Return `minus_log_share` for one dtype, and integers of its width."""
    width, log_2, two = integer(np.finfo(dtype).nmant), dtype(np.log(2)), dtype(2)
    half = integer(1 << (int(width) - 1))

    def function(own: Any, others: Any) -> Any:
        total = own + others
        # Bits are logarithms but for 0.09, so that n is off by 0.59 at most.
        n = integer(integer(integer(bits(total) - bits(own)) + half) >> width)
        nearest = bits(integer(bits(own) + (n << width)))
        s = (others if n == 0 else total - nearest) / (total + nearest)
        z = s * s
        return dtype(n) * log_2 + two * (s + s * (z * tail(z)))

    return function


def _log1p_of(dtype: Any, tail: Any) -> Any:
    """Return `log1p` for one dtype."""
    two = dtype(2)

    def function(x: Any) -> Any:
        s = x / (two + x)
        z = s * s
        return two * (s + s * (z * tail(z)))

    return function


def _define(name: Any, of_float32: Any, of_float64: Any) -> None:
    """Let compiled functions take one of two functions by the dtype of ``x``."""

    def choose(x: Any) -> Any:
        return {types.float32: of_float32, types.float64: of_float64}.get(x)

    def choose_for_two(own: Any, others: Any) -> Any:
        return choose(own)

    takes_two = of_float32.__code__.co_argcount == 2
    overload(name, jit_options=OPTIONS)(choose_for_two if takes_two else choose)


_SINGLE, _DOUBLE = (np.float32, np.int32), (np.float64, np.int64)
_define(
    lifted_exp,
    _lifted_exp_of(*_SINGLE, _exp_tail_32),
    _lifted_exp_of(*_DOUBLE, _exp_tail_64),
)
_define(exp, _exp_of(np.float32), _exp_of(np.float64))
_define(log, _log_of(*_SINGLE, _atanh_tail_32), _log_of(*_DOUBLE, _atanh_tail_64))
_define(
    minus_log_share,
    _minus_log_share_of(*_SINGLE, _atanh_tail_32),
    _minus_log_share_of(*_DOUBLE, _atanh_tail_64),
)
_define(
    log1p, _log1p_of(np.float32, _atanh_tail_32), _log1p_of(np.float64, _atanh_tail_64)
)
