"""One consumer's run through its lane: events in order, large pieces of work in turns between them.

A handler does the deed, this file keeps the place: what was done is recorded after it was done, one durable step for many
events, so that whatever is killed is done again and nothing is lost. The next events do not wait for the record of the last
ones. A poison event is parked and never blocks the lane; a store that is down is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

import msgspec

from .clock import Clock
from .entries import Delivery
from .entropy import Chance
from .errors import StoreError, Superseded
from .events import LoggedEvent, Progress, Work, WorkVerb
from .limits import Limits
from .log_ports import Lane

RETRY_MS = 50  # the first wait for a store that failed; doubled each time up to RETRY_MAX_MS, times 0.5 to 1.5
RETRY_MAX_MS = 2_000
EVENTS_BETWEEN_WORK = 64  # while work is pending, so many events at most are handled before it has its turn,
BATCHES_BETWEEN_WORK = 2  # or events of about so many `fanout_batch`es of deliveries
IN_A_ROW = 10  # batches of one fan-out before another large one has its turn: whole ones, mostly, since rows are cheapest in order
BACKLOG_MS = 2_000  # an event that is older keeps nobody waiting: then nothing comes between a large fan-out and its next batch
TRIES_MAX = 6  # of a store in a row, where nobody may wait for ever: 1.5 s
TURNS_MAX = 8  # turns of work before its place is recorded
YIELD_EVERY = 16  # events handled before others on the loop have their turn: some milliseconds
UNRECORDED_MAX = 4_096  # accounts of deliveries; with more the record is waited for

log = logging.getLogger(__name__)


class Done(msgspec.Struct):
    """What was done and is not recorded yet."""

    deliveries: list[Delivery] = msgspec.field(default_factory=list)
    put: dict[int, Work] = msgspec.field(default_factory=dict)
    done: list[int] = msgspec.field(default_factory=list)

    def clear(self) -> None:
        """As if nothing had been done."""
        self.deliveries.clear()
        self.put.clear()
        self.done.clear()

    def leave_out(self, tweets: set[int], after: int) -> None:
        """Events after this offset will be handled again, perhaps in another way: their tweets must not be accounted for twice."""
        self.deliveries[:] = [delivery for delivery in self.deliveries if delivery.tweet not in tweets]
        self.put = {work_id: work for work_id, work in self.put.items() if work_id <= after}

    def add(self, later: Done) -> None:
        """Take in what was done after this."""
        self.deliveries += later.deliveries
        self.put.update(later.put)
        self.done += later.done
        for work_id in later.done:
            self.put.pop(work_id, None)


class Handler(Protocol):
    """What a group does with its events."""

    group: str

    async def prepare(self, events: Sequence[LoggedEvent], pending: dict[int, Work], /) -> None:
        """A batch is coming: load at once what it needs. `pending` is the group's work, kept by the consumer."""

    async def handle(self, logged: LoggedEvent, done: Done, /) -> None:
        """Do what the event asks for, any number of times with the same result; large work goes to `done.put`."""

    async def serve(self, work: Work, done: Done, /) -> Work | None:
        """Do one batch of it; returns what is left."""

    async def finish(self) -> None:
        """The batch is handled: make durable what was kept for its end."""


class Consumer:
    """A lane in this process. The caller holds the lane's lease; the handler is this lane's alone."""

    def __init__(self, lane: Lane, limits: Limits, clock: Clock, chance: Chance, handler: Handler) -> None:
        self.handler = handler
        self.lane = lane
        self.name = lane.name
        self.failing = ""  # the last error, "" once something worked again
        self.offset = 0
        self.patient = True  # waits for a store as long as it takes
        self._log, self._kept = lane.log, lane.work
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._work: dict[int, Work] = {}
        self._turn: list[int] = []  # work ids, the next to be served first
        self._ahead: list[LoggedEvent] = []  # read and not handled yet
        self._late = False  # the events are a backlog
        self._attempts: dict[int, int] = {}
        self._failures = 0
        self._done_to = 0  # the offset whose doings are all in `_unrecorded` or recorded
        self._recorded = 0  # the offset that was recorded, or is being
        self._unrecorded = Done()
        self._recording: asyncio.Task[None] | None = None
        self._fence = 0  # of the lease under which it was opened
        self._steps = 0  # recorded, or being: never less, so that a step that comes late is told from a new one

    async def open(self, fence: int = 0) -> None:
        """Take up the lane's place, as the holder of its lease with this fence. Raises `Superseded`."""
        if self._recording is not None:
            await asyncio.gather(self._recording, return_exceptions=True)
        self._fence = fence
        if fence:
            await self._kept.claim(self.name, fence)
        self.offset = self._done_to = self._recorded = await self._log.offset(self.name)
        self._unrecorded, self._recording = Done(), None
        self._work = {work.work_id: work for work in await self._kept.pending(self.name)}
        self._turn = list(self._work)
        self._attempts.clear()
        self._ahead = []

    def caught_up(self, until: int) -> bool:
        """Whether everything up to this offset is done."""
        return self.offset >= until and not self._work

    async def step(self) -> bool:
        """Handle some events and some work; false where there was nothing to do. The record follows by itself."""
        done = Done()
        events = [] if self._in_order() else await self._next()
        if events:
            await self._handle(events, done)
        if self._work:
            await self._serve(done)
        self._unrecorded.add(done)
        self._done_to = self.offset
        self._begin_record()
        if not events and not done.deliveries and not done.put and not done.done and not self._work:
            return False
        if len(self._unrecorded.deliveries) > UNRECORDED_MAX:
            await self.close()
        return True

    async def _next(self) -> list[LoggedEvent]:
        """The events to be handled now: fewer while work is pending."""
        if not (self._ahead and self._ahead[0].offset > self.offset):
            self._ahead = []
        if not self._ahead and self._log.moved(self.offset):
            self._ahead = await self._log.read(self.offset, self._limits.event_batch)
        self._late = bool(self._ahead) and self._clock.now_ms() - self._ahead[0].event.at_ms > BACKLOG_MS
        return self._ahead[:EVENTS_BETWEEN_WORK] if self._work else self._ahead

    def _in_order(self) -> bool:
        """Whether the next piece of work is to be done before any other event is looked at."""
        work = self._work[self._turn[0]] if self._late and self._turn else None
        return work is not None and work.verb is WorkVerb.PUSH and work.batch < IN_A_ROW

    async def close(self) -> None:
        """Come back when everything that was done is recorded."""
        self._begin_record()
        while self._recording is not None:
            await asyncio.shield(self._recording)
            self._begin_record()

    def _begin_record(self) -> None:
        """See to it that what was done is being recorded."""
        if self._recording is not None and self._recording.done():
            recording, self._recording = self._recording, None
            recording.result()
        if self._recording is None and self._lacks_record():
            self._recording = asyncio.ensure_future(self._record())

    def _lacks_record(self) -> bool:
        done = self._unrecorded
        return bool(done.deliveries or done.put or done.done) or self._recorded != self._done_to

    async def apart(self, events: Sequence[LoggedEvent]) -> None:
        """Handle these out of turn, work and all, without moving the lane's place: it will meet them once more."""
        done, work = Done(), dict(self._work)
        await self.handler.prepare(events, work)
        for logged in events:
            await self.handler.handle(logged, done)
        left = list(done.put.values())
        while left:
            again = await self.handler.serve(left.pop(0), done)
            left += [again] if again is not None else []
        await self.handler.finish()
        if done.deliveries:
            progress = Progress(group=self.name, offset=self.offset, deliveries=tuple(done.deliveries))
            await self._kept.advance((progress,))

    async def _handle(self, events: Sequence[LoggedEvent], done: Done) -> None:
        """Handle in order; stop where one fails, so that the next step starts with it."""
        handled, spent, told = self.offset, 0, 0
        budget = BATCHES_BETWEEN_WORK * self._limits.fanout_batch
        try:
            await self.handler.prepare(events, self._work)
            for at, logged in enumerate(events, 1):
                await self.handler.handle(logged, done)
                handled = logged.offset
                spent += sum(delivery.attempted for delivery in done.deliveries[told:])
                told = len(done.deliveries)
                if (self._late and done.put) or (spent >= budget and (self._work or done.put)):
                    break
                if at % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            await self.handler.finish()
            self.offset = handled
            self._ahead = self._ahead[at:]
            self._worked()
        except Exception as error:  # noqa: BLE001 a handler may fail in any way; the group must go on
            if handled == self.offset:
                done.clear()
                await self._failed(events[0], error)
                return
            await self._failed_after(events, handled, done, error)
        for work in done.put.values():
            if work.work_id not in self._work:
                self._turn.append(work.work_id)
            self._work[work.work_id] = work
        for work_id in done.done:
            self._forget(work_id)

    async def _failed_after(self, events: Sequence[LoggedEvent], handled: int, done: Done, error: Exception) -> None:
        """Some were handled before one failed: those count, once what the handler kept for the end is durable too."""
        try:
            await self.handler.finish()
        except Exception as second:  # noqa: BLE001 the same
            done.clear()
            await self._failed(events[0], second)
            return
        self.offset = handled
        again = [logged for logged in events if logged.offset > handled]
        done.leave_out({logged.event.tweet for logged in again}, handled)
        failed = next(iter(again), None)
        if failed is not None:
            await self._failed(failed, error)

    async def _failed(self, logged: LoggedEvent, error: Exception) -> None:
        """Count an attempt and wait; park the event after too many. A store's failure is not the event's fault."""
        self.failing = f"{type(error).__name__}: {error}"
        self._failures += 1
        if not isinstance(error, StoreError):
            attempts = self._attempts[logged.offset] = self._attempts.get(logged.offset, 0) + 1
            log.warning("%s: event %d failed, attempt %d", self.name, logged.offset, attempts, exc_info=error)
            if attempts >= self._limits.event_attempts_max:
                await self._kept.park(self.name, logged, self.failing, self._clock.now_ms())
                self._attempts.pop(logged.offset)
                self.offset = logged.offset
                return
        elif self._failures == 1:
            log.warning("%s: %s; waiting for the store", self.name, self.failing)
        await self._pause(error)

    async def _serve(self, done: Done) -> None:
        """Give pending work its turns, one batch each, until new events want to be handled."""
        for _ in range(TURNS_MAX):
            if not self._turn:
                return
            work_id = self._turn.pop(0)
            work = self._work[work_id]
            try:
                left = await self.handler.serve(work, done)
                await self.handler.finish()
            except Exception as error:  # noqa: BLE001 as above
                self._turn.append(work_id)
                await self._work_failed(work, error, done)
                return
            self._worked()
            if left is None:
                done.done.append(work_id)
                done.put.pop(work_id, None)
            else:
                done.put[work_id] = self._work[work_id] = left
                stays = left.verb is WorkVerb.PUSH and left.batch % IN_A_ROW
                self._turn.insert(0 if stays else len(self._turn), work_id)
            for gone in done.done:
                self._forget(gone)
            await asyncio.sleep(0)
            if not self._in_order() and self._log.moved(self.offset):
                return

    async def _work_failed(self, work: Work, error: Exception, done: Done) -> None:
        self.failing = f"{type(error).__name__}: {error}"
        self._failures += 1
        if not isinstance(error, StoreError):
            attempts = self._attempts[-work.work_id] = self._attempts.get(-work.work_id, 0) + 1
            log.warning("%s: work %d failed, attempt %d", self.name, work.work_id, attempts, exc_info=error)
            if attempts >= self._limits.event_attempts_max:
                events = await self._log.read(work.work_id - 1, 1)
                if events and events[0].offset == work.work_id:
                    await self._kept.park(self.name, events[0], self.failing, self._clock.now_ms())
                self._attempts.pop(-work.work_id)
                self._forget(work.work_id)
                done.put.pop(work.work_id, None)
                done.done.append(work.work_id)
                return
        await self._pause(error)

    async def _record(self) -> None:
        """One durable step after the other, until nothing is left. Each is repeated until it stands: what it tells of is done.

        Raises `Superseded` where another has the lane: he does once more what is not recorded."""
        while self._lacks_record():
            done, self._unrecorded, self._recorded = self._unrecorded, Done(), self._done_to
            self._steps += 1
            progress = Progress(
                group=self.name, offset=self._recorded, fence=self._fence, number=self._steps, deliveries=tuple(done.deliveries),
                put=tuple(done.put.values()), done=tuple(done.done),
            )  # fmt: skip
            while (error := await self._advance(progress)) is not None:
                await self._pause(error)

    async def _advance(self, progress: Progress) -> StoreError | None:
        try:
            await self._kept.advance((progress,))
        except Superseded:
            raise
        except StoreError as error:
            self.failing = f"{type(error).__name__}: {error}"
            self._failures += 1
            return error
        return None

    async def _pause(self, error: Exception) -> None:
        """Wait, longer each time. Raises what a store failed with where it is not to be waited for."""
        if not self.patient and isinstance(error, StoreError) and self._failures >= TRIES_MAX:
            raise error
        wait_ms = min(RETRY_MAX_MS, RETRY_MS << min(self._failures - 1, 10)) * (0.5 + self._chance.random())
        await self._clock.sleep(wait_ms / 1_000)

    def _worked(self) -> None:
        self._failures, self.failing = 0, ""

    def _forget(self, work_id: int) -> None:
        if self._work.pop(work_id, None) is not None and work_id in self._turn:
            self._turn.remove(work_id)
