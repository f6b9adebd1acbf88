"""First pages that readers were shown lately and that still stand: most readers who look again find nothing new.

A page stands while everything it was made from does: the reader's row (the store says so without waiting), how he sees the
others (the very same `Viewer`), who may be seen at all, and the lists of pulled authors. Whatever might have moved one of
these makes the page be made anew; nothing here ever repairs a page.
"""

from __future__ import annotations

from typing import NamedTuple

from .caches import Caches
from .entries import Row
from .events import EventKind, LoggedEvent
from .limits import Limits
from .ports import Timelines
from .recent import Recent
from .shown import HomePage
from .visibility import Viewer

_SIGHT = frozenset((
    EventKind.TWEET_DELETED,
    EventKind.PRIVACY_CHANGED,
    EventKind.DEACTIVATED,
    EventKind.REACTIVATED,
    EventKind.ACCOUNT_DELETED,
    EventKind.MODE_CHANGED,
))


class _Standing(NamedTuple):
    home: HomePage
    row: Row
    viewer: Viewer
    sight: int
    pulled: int  # moment of the pulled lists; -1 where the reader follows none
    until_ms: int  # from then on the reader has to be noted as seen


class StandingPages:
    """Kept for at most about `cached_viewers_max` readers."""

    def __init__(self, timelines: Timelines, caches: Caches, limits: Limits) -> None:
        self._timelines = timelines
        self._caches = caches
        self._seen_write_ms = limits.seen_write_ms
        self._pages: Recent[tuple[int, int, bool], _Standing] = Recent(limits.cached_viewers_max)
        self._sight = self._pulled = 0
        caches.subscribe(self._follow, self._pages.clear)

    def get(self, viewer: Viewer, limit: int, *, bare: bool, now_ms: int) -> HomePage | None:
        """The page as it was made, if it would be made the same again."""
        kept = self._pages.get((viewer.user_id, limit, bare))
        if kept is None or kept.viewer is not viewer or kept.sight != self._sight or now_ms > kept.until_ms:
            return None
        if kept.pulled not in {-1, self._pulled} or not self._timelines.unchanged(viewer.user_id, kept.row, now_ms):
            return None
        return kept.home

    def keep(self, viewer: Viewer, limit: int, home: HomePage, row: Row, *, bare: bool) -> None:
        """Keep a page that was made from this row and the pulled lists alone, with no event applied meanwhile."""
        if viewer.unmerged:
            return  # a merge moves no event
        pulled = self._pulled if viewer.pulled else -1
        until_ms = row.seen_ms + self._seen_write_ms
        self._pages[viewer.user_id, limit, bare] = _Standing(home, row, viewer, self._sight, pulled, until_ms)

    def _follow(self, logged: LoggedEvent) -> None:
        event = logged.event
        if event.kind is EventKind.TWEET_CREATED:
            modes = self._caches.pulled_modes
            if modes is None or event.actor in modes:
                self._pulled += 1
        elif event.kind in _SIGHT:
            self._sight += 1
