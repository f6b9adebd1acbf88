"""Two servers of the test's own, one of which is killed, stopped, or written full: what goes on, what is said, what comes
back."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from mariadb_own import OwnMariaDb
from parts import ListedLog, config
from parts_mysql import no_tweets

from twit.core.clock import SystemClock
from twit.core.errors import StoreDown, StoreError, StoreFull, StoreTimeout
from twit.core.events import Event, EventKind
from twit.core.limits import Limits
from twit.core.model import NewAccount, NewFollow
from twit.core.stores.live import mysql
from twit.core.stores.live.config import Access

pytestmark = [pytest.mark.live, pytest.mark.slow]

PORTS = (7_211, 7_212)
HERE, THERE = 1, 200  # people of the first and of the second server


@pytest.fixture
def servers():
    own = [OwnMariaDb(port) for port in PORTS]
    try:
        for server in own:
            server.start()
        yield own
    finally:
        for server in own:
            server.stop()


@pytest.fixture
async def stores(servers):
    addresses = tuple(f"127.0.0.1:{port}/d" for port in PORTS)
    owner, least = (Access(addresses=addresses, user=name, password=name) for name in ("owner", "least"))
    base = config("own")
    settings = type(base)(redis=base.redis, cassandra=base.cassandra, kafka=base.kafka, mysql=owner, namespace="own")
    with pytest.raises(StoreDown):
        await mysql.init(type(base)(redis=base.redis, cassandra=base.cassandra, kafka=base.kafka, mysql=least, namespace="own"))
    await mysql.init(settings)
    used = type(base)(redis=base.redis, cassandra=base.cassandra, kafka=base.kafka, mysql=least, namespace="own")
    opened = await mysql.open_mysql(used, Limits(store_timeout_ms=2_000), SystemClock(), ListedLog(), no_tweets)
    for server in servers:
        server.signal(signal.SIGCONT)
    yield opened
    for server in servers:
        server.signal(signal.SIGCONT) if server._process.poll() is None else None
    await opened.close()


async def follow(stores: mysql.MysqlStores, follower: int, followee: int) -> None:
    event = Event(kind=EventKind.FOLLOWED, key=follower, actor=follower, target=followee)
    await stores.graph.follow([NewFollow(follower=follower, followee=followee, events=(event,))], 1 << 30)


async def test_a_killed_server_loses_nothing_that_was_answered_and_holds_up_nobody_else(servers, stores) -> None:
    answered: list[tuple[int, int]] = []
    lease = await stores.leases.acquire("fanout", "me")
    going, failed = True, {HERE: 0, THERE: 0}

    async def load(follower: int, first: int) -> None:
        followee = first
        while going:
            followee += 10
            try:
                await follow(stores, follower, followee)
            except StoreError:
                failed[follower] += 1
                await asyncio.sleep(0.01)
            else:
                answered.append((follower, followee))

    tasks = [asyncio.create_task(load(who, 1_000 + number)) for who in (HERE, THERE) for number in range(4)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        servers[0].signal(signal.SIGKILL)
        before = len(answered)
        await asyncio.sleep(0.3)
        assert any(follower == THERE for follower, _ in answered[before:])
        await asyncio.to_thread(servers[0].start)
    await asyncio.sleep(0.3)
    going = False
    await asyncio.gather(*tasks)
    assert failed[HERE]
    assert not failed[THERE]
    assert len(answered) > 50
    assert all(await stores.graph.is_following(answered))
    told = {(one.event.actor, one.event.target) for one in await stores.outbox.waiting(1 << 42, 1_000_000)}
    assert told >= set(answered)
    assert lease.lost
    assert await stores.leases.acquire("fanout", "me again") is not None


async def test_a_server_that_does_not_answer_costs_its_own_calls_their_time_and_others_nothing(servers, stores) -> None:
    await follow(stores, HERE, 2)
    await follow(stores, THERE, 2)
    servers[0].signal(signal.SIGSTOP)
    slow = [asyncio.create_task(follow(stores, HERE, 3)) for _ in range(20)]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    for followee in range(10, 30):
        await follow(stores, THERE, followee)
    assert time.monotonic() - began < 1
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(one, StoreTimeout) for one in outcomes)
    assert time.monotonic() - began < 3
    said = await stores.check()
    assert [what == "ok" for what in said.values()] == [False, True]
    servers[0].signal(signal.SIGCONT)
    await asyncio.sleep(2)
    await follow(stores, HERE, 4)
    assert await stores.graph.is_following([(HERE, 4), (THERE, 29)]) == [True, True]


async def test_a_server_that_may_not_write_is_full_and_is_read(servers, stores) -> None:
    await follow(stores, HERE, 2)
    servers[0].sql("SET GLOBAL read_only = 1")
    with pytest.raises(StoreFull, match="read-only"):
        await follow(stores, HERE, 3)
    assert await stores.graph.is_following([(HERE, 2), (HERE, 3)]) == [True, False]
    await follow(stores, THERE, 3)
    servers[0].sql("SET GLOBAL read_only = 0")
    await follow(stores, HERE, 3)


async def test_the_least_of_rights_is_enough_for_everything(stores) -> None:
    (ada,) = await stores.accounts.create([NewAccount(username="ada", email="a@x", password_hash="", display_name="", created_ms=1)])
    await stores.accounts.update(ada, [])
    await follow(stores, HERE, ada.user_id)
    await stores.graph.carry([(HERE, ada.user_id)])
    await stores.graph.mark_merged([(HERE, ada.user_id, 1)])
    assert (await stores.leases.node("me"))[0] == 0
    await stores.outbox.sent(await stores.outbox.waiting(1 << 42, 10))
    await stores.sweep()
