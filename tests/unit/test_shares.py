"""Fair shares of a group's lanes among the processes that are alive, and events of two processes that come in the wrong order."""

from __future__ import annotations

import asyncio

import pytest
from builders import make_friends, make_users, settle

from twit.core.events import Event, EventKind
from twit.core.shares import Share


async def until(holds):
    """Give the others their turn until it holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
def share(twit):
    def made(name, lanes=4, group="fanout"):
        return Share(twit.stores.leases, group, name, lanes)

    return made


async def test_a_group_of_one_lane_counts_nobody(share, twit):
    alone = share("a", lanes=1)
    await alone.keep(asyncio.Event())
    assert alone.most == 1
    assert await twit.stores.leases.holder("member.fanout.0") == ""


async def test_whoever_joins_gets_a_share_and_leaves_it_when_it_dies(share):
    stops = [asyncio.Event() for _ in range(3)]
    one, two, three = (share(name) for name in "one two three".split())
    tasks = [asyncio.ensure_future(one.keep(stops[0]))]
    await until(lambda: one.most == 4)
    lanes = [f"fanout.{number}" for number in range(4)]
    assert all(one.begin(lane) for lane in lanes)
    tasks.append(asyncio.ensure_future(two.keep(stops[1])))
    await until(lambda: one.most == two.most == 2)
    assert [one.surplus(lane) for lane in lanes] == [False, False, True, True]
    assert two.begin("fanout.2") and two.begin("fanout.3") and not two.begin("fanout.0")
    one.end("fanout.2")
    one.end("fanout.3")
    assert not one.begin("fanout.2")
    tasks.append(asyncio.ensure_future(three.keep(stops[2])))
    await until(lambda: three.most == 2)  # 4 lanes for 3: two of them do it
    tasks.pop().cancel()
    tasks.pop().cancel()
    await until(lambda: one.most == 4)
    stops[0].set()
    await tasks[0]


async def test_more_processes_than_lanes_leave_the_last_in_reserve(share):
    stop = asyncio.Event()
    shares = [share(str(number), lanes=2) for number in range(3)]
    tasks = []
    for one in shares[:2]:
        tasks.append(asyncio.ensure_future(one.keep(stop)))
        await until(lambda one=one: one.most)
    tasks.append(asyncio.ensure_future(shares[2].keep(stop)))
    await until(lambda: shares[0].most == shares[1].most == 1)
    assert shares[2].most == 0
    tasks[0].cancel()
    await until(lambda: shares[2].most == 1)
    stop.set()
    await asyncio.gather(*tasks[1:])


async def test_whoever_lost_a_lease_stops_and_takes_it_again(twit, monkeypatch):
    taken, acquire = [], twit.stores.leases.acquire

    async def noted(name, holder):
        lease = await acquire(name, holder)
        taken.append(lease)
        return lease

    monkeypatch.setattr(twit.stores.leases, "acquire", noted)
    stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(("fanout",), stop))
    await until(lambda: twit.workers.states()["fanout"] == "ok")
    await make_users(twit, "ada bob")
    taken[0].lost = True
    await until(lambda: len(taken) == 2 and twit.workers.states()["fanout"] == "ok")
    stop.set()
    await running


async def test_a_tweet_whose_deletion_was_heard_of_first_is_not_delivered(twit, clock):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    tweet = await twit.post(bob, "hi")
    await settle(twit)
    await twit.delete(bob, tweet.tweet_id)
    await settle(twit)
    late = Event(kind=EventKind.TWEET_CREATED, key=bob, actor=bob, tweet=tweet.tweet_id, at_ms=clock.now_ms())
    await twit.stores.log.append([late])
    await settle(twit)
    assert (await twit.stores.timelines.raw(ada)).tolist() == []
