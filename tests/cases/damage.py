"""Damage files at random, for readers that must refuse them."""

from __future__ import annotations

import random


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A file with some bytes changed, cut or doubled."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        kind, at = rng.randrange(4), rng.randrange(len(changed) or 1)
        if kind == 0 and changed:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            del changed[at : at + rng.choice([1, 4, 100])]
        elif kind == 2:
            changed[at:at] = changed[at : at + rng.choice([1, 4, 100])]
        else:
            changed[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f" * 4])
    return bytes(changed)
