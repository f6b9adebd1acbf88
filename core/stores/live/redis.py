"""What `twit context init` and `twit context check` ask of Redis: the function library on every primary, and whether it fits."""

from __future__ import annotations

import asyncio

from ...limits import Limits
from .config import LiveConfig
from .redis_admin import LIBRARY, RedisAdmin
from .redis_timelines import RedisTimelines, open_timelines

__all__ = ["RedisTimelines", "check", "init", "open_timelines"]


async def init(config: LiveConfig) -> str:
    """Load the functions onto every primary; again is harmless. Raises `StoreCorrupt` where a newer version is there."""
    admin = RedisAdmin(config.redis, Limits().store_timeout_ms)
    try:
        nodes = await admin.load()
    finally:
        await asyncio.to_thread(admin.close)
    return f"functions {LIBRARY} on {nodes} primaries"


async def check(config: LiveConfig) -> str:
    """"ok" and what is there. Raises `StoreCorrupt` with what to run where a primary lacks our functions."""
    admin = RedisAdmin(config.redis, Limits().store_timeout_ms)
    try:
        nodes = await admin.check()
    finally:
        await asyncio.to_thread(admin.close)
    return f"ok: functions {LIBRARY} on {nodes} primaries"
