"""The row of counts of each account: followers, following, and the counters that give slots and sequences.

Whoever changes a list of an account locks its row first, always in order of (shard, id), so that two writers of one list
come one after the other and never stand crosswise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from .server import Session
from .shards import keyed, shard_of

_LOCK = """SELECT user_id, followers, following, last_slot, last_follow, last_relation FROM user_counts
FORCE INDEX (PRIMARY) WHERE (shard, user_id) IN %s ORDER BY shard, user_id FOR UPDATE"""
_MAKE = "INSERT INTO user_counts (shard, user_id) VALUES (%s, %s) ON DUPLICATE KEY UPDATE user_id = user_counts.user_id"
_STORE = """INSERT INTO user_counts (shard, user_id, followers, following, last_slot, last_follow, last_relation)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE followers = VALUES(followers), following = VALUES(following),
last_slot = VALUES(last_slot), last_follow = VALUES(last_follow), last_relation = VALUES(last_relation)"""


class Counted(msgspec.Struct):
    """One account's row, while it is locked."""

    user_id: int
    followers: int = 0
    following: int = 0
    last_slot: int = 0
    last_follow: int = 0
    last_relation: int = 0


def lock(session: Session, user_ids: Collection[int]) -> dict[int, Counted]:
    """The rows of all of them, locked until the transaction ends; made where they are missing."""
    keys = keyed(user_ids)
    found = {row[0]: Counted(*row) for row in session.among(_LOCK, keys)}
    missing = [key for key in keys if key[1] not in found]
    if missing:
        session.many(_MAKE, missing)
        found |= {row[0]: Counted(*row) for row in session.among(_LOCK, missing)}
    return found


def store(session: Session, changed: Iterable[Counted]) -> None:
    """Write locked rows back."""
    rows = [(shard_of(one.user_id), *msgspec.structs.astuple(one)) for one in changed]
    session.many(_STORE, sorted(rows))
