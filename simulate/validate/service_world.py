"""A small world for rung 7, made in bulk: everybody follows and is followed by equally many, and everybody's first page is full.

Person u follows u + k for a fixed random set of distances k, so that all pages cost alike but for who is on them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...core.clock import Clock
from ...core.ids import id_at
from ...core.limits import Limits
from ...core.model import NewAccount, NewFollow, NewTweet, Session, Tweet
from ...core.ports import Stores
from ...core.stores.embedded import open_stores

T = TypeVar("T")
AGE_MS = 3_600_000
WORDS = ("the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as", "with", "his", "they", "at", "be")


@dataclass(frozen=True, slots=True)
class Shape:
    """`people` of whom each has as many followees, and one tweet; `page`: tweets on a page."""

    people: int = 2_000
    followees: int = 60
    page: int = 50
    seed: int = 1


def token(user: int) -> str:
    """The log-in of a person."""
    return f"rung-seven-token-of-{user:0>12}-with-the-length-of-one"


async def build_world(folder: Path, clock: Clock, shape: Shape) -> None:
    """Make it in an empty folder; a second or two."""
    stores = open_stores(folder, Limits(), clock, durable=False)
    try:
        await _people(stores, shape, clock.now_ms())
        await _tweets(stores, shape, clock.now_ms())
    finally:
        await stores.health.close()


def requests(shape: Shape) -> bytes:
    """A request for the first page of everybody, in random order, as they go over the wire, one after a NUL."""
    people = list(range(1, shape.people + 1))
    random.Random(shape.seed).shuffle(people)
    return b"\0".join(
        f"GET /api/v1/timeline/home?limit={shape.page} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token(user)}\r\n\r\n".encode()
        for user in people
    )


async def _people(stores: Stores, shape: Shape, now: int) -> None:
    distances = random.Random(shape.seed).sample(range(1, shape.people), shape.followees)
    everybody = range(1, shape.people + 1)
    for some in _batches(everybody, 2_000):
        await stores.accounts.create([
            NewAccount(username=f"person_{n}", email="", password_hash="", display_name=f"Person Number {n}", created_ms=now) for n in some
        ])
    edges = [(user, (user - 1 + k) % shape.people + 1) for user in everybody for k in distances]
    for pairs in _batches(edges, 20_000):
        await stores.graph.follow([NewFollow(follower=a, followee=b, merged=True, created_ms=now) for a, b in pairs], Limits().following_max)
        await stores.graph.carry(pairs)
    for user in everybody:
        await stores.tokens.put(Session(hashlib.sha256(token(user).encode()).digest(), user, now))


async def _tweets(stores: Stores, shape: Shape, now: int) -> None:
    """One of everybody, in random order, in the rows of all who follow him."""
    chance = random.Random(shape.seed)
    distances = np.array(random.Random(shape.seed).sample(range(1, shape.people), shape.followees), np.int64)
    authors = list(range(1, shape.people + 1))
    chance.shuffle(authors)
    await stores.timelines.open_empty(np.arange(1, shape.people + 1, dtype=np.int64), now)
    made = []
    for n, author in enumerate(authors):
        one = id_at(now - AGE_MS - (len(authors) - n))
        text = " ".join(chance.choices(WORDS, k=60))[:200]
        made.append(Tweet(tweet_id=one, author_id=author, text=text, conversation_id=one, created_ms=now - AGE_MS))
    for some in _batches(made, 1_000):
        await stores.tweets.put([NewTweet(tweet=tweet) for tweet in some])
    for tweet in made:
        readers = np.append((tweet.author_id - 1 - distances) % shape.people + 1, tweet.author_id)
        await stores.timelines.push(np.array(((tweet.tweet_id, 0),), np.int64), readers, now)


def _batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
