"""The live event log over embedded stores, whose own log serves as the outbox: lanes, relay and journal with a whole service.

Several may be opened over one folder, each as a process would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from parts import PORTS, config

from twit.core.clock import Clock
from twit.core.limits import Limits
from twit.core.ports import Stores
from twit.core.stores.embedded import EmbeddedStores, open_stores
from twit.core.stores.embedded.log import decode
from twit.core.stores.live import kafka_log
from twit.core.stores.live.config import LiveConfig
from twit.core.stores.live.kafka_log import KafkaLog
from twit.core.stores.live.outbox import Outbox, Outgoing

made: set[str] = set()
taken: dict[Path, set[int]] = {}  # rows that were sent, of each folder


class EmbeddedOutbox:
    """`outbox.OutboxSource`: what the embedded stores log is what waits. What its own process wrote it hands on at once."""

    name = "embedded"

    def __init__(self, stores: EmbeddedStores, folder: Path, outbox: Outbox) -> None:
        self._db = stores.log._db
        self._outbox = outbox
        self._sent = taken.setdefault(folder, set())
        self.listening = True
        (self._shown,) = self._db.row("SELECT coalesce(max(offset), 0) FROM events")
        outbox.attach(self)
        self._db.writer.appended.append(self._wrote)

    async def waiting(self, before_ms: int, limit: int) -> list[Outgoing]:
        rows = self._db.rows("SELECT offset, payload FROM events WHERE at_ms < ? ORDER BY offset", (before_ms,))
        return [self._outgoing(*row) for row in rows if row[0] not in self._sent][:limit]

    async def found(self, outgoing: Sequence[Outgoing]) -> None:
        """Nothing comes after a write."""

    async def sent(self, outgoing: Sequence[Outgoing]) -> None:
        self._sent.update(int(one.place) for one in outgoing)

    def _wrote(self) -> None:
        rows = self._db.rows("SELECT offset, payload FROM events WHERE offset > ? ORDER BY offset", (self._shown,))
        if rows:
            self._shown = rows[-1][0]
            if self.listening:
                self._outbox.wrote([self._outgoing(*row) for row in rows])

    def _outgoing(self, offset: int, payload: bytes) -> Outgoing:
        return Outgoing(self.name, str(offset).encode(), decode(payload))


class EmbeddedPlaces:
    """`places.Places` over the embedded work log."""

    def __init__(self, stores: EmbeddedStores) -> None:
        self._stores = stores

    def __getattr__(self, name: str) -> object:
        return getattr(self._stores.work, name)

    async def offset(self, name: str) -> int:
        return await self._stores.log.offset(name)

    async def backlog(self, name: str) -> SimpleNamespace:
        works = await self._stores.work.pending(name)
        return SimpleNamespace(
            work=len(works), oldest_ms=min((one.created_ms for one in works), default=0), first_work=works[0].work_id if works else 0,
            parked=len(await self._stores.work.parked(name, 0, 1_000)),
        )  # fmt: skip

    async def forget(self, tweets: Sequence[int]) -> None:
        rows = [(tweet,) for tweet in tweets]
        await self._stores.log._db.writer.run(lambda conn: conn.executemany("DELETE FROM deliveries WHERE tweet = ?", rows).close())


class Health:
    def __init__(self, kafka: KafkaLog, embedded: EmbeddedStores) -> None:
        self._kafka, self._embedded = kafka, embedded

    async def check(self) -> dict[str, str]:
        return await self._kafka.check()

    async def close(self) -> None:
        await self._kafka.close()
        await self._embedded.health.close()


async def open_beside(folder: Path, limits: Limits, clock: Clock, config: LiveConfig, holder: str = "a test") -> Stores:
    """One more process over what is there."""
    embedded = open_stores(folder, limits, clock, durable=False, inline=True)
    kafka = KafkaLog(config, limits, clock)
    outbox = EmbeddedOutbox(embedded, folder, kafka.relay)
    places = EmbeddedPlaces(embedded)

    async def deleted(tweets: Sequence[int]) -> list[bool]:
        return [tweet is None or tweet.deleted for tweet in await embedded.tweets.get(tweets)]

    try:
        await kafka.open(places=places, leases=embedded.leases, holder=holder, deleted=deleted)
    except BaseException:
        await kafka.close()
        await embedded.health.close()
        raise
    ports = {port: getattr(embedded, port) for port in PORTS} | {"log": kafka.journal, "work": places}
    return SimpleNamespace(
        kind="live", health=Health(kafka, embedded), lanes=kafka.lanes, kafka=kafka, embedded=embedded, outbox=outbox, **ports
    )


async def emptied(config: LiveConfig) -> LiveConfig:
    """Topics that are there, with nothing in them."""
    if config.namespace not in made:
        await kafka_log.init(config)
        made.add(config.namespace)
    await kafka_log.reset(config)
    return config


async def open_over_kafka(folder: Path, limits: Limits, clock: Clock, namespace: str = "parts", partitions: int = 1) -> Stores:
    """The world `live-kafka`, empty."""
    taken.pop(folder, None)
    return await open_beside(folder, limits, clock, await emptied(config(namespace, partitions)))
