"""Counts what the real core asks of its ports, by kind: the measure that the day is held against (rung 4).

`counted(stores)` answers like `stores` and tallies calls, elements and bytes. Not counted, because a process does them once
and then follows the event log instead: reading the log, the table of modes, leases, places of consumers. Where one port
call asks for many keys that lie apart (`by_authors`, `following`), each key is a call, as a server sees it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from ...core.limits import Limits
from ...core.ports import Stores
from ..kinds import Counts, Kind
from . import sizes

Answered = Mapping[str, Any]
Measure = Callable[[Limits, Answered, Any], Iterable[tuple[Kind, Counts]]]
PORTS = ("accounts", "graph", "relations", "tweets", "engagement", "timelines")


class Tally:
    """What was asked since the last `take`."""

    def __init__(self) -> None:
        self._counts: dict[Kind, Counts] = {}
        self.rebuilding = False  # between the beginning of a row and its swap, author lists are read for it

    def add(self, kind: Kind, counts: Counts) -> None:
        """Note some."""
        self._counts[kind] = self._counts.get(kind, Counts()).plus(counts)

    def take(self) -> dict[Kind, Counts]:
        """What came together, in order of kind; from here it starts again."""
        taken, self._counts = self._counts, {}
        return dict(sorted(taken.items()))


class CountedStores:
    """`ports.Stores` over others, with six ports counted."""

    def __init__(self, stores: Stores, limits: Limits, tally: Tally) -> None:
        self._stores = stores
        for name in PORTS:
            setattr(self, name, _CountedPort(getattr(stores, name), name, limits, tally))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores, name)


def counted(stores: Stores, limits: Limits) -> tuple[Stores, Tally]:
    """The same stores, counted, and where the counts go."""
    tally = Tally()
    return cast("Stores", CountedStores(stores, limits, tally)), tally


class _CountedPort:
    """One port; methods that nobody measures pass through."""

    def __init__(self, port: object, name: str, limits: Limits, tally: Tally) -> None:
        self._port, self._name, self._limits, self._tally = port, name, limits, tally

    def __getattr__(self, method: str) -> Any:
        asked = getattr(self._port, method)
        measure = MEASURES.get(f"{self._name}.{method}")
        if measure is None:
            return asked
        signature = inspect.signature(asked)

        async def call(*args: object, **kwargs: object) -> object:
            answer = await asked(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            asked_for = {**bound.arguments, "rebuilding": self._tally.rebuilding}
            for kind, counts in measure(self._limits, asked_for, answer):
                self._tally.add(kind, counts)
            if method in {"begin", "replace"}:
                self._tally.rebuilding = method == "begin"
            return answer

        setattr(self, method, call)
        return call


def _flat(kind: Kind, each: int, count: Callable[[Answered, Any], int]) -> Measure:
    """One call whose elements weigh the same."""

    def measure(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
        elements = count(asked, answer)
        return ((kind, Counts(1, elements, elements * each)),)

    return measure


def _by_authors(limits: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    """What an author list is read for shows in how much of it is wanted, where no row is being built."""
    kind = Kind.REBUILD_READ
    if not asked["rebuilding"]:
        meant = {limits.celebrity_list_entries: Kind.CELEB_LIST, limits.cached_likes_per_viewer_max: Kind.VIEWER}
        kind = meant.get(asked["limit"], kind)
    entries = sum(map(len, answer))
    return ((kind, Counts(len(asked["authors"]), entries, sizes.ENTRY * entries)),)


def _following(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    followees = sum(len(one.followees) for one in answer)
    return ((Kind.FOLLOWING, Counts(len(asked["users"]), followees, sizes.ID * followees)),)


def _first_followers(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    """As many calls as lists: each lies with its own account."""
    followers = sum(len(ids) for ids, _ in answer)
    return ((Kind.FOLLOWERS_PAGE, Counts(len(asked["users"]), followers, sizes.ID * followers)),)


def _blocks(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    people = sum(len(one.blocked) + len(one.blocked_by) + len(one.muted) for one in answer)
    return ((Kind.VIEWER, Counts(len(asked["users"]), people, sizes.ID * people)),)


def _users(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    return ((Kind.USERS, Counts(1, len(asked["user_ids"]), sum(map(sizes.user_bytes, answer)))),)


def _tweets(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    return ((Kind.HYDRATE, Counts(1, len(asked["tweet_ids"]), sum(map(sizes.tweet_bytes, answer)))),)


def _push_each(_: Limits, asked: Answered, __: Any) -> Iterable[tuple[Kind, Counts]]:
    for readers in asked["groups"]:
        yield Kind.PUSH, Counts(1, len(readers), sizes.DELIVERY * len(readers))


def _put(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    for new, outcome in zip(asked["tweets"], answer, strict=True):
        if outcome.status == 0:
            tweet = new.tweet
            yield Kind.PUT_TWEET, Counts(1, 1, sizes.tweet_bytes(tweet))
            yield Kind.EVENT, Counts(1, len(new.events), sizes.EVENT * len(new.events))
            moved = sum(map(bool, (tweet.reply_to, tweet.retweet_of, tweet.quote_of)))
            if moved:
                yield Kind.COUNT, Counts(moved, moved, sizes.ID * moved)


def _like(_: Limits, asked: Answered, answer: Any) -> Iterable[tuple[Kind, Counts]]:
    rows = sum(answer)
    yield Kind.LIKE, Counts(rows, rows, 2 * sizes.ID * rows)
    yield Kind.COUNT, Counts(rows, rows, sizes.ID * rows)
    events = sum(len(one) for one, liked in zip(asked["events"], answer, strict=True) if liked)
    yield Kind.EVENT, Counts(rows, events, sizes.EVENT * events)


MEASURES: dict[str, Measure] = {
    "accounts.get": _users,
    "accounts.counts": _flat(Kind.USERS, sizes.PROFILE_COUNTS, lambda asked, _: len(asked["user_ids"])),
    "accounts.ids_of": _flat(Kind.USERS, sizes.ID, lambda asked, _: len(asked["usernames"])),
    "graph.following": _following,
    "graph.followers": _flat(Kind.FOLLOWERS_PAGE, sizes.ID, lambda _, answer: len(answer[0])),
    "graph.followers_first": _first_followers,
    "relations.blocks": _blocks,
    "engagement.recent_likes": _flat(Kind.VIEWER, sizes.ID, lambda _, answer: len(answer[0])),
    "engagement.liked": _flat(Kind.VIEWER, sizes.FLAG, lambda asked, _: len(asked["tweet_ids"])),
    "engagement.counts": _flat(Kind.TWEET_COUNTS, sizes.COUNTS, lambda asked, _: len(asked["tweet_ids"])),
    "engagement.like": _like,
    "tweets.retweet_ids": _flat(Kind.VIEWER, sizes.ID, lambda asked, _: len(asked["originals"])),
    "tweets.get": _tweets,
    "tweets.by_authors": _by_authors,
    "tweets.put": _put,
    "timelines.read": _flat(Kind.HOME_IDS, sizes.ENTRY, lambda _, answer: len(answer.entries)),
    "timelines.begin": _flat(Kind.REBUILD_WRITE, sizes.ENTRY, lambda _, __: 0),
    "timelines.replace": _flat(Kind.REBUILD_WRITE, sizes.ENTRY, lambda asked, _: len(asked["entries"])),
    "timelines.push": _flat(Kind.PUSH, sizes.DELIVERY, lambda asked, _: len(asked["entries"]) * len(asked["readers"])),
    "timelines.push_each": _push_each,
}
