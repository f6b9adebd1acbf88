"""A live context opened: which server holds what, and in which order they are opened and let go.

Never makes a schema (`check.init_stores` does) and holds no rules of the service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from ... import ports
from ...clock import Clock
from ...limits import Limits
from ...log_ports import Lane
from ..embedded.rates import TokenBuckets
from .cassandra_open import Cassandra, open_cassandra
from .config import LiveConfig
from .kafka_log import KafkaLog
from .mysql import MysqlStores, open_mysql
from .redis_timelines import RedisTimelines, open_timelines


class LiveStores:
    """Fulfils `ports.Stores`; made by `open_live_stores`, let go by `health.close`."""

    def __init__(self, kafka: KafkaLog, cassandra: Cassandra, mysql: MysqlStores, timelines: RedisTimelines, health: LiveHealth) -> None:
        self.kind = "live"
        self.accounts: ports.Accounts = mysql.accounts
        self.graph: ports.SocialGraph = mysql.graph
        self.relations: ports.Relations = mysql.relations
        self.modes: ports.FanoutModes = mysql.modes
        self.tokens: ports.Tokens = mysql.tokens
        self.work: ports.WorkLog = mysql.work
        self.leases: ports.Leases = mysql.leases
        self.tweets: ports.Tweets = cassandra.tweets
        self.engagement: ports.Engagement = cassandra.engagement
        self.timelines: ports.Timelines = timelines
        self.log: ports.EventLog = kafka.journal
        self.rates: ports.RateLimits = TokenBuckets()
        self.health: ports.Health = health
        self._kafka = kafka

    def lanes(self, group: str) -> Sequence[Lane]:
        """Partitions of the group's topic."""
        return self._kafka.lanes(group)


class LiveHealth:
    """Fulfils `ports.Health` over all servers. `stack` lets go of them, the last opened first."""

    def __init__(self, stack: AsyncExitStack, kafka: KafkaLog, cassandra: Cassandra, mysql: MysqlStores, timelines: RedisTimelines) -> None:
        self._stack = stack
        self._kafka, self._cassandra, self._mysql, self._timelines = kafka, cassandra, mysql, timelines

    async def check(self) -> dict[str, str]:
        cassandra, redis, mysql, kafka = await asyncio.gather(
            self._cassandra.check(), self._timelines.check(), self._mysql.check(), self._kafka.check()
        )
        return {**mysql, "cassandra": cassandra, "redis": redis, **kafka}

    async def close(self) -> None:
        await self._stack.aclose()


async def open_live_stores(config: LiveConfig, limits: Limits, clock: Clock, name: str) -> LiveStores:
    """Open what `twit context init` has made. `name` says to other processes who this one is.

    Raises `StoreDown` (a server is not there, or its schema is missing or old: with what to run), `StoreTimeout`, `StoreCorrupt`
    (a newer build made the schema).
    """
    kafka = KafkaLog(config, limits, clock)
    async with AsyncExitStack() as stack:
        cassandra, mysql, timelines = await _open_all(config, limits, clock, kafka, stack)
        stack.push_async_callback(kafka.close)  # first of all when it ends: it takes away rows of the outboxes

        async def deleted(tweet_ids: Sequence[int]) -> list[bool]:
            return [tweet is None or tweet.deleted for tweet in await cassandra.tweets.get(tweet_ids)]

        await kafka.open(places=mysql.work, leases=mysql.leases, holder=name, deleted=deleted)
        mysql.sweep_always()
        kept = stack.pop_all()
    return LiveStores(kafka, cassandra, mysql, timelines, LiveHealth(kept, kafka, cassandra, mysql, timelines))


async def _open_all(
    config: LiveConfig, limits: Limits, clock: Clock, kafka: KafkaLog, stack: AsyncExitStack
) -> tuple[Cassandra, MysqlStores, RedisTimelines]:
    """All at once; what was opened is in `stack`, also where another was not."""
    cassandra = asyncio.ensure_future(open_cassandra(config, limits, clock, kafka.relay))

    async def tweets_of(user_ids: Sequence[int]) -> list[int]:
        return await (await cassandra).tweets.author_counts(user_ids)

    mysql = asyncio.ensure_future(open_mysql(config, limits, clock, kafka.relay, tweets_of))
    timelines = asyncio.ensure_future(open_timelines(config, limits))
    for one in await asyncio.gather(cassandra, mysql, timelines, return_exceptions=True):
        if not isinstance(one, BaseException):
            stack.push_async_callback(one.close)
    return cassandra.result(), mysql.result(), timelines.result()
