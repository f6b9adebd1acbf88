"""The outbox beside the tweets and likes: a row an event, in the batch of what it tells of, until Kafka has it.

Rows lie by slot and minute and are deleted within seconds, which leaves tombstones; so a sweep begins at a low-water mark,
passes each minute when it is over, three times more at greater ages, for batches that Cassandra itself finished late after a crash,
and never again.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from ...clock import Clock
from ...events import Event
from .cassandra_buckets import Stamps
from .cassandra_claims import LATE_MS
from .cassandra_mend import Mending
from .cassandra_session import WIDTH, Bound, CassandraSession, chunks, spread
from .outbox import Outbox, Outgoing

SLOTS = 32  # partitions a minute: at 25,000 events a second each holds 47,000 rows
MINUTE_US = 60_000_000
LAGS_MINUTES = (0, 2, 15, LATE_MS // 60_000)  # a minute is read when it is over, and at these ages: most late batches come within one
KEPT_EVERY_MINUTES = 5
OPENING_MINUTES = 10  # how far before its first opening a keyspace may hold events: clocks of several machines
DELETES_MAX = 50  # rows of one partition taken away by one statement
_SCATTER = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: keys that end in zeros spread over the slots, the top five bits of 64
_WORD = (1 << 64) - 1

_PLACE = struct.Struct(">iiq")  # slot, minute, at_us; the ident follows
_IDENT = struct.Struct(">qqH")

STATEMENTS = {
    "outbox.add": "INSERT INTO outbox (slot, minute, at_us, ident, event) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "outbox.sent": "DELETE FROM outbox USING TIMESTAMP ? WHERE slot = ? AND minute = ? AND at_us = ? AND ident = ?",
    "outbox.waiting": "SELECT slot, at_us, ident, event FROM outbox WHERE slot IN ? AND minute = ? AND at_us < ? PER PARTITION LIMIT ?",
    "outbox.mark": "SELECT minute FROM outbox_mark WHERE name = 'outbox'",
    "outbox.set_mark": "INSERT INTO outbox_mark (name, minute) VALUES ('outbox', ?) USING TIMESTAMP ?",
}
_SLOTS = list(range(SLOTS))

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


class CassandraOutbox:
    """`OutboxSource` of one keyspace, and what its stores put their events in by."""

    name = "cassandra"

    def __init__(self, session: CassandraSession, clock: Clock, stamps: Stamps, outbox: Outbox, mending: Mending) -> None:
        self._session = session
        self._mending = mending
        self._clock = clock
        self._stamps = stamps
        self._outbox = outbox
        self._kept = 0  # the minute in `outbox_mark`: nothing lies before it
        self._marks: list[int] = []  # a minute for each lag: before it nothing lay when we last looked
        self._uncounted: set[bytes] = set()  # places of rows whose writes were not counted: they stay for a sweep

    async def open(self) -> None:
        """Find the low-water mark, or set it in a new keyspace; then be swept."""
        rows = await self._session.read("outbox.mark", ())
        now = self._clock.now_ms() // 60_000
        if rows:
            self._kept = rows[0][0]
        else:
            self._kept = now - OPENING_MINUTES
            await self._session.write([("outbox.set_mark", (self._kept, self._stamps.next()))])
        self._marks = [max(self._kept, now - lag) if lag else self._kept for lag in LAGS_MINUTES]
        self._outbox.attach(self)

    def add(self, events: Sequence[Event], at_us: int, first: int, second: int) -> tuple[list[Bound], list[Outgoing]]:
        """The statements and the rows of a write's events. (`at_us`, first, second) must be that write's alone."""
        bound: list[Bound] = []
        outgoing: list[Outgoing] = []
        minute = at_us // MINUTE_US
        for number, event in enumerate(events):
            slot = (event.key * _SCATTER & _WORD) >> 59
            ident = _IDENT.pack(first, second, number)
            bound.append(("outbox.add", (slot, minute, at_us, ident, _encode(event), at_us)))
            outgoing.append(Outgoing(self.name, _PLACE.pack(slot, minute, at_us) + ident, event))
        return bound, outgoing

    async def wrote(self, outgoing: Sequence[Outgoing], counting: Coroutine[Any, Any, bool]) -> None:
        """Count what was written, then hand it on: a row that is gone was counted."""
        counted = False
        try:
            counted = await counting
        finally:
            if outgoing:
                if not counted:
                    self._uncounted.update(one.place for one in outgoing)
                self._outbox.wrote(outgoing)

    async def waiting(self, before_ms: int, limit: int) -> list[Outgoing]:
        now = self._clock.now_ms() // 60_000
        last = (before_ms * 1_000 - 1) // MINUTE_US
        found: dict[bytes, tuple[int, Outgoing]] = {}
        for number, lag in enumerate(LAGS_MINUTES):
            await self._walk(number, min(last, now - lag), before_ms, limit, found)
        await self._keep_mark()
        oldest = sorted(found.values(), key=lambda one: one[0])
        return [outgoing for _, outgoing in oldest[:limit]]

    async def mended(self, events: Sequence[Event]) -> bool:
        """Count again what these count for, in place of counting: nobody knows whether that was done."""
        await self._mending.events(events)
        return True

    async def found(self, outgoing: Sequence[Outgoing]) -> None:
        await self._mending.events(one.event for one in outgoing)
        self._uncounted.difference_update(one.place for one in outgoing)

    async def sent(self, outgoing: Sequence[Outgoing]) -> None:
        partitions: dict[tuple[int, int], list[Bound]] = defaultdict(list)
        for one in outgoing:
            if one.place in self._uncounted:
                self._uncounted.remove(one.place)
                continue
            slot, minute, at_us = _PLACE.unpack_from(one.place)
            values = (self._stamps.next(at_us), slot, minute, at_us, one.place[_PLACE.size :])
            partitions[slot, minute].append(("outbox.sent", values))
        await spread(self._session.write, [some for rows in partitions.values() for some in chunks(rows, DELETES_MAX)])

    async def _walk(self, number: int, last: int, before_ms: int, limit: int, found: dict[bytes, tuple[int, Outgoing]]) -> None:
        """Read on from one of the marks to minute `last`; the mark stays before the first row met."""
        clean = True
        for minutes in chunks(range(self._marks[number], last + 1), WIDTH):
            async with self._session.bounded():
                answers = await spread(lambda minute: self._minute(minute, before_ms, limit), minutes)
            for minute, rows in zip(minutes, answers, strict=True):
                found.update((one.place, (at_us, one)) for at_us, one in rows)
                clean = clean and not rows
                if clean:
                    self._marks[number] = min(minute + 1, last)
            if len(found) >= limit:
                return

    async def _minute(self, minute: int, before_ms: int, limit: int) -> list[tuple[int, Outgoing]]:
        rows = await self._session.read("outbox.waiting", (_SLOTS, minute, before_ms * 1_000, limit))
        return [
            (at_us, Outgoing(self.name, _PLACE.pack(slot, minute, at_us) + ident, _decode(event)))
            for slot, at_us, ident, event in rows
        ]

    async def _keep_mark(self) -> None:
        """Never back, as far as this process knows; another's older mark only makes a first sweep longer."""
        lowest = min(self._marks)
        if lowest >= self._kept + KEPT_EVERY_MINUTES:
            self._kept = lowest
            await self._session.write([("outbox.set_mark", (lowest, self._stamps.next()))])
