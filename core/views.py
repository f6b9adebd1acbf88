"""Dresses tweets for one viewer: authors, counts, his likes and retweets, what they retweet and quote.

A retweet shows its original with the original's quote; a quoted tweet shows no quote of its own. One call a kind of store
for the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from .caches import Caches
from .limits import Limits
from .model import Tweet, TweetCounts
from .ports import Stores
from .shown import TweetView, Unavailable
from .sight import Sight
from .visibility import Viewer


class _Marks(msgspec.Struct, frozen=True):
    """What originals carry for one viewer, and which tweets he may see."""

    seen: set[int]
    counts: dict[int, TweetCounts]
    liked: set[int]
    retweeted: set[int]


class Views:
    """Reads through the caches; keeps nothing."""

    def __init__(self, stores: Stores, caches: Caches, limits: Limits) -> None:
        self._stores = stores
        self._caches = caches
        self._limits = limits

    async def dress(self, viewer: int, tweets: Sequence[Tweet]) -> list[TweetView | Unavailable]:
        """Return each as this viewer sees it, `Unavailable` where he may not."""
        await self._caches.sync()
        sight = Sight(self._caches, await self._caches.viewer(viewer))
        inner = await self._load(sight, tweets)
        shown = [tweet for tweet in (*tweets, *inner) if sight.loaded(tweet)]
        marks = await self._marks(sight.viewer, shown)
        return [_dressed(sight, marks, tweet.tweet_id, tweet, depth=0) for tweet in tweets]

    async def _load(self, sight: Sight, tweets: Sequence[Tweet]) -> list[Tweet]:
        """Bring in what these retweet and quote, and the quotes of what they retweet; returns those."""
        await sight.load(tweets)
        originals = _found(sight, (tweet.retweet_of for tweet in tweets))
        quote_ids = [tweet.quote_of for tweet in (*tweets, *originals) if tweet.quote_of]
        await sight.fetch(quote_ids)
        quotes = _found(sight, quote_ids)
        await sight.load((*originals, *quotes))
        return [*originals, *quotes]

    async def _marks(self, viewer: Viewer, shown: Sequence[Tweet]) -> _Marks:
        ids = list({tweet.retweet_of or tweet.tweet_id: None for tweet in shown})
        counts = dict(zip(ids, await self._caches.counts(ids), strict=True))
        liked = {tweet_id for tweet_id in ids if tweet_id in viewer.liked}
        retweeted = {tweet_id for tweet_id in ids if tweet_id in viewer.retweeted}
        if not viewer.liked_whole:
            unsure = [tweet_id for tweet_id in ids if tweet_id not in liked]
            answers = await self._stores.engagement.liked(viewer.user_id, unsure)
            liked.update(tweet_id for tweet_id, likes in zip(unsure, answers, strict=True) if likes)
        older = [tweet_id for tweet_id in ids if tweet_id < viewer.retweeted_from and tweet_id not in retweeted]
        if older:
            own_ids = await self._stores.tweets.retweet_ids(viewer.user_id, older)
            retweeted.update(tweet_id for tweet_id, own_id in zip(older, own_ids, strict=True) if own_id)
        return _Marks({tweet.tweet_id for tweet in shown}, counts, liked, retweeted)


def _found(sight: Sight, ids: Iterable[int]) -> list[Tweet]:
    return [tweet for tweet_id in dict.fromkeys(ids) if (tweet := sight.tweets.get(tweet_id)) is not None]


def _dressed(sight: Sight, marks: _Marks, tweet_id: int, tweet: Tweet | None, *, depth: int) -> TweetView | Unavailable:
    author = sight.users.get(tweet.author_id) if tweet is not None else None
    if tweet is None or author is None or tweet_id not in marks.seen:
        return Unavailable(tweet_id)
    original = tweet.retweet_of or tweet_id
    retweeted = _inner(sight, marks, tweet.retweet_of, depth=depth) if tweet.retweet_of else None
    quoted = _inner(sight, marks, tweet.quote_of, depth=depth + 1) if tweet.quote_of and depth == 0 else None
    return TweetView(
        tweet=tweet,
        author=author,
        counts=marks.counts[original],
        liked=original in marks.liked,
        retweeted=original in marks.retweeted,
        retweet_of=retweeted,
        quote=quoted,
    )


def _inner(sight: Sight, marks: _Marks, tweet_id: int, *, depth: int) -> TweetView | Unavailable:
    return _dressed(sight, marks, tweet_id, sight.tweets.get(tweet_id), depth=depth)
