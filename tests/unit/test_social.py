"""Follows and requests, blocks, mutes, and the lists of people."""

from __future__ import annotations

import pytest
from builders import home, make_friends, make_user, make_users, settle

from twit.core.errors import BadCursor, Conflict, Forbidden, Invalid, NotFound
from twit.core.model import Relation
from twit.core.shown import Follow


async def names(asked, **more):
    return [user.username for user in (await asked).users]


async def walk(fetch, limit):
    """Every page of a list of people."""
    found, cursor = [], ""
    while True:
        page = await fetch(cursor, limit)
        found += [user.username for user in page.users]
        assert page.has_more == bool(page.next_cursor)
        assert len(page.users) == limit or not page.has_more
        assert page.users or not cursor
        if not page.has_more:
            return found
        cursor = page.next_cursor


# follows
async def test_following_shows_and_repeating_answers_the_same(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(bob, "hello")
    assert await twit.follow(ada, bob) is Follow.FOLLOWING
    assert await twit.follow(ada, bob) is Follow.ALREADY
    assert await home(twit, ada) == [tweet.tweet_id]
    assert await twit.unfollow(ada, bob) is True
    assert await twit.unfollow(ada, bob) is False
    assert await home(twit, ada) == []


async def test_repeating_with_other_retweets_switches_them(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob))
    await twit.retweet(bob, (await twit.post(cy, "hello")).tweet_id)
    await settle(twit)
    assert len(await home(twit, ada)) == 1
    await twit.follow(ada, bob, retweets=False)
    assert await home(twit, ada) == []
    await twit.follow(ada, bob)
    assert len(await home(twit, ada)) == 1


async def test_nobody_follows_himself_or_nobody(twit):
    ada = await make_user(twit, "ada")
    for verb in (twit.follow, twit.unfollow, twit.block, twit.unblock, twit.mute, twit.unmute):
        with pytest.raises(Invalid):
            await verb(ada, ada)
        for nobody in (0, 99, -1):
            with pytest.raises(NotFound):
                await verb(ada, nobody)
        with pytest.raises(NotFound):
            await verb(99, ada)


async def test_whom_i_block_i_cannot_follow_and_who_blocks_me_is_not_found(twit):
    ada, bob = await make_users(twit, "ada bob")
    await twit.block(ada, bob)
    with pytest.raises(Forbidden, match="you block @bob"):
        await twit.follow(ada, bob)
    with pytest.raises(NotFound):
        await twit.follow(bob, ada)


@pytest.mark.parametrize("most", [1, 2])
async def test_following_at_most_so_many(open_twit, most):
    twit = await open_twit(following_max=most)
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    for other in (bob, cy)[:most]:
        assert await twit.follow(ada, other) is Follow.FOLLOWING
    with pytest.raises(Conflict, match=f"you follow {most} accounts") as refused:
        await twit.follow(ada, dee)
    assert refused.value.code == "FOLLOWING_FULL"
    assert await twit.follow(ada, bob) is Follow.ALREADY
    await twit.unfollow(ada, bob)
    assert await twit.follow(ada, dee) is Follow.FOLLOWING


# requests
async def test_a_private_account_is_asked_and_may_accept(twit):
    ada, bob = await make_user(twit, "ada", private=True), await make_user(twit, "bob")
    tweet = await twit.post(ada, "between us")
    assert [await twit.follow(bob, ada) for _ in range(2)] == [Follow.REQUESTED] * 2
    assert await home(twit, bob) == []
    (((request, who),), _, more) = await twit.follow_requests(ada, "", 10)
    assert (who.user_id, more) == (bob, False)
    with pytest.raises(NotFound):
        await twit.accept_request(bob, request.request_id)
    assert await twit.accept_request(ada, request.request_id) is True
    assert await twit.accept_request(ada, request.request_id) is False
    assert await home(twit, bob) == [tweet.tweet_id]
    assert await twit.follow(bob, ada) is Follow.ALREADY


async def test_a_request_may_be_rejected_and_asked_again(twit):
    ada, bob = await make_user(twit, "ada", private=True), await make_user(twit, "bob")
    await twit.follow(bob, ada)
    (((request, _),), _, _) = await twit.follow_requests(ada, "", 10)
    with pytest.raises(NotFound):
        await twit.reject_request(bob, request.request_id)
    assert await twit.reject_request(ada, request.request_id) is True
    assert await twit.reject_request(ada, request.request_id) is False
    assert await twit.follow_requests(ada, "", 10) == ([], "", False)
    await twit.follow(bob, ada)
    assert len((await twit.follow_requests(ada, "", 10))[0]) == 1


async def test_unfollowing_withdraws_a_request_and_so_does_a_block(twit):
    ada, bob, cy = await make_user(twit, "ada", private=True), await make_user(twit, "bob"), await make_user(twit, "cy")
    await twit.follow(bob, ada)
    await twit.follow(cy, ada)
    assert await twit.unfollow(bob, ada) is True
    await twit.block(ada, cy)
    assert await twit.follow_requests(ada, "", 10) == ([], "", False)


async def test_the_last_word_on_retweets_holds_for_a_request(twit):
    ada, bob = await make_user(twit, "ada", private=True), await make_user(twit, "bob")
    await twit.follow(bob, ada)
    await twit.follow(bob, ada, retweets=False)
    (((request, _),), _, _) = await twit.follow_requests(ada, "", 10)
    assert request.retweets is False


async def test_a_request_of_someone_who_follows_too_many_stays_open(open_twit):
    twit = await open_twit(following_max=1)
    ada, bob, cy = await make_user(twit, "ada", private=True), await make_user(twit, "bob"), await make_user(twit, "cy")
    await twit.follow(bob, ada)
    await twit.follow(bob, cy)
    (((request, _),), _, _) = await twit.follow_requests(ada, "", 10)
    with pytest.raises(Conflict, match="they follow 1 accounts"):
        await twit.accept_request(ada, request.request_id)
    await twit.unfollow(bob, cy)
    assert await twit.accept_request(ada, request.request_id) is True


async def test_turning_private_keeps_the_followers(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweet = await twit.post(ada, "hello")
    await twit.update_profile(ada, {"is_private": True})
    await settle(twit)
    assert await home(twit, bob) == [tweet.tweet_id]
    with pytest.raises(NotFound):
        await twit.tweet(0, tweet.tweet_id)


# blocks and mutes
async def test_a_block_ends_follows_both_ways_and_lifting_it_brings_none_back(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob), (bob, ada))
    assert [await twit.block(ada, bob) for _ in range(2)] == [True, False]
    await settle(twit)
    assert [await twit.unblock(ada, bob) for _ in range(2)] == [True, False]
    await settle(twit)
    assert [(c.followers, c.following) for c in await twit.user_counts([ada, bob])] == [(0, 0), (0, 0)]


async def test_a_mute_is_set_and_lifted(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (ada, bob))
    tweet = await twit.post(bob, "hello")
    await settle(twit)
    assert [await twit.mute(ada, bob) for _ in range(2)] == [True, False]
    assert await home(twit, ada) == []
    assert (await twit.tweet(ada, tweet.tweet_id)).tweet == tweet
    assert [await twit.unmute(ada, bob) for _ in range(2)] == [True, False]
    assert await home(twit, ada) == [tweet.tweet_id]


async def test_ones_own_lists_of_blocks_and_mutes(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    for other in (bob, cy):
        await twit.block(ada, other)
        await twit.mute(ada, other)
    assert await names(twit.related(Relation.BLOCK, ada, "", 10)) == ["cy", "bob"]
    assert await names(twit.related(Relation.MUTE, ada, "", 10)) == ["cy", "bob"]
    assert await names(twit.related(Relation.BLOCK, bob, "", 10)) == []


# lists
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
async def test_followers_and_followees_page_by_page_without_those_one_may_not_see(twit, limit):
    ada, viewer, gone, foe, *fans = await make_users(twit, "ada viewer gone foe b c d e")
    for fan in (fans[0], gone, fans[1], foe, fans[2], fans[3]):
        await make_friends(twit, (fan, ada), (ada, fan))
    await twit.deactivate(gone)
    await twit.block(foe, viewer)
    expected = ["e", "d", "c", "b"]
    assert await walk(lambda cursor, many: twit.followers(viewer, ada, cursor, many), limit) == expected
    assert await walk(lambda cursor, many: twit.following(viewer, ada, cursor, many), limit) == expected
    assert "foe" in await names(twit.followers(0, ada, "", 200))


async def test_a_page_of_people_is_short_where_too_many_are_hidden_and_goes_on(open_twit):
    twit = await open_twit(scan_max=2)
    ada, *fans = await make_users(twit, "ada a b c d e")
    await make_friends(twit, *((fan, ada) for fan in fans))
    for fan in fans[1:]:
        await twit.deactivate(fan)
    found, cursor, pages = [], "", 0
    while True:
        page = await twit.followers(0, ada, cursor, 1)
        found += [user.username for user in page.users]
        pages += 1
        if not page.has_more:
            break
        assert page.next_cursor != cursor
        cursor = page.next_cursor
    assert (found, pages > 1) == (["a"], True)


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_limits_outside_their_bounds(twit, limit):
    ada = await make_user(twit, "ada")
    for asked in (
        twit.followers(ada, ada, "", limit),
        twit.following(ada, ada, "", limit),
        twit.related(Relation.MUTE, ada, "", limit),
        twit.follow_requests(ada, "", limit),
    ):
        with pytest.raises(Invalid) as refused:
            await asked
        assert refused.value.field == "limit"


async def test_cursors_of_other_lists_are_refused(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (bob, ada), (cy, ada))
    cursor = (await twit.followers(ada, ada, "", 1)).next_cursor
    for asked in (twit.following(ada, ada, cursor, 1), twit.follow_requests(ada, cursor, 1), twit.followers(ada, ada, "x", 1)):
        with pytest.raises(BadCursor):
            await asked


async def test_the_lists_of_a_private_account_are_for_its_followers(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (bob, ada))
    await twit.update_profile(ada, {"is_private": True})
    assert await names(twit.followers(bob, ada, "", 10)) == ["bob"]
    for stranger in (cy, 0):
        with pytest.raises(NotFound):
            await twit.followers(stranger, ada, "", 10)


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_requests_page_by_page_without_those_who_left(twit, limit):
    ada = await make_user(twit, "ada", private=True)
    fans = await make_users(twit, "b c d e")
    for fan in fans:
        await twit.follow(fan, ada)
    await twit.deactivate(fans[1])
    found, cursor, more = [], "", True
    while more:
        page, cursor, more = await twit.follow_requests(ada, cursor, limit)
        found += [user.username for _, user in page]
    assert found == ["e", "d", "b"]
