"""Where consumers keep their place: offsets, continuations, accounts of deliveries, parked events.

A group lies in the shard of its name's checksum: its place and its work are one transaction, after the deliveries, which lie
with their tweets. Parked events lie in one shard: they are few and are looked at together. Nothing here looks into a piece
of work.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ....entries import Delivery, whole_account
from ....errors import Superseded
from ....events import Event, LoggedEvent, Parked, Progress, Work
from .server import Session
from .shards import OPS, Shards, shard_of_name

_PARKED_IDS = b"parked"

_DELIVERED = """INSERT INTO deliveries (shard, tweet, batch, payload) VALUES (%s, %s, %s, %s)
ON DUPLICATE KEY UPDATE batch = deliveries.batch"""
_DELIVERIES = "SELECT tweet, payload FROM deliveries WHERE (shard, tweet) IN %s"
_FORGET = "DELETE FROM deliveries WHERE (shard, tweet) IN %s"
_PUT = """INSERT INTO work (shard, consumer_group, work_id, created_ms, payload) VALUES (%s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE created_ms = VALUES(created_ms), payload = VALUES(payload)"""
_DONE = "DELETE FROM work WHERE (shard, consumer_group, work_id) IN %s"
_PLACE = """INSERT INTO consumer_groups (shard, name, place) VALUES (%s, %s, %s)
ON DUPLICATE KEY UPDATE place = GREATEST(place, VALUES(place))"""
_CLAIM = """INSERT INTO consumer_groups (shard, name, place, fence) VALUES (%s, %s, 0, %s)
ON DUPLICATE KEY UPDATE step = IF(fence < VALUES(fence), 0, step), fence = GREATEST(fence, VALUES(fence))"""
_STEP = """UPDATE consumer_groups SET place = GREATEST(place, %s), step = %s
WHERE shard = %s AND name = %s AND fence = %s AND step < %s"""
_FENCE = "SELECT fence FROM consumer_groups WHERE shard = %s AND name = %s"
_OFFSET = "SELECT place FROM consumer_groups WHERE shard = %s AND name = %s"
_PENDING = "SELECT payload FROM work WHERE shard = %s AND consumer_group = %s ORDER BY work_id"
_BACKLOG = """SELECT COUNT(*), COALESCE(MIN(created_ms), 0), COALESCE(MIN(work_id), 0)
FROM work WHERE shard = %s AND consumer_group = %s"""

_LOCK_PARKED = """INSERT INTO sequences (shard, name, last) VALUES (%s, %s, 0)
ON DUPLICATE KEY UPDATE last = LAST_INSERT_ID(last)"""
_LAST_PARKED = "SELECT last FROM sequences WHERE shard = %s AND name = %s"
_IS_PARKED = "SELECT 1 FROM parked WHERE shard = %s AND consumer_group = %s AND place = %s"
_NEXT_PARKED = "UPDATE sequences SET last = %s WHERE shard = %s AND name = %s"
_PARK = """INSERT INTO parked (shard, parked_id, consumer_group, place, payload, error, parked_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_PARKED = "SELECT parked_id, consumer_group, place, payload, error, parked_ms FROM parked"
_UNPARK = "DELETE FROM parked WHERE (shard, parked_id) IN %s"
_PARKED_OF = "SELECT COUNT(*) FROM parked WHERE shard = %s AND consumer_group = %s"

ERROR_CHARS_MAX = 10_000  # of a parked event's story

_encode_work = msgspec.msgpack.Encoder().encode
_decode_work = msgspec.msgpack.Decoder(Work).decode
_decode_delivery = msgspec.msgpack.Decoder(Delivery).decode
_decode_event = msgspec.msgpack.Decoder(Event).decode


class Backlog(msgspec.Struct, frozen=True):
    """What a group has still to do beside its events. `oldest_ms` and `first_work` are 0 where there is no work."""

    work: int
    oldest_ms: int
    first_work: int
    parked: int


class MysqlWorkLog:
    """`ports.WorkLog`, and what the log needs to know of groups."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def claim(self, group: str, fence: int) -> None:
        key = _group_key(group)

        def work(session: Session) -> None:
            session.run(_CLAIM, (*key, fence))
            _refuse_older(session, key, fence)

        await self._shards.write(key[0], work)

    async def advance(self, progress: Sequence[Progress]) -> None:
        deliveries = [delivery for step in progress for delivery in step.deliveries]
        await self._shards.write_each(deliveries, lambda delivery: _shard_of_tweet(delivery.tweet), _deliver)
        turn = {-1 - shard_of_name(step.group.encode()) for step in progress}
        await self._shards.write_each(progress, lambda step: shard_of_name(step.group.encode()), _advance, turn=turn)

    async def pending(self, group: str) -> list[Work]:
        key = _group_key(group)
        return await self._shards.read(
            key[0], lambda session: [_decode_work(payload) for (payload,) in session.rows(_PENDING, key)]
        )

    async def deliveries(self, tweets: Sequence[int]) -> list[list[Delivery]]:
        return await self._shards.read_each(tweets, _shard_of_tweet, _deliveries)

    async def park(self, group: str, logged: LoggedEvent, error: str, at_ms: int) -> None:
        name, payload = group.encode(), _encode_work(logged.event)

        def work(session: Session) -> None:
            session.run(_LOCK_PARKED, (OPS, _PARKED_IDS))
            if session.row(_IS_PARKED, (OPS, name, logged.offset)):
                return
            parked_id = int(session.row(_LAST_PARKED, (OPS, _PARKED_IDS))[0]) + 1
            session.run(_NEXT_PARKED, (parked_id, OPS, _PARKED_IDS))
            session.run(_PARK, (OPS, parked_id, name, logged.offset, payload, error[:ERROR_CHARS_MAX], at_ms))

        await self._shards.write(OPS, work)

    async def parked(self, group: str | None, after: int, limit: int) -> list[Parked]:
        of_group = () if group is None else (group.encode(),)
        where = "shard = %s AND parked_id > %s" + (" AND consumer_group = %s" if of_group else "")
        sql = f"{_PARKED} WHERE {where} ORDER BY parked_id LIMIT %s"
        parameters = (OPS, after, *of_group, limit)
        return await self._shards.read(OPS, lambda session: [_parked(row) for row in session.rows(sql, parameters)])

    async def unpark(self, parked_ids: Sequence[int]) -> list[Parked]:
        def work(session: Session) -> list[Parked]:
            keys = [(OPS, parked_id) for parked_id in parked_ids]
            rows = session.among(f"{_PARKED} WHERE (shard, parked_id) IN %s FOR UPDATE", keys)
            session.each(_UNPARK, [(OPS, row[0]) for row in rows])
            found = {row[0]: _parked(row) for row in rows}
            return [found[parked_id] for parked_id in dict.fromkeys(parked_ids) if parked_id in found]

        return await self._shards.write(OPS, work)

    async def offset(self, group: str) -> int:
        """How far the group has got; 0 for one never seen."""
        key = _group_key(group)
        row = await self._shards.read(key[0], lambda session: session.row(_OFFSET, key))
        return int(row[0]) if row else 0

    async def backlog(self, group: str) -> Backlog:
        """Work that is not done and events that are parked, for lag and for trimming."""
        key = _group_key(group)
        work = await self._shards.read(key[0], lambda session: session.row(_BACKLOG, key))
        parked = await self._shards.read(OPS, lambda session: session.row(_PARKED_OF, (OPS, key[1])))
        many, oldest_ms, first_work = map(int, work)
        return Backlog(many, oldest_ms, first_work, int(parked[0]))

    async def forget(self, tweets: Sequence[int]) -> None:
        """Drop the accounts of these tweets: the events that caused them are gone."""
        def work(session: Session, own: Sequence[int]) -> list[None]:
            session.each(_FORGET, sorted((_shard_of_tweet(tweet), tweet) for tweet in own))
            return [None] * len(own)

        await self._shards.write_each(tweets, _shard_of_tweet, work)


def _deliver(session: Session, own: Sequence[Delivery]) -> list[None]:
    session.many(_DELIVERED, [(_shard_of_tweet(one.tweet), one.tweet, one.batch, _encode_work(one)) for one in own])
    return [None] * len(own)


def _deliveries(session: Session, own: Sequence[int]) -> list[list[Delivery]]:
    found: dict[int, list[Delivery]] = {}
    for tweet, payload in session.among(_DELIVERIES, sorted({(_shard_of_tweet(tweet), tweet) for tweet in own})):
        found.setdefault(tweet, []).append(_decode_delivery(payload))
    return [whole_account(sorted(found.get(tweet, []), key=lambda delivery: delivery.batch)) for tweet in own]


def _advance(session: Session, steps: Sequence[Progress]) -> list[None]:
    for step in steps:
        shard, name = _group_key(step.group)
        if not step.fence:
            session.run(_PLACE, (shard, name, step.offset))
        elif not session.run(_STEP, (step.offset, step.number, shard, name, step.fence, step.number)):
            _refuse_older(session, (shard, name), step.fence)
            continue  # an earlier try of it stands
        session.many(_PUT, [(shard, name, work.work_id, work.created_ms, _encode_work(work)) for work in step.put])
        session.each(_DONE, [(shard, name, work_id) for work_id in step.done])
    return [None] * len(steps)


def _refuse_older(session: Session, key: tuple[int, bytes], fence: int) -> None:
    """Where another has claimed the group since."""
    newest = int(session.row(_FENCE, key)[0])
    if newest != fence:
        raise Superseded(f"{key[1].decode()} was taken over by its holder number {newest}: what number {fence} did is not recorded")


def _shard_of_tweet(tweet: int) -> int:
    """By a checksum: the low bits of a tweet's id are a sequence that starts at 0 in quiet hours."""
    return shard_of_name(tweet.to_bytes(8, "big"))


def _group_key(group: str) -> tuple[int, bytes]:
    name = group.encode()
    return shard_of_name(name), name


def _parked(row: tuple[int, bytes, int, bytes, str, int]) -> Parked:
    parked_id, group, offset, payload, error, parked_ms = row
    return Parked(parked_id, group.decode(), LoggedEvent(offset, _decode_event(payload)), error, parked_ms)
