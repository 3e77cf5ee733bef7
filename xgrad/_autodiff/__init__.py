"""Exact derivatives of plain functions of NumPy and CuPy arrays."""

from __future__ import annotations

from xgrad._autodiff import contractions as contractions
from xgrad._autodiff import decompositions as decompositions
from xgrad._autodiff import fourier as fourier
from xgrad._autodiff import inverses as inverses
from xgrad._autodiff import kinks as kinks
from xgrad._autodiff.backward import pull_back as pull_back
from xgrad._autodiff.custom import custom_vjp as custom_vjp
from xgrad._autodiff.recording import Recording as Recording
from xgrad._autodiff.recording import is_nested as is_nested
from xgrad._autodiff.recording import record as record
from xgrad._autodiff.substitution import substituted as substituted
from xgrad._autodiff.tape import Tape as Tape
from xgrad._autodiff.taped import Taped as Taped
