"""The event log of a live process, put together: journal, lanes, relay, and what they share.

The relay is there from the start, since stores are opened with it as their outbox; what the log needs of those stores it is
handed by `open`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...clock import Clock
from ...errors import StoreError
from ...limits import Limits
from ...log_ports import Lane, Leases
from .bridge import Bridge
from .config import LiveConfig
from .journal import Journal
from .kafka_client import TIMEOUT_MS, translated
from .kafka_fetch import Fetcher
from .kafka_lanes import LaneLog, LaneWork, Parts
from .kafka_producer import Producer
from .kafka_tail import Tail
from .kafka_topics import GROUP_TOPIC, Topics, begin_anew, create, read_origins
from .places import Places
from .relay import Deleted, Relay

TELL_EVERY_S = 1.0  # places, to Kafka's own tools

T = TypeVar("T")
log = logging.getLogger(__name__)


async def init(config: LiveConfig) -> list[str]:
    """Make the topics that are missing; returns their names. Raises `StoreDown`, `StoreCorrupt` (other numbers of partitions)."""
    return await _once(create, config)


async def reset(config: LiveConfig) -> None:
    """Begin every topic anew, at its present end, for a world whose other stores are emptied too."""
    await _once(begin_anew, config)


class KafkaLog:
    """`journal` fulfils `ports.EventLog`, `relay` `outbox.Outbox`, `lanes` that of `ports.Stores`."""

    def __init__(self, config: LiveConfig, limits: Limits, clock: Clock) -> None:
        timeout_ms = limits.store_timeout_ms
        self._config = config
        self._topics = Topics(config)
        self._producer = Producer(config.kafka, timeout_ms)
        self._tail = Tail(config.kafka, self._topics.all(), timeout_ms)
        self._fetcher = Fetcher(config.kafka, self._topics.all(), timeout_ms)
        self.journal = Journal(self._topics, self._producer, os.urandom(8))
        self.relay = Relay(self._topics, self._producer, self.journal, clock, timeout_ms)
        self._lanes: dict[str, tuple[Lane, ...]] = {}
        self._passed: dict[str, int] = {}  # by lane: to be told to Kafka
        self._telling: asyncio.Task[None] | None = None

    async def open(self, *, places: Places, leases: Leases, holder: str, deleted: Deleted) -> None:
        """Take up the log at its present end. `deleted` says of tweets whether they are. Raises `StoreDown` (no server, no topics),
        `StoreTimeout`, `StoreCorrupt` (other topics than the settings say)."""
        origins = await _once(read_origins, self._config)
        await self._tail.open()
        parts = Parts(self._topics, self._tail, self._fetcher, self._producer, places, leases, self.caught_up)
        work = LaneWork(parts, self._note)
        for group in GROUP_TOPIC:
            partitions = self._topics.of_group(group)
            self._lanes[group] = tuple(
                Lane(f"{group}.{place.partition}" if len(partitions) > 1 else group, group, LaneLog(parts, place, origins[place]), work)
                for place in partitions
            )  # fmt: skip
        self.journal.lanes = self.lanes
        self.journal.settled = self.caught_up
        self._tail.arrived = self.journal.arrived
        self.relay.start(leases, holder, deleted)
        self._telling = asyncio.ensure_future(self._tell())

    def lanes(self, group: str) -> Sequence[Lane]:
        """Of a group that consumes; none of any other."""
        return self._lanes.get(group, ())

    async def caught_up(self) -> None:
        """What was written here before, and what Kafka had, is seen by the journal and by the lanes."""
        await self.relay.flushed()
        bounds = await self._fetcher.bounds(self._topics.all())
        await asyncio.gather(*(self._tail.reach(place, end) for place, (_, end) in bounds.items()))

    async def check(self) -> dict[str, str]:
        """For `Health.check`."""
        try:
            await self._fetcher.bounds(self._topics.all()[:1])
        except StoreError as error:
            return {"kafka": str(error), "relay": self.relay.state()}
        return {"kafka": self._tail.failing or "ok", "relay": self.relay.state()}

    async def close(self) -> None:
        """Send what is queued, then let go. More than once is harmless."""
        await self.relay.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            self._telling = None
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(None, part.close) for part in (self._tail, self._producer, self._fetcher)))

    def _note(self, lane: str, offset: int) -> None:
        self._passed[lane] = offset

    async def _tell(self) -> None:
        """Commit places to Kafka now and then. That they are late there, or missing, harms nobody."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            passed, self._passed = self._passed, {}
            for group, lanes in self._lanes.items():
                places = {
                    lane.log.place: lane.log.origin + passed[lane.name]
                    for lane in lanes if lane.name in passed and isinstance(lane.log, LaneLog)
                }  # fmt: skip
                if not places:
                    continue
                try:
                    await self._fetcher.tell(f"{self._topics.namespace}.{group}", places)
                except StoreError as error:
                    self._passed = passed | self._passed
                    log.debug("places are not told: %s", error)


async def _once(function: Callable[[LiveConfig], T], config: LiveConfig) -> T:
    bridge = Bridge("kafka-once", 1, 4 * TIMEOUT_MS, translated)
    try:
        return await bridge.run(function, config)
    finally:
        bridge.close()
