"""The population as a world's base: what it says keeps to the turns, and what is kept of it is what would be computed again."""

from __future__ import annotations

import random

import numpy as np
import pytest

from twit.core.clock import ManualClock
from twit.core.ids import id_at
from twit.core.limits import DAY_MS, Limits
from twit.simulate.population.people import open_population
from twit.simulate.world.people import PopulationBase
from twit.simulate.world.stores import open_world_stores

pytestmark = pytest.mark.slow  # compiles the population: a minute on a new machine

NOW = 1_770_000_000_000


@pytest.fixture(scope="module")
def population():
    return open_population(20_000, seed=3)


@pytest.fixture
def base(population):
    return PopulationBase(population, "design")


def test_names_and_ids_are_the_index_and_one(base):
    assert base.ids_of(["u1", "U77", "u0", "u007", f"u{base.users}", f"u{base.users + 1}", "ada"]) == [1, 77, 0, 0, base.users, 0, 0]
    assert [(user.user_id, user.username) for user in base.profiles([5, 9])] == [(5, "u5"), (9, "u9")]


def test_edges_are_told_alike_from_both_sides(base):
    star = next(base.celebrities(base.population.graph.shape.threshold))
    fans = base.followers(star, 0, 50).tolist()
    assert all(base.follows([(fan, star) for fan in fans])) and star in base.following(fans[0])
    assert base.follows([(star, star), (0, star), (base.users + 1, star)]) == [False] * 3
    pages = [base.followers(star, at, 7) for at in range(0, 50, 7)]
    assert np.concatenate(pages)[:50].tolist() == fans


def test_what_is_kept_of_authors_is_what_would_be_computed_again(base, population):
    chance, now = random.Random(1), NOW
    people = [author for author in range(1, 400) if population.tweet_rate([author - 1])[0] > 0][:60]
    for _ in range(60):
        now += chance.choice((1_024, 60_000, DAY_MS))
        authors = chance.sample(people, 12)
        after = chance.choice((0, 0, id_at(now - DAY_MS)))
        limit = chance.choice((1, 16, 200))
        before = chance.choice((0, 0, id_at(now - 3 * DAY_MS)))
        kept = base.tweets_of(authors, before, after, limit, now)
        fresh = population.tweets_of([one - 1 for one in authors], min(before or id_at(now), id_at(now)), after, limit, now)
        assert [one.tolist() for one in kept] == [one.tolist() for one in fresh]


def test_a_tweet_of_this_turn_does_not_exist_yet(base):
    tweet_id = next(int(entries[0, 0]) for entries in base.tweets_of(range(1, 200), 0, 0, 1, NOW) if len(entries))
    (tweet,) = base.tweets((tweet_id,), NOW)
    assert tweet.tweet_id == tweet_id
    assert base.tweets((tweet_id,), tweet.created_ms) == [None]


async def test_a_followers_list_is_walked_whole_with_what_was_added(base, tmp_path):
    from twit.core.model import NewFollow

    stores = await open_world_stores(base, Limits(), ManualClock(NOW), data=tmp_path, inline=True, durable=False)
    star = next(base.celebrities(base.population.graph.shape.threshold))
    computed = base.followers(star, 0, 1 << 30).tolist()
    fan, newcomer = computed[17], next(one for one in range(1, 100) if one not in computed and one != star)
    await stores.graph.unfollow([(fan, star)], [()])
    await stores.graph.follow([NewFollow(follower=newcomer, followee=star)], 5_000)
    await stores.graph.carry([(fan, star), (newcomer, star)])
    found, cursor = [], 0
    while True:
        ids, cursor = await stores.graph.followers(star, cursor, 100)
        found += ids.tolist()
        if not cursor:
            break
    assert found == [*(one for one in computed if one != fan), newcomer]
    assert (await stores.accounts.counts((star,)))[0].followers == len(found)
    await stores.health.close()
