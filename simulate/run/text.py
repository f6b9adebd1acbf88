"""A run's document as lines for a terminal: the verdict first, then why, what to change, the spike side by side, what decides."""

from __future__ import annotations

from collections.abc import Iterator

from ..fleet.plan_text import closing
from ..quantities import shown_count, shown_seconds
from ..verdict_schema import Document, Slo
from .scenario import Delivery, Scenario

NAMES = {Delivery.HYBRID: "hybrid", Delivery.PUSH: "push, one worker", Delivery.PUSH_SUBTASKS: "push, subtasks", Delivery.PULL: "pull"}


def lines(answer: Document, scenario: Scenario, fleet: str) -> Iterator[str]:
    """As a planner reads it."""
    peak = max((row.reads or 0.0 for row in answer.load), default=0.0)
    yield f"{scenario.name}  {shown_count(scenario.users)} users, fleet {fleet}, peak {shown_count(peak)} reads/s, {scenario.mode}, seed {scenario.seed}"
    for event in scenario.events:
        amounts = "  ".join(f"{name} {_amount(name, one.value)}" for name, one in event.amounts.items())
        yield f"  at {shown_seconds(event.at_s)}  {event.kind}: {amounts}"
    verdict = answer.verdict
    yield f"VERDICT  {'YES' if verdict.holds else 'NO'} on fleet {fleet}; resources fit in {100 * (verdict.held or 0):.0f} % of worlds"
    yield from map(_slo, verdict.slo)
    yield from (f" why     {one}" for one in verdict.why if not one.startswith(("change: ", "note: ")))
    yield from (f"CHANGE   {one.removeprefix('change: ')}" for one in verdict.why if one.startswith("change: "))
    if verdict.binding:
        one = verdict.binding
        yield f" knee    {one.tier} {one.resource}: {100 * (one.utilisation or 0):.0f} % full, full at {_x(one.knee_x)} this load, headroom {_x(one.headroom_x)}, with a node lost {_x(one.n1_headroom_x)}"
    yield from _spike(answer)
    yield from _recovery(answer)
    yield from _latency(answer)
    yield from _tiers(answer)
    yield from closing(answer)
    yield from _reconciled(answer)


def _slo(one: Slo) -> str:
    head = " holds " if one.holds else " breach"
    value = "unknown" if one.value is None else f"{one.value:.3g}"
    interval = f" [{one.ci[0]:.3g}, {one.ci[1]:.3g}]" if one.ci[0] is not None and one.ci[1] is not None else ""
    worst = f", worst minute {one.worst:.3g}" if one.worst is not None and one.worst != one.value else ""
    since = f", from t={one.first_breach} for {shown_seconds(one.duration_s or 0)}" if one.first_breach else ""
    return f"{head}  {one.limit}: {value}{interval}{worst}{since}   n {shown_count(one.n)}, n_eff {one.n_eff}"


def _spike(answer: Document) -> Iterator[str]:
    ways = [row for row in answer.delivery if row.follower_class.startswith("the event, ")]
    if ways:
        yield f"{'SIDE BY SIDE':<22}{'visible to p99 follower':<26}{'redis writes':<15}other authors' p99"
    for row in ways:
        name = NAMES[Delivery(row.follower_class.removeprefix("the event, "))]
        yield f"  {name:<20}{shown_seconds(row.p99 or 0):<26}{shown_count(row.backlog or 0):<15}{shown_seconds(row.lag_s or 0)}"
    if answer.variants:
        yield f"{'PLAYED BESIDE':<22}{'home p99, worst minute':<26}{'failed':<10}{'rebuilds':<11}{'recovered':<14}redis rho"
    for one in answer.variants:
        after = "never" if one.metastable else "not in the run" if one.recovered_s is None else shown_seconds(one.recovered_s)
        p99 = "-" if one.home_p99_ms is None else f"{one.home_p99_ms:.3g} ms"
        yield f"  {one.name:<20}{p99:<26}{100 * (one.failed_share or 0):<10.3g}{shown_count(one.rebuilds):<11}{after:<14}{one.redis_rho_peak or 0:.2f}"


def _recovery(answer: Document) -> Iterator[str]:
    verdict = answer.verdict
    if verdict.metastable:
        yield "RECOVERY none: what fails keeps failing though the load is back (metastable)"
    elif verdict.recovered_s is not None:
        yield f"RECOVERY all backlogs gone {shown_seconds(verdict.recovered_s)} after the last event; not metastable"


def _latency(answer: Document) -> Iterator[str]:
    for one in answer.latency:
        shown = "  ".join(f"{name} {'too few samples' if value is None else f'{value:.3g} ms'}" for name, value in (("p50", one.p50), ("p99", one.p99), ("p99.9", one.p999)))
        yield f"HOME     {one.cohort}, by {one.estimate}: {shown}   n {shown_count(one.n)}, n_eff {one.n_eff}"


def _tiers(answer: Document) -> Iterator[str]:
    yield f"  {'TIER':<11}{'NODES':>7}{'SHARDS':>8}{'RHO':>7}{'PEAK':>7}{'HOT x':>7}{'STALLS MAY':>14}  STATUS"
    for tier in answer.tiers:
        rho = ["-" if value is None else f"{value:.2f}" for value in (tier.rho_mean, tier.rho_peak)]
        budget = f"{tier.stall_budget_s_day or 0:.0f} s/day"
        yield f"  {tier.tier:<11}{tier.nodes:>7,}{tier.instances:>8,}{rho[0]:>7}{rho[1]:>7}{tier.hot_shard_x or 1:>7.2f}{budget:>14}  {tier.status}"


def _reconciled(answer: Document) -> Iterator[str]:
    broken = [row for row in answer.reconcile if abs(row.lhs - row.rhs) > 1e-6 * max(1.0, abs(row.lhs))]
    yield f"RECONCILES  {len(answer.reconcile) - len(broken)} of {len(answer.reconcile)} identities"
    yield from (f"  BROKEN {row.identity}: {row.lhs:,.0f} and {row.rhs:,.0f}" for row in broken)


def _amount(name: str, value: float) -> str:
    return f"{100 * value:g} %" if name.endswith("share") or name in {"cold", "kept"} else shown_seconds(value) if name in TIMES else shown_count(value)


TIMES = {"open_half", "within", "failover", "lasts"}


def _x(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"
