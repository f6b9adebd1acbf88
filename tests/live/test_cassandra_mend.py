"""A process that dies between a write and its counting, or whose counting gets no answer: a sweep finds it and counts again."""

import asyncio

import msgspec
import parts
import parts_cassandra
import pytest

from twit.core.clock import ManualClock
from twit.core.errors import StoreDown
from twit.core.events import Event, EventKind
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet, TweetCounts

pytestmark = pytest.mark.live
NOW_MS = 1_750_000_000_000
ADA, BOB = 1, 2


@pytest.fixture
async def store():
    clock, log = ManualClock(NOW_MS), parts.ListedLog()
    async with parts_cassandra.stores(parts.config("cassandra_mend"), Limits(), clock, log) as (opened,):
        opened.log, opened.clock = log, clock
        yield opened


def new(number, author=ADA, **more):
    own = id_at(NOW_MS, 0, number)
    event = Event(kind=EventKind.TWEET_CREATED, key=author, actor=author, tweet=own)
    return NewTweet(tweet=Tweet(tweet_id=own, author_id=author, conversation_id=own, created_ms=NOW_MS, **more), events=(event,))


def uncounted(store, how):
    """The next counting goes this way."""
    count = store.session.count

    async def instead(bound):
        store.session.count = count
        return await how()

    store.session.count = instead


async def died():
    raise StoreDown("the process died here")


async def unanswered():
    return False


async def swept(store):
    """As the relay does."""
    rows = await store.outbox.waiting(NOW_MS + 60_000, 100)
    await store.outbox.found(rows)
    await store.outbox.sent(rows)
    return [one.event.tweet for one in rows]


async def stated(store, tweet, author):
    return (await store.tweets.author_counts([author]))[0], (await store.engagement.counts([tweet]))[0]


async def test_a_tweet_whose_writer_died_before_it_was_counted_is_counted_by_the_sweep(store):
    parent = new(1, BOB)
    await store.tweets.put([parent])
    await store.outbox.sent(store.log.outgoing)
    uncounted(store, died)
    answer = new(2, reply_to=parent.tweet.tweet_id, reply_to_author=BOB)
    with pytest.raises(StoreDown):
        await store.tweets.put([answer])
    assert await stated(store, parent.tweet.tweet_id, ADA) == (0, TweetCounts())
    assert await swept(store) == [answer.tweet.tweet_id]
    assert await stated(store, parent.tweet.tweet_id, ADA) == (1, TweetCounts(replies=1))
    assert await swept(store) == []


async def test_a_counting_without_an_answer_keeps_its_row_for_the_sweep(store):
    uncounted(store, unanswered)
    one = new(3)
    await store.tweets.put([one])
    await store.outbox.sent(store.log.outgoing)
    assert await swept(store) == [one.tweet.tweet_id]
    assert (await store.tweets.author_counts([ADA]))[0] == 1
    assert await swept(store) == []


async def test_a_sweep_counts_nothing_twice_that_is_being_counted(store):
    one, held = new(4), asyncio.Event()
    count = store.session.count

    async def late(bound):
        store.session.count = count
        await held.wait()
        return await count(bound)

    store.session.count = late
    posting = asyncio.ensure_future(store.tweets.put([one]))
    while not await store.outbox.waiting(NOW_MS + 60_000, 100):
        await asyncio.sleep(0.01)
    sweeping = asyncio.ensure_future(swept(store))
    await asyncio.sleep(0.3)  # it has looked once or twice
    held.set()
    await posting
    await sweeping
    assert (await store.tweets.author_counts([ADA]))[0] == 1


async def test_a_repeat_of_a_tweet_whose_batch_broke_off_with_the_server_completes_it(store):
    key = IdempotencyKey(ADA, "k", b"body", NOW_MS + 86_400_000)
    one = NewTweet(tweet=new(5).tweet, events=new(5).events, idempotency=key)
    write = store.session.write

    async def broken_off(bound):
        store.session.write = write
        await write([row for row in bound if row[0] == "tweets.put"])
        raise StoreDown("the server died here")

    store.session.write = broken_off
    with pytest.raises(StoreDown):
        await store.tweets.put([one])
    store.clock.advance(60)
    assert await store.tweets.repeated(key, NOW_MS) == PutOutcome(PutStatus.REPEATED, one.tweet.tweet_id)
    (entries,) = await store.tweets.by_authors([ADA], limit=10)
    assert entries[:, 0].tolist() == [one.tweet.tweet_id]
    assert await store.tweets.author_counts([ADA]) == [1]
    assert [told.event for told in store.log.outgoing] == [
        msgspec.structs.replace(one.events[0], at_ms=NOW_MS)
    ]
    assert await store.tweets.repeated(key, NOW_MS) == PutOutcome(PutStatus.REPEATED, one.tweet.tweet_id)
    assert await store.tweets.author_counts([ADA]) == [1]
