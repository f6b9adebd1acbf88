"""Rule 15: every delivery is accounted for, once, whoever dies between."""

from __future__ import annotations

import pytest
from builders import Killed, crowd, home, row_ids, settle

from twit.core.errors import StoreDown
from twit.core.events import EventKind
from twit.core.workers import Workers


async def account(twit, tweet):
    """The sums of a tweet's deliveries, and whether the last batch is there."""
    batches = (await twit.stores.work.deliveries((tweet.tweet_id,)))[0]
    names = ("attempted", "stored", "duplicate", "older_than_tail", "skipped", "filtered", "pulled")
    sums = {name: sum(getattr(batch, name) for batch in batches) for name in names}
    assert sums["attempted"] == sum(sums[name] for name in names[1:])
    assert [batch.batch for batch in batches] == list(range(len(batches)))
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    return {name: count for name, count in sums.items() if count}


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
    twit = await open_twit(celebrity_followers_min=3, celebrity_followers_exit=2)
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
