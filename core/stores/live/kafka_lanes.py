"""A lane over one partition: its events under offsets from 1 on, and its place kept elsewhere, with its work.

A consumer that keeps up reads from the memory of `kafka_tail`; one that is behind reads ahead from Kafka, a bounded part at a
time. Nothing here decides who runs a lane: leases do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import NamedTuple

import msgspec
from kafka import TopicPartition

from ...entries import Delivery
from ...errors import StoreCorrupt
from ...events import Event, EventKind, GroupLag, LoggedEvent, Parked, Progress, Work
from ...log_ports import Leases
from .kafka_fetch import Fetcher
from .kafka_producer import Outbound, Producer
from .kafka_tail import Tail
from .kafka_topics import Topics
from .places import Places

TRIM_AT_ONCE = 1_000

encode = msgspec.msgpack.Encoder().encode


class Parts(NamedTuple):
    """What all lanes of a process share."""

    topics: Topics
    tail: Tail
    fetcher: Fetcher
    producer: Producer
    places: Places
    leases: Leases
    caught_up: Callable[[], Awaitable[None]]


class LaneLog:
    """`ports.EventLog` of one partition. Lane offset = Kafka offset - `origin` + 1."""

    def __init__(self, parts: Parts, place: TopicPartition, origin: int) -> None:
        self.place = place
        self.origin = origin
        self._parts = parts
        self._recent = parts.tail.recent[place]
        self._first = origin  # nothing before this Kafka offset is there any more
        self._ahead: list[LoggedEvent] = []

    def moved(self, after: int) -> bool:
        """True, too, of a place beyond the end: reading then finds out whether that is so."""
        return self._recent.end - self.origin != after

    def turn(self) -> int:
        return 0

    async def append(self, events: Sequence[Event]) -> int:
        if events:
            records = [Outbound(self.place, self._parts.topics.place(event)[1], encode(event), b"") for event in events]
            self._recent.know((await self._parts.producer.send(records))[-1] + 1)
            self._recent.wake()
        return self._recent.end - self.origin

    async def read(self, after: int, limit: int) -> list[LoggedEvent]:
        """Raises `StoreCorrupt` where Kafka does not go as far as `after`: it lost what was acknowledged, or is another one."""
        recent = self._recent
        offset = max(after + self.origin, self._first)
        if offset > recent.end:
            await self._look()
            if offset > recent.end:
                what = f"{self.place.topic}/{self.place.partition} ends at {recent.end - self.origin}, its consumer is at {after}"
                raise StoreCorrupt(what, meaning="Kafka has lost events, or its topics were made anew")
        if offset == recent.end:
            return []
        while offset >= recent.first:
            end = min(recent.end, offset + limit)
            if recent.next >= end:
                return self._logged(offset, recent.since(offset, limit))
            await self._parts.tail.reach(self.place, end)
        return await self._read_ahead(offset, limit)

    async def tail(self) -> int:
        return self._recent.end - self.origin

    async def caught_up(self) -> None:
        await self._parts.caught_up()

    async def offset(self, name: str) -> int:
        return await self._parts.places.offset(name)

    async def wait(self, after: int, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while not self.moved(after):
                    await self._parts.tail.change(self.place)
        except TimeoutError:
            return False
        return True

    async def lag(self, names: Sequence[str], now_ms: int) -> list[GroupLag]:
        first, _ = await self._look()
        return await asyncio.gather(*(self._lag(name, now_ms, first - self.origin) for name in names))

    async def trim(self, before_ms: int, names: Sequence[str]) -> int:
        places = self._parts.places
        passed = [await places.offset(name) for name in names] or [self._recent.end - self.origin]
        firsts = [first - 1 for name in names if (first := (await places.backlog(name)).first_work)]
        last, trimmed = min(passed + firsts), 0
        after = max(0, (await self._look())[0] - self.origin)
        while after < last:
            batch = await self.read(after, min(TRIM_AT_ONCE, last - after))
            old = list(takewhile(lambda logged: logged.event.at_ms < before_ms, batch))
            if old:
                self._first = old[-1].offset + self.origin
                await self._parts.fetcher.drop({self.place: self._first})
                tweets = [logged.event.tweet for logged in old if logged.event.kind is EventKind.TWEET_CREATED]
                if tweets:
                    await places.forget(tweets)
            trimmed += len(old)
            if not old or len(old) < len(batch):
                break
            after = old[-1].offset
        return trimmed

    async def _look(self) -> tuple[int, int]:
        """The oldest offset that is there, and the end, as Kafka has them now."""
        first, end = (await self._parts.fetcher.bounds([self.place]))[self.place]
        self._first = max(self._first, first)
        self._recent.know(end)
        return self._first, end

    async def _read_ahead(self, offset: int, limit: int) -> list[LoggedEvent]:
        after = offset - self.origin
        ahead = self._ahead
        if not (ahead and ahead[0].offset <= after + 1 <= ahead[-1].offset):
            first, events = await self._parts.fetcher.fetch(self.place, offset)
            ahead = self._ahead = self._logged(first, events)
            if not ahead:
                return []
        start = max(0, after + 1 - ahead[0].offset)
        return ahead[start : start + limit]

    def _logged(self, offset: int, events: Sequence[Event]) -> list[LoggedEvent]:
        return [LoggedEvent(number, event) for number, event in enumerate(events, offset - self.origin + 1)]

    async def _lag(self, name: str, now_ms: int, trimmed: int) -> GroupLag:
        places, tail = self._parts.places, self._recent.end - self.origin
        offset, backlog, owner = await asyncio.gather(
            places.offset(name), places.backlog(name), self._parts.leases.holder(name)
        )
        events = await self.read(offset, 1) if offset < tail else []
        oldest = min((*(logged.event.at_ms for logged in events), *([backlog.oldest_ms] if backlog.work else ())), default=now_ms)
        return GroupLag(
            group=name, offset=offset, tail=tail, events=max(0, tail - max(offset, trimmed)), work=backlog.work,
            lag_ms=max(0, now_ms - oldest), parked=backlog.parked, owner=owner,
        )  # fmt: skip


class DeadLetter(msgspec.Struct, kw_only=True):
    """A parked event, as it stands in the dead-letter topic (JSON): for other tools; ours keep to `WorkLog.parked`."""

    lane: str
    offset: int
    error: str
    parked_ms: int
    kind: str
    key: int
    event: Event


class LaneWork:
    """`ports.WorkLog` that also lets Kafka know: places by `passed`, parked events by the dead-letter topic."""

    def __init__(self, parts: Parts, passed: Callable[[str, int], None]) -> None:
        self._places = parts.places
        self._producer = parts.producer
        self._letters = TopicPartition(parts.topics.dead_letters, 0)
        self._passed = passed

    async def claim(self, group: str, fence: int) -> None:
        await self._places.claim(group, fence)

    async def advance(self, progress: Sequence[Progress]) -> None:
        await self._places.advance(progress)
        for step in progress:
            self._passed(step.group, step.offset)

    async def pending(self, group: str) -> list[Work]:
        return await self._places.pending(group)

    async def deliveries(self, tweets: Sequence[int]) -> list[list[Delivery]]:
        return await self._places.deliveries(tweets)

    async def park(self, group: str, logged: LoggedEvent, error: str, at_ms: int) -> None:
        """The letter goes first: killed in between, there are two of it rather than none."""
        letter = DeadLetter(
            lane=group, offset=logged.offset, error=error, parked_ms=at_ms, kind=logged.event.kind, key=logged.event.key,
            event=logged.event,
        )  # fmt: skip
        await self._producer.send((Outbound(self._letters, group.encode(), msgspec.json.encode(letter), b""),))
        await self._places.park(group, logged, error, at_ms)

    async def parked(self, group: str | None, after: int, limit: int) -> list[Parked]:
        return await self._places.parked(group, after, limit)

    async def unpark(self, parked_ids: Sequence[int]) -> list[Parked]:
        return await self._places.unpark(parked_ids)
