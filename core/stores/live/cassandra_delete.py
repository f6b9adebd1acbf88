"""Deleting tweets: a compare-and-set on the tweet's own row, then one logged batch that takes it off all lists, empties it, and
writes its events; counts last.

The row keeps the events until they are written, so that whoever finds a delete half done can finish it: exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec

from ...events import Event
from ...model import Tweet
from .cassandra_claims import Claims
from .cassandra_counts import Changes, Counts
from .cassandra_lists import IN_MAX, QUOTES, REPLIES, RETWEETS, USER_TWEETS
from .cassandra_outbox import CassandraOutbox
from .cassandra_reservations import pair_of
from .cassandra_rows import COLUMNS, tweet_of
from .cassandra_session import Bound, CassandraSession, chunks, spread
from .outbox import Outgoing

_DELETION = f"{COLUMNS}, deleted_us, deletion, buried, WRITETIME(author_id)"

STATEMENTS = {
    "tweets.deletions": f"SELECT {_DELETION} FROM tweets WHERE tweet_id IN ?",  # noqa: S608 - our own column names
    "tweets.claim": "UPDATE tweets SET deleted_us = ?, deletion = ? WHERE tweet_id = ? IF deleted_us = ?",
    "tweets.bury": "UPDATE tweets USING TIMESTAMP ? SET text = null, entities = null, buried = true WHERE tweet_id = ?",
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


class _Row(msgspec.Struct, frozen=True):
    """A tweet, and how far its delete has got: claimed (`deleted_us`), then done (`buried`)."""

    tweet: Tweet
    deleted_us: int
    deletion: bytes
    buried: bool
    written_us: int


class _Call:
    """One call of `delete`."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.outgoing: dict[int, list[Outgoing]] = {}


class Deleting:
    """`ports.Tweets.delete` over one keyspace."""

    def __init__(self, session: CassandraSession, counts: Counts, outbox: CassandraOutbox, claims: Claims) -> None:
        self._session = session
        self._counts = counts
        self._outbox = outbox
        self._claims = claims

    async def delete(self, tweet_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        """See `ports.Tweets.delete`."""
        if len(events) != len(tweet_ids):
            msg = f"{len(events)} sequences of events for {len(tweet_ids)} changes"
            raise ValueError(msg)
        call = _Call()
        first: dict[int, int] = {}
        for place, tweet_id in enumerate(tweet_ids):
            first.setdefault(tweet_id, place)
        answers = [False] * len(tweet_ids)

        async def one(row: _Row) -> None:
            place = first[row.tweet.tweet_id]
            answers[place] = await self._one(call, place, row, events[place])

        try:
            async with self._session.limited(len(first)):
                await spread(one, list((await self._rows(list(first))).values()))
        finally:
            outgoing = [one for place in sorted(call.outgoing) for one in call.outgoing[place]]
            await self._outbox.wrote(outgoing, self._counts.change(call.changes.bound()))
        return answers

    async def _one(self, call: _Call, place: int, row: _Row, events: Sequence[Event]) -> bool:
        async with self._session.bounded():
            while not row.buried:
                if not row.deleted_us or self._claims.lapsed(row.deleted_us):
                    told = _decode(row.deletion) if row.deleted_us else tuple(events)
                    stamp_us = self._claims.stamps.next(max(row.deleted_us, row.written_us))
                    claim = (stamp_us, _encode(told), row.tweet.tweet_id, row.deleted_us or None)
                    if await self._session.compare([("tweets.claim", claim)]):
                        self._claims.check_fresh(stamp_us)
                        await self._bury(call, place, row.tweet, told, stamp_us)
                        return True
                else:
                    await self._claims.wait()
                row = (await self._rows([row.tweet.tweet_id]))[row.tweet.tweet_id]
        return False

    async def _bury(self, call: _Call, place: int, tweet: Tweet, events: Sequence[Event], stamp_us: int) -> None:
        own = tweet.tweet_id
        bound: list[Bound] = [("tweets.bury", (stamp_us, own)), USER_TWEETS.remove(tweet.author_id, own, stamp_us)]
        for table, owner in ((REPLIES, tweet.reply_to), (RETWEETS, tweet.retweet_of), (QUOTES, tweet.quote_of)):
            if owner:
                bound.append(table.remove(owner, own, stamp_us))
        if tweet.retweet_of:
            bound.append(("retweets_by.undone", (stamp_us, own, *pair_of(tweet))))
        rows, call.outgoing[place] = self._outbox.add(events, stamp_us, own, tweet.author_id)
        try:
            await self._session.write(bound + rows)
        except BaseException:
            del call.outgoing[place]
            raise
        call.changes.tweet(tweet.author_id, tweet.retweet_of, tweet.reply_to, tweet.quote_of, -1)

    async def _rows(self, tweet_ids: Sequence[int]) -> dict[int, _Row]:
        asked = chunks(tweet_ids, IN_MAX)
        answers = await spread(lambda some: self._session.read("tweets.deletions", (some,)), asked)
        found: dict[int, _Row] = {}
        for *columns, deleted_us, deletion, buried, written_us in chain.from_iterable(answers):
            tweet = tweet_of((*columns, deleted_us))
            if tweet is not None:
                found[tweet.tweet_id] = _Row(tweet, deleted_us or 0, deletion or b"", bool(buried), written_us)
        return found
