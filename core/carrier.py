"""Carries the social graph's truth to where it is read (rule 4): follower lists, timelines of new and former followers, and
the word to fan-out when a follower count has crossed a threshold.

Every handler makes things agree with the truth as it is now, so an event handled twice, late, or after its undoing does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .caches import Caches
from .clock import Clock
from .consumer import Done
from .entries import AuthorMode, FanoutMode
from .events import Event, EventKind, LoggedEvent, Work
from .limits import Limits
from .model import Carried
from .partings import Partings
from .ports import Stores

if TYPE_CHECKING:
    from .entries import Entries

_EDGE_KINDS = frozenset((EventKind.FOLLOWED, EventKind.UNFOLLOWED))


class Carrier:
    """The handler of group "social"."""

    group = "social"

    def __init__(
        self, stores: Stores, limits: Limits, clock: Clock, caches: Caches, *, carried: Callable[[Iterable[int]], None]
    ) -> None:
        """`carried` is told whose follower lists moved."""
        self._tell = carried
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._caches = caches
        self._carried: dict[int, Carried] = {}
        self._unmerged: dict[int, dict[int, int]] = {}
        self._merged: list[tuple[int, int, int]] = []
        self._parted: dict[tuple[int, int], None] = {}  # follower and followee of this batch's ended follows
        self._partings = Partings(stores, limits, clock, caches)
        self._asked: dict[int, FanoutMode] = {}  # authors whose mode was asked for, and the mode they had then

    async def prepare(self, events: Sequence[LoggedEvent], _pending: dict[int, Work]) -> None:
        await self._caches.sync()
        self._carried.clear()
        self._unmerged.clear()
        self._merged.clear()
        self._parted.clear()
        edges = [logged for logged in events if logged.event.kind in _EDGE_KINDS]
        if edges:
            pairs = [(logged.event.actor, logged.event.target) for logged in edges]
            carried = await self._stores.graph.carry(pairs)
            self._tell(followee for _, followee in pairs)
            self._carried = dict(zip((logged.offset for logged in edges), carried, strict=True))
            followers = list({follower: None for follower, _ in pairs})
            followings = await self._stores.graph.following(followers)
            self._unmerged = {
                follower: dict(following.unmerged) for follower, following in zip(followers, followings, strict=True)
            }

    async def handle(self, logged: LoggedEvent, _done: Done) -> None:
        event = logged.event
        if event.kind is EventKind.FOLLOWED:
            await self._merge(event.actor, event.target)
            await self._watch(event.target, self._carried[logged.offset].followers)
        elif event.kind is EventKind.UNFOLLOWED:
            await self._partings.part(event.actor, event.target)
            self._parted[event.actor, event.target] = None
            await self._watch(event.target, self._carried[logged.offset].followers)
        elif event.kind is EventKind.BLOCKED:
            await self._part(event)

    async def serve(self, _work: Work, _done: Done) -> Work | None:
        """This group has no work in turns."""
        return None

    async def finish(self) -> None:
        if self._parted:
            # what fan-out has read of the lists before may still be on its way: it takes that out behind it
            at_ms, parted = self._clock.now_ms(), list(self._parted)
            await self._stores.log.append([
                Event(kind=EventKind.PARTED, key=author, actor=author, target=follower, at_ms=at_ms) for follower, author in parted
            ])
            self._parted.clear()
        if self._merged:
            await self._stores.graph.mark_merged(self._merged)
            self._caches.drop_viewers({follower: None for follower, _, _ in self._merged})
            self._merged.clear()

    async def _merge(self, follower: int, followee: int) -> None:
        """Push the newest tweets of a new followee into the follower's row. His follow has reached the followee's list
        before, so whatever is tweeted from here on is pushed to him."""
        sequence = self._unmerged[follower].get(followee)
        if sequence is None:
            return
        modes = await self._caches.pulled()
        if followee not in modes or modes[followee].mode is not FanoutMode.PULL:
            limit = self._limits.merge_on_follow_max
            entries = (await self._stores.tweets.by_authors((followee,), limit=limit + 1))[0]
            floor = int(entries[limit - 1, 0]) if len(entries) > limit else 0
            if len(entries):
                newest = await self._with_parents(follower, entries[:limit], modes)
                await self._stores.timelines.push(newest, np.array((follower,), np.int64), self._clock.now_ms(), floor)
        # a row rebuilt before he was in the list may hold what was deleted before he was in the list
        await self._partings.take_out(follower, lambda tweet: tweet.deleted)
        self._merged.append((follower, followee, sequence))

    async def _with_parents(self, follower: int, entries: Entries, modes: Mapping[int, AuthorMode]) -> Entries:
        """Add the parents of replies that the follower is to see (rule 5): their own fan-out may still be under way."""
        circle = (await self._caches.viewer(follower)).circle
        parents = {
            tweet.reply_to: None
            for tweet in await self._caches.tweets(entries[:, 0].tolist())
            if tweet is not None and tweet.reply_to and tweet.reply_to_author != tweet.author_id
            and tweet.reply_to_author in circle and tweet.reply_to_author not in modes
        }  # fmt: skip
        standing = [t for t in await self._caches.tweets(list(parents)) if t is not None and not t.deleted]
        if standing:
            more = np.array([(tweet.tweet_id, tweet.retweet_of) for tweet in standing], np.int64)
            entries = np.concatenate((entries, more))
            entries = entries[np.argsort(entries[:, 0])[::-1]]
        return np.ascontiguousarray(entries)

    async def _part(self, event: Event) -> None:
        """End the follows of a blocked pair, where a crash kept the command from it."""
        blocks = (await self._stores.relations.blocks((event.actor,)))[0]
        if event.target not in blocks.blocked:
            return
        pairs = ((event.actor, event.target), (event.target, event.actor))
        now_ms = self._clock.now_ms()
        events = [
            (Event(kind=EventKind.UNFOLLOWED, key=follower, actor=follower, target=followee, at_ms=now_ms),)
            for follower, followee in pairs
        ]
        await self._stores.graph.unfollow(pairs, events)

    async def _watch(self, author: int, followers: int) -> None:
        """Ask fan-out to decide where the count and the author's mode do not go together any more."""
        modes = await self._caches.pulled()
        mode = modes[author].mode if author in modes else FanoutMode.PUSH
        rises = followers > self._limits.celebrity_followers_min and mode is not FanoutMode.PULL
        falls = followers < self._limits.celebrity_followers_exit and mode is FanoutMode.PULL
        if not (rises or falls):
            self._asked.pop(author, None)
        elif self._asked.get(author) is not mode:
            event = Event(kind=EventKind.MODE_CHECK, key=author, actor=author, at_ms=self._clock.now_ms())
            await self._stores.log.append((event,))
            self._asked[author] = mode
