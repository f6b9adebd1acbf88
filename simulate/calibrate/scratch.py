"""Scratch data to measure stores with: people, follows, tweets and rows of known sizes, in stores of their own.

Whoever calls hands over stores that hold nothing else; nothing here knows where they lie.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from ...core.ids import id_at
from ...core.limits import Limits
from ...core.model import NewAccount, NewFollow, NewTweet, Tweet
from ...core.ports import Stores

if TYPE_CHECKING:
    from ...core.entries import Entries, Ids

T = TypeVar("T")

PEOPLE = 4_000
SIZES = (1, 10, 100, 800)  # elements of what is read
PUSHES = (1, 30, 300, 1_000)  # readers of a push
TWEETS = 800  # of one author
SHORT, LONG = "a" * 20, "\N{GRINNING FACE}" * 280  # the longest text there is: 1,120 bytes
BIO = "b" * 500
ONE_AUTHOR, POPULAR, TEXTS = 1, 2, 3  # who wrote many tweets; whom everybody follows; who wrote long and short ones


@dataclass(slots=True)
class Scratch:
    """What lies in the stores, and ids that nobody has yet."""

    limits: Limits
    now_ms: int
    short: list[int] = field(default_factory=list)  # tweet ids by length of text
    long: list[int] = field(default_factory=list)
    _fresh: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self) -> int:
        """A number that was never given before."""
        return next(self._fresh)

    def fresh_tweet(self) -> int:
        """An id of a tweet still to come, newer than all before it."""
        return id_at(self.now_ms + 1_000) + self.fresh()

    def entries(self, count: int) -> Entries:
        """The newest tweets of one author, as a row holds them."""
        ids = np.array(self.short[-count:][::-1], np.int64)
        return np.stack((ids, np.zeros_like(ids)), axis=1)

    def reader(self, size: int) -> int:
        """Who has a row of so many entries and follows so many."""
        return PEOPLE - SIZES.index(size)

    def readers(self, count: int) -> Ids:
        """So many who have a row, the same each time: pushes fill rows that are full before long, as live ones are."""
        return np.arange(10, 10 + count, dtype=np.int64)


async def fill(stores: Stores, limits: Limits, now_ms: int) -> Scratch:
    """Make the data; some seconds."""
    scratch = Scratch(limits, now_ms)
    await stores.accounts.create([
        NewAccount(username=f"scratch_{n}", email="", password_hash="", display_name=f"Scratch {n}", created_ms=now_ms)
        for n in range(1, PEOPLE + 1)
    ])
    for user in await stores.accounts.get(range(1_001, 1_101)):
        if user is not None:
            await stores.accounts.update(msgspec.structs.replace(user, bio=BIO), ())
    await _follows(stores, scratch)
    await _tweets(stores, scratch)
    everybody = np.arange(1, PEOPLE + 1, dtype=np.int64)
    await stores.timelines.open_empty(everybody, now_ms)
    full = scratch.entries(TWEETS)
    for size in SIZES:
        reader = np.array([scratch.reader(size)], np.int64)
        await stores.timelines.push(full[:size][::-1], reader, now_ms)
    return scratch


async def _follows(stores: Stores, scratch: Scratch) -> None:
    """Everybody follows one; a few follow as many as they have entries."""
    edges = [NewFollow(follower=user, followee=POPULAR, merged=True, created_ms=scratch.now_ms) for user in range(10, PEOPLE + 1)]
    for size in SIZES:
        reader = scratch.reader(size)
        edges += [NewFollow(follower=reader, followee=100 + n, merged=True, created_ms=scratch.now_ms) for n in range(size - 1)]
    for some in _batches(edges, 2_000):
        await stores.graph.follow(some, scratch.limits.following_max)
        await stores.graph.carry([(edge.follower, edge.followee) for edge in some])


async def _tweets(stores: Stores, scratch: Scratch) -> None:
    base = id_at(scratch.now_ms - 3_600_000)
    scratch.short = [base + n for n in range(TWEETS)]
    scratch.long = [base + TWEETS + n for n in range(TWEETS)]
    tweets = [
        NewTweet(tweet=Tweet(tweet_id=one, author_id=author, text=text, conversation_id=one, created_ms=scratch.now_ms))
        for ids, author, text in ((scratch.short, ONE_AUTHOR, SHORT), (scratch.long, TEXTS, LONG))
        for one in ids
    ]
    for some in _batches(tweets, 400):
        await stores.tweets.put(some)
    await stores.engagement.like([(ONE_AUTHOR, one) for one in scratch.long], scratch.now_ms, [()] * TWEETS)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
