"""Fleets as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .cost import Cost, tier_cost
from .fleet import TIERS, Fleet
from .judge import Check, Judgement
from .memory import Memory

TB, GB = 1e12, 1e9


def show_rows(fleet: Fleet, unsized: Sequence[str]) -> list[dict[str, object]]:
    """A row a tier."""
    rows: list[dict[str, object]] = []
    for tier in TIERS:
        machine, own = fleet.machine(tier), getattr(fleet, tier)
        servers = fleet.redis_primaries if tier == "redis" else own.nodes * machine.vcpu
        rows.append({
            "tier": tier, "instance": machine.name, "nodes": own.nodes, "servers": servers,
            "copies": getattr(own, "replication", getattr(own, "copies", 1)), "memory_tb": round(own.nodes * machine.memory / TB, 2),
            "disk_tb": round(own.nodes * machine.disk / TB, 2), "cost_yr": round(tier_cost(fleet, tier, own.nodes)),
            "status": "not named" if not own.nodes else "unsized: run calibrate" if tier in unsized else "sized",
        })  # fmt: skip
    return rows


def show_lines(fleet: Fleet, rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The tiers."""
    yield f"{fleet.name}: {fleet.says}" if fleet.says else fleet.name
    yield f"  {'TIER':<11}{'INSTANCE':<14}{'NODES':>7}{'SERVERS':>9}{'COPIES':>8}{'MEMORY TB':>11}{'DISK TB':>9}{'$ A YEAR':>12}  STATUS"
    for row in rows:
        yield (
            f"  {row['tier']:<11}{row['instance']:<14}{row['nodes']:>7,}{row['servers']:>9,}{row['copies']:>8}{row['memory_tb']:>11}"
            f"{row['disk_tb']:>9}{row['cost_yr']:>12,}  {row['status']}"
        )


def compare_rows(first: Fleet, second: Fleet) -> list[dict[str, object]]:
    """What differs, by tier: nodes, machines, cost; and every setting that is not the same."""
    rows: list[dict[str, object]] = []
    for tier in (*TIERS, "media"):
        one, other = getattr(first, tier), getattr(second, tier)
        for field in one.__struct_fields__:
            before, after = getattr(one, field), getattr(other, field)
            if before != after:
                rows.append({"what": f"{tier}.{field}", "first": before, "second": after, "x": _times(before, after)})
        if tier in TIERS:
            before, after = (round(tier_cost(fleet, tier, getattr(fleet, tier).nodes)) for fleet in (first, second))
            if before != after:
                rows.append({"what": f"{tier}, $ a year", "first": before, "second": after, "x": _times(before, after)})
    if first.regions != second.regions:
        rows.append({"what": "regions", "first": len(first.regions), "second": len(second.regions), "x": None})
    return rows


def _times(before: object, after: object) -> float | None:
    numbers = isinstance(before, int | float) and isinstance(after, int | float) and not isinstance(before, bool)
    return round(after / before, 3) if numbers and before else None  # type: ignore[operator]  # numbers, by the line above


def check_lines(fleet: Fleet, judged: Judgement) -> Iterator[str]:
    """The judgement."""
    yield f"{fleet.name}: {fleet.says}" if fleet.says else fleet.name
    yield f"  {'TIER':<11}{'RESOURCE':<10}{'HAVE':>7}{'NEED':>7}{'P95':>7}{'USED':>8}{'P95':>8}{'HEADROOM':>10}{'N+1':>8}{'HOLDS':>8}"
    for one in judged.checks:
        yield _check_line(one)
    for region in judged.regions:
        yield (
            f"  without {region.lost}: {region.busiest} at {region.utc_hour:.1f} UTC carries {region.after_x:.2f}x the mean of all reads "
            f"(before {region.before_x:.2f}x); least headroom {region.tier} {region.headroom_x:.2f}x"
        )
    yield from (f"  note: {one}" for one in judged.warnings)
    binding = judged.binding
    if binding is not None:
        yield f"  binds first: {binding.tier}, {binding.resource}: {binding.headroom_x:.2f}x of the middle load fits"
    yield f"  {'HOLDS' if judged.holds else 'DOES NOT HOLD'}: fits in {100 * judged.held:.0f} % of worlds"


def _check_line(one: Check) -> str:
    head = f"  {one.tier:<11}{one.resource:<10}"
    if one.status == "unsized":
        return f"{head}unsized: run calibrate"
    if one.status == "not named":
        return f"{head}{'-':>7}{one.need:>7,}{one.need_p95:>7,}  not named by the fleet"
    used, room = f"{100 * one.utilisation:.0f} %", f"{one.headroom_x:.2f}x"
    return (
        f"{head}{one.have:>7,}{one.need:>7,}{one.need_p95:>7,}{used:>8}{100 * one.utilisation_p95:>6.0f} %{room:>10}"
        f"{one.n1_headroom_x:>7.2f}x{100 * one.holds:>6.0f} %"
    )


def memory_lines(fleet: Fleet, memory: Mapping[str, Memory]) -> Iterator[str]:
    """Redis memory by encoding."""
    yield f"  {'REDIS MEMORY, TB':<20}{'PAYLOAD':>9}{'ENCODING':>10}{'FRAGMENT':>10}{'REPLICA':>9}{'FORK':>8}{'TOTAL':>9}"
    for name, one in memory.items():
        parts = [float(_first(part)) / TB for part in (*one, one.total)]
        mark = " *" if name == fleet.encoding else ""
        widths = (9, 10, 10, 9, 8, 9)
        yield f"  {name + mark:<20}" + "".join(f"{part:>{width}.2f}" for part, width in zip(parts, widths, strict=True))


def cost_lines(cost: Cost) -> Iterator[str]:
    """Dollars a year."""
    tiers = ", ".join(f"{tier} {_money(value)}" for tier, value in cost.by_tier.items())
    yield f"  cost a year {_money(cost.total)}: {tiers}; media storage {_money(cost.storage)}, backup {_money(cost.backup)}, pages to readers "
    yield f"    {_money(cost.egress)}, between zones {_money(cost.zones)}, between regions {_money(cost.regions)}; {cost.per_million_reads:.2f} $ a million reads"
    yield f"  prices of {cost.prices_date}: {cost.prices_source}"
    yield from (f"  excluded: {one}" for one in cost.excluded)


def _money(value: float) -> str:
    for size, unit in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}$"
    return f"{value:.0f}$"


def _first(value: object) -> float:
    return float(np.ravel(np.asarray(value))[0])
