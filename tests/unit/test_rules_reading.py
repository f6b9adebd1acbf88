"""Rules 1, 2, 9, 10, 11 and 13: what a page of a home timeline holds, where it ends, and where the next one begins."""

from __future__ import annotations

from itertools import chain

import pytest
from builders import home, make_friends, make_users, settle

from twit.core.errors import BadCursor, Invalid, NotFound
from twit.core.shown import Source


async def post_many(twit, author, count, clock=None):
    """Tweets of one author, newest first."""
    ids = []
    for number in range(count):
        ids.append((await twit.post(author, f"tweet {number}")).tweet_id)
        if clock is not None:
            clock.advance(1)
    return ids[::-1]


async def walk(twit, reader, limit, between=None):
    """Pages of a home timeline, with something happening between one and the next."""
    pages, cursor = [], ""
    while True:
        page = (await twit.home_timeline(reader, cursor, limit)).page
        pages.append([tweet.tweet_id for tweet in page.tweets])
        assert page.has_more == bool(page.next_cursor)
        if not page.has_more:
            return pages
        cursor = page.next_cursor
        if between is not None:
            await between()


def flat(pages):
    return list(chain.from_iterable(pages))


async def row_of(twit, clock, reader):
    return await twit.stores.timelines.read(reader, 0, 10_000, clock.now_ms())


# 1
async def test_rule_01_newest_first_whoever_wrote(twit, clock):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    ids = [(await twit.post(author, "hi")).tweet_id for author in (bob, cy, ada, cy, bob)]
    await settle(twit)
    assert await home(twit, ada) == ids[::-1]


async def test_rule_01_tweets_that_arrive_while_one_pages_do_not_move_the_pages(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    ids = await post_many(twit, bob, 7)
    await settle(twit)

    async def meanwhile():
        await twit.post(bob, "newer")
        await twit.post(ada, "newer still")
        await settle(twit)

    assert await walk(twit, ada, 2, meanwhile) == [ids[:2], ids[2:4], ids[4:6], ids[6:]]


async def test_rule_01_what_is_deleted_while_one_pages_skips_nothing_else(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    ids = await post_many(twit, bob, 6)
    await settle(twit)
    page = (await twit.home_timeline(ada, "", 2)).page
    await twit.delete(bob, ids[1])
    await twit.delete(bob, ids[3])
    rest = (await twit.home_timeline(ada, page.next_cursor, 10)).page
    assert [tweet.tweet_id for tweet in rest.tweets] == [ids[2], ids[4], ids[5]]


# 2
async def test_rule_02_an_author_sees_his_own_tweet_before_fan_out(twit):
    (ada,) = await make_users(twit, "ada")
    tweet = await twit.post(ada, "mine")
    retweet = await twit.retweet(ada, tweet.tweet_id)
    answer = await twit.post(ada, "and more", reply_to=tweet.tweet_id)
    assert await home(twit, ada) == [answer.tweet_id, tweet.tweet_id]
    await twit.delete(ada, tweet.tweet_id)
    assert await home(twit, ada) == [answer.tweet_id]
    assert retweet.tweet_id not in await home(twit, ada)


async def test_rule_02_fan_out_afterwards_does_not_show_it_twice(twit, clock):
    (ada,) = await make_users(twit, "ada")
    tweet = await twit.post(ada, "mine")
    await settle(twit)
    assert await home(twit, ada) == [tweet.tweet_id]
    assert (await row_of(twit, clock, ada)).entries[:, 0].tolist() == [tweet.tweet_id]


# 9
async def test_rule_09_a_page_is_filled_up_past_what_is_hidden(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    old = await post_many(twit, bob, 3)
    await post_many(twit, cy, 300)
    await settle(twit)
    await twit.mute(ada, cy)
    page = (await twit.home_timeline(ada, "", 3)).page
    assert ([tweet.tweet_id for tweet in page.tweets], page.has_more) == (old, False)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
async def test_rule_09_has_more_is_true_exactly_if_another_page_is_not_empty(twit, count):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    await post_many(twit, cy, 3)
    ids = await post_many(twit, bob, count)
    await settle(twit)
    await twit.mute(ada, cy)
    pages = await walk(twit, ada, 2)
    assert flat(pages) == ids
    assert all(pages)


async def test_rule_09_someone_who_mutes_nearly_everybody_gets_short_pages_that_move_on(open_twit):
    twit = await open_twit(scan_max=10)
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    first = await post_many(twit, bob, 1)
    await post_many(twit, cy, 35)
    last = await post_many(twit, bob, 1)
    await settle(twit)
    await twit.mute(ada, cy)
    page = (await twit.home_timeline(ada, "", 5)).page
    assert [tweet.tweet_id for tweet in page.tweets] == last
    assert page.has_more
    pages = await walk(twit, ada, 5)
    assert flat(pages) == last + first
    assert len(pages) == 4
    assert (await walk(twit, ada, 1)) != pages
    assert flat(await walk(twit, ada, 1)) == last + first


async def test_rule_09_no_more_than_scan_max_candidates_fill_a_page(open_twit):
    twit = await open_twit(scan_max=10)
    ada, cy = await make_users(twit, "ada cy")
    await make_friends(twit, (ada, cy))
    await post_many(twit, cy, 50)
    await settle(twit)
    await twit.mute(ada, cy)
    cost = (await twit.home_timeline(ada, "", 5, explain=True)).explanation
    assert cost.scanned < 50
    assert cost.hidden == {"muted": cost.scanned}


# 10
@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_rule_10_past_the_cached_entries_reading_goes_on(open_twit, clock, limit):
    twit = await open_twit(timeline_entries_max=8)
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    await make_friends(twit, (ada, bob), (ada, cy))
    ids = []
    for number in range(30):
        author = (bob, cy, ada, dee)[number % 4]
        tweet = await twit.post(author, f"{number}")
        ids += [tweet.tweet_id] if author != dee else []
        await settle(twit)
    assert len((await row_of(twit, clock, ada)).entries) == 8
    assert await home(twit, ada, limit) == ids[::-1]


async def test_rule_10_entry_801_is_read_from_the_followees_own_timelines(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    ids = await post_many(twit, bob, 803)
    await settle(twit)
    page, cursor = [], ""
    for _ in range(4):
        page = (await twit.home_timeline(ada, cursor, 200)).page
        cursor = page.next_cursor
    last = await twit.home_timeline(ada, cursor, 200, explain=True)
    assert [tweet.tweet_id for tweet in last.page.tweets] == ids[800:]
    assert [one.sources for one in last.explanation.entries] == [(Source.MERGED,)] * 3


# 11
async def test_rule_11_a_cached_timeline_says_down_to_where_it_is_complete(open_twit):
    twit = await open_twit(timeline_entries_max=4)
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    await post_many(twit, bob, 4)
    await settle(twit)
    assert (await twit.home_timeline(ada)).page.complete_back_to == 0
    ids = await post_many(twit, bob, 3)
    await settle(twit)
    bound = (await twit.home_timeline(ada)).page.complete_back_to
    assert 0 < bound < ids[-1]


async def test_rule_11_a_rebuilt_row_that_was_cut_says_so_too(open_twit):
    twit = await open_twit(timeline_entries_max=4)
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    ids = await post_many(twit, bob, 6)
    await settle(twit)
    await twit.stores.timelines.drop((ada,))
    assert (await twit.home_timeline(ada)).page.complete_back_to == ids[3]
    assert await home(twit, ada, 2) == ids


# 13
@pytest.mark.parametrize("cursor", ["x", "0", "AWgAAAAA", "!!!!", "AWgAAAAAAAAAAQAAAAA", "é", " "])
async def test_rule_13_a_cursor_we_did_not_make_is_refused_never_a_silent_first_page(twit, cursor):
    ada, bob = await make_users(twit, "ada bob")
    with pytest.raises(BadCursor):
        await twit.home_timeline(ada, cursor)
    with pytest.raises(BadCursor):
        await twit.user_timeline(ada, bob, cursor)


async def test_rule_13_a_cursor_of_another_list_is_refused(twit):
    (ada,) = await make_users(twit, "ada")
    await post_many(twit, ada, 3)
    other = (await twit.user_timeline(ada, ada, "", 1)).next_cursor
    mine = (await twit.home_timeline(ada, "", 1)).page.next_cursor
    with pytest.raises(BadCursor):
        await twit.home_timeline(ada, other)
    with pytest.raises(BadCursor):
        await twit.user_timeline(ada, ada, mine)


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_rule_13_a_limit_out_of_its_bounds_is_refused(twit, limit):
    (ada,) = await make_users(twit, "ada")
    with pytest.raises(Invalid):
        await twit.home_timeline(ada, "", limit)
    with pytest.raises(Invalid):
        await twit.user_timeline(ada, ada, "", limit)


async def test_rule_13_pages_of_one_are_the_same_as_one_page_of_200(twit):
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    await make_friends(twit, (ada, bob), (ada, cy))
    for number in range(20):
        tweet = await twit.post((bob, dee, cy)[number % 3], "one")
        await twit.retweet((cy, bob)[number % 2], tweet.tweet_id)
        await twit.post(bob, "answer", reply_to=tweet.tweet_id)
    await settle(twit)
    whole = await home(twit, ada, 200)
    assert whole
    assert await home(twit, ada, 1) == whole
    assert await home(twit, ada, 7) == whole


async def test_nobodys_timeline_is_not_found(twit):
    with pytest.raises(NotFound):
        await twit.home_timeline(99)


# user timelines
async def test_a_user_timeline_holds_all_he_wrote_page_by_page(twit):
    ada, bob = await make_users(twit, "ada bob")
    theirs = await twit.post(bob, "theirs")
    ids = [(await twit.post(ada, "one")).tweet_id, (await twit.retweet(ada, theirs.tweet_id)).tweet_id]
    ids.append((await twit.post(ada, "re", reply_to=theirs.tweet_id)).tweet_id)
    seen, cursor = [], ""
    for _ in ids:
        page = await twit.user_timeline(bob, ada, cursor, 1)
        seen += [tweet.tweet_id for tweet in page.tweets]
        cursor = page.next_cursor
    assert (seen, page.has_more) == (ids[::-1], False)


async def test_muting_does_not_empty_a_user_timeline_and_blocking_does(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(bob, "hi")
    await twit.mute(ada, bob)
    assert [t.tweet_id for t in (await twit.user_timeline(ada, bob)).tweets] == [tweet.tweet_id]
    await twit.block(bob, ada)
    with pytest.raises(NotFound):
        await twit.user_timeline(ada, bob)
