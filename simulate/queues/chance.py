"""Chance for the queues: every draw is a keyed hash of what it is for, so that neither threads nor order can change it.

A key names the place (seed, tier, shard, window); the n-th draw of a place is `u01(key, n)`. Nothing here keeps a state.
"""

from __future__ import annotations

import numpy as np

from ..compiled import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
MASK = (1 << 64) - 1


@njit
def mix(x: np.uint64) -> np.uint64:
    """The finalizer of splitmix64."""
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return x ^ (x >> np.uint64(31))


@njit
def place(seed: np.uint64, a: int, b: int) -> np.uint64:
    """The key of one place: of shard `a` and window `b`, say."""
    return mix(mix(seed + GOLDEN * np.uint64(a + 1)) + GOLDEN * np.uint64(b + 1))


@njit
def u01(key: np.uint64, n: int) -> float:
    """The n-th draw of a place, strictly between 0 and 1."""
    return (float(mix(key + GOLDEN * np.uint64(n + 1)) >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16


@njit
def fill_u01(key: np.uint64, start: int, out: np.ndarray) -> None:
    """Draws start, start + 1, … of a place."""
    for i in range(out.size):
        out[i] = u01(key, start + i)


def key_of(*parts: int | str) -> int:
    """A 64-bit key of whatever names a thing; the same in every process."""
    key = 0
    for part in parts:
        for byte in part.encode() if isinstance(part, str) else (part & MASK).to_bytes(8, "little"):
            key = ((key ^ byte) * 0x100000001B3 + 0x9E3779B97F4A7C15) & MASK
        key = _mix(key)
    return key


def split(u: float, n: int) -> float:
    """The n-th of the independent draws that one u01 stands for."""
    return ((_mix((int(u * 2**53) + 0x9E3779B97F4A7C15 * (n + 1)) & MASK) >> 11) + 0.5) * 2**-53


def _mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)
