"""Draws of one server's world: gaps between arrivals, work of one call or a bundle of calls, stretched by stalls."""

from __future__ import annotations

import math

import numpy as np

from ..compiled import njit
from .chance import GOLDEN, mix, u01


@njit
def about_normal(key: np.uint64, n: int) -> float:
    """A draw of variance 1 from the sum of the four quarters of one hash: for sums of calls, never for a single one."""
    h = mix(key + GOLDEN * np.uint64(n + 1))
    low = np.uint64(0xFFFF)
    total = (h & low) + ((h >> np.uint64(16)) & low) + ((h >> np.uint64(32)) & low) + (h >> np.uint64(48))
    return (float(total) - 131_070.0) * 2.642905e-5


@njit
def gamma(shape: float, z: float) -> float:
    """A gamma variate of mean `shape` above 1, by the cube of a normal one (Wilson and Hilferty)."""
    root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * math.sqrt(shape))
    return shape * root * root * root if root > 0.0 else 0.0


@njit
def work_of(mean: float, cv: float, u: float, v: float) -> float:
    """Seconds of work of a call: fixed, fixed plus exponential, or (above 1) two-phase exponential."""
    if cv == 0.0:
        return mean
    if cv <= 1.0:
        return mean * (1.0 - cv) - mean * cv * math.log(u)
    p = 0.5 * (1.0 + math.sqrt((cv * cv - 1.0) / (cv * cv + 1.0)))
    return -math.log(u) * mean / (2.0 * p if v < p else 2.0 * (1.0 - p))


@njit
def work_of_many(calls: int, mean: float, cv: float, z: float) -> float:
    """Seconds of work of a bundle."""
    if cv == 0.0:
        return calls * mean
    shape = max(calls / (cv * cv), 1.0)
    return calls * mean * gamma(shape, z) / shape


@njit
def begin(t: float, stall_at: np.ndarray, stall_for: np.ndarray, j: int) -> tuple[float, int]:
    """The first instant from `t` on at which the shard does not stand still, and the first stall that may still matter."""
    while j < stall_at.size and stall_at[j] + stall_for[j] <= t:
        j += 1
    if j < stall_at.size and stall_at[j] <= t:
        return stall_at[j] + stall_for[j], j
    return t, j


@njit
def finish(start: float, work: float, stall_at: np.ndarray, stall_for: np.ndarray, j: int) -> float:
    """When work begun at `start` ends: a stall in between interrupts it, afterwards it goes on."""
    end = start + work
    while j < stall_at.size and stall_at[j] < end:
        if stall_at[j] >= start:
            end += stall_for[j]
        j += 1
    return end


@njit
def take(free: np.ndarray, end: float) -> None:
    """The server that is free first is busy until `end` (a heap, smallest first)."""
    n = free.size
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and free[child + 1] < free[child]:
            child += 1
        if free[child] >= end:
            break
        free[i] = free[child]
        i = child
    free[i] = end


@njit
def arrivals(types: np.ndarray, m: int, left: np.ndarray, parts: np.ndarray, sizes: np.ndarray, gaps: np.ndarray, key: np.uint64) -> int:
    """Shuffle the `m` bundles, size them and place them at random in the unit interval; answers the draws used.

    `left[type]` calls are dealt to `parts[type]` bundles. Single calls are then exactly uniform order statistics.
    """
    used = 0
    total = 0.0
    for i in range(m):
        j = i + int(u01(key, used) * (m - i))
        types[i], types[j] = types[j], types[i]
        kind = types[i]
        size = left[kind] // parts[kind]
        left[kind] -= size
        parts[kind] -= 1
        sizes[i] = size
        gap = gamma(float(size), about_normal(key, used + 1)) if size > 1 else -math.log(u01(key, used + 1))
        used += 2
        total += gap
        gaps[i] = total
    total -= math.log(u01(key, used))
    for i in range(m):
        gaps[i] /= total
    return used + 1
