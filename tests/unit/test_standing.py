"""A first page is answered again without being made again only while making it again would give the same page."""

from typing import NamedTuple

import pytest
from builders import home, make_users, settle

from twit.core.model import Tweet
from twit.core.timelines import HomeTimelines


class Town(NamedTuple):
    """People, and what they said."""

    ada: int
    bob: int
    cleo: int
    dora: int
    said: list[Tweet]


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
    """ada follows bob and cleo; bob has said two things, cleo one, and bob retweeted it. Nobody follows dora, who has news."""
    ada, bob, cleo, dora = await make_users(twit, "ada bob cleo dora")
    for followee in (bob, cleo):
        await twit.follow(ada, followee)
    said = [await twit.post(bob, "one"), await twit.post(bob, "two"), await twit.post(cleo, "three")]
    said.append(await twit.retweet(bob, said[2].tweet_id))
    await twit.post(dora, "news")
    await settle(twit)
    return Town(ada, bob, cleo, dora, said)


async def first(twit, reader):
    return [tweet.tweet_id for tweet in (await twit.home_timeline(reader)).page.tweets]


async def test_a_page_that_nothing_touched_is_made_once(twit, town, made):
    pages = [await first(twit, town.ada) for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]
    assert made == [town.ada]


async def posted(twit, town):
    await twit.post(town.cleo, "four")
    await settle(twit)


CHANGES = {
    "post": posted,
    "own": lambda twit, town: twit.post(town.ada, "mine"),
    "delete": lambda twit, town: twit.delete(town.bob, town.said[0].tweet_id),
    "unretweet": lambda twit, town: twit.unretweet(town.bob, town.said[2].tweet_id),
    "block": lambda twit, town: twit.block(town.ada, town.bob),
    "mute": lambda twit, town: twit.mute(town.ada, town.bob),
    "unfollow": lambda twit, town: twit.unfollow(town.ada, town.bob),
    "follow": lambda twit, town: twit.follow(town.ada, town.dora),
    "private": lambda twit, town: twit.update_profile(town.cleo, {"is_private": True}),
    "deactivate": lambda twit, town: twit.deactivate(town.bob),
    "drop": lambda twit, town: twit.stores.timelines.drop((town.ada,)),
    "retweets off": lambda twit, town: twit.follow(town.ada, town.bob, retweets=False),
    "blocked": lambda twit, town: twit.block(town.bob, town.ada),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_whatever_changes_the_page_is_seen_at_once(twit, town, made, what):
    await first(twit, town.ada)
    made.clear()
    await CHANGES[what](twit, town)
    shown = await first(twit, town.ada)
    assert made == [town.ada]
    assert shown == await home(twit, town.ada)


async def test_a_page_of_another_length_is_another_page(twit, town, made):
    await first(twit, town.ada)
    made.clear()
    shown = [tweet.tweet_id for tweet in (await twit.home_timeline(town.ada, limit=2)).page.tweets]
    assert made == [town.ada]
    assert shown == (await home(twit, town.ada))[:2]


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


async def test_what_others_say_leaves_a_page_with_a_pulled_author_standing(open_twit, made):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=1)
    star, stranger, *fans = await make_users(twit, "star dora ada bob cleo")
    for fan in fans:
        await twit.follow(fan, star)
    await twit.post(star, "hello")
    await settle(twit)
    shown = await first(twit, fans[0])
    made.clear()
    await twit.post(stranger, "news")
    assert await first(twit, fans[0]) == shown
    assert made == []


async def test_a_reader_who_looks_again_and_again_stays_seen(twit, town, clock):
    for _ in range(24 * 9):
        clock.advance(3_600)
        await first(twit, town.ada)
    tweet = await twit.post(town.cleo, "after nine days")
    await settle(twit)
    assert (await twit.stores.timelines.read(town.ada, 0, 10, clock.now_ms())).entries[0, 0] == tweet.tweet_id
    assert (await first(twit, town.ada))[0] == tweet.tweet_id
