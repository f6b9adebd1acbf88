"""Standing still: garbage collection, compaction, forks, failovers as an explicit duty cycle a shard.

Each cause stalls a shard once a period at a drawn instant; the sequence is a function of (seed, shard, period), so blocks of
any length see the same stalls. The stall budget says how many seconds a day and shard a promise survives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..compiled import njit
from .chance import key_of, place, u01
from .model import Floats, Ints, Stall

DAY_S = 86_400.0
AHEAD_S = 120.0  # stalls after the block that work begun in it may still meet


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a shard may stand still a day before a page of `shards` breaks its promise at `quantile`."""

    shards: int
    quantile: float
    seconds_a_day: float  # standing still is all that counts
    with_queue: float  # the queue that a stall leaves behind counts too
    planned: float  # what the causes in force amount to

    @property
    def holds(self) -> bool:
        return self.planned <= self.with_queue


def stall_budget(shards: int, quantile: float, *, rho: float = 0.0, slack_s: float = 0.0, stalls: tuple[Stall, ...] = ()) -> Budget:
    """The stall budget of pages that wait for `shards` shards, each stalling on its own.

    A stall of D s spoils a page that arrives while more than `slack_s` of it, and of the queue behind it, is ahead:
    (D - slack)/(1 - rho) s. Causes that stall all shards together are charged once a page, so they count for less.
    """
    share = 1.0 - quantile ** (1.0 / shards)
    planned = sum(stall.seconds_a_day for stall in stalls)
    spoiled = sum(DAY_S / stall.every_s * _over(stall, slack_s) / (1.0 - rho) for stall in stalls)
    stretch = spoiled / planned if planned else 1.0 / (1.0 - rho)
    return Budget(shards, quantile, DAY_S * share, DAY_S * share / stretch if stretch else DAY_S, planned)


def stalls_between(stalls: tuple[Stall, ...], shards: int, t0: float, t1: float, seed: int) -> tuple[Ints, Floats, Floats]:
    """All stalls that touch [t0, t1 + AHEAD_S): offsets by shard, starts relative to t0, lengths; merged and in order."""
    drawn = [np.empty((0, 3))]
    for stall in stalls:
        key = key_of(seed, "stall", stall.name)
        reach = stall.for_s * (25.0 if stall.spread else 1.0)
        first, last = math.floor((t0 - reach) / stall.every_s), math.floor((t1 + AHEAD_S) / stall.every_s)
        found = np.empty((max(0, last - first + 1) * shards, 3))
        n = _draw(np.uint64(key), first, last, shards, stall.every_s, stall.for_s, stall.spread, stall.together, t0, found)
        drawn.append(found[:n])
    every = np.concatenate(drawn)
    offsets, starts, lengths = np.zeros(shards + 1, np.int64), np.empty(len(every)), np.empty(len(every))
    n = _merge(every, offsets, starts, lengths)
    return offsets, starts[:n], lengths[:n]


@njit
def standing_after(offsets: np.ndarray, starts: np.ndarray, lengths: np.ndarray, end: float) -> np.ndarray:
    """Seconds after `end` until which each shard stands still; 0: it does not."""
    until = np.zeros(offsets.size - 1)
    for shard in range(until.size):
        for j in range(offsets[shard], offsets[shard + 1]):
            start = starts[j] - end
            if start <= 0.0 and start + lengths[j] > until[shard]:
                until[shard] = start + lengths[j]
    return until


@njit
def _draw(key: np.uint64, first: int, last: int, shards: int, every: float, length: float, spread: bool, together: bool, t0: float,
          out: np.ndarray) -> int:  # fmt: skip
    n = 0
    for s in range(shards):
        for period in range(max(first, 0), last + 1):
            at = place(key, 0 if together else s, period)
            lasts = -length * np.log(u01(at, 1)) if spread else length
            start = (period + u01(at, 0)) * every - t0
            if start + lasts > 0.0:
                out[n, 0], out[n, 1], out[n, 2] = s, start, lasts
                n += 1
    return n


@njit
def _merge(drawn: np.ndarray, offsets: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> int:
    """Stalls `drawn` (shard, start, length) as each shard meets them: in order, those that touch as one. Answers how many."""
    shards = offsets.size - 1
    ends = np.zeros(shards + 1, np.int64)
    for i in range(drawn.shape[0]):
        ends[int(drawn[i, 0]) + 1] += 1
    for s in range(shards):
        ends[s + 1] += ends[s]
    at, length, here = np.empty(drawn.shape[0]), np.empty(drawn.shape[0]), ends[:-1].copy()
    for i in range(drawn.shape[0]):  # insertion: a shard has few, and each cause comes in order
        shard = int(drawn[i, 0])
        j = here[shard]
        while j > ends[shard] and (at[j - 1] > drawn[i, 1] or (at[j - 1] == drawn[i, 1] and length[j - 1] > drawn[i, 2])):
            at[j], length[j] = at[j - 1], length[j - 1]
            j -= 1
        at[j], length[j] = drawn[i, 1], drawn[i, 2]
        here[shard] += 1
    n = 0
    for s in range(shards):
        offsets[s] = n
        for j in range(ends[s], ends[s + 1]):
            if n > offsets[s] and at[j] <= starts[n - 1] + lengths[n - 1]:
                lengths[n - 1] = max(lengths[n - 1], at[j] + length[j] - starts[n - 1])
            else:
                starts[n], lengths[n] = at[j], length[j]
                n += 1
    offsets[shards] = n
    return n


def _over(stall: Stall, slack: float) -> float:
    """Mean seconds of a stall beyond the slack."""
    return stall.for_s * math.exp(-slack / stall.for_s) if stall.spread else max(0.0, stall.for_s - slack)
