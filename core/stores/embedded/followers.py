"""Follower lists, packed: each followee's followers in slots of int64 chunks, in order of arrival.

A slot, once given, is never another follower's and never moves, so a slot is a cursor that outlives every change. Leaving
clears the slot in place (8 bytes, whatever the size of the list); a chunk of cleared slots only goes away, except the
last, which remembers how far the slots got. A chunk is made small and grows up to `follower_chunk` ids before the
next begins. Written only inside a writer's transaction; it knows nothing of why somebody follows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...model import Edge
from .db import Database, listed

if TYPE_CHECKING:
    from ...entries import Ids

SCHEMA = """
CREATE TABLE IF NOT EXISTS follower_chunks (
    followee INTEGER NOT NULL, last_slot INTEGER NOT NULL, first_slot INTEGER NOT NULL, used INTEGER NOT NULL,
    cleared INTEGER NOT NULL, chunk INTEGER NOT NULL,
    PRIMARY KEY (followee, last_slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS follower_ids (chunk INTEGER PRIMARY KEY, ids BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS follower_slots (
    followee INTEGER NOT NULL, follower INTEGER NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (followee, follower)
) WITHOUT ROWID;
"""

FIRST_CHUNK = 16  # most people have few followers; from here chunks grow fourfold
ID = np.dtype("<i8")
CLEARED = bytes(ID.itemsize)

_CHUNK = "SELECT first_slot, last_slot, used, cleared, ids FROM follower_chunks JOIN follower_ids USING (chunk) WHERE followee = ?"
_LAST = """SELECT chunk, first_slot, last_slot, used, (SELECT followers FROM user_counts WHERE user_id = ?)
FROM follower_chunks WHERE followee = ? ORDER BY last_slot DESC LIMIT 1"""
_LASTS = """SELECT followee, chunk, first_slot, last_slot, used, (SELECT followers FROM user_counts WHERE user_id = followee)
FROM json_each(?) CROSS JOIN follower_chunks ON followee = value
WHERE last_slot = (SELECT max(last_slot) FROM follower_chunks WHERE followee = value)"""
_UPWARDS = f"{_CHUNK} AND last_slot > ? ORDER BY last_slot LIMIT 1"
_DOWNWARDS = f"{_CHUNK} AND first_slot < ? ORDER BY last_slot DESC LIMIT 1"


def walk(db: Database, followee: int, after: int, limit: int) -> tuple[Ids, int]:
    """At most `limit` ids in slots > `after`, and the slot of the last; 0 where nobody comes after him."""
    parts: list[Ids] = []
    reached = after
    while (row := db.row(_UPWARDS, (followee, after))) is not None:
        first_slot, last_slot, used, cleared, blob = row
        start = max(0, after + 1 - first_slot)
        ids = np.frombuffer(blob, ID, used)[start:]
        at = np.flatnonzero(ids) if cleared else None
        taken = ids[:limit] if at is None else ids[at[:limit]]
        if taken.size:
            parts.append(taken)
            reached = first_slot + start + (taken.size - 1 if at is None else int(at[taken.size - 1]))
        if (ids if at is None else at).size > limit:
            return _joined(parts), reached
        if used <= last_slot - first_slot:
            break  # a chunk is full before another follows
        limit -= taken.size
        after = last_slot
    return _joined(parts), 0


def newest(db: Database, followee: int, before: int, limit: int) -> list[Edge]:
    """At most `limit` followers in slots < `before`, the latest first."""
    edges: list[Edge] = []
    while len(edges) < limit and (row := db.row(_DOWNWARDS, (followee, before))) is not None:
        first_slot, _, used, _, blob = row
        ids = np.frombuffer(blob, ID, used)[: before - first_slot]
        at = np.flatnonzero(ids)[::-1][: limit - len(edges)]
        edges += map(Edge, ids[at].tolist(), (at + first_slot).tolist())
        before = first_slot
    return edges


class Last(msgspec.Struct):
    """The last chunk of a list, and how many follow; `chunk` is 0 where there is none yet."""

    chunk: int = 0
    first_slot: int = 1
    last_slot: int = 0
    used: int = 0
    followers: int = 0

    @property
    def next_slot(self) -> int:
        return self.first_slot + self.used

    @property
    def capacity(self) -> int:
        return self.last_slot - self.first_slot + 1


def last_of(conn: sqlite3.Connection, followee: int) -> Last:
    row = conn.execute(_LAST, (followee, followee)).fetchone()
    return Last(*row) if row else Last()


def lasts_of(conn: sqlite3.Connection, followees: Iterable[int]) -> dict[int, Last]:
    """`last_of` of those who have a list."""
    return {followee: Last(*row) for followee, *row in conn.execute(_LASTS, (listed(sorted(followees)),))}


def slot_of(conn: sqlite3.Connection, followee: int, follower: int) -> int:
    """Where he is in the list; 0 if he is not."""
    sql = "SELECT slot FROM follower_slots WHERE followee = ? AND follower = ?"
    row = conn.execute(sql, (followee, follower)).fetchone()
    return int(row[0]) if row else 0


def add(conn: sqlite3.Connection, followee: int, last: Last, followers: Sequence[int], chunk_max: int) -> None:
    """Put `followers`, none of whom is in the list, into the slots from `last.next_slot` on. Their rows in
    `follower_slots` are the caller's."""
    ids = np.array(followers, ID)
    while ids.size:
        if last.used == last.capacity and (last.chunk == 0 or last.capacity >= chunk_max):
            last = _begin(conn, followee, last, ids, _fitting(ids.size, chunk_max))
            ids = ids[last.used :]
            continue
        if last.used + ids.size > last.capacity and last.capacity < chunk_max:
            _grow(conn, followee, last, _fitting(last.used + ids.size, chunk_max))
        placed = ids[: last.capacity - last.used]
        with conn.blobopen("follower_ids", "ids", last.chunk) as blob:
            blob.seek(last.used * ID.itemsize)
            blob.write(placed.tobytes())
        last.used += placed.size
        sql = "UPDATE follower_chunks SET used = ? WHERE followee = ? AND last_slot = ?"
        conn.execute(sql, (last.used, followee, last.last_slot))
        ids = ids[placed.size :]


def begin(conn: sqlite3.Connection, lists: Mapping[int, Sequence[int]], chunk_max: int) -> None:
    """`add` to many lists of which there is nothing yet: as few statements for all as for one."""
    (chunk,) = conn.execute("SELECT coalesce(max(chunk), 0) FROM follower_ids").fetchone()
    chunks: list[tuple[int, int, int, int]] = []
    blobs: list[tuple[int, bytes]] = []
    for followee, followers in lists.items():
        if len(followers) > chunk_max:
            continue
        chunk += 1
        capacity = _fitting(len(followers), chunk_max)
        chunks.append((followee, capacity, len(followers), chunk))
        blobs.append((chunk, np.array(followers, ID).tobytes().ljust(capacity * ID.itemsize, b"\0")))
    conn.executemany("INSERT INTO follower_ids VALUES (?, ?)", blobs)
    conn.executemany("INSERT INTO follower_chunks VALUES (?, ?, 1, ?, 0, ?)", chunks)
    for followee, followers in lists.items():
        if len(followers) > chunk_max:
            add(conn, followee, Last(), followers, chunk_max)


def remove(conn: sqlite3.Connection, followee: int, gone: Iterable[tuple[int, int]]) -> None:
    """Clear (follower, slot)s that are in the list."""
    for follower, slot in gone:
        conn.execute("DELETE FROM follower_slots WHERE followee = ? AND follower = ?", (followee, follower))
        chunk, first_slot, last_slot = conn.execute(
            "SELECT chunk, first_slot, last_slot FROM follower_chunks WHERE followee = ? AND last_slot >= ? ORDER BY last_slot LIMIT 1",
            (followee, slot),
        ).fetchone()
        with conn.blobopen("follower_ids", "ids", chunk) as blob:
            blob.seek((slot - first_slot) * ID.itemsize)
            blob.write(CLEARED)
        conn.execute(
            "UPDATE follower_chunks SET cleared = cleared + 1 WHERE followee = ? AND last_slot = ?", (followee, last_slot)
        )
        _drop_if_cleared(conn, followee, last_slot)


def _begin(conn: sqlite3.Connection, followee: int, full: Last, ids: Ids, capacity: int) -> Last:
    """A new chunk behind the full one, with as many of `ids` as it holds."""
    blob = ids[:capacity].tobytes().ljust(capacity * ID.itemsize, b"\0")
    chunk = conn.execute("INSERT INTO follower_ids (ids) VALUES (?)", (blob,)).lastrowid or 0
    first_slot = full.last_slot + 1
    last = Last(chunk, first_slot, first_slot + capacity - 1, min(capacity, ids.size), full.followers)
    row = (followee, last.last_slot, first_slot, last.used, chunk)
    conn.execute("INSERT INTO follower_chunks VALUES (?, ?, ?, ?, 0, ?)", row)
    if full.chunk:
        _drop_if_cleared(conn, followee, full.last_slot)
    return last


def _grow(conn: sqlite3.Connection, followee: int, last: Last, capacity: int) -> None:
    (ids,) = conn.execute("SELECT ids FROM follower_ids WHERE chunk = ?", (last.chunk,)).fetchone()
    conn.execute("UPDATE follower_ids SET ids = ? WHERE chunk = ?", (ids.ljust(capacity * ID.itemsize, b"\0"), last.chunk))
    last_slot = last.first_slot + capacity - 1
    conn.execute(
        "UPDATE follower_chunks SET last_slot = ? WHERE followee = ? AND last_slot = ?",
        (last_slot, followee, last.last_slot),
    )
    last.last_slot = last_slot


def _drop_if_cleared(conn: sqlite3.Connection, followee: int, last_slot: int) -> None:
    """Nobody is in this chunk and another follows it: it goes."""
    row = conn.execute(
        "DELETE FROM follower_chunks WHERE followee = ?1 AND last_slot = ?2 AND cleared = used"
        " AND EXISTS (SELECT 1 FROM follower_chunks WHERE followee = ?1 AND last_slot > ?2) RETURNING chunk",
        (followee, last_slot),
    ).fetchone()
    if row is not None:
        conn.execute("DELETE FROM follower_ids WHERE chunk = ?", row)


def _fitting(ids: int, chunk_max: int) -> int:
    size = FIRST_CHUNK
    while size < ids:
        size *= 4
    return min(size, chunk_max)


def _joined(parts: list[Ids]) -> Ids:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, ID)
