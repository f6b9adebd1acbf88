"""The port `Engagement`: a like is a row, counts follow the rows, and a recount repairs them."""

import pytest

from twit.core.events import Event, EventKind
from twit.core.model import NewTweet, Tweet, TweetCounts

ADA, BOB, CLEO = 1, 2, 3


def told(user, tweet, kind=EventKind.LIKED):
    return Event(kind=kind, key=tweet, actor=user, tweet=tweet)


async def like(stores, *pairs):
    return await stores.engagement.like(pairs, 5, [(told(*pair),) for pair in pairs])


async def unlike(stores, *pairs):
    return await stores.engagement.unlike(pairs, [(told(*pair, EventKind.UNLIKED),) for pair in pairs])


async def told_of(stores, kind):
    logged = await stores.log.read(0, 1_000)
    return [(one.event.actor, one.event.tweet) for one in logged if one.event.kind is kind]


async def test_a_like_counts_once_however_often_it_comes(stores):
    assert await like(stores, (ADA, 10)) == [True]
    assert await like(stores, (ADA, 10), (BOB, 10), (BOB, 10)) == [False, True, False]
    assert await stores.engagement.counts([10, 11]) == [TweetCounts(likes=2), TweetCounts()]
    assert await told_of(stores, EventKind.LIKED) == [(ADA, 10), (BOB, 10)]


async def test_an_unlike_counts_off_once(stores):
    await like(stores, (ADA, 10), (BOB, 10))
    assert await unlike(stores, (ADA, 10), (ADA, 10), (CLEO, 10)) == [True, False, False]
    assert await stores.engagement.counts([10]) == [TweetCounts(likes=1)]
    assert await told_of(stores, EventKind.UNLIKED) == [(ADA, 10)]


async def test_whether_a_user_likes_each(stores):
    await like(stores, (ADA, 10), (ADA, 12), (BOB, 11))
    assert await stores.engagement.liked(ADA, [12, 11, 10, 10]) == [True, False, True, True]
    assert await stores.engagement.liked(ADA, []) == []


async def test_likers_come_newest_first_in_pages(stores):
    for user in (CLEO, ADA, BOB):
        await like(stores, (user, 10))
    first = await stores.engagement.likers_page(10, 0, 2)
    assert [edge.user_id for edge in first] == [BOB, ADA]
    assert [edge.user_id for edge in await stores.engagement.likers_page(10, first[-1].sequence, 2)] == [CLEO]


async def test_liking_again_makes_it_the_newest(stores):
    await like(stores, (ADA, 10), (BOB, 10))
    await unlike(stores, (ADA, 10))
    await like(stores, (ADA, 10))
    assert [edge.user_id for edge in await stores.engagement.likers_page(10, 0, 5)] == [ADA, BOB]


async def test_recent_likes_say_whether_they_are_all(stores):
    await like(stores, (ADA, 12))
    await like(stores, (ADA, 10), (ADA, 11), (BOB, 13))
    assert await stores.engagement.recent_likes(ADA, 2) == ([11, 10], False)
    assert await stores.engagement.recent_likes(ADA, 3) == ([11, 10, 12], True)
    assert await stores.engagement.recent_likes(CLEO, 3) == ([], True)


async def test_a_recount_says_what_the_rows_say(stores):
    await stores.tweets.put([
        NewTweet(tweet=Tweet(tweet_id=tweet_id, author_id=BOB, **what)) for tweet_id, what in (
            (10, {}), (11, {"reply_to": 10}), (12, {"quote_of": 10}), (13, {"retweet_of": 10}), (14, {"reply_to": 10}),
        )
    ])
    await like(stores, (ADA, 10), (BOB, 10))
    await stores.tweets.delete([14], [()])
    before = await stores.engagement.counts([10, 11])
    assert await stores.engagement.recount([10, 11]) == before == [TweetCounts(2, 1, 1, 1), TweetCounts()]
    assert await stores.engagement.counts([10, 11]) == before


async def test_events_must_come_one_sequence_a_pair(stores):
    with pytest.raises(ValueError, match="events"):
        await stores.engagement.like([(ADA, 10), (ADA, 11)], 5, [()])
    assert await stores.engagement.liked(ADA, [10, 11]) == [False, False]


async def test_tens_of_thousands_are_one_call(stores):
    pairs = [(user, tweet) for user in range(1, 201) for tweet in range(1, 101)]
    assert all(await stores.engagement.like(pairs, 5, [()] * len(pairs)))
    assert await stores.engagement.counts([1, 100]) == [TweetCounts(likes=200)] * 2
    assert await stores.log.tail() == 0
