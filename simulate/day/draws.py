"""Keyed draws of a day, compiled: minutes by a region's clock, binomials. The same number for the same key, whoever asks."""

# mypy: disable-error-code="arg-type, assignment, return-value"
# (compiled code has one kind of integer where numpy has many)

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..compiled import njit
from ..population.chance import mix, normal_quantile, unit

Floats = npt.NDArray[np.float64]
Sums = npt.NDArray[np.int64]
Small = npt.NDArray[np.uint32]

MINUTES = 1440
GUIDE_BITS = 12
CLOCK_CELLS = (1 << GUIDE_BITS) + MINUTES + 1  # a region: for each part of 2^32 the minute it begins in, then where minutes begin
BINOMIAL_EXACT = 9.0  # variance up to which a binomial is inverted; above it a rounded normal
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@njit
def minute_of(clock: Small, base: int, share: int) -> int:
    """The minute at which a share of a region's day, in parts of 2^32, is reached."""
    minute = np.int64(clock[base + (share >> (32 - GUIDE_BITS))])
    at = base + (1 << GUIDE_BITS)
    while minute < MINUTES - 1 and np.int64(clock[at + minute + 1]) <= share:
        minute += 1
    return minute


@njit
def minutes_into(key: int, count: int, clock: Small, base: int, out: Sums) -> None:
    """Drawn minutes, so many."""
    bits = np.uint64(0)
    for k in range(count):
        bits = np.uint64(mix(key, k >> 1)) if k & 1 == 0 else bits >> HALF
        out[k] = minute_of(clock, base, np.int64(bits & LOW))


@njit
def binomial(n: int, p: float, bits: int) -> int:
    """How many of n, by inversion of one uniform number."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    u = unit(bits)
    variance = n * p * (1.0 - p)
    if variance > BINOMIAL_EXACT:
        return min(n, max(0, np.int64(math.floor(n * p + math.sqrt(variance) * normal_quantile(u) + 0.5))))
    few = min(p, 1.0 - p)
    term = math.exp(n * math.log(1.0 - few))
    total, count = term, 0
    while total < u and count < n:
        count += 1
        term *= (n - count + 1) / count * few / (1.0 - few)
        total += term
    return count if p <= 0.5 else n - count


@njit
def scatter(count: int, shares: Floats, key: int, out: Sums) -> None:
    """Deal `count` things to cells by their shares, adding to `out`: a multinomial, one binomial a cell, nothing lost."""
    left = count
    rest = 1.0
    for cell in range(len(shares)):
        if left == 0:
            return
        last = cell == len(shares) - 1 or rest <= shares[cell]
        dealt = left if last else binomial(left, shares[cell] / rest, mix(key, cell))
        out[cell] += dealt
        left -= dealt
        rest -= shares[cell]


@njit
def scatter_rows(counts: Sums, shares: Floats, key: int, out: Sums) -> None:
    """`scatter` of every count into its own row of `out`, laid out (cells, counts)."""
    dealt = np.zeros(len(shares), np.int64)
    for at in range(len(counts)):
        dealt[:] = 0
        scatter(counts[at], shares, mix(key, at), dealt)
        for cell in range(len(shares)):
            out[cell * len(counts) + at] += dealt[cell]


def clock_table(by_region: Floats) -> Small:
    """Curves of the regions' days, (regions, 1440), as `minute_of` reads them."""
    parts = []
    for curve in by_region:
        reached = np.concatenate(([0.0], np.cumsum(curve)))
        thresholds = np.minimum(np.rint(reached / reached[-1] * 2.0**32), 2**32 - 1).astype(np.uint32)
        cells = np.arange(1 << GUIDE_BITS, dtype=np.uint64) << np.uint64(32 - GUIDE_BITS)
        guide = np.searchsorted(thresholds.astype(np.uint64), cells, side="right") - 1
        parts += [np.clip(guide, 0, MINUTES - 1).astype(np.uint32), thresholds]
    return np.concatenate(parts)
