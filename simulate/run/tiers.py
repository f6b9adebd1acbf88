"""A fleet as the queues see it: shards, servers, when callers give up, when it stands still; and what a call takes there.

A tier that the fleet does not name is given what the closed form asks for, and is said to be planned, not judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.limits import Limits
from ...core.routing import Epoch
from ..fleet.fleet import TIERS, Fleet
from ..fleet.plan import filled
from ..fleet.surrogate import PUSH_US, Surrogate
from ..fleet.worlds import Input
from ..kinds import TIER_OF, Kind, Tier
from ..queues.model import Retries, Server, Stall
from ..work import Theta, Works
from .scenario import Rule

STALLS = Path(__file__).with_name("stalls.toml")
BACKOFF_S = 0.2  # assumed: clients pause so long, up to twice that
UNBOUNDED = 1e6  # a retry budget from here on is none
NOTHING_S = 1e-9  # a pipeline has no call of its own: each of its keys is one
COPIED = {Kind.PUT_TWEET, Kind.LIKE, Kind.COUNT}  # writes: every replica does them; of reads a quorum


class Tiers(NamedTuple):
    """What stands where. `nodes` by tier; `planned`: tiers that the fleet does not name; `slow`: how many times longer a call
    takes where more shards share a core than the queues have servers for, and where a node works for other shards' copies too."""

    fleet: Fleet
    epoch: Epoch
    servers: Mapping[Tier, Server]
    nodes: Mapping[Tier, int]
    planned: tuple[Tier, ...]
    slow: Mapping[Tier, float]


def kinds_of(tier: Tier) -> tuple[Kind, ...]:
    """The kinds that a tier serves, in order."""
    return tuple(kind for kind in Kind if TIER_OF[kind] is tier)


def tiers_of(surrogate: Surrogate, inputs: Mapping[str, Input], limits: Limits, rule: Rule) -> Tiers:
    """The fleet of a surrogate, with what it does not name filled up to what it needs in nearly all worlds."""
    planned = tuple(Tier(name) for name in TIERS if not getattr(surrogate.fleet, name).nodes)
    fleet = filled(surrogate, inputs)
    nodes = {Tier(name): int(getattr(fleet, name).nodes) for name in TIERS}
    epoch = Epoch(
        number=1, redis=max(1, fleet.redis_primaries), cassandra=nodes[Tier.CASSANDRA], mysql=fleet.mysql.shards, kafka=fleet.kafka.partitions,
        gateway=nodes[Tier.GATEWAY],
    )  # fmt: skip
    works, stalls = surrogate.works, read_stalls()
    cores = {tier: _cores_a_shard(tier, fleet, nodes) for tier in Tier}
    return Tiers(
        fleet, epoch,
        {tier: _server(tier, cores[tier], works=works, limits=limits, rule=rule, stalls=stalls.get(tier, ())) for tier in Tier},
        nodes, planned, slow={tier: max(1.0, 1 / each) for tier, each in cores.items()},
    )  # fmt: skip


def _cores_a_shard(tier: Tier, fleet: Fleet, nodes: Mapping[Tier, int]) -> float:
    """Cores that serve a shard, less than one where shards share one. A log's node works for the copies of others too."""
    cores = fleet.machine(tier).vcpu
    if tier is Tier.MYSQL:
        return cores * nodes[tier] / (fleet.mysql.shards * fleet.mysql.copies)
    if tier is Tier.KAFKA:
        return cores * nodes[tier] / (fleet.kafka.partitions * fleet.kafka.replication)
    return 1 if tier is Tier.REDIS else cores


def _server(tier: Tier, cores: float, *, works: Works, limits: Limits, rule: Rule, stalls: tuple[Stall, ...]) -> Server:
    kinds = kinds_of(tier)
    limit_ms = limits.request_deadline_ms if tier is Tier.GATEWAY else limits.store_timeout_ms
    shed_s = limit_ms / 1e3 if rule.shed_wait_s is None else rule.shed_wait_s
    retries = Retries(
        p=rule.retry_share, backoff_s=BACKOFF_S, attempts=rule.retry_attempts, budget=rule.retry_budget if rule.retry_budget < UNBOUNDED else float("inf")
    )
    return Server(
        tier=tier, kinds=kinds, servers=max(1, int(cores)), timeout_s=limit_ms / 1e3, shed_wait_s=shed_s, retries=retries, stalls=stalls,
        variation=works.variation(tier, kinds),
    )  # fmt: skip


def read_stalls(path: Path = STALLS) -> dict[Tier, tuple[Stall, ...]]:
    """The assumed duty cycles of standing still, by tier."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        Tier(tier): tuple(
            Stall(name=f"{tier} {name}", every_s=one["every_s"], for_s=one["for_s"], spread=one.get("spread", False))
            for name, one in causes.items()
        )
        for tier, causes in raw.items()
    }


def theta_of(theta: Theta, fleet: Fleet) -> Theta:
    """The same world, with what a push takes in this fleet's encoding and by its kind of call."""
    interval = PUSH_US[fleet.redis.push, fleet.encoding]
    element, base = theta.element.copy(), theta.base.copy()
    element[Kind.PUSH] = interval.at(theta.draws.get("redis.element_ns", 0.5)) * 1e-6
    if fleet.redis.push == "pipeline":
        base[Kind.PUSH] = NOTHING_S
    return replace(theta, element=element, base=base)


def replicas(kind: Kind, fleet: Fleet) -> int:
    """How many nodes work for one call."""
    if TIER_OF[kind] is not Tier.CASSANDRA:
        return 1
    copies = fleet.cassandra.replication
    return copies if kind in COPIED else copies // 2 + 1


def on_replicas(calls: np.ndarray, count: int) -> np.ndarray:
    """[shard, …] calls as the next nodes of the ring see them too."""
    return sum((np.roll(calls, shift, axis=0) for shift in range(count)), np.zeros_like(calls))
