"""The outbox of every shard: events as rows, written in the transaction of what they tell of.

A row's place is (shard, number, writer): numbers rise within a process and begin with its milliseconds, so that the oldest
come first over processes too, as far as their clocks agree; `writer` keeps two processes apart.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ....clock import Clock
from ....events import Event
from ..outbox import Outgoing
from .server import Session

if TYPE_CHECKING:
    from .shards import Shards

NAME = "mysql"
SENT_MAX = 1_000  # rows that one transaction takes away: far below the time limit, on a busy server too
MS_SHIFT = 20  # a million events a millisecond and process before numbers run ahead of the clock

_INSERT = "INSERT INTO outbox (shard, number, writer, payload) VALUES (%s, %s, %s, %s)"
_WAITING = "SELECT shard, number, writer, payload FROM outbox WHERE number < %s ORDER BY number LIMIT %s"
_SENT = "DELETE FROM outbox WHERE (shard, number, writer) IN %s"

_place = struct.Struct(">HQI")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


class Journal:
    """Gives events their places."""

    def __init__(self, clock: Clock, writer: int) -> None:
        """`writer` in [0, 2^32), different in each process."""
        self._clock = clock
        self._writer = writer
        self._last = 0
        self._lock = threading.Lock()

    def store(self, session: Session) -> list[tuple[int, Outgoing]]:
        """Write what the transaction told; returns (index, outgoing) in that order."""
        told = session.told
        if not told:
            return []
        first = self._numbers(len(told))
        rows = [(shard, number, self._writer, _encode(event)) for number, (_, shard, event) in enumerate(told, first)]
        session.many(_INSERT, rows)
        return [
            (index, Outgoing(NAME, _place.pack(shard, number, self._writer), event))
            for number, (index, shard, event) in enumerate(told, first)
        ]

    def _numbers(self, many: int) -> int:
        with self._lock:
            first = max(self._last + 1, self._clock.now_ms() << MS_SHIFT)
            self._last = first + many - 1
        return first


class MysqlOutbox:
    """`OutboxSource` over all shards."""

    name = NAME

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def waiting(self, before_ms: int, limit: int) -> list[Outgoing]:
        """At most `limit` rows of each server, merged by number and cut to `limit`."""
        def work(session: Session) -> list[tuple[int, Outgoing]]:
            rows = session.rows(_WAITING, (before_ms << MS_SHIFT, limit))
            return [
                (number, Outgoing(NAME, _place.pack(shard, number, writer), _decode(payload)))
                for shard, number, writer, payload in rows
            ]

        found = [one for of_server in await self._shards.read_all(work) for one in of_server]
        found.sort(key=lambda one: one[0])
        return [outgoing for _, outgoing in found[:limit]]

    async def found(self, outgoing: Sequence[Outgoing]) -> None:
        """Nothing comes after a transaction."""

    async def sent(self, outgoing: Sequence[Outgoing]) -> None:
        places = [_place.unpack(one.place) for one in outgoing]

        def remove(session: Session, keys: Sequence[tuple[int, ...]]) -> list[None]:
            session.each(_SENT, keys)
            return [None] * len(keys)

        for start in range(0, len(places), SENT_MAX):
            await self._shards.write_each(places[start : start + SENT_MAX], lambda place: place[0], remove)
