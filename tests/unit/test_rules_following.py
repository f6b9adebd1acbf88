"""Rules 4 and 14: what a follow brings and an unfollow takes, whatever the order in which things arrive."""

from __future__ import annotations

import asyncio

import numpy as np
from builders import home, make_friends, make_users, row_ids, settle

from twit.core.shown import Source


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
