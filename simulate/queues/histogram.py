"""Histograms of durations: 32 buckets an octave from a nanosecond to hours, integer counts that merge exactly.

A bucket is 2.2 % wide. Sums are kept beside, never computed from buckets. The bucket of a value is found by its exponent
and a table over its leading mantissa bits; the edges are those of the table, so counting and reading agree to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import njit

PER_OCTAVE = 32
LOWEST = -30  # 2**-30 s is about a nanosecond
OCTAVES = 46  # up to 2**16 s
BUCKETS = 2 + PER_OCTAVE * OCTAVES  # bucket 0: nothing at all; the last: beyond
_LEADING = 12  # mantissa bits that decide

_fractions = np.log2(1.0 + np.arange(1 << _LEADING) / (1 << _LEADING)) * PER_OCTAVE
WITHIN = np.minimum(np.floor(_fractions + 1e-9), PER_OCTAVE - 1).astype(np.int64)  # leading bits → bucket in the octave
_starts = np.searchsorted(WITHIN, np.arange(PER_OCTAVE)) / (1 << _LEADING)
EDGES: NDArray[np.float64] = np.concatenate(
    ([0.0], *[(1.0 + _starts) * 2.0 ** (LOWEST + k) for k in range(OCTAVES)], [2.0 ** (LOWEST + OCTAVES), np.inf]),
)  # bucket b holds [EDGES[b], EDGES[b+1])


@njit
def bucket(x: float) -> int:
    """Where `x` seconds belongs."""
    if x < 2.0**-30:
        return 0
    bits = np.float64(x).view(np.int64)
    octave: int = (bits >> 52) - 1023 - LOWEST  # type: ignore[assignment]
    if octave >= OCTAVES:
        return BUCKETS - 1
    within: int = WITHIN[(bits >> (52 - _LEADING)) & ((1 << _LEADING) - 1)]
    return 1 + octave * PER_OCTAVE + within


@njit
def buckets_of(values: np.ndarray, out: np.ndarray) -> None:
    """Count every value."""
    for x in values.flat:
        out[bucket(x)] += 1


def histogram(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The histogram of some durations in seconds."""
    out = np.zeros(BUCKETS, np.int64)
    buckets_of(np.ascontiguousarray(values, np.float64), out)
    return out


def value_at(counts: NDArray[np.int64], q: float) -> float:
    """The q-quantile by interpolation inside its bucket; whether it may be shown is the business of `quantiles`."""
    total = int(counts.sum())
    if total == 0:
        return float("nan")
    upto = np.cumsum(counts)
    rank = q * total
    b = int(np.searchsorted(upto, rank, side="left"))
    b = min(b, counts.size - 1)
    if b == 0:
        return 0.0
    before = float(upto[b - 1])
    low, high = float(EDGES[b]), float(EDGES[b + 1])
    if not np.isfinite(high):
        return low
    return low + (high - low) * max(0.0, min(1.0, (rank - before) / float(counts[b])))
