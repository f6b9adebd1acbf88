"""Whether named nodes hold the load: by tier and resource, in the middle world and in all of them, with one node lost, with a
region lost; and which binds first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ..kinds import Tier
from ..quantities import shown_count
from .fleet import TIERS
from .geography import survivors
from .surrogate import Need, Surrogate
from .worlds import Floats, Worlds

CLUSTER_NODES = 192  # Cassandra nodes a region and cluster at which Netflix's planner stops
FORK_GB = 25.0  # above it a fork for a replica or a snapshot stalls an instance for long
CONFIDENCE = 0.95  # share of worlds in which a fleet must hold to be called holding
SIZED, UNSIZED, UNNAMED = "sized", "unsized", "not named"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of one tier. `utilisation`: 1 is full; `headroom_x`: how often the middle load fits within the fleet's own
    limits; `n1_headroom_x`: the same with one node lost; `holds`: share of worlds that fit; `status` unsized: not judged."""

    tier: str
    resource: str
    instance: str
    have: int
    need: int
    need_p95: int
    utilisation: float
    utilisation_p95: float
    headroom_x: float
    n1_headroom_x: float
    holds: float
    status: str


class RegionCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A region lost: who carries most then, when, how much over the mean of all reads, and whether that tier still fits."""

    lost: str
    busiest: str
    utc_hour: float
    before_x: float
    after_x: float
    tier: str
    headroom_x: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """All checks; `binding` the one with least headroom among those that are sized and named; `warnings`: what no sum shows."""

    holds: bool
    held: float
    checks: list[Check]
    regions: list[RegionCheck]
    binding: Check | None
    warnings: list[str]

    @property
    def short(self) -> list[Check]:
        """What does not fit in enough worlds, worst first."""
        return sorted((one for one in self.checks if one.status == SIZED and one.holds < CONFIDENCE), key=lambda one: one.headroom_x)


def judge(surrogate: Surrogate, middle: Worlds, worlds: Worlds) -> Judgement:
    """Of the fleet as it is named."""
    now, all_worlds = _needs(surrogate, middle), _needs(surrogate, worlds)
    checks = []
    held = np.ones(worlds.number, dtype=bool)
    for tier in map(Tier, TIERS):
        for resource, need in now[tier].items():
            check = _check(surrogate, tier, resource, need, all_worlds[tier][resource])
            checks.append(check)
            if check.status == SIZED:
                held &= all_worlds[tier][resource].nodes <= check.have * (1 + 1e-9)
    judged = [one for one in checks if one.status == SIZED]
    share = float(held.mean())
    return Judgement(
        holds=share >= CONFIDENCE, held=share, checks=checks, regions=_regions(surrogate, middle),
        binding=min(judged, key=lambda one: one.headroom_x, default=None), warnings=_warnings(surrogate, middle),
    )  # fmt: skip


def _warnings(surrogate: Surrogate, middle: Worlds) -> list[str]:
    fleet, redis, found = surrogate.fleet, surrogate.fleet.redis, []
    if redis.nodes and redis.copies == 1:
        lost = float(middle["weekly_active"][0]) / redis.nodes
        reads = lost * float(middle["following"][0])
        found.append(f"redis has no replica: a lost node takes {shown_count(lost)} timelines with it, {shown_count(reads)} partition reads to rebuild them")
    if redis.instance_gb > FORK_GB:
        found.append(f"redis instances of {redis.instance_gb:g} GB: a fork for a replica or a snapshot stalls one for long, and one core serves all of it")
    if fleet.cassandra.nodes > CLUSTER_NODES:
        clusters = -(-fleet.cassandra.nodes // CLUSTER_NODES)
        found.append(f"{fleet.cassandra.nodes:,} cassandra nodes are {clusters} clusters of {CLUSTER_NODES}, at which Netflix's planner stops: shard by tweet id")
    if fleet.mysql.nodes and fleet.mysql.nodes < fleet.mysql.shards * fleet.mysql.copies:
        found.append(f"{fleet.mysql.shards} mysql shards with {fleet.mysql.copies} copies on {fleet.mysql.nodes} nodes: several shards fail together")
    return found


def _needs(surrogate: Surrogate, worlds: Worlds) -> dict[Tier, dict[str, Need]]:
    """By tier and resource; Redis over the instances that there are, or that would be enough."""
    named = surrogate.fleet.redis_primaries
    primaries = np.full(worlds.number, float(named)) if named else surrogate.found_primaries(worlds)
    found = {Tier.REDIS: surrogate.redis(worlds, primaries), **surrogate.others(worlds)}
    return {tier: dict(need.by) for tier, need in found.items()}


def _check(surrogate: Surrogate, tier: Tier, resource: str, now: Need, later: Need) -> Check:
    fleet = surrogate.fleet
    have = getattr(fleet, tier).nodes
    unsized = tier in surrogate.unsized and resource == "cpu"
    used = _ratio(now.full, have)
    return Check(
        tier=tier, resource=resource, instance=fleet.machine(tier).name, have=have, need=_whole(float(now.nodes[0])),
        need_p95=_whole(float(np.percentile(later.nodes, 95))), utilisation=used,
        utilisation_p95=_ratio(np.percentile(later.full, [95]), have), headroom_x=have / max(float(now.nodes[0]), 1e-9),
        n1_headroom_x=max(have - 1, 0) / max(float(now.nodes[0]), 1e-9), holds=float((later.nodes <= have * (1 + 1e-9)).mean()),
        status=UNSIZED if unsized else SIZED if have else UNNAMED,
    )  # fmt: skip


def _regions(surrogate: Surrogate, middle: Worlds) -> list[RegionCheck]:
    found = survivors(surrogate.fleet, float(middle["peak"][0]))
    if not found:
        return []
    after = _needs(surrogate._replace(region_lost=True), middle)
    tiers = [Tier(tier) for tier in TIERS if getattr(surrogate.fleet, tier).nodes and tier not in surrogate.unsized]
    rooms = {tier: _room(surrogate, tier, list(after[tier].values())) for tier in tiers}
    least = min(rooms, key=lambda tier: rooms[tier], default=Tier.REDIS)
    return [
        RegionCheck(
            lost=one.lost, busiest=one.region, utc_hour=one.utc_hour, before_x=one.alone_x, after_x=one.survivor_x,
            tier=least, headroom_x=rooms.get(least, 0.0),
        )
        for one in found
    ]  # fmt: skip


def _room(surrogate: Surrogate, tier: Tier, needs: Sequence[Need]) -> float:
    most = max(float(need.nodes[0]) for need in needs)
    return float(getattr(surrogate.fleet, tier).nodes / max(most, 1e-9))


def _ratio(full: Floats, have: int) -> float:
    return float(full[0]) / have if have else 0.0


def _whole(nodes: float) -> int:
    return int(np.ceil(nodes * (1 - 1e-12)))
