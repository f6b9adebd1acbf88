"""Watches the caches of the sampled gateway process: what its pages look up, and how much of that was there.

It only looks on: what is kept, and for how long, is the core's own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.caches import Caches
from ...core.recent import Recent
from ..modelled import REQUEST

CACHES = {"tweets": "tweet_cache", "users": "user_cache", "counts": "count_cache", "lists": "newest_cache"}
ASKS = {"tweets": "tweets", "users": "users", "counts": "counts", "newest": "lists"}


class Lookups:
    """Watches the process caches: of the distinct things that a request looks up, how many were there."""

    def __init__(self, caches: Caches) -> None:
        self.asked = dict.fromkeys((*CACHES, "viewers"), 0)
        self.hits = dict(self.asked)
        self._caches: Any = caches
        self._seen: dict[int, set[tuple[str, int]]] = {}
        for method, name in ASKS.items():
            setattr(caches, method, self._watched(getattr(caches, method), name))

    def begin(self, reader: int) -> None:
        """A request of this reader."""
        self._seen[REQUEST.get()] = set()
        self.asked["viewers"] += 1
        self.hits["viewers"] += self._caches.viewer_cache.peek(reader) is not None

    def end(self) -> None:
        """It is over."""
        self._seen.pop(REQUEST.get(), None)

    def now(self) -> tuple[dict[str, int], dict[str, int]]:
        """What was asked so far, and what of it was there."""
        return dict(self.asked), dict(self.hits)

    def clear(self) -> None:
        """Count from here."""
        for name in self.asked:
            self.asked[name] = self.hits[name] = 0

    def _watched(self, asks: Any, name: str) -> Any:
        async def look(ids: Sequence[int]) -> Any:
            seen, cache = self._seen.get(REQUEST.get()), getattr(self._caches, CACHES[name])
            if seen is not None:
                for one in ids:
                    if one > 0 and (name, one) not in seen:
                        seen.add((name, one))
                        self.asked[name] += 1
                        self.hits[name] += cache.peek(one) is not None
            return await asks(ids)

        return look


class Unkept(Recent[Any, Any]):
    """A cache that keeps nothing: each page asks the store."""

    def __setitem__(self, key: Any, value: Any) -> None:
        return
