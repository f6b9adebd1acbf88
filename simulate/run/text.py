"""A run's document as lines for a terminal: the verdict first, then why, what to change, the spike side by side, what decides."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from ..fleet.plan import YEARS_MAX
from ..fleet.plan_text import closing
from ..quantities import shown_count, shown_seconds
from ..queues.quantiles import BATCHES_MIN
from ..verdict_schema import Document, Slo
from .scenario import Delivery, Scenario

NAMES = {Delivery.HYBRID: "hybrid", Delivery.PUSH: "push, one worker", Delivery.PUSH_SUBTASKS: "push, subtasks", Delivery.PULL: "pull"}

HEADS = {"change": "CHANGE", "plan": "PLAN", "note": " note", "spike": " spike", "hot key": " hot key", "likes": " likes"}
COSTS = {"equal": "a push as dear as a pull", "redis seconds": "in redis's time"}
SILENT = "retries"  # told with the recovery


def lines(answer: Document, scenario: Scenario, fleet: str) -> Iterator[str]:
    """As a planner reads it."""
    peak = max((row.reads or 0.0 for row in answer.load), default=0.0)
    yield f"{scenario.name}  {shown_count(scenario.users)} users, fleet {fleet}, peak {shown_count(peak)} reads/s, {scenario.mode}, seed {scenario.seed}"
    for event in scenario.events:
        amounts = "  ".join(f"{name} {_amount(name, one.value)}" for name, one in event.amounts.items())
        yield f"  at {shown_seconds(event.at_s)}  {event.kind}: {amounts}"
    verdict = answer.verdict
    yield f"VERDICT  {'YES' if verdict.holds else 'NO'} on fleet {fleet}{_not_because(answer)}; resources fit in {100 * (verdict.held or 0):.0f} % of worlds"
    yield from map(_slo, verdict.slo)
    told = [one.partition(": ") for one in verdict.why]
    label = " risk    " if verdict.holds else " why     "
    yield from (f"{label}{head}{colon}{rest}" for head, colon, rest in told if head not in HEADS and head != SILENT)
    for name, shown in HEADS.items():
        yield from (f"{shown:<9}{rest}" for head, _, rest in told if head == name)
    if verdict.binding:
        one = verdict.binding
        yield f" knee    {one.tier} {one.resource}: {100 * (one.utilisation or 0):.0f} % full, full at {_x(one.knee_x)} this load, headroom {_x(one.headroom_x)}, with a node lost {_x(one.n1_headroom_x)}"
    yield from _spike(answer)
    yield from _recovery(answer)
    yield from _grown(answer)
    yield from _latency(answer)
    yield from _core(answer)
    yield from _tiers(answer)
    yield from _regions(answer)
    yield from _regret(answer)
    yield from closing(answer)
    yield from _checked(answer)
    yield from _reconciled(answer)


def _not_because(answer: Document) -> str:
    """Whether it was so before anything happened."""
    broken = [one for one in answer.verdict.slo if not one.holds and one.first_breach]
    return "; not because of what happens: it was so before" if any(str(one.first_breach).startswith("-") for one in broken) else ""


def _slo(one: Slo) -> str:
    head = " holds " if one.holds else " breach"
    value = "no figure of the whole run" if one.value is None else _n(one.value)
    interval = f" [{_n(one.ci[0])}, {_n(one.ci[1])}]" if one.ci[0] is not None and one.ci[1] is not None else ""
    worst = f", worst {_n(one.worst)}" if one.worst is not None and one.worst != one.value else ""
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
        undecided = "-" if one.metastable is None else "not in the run"
        after = "never" if one.metastable else undecided if one.recovered_s is None else shown_seconds(one.recovered_s)
        p99 = "-" if one.home_p99_ms is None else f"{_n(one.home_p99_ms)} ms"
        yield f"  {one.name:<20}{p99:<26}{100 * (one.failed_share or 0):<10.3g}{shown_count(one.rebuilds):<11}{after:<14}{one.redis_rho_peak or 0:.2f}"


def _recovery(answer: Document) -> Iterator[str]:
    verdict = answer.verdict
    retries = next((one.removeprefix("retries: ") for one in verdict.why if one.startswith("retries: ")), "")
    if verdict.metastable:
        yield f"RECOVERY none: what fails keeps failing though the load is back: metastable ({retries})"
    elif verdict.recovered_s is not None:
        yield f"RECOVERY as before {shown_seconds(verdict.recovered_s)} after the last event; not metastable ({retries})"
    elif verdict.metastable is not None:
        yield f"RECOVERY undecided when the run ended ({retries})"
    elif retries:
        yield f"RECOVERY there is nothing to recover to ({retries})"


def _grown(answer: Document) -> Iterator[str]:
    growth = answer.growth
    if growth is None:
        return
    yield f"GROWTH   {growth.per_year:g}x a year [{growth.low:g}, {growth.high:g}], horizon {growth.horizon_years:.3g} years"
    for number, one in enumerate(growth.ends):
        until = f"until {one.date}, {_years(one.years)}" if one.date else f"for {YEARS_MAX:.0f} years and more"
        beyond = "" if one.years is not None and one.years < growth.horizon_years else "; beyond the horizon"
        yield f"  {'first: ' if number == 0 else '       '}{one.tier:<10} holds {until} [{_years(one.years_high)}, {_years(one.years_low)}]{beyond}"


def _years(value: float | None) -> str:
    return f"{YEARS_MAX:.0f} years or more" if value is None else f"{value:.2g} years"


def _latency(answer: Document) -> Iterator[str]:
    for one in answer.latency:
        gap = f"a gap: {one.n_eff} independent minutes of {BATCHES_MIN}" if one.n_eff < BATCHES_MIN else "too few samples"
        shown = "  ".join(f"{name} {gap if value is None else f'{_n(value)} ms'}" for name, value in (("p50", one.p50), ("p99", one.p99), ("p99.9", one.p999)))
        if one.p50 is None and one.p99 is None:
            shown = f"p50 and p99 {gap}"
        diff = "" if one.diff is None else f"  {one.diff:.2f}x the other estimate"
        yield f"HOME     {one.cohort}, by {one.estimate}: {shown}{diff}   n {shown_count(one.n)}, n_eff {one.n_eff}"


def _regions(answer: Document) -> Iterator[str]:
    rows = [row for row in answer.load if row.region != "all"]
    if rows:
        shown = "  ".join(f"{row.region} {shown_count(row.reads or 0)} reads/s, {shown_count(row.tweets or 0)} tweets/s" for row in rows)
        yield f"REGIONS  in the minute of most reads: {shown}"


def _regret(answer: Document) -> Iterator[str]:
    """The threshold beside the best choice for each pair, then both extremes beside it."""
    for one in answer.rule_regret:
        if one.regret is None or one.best <= 0:
            continue
        ways = ((f"above {one.threshold:,} followers pulled", one.by_rule), ("all pushed", one.all_pushed), ("all pulled", one.all_pulled))
        shown = ", ".join(f"{name} {_n(value / one.best)}x" for name, value in ways)
        yield f"REGRET   {COSTS[one.costs]}, beside the best for each pair: {shown}"


def _core(answer: Document) -> Iterator[str]:
    """What the real core said of the same seconds."""
    one = answer.core
    if one is None:
        return
    failed = ", ".join(f"{count} {why}" for why, count in one.failed.items() if count) or "none failed"
    hit = "-" if one.process_hit is None else f"{one.process_hit:.2f}"
    saw = "" if one.saw is None else f"; {100 * one.saw:.0f} % of {one.called} who came for the tweet saw it"
    yield (
        f"CORE     one gateway process, {one.pages} pages in {shown_seconds(one.seconds)} at {one.rate_per_s:.3g}/s (the share of {one.rate_x:.3g}), mean "
        f"{one.mean_ms or 0:.3g} ms, by queues {one.queue_mean_ms or 0:.3g} ms; {failed}; process hit {hit} after {one.warmed} pages (assumed "
        f"{one.process_hit_assumed:.2f}){saw}"
    )
    asked = [kind for kind in one.kinds if kind.loads_calls]
    yield f"  {'calls a page, by core and by loads':<36}" + "  ".join(f"{kind.kind.lower()} {kind.calls or 0:.3g}/{kind.loads_calls:.3g}" for kind in asked)


def _tiers(answer: Document) -> Iterator[str]:
    yield f"  {'TIER':<11}{'NODES':>7}{'SHARDS':>8}{'RHO':>7}{'PEAK':>7}{'HOT x':>7}{'STALLS s/day, may':>20}  STATUS"
    for tier in answer.tiers:
        rho = ["-" if value is None else f"{value:.2f}" for value in (tier.rho_mean, tier.rho_peak)]
        budget = f"{tier.stalls_s_day or 0:.3g}, {'-' if tier.stall_budget_s_day is None else f'{tier.stall_budget_s_day:.3g}'}"
        yield f"  {tier.tier:<11}{tier.nodes:>7,}{tier.instances:>8,}{rho[0]:>7}{rho[1]:>7}{tier.hot_shard_x or 1:>7.2f}{budget:>20}  {tier.status}"


def _checked(answer: Document) -> Iterator[str]:
    """The planner's fast stand-in beside full runs: the middle ratio and the farthest ones, by figure."""
    ratios: dict[str, list[float]] = {}
    for row in answer.surrogate_error:
        if row.surrogate > 0 and math.isfinite(row.surrogate):
            ratios.setdefault(row.metric, []).append(row.full / row.surrogate)
    for metric, found in ratios.items():
        yield f"SURROGATE {metric}: a full run says {statistics.median(found):.2f}x as much [{min(found):.2f}, {max(found):.2f}] in {len(found)} worlds"


def _reconciled(answer: Document) -> Iterator[str]:
    broken = [row for row in answer.reconcile if abs(row.lhs - row.rhs) > 1e-6 * max(1.0, abs(row.lhs))]
    yield f"RECONCILES  {len(answer.reconcile) - len(broken)} of {len(answer.reconcile)} identities"
    yield from (f"  BROKEN {row.identity}: {row.lhs:,.0f} and {row.rhs:,.0f}" for row in broken)


def _amount(name: str, value: float) -> str:
    return f"{100 * value:g} %" if name.endswith("share") or name in {"cold", "kept"} else shown_seconds(value) if name in TIMES else shown_count(value)


TIMES = {"open_half", "react_half", "within", "failover", "lasts"}


def _n(value: float) -> str:
    """Three figures, and no powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _x(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"
