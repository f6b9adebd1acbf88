"""The event log: one table in the database, so that an event is durable in the same commit as what it tells of.

Offsets are dense and never used twice, not even after everything was trimmed. Who follows the log keeps his own
place; this file never remembers it for anybody but the consumer groups, whose places `work.py` moves.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile

import msgspec

from ...errors import StoreCorrupt
from ...events import Event, EventKind, GroupLag, LoggedEvent
from .db import Database
from .leases import FileLeases

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (offset INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS events_trimmed (one INTEGER PRIMARY KEY CHECK (one = 1), highest INTEGER NOT NULL);
INSERT OR IGNORE INTO events_trimmed VALUES (1, 0);
CREATE TABLE IF NOT EXISTS consumer_groups (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
"""

POLL_S = 0.025  # other processes' appends are found within this; our own wake at once
TRIM_AT_ONCE = 1_000  # events deleted in one commit: other writers get their turn between

_LAST = "SELECT coalesce((SELECT max(offset) FROM events), (SELECT highest FROM events_trimmed))"
_APPEND = """INSERT INTO events VALUES (
coalesce((SELECT max(offset) FROM events), (SELECT highest FROM events_trimmed)) + 1, ?, ?)"""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Event).decode


def append(conn: sqlite3.Connection, events: Sequence[Event]) -> int:
    """Append within a write's transaction; returns the last offset of the log, appended or not."""
    if len(events) == 1:
        event = events[0]
        return conn.execute(_APPEND, (event.at_ms, encode(event))).lastrowid or 0
    (last,) = conn.execute(_LAST).fetchone()
    if events:
        rows = [(offset, event.at_ms, encode(event)) for offset, event in enumerate(events, last + 1)]
        conn.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
    return int(last + len(events))


class SqliteEventLog:
    """`ports.EventLog` over the table."""

    def __init__(self, db: Database, turn: Callable[[], int] = lambda: 0) -> None:
        self.turn = turn
        self._db = db
        self._leases = FileLeases(db.folder)
        self._version = -1
        self._tail = 0
        self._waiting: list[asyncio.Future[None]] = []
        db.writer.appended.append(self._wake)

    def moved(self, after: int) -> bool:
        """`data_version` moves with every commit of any other connection, our own writer's among them: 1.7 µs to ask."""
        (version,) = self._db.row("PRAGMA data_version")
        if version != self._version:
            (self._tail,) = self._db.row(_LAST)
            self._version = version
        return self._tail > after

    async def append(self, events: Sequence[Event]) -> int:
        return await self._db.writer.run(lambda conn: append(conn, events))

    async def read(self, after: int, limit: int) -> list[LoggedEvent]:
        rows = self._db.rows("SELECT offset, payload FROM events WHERE offset > ? ORDER BY offset LIMIT ?", (after, limit))
        try:
            return [LoggedEvent(offset, decode(payload)) for offset, payload in rows]
        except msgspec.DecodeError as error:
            what = f"an event past {after} cannot be read: {error}"
            raise StoreCorrupt(what, meaning="it is damaged, or a newer build wrote it") from error

    async def tail(self) -> int:
        (tail,) = self._db.row(_LAST)
        return int(tail)

    async def caught_up(self) -> None:
        """What is durable can be read."""

    async def offset(self, name: str) -> int:
        return self._offset(name)

    async def wait(self, after: int, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self.moved(after):
            left = deadline - loop.time()
            if left <= 0:
                return False
            await self._commit_or(loop, min(left, POLL_S))
        return True

    async def lag(self, names: Sequence[str], now_ms: int) -> list[GroupLag]:
        return [await self._lag(group, now_ms) for group in names]

    async def trim(self, before_ms: int, names: Sequence[str]) -> int:
        places = [self._offset(group) for group in names]
        work = [self._first_work(group) for group in names]
        passed = min((*places, *(first - 1 for first in work if first)), default=await self.tail())
        trimmed = 0
        while True:
            count = await self._db.writer.run(partial(_trim, passed=passed, before_ms=before_ms), long=True)
            trimmed += count
            if count < TRIM_AT_ONCE:
                return trimmed

    def _offset(self, group: str) -> int:
        found = self._db.row("SELECT offset FROM consumer_groups WHERE name = ?", (group,))
        return int(found[0]) if found else 0

    def _first_work(self, group: str) -> int:
        """The event that caused the oldest piece of work that is not done; 0 for none."""
        (found,) = self._db.row("SELECT min(work_id) FROM work WHERE consumer_group = ?", (group,))
        return int(found or 0)

    async def _lag(self, group: str, now_ms: int) -> GroupLag:
        offset = self._offset(group)
        tail, trimmed, first_ms = self._db.row(
            "SELECT (SELECT max(offset) FROM events), (SELECT highest FROM events_trimmed),"
            " (SELECT at_ms FROM events WHERE offset > ? ORDER BY offset LIMIT 1)",
            (offset,),
        )
        tail = trimmed if tail is None else tail
        work, work_ms = self._db.row("SELECT count(*), min(created_ms) FROM work WHERE consumer_group = ?", (group,))
        (parked,) = self._db.row("SELECT count(*) FROM parked WHERE consumer_group = ?", (group,))
        oldest = min((at for at in (first_ms, work_ms) if at is not None), default=now_ms)
        return GroupLag(
            group=group,
            offset=offset,
            tail=tail,
            events=max(0, tail - max(offset, trimmed)),
            work=work,
            lag_ms=max(0, now_ms - oldest),
            parked=parked,
            owner=await self._leases.holder(group),
        )

    def _wake(self) -> None:
        self._version = -1
        for future in self._waiting:
            _finish(future)

    async def _commit_or(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        future: asyncio.Future[None] = loop.create_future()
        alarm = loop.call_later(seconds, _finish, future)
        self._waiting.append(future)
        try:
            await future
        finally:
            alarm.cancel()
            self._waiting.remove(future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _trim(conn: sqlite3.Connection, *, passed: int, before_ms: int) -> int:
    """Delete the oldest events, up to the first that is young or not passed, with their accounts of delivery; returns how many.

    Never from between younger ones: an event that was appended anew has an old date, and not everybody has read it."""
    rows = conn.execute(
        "SELECT offset, at_ms, payload FROM events WHERE offset <= ? ORDER BY offset LIMIT ?", (passed, TRIM_AT_ONCE)
    ).fetchall()
    old = [(offset, payload) for offset, _, payload in takewhile(lambda row: row[1] < before_ms, rows)]
    if not old:
        return 0
    last = old[-1][0]
    conn.execute("DELETE FROM events WHERE offset <= ?", (last,))
    conn.execute("UPDATE events_trimmed SET highest = max(highest, ?)", (last,))
    events = [decode(payload) for _, payload in old]
    conn.executemany(
        "DELETE FROM deliveries WHERE tweet = ?",
        [(event.tweet,) for event in events if event.kind is EventKind.TWEET_CREATED],
    )
    return len(old)
