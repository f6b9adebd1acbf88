"""Log-ins by the hash of their bearer token. It never sees a token itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ...events import Event
from ...model import Session
from .db import Database
from .log import append

SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
    token_hash BLOB PRIMARY KEY, user_id INTEGER NOT NULL, created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_of_user ON tokens (user_id);
"""


class SqliteTokens:
    """`ports.Tokens` over one table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, session: Session) -> None:
        row = (session.token_hash, session.user_id, session.created_ms)
        await self._db.writer.run(lambda conn: conn.execute("INSERT OR IGNORE INTO tokens VALUES (?, ?, ?)", row).rowcount)

    async def get(self, token_hash: bytes) -> Session | None:
        row = self._db.row("SELECT token_hash, user_id, created_ms FROM tokens WHERE token_hash = ?", (token_hash,))
        return Session(*row) if row else None

    async def revoke(self, token_hash: bytes, events: Sequence[Event]) -> bool:
        sql = "DELETE FROM tokens WHERE token_hash = ?"
        return await self._db.writer.run(lambda conn: _revoke(conn, sql, token_hash, events)) > 0

    async def revoke_all(self, user_id: int, events: Sequence[Event]) -> int:
        sql = "DELETE FROM tokens WHERE user_id = ?"
        return await self._db.writer.run(lambda conn: _revoke(conn, sql, user_id, events))


def _revoke(conn: sqlite3.Connection, sql: str, which: bytes | int, events: Sequence[Event]) -> int:
    revoked = conn.execute(sql, (which,)).rowcount
    if revoked:
        append(conn, events)
    return revoked
