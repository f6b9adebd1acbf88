"""What the oracle says a read and a tweet cost is what the real core asks of its stores: calls, elements and bytes (rung 4)."""

import pytest
from day_towns import build_town

from twit.core.model import Tweet
from twit.simulate.day.ops import Visit, ops_tweet, ops_user
from twit.simulate.kinds import Counts, Kind


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_tweet_costs_what_the_oracle_says(tmp_path, clock, seed):
    town, ids = await build_town(tmp_path / "town", clock, seed=seed)
    for _ in range(150):
        author = town.chance.choice(ids)
        tweet, asked = await town.tweet(author)
        if tweet is not None:
            assert ops_tweet(town.facts, tweet, town.facts.limits) == asked
    await town.twit.stores.health.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_read_costs_what_the_oracle_says_cold_and_warm(tmp_path, clock, seed):
    town, ids = await build_town(tmp_path / "town", clock, seed=seed)
    for _ in range(500):
        await town.tweet(town.chance.choice(ids))
    rule = town.facts.limits
    for reader in ids:
        await town.core.forget(reader)
        assert ops_user(town.facts, reader, [Visit(cold=True)], rule) == await town.core.read(reader), reader
        assert ops_user(town.facts, reader, [Visit()], rule) == await town.core.read(reader), reader
    await town.twit.stores.health.close()


async def test_a_celebrity_costs_no_more_than_his_own_row(tmp_path, clock):
    town, ids = await build_town(tmp_path / "town", clock)
    loved = ids[0]
    assert town.facts.is_pulled(loved)
    tweet, asked = await town.tweet(loved)
    assert asked[Kind.PUSH] == Counts(2, 2, 48)
    assert asked[Kind.FOLLOWERS_PAGE].elements == 5
    await town.twit.stores.health.close()


async def test_a_large_delivery_is_told_of_a_tweet_that_nobody_knows_yet(tmp_path, clock):
    town, ids = await build_town(tmp_path / "town", clock)
    author = next(one for one in ids if 5 < town.facts.followers(one) <= 14)
    followers = town.facts.followers(author)
    asked = ops_tweet(town.facts, Tweet(tweet_id=1 << 62, author_id=author), town.facts.limits)
    assert asked[Kind.PUSH].elements == followers + 2
    assert asked[Kind.FOLLOWERS_PAGE] == Counts(1 + -(-followers // 5), followers + 5, 8 * (followers + 5))
    await town.twit.stores.health.close()
