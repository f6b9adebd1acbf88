"""Why a promise does not hold, and what an event did, in sentences with figures: what a planner would ask next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..fleet.judge import UNSIZED, judge
from ..fleet.plan import Planned
from ..fleet.surrogate import home_p99_ms
from ..kinds import TIER_OF, Kind, Tier
from ..quantities import shown_count, shown_seconds
from ..queues.recovery import Verdict as Recovery
from ..verdict_schema import Slo
from .engine import Played, Row
from .loads import MINUTE_S
from .prepare import Prepared
from .scenario import Amount, Event, Happening

HEALTHY = 0.01  # share of the worst tier's calls that may fail before an event, for a recovery to mean something
PART = 0.05  # of a tier's utilisation: smaller parts are told together
FULL = 1.0


def reasons(prepared: Prepared, played: Played, slos: Sequence[Slo]) -> list[str]:
    """What is behind each promise that does not hold."""
    return [line for slo in slos if not slo.holds for line in _behind(prepared, played, slo)]


def of_events(prepared: Prepared, played: Played) -> list[str]:
    """What a post brought: reads, a key that everybody asks for, likes on one partition; and whether retries keep alight what fails."""
    events = prepared.scenario.events
    told = [line for event in events if event.kind is Happening.POST for line in _post(prepared, played, event)]
    return [*told, _retries(prepared, played)] if events else told


def _retries(prepared: Prepared, played: Played) -> str:
    """Where all that is abandoned is done all the same, retries keep a tier full by themselves from p* = 1 - rho on."""
    p = prepared.scenario.rule.retry_share
    tier = max(Tier, key=lambda one: played.rows[0].rho[one])
    rho = played.rows[0].rho[tier]
    found = f"retry {p:g} {'<' if p < 1 - rho else '>='} p* = 1 - rho = {max(0.0, 1 - rho):.2f} of {tier} before it"
    return f"retries: {found}" + (f"; {100 * played.failing_before:.3g} % of its calls failed before" if played.failing_before > 0.001 else "")


def told_recovery(played: Played) -> Recovery | None:
    """How it recovered; nothing where nothing happened, or where it failed already before."""
    return None if played.failing_before > HEALTHY else played.recovery


def with_plan(planned: Planned) -> list[str]:
    """What would hold instead, and a home page's p99 there, in closed form."""
    if planned.judged.holds or not planned.is_named:
        return []
    steady = np.where(np.isfinite(there := home_p99_ms(planned.planned, planned.worlds, planned.planned.used(planned.worlds))), there, np.inf)
    low, middle, high = (float(np.percentile(steady, share, method="nearest")) for share in (5, 50, 95))
    tiers = ", ".join(f"{one.tier} {one.nodes:,} ({one.choice})" for one in planned.tiers if one.nodes and one.status != UNSIZED)
    held = judge(planned.planned, planned.middle, planned.worlds).held
    return [f"plan: {tiers}: resources fit in {100 * held:.0f} % of worlds, home p99 {middle:.0f} ms [{low:.0f}, {high:.0f}] in closed form"]


def _behind(prepared: Prepared, played: Played, slo: Slo) -> Iterator[str]:
    rows = played.rows
    if slo.metric.startswith("home_read"):
        worst = max(rows, key=lambda row: (row.p99_ms or 0.0, row.failed))
        yield f"{slo.metric} {_told(slo.worst)} ms in the worst {_span(played)}, from t={slo.first_breach}: {_slowest(worst)}"
        yield from _full(prepared, worst)
    elif slo.metric == "error_share":
        worst = max(rows, key=lambda row: row.failed)
        yield f"error_share {_told(slo.worst)} in the worst {_span(played)}, {_told(slo.value)} of the whole run: {_refusing(worst)}"
    elif slo.metric == "recovered_s":
        metastable = played.recovery is not None and played.recovery.metastable
        late = "it failed before already" if played.failing_before > HEALTHY else "it had not recovered when the run ended"
        never = "it does not recover by itself: what fails keeps failing" if metastable else late
        yield never if slo.value is None else f"recovered after {_told(slo.value)} s"
    elif slo.metric == "delivery_p99_s" and slo.worst is not None:
        wait = max((row.push_p99_s or 0.0 for row in rows), default=0.0)
        failing = "; more than one push in a hundred times out" if wait >= prepared.tiers.servers[Tier.REDIS].timeout_s else ""
        yield f"delivery_p99_s {_told(slo.worst)}: {shown_seconds(wait)} of it is what a push waits in redis in the worst minute{failing}"
    else:
        yield f"{slo.metric} {_told(slo.worst)} where {slo.limit.partition('<=')[2]} is promised"


def _span(played: Played) -> str:
    return "minute" if played.span == 1 else f"{played.span} minutes"


def _slowest(row: Row) -> str:
    refusing = max(row.refused.values(), default=0.0)
    if refusing > 0.01:
        return _refusing(row)
    step, took = max(row.steps_ms.items(), key=lambda one: one[1])
    tier = TIER_OF[Kind[step.upper()]]
    return f"most of it in {step}, {took:.3g} ms on average; {_busy(row, tier)}"


def _refusing(row: Row) -> str:
    step, share = max(row.refused.items(), key=lambda one: one[1], default=("request", 0.0))
    tier = TIER_OF[Kind[step.upper()]]
    if share == 0.0:
        return f"pages that took longer than their deadline; {_busy(row, max(Tier, key=lambda one: row.rho_busiest[one]))}"
    return f"{100 * share:.3g} % of pages refused in {step}; {_busy(row, tier)}"


def _busy(row: Row, tier: Tier) -> str:
    return f"tier {tier}, busiest shard at rho {row.rho_busiest[tier]:.2f}, mean {row.rho[tier]:.2f}"


def _full(prepared: Prepared, row: Row) -> Iterator[str]:
    """What fills the tiers that have more to do than they can."""
    for tier in Tier:
        if row.rho[tier] < FULL:
            continue
        lists = prepared.loads.per_read(Kind.CELEB_LIST)
        reads = (row.reads + row.opened) / MINUTE_S
        if tier is Tier.REDIS and lists >= 1:
            yield f"{lists:.3g} celebrity lists/read x {shown_count(reads)}/s = {shown_count(lists * reads)}/s"
        yield f"{tier} rho {row.rho[tier]:.2f}: {_parts(row, tier)}"


def _parts(row: Row, tier: Tier) -> str:
    parts = {name: rho for name, rho in row.rho_by_kind.items() if TIER_OF[Kind[name]] is tier}
    total = sum(parts.values())
    large = sorted((one for one in parts.items() if one[1] >= PART * total), key=lambda one: -one[1])
    rest = total - sum(rho for _, rho in large)
    named = ", ".join(f"{name.lower()} {rho:.2f}" for name, rho in large)
    return f"{named}, rest {rest:.2f}" + (f"; again {row.rho[tier] - total:.2f}" if row.rho[tier] > 1.01 * total else "")


def _post(prepared: Prepared, played: Played, event: Event) -> Iterator[str]:
    rows = played.rows
    most = max(rows, key=lambda row: row.opened)
    opened = sum(row.opened for row in rows)
    if not opened:
        return
    extra, usual = most.opened / MINUTE_S, max(1.0, most.reads / MINUTE_S)
    share = event.amounts["open_share"]
    yield f"spike: {shown_count(opened)} opens, half in {shown_seconds(event['open_half'])} (input {_interval(share)}): +{shown_count(extra)} reads/s in the worst minute = +{100 * extra / usual:.0f} %"
    theta, loads = prepared.theta, prepared.loads
    first = opened * (1 - 2 ** (-1 / event["open_half"]))
    cost = float(theta.base[Kind.CELEB_LIST] + theta.element[Kind.CELEB_LIST] * loads.day.rule.limits.timeline_page_default)
    where = "its author's list is read from redis each time" if loads.per_read(Kind.CELEB_LIST) >= 1 else "none on redis with this cache"
    yield f"hot key: {shown_count(first)} reads/s of one author's list in the first second without a cache ({100 * first * cost:.0f} % of one instance); {where}"
    likes = [row.likes for row in rows]
    at_peak, sum_of = max(likes) / MINUTE_S, sum(likes)
    unsized = ": UNSIZED, calibrate" if TIER_OF[Kind.COUNT] in prepared.works.untrusted else ""
    yield f"likes: {shown_count(sum_of)} in {shown_seconds(len(rows) * MINUTE_S - event.at_s)}, {shown_count(at_peak)}/s at most on one counter partition of {TIER_OF[Kind.COUNT]}{unsized}"


def _interval(one: Amount) -> str:
    return f"{100 * one.value:g} % [{100 * one.low:g}, {100 * one.high:g}]"


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"
