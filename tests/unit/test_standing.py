"""A first page is answered again without being made again only while making it again would give the same page."""

import pytest
from builders import home, make_users, settle

from twit.core.timelines import HomeTimelines


@pytest.fixture
def made(monkeypatch):
    """Readers whose first page was really made, in order."""
    readers = []
    walk = HomeTimelines._walk

    async def counted(self, candidates, viewer, *rest):
        readers.append(viewer.user_id)
        return await walk(self, candidates, viewer, *rest)

    monkeypatch.setattr(HomeTimelines, "_walk", counted)
    return readers


@pytest.fixture
async def town(twit):
    """ada follows bob and cleo; bob has said two things, cleo one, and bob retweeted it."""
    ada, bob, cleo = await make_users(twit, "ada bob cleo")
    for followee in (bob, cleo):
        await twit.follow(ada, followee)
    said = [await twit.post(bob, "one"), await twit.post(bob, "two"), await twit.post(cleo, "three")]
    said.append(await twit.retweet(bob, said[2].tweet_id))
    await settle(twit)
    return ada, bob, cleo, said


async def first(twit, reader):
    return [tweet.tweet_id for tweet in (await twit.home_timeline(reader)).page.tweets]


async def test_a_page_that_nothing_touched_is_made_once(twit, town, made):
    ada, *_ = town
    pages = [await first(twit, ada) for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]
    assert made == [ada]


@pytest.mark.parametrize("what", [
    "post", "own", "delete", "unretweet", "block", "mute", "unfollow", "follow", "private", "deactivate", "drop", "retweets off", "blocked", "limit",
])
async def test_whatever_changes_the_page_is_seen_at_once(twit, town, made, what):
    ada, bob, cleo, said = town
    (dora,) = await make_users(twit, "dora")
    await twit.post(dora, "news")
    await settle(twit)
    await first(twit, ada)
    made.clear()
    if what == "post":
        await twit.post(cleo, "four")
        await settle(twit)
    elif what == "own":
        await twit.post(ada, "mine")
    elif what == "delete":
        await twit.delete(bob, said[0].tweet_id)
    elif what == "unretweet":
        await twit.unretweet(bob, said[2].tweet_id)
    elif what in {"block", "mute", "unfollow"}:
        await getattr(twit, what)(ada, bob)
    elif what == "blocked":
        await twit.block(bob, ada)
    elif what == "follow":
        await twit.follow(ada, dora)
    elif what == "private":
        await twit.update_profile(cleo, {"is_private": True})
    elif what == "deactivate":
        await twit.deactivate(bob)
    elif what == "drop":
        await twit.stores.timelines.drop((ada,))
    elif what == "retweets off":
        await twit.follow(ada, bob, retweets=False)
    limit = 2 if what == "limit" else 50
    shown = [tweet.tweet_id for tweet in (await twit.home_timeline(ada, limit=limit)).page.tweets]
    assert made == [ada]
    assert shown == (await home(twit, ada))[:limit]


async def test_a_pulled_authors_tweet_is_seen_at_once_before_any_consumer_ran(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=1)
    star, *fans = await make_users(twit, "star ada bob cleo")
    for fan in fans:
        await twit.follow(fan, star)
    await settle(twit)
    await first(twit, fans[0])
    assert await first(twit, fans[0]) == []
    tweet = await twit.post(star, "hello")
    assert await first(twit, fans[0]) == [tweet.tweet_id]
    await twit.delete(star, tweet.tweet_id)
    assert await first(twit, fans[0]) == []


async def test_a_reader_who_looks_again_and_again_stays_seen(twit, town, clock):
    ada, _, cleo, _ = town
    for _ in range(24 * 9):
        clock.advance(3_600)
        await first(twit, ada)
    tweet = await twit.post(cleo, "after nine days")
    await settle(twit)
    assert (await twit.stores.timelines.read(ada, 0, 10, clock.now_ms())).entries[0, 0] == tweet.tweet_id
    assert (await first(twit, ada))[0] == tweet.tweet_id
