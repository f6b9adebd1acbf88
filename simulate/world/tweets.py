"""Tweets of the world: what the population said up to this turn, less what was deleted here, and what was posted here.

The replies and retweets that a computed tweet has from the population are counted and cannot be listed: lists of them hold what
was posted here, and a list of retweeters that would have to leave somebody out is refused with the count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import Unsupported
from ...core.events import Event
from ...core.model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet
from ...core.ports import Tweets
from ...core.stores.embedded.overlay import SqliteOverlay
from .base import Base
from .turns import Turns

if TYPE_CHECKING:
    from ...core.entries import Entries


class WorldTweets:
    """`core.ports.Tweets`."""

    def __init__(self, base: Base, added: Tweets, overlay: SqliteOverlay, turns: Turns) -> None:
        self._base = base
        self._added = added
        self._overlay = overlay
        self._turns = turns

    async def put(self, tweets: Sequence[NewTweet]) -> list[PutOutcome]:
        standing = {at: retweet for at, new in enumerate(tweets) if (retweet := await self._standing(new))}
        if not standing:
            return await self._added.put(tweets)
        outcomes = iter(await self._added.put([new for at, new in enumerate(tweets) if at not in standing]))
        return [PutOutcome(PutStatus.REPEATED, standing[at]) if at in standing else next(outcomes) for at in range(len(tweets))]

    async def _standing(self, new: NewTweet) -> int:
        """The computed retweet that says the same; 0 for none."""
        tweet = new.tweet
        if not tweet.retweet_of or not 0 < tweet.author_id <= self._base.users:
            return 0
        return (await self.retweet_ids(tweet.author_id, (tweet.retweet_of,)))[0]

    async def repeated(self, key: IdempotencyKey, now_ms: int) -> PutOutcome | None:
        return await self._added.repeated(key, now_ms)

    async def get(self, tweet_ids: Sequence[int]) -> list[Tweet | None]:
        found = await self._added.get(tweet_ids)
        missing = [at for at, tweet in enumerate(found) if tweet is None and tweet_ids[at] > 0]
        if missing:
            computed = self._base.tweets([tweet_ids[at] for at in missing], self._turns.now_ms())
            for at, tweet in zip(missing, computed, strict=True):
                found[at] = tweet
        return found

    async def delete(self, tweet_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        ours = await self._added.get(tweet_ids)
        others = [tweet_id for tweet_id, tweet in zip(tweet_ids, ours, strict=True) if tweet is None]
        computed = [tweet for tweet in self._base.tweets(others, self._turns.now_ms()) if tweet is not None] if others else []
        return await self._overlay.bury(computed, tweet_ids, events)

    async def by_authors(self, authors: Sequence[int], *, before: int = 0, after: int = 0, limit: int) -> list[Entries]:
        lists = await self._added.by_authors(authors, before=before, after=after, limit=limit)
        places = [at for at, author in enumerate(authors) if 0 < author <= self._base.users]
        if not places:
            return lists
        people = [authors[at] for at in places]
        buried = self._overlay.buried(people)
        more = max(map(len, buried.values()), default=0)
        computed = self._base.tweets_of(people, before, after, limit + more, self._turns.now_ms())
        for at, author, entries in zip(places, people, computed, strict=True):
            lists[at] = _merged(lists[at], _without(entries, buried.get(author)), limit)
        return lists

    async def in_conversation(self, conversation_id: int, after: int, limit: int) -> list[Tweet]:
        return await self._added.in_conversation(conversation_id, after, limit)

    async def replies(self, tweet_id: int, after: int, limit: int) -> list[Tweet]:
        return await self._added.replies(tweet_id, after, limit)

    async def retweets(self, tweet_id: int, before: int, limit: int) -> list[Tweet]:
        count = self._base.tweet_counts((tweet_id,), self._turns.now_ms())[0].retweets
        if count:
            raise uncountable(f"{count:,} people of the population retweeted tweet {tweet_id}")
        return await self._added.retweets(tweet_id, before, limit)

    async def retweet_ids(self, user: int, originals: Sequence[int]) -> list[int]:
        found = await self._added.retweet_ids(user, originals)
        if originals and 0 < user <= self._base.users and not all(found):
            computed = self._base.retweets_by(user, originals, self._turns.now_ms())
            gone = set(self._overlay.buried((user,)).get(user, ()))
            found = [ours or (one if one not in gone else 0) for ours, one in zip(found, computed, strict=True)]
        return found


def uncountable(what: str) -> Unsupported:
    """The error for a list of people of whom only the number is computed."""
    meaning = "Their number is computed, who they are is not; what was done in this world is listed where nobody else is counted."
    return Unsupported(what, meaning=meaning, code="NOT_ENUMERABLE", try_="twit tweet ID shows the count")


def _without(entries: Entries, buried: Sequence[int] | None) -> Entries:
    return entries[~np.isin(entries[:, 0], buried)] if buried else entries


def _merged(ours: Entries, computed: Entries, limit: int) -> Entries:
    """The newest `limit` of two lists that are newest first and have no id in common."""
    if not len(ours) or not len(computed):
        return (ours if len(ours) else computed)[:limit]
    both = np.concatenate((ours, computed))
    return both[both[:, 0].argsort()[: -limit - 1 : -1]]
