"""Leases on a connection: when it breaks they are lost, and whoever held them can know it before another has them."""

from __future__ import annotations

import asyncio

import pytest
from parts import ListedLog, config
from parts_mysql import no_tweets, open_empty

from twit.core.clock import ManualClock
from twit.core.errors import StoreDown, Superseded
from twit.core.events import Progress, Work, WorkVerb
from twit.core.limits import Limits
from twit.core.stores.live import mysql
from twit.core.stores.live.mysql import leases, nodes
from twit.core.stores.live.mysql.leases import IDLE_S, LOST_AFTER_S
from twit.core.stores.live.mysql.nodes import Rest

pytestmark = pytest.mark.live

CONFIG = config("mysql_leases")


@pytest.fixture
async def stores():
    opened = await open_empty(CONFIG, Limits(), ManualClock(1_750_000_000_000), ListedLog())
    yield opened
    await opened.close()


@pytest.fixture
async def other(stores):
    opened = await mysql.open_mysql(CONFIG, Limits(), ManualClock(1_750_000_000_000), ListedLog(), no_tweets)
    yield opened
    await opened.close()


async def break_connection(stores: mysql.MysqlStores) -> None:
    number = stores.leases._session.connection.thread_id()
    await stores.shards.read(0, lambda session: session.run(f"KILL {number}"))


async def test_a_lease_holds_until_its_connection_breaks_and_then_says_so(stores, other) -> None:
    fanout = await stores.leases.acquire("fanout", "me")
    node, of_node = await stores.leases.node("me")
    await asyncio.sleep(1.2)
    assert not fanout.lost
    assert await other.leases.acquire("fanout", "other") is None
    await break_connection(stores)
    taken = await other.leases.acquire("fanout", "other")
    assert taken is not None
    assert taken.fence > fanout.fence
    await asyncio.sleep(1.2)
    assert fanout.lost
    assert not of_node.lost  # taken back
    fanout.release()
    assert await other.leases.holder("fanout") == "other"
    assert await stores.leases.acquire("fanout", "me") is None
    assert (await other.leases.node("other"))[0] != node


async def test_what_a_former_holder_records_late_changes_nothing(stores, other) -> None:
    work = Work(work_id=4, verb=WorkVerb.PUSH, author=1, tweet=50, ref=9, after=0, batch=2, created_ms=3, request_id="r")
    await stores.work.claim("fanout.0", 1)
    await stores.work.advance([Progress(group="fanout.0", offset=4, fence=1, number=1, put=(work,))])
    await other.work.claim("fanout.0", 2)
    assert await other.work.pending("fanout.0") == [work]
    await other.work.advance([Progress(group="fanout.0", offset=4, fence=2, number=1, done=(4,))])
    late = Progress(group="fanout.0", offset=9, fence=1, number=2, put=(work,))
    with pytest.raises(Superseded, match="holder number 2"):
        await stores.work.advance([late])
    with pytest.raises(Superseded):
        await stores.work.claim("fanout.0", 1)
    assert (await other.work.pending("fanout.0"), await other.work.offset("fanout.0")) == ([], 4)


async def test_a_step_that_comes_after_a_later_one_changes_nothing(stores) -> None:
    work = Work(work_id=4, verb=WorkVerb.PUSH, author=1, tweet=50, ref=9, after=0, batch=2, created_ms=3, request_id="r")
    await stores.work.claim("fanout.0", 1)
    first = Progress(group="fanout.0", offset=4, fence=1, number=1, put=(work,))
    await stores.work.advance([first])
    await stores.work.advance([Progress(group="fanout.0", offset=4, fence=1, number=2, done=(4,))])
    await stores.work.advance([first])  # whose answer was lost, and whose repeat took its time
    assert await stores.work.pending("fanout.0") == []


async def test_a_lease_is_taken_again_after_a_break_without_a_word(stores) -> None:
    first = await stores.leases.acquire("fanout", "me")
    await break_connection(stores)
    second = await stores.leases.acquire("social", "me")
    assert second is not None
    assert first.lost
    assert not second.lost
    assert (await stores.leases.acquire("fanout", "me")).fence == first.fence + 1


async def test_who_slept_counts_his_leases_as_lost_before_the_server_gives_them_away(stores) -> None:
    lease = await stores.leases.acquire("fanout", "me")
    assert LOST_AFTER_S < IDLE_S
    (idle,) = (await stores.leases._bridge.run(stores.leases._session.row, "SELECT @@wait_timeout"))
    assert idle == IDLE_S
    stores.leases._seen_at -= LOST_AFTER_S + 0.1
    assert lease.lost
    stores.leases._seen_at += LOST_AFTER_S + 0.1
    assert lease.lost  # for ever


async def test_a_lease_that_counts_as_lost_is_not_held_on_to(stores, other) -> None:
    lease = await stores.leases.acquire("fanout", "me")
    again = await stores.leases.acquire("social", "me")
    stores.leases._seen_at -= LOST_AFTER_S + 0.1
    assert lease.lost
    assert again.lost
    social = await stores.leases.acquire("social", "me")  # on the same connection, where locks are counted
    social.release()
    await asyncio.sleep(1)
    assert await other.leases.acquire("fanout", "other") is not None
    assert await other.leases.acquire("social", "other") is not None


async def test_names_differ_by_case_and_length(stores) -> None:
    names = ["fanout", "Fanout", "f" * 150, "f" * 151]
    leases = [await stores.leases.acquire(name, name) for name in names]
    assert all(leases)
    assert [await stores.leases.holder(name) for name in names] == names


async def test_many_nodes_are_found_quickly(stores, other) -> None:
    held = [await (stores, other)[number % 2].leases.node("me") for number in range(70)]
    assert [node for node, _ in held] == [*range(70)]


async def test_a_node_is_taken_back_after_a_break_and_given_to_nobody_meanwhile(stores, other) -> None:
    node, lease = await stores.leases.node("me")
    await break_connection(stores)
    others = {(await other.leases.node("other"))[0] for _ in range(3)}
    assert node not in others
    await asyncio.sleep(1.5)
    assert not lease.lost
    assert await other.leases.acquire(f"node-{node}", "other") is None
    stores.leases._seen_at -= LOST_AFTER_S + 0.1  # slept, with the connection alive
    assert lease.lost
    await asyncio.sleep(1.2)
    assert not lease.lost
    lease.release()
    await asyncio.sleep(0.1)
    assert (await other.leases.node("other"))[0] == node  # and not counted twice


async def test_a_node_of_the_dead_rests_for_a_round_and_is_then_given_again(stores, other) -> None:
    (node, _), dead = await stores.leases.node("me"), stores.leases
    dead._watching.cancel()
    await break_connection(stores)
    rest = Rest(other.shards.server(0))
    assert [await rest.round() for _ in range(3)] == [0, 1, 0]
    assert (await other.leases.node("other"))[0] == node


async def test_a_resting_node_is_better_than_none(stores, other, monkeypatch) -> None:
    monkeypatch.setattr(nodes, "LEASED_NODES", 1)
    monkeypatch.setattr(leases, "LOST_AFTER_S", 0.5)
    node, _ = await stores.leases.node("me")
    stores.leases._watching.cancel()
    await break_connection(stores)
    began = asyncio.get_running_loop().time()
    assert (await other.leases.node("other"))[0] == node
    assert asyncio.get_running_loop().time() - began >= 0.5
    with pytest.raises(StoreDown, match="node ids"):
        await other.leases.node("third")
