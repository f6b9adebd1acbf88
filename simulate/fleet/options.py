"""What a tier could run on instead: machines, and for Redis how a timeline is kept. Each with its nodes and cost in every world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from ..kinds import Tier
from .cost import tier_cost
from .fleet import Fleet
from .memory import Encoding, Layout
from .surrogate import Surrogate, TierNeed
from .worlds import Floats, Worlds

MACHINES: Mapping[Tier, tuple[str, ...]] = {
    Tier.REDIS: ("r6g.2xlarge", "r6g.4xlarge", "r6i.4xlarge"),
    Tier.CASSANDRA: ("i4i.2xlarge", "i4i.4xlarge", "i3en.3xlarge"),
    Tier.MYSQL: ("i4i.2xlarge", "i4i.4xlarge"),
    Tier.KAFKA: ("i4i.2xlarge", "m6i.4xlarge"),
    Tier.GATEWAY: ("c6i.4xlarge", "c6i.2xlarge", "m6i.4xlarge"),
}
LAYOUTS: Mapping[Encoding, tuple[Layout, int]] = {
    Encoding.LIST: (Layout.LIST, 0), Encoding.LISTPACK: (Layout.SORTED_SET, 1024), Encoding.SKIPLIST: (Layout.SORTED_SET, 128),
}  # fmt: skip


class Option(NamedTuple):
    """`name` as people read it; `fleet` is the fleet with this option."""

    tier: Tier
    name: str
    fleet: Fleet


class Priced(NamedTuple):
    """An option in every world: nodes needed, dollars a year."""

    option: Option
    need: TierNeed
    cost: Floats


def options(fleet: Fleet, tier: Tier) -> list[Option]:
    """The tier as it is first, then all others."""
    found: dict[str, Option] = {}
    machines = dict.fromkeys((fleet.machine(tier).name, *MACHINES[tier]))
    encodings = dict.fromkeys((fleet.encoding, *Encoding)) if tier is Tier.REDIS else (None,)
    for encoding in encodings:
        for machine in machines:
            option = _option(fleet, tier, machine, encoding)
            found.setdefault(option.name, option)
    return list(found.values())


def priced(surrogate: Surrogate, option: Option, worlds: Worlds) -> Priced:
    """Its nodes and cost."""
    there = surrogate._replace(fleet=option.fleet)
    need = there.need(worlds, option.tier)
    one = tier_cost(option.fleet, option.tier, 1.0)
    return Priced(option, need, need.nodes * one * worlds["price"])


def with_nodes(fleet: Fleet, nodes: Mapping[Tier, int]) -> Fleet:
    """The fleet with that many nodes of some tiers."""
    changed = {tier.value: msgspec.structs.replace(getattr(fleet, tier), nodes=count) for tier, count in nodes.items()}
    return msgspec.structs.replace(fleet, **changed)


def cheapest(found: list[Priced]) -> list[Priced]:
    """By mean cost over the worlds, the best first."""
    return sorted(found, key=lambda one: float(np.mean(one.cost)))


def _option(fleet: Fleet, tier: Tier, machine: str, encoding: Encoding | None) -> Option:
    own = msgspec.structs.replace(getattr(fleet, tier), instance=machine)
    if encoding is None:
        return Option(tier, machine, msgspec.structs.replace(fleet, **{tier.value: own}))
    if encoding is not fleet.encoding:
        layout, most = LAYOUTS[encoding]
        own = msgspec.structs.replace(own, layout=layout, listpack_entries_max=max(most, fleet.redis.entries) if most > 128 else most)
    return Option(tier, f"{machine} {encoding}", msgspec.structs.replace(fleet, redis=own))
