"""What a call meets: the `Delay` that the modelled stores ask, read from the traces of the block under way.

A pure function of what is asked: the same call at the same instant always meets the same. The wait of a shard at an instant is
the shard's, shared by all; only a calm shard, the work itself and the network are drawn, from the call's own u01.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...core.errors import Invalid
from ..kinds import TIER_OF, Kind, Tier
from ..work import Theta, Works, work
from .chance import split
from .model import Effect, Refused, Served, TimedOut
from .trace import Trace

WAIT, SHED, WORK, NET, PHASE = range(5)


@dataclass(frozen=True, slots=True)
class TracedDelay:
    """`Delay` over the traces of one block, or of several blocks one after another."""

    traces: dict[Tier, list[Trace]]
    works: Works
    theta: Theta

    def at(self, kind: Kind, shard: int, t: int, elements: int, bytes: int, u01: float) -> Served | Refused | TimedOut:  # noqa: A002 - the contract's word
        """What happens to a call that reaches `shard` at `t` (virtual µs)."""
        tier = TIER_OF[kind]
        trace = self._trace(tier, t)
        net = round(self.theta.net_us[tier] * (0.5 - 0.5 * math.log(split(u01, NET))))
        p_shed = trace.p_shed[shard, t // trace.window_us - trace.window0]
        if p_shed > 0.0 and split(u01, SHED) < p_shed:
            return Refused(net)
        wait = trace.wait_at(shard, t, split(u01, WAIT))
        mean = work(kind, elements, bytes, self.theta)
        took = work_drawn(mean, self.works.ways[tier].variation, split(u01, WORK), split(u01, PHASE))
        limit = trace.server.timeout_s
        if wait + took > limit:
            done = trace.server.abandoned_work_is_done or wait <= limit
            return TimedOut(round(limit * 1e6), Effect.DONE if done else Effect.NEVER)
        return Served(round(wait * 1e6), round(took * 1e6), net)

    def _trace(self, tier: Tier, t: int) -> Trace:
        for trace in reversed(self.traces.get(tier, [])):
            if trace.covers(t):
                return trace
        raise Invalid(f"no trace of {tier} at {t} µs", field="t", meaning="the block has been freed, or has not come yet")


def work_drawn(mean: float, cv: float, u: float, v: float) -> float:
    """Seconds of one call, by the same law as the queues' own."""
    if cv <= 1.0:
        return mean * (1.0 - cv) - mean * cv * math.log(u)
    p = 0.5 * (1.0 + math.sqrt((cv * cv - 1.0) / (cv * cv + 1.0)))
    return -math.log(u) * mean / (2.0 * p if v < p else 2.0 * (1.0 - p))


def traced(traces: Iterable[Trace], works: Works, theta: Theta) -> TracedDelay:
    """A `Delay` over these traces, each found by its tier and time."""
    by_tier: dict[Tier, list[Trace]] = {}
    for trace in traces:
        by_tier.setdefault(trace.server.tier, []).append(trace)
    return TracedDelay(by_tier, works, theta)
