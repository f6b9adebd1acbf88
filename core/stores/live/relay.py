"""Carries what the stores wrote into their outboxes to Kafka: at once and in order while all is well, by sweeping otherwise.

What this process wrote is shown to it at once and queued. A batch that Kafka did not acknowledge is sent again whole before
anything newer, so a key's events keep their order. Past its bound the queue takes nothing more: the rows stay in the outboxes,
where they are durable, and until those are swept nothing newer overtakes them (`Flow`).

One process at a time sweeps, by a lease: it sends rows that nobody sent. By then a newer event of the same key may have gone
before, sent by another process; so may it while an event waited in the queue. Handlers go by the present truth, with one
exception: a tweet is pushed because its event says so. So after creations that were swept or came late the tweets are looked up,
and for what is deleted by now its deletion is sent again, behind the creation. What is deleted later sends its own event, which
comes behind too. Within `LATE_S` fan-out's own memory of deletions does it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum

from ...clock import Clock
from ...errors import StoreError, StoreTimeout
from ...events import Event, EventKind
from ...log_ports import Lease, Leases
from .journal import Journal
from .kafka_lanes import encode
from .kafka_producer import BATCH_MAX, Outbound, Producer
from .kafka_topics import Topics
from .outbox import OutboxSource, Outgoing

QUEUE_MAX = 20_000  # events that wait for Kafka: some 10 MB
LATE_S = 1.0  # in the queue: others may have sent newer events of its keys meanwhile
SWEEP_AFTER_MS = 5_000  # a row that is older was not sent, or not seen to be
SWEEP_EVERY_S = 1.0
SWEEP_MAX = 1_000
AGAIN_S, AGAIN_MAX_S = 0.05, 2.0  # after a failure, doubled each time, times 0.5 to 1.5
LEASE = "relay"

log = logging.getLogger(__name__)
Deleted = Callable[[Sequence[int]], Awaitable[Sequence[bool]]]


class Flow(Enum):
    """What becomes of what is written: sent in turn; left to the sweeper; or kept until the sweeper has sent what was left."""

    OPEN = "open"
    LEFT = "left"
    KEPT = "kept"


class Relay:
    """`outbox.Outbox` of one process."""

    def __init__(self, topics: Topics, producer: Producer, journal: Journal, clock: Clock, timeout_ms: int) -> None:
        self.failing = ""
        self.flow = Flow.OPEN
        self._topics = topics
        self._producer = producer
        self._journal = journal
        self._clock = clock
        self._timeout_s = timeout_ms / 1_000
        self._queue: deque[tuple[float, Outgoing]] = deque()  # since when it waits
        self._sent: list[Outgoing] = []  # Kafka has them, their rows are still there
        self._sources: dict[str, OutboxSource] = {}
        self._queued = self._acknowledged = 0  # since the start
        self._kept_since_ms = 0
        self._news = asyncio.Event()  # there is something to send
        self._done = asyncio.Event()  # something was sent
        self._waiting: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lease: Lease | None = None
        self._deleted: Deleted | None = None

    def attach(self, source: OutboxSource) -> None:
        self._sources[source.name] = source

    def wrote(self, outgoing: Sequence[Outgoing]) -> None:
        self._journal.echo([one.event for one in outgoing])
        if self.flow is not Flow.LEFT and len(self._queue) + len(outgoing) > QUEUE_MAX:
            log.warning("kafka: %d events wait for it; what comes now waits in the outboxes", len(self._queue))
            if self.flow is Flow.KEPT:  # behind what was left before: in the outboxes too
                self._acknowledged += len(self._queue)
                self._queue.clear()
            self.flow = Flow.LEFT
        if self.flow is not Flow.LEFT:
            now_s = asyncio.get_running_loop().time()
            self._queue += [(now_s, one) for one in outgoing]
            self._queued += len(outgoing)
            self._news.set()

    def start(self, leases: Leases, holder: str, deleted: Deleted) -> None:
        """Begin to send, and to sweep whenever no other process does. `deleted` says of tweets whether they are."""
        self._deleted = deleted
        loops = (self._send(), self._tidy(), self._mind(leases, holder))
        self._tasks = [asyncio.ensure_future(one) for one in loops]

    async def flushed(self) -> None:
        """Come back when Kafka has all that was written before. Raises `StoreTimeout`."""
        target = self._queued
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._acknowledged < target or self.flow is not Flow.OPEN:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        except TimeoutError as error:
            raise StoreTimeout(f"kafka: {self.state()}") from error

    def state(self) -> str:
        """For operators: "ok", or what waits and why."""
        if self.flow is Flow.OPEN and not self.failing:
            return "ok"
        where = "" if self.flow is Flow.OPEN else ", and more in the outboxes"
        return f"{len(self._queue)} events wait for Kafka{where}: {self.failing or 'catching up'}"

    async def close(self) -> None:
        """Send what is queued, if Kafka takes it; else the next sweeper does."""
        if self._tasks:
            try:
                await self.flushed()
                await self._clear()
            except StoreError as error:
                log.warning("%s; left to the next process", error)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._lease is not None:
            self._lease.release()

    async def _send(self) -> None:
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            if not self._queue or self.flow is Flow.KEPT:
                self._news.clear()
                await self._news.wait()
                continue
            since_s = self._queue[0][0]
            batch = [self._queue[at][1] for at in range(min(BATCH_MAX, len(self._queue)))]
            try:
                await self._producer.send(self._records(batch, self._journal.by))
            except Exception as error:  # noqa: BLE001 the relay of a process must not end; what it is will be said
                self._failed(error, failures)
                await _pause(failures)
                failures += 1
                continue
            late = failures or loop.time() - since_s > LATE_S
            failures, self.failing = 0, ""
            for _ in batch:
                self._queue.popleft()
            self._acknowledged += len(batch)
            if not late or await self._buried(batch):
                self._sent += batch
                self._done.set()
            self._wake()
            if len(self._sent) > QUEUE_MAX:
                await self._clear()

    async def _buried(self, batch: Sequence[Outgoing]) -> bool:
        """False where that cannot be done now: then the rows stay, for a sweeper to do it all once more."""
        try:
            await self._bury(batch)
        except StoreError as error:
            log.warning("%s; %d events that came late are left to the sweeper", error, len(batch))
            return False
        return True

    async def _tidy(self) -> None:
        """Beside sending, since a store may take longer to take rows away than Kafka to take events."""
        while True:
            await self._done.wait()
            self._done.clear()
            await self._clear()

    async def _clear(self) -> None:
        """Take away the rows of what was sent. One that stays is sent again by a sweeper, which does no harm."""
        sent, self._sent = self._sent, []
        await asyncio.gather(*(self._clear_of(name, part) for name, part in _by_source(sent)))

    async def _clear_of(self, name: str, sent: list[Outgoing]) -> None:
        try:
            await self._sources[name].sent(sent)
        except Exception as error:  # noqa: BLE001 as above
            log.warning("%s: rows of %d sent events stay in its outbox: %s: %s", name, len(sent), type(error).__name__, error)

    async def _mind(self, leases: Leases, holder: str) -> None:
        failures = 0
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                if self._lease is None or self._lease.lost:
                    self._lease = await leases.acquire(LEASE, holder)
                if self._lease is not None:
                    await asyncio.gather(*(self._sweep(source) for source in self._sources.values()))
                await self._open_again()
                failures = 0
                if not self._queue:  # else sending says how it is
                    self.failing = ""
            except Exception as error:  # noqa: BLE001 as above
                self._failed(error, failures)
                failures += 1

    async def _sweep(self, source: OutboxSource) -> None:
        """Send what lies in one outbox for long, the oldest first."""
        before_ms = self._clock.now_ms() - SWEEP_AFTER_MS
        rows = await source.waiting(before_ms, SWEEP_MAX)
        while rows:
            await self._producer.send(self._records(rows, b""))
            await self._bury(rows)
            if len(rows) < SWEEP_MAX:  # a backlog was left because Kafka was away, not because its writers died
                await source.found(rows)
            await source.sent(rows)
            rows = await source.waiting(before_ms, SWEEP_MAX) if len(rows) == SWEEP_MAX else []

    async def _bury(self, late: Sequence[Outgoing]) -> None:
        """These came to Kafka late: of tweets that are deleted by now the deletion is sent again."""
        created = [one for one in late if one.event.kind is EventKind.TWEET_CREATED]
        if not created or self._deleted is None:
            return
        gone = await self._deleted([one.event.tweet for one in created])
        again = [_deletion(one, self._clock.now_ms()) for one, is_gone in zip(created, gone, strict=True) if is_gone]
        if again:
            await self._producer.send(self._records(again, b""))

    async def _open_again(self) -> None:
        """After the queue had overflown: first send what is in it, then keep the new, then wait for the sweeper, then go on."""
        if self.flow is Flow.LEFT and not self._queue:
            self.flow, self._kept_since_ms = Flow.KEPT, self._clock.now_ms()
        elif self.flow is Flow.KEPT:
            left = await asyncio.gather(*(source.waiting(self._kept_since_ms, 1) for source in self._sources.values()))
            if not any(left):
                self._end_keeping()

    def _end_keeping(self) -> None:
        if self.flow is Flow.KEPT:  # it may have overflown meanwhile
            self.flow = Flow.OPEN
            self._news.set()
            self._wake()

    def _records(self, outgoing: Iterable[Outgoing], by: bytes) -> list[Outbound]:
        return [Outbound(*self._topics.place(one.event), encode(one.event), by) for one in outgoing]

    def _failed(self, error: Exception, failures: int) -> None:
        self.failing = f"{type(error).__name__}: {error}"
        if not isinstance(error, StoreError):
            log.error("the relay failed where it must not; trying again", exc_info=error)
        elif not failures:
            log.warning("%s; events wait", error)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _by_source(sent: Iterable[Outgoing]) -> Iterable[tuple[str, list[Outgoing]]]:
    found: dict[str, list[Outgoing]] = {}
    for one in sent:
        found.setdefault(one.source, []).append(one)
    return found.items()


def _deletion(created: Outgoing, at_ms: int) -> Outgoing:
    event = created.event
    again = Event(
        kind=EventKind.TWEET_DELETED, key=event.key, actor=event.actor, tweet=event.tweet, ref=event.ref, at_ms=at_ms,
        request_id=event.request_id,
    )  # fmt: skip
    return Outgoing(created.source, created.place, again)


async def _pause(failures: int) -> None:
    await asyncio.sleep(min(AGAIN_MAX_S, AGAIN_S * 2**min(failures, 10)) * (0.5 + random.random()))
