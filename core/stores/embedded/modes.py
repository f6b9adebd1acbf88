"""How each author's tweets travel: push, pull, or both while leaving pull. Decides nothing: fan-out does."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ...entries import AuthorMode, FanoutMode
from ...events import Event
from .db import Database
from .log import append

SCHEMA = """
CREATE TABLE IF NOT EXISTS fanout_modes (author INTEGER PRIMARY KEY, mode INTEGER NOT NULL, since_id INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS fanout_modes_pulled ON fanout_modes (author) WHERE mode <> 0;
"""

PUSH = AuthorMode()


class SqliteFanoutModes:
    """`ports.FanoutModes`: one row for each author who ever left push."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, authors: Sequence[int]) -> list[AuthorMode]:
        rows = self._db.each("SELECT mode, since_id FROM fanout_modes WHERE author = ?", ((author,) for author in authors))
        return [AuthorMode(FanoutMode(row[0]), row[1]) if row else PUSH for row in rows]

    async def put(self, author: int, mode: AuthorMode, events: Sequence[Event]) -> None:
        await self._db.writer.run(lambda conn: _put(conn, author, mode, events))

    async def pulled(self) -> dict[int, AuthorMode]:
        rows = self._db.rows("SELECT author, mode, since_id FROM fanout_modes WHERE mode <> 0 ORDER BY author")
        return {author: AuthorMode(FanoutMode(mode), since_id) for author, mode, since_id in rows}


def _put(conn: sqlite3.Connection, author: int, mode: AuthorMode, events: Sequence[Event]) -> None:
    stood = conn.execute("SELECT mode, since_id FROM fanout_modes WHERE author = ?", (author,)).fetchone() or (0, 0)
    if stood == (mode.mode, mode.since_id):
        return
    conn.execute("INSERT OR REPLACE INTO fanout_modes VALUES (?, ?, ?)", (author, mode.mode, mode.since_id))
    append(conn, events)
