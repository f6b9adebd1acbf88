"""What a reader waits for: a home page as its steps, each as slow as the slowest of the shards that it asks.

The steps are those of the core's read: the gateway; how the viewer sees others; the row's ids; lists of celebrities where they
are read from Redis; tweets, those that the cache misses from Cassandra, people, counts. A page whose row is gone rebuilds
first. Waits come from the shards actually hit at that instant, so steps and pages are as dependent as the shards are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..kinds import TIER_OF, Kind, Tier
from ..queues.chance import key_of
from ..queues.histogram import histogram
from ..queues.model import Floats, Ints
from ..queues.pages import Asks, Pages, instants, pages_at
from ..queues.trace import Trace
from ..work import Theta
from .loads import RunLoads
from .tiers import kinds_of


class Step(NamedTuple):
    """Calls of one kind to `fan` shards at once."""

    kind: Kind
    fan: int


class Minute(NamedTuple):
    """A sample of the pages of a minute: counts by bucket, the exact sum, how many failed, and what each step took on average."""

    counts: Ints
    nanoseconds: int
    pages: int
    failed: int
    by_step: Mapping[Kind, float]


def warm_steps(loads: RunLoads, width: float) -> list[Step]:
    """A page whose row is there."""
    epoch = loads.tiers.epoch

    def fan(kind: Kind) -> int:
        return max(1, min(round(loads.per_read(kind)), epoch.shards(TIER_OF[kind])))

    steps = [Step(Kind.REQUEST, 1), Step(Kind.FOLLOWING, 1), Step(Kind.VIEWER, min(3, epoch.redis)), Step(Kind.HOME_IDS, 1)]
    if loads.per_read(Kind.CELEB_LIST) >= 0.5:
        steps.append(Step(Kind.CELEB_LIST, max(1, min(round(width), epoch.redis))))
    steps.append(Step(Kind.HYDRATE, fan(Kind.HYDRATE)))
    if loads.per_read(Kind.HYDRATE_MISS) >= 0.5:
        steps.append(Step(Kind.HYDRATE_MISS, fan(Kind.HYDRATE_MISS)))
    return [*steps, Step(Kind.USERS, fan(Kind.USERS)), Step(Kind.TWEET_COUNTS, fan(Kind.TWEET_COUNTS))]


def cold_steps(loads: RunLoads, followees: float, width: float) -> list[Step]:
    """A page whose row must be built first."""
    authors = max(1, min(round(followees), loads.tiers.epoch.cassandra))
    return [Step(Kind.REBUILD_READ, authors), Step(Kind.REBUILD_WRITE, 1), *warm_steps(loads, width)]


def sampled(
    traces: Mapping[Tier, Trace], steps: list[Step], theta: Theta, *, pages: int, seed: int, deadline_s: float
) -> Minute:
    """Play a sample of pages, spread over the minute, through the traces of all tiers."""
    gateway = traces[Tier.GATEWAY]
    at = instants(gateway, pages, seed)
    total: Floats = np.zeros(pages)
    by_step: dict[Kind, float] = {}
    for number, step in enumerate(steps):
        tier = TIER_OF[step.kind]
        one = _step(traces[tier], step, at, key_of(seed, "step", number))
        took = one.seconds + theta.net_us[tier] * 1e-6
        by_step[step.kind] = float(np.mean(took[np.isfinite(took)])) if np.isfinite(took).any() else float("inf")
        total = total + took
    late = total > deadline_s
    good = total[~late]
    return Minute(histogram(good), int(np.rint(good * 1e9).astype(np.int64).sum()), pages, int(late.sum()), by_step)


def _step(trace: Trace, step: Step, at: Ints, seed: int) -> Pages:
    kinds = kinds_of(trace.server.tier)
    return pages_at(trace, Asks(kinds.index(step.kind), step.fan), at, seed)
