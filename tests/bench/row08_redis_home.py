"""Row 8: ids of a first home page from a Redis Cluster, the reader's own 50 and three pulled authors', reads a second by one client
process, beside redis.asyncio's pipeline of the commands that say the same, merged alike.

Ours are the core's candidates: its rows by the live store, the pulled authors from this process's cache, which the log keeps true.
Needs the servers of `make live`, so it runs only where it is asked for: `make bench ARGS=8`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from redis.asyncio.cluster import ClusterNode, RedisCluster

from twit.core import wiring
from twit.core.candidates import Candidates
from twit.core.clock import SystemClock
from twit.core.entries import AuthorMode, FanoutMode
from twit.core.entropy import SystemEntropy
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import NewAccount, NewFollow, NewTweet, Tweet
from twit.core.offload import InlineOffload

from .figure import Figure

READERS, CELEBRITIES, ENTRIES, WANT = 2_000, (2_001, 2_002, 2_003), 800, 50
SECONDS, ROUNDS, AT_ONCE = 1.0, 5, 64
AGE_MS = 86_400_000


def run():
    sys.path.insert(0, str(Path(__file__).parent.parent / "live"))
    return asyncio.run(measured())


run.long = True
ROWS = {"8 home ids from Redis": run}


async def measured() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as twit, plain(twit) as cluster:
            for reader in range(1, 50):
                assert await ours(twit, reader) == await theirs(cluster, reader)
            pairs = []
            for warm in range(ROUNDS + 1):
                pair = await rate(lambda reader: ours(twit, reader)), await rate(lambda reader: theirs(cluster, reader))
                pairs += [pair] if warm else []
    return Figure(
        row="8", what=f"home ids from Redis: {WANT} of the reader's row, {len(CELEBRITIES)} pulled authors, {AT_ONCE} at once", unit="/s",
        against="redis.asyncio pipeline of the same commands", figures=[one for one, _ in pairs], references=[other for _, other in pairs],
        bar=2,
    )  # fmt: skip


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[wiring.Twit]:
    """Everybody follows the celebrities, who are pulled and wrote 50 tweets each; rows are full."""
    import parts

    clock, limits = SystemClock(), Limits()
    stores = await parts.open_part("redis", folder, limits, clock)
    now = clock.now_ms()
    first = now - AGE_MS
    try:
        people = range(1, READERS + len(CELEBRITIES) + 1)
        await stores.accounts.create([
            NewAccount(username=f"person_{n}", email="", created_ms=now, password_hash="", display_name="") for n in people
        ])
        follows = [NewFollow(follower=reader, followee=one, merged=True, created_ms=now) for reader in range(1, READERS + 1) for one in CELEBRITIES]
        await stores.graph.follow(follows, limits.following_max)
        tweets = [
            Tweet(tweet_id=id_at(first + 20 * n), author_id=CELEBRITIES[n % 3], text="", conversation_id=id_at(first + 20 * n), created_ms=first)
            for n in range(3 * WANT)
        ]  # fmt: skip
        await stores.tweets.put([NewTweet(tweet=tweet) for tweet in tweets])
        for one in CELEBRITIES:
            await stores.modes.put(one, AuthorMode(FanoutMode.PULL, 1), [])
        readers = np.arange(1, READERS + 1)
        await stores.timelines.open_empty(readers, now)
        ids = [id_at(first + 4 * n + 1) for n in reversed(range(ENTRIES))]
        await stores.timelines.push(np.stack([ids, np.zeros(ENTRIES, np.int64)], axis=1), readers, now)
        yield await wiring.build(
            stores, limits=limits, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=InlineOffload()
        )  # fmt: skip
    finally:
        await stores.health.close()


@asynccontextmanager
async def plain(twit) -> AsyncIterator[RedisCluster]:
    """The same entries under keys of this row's own, as its pipeline reads them."""
    import parts

    host, _, port = parts.config("bench").redis.addresses[0].rpartition(":")
    cluster = RedisCluster(startup_nodes=[ClusterNode(host, int(port))])
    row = await twit.stores.timelines.read(1, 0, ENTRIES, SystemClock().now_ms())
    pulled = [(await twit.stores.tweets.by_authors([one], limit=WANT))[0] for one in CELEBRITIES]
    try:
        for author, entries in zip(CELEBRITIES, pulled, strict=True):
            await cluster.rpush(f"bench8:celebrity:{author}", *(packed(entry) for entry in entries.tolist()))
        for reader in range(1, READERS + 1):
            await cluster.rpush(f"bench8:timeline:{reader}", *(packed(entry) for entry in row.entries.tolist()))
        yield cluster
    finally:
        names = [f"bench8:celebrity:{author}" for author in CELEBRITIES] + [f"bench8:timeline:{reader}" for reader in range(1, READERS + 1)]
        for some in range(0, len(names), 200):
            await asyncio.gather(*(cluster.delete(name) for name in names[some : some + 200]))
        await cluster.aclose()


def packed(entry: list[int]) -> bytes:
    return entry[0].to_bytes(8, "big") + entry[1].to_bytes(8, "big")


async def ours(twit, reader: int) -> list[int]:
    caches = twit.caches
    await caches.sync()
    candidates = Candidates(twit.stores, twit.limits, caches, await caches.viewer(reader), 0)
    await candidates.open(twit.timelines.rows, WANT)
    return (await candidates.run(WANT, SystemClock().now_ms()))[:WANT]


async def theirs(cluster: RedisCluster, reader: int) -> list[int]:
    pipeline = cluster.pipeline()
    pipeline.lrange(f"bench8:timeline:{reader}", 0, WANT - 1)
    for author in CELEBRITIES:
        pipeline.lrange(f"bench8:celebrity:{author}", 0, WANT - 1)
    lists = await pipeline.execute()
    ids = {int.from_bytes(entry[:8], "big") for entries in lists for entry in entries}
    return sorted(ids, reverse=True)[:WANT]


async def rate(read) -> float:
    """Reads a second, each of another reader, `AT_ONCE` under way."""
    readers, done, began = itertools.cycle(range(1, READERS + 1)), 0, time.perf_counter()

    async def reading():
        nonlocal done
        while time.perf_counter() - began < SECONDS:
            await read(next(readers))
            done += 1

    await asyncio.gather(*(reading() for _ in range(AT_ONCE)))
    return done / (time.perf_counter() - began)
