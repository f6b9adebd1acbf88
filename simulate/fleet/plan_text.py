"""A plan's document as lines for a terminal: the verdict first, what decides it last."""

from __future__ import annotations

from collections.abc import Iterator

from ..estimate.text import amount
from ..verdict_schema import Document, TierPlan
from .judge import UNSIZED


def lines(answer: Document, name: str) -> Iterator[str]:
    """As a planner reads it."""
    verdict, load = answer.verdict, answer.load[0]
    yield f"plan  {name}   basis {answer.run.mode}, seed {answer.run.seed}, prices of {answer.run.prices_date}"
    yield f"  peak  {_count(load.reads)} reads/s  {_count(load.tweets)} tweets/s  {_count(load.pushes)} pushes/s  {_count(load.pulls)} celebrity lists/s"
    yield f"VERDICT  {'YES' if verdict.holds else 'NO'}: fits in {100 * (verdict.held or 0):.0f} % of worlds"
    for slo in verdict.slo:
        value, (low, high) = slo.value, slo.ci
        shown = "no steady state" if value is None or slo.worst is None else f"{value:.3g} [{low:.3g}, {high:.3g}]"
        yield f"  {'holds ' if slo.holds else 'breach'}  {slo.limit}: {shown}"
    binding = verdict.binding
    if binding is not None:
        yield f"  binds   {binding.tier} {binding.resource}: {100 * (binding.utilisation or 0):.0f} % full, headroom {_x(binding.headroom_x)}, with a node lost {_x(binding.n1_headroom_x)}"
    yield from map(_why, verdict.why)
    yield f"  {'TIER':<11}{'ON':<20}{'HAVE':>7}{'P5':>8}{'P50':>8}{'P95':>8}{'PLAN':>8}{'$ A YEAR':>13}  BINDS, RUNNER-UP"
    yield from (line for one in answer.plan for line in _plan_lines(one))
    yield from closing(answer)


def closing(answer: Document) -> Iterator[str]:
    """What decides the answer, what would flip it, what it costs, and what is not in it."""
    yield from _decided(answer)
    if answer.cost:
        yield f"COST     {_money(answer.cost.total)} a year, {answer.cost.per_million_reads:.2f} $ a million reads; excluded: {'; '.join(answer.cost.excluded)}"
    yield f"NOT MODELLED  {'; '.join(answer.absent)}"


def _why(one: str) -> str:
    head, _, rest = one.partition(": ")
    return f"  CHANGE  {rest}" if head == "change" else f"  note    {rest}" if head == "note" else f"  why     {one}"


def _plan_lines(one: TierPlan) -> Iterator[str]:
    if one.status == UNSIZED:
        yield f"  {one.tier:<11}{'unsized: run calibrate':<20}"
        return
    have = f"{one.have:,}" if one.have else "-"
    runner = f", then {one.runner_up} at {_money(one.runner_up_cost_yr or 0)}" if one.runner_up else ""
    flips = f", flips at {one.flips_at.input} {one.flips_at.value:.3g}" if one.flips_at else ""
    lasts = f", lasts {one.lasts_years:.1f} years" if one.lasts_years is not None else ""
    yield (
        f"  {one.tier:<11}{one.choice:<20}{have:>7}{one.nodes_p5:>8,}{one.nodes_p50:>8,}{one.nodes_p95:>8,}{one.nodes:>8,}"
        f"{one.cost_yr or 0:>13,.0f}  {one.binding}{runner}{flips}{lasts}"
    )


def _decided(answer: Document) -> Iterator[str]:
    first = [f"{row.rank} {row.name} {_short(row.value)} [{_short(row.low)}, {_short(row.high)}]" for row in answer.inputs[:5]]
    yield f"DECIDED BY  {'  '.join(first)}"
    flips = [f"{one.input} {one.value:.3g}" for one in answer.verdict.flips[:4]]
    yield f"FLIPS IF    {'  or  '.join(flips) if flips else 'no single input within its interval turns the middle world'}"


def _count(value: float | None) -> str:
    return "-" if value is None else amount(value, "")


def _short(value: float) -> str:
    return amount(value, "") if value >= 1000 else f"{value:.3g}"


def _x(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def _money(value: float) -> str:
    return f"{amount(value, '')}$"
