"""Likes and counts of the world: what the population gave a tweet by now is a number; what was given here are rows."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.events import Event
from ...core.model import Edge, TweetCounts
from ...core.ports import Engagement
from ...core.stores.embedded.overlay import SqliteOverlay
from .base import Base
from .turns import Turns
from .tweets import uncountable


class WorldEngagement:
    """`core.ports.Engagement`."""

    def __init__(self, base: Base, added: Engagement, overlay: SqliteOverlay, turns: Turns) -> None:
        self._base = base
        self._added = added
        self._overlay = overlay
        self._turns = turns

    async def like(self, pairs: Sequence[tuple[int, int]], at_ms: int, events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._added.like(pairs, at_ms, events)

    async def unlike(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._added.unlike(pairs, events)

    async def likers_page(self, tweet_id: int, before: int, limit: int) -> list[Edge]:
        count = self._base.tweet_counts((tweet_id,), self._turns.now_ms())[0].likes
        if count:
            raise uncountable(f"{count:,} people of the population like tweet {tweet_id}")
        return await self._added.likers_page(tweet_id, before, limit)

    async def liked(self, user: int, tweet_ids: Sequence[int]) -> list[bool]:
        return await self._added.liked(user, tweet_ids)

    async def recent_likes(self, user: int, limit: int) -> tuple[list[int], bool]:
        return await self._added.recent_likes(user, limit)

    async def counts(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        return self._together(tweet_ids, await self._added.counts(tweet_ids))

    async def recount(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        await self._added.recount(tweet_ids)
        await self._overlay.uncount_buried(tweet_ids)
        return await self.counts(tweet_ids)

    def _together(self, tweet_ids: Sequence[int], ours: Sequence[TweetCounts]) -> list[TweetCounts]:
        computed = self._base.tweet_counts(tweet_ids, self._turns.now_ms())
        return [
            TweetCounts(a.likes + b.likes, a.retweets + b.retweets, a.replies + b.replies, a.quotes + b.quotes)
            for a, b in zip(ours, computed, strict=True)
        ]
