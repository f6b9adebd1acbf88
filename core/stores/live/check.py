"""What operators ask of all live stores at once: make their schemas, and say of each how it is and what to do.

What is asked of one store stands beside that store; here is only the order, the time it may take and what comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from ...errors import StoreDown, StoreError, StoreTimeout
from ...limits import Limits
from . import cassandra_driver, cassandra_schema, kafka_client, kafka_topics, reach, redis
from .bridge import Bridge
from .config import LiveConfig
from .mysql import schema as mysql_schema

OK = "ok"
CONNECT_SHARE = 2  # of the time of a call: connecting takes several round trips, each with that bound
HINT = "is it started, at that address, with that user and authority? see docs/live.md"


class StoreHealth(msgspec.Struct, frozen=True):
    """`status` is "ok" or what is wrong, `found` what is there; `code` that of the error; in `try_` NAME stands for the context.
    `down`: it is not there, does not answer or does not let us in; else what it holds does not fit."""

    store: str
    status: str
    found: str = ""
    code: str = ""
    try_: str = ""
    down: bool = False


class _Store(NamedTuple):
    reached: Callable[[LiveConfig, float], str]  # blocking: "" or what is wrong
    init: Callable[[LiveConfig], Awaitable[str]]  # what was done
    check: Callable[[LiveConfig, Limits], Awaitable[str]]  # what is there


async def init_stores(config: LiveConfig, limits: Limits, told: Callable[[str, str], None]) -> None:
    """Bring each schema to this version, one store after the other; `told` gets each store and what was done. Again is harmless.

    All must be reached before the first is touched. Raises what a store raises: `StoreDown` and the like, `StoreCorrupt` for a schema
    that is newer than this version.
    """
    await asyncio.gather(*(_reached(store, config, limits) for store in STORES))
    for name, store in STORES.items():
        told(name, await store.init(config))


async def check_stores(config: LiveConfig, limits: Limits) -> list[StoreHealth]:
    """Ask all at once. Never raises for a store that is not well."""
    return await asyncio.gather(*(_checked(store, config, limits) for store in STORES))


async def _checked(store: str, config: LiveConfig, limits: Limits) -> StoreHealth:
    reached = False
    try:
        await _reached(store, config, limits)
        reached = True
        async with asyncio.timeout(CONNECT_SHARE * limits.store_timeout_ms / 1_000):
            return StoreHealth(store, OK, await STORES[store].check(config, limits))
    except TimeoutError:
        return StoreHealth(store, f"no answer within {limits.store_timeout_ms} ms", code=StoreTimeout.code, try_=HINT, down=True)
    except StoreError as error:
        down = not reached or isinstance(error, StoreTimeout)
        return StoreHealth(store, str(error), code=error.code, try_=HINT if down or not error.try_ else error.try_, down=down)


async def _reached(store: str, config: LiveConfig, limits: Limits) -> None:
    """Raises `StoreDown` where the server is not there or does not let us in."""
    timeout_s = limits.store_timeout_ms / 1_000
    try:
        async with asyncio.timeout(CONNECT_SHARE * timeout_s):
            wrong = await asyncio.to_thread(STORES[store].reached, config, timeout_s)
    except TimeoutError as error:
        raise StoreTimeout(f"{store}: no answer within {timeout_s:g} s", try_=HINT) from error
    except OSError as error:  # a certificate that does not parse, a name that resolves to nothing
        raise StoreDown(f"{store}: {error}", try_=HINT) from error
    if wrong:
        raise StoreDown(f"{store}: {wrong}", try_=HINT)


async def _check_mysql(config: LiveConfig, limits: Limits) -> str:
    servers = mysql_schema.servers_of(config, limits.store_timeout_ms)
    try:
        found = await mysql_schema.load_map(servers)
    finally:
        await asyncio.gather(*(server.close() for server in servers))
    servers_held = "1 server" if len(found.servers) == 1 else f"{len(found.servers)} servers"
    return f"schema {mysql_schema.VERSION}, shard map of epoch {found.epoch}: {len(found.holders)} shards on {servers_held}"


async def _init_cassandra(config: LiveConfig) -> str:
    await cassandra_schema.init(config)
    return f"keyspace {cassandra_driver.keyspace_of(config)} has schema {cassandra_schema.VERSION}"


async def _check_cassandra(config: LiveConfig, limits: Limits) -> str:
    def look() -> None:
        driver = cassandra_driver.Driver(config, limits.store_timeout_ms)
        try:
            cassandra_schema.check_version(driver, cassandra_driver.keyspace_of(config))
        finally:
            driver.close()

    bridge = Bridge("cassandra", 1, CONNECT_SHARE * limits.store_timeout_ms, cassandra_driver.translate)
    try:
        await bridge.run(look)
    finally:
        bridge.close()
    return f"keyspace {cassandra_driver.keyspace_of(config)}, schema {cassandra_schema.VERSION}"


async def _check_redis(config: LiveConfig, _limits: Limits) -> str:
    return (await redis.check(config)).removeprefix(f"{OK}: ")


async def _init_kafka(config: LiveConfig) -> str:
    made = await asyncio.to_thread(kafka_topics.create, config)
    return f"made {', '.join(sorted(made))}" if made else f"topics are there: {', '.join(sorted(kafka_topics.Topics(config).wanted()))}"


async def _check_kafka(config: LiveConfig, limits: Limits) -> str:
    bridge = Bridge("kafka", 1, CONNECT_SHARE * limits.store_timeout_ms, kafka_client.translated)
    try:
        await bridge.run(kafka_topics.read_origins, config)
    finally:
        bridge.close()
    return f"topics {config.namespace}.*, {config.partitions} partitions each"


STORES = {  # in order of init
    "mysql": _Store(lambda config, timeout_s: reach.reach_mysql(config.mysql, timeout_s), mysql_schema.init, _check_mysql),
    "cassandra": _Store(
        lambda config, timeout_s: reach.reach_cassandra(config.cassandra, timeout_s, config.local_datacenter), _init_cassandra, _check_cassandra
    ),
    "redis": _Store(lambda config, timeout_s: reach.reach_redis(config.redis, timeout_s), redis.init, _check_redis),
    "kafka": _Store(lambda config, timeout_s: reach.reach_kafka(config.kafka, timeout_s), _init_kafka, _check_kafka),
}
