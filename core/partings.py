"""Takes tweets out of one reader's cached timeline: what carrier and fan-out do when somebody has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .caches import Caches
from .clock import Clock
from .entries import RowState
from .limits import Limits
from .model import Tweet
from .ports import Stores

if TYPE_CHECKING:
    from .entries import Ids


class Partings:
    """Over one world's stores."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, caches: Caches) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._caches = caches

    async def part(self, follower: int, followee: int) -> None:
        """Take a former followee's tweets out of the row, unless the follow stands again.

        Where it came to stand again meanwhile, what its merge pushed may be gone too: then the row is dropped, to be built
        when it is read.
        """
        if await self._follows(follower, followee):
            return
        await self.take_out(follower, lambda tweet: tweet.author_id == followee)
        if await self._follows(follower, followee):
            await self._stores.timelines.drop((follower,))

    async def take_out(self, reader: int, unwanted: Callable[[Tweet], bool]) -> None:
        """Take out every entry whose tweet is `unwanted`."""
        row = await self._stores.timelines.read(reader, 0, self._limits.timeline_entries_max, self._clock.now_ms())
        if row.state is RowState.ABSENT:
            return
        ids: list[int] = row.entries[:, 0].tolist()
        out = [tweet.tweet_id for tweet in await self._caches.tweets(ids) if tweet is not None and unwanted(tweet)]
        readers: Ids = np.array((reader,), np.int64)
        # even with none found: a rebuild under way must not bring them back
        await self._stores.timelines.remove(out or (0,), readers)

    async def _follows(self, follower: int, followee: int) -> bool:
        return (await self._stores.graph.is_following(((follower, followee),)))[0]
