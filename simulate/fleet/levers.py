"""What could be changed on a fleet as it stands, one thing at a time and all together, and how full Redis then is."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..kinds import Tier
from .fleet import Fleet
from .memory import Layout
from .surrogate import Surrogate
from .worlds import Worlds

SAFE_FILL, SAFE_COPIES = 0.6, 2


class Lever(NamedTuple):
    """A change; CPU and memory of Redis after it (1 is full), and the nodes that it then needs at the fleet's limits."""

    what: str
    cpu: float
    memory: float
    nodes: int


def levers(surrogate: Surrogate, world: Worlds) -> list[Lever]:
    """For the middle world; nothing where Redis names no nodes."""
    redis = surrogate.fleet.redis
    if not redis.nodes:
        return []
    changes: list[tuple[str, dict[str, object]]] = []
    if redis.celebrity_lists != "events":
        changes.append(("follow events and keep celebrity lists in the gateways", {"celebrity_lists": "events"}))
    if redis.layout is not Layout.LIST:
        changes.append(("keep timelines as lists", {"layout": Layout.LIST}))
    if redis.push != "function":
        changes.append(("push by one function call a batch", {"push": "function"}))
    if redis.copies < SAFE_COPIES or redis.fill > SAFE_FILL:
        changes.append((f"one replica, {SAFE_FILL:.0%} fill", {"copies": max(redis.copies, SAFE_COPIES), "fill": min(redis.fill, SAFE_FILL)}))
    found = [_lever(surrogate, world, "as it is", {})]
    found += [_lever(surrogate, world, what, fields) for what, fields in changes]
    if len(changes) > 1:
        found.append(_lever(surrogate, world, "all of these", {name: value for _, fields in changes for name, value in fields.items()}))
    return found


def _lever(surrogate: Surrogate, world: Worlds, what: str, fields: dict[str, object]) -> Lever:
    fleet: Fleet = surrogate.fleet
    changed = surrogate._replace(fleet=msgspec.structs.replace(fleet, redis=msgspec.structs.replace(fleet.redis, **fields)))
    used = changed.used(world)[Tier.REDIS]
    need = changed.need(world, Tier.REDIS)
    return Lever(what, float(used["cpu"][0]), float(used["memory"][0]), int(need.nodes[0]))
