"""Rules 5, 6, 7 and 8: which replies and retweets reach a home timeline, and whom deletes, blocks, mutes and privacy hide."""

from __future__ import annotations

import numpy as np
import pytest
from builders import home, make_friends, make_user, make_users, settle

from twit.core.errors import NotFound
from twit.core.shown import Source, Unavailable


@pytest.fixture
async def four(twit):
    return await make_users(twit, "ada bob cy dee")


async def posted(twit, author, text="hi", **more):
    tweet = await twit.post(author, text, **more)
    await settle(twit)
    return tweet.tweet_id


async def retweeted(twit, author, tweet_id):
    tweet = await twit.retweet(author, tweet_id)
    await settle(twit)
    return tweet.tweet_id


# 5
async def test_rule_05_a_reply_to_a_stranger_stays_out(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob))
    stranger = await posted(twit, cy)
    answer = await posted(twit, bob, reply_to=stranger)
    assert await home(twit, ada) == []
    await twit.follow(ada, cy)
    assert await home(twit, ada) == [answer, stranger]
    await twit.unfollow(ada, cy)
    assert await home(twit, ada) == []


async def test_rule_05_replies_to_me_to_followees_and_to_oneself_come_in(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    mine, theirs = await posted(twit, ada), await posted(twit, cy)
    to_me, to_cy = await posted(twit, bob, reply_to=mine), await posted(twit, bob, reply_to=theirs)
    thread = await posted(twit, bob, reply_to=to_cy)
    assert await home(twit, ada) == [thread, to_cy, to_me, theirs, mine]


async def test_rule_05_a_reply_does_not_show_before_its_parent_whose_fan_out_is_under_way(open_twit, clock):
    twit = await open_twit(fanout_batch=2)
    star, bob, *fans = await make_users(twit, "star bob f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19 f20")
    await make_friends(twit, *((fan, star) for fan in fans), (fans[-1], bob), (fans[0], bob))
    parent = (await twit.post(star, "parent")).tweet_id
    answer = (await twit.post(bob, "answer", reply_to=parent)).tweet_id
    fan_out = twit.workers.consumer("fanout")
    await fan_out.open()
    await fan_out.step()
    await fan_out.close()
    raw = await twit.stores.timelines.read(fans[-2], 0, 10, clock.now_ms())
    assert parent not in raw.entries[:, 0]  # the star's own fan-out has not come that far
    assert await home(twit, fans[-1]) == [answer, parent]
    await settle(twit)
    for fan in fans:
        assert await home(twit, fan) == ([answer, parent] if fan in (fans[0], fans[-1]) else [parent])


async def test_rule_05_a_pulled_reply_brings_its_parent_along(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2)
    star, bob, *fans = await make_users(twit, "star bob f1 f2 f3")
    await make_friends(twit, *((fan, star) for fan in fans), (fans[0], bob))
    parent = (await twit.post(bob, "parent")).tweet_id
    between = [(await twit.post(star, "between")).tweet_id for _ in range(3)]
    answer = (await twit.post(star, "answer", reply_to=parent)).tweet_id
    shown = (await twit.home_timeline(fans[0], explain=True)).explanation.entries
    assert [one.tweet_id for one in shown] == [answer, *between[::-1], parent]
    assert shown[-1].sources == (Source.PARENT,)
    assert await home(twit, fans[1]) == between[::-1]
    await settle(twit)
    assert await home(twit, fans[0]) == [answer, *between[::-1], parent]


async def test_rule_05_a_parent_brought_along_stands_on_the_page_where_it_belongs(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2)
    star, bob, *fans = await make_users(twit, "star bob f1 f2 f3")
    await make_friends(twit, *((fan, star) for fan in fans), (fans[0], bob))
    parent = (await twit.post(bob, "parent")).tweet_id
    between = [(await twit.post(star, "between")).tweet_id for _ in range(150)]
    answer = (await twit.post(star, "answer", reply_to=parent)).tweet_id
    assert await home(twit, fans[0], 20) == [answer, *between[::-1], parent]


async def test_rule_05_ones_own_reply_shows_with_its_parent_before_fan_out(twit, four):
    ada, bob, _, _ = four
    await make_friends(twit, (ada, bob))
    parent = (await twit.post(bob, "parent")).tweet_id
    answer = (await twit.post(ada, "answer", reply_to=parent)).tweet_id
    assert await home(twit, ada, 1) == [answer, parent]


async def test_rule_05_a_pulled_reply_to_a_reply_brings_the_whole_line_along(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2)
    star, bob, cy, *fans = await make_users(twit, "star bob cy f1 f2 f3")
    await make_friends(twit, *((fan, star) for fan in fans), (fans[0], bob), (fans[0], cy))
    line = [(await twit.post(cy, "first")).tweet_id]
    line.insert(0, (await twit.post(bob, "second", reply_to=line[0])).tweet_id)
    line.insert(0, (await twit.post(star, "third", reply_to=line[0])).tweet_id)
    assert await home(twit, fans[0], 1) == line


async def test_rule_05_a_merged_reply_brings_its_parent_along(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, cy))
    parent = (await twit.post(cy, "parent")).tweet_id
    answer = (await twit.post(bob, "answer", reply_to=parent)).tweet_id
    await twit.follow(ada, bob)
    await twit.workers.drain(("social",))
    assert await home(twit, ada) == [answer, parent]


# 6
async def test_rule_06_a_retweet_of_what_stands_below_is_hidden(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, cy)
    await retweeted(twit, bob, tweet)
    assert await home(twit, ada) == [tweet]


async def test_rule_06_of_two_retweets_the_older_one_shows(twit, four):
    ada, bob, cy, dee = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, dee)
    older = await retweeted(twit, bob, tweet)
    await retweeted(twit, cy, tweet)
    assert await home(twit, ada) == [older]


@pytest.mark.parametrize(("between", "shown"), [(0, False), (38, False), (39, False), (40, True), (41, True)])
async def test_rule_06_the_window_is_40_candidates(twit, four, between, shown):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, cy)
    for _ in range(between):
        await twit.post(bob, "between")
    again = await retweeted(twit, bob, tweet)
    assert (again in await home(twit, ada)) is shown
    assert (again in await home(twit, ada, 1)) is shown


async def test_rule_06_only_candidates_that_the_reader_may_see_count(open_twit):
    twit = await open_twit(retweet_dedupe_window=2)
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    await make_friends(twit, (ada, bob), (ada, cy), (ada, dee))
    tweet = await posted(twit, cy)
    for author in (bob, dee, dee, dee):
        await twit.post(author, "between")
    again = await retweeted(twit, bob, tweet)
    assert again in await home(twit, ada)
    await twit.mute(ada, dee)
    assert again not in await home(twit, ada)


async def test_rule_06_what_is_hidden_itself_still_hides(open_twit):
    twit = await open_twit(retweet_dedupe_window=2)
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    await make_friends(twit, (ada, bob), (ada, cy), (ada, dee))
    tweet = await posted(twit, cy)
    other = await posted(twit, cy)
    await retweeted(twit, bob, tweet)
    last = await posted(twit, cy)
    await retweeted(twit, dee, tweet)
    assert await home(twit, ada) == [last, other, tweet]


@pytest.mark.parametrize("how", ["undo", "unfollow", "block", "deactivate"])
async def test_rule_06_what_a_repetition_had_hidden_comes_back(twit, four, how):
    ada, bob, cy, dee = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, dee)
    await retweeted(twit, bob, tweet)
    hidden = await retweeted(twit, cy, tweet)
    await {
        "undo": lambda: twit.unretweet(bob, tweet),
        "unfollow": lambda: twit.unfollow(ada, bob),
        "block": lambda: twit.block(bob, ada),
        "deactivate": lambda: twit.deactivate(bob),
    }[how]()
    assert await home(twit, ada) == [hidden]
    await settle(twit)
    assert await home(twit, ada) == [hidden]


async def test_rule_06_a_follow_can_have_retweets_switched_off_and_on(twit, four):
    ada, bob, _, dee = four
    await make_friends(twit, (ada, bob))
    tweet, own = await posted(twit, dee), await posted(twit, bob)
    again = await retweeted(twit, bob, tweet)
    await twit.follow(ada, bob, retweets=False)
    assert await home(twit, ada) == [own]
    await twit.follow(ada, bob, retweets=True)
    assert await home(twit, ada) == [again, own]


async def test_rule_06_the_order_of_arrival_does_not_matter(twit, clock, four):
    ada, bob, cy, dee = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await twit.post(dee, "hi")
    older, newer = await twit.retweet(bob, tweet.tweet_id), await twit.retweet(cy, tweet.tweet_id)
    for one in (newer, older):
        entry = np.array(((one.tweet_id, one.retweet_of),), np.int64)
        await twit.stores.timelines.push(entry, np.array((ada,), np.int64), clock.now_ms())
    assert await home(twit, ada) == [older.tweet_id]


# 7
async def test_rule_07_a_deleted_tweet_is_gone_at_once_with_its_retweets(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, cy)
    for _ in range(60):
        await twit.post(cy, "between")
    again = await retweeted(twit, bob, tweet)
    assert again in await home(twit, ada)
    await twit.delete(cy, tweet)
    assert not {again, tweet} & set(await home(twit, ada))
    with pytest.raises(NotFound):
        await twit.tweet(ada, tweet)
    await settle(twit)
    assert not {again, tweet} & set(await home(twit, ada))


async def test_rule_07_replies_stay_and_quotes_show_what_they_quote_as_unavailable(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    tweet = await posted(twit, cy)
    answer, quote = await posted(twit, bob, reply_to=tweet), await posted(twit, bob, quote_of=tweet)
    await twit.delete(cy, tweet)
    page = (await twit.home_timeline(ada)).page
    assert [one.tweet_id for one in page.tweets] == [quote, answer]
    views = await twit.dress(ada, page.tweets)
    assert views[0].quote == Unavailable(tweet)


async def test_rule_07_a_delete_by_one_process_is_seen_by_the_next_read_of_another(open_twit):
    here, there = await open_twit(), await open_twit()
    ada, bob = await make_users(here, "ada bob")
    await make_friends(here, (ada, bob))
    tweet = await posted(here, bob)
    assert await home(there, ada) == [tweet]
    await here.delete(bob, tweet)
    assert await home(there, ada) == []


# 8
async def test_rule_08_a_block_hides_both_ways_and_at_once(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (bob, ada), (ada, cy), (bob, cy))
    adas, bobs = await posted(twit, ada), await posted(twit, bob)
    await twit.block(ada, bob)
    assert await home(twit, ada) == [adas]
    assert await home(twit, bob) == [bobs]
    await settle(twit)
    await twit.unblock(ada, bob)
    await settle(twit)
    assert await home(twit, ada) == [adas]  # the follows do not come back


async def test_rule_08_a_block_hides_retweets_replies_and_mentions_by_others(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, cy), (ada, bob), (bob, ada))
    bobs = await posted(twit, bob)
    await retweeted(twit, cy, bobs)
    await posted(twit, cy, reply_to=bobs)
    await posted(twit, cy, "what @bob said")
    plain = await posted(twit, cy, "good morning")
    for blocker, blocked in ((ada, bob), (bob, ada)):
        await twit.block(blocker, blocked)
        assert await home(twit, ada) == [plain]
        await twit.unblock(blocker, blocked)
        assert len(await home(twit, ada)) > 1


async def test_rule_08_ones_own_tweets_show_whomever_they_mention(twit, four):
    ada, bob, _, _ = four
    mine = await posted(twit, ada, "hello @bob")
    await twit.block(bob, ada)
    assert await home(twit, ada) == [mine]


async def test_rule_08_muting_hides_from_the_muters_home_only(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy), (cy, bob))
    bobs = await posted(twit, bob)
    for _ in range(45):
        await twit.post(cy, "between")
    await retweeted(twit, cy, bobs)
    await twit.mute(ada, bob)
    shown = (await twit.home_timeline(ada, "", 200)).page.tweets
    assert all(one.author_id == cy and not one.retweet_of for one in shown)
    assert bobs in await home(twit, cy)
    assert bobs in await home(twit, bob)
    await twit.unmute(ada, bob)
    assert bobs in await home(twit, ada)


async def test_rule_08_a_private_account_is_seen_by_accepted_followers_only(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob), (ada, cy))
    secretive = await make_user(twit, "secretive", private=True)
    await twit.follow(ada, secretive)
    tweet = await posted(twit, secretive)
    assert await home(twit, ada) == []
    (asked, _), *_ = (await twit.follow_requests(secretive, "", 10))[0]
    await twit.accept_request(secretive, asked.request_id)
    assert await home(twit, ada) == [tweet]


async def test_rule_08_going_private_hides_earlier_retweets_from_strangers(twit, four):
    ada, bob, cy, _ = four
    await make_friends(twit, (ada, bob))
    tweet = await posted(twit, cy)
    again = await retweeted(twit, bob, tweet)
    assert await home(twit, ada) == [again]
    await twit.update_profile(cy, {"is_private": True})
    assert await home(twit, ada) == []
    await twit.update_profile(cy, {"is_private": False})
    assert await home(twit, ada) == [again]


async def test_rule_08_a_deactivated_account_vanishes_and_returns_whole(twit, four):
    ada, bob, _, _ = four
    user, _ = await twit.sign_up("eve", "eve@example.com", "a long password")
    await make_friends(twit, (ada, user.user_id), (ada, bob))
    tweet = await posted(twit, user.user_id)
    again = await retweeted(twit, bob, await posted(twit, user.user_id))
    late = await twit.post(user.user_id, "not delivered yet")
    await twit.deactivate(user.user_id)
    assert await home(twit, ada) == []
    await settle(twit)
    assert await home(twit, ada) == []
    await twit.log_in("eve", "a long password")
    await settle(twit)
    assert set(await home(twit, ada)) == {tweet, late.tweet_id, (await twit.tweet(ada, again)).retweet_of.tweet.tweet_id}
