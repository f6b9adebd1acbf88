"""What else fails or ends around us: a second process on the folder, a dead one's ids, a clock set back, what is kept for a time only.

Disks, cached timelines and single events are in files of their own beside this one, as are whole processes."""

import asyncio

import pytest
from builders import NOON_MS, home, make_friends, make_users, texts, town

from twit.core.clock import ManualClock
from twit.core.errors import StoreError
from twit.core.ids import TweetIds
from twit.core.limits import DAY_MS
from twit.core.workers import GROUPS


async def test_two_services_on_one_folder_both_answer_and_one_consumes(open_twit):
    one, other = await open_twit(), await open_twit()
    ada, bob = await make_users(one, "ada bob")
    await make_friends(one, (bob, ada))
    stops = asyncio.Event(), asyncio.Event()
    running = [asyncio.create_task(twit.workers.run(GROUPS, stop)) for twit, stop in zip((one, other), stops, strict=True)]
    while "stopped" in other.workers.states().values():
        await asyncio.sleep(0)
    assert one.workers.states() == dict.fromkeys(GROUPS, "ok")
    assert other.workers.states() == dict.fromkeys(GROUPS, "elsewhere")
    first = await other.post(ada, "by the one that does not consume")
    while not await home(one, bob):
        await asyncio.sleep(0.001)
    assert await home(other, bob) == await home(one, bob) == [first.tweet_id]
    await one.delete(ada, first.tweet_id)
    assert await home(other, bob) == await home(one, bob) == []
    stops[0].set()
    await running[0]
    while other.workers.states() != dict.fromkeys(GROUPS, "ok"):
        await asyncio.sleep(0.001)
    stops[1].set()
    await running[1]


async def test_a_process_that_comes_back_with_ids_of_a_dead_one_never_takes_its_tweets_for_its_own(open_twit):
    """The node of a killed process is free at once, and the machine's clock may have been set back meanwhile."""
    dead = await open_twit()
    ada, bob = await make_users(dead, "ada bob")
    first = await dead.post(ada, "by the dead")
    heir = await open_twit()
    heir.tweets._ids = TweetIds(ManualClock(NOON_MS), 0)
    with pytest.raises(StoreError, match="taken by another tweet") as refused:
        await heir.post(bob, "by the heir", idempotency_key="k")
    assert (refused.value.code, refused.value.http_status) == ("TWEET_ID_TAKEN", 503)
    second = await heir.post(bob, "by the heir", idempotency_key="k")
    assert second.tweet_id > first.tweet_id
    assert texts((await heir.user_timeline(bob, ada)).tweets) == ["by the dead"]
    assert texts((await heir.user_timeline(bob, bob)).tweets) == ["by the heir"]
    assert len({first.tweet_id, second.tweet_id, (await heir.retweet(bob, first.tweet_id)).tweet_id}) == 3


async def test_events_and_accounts_of_delivery_are_dropped_when_their_time_is_over_and_answers_stay(open_twit, clock):
    twit, other = await open_twit(), await open_twit()
    cleo, before = await town(twit)
    assert await home(other, cleo) == before
    clock.advance(8 * DAY_MS / 1_000)
    young = await twit.post(1, "young")
    stop = asyncio.Event()
    running = asyncio.create_task(twit.workers.run(GROUPS, stop))
    while len(await twit.stores.log.read(0, 1_000)) > 1 or (await twit.stores.log.lag(GROUPS, NOON_MS))[1].events:
        await asyncio.sleep(0.001)
    clock.advance(120)
    await twit.post(1, "wakes the consumers")
    stop.set()
    await running
    kept = await twit.stores.log.read(0, 1_000)
    assert {logged.event.tweet for logged in kept} >= {young.tweet_id}
    assert all(logged.event.at_ms > NOON_MS + 7 * DAY_MS for logged in kept)
    assert await twit.stores.work.deliveries(before) == [[]] * len(before)
    assert len((await twit.stores.work.deliveries([young.tweet_id]))[0]) == 1
    assert (await home(other, cleo))[-len(before) :] == (await home(twit, cleo))[-len(before) :] == before
