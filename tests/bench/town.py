"""Worlds for the figures of fan-out, rebuild and import: real embedded stores, the database on a disk and the ring in memory,
where a disk does not have to keep up with it; many readers with full rows, and authors whom they follow."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twit.core import wiring
from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.events import Event, EventKind
from twit.core.ids import LEASED_NODES, TweetIds
from twit.core.limits import Limits
from twit.core.model import NewAccount, NewFollow, NewTweet, Tweet
from twit.core.offload import InlineOffload
from twit.core.service import Twit
from twit.core.stores.embedded import open_stores
from twit.core.stores.embedded.followers import Last, add
from twit.core.stores.embedded.ring import RingTimelines

from .ring_reference import SHARED, fill

if TYPE_CHECKING:
    from twit.core.entries import Ids

BATCH = 10_000


class Town:
    """An open world; `posts` makes dated tweets with rising ids."""

    def __init__(self, twit: Twit) -> None:
        self.twit = twit
        self.clock = SystemClock()
        self._ids = TweetIds(self.clock, LEASED_NODES)

    @property
    def ring(self) -> RingTimelines:
        return self.twit.stores.timelines  # type: ignore[return-value]

    async def people(self, count: int) -> None:
        """Accounts 1 to `count` of a new world."""
        now = self.clock.now_ms()
        for first in range(1, count + 1, BATCH):
            await self.twit.stores.accounts.create([
                NewAccount(username=f"u{n}", email="", password_hash="", display_name=f"u{n}", created_ms=now)
                for n in range(first, min(first + BATCH, count + 1))
            ])

    async def followed(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Merged and carried follows (follower, followee), without events."""
        graph = self.twit.stores.graph
        for start in range(0, len(pairs), BATCH):
            some = pairs[start : start + BATCH]
            await graph.follow([NewFollow(follower=a, followee=b, merged=True, created_ms=1) for a, b in some], 5_000)
            await graph.carry(some)

    async def crowds(self, lists: Mapping[int, Ids]) -> None:
        """Follower lists alone, author → followers: all that fan-out asks for, without the edges that take longest to store."""
        db = self.twit.stores.graph._db  # type: ignore[attr-defined]
        size = db.limits.follower_chunk

        def write(conn: sqlite3.Connection) -> None:
            for author, followers in lists.items():
                add(conn, author, Last(), followers, size)

        await db.writer.run(write, long=True)

    def posts(self, authors: Sequence[int]) -> list[NewTweet]:
        """A new tweet of each, in this order."""
        now, made = self.clock.now_ms(), []
        for author in authors:
            tweet_id = self._ids.next()
            event = Event(kind=EventKind.TWEET_CREATED, key=author, actor=author, tweet=tweet_id, at_ms=now)
            tweet = Tweet(tweet_id=tweet_id, author_id=author, text="What is to be said is said.", created_ms=now, conversation_id=tweet_id)
            made.append(NewTweet(tweet=tweet, events=(event,)))
        return made


@asynccontextmanager
async def town(*, rows: int = 0, limits: Limits | None = None) -> AsyncIterator[Town]:
    """A world with full rows of the readers 1 to `rows`; thrown away afterwards."""
    bounds = limits or Limits()
    data = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    ring = Path(tempfile.mkdtemp(prefix="twit-bench-", dir=SHARED if SHARED.is_dir() else None))
    try:
        stores = open_stores(data, bounds, SystemClock(), ring_folder=ring)
        twit = await wiring.build(
            stores, limits=bounds, clock=SystemClock(), chance=random.Random(1), entropy=SystemEntropy(), offload=InlineOffload()
        )
        if rows:
            await fill(stores.timelines, rows, bounds, SystemClock().now_ms())
        try:
            yield Town(twit)
        finally:
            await stores.health.close()
    finally:
        shutil.rmtree(data)
        shutil.rmtree(ring)
