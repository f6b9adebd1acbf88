"""Counts in counter tables of their own, and the recount that repairs them.

A counter is not idempotent: it changes once, after the write that it counts, and an answer that does not come may lose a change
or leave it made. So counts are nearly right, and what is true is counted from the lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ...model import TweetCounts
from .cassandra_lists import IN_MAX, QUOTES, REPLIES, RETWEETS, TWEET_LIKES, USER_TWEETS, Lists
from .cassandra_session import CassandraSession, chunks, spread

STATEMENTS = {
    "counts.add": "UPDATE tweet_counts SET likes = likes + ?, retweets = retweets + ?, replies = replies + ?, quotes = quotes + ? "
    "WHERE tweet_id = ?",
    "counts.get": "SELECT tweet_id, likes, retweets, replies, quotes FROM tweet_counts WHERE tweet_id IN ?",
    "authors.add": "UPDATE author_counts SET tweets = tweets + ? WHERE author_id = ?",
    "authors.get": "SELECT author_id, tweets FROM author_counts WHERE author_id IN ?",
}
NO_COUNTS = TweetCounts()
COUNTED = (TWEET_LIKES, RETWEETS, REPLIES, QUOTES)  # in the order of TweetCounts


class Changes:
    """What one call changes, summed, so that each counter is changed once."""

    def __init__(self) -> None:
        self._tweets: Counter[tuple[int, int]] = Counter()
        self._authors: Counter[int] = Counter()

    def like(self, tweet_id: int, by: int) -> None:
        """A like came or went."""
        self._tweets[tweet_id, 0] += by

    def tweet(self, author: int, retweet_of: int, reply_to: int, quote_of: int, by: int) -> None:
        """A tweet came or went: with its author, and wherever it counts."""
        self._authors[author] += by
        for place, of in enumerate((retweet_of, reply_to, quote_of), 1):
            if of:
                self._tweets[of, place] += by

    def bound(self) -> list[tuple[str, tuple[int, ...]]]:
        """One statement a counter row."""
        rows: dict[int, list[int]] = {}
        for (tweet_id, place), by in self._tweets.items():
            rows.setdefault(tweet_id, [0, 0, 0, 0])[place] += by
        changed = [("counts.add", (*row, tweet_id)) for tweet_id, row in rows.items() if any(row)]
        return changed + [("authors.add", (by, author)) for author, by in self._authors.items() if by]


class Counts:
    """Reads, changes and recounts."""

    def __init__(self, session: CassandraSession, lists: Lists) -> None:
        self._session = session
        self._lists = lists

    async def change(self, changes: Iterable[tuple[str, tuple[int, ...]]]) -> bool:
        """Write what `Changes.bound` says; false where something got no answer, which is then to be mended."""
        return await self._session.count(list(changes))

    async def of_tweets(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        """Zeros where nothing was counted; never below zero."""
        found = await self._rows("counts.get", tweet_ids)
        return [TweetCounts(*(max(0, one or 0) for one in found[each])) if each in found else NO_COUNTS for each in tweet_ids]

    async def of_authors(self, author_ids: Sequence[int]) -> list[int]:
        """How many tweets of each stand."""
        found = await self._rows("authors.get", author_ids)
        return [max(0, found[each][0] or 0) if each in found else 0 for each in author_ids]

    async def recount(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        """Count the lists and add what the counters lack. What is counted at the same moment may be off again."""
        return await spread(self._recount, tweet_ids, width=8)

    async def recount_authors(self, author_ids: Sequence[int]) -> list[int]:
        """The same for the number of an author's tweets."""
        return await spread(self._recount_author, author_ids, width=8)

    async def lacking(self, tweet_ids: Sequence[int]) -> list[tuple[int, ...]]:
        """What each tweet's counters lack of what its lists hold, in the order of TweetCounts; zeros where they are right."""
        return [lack for lack, _ in await spread(self._lacking, tweet_ids, width=8)]

    async def lacking_authors(self, author_ids: Sequence[int]) -> list[int]:
        """The same of an author's number of tweets."""
        return [lack for lack, _ in await spread(self._lacking_author, author_ids, width=8)]

    async def add(self, lacks: Sequence[tuple[int, tuple[int, ...]]]) -> None:
        """Make up for what tweets lack."""
        await self._session.count([("counts.add", (*lack, tweet_id)) for tweet_id, lack in lacks if any(lack)])

    async def add_authors(self, lacks: Sequence[tuple[int, int]]) -> None:
        """The same for authors."""
        await self._session.count([("authors.add", (lack, author)) for author, lack in lacks if lack])

    async def _recount(self, tweet_id: int) -> TweetCounts:
        lack, true = await self._lacking(tweet_id)
        await self.add([(tweet_id, lack)])
        return TweetCounts(*true)

    async def _recount_author(self, author: int) -> int:
        lack, true = await self._lacking_author(author)
        await self.add_authors([(author, lack)])
        return true

    async def _lacking(self, tweet_id: int) -> tuple[tuple[int, ...], Sequence[int]]:
        kept = (await self._rows("counts.get", [tweet_id])).get(tweet_id, (0, 0, 0, 0))
        true = await spread(lambda table: self._lists.size(table, tweet_id), COUNTED)
        return tuple(there - (had or 0) for there, had in zip(true, kept, strict=True)), true

    async def _lacking_author(self, author: int) -> tuple[int, int]:
        kept = (await self._rows("authors.get", [author])).get(author, (0,))
        true = await self._lists.size(USER_TWEETS, author)
        return true - (kept[0] or 0), true

    async def _rows(self, name: str, ids: Sequence[int]) -> Mapping[int, tuple[int | None, ...]]:
        asked = chunks(list(dict.fromkeys(ids)), IN_MAX)
        answers = await spread(lambda some: self._session.read_counts(name, (some,)), asked)
        return {row[0]: row[1:] for rows in answers for row in rows}
