"""Deleting for ever: accounts that stayed deactivated longer than the grace lose their tweets, likes, follows and profile.

The name stays taken. The account is marked deleted last, so that whatever interrupts the work, doing it again finishes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from . import follow_requests
from .clock import Clock
from .events import Event, EventKind
from .limits import Limits
from .model import AccountStatus, Relation, User
from .ports import Stores

ACCOUNTS_AT_ONCE = 100


async def delete_expired(stores: Stores, limits: Limits, clock: Clock) -> int:
    """Delete every account whose grace has passed; returns how many."""
    deleted = 0
    while users := await stores.accounts.deactivated(clock.now_ms() - limits.deactivation_grace_ms, ACCOUNTS_AT_ONCE):
        for user in users:
            await _Departure(stores, limits, clock, user).run()
            deleted += 1
    return deleted


class _Departure:
    """One account's, step by step in batches."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, user: User) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._user = user
        self._id = user.user_id

    async def run(self) -> None:
        await self._tweets()
        await self._likes()
        await self._follows()
        await self._relations()
        user = msgspec.structs.replace(
            self._user, display_name="", email="", bio="", profile_image="", banner_image="", location="", website="",
            is_verified=False, status=AccountStatus.DELETED,
        )  # fmt: skip
        await self._stores.accounts.update(user, (self._event(EventKind.ACCOUNT_DELETED, self._id),), password_hash="")
        await self._stores.timelines.drop((self._id,))

    async def _tweets(self) -> None:
        while True:
            (entries,) = await self._stores.tweets.by_authors((self._id,), limit=self._limits.event_batch)
            ids = [int(tweet_id) for tweet_id in entries[:, 0]]
            refs = [int(ref) for ref in entries[:, 1]]
            events = [
                (self._event(EventKind.TWEET_DELETED, self._id, tweet=tweet_id, ref=ref),)
                for tweet_id, ref in zip(ids, refs, strict=True)
            ]
            if not ids or not any(await self._stores.tweets.delete(ids, events)):
                return

    async def _likes(self) -> None:
        while True:
            ids, _ = await self._stores.engagement.recent_likes(self._id, self._limits.event_batch)
            pairs = [(self._id, tweet_id) for tweet_id in ids]
            events = [(self._event(EventKind.UNLIKED, tweet_id, tweet=tweet_id),) for tweet_id in ids]
            if not pairs or not any(await self._stores.engagement.unlike(pairs, events)):
                return

    async def _follows(self) -> None:
        (following,) = await self._stores.graph.following((self._id,))
        await self._unfollow([(self._id, followee) for followee in following.followees])
        cursor = 0
        while True:
            followers, cursor = await self._stores.graph.followers(self._id, cursor, self._limits.fanout_batch)
            await self._unfollow([(int(follower), self._id) for follower in followers])
            if not cursor:
                return

    async def _unfollow(self, pairs: Sequence[tuple[int, int]]) -> None:
        if pairs:
            at_ms = self._clock.now_ms()
            events = [
                (Event(kind=EventKind.UNFOLLOWED, key=follower, actor=follower, target=followee, at_ms=at_ms),)
                for follower, followee in pairs
            ]
            await self._stores.graph.unfollow(pairs, events)

    async def _relations(self) -> None:
        """Requests to the account, and whom it blocks or mutes. Others' blocks of it are theirs to keep."""
        while requests := await self._stores.relations.requests_page(self._id, 0, self._limits.event_batch):
            if not any(await follow_requests.close(self._stores, requests, self._clock.now_ms())):
                break
        for kind, lifted in ((Relation.BLOCK, EventKind.UNBLOCKED), (Relation.MUTE, EventKind.UNMUTED)):
            while edges := await self._stores.relations.related_page(kind, self._id, 0, self._limits.event_batch):
                for edge in edges:
                    event = self._event(lifted, self._id, target=edge.user_id)
                    await self._stores.relations.unrelate(kind, self._id, edge.user_id, (event,))

    def _event(self, kind: EventKind, key: int, *, tweet: int = 0, target: int = 0, ref: int = 0) -> Event:
        return Event(kind=kind, key=key, actor=self._id, tweet=tweet, target=target, ref=ref, at_ms=self._clock.now_ms())
