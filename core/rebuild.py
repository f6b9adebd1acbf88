"""What a cached home timeline should hold, from the stores of truth (rules 3, 11, 12): for rebuilds, procedures and audits.

It keeps authors' newest entries between calls and drops an author's when the log says that his list moved, so a caller that
marks or begins rows *first* and asks then misses nothing. It never reads or writes a cached timeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .caches import Caches
from .limits import Limits
from .merging import Merger
from .model import AuthorMode, EventKind, FanoutMode, LoggedEvent
from .ports import Stores
from .recent import Recent

if TYPE_CHECKING:
    from .model import Entries

AUTHORS_AT_ONCE = 1_024  # lists read in one store call
_MOVES = frozenset((EventKind.TWEET_CREATED, EventKind.TWEET_DELETED))


class Truth:
    """Authors' newest entries, and timelines put together from them."""

    def __init__(self, stores: Stores, limits: Limits, caches: Caches) -> None:
        self._stores = stores
        self._limits = limits
        self._caches = caches
        self._authors: Recent[int, Entries] = Recent(limits.cached_viewers_max)
        caches.subscribe(self._apply, self._authors.clear)

    async def truth(self, readers: Sequence[int]) -> list[tuple[Entries, int]]:
        """For each reader what a complete row holds, (n, 2) newest first, n <= `timeline_entries_max`, and the id down to
        which it is complete (0: the beginning). Pulled authors are left to the read."""
        return list(await self.truths(readers))

    async def truths(self, readers: Sequence[int]) -> Iterator[tuple[Entries, int]]:
        """The same: all is read at once, and each put together when it is asked for."""
        await self._caches.sync()
        modes = await self._caches.pulled()
        followings = await self._stores.graph.following(readers)
        authors = [
            _pushed(reader, following.followees, modes) for reader, following in zip(readers, followings, strict=True)
        ]
        lists = await self._lists(authors)
        merger, limit = Merger(lists), self._limits.timeline_entries_max
        return (merger.newest(row, limit) for row in authors)

    async def _lists(self, rows: Sequence[Sequence[int]]) -> Mapping[int, Entries]:
        """The newest entries of every author in `rows`, one more than a row holds."""
        get = self._authors.get
        lists: dict[int, Entries] = {}
        missing: dict[int, None] = {}
        for row in rows:
            for author in row:
                if author not in lists:
                    kept = get(author)
                    if kept is None:
                        missing[author] = None
                    else:
                        lists[author] = kept
        wanted = list(missing)
        for start in range(0, len(wanted), AUTHORS_AT_ONCE):
            some, moment = wanted[start : start + AUTHORS_AT_ONCE], self._caches.moment
            loaded = await self._stores.tweets.by_authors(some, limit=self._limits.timeline_entries_max + 1)
            for author, entries in zip(some, loaded, strict=True):
                lists[author] = entries
                if moment == self._caches.moment:
                    self._authors[author] = entries
        return lists

    def _apply(self, logged: LoggedEvent) -> None:
        if logged.event.kind in _MOVES:
            self._authors.drop(logged.event.actor)


def _pushed(reader: int, followees: Sequence[int], modes: Mapping[int, AuthorMode]) -> list[int]:
    """Whose tweets lie in the reader's row: his own, and those of followees who are not only pulled."""
    if not modes or modes.keys().isdisjoint(followees):
        return [reader, *followees]
    pulled = {author for author in followees if author in modes and modes[author].mode is FanoutMode.PULL}
    return [reader, *(author for author in followees if author not in pulled)]
