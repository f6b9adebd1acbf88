"""A played run as the document of `verdict_schema`: what was promised and what came of it, what binds, how sure, what decides.

Counts and queues are the run's; sizes, prices, intervals and what would flip the answer are the surrogate's, fed with the run's
counts (`basis: run`). Nothing here is played again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from ..day.blocks import DAY_S
from ..fleet.judge import SIZED, UNSIZED
from ..fleet.loads import KindLoad, Loads
from ..fleet.plan import Planned, Settings, plan
from ..fleet.report import document as planned_document
from ..fleet.surrogate import Surrogate
from ..kinds import TIER_OF, Kind, Tier
from ..queues.quantiles import Batches, Quantile
from ..queues.stalls import stall_budget
from ..verdict_schema import (
    Delivery,
    Document,
    Flip,
    HotKey,
    Latency,
    Reconcile,
    RuleRegret,
    Run,
    Slo,
    SurrogateError,
    TierState,
    Verdict,
)
from .deliveries import Class, Way
from .engine import Played
from .growth import growth
from .load_rows import load_rows, relative
from .loads import MINUTE_S, REMEMBERED
from .prepare import Prepared
from .reasons import of_events, reasons, told_recovery, with_plan
from .sample import Sampled

HOT_KEYS = 5
NOT_MODELLED = [
    "churn: nobody follows, unfollows or joins during the run", "reactions to search and trends", "CDN and media delivery",
    "hedged requests", "elections and rebalances beyond the failover given",
]  # fmt: skip


class Found(NamedTuple):
    """Everything a verdict is made of."""

    prepared: Prepared
    played: Played
    ways: Sequence[Way]
    classes: Sequence[Class]
    planned: Planned
    errors: Sequence[SurrogateError] = ()
    core: Sampled | None = None
    regrets: Sequence[RuleRegret] = ()


class Metric(NamedTuple):
    """A figure that a promise can be about. `worst`: of a minute, where it has minutes."""

    value: float | None
    worst: float | None
    ci: tuple[float | None, float | None] = (None, None)
    n: int = 0
    n_eff: int = 0
    by_minute: Sequence[float | None] = ()


def loads_of(prepared: Prepared) -> Loads:
    """What the day counted, a second, for the planner."""
    day, left = prepared.day, 1 - prepared.loads.process_hit
    kinds = {}
    for kind, calls in day.calls.items():
        counts, part = day.counts(kind), left if kind in REMEMBERED else 1.0
        total = calls.sum(axis=0)
        kinds[kind.name] = KindLoad(
            calls=counts.calls * part / DAY_S, elements=counts.elements * part / DAY_S, bytes=counts.bytes * part / DAY_S,
            peak=float(total.max() / max(total.mean(), 1e-12)),
        )  # fmt: skip
    return Loads(basis="run", kinds=kinds, hot_shard_x={Tier.REDIS.value: _hot_x(prepared, Tier.REDIS)})


def plan_of(prepared: Prepared, say: Callable[[int, str], None] = lambda _n, _s: None) -> Planned:
    """The planner's answer on this run's counts."""
    surrogate = Surrogate(prepared.fleet, prepared.works, loads_of(prepared), prepared.middle)
    per_year = prepared.scenario.growth_per_year
    settings = Settings(worlds=prepared.worlds.number, seed=prepared.scenario.seed, growth=per_year.value if per_year else 1.0)
    return plan(surrogate, prepared.inputs, settings, say)


def document(found: Found, *, run_id: str, commit: str, timing: Mapping[str, float]) -> Document:
    """The whole answer."""
    prepared, played, scenario = found.prepared, found.played, found.prepared.scenario
    base = planned_document(found.planned, [], commit=commit, errors=found.errors)
    slos = [_slo(found, metric, limit) for metric, limit in scenario.slo.items()]
    short = [check for check in found.planned.judged.checks if check.status == SIZED and check.have < check.need]
    recovery = told_recovery(played)
    verdict = Verdict(
        holds=all(slo.holds for slo in slos) and not short and not (recovery and recovery.metastable), held=found.planned.judged.held,
        slo=slos, binding=base.verdict.binding, recovered_s=recovery.recovered_s if recovery else None,
        metastable=recovery.metastable if recovery else None, why=[*reasons(prepared, played, slos), *base.verdict.why, *with_plan(found.planned), *of_events(prepared, played)],
        flips=[Flip(input=name, value=value) for name, value in found.planned.flips],
    )  # fmt: skip
    run = Run(id=run_id, seed=scenario.seed, commit=commit, mode=scenario.mode, preset=scenario.preset, prices_date=base.run.prices_date)
    return msgspec.structs.replace(
        base, run=run, verdict=verdict, load=load_rows(played, prepared), tiers=[_tier(found, tier) for tier in base.tiers], latency=_latency(found),
        delivery=_deliveries(found), reconcile=[*_reconcile(found), *base.reconcile], absent=_absent(found, base), timing=dict(timing),
        growth=growth(prepared, found.planned), core=found.core.core if found.core else None,
        rule_regret=list(found.regrets),
    )  # fmt: skip


def metric(found: Found, name: str) -> Metric:
    """One figure of the run. A promise about what the run cannot tell has no value, and does not hold."""
    played, judged = found.played, found.planned.judged
    rows = played.rows
    if name in {"home_read_p99_ms", "home_read_p50_ms"}:
        share = 0.99 if name == "home_read_p99_ms" else 0.5
        return _quantiles(played.home, share, [row.p99_ms if share > 0.9 else row.p50_ms for row in rows])
    if name == "error_share":
        by_minute = _failed_by_span(played)
        return Metric(played.failed_share, max(by_minute), n=sum(row.pages for row in rows), n_eff=len(rows), by_minute=by_minute)
    if name == "delivery_p99_s":
        return _delivered(found)
    if name == "utilisation":
        sized = [tier for tier in Tier if tier not in found.planned.given.unsized]
        by_minute = [max(row.rho_busiest[tier] for tier in sized) for row in rows]
        return Metric(max(by_minute), max(by_minute), n=len(rows), n_eff=len(rows), by_minute=by_minute)
    if name in {"memory_share", "disk_share"}:
        full = [one.utilisation for one in judged.checks if one.resource == name.removesuffix("_share") and one.status == SIZED]
        return Metric(max(full, default=None), max(full, default=None), n=1, n_eff=1)
    if name == "recovered_s":
        verdict = told_recovery(played)
        recovered = 0.0 if played.recovery is None else verdict.recovered_s if verdict else None
        return Metric(recovered, recovered, n=len(rows), n_eff=1)
    cost = sum(one.cost_yr or 0.0 for one in found.planned.tiers)
    return Metric(cost, cost, n=1, n_eff=1)


def _quantiles(batches: Batches, share: float, by_minute: list[float | None]) -> Metric:
    """Of all the run, or a gap where too few independent minutes lie above; and the worst minute, which is what is judged."""
    seen = batches.quantile(share)
    known = [one for one in by_minute if one is not None]
    return Metric(_ms(seen.value), max(known, default=None), (_ms(seen.low), _ms(seen.high)), seen.n, seen.n_eff, by_minute)


def _failed_by_span(played: Played) -> list[float]:
    """By minute, each as the span that it is in: a few failures of a minute's few pages are no share yet."""
    rows, span = played.rows, played.span
    cuts = [*range(0, max(1, len(rows) // span) * span, span), len(rows)]
    shares = []
    for low, high in pairwise(cuts):
        share = sum(row.failed for row in rows[low:high]) / max(1, sum(row.pages for row in rows[low:high]))
        shares += [share] * (high - low)
    return shares


def _delivered(found: Found) -> Metric:
    """Workers and what a push waits in Redis, minute by minute; and the event's own tweet."""
    own = [way.visible_p99_s for way in found.ways if way.name == found.prepared.scenario.rule.delivery.value]
    known = [one.p99_s for one in found.classes if one.p99_s is not None]
    if not known:
        return Metric(None, None, n=sum(one.tweets for one in found.classes))
    most = max(own + known)
    waits = [row.push_p99_s or 0.0 for row in found.played.rows]
    by_minute = [most + wait for wait in waits]
    return Metric(most + float(np.median(waits)), max(by_minute), n=found.classes[0].tweets, n_eff=len(waits), by_minute=by_minute)


def _slo(found: Found, name: str, limit: float) -> Slo:
    seen = metric(found, name)
    breaches = [number for number, one in enumerate(seen.by_minute) if one is None or one > limit]
    judged = seen.worst if seen.by_minute else seen.value
    first = found.played.rows[breaches[0]].t_s if breaches else None
    return Slo(
        metric=name, limit=f"{name}<={limit:g}", value=seen.value, ci=list(seen.ci), n=seen.n, n_eff=seen.n_eff,
        first_breach=None if first is None else relative(found.prepared.scenario, first), duration_s=float(len(breaches) * MINUTE_S) if breaches else None,
        worst=seen.worst, holds=judged is not None and judged <= limit and not breaches,
    )  # fmt: skip


def _tier(found: Found, base: TierState) -> TierState:
    """The queue's own figures in place of the closed form's."""
    tier = Tier(base.tier)
    played, prepared = found.played, found.prepared
    seen, server = played.tiers[tier], prepared.tiers.servers[tier]
    fan = max((step.fan for step in played.warm_steps if TIER_OF[step.kind] is tier), default=1)
    budget = stall_budget(fan, 0.99, rho=min(seen.rho_peak, 0.99), stalls=server.stalls)
    known = base.status != UNSIZED
    hot = [HotKey(key=f"al:{one.key}", share=one.peak_per_s / max(1e-9, _capacity(prepared))) for one in prepared.day.heavy[:HOT_KEYS]]
    pulled = int(prepared.day.calls[Kind.CELEB_LIST].sum()) > 0
    return msgspec.structs.replace(
        base, instances=prepared.tiers.epoch.shards(tier), nodes=prepared.tiers.nodes[tier],
        rho_mean=seen.rho_sum / max(1, seen.minutes) if known else None, rho_peak=seen.rho_peak if known else None,
        hot_shard_x=_hot_x(prepared, tier), hot_keys=hot if tier is Tier.REDIS and pulled else [],
        cold_users=float(max(row.cold_users for row in played.rows)) if tier is Tier.REDIS else None, stall_budget_s_day=budget.with_queue if seen.rho_peak < 1 else None, stalls_s_day=budget.planned,
        status="planned" if tier in prepared.tiers.planned and known else base.status,
    )  # fmt: skip


def _capacity(prepared: Prepared) -> float:
    """Celebrity lists that one Redis instance reads in a second."""
    theta, each = prepared.theta, prepared.loads.elements_a_call(Kind.CELEB_LIST)
    return float(1.0 / (theta.base[Kind.CELEB_LIST] + each * theta.element[Kind.CELEB_LIST]))


def _hot_x(prepared: Prepared, tier: Tier) -> float:
    """Calls of the busiest shard over those of the mean one."""
    total = sum((calls.sum(axis=1) for kind, calls in prepared.day.calls.items() if TIER_OF[kind] is tier), np.zeros(prepared.tiers.epoch.shards(tier)))
    return float(total.max() / max(total.mean(), 1e-12))


def _latency(found: Found) -> list[Latency]:
    played = found.played
    cohorts = {"all": played.home, "warm": played.warm, "cold": played.cold}
    return [_cohort(name, batches) for name, batches in cohorts.items() if batches.calls] + (found.core.latency if found.core else [])


def _cohort(cohort: str, batches: Batches) -> Latency:
    half, most, last = (batches.quantile(share) for share in (0.5, 0.99, 0.999))
    return Latency(
        op="home_read", cohort=cohort, region="all", p50=_value(half), p99=_value(most), p999=_value(last), ci=[_ms(most.low), _ms(most.high)],
        n=most.n, n_eff=most.n_eff, estimate="queue", diff=None,
    )  # fmt: skip


def _value(one: Quantile) -> float | None:
    return _ms(one.value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _deliveries(found: Found) -> list[Delivery]:
    rows = [
        Delivery(follower_class=one.name, p50=one.p50_s, p99=one.p99_s, max=one.most_s, lag_s=None, backlog=None)
        for one in found.classes
    ]  # fmt: skip
    return rows + [
        Delivery(follower_class=f"the event, {way.name}", p50=None, p99=way.visible_p99_s, max=None, lag_s=way.others_p99_s, backlog=float(way.writes))
        for way in found.ways
    ]


def _reconcile(found: Found) -> list[Reconcile]:
    """The day's identities, and of each tier that calls were neither lost nor made."""
    rows = [Reconcile(identity=one.name, lhs=float(one.lhs), rhs=float(one.rhs)) for one in found.prepared.day.identities]
    for tier, state in found.played.states.items():
        ledger = {name: float(part.sum()) for name, part in state.ledger()._asdict().items()}
        asked = float(sum(calls for calls, _ in found.played.tiers[tier].counts.values()))
        ended = ledger["served"] + ledger["shed"] + ledger["timed_out"] + ledger["in_flight"]
        rows += [
            Reconcile(identity=f"{tier}: calls of the load = first attempts", lhs=asked, rhs=ledger["first"]),
            Reconcile(identity=f"{tier}: attempts = served + shed + timed out + in flight", lhs=ledger["first"] + ledger["retried"], rhs=ended),
        ]
    return rows


def _absent(found: Found, base: Document) -> list[str]:
    long = ["days that differ: a run longer than a day begins it again"] if found.prepared.scenario.duration_s > DAY_S else []
    unsized = [f"{tier.tier}: unsized, run calibrate" for tier in base.tiers if tier.status == UNSIZED]
    core = [f"the core in virtual time: {found.core.why_none}"] if found.core and found.core.why_none else []
    return [*NOT_MODELLED, *long, *core, *unsized]
