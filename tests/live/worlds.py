"""The whole live world for tests that ask for a service: on the servers that `make live` starts, empty at first.

Tables, topics and functions are made once a run and emptied before another folder is opened. The same folder means the same
world, so that two services over one folder are two processes over one set of servers.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from parts import config, patient
from parts_cassandra import TABLES, driver_of, empty
from parts_mysql import empty as empty_mysql

from twit.core.clock import Clock
from twit.core.limits import Limits
from twit.core.stores.live import kafka_log
from twit.core.stores.live.check import init_stores
from twit.core.stores.live.config import LiveConfig
from twit.core.stores.live.mysql.schema import servers_of
from twit.core.stores.live.mysql.shards import together
from twit.core.stores.live.redis_admin import RedisAdmin
from twit.core.stores.live.stores import LiveStores, open_live_stores

PARTITIONS = 2  # of each topic: more than one order, so that nobody relies on one
TIMEOUT_MS = 60_000

_made: set[str] = set()
_last: dict[str, Path] = {}  # namespace → the folder that stands for its world
_opened: dict[str, list[LiveStores]] = {}  # namespace → whoever has written since it was emptied


def whole(partitions: int = PARTITIONS) -> LiveConfig:
    """A world of this run's own; runs that are given one name, one after the other, find their schemas made."""
    return config(f"w{os.environ.get('TWIT_LIVE_RUN', os.getpid())}p{partitions}", partitions)


async def emptied(settings: LiveConfig) -> LiveConfig:
    """Schemas that are there, with nothing in them."""
    if settings.namespace not in _made:
        await init_stores(settings, patient(Limits()), lambda *_: None)
        _made.add(settings.namespace)
        written = set(TABLES.values())
    else:
        sessions = [stores.health._cassandra.session for stores in _opened.pop(settings.namespace, ())]
        written = {TABLES[name] for session in sessions for name in session.written}
    servers = servers_of(settings, TIMEOUT_MS)
    admin = RedisAdmin(settings.redis, TIMEOUT_MS)
    try:
        await asyncio.gather(
            asyncio.to_thread(lambda: empty(driver_of(settings, patient(Limits())), written)),
            together(server.write(empty_mysql) for server in servers),
            admin.empty(settings.namespace),
            kafka_log.reset(settings),
        )
    finally:
        admin.close()
        await together(server.close() for server in servers)
    return settings


async def open_live(folder: Path, limits: Limits, clock: Clock, partitions: int = PARTITIONS) -> LiveStores:
    """As `builders.opened`: the stores that `folder` stands for."""
    settings, limits = whole(partitions), patient(limits)
    if _last.get(settings.namespace) != folder:
        await emptied(settings)
        _last[settings.namespace] = folder
    stores = await open_live_stores(settings, limits, clock, f"a test ({os.getpid()})")
    _opened.setdefault(settings.namespace, []).append(stores)
    return stores
