"""Stores that refuse every write: what planning and dry runs are handed, so that "nothing was written" is no promise but a fact.

A method is refused unless it is named here as a read: a port that grows a write is safe before anybody thinks of this file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from ..core.errors import Forbidden
from ..core.ports import Lane, Stores

READS = {
    "accounts": {"get", "ids_of", "credentials", "counts", "page", "deactivated", "count"},
    "graph": {"following", "is_following", "following_page", "followers_page", "followers", "followers_first"},
    "relations": {"blocks", "related_page", "requests_page", "request", "request_between"},
    "tweets": {"get", "by_authors", "in_conversation", "replies", "repeated", "retweets", "retweet_ids"},
    "engagement": {"likers_page", "liked", "recent_likes", "counts"},
    "timelines": {"read", "unchanged", "raw", "mark", "residents"},
    "modes": {"get", "pulled"},
    "log": {"moved", "turn", "read", "tail", "caught_up", "offset", "wait", "lag"},
    "work": {"pending", "deliveries", "parked"},
    "leases": {"holder"},
    "tokens": {"get"},
    "rates": set(),
    "health": {"check"},
}


class _ReadOnlyPort:
    """One port, its reads only."""

    def __init__(self, name: str, port: object, passed_over: Collection[str]) -> None:
        self._name = name
        self._port = port
        self._passed_over = passed_over

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._port, verb)
        if verb in READS[self._name]:
            return found
        if verb in self._passed_over:
            return _nothing

        def refuse(*_: object, **__: object) -> None:
            what = f"a plan tried to write: {self._name}.{verb}"
            raise Forbidden(what, code="READ_ONLY", meaning="nothing was written; this is a bug")

        return refuse


class _ReadOnlyStores:
    """All ports, their reads only."""

    def __init__(self, stores: Stores, passed_over: Mapping[str, Collection[str]]) -> None:
        self.kind = stores.kind
        for name in READS:
            setattr(self, name, _ReadOnlyPort(name, getattr(stores, name), passed_over.get(name, ())))
        self._stores, self._passed_over = stores, passed_over

    def lanes(self, group: str) -> Sequence[Lane]:
        """The group's, their reads only."""
        return [lane._replace(log=self._port("log", lane.log), work=self._port("work", lane.work)) for lane in self._stores.lanes(group)]

    def _port(self, name: str, port: object) -> Any:
        """A lane's own log or work; those of the stores are the ones above, so that who compares them finds them equal."""
        same = port is getattr(self._stores, name)
        return getattr(self, name) if same else _ReadOnlyPort(name, port, self._passed_over.get(name, ()))


def read_only(stores: Stores, passed_over: Mapping[str, Collection[str]] | None = None) -> Stores:
    """Return the same stores without their writes: each raises `Forbidden` (`READ_ONLY`).

    Those `passed_over`, by port, return `None` instead, unwritten: for watching code at work that writes on the way.
    """
    return cast("Stores", _ReadOnlyStores(stores, passed_over or {}))


async def _nothing(*_: object, **__: object) -> None:
    """A write that is not made."""
