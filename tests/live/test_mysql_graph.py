"""Follows and blocks over several servers: two processes at once, crashes between two shards, and events in the order of the
truth."""

from __future__ import annotations

import asyncio
import random

import pytest
from parts import ListedLog, config
from parts_mysql import no_tweets, open_empty

from twit.core.clock import ManualClock
from twit.core.errors import StoreDown
from twit.core.events import Event, EventKind
from twit.core.limits import Limits
from twit.core.model import Blocks, NewFollow, Relation
from twit.core.stores.live import mysql
from twit.core.stores.live.mysql.accounts import STALE_MS

pytestmark = pytest.mark.live

CONFIG = config("mysql_graph")
START_MS = 1_750_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def log() -> ListedLog:
    return ListedLog()


@pytest.fixture
async def stores(clock: ManualClock, log: ListedLog):
    opened = await open_empty(CONFIG, Limits(), clock, log)
    yield opened
    await opened.close()


@pytest.fixture
async def other(stores: mysql.MysqlStores, clock: ManualClock):
    """A second process's, over the same rows."""
    opened = await mysql.open_mysql(CONFIG, Limits(), clock, ListedLog(), no_tweets)
    yield opened
    await opened.close()


def event(kind: EventKind, actor: int, target: int) -> Event:
    return Event(kind=kind, key=actor, actor=actor, target=target)


async def come(stores: mysql.MysqlStores, *pairs: tuple[int, int]) -> None:
    await stores.graph.follow(
        [NewFollow(follower=one, followee=to, events=(event(EventKind.FOLLOWED, one, to),)) for one, to in pairs], 5_000
    )


async def go(stores: mysql.MysqlStores, *pairs: tuple[int, int]) -> None:
    await stores.graph.unfollow(pairs, [(event(EventKind.UNFOLLOWED, *pair),) for pair in pairs])


async def listed(stores: mysql.MysqlStores, followee: int) -> list[int]:
    return (await stores.graph.followers(followee, 0, 10_000))[0].tolist()


async def test_two_processes_keep_one_truth(stores, other, log) -> None:
    for first in range(100, 300, 20):
        mine, theirs = ([(follower, 9) for follower in range(start, start + 15)] for start in (first, first + 5))
        await asyncio.gather(come(stores, *mine), come(other, *theirs))
        await asyncio.gather(stores.graph.carry(theirs), other.graph.carry(mine))
    found = await listed(stores, 9)
    assert sorted(found) == [*range(100, 300)]
    assert await listed(other, 9) == found
    assert (await other.accounts.counts([9]))[0].followers == 200
    assert len(await stores.outbox.waiting(START_MS + 1, 1_000)) == 200


async def test_a_list_is_right_after_its_last_carry_whoever_carries(stores, other) -> None:
    chance = random.Random(5)

    async def restless(follower: int) -> None:
        for _ in range(12):
            store = chance.choice((stores, other))
            await (come if chance.random() < 0.5 else go)(store, (follower, 9))
            await chance.choice((stores, other)).graph.carry([(follower, 9)])

    # Two of each, so that one carries what the other has changed since.
    await asyncio.gather(*(restless(follower) for follower in (1, 130, 2, 131) for _ in range(2)))
    truth = [follower for follower in (1, 2, 130, 131) if (await stores.graph.is_following([(follower, 9)]))[0]]
    assert sorted(await listed(stores, 9)) == truth
    assert (await stores.accounts.counts([9]))[0].followers == len(truth)


@pytest.mark.parametrize("follower", [1, 130], ids=["the followee's server", "another server"])
async def test_a_carry_that_waited_asks_for_the_truth_after_its_turn(stores, other, follower) -> None:
    """A carry that locks first and then asks cannot write down what another has found out to be over."""
    await come(stores, (follower, 9))
    locked, gone = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(session) -> None:
        session.rows("SELECT * FROM user_counts WHERE shard = 9 AND user_id = 9 FOR UPDATE")
        loop.call_soon_threadsafe(locked.set)
        asyncio.run_coroutine_threadsafe(gone.wait(), loop).result()

    await stores.graph.carry([(5, 9)])  # so that there is a row to lock
    holding = asyncio.create_task(stores.shards.write(9, hold))
    await locked.wait()
    carrying = asyncio.create_task(other.graph.carry([(follower, 9)]))
    await asyncio.sleep(0.2)
    await go(stores, (follower, 9))
    gone.set()
    await asyncio.gather(holding, carrying)
    assert await listed(stores, 9) == []


async def test_events_about_one_follower_are_told_in_the_order_of_the_truth(stores, log) -> None:
    await asyncio.gather(*((come if number % 2 == 0 else go)(stores, (1, 2)) for number in range(40)))
    kinds = [logged.event.kind for logged in log.events]
    assert len(kinds) == 40
    assert kinds == [EventKind.FOLLOWED, EventKind.UNFOLLOWED] * 20
    assert [outgoing.event for outgoing in await stores.outbox.waiting(START_MS + 1, 100)] == [one.event for one in log.events]


async def test_an_outbox_waits_until_its_events_are_sent(stores, other, clock, log) -> None:
    await come(stores, (1, 2), (200, 2))
    assert await stores.outbox.waiting(START_MS, 10) == []  # not that old
    clock.advance(1)
    await come(stores, (3, 2))
    found = await other.outbox.waiting(START_MS + 1_000, 10)
    assert sorted(one.event.actor for one in found) == [1, 200]
    assert set(found) == set(log.outgoing[:2])
    for _ in range(2):
        await other.outbox.sent(found)
    assert [one.event.actor for one in await stores.outbox.waiting(START_MS + 5_000, 10)] == [3]


@pytest.mark.parametrize("target", [2, 200], ids=["the same server", "another server"])
async def test_a_block_that_a_crash_left_on_one_side_is_carried_later(stores, other, clock, target) -> None:
    async def crash(*_, **__) -> None:
        what = "killed here"
        raise StoreDown(what)

    carry, other.relations._carry = other.relations._carry, crash
    await stores.relations.request_follow(1, target, retweets=True, at_ms=5, events=())
    with pytest.raises(StoreDown):
        await other.relations.relate(Relation.BLOCK, 1, target, (event(EventKind.BLOCKED, 1, target),), 5)
    assert await stores.relations.blocks([1, target]) == [Blocks(blocked=frozenset({target})), Blocks()]
    assert (await stores.sweep()).blocks_carried == 0  # too young
    clock.advance(STALE_MS / 1_000 + 1)
    assert (await stores.sweep()).blocks_carried == 1
    assert await stores.relations.blocks([target]) == [Blocks(blocked_by=frozenset({1}))]
    assert await stores.relations.request_between(1, target) is None
    with pytest.raises(StoreDown):
        await other.relations.unrelate(Relation.BLOCK, 1, target, ())
    other.relations._carry = carry
    await other.relations.relate(Relation.BLOCK, 1, target, (), 5)  # newer than the one that was not carried
    clock.advance(STALE_MS / 1_000 + 1)
    await stores.sweep()
    assert await stores.relations.blocks([target]) == [Blocks(blocked_by=frozenset({1}))]
    await stores.relations.unrelate(Relation.BLOCK, 1, target, ())
    assert await stores.relations.blocks([1, target]) == [Blocks(), Blocks()]
    assert (await stores.sweep()).blocks_carried == 0


async def test_a_repeated_block_reaches_the_other_side_where_the_first_did_not(stores) -> None:
    carry = stores.relations._carry

    async def crash(*_, **__) -> None:
        what = "killed here"
        raise StoreDown(what)

    stores.relations._carry = crash
    with pytest.raises(StoreDown):
        await stores.relations.relate(Relation.BLOCK, 1, 200, (), 5)
    stores.relations._carry = carry
    assert not await stores.relations.relate(Relation.BLOCK, 1, 200, (), 5)
    assert await stores.relations.blocks([200]) == [Blocks(blocked_by=frozenset({1}))]
