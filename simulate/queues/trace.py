"""What a block of a tier met: by shard and window the load, the waits and what was turned away; histograms over the tier.

A trace is read by pages and by calls of the sampled core, and freed after. The wait at an instant is one number a shard,
the same for everybody who comes then: waits of a page's shards are as dependent as the shards are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .closed import response_tail, spread, upper_edges, waiting_tail
from .histogram import BUCKETS
from .model import Floats, Ints, Server
from .shards import BINS, BUNDLED, CLOSED, DOWN, EXACT

RHO, P_WAIT, MEAN_WAIT, LONGEST, P_SHED, P_TIMEOUT, STALLED = range(7)


@dataclass(frozen=True, slots=True)
class Trace:
    """One block of one tier."""

    server: Server
    window0: int
    window_us: int
    work_s: Floats  # [kind, shard] mean work of a call
    variation: Floats  # [kind]
    rows: Floats  # [shard, window, 7]: rho, p_wait, mean wait, longest wait, p_shed, p_timeout, share of time stalled
    grid: Floats  # [shard, window, instants] the wait that an arrival then would meet; of windows not in closed form
    how: NDArray[np.uint8]  # [shard, window] CLOSED, EXACT, BUNDLED or DOWN
    responses: Ints  # [kind, bucket] what callers wait: answers, and time-outs at their limit
    waits: Ints  # [bucket]
    sums: Ints  # [kind, 3] calls that waited, ns waited, ns of responses: exact beside the histograms
    per_request: int  # calls looked at one by one, or in bundles
    closed: int  # calls by closed form

    @property
    def rho(self) -> Floats:
        """[shard, window] work offered over what the servers can do."""
        return self.rows[:, :, RHO]

    @property
    def p_shed(self) -> Floats:
        """[shard, window] share of the calls turned away."""
        return self.rows[:, :, P_SHED]

    @property
    def shares(self) -> dict[str, float]:
        """How the shard-windows were computed; to be printed."""
        names = {"closed form": CLOSED, "per request": EXACT, "in bundles": BUNDLED, "down": DOWN}
        return {name: float((self.how == code).mean()) for name, code in names.items()}

    def wait_at(self, shard: int, t_us: int, u: float) -> float:
        """Seconds that an arrival at `t_us` waits for a server; `u` matters only where the shard is calm."""
        window, into = divmod(t_us - self.window0 * self.window_us, self.window_us)
        row = self.rows[shard, window]
        if self.how[shard, window] == CLOSED:
            return _calm_wait(row[P_WAIT], row[MEAN_WAIT], u)
        return float(self.grid[shard, window, into * self.grid.shape[2] // self.window_us])

    def covers(self, t_us: int) -> bool:
        """Whether `t_us` falls into this block."""
        return 0 <= t_us - self.window0 * self.window_us < int(self.rows.shape[1]) * self.window_us


def calm_histograms(bins: Floats, work_s: Floats, variation: Floats) -> tuple[Ints, Ints, Ints]:
    """Responses by kind, waits and sums of the windows that went by closed form, added up in bins of rho."""
    kinds = work_s.shape[0]
    responses, waits, sums = np.zeros((kinds, BUCKETS), np.int64), np.zeros(BUCKETS, np.int64), np.zeros((kinds, 3), np.int64)
    by_shard = bins[:, BINS, :kinds]
    calls = by_shard.sum(axis=0)
    mean = (by_shard.T * work_s).sum(axis=1) / np.maximum(calls, 1.0)
    edges = upper_edges()
    for row in bins[:, :BINS].sum(axis=0):
        n = row[:kinds].sum()
        if n == 0:
            continue
        share, wait, square = row[kinds:] / n
        waits += spread(int(n), waiting_tail(edges, share, wait, square))
        for k in np.flatnonzero(row[:kinds]):
            tail = response_tail(edges, share, wait, square, mean[k], variation[k])
            responses[k] += spread(int(row[k]), tail)
            sums[k] += (int(row[k]), round(row[k] * wait * 1e9), round(row[k] * (wait + mean[k]) * 1e9))
    return responses, waits, sums


def _calm_wait(share: float, mean: float, q: float) -> float:
    if share <= 0.0 or q <= 1.0 - share or mean <= 0.0:
        return 0.0
    return float(-mean / share * np.log((1.0 - q) / share))
