"""What a cached home timeline should hold, from the stores of truth (rules 3, 11, 12): for rebuilds, procedures and audits.

It keeps authors' newest entries between calls and drops an author's when the log says that his list moved, so a caller that
marks or begins rows *first* and asks then misses nothing. It never reads or writes a cached timeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .caches import Caches
from .coherence import TWEET_KINDS
from .entries import AuthorMode, FanoutMode
from .events import LoggedEvent
from .limits import Limits
from .merging import Merger
from .ports import Stores
from .recent import Recent

if TYPE_CHECKING:
    from .entries import Entries

AUTHORS_AT_ONCE = 1_024  # lists read in one store call
HEAD = 16  # entries that an author is asked for at first, at least: few have more among the newest of one row


class Truth:
    """Authors' newest entries, and timelines put together from them."""

    def __init__(self, stores: Stores, limits: Limits, caches: Caches) -> None:
        self._stores = stores
        self._limits = limits
        self._caches = caches
        self._authors: Recent[int, Entries] = Recent(limits.cached_viewers_max)
        self._heads: Recent[int, Entries] = Recent(limits.cached_viewers_max)  # of authors who have more
        caches.subscribe(self._apply, self._forget)

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
        limit = self._limits.timeline_entries_max
        lists = await self._lists(authors) if len(authors) > 1 else await self._lists_of_one(authors[0], limit) if authors else {}
        merger = Merger(lists)
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
        await self._load(lists, list(missing), self._limits.timeline_entries_max + 1)
        return lists

    async def _lists_of_one(self, row: Sequence[int], limit: int) -> Mapping[int, Entries]:
        """Lists for one reader's row, each as long as it may reach among the newest `limit` + 1 of all: mostly a head."""
        each = min(limit + 1, max(HEAD, 4 * limit // len(row)))
        lists: dict[int, Entries] = {}
        cut: list[int] = []
        missing: list[int] = []
        for author in row:
            kept = self._authors.get(author)
            head = self._heads.get(author) if kept is None else None
            if kept is not None:
                lists[author] = kept
            elif head is not None and len(head) >= each:
                lists[author] = head
                cut.append(author)
            else:
                missing.append(author)
        await self._load(lists, missing, each)
        if each <= limit:
            cut += [author for author in missing if len(lists[author]) >= each]
            bound = _bound(lists, limit)
            await self._load(lists, [author for author in cut if lists[author][-1, 0] > bound], limit + 1, after=bound)
        return lists

    async def _load(self, lists: dict[int, Entries], wanted: Sequence[int], each: int, after: int = 0) -> None:
        """Put the newest `each` entries of these authors into `lists`, as far as they come `after` that id."""
        whole = self._limits.timeline_entries_max + 1
        for start in range(0, len(wanted), AUTHORS_AT_ONCE):
            some, moment = wanted[start : start + AUTHORS_AT_ONCE], self._caches.moment
            loaded = await self._stores.tweets.by_authors(some, after=after, limit=each)
            for author, entries in zip(some, loaded, strict=True):
                lists[author] = entries
                if moment == self._caches.moment:
                    is_whole = len(entries) >= whole or (not after and len(entries) < each)
                    (self._authors if is_whole else self._heads)[author] = entries

    def _apply(self, logged: LoggedEvent) -> None:
        if logged.event.kind in TWEET_KINDS:
            self._authors.drop(logged.event.actor)
            self._heads.drop(logged.event.actor)

    def _forget(self) -> None:
        self._authors.clear()
        self._heads.clear()


def _bound(lists: Mapping[int, Entries], limit: int) -> int:
    """The id of the last of the newest `limit` + 1 of all: what is older is not asked for; 0 where there are not so many."""
    ids = np.concatenate([entries[:, 0] for entries in lists.values()])
    return int(np.partition(ids, len(ids) - limit - 1)[len(ids) - limit - 1]) if len(ids) > limit else 0


def _pushed(reader: int, followees: Sequence[int], modes: Mapping[int, AuthorMode]) -> list[int]:
    """Whose tweets lie in the reader's row: his own, and those of followees who are not only pulled."""
    if not modes or modes.keys().isdisjoint(followees):
        return [reader, *followees]
    pulled = {author for author in followees if author in modes and modes[author].mode is FanoutMode.PULL}
    return [reader, *(author for author in followees if author not in pulled)]
