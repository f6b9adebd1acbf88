"""The outbox beside the tweets and likes: a row an event, in the batch of what it tells of, until Kafka has it.

Rows lie by slot and minute and are deleted within seconds, which leaves tombstones; so a sweep begins at a low-water mark,
passes each minute about twice, and never again. It looks back further (`LATE_MS`) only now and then: for batches that Cassandra
itself finished late, after a crash.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from ...clock import Clock
from ...model import Event
from .cassandra_buckets import Stamps
from .cassandra_session import WIDTH, Bound, CassandraSession, chunks, spread
from .outbox import Outbox, Outgoing

SLOTS = 32  # partitions a minute: at 25,000 events a second each holds 47,000 rows
MINUTE_US = 60_000_000
LATE_MS = 4 * 3_600_000  # hints are kept for 3 h: nothing written comes to light later than this
DEEP_EVERY_MS = 600_000
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

    def __init__(self, session: CassandraSession, clock: Clock, stamps: Stamps, outbox: Outbox) -> None:
        self._session = session
        self._clock = clock
        self._stamps = stamps
        self._outbox = outbox
        self._mark = 0  # kept minute: nothing lies before it
        self._from = 0  # nothing lay before it when we last looked
        self._deep_at_ms = 0

    async def open(self) -> None:
        """Find the low-water mark, or set it in a new keyspace; then be swept."""
        rows = await self._session.read("outbox.mark", ())
        if rows:
            self._mark = rows[0][0]
        else:
            self._mark = self._clock.now_ms() // 60_000 - OPENING_MINUTES
            await self._session.write([("outbox.set_mark", (self._mark, self._stamps.next()))])
        self._from = self._mark
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

    def wrote(self, outgoing: Sequence[Outgoing]) -> None:
        """Hand on what is durable."""
        if outgoing:
            self._outbox.wrote(outgoing)

    async def waiting(self, before_ms: int, limit: int) -> list[Outgoing]:
        now_ms = self._clock.now_ms()
        deep = now_ms >= self._deep_at_ms
        last = (before_ms * 1_000 - 1) // MINUTE_US
        found: list[tuple[int, Outgoing]] = []
        clean_to = start = self._mark if deep else self._from
        async with self._session.bounded():
            for minutes in chunks(range(start, last + 1), WIDTH):
                for minute, rows in zip(
                    minutes, await spread(lambda one: self._minute(one, before_ms, limit), minutes), strict=True
                ):  # fmt: skip
                    found += rows
                    if not found:
                        clean_to = min(minute + 1, last)
                if len(found) >= limit:
                    break
            else:
                if deep:
                    self._deep_at_ms = now_ms + DEEP_EVERY_MS
                    await self._move_mark(min(clean_to, (now_ms - LATE_MS) // 60_000))
        self._from = max(self._mark, clean_to)
        found.sort(key=lambda one: one[0])
        return [outgoing for _, outgoing in found[:limit]]

    async def sent(self, outgoing: Sequence[Outgoing]) -> None:
        partitions: dict[tuple[int, int], list[Bound]] = defaultdict(list)
        for one in outgoing:
            slot, minute, at_us = _PLACE.unpack_from(one.place)
            values = (self._stamps.next(at_us), slot, minute, at_us, one.place[_PLACE.size :])
            partitions[slot, minute].append(("outbox.sent", values))
        await spread(self._session.write, [some for rows in partitions.values() for some in chunks(rows, DELETES_MAX)])

    async def _minute(self, minute: int, before_ms: int, limit: int) -> list[tuple[int, Outgoing]]:
        rows = await self._session.read("outbox.waiting", (_SLOTS, minute, before_ms * 1_000, limit))
        return [
            (at_us, Outgoing(self.name, _PLACE.pack(slot, minute, at_us) + ident, _decode(event)))
            for slot, at_us, ident, event in rows
        ]

    async def _move_mark(self, minute: int) -> None:
        """Never back, as far as this process knows; another's older mark only makes a sweep longer."""
        if minute > self._mark:
            self._mark = minute
            await self._session.write([("outbox.set_mark", (minute, self._stamps.next()))])
