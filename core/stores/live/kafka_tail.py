"""Sees everything that is logged from now on: one thread of a process that follows all partitions, from their ends.

What it saw last of each partition stays at hand, so that a consumer that keeps up reads from here and asks Kafka for nothing.
It keeps no place for anybody and never reads what was there before it began.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition

from ...errors import StoreTimeout
from ...events import Event
from .config import Access
from .kafka_client import consumer_options, translated

RECENT_MAX = 2_048  # events of a partition
UNHANDLED_MAX = 4  # batches that the loop has not taken: then the thread waits, and Kafka keeps the rest
POLL_MS = 50  # how soon a stop is noticed
AGAIN_S = 0.5  # after an error

log = logging.getLogger(__name__)
decode = msgspec.msgpack.Decoder(Event).decode


class Seen(NamedTuple):
    """One record. `event` is `None` where this build cannot read it."""

    place: TopicPartition
    offset: int
    event: Event | None
    by: bytes


class Recent:
    """The last events of one partition, without gaps: those of Kafka offsets [first, next)."""

    def __init__(self, end: int) -> None:
        self.next = self.end = end  # `end`: known to be there, seen or not
        self.woken: list[asyncio.Future[None]] = []
        self._events: deque[Event] = deque(maxlen=RECENT_MAX)

    @property
    def first(self) -> int:
        """The oldest that is at hand."""
        return self.next - len(self._events)

    def take(self, seen: Seen) -> None:
        """Add what the thread saw."""
        if seen.offset != self.next or seen.event is None:
            self._events.clear()
        if seen.event is not None:
            self._events.append(seen.event)
        self.next = seen.offset + 1
        self.know(self.next)

    def know(self, end: int) -> None:
        """The partition reaches so far."""
        self.end = max(self.end, end)

    def since(self, offset: int, limit: int) -> list[Event]:
        """Events from `offset` on, which must be at hand."""
        start = offset - self.first
        return [self._events[at] for at in range(start, min(start + limit, len(self._events)))]

    def wake(self) -> None:
        """There is something new."""
        woken, self.woken = self.woken, []
        for future in woken:
            if not future.done():
                future.set_result(None)


class Tail:
    """Of all partitions of one process. `arrived` is called on the loop with what came, in the order of each partition."""

    def __init__(self, access: Access, places: Sequence[TopicPartition], timeout_ms: int) -> None:
        self.failing = ""
        self.recent: dict[TopicPartition, Recent] = {}
        self.arrived: Callable[[Sequence[Seen]], None] = lambda _: None
        self._timeout_ms = timeout_ms
        self._access = access
        self._places = list(places)
        self._stop = threading.Event()
        self._room = threading.Semaphore(UNHANDLED_MAX)
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Come back once it follows. Raises `StoreDown`, `StoreTimeout`."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, opened), name="twit-kafka-tail", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(self._timeout_ms / 1_000):
                await opened
        except TimeoutError as error:
            self._stop.set()
            raise StoreTimeout("kafka: the ends of the topics are not known in time") from error

    def close(self) -> None:
        """Let the thread come to its end."""
        self._stop.set()
        self._room.release()
        if self._thread is not None:
            self._thread.join(self._timeout_ms / 1_000)

    async def reach(self, place: TopicPartition, end: int) -> None:
        """Come back when everything before `end` was seen. Raises `StoreTimeout`."""
        recent = self.recent[place]
        try:
            async with asyncio.timeout(self._timeout_ms / 1_000):
                while recent.next < end:
                    await self.change(place)
        except TimeoutError as error:
            what = f"kafka: {place.topic}/{place.partition} was seen up to {recent.next}, not to {end}"
            raise StoreTimeout(what, meaning=self.failing) from error

    async def change(self, place: TopicPartition) -> None:
        """Until something comes, or is known to be there."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        recent = self.recent[place]
        recent.woken.append(future)
        try:
            await future
        finally:
            if future in recent.woken:
                recent.woken.remove(future)

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        positions: dict[TopicPartition, int] = {}
        while not self._stop.is_set():
            consumer = None
            try:
                consumer = KafkaConsumer(**consumer_options(self._access, self._timeout_ms), max_poll_records=1_000)
                consumer.assign(self._places)
                if not positions:
                    positions = consumer.end_offsets(self._places)
                    _call(loop, self._begin, dict(positions), opened)
                for place, offset in positions.items():
                    consumer.seek(place, offset)
                self._follow(loop, consumer, positions)
            except Exception as error:  # noqa: BLE001 whatever it is, who waits for events must not wait in silence
                self.failing = f"{type(error).__name__}: {error}"
                log.warning("kafka: %s; following again", self.failing)
                ours = translated(error)
                if not positions:
                    _call(loop, _reject, opened, ours or error)
                    return
                self._stop.wait(AGAIN_S)
            finally:
                if consumer is not None:
                    consumer.close(autocommit=False)

    def _follow(self, loop: asyncio.AbstractEventLoop, consumer: Any, positions: dict[TopicPartition, int]) -> None:
        while not self._stop.is_set():
            found = consumer.poll(timeout_ms=POLL_MS)
            if not found:
                continue
            batch = [_seen(place, record) for place, records in found.items() for record in records]
            self._room.acquire()
            if not _call(loop, self._take, batch):
                return
            self.failing = ""
            for place, records in found.items():
                positions[place] = records[-1].offset + 1

    def _begin(self, ends: Mapping[TopicPartition, int], opened: asyncio.Future[None]) -> None:
        self.recent = {place: Recent(end) for place, end in ends.items()}
        if not opened.done():
            opened.set_result(None)

    def _take(self, batch: Sequence[Seen]) -> None:
        self._room.release()
        for seen in batch:
            self.recent[seen.place].take(seen)
        self.arrived(batch)
        for place in {seen.place for seen in batch}:
            self.recent[place].wake()


def _seen(place: TopicPartition, record: Any) -> Seen:
    by = next((value for name, value in record.headers if name == "by"), b"")
    try:
        return Seen(place, record.offset, decode(record.value), by)
    except msgspec.DecodeError as error:
        log.warning("kafka: %s/%d holds at %d what cannot be read: %s", place.topic, place.partition, record.offset, error)
        return Seen(place, record.offset, None, by)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> bool:
    """False where the loop is closed: nobody listens any more."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        return False
    return True


def _reject(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
