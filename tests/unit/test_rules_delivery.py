"""Rules 3, 4, 14 and 15: how tweets reach timelines, whatever the author's size, the order of things, and who dies between."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from builders import home, make_friends, make_users, settle

from twit.core.errors import StoreDown
from twit.core.model import EventKind, FanoutMode
from twit.core.shown import Source
from twit.core.workers import Workers


class Killed(BaseException):
    """The process ends here."""


SMALL = {"celebrity_followers_min": 3, "celebrity_followers_exit": 2}


async def row_ids(twit, clock, reader):
    row = await twit.stores.timelines.read(reader, 0, 10_000, clock.now_ms())
    return row.entries[:, 0].tolist()


async def mode_of(twit, author):
    return (await twit.stores.modes.get((author,)))[0].mode


async def account(twit, tweet):
    """The sums of a tweet's deliveries, and whether the last batch is there."""
    batches = (await twit.stores.work.deliveries((tweet.tweet_id,)))[0]
    names = ("attempted", "stored", "duplicate", "older_than_tail", "skipped", "filtered", "pulled")
    sums = {name: sum(getattr(batch, name) for batch in batches) for name in names}
    assert sums["attempted"] == sum(sums[name] for name in names[1:])
    assert [batch.batch for batch in batches] == list(range(len(batches)))
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    return {name: count for name, count in sums.items() if count}


async def crowd(twit, size):
    """A star, and so many who follow it."""
    star, *fans = await make_users(twit, " ".join(["star", *(f"fan{number}" for number in range(size))]))
    await make_friends(twit, *((fan, star) for fan in fans))
    return star, fans


# 3
async def test_rule_03_above_the_threshold_tweets_are_pulled_and_at_it_pushed(open_twit, clock):
    twit = await open_twit(**SMALL)
    star, fans = await crowd(twit, 3)
    pushed = await twit.post(star, "pushed")
    await settle(twit)
    assert pushed.tweet_id in await row_ids(twit, clock, fans[0])
    (late,) = await make_users(twit, "late")
    await make_friends(twit, (late, star))
    assert await mode_of(twit, star) is FanoutMode.PULL
    pulled = await twit.post(star, "pulled")
    await settle(twit)
    assert pulled.tweet_id not in await row_ids(twit, clock, fans[0])
    for fan in (*fans, late):
        assert await home(twit, fan) == [pulled.tweet_id, pushed.tweet_id]


async def test_rule_03_an_author_becomes_regular_again_only_below_the_exit(open_twit):
    twit = await open_twit(celebrity_followers_min=4, celebrity_followers_exit=3)
    star, fans = await crowd(twit, 5)
    assert await mode_of(twit, star) is FanoutMode.PULL
    await twit.unfollow(fans[0], star)
    await settle(twit)
    await twit.unfollow(fans[1], star)
    await settle(twit)
    assert await mode_of(twit, star) is FanoutMode.PULL  # 3: at the exit, not below
    await twit.unfollow(fans[2], star)
    await settle(twit)
    assert await mode_of(twit, star) is FanoutMode.PUSH


@pytest.mark.parametrize("backfill_entries_max", [1, 2, 800])
async def test_rule_03_crossing_both_ways_leaves_no_gap(open_twit, clock, backfill_entries_max):
    twit = await open_twit(**SMALL, backfill_entries_max=backfill_entries_max, fanout_batch=2)
    star, fans = await crowd(twit, 3)
    *more, lurker = await make_users(twit, "more1 more2 lurker")
    ids = []

    async def tweets(count):
        for _ in range(count):
            ids.insert(0, (await twit.post(star, "hi")).tweet_id)
            assert await home(twit, star) == ids
            clock.advance(1)

    await tweets(2)
    for fan in more:
        await twit.follow(fan, star)
        await tweets(1)
    await settle(twit)
    assert await mode_of(twit, star) is FanoutMode.PULL
    await tweets(3)
    await settle(twit)
    for fan in (*fans, *more):
        assert await home(twit, fan, 2) == ids
    for fan in (*more, fans[2], fans[1]):
        await twit.unfollow(fan, star)
        await tweets(1)
    await settle(twit)
    assert await mode_of(twit, star) is FanoutMode.PUSH
    await tweets(1)
    await settle(twit)
    assert await home(twit, fans[0], 2) == ids
    kept = (await row_ids(twit, clock, fans[0]))[:backfill_entries_max]
    assert kept == ids[: len(kept)]
    assert lurker


async def test_rule_03_while_an_author_leaves_celebrity_he_is_pushed_and_pulled(open_twit):
    twit = await open_twit(celebrity_followers_min=3, celebrity_followers_exit=3, fanout_batch=1)
    star, fans = await crowd(twit, 5)
    ids = [(await twit.post(star, "hi")).tweet_id]
    await settle(twit)
    for fan in fans[2:]:
        await twit.unfollow(fan, star)
    await twit.workers.drain(("social",))
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    modes = []
    while not modes or await fan_out.step():
        modes.append(await mode_of(twit, star))
        assert await home(twit, fans[0]) == await home(twit, fans[1]) == ids
        assert len(modes) < 20
    assert list(dict.fromkeys(modes)) == [FanoutMode.PULL, FanoutMode.LEAVING, FanoutMode.PUSH]


async def test_rule_03_rising_again_while_leaving_ends_the_backfill(open_twit):
    twit = await open_twit(celebrity_followers_min=12, celebrity_followers_exit=12, fanout_batch=1)
    star, fans = await crowd(twit, 13)
    tweet = await twit.post(star, "hi")
    await settle(twit)
    for fan in fans[:2]:
        await twit.unfollow(fan, star)
    await twit.workers.drain(("social",))
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    await fan_out.step()
    await fan_out.close()
    assert await mode_of(twit, star) is FanoutMode.LEAVING
    for fan in fans[:2]:
        await twit.follow(fan, star)
    await settle(twit)
    assert await mode_of(twit, star) is FanoutMode.PULL
    assert await twit.stores.work.pending("fanout") == []
    for fan in fans:
        assert await home(twit, fan) == [tweet.tweet_id]


async def test_rule_03_killed_between_the_new_mode_and_its_record_the_backfill_is_done_all_the_same(open_twit, monkeypatch):
    twit = await open_twit(celebrity_followers_min=3, celebrity_followers_exit=3, fanout_batch=1)
    star, fans = await crowd(twit, 4)
    tweet = await twit.post(star, "hi")
    await settle(twit)
    for fan in fans[:2]:
        await twit.unfollow(fan, star)
    await twit.workers.drain(("social",))
    put = twit.stores.modes.put

    async def dying(*args):
        await put(*args)
        raise Killed

    monkeypatch.setattr(twit.stores.modes, "put", dying)
    with pytest.raises(Killed):
        await twit.workers.drain(("fanout",))
    again = await open_twit(celebrity_followers_min=3, celebrity_followers_exit=3, fanout_batch=1)
    assert await mode_of(again, star) is FanoutMode.LEAVING
    await settle(again)
    assert await mode_of(again, star) is FanoutMode.PUSH
    assert await home(again, fans[3]) == [tweet.tweet_id]


# 4
async def test_rule_04_a_followees_tweets_show_before_any_consumer_ran(twit):
    ada, bob = await make_users(twit, "ada bob")
    old = await twit.post(bob, "old")
    await settle(twit)
    await twit.follow(ada, bob)
    shown = (await twit.home_timeline(ada, explain=True)).explanation.entries
    assert [(one.tweet_id, one.sources) for one in shown] == [(old.tweet_id, (Source.UNMERGED,))]
    new = await twit.post(bob, "new")
    assert await home(twit, ada) == [new.tweet_id, old.tweet_id]
    await settle(twit)
    shown = (await twit.home_timeline(ada, explain=True)).explanation.entries
    assert [(one.tweet_id, one.sources) for one in shown] == [
        (new.tweet_id, (Source.PUSHED,)), (old.tweet_id, (Source.PUSHED,)),
    ]  # fmt: skip


async def test_rule_04_a_merge_of_more_than_it_may_raises_the_coverage_and_loses_nothing(open_twit):
    twit = await open_twit(merge_on_follow_max=3)
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, cy))
    ids = []
    for number in range(8):
        ids.insert(0, (await twit.post(bob if number % 4 else cy, "hi")).tweet_id)
    await settle(twit)
    assert (await twit.home_timeline(ada)).page.complete_back_to == 0
    await make_friends(twit, (ada, bob))
    assert (await twit.home_timeline(ada)).page.complete_back_to == ids[2]
    assert await home(twit, ada, 2) == ids


async def test_rule_04_a_full_timeline_takes_in_only_what_is_newer_than_its_tail(open_twit, clock):
    twit = await open_twit(timeline_entries_max=4)
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, cy))
    ids = []
    for author in (bob, bob, cy, cy, bob, cy, cy, cy):
        ids.insert(0, (await twit.post(author, "hi")).tweet_id)
    await settle(twit)
    await make_friends(twit, (ada, bob))
    assert await row_ids(twit, clock, ada) == ids[:4]
    assert await home(twit, ada, 3) == ids


async def test_rule_04_no_tweet_falls_between_follow_and_merge(twit):
    """A tweet at each moment: before, between the steps of the consumers, after."""
    ada, bob = await make_users(twit, "ada bob")
    social, fan_out = twit.workers.consumer("social"), twit.workers.consumer("fanout")
    ids = [(await twit.post(bob, "before")).tweet_id]
    await settle(twit)
    await twit.follow(ada, bob)
    for consumer in (fan_out, social, fan_out, social, fan_out, fan_out):
        ids.insert(0, (await twit.post(bob, "between")).tweet_id)
        await consumer.open()
        await consumer.step()
        await consumer.close()
        assert await home(twit, ada) == ids[-len(await home(twit, ada)) :]
    await settle(twit)
    assert await home(twit, ada) == ids


async def test_rule_04_what_was_deleted_before_a_new_follower_was_in_the_list_leaves_his_row(twit, clock):
    ada, bob = await make_users(twit, "ada bob")
    tweet, kept = await twit.post(bob, "hi"), await twit.post(bob, "ho")
    await settle(twit)
    await twit.follow(ada, bob)
    await twit.stores.timelines.drop((ada,))
    await home(twit, ada)  # rebuilt, with what bob had
    await twit.delete(bob, tweet.tweet_id)
    await twit.workers.drain(("fanout",))
    assert tweet.tweet_id in await row_ids(twit, clock, ada)
    await settle(twit)
    assert await row_ids(twit, clock, ada) == [kept.tweet_id]


async def test_rule_15_the_place_is_never_recorded_before_what_was_done_up_to_it(open_twit, monkeypatch):
    """A record that begins while a step is still under way must not claim its events."""
    twit = await open_twit(fanout_batch=1)
    star, fans = await crowd(twit, 40)
    tweets = []
    recorded, advance = [], twit.stores.work.advance

    async def noting(progress):
        await advance(progress)
        held = {one.tweet for batches in await twit.stores.work.deliveries([t.tweet_id for t in tweets]) for one in batches}
        held |= {work.tweet for work in await twit.stores.work.pending("fanout")}
        passed = {
            logged.event.tweet
            for logged in await twit.stores.log.read(0, 10_000)
            if logged.event.kind is EventKind.TWEET_CREATED and logged.offset <= progress[-1].offset
        }
        recorded.append(passed - held)

    monkeypatch.setattr(twit.stores.work, "advance", noting)
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    for _ in range(12):
        tweets += [await twit.post(star, "large"), await twit.post(fans[0], "small")]
        await fan_out.step()
    await fan_out.close()
    assert recorded
    assert not any(recorded)


async def test_rule_04_unfollowing_hides_at_once_and_cleans_later(twit, clock):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    theirs, others = await twit.post(bob, "hi"), await twit.post(cy, "ho")
    await settle(twit)
    await twit.unfollow(ada, bob)
    assert await home(twit, ada) == [others.tweet_id]
    assert theirs.tweet_id in await row_ids(twit, clock, ada)
    await settle(twit)
    assert await row_ids(twit, clock, ada) == [others.tweet_id]


async def test_rule_04_fan_out_that_is_under_way_leaves_nothing_with_who_unfollows(twit, clock):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    for _ in range(250):
        await twit.post(bob, "hi")
    social, fan_out = twit.workers.consumer("social"), twit.workers.consumer("fanout")
    await social.open()
    while await social.step():
        pass
    await fan_out.open()
    delivering = asyncio.ensure_future(fan_out.step())
    while not await row_ids(twit, clock, ada):
        await asyncio.sleep(0)
    await twit.unfollow(ada, bob)
    await social.step()
    assert not delivering.done()
    await delivering
    await fan_out.close()
    await social.close()
    assert await row_ids(twit, clock, ada) == []


async def test_rule_04_following_unfollowing_and_following_again_shows_everything_again(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(bob, "hi")
    for _ in range(3):
        await twit.follow(ada, bob)
        assert await home(twit, ada) == [tweet.tweet_id]
        await twit.unfollow(ada, bob)
        assert await home(twit, ada) == []
    await twit.follow(ada, bob)
    await settle(twit)
    assert await home(twit, ada) == [tweet.tweet_id]


# 14
async def test_rule_14_a_late_arrival_stands_where_its_id_belongs(twit, clock):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    first, second = await twit.post(bob, "first"), await twit.post(cy, "second")
    readers = np.array((ada,), np.int64)
    for tweet in (second, first, second):
        await twit.stores.timelines.push(np.array(((tweet.tweet_id, 0),), np.int64), readers, clock.now_ms())
    assert await home(twit, ada) == [second.tweet_id, first.tweet_id]
    await settle(twit)
    assert await home(twit, ada) == [second.tweet_id, first.tweet_id]


async def test_rule_14_what_is_older_than_a_full_timelines_tail_stays_out_of_the_cache(open_twit, clock):
    twit = await open_twit(timeline_entries_max=3)
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    tweets = [await twit.post(bob, "hi") for _ in range(5)]
    await settle(twit)
    event = next(e.event for e in await twit.stores.log.read(0, 100) if e.event.tweet == tweets[0].tweet_id)
    await twit.stores.log.append((event,))
    await settle(twit)
    newest_first = [tweet.tweet_id for tweet in tweets][::-1]
    assert await row_ids(twit, clock, ada) == newest_first[:3]
    assert await home(twit, ada, 2) == newest_first


# 15
async def test_rule_15_every_follower_is_accounted_for(open_twit, clock):
    twit = await open_twit(fanout_batch=2, timeline_entries_max=2)
    star, fans = await crowd(twit, 5)
    await twit.stores.timelines.drop(fans[:1])
    tweet = await twit.post(star, "hi")
    await settle(twit)
    assert await account(twit, tweet) == {"attempted": 5, "stored": 4, "skipped": 1}
    clock.advance(8 * 86_400)
    await home(twit, fans[1])
    tweet = await twit.post(star, "after a week")
    await settle(twit)
    assert await account(twit, tweet) == {"attempted": 5, "stored": 1, "skipped": 4}


async def test_rule_15_a_pulled_tweet_counts_its_followers_at_the_decision(open_twit):
    twit = await open_twit(**SMALL)
    star, _ = await crowd(twit, 4)
    tweet = await twit.post(star, "hi")
    await settle(twit)
    assert await account(twit, tweet) == {"attempted": 4, "pulled": 4}


@pytest.mark.parametrize("fanout_batch", [1, 1_000])
async def test_rule_15_a_tweet_deleted_before_delivery_is_filtered(open_twit, clock, fanout_batch):
    twit = await open_twit(fanout_batch=fanout_batch)
    star, fans = await crowd(twit, 2)
    tweet = await twit.post(star, "hi")
    await twit.delete(star, tweet.tweet_id)
    await settle(twit)
    assert await account(twit, tweet) == {"attempted": 2, "filtered": 2}
    for reader in (star, *fans):
        assert await row_ids(twit, clock, reader) == []


async def test_rule_15_a_tweet_deleted_half_way_is_filtered_from_there_on(open_twit, clock):
    twit = await open_twit(fanout_batch=1)
    star, fans = await crowd(twit, 12)
    tweet = await twit.post(star, "hi")
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    await fan_out.step()
    await fan_out.close()
    reached = [fan for fan in fans if await row_ids(twit, clock, fan)]
    assert 0 < len(reached) < 12
    await twit.delete(star, tweet.tweet_id)
    await settle(twit)
    assert await account(twit, tweet) == {"attempted": 12, "stored": len(reached), "filtered": 12 - len(reached)}
    for reader in (star, *fans):
        assert await row_ids(twit, clock, reader) == []


@pytest.mark.parametrize("fanout_batch", [1, 1_000])
async def test_rule_15_killed_between_push_and_record_nothing_is_lost_or_doubled(open_twit, clock, monkeypatch, fanout_batch):
    twit = await open_twit(fanout_batch=fanout_batch)
    star, fans = await crowd(twit, 3)
    tweets = [await twit.post(star, "hi"), await twit.retweet(star, (await twit.post(fans[0], "ho")).tweet_id)]
    advance, killed = twit.stores.work.advance, []

    async def dying(progress):
        if len(killed) < 3:
            killed.append(progress)
            raise Killed
        await advance(progress)

    monkeypatch.setattr(twit.stores.work, "advance", dying)
    for _ in range(3):
        again = await open_twit(fanout_batch=fanout_batch)
        monkeypatch.setattr(again.stores.work, "advance", dying)
        with pytest.raises(Killed):
            await again.workers.drain(("fanout",))
        await again.stores.health.close()
    await settle(twit)
    for tweet in tweets:
        assert (await account(twit, tweet))["attempted"] == 3
    for fan in fans[1:]:
        assert await row_ids(twit, clock, fan) == [tweet.tweet_id for tweet in tweets[::-1]]
        assert await home(twit, fan) == [tweet.tweet_id for tweet in tweets[::-1]]


async def test_rule_15_a_record_that_failed_is_repeated_and_counts_once(twit, monkeypatch):
    star, fans = await crowd(twit, 3)
    tweet = await twit.post(star, "hi")
    advance, failures = twit.stores.work.advance, []

    async def failing(progress):
        await advance(progress)
        if len(failures) < 3:
            failures.append(progress)
            raise StoreDown("it stands, but nobody heard")

    monkeypatch.setattr(twit.stores.work, "advance", failing)
    await settle(twit)
    assert len(failures) == 3
    assert await account(twit, tweet) == {"attempted": 3, "stored": 3}
    assert await home(twit, fans[0]) == [tweet.tweet_id]


async def test_rule_15_what_this_process_delivered_is_counted(twit):
    star, _ = await crowd(twit, 3)
    await twit.post(star, "hi")
    await settle(twit)
    assert isinstance(twit.workers, Workers)
    assert twit.workers.deliveries()["stored"] == 3
