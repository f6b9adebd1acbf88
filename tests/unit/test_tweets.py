"""Posting, replying, quoting, retweeting, liking, deleting; and that a repeat changes nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest
from builders import home, make_friends, make_user, make_users, settle

from twit.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound, StoreDown
from twit.core.events import EventKind
from twit.core.model import TweetCounts
from twit.core.shown import Unavailable


async def counts(twit, tweet_id):
    return (await twit.tweet(0, tweet_id)).counts


# posting
async def test_a_tweet_is_durable_with_its_event_and_its_author_sees_it_at_once(twit):
    ada = await make_user(twit, "ada")
    before = await twit.stores.log.tail()
    tweet = await twit.post(ada, "hello", request_id="r1")
    (logged,) = await twit.stores.log.read(before, 10)
    assert (logged.event.kind, logged.event.tweet, logged.event.request_id) == (EventKind.TWEET_CREATED, tweet.tweet_id, "r1")
    assert await twit.stores.tweets.get((tweet.tweet_id,)) == [tweet]
    assert await home(twit, ada) == [tweet.tweet_id]


async def test_a_tweet_carries_what_it_points_at(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "@BOB and @nobody see https://example.com #Now")
    assert (tweet.mentions, tweet.mention_names) == ((bob,), ("BOB",))
    assert (tweet.urls, tweet.hashtags) == (("https://example.com",), ("Now",))
    assert tweet.conversation_id == tweet.tweet_id


async def test_only_so_many_mentions_are_looked_up(open_twit):
    twit = await open_twit(mentions_per_tweet_max=2)
    ada, bob, _ = await make_users(twit, "ada bob cy")
    tweet = await twit.post(ada, "@ada @bob @cy")
    assert tweet.mentions == (ada, bob)


@pytest.mark.parametrize("text", ["x" * 279, "x" * 280, "e\u0301" * 280, "👍"])
async def test_texts_within_their_limit(twit, text):
    ada = await make_user(twit, "ada")
    assert len((await twit.post(ada, text)).text) <= 280


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "x" * 281, "a\x00b", "\ud800"])
async def test_texts_that_are_refused(twit, text):
    ada = await make_user(twit, "ada")
    with pytest.raises(Invalid) as refused:
        await twit.post(ada, text)
    assert refused.value.field == "text"
    assert await home(twit, ada) == []


@pytest.mark.parametrize(("media", "fits"), [(["1"], True), (["1"] * 4, True), (["1"] * 5, False), ([""], False), (["\x00"], False), (["x" * 501], False)])
async def test_media_replace_text_within_their_limit(twit, media, fits):
    ada = await make_user(twit, "ada")
    if fits:
        assert (await twit.post(ada, "", media=media)).media == tuple(media)
    else:
        with pytest.raises(Invalid) as refused:
            await twit.post(ada, "", media=media)
        assert refused.value.field == "media"


async def test_nobody_posts_as_nobody(twit):
    for nobody in (0, 99):
        with pytest.raises(NotFound):
            await twit.post(nobody, "hello")


async def test_a_failing_timeline_does_not_fail_the_tweet(twit, caplog):
    ada = await make_user(twit, "ada")

    async def broken(*args):
        raise StoreDown("no timelines today")

    push, twit.stores.timelines.push = twit.stores.timelines.push, broken
    with caplog.at_level(logging.WARNING):
        tweet = await twit.post(ada, "hello")
    twit.stores.timelines.push = push
    assert "no timelines today" in caplog.text
    assert await twit.stores.tweets.get((tweet.tweet_id,)) == [tweet]
    await settle(twit)
    assert await home(twit, ada) == [tweet.tweet_id]


# repeating with a key
async def test_a_key_makes_a_repeat_answer_the_first_result(twit):
    ada = await make_user(twit, "ada")
    first = await twit.post(ada, "hello", idempotency_key="k")
    before = await twit.stores.log.tail()
    assert await twit.post(ada, "hello", idempotency_key="k") == first
    assert await twit.stores.log.tail() == before
    assert await home(twit, ada) == [first.tweet_id]


async def test_many_repeats_at_once_make_one_tweet(twit):
    ada = await make_user(twit, "ada")
    made = await asyncio.gather(*(twit.post(ada, "hello", idempotency_key="k") for _ in range(20)))
    assert len({tweet.tweet_id for tweet in made}) == 1
    assert len(await home(twit, ada)) == 1


async def test_a_key_used_for_something_else_is_a_conflict(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello", idempotency_key="k")
    for other in (
        twit.post(ada, "other", idempotency_key="k"),
        twit.post(ada, "hello", media=["1"], idempotency_key="k"),
        twit.post(ada, "hello", reply_to=tweet.tweet_id, idempotency_key="k"),
        twit.retweet(ada, tweet.tweet_id, idempotency_key="k"),
    ):
        with pytest.raises(Conflict) as refused:
            await other
        assert refused.value.code == "KEY_REUSED"
    assert (await twit.post(bob, "other", idempotency_key="k")).author_id == bob


async def test_a_key_is_forgotten_after_a_day(twit, clock):
    ada = await make_user(twit, "ada")
    first = await twit.post(ada, "hello", idempotency_key="k")
    clock.advance(86_400 - 1)
    assert await twit.post(ada, "hello", idempotency_key="k") == first
    clock.advance(2)
    assert await twit.post(ada, "hello", idempotency_key="k") != first


async def test_a_repeat_of_what_was_deleted_says_so(twit):
    ada = await make_user(twit, "ada")
    first = await twit.post(ada, "hello", idempotency_key="k")
    await twit.delete(ada, first.tweet_id)
    tail = await twit.stores.log.tail()
    with pytest.raises(Gone, match=f"made tweet {first.tweet_id}, which is gone"):
        await twit.post(ada, "hello", idempotency_key="k")
    assert await twit.stores.log.tail() == tail and await home(twit, ada) == []
    assert await twit.post(ada, "hello", idempotency_key="another") != first


@pytest.mark.parametrize("key", ["x" * 129, "a\nb"])
async def test_keys_outside_their_limits(twit, key):
    ada = await make_user(twit, "ada")
    with pytest.raises(Invalid) as refused:
        await twit.post(ada, "hello", idempotency_key=key)
    assert refused.value.field == "idempotency_key"
    assert await twit.post(ada, "hello", idempotency_key="x" * 128)


# replies and quotes
async def test_replies_make_a_conversation(twit):
    ada, bob = await make_users(twit, "ada bob")
    root = await twit.post(ada, "one")
    reply = await twit.post(bob, "two", reply_to=root.tweet_id)
    last = await twit.post(ada, "three", reply_to=reply.tweet_id)
    assert (reply.reply_to, reply.reply_to_author) == (root.tweet_id, ada)
    assert {root.conversation_id, reply.conversation_id, last.conversation_id} == {root.tweet_id}
    assert (await counts(twit, root.tweet_id)).replies == 1


async def test_answers_to_a_retweet_go_to_its_original(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    retweet = await twit.retweet(bob, tweet.tweet_id)
    assert (await twit.post(ada, "to bob?", reply_to=retweet.tweet_id)).reply_to == tweet.tweet_id
    assert (await twit.post(ada, "look", quote_of=retweet.tweet_id)).quote_of == tweet.tweet_id
    assert (await twit.retweet(ada, retweet.tweet_id)).retweet_of == tweet.tweet_id
    assert await twit.like(ada, retweet.tweet_id) is True
    assert await twit.like(ada, tweet.tweet_id) is False
    assert await counts(twit, tweet.tweet_id) == TweetCounts(likes=1, retweets=2, replies=1, quotes=1)
    assert await counts(twit, retweet.tweet_id) == TweetCounts(likes=1, retweets=2, replies=1, quotes=1)


@pytest.mark.parametrize("hidden_by", ["deleted", "block", "private", "deactivated", "unknown"])
async def test_what_one_may_not_see_one_cannot_answer_share_or_like(twit, hidden_by):
    ada, bob = await make_users(twit, "ada bob")
    tweet_id = (await twit.post(ada, "hello")).tweet_id
    match hidden_by:
        case "deleted":
            await twit.delete(ada, tweet_id)
        case "block":
            await twit.block(ada, bob)
        case "private":
            await twit.update_profile(ada, {"is_private": True})
        case "deactivated":
            await twit.deactivate(ada)
        case "unknown":
            tweet_id += 1
    for act in (
        twit.post(bob, "x", reply_to=tweet_id),
        twit.post(bob, "x", quote_of=tweet_id),
        twit.retweet(bob, tweet_id),
        twit.like(bob, tweet_id),
        twit.unlike(bob, tweet_id),
        twit.unretweet(bob, tweet_id),
        twit.delete(bob, tweet_id),
        twit.tweet(bob, tweet_id),
    ):
        with pytest.raises(NotFound):
            await act


async def test_nobody_shares_a_private_accounts_tweets_not_even_itself(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    await twit.update_profile(ada, {"is_private": True})
    tweet = await twit.post(ada, "between us")
    for who in (ada, bob):
        with pytest.raises(Forbidden):
            await twit.retweet(who, tweet.tweet_id)
        with pytest.raises(Forbidden):
            await twit.post(who, "look", quote_of=tweet.tweet_id)
    assert await twit.like(bob, tweet.tweet_id)
    assert await twit.post(bob, "yes", reply_to=tweet.tweet_id)


async def test_a_quote_of_something_gone_stays_and_says_so(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    quote = await twit.post(bob, "look", quote_of=tweet.tweet_id)
    assert (await twit.tweet(0, quote.tweet_id)).quote.tweet == tweet
    await twit.delete(ada, tweet.tweet_id)
    assert (await twit.tweet(0, quote.tweet_id)).quote == Unavailable(tweet.tweet_id)


# retweets and likes
async def test_a_second_retweet_returns_the_first(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    first = await twit.retweet(bob, tweet.tweet_id)
    assert await twit.retweet(bob, tweet.tweet_id) == first
    assert await twit.retweet(bob, first.tweet_id, idempotency_key="k") == first
    assert (await counts(twit, tweet.tweet_id)).retweets == 1


async def test_undoing_a_retweet_by_any_of_its_ids(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    for by_own_id in (True, False):
        retweet = await twit.retweet(bob, tweet.tweet_id)
        assert await twit.unretweet(bob, retweet.tweet_id if by_own_id else tweet.tweet_id) is True
        assert await twit.unretweet(bob, tweet.tweet_id) is False
        with pytest.raises(NotFound):
            await twit.tweet(bob, retweet.tweet_id)
    retweet = await twit.retweet(bob, tweet.tweet_id)
    await twit.delete(bob, retweet.tweet_id)
    assert await twit.unretweet(bob, tweet.tweet_id) is False
    assert (await counts(twit, tweet.tweet_id)).retweets == 0


async def test_likes_count_once_and_are_undone_once(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    assert [await twit.like(who, tweet.tweet_id) for who in (ada, bob, bob)] == [True, True, False]
    assert (await counts(twit, tweet.tweet_id)).likes == 2
    assert [await twit.unlike(bob, tweet.tweet_id) for _ in range(2)] == [True, False]
    assert (await counts(twit, tweet.tweet_id)).likes == 1


async def test_what_vanished_meanwhile_can_still_be_undone(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    await twit.like(bob, tweet.tweet_id)
    await twit.retweet(bob, tweet.tweet_id)
    await twit.update_profile(ada, {"is_private": True})
    assert await twit.unlike(bob, tweet.tweet_id) is True
    assert await twit.unretweet(bob, tweet.tweet_id) is True
    for undo in (twit.unlike, twit.unretweet):
        with pytest.raises(NotFound):
            await undo(bob, tweet.tweet_id)


# deleting
async def test_only_its_author_deletes_a_tweet_and_once(twit):
    ada, bob = await make_users(twit, "ada bob")
    tweet = await twit.post(ada, "hello")
    with pytest.raises(Forbidden):
        await twit.delete(bob, tweet.tweet_id)
    await twit.delete(ada, tweet.tweet_id)
    for who in (ada, bob):
        with pytest.raises(NotFound):
            await twit.delete(who, tweet.tweet_id)
    assert (await twit.user_counts([ada]))[0].tweets == 0


async def test_a_tombstone_keeps_nothing_of_what_was_said(twit):
    ada = await make_user(twit, "ada")
    tweet = await twit.post(ada, "hello #tag https://example.com @ada")
    await twit.delete(ada, tweet.tweet_id)
    (left,) = await twit.stores.tweets.get((tweet.tweet_id,))
    assert (left.deleted, left.text, left.hashtags, left.urls, left.mention_names) == (True, "", (), (), ())


async def test_deleting_a_reply_lowers_its_parents_count(twit):
    ada = await make_user(twit, "ada")
    tweet = await twit.post(ada, "hello")
    reply = await twit.post(ada, "again", reply_to=tweet.tweet_id)
    quote = await twit.post(ada, "look", quote_of=tweet.tweet_id)
    assert await counts(twit, tweet.tweet_id) == TweetCounts(replies=1, quotes=1)
    await twit.delete(ada, reply.tweet_id)
    await twit.delete(ada, quote.tweet_id)
    assert await counts(twit, tweet.tweet_id) == TweetCounts()


async def test_a_repeat_answers_the_first_result_even_where_what_it_spoke_of_has_vanished(twit):
    ada, bob = await make_users(twit, "ada bob")
    parent = await twit.post(bob, "look")
    reply = await twit.post(ada, "yes", reply_to=parent.tweet_id, idempotency_key="k")
    retweet = await twit.retweet(ada, parent.tweet_id, idempotency_key="r")
    await twit.delete(bob, parent.tweet_id)
    assert await twit.post(ada, "yes", reply_to=parent.tweet_id, idempotency_key="k") == reply
    assert await twit.retweet(ada, parent.tweet_id, idempotency_key="r") == retweet
