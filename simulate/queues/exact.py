"""One window of one shard, call by call: Lindley for one server, Kiefer and Wolfowitz for several, first come first served.

Callers give up on the response, are refused at the door, come back later; what a stall or a crash does is known to the
instant. Counts are of calls: a bundle of n consecutive calls of a kind arrives, waits and is decided as one, and counts n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import njit
from .chance import u01
from .draws import about_normal, begin, finish, take, work_of, work_of_many
from .histogram import bucket

FIRST, RETRIED, SERVED, SHED, TIMED_OUT, RETRIES, GIVEN_UP = range(7)  # columns of a ledger
WAITED, WAITS, LONGEST = 0, 1, 5  # columns of a window's row, beside its outcomes


class Knobs(NamedTuple):
    """The scalars of a server that the compiled code needs."""

    window_s: float
    closed_below: float
    events_max: int
    timeout_s: float
    abandoned_is_done: bool
    shed_wait_s: float
    retry_p: float
    backoff_s: float
    unbounded: bool
    budget: float
    burst: float


@njit
def deal(counts: np.ndarray, mean: np.ndarray, events_max: int, levels: int, parts: np.ndarray, types: np.ndarray) -> int:
    """How many bundles of each type, listed in `types`: single calls while they fit, else bundles of about equal work."""
    calls = 0
    work = 0.0
    for ty in range(counts.size):
        calls += counts[ty]
        work += counts[ty] * mean[ty // levels]
    quantum = work / events_max
    m = 0
    for ty in range(counts.size):
        size = 1
        if calls > events_max:
            size = max(1, int(quantum / mean[ty // levels]))
        parts[ty] = -(-counts[ty] // size)
        for _ in range(parts[ty]):
            types[m] = ty
            m += 1
    return m


@njit
def come_back(calls: int, kind: int, level: int, after: float, window: int, knobs: Knobs, pool: np.ndarray, tokens: np.ndarray,
              counts: np.ndarray, u: float) -> None:  # fmt: skip
    """Of `calls` that failed, those that try again, each in the window in which its pause ends; the rest give up."""
    levels, ring = pool.shape[1], pool.shape[2]
    again = 0
    if knobs.retry_p > 0.0 and (knobs.unbounded or level + 1 < levels):
        again = int(min(calls * knobs.retry_p + u, tokens[0]))
        tokens[0] -= again
    if again > 0:
        pause = after + knobs.backoff_s * (1.0 + u01(np.uint64(u * 2.0**53), level))
        slot = min(max(int(pause / knobs.window_s), 1), ring - 1)
        pool[kind, min(level + 1, levels - 1), (window + slot) % ring] += again
        counts[kind, RETRIES] += again
    counts[kind, GIVEN_UP] += calls - again


@njit
def ends(calls: int, kind: int, which: int, end: float, window: int, last: int, knobs: Knobs, t0: float, due: np.ndarray) -> None:
    """Remember what ends after the block."""
    at = window + int((end - t0) / knobs.window_s)
    if at >= last:
        ring = due.shape[2]
        due[kind, which, min(at, last + ring - 1) % ring] += calls


@njit
def note(kind: int, calls: int, wait: float, response: float, sums: np.ndarray, row: np.ndarray, responses: np.ndarray,
         waits: np.ndarray) -> None:  # fmt: skip
    """What `calls` waited, in the sums and in the histograms."""
    row[WAITED] += calls
    row[WAITS] += calls * wait
    row[LONGEST] = max(row[LONGEST], wait)
    sums[kind, 0] += calls
    sums[kind, 1] += calls * int(wait * 1e9 + 0.5)
    sums[kind, 2] += calls * int(response * 1e9 + 0.5)
    waits[bucket(wait)] += calls
    responses[kind, bucket(response)] += calls


@njit
def look(g: int, until: float, t0: float, knobs: Knobs, free: np.ndarray, stall_at: np.ndarray, stall_for: np.ndarray, j: int,
         grid: np.ndarray) -> int:  # fmt: skip
    """Keep the wait that an arrival would meet at each instant of the grid up to `until`; answers the next instant."""
    while g < grid.size:
        seen = t0 + (g + 0.5) / grid.size * knobs.window_s
        if seen > until:
            break
        grid[g] = begin(max(seen, free[0]), stall_at, stall_for, j)[0] - seen
        g += 1
    return g


@njit
def per_request(types: np.ndarray, m: int, sizes: np.ndarray, places: np.ndarray, used: int, key: np.uint64, levels: int,
                mean: np.ndarray, cv: np.ndarray, knobs: Knobs, t0: float, window: int, last: int, free: np.ndarray,
                stall_at: np.ndarray, stall_for: np.ndarray, j: int, down_from: float, down_until: float,
                pool: np.ndarray, due: np.ndarray, tokens: np.ndarray, counts: np.ndarray, responses: np.ndarray,
                waits: np.ndarray, sums: np.ndarray, row: np.ndarray, grid: np.ndarray) -> int:  # fmt: skip
    """All arrivals of a window in their order. Answers the first stall that may still matter.

    `sums[kind]` gets calls that waited, ns waited and ns of responses; `row` the same of the window, and each outcome.
    """
    g, next_look = 0, t0 + 0.5 / grid.size * knobs.window_s
    far = (last - window - 1) * knobs.window_s  # what ends sooner ends within the block
    for i in range(m):
        t = t0 + places[i] * knobs.window_s
        if next_look <= t:
            g = look(g, t, t0, knobs, free, stall_at, stall_for, j, grid)
            next_look = t0 + (g + 0.5) / grid.size * knobs.window_s
        kind, calls, chance = types[i] // levels, sizes[i], used + 3 * i
        if down_from <= t:
            for s in range(free.size):  # what was under way is lost
                free[s] = min(free[s], down_until)
        start, j = begin(max(t, free[0]), stall_at, stall_for, j)
        wait = start - t
        what, failed_at = SHED, t
        if not (down_from <= t < down_until or wait > knobs.shed_wait_s):
            if calls == 1:
                work = work_of(mean[kind], cv[kind], u01(key, chance + 1), u01(key, chance + 2))
            else:
                work = work_of_many(calls, mean[kind], cv[kind], about_normal(key, chance + 1))
            end = finish(start, work, stall_at, stall_for, j)
            response = end - t - work + work / calls
            what = SERVED if response <= knobs.timeout_s else TIMED_OUT
            if what == SERVED or knobs.abandoned_is_done or wait <= knobs.timeout_s:
                take(free, end)
            response = min(response, knobs.timeout_s)
            failed_at = t + response
            if t < down_from < failed_at:
                what, failed_at = SHED, down_from
            else:
                if failed_at - t0 >= far:
                    ends(calls, kind, what - SERVED >> 1, failed_at, window, last, knobs, t0, due)
                note(kind, calls, min(wait, response), response, sums, row, responses, waits)
        counts[kind, what] += calls
        row[what] += calls
        if what != SERVED:
            come_back(calls, kind, types[i] % levels, failed_at - t0, window, knobs, pool, tokens, counts, u01(key, chance))
    look(g, t0 + knobs.window_s, t0, knobs, free, stall_at, stall_for, j, grid)
    return j
