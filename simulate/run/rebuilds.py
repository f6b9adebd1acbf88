"""Rebuilds that came to nothing: where Cassandra refuses the reading or Redis the writing, or either is too late, the row stays cold.

A rebuild reads many partitions; one that is refused is enough. What was asked for it has been work all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..kinds import TIER_OF, Kind, Tier
from ..queues.chance import fill_u01, key_of
from ..queues.model import Ints
from ..queues.trace import P_SHED, P_TIMEOUT, Trace
from .pages import Step, met

INSTANTS = 32  # at which each second is looked at
BUILDING = (Kind.REBUILD_READ, Kind.REBUILD_WRITE)


def unbuilt(traces: Mapping[Tier, Trace], cold_steps: list[Step], rebuilt: Ints, seed: int) -> Ints:
    """Of the rebuilds that began, [class, shard, window], those that failed, [class, shard]."""
    steps = [step for step in cold_steps if step.kind in BUILDING]
    share = np.zeros(rebuilt.shape[2])
    if any(traces[TIER_OF[step.kind]].rows[:, :, (P_SHED, P_TIMEOUT)].any() for step in steps):
        for window in np.flatnonzero(rebuilt.sum(axis=(0, 1))):
            share[window] = _failing(traces, steps, int(window), seed)
    draws = np.empty(rebuilt.shape[0] * rebuilt.shape[1])
    fill_u01(np.uint64(key_of(seed, "unbuilt")), 0, draws)
    left = np.floor((rebuilt * share).sum(axis=2) + draws.reshape(rebuilt.shape[:2]) * share.any()).astype(np.int64)
    at_most: Ints = np.minimum(left, rebuilt.sum(axis=2))
    return at_most


def _failing(traces: Mapping[Tier, Trace], steps: list[Step], window: int, seed: int) -> float:
    """The share of the rebuilds of a window that fail."""
    done = np.ones(INSTANTS, np.bool_)
    for number, step in enumerate(steps):
        trace = traces[TIER_OF[step.kind]]
        within = (2 * np.arange(INSTANTS) + 1) * trace.window_us // (2 * INSTANTS)
        took = met(trace, step, (trace.window0 + window) * trace.window_us + within, key_of(seed, "building", number)).seconds
        done &= took <= trace.server.timeout_s
    return float(1 - done.mean())
