"""What is asked of stores to measure them: verbs of the ports with sizes that vary, in groups that are fitted together.

How many calls, elements and bytes of which kinds a probe is, nobody states: the measure of rung 4 counts it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...core.events import Event, EventKind
from ...core.model import NewTweet, Tweet
from ...core.ports import Stores
from ..kinds import Kind
from .scratch import LONG, ONE_AUTHOR, POPULAR, PUSHES, SHORT, SIZES, TEXTS, TWEETS, Scratch

if TYPE_CHECKING:
    from ...core.entries import Ids

X = TypeVar("X")
Call = Callable[[Stores], Awaitable[object]]
UNMEASURED = {
    Kind.REQUEST: "the gateway is no store: twit simulate validate --rung 7 fits a served page",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One call of one size. Probes of a `group` are fitted together: what is only ever written in one step is told apart by
    steps that leave something out."""

    group: str
    name: str
    call: Call


def probes(scratch: Scratch) -> list[Probe]:
    """All of them."""
    return [*_rows(scratch), *_people(), *_tweets(scratch), *_viewers(scratch), *_pushes(scratch), *_writes(scratch)]


def _given(do: Callable[[Stores, X], Awaitable[object]], what: X) -> Call:
    """A call that asks for `what`, always."""
    return lambda stores: do(stores, what)


def _rows(scratch: Scratch) -> Iterator[Probe]:
    entries, now_ms = scratch.limits.celebrity_list_entries, scratch.now_ms
    for size in SIZES:
        reader = scratch.reader(size)
        yield Probe("HOME_IDS", f"timelines.read of {size}", _given(lambda s, r: s.timelines.read(r, 0, 800, now_ms), reader))
        yield Probe("FOLLOWING", f"graph.following of {size}", _given(lambda s, r: s.graph.following([r]), reader))
    for size in (2, 20, 100, min(entries, TWEETS)):
        below = scratch.short[size - 1] + 1
        yield Probe("CELEB_LIST", f"tweets.by_authors to {size}",
                    _given(lambda s, b: s.tweets.by_authors([ONE_AUTHOR], before=b, limit=entries), below))  # fmt: skip
        yield Probe("REBUILD_READ", f"tweets.by_authors of {size - 1}", _given(lambda s, n: s.tweets.by_authors([ONE_AUTHOR], limit=n), size - 1))
    for size in SIZES:
        yield Probe("REBUILD_WRITE", f"timelines.begin and replace of {size}", _replaced(scratch, size))


def _replaced(scratch: Scratch, size: int) -> Call:
    entries = scratch.entries(size)

    async def call(stores: Stores) -> object:
        reader = 2_000 + scratch.fresh() % 1_000
        (mark,) = await stores.timelines.begin([reader], scratch.now_ms)
        return await stores.timelines.replace(reader, entries, 0, mark, scratch.now_ms)

    return call


def _people() -> Iterator[Probe]:
    for size in (1, 10, 50, 100):
        for start, what in ((1_001, "talkative"), (2_001, "silent")):
            yield Probe("USERS", f"accounts.get of {size} {what}", _given(lambda s, ids: s.accounts.get(ids), range(start, start + size)))
    for size in (1, 50, 500, 3_000):
        yield Probe("FOLLOWERS_PAGE", f"graph.followers of {size}", _given(lambda s, n: s.graph.followers(POPULAR, 0, n), size))


def _tweets(scratch: Scratch) -> Iterator[Probe]:
    for size in (1, 10, 50, 200):
        for ids, what in ((scratch.short, "short"), (scratch.long, "long")):
            yield Probe("HYDRATE", f"tweets.get of {size} {what}", _given(lambda s, some: s.tweets.get(some), ids[:size]))
        yield Probe("TWEET_COUNTS", f"engagement.counts of {size}", _given(lambda s, some: s.engagement.counts(some), scratch.long[:size]))


def _viewers(scratch: Scratch) -> Iterator[Probe]:
    for size in (1, 50, 800):
        yield Probe("VIEWER", f"engagement.recent_likes of {size}", _given(lambda s, n: s.engagement.recent_likes(ONE_AUTHOR, n), size))
        yield Probe("VIEWER", f"engagement.liked of {size}", _given(lambda s, some: s.engagement.liked(ONE_AUTHOR, some), scratch.long[:size]))
    yield Probe("VIEWER", "relations.blocks", lambda s: s.relations.blocks([ONE_AUTHOR]))


def _pushes(scratch: Scratch) -> Iterator[Probe]:
    for size in PUSHES:
        yield Probe("PUSH", f"timelines.push to {size}", _pushed(scratch, scratch.readers(size)))


def _pushed(scratch: Scratch, readers: Ids) -> Call:
    def call(stores: Stores) -> Awaitable[object]:
        return stores.timelines.push(np.array(((scratch.fresh_tweet(), 0),), np.int64), readers, scratch.now_ms)

    return call


def _writes(scratch: Scratch) -> Iterator[Probe]:
    """Everything durable, fitted at once: a tweet, its events, a counter that it moves, a like."""
    for text, what in ((SHORT, "short"), (LONG, "long")):
        for events in (0, 1, 8):
            yield Probe("writes", f"tweets.put {what}, {events} events", _put(scratch, text, events))
    yield Probe("writes", "tweets.put reply", _put(scratch, SHORT, 1, reply_to=scratch.short[0]))
    yield Probe("writes", "tweets.put reply, no event", _put(scratch, SHORT, 0, reply_to=scratch.short[0]))
    for events in (0, 1):
        yield Probe("writes", f"engagement.like, {events} events", _like(scratch, events))


def _put(scratch: Scratch, text: str, events: int, reply_to: int = 0) -> Call:
    def call(stores: Stores) -> Awaitable[object]:
        one = scratch.fresh_tweet()
        tweet = Tweet(tweet_id=one, author_id=TEXTS, text=text, conversation_id=reply_to or one, created_ms=scratch.now_ms,
                      reply_to=reply_to, reply_to_author=ONE_AUTHOR if reply_to else 0)  # fmt: skip
        return stores.tweets.put([NewTweet(tweet=tweet, events=_events(scratch, one, events))])

    return call


def _like(scratch: Scratch, events: int) -> Call:
    def call(stores: Stores) -> Awaitable[object]:
        n = scratch.fresh()
        tweet = scratch.short[n % len(scratch.short)]
        return stores.engagement.like([(10_000 + n, tweet)], scratch.now_ms, [_events(scratch, tweet, events)])

    return call


def _events(scratch: Scratch, tweet: int, count: int) -> tuple[Event, ...]:
    made = Event(kind=EventKind.TWEET_CREATED, key=TEXTS, actor=TEXTS, tweet=tweet, at_ms=scratch.now_ms)
    return (made,) * count
