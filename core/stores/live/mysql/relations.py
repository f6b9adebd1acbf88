"""Blocks, mutes and requests to follow. Follow edges are `graph.py`'s; cutting them on a block is the caller's.

A block stands in the shard of who blocks, with its events; the other side has it in `blocked_by`, so that what hides someone
from a reader is read from one shard. It is carried there at once, by version, and a row of `block_carries` remembers it
until it is: after a crash between the two the sweeper carries it. A request lies in the shard of who is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ....clock import Clock
from ....events import Event
from ....model import Blocks, Edge, FollowRequest, Relation
from . import counted
from .server import Session
from .shards import SHARDS, Shards, keyed, shard_of

KIND = {Relation.BLOCK: 0, Relation.MUTE: 1}
BLOCKED_BY = 2
NOBODY = Blocks()
END = 1 << 62
_REQUESTS = b"requests"

_STANDS = "SELECT sequence FROM relations WHERE shard = %s AND actor = %s AND kind = %s AND target = %s"
_SET = "INSERT INTO relations (shard, actor, kind, target, sequence, at_ms) VALUES (%s, %s, %s, %s, %s, %s)"
_LIFT = "DELETE FROM relations WHERE shard = %s AND actor = %s AND kind = %s AND target = %s"
_OF = "SELECT actor, kind, target FROM relations WHERE (shard, actor) IN %s"
_BY = "SELECT target, actor FROM blocked_by WHERE stands = 1 AND (shard, target) IN %s"
_PAGE = """SELECT target, sequence FROM relations WHERE shard = %s AND actor = %s AND kind = %s AND sequence < %s
ORDER BY sequence DESC LIMIT %s"""

_CARRY = "INSERT INTO block_carries (shard, actor, target, version, stands, at_ms) VALUES (%s, %s, %s, %s, %s, %s)"
_CARRIED = "DELETE FROM block_carries WHERE shard = %s AND actor = %s AND target = %s AND version <= %s"
_LEFT = "SELECT actor, target, version, stands FROM block_carries WHERE at_ms < %s ORDER BY actor, version LIMIT %s"
_MIRROR = """INSERT INTO blocked_by (shard, target, actor, version, stands) VALUES (%s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE stands = IF(VALUES(version) > version, VALUES(stands), stands),
version = GREATEST(version, VALUES(version))"""
_VERSION = "SELECT version FROM blocked_by WHERE shard = %s AND target = %s AND actor = %s"

_WITHDRAW = "DELETE FROM follow_requests WHERE shard = %s AND target = %s AND requester = %s"
_REQUEST = "SELECT request_id, requester, target, retweets, created_ms FROM follow_requests WHERE shard = %s"
_ASK = """INSERT INTO follow_requests (shard, request_id, requester, target, retweets, created_ms)
VALUES (%s, %s, %s, %s, %s, %s)"""
_NEXT = """INSERT INTO sequences (shard, name, last) VALUES (%s, %s, LAST_INSERT_ID(1))
ON DUPLICATE KEY UPDATE last = LAST_INSERT_ID(last + 1)"""
_CLOSE = "DELETE FROM follow_requests WHERE shard = %s AND request_id = %s"


class MysqlRelations:
    """`ports.Relations`."""

    def __init__(self, shards: Shards, clock: Clock) -> None:
        self._shards = shards
        self._clock = clock

    async def relate(self, kind: Relation, actor: int, target: int, events: Sequence[Event], at_ms: int) -> bool:
        shard, key, now_ms = shard_of(actor), (shard_of(actor), actor, KIND[kind], target), self._clock.now_ms()

        def work(session: Session) -> tuple[bool, int]:
            row = counted.lock(session, (actor,))[actor]
            stood = session.row(_STANDS, key)
            if stood is None:
                row.last_relation += 1
                session.run(_SET, (*key, row.last_relation, at_ms))
                counted.store(session, (row,))
                session.tell(0, shard, events)
            version = row.last_relation if stood is None else int(stood[0])
            if kind is Relation.BLOCK:
                session.run(_WITHDRAW, (shard, actor, target))
                if stood is None:
                    session.run(_CARRY, (shard, actor, target, version, 1, now_ms))
            return stood is None, version

        made, version = await self._shards.write(shard, work, turn=(actor,))
        if kind is Relation.BLOCK:
            await self._carry(actor, target, version, stands=True)
        return made

    async def unrelate(self, kind: Relation, actor: int, target: int, events: Sequence[Event]) -> bool:
        shard, key, now_ms = shard_of(actor), (shard_of(actor), actor, KIND[kind], target), self._clock.now_ms()

        def work(session: Session) -> int:
            """The version of the change; 0 where there was none."""
            row = counted.lock(session, (actor,))[actor]
            if not session.run(_LIFT, key):
                return 0
            row.last_relation += 1
            counted.store(session, (row,))
            session.tell(0, shard, events)
            if kind is Relation.BLOCK:
                session.run(_CARRY, (shard, actor, target, row.last_relation, 0, now_ms))
            return row.last_relation

        version = await self._shards.write(shard, work, turn=(actor,))
        if version and kind is Relation.BLOCK:
            await self._carry(actor, target, version, stands=False)
        return bool(version)

    async def blocks(self, users: Sequence[int]) -> list[Blocks]:
        return await self._shards.read_each(users, shard_of, _blocks)

    async def related_page(self, kind: Relation, actor: int, before: int, limit: int) -> list[Edge]:
        parameters = (shard_of(actor), actor, KIND[kind], before or END, limit)
        rows = await self._shards.read(shard_of(actor), lambda session: session.rows(_PAGE, parameters))
        return [Edge(*row) for row in rows]

    async def request_follow(
        self, requester: int, target: int, *, retweets: bool, at_ms: int, events: Sequence[Event]
    ) -> int:
        shard = shard_of(target)

        def work(session: Session) -> int:
            counted.lock(session, (target,))  # who asks twice at once waits here
            row = session.row(f"{_REQUEST} AND target = %s AND requester = %s", (shard, target, requester))
            if row is not None:
                return int(row[0])
            session.run(_NEXT, (shard, _REQUESTS))
            request_id = session.inserted() * SHARDS + shard  # so that an id says where it lies
            session.run(_ASK, (shard, request_id, requester, target, int(retweets), at_ms))
            session.tell(0, shard, events)
            return request_id

        return await self._shards.write(shard, work, turn=(requester,))

    async def requests_page(self, target: int, before: int, limit: int) -> list[FollowRequest]:
        sql = f"{_REQUEST} AND target = %s AND request_id < %s ORDER BY request_id DESC LIMIT %s"
        parameters = (shard_of(target), target, before or END, limit)
        rows = await self._shards.read(shard_of(target), lambda session: session.rows(sql, parameters))
        return [_follow_request(row) for row in rows]

    async def request(self, request_id: int) -> FollowRequest | None:
        return await self._request(request_id % SHARDS, "request_id = %s", request_id)

    async def close_requests(self, request_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        def work(session: Session, own: Sequence[tuple[int, Sequence[Event]]]) -> list[bool]:
            closed = []
            for index, (request_id, of_request) in enumerate(own):
                gone = session.run(_CLOSE, (request_id % SHARDS, request_id)) > 0
                if gone:
                    session.tell(index, request_id % SHARDS, of_request)
                closed.append(gone)
            return closed

        pairs = list(zip(request_ids, events, strict=True))
        turn = {event.key for of_request in events for event in of_request}
        return await self._shards.write_each(pairs, lambda pair: pair[0] % SHARDS, work, turn=turn)

    async def request_between(self, requester: int, target: int) -> FollowRequest | None:
        return await self._request(shard_of(target), "target = %s AND requester = %s", target, requester)

    async def carry_left(self, before_ms: int, limit: int) -> int:
        """Carry the blocks of before `before_ms` that a crash has left on one side; returns how many."""
        found = await self._shards.read_all(lambda session: session.rows(_LEFT, (before_ms, limit)))
        for actor, target, version, stands in (row for of_server in found for row in of_server):
            await self._carry(actor, target, version, stands=bool(stands))
        return sum(map(len, found))

    async def _carry(self, actor: int, target: int, version: int, *, stands: bool) -> None:
        shard = shard_of(target)

        def work(session: Session) -> None:
            session.run(_MIRROR, (shard, target, actor, version, int(stands)))
            if stands and session.row(_VERSION, (shard, target, actor)) == (version,):  # else it was lifted since
                session.run(_WITHDRAW, (shard, target, actor))

        await self._shards.write(shard, work)
        done = (shard_of(actor), actor, target, version)
        await self._shards.write(shard_of(actor), lambda session: session.run(_CARRIED, done))

    async def _request(self, shard: int, where: str, *parameters: int) -> FollowRequest | None:
        row = await self._shards.read(shard, lambda session: session.row(f"{_REQUEST} AND {where}", (shard, *parameters)))
        return None if row is None else _follow_request(row)


def _blocks(session: Session, users: Sequence[int]) -> list[Blocks]:
    keys = keyed(users)
    sets: dict[tuple[int, int], set[int]] = defaultdict(set)
    for actor, kind, target in session.among(_OF, keys):
        sets[actor, kind].add(target)
    for target, actor in session.among(_BY, keys):
        sets[target, BLOCKED_BY].add(actor)
    known = {user for user, _ in sets}
    block, mute = KIND[Relation.BLOCK], KIND[Relation.MUTE]
    return [
        Blocks(
            blocked=frozenset(sets.get((user, block), ())), blocked_by=frozenset(sets.get((user, BLOCKED_BY), ())),
            muted=frozenset(sets.get((user, mute), ())),
        ) if user in known else NOBODY
        for user in users
    ]


def _follow_request(row: Any) -> FollowRequest:
    request_id, requester, target, retweets, created_ms = row
    return FollowRequest(request_id, requester, target, bool(retweets), created_ms)
