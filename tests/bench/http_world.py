"""A world for the HTTP rows: made in bulk, everybody following and followed by equally many, everybody with a full first page.

Person u follows u + k for a fixed random set of distances k (modulo the number of people), so that everyone has the same number of followees
and of followers, strewn over all ids. Everybody wrote `per_author` tweets of 200 characters; cached timelines hold what fan-out would
have put there. Nothing here measures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from twit.core.clock import SystemClock
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import NewAccount, NewFollow, NewTweet, Session, Tweet
from twit.core.ports import Stores
from twit.core.stores.embedded import open_stores

AGE_MS = 3_600_000  # the newest tweet is about so old
WORDS = "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what".split()


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """`readers` have followees, a cached timeline and a log-in each; `authors` have their follower list carried."""

    people: int = 20_000
    followees: int = 200
    readers: int = 20_000
    authors: int = 2_000
    seed: int = 1

    def distances(self) -> list[int]:
        return sorted(random.Random(self.seed).sample(range(1, self.people), self.followees))

    def some(self, count: int) -> list[int]:
        """So many people, evenly spread over all ids."""
        step = self.people / count
        return [1 + int(step * at) for at in range(count)]


def token(user_id: int) -> str:
    return f"bench-token-of-{user_id:0>12}-with-the-length-of-one"


def text_of(chance: random.Random) -> str:
    words = " ".join(chance.choices(WORDS, k=60))
    return words[:200]


def batches(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def build(folder: Path, shape: Shape) -> None:
    """Make it; takes some 10 µs an edge."""
    asyncio.run(_build(folder, shape))


async def _build(folder: Path, shape: Shape) -> None:
    clock = SystemClock()
    stores = open_stores(folder, Limits(), clock, durable=False)
    try:
        await fill(stores, shape, clock.now_ms())
    finally:
        await stores.health.close()


async def fill(stores: Stores, shape: Shape, now: int) -> None:
    """Put the world into these stores, which are empty."""
    await _people(stores, shape, now)
    await _edges(stores, shape, now)
    await _tweets(stores, shape, now)
    for some in batches(shape.some(shape.readers), 256):
        await asyncio.gather(*(
            stores.tokens.put(Session(hashlib.sha256(token(user).encode()).digest(), user, now)) for user in some
        ))


async def _people(stores: Stores, shape: Shape, now: int) -> None:
    for some in batches(range(1, shape.people + 1), 5_000):
        await stores.accounts.create([
            NewAccount(username=f"person_{n}", email="", created_ms=now, password_hash="", display_name=f"Person Number {n}")
            for n in some
        ])


async def _edges(stores: Stores, shape: Shape, now: int) -> None:
    """Edges of the readers, and of the followers of the authors."""
    distances, people = shape.distances(), shape.people
    followers = {author: [(author - 1 - k) % people + 1 for k in distances] for author in shape.some(shape.authors)}
    whole = set(shape.some(shape.readers))
    followees: dict[int, list[int]] = {user: [(user - 1 + k) % people + 1 for k in distances] for user in whole}
    for author, theirs in followers.items():
        for follower in theirs:
            if follower not in whole:
                followees.setdefault(follower, []).append(author)
    edges = ((user, followee) for user in sorted(followees) for followee in followees[user])
    while some := list(islice(edges, 50_000)):
        await stores.graph.follow(
            [NewFollow(follower=a, followee=b, merged=True, created_ms=now) for a, b in some], Limits().following_max
        )
    pairs = ((follower, author) for author, theirs in followers.items() for follower in theirs)
    while some := list(islice(pairs, 50_000)):
        await stores.graph.carry(some)


async def _tweets(stores: Stores, shape: Shape, now: int) -> None:
    """One tweet of everybody, in random order, into the rows of the readers who follow him."""
    chance = random.Random(shape.seed)
    authors = list(range(1, shape.people + 1))
    chance.shuffle(authors)
    texts = [text_of(chance) for _ in range(1_000)]
    distances = np.array(shape.distances(), np.int64)
    await stores.timelines.open_empty(np.array(shape.some(shape.readers), np.int64), now)
    whole = np.zeros(shape.people + 1, np.bool_)
    whole[shape.some(shape.readers)] = True
    for at, some in enumerate(batches(authors, 4_000)):
        tweets = []
        for n, author in enumerate(some):
            tweet_id = id_at(now - AGE_MS - (len(authors) - at * 4_000 - n))
            tweets.append(Tweet(tweet_id=tweet_id, author_id=author, text=texts[tweet_id % 997], conversation_id=tweet_id,
                                created_ms=now - AGE_MS))  # fmt: skip
        await stores.tweets.put([NewTweet(tweet=tweet) for tweet in tweets])
        for tweet in tweets:
            readers = (tweet.author_id - 1 - distances) % shape.people + 1
            await stores.timelines.push(
                np.array(((tweet.tweet_id, 0),), np.int64), np.append(readers[whole[readers]], tweet.author_id), now
            )


def home_requests(path: Path, shape: Shape) -> Path:
    """A request for the first page of each reader, in random order."""
    readers = shape.some(shape.readers)
    random.Random(shape.seed).shuffle(readers)
    lines = [json.dumps({"path": "/api/v1/timeline/home", "headers": {"Authorization": f"Bearer {token(user)}"}}) for user in readers]
    path.write_text("\n".join(lines))
    return path


def post_requests(path: Path, shape: Shape) -> Path:
    """A tweet by each author, in random order."""
    chance = random.Random(shape.seed)
    authors = shape.some(shape.authors)
    chance.shuffle(authors)
    lines = [
        json.dumps({"method": "POST", "path": "/api/v1/tweets", "headers": {"Authorization": f"Bearer {token(user)}"},
                    "body": {"text": text_of(chance)}}) for user in authors
    ]  # fmt: skip
    path.write_text("\n".join(lines))
    return path
