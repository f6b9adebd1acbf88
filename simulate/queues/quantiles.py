"""Quantiles that may be shown: of batches (blocks, shards or seeds), with an interval, or a gap.

A quantile is shown if at least 100 samples lie above it and they come from at least 20 independent batches or episodes;
autocorrelation, not the number of samples, decides how sure it is, so the interval comes from batch means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from .histogram import BUCKETS, EDGES, value_at
from .model import Floats, Ints

ABOVE_MIN, BATCHES_MIN = 100, 20
BATCHES_MAX = 2_048


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile in seconds with its 95 % interval; `value` None: a gap, and `why`."""

    q: float
    value: float | None
    low: float | None
    high: float | None
    n: int  # samples
    above: int  # of which beyond the value
    n_eff: int  # batches or episodes that those above come from
    why: str = ""


@dataclass(slots=True)
class Batches:
    """Histograms and exact sums of consecutive blocks; neighbours are joined when there are too many."""

    counts: list[Ints] = field(default_factory=list)
    calls: int = 0
    nanoseconds: int = 0
    _joined: int = 1  # blocks a batch
    _open: int = 0  # blocks in the last batch

    def add(self, histogram: Ints, nanoseconds: int) -> None:
        """One more block."""
        self.calls += int(histogram.sum())
        self.nanoseconds += int(nanoseconds)
        if 0 < self._open < self._joined:
            self.counts[-1] = self.counts[-1] + histogram
            self._open += 1
            return
        if len(self.counts) == BATCHES_MAX:
            self.counts = [a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)]
            self._joined *= 2
        self.counts.append(histogram.copy())
        self._open = 1

    @property
    def total(self) -> Ints:
        """All batches together, exactly."""
        return np.sum(self.counts, axis=0) if self.counts else np.zeros(BUCKETS, np.int64)

    @property
    def mean_s(self) -> float:
        """From the exact sum, not from buckets."""
        return self.nanoseconds / self.calls / 1e9 if self.calls else float("nan")

    def mean_interval(self) -> tuple[float, float]:
        """95 % interval of the mean by batch means, each batch by its buckets' middles."""
        middles = np.append((EDGES[:-2] + EDGES[1:-1]) / 2, EDGES[-2])
        means = np.array([float((c * middles).sum() / c.sum()) for c in self.counts if c.sum()])
        return _interval(means, self.mean_s)

    def quantile(self, q: float, episodes: int | None = None) -> Quantile:
        """The q-quantile or a gap. `episodes`: independent causes (stalls, say) of what is above it, if that is known."""
        total = self.total
        n = int(total.sum())
        if n == 0:
            return Quantile(q, None, None, None, 0, 0, 0, "no samples")
        value = value_at(total, q)
        over = int(np.searchsorted(EDGES, value, side="right")) - 1  # the bucket of the value
        above = int(n - np.floor(n * q))
        batches = sum(1 for c in self.counts if c[over:].any())
        n_eff = batches if episodes is None else min(batches, episodes)
        if above < ABOVE_MIN:
            return Quantile(q, None, None, None, n, above, n_eff, f"{above} samples above it, {ABOVE_MIN} needed")
        if n_eff < BATCHES_MIN:
            return Quantile(q, None, None, None, n, above, n_eff, f"{n_eff} independent batches above it, {BATCHES_MIN} needed")
        low, high = _quantile_interval(self.counts, total, value, over)
        return Quantile(q, value, low, high, n, above, n_eff)


def _quantile_interval(counts: list[Ints], total: Ints, value: float, over: int) -> tuple[float, float]:
    """By batch means of the share above the value, turned into seconds by the density about it."""
    sizes = np.array([int(c.sum()) for c in counts], np.float64)
    above = np.array([float(c[over:].sum()) for c in counts])
    share = above.sum() / sizes.sum()
    batches = len(counts)
    spread = float(np.sqrt(((above - share * sizes) ** 2).sum() * batches / (batches - 1)) / sizes.sum())
    half = float(stats.t.ppf(0.975, batches - 1)) * spread
    q = 1.0 - float(total[over:].sum()) / float(total.sum())
    inside = (value - EDGES[over]) / max(EDGES[over + 1] - EDGES[over], 1e-300) * float(total[over]) / float(total.sum())
    at = q + float(inside)
    return value_at(total, max(at - half, 0.0)), value_at(total, min(at + half, 1.0))


def _interval(means: NDArray[np.float64], middle: float) -> tuple[float, float]:
    if means.size < 2:
        return float("-inf"), float("inf")
    half = float(stats.t.ppf(0.975, means.size - 1) * means.std(ddof=1) / np.sqrt(means.size))
    return middle - half, middle + half


def interval_of(values: Floats) -> tuple[float, float, float]:
    """Mean of independent batches with its 95 % interval."""
    mean = float(values.mean())
    low, high = _interval(values, mean)
    return mean, low, high
