"""Who follows whom: `following` in the follower's shard is the truth, `followers` in the followee's is carried there
(`carry.py`).

Edges, counts and events are one transaction a server. Sequences rise within a follower, slots within a followee. It makes no
decisions about private accounts, blocks or modes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ....events import Event, EventKind
from ....model import Carried, Edge, Following, FollowOutcome, FollowStatus, NewFollow
from . import counted
from .carry import carry
from .server import THREADS, Session
from .shards import Shards, keyed, shard_of

if TYPE_CHECKING:
    from ....entries import Ids

WITHOUT_RETWEETS, UNMERGED = 1, 2
END = 1 << 62
NOBODY = Following()

_EDGES = "SELECT follower, followee, sequence, flags, created_ms FROM following WHERE (shard, follower, followee) IN %s"
_STORE = """INSERT INTO following (shard, follower, sequence, followee, flags, created_ms) VALUES (%s, %s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE flags = VALUES(flags)"""
_REMOVE = "DELETE FROM following WHERE (shard, follower, sequence) IN %s"
# As text in one column a list comes over some ten times as fast as row by row.
_WHOLE = """SELECT follower, GROUP_CONCAT(followee ORDER BY sequence), MAX(flags) FROM following
WHERE (shard, follower) IN %s GROUP BY follower"""
_FLAGGED = "SELECT follower, sequence, followee, flags FROM following WHERE flags > 0 AND (shard, follower) IN %s"
_FOLLOWING_PAGE = """SELECT followee, sequence FROM following FORCE INDEX (PRIMARY)
WHERE shard = %s AND follower = %s AND sequence < %s ORDER BY sequence DESC LIMIT %s"""
_FOLLOWERS_PAGE = """SELECT follower, slot FROM followers FORCE INDEX (PRIMARY)
WHERE shard = %s AND followee = %s AND slot < %s ORDER BY slot DESC LIMIT %s"""
# One more than asked for is looked at, to see whether the walk ends; the cursor is the slot before that one.
_WALK = """SELECT GROUP_CONCAT(follower ORDER BY slot), COUNT(*),
SUBSTRING_INDEX(SUBSTRING_INDEX(GROUP_CONCAT(slot ORDER BY slot), ',', -2), ',', 1)
FROM (SELECT follower, slot FROM followers FORCE INDEX (PRIMARY) WHERE shard = %s AND followee = %s AND slot > %s
ORDER BY slot LIMIT %s) page"""
_FOLLOWERS = "SELECT user_id, followers FROM user_counts WHERE (shard, user_id) IN %s"
_LISTS = """SELECT followee, GROUP_CONCAT(follower ORDER BY slot) FROM followers FORCE INDEX (PRIMARY)
WHERE (shard, followee) IN %s GROUP BY followee"""
_MERGED = "UPDATE following FORCE INDEX (PRIMARY) SET flags = flags & 1 WHERE (shard, follower, sequence, followee) IN %s"


class MysqlGraph:
    """`ports.SocialGraph`."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._carrying = asyncio.Semaphore(THREADS // 2)  # a carry waits for other servers: it may not take every thread

    async def follow(self, follows: Sequence[NewFollow], following_max: int) -> list[FollowOutcome]:
        return await self._shards.write_each(
            follows, lambda follow: shard_of(follow.follower), partial(_follow, following_max=following_max),
            turn={follow.follower for follow in follows},
        )

    async def unfollow(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._shards.write_each(
            list(zip(pairs, events, strict=True)), lambda one: shard_of(one[0][0]), _unfollow,
            turn={follower for follower, _ in pairs},
        )

    async def following(self, users: Sequence[int]) -> list[Following]:
        return await self._shards.read_each(users, shard_of, _whole)

    async def is_following(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        def work(session: Session, own: Sequence[tuple[int, int]]) -> list[bool]:
            standing = {row[:2] for row in session.among(_EDGES, _edge_keys(own))}
            return [pair in standing for pair in own]

        plain = [(int(one), int(other)) for one, other in pairs]
        return await self._shards.read_each(plain, lambda pair: shard_of(pair[0]), work)

    async def following_page(self, user: int, before: int, limit: int) -> list[Edge]:
        return await self._page(_FOLLOWING_PAGE, user, before, limit)

    async def followers_page(self, user: int, before: int, limit: int) -> list[Edge]:
        return await self._page(_FOLLOWERS_PAGE, user, before, limit)

    async def followers(self, user: int, after: int, limit: int) -> tuple[Ids, int]:
        shard = shard_of(user)
        row = await self._shards.read(shard, lambda session: session.row(_WALK, (shard, user, after, limit + 1)))
        return _walked(row, limit)

    async def followers_first(self, users: Sequence[int], limit: int) -> list[tuple[Ids, int]]:
        return await self._shards.read_each(users, shard_of, partial(_first_pages, limit=limit))

    async def carry(self, pairs: Sequence[tuple[int, int]]) -> list[Carried]:
        async with self._carrying:
            return await self._shards.write_each(pairs, lambda pair: shard_of(pair[1]), partial(carry, self._shards))

    async def mark_merged(self, edges: Sequence[tuple[int, int, int]]) -> None:
        def work(session: Session, own: Sequence[tuple[int, int, int]]) -> list[None]:
            keys = ((shard_of(follower), follower, sequence, followee) for follower, followee, sequence in own)
            session.each(_MERGED, sorted(keys))
            return [None] * len(own)

        await self._shards.write_each(edges, lambda edge: shard_of(edge[0]), work)

    async def _page(self, sql: str, user: int, before: int, limit: int) -> list[Edge]:
        parameters = (shard_of(user), user, before or END, limit)
        return [Edge(*row) for row in await self._shards.read(shard_of(user), lambda session: session.rows(sql, parameters))]


class _Row(msgspec.Struct):
    """An edge as it stands, while its follower is locked."""

    sequence: int
    flags: int
    created_ms: int


def _follow(session: Session, follows: Sequence[NewFollow], following_max: int) -> list[FollowOutcome]:
    counts = counted.lock(session, {follow.follower for follow in follows})
    stood = session.among(_EDGES, _edge_keys([(follow.follower, follow.followee) for follow in follows]))
    edges = {(follower, followee): _Row(*row) for follower, followee, *row in stood}
    changed: dict[tuple[int, int], _Row] = {}
    fuller: set[int] = set()
    outcomes = []
    for index, follow in enumerate(follows):
        pair, of_follower = (follow.follower, follow.followee), counts[follow.follower]
        without = 0 if follow.retweets else WITHOUT_RETWEETS
        edge = edges.get(pair)
        if edge is None:
            if of_follower.following >= following_max:
                outcomes.append(FollowOutcome(FollowStatus.FULL, 0))
                continue
            of_follower.last_follow += 1
            of_follower.following += 1
            fuller.add(follow.follower)
            flags = without | (0 if follow.merged else UNMERGED)
            edge = edges[pair] = _Row(of_follower.last_follow, flags, follow.created_ms)
            status = FollowStatus.CREATED
        elif edge.flags & WITHOUT_RETWEETS == without:
            outcomes.append(FollowOutcome(FollowStatus.UNCHANGED, edge.sequence))
            continue
        else:
            edge.flags = edge.flags & ~WITHOUT_RETWEETS | without
            status = FollowStatus.CHANGED
        changed[pair] = edge
        session.tell(index, shard_of(follow.follower), _events(follow, edge.sequence))
        outcomes.append(FollowOutcome(status, edge.sequence))
    session.many(_STORE, sorted(
        (shard_of(follower), follower, edge.sequence, followee, edge.flags, edge.created_ms)
        for (follower, followee), edge in changed.items()
    ))
    counted.store(session, [counts[follower] for follower in fuller])
    return outcomes


def _unfollow(session: Session, own: Sequence[tuple[tuple[int, int], Sequence[Event]]]) -> list[bool]:
    counts = counted.lock(session, {follower for (follower, _), _ in own})
    found = session.among(_EDGES, _edge_keys([pair for pair, _ in own]))
    standing = {(follower, followee): sequence for follower, followee, sequence, *_ in found}
    gone: list[tuple[int, int, int]] = []
    stood = []
    for index, (pair, events) in enumerate(own):
        sequence = standing.pop((pair[0], pair[1]), 0)
        stood.append(bool(sequence))
        if sequence:
            gone.append((shard_of(pair[0]), pair[0], sequence))
            counts[pair[0]].following -= 1
            session.tell(index, shard_of(pair[0]), events)
    session.each(_REMOVE, sorted(gone))
    counted.store(session, [counts[follower] for follower in {follower for _, follower, _ in gone}])
    return stood


def _first_pages(session: Session, users: Sequence[int], limit: int) -> list[tuple[Ids, int]]:
    """Lists that fit into a page all at once, the few larger ones each by a walk of its own."""
    many = dict(session.among(_FOLLOWERS, keyed(users)))
    whole = [user for user, followers in many.items() if 0 < followers <= limit]
    found = {followee: (np.fromstring(ids, np.int64, sep=",")[:limit], 0) for followee, ids in session.among(_LISTS, keyed(whole))}
    for user, followers in many.items():
        if followers > limit:
            found[user] = _walked(session.row(_WALK, (shard_of(user), user, 0, limit + 1)), limit)
    nobody = np.empty(0, np.int64)
    return [found.get(user, (nobody, 0)) for user in users]


def _walked(row: Sequence[Any], limit: int) -> tuple[Ids, int]:
    ids, many, slot = row
    walked = np.fromstring(ids or "", np.int64, sep=",")
    return (walked[:limit], int(slot)) if many > limit else (walked, 0)


def _whole(session: Session, users: Sequence[int]) -> list[Following]:
    lists = session.among(_WHOLE, keyed(users))
    exceptions: dict[int, list[tuple[int, int, int]]] = {}
    for follower, *exception in sorted(session.among(_FLAGGED, keyed([user for user, _, flags in lists if flags]))):
        exceptions.setdefault(follower, []).append(tuple(exception))
    found: dict[int, Following] = {}
    for user, followees, _ in lists:
        flagged = exceptions.get(user, ())
        found[user] = Following(
            tuple(map(int, followees.split(","))),
            frozenset(followee for _, followee, flags in flagged if flags & WITHOUT_RETWEETS),
            tuple((followee, sequence) for sequence, followee, flags in flagged if flags & UNMERGED),
        )
    return [found.get(user, NOBODY) for user in users]


def _edge_keys(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    return sorted({(shard_of(follower), follower, followee) for follower, followee in pairs})


def _events(follow: NewFollow, sequence: int) -> list[Event]:
    return [
        msgspec.structs.replace(event, ref=sequence) if event.kind is EventKind.FOLLOWED and not event.ref else event
        for event in follow.events
    ]
