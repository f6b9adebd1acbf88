"""Cassandra among embedded stores, for its contract: one connection a run, and only the tables that a test wrote are emptied."""

from __future__ import annotations

import atexit
import contextlib
import functools
import re

from twit.core.model import UserCounts
from twit.core.stores.live import cassandra_schema
from twit.core.stores.live.cassandra_driver import Driver
from twit.core.stores.live.cassandra_open import STATEMENTS, Cassandra, connect

WRITTEN = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
TABLES = {name: found.group(1) for name, text in STATEMENTS.items() if (found := WRITTEN.match(text))}


@functools.cache
def driver_of(config, limits) -> Driver:
    migrating = Driver(config, 60_000)
    cassandra_schema.migrate(migrating, config)
    migrating.define(f"ALTER KEYSPACE {config.namespace} WITH durable_writes = false")  # else each emptying is a flush: 0.1 s a table
    migrating.close()
    driver = connect(config, limits)
    atexit.register(driver.close)
    empty(driver, set(TABLES.values()))
    return driver


def empty(driver, tables):
    """All at once."""
    for future in [driver.session.execute_async(f"TRUNCATE {table}", timeout=60.0, execution_profile="write") for table in tables]:
        future.result()


class Counted:
    """Of `ports.Accounts` what a store of tweets has a share in."""

    def __init__(self, tweets):
        self._tweets = tweets

    async def counts(self, user_ids):
        return [UserCounts(tweets=number) for number in await self._tweets.author_counts(user_ids)]


@contextlib.asynccontextmanager
async def stores(config, limits, clock, outbox, number=1):
    """As many processes' worth of stores over one keyspace, emptied afterwards."""
    driver = driver_of(config, limits)
    opened = [Cassandra(driver, limits, clock, outbox) for _ in range(number)]
    for one in opened:
        await one.outbox.open()
    try:
        yield opened
    finally:
        for one in opened:
            await one.session.drain()
        empty(driver, {TABLES[name] for one in opened for name in one.session.written})


async def open_ports(config, limits, clock, outbox):
    stack = contextlib.AsyncExitStack()
    (opened,) = await stack.enter_async_context(stores(config, limits, clock, outbox))
    return {"tweets": opened.tweets, "engagement": opened.engagement, "accounts": Counted(opened.tweets)}, stack.aclose
