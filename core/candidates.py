"""The candidates of one home timeline, newest first, in runs: the cached row, the pulled authors, and below the row
everything from the followees' own timelines. Unique by id; nobody is asked here whether the reader may see them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .caches import Caches
from .entries import Row, RowState
from .errors import StoreError
from .limits import Limits
from .ports import Stores
from .rows import Rows
from .shown import Source
from .visibility import Viewer

TOP = (1 << 63) - 1


class Candidates:
    """One walk down one reader's timeline. `before` is where it has got: everything from there up was handed out."""

    def __init__(self, stores: Stores, limits: Limits, caches: Caches, viewer: Viewer, before: int) -> None:
        self._stores = stores
        self._limits = limits
        self._caches = caches
        self._viewer = viewer
        self._row: Row | None = None
        self.uncached = False
        self._pulled = viewer.pulled
        if viewer.unmerged:
            self._pulled = tuple(dict.fromkeys((*viewer.pulled, *(followee for followee, _ in viewer.unmerged))))
        self.before = before or TOP
        self.ended = False
        self.how = "complete"
        self.complete_back_to = 0
        self.calls = 0
        self.merged_authors = 0
        self.outside: set[int] = set()  # what the last run had from elsewhere than the row
        self.from_row: Row | None = None  # the row as it was opened, while nothing else but pulled lists was needed
        self.in_row: list[int] = []  # what the last run had from the row
        self.only_originals = False  # the last run is all from the row, and holds no retweets

    async def open(self, rows: Rows, want: int) -> None:
        """Get the row, rebuilt where it was lost."""
        found = await rows.find(self._viewer.user_id, 0 if self.before == TOP else self.before, want)
        self.how, self.calls = found.how, found.calls
        self._row = self.from_row = found.row
        self.uncached = found.row is None
        if found.row is not None:
            self.complete_back_to = found.row.complete_back_to

    async def run(self, want: int, now_ms: int) -> list[int]:
        """The next candidates, about `want`; moves `before` down. An empty run does not mean the end: `ended` does."""
        self.outside, self.in_row, self.only_originals = set(), [], False
        if not self.uncached:
            row = self._row
            self._row = None
            if row is None:
                row = await self._read(want, now_ms)
            if row is not None and self.before > row.complete_back_to:
                return await self._from_row(row, want)
        return await self._from_truth(want)

    async def again(self, before: int, want: int, now_ms: int) -> list[int]:
        """Walk the last run once more, from `before`, after the row was given what it lacked."""
        self.before, self.ended, self.from_row = before, False, None
        return await self.run(want, now_ms)

    def leave_row(self) -> None:
        """Go on without the row: its store is away. What is handed out from here on is whole without it."""
        self._row, self.uncached, self.from_row = None, True, None

    def sources(self, tweet_id: int) -> tuple[Source, ...]:
        """Where a candidate of the last run came from."""
        unmerged = {followee for followee, _ in self._viewer.unmerged}
        found = [Source.PUSHED] if tweet_id in self.in_row else []
        if tweet_id in self.outside:
            tweet = self._caches.tweet_cache.peek(tweet_id)
            if self.uncached or tweet is None:
                found.append(Source.MERGED)
            else:
                author = tweet.author_id
                found += [Source.PULLED] if author in self._viewer.pulled else []
                found += [Source.UNMERGED] if author in unmerged else []
        return tuple(found) or (Source.MERGED,)

    async def in_cache(self, tweet_id: int, now_ms: int) -> bool:
        """Whether the row, or what is read below it, holds this tweet."""
        if self.uncached:
            return True
        self.calls += 1
        try:
            row = await self._stores.timelines.read(self._viewer.user_id, tweet_id + 1, 1, now_ms)
        except StoreError:
            self.leave_row()
            return True
        if row.state is not RowState.COMPLETE or tweet_id < row.complete_back_to:
            return True
        return len(row.entries) > 0 and int(row.entries[0, 0]) == tweet_id

    async def _read(self, want: int, now_ms: int) -> Row | None:
        """The next window; `None` from where on the row is of no use, or was lost since."""
        if self.before <= self.complete_back_to:
            return None
        self.calls += 1
        try:
            row = await self._stores.timelines.read(self._viewer.user_id, self.before, want, now_ms)
        except StoreError:
            self.leave_row()
            return None
        if row.state is not RowState.COMPLETE:
            self.uncached = True
            return None
        if self.from_row is not None and (row.mark, row.complete_back_to) != (self.from_row.mark, self.complete_back_to):
            self.from_row = None  # the page is of two moments
        self.complete_back_to = row.complete_back_to
        return row

    async def _from_row(self, row: Row, want: int) -> list[int]:
        ids: list[int] = row.entries[:, 0].tolist()
        bottom = row.complete_back_to
        if ids and ids[-1] < bottom:
            while ids and ids[-1] < bottom:
                ids.pop()
            floor = bottom
        else:
            floor = ids[-1] if row.more and ids else bottom
        self.in_row = ids
        if self._pulled:
            floor, ids = await self._with_pulled(ids, floor, want)
        else:
            self.only_originals = not row.entries[:, 1].any()
        self.before = floor
        self.ended = floor == 0
        return ids

    async def _with_pulled(self, ids: list[int], floor: int, want: int) -> tuple[int, list[int]]:
        """Add what the pulled authors have from `floor` up; the floor rises where one of them has more than `want`."""
        outside: list[int] = []
        deeper: list[int] = []
        for author, newest in zip(self._pulled, await self._caches.newest(self._pulled), strict=True):
            if newest.back_to > floor:
                deeper.append(author)
            else:
                outside += newest.between(floor, self.before)
        if deeper:
            cut, found = await self._deeper(deeper, floor, want)
            floor = max(floor, cut)
            outside += found
        self.outside = set(outside)
        both = self.outside.union(ids)
        return floor, sorted((tweet_id for tweet_id in both if tweet_id >= floor), reverse=True)

    async def _deeper(self, authors: Sequence[int], floor: int, limit: int) -> tuple[int, list[int]]:
        """Entries of these authors in [floor, before), at most `limit` each, and how far down they are whole."""
        before = 0 if self.before == TOP else self.before
        self.calls += 1
        lists = await self._stores.tweets.by_authors(authors, before=before, after=max(0, floor - 1), limit=limit)
        found: list[int] = []
        cut = 0
        for entries in lists:
            ids: list[int] = entries[:, 0].tolist()
            if len(ids) >= limit:
                cut = max(cut, ids[-1])
            found += ids
        return cut, found

    async def _from_truth(self, want: int) -> list[int]:
        """The next run from the timelines of everybody followed (rule 10)."""
        authors = sorted(self._viewer.circle)
        self.from_row = None
        self.merged_authors = len(authors)
        each = min(want, max(16, 4 * want // len(authors)))
        cut, found = await self._deeper(authors, 0, each)
        ids = sorted((tweet_id for tweet_id in set(found) if tweet_id >= cut), reverse=True)
        if len(ids) > want:
            del ids[want:]
            cut = ids[-1]
        self.outside = set(ids)
        self.before = cut
        self.ended = cut == 0
        return ids
