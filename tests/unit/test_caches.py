"""What a process remembers is what the log says: other processes' writes are seen, races are lost by the cache, bounds hold."""

from __future__ import annotations

import asyncio

from builders import home, make_friends, make_users, settle
from hypothesis import given
from hypothesis import strategies as st

from twit.core import coherence
from twit.core.caches import Newest
from twit.core.events import Event, EventKind
from twit.core.model import NewFollow, TweetCounts
from twit.core.recent import Recent

IDS = st.sets(st.integers(1, 60)).map(lambda ids: sorted(ids, reverse=True))


async def both(open_twit, names, **limits):
    """Two services over the same stores, and users."""
    here, there = await open_twit(**limits), await open_twit(**limits)
    return here, there, await make_users(here, names)


async def test_what_another_process_writes_is_seen_by_the_next_answer(open_twit):
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    tweet = (await here.post(bob, "hi")).tweet_id
    assert not (await there.tweet(ada, tweet)).liked
    await here.like(ada, tweet)
    view = await there.tweet(ada, tweet)
    assert (view.counts, view.liked) == (TweetCounts(likes=1), True)
    await here.unlike(ada, tweet)
    await here.retweet(ada, tweet)
    await here.post(ada, "re", reply_to=tweet)
    await here.post(ada, "look", quote_of=tweet)
    view = await there.tweet(ada, tweet)
    assert (view.counts, view.liked, view.retweeted) == (TweetCounts(retweets=1, replies=1, quotes=1), False, True)
    await here.unretweet(ada, tweet)
    assert not (await there.tweet(ada, tweet)).retweeted
    await here.update_profile(bob, {"display_name": "Bob!"})
    assert (await there.user(ada, bob)).display_name == "Bob!"


async def test_a_merge_by_another_process_is_noticed_in_time(open_twit, clock):
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    await here.post(bob, "hi")
    await settle(here)
    await here.follow(ada, bob)
    await there.caches.sync()
    assert (await there.caches.viewer(ada)).unmerged != ()
    await settle(here)
    clock.advance(1)
    assert (await there.caches.viewer(ada)).unmerged == ()


async def test_what_was_read_before_an_event_is_not_kept_after_it(twit, monkeypatch):
    (bob,) = await make_users(twit, "bob")
    tweet = (await twit.post(bob, "hi")).tweet_id
    twit.caches.clear()
    get = twit.stores.tweets.get

    async def slow(ids):
        found = await get(ids)
        monkeypatch.setattr(twit.stores.tweets, "get", get)
        await twit.delete(bob, tweet)
        return found

    monkeypatch.setattr(twit.stores.tweets, "get", slow)
    await twit.caches.tweets((tweet,))
    assert (await twit.caches.tweet(tweet)).deleted


async def test_a_viewer_read_before_a_follow_is_not_kept_after_it(twit, monkeypatch):
    ada, bob = await make_users(twit, "ada bob")
    following = twit.stores.graph.following

    async def slow(users):
        found = await following(users)
        monkeypatch.setattr(twit.stores.graph, "following", following)
        event = Event(kind=EventKind.FOLLOWED, key=ada, actor=ada, target=bob)
        await twit.stores.graph.follow((NewFollow(follower=ada, followee=bob, events=(event,)),), 10)
        await twit.caches.sync()
        return found

    monkeypatch.setattr(twit.stores.graph, "following", slow)
    await twit.caches.viewer(ada)
    assert bob in (await twit.caches.viewer(ada)).circle


async def test_a_reader_that_comes_while_the_log_is_followed_waits_for_it(open_twit, monkeypatch):
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    await make_friends(here, (ada, bob))
    tweet = (await here.post(bob, "hi")).tweet_id
    await settle(here)
    assert await home(there, ada) == [tweet]
    await here.delete(bob, tweet)
    read, gate = there.stores.log.read, asyncio.Event()

    async def slow(after, limit):
        found = await read(after, limit)
        await gate.wait()
        return found

    monkeypatch.setattr(there.stores.log, "read", slow)
    readers = [asyncio.ensure_future(home(there, ada)) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert not any(reader.done() for reader in readers)
    gate.set()
    assert await asyncio.gather(*readers) == [[], [], []]


async def test_a_follower_that_gives_up_half_way_leaves_the_rest_to_the_next(open_twit, monkeypatch):
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    await make_friends(here, (ada, bob))
    tweet = (await here.post(bob, "hi")).tweet_id
    await settle(here)
    assert await home(there, ada) == [tweet]
    await here.delete(bob, tweet)
    read = there.stores.log.read

    async def hanging(after, limit):
        await asyncio.sleep(60)

    monkeypatch.setattr(there.stores.log, "read", hanging)
    first = asyncio.ensure_future(home(there, ada))
    await asyncio.sleep(0.01)
    monkeypatch.setattr(there.stores.log, "read", read)
    second = asyncio.ensure_future(home(there, ada))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == []


async def test_too_far_behind_everything_is_forgotten_and_subscribers_are_told(open_twit, monkeypatch):
    monkeypatch.setattr(coherence, "BEHIND_MAX", 5)
    monkeypatch.setattr(coherence, "READ_AT_ONCE", 2)
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    tweet = (await here.post(bob, "hi")).tweet_id
    await there.tweet(ada, tweet)
    events, resets = [], []
    there.caches.subscribe(events.append, lambda: resets.append(True))
    await here.delete(bob, tweet)
    await there.caches.sync()
    assert ([logged.event.kind for logged in events], resets) == ([EventKind.TWEET_DELETED], [])
    for _ in range(10):
        await here.post(bob, "hi")
    await there.caches.sync()
    assert (len(events), resets) == (1, [True])
    assert there.caches.position == await here.stores.log.tail()


async def test_a_process_that_slept_past_the_retention_forgets_everything(open_twit, clock):
    here, there, (ada, bob) = await both(open_twit, "ada bob")
    await make_friends(here, (ada, bob))
    tweet = (await here.post(bob, "hi")).tweet_id
    await settle(here)
    assert await home(there, ada) == [tweet]
    await here.delete(bob, tweet)
    await settle(here)
    clock.advance(8 * 86_400)
    await here.stores.log.trim(clock.now_ms(), ("social", "fanout"))
    await here.post(ada, "awake")
    assert tweet not in await home(there, ada)


async def test_a_celebritys_list_follows_the_log_and_stays_short(open_twit):
    twit = await open_twit(celebrity_followers_min=1, celebrity_followers_exit=1, celebrity_list_entries=2)
    star, ada, bob = await make_users(twit, "star ada bob")
    await make_friends(twit, (ada, star), (bob, star))
    ids = []
    for _ in range(12):
        ids.insert(0, (await twit.post(star, "hi")).tweet_id)
        assert await home(twit, ada) == ids
        (newest,) = await twit.caches.newest((star,))
        assert len(newest.ids) <= 4
    await twit.delete(star, ids[0])
    assert await home(twit, ada) == ids[1:]


async def test_caches_stay_within_their_bounds_and_answer_all_the_same(open_twit):
    twit = await open_twit(cached_tweets_max=4, cached_users_max=2, cached_viewers_max=2)
    ada, bob, cy, dee = await make_users(twit, "ada bob cy dee")
    await make_friends(twit, (ada, bob), (ada, cy), (bob, dee), (cy, dee))
    for number in range(20):
        await twit.post((bob, cy, dee)[number % 3], "hi")
    await settle(twit)
    for _ in range(3):
        assert [len(await home(twit, reader)) for reader in (ada, bob, cy, dee)] == [14, 13, 13, 6]
    assert all(size <= 5 for size in twit.caches.sizes().values())


def test_recent_forgets_what_was_not_asked_for():
    recent = Recent(4)
    for key in range(4):
        recent[key] = str(key)
    assert recent.get(0) == "0"
    for key in range(4, 7):
        recent[key] = str(key)
        assert recent.get(0) == "0"
    assert recent.get(2) is None
    assert len(recent) <= 5
    assert recent.drop(0) == "0"
    assert recent.peek(0) is None


@given(IDS, st.integers(0, 61), st.integers(1, 61))
def test_a_part_of_an_authors_list_is_what_lies_between(ids, floor, before):
    assert Newest(ids, 0).between(floor, before) == [one for one in ids if floor <= one < before]
