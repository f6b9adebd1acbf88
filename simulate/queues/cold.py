"""Cold caches: users whose row is lost, by activity class and shard, until they come back and it is rebuilt.

A return costs the tiers of truth: one reading of the followees (MySQL keeps them), one partition a followee (Cassandra), one write
of the row. Admission bounds the rebuilds at once; those refused stay cold and try again. Users are only moved, never made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..compiled import njit
from ..kinds import Kind
from .chance import key_of, place, u01
from .model import Floats, Ints, State


@dataclass(frozen=True, slots=True)
class Returns:
    """Who of the cold came back in a block."""

    asked: Ints  # [class, shard, window] reads of users without a row
    rebuilt: Ints  # [class, shard, window] of which were admitted, and are warm after
    refused: Ints  # [class, shard, window] of which were not, and are cold still


def lose(state: State, users: Ints, shards: list[int]) -> State:
    """These shards lose their rows: all of their `users` [class, shard] are cold."""
    cold = state.cold.copy()
    cold[:, shards] = users[:, shards]
    return replace(state, cold=cold)


def warm(state: State, reads_per_s: Floats, windows: int, admitted_per_s: float, seed: int) -> tuple[State, Returns]:
    """A block of returns: each cold user of a class reads at its rate; at most so many rebuilds a second and shard begin."""
    classes, shards = state.cold.shape
    cold = state.cold.copy()
    asked, rebuilt = np.zeros((classes, shards, windows), np.int64), np.zeros((classes, shards, windows), np.int64)
    width = state.window_us / 1e6
    window0 = state.at_us // state.window_us
    _return(np.uint64(key_of(seed, "cold")), window0, width, reads_per_s, min(admitted_per_s, 1e12), cold, asked, rebuilt)
    return replace(state, cold=cold), Returns(asked, rebuilt, asked - rebuilt)


def charged(returns: Returns, followees: Floats, shards: dict[Kind, int], seed: int) -> dict[Kind, Ints]:
    """Calls [shard, window] that the rebuilds cost other tiers: followees read, a partition each, spread evenly and exactly."""
    people = returns.rebuilt.sum(axis=1)  # [class, window]
    partitions = np.rint((people * followees[:, None]).sum(axis=0)).astype(np.int64)
    totals = {Kind.FOLLOWERS_PAGE: people.sum(axis=0), Kind.REBUILD_READ: partitions}
    return {kind: evenly(totals[kind], n, key_of(seed, kind.name)) for kind, n in shards.items() if kind in totals}


def evenly(totals: Ints, shards: int, key: int) -> Ints:
    """[window] totals over shards: equal parts, the rest to shards drawn a window. Sums are kept."""
    out = np.broadcast_to(totals // shards, (shards, totals.size)).copy()
    for w in np.flatnonzero(totals % shards):
        rest = int(totals[w] % shards)
        first = int(u01(np.uint64(place(np.uint64(key), int(w), 0)), 0) * shards)
        out[(first + np.arange(rest)) % shards, w] += 1
    return out


@njit
def _return(key: np.uint64, window0: int, width: float, rates: np.ndarray, admitted: float, cold: np.ndarray, asked: np.ndarray,
            rebuilt: np.ndarray) -> None:  # fmt: skip
    classes, shards, windows = asked.shape
    for s in range(shards):
        for w in range(windows):
            draw = place(key, s, window0 + w)
            room = int(admitted * width + u01(draw, 0))
            for c in range(classes):
                come = _binomial(cold[c, s], 1.0 - np.exp(-rates[c] * width), draw, 1 + 4 * c)
                asked[c, s, w] = come
                rebuilt[c, s, w] = min(come, room)
                room -= rebuilt[c, s, w]
                cold[c, s] -= rebuilt[c, s, w]


@njit
def _binomial(n: int, p: float, key: np.uint64, draw: int) -> int:
    """A draw of n tries: by its law where few are expected, by the normal one where many are."""
    mean = n * p
    if n == 0 or p <= 0.0:
        return 0
    if mean > 30.0:
        z = np.sqrt(-2.0 * np.log(u01(key, draw))) * np.cos(6.283185307179586 * u01(key, draw + 1))
        return min(n, max(0, int(mean + np.sqrt(mean * (1.0 - p)) * z + 0.5)))
    u, k = u01(key, draw), 0
    term = np.exp(n * np.log1p(-p)) if p < 1.0 else 0.0
    upto = term
    while u > upto and k < n:
        term *= (n - k) / (k + 1.0) * p / (1.0 - p) if p < 1.0 else 0.0
        k += 1
        upto += term
    return k
