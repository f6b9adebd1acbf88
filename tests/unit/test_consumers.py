"""Consumers: one place a group, nothing lost or doubled, poison out of the way, large authors beside small ones."""

from __future__ import annotations

import asyncio

import pytest
from builders import NOON_MS, build_twit, home, make_friends, make_user, make_users, settle

from twit.core.clock import ManualClock
from twit.core.consumer import BACKLOG_MS, IN_A_ROW
from twit.core.errors import StoreDown, StoreFull, Superseded
from twit.core.events import EventKind
from twit.core.model import AccountStatus
from twit.core.workers import GROUPS


async def lag(twit, clock):
    return {one.group: one for one in await twit.stores.log.lag(GROUPS, clock.now_ms())}


async def reader_ids(twit, clock, reader):
    return (await twit.stores.timelines.read(reader, 0, 1_000, clock.now_ms())).entries[:, 0].tolist()


async def until(holds):
    """Give the others their turn until it holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
async def pair(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    return ada, bob


async def test_a_poison_event_is_parked_and_the_next_ones_go_on(twit, clock, monkeypatch, pair):
    ada, bob = pair
    push, push_each = twit.stores.timelines.push, twit.stores.timelines.push_each
    first, poison, last = [await twit.post(bob, text) for text in ("first", "poison", "last")]

    async def choking(entries, readers, now_ms, floor=0):
        if entries[0, 0] == poison.tweet_id:
            raise ZeroDivisionError("what nobody thought of")
        return await push(entries, readers, now_ms, floor)

    async def choking_each(entries, groups, now_ms):
        if poison.tweet_id in entries[:, 0]:
            raise ZeroDivisionError("what nobody thought of")
        return await push_each(entries, groups, now_ms)

    monkeypatch.setattr(twit.stores.timelines, "push", choking)
    monkeypatch.setattr(twit.stores.timelines, "push_each", choking_each)
    await settle(twit)
    assert await reader_ids(twit, clock, ada) == [last.tweet_id, first.tweet_id]
    (parked,) = await twit.stores.work.parked("fanout", 0, 10)
    assert (parked.logged.event.tweet, parked.error) == (poison.tweet_id, "ZeroDivisionError: what nobody thought of")
    assert (await lag(twit, clock))["fanout"].events == 0
    monkeypatch.setattr(twit.stores.timelines, "push", push)
    monkeypatch.setattr(twit.stores.timelines, "push_each", push_each)
    await twit.stores.log.append([one.logged.event for one in await twit.stores.work.unpark((parked.parked_id,))])
    await settle(twit)
    assert await home(twit, ada) == [last.tweet_id, poison.tweet_id, first.tweet_id]


async def test_an_event_that_fails_now_and_then_is_not_parked(twit, clock, monkeypatch, pair):
    ada, bob = pair
    push, failures = twit.stores.timelines.push, []
    tweet = await twit.post(bob, "hi")

    async def choking(*args):
        if len(failures) < 4:
            failures.append(args)
            raise ZeroDivisionError
        return await push(*args)

    monkeypatch.setattr(twit.stores.timelines, "push", choking)
    await settle(twit)
    assert await home(twit, ada) == [tweet.tweet_id]
    assert await twit.stores.work.parked(None, 0, 10) == []


@pytest.mark.parametrize("error", [StoreDown, StoreFull])
async def test_a_store_that_is_down_is_waited_for_and_blames_no_event(twit, clock, monkeypatch, pair, error):
    ada, bob = pair
    push, failures = twit.stores.timelines.push, []
    tweet = await twit.post(bob, "hi")

    async def failing(*args):
        if len(failures) < 30:
            failures.append(args)
            raise error("for a while")
        return await push(*args)

    monkeypatch.setattr(twit.stores.timelines, "push", failing)
    with pytest.raises(error):
        await twit.workers.drain()  # a command does not wait for ever; its event is left to whoever runs the group
    stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(GROUPS, stop))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if len(failures) == 30 and await home(twit, ada) == [tweet.tweet_id]:
            break
    stop.set()
    await running
    assert await home(twit, ada) == [tweet.tweet_id]
    assert await twit.stores.work.parked(None, 0, 10) == []


async def test_a_poison_follow_does_not_keep_other_follows_from_their_lists(twit, clock, monkeypatch):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    tweets = {author: (await twit.post(author, "hi")).tweet_id for author in (bob, cy)}
    await settle(twit)
    by_authors = twit.stores.tweets.by_authors

    async def choking(authors, **more):
        if tuple(authors) == (bob,) and more["limit"] == twit.limits.merge_on_follow_max + 1:
            raise ZeroDivisionError
        return await by_authors(authors, **more)

    monkeypatch.setattr(twit.stores.tweets, "by_authors", choking)
    await twit.follow(ada, bob)
    await twit.follow(ada, cy)
    await settle(twit)
    assert [one.logged.event.target for one in await twit.stores.work.parked("social", 0, 10)] == [bob]
    assert await reader_ids(twit, clock, ada) == [tweets[cy]]
    assert await home(twit, ada) == [tweets[cy], tweets[bob]]  # not merged, so still pulled


async def test_work_that_cannot_be_done_is_parked_too(open_twit, clock, monkeypatch):
    twit = await open_twit(fanout_batch=1)
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (cy, bob))
    push = twit.stores.timelines.push
    tweet = await twit.post(bob, "hi")

    async def choking(entries, readers, now_ms, floor=0):
        if list(readers) == [cy]:
            raise ZeroDivisionError
        return await push(entries, readers, now_ms, floor)

    monkeypatch.setattr(twit.stores.timelines, "push", choking)
    await settle(twit)
    assert [one.logged.event.tweet for one in await twit.stores.work.parked("fanout", 0, 10)] == [tweet.tweet_id]
    assert (await lag(twit, clock))["fanout"].work == 0


async def test_small_authors_are_served_between_the_batches_of_a_large_one(open_twit, clock):
    twit = await open_twit(fanout_batch=1)
    star, bob, *fans = await make_users(twit, "star bob " + " ".join(f"f{number}" for number in range(40)))
    await make_friends(twit, *((fan, star) for fan in fans), (fans[0], bob))
    large = await twit.post(star, "to forty")
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    await fan_out.step()
    small = await twit.post(bob, "to one")
    await fan_out.step()
    assert small.tweet_id in await reader_ids(twit, clock, fans[0])
    assert large.tweet_id not in await reader_ids(twit, clock, fans[-1])
    await fan_out.close()
    await settle(twit)
    assert large.tweet_id in await reader_ids(twit, clock, fans[-1])


async def test_two_large_authors_take_turns(open_twit, clock):
    twit = await open_twit(fanout_batch=1)
    one, two, *fans = await make_users(twit, "one two " + " ".join(f"f{number}" for number in range(3 * IN_A_ROW)))
    await make_friends(twit, *((fan, star) for fan in fans for star in (one, two)))
    tweets = [await twit.post(one, "hi"), await twit.post(two, "ho")]
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    batches = [0, 0]
    while sum(batches) < 4 * IN_A_ROW:
        await fan_out.step()
        await fan_out.close()
        batches = [len(batches) for batches in await twit.stores.work.deliveries([tweet.tweet_id for tweet in tweets])]
        assert abs(batches[0] - batches[1]) <= IN_A_ROW
    assert max(batches) < 3 * IN_A_ROW


async def test_a_backlog_is_handled_in_order_so_that_no_row_is_written_anew(open_twit, clock):
    twit = await open_twit(fanout_batch=1)
    star, bob, *fans = await make_users(twit, "star bob " + " ".join(f"f{number}" for number in range(IN_A_ROW)))
    await make_friends(twit, *((fan, author) for fan in fans for author in (star, bob)))
    tweets = [(await twit.post(author, "hi")).tweet_id for author in (star, bob, star, bob)]
    clock.advance(BACKLOG_MS / 1_000 + 1)
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    busy = True
    while busy:
        for fan in fans:
            seen = await reader_ids(twit, clock, fan)
            assert seen == tweets[: len(seen)][::-1]
        busy = await fan_out.step()
    assert len(seen) == 4


async def test_whoever_lost_his_lane_stops_recording_and_begins_anew(twit, monkeypatch, pair):
    _, bob = pair
    await twit.post(bob, "hi")
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open(1)
    with monkeypatch.context() as patched:

        async def refused(progress):
            raise Superseded("fanout was taken over")

        patched.setattr(twit.stores.work, "advance", refused)
        await fan_out.step()
        with pytest.raises(Superseded):
            await fan_out.close()
    await fan_out.open(3)
    assert await fan_out.step()
    await fan_out.close()
    assert await twit.stores.log.offset("fanout") == await twit.stores.log.tail()


async def test_a_continuation_goes_on_where_it_was_after_a_restart(open_twit, clock):
    twit = await open_twit(fanout_batch=1)
    star, *fans = await make_users(twit, "star " + " ".join(f"f{number}" for number in range(30)))
    await make_friends(twit, *((fan, star) for fan in fans))
    tweet = await twit.post(star, "hi")
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    await fan_out.step()
    await fan_out.close()
    (before,) = await twit.stores.work.pending("fanout")
    again = await open_twit(fanout_batch=1)
    await settle(again)
    batches = (await again.stores.work.deliveries((tweet.tweet_id,)))[0]
    assert 0 < before.batch < 30
    assert [batch.batch for batch in batches] == list(range(30))
    assert sum(batch.stored for batch in batches) == 30


# draining
async def test_a_command_drains_what_it_caused(twit, clock, pair):
    ada, bob = pair
    before = await twit.workers.moment()
    tweet = await twit.post(bob, "hi")
    assert await twit.workers.drain(own_only_until=before)
    assert await reader_ids(twit, clock, ada) == [tweet.tweet_id]
    assert {one.events for one in (await lag(twit, clock)).values()} == {0}


async def test_a_command_leaves_others_backlog_alone(twit, clock, pair):
    ada, bob = pair
    theirs = await twit.post(bob, "somebody else's")
    before, place = await twit.workers.moment(), await twit.stores.log.offset("fanout")
    mine = await twit.post(bob, "mine")
    assert await twit.workers.drain(own_only_until=before)
    assert await reader_ids(twit, clock, ada) == [mine.tweet_id]
    assert await twit.stores.log.offset("fanout") == place
    await settle(twit)
    assert await reader_ids(twit, clock, ada) == [mine.tweet_id, theirs.tweet_id]
    (delivery,) = (await twit.stores.work.deliveries((mine.tweet_id,)))[0]
    assert delivery.stored == 1  # the account is of the first time


async def test_a_commands_own_events_out_of_turn_include_what_they_cause(open_twit, clock):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2, fanout_batch=1)
    star, other, *fans = await make_users(twit, "star other f1 f2 f3")
    await make_friends(twit, (fans[0], star), (fans[1], star))
    await twit.post(other, "a backlog")
    before = await twit.workers.moment()
    await twit.follow(fans[2], star)
    assert await twit.workers.drain(own_only_until=before)
    assert star in await twit.stores.modes.pulled()


async def test_draining_leaves_a_group_alone_that_another_process_runs(twit, clock, pair):
    ada, bob = pair
    lease = await twit.stores.leases.acquire("fanout", "another")
    await twit.post(bob, "hi")
    assert not await twit.workers.drain()
    assert await reader_ids(twit, clock, ada) == []
    lease.release()
    assert await twit.workers.drain()


# running
async def test_running_consumers_deliver_and_stop_when_told(twit, clock, pair):
    ada, bob = pair
    stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(GROUPS, stop))
    tweet = await twit.post(bob, "hi")
    await until(lambda: twit.workers.deliveries()["stored"])
    assert await home(twit, ada) == [tweet.tweet_id]
    assert twit.workers.states() == dict.fromkeys(GROUPS, "ok")
    stop.set()
    await asyncio.wait_for(running, 5)
    assert twit.workers.states() == dict.fromkeys(GROUPS, "stopped")
    assert await twit.stores.leases.holder("fanout") == ""


async def test_a_second_process_waits_for_the_groups_and_takes_over(open_twit, clock):
    here, there = await open_twit(), await open_twit()
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.ensure_future(here.workers.run(GROUPS, stops[0]))
    await until(lambda: here.workers.states()["fanout"] == "ok")
    second = asyncio.ensure_future(there.workers.run(GROUPS, stops[1]))
    await until(lambda: there.workers.states()["fanout"] == "elsewhere")
    assert here.workers.states()["fanout"] == "ok"
    stops[0].set()
    await asyncio.wait_for(first, 5)
    await until(lambda: there.workers.states()["fanout"] == "ok")
    stops[1].set()
    await asyncio.wait_for(second, 5)


# the carrier
async def test_a_block_half_done_is_finished_by_its_event(twit, clock, pair, monkeypatch):
    ada, bob = pair

    async def killed(*args):
        raise StoreDown("killed between block and unfollow")

    unfollow = twit.stores.graph.unfollow
    monkeypatch.setattr(twit.stores.graph, "unfollow", killed)
    with pytest.raises(StoreDown):
        await twit.block(bob, ada)
    monkeypatch.setattr(twit.stores.graph, "unfollow", unfollow)
    await settle(twit)
    assert await twit.stores.graph.is_following(((ada, bob),)) == [False]
    assert (await twit.stores.accounts.counts((bob,)))[0].followers == 0


async def test_a_crossing_asks_for_the_mode_once(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2)
    star, *fans = await make_users(twit, "star f1 f2 f3 f4 f5")
    for fan in fans:
        await twit.follow(fan, star)
    await settle(twit)
    checks = [one for one in await twit.stores.log.read(0, 1_000) if one.event.kind is EventKind.MODE_CHECK]
    assert len(checks) == 1


async def test_the_consumers_delete_accounts_whose_grace_is_over(twit, clock):
    user = await make_user(twit, "ada")
    await twit.deactivate(user)
    clock.advance(30 * 86_400 + 1)
    stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(("social",), stop))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if (await twit.stores.accounts.get([user]))[0].status is AccountStatus.DELETED:
            break
    stop.set()
    await running
    assert (await twit.stores.accounts.get([user]))[0].status is AccountStatus.DELETED


def test_a_loop_that_ends_with_consumers_running_ends(tmp_path):
    async def left_running():
        twit = await build_twit(tmp_path, ManualClock(NOON_MS))
        consumers = asyncio.ensure_future(twit.workers.run(GROUPS, asyncio.Event()))
        await asyncio.sleep(0.05)
        return consumers

    assert asyncio.run(left_running()).cancelled()
