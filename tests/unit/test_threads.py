"""One tweet and what hangs on it, and how tweets are dressed for who looks."""

from __future__ import annotations

import pytest
from builders import make_friends, make_user, make_users

from twit.core.errors import BadCursor, Invalid, NotFound
from twit.core.shown import Unavailable


async def chain(twit, *authors):
    """A tweet and replies, each to the one before."""
    tweets = []
    for number, author in enumerate(authors):
        tweets.append(await twit.post(author, f"tweet {number}", reply_to=tweets[-1].tweet_id if tweets else 0))
    return [tweet.tweet_id for tweet in tweets]


def ids(views):
    return [view.tweet_id if isinstance(view, Unavailable) else view.tweet.tweet_id for view in views]


async def below(twit, viewer, tweet_id, limit):
    """Every page of descendants."""
    found, cursor = [], ""
    while True:
        thread = await twit.thread(viewer, tweet_id, cursor, limit)
        found += ids(thread.descendants)
        assert thread.has_more == bool(thread.next_cursor)
        if not thread.has_more:
            return found
        assert len(thread.descendants) == limit
        cursor = thread.next_cursor


# threads
async def test_a_thread_has_ancestors_the_tweet_and_its_descendants(twit):
    ada, bob = await make_users(twit, "ada bob")
    one, two, three, four = await chain(twit, ada, bob, ada, bob)
    aside = (await twit.post(bob, "aside", reply_to=one)).tweet_id
    thread = await twit.thread(0, three)
    assert (ids(thread.ancestors), thread.tweet.tweet.tweet_id, ids(thread.descendants)) == ([one, two], three, [four])
    thread = await twit.thread(0, one)
    assert (ids(thread.ancestors), ids(thread.descendants)) == ([], [two, three, four, aside])


async def test_the_thread_of_a_retweet_is_its_originals(twit):
    ada, bob = await make_users(twit, "ada bob")
    one, two = await chain(twit, ada, ada)
    retweet = await twit.retweet(bob, one)
    thread = await twit.thread(0, retweet.tweet_id)
    assert (thread.tweet.tweet.tweet_id, ids(thread.descendants)) == (one, [two])


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_descendants_page_by_page_of_one_branch_only(twit, limit):
    ada, bob = await make_users(twit, "ada bob")
    root, left, right = [(await twit.post(ada, "root")).tweet_id, 0, 0]
    left = (await twit.post(ada, "left", reply_to=root)).tweet_id
    right = (await twit.post(bob, "right", reply_to=root)).tweet_id
    mine, others, at = [], [], {left: left, right: right}
    for number in range(8):
        side = (left, right)[number % 2]
        at[side] = (await twit.post(bob, str(number), reply_to=at[side])).tweet_id
        (mine if side == left else others).append(at[side])
    assert await below(twit, 0, left, limit) == mine
    assert await below(twit, 0, root, limit) == sorted([left, right, *mine, *others])


async def test_what_is_gone_stands_as_unavailable_above_and_its_answers_stay_below(twit):
    ada, bob = await make_users(twit, "ada bob")
    one, two, three = await chain(twit, ada, bob, ada)
    await twit.delete(bob, two)
    assert list((await twit.thread(0, three)).ancestors[1:]) == [Unavailable(two)]
    assert await below(twit, 0, one, 10) == [three]
    with pytest.raises(NotFound):
        await twit.thread(0, two)


async def test_a_block_takes_the_others_words_out_of_threads(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    one, two, three = await chain(twit, ada, bob, cy)
    await twit.block(bob, cy)
    assert await below(twit, cy, one, 10) == [three]
    assert await below(twit, bob, one, 10) == [two]
    assert await below(twit, ada, one, 10) == [two, three]
    assert ids((await twit.thread(cy, three)).ancestors) == [one, two]
    assert isinstance((await twit.thread(cy, three)).ancestors[1], Unavailable)


@pytest.mark.parametrize(("most", "shown"), [(2, 2), (3, 3), (4, 3)])
async def test_only_so_many_ancestors(open_twit, most, shown):
    twit = await open_twit(thread_ancestors_max=most)
    ada = await make_user(twit, "ada")
    *above, last = await chain(twit, ada, ada, ada, ada)
    assert ids((await twit.thread(ada, last)).ancestors) == above[3 - shown :]


# replies, likers, retweeters
@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_replies_oldest_first_without_those_hidden(twit, limit):
    ada, bob, foe = await make_users(twit, "ada bob foe")
    root = (await twit.post(ada, "root")).tweet_id
    made = [(await twit.post(author, "re", reply_to=root)).tweet_id for author in (bob, foe, ada, bob, foe)]
    await twit.post(bob, "deeper", reply_to=made[0])
    await twit.delete(bob, made[3])
    await twit.block(foe, bob)
    found, cursor = [], ""
    while True:
        page = await twit.replies(bob, root, cursor, limit)
        found += [tweet.tweet_id for tweet in page.tweets]
        if not page.has_more:
            break
        cursor = page.next_cursor
    assert found == [made[0], made[2]]


async def test_who_liked_and_who_retweeted_newest_first(twit):
    ada, bob, cy, shy = await make_users(twit, "ada bob cy shy")
    await twit.update_profile(shy, {"is_private": True})
    tweet = (await twit.post(ada, "hello")).tweet_id
    for who in (bob, shy, cy):
        await twit.like(who, tweet)
        await twit.retweet(who, tweet)
    assert [user.username for user in (await twit.likers(0, tweet, "", 10)).users] == ["cy", "shy", "bob"]
    assert [user.username for user in (await twit.retweeters(0, tweet, "", 10)).users] == ["cy", "bob"]
    await twit.deactivate(cy)
    page = await twit.retweeters(0, tweet, "", 1)
    assert ([user.username for user in page.users], page.has_more) == (["bob"], False)


@pytest.mark.parametrize("limit", [0, 201])
async def test_limits_and_cursors_are_checked(twit, limit):
    ada = await make_user(twit, "ada")
    tweet = (await twit.post(ada, "hello")).tweet_id
    for read in (twit.thread, twit.replies, twit.likers, twit.retweeters):
        with pytest.raises(Invalid):
            await read(ada, tweet, "", limit)
        with pytest.raises(BadCursor):
            await read(ada, tweet, "x", 1)
        with pytest.raises(NotFound):
            await read(ada, tweet + 1, "", 1)


# dressing
async def test_a_view_carries_author_counts_and_the_viewers_marks(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = (await twit.post(ada, "hello")).tweet_id
    await twit.like(bob, tweet)
    retweet = (await twit.retweet(bob, tweet)).tweet_id
    seen, own = await twit.tweet(ada, retweet), await twit.tweet(bob, retweet)
    assert (seen.author.username, seen.retweet_of.author.username) == ("bob", "ada")
    assert (seen.liked, seen.retweeted, own.liked, own.retweeted) == (False, False, True, True)
    assert seen.counts == own.counts == seen.retweet_of.counts
    assert (own.retweet_of.liked, own.retweet_of.retweeted) == (True, True)


async def test_a_retweeted_quote_shows_its_quote_and_no_deeper(twit):
    ada, bob = await make_users(twit, "ada bob")
    inner = (await twit.post(ada, "inner")).tweet_id
    middle = (await twit.post(ada, "middle", quote_of=inner)).tweet_id
    outer = (await twit.post(ada, "outer", quote_of=middle)).tweet_id
    view = await twit.tweet(0, (await twit.retweet(bob, outer)).tweet_id)
    assert (view.retweet_of.tweet.tweet_id, view.retweet_of.quote.tweet.tweet_id) == (outer, middle)
    assert view.retweet_of.quote.quote is None
    assert view.quote is None


async def test_a_quote_of_somebody_hidden_shows_without_it(twit):
    ada, bob, cy = await make_users(twit, "ada bob cy")
    tweet = (await twit.post(ada, "hello")).tweet_id
    quote = (await twit.post(bob, "look", quote_of=tweet)).tweet_id
    await twit.block(ada, cy)
    assert (await twit.tweet(cy, quote)).quote == Unavailable(tweet)
    assert (await twit.tweet(bob, quote)).quote.tweet.tweet_id == tweet


async def test_marks_older_than_what_is_kept_in_the_process_are_asked_for(open_twit):
    twit = await open_twit(cached_likes_per_viewer_max=2)
    ada, bob = await make_users(twit, "ada bob")
    tweets = [await twit.post(ada, str(number)) for number in range(5)]
    for tweet in tweets[:4]:
        await twit.like(bob, tweet.tweet_id)
        await twit.retweet(bob, tweet.tweet_id)
    other = await open_twit(cached_likes_per_viewer_max=2)
    views = await other.dress(bob, tweets)
    assert [(view.liked, view.retweeted) for view in views] == [(True, True)] * 4 + [(False, False)]


async def test_a_batch_is_dressed_in_its_order_with_what_is_hidden_marked(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweets = [await twit.post(who, "x") for who in (ada, bob, ada)]
    await twit.block(bob, ada)
    assert ids(await twit.dress(ada, tweets)) == [tweet.tweet_id for tweet in tweets]
    assert [isinstance(view, Unavailable) for view in await twit.dress(ada, tweets)] == [False, True, False]
