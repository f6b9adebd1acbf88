"""What is still on its way: tweets and users named by events and work that the consumers have not finished, and what is parked.

A difference that this explains is late, not wrong. Reads only, and is bounded: past `EVENTS_MAX` everything counts as pending.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..core.ports import Stores

EVENTS_MAX = 100_000
READ_AT_ONCE = 1_024


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """`tweets` and `users` named by what is unfinished. `parked` are tweets whose event was put out of the way."""

    tweets: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()
    parked: frozenset[int] = frozenset()
    too_many: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is."""
        return self.too_many or bool(self.tweets or self.users)

    def explains(self, tweet: int, author: int, reader: int) -> bool:
        """Whether an entry may be missing, or still there, only because it is not this one's turn yet."""
        return self.too_many or tweet in self.tweets or author in self.users or reader in self.users


async def pending(stores: Stores, groups: Sequence[str]) -> Pending:
    """Read what is unfinished now, of all groups."""
    tweets: set[int] = set()
    users: set[int] = set()
    await stores.log.caught_up()
    lanes = [lane for group in groups for lane in stores.lanes(group)]
    logs = {id(lane.log): lane.log for lane in lanes}  # several lanes may go through one log: it is read once
    seen = 0
    for key, log in logs.items():
        after = min([await log.offset(lane.name) for lane in lanes if id(lane.log) == key])
        while batch := await log.read(after, READ_AT_ONCE):
            after, seen = batch[-1].offset, seen + len(batch)
            if seen > EVENTS_MAX:
                return Pending(too_many=True)
            for logged in batch:
                event = logged.event
                if event.tweet:
                    tweets.add(event.tweet)
                else:
                    users.update((event.key, event.actor, event.target))
    for lane in lanes:
        for work in await lane.work.pending(lane.name):
            if work.tweet:
                tweets.add(work.tweet)
            else:
                users.add(work.author)
    parked = {one.logged.event.tweet for one in await stores.work.parked(None, 0, READ_AT_ONCE)}
    return Pending(tweets=frozenset(tweets), users=frozenset(users - {0}), parked=frozenset(parked - {0}))
