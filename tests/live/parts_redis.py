"""The timelines of Redis among embedded stores: `live-redis` keeps lists, `live-redis-zset` sorted sets."""

from __future__ import annotations

import msgspec

from twit.core.limits import Limits
from twit.core.stores.live.config import LiveConfig
from twit.core.stores.live.redis import init, open_timelines
from twit.core.stores.live.redis_admin import RedisAdmin

_ready: set[str] = set()


async def open_ports(config: LiveConfig, limits: Limits, clock, outbox, layout: str = "list"):
    """Empty timelines under a namespace of this layout."""
    config = msgspec.structs.replace(config, namespace=f"{config.namespace}-{layout}", layout=layout)
    if config.namespace not in _ready:
        await init(config)
        _ready.add(config.namespace)
    admin = RedisAdmin(config.redis, limits.store_timeout_ms)
    await admin.empty(config.namespace)
    admin.close()
    timelines = await open_timelines(config, limits)
    return {"timelines": timelines}, timelines.close
