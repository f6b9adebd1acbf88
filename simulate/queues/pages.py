"""Pages: requests that ask several shards at once and wait for the slowest.

Waits are those of the shards actually hit, at the instant at which the page comes: never independent draws, so a page of
forty shards meets a stall as often as one of forty shards stalls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compiled import njit
from .chance import fill_u01, key_of, place, u01
from .draws import work_of
from .histogram import histogram
from .model import Floats, Ints
from .shards import CLOSED
from .trace import MEAN_WAIT, P_SHED, P_WAIT, Trace


@dataclass(frozen=True, slots=True)
class Asks:
    """One step of a page at one tier: calls of a kind to `fan` different shards, or to the shards listed page by page."""

    kind: int  # position in the server's kinds
    fan: int
    shards: Ints | None = None  # [page, fan]; None: drawn, all different
    weights: Floats | None = None  # [shard] where draws go; None: evenly


@dataclass(frozen=True, slots=True)
class Pages:
    """What a sample of pages met in one step; steps of a page add up page by page."""

    t_us: Ints
    seconds: Floats  # [page] of the slowest shard; infinite where a shard refused
    slowest: Ints  # [page] the shard that was it

    def then(self, more: Pages) -> Pages:
        """This step, and after it another of the same pages."""
        return Pages(self.t_us, self.seconds + more.seconds, np.where(more.seconds > self.seconds, more.slowest, self.slowest))

    def histogram(self) -> tuple[Ints, int]:
        """Counts by bucket and the exact sum in nanoseconds, of pages that were answered."""
        answered = self.seconds[np.isfinite(self.seconds)]
        return histogram(answered), int(np.rint(answered * 1e9).astype(np.int64).sum())


def instants(trace: Trace, pages: int, seed: int) -> Ints:
    """Instants of a block, spread evenly with a draw in each part."""
    width = trace.rows.shape[1] * trace.window_us
    key = key_of(seed, "pages", trace.window0)
    draws = np.empty(pages)
    fill_u01(np.uint64(key), 0, draws)
    at: Ints = trace.window0 * trace.window_us + np.floor((np.arange(pages) + draws) * width / pages).astype(np.int64)
    return at


def pages_at(trace: Trace, asks: Asks, t_us: Ints, seed: int) -> Pages:
    """What pages that come at `t_us` wait for in this step."""
    seconds, slowest = np.zeros(t_us.size), np.zeros(t_us.size, np.int64)
    shards = trace.rows.shape[0]
    fan = min(asks.fan, shards) if asks.shards is None else asks.shards.shape[1]
    listed = np.empty((0, fan), np.int64) if asks.shards is None else np.ascontiguousarray(asks.shards, np.int64)
    up_to = np.cumsum(np.full(shards, 1.0 / shards) if asks.weights is None else asks.weights / asks.weights.sum())
    key = np.uint64(key_of(seed, "fork-join", trace.server.tier.value, asks.kind))
    _slowest(
        key, t_us - trace.window0 * trace.window_us, trace.window_us, fan, listed, up_to, asks.weights is None, trace.work_s[asks.kind],
        trace.variation[asks.kind], trace.rows, trace.grid, trace.how, seconds, slowest,
    )  # fmt: skip
    return Pages(t_us, seconds, slowest)


@njit
def _slowest(key: np.uint64, at: np.ndarray, window_us: int, fan: int, listed: np.ndarray, up_to: np.ndarray, even: bool, mean: np.ndarray,
             cv: float, rows: np.ndarray, grid: np.ndarray, how: np.ndarray, seconds: np.ndarray, slowest: np.ndarray) -> None:  # fmt: skip
    hit, top = np.full(up_to.size, -1, np.int64), mean.max()
    for p in range(at.size):
        draw = place(key, p, at[p])
        w, into = at[p] // window_us, at[p] % window_us
        g, n, enough = into * grid.shape[2] // window_us, 0, np.inf
        for f in range(fan):
            if listed.shape[0]:
                s = listed[p, f]
            else:
                s = _where(up_to, u01(draw, n), even)
                n += 1
                while hit[s] == p:  # all different: the next free one
                    s = (s + 1) % up_to.size
                hit[s] = p
            took = _one(draw, 1_000_000 + 4 * f, s, w, g, mean[s], cv, rows, grid, how, enough)
            if took > seconds[p] or f == 0:
                seconds[p], slowest[p] = took, s
                if 0.0 < cv <= 1.0 and took < np.inf:
                    enough = np.exp(-(took - top * (1.0 - cv)) / (top * cv)) * (1.0 + 1e-9)


@njit
def _where(up_to: np.ndarray, u: float, even: bool) -> int:
    """The first place above `u`. Where all are as likely, it is at most one beside where it should be."""
    if not even:
        return min(int(np.searchsorted(up_to, u, side="right")), up_to.size - 1)
    s = min(int(u * up_to.size), up_to.size - 1)
    while s > 0 and up_to[s - 1] > u:
        s -= 1
    while s < up_to.size - 1 and up_to[s] <= u:
        s += 1
    return s


@njit
def _one(draw: np.uint64, n: int, s: int, w: int, g: int, mean: float, cv: float, rows: np.ndarray, grid: np.ndarray,
         how: np.ndarray, enough: float) -> float:  # fmt: skip
    """Seconds of one call. Without a wait and with a draw of at least `enough` it cannot be the slowest, and counts as nothing."""
    if rows[s, w, P_SHED] > 0.0 and u01(draw, n) < rows[s, w, P_SHED]:
        return np.inf
    if how[s, w] == CLOSED:
        share, u = rows[s, w, P_WAIT], u01(draw, n + 1)
        wait = -rows[s, w, MEAN_WAIT] / share * np.log(u / share) if u < share else 0.0
    else:
        wait = grid[s, w, g]
    u = u01(draw, n + 2)
    if wait == 0.0 and u >= enough:
        return 0.0
    return wait + work_of(mean, cv, u, u01(draw, n + 3))
