"""Carrying edges to follower lists: each list is made to say what `following` says, as often as one asks.

The followee's row is locked before the truth is asked for, which may lie on another server: of two carries of one list the
later one has the later truth. So a list is right after its last carry, whoever carried and in whatever order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from ....model import Carried
from . import counted
from .counted import Counted
from .server import Server, Session
from .shards import Shards, shard_of

_STANDING = "SELECT follower, followee FROM following WHERE (shard, follower, followee) IN %s"
_LISTED = "SELECT followee, follower, slot FROM followers WHERE (shard, followee, follower) IN %s"
_ADD = "INSERT INTO followers (shard, followee, slot, follower) VALUES (%s, %s, %s, %s)"
_REMOVE = "DELETE FROM followers WHERE (shard, followee, slot) IN %s"


class _Changes(msgspec.Struct):
    """What one call does to one list."""

    row: Counted
    seen: set[int] = msgspec.field(default_factory=set)
    moved: bool = False


def carry(shards: Shards, session: Session, pairs: Sequence[tuple[int, int]]) -> list[Carried]:
    """See `ports.SocialGraph.carry`; the followees are all of this session's server."""
    lists = {user_id: _Changes(row) for user_id, row in counted.lock(session, {followee for _, followee in pairs}).items()}
    standing = _standing(shards, session, pairs)
    keys = sorted({(shard_of(followee), followee, follower) for follower, followee in pairs})
    slots = {(follower, followee): slot for followee, follower, slot in session.among(_LISTED, keys)}
    added: list[tuple[int, int, int, int]] = []
    removed: list[tuple[int, int, int]] = []
    carried = []
    for follower, followee in pairs:
        changes = lists[followee]
        row, slot, stands = changes.row, slots.get((follower, followee), 0), (follower, followee) in standing
        if follower in changes.seen or bool(slot) == stands:
            changes.seen.add(follower)
            carried.append(Carried(row.followers, added=False, removed=False))
            continue
        changes.seen.add(follower)
        changes.moved = True
        if stands:
            row.last_slot += 1
            row.followers += 1
            added.append((shard_of(followee), followee, row.last_slot, follower))
        else:
            row.followers -= 1
            removed.append((shard_of(followee), followee, slot))
        carried.append(Carried(row.followers, added=stands, removed=not stands))
    session.each(_REMOVE, sorted(removed))
    session.many(_ADD, sorted(added))
    counted.store(session, [changes.row for changes in lists.values() if changes.moved])
    return carried


def _standing(shards: Shards, session: Session, pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs that `following` says stand, asked server by server on this thread: rows are locked meanwhile."""
    here = shards.server(shard_of(pairs[0][1]))
    by_server: dict[Server, set[tuple[int, int, int]]] = {}
    for follower, followee in pairs:
        by_server.setdefault(shards.server(shard_of(follower)), set()).add((shard_of(follower), follower, followee))
    standing: set[tuple[int, int]] = set()
    for server, keys in by_server.items():
        wanted = sorted(keys)
        if server is here:
            standing.update(session.among(_STANDING, wanted))
        else:
            standing.update(server.read_beside(partial(Session.among, sql=_STANDING, keys=wanted)))
    return standing
