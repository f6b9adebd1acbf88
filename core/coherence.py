"""Follows the event log and takes out of the process caches what each event made untrue.

One follower at a time; a reader that arrives meanwhile waits for it. A follower that finds itself too far behind forgets
everything instead. Nothing here reads what it drops again: the next question does.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from .clock import Clock
from .events import Event, EventKind, LoggedEvent
from .limits import Limits
from .model import Tweet
from .ports import EventLog
from .viewers import pulled_of

if TYPE_CHECKING:
    from .caches import Caches

BEHIND_MAX = 10_000  # events; beyond it reading them costs more than filling the caches again
READ_AT_ONCE = 1_024

TWEET_KINDS = frozenset((EventKind.TWEET_CREATED, EventKind.TWEET_DELETED))
USER_KINDS = frozenset((  # after these the account under `key` is other than it was
    EventKind.PROFILE_CHANGED, EventKind.PRIVACY_CHANGED, EventKind.DEACTIVATED, EventKind.REACTIVATED, EventKind.ACCOUNT_DELETED,
))  # fmt: skip


class Coherence:
    """The process's own place in the log, starting at its tail."""

    def __init__(self, log: EventLog, limits: Limits, clock: Clock, caches: Caches) -> None:
        self._log = log
        self._stale_after_us = limits.event_retention_ms * 1_000 // 2
        self._newest_kept = limits.celebrity_list_entries
        self._clock = clock
        self._caches = caches
        self._lock = asyncio.Lock()
        self._subscribers: list[Callable[[LoggedEvent], None]] = []
        self._on_reset: list[Callable[[], None]] = []
        self._followed_us = clock.monotonic_us()
        self._turn = log.turn()
        self._on: dict[EventKind, Callable[[Event, Tweet | None], None]] = {
            EventKind.TWEET_CREATED: self._created, EventKind.TWEET_DELETED: self._deleted,
            EventKind.LIKED: self._liked, EventKind.UNLIKED: self._liked,
            EventKind.FOLLOWED: self._actors_view, EventKind.UNFOLLOWED: self._actors_view,
            EventKind.MUTED: self._actors_view, EventKind.UNMUTED: self._actors_view,
            EventKind.BLOCKED: self._both_views, EventKind.UNBLOCKED: self._both_views,
            **dict.fromkeys(USER_KINDS, self._user),
        }  # fmt: skip  # of other kinds nothing is kept
        self.position = -1  # not started
        self.moment = 0

    def subscribe(self, callback: Callable[[LoggedEvent], None], on_reset: Callable[[], None] | None) -> None:
        self._subscribers.append(callback)
        if on_reset is not None:
            self._on_reset.append(on_reset)

    def behind(self) -> bool:
        """Whether there is something to follow: the position moves only when everything is applied."""
        return self.position < 0 or self._log.turn() != self._turn or self._log.moved(self.position)

    async def follow(self) -> None:
        """Come up to the log's end as it was when this was called."""
        async with self._lock:
            if self.position < 0:
                await self._jump()
            elif self._clock.monotonic_us() - self._followed_us > self._stale_after_us:
                await self._jump()  # events may have been dropped from the log meanwhile
            elif self._log.turn() != self._turn:
                self._forget(self._caches.pass_turn)
            while self._log.moved(self.position):
                started = self._clock.monotonic_us()
                events = await self._log.read(self.position, READ_AT_ONCE)
                if len(events) == READ_AT_ONCE and await self._log.tail() - self.position > BEHIND_MAX:
                    await self._jump()
                    continue
                await self._apply(events)
                self._followed_us = started
                if len(events) < READ_AT_ONCE:
                    break

    async def _jump(self) -> None:
        """Forget everything and go on from the tail."""
        self.position = await self._log.tail()
        self._followed_us = self._clock.monotonic_us()
        self._forget(self._caches.clear)

    def _forget(self, clear: Callable[[], None]) -> None:
        self._turn = self._log.turn()
        self.moment += 1
        clear()
        for reset in self._on_reset:
            reset()

    async def _apply(self, events: list[LoggedEvent]) -> None:
        if not events:
            return
        caches = self._caches
        tweets = await self._tweets_of(events)
        modes = None
        if any(logged.event.kind is EventKind.MODE_CHANGED for logged in events):
            caches.pulled_modes = None
            modes = await caches.pulled()
        # from here to the end nothing waits: no reader sees half of this
        for logged in events:
            apply = self._on.get(logged.event.kind)
            if apply is not None:
                apply(logged.event, tweets.get(logged.event.tweet))
        if modes is not None:
            caches.pulled_modes = modes
            for viewer in caches.viewer_cache.values():
                pulled = tuple(author for author in pulled_of(viewer.circle, modes) if author != viewer.user_id)
                if pulled != viewer.pulled:
                    caches.viewer_cache.replace(viewer.user_id, msgspec.structs.replace(viewer, pulled=pulled))
        self.position = events[-1].offset
        self.moment += 1
        for callback in self._subscribers:
            for logged in events:
                callback(logged)

    async def _tweets_of(self, events: list[LoggedEvent]) -> dict[int, Tweet]:
        """The tweets that were made or deleted: whose replies and quotes they are moves counts."""
        ids = [logged.event.tweet for logged in events if logged.event.kind in TWEET_KINDS]
        if not ids or not len(self._caches.count_cache):
            return {}
        return {tweet.tweet_id: tweet for tweet in await self._caches.tweets(ids) if tweet is not None}

    def _liked(self, event: Event, _tweet: Tweet | None) -> None:
        """A like that came or went."""
        self._caches.count_cache.drop(event.tweet)
        viewer = self._caches.viewer_cache.peek(event.actor)
        if viewer is not None:
            (viewer.liked.add if event.kind is EventKind.LIKED else viewer.liked.discard)(event.tweet)

    def _created(self, event: Event, tweet: Tweet | None) -> None:
        caches = self._caches
        newest = caches.newest_cache.peek(event.actor)
        if newest is not None and event.tweet >= newest.back_to and event.tweet not in newest.ids:
            insort(newest.ids, event.tweet, key=lambda tweet_id: -tweet_id)
            if len(newest.ids) > 2 * self._newest_kept:
                del newest.ids[self._newest_kept :]
                newest.back_to = newest.ids[-1]
        self._moved_counts(event, tweet)
        if event.ref:
            viewer = caches.viewer_cache.peek(event.actor)
            if viewer is not None:
                viewer.retweeted.add(event.ref)

    def _deleted(self, event: Event, tweet: Tweet | None) -> None:
        caches = self._caches
        newest = caches.newest_cache.peek(event.actor)
        if newest is not None and event.tweet in newest.ids:
            newest.ids.remove(event.tweet)
        self._moved_counts(event, tweet)
        caches.drop_tweet(event.tweet)
        if event.ref:
            viewer = caches.viewer_cache.peek(event.actor)
            if viewer is not None:
                viewer.retweeted.discard(event.ref)

    def _moved_counts(self, event: Event, tweet: Tweet | None) -> None:
        """Counts of what was retweeted, answered or quoted are read again."""
        drop = self._caches.count_cache.drop
        if event.ref:
            drop(event.ref)
        if tweet is not None:
            drop(tweet.reply_to)
            drop(tweet.quote_of)

    def _actors_view(self, event: Event, _tweet: Tweet | None) -> None:
        """What the one who acts follows, or is spared."""
        self._caches.drop_viewers((event.actor,))

    def _both_views(self, event: Event, _tweet: Tweet | None) -> None:
        """What stands between two people."""
        self._caches.drop_viewers((event.actor, event.target))

    def _user(self, event: Event, _tweet: Tweet | None) -> None:
        """Who somebody is, or whether he is there."""
        self._caches.drop_user(event.key)
