"""Keyed hashes of 32 bits: the only source of chance in the population, compiled and as numpy.

Nothing here keeps state: a value is a function of (what is asked, key).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..compiled import inlined

GOLDEN = 0x9E3779B1
FIRST = 0x85EBCA77
SECOND = 0xC2B2AE3D
ODDS = (0x9E3779B1, 0x7FEB352D, 0x846CA68B, 0x2C1B3C6D, 0x297A2D39)  # a key becomes the keys of later rounds by these factors

Ids = NDArray[np.int64]
Table = NDArray[np.uint32]
Scratch = NDArray[np.uint32]  # lines of words for one call


# Casts that compiled code has and the type checker need not know: there, an integer is an integer.
u32 = cast("Callable[[int], int]", np.uint32)
u64 = cast("Callable[[int], int]", np.uint64)
i64 = cast("Callable[[int], int]", np.int64)
index = cast("Callable[[int], int]", np.uintp)


@inlined
def mix(x: int, key: int) -> int:
    """32 mixed bits of `x` under `key`, unsigned: all arithmetic in 32 bits, so that loops use the widest vectors."""
    h = u32(u32(x) * u32(GOLDEN) + u32(key))
    h = u32(h ^ (h >> u32(15)))
    h = u32(h * u32(FIRST))
    h = u32(h ^ (h >> u32(13)))
    return u32(h * u32(SECOND))


@inlined
def below32(x: int, key: int, n: int) -> int:
    """A keyed value in [0, n), unsigned."""
    return u32((u64(mix(x, key)) * u64(u32(n))) >> u64(32))


@inlined
def wrap32(x: int, n: int) -> int:
    """`x` modulo `n` for x in [0, 2n), without a branch, unsigned."""
    high = u32(x)
    low = u32(high - u32(n))
    return min(high, low)


@inlined
def hash32(x: int, key: int) -> int:
    """32 mixed bits of `x` under `key`, as a non-negative integer of 64 bits."""
    return i64(mix(x, key))


@inlined
def below(x: int, key: int, n: int) -> int:
    """A keyed value in [0, n)."""
    return (hash32(x, key) * n) >> 32


@inlined
def load(table: Table, place: int) -> int:
    """`table[place]` as a signed integer, without the check for a negative index."""
    return i64(table[index(place)])


@inlined
def wrap(x: int, n: int) -> int:
    """`x` modulo `n` for x in [0, 2n)."""
    return i64(wrap32(x, n))


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
