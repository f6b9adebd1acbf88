"""Carrying edges to follower lists: each list is made to say what `following` says, as often as one asks.

A call's changes to one list are written together, so that a bulk import appends packed. It reads and writes inside one
transaction and never decides whether an edge should stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from ...model import Carried
from . import followers
from .accounts import count
from .db import listed
from .followers import Last

BULK = 32  # from so many pairs a call on, it is worth a try to add them unseen

_STANDS = "SELECT 1 FROM following WHERE follower = ? AND followee = ?"
_ADD = "INSERT INTO follower_slots VALUES (?, ?, ?)"
_ADD_UNSEEN = "INSERT OR IGNORE INTO follower_slots VALUES (?, ?, ?)"
ID_BITS = 31  # two ids in one number that SQLite knows
_STANDING = f"""SELECT count(*) FROM json_each(?) AS pair CROSS JOIN following
ON follower = pair.value >> {ID_BITS} AND followee = pair.value & {(1 << ID_BITS) - 1}"""  # noqa: S608 - numbers of ours


def carry(conn: sqlite3.Connection, pairs: Sequence[tuple[int, int]], chunk_max: int) -> list[Carried]:
    """See `ports.SocialGraph.carry`. Chunks hold at most `chunk_max` ids."""
    fresh = _carry_fresh(conn, pairs, chunk_max) if len(pairs) >= BULK else None
    return fresh or _carry_each(conn, pairs, chunk_max)


class _Changes(msgspec.Struct):
    """What one call does to one list: followers to add, in order, and (follower, slot)s to clear."""

    last: Last
    added: list[int] = msgspec.field(default_factory=list)
    removed: list[tuple[int, int]] = msgspec.field(default_factory=list)
    seen: set[int] = msgspec.field(default_factory=set)

    def carried(self, *, added: bool = False, removed: bool = False) -> Carried:
        return Carried(self.last.followers + len(self.added) - len(self.removed), added, removed)


def _carry_each(conn: sqlite3.Connection, pairs: Sequence[tuple[int, int]], chunk_max: int) -> list[Carried]:
    lists: dict[int, _Changes] = {}
    carried: list[Carried] = []
    for follower, followee in pairs:
        changes = lists.get(followee)
        if changes is None:
            changes = lists[followee] = _Changes(followers.last_of(conn, followee))
        if follower in changes.seen:
            carried.append(changes.carried())
            continue
        changes.seen.add(follower)
        stands = conn.execute(_STANDS, (follower, followee)).fetchone() is not None
        slot = followers.slot_of(conn, followee, follower)
        if stands and not slot:
            conn.execute(_ADD, (followee, follower, changes.last.next_slot + len(changes.added)))
            changes.added.append(follower)
        elif slot and not stands:
            changes.removed.append((follower, slot))
        carried.append(changes.carried(added=stands and not slot, removed=bool(slot) and not stands))
    for followee, changes in lists.items():
        followers.add(conn, followee, changes.last, changes.added, chunk_max)
        followers.remove(conn, followee, changes.removed)
    count(conn, [(followee, len(changes.added) - len(changes.removed), 0, 0) for followee, changes in lists.items()])
    return carried


def _carry_fresh(conn: sqlite3.Connection, pairs: Sequence[tuple[int, int]], chunk_max: int) -> list[Carried] | None:
    """Add all if every edge stands and none was carried before; otherwise nothing, and `None`."""
    lasts = followers.lasts_of(conn, {followee for _, followee in pairs})
    lists: dict[int, tuple[Last, list[int]]] = {}
    rows: list[tuple[int, int, int]] = []
    carried: list[Carried] = []
    for follower, followee in pairs:
        changes = lists.get(followee)
        if changes is None:
            changes = lists[followee] = (lasts.get(followee) or Last(), [])
        last, added = changes
        rows.append((followee, follower, last.next_slot + len(added)))
        added.append(follower)
        carried.append(Carried(last.followers + len(added), added=True, removed=False))
    rows.sort()
    conn.execute("SAVEPOINT fresh")
    before = conn.total_changes
    conn.executemany(_ADD_UNSEEN, rows)
    if conn.total_changes - before != len(rows) or not _all_stand(conn, pairs):
        conn.execute("ROLLBACK TO fresh")
        conn.execute("RELEASE fresh")
        return None
    conn.execute("RELEASE fresh")
    followers.begin(conn, {followee: added for followee, (last, added) in lists.items() if not last.chunk}, chunk_max)
    for followee, (last, added) in lists.items():
        if last.chunk:
            followers.add(conn, followee, last, added, chunk_max)
    count(conn, [(followee, len(added), 0, 0) for followee, (_, added) in lists.items()])
    return carried


def _all_stand(conn: sqlite3.Connection, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether every edge stands, asked in one statement and in order of follower; of ids too large for that it is not said."""
    if max(map(max, pairs)) >> ID_BITS:
        return False
    (standing,) = conn.execute(_STANDING, (listed(sorted(follower << ID_BITS | followee for follower, followee in pairs)),)).fetchone()
    return bool(standing == len(pairs))
