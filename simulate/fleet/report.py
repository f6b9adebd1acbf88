"""A plan as the document of `verdict_schema`. What only a run can tell is null, and named in `absent`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...core.errors import Invalid
from ..kinds import Kind, Tier
from ..verdict_schema import (
    SCHEMA,
    Binding,
    CostYear,
    Document,
    Flip,
    InputRow,
    Latency,
    Load,
    Mem,
    Reconcile,
    Run,
    Slo,
    SurrogateError,
    TierState,
    Verdict,
)
from .cost import Cost, fleet_cost
from .fleet import TIERS
from .judge import CONFIDENCE, SIZED, UNNAMED, UNSIZED, Check
from .levers import levers
from .plan import Planned
from .surrogate import Surrogate
from .worlds import Floats, Input

METRICS = ("home_read_p99_ms", "utilisation", "cost_yr")
_SLO = re.compile(r"\s*([a-z_0-9]+)\s*<\s*([0-9.]+)\s*")
ABSENT = [
    "queues, stalls and bursts shorter than the peak hour: twit simulate run", "delivery times: twit simulate run",
    "clustering of the graph", "search", "CDN",
]  # fmt: skip


class Limit(NamedTuple):
    """A promise: the metric stays below."""

    metric: str
    below: float
    text: str


def limit(text: str) -> Limit:
    """Of `home_read_p99_ms<200`. Raises `Invalid` with what is allowed."""
    found = _SLO.fullmatch(text)
    try:
        below = float(found[2]) if found else 0.0
    except ValueError:
        found = None
    if found is None or found[1] not in METRICS or below <= 0:
        raise Invalid(f"{text!r} is no promise that a plan can judge", field="slo", meaning=f"allowed: METRIC<N, METRIC one of {', '.join(METRICS)}")
    return Limit(found[1], below, text.replace(" ", ""))


def document(planned: Planned, limits: Sequence[Limit], *, commit: str, errors: Sequence[SurrogateError] = (), timing: Mapping[str, float] = {}) -> Document:
    """The whole answer."""
    judged_of = planned.given if planned.is_named else planned.planned
    cost = fleet_cost(judged_of, planned.middle, {tier: getattr(judged_of.fleet, tier).nodes for tier in TIERS})
    slos = [_slo(planned, judged_of, one, cost) for one in limits]
    return Document(
        schema=SCHEMA, run=_run(planned, judged_of, cost, commit), verdict=_verdict(planned, judged_of, slos), load=[_load(planned, judged_of)],
        tiers=[_tier(planned, judged_of, tier) for tier in map(Tier, TIERS)], latency=[_latency(planned)], delivery=[],
        plan=list(planned.tiers), cost=_cost(cost), inputs=_inputs(planned), surrogate_error=list(errors), reconcile=_reconcile(planned, judged_of, cost),
        absent=[*ABSENT, *([] if errors else ["the surrogate's error against full runs: none was run beside"])], timing=dict(timing),
    )  # fmt: skip


def _run(planned: Planned, judged_of: Surrogate, cost: Cost, commit: str) -> Run:
    settings = planned.settings
    named = repr((judged_of.fleet, sorted(settings.values.items()), settings.growth, settings.horizon_years, settings.worlds, settings.seed))
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    return Run(id=f"plan-{settings.seed}-{digest}", seed=settings.seed, commit=commit, mode=judged_of.basis, preset="design", prices_date=cost.prices_date)


def _verdict(planned: Planned, judged_of: Surrogate, slos: Sequence[Slo]) -> Verdict:
    judged = planned.judged
    why = [
        f"{one.tier} {one.resource}: {100 * one.utilisation:.0f} % full, {one.have:,} nodes where {one.need:,} are needed "
        f"({one.need_p95:,} in 95 of 100 worlds)" for one in judged.short
    ]  # fmt: skip
    found = levers(judged_of, planned.middle) if judged.short and judged.short[0].tier == "redis" else []
    why += [f"change: {one.what}: redis cpu {one.cpu:.2f}, memory {one.memory:.2f}, needs {one.nodes:,} nodes" for one in found[1:]]
    why += [f"note: {one}" for one in judged.warnings]
    return Verdict(
        holds=judged.holds and all(one.holds for one in slos), held=judged.held, slo=list(slos),
        binding=None if judged.binding is None else _binding(judged.binding),
        recovered_s=None, metastable=None, why=why, flips=[Flip(input=name, value=value) for name, value in planned.flips],
    )  # fmt: skip


def _binding(one: Check) -> Binding:
    return Binding(
        tier=one.tier, shard=None, resource=one.resource, utilisation=one.utilisation, knee_x=1 / one.utilisation if one.utilisation else None,
        headroom_x=one.headroom_x, n1_headroom_x=one.n1_headroom_x,
    )  # fmt: skip


def _slo(planned: Planned, judged_of: Surrogate, one: Limit, cost: Cost) -> Slo:
    if one.metric == "home_read_p99_ms":
        values = planned.p99_ms
    elif one.metric == "utilisation":
        used = judged_of.used(planned.worlds)
        values = np.max([value for tier, by in used.items() for name, value in by.items() if name != "cpu" or tier not in judged_of.unsized], axis=0)
    else:
        values = cost.total * planned.worlds["price"]
    met = np.where(np.isfinite(values), values < one.below, False)  # noqa: FBT003 - where there is no steady state nothing is met
    steady = values[np.isfinite(values)]
    return Slo(
        metric=one.metric, limit=one.text, value=_share(steady, 50), ci=[_share(steady, 5), _share(steady, 95)], n=len(values), n_eff=len(values),
        first_breach=None, duration_s=None, worst=_share(steady, 100) if len(steady) == len(values) else None,
        holds=bool(met.mean() >= CONFIDENCE),
    )  # fmt: skip


def _share(values: Floats, share: float) -> float | None:
    return float(np.percentile(values, share)) if len(values) else None


def _load(planned: Planned, judged_of: Surrogate) -> Load:
    primaries = np.array([float(max(1, judged_of.fleet.redis_primaries))])
    rates, peak = judged_of.rates(planned.middle, primaries), float(planned.middle["peak"][0])

    def at_peak(kind: Kind, part: int = 0) -> float:
        return float(np.ravel(rates[kind][part])[0]) * peak

    return Load(
        t="peak", region="all", reads=at_peak(Kind.HOME_IDS), tweets=at_peak(Kind.PUT_TWEET), pushes=at_peak(Kind.PUSH, 1),
        pulls=at_peak(Kind.CELEB_LIST), hydrates=at_peak(Kind.HYDRATE, 1), rebuilds=at_peak(Kind.REBUILD_WRITE) / 2, likes=at_peak(Kind.LIKE),
        offered=at_peak(Kind.REQUEST), served=None, shed=None, timed_out=None, retried=None,
    )  # fmt: skip


def _tier(planned: Planned, judged_of: Surrogate, tier: Tier) -> TierState:
    fleet, world = judged_of.fleet, planned.middle
    nodes, unsized = getattr(fleet, tier).nodes, tier in judged_of.unsized
    used = {name: float(value[0]) for name, value in judged_of.used(world).get(tier, {}).items()}
    cpu = None if unsized else used.get("cpu")
    memory = judged_of.memory(world) if tier is Tier.REDIS else None
    hot = judged_of.need(world, tier).hot_x
    servers = fleet.redis_primaries if tier is Tier.REDIS else nodes * fleet.machine(tier).vcpu
    return TierState(
        tier=tier, instances=servers, nodes=nodes, role=fleet.machine(tier).name, rho_mean=cpu / float(world["peak"][0]) if cpu else None,
        rho_peak=cpu, cpu=cpu, mem=Mem(**{name: float(value[0]) for name, value in memory.arrays().items() if name != "total"}) if memory else None,
        disk=used.get("disk"), net=used.get("network"), hot_shard_x=float(hot[0]), hot_keys=[],
        hit_ratio=float(world["tweet_cache_hit"][0]) if tier is Tier.REDIS else None, cold_users=None, stall_budget_s_day=None,
        status=UNSIZED if unsized else SIZED if nodes else UNNAMED,
    )  # fmt: skip


def _latency(planned: Planned) -> Latency:
    steady = planned.p99_ms[np.isfinite(planned.p99_ms)]
    return Latency(
        op="home_read", cohort="warm", region="all", p50=None, p99=_share(steady, 50), p999=None, ci=[_share(steady, 5), _share(steady, 95)],
        n=len(planned.p99_ms), n_eff=len(planned.p99_ms), estimate="closed", diff=None,
    )  # fmt: skip


def _cost(cost: Cost) -> CostYear:
    return CostYear(
        by_tier={str(tier): value for tier, value in cost.by_tier.items()}, storage=cost.storage, egress=cost.egress, cdn=cost.cdn, backup=cost.backup,
        zones=cost.zones, regions=cost.regions, total=cost.total, per_million_reads=cost.per_million_reads, per_tweet=cost.per_tweet,
        excluded=cost.excluded,
    )  # fmt: skip


def _inputs(planned: Planned) -> list[InputRow]:
    rows = [_input(one, planned) for one in planned.inputs.values()]
    return sorted(rows, key=lambda row: row.rank or 0)


def _input(one: Input, planned: Planned) -> InputRow:
    weight, interval = planned.weights[one.name], one.interval
    return InputRow(
        name=one.name, value=interval.value, low=interval.low, high=interval.high, source=one.source, date=one.date, kind=one.kind, grade=one.grade,
        measured=one.grade == "measured", rank=weight.rank, elasticity=weight.elasticity,
    )  # fmt: skip


def _reconcile(planned: Planned, judged_of: Surrogate, cost: Cost) -> list[Reconcile]:
    parts = sum(cost.by_tier.values()) + cost.storage + cost.egress + cost.backup + cost.zones + cost.regions
    memory = {name: float(value[0]) for name, value in judged_of.memory(planned.middle).arrays().items()}
    total = memory.pop("total")
    return [
        Reconcile(identity="cost = tiers + storage + egress + backup + zones + regions", lhs=cost.total, rhs=parts),
        Reconcile(identity="redis memory = payload + encoding + fragmentation + replica + cow", lhs=total, rhs=sum(memory.values())),
    ]
