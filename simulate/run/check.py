"""How far the surrogate is off: its figures of some worlds beside the same worlds played, queues and all.

A world's load is the counted day, each kind times what the closed form says of that world over the middle one; its times are drawn
into the priors. Ten minutes are played, those of most reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..fleet.loads import estimated
from ..fleet.plan import Planned, errors
from ..fleet.worlds import Worlds
from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.chance import key_of
from ..queues.histogram import value_at
from ..queues.model import Feedback, Floats, Ints, fresh
from ..queues.quantiles import ABOVE_MIN
from ..queues.trace import Trace
from ..verdict_schema import SurrogateError
from ..work import draw
from .engine import DEADLINE_S, QUEUE_RULE
from .loads import MINUTE_S, WINDOW_US, RunLoads, Times
from .pages import sampled, warm_steps
from .prepare import Prepared
from .tiers import theta_of

MINUTES = 10
PAGES = 100 * ABOVE_MIN // MINUTES
P99 = "home_read_p99_ms"


def surrogate_errors(prepared: Prepared, planned: Planned, worlds: int, *, workers: int, tell: Callable[[int, int], None]) -> list[SurrogateError]:
    """Utilisation by tier, and the p99 of a home page, of so many worlds from the lightest to the heaviest."""
    p99s: list[float] = []

    def full(counts: Mapping[str, float], times: Mapping[str, float]) -> Mapping[str, float]:
        found = _played(prepared, counts, times, workers)
        p99s.append(found.pop(P99))
        tell(len(p99s), worlds)
        return {name: value for name, value in found.items() if Tier(name.partition(".")[0]) not in planned.given.unsized}

    rows = errors(planned.given._replace(fleet=prepared.tiers.fleet), planned.worlds, full, worlds)
    numbers = list(dict.fromkeys(row.world for row in rows))
    said = planned.p99_ms
    rows += [
        SurrogateError(world=number, metric=P99, surrogate=float(said[number]), full=p99) for number, p99 in zip(numbers, p99s, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.metric, row.world))


def _played(prepared: Prepared, counts: Mapping[str, float], times: Mapping[str, float], workers: int) -> dict[str, float]:
    """One world: how full each tier's servers are, of Redis the busiest one; and the p99 of a home page."""
    seed, day, tiers = prepared.scenario.seed, prepared.day, prepared.tiers
    theta = theta_of(draw(prepared.works, seed, 0, fixed=times), prepared.fleet)
    loads = RunLoads(
        day, tiers, theta, process_hit=prepared.loads.process_hit, start_s=busiest_s(prepared), seed=seed, times=_times(prepared, counts)
    )
    states = {tier: fresh(server, tiers.epoch.shards(tier), seed, window_us=WINDOW_US, rule=QUEUE_RULE) for tier, server in tiers.servers.items()}
    rho: dict[Tier, Floats] = {tier: np.zeros(tiers.epoch.shards(tier)) for tier in Tier}
    steps = warm_steps(loads, day.widths.mean_by_reads)
    pages: list[Ints] = []
    for minute in range(MINUTES):
        traces: dict[Tier, Trace] = {}
        for tier in Tier:
            asked = loads.at(tier, minute, np.ones(loads.windows), [])
            states[tier], traces[tier] = advance(asked.load, states[tier], Feedback(workers=workers))
            rho[tier] = rho[tier] + traces[tier].rho.mean(axis=1) / MINUTES
        pages.append(sampled(traces, steps, theta, pages=PAGES, seed=key_of(seed, "check", minute), deadline_s=DEADLINE_S).counts)
    found = {f"{tier}.cpu": float(by_shard.max() if tier is Tier.REDIS else by_shard.mean()) for tier, by_shard in rho.items()}
    return {**found, P99: min(DEADLINE_S, float(value_at(np.sum(pages, axis=0), 0.99))) * 1e3}


def busiest_s(prepared: Prepared) -> int:
    """Where the ten minutes of most reads begin."""
    reads = prepared.day.reads.sum(axis=0)
    sums = np.convolve(reads, np.ones(MINUTES, reads.dtype), "valid")
    return int(sums.argmax()) * MINUTE_S


def _times(prepared: Prepared, counts: Mapping[str, float]) -> dict[Kind, Times]:
    """That world's load over the middle world's, by kind, at the peak."""
    there = Worlds(1, {name: np.array([value]) for name, value in counts.items()}, prepared.middle.times)
    fleet, here = prepared.tiers.fleet, prepared.middle
    primaries = np.array([float(max(1, fleet.redis_primaries))])
    new, old = estimated(there, fleet, primaries), estimated(here, fleet, primaries)
    peak = float(there["peak"][0] / here["peak"][0])
    return {
        kind: Times(*(float(peak * a[0] / b[0]) if b[0] > 0 else 1.0 for a, b in zip(new[kind], old[kind], strict=True)))
        for kind in new
    }  # fmt: skip
