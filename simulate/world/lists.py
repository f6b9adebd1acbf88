"""Newest entries of computed authors, kept and prolonged: the past never changes, so only what came since is worked out again.

Working out whom an old tweet retweets costs a thousand times what reading it here does. Keeps nothing that is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.recent import Recent
from ..population.people import Population

if TYPE_CHECKING:
    from ...core.entries import Entries

AUTHORS_MAX = 10_000  # some 100 MB where most are asked for a head and some for a whole row
KEPT_MAX = 2_048  # entries an author: more than a row holds, or a viewer is told of himself


class Kept(NamedTuple):
    """Every entry below `until`, newest first, down to the last one; or all that there are, where `whole`."""

    entries: Entries
    until: int
    whole: bool


class NewestLists:
    """Over one population."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._kept: Recent[int, Kept] = Recent(AUTHORS_MAX)

    def newest(self, authors: Sequence[int], until: int, after: int, limit: int, now_ms: int) -> list[Entries]:
        """For each author (an index) the newest entries with after < id < until, at most `limit`."""
        held = self._prolonged(authors, until, now_ms)
        missing = list({one: None for one in authors if not _reaches(held.get(one), after, limit)})
        fresh: dict[int, Entries] = {}
        if missing:
            found = self._population.tweets_of(missing, until, after, limit, now_ms)
            fresh = dict(zip(missing, found, strict=True))
            if limit <= KEPT_MAX:
                for author, entries in fresh.items():
                    if not after or author not in held or len(entries) > len(held[author].entries):
                        self._kept[author] = Kept(entries, until, whole=not after and len(entries) < limit)
        return [_cut(fresh[one] if one in fresh else held[one].entries, after, limit) for one in authors]

    def _prolonged(self, authors: Sequence[int], until: int, now_ms: int) -> dict[int, Kept]:
        """What is kept of these authors, up to `until`."""
        held = {one: kept for one in authors if (kept := self._kept.get(one)) is not None and kept.until <= until}
        old = [one for one, kept in held.items() if kept.until < until]
        if not old:
            return held
        since = min(held[one].until for one in old)
        news = self._population.tweets_of(old, until, since - 1, KEPT_MAX, now_ms)
        for author, found in zip(old, news, strict=True):
            kept = held[author]
            if len(found) == KEPT_MAX:
                kept = Kept(found, until, whole=False)
            else:
                newer = found[found[:, 0] >= kept.until]
                both = np.concatenate((newer, kept.entries)) if len(newer) else kept.entries
                kept = Kept(both[:KEPT_MAX], until, kept.whole and len(both) <= KEPT_MAX)
            held[author] = self._kept[author] = kept
        return held


def _reaches(kept: Kept | None, after: int, limit: int) -> bool:
    """Whether a list holds all that is asked for."""
    if kept is None:
        return False
    return kept.whole or len(kept.entries) >= limit or (len(kept.entries) > 0 and int(kept.entries[-1, 0]) <= after)


def _cut(entries: Entries, after: int, limit: int) -> Entries:
    if after and len(entries) and int(entries[-1, 0]) <= after:
        entries = entries[entries[:, 0] > after]
    return entries[:limit]
