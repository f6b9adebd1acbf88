"""The people of a population: how often they tweet and read, who is there, and when."""

import math
import pickle

import numpy as np
import pytest

from twit.core.errors import Invalid
from twit.simulate.population import activity, clocks
from twit.simulate.population.chance import mix, normal_quantile, normal_tail, poisson
from twit.simulate.population.measures import crowd
from twit.simulate.population.params import PRESETS, load_params
from twit.simulate.population.people import open_population, populate
from twit.simulate.population.summary import NOT_MODELLED, facts

USERS = 20_000


@pytest.fixture(scope="module")
def people():
    return open_population(USERS, seed=3)


@pytest.fixture(scope="module")
def everybody(people):
    return np.arange(people.graph.users)


def with_params(people, preset="design", **changes):
    """The same graph with other people on it."""
    return populate(people.graph, load_params(preset, {key.replace("__", "."): value for key, value in changes.items()}), people.seed)


def test_a_zero_inflated_lognormal_meets_both_points_of_pew():
    share, sigma = 0.38, 1.48
    for top, published in ((0.10, 0.80), (0.25, 0.97)):
        assert normal_tail(normal_quantile(1 - top / share) - sigma) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_most_active_tenth_and_quarter_tweet_what_pew_says(people, everybody, preset):
    other = with_params(people, preset)
    tweets = np.sort(other.tweet_rate(everybody)[other.read_rate(everybody) > 0])[::-1]
    done = tweets.cumsum() / tweets.sum()
    assert done[len(done) // 10] == pytest.approx(0.80, abs=0.025)
    assert done[len(done) // 4] == pytest.approx(0.97, abs=0.01)


@pytest.mark.parametrize("preset", PRESETS)
def test_rates_add_up_to_the_load_that_was_asked_for(people, everybody, preset):
    other = with_params(people, preset)
    for rates, asked in ((other.tweet_rate(everybody), other.params.tweets_per_account), (other.read_rate(everybody), other.params.reads_per_account)):
        assert abs(rates.mean() - asked) < 4 * rates.std() / math.sqrt(len(rates))
    found = other.calibration
    assert max(map(abs, (found.tweets_residual, found.reads_residual))) < 1e-9
    assert abs(found.daily_residual) < 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_residents_are_the_weekly_actives_and_a_day_sees_the_daily_ones(people, everybody, preset):
    other = with_params(people, preset)
    weekly, reads = other.params.weekly_share, other.read_rate(everybody)
    assert abs(other.resident(everybody).mean() - weekly) < 4 * math.sqrt(weekly * (1 - weekly) / USERS)
    assert (1 - np.exp(-reads)).mean() == pytest.approx(other.params.daily_share, abs=0.015)
    assert (reads > 0).mean() == pytest.approx(other.params.monthly_share, abs=0.015)
    assert not other.resident(everybody)[reads == 0].any()
    assert not other.tweet_rate(everybody)[reads == 0].any()


def test_weekly_actives_alone_move_residency_alone(people, everybody):
    fewer = with_params(people, accounts__weekly=440e6)
    assert fewer.resident(everybody).mean() == pytest.approx(0.88, abs=0.01)
    assert fewer.read_rate(everybody).mean() == pytest.approx(people.read_rate(everybody).mean(), rel=0.05)


def test_who_reads_more_tweets_more(people, everybody):
    def agreement(other):
        tweets, reads = other.tweet_rate(everybody), other.read_rate(everybody)
        return np.corrcoef(np.log(tweets[tweets > 0]), np.log(reads[tweets > 0]))[0, 1]

    assert agreement(with_params(people, reading__tweeting_correlation=0, reading__following_exponent=0)) == pytest.approx(0, abs=0.05)
    assert agreement(with_params(people, reading__tweeting_correlation=0.9)) > 0.5


def test_followers_move_tweeting_up_to_saturation_and_not_beyond(people):
    def weight(followers):
        return activity.followers_weight(people.act, followers)

    assert weight(900) - weight(300) == pytest.approx(math.log(901 / 301))
    assert 0 < weight(9_000) - weight(3_000) < 0.5 * math.log(3)
    assert weight(10_000) == pytest.approx(weight(100_000_000))
    flat = with_params(people, activity__followers_exponent=0)
    busy = int(np.argmax(flat.tweet_rate(np.arange(1_000))))
    assert activity.tweet_rate(flat.act, busy, 5) == activity.tweet_rate(flat.act, busy, 5_000_000) > 0


def test_nobody_tweets_above_the_cap(people, everybody):
    assert with_params(people, activity__cap_per_day=30).tweet_rate(everybody).max() == pytest.approx(30)


def test_a_load_that_so_few_cannot_make_is_refused(people):
    with pytest.raises(Invalid, match="cannot be had"):
        with_params(people, activity__cap_per_day=2, activity__tweeting_share=0.2)


def test_the_sum_of_the_regions_has_the_published_day(people):
    for stress, peak in ((False, 1.62), (True, 3.0)):
        found = clocks.curves(people.params, stress=stress)
        assert found.world.mean() == pytest.approx(1)
        assert found.peak == pytest.approx(peak, abs=1e-3)
        assert found.by_region.max() > 1.2 * peak
    assert clocks.curves(people.params).trough == pytest.approx(0.5, abs=1e-3)
    assert people.stressed().clock.peak == pytest.approx(3, abs=1e-3)


def test_the_clock_turns_back_and_forth(people):
    for region in range(3):
        base = activity.CLOCK_AT + region * clocks.CLOCK_CELLS
        for ms in (0, 1, 59_999, 12_345_678, 86_399_999):
            assert abs(clocks.ms_of_share(people.act, base, clocks.share_of_ms(people.act, base, ms)) - ms) <= 1


def test_moments_follow_the_curve(people):
    base, shares = activity.CLOCK_AT, (np.arange(200_000) + 0.5) / 200_000
    minutes = np.array([clocks.ms_of_share(people.act, base, share) // 3_600_000 for share in shares[::20]])
    hours = people.clock.by_region[0].reshape(24, 60).mean(axis=1)
    assert np.abs(np.bincount(minutes, minlength=24) / len(minutes) * 24 - hours).max() < 0.02


def test_poisson_numbers_have_mean_and_variance():


    for mean in (0.3, 4.0, 80.0):
        drawn = np.array([poisson(mean, np.uint64(mix(11, at))) for at in range(20_000)])
        assert drawn.mean() == pytest.approx(mean, rel=0.04)
        assert drawn.var() == pytest.approx(mean, rel=0.06)


def test_the_same_seed_has_the_same_people_in_any_order_and_another_has_others(people, everybody):
    again, other = open_population(USERS, seed=3), open_population(USERS, seed=4)
    some = everybody[::97]
    assert np.array_equal(again.tweet_rate(some[::-1])[::-1], people.tweet_rate(everybody)[::97])
    assert not np.array_equal(other.tweet_rate(some), people.tweet_rate(some))
    assert pickle.loads(pickle.dumps(people)).users(some[:5]) == people.users(some[:5])  # noqa: S301 - ours


def test_a_user_is_an_account_of_the_service(people):
    user = people.user(122)
    assert (user.user_id, user.username) == (123, "u123")
    assert user.location in {region.name for region in people.params.regions}
    assert people.user(10).created_ms < people.user(19_000).created_ms
    assert people.user(people.graph.celebrity_by_rank(0)).is_verified
    with pytest.raises(Invalid):
        people.users([USERS])


def test_celebrities_are_counted_all_and_others_by_weight(people):
    found = crowd(people, 5_000)
    assert found.celebrities == people.graph.shape.celebrities == int(people.graph.is_celebrity(np.arange(USERS)).sum())
    assert found.weights.sum() == pytest.approx(USERS)
    assert found.mean(found.column(0)) == pytest.approx(people.graph.in_degree(np.arange(USERS)).mean(), rel=0.05)


@pytest.mark.slow  # compiles what measures: half a minute on a new machine
def test_the_summary_says_what_it_is_and_what_it_is_not(people):
    found = {fact.fact: fact for fact in facts(people, USERS)}
    for name in ("reciprocity", "in-region share", "local clustering", "pull width weighted by reads", "deliveries a tweet, all pushed"):
        assert found[name].value > 0
        assert found[name].sample > 0
    assert found["tweets by the top 25%"].against == 0.97
    assert found["distinct/listed, followers of the top"].value == 1
    assert found["pull width weighted by reads"].value > found["celebrities followed (pull width)"].value
    assert any("who liked" in line for line in NOT_MODELLED)
