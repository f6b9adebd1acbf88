"""What a reader waits for: a home page as its steps, each as slow as the slowest of the shards that it asks.

The steps are those of the core's read: the gateway; how the viewer sees others; the row's ids; lists of celebrities where they
are read from Redis; tweets, those that the cache misses from Cassandra, people, counts. A page whose row is gone rebuilds
first. Waits come from the shards actually hit at that instant, so steps and pages are as dependent as the shards are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kinds import TIER_OF, Kind, Tier
from ..queues.chance import key_of
from ..queues.histogram import histogram
from ..queues.model import Floats, Ints
from ..queues.pages import Asks, Pages, instants, pages_at
from ..queues.trace import Trace
from ..threads import shared
from ..work import Theta
from .loads import RunLoads
from .tiers import kinds_of, replicas


class Step(NamedTuple):
    """Calls of one kind to `fan` shards at once; a page may take several such steps of a kind, one after the other."""

    kind: Kind
    fan: int


class Minute(NamedTuple):
    """A sample of the pages of a minute: what each took, at most the deadline, after which it has failed; what each step took
    on average where it was answered, and the share of pages that it refused."""

    seconds: Floats
    failed: NDArray[np.bool_]
    by_step: Mapping[Kind, float]
    refused: Mapping[Kind, float]

    @property
    def pages(self) -> int:
        """How many were looked at."""
        return len(self.seconds)

    @property
    def counts(self) -> Ints:
        """By bucket of time."""
        return histogram(self.seconds)

    @property
    def nanoseconds(self) -> int:
        """The exact sum."""
        return int(np.rint(self.seconds * 1e9).astype(np.int64).sum())

    def some(self, number: int) -> Minute:
        """So many of them, spread over the minute."""
        chosen = np.linspace(0, self.pages - 1, number).astype(np.int64)
        return self._replace(seconds=self.seconds[chosen], failed=self.failed[chosen])

    def beside(self, other: Minute) -> Minute:
        """Both together; steps are those of the first."""
        return self._replace(seconds=np.concatenate([self.seconds, other.seconds]), failed=np.concatenate([self.failed, other.failed]))


def warm_steps(loads: RunLoads, width: float) -> list[Step]:
    """A page whose row is there."""
    epoch = loads.tiers.epoch

    def fan(kind: Kind) -> int:
        asked = loads.per_read(kind) * replicas(kind, loads.tiers.fleet)  # a quorum is as slow as the slower of its nodes
        return max(1, min(round(asked), epoch.shards(TIER_OF[kind])))

    def rounds(kind: Kind) -> list[Step]:
        """A kind that the core asks for batch after batch: candidates, originals, quotes."""
        times = max(1, round(loads.day.pages.of(loads.day.pages.warm, kind).calls))
        return [Step(kind, max(1, round(fan(kind) / times)))] * times

    steps = [Step(Kind.REQUEST, 1), Step(Kind.FOLLOWING, 1), Step(Kind.VIEWER, min(3, epoch.redis)), *rounds(Kind.HOME_IDS)]
    if loads.per_read(Kind.CELEB_LIST) >= 0.5:
        steps.append(Step(Kind.CELEB_LIST, _touched(min(width, loads.per_read(Kind.CELEB_LIST)), epoch.redis)))
    steps += rounds(Kind.HYDRATE)
    if loads.per_read(Kind.HYDRATE_MISS) >= 0.5:
        steps.append(Step(Kind.HYDRATE_MISS, fan(Kind.HYDRATE_MISS)))
    return [*steps, *rounds(Kind.USERS), Step(Kind.TWEET_COUNTS, fan(Kind.TWEET_COUNTS))]


def cold_steps(loads: RunLoads, followees: float, width: float) -> list[Step]:
    """A page whose row must be built first."""
    asked = followees * replicas(Kind.REBUILD_READ, loads.tiers.fleet)
    return [Step(Kind.REBUILD_READ, _touched(asked, loads.tiers.epoch.cassandra)), Step(Kind.REBUILD_WRITE, 1), *warm_steps(loads, width)]


def _touched(calls: float, shards: int) -> int:
    """How many of the shards so many calls fall on."""
    return max(1, round(shards * -math.expm1(calls * math.log1p(-1 / shards)))) if shards > 1 else 1


def sampled(
    traces: Mapping[Tier, Trace], steps: list[Step], theta: Theta, *, pages: int, seed: int, deadline_s: float,
    within_us: tuple[int, int] | None = None, workers: int = 1,
) -> Minute:  # fmt: skip
    """Play a sample of pages, spread over the minute (or over the part `within_us` of it), through the traces of all tiers."""
    at = instants(traces[Tier.GATEWAY], pages, seed)
    if within_us is not None:
        first, last = within_us
        at = first + (at - at[0]) * (last - first) // max(1, int(at[-1] - at[0]) + 1)
    total: Floats = np.zeros(pages)
    by_step: dict[Kind, float] = {}
    refused: dict[Kind, float] = {}

    def one_step(number: int, step: Step) -> Pages:
        return met(traces[TIER_OF[step.kind]], step, at, key_of(seed, "step", number))

    for step, one in zip(steps, shared(one_step, range(len(steps)), steps, workers=workers), strict=True):
        tier = TIER_OF[step.kind]
        took = one.seconds + theta.net_us[tier] * 1e-6
        answered = np.isfinite(took)
        by_step[step.kind] = by_step.get(step.kind, 0.0) + (float(np.mean(took[answered])) if answered.any() else deadline_s)
        refused[step.kind] = max(refused.get(step.kind, 0.0), float(1 - np.mean(answered)))
        total = total + took
    return Minute(np.minimum(total, deadline_s), total > deadline_s, by_step, refused)


def met(trace: Trace, step: Step, at: Ints, seed: int) -> Pages:
    """What pages that come to a step at these instants wait for in it."""
    kinds = kinds_of(trace.server.tier)
    return pages_at(trace, Asks(kinds.index(step.kind), step.fan), at, seed)
