"""Keyed hashes of 32 bits: the only source of chance in the population, compiled and as numpy.

Nothing here keeps state: a value is a function of (what is asked, key).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import njit

GOLDEN = 0x9E3779B1
FIRST = 0x85EBCA77
SECOND = 0xC2B2AE3D
ODDS = (0x9E3779B1, 0x7FEB352D, 0x846CA68B, 0x2C1B3C6D, 0x297A2D39)  # a key becomes the keys of later rounds by these factors

Ids = NDArray[np.int64]
Table = NDArray[np.uint32]


@njit
def hash32(x: int, key: int) -> int:
    """32 mixed bits of `x` under `key`, as a non-negative integer."""
    h = np.uint32(x * GOLDEN + key)
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * FIRST)
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * SECOND)
    return np.int64(h)  # type: ignore[return-value]  # compiled code has one integer


@njit
def below(x: int, key: int, n: int) -> int:
    """A keyed value in [0, n)."""
    return (hash32(x, key) * n) >> 32


@njit
def load(table: Table, index: int) -> int:
    """`table[index]` as a signed integer, without the check for a negative index."""
    return np.int64(table[np.uintp(index)])  # type: ignore[return-value]


@njit
def wrap(x: int, n: int) -> int:
    """`x` modulo `n` for x in [0, 2n), without a branch."""
    high = np.uint32(x)
    low = np.uint32(x - n)
    return np.int64(min(high, low))  # type: ignore[return-value]


def hash32_array(x: Ids, key: int) -> Ids:
    """`hash32` of every element, by numpy: what the compiled one is tested against."""
    h = (x.astype(np.uint64) * np.uint64(GOLDEN) + np.uint64(key)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((15, FIRST), (13, SECOND)):
        h ^= h >> np.uint64(shift)
        h = (h * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return h.astype(np.int64)


def salt_of(seed: int, purpose: int) -> int:
    """The key for one purpose of one seed; seeds of any size."""
    folded = 0
    while True:
        folded = int(hash32_array(np.array([folded ^ (seed & 0xFFFFFFFF)]), 0x51ED270B)[0])
        seed >>= 32
        if seed == 0:
            return int(hash32_array(np.array([purpose]), folded)[0])
