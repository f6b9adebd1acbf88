"""Who follows whom in the world: the computed edges but those that ended here, and the edges made here.

An edge that ended here and was made again is an edge of ours from then on. Computed followers come before ours in every list,
as the older ones: computed places are cursors below `FIRST_SEQUENCE`, the overlay's are above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...core.events import Event
from ...core.model import Carried, Edge, Following, FollowOutcome, NewFollow
from ...core.ports import SocialGraph
from ...core.stores.embedded.graph import WITHOUT_RETWEETS
from ...core.stores.embedded.overlay import ENDED, FIRST_SEQUENCE, SqliteOverlay
from .base import Base

if TYPE_CHECKING:
    from ...core.entries import Ids

NOBODY = np.empty(0, np.int64)


class WorldGraph:
    """`core.ports.SocialGraph`."""

    def __init__(self, base: Base, added: SocialGraph, overlay: SqliteOverlay, learn: Callable[[Sequence[int]], None]) -> None:
        """`learn` is told whom somebody follows: how they travel is asked next, one by one."""
        self._learn = learn
        self._base = base
        self._added = added
        self._overlay = overlay

    async def follow(self, follows: Sequence[NewFollow], following_max: int) -> list[FollowOutcome]:
        if all(follow.follower > self._base.users for follow in follows):
            return await self._added.follow(follows, following_max)
        lists = {follower: self._computed(follower) for follower in {follow.follower: None for follow in follows}}
        room = [following_max - len(lists[follow.follower]) for follow in follows]
        sequences = [_place(lists[follow.follower], follow.followee) for follow in follows]
        return await self._overlay.follow(follows, room, sequences)

    async def unfollow(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        return await self._overlay.unfollow(pairs, events, self._edges(pairs))

    async def following(self, users: Sequence[int]) -> list[Following]:
        added = await self._added.following(users)
        found = [self._together(user, ours) if user <= self._base.users else ours for user, ours in zip(users, added, strict=True)]
        if len(found) == 1:  # of many at once, as in a fan-out, few followees are ever looked at
            self._learn(found[0].followees)
        return found

    async def is_following(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        stands = await self._added.is_following(pairs)
        computed, flags = self._base.follows(pairs), self._overlay.flags(pairs)
        return [ours or (one and not flag & ENDED) for ours, one, flag in zip(stands, computed, flags, strict=True)]

    async def following_page(self, user: int, before: int, limit: int) -> list[Edge]:
        page: list[Edge] = []
        if before == 0 or before > FIRST_SEQUENCE:
            page = await self._added.following_page(user, before, limit)
        computed, changed = self._computed(user), self._overlay.changed_following(user)
        top = len(computed) if before == 0 else min(before - 1, len(computed))
        for place in range(top - 1, -1, -1):
            if len(page) == limit:
                break
            followee = int(computed[place])
            if not changed.get(followee, 0) & ENDED:
                page.append(Edge(followee, place + 1))
        return page

    async def followers_page(self, user: int, before: int, limit: int) -> list[Edge]:
        page: list[Edge] = []
        if before == 0 or before > FIRST_SEQUENCE:
            ours = await self._added.followers_page(user, max(0, before - FIRST_SEQUENCE), limit)
            page = [Edge(edge.user_id, FIRST_SEQUENCE + edge.sequence) for edge in ours]
        left, places = self._left(user), self._places(user)
        top = places if before == 0 else min(before - 1, places)
        while top > 0 and len(page) < limit:
            start = max(0, top - limit)
            found = enumerate(self._base.followers(user, start, top - start).tolist(), start + 1)
            page += [Edge(follower, place) for place, follower in reversed(list(found)) if follower not in left]
            top = start
        return page[:limit]

    async def followers(self, user: int, after: int, limit: int) -> tuple[Ids, int]:
        parts: list[Ids] = []
        places = self._places(user)
        if after < FIRST_SEQUENCE:
            left = self._left(user)
            while after < places and limit > 0:
                ids = self._base.followers(user, after, limit)
                after = min(after + limit, places)
                if left:
                    ids = ids[~np.isin(ids, list(left))]
                parts.append(ids)
                limit -= len(ids)
            if after < places:
                return _joined(parts), after
            after = FIRST_SEQUENCE
            if limit <= 0:
                ids, _ = await self._added.followers(user, 0, 1)
                return _joined(parts), FIRST_SEQUENCE if len(ids) else 0
        ids, cursor = await self._added.followers(user, after - FIRST_SEQUENCE, limit)
        return _joined([*parts, ids]), FIRST_SEQUENCE + cursor if cursor else 0

    async def followers_first(self, users: Sequence[int], limit: int) -> list[tuple[Ids, int]]:
        return [await self.followers(user, 0, limit) for user in users]

    async def carry(self, pairs: Sequence[tuple[int, int]]) -> list[Carried]:
        computed = self._edges(pairs)
        carried = await (self._overlay.carry(pairs, computed) if any(computed) else self._added.carry(pairs))
        places = self._base_places([followee for _, followee in pairs])
        return [
            msgspec.structs.replace(one, followers=one.followers + more) if more else one
            for one, more in zip(carried, places, strict=True)
        ]

    async def mark_merged(self, edges: Sequence[tuple[int, int, int]]) -> None:
        await self._added.mark_merged(edges)

    def _together(self, user: int, ours: Following) -> Following:
        changed = self._overlay.changed_following(user)
        computed: list[int] = self._computed(user).tolist()
        if changed:
            computed = [one for one in computed if not changed.get(one, 0) & ENDED]
        elif ours == Following():
            return Following(tuple(computed))
        silent = frozenset(one for one, flags in changed.items() if flags & WITHOUT_RETWEETS)
        return Following((*computed, *ours.followees), ours.without_retweets | silent, ours.unmerged)

    def _computed(self, user: int) -> Ids:
        """Whom a person follows by computation."""
        return self._base.following(user) if 0 < user <= self._base.users else NOBODY

    def _edges(self, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """1 for each edge that is computed, 0 for the others."""
        return [int(one) for one in self._base.follows(pairs)]

    def _places(self, user: int) -> int:
        return self._base_places((user,))[0]

    def _base_places(self, users: Sequence[int]) -> list[int]:
        """Places in each one's computed follower list; 0 for people who are not computed."""
        computed = [user for user in users if 0 < user <= self._base.users]
        found = dict(zip(computed, self._base.places(computed).tolist(), strict=True)) if computed else {}
        return [found.get(user, 0) for user in users]

    def _left(self, user: int) -> set[int]:
        return self._overlay.left(user) if 0 < user <= self._base.users else set()


def _place(computed: Ids, followee: int) -> int:
    """The place of a followee in a computed list, from 1; 0 where he is not in it."""
    at = np.flatnonzero(computed == followee)
    return int(at[0]) + 1 if len(at) else 0


def _joined(parts: Sequence[Ids]) -> Ids:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else NOBODY
