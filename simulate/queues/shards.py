"""A range of shards through the windows of a block: calm windows by closed form, all others call by call.

Shards never meet here, and every sum is of integers or kept a shard apart: threads cannot change a result.
"""

from __future__ import annotations

import numpy as np

from ..compiled import njit
from .chance import place, u01
from .closed import laws_of, moments
from .draws import arrivals
from .exact import FIRST, LONGEST, RETRIED, SERVED, SHED, TIMED_OUT, WAITED, WAITS, Knobs, deal, per_request

CLOSED, EXACT, BUNDLED, DOWN = range(4)
BINS = 64  # of rho, in which calm windows are summed


@njit
def demand(calls: np.ndarray, pool: np.ndarray, waiting: int, w: int, window: int, offered: np.ndarray, counts: np.ndarray,
           tokens: np.ndarray, knobs: Knobs) -> int:  # fmt: skip
    """Fill `offered[type]` with first attempts and, if any are `waiting`, those whose pause ends now; answers how many come back."""
    kinds, levels, ring = pool.shape
    back = 0
    for k in range(kinds):
        first = calls[k, w]
        offered[k * levels] = first
        if first > 0 and tokens[0] < knobs.burst:
            tokens[0] = min(knobs.burst, tokens[0] + knobs.budget * first)
    if waiting == 0:
        return 0
    slot = window % ring
    for k in range(kinds):
        for level in range(levels):
            n = pool[k, level, slot]
            pool[k, level, slot] = 0
            counts[k, RETRIED] += n
            back += n
            offered[k * levels + level] = n + (offered[k * levels] if level == 0 else 0)
    return back


@njit
def load_of(offered: np.ndarray, levels: int, mean: np.ndarray, back: int) -> float:
    """Seconds of work in what is offered; `back`: whether retries are among it."""
    work = 0.0
    for k in range(mean.size):
        for level in range(levels if back else 1):
            work += offered[k * levels + level] * mean[k]
    return work


@njit
def smooth(calls: np.ndarray, w: int, rate: np.ndarray) -> int:
    """Follow the rate of each kind over about a thousand calls: the noise of a count is in the closed form already.

    Answers the calls of this window.
    """
    n, total = 0, 0.0
    for k in range(rate.size):
        total += rate[k]
    weight = min(1.0, max(total / 1000.0, 0.001))  # by the rate, not by the count: else large counts weigh more
    for k in range(rate.size):
        n += calls[k, w]
        rate[k] += weight * (calls[k, w] - rate[k])
    return n


@njit
def standing(t0: float, t1: float, stall_at: np.ndarray, stall_for: np.ndarray, j: int) -> tuple[float, int]:
    """Seconds of [t0, t1) that the shard stands still, and the first stall that may still matter; none before `j` does."""
    while j < stall_at.size and stall_at[j] + stall_for[j] <= t0:
        j += 1
    total, i = 0.0, j
    while i < stall_at.size and stall_at[i] < t1:
        total += max(0.0, min(t1, stall_at[i] + stall_for[i]) - max(t0, stall_at[i]))
        i += 1
    return total, j


@njit
def enter(calls: np.ndarray, rate: np.ndarray, counts: np.ndarray) -> None:
    """The block's first attempts, and the mean rate of each kind to begin with."""
    for k in range(rate.size):
        rate[k] = calls[k].mean()
        counts[k, FIRST] += calls[k].sum()


@njit
def leave(was_calm: bool, span: float, served: np.ndarray, free: np.ndarray, counts: np.ndarray, bins: np.ndarray) -> None:
    """What closed forms `served` joins the sums; the servers' times are of the block's end."""
    for k in range(served.size):
        counts[k, SERVED] += served[k]
        bins[BINS, k] += served[k]
    for i in range(free.size):
        free[i] = -1.0 if was_calm else max(free[i] - span, 0.0)


@njit
def wake(free: np.ndarray, t0: float, calm: np.ndarray, now: np.ndarray, key: np.uint64) -> None:
    """A queue as the closed form leaves it, for the first window that is looked at call by call."""
    if calm[5] == 0.0 and now[0] < 1.0:
        calm[:] = now
    p_wait, mean, service, busy = calm[1], calm[2], calm[4], calm[5]
    u = u01(key, -1)
    if free.size == 1:
        free[0] = t0 - (mean / p_wait * np.log(u / p_wait) if p_wait > 0.0 and u < p_wait else 0.0)
        return
    for s in range(free.size):
        free[s] = t0 if s >= int(busy + u) else t0 - service * np.log(u01(key, -2 - s))
    free.sort()


@njit
def keep_calm(w: int, calls: np.ndarray, n: int, now: np.ndarray, served: np.ndarray, bins: np.ndarray, rows: np.ndarray) -> None:
    """A window by closed form: everything is served, and added up with others of the same rho."""
    rows[w, 1], rows[w, 2] = now[1], now[2]
    kinds, b = calls.shape[0], int(now[0] * BINS)
    for k in range(kinds):
        served[k] += calls[k, w]
        bins[b, k] += calls[k, w]
    for i in range(3):
        bins[b, kinds + i] += n * now[1 + i]


@njit
def describe(w: int, n: int, row: np.ndarray, rows: np.ndarray) -> None:
    """A window that was looked at call by call: (…, mean wait, longest, p_shed, p_timeout, …)."""
    if row[WAITED] > 0.0:
        rows[w, 2] = row[WAITS] / row[WAITED]
    rows[w, 3] = row[LONGEST]
    if n > 0:
        rows[w, 4], rows[w, 5] = row[SHED] / n, row[TIMED_OUT] / n


@njit
def run_shard(shard: int, calls: np.ndarray, mean: np.ndarray, cv: np.ndarray, knobs: Knobs, erlang: np.ndarray, seed: np.uint64,
              window0: int, watched: bool, free: np.ndarray, stall_at: np.ndarray, stall_for: np.ndarray, down_from: float,
              down_until: float, pool: np.ndarray, due: np.ndarray, tokens: np.ndarray, counts: np.ndarray, responses: np.ndarray,
              waits: np.ndarray, sums: np.ndarray, bins: np.ndarray, rows: np.ndarray, grid: np.ndarray, how: np.ndarray) -> None:  # fmt: skip
    """One shard through the windows; `rows[window]` gets (rho, p_wait, mean wait, longest, p_shed, p_timeout, stalled)."""
    kinds, windows = calls.shape
    levels, width = pool.shape[1], knobs.window_s
    limit = 2 * knobs.events_max + kinds * levels
    types, sizes, gaps = np.empty(limit, np.int64), np.empty(limit, np.int64), np.empty(limit)
    offered, parts = np.zeros(kinds * levels, np.int64), np.zeros(kinds * levels, np.int64)
    row, calm, now, rate, served = np.zeros(6), np.zeros(6), np.zeros(6), np.zeros(kinds), np.zeros(kinds, np.int64)
    laws = laws_of(mean, cv)
    enter(calls, rate, counts)
    waiting = pool.sum()
    was_calm, j, next_stall = free.max() < 0.0, 0, 0  # calm: so the last block left it
    for w in range(windows):
        window, t0 = window0 + w, w * width
        back = demand(calls, pool, waiting, w, window, offered, counts, tokens, knobs)
        waiting -= back
        n = smooth(calls, w, rate)
        moments(rate, laws, free.size, width, erlang, now)  # rho, p_wait, mean, square, service, erlangs
        rows[w, 0] = rho = load_of(offered, levels, mean, back) / (width * free.size)
        stalled, next_stall = standing(t0, t0 + width, stall_at, stall_for, next_stall)
        rows[w, 6] = stalled / width
        down = down_from < t0 + width and t0 < down_until
        small = now[4] + 2.0 * rho * width * free.size / knobs.events_max * (n > knobs.events_max)  # what a bundle may leave
        quiet = now[0] < knobs.closed_below and rho < 0.5 * (1.0 + knobs.closed_below)
        if quiet and back == 0 and rows[w, 6] == 0.0 and not (down or watched) and (was_calm or free.max() <= t0 + small):
            keep_calm(w, calls, n, now, served, bins, rows)
            calm[:] = now
            how[w], was_calm = CLOSED, True
            continue
        key = place(seed, shard, window)
        if was_calm:
            wake(free, t0, calm, now, key)
            was_calm = False
        n += back
        m = deal(offered, mean, knobs.events_max, levels, parts, types)
        used = arrivals(types, m, offered, parts, sizes, gaps, key)
        row[:] = 0.0
        j = per_request(types, m, sizes, gaps, used, key, levels, mean, cv, knobs, t0, window, window0 + windows, free,
                        stall_at, stall_for, j, down_from, down_until, pool, due, tokens, counts, responses, waits, sums, row,
                        grid[w])  # fmt: skip
        how[w] = DOWN if down else (EXACT if n <= knobs.events_max else BUNDLED)
        describe(w, n, row, rows)
        waiting = pool.sum()
    leave(was_calm, windows * width, served, free, counts, bins)


@njit
def run_shards(low: int, high: int, calls: np.ndarray, mean: np.ndarray, cv: np.ndarray, knobs: Knobs, erlang: np.ndarray,
               seed: np.uint64, window0: int, watched: np.ndarray, free: np.ndarray, stalls_from: np.ndarray, stall_at: np.ndarray,
               stall_for: np.ndarray, down: np.ndarray, pool: np.ndarray, due: np.ndarray, tokens: np.ndarray, counts: np.ndarray,
               responses: np.ndarray, waits: np.ndarray, sums: np.ndarray, bins: np.ndarray, rows: np.ndarray, grid: np.ndarray,
               how: np.ndarray) -> None:  # fmt: skip
    """Shards `low` to `high`; `responses` and `waits` belong to this call alone, all else is indexed by shard."""
    for s in range(low, high):
        a, b = stalls_from[s], stalls_from[s + 1]
        run_shard(s, calls[:, s, :], mean[:, s], cv, knobs, erlang, seed, window0, watched[s], free[s], stall_at[a:b], stall_for[a:b],
                  down[s, 0], down[s, 1], pool[s], due[s], tokens[s : s + 1], counts[s], responses, waits, sums[s], bins[s], rows[s],
                  grid[s], how[s])  # fmt: skip
