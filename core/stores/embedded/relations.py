"""Blocks, mutes and open requests to follow. Follow edges are `graph.py`'s; cutting them on a block is the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from ...events import Event
from ...model import Blocks, Edge, FollowRequest, Relation
from .db import Database
from .log import append

SCHEMA = """
CREATE TABLE IF NOT EXISTS relations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, actor INTEGER NOT NULL, target INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (actor, kind, target)
);
CREATE INDEX IF NOT EXISTS relations_page ON relations (actor, kind);
CREATE INDEX IF NOT EXISTS relations_by ON relations (target, actor) WHERE kind = 0;
CREATE TABLE IF NOT EXISTS follow_requests (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT, requester INTEGER NOT NULL, target INTEGER NOT NULL,
    retweets INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    UNIQUE (requester, target)
);
CREATE INDEX IF NOT EXISTS follow_requests_page ON follow_requests (target);
"""

KIND = {Relation.BLOCK: 0, Relation.MUTE: 1}
NOBODY = Blocks()
END = 1 << 62

_REQUEST = "SELECT request_id, requester, target, retweets, created_ms FROM follow_requests"


class SqliteRelations:
    """`ports.Relations` over two tables."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def relate(self, kind: Relation, actor: int, target: int, events: Sequence[Event], at_ms: int) -> bool:
        return await self._db.writer.run(lambda conn: _relate(conn, (KIND[kind], actor, target, at_ms), events))

    async def unrelate(self, kind: Relation, actor: int, target: int, events: Sequence[Event]) -> bool:
        return await self._db.writer.run(lambda conn: _unrelate(conn, kind, actor, target, events))

    async def blocks(self, users: Sequence[int]) -> list[Blocks]:
        return [self._blocks(user) for user in users]

    async def related_page(self, kind: Relation, actor: int, before: int, limit: int) -> list[Edge]:
        rows = self._db.rows(
            "SELECT target, sequence FROM relations WHERE actor = ? AND kind = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
            (actor, KIND[kind], before or END, limit),
        )
        return [Edge(target, sequence) for target, sequence in rows]

    async def request_follow(
        self, requester: int, target: int, *, retweets: bool, at_ms: int, events: Sequence[Event]
    ) -> int:
        return await self._db.writer.run(lambda conn: _request(conn, (requester, target, int(retweets), at_ms), events))

    async def requests_page(self, target: int, before: int, limit: int) -> list[FollowRequest]:
        page = "WHERE target = ? AND request_id < ? ORDER BY request_id DESC LIMIT ?"
        return [_follow_request(row) for row in self._db.rows(f"{_REQUEST} {page}", (target, before or END, limit))]

    async def request(self, request_id: int) -> FollowRequest | None:
        return _follow_request_or_none(self._db.row(f"{_REQUEST} WHERE request_id = ?", (request_id,)))

    async def close_requests(self, request_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._db.writer.run(lambda conn: _close(conn, request_ids, events))

    async def request_between(self, requester: int, target: int) -> FollowRequest | None:
        return _follow_request_or_none(self._db.row(f"{_REQUEST} WHERE requester = ? AND target = ?", (requester, target)))

    def _blocks(self, user: int) -> Blocks:
        rows = self._db.rows(
            "SELECT kind, target FROM relations WHERE actor = ?1 UNION ALL SELECT 2, actor FROM relations WHERE target = ?1 AND kind = 0",
            (user,),
        )
        if not rows:
            return NOBODY
        blocked, muted, blocked_by = (frozenset(who for what, who in rows if what == which) for which in range(3))
        return Blocks(blocked=blocked, blocked_by=blocked_by, muted=muted)


def _relate(conn: sqlite3.Connection, row: tuple[int, int, int, int], events: Sequence[Event]) -> bool:
    made = conn.execute("INSERT OR IGNORE INTO relations (kind, actor, target, at_ms) VALUES (?, ?, ?, ?)", row).rowcount
    kind, actor, target, _ = row
    if kind == KIND[Relation.BLOCK]:
        pairs = ((actor, target), (target, actor))
        conn.executemany("DELETE FROM follow_requests WHERE requester = ? AND target = ?", pairs)
    if made:
        append(conn, events)
    return bool(made)


def _unrelate(conn: sqlite3.Connection, kind: Relation, actor: int, target: int, events: Sequence[Event]) -> bool:
    gone = conn.execute(
        "DELETE FROM relations WHERE actor = ? AND kind = ? AND target = ?", (actor, KIND[kind], target)
    ).rowcount
    if gone:
        append(conn, events)
    return bool(gone)


def _request(conn: sqlite3.Connection, row: tuple[int, int, int, int], events: Sequence[Event]) -> int:
    sql = "INSERT OR IGNORE INTO follow_requests (requester, target, retweets, created_ms) VALUES (?, ?, ?, ?)"
    if conn.execute(sql, row).rowcount:
        append(conn, events)
    sql = "SELECT request_id FROM follow_requests WHERE requester = ? AND target = ?"
    (request_id,) = conn.execute(sql, row[:2]).fetchone()
    return int(request_id)


def _close(conn: sqlite3.Connection, request_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
    closed = []
    for request_id, of_request in zip(request_ids, events, strict=True):
        gone = conn.execute("DELETE FROM follow_requests WHERE request_id = ?", (request_id,)).rowcount
        if gone:
            append(conn, of_request)
        closed.append(bool(gone))
    return closed


def _follow_request(row: tuple[int, int, int, int, int]) -> FollowRequest:
    request_id, requester, target, retweets, created_ms = row
    return FollowRequest(request_id, requester, target, bool(retweets), created_ms)


def _follow_request_or_none(row: Any) -> FollowRequest | None:
    return None if row is None else _follow_request(row)
