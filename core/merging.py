"""Authors' lists of entries put together into timelines: for one reader, or for many who follow the same authors.

Lists are newest first and have nothing in common: a tweet has one author. It reads no store and keeps nothing between calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from .entries import Entries, Ids

HEAD = 16  # entries of every author that lie in one table
SPARSE = 64  # ids an author: further apart they are searched for, nearer each has its place in a list of all


class Merger:
    """The lists of many authors, their heads in one table: those of a reader are taken from it at once, not one by one."""

    def __init__(self, lists: Mapping[int, Entries]) -> None:
        self._lists = lists
        authors, found = np.fromiter(lists, np.int64, len(lists)), list(lists.values())
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        if lengths.max(initial=0) > HEAD:
            found = [entries[:HEAD] for entries in found]
            lengths = lengths.clip(max=HEAD)
        filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
        both = np.concatenate([*found, np.empty((0, 2), np.int64)])
        self._ids, self._originals = _table(filled, both[:, 0]), _table(filled, both[:, 1])
        self._retweets = bool(self._originals.any())
        self._at: Ids | None = None
        if authors.max(initial=0) < SPARSE * len(authors):
            self._at = np.empty(authors.max() + 1, np.int64)
            self._at[authors] = np.arange(len(authors))
        else:
            self._order = authors.argsort()
            self._authors = authors[self._order]

    def newest(self, authors: Sequence[int], limit: int) -> tuple[Entries, int]:
        """`newest_of` these authors' lists."""
        if len(authors) * HEAD < 2 * limit:  # few: what is wanted of each is longer than a head
            return newest_of([self._lists[author] for author in authors], limit)
        row = np.fromiter(authors, np.int64, len(authors))
        places = self._order[self._authors.searchsorted(row)] if self._at is None else self._at.take(row)
        heads = self._ids.take(places, axis=0)
        ids = heads.ravel()
        originals = self._originals.take(places, axis=0).ravel() if self._retweets else None
        rests = self._rests(row, heads, limit)
        if rests is not None:
            ids = np.concatenate([ids, rests[:, 0]])
            originals = np.concatenate([self._originals.take(places, axis=0).ravel(), rests[:, 1]])
        return _newest(ids, originals, limit)

    def _rests(self, authors: Ids, heads: Ids, limit: int) -> Entries | None:
        """What follows these heads, as far as it may be among the newest `limit` of all; mostly nothing."""
        if heads.shape[1] < HEAD:
            return None
        bound = max(1, np.partition(heads, -limit - 1, axis=None)[-limit - 1])
        rests = [_down_to(self._lists[author], HEAD, bound)[HEAD:] for author in authors[heads[:, -1] >= bound].tolist()]
        return np.concatenate(rests) if rests else None


def _table(filled: npt.NDArray[np.bool_], column: Ids) -> Ids:
    """Lists of different lengths as rows of one, 0 where a list has ended."""
    table = np.zeros(filled.shape, np.int64)
    table[filled] = column
    return table


def _newest(ids: Ids, originals: Ids | None, limit: int) -> tuple[Entries, int]:
    """Entries by id, where an id of 0 is none. Sorting numbers is six times as quick as finding their order, so what is retweeted is put
    to them afterwards."""
    if len(ids) > 2 * limit:
        newest = ids >= np.partition(ids, -limit - 1)[-limit - 1]
        ids, originals = ids[newest], None if originals is None else originals[newest]
    rising = np.sort(ids)[-limit - 1 :]
    if len(rising) and not rising[0]:
        rising = rising[np.searchsorted(rising, 1) :]
    complete_back_to = 0
    if len(rising) > limit:
        rising = rising[1:]
        complete_back_to = int(rising[0])
    merged = np.zeros((len(rising), 2), np.int64)
    merged[:, 0] = rising[::-1]
    if originals is not None and len(rising):
        retweets = np.flatnonzero((originals != 0) & (ids >= rising[0]))
        merged[len(rising) - 1 - rising.searchsorted(ids.take(retweets)), 1] = originals.take(retweets)
    return merged, complete_back_to


def newest_of(lists: Sequence[Entries], limit: int) -> tuple[Entries, int]:
    """Merge lists of entries, each newest first and disjoint; returns at most `limit` and how far down they are complete."""
    total = sum(map(len, lists))
    if total > 4 * limit:
        lists = _long_enough(lists, limit)
    merged = np.concatenate(lists) if lists else np.empty((0, 2), np.int64)
    return _newest(np.ascontiguousarray(merged[:, 0]), merged[:, 1], limit)


def _long_enough(lists: Sequence[Entries], limit: int) -> list[Entries]:
    """Cut each list where it cannot reach among the newest `limit` of all: bounded by the heads' own `limit`-th newest."""
    head = max(4, 2 * limit // len(lists))
    ids = np.concatenate([entries[:head, 0] for entries in lists])
    if len(ids) <= limit:
        return list(lists)
    bound = np.partition(ids, len(ids) - limit)[len(ids) - limit]
    return [entries if len(entries) <= head else _down_to(entries, head, bound) for entries in lists]


def _down_to(entries: Entries, head: int, bound: np.int64 | int) -> Entries:
    """The part of a newest-first list with ids >= `bound`, but at least its head; it may be longer than `head`."""
    if len(entries) <= head or entries[head, 0] < bound:
        return entries[:head]
    return entries[: len(entries) - int(np.searchsorted(entries[::-1, 0], bound))]
