"""Liking and unliking: a compare-and-set on the like's row, then one logged batch of the lists and the events; counts last.

The truth of a like is its row in `likes`, with the claim that changed it last; `settled_us` says that the claim's batch was
written. Whoever finds a claim unsettled and old finishes it as it was meant, with the events that it carries, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ...events import Event
from .cassandra_buckets import month_of
from .cassandra_claims import Claims
from .cassandra_counts import Changes, Counts
from .cassandra_lists import IN_MAX, TWEET_LIKES, USER_LIKES, Lists
from .cassandra_outbox import CassandraOutbox
from .cassandra_session import Bound, CassandraSession, chunks, spread
from .outbox import Outgoing

GROUPS_AT_ONCE = 16
BATCH_LIKES = 8  # likes in one batch: 4 KiB

STATEMENTS = {
    "likes.get": "SELECT tweet_id, standing, sequence, at_ms, claim_us, events, settled_us FROM likes "
    "WHERE user_id = ? AND month = ? AND tweet_id IN ?",
    "likes.standing": "SELECT tweet_id, standing FROM likes WHERE user_id = ? AND month = ? AND tweet_id IN ?",
    "likes.first": "INSERT INTO likes (standing, sequence, at_ms, claim_us, events, user_id, month, tweet_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
    "likes.take": "UPDATE likes SET standing = ?, sequence = ?, at_ms = ?, claim_us = ?, events = ? "
    "WHERE user_id = ? AND month = ? AND tweet_id = ? IF claim_us = ?",
    "likes.settle": "UPDATE likes USING TIMESTAMP ? SET settled_us = ? WHERE user_id = ? AND month = ? AND tweet_id = ?",
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


class Wish(msgspec.Struct, frozen=True):
    """What a call wants of one pair: that the like stands, or that it does not."""

    place: int
    user: int
    tweet: int
    standing: bool
    at_ms: int
    events: tuple[Event, ...]


class _Row(msgspec.Struct, frozen=True):
    """A row of `likes`. Unsettled: claimed, its batch not seen."""

    standing: bool
    sequence: int
    at_ms: int
    claim_us: int
    events: bytes
    settled_us: int | None

    def settled(self) -> bool:
        """Whether the last change is done."""
        return self.settled_us == self.claim_us


class _Claimed(msgspec.Struct, frozen=True):
    """A change that was won, to be written: a wish of ours, or what another left."""

    wish: Wish
    sequence: int
    claim_us: int


class _Call:
    """One call: which places changed, and what was written."""

    def __init__(self, size: int) -> None:
        self.changed = [False] * size
        self.changes = Changes()
        self.outgoing: list[tuple[int, list[Outgoing]]] = []


class Liking:
    """`ports.Engagement.like` and `unlike` over one keyspace."""

    def __init__(
        self, session: CassandraSession, lists: Lists, counts: Counts, outbox: CassandraOutbox, claims: Claims
    ) -> None:
        self._session = session
        self._lists = lists
        self._counts = counts
        self._outbox = outbox
        self._claims = claims

    async def change(
        self, pairs: Sequence[tuple[int, int]], at_ms: int, events: Sequence[Sequence[Event]], *, standing: bool
    ) -> list[bool]:
        """Whether each pair changed; of one that is named twice, the first."""
        if len(events) != len(pairs):
            msg = f"{len(events)} sequences of events for {len(pairs)} changes"
            raise ValueError(msg)
        call = _Call(len(pairs))
        groups: dict[tuple[int, int], dict[int, Wish]] = {}
        for place, (user, tweet) in enumerate(pairs):
            wish = Wish(place, user, tweet, standing, at_ms, tuple(events[place]))
            groups.setdefault((user, month_of(tweet)), {}).setdefault(tweet, wish)
        try:
            wishes = [list(one.values()) for one in groups.values()]
            async with self._session.limited(len(pairs)):
                await spread(lambda group: self._partition(call, group), wishes, GROUPS_AT_ONCE)
        finally:
            call.outgoing.sort(key=lambda one: one[0])
            outgoing = [one for _, some in call.outgoing for one in some]
            await self._outbox.wrote(outgoing, self._counts.change(call.changes.bound()))
        return call.changed

    async def _partition(self, call: _Call, wishes: Sequence[Wish]) -> None:
        """One after the other: Paxos rounds of one partition wait for each other."""
        for some in chunks(wishes, IN_MAX):
            async with self._session.bounded():
                await self._some(call, some)

    async def _some(self, call: _Call, wishes: Sequence[Wish]) -> None:
        """All at once where nothing stands in the way, which is the rule; what is left, one by one."""
        rows = {} if wishes[0].standing else await self._rows(wishes)
        for _ in range(2):
            free = [one for one in wishes if _free(one, rows)]
            claimed = await self._claim(free, rows)
            if claimed is not None:
                await self._settle(call, claimed)
                wishes = [one for one in wishes if not _free(one, rows)]
                break
            rows = await self._rows(wishes)
        for one in wishes:
            row = rows.get(one.tweet)
            if row is None or not row.settled() or row.standing != one.standing:
                await self._one(call, one)

    async def _one(self, call: _Call, wish: Wish) -> None:
        while True:
            rows = await self._rows([wish])
            row = rows.get(wish.tweet)
            if row is not None and not row.settled():
                if not self._claims.lapsed(row.claim_us):
                    await self._claims.wait()
                elif await self._finish(call, wish, row) and row.standing == wish.standing:
                    call.changed[wish.place] = True
                    return
            elif not _free(wish, rows):
                return
            else:
                claimed = await self._claim([wish], rows)
                if claimed is not None:
                    await self._settle(call, claimed)
                    return

    async def _finish(self, call: _Call, wish: Wish, row: _Row) -> bool:
        """Do what another has claimed and left, as it was meant; false where somebody else does."""
        left = Wish(wish.place, wish.user, wish.tweet, row.standing, row.at_ms, _decode(row.events))
        claimed = _Claimed(left, row.sequence, self._claims.stamps.next(row.claim_us))
        if not await self._session.compare([_take(claimed, row.claim_us)]):
            return False
        await self._settle(call, [claimed])
        call.changed[wish.place] = False
        return True

    async def _claim(self, wishes: Sequence[Wish], rows: Mapping[int, _Row]) -> list[_Claimed] | None:
        """All of one partition, or `None` where one has changed meanwhile."""
        claimed, bound = [], []
        for wish in wishes:
            row = rows.get(wish.tweet)
            claim_us = self._claims.stamps.next(row.claim_us if row else 0)
            sequence = self._claims.stamps.sequence(claim_us) if wish.standing or row is None else row.sequence
            one = _Claimed(wish, sequence, claim_us)
            claimed.append(one)
            bound.append(_take(one, row.claim_us) if row else ("likes.first", _values(one)))
        return claimed if not bound or await self._session.compare(bound) else None

    async def _settle(self, call: _Call, claimed: Sequence[_Claimed]) -> None:
        for some in chunks(claimed, BATCH_LIKES):
            bound: list[Bound] = []
            outgoing: list[tuple[int, list[Outgoing]]] = []
            for one in some:
                wish, stamp_us = one.wish, one.claim_us
                self._claims.check_fresh(stamp_us)
                if wish.standing:
                    bound += self._lists.add(TWEET_LIKES, wish.tweet, one.sequence, wish.user, stamp_us)
                    bound += self._lists.add(USER_LIKES, wish.user, one.sequence, wish.tweet, stamp_us)
                else:
                    bound.append(TWEET_LIKES.remove(wish.tweet, one.sequence, stamp_us))
                    bound.append(USER_LIKES.remove(wish.user, one.sequence, stamp_us))
                bound.append(("likes.settle", (stamp_us, stamp_us, wish.user, month_of(wish.tweet), wish.tweet)))
                rows, told = self._outbox.add(wish.events, stamp_us, wish.tweet, wish.user)
                bound += rows
                outgoing.append((wish.place, told))
            await self._session.write(bound)
            self._lists.stand(bound)
            call.outgoing += outgoing
            for one in some:
                call.changed[one.wish.place] = True
                call.changes.like(one.wish.tweet, 1 if one.wish.standing else -1)

    async def _rows(self, wishes: Sequence[Wish]) -> dict[int, _Row]:
        user, month = wishes[0].user, month_of(wishes[0].tweet)
        rows = await self._session.read("likes.get", (user, month, [one.tweet for one in wishes]))
        return {tweet: _Row(*row) for tweet, *row in rows if row[3] is not None}


def _free(wish: Wish, rows: Mapping[int, _Row]) -> bool:
    """Whether it can be claimed now, as far as these rows say."""
    row = rows.get(wish.tweet)
    return wish.standing if row is None else row.settled() and row.standing != wish.standing


def _values(one: _Claimed) -> tuple[object, ...]:
    wish = one.wish
    return (
        wish.standing, one.sequence, wish.at_ms, one.claim_us, _encode(wish.events), wish.user, month_of(wish.tweet), wish.tweet,
    )  # fmt: skip


def _take(one: _Claimed, old_us: int) -> Bound:
    return "likes.take", (*_values(one), old_us)
