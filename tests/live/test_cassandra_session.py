"""How statements are sent: so many at once, in order, tried again only where that is harmless, and errors as ours."""

import asyncio

import cassandra
import parts
import parts_cassandra
import pytest
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import ErrorMessage

from twit.core.clock import ManualClock
from twit.core.errors import StoreCorrupt, StoreDown, StoreError, StoreTimeout
from twit.core.limits import Limits
from twit.core.model import NewTweet, Tweet
from twit.core.stores.live.cassandra_driver import translate
from twit.core.stores.live.cassandra_session import IN_FLIGHT_MAX, RETRIES_SAVED_MAX, TRIES, WIDTH, spread

pytestmark = pytest.mark.live

LEVEL = cassandra.ConsistencyLevel.LOCAL_QUORUM


@pytest.fixture
async def store():
    async with parts_cassandra.stores(parts.config("cassandra_reads"), Limits(), ManualClock(1_750_000_000_000), parts.ListedLog()) as (
        opened,
    ):
        yield opened


@pytest.mark.parametrize(("theirs", "ours"), [
    (NoHostAvailable("nobody", {}), StoreDown),
    (cassandra.Unavailable("one of two", consistency=LEVEL, required_replicas=2, alive_replicas=1), StoreDown),
    (cassandra.AuthenticationFailed("who?"), StoreDown),
    (ErrorMessage(0x1001, "overloaded", None), StoreDown),
    (cassandra.OperationTimedOut(), StoreTimeout),
    (cassandra.WriteTimeout("late", consistency=LEVEL, write_type=cassandra.WriteType.CAS), StoreTimeout),
    (cassandra.ReadTimeout("late", consistency=LEVEL), StoreTimeout),
    (cassandra.WriteFailure("failed", consistency=LEVEL), StoreTimeout),
    (ErrorMessage(0x1700, "the round may be committed later", None), StoreTimeout),
    (ErrorMessage(0x0000, "server error", None), StoreError),
    (cassandra.Unauthorized("no grant"), StoreError),
    (cassandra.InvalidRequest("unconfigured table tweets"), StoreCorrupt),
    (cassandra.InvalidRequest("a bug of ours"), type(None)),
    (ValueError("another"), type(None)),
], ids=lambda one: type(one).__name__)
def test_every_error_of_the_driver_becomes_one_of_ours(theirs, ours):
    assert type(translate(theirs)) is ours


async def test_what_is_spread_comes_back_in_order_and_not_all_at_once():
    running, most = 0, 0

    async def double(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (number % 3))
        running -= 1
        return 2 * number

    assert await spread(double, range(200), 7) == list(range(0, 400, 2))
    assert most == 7
    assert await spread(double, []) == []


async def test_after_an_error_nothing_new_is_begun_and_what_runs_comes_to_its_end():
    begun, ended = [], []

    async def work(number):
        begun.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise StoreDown("three")
        await asyncio.sleep(0.01)
        ended.append(number)

    with pytest.raises(StoreDown, match="three"):
        await spread(work, range(100), 5)
    assert begun == [0, 1, 2, 3, 4]
    assert ended == [0, 1, 2, 4]


async def test_no_more_is_under_way_than_is_allowed(store):
    under_way = most = 0
    answer = store.session._answer

    async def counted(response):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await answer(response)
        finally:
            under_way -= 1

    store.session._answer = counted
    await asyncio.gather(*(store.tweets.get(range(start, start + 2_000)) for start in range(1, 20_000, 2_000)))
    assert WIDTH < most <= IN_FLIGHT_MAX
    assert store.session._slots._value == IN_FLIGHT_MAX


def failing(store, error, times=1_000):
    """The server's next answers are this error."""
    answer, left = store.session._answer, [times]

    async def fail(response):
        if left[0]:
            left[0] -= 1
            response.add_callbacks(lambda _: None, lambda _: None)
            raise error
        return await answer(response)

    store.session._answer = fail


async def test_reads_and_batches_are_tried_again_and_claims_are_not(store):
    before = store.session.statements
    failing(store, cassandra.OperationTimedOut(), TRIES - 1)
    assert await store.tweets.get([1]) == [None]
    assert store.session.statements == before + TRIES
    failing(store, cassandra.OperationTimedOut(), 1)
    before = store.session.statements
    with pytest.raises(StoreTimeout):
        await store.engagement.like([(1, 1)], 5, [()])
    assert store.session.statements == before + 1


async def test_a_batch_tried_again_after_it_took_place_is_one_tweet(store):
    write = store.session._send

    async def twice(statement, values, profile):
        answer = await write(statement, values, profile)
        if isinstance(statement, cassandra.query.BatchStatement):
            store.session._send = write
            raise StoreTimeout("the answer was lost")
        return answer

    store.session._send = twice
    await store.tweets.put([NewTweet(tweet=Tweet(tweet_id=9, author_id=1))])
    assert (await store.tweets.by_authors([1], limit=5))[0].tolist() == [[9, 0]]
    assert await store.tweets.author_counts([1]) == [1]


async def test_a_store_in_trouble_is_not_asked_three_times_as_much(store):
    failing(store, NoHostAvailable("nobody", {}))
    before = store.session.statements
    for number in range(20):
        with pytest.raises(StoreDown):
            await store.tweets.get([number + 1])
    assert store.session.statements - before == 20 + RETRIES_SAVED_MAX
