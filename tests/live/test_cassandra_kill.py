"""A process that posts with keys, likes and deletes is killed again and again; what it left is completed by the repeats, exactly once."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
from pathlib import Path

import parts
import parts_cassandra
import pytest

from twit.core.clock import SystemClock
from twit.core.errors import StoreTimeout
from twit.core.events import Event, EventKind
from twit.core.ids import TweetIds
from twit.core.limits import Limits
from twit.core.model import IdempotencyKey, NewTweet, PutStatus, Tweet
from twit.core.stores.live.cassandra_open import open_cassandra

pytestmark = pytest.mark.live

ADA, BOB = 1, 2
AT_ONCE = 8
CONFIG = parts.config("cassandra_kill")
TRIES = 5


def told(kind, tweet, user):
    return Event(kind=kind, key=tweet, actor=user, tweet=tweet)


def keyed(number, own, now_ms):
    key = IdempotencyKey(ADA, f"post {number}", b"body", now_ms + 86_400_000)
    tweet = Tweet(tweet_id=own, author_id=ADA, conversation_id=own, text=f"post {number}")
    return NewTweet(tweet=tweet, events=(told(EventKind.TWEET_CREATED, own, ADA),), idempotency=key)


async def one_round(store, number, own, clock):
    """Post, like it, and delete every third; each step may have happened before."""
    (put,) = await store.tweets.put([keyed(number, own, clock.now_ms())])
    liked = await store.engagement.like([(BOB, put.tweet_id)], 5, [(told(EventKind.LIKED, put.tweet_id, BOB),)])
    gone = False
    if number % 3 == 0:
        (gone,) = await store.tweets.delete([put.tweet_id], [(told(EventKind.TWEET_DELETED, put.tweet_id, ADA),)])
    return put, liked, gone


async def rounds_of(store, numbers, ids, clock):
    """All at once; where one does not win its claim in time, as hundreds may not at once, it is repeated."""

    async def one(number):
        for _ in range(TRIES):
            with contextlib.suppress(StoreTimeout):
                return await one_round(store, number, ids.next(), clock)
        return await one_round(store, number, ids.next(), clock)

    return await asyncio.gather(*map(one, numbers))


async def post(node, start):
    """The victim: says what it begins and what is acknowledged, until it is killed."""
    clock = SystemClock()
    ids, numbers = TweetIds(clock, node), itertools.count(start)
    store = await open_cassandra(CONFIG, Limits(), clock, parts.ListedLog())

    async def work():
        for number in numbers:
            own = ids.next()
            print("begun", number, own, flush=True)
            put, _, _ = await one_round(store, number, own, clock)
            print("done", number, put.tweet_id, flush=True)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def killed_after(seconds, node, start):
    """Run it for so long after its first acknowledgement; what it began, and what it was told."""
    root = Path(__file__).parent
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(node), str(start), stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root.parent}"},
    )
    lines = [await asyncio.wait_for(child.stdout.readline(), 60) for _ in range(AT_ONCE + 1)]
    await asyncio.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines()
    await child.wait()
    said = [line.decode().split() for line in lines]
    whole = [line for line in said if len(line) == 3]
    begun = {int(number): int(own) for what, number, own in whole if what == "begun"}
    return begun, {int(number): int(own) for what, number, own in whole if what == "done"}


async def test_a_process_killed_anywhere_leaves_nothing_half_done_that_a_repeat_does_not_complete():
    clock = SystemClock()
    ids, chance = TweetIds(clock, 9), random.Random(7)
    begun, done = {}, {}
    async with parts_cassandra.stores(CONFIG, Limits(), clock, parts.ListedLog()) as (store,):
        for node in range(1, 6):
            more, told_of = await killed_after(chance.uniform(0.02, 0.4), node, max(begun, default=0) + 1)
            begun |= more
            done |= told_of
        assert len(begun) - len(done) >= AT_ONCE
        numbers = sorted(begun)
        rounds = await rounds_of(store, numbers, ids, clock)
        posted = {number: put.tweet_id for number, (put, _, _) in zip(numbers, rounds, strict=True)}
        assert all(posted[number] == own for number, own in done.items()), "what was acknowledged is what stands"
        again = await rounds_of(store, numbers, ids, clock)
        assert [(put.status, put.tweet_id, liked, gone) for put, liked, gone in again] == [
            (PutStatus.REPEATED, posted[number], [False], False) for number in numbers
        ]
        standing = sorted(own for number, own in posted.items() if number % 3)
        (entries,) = await store.tweets.by_authors([ADA], limit=10_000)
        assert sorted(entries[:, 0].tolist()) == standing, "no second tweet, and no deleted one"
        assert sorted((await store.engagement.recent_likes(BOB, 10_000))[0]) == sorted(posted.values())
        assert await store.tweets.recount_authors([ADA]) == [len(standing)] == await store.tweets.author_counts([ADA])
        waiting = await store.outbox.waiting(clock.now_ms() + 60_000, 1_000_000)
        events = {(one.event.kind, one.event.tweet) for one in waiting}
        assert events == {
            *((kind, own) for own in posted.values() for kind in (EventKind.TWEET_CREATED, EventKind.LIKED)),
            *((EventKind.TWEET_DELETED, own) for number, own in posted.items() if number % 3 == 0),
        }, "each event at least once"


if __name__ == "__main__":
    asyncio.run(post(int(sys.argv[1]), int(sys.argv[2])))
