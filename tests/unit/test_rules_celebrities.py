"""Rule 3: large authors are pulled and others pushed, and nothing is lost on the way between, whoever dies."""

from __future__ import annotations

import pytest
from builders import Killed, crowd, home, make_friends, make_users, row_ids, settle

from twit.core.entries import FanoutMode

SMALL = {"celebrity_followers_min": 3, "celebrity_followers_exit": 2}


async def mode_of(twit, author):
    return (await twit.stores.modes.get((author,)))[0].mode


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
