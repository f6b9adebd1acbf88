"""The port `Tweets`: one durable step a tweet, threads, each author's own timeline, and deletes that leave a tombstone."""

import msgspec
import numpy as np
import pytest

from twit.core.errors import StoreError
from twit.core.events import Event, EventKind
from twit.core.model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet, TweetCounts, UserCounts

ADA, BOB, CLEO = 1, 2, 3
DAY_MS = 86_400_000


def told(tweet, kind=EventKind.TWEET_CREATED):
    return Event(kind=kind, key=tweet.author_id, actor=tweet.author_id, tweet=tweet.tweet_id, ref=tweet.retweet_of)


def new(tweet_id, author=ADA, *, key=None, **more):
    tweet = Tweet(tweet_id=tweet_id, author_id=author, conversation_id=more.pop("conversation_id", tweet_id), **more)
    return NewTweet(tweet=tweet, events=(told(tweet),), idempotency=key)


def retweet(tweet_id, author, original):
    return new(tweet_id, author, retweet_of=original, retweet_of_author=ADA)


def key(clock, name="k", body=b"body", user=ADA):
    return IdempotencyKey(user, name, body, clock.now_ms() + DAY_MS)


async def delete(stores, *tweet_ids):
    gone = [Event(kind=EventKind.TWEET_DELETED, key=ADA, actor=ADA, tweet=tweet_id) for tweet_id in tweet_ids]
    return await stores.tweets.delete(tweet_ids, [(one,) for one in gone])


async def events_of(stores, kind=EventKind.TWEET_CREATED):
    return [logged.event.tweet for logged in await stores.log.read(0, 100_000) if logged.event.kind is kind]


def ids(tweets):
    return [tweet.tweet_id for tweet in tweets]


# putting

async def test_a_tweet_comes_back_as_it_was_put(stores):
    rich = new(
        (1 << 62) + 1, text="naïve 🐦 #a @bob", created_ms=1_750_000_000_123, reply_to=5, reply_to_author=BOB, conversation_id=4,
        quote_of=6, quote_of_author=CLEO, hashtags=("a", "ß"), mentions=(BOB,), mention_names=("bob",), urls=("https://x.org",),
        media=("m1", "m2"),
    )
    assert await stores.tweets.put([rich]) == [PutOutcome(PutStatus.STORED, rich.tweet.tweet_id)]
    assert await stores.tweets.get([rich.tweet.tweet_id, 7]) == [rich.tweet, None]


async def test_the_same_call_again_changes_nothing(stores):
    for expected in (PutStatus.STORED, PutStatus.REPEATED):
        assert await stores.tweets.put([new(10), new(11)]) == [PutOutcome(expected, 10), PutOutcome(expected, 11)]
    assert await events_of(stores) == [10, 11]
    assert await stores.accounts.counts([ADA]) == [UserCounts(tweets=2)]


async def test_some_new_and_some_repeated_in_one_call(stores):
    await stores.tweets.put([new(10)])
    outcomes = await stores.tweets.put([new(11), new(10), new(12), new(12)])
    assert [outcome.status for outcome in outcomes] == [0, 1, 0, 1]
    assert await events_of(stores) == [10, 11, 12]
    assert await stores.accounts.counts([ADA]) == [UserCounts(tweets=3)]


async def test_one_retweet_of_a_tweet_stands_a_user(stores):
    await stores.tweets.put([new(10), retweet(20, BOB, 10)])
    again, others = await stores.tweets.put([retweet(21, BOB, 10), retweet(22, CLEO, 10)])
    assert (again, others) == (PutOutcome(PutStatus.REPEATED, 20), PutOutcome(PutStatus.STORED, 22))
    assert await stores.engagement.counts([10]) == [TweetCounts(retweets=2)]
    assert await stores.tweets.get([21]) == [None]


async def test_after_undoing_a_retweet_another_may_stand(stores):
    await stores.tweets.put([new(10), retweet(20, BOB, 10)])
    await delete(stores, 20)
    assert await stores.tweets.put([retweet(21, BOB, 10)]) == [PutOutcome(PutStatus.STORED, 21)]
    assert await stores.tweets.retweet_ids(BOB, [10, 99]) == [21, 0]


# idempotency keys

async def test_a_key_makes_a_repeat_the_earlier_tweet(stores, clock):
    await stores.tweets.put([new(10, key=key(clock))])
    assert await stores.tweets.put([new(11, key=key(clock))]) == [PutOutcome(PutStatus.REPEATED, 10)]
    assert await stores.tweets.get([11]) == [None]
    assert await events_of(stores) == [10]


async def test_a_key_with_another_body_is_refused(stores, clock):
    await stores.tweets.put([new(10, key=key(clock))])
    assert await stores.tweets.put([new(11, key=key(clock, body=b"other"))]) == [PutOutcome(PutStatus.KEY_REUSED, 0)]
    assert await stores.tweets.get([11]) == [None]


async def test_keys_are_each_users_own(stores, clock):
    await stores.tweets.put([new(10, key=key(clock))])
    assert (await stores.tweets.put([new(11, BOB, key=key(clock, user=BOB, body=b"other"))]))[0].status is PutStatus.STORED


async def test_a_key_is_forgotten_when_it_expires(stores, clock):
    await stores.tweets.put([new(10, key=key(clock))])
    clock.advance(DAY_MS / 1000 - 0.001)
    assert (await stores.tweets.put([new(11, key=key(clock))]))[0].tweet_id == 10
    clock.advance(0.001)
    assert await stores.tweets.put([new(12, key=key(clock, body=b"other"))]) == [PutOutcome(PutStatus.STORED, 12)]
    assert await stores.tweets.put([new(13, key=key(clock, body=b"other"))]) == [PutOutcome(PutStatus.REPEATED, 12)]


async def test_the_same_key_twice_in_one_call(stores, clock):
    outcomes = await stores.tweets.put([new(10, key=key(clock)), new(11, key=key(clock))])
    assert outcomes == [PutOutcome(PutStatus.STORED, 10), PutOutcome(PutStatus.REPEATED, 10)]


# deleting

async def test_a_delete_leaves_a_tombstone_of_ids(stores):
    reply = new(11, text="t", created_ms=3, reply_to=10, reply_to_author=BOB, conversation_id=10, hashtags=("a",), media=("m",))
    await stores.tweets.put([reply])
    assert await delete(stores, 11, 11, 99) == [True, False, False]
    emptied = msgspec.structs.replace(reply.tweet, text="", hashtags=(), media=(), deleted=True)
    assert await stores.tweets.get([11]) == [emptied]
    assert await events_of(stores, EventKind.TWEET_DELETED) == [11]


async def test_a_delete_is_counted_off_exactly_once_wherever_it_counted(stores):
    await stores.tweets.put([
        new(10), new(11, BOB, reply_to=10), new(12, BOB, quote_of=10), retweet(13, BOB, 10), new(14, BOB, reply_to=10, quote_of=10),
    ])
    assert await stores.engagement.counts([10]) == [TweetCounts(retweets=1, replies=2, quotes=2)]
    for _ in range(2):
        await delete(stores, 11, 12, 13)
    assert await stores.engagement.counts([10]) == [TweetCounts(replies=1, quotes=1)]
    assert await stores.accounts.counts([ADA, BOB]) == [UserCounts(tweets=1), UserCounts(tweets=1)]


async def test_a_tweet_put_again_after_its_delete_stays_deleted(stores):
    await stores.tweets.put([new(10)])
    await delete(stores, 10)
    assert (await stores.tweets.put([new(10)]))[0].status is PutStatus.REPEATED
    assert (await stores.tweets.get([10]))[0].deleted
    assert await stores.accounts.counts([ADA]) == [UserCounts()]


async def test_another_tweet_under_an_id_that_is_taken_is_refused_and_never_passed_off_as_a_repeat(stores):
    await stores.tweets.put([new(10, text="first"), new(20)])
    for other in (new(10, BOB, text="first"), new(10, text="second"), retweet(10, BOB, 20)):
        with pytest.raises(StoreError) as refused:
            await stores.tweets.put([new(11), other])
        assert refused.value.code == "TWEET_ID_TAKEN"
    assert await stores.tweets.get([10, 11]) == [new(10, text="first").tweet, None]
    await delete(stores, 10)
    with pytest.raises(StoreError):
        await stores.tweets.put([new(10, BOB)])
    assert await events_of(stores) == [10, 20]


# reading

async def test_each_authors_own_timeline_is_newest_first(stores):
    await stores.tweets.put([new(10), new(12, BOB), new(11), retweet(13, BOB, 10), new(9)])
    await delete(stores, 9)
    of_bob, of_nobody, of_ada = await stores.tweets.by_authors([BOB, 99, ADA], limit=10)
    assert of_bob.tolist() == [[13, 10], [12, 0]]
    assert of_ada.tolist() == [[11, 0], [10, 0]]
    assert (of_nobody.shape, of_nobody.dtype) == ((0, 2), np.int64)


async def test_an_authors_timeline_is_bounded_on_both_sides(stores):
    await stores.tweets.put([new(tweet_id) for tweet_id in range(10, 20)])

    async def window(**bounds):
        (entries,) = await stores.tweets.by_authors([ADA], **bounds)
        return entries[:, 0].tolist()

    assert await window(limit=3) == [19, 18, 17]
    assert await window(before=17, limit=2) == [16, 15]
    assert await window(before=17, after=14, limit=9) == [16, 15]
    assert await window(after=18, limit=9) == [19]


async def test_the_largest_ids_keep_every_bit(stores):
    largest = (1 << 63) - 2
    await stores.tweets.put([new(largest - 1), retweet(largest, BOB, largest - 1)])
    (entries,) = await stores.tweets.by_authors([BOB], limit=1)
    assert entries.tolist() == [[largest, largest - 1]]


async def test_a_conversation_in_order_with_its_tombstones(stores):
    await stores.tweets.put([
        new(10), new(12, BOB, reply_to=10, conversation_id=10), new(11, BOB, reply_to=10, conversation_id=10),
        new(13, BOB, reply_to=11, conversation_id=10), new(14),
    ])
    await delete(stores, 12)
    assert ids(await stores.tweets.in_conversation(10, 0, 10)) == [11, 12, 13]
    assert ids(await stores.tweets.in_conversation(10, 11, 1)) == [12]
    assert (await stores.tweets.in_conversation(10, 11, 1))[0].deleted


async def test_direct_replies_that_stand_in_order(stores):
    await stores.tweets.put([
        new(10), new(12, BOB, reply_to=10), new(11, BOB, reply_to=10), new(13, BOB, reply_to=11), new(14, BOB, reply_to=10),
    ])
    await delete(stores, 12)
    assert ids(await stores.tweets.replies(10, 0, 10)) == [11, 14]
    assert ids(await stores.tweets.replies(10, 11, 10)) == [14]


async def test_retweets_that_stand_newest_first(stores):
    await stores.tweets.put([new(10), retweet(11, 11, 10), retweet(12, 12, 10), retweet(13, 13, 10)])
    await delete(stores, 12)
    assert ids(await stores.tweets.retweets(10, 0, 10)) == [13, 11]
    assert ids(await stores.tweets.retweets(10, 13, 1)) == [11]


async def test_nothing_asked_is_nothing_answered(stores):
    assert await stores.tweets.put([]) == []
    assert await stores.tweets.get([]) == []
    assert await stores.tweets.delete([], []) == []
    assert await stores.tweets.by_authors([], limit=5) == []
    assert await stores.tweets.retweet_ids(ADA, []) == []


@pytest.mark.parametrize("keyed", [False, True])
async def test_tens_of_thousands_are_one_call(stores, clock, keyed):
    made = [new(number, number % 97 + 1, key=key(clock, str(number)) if keyed else None) for number in range(1, 20_001)]
    outcomes = await stores.tweets.put(made)
    assert all(outcome.status is PutStatus.STORED for outcome in outcomes)
    assert await stores.log.tail() == 20_000
    counts = await stores.accounts.counts(range(1, 98))
    assert sum(one.tweets for one in counts) == 20_000
