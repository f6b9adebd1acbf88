"""Where consumers keep their place: offsets, continuations, accounts of deliveries, parked events.

One `Progress` is one transaction, so its order is kept trivially. Nothing here looks into a piece of work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from ...entries import Delivery, whole_account
from ...events import LoggedEvent, Parked, Progress, Work
from . import log
from .db import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS work (
    consumer_group TEXT NOT NULL, work_id INTEGER NOT NULL, created_ms INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (consumer_group, work_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    tweet INTEGER NOT NULL, batch INTEGER NOT NULL, attempted INTEGER NOT NULL, stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL, older_than_tail INTEGER NOT NULL, skipped INTEGER NOT NULL, filtered INTEGER NOT NULL,
    pulled INTEGER NOT NULL, last INTEGER NOT NULL, lag_ms INTEGER NOT NULL,
    PRIMARY KEY (tweet, batch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (
    parked_id INTEGER PRIMARY KEY AUTOINCREMENT, consumer_group TEXT NOT NULL, offset INTEGER NOT NULL,
    payload BLOB NOT NULL, error TEXT NOT NULL, parked_ms INTEGER NOT NULL,
    UNIQUE (consumer_group, offset)
);
"""

_PARKED = "SELECT parked_id, consumer_group, offset, payload, error, parked_ms FROM parked"

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Work).decode


class SqliteWorkLog:
    """`ports.WorkLog` over four tables (the groups' offsets lie in `log.py`'s)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, group: str, fence: int) -> None:
        """Nothing: the kernel takes no lease away from a process that lives."""

    async def advance(self, progress: Sequence[Progress]) -> None:
        await self._db.writer.run(lambda conn: _advance(conn, progress))

    async def pending(self, group: str) -> list[Work]:
        rows = self._db.rows("SELECT payload FROM work WHERE consumer_group = ? ORDER BY work_id", (group,))
        return [decode(payload) for (payload,) in rows]

    async def deliveries(self, tweets: Sequence[int]) -> list[list[Delivery]]:
        sql = "SELECT * FROM deliveries WHERE tweet = ? ORDER BY batch"
        return [whole_account([_delivery(row) for row in self._db.rows(sql, (tweet,))]) for tweet in tweets]

    async def park(self, group: str, logged: LoggedEvent, error: str, at_ms: int) -> None:
        row = (group, logged.offset, log.encode(logged.event), error, at_ms)
        sql = "INSERT OR IGNORE INTO parked (consumer_group, offset, payload, error, parked_ms) VALUES (?, ?, ?, ?, ?)"
        await self._db.writer.run(lambda conn: conn.execute(sql, row).close())

    async def parked(self, group: str | None, after: int, limit: int) -> list[Parked]:
        where = "parked_id > ? AND consumer_group = coalesce(?, consumer_group)"
        return [
            _parked(row)
            for row in self._db.rows(f"{_PARKED} WHERE {where} ORDER BY parked_id LIMIT ?", (after, group, limit))
        ]

    async def unpark(self, parked_ids: Sequence[int]) -> list[Parked]:
        return await self._db.writer.run(lambda conn: _unpark(conn, parked_ids))


def _advance(conn: sqlite3.Connection, progress: Sequence[Progress]) -> None:
    for step in progress:
        if step.deliveries:
            rows = [msgspec.structs.astuple(delivery) for delivery in step.deliveries]
            conn.executemany("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        if step.put:
            put = [(step.group, work.work_id, work.created_ms, encode(work)) for work in step.put]
            conn.executemany("INSERT OR REPLACE INTO work VALUES (?, ?, ?, ?)", put)
        if step.done:
            done = [(step.group, work_id) for work_id in step.done]
            conn.executemany("DELETE FROM work WHERE consumer_group = ? AND work_id = ?", done)
        conn.execute(
            "INSERT INTO consumer_groups VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = max(offset, excluded.offset)",
            (step.group, step.offset),
        )


def _unpark(conn: sqlite3.Connection, parked_ids: Sequence[int]) -> list[Parked]:
    taken = []
    for parked_id in parked_ids:
        row = conn.execute(f"{_PARKED} WHERE parked_id = ?", (parked_id,)).fetchone()
        if row is not None:
            conn.execute("DELETE FROM parked WHERE parked_id = ?", (parked_id,))
            taken.append(_parked(row))
    return taken


def _delivery(row: tuple[int, ...]) -> Delivery:
    tweet, batch, attempted, stored, duplicate, older_than_tail, skipped, filtered, pulled, last, lag_ms = row
    return Delivery(
        tweet=tweet,
        batch=batch,
        attempted=attempted,
        stored=stored,
        duplicate=duplicate,
        older_than_tail=older_than_tail,
        skipped=skipped,
        filtered=filtered,
        pulled=pulled,
        last=bool(last),
        lag_ms=lag_ms,
    )


def _parked(row: tuple[int, str, int, bytes, str, int]) -> Parked:
    parked_id, group, offset, payload, error, parked_ms = row
    return Parked(parked_id, group, LoggedEvent(offset, log.decode(payload)), error, parked_ms)
