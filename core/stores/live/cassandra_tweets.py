"""The ports `Tweets` and `Engagement` over one keyspace, read side and front; writing is in `cassandra_put`, `_delete`, `_likes`.

A list holds ids; a tweet's content and whether it is deleted is asked of `tweets` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...events import Event
from ...model import Edge, IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet, TweetCounts
from .cassandra_buckets import month_of
from .cassandra_counts import Counts
from .cassandra_delete import Deleting
from .cassandra_likes import Liking
from .cassandra_lists import (
    CONVERSATIONS,
    IN_MAX,
    REPLIES,
    RETWEETS,
    TWEET_LIKES,
    USER_LIKES,
    USER_TWEETS,
    Lists,
    ListTable,
    Pair,
)
from .cassandra_put import Putting
from .cassandra_reservations import Reservations
from .cassandra_rows import tweets_of
from .cassandra_session import CassandraSession, chunks, spread

if TYPE_CHECKING:
    from ...entries import Entries

AT_ONCE = 1_024  # elements of a read within one time limit


class CassandraTweets:
    """`ports.Tweets`."""

    def __init__(
        self, session: CassandraSession, lists: Lists, counts: Counts, *, putting: Putting, deleting: Deleting,
        reservations: Reservations,
    ) -> None:  # fmt: skip
        self._session = session
        self._lists = lists
        self._counts = counts
        self._putting = putting
        self._deleting = deleting
        self._reservations = reservations

    async def put(self, tweets: Sequence[NewTweet]) -> list[PutOutcome]:
        return await self._putting.put(tweets) if tweets else []

    async def repeated(self, key: IdempotencyKey, now_ms: int) -> PutOutcome | None:
        """A key whose tweet does not stand says nothing yet: `put` waits for it or completes it."""
        async with self._session.bounded():
            row = await self._reservations.key_row(key, now_ms)
            if row is None or not await self._reservations.stands(row.tweet_id, row.claim_us):
                return None
        if row.body_hash != key.body_hash:
            return PutOutcome(PutStatus.KEY_REUSED, 0)
        return PutOutcome(PutStatus.REPEATED, row.tweet_id)

    async def get(self, tweet_ids: Sequence[int]) -> list[Tweet | None]:
        found: dict[int, Tweet] = {}
        for some in chunks(tweet_ids, AT_ONCE):
            async with self._session.bounded():
                found |= await tweets_of(self._session, some)
        return [found.get(one) for one in tweet_ids]

    async def delete(self, tweet_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._deleting.delete(tweet_ids, events)

    async def by_authors(self, authors: Sequence[int], *, before: int = 0, after: int = 0, limit: int) -> list[Entries]:
        found: dict[int, list[Pair]] = {}
        for some in chunks(authors, AT_ONCE):
            async with self._session.bounded():
                found |= await self._lists.page(USER_TWEETS, some, after, before, limit)
        return [np.array(found[one], np.int64).reshape(-1, 2) for one in authors]

    async def in_conversation(self, conversation_id: int, after: int, limit: int) -> list[Tweet]:
        return await self._listed(CONVERSATIONS, conversation_id, after, 0, limit)

    async def replies(self, tweet_id: int, after: int, limit: int) -> list[Tweet]:
        return [one for one in await self._listed(REPLIES, tweet_id, after, 0, limit) if not one.deleted]

    async def retweets(self, tweet_id: int, before: int, limit: int) -> list[Tweet]:
        return [one for one in await self._listed(RETWEETS, tweet_id, 0, before, limit) if not one.deleted]

    async def retweet_ids(self, user: int, originals: Sequence[int]) -> list[int]:
        async with self._session.bounded():
            asked = _by_month(originals)
            answers = await spread(lambda one: self._session.read("retweets_by.among", (user, *one)), asked)
        standing = {
            original: tweet_id
            for rows in answers for original, tweet_id, stood, undone in rows if stood == tweet_id != undone
        }  # fmt: skip
        return [standing.get(one, 0) for one in originals]

    async def author_counts(self, author_ids: Sequence[int]) -> list[int]:
        """How many tweets of each author stand, as counted."""
        async with self._session.bounded():
            return await self._counts.of_authors(author_ids)

    async def recount_authors(self, author_ids: Sequence[int]) -> list[int]:
        """The same from the lists, written back."""
        return await self._counts.recount_authors(author_ids)

    async def _listed(self, table: ListTable, owner: int, after: int, before: int, limit: int) -> list[Tweet]:
        async with self._session.bounded():
            pairs = (await self._lists.page(table, [owner], after, before, limit))[owner]
            found = await tweets_of(self._session, [member for member, _ in pairs])
        return [found[member] for member, _ in pairs if member in found]


class CassandraEngagement:
    """`ports.Engagement`."""

    def __init__(self, session: CassandraSession, lists: Lists, counts: Counts, liking: Liking) -> None:
        self._session = session
        self._lists = lists
        self._counts = counts
        self._liking = liking

    async def like(self, pairs: Sequence[tuple[int, int]], at_ms: int, events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._liking.change(pairs, at_ms, events, standing=True)

    async def unlike(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._liking.change(pairs, 0, events, standing=False)

    async def likers_page(self, tweet_id: int, before: int, limit: int) -> list[Edge]:
        async with self._session.bounded():
            found = await self._lists.page(TWEET_LIKES, [tweet_id], 0, before, limit)
        return [Edge(user, sequence) for sequence, user in found[tweet_id]]

    async def liked(self, user: int, tweet_ids: Sequence[int]) -> list[bool]:
        async with self._session.bounded():
            asked = _by_month(tweet_ids)
            answers = await spread(lambda one: self._session.read("likes.standing", (user, *one)), asked)
        standing = {tweet for rows in answers for tweet, stands in rows if stands}
        return [tweet in standing for tweet in tweet_ids]

    async def recent_likes(self, user: int, limit: int) -> tuple[list[int], bool]:
        async with self._session.bounded():
            found = (await self._lists.page(USER_LIKES, [user], 0, 0, limit + 1))[user]
        return [tweet for _, tweet in found[:limit]], len(found) <= limit

    async def counts(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        async with self._session.bounded():
            return await self._counts.of_tweets(tweet_ids)

    async def recount(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        return await self._counts.recount(tweet_ids)


def _by_month(tweet_ids: Sequence[int]) -> list[tuple[int, list[int]]]:
    """What to ask of each partition of a user: the month, and tweets made in it."""
    months: dict[int, list[int]] = {}
    for one in dict.fromkeys(tweet_ids):
        months.setdefault(month_of(one), []).append(one)
    return [(month, list(some)) for month, ids in months.items() for some in chunks(ids, IN_MAX)]
