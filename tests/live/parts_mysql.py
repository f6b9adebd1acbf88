"""MySQL's ports among embedded ones. Numbers of tweets, which another live store counts, come from embedded tweets beside
them."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import parts
from parts import ListedLog

from twit.core.clock import Clock, SystemClock
from twit.core.limits import Limits
from twit.core.stores.embedded import open_stores
from twit.core.stores.live import mysql
from twit.core.stores.live.config import LiveConfig
from twit.core.stores.live.mysql.schema import STEPS
from twit.core.stores.live.mysql.server import Session
from twit.core.stores.live.mysql.shards import together

TABLES = [statement.split("EXISTS ", 1)[1].split(" ", 1)[0] for step in STEPS for statement in step]

made: set[str] = set()


async def open_empty(config: LiveConfig, limits: Limits, clock: Clock, outbox: ListedLog, **more) -> mysql.MysqlStores:
    """Stores with nothing in them; the schema is made once a session."""
    if config.namespace not in made:
        await mysql.init(config)
        made.add(config.namespace)

    stores = await mysql.open_mysql(config, limits, clock, outbox, more.get("tweets_of", no_tweets))
    await together(server.write(empty) for server in stores.shards.servers)
    return stores


async def open_leases(_folder: str) -> mysql.MysqlLeases:
    """The leases of the contract's stores, for another process. Nothing is emptied."""
    config = parts.config("parts")
    stores = await mysql.open_mysql(config, Limits(), SystemClock(), ListedLog(), no_tweets)
    return stores.leases


async def no_tweets(user_ids: Sequence[int]) -> list[int]:
    return [0] * len(user_ids)


def empty(session: Session) -> None:
    for table in TABLES:
        session.run(f"DELETE FROM {table}")  # noqa: S608 - names from our own schema


async def open_ports(
    config: LiveConfig, limits: Limits, clock: Clock, outbox: ListedLog,
) -> tuple[dict[str, object], Callable[[], Awaitable[None]]]:
    folder = tempfile.TemporaryDirectory(prefix="parts-mysql-")
    beside = open_stores(Path(folder.name), limits, clock, durable=False, inline=True)

    async def tweets_of(user_ids: Sequence[int]) -> list[int]:
        return [counts.tweets for counts in await beside.accounts.counts(user_ids)]

    stores = await open_empty(config, limits, clock, outbox, tweets_of=tweets_of)
    outbox.offset = stores.work.offset
    names = ("accounts", "graph", "relations", "modes", "work", "leases", "tokens")

    async def close() -> None:
        await stores.close()
        await beside.health.close()
        folder.cleanup()

    return {name: getattr(stores, name) for name in names} | {"tweets": beside.tweets}, close
