"""What a fleet costs a year, at dated list prices; what is left out is named."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from ..kinds import Kind, Tier
from .fleet import Fleet
from .instances import prices
from .surrogate import STORED_TWEET, Surrogate
from .worlds import Worlds

YEAR_S = 365 * 86_400
MEDIA_SHARE, MEDIA_BYTES, MEDIA_VIEW_BYTES, MEDIA_A_PAGE = 0.3, 1e6, 100e3, 15.0
NETWORK_DISK = 4 * 2**40  # a node without disks of its own


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars a year. `storage`: objects; `egress`: pages to readers; `zones` and `regions`: between our own nodes."""

    by_tier: dict[str, float]
    storage: float
    egress: float
    zones: float
    regions: float
    cdn: float | None
    backup: float
    total: float
    per_million_reads: float
    per_tweet: float
    prices_date: str
    prices_source: str
    excluded: list[str]


def tier_cost(fleet: Fleet, tier: str, nodes: float) -> float:
    """Of one tier in all regions, network disks included."""
    machine, basis = fleet.machine(tier), prices()
    disks = basis.gp3_byte_yr * NETWORK_DISK if tier in {"mysql", "kafka"} and machine.disk == 0 else 0.0
    return nodes * (machine.cost_yr + disks) * len(fleet.regions)


def fleet_cost(surrogate: Surrogate, world: Worlds, nodes: Mapping[str, int]) -> Cost:
    """Of these nodes under the load of one world (the middle one)."""
    fleet, basis = surrogate.fleet, prices()
    rates = surrogate.rates(world, np.full(world.number, float(max(1, fleet.redis_primaries or 1_000))))
    tweets, reads = _one(world, "tweets_per_day"), _one(world, "reads_per_day")
    copies = {Tier.CASSANDRA: fleet.cassandra.replication, Tier.KAFKA: fleet.kafka.replication, Tier.REDIS: fleet.redis.copies}
    written = {
        Tier.CASSANDRA: _bytes(rates[Kind.PUT_TWEET].bytes + rates[Kind.LIKE].bytes + rates[Kind.COUNT].bytes),
        Tier.KAFKA: _bytes(rates[Kind.EVENT].bytes), Tier.REDIS: _bytes(rates[Kind.PUSH].bytes),
    }  # fmt: skip
    zones = sum(written[tier] * (copies[tier] - 1) for tier in written) if fleet.zones > 1 else 0.0
    regions = sum(written[tier] for tier in (Tier.CASSANDRA, Tier.KAFKA)) * (len(fleet.regions) - 1)
    kept = tweets * STORED_TWEET * 365 * fleet.cassandra.years
    media = tweets * MEDIA_SHARE * MEDIA_BYTES * 365 * fleet.media.years * fleet.media.regions
    egress = reads * 365 * _one(world, "page_bytes") * basis.internet_byte
    by_tier = {tier: tier_cost(fleet, tier, count) for tier, count in nodes.items()}
    storage, backup = media * basis.s3_byte_yr, kept * basis.s3_byte_yr
    moved = (zones * basis.zone_byte * len(fleet.regions) * YEAR_S, regions * basis.region_byte * YEAR_S)
    total = sum(by_tier.values()) + storage + backup + egress + sum(moved)
    return Cost(
        by_tier=by_tier, storage=storage, egress=egress, zones=moved[0], regions=moved[1], cdn=None, backup=backup, total=total,
        per_million_reads=total / (reads * 365) * 1e6, per_tweet=total / (tweets * 365), prices_date=basis.date,
        prices_source=f"{basis.source}; {basis.terms}", excluded=_excluded(surrogate, reads, basis.internet_byte),
    )  # fmt: skip


def _excluded(surrogate: Surrogate, reads: float, internet_byte: float) -> list[str]:
    media = reads * MEDIA_A_PAGE * MEDIA_VIEW_BYTES * 365
    cdn = (
        f"CDN: {media / 1e18:.2g} EB of media a year to readers; no published price at that size (as internet traffic at list "
        f"price {media * internet_byte / 1e6:,.0f}M$)"
    )
    unsized = [str(tier) for tier in surrogate.unsized if not getattr(surrogate.fleet, tier).nodes]
    return [f"{tier}: unsized, run calibrate" for tier in unsized] + [
        cdn, "Elasticsearch: no trustworthy prior", "load balancers, DNS, monitoring, people",
    ]  # fmt: skip


def _one(world: Worlds, name: str) -> float:
    return float(np.median(world[name]))


def _bytes(value: object) -> float:
    return float(np.median(np.asarray(value)))
