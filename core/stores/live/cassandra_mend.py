"""Counts put right after a crash: whoever died between a write and its counting left the write's events in the outbox.

A sweep finds those rows and asks here. What is counted at the same moment would be counted twice, so a counter is changed only
where it lacked the same again and again; one that never rests is left to `twit ops audit --check counts --repair`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from ...events import Event, EventKind
from .cassandra_counts import COUNTED, Counts
from .cassandra_rows import tweets_of
from .cassandra_session import CassandraSession

LOOKS = 3  # that must agree
LOOKS_MAX = 6
BETWEEN_S = 0.2  # longer than a write and its counting take
TWEETS = frozenset((EventKind.TWEET_CREATED, EventKind.TWEET_DELETED))
LIKES = frozenset((EventKind.LIKED, EventKind.UNLIKED))

T = TypeVar("T")
log = logging.getLogger(__name__)


class Mending:
    """What a write's counting may have left undone, by the write's events."""

    def __init__(self, session: CassandraSession, counts: Counts) -> None:
        self._session = session
        self._counts = counts

    async def events(self, events: Iterable[Event]) -> None:
        """Count again whatever these events counted for. Again is harmless. Raises what the store raises."""
        liked, told, authors = set(), set(), set()
        for event in events:
            if event.kind in LIKES:
                liked.add(event.tweet)
            elif event.kind in TWEETS:
                told.add(event.tweet)
                authors.add(event.actor)
        tweets = (await tweets_of(self._session, sorted(told))).values() if told else ()
        counting = {of for tweet in tweets for of in (tweet.retweet_of, tweet.reply_to, tweet.quote_of) if of} | liked
        await self._rested(sorted(counting), (0,) * len(COUNTED), self._counts.lacking, self._counts.add)
        await self._rested(sorted(authors), 0, self._counts.lacking_authors, self._counts.add_authors)

    async def _rested(
        self, ids: Sequence[int], nothing: T, lacking: Callable[[Sequence[int]], Awaitable[list[T]]],
        add: Callable[[Sequence[tuple[int, T]]], Awaitable[None]],
    ) -> None:  # fmt: skip
        """Add what counters lack, each once so many looks in a row agree."""
        same: dict[int, tuple[T, int]] = {}
        for look in range(LOOKS_MAX):
            if not ids:
                return
            await asyncio.sleep(BETWEEN_S if look else 0)
            found = dict(zip(ids, await lacking(ids), strict=True))
            same = {one: (lack, same[one][1] + 1 if one in same and same[one][0] == lack else 1) for one, lack in found.items()}
            await add([(one, lack) for one, (lack, looks) in same.items() if looks == LOOKS])
            ids = [one for one in ids if same[one][1] < LOOKS and same[one][0] != nothing]
        if ids:
            log.warning("Cassandra: counts of %d tweets or authors never rest; twit ops audit --check counts", len(ids))
