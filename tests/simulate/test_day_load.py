"""A day of a village: sums that reconcile, the same for any threads, any cut into blocks, and after an interrupt."""

import numpy as np
import pytest

from twit.core.errors import Invalid
from twit.core.routing import Epoch
from twit.simulate.day import kernels, parts
from twit.simulate.day.blocks import blocks, day_block
from twit.simulate.day.load import assemble, run_day
from twit.simulate.day.pages import learn
from twit.simulate.day.parts import count_day
from twit.simulate.day.rule import DayRule, Delivery, Lists, Mode
from twit.simulate.kinds import Kind
from twit.simulate.population.people import open_population

SMALL = Epoch(redis=10, cassandra=4, mysql=16, kafka=8, gateway=3)
RULE = DayRule(epoch=SMALL, sampled_reads=3, sampled_tweets=3)
EXACT = DayRule(epoch=SMALL, sampled_reads=3, sampled_tweets=3, mode=Mode.EXACT)


@pytest.fixture(scope="module")
def people():
    return open_population(20_000, seed=3)


@pytest.fixture(scope="module")
def pages(people):
    return learn(people, RULE)


@pytest.fixture(scope="module")
def drawn(people, pages):
    return assemble(people, RULE, count_day(people, RULE), pages)


@pytest.fixture(scope="module")
def exact(people, pages):
    return assemble(people, EXACT, count_day(people, EXACT), pages)


def test_every_identity_holds(drawn, exact):
    for load in (drawn, exact):
        assert [identity for identity in load.identities if not identity.holds] == []
        totals = load.totals
        assert totals.attempted == totals.stored + totals.filtered + totals.skipped + totals.pulled
        assert totals.reads == totals.cached + totals.rebuilt + totals.refused
        assert load.counts(Kind.PUSH).elements == totals.attempted - totals.pulled + 2 * totals.tweets


def test_one_thread_and_two_count_the_same(people, monkeypatch):
    monkeypatch.setattr(parts, "PART_USERS", {Mode.DRAWN: 1_500, Mode.EXACT: 1_500})
    one, two = (count_day(people, RULE, threads=threads) for threads in (1, 2))
    whole = count_day(people, RULE)
    for a, b in ((one, two), (one, whole)):
        assert a.plan == b.plan
        assert all(np.array_equal(x, y) for x, y in zip(a[1:], b[1:], strict=True))


def test_an_interrupted_count_goes_on_where_it_was(people, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "PART_USERS", {Mode.DRAWN: 1_500, Mode.EXACT: 1_500})
    file = tmp_path / "day.npz"

    def interrupt(done, users):
        if done > users // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_day(people, RULE, checkpoint=file, progress=interrupt)
    assert file.exists()
    seen = []
    resumed = count_day(people, RULE, checkpoint=file, progress=lambda done, users: seen.append((done, users)))
    assert not file.exists()
    assert seen[0][0] > people.graph.users // 2
    assert seen[-1] == (people.graph.users, people.graph.users)
    assert all(np.array_equal(x, y) for x, y in zip(resumed[1:], count_day(people, RULE)[1:], strict=True))


def test_another_days_checkpoint_is_not_taken_up(people, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "PART_USERS", {Mode.DRAWN: 1_500, Mode.EXACT: 1_500})
    file = tmp_path / "day.npz"

    def interrupt(done, users):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_day(people, RULE, checkpoint=file, progress=interrupt)
    tomorrow = DayRule(epoch=SMALL, start_ms=RULE.start_ms + 86_400_000)
    later = count_day(people, tomorrow, checkpoint=file)
    assert all(np.array_equal(x, y) for x, y in zip(later[1:], count_day(people, tomorrow)[1:], strict=True))


def test_drawn_totals_are_within_four_sigma_of_the_exact_ones(people, drawn, exact):
    graph, ids = people.graph, np.arange(people.graph.users)
    rates, followers = people.tweet_rate(ids), graph.in_degree(ids)
    assert drawn.totals.reads == exact.totals.reads  # the same draws
    tweets_sigma = np.sqrt(2 * rates.sum())
    assert abs(drawn.totals.tweets - exact.totals.tweets) < 4 * tweets_sigma
    pushed = ~graph.is_celebrity(ids)
    sigma = np.sqrt(2 * (rates * followers.astype(float) ** 2)[pushed].sum())
    assert abs(drawn.totals.stored - exact.totals.stored) < 4 * sigma


def test_exact_lists_are_those_of_each_readers_own_celebrities(people, exact):
    raw = count_day(people, EXACT)
    assert int(raw.list_reads.sum()) == exact.totals.list_reads == int(raw.pairs(kernels.LISTS).sum())
    star = people.graph.celebrity_by_rank(0)
    expected = people.read_rate(people.graph.followers(star)).sum()
    heavy = {one.key: one.calls for one in exact.heavy}
    assert abs(heavy[star + 1] - expected) < 4 * np.sqrt(expected)


def test_exact_tweets_are_those_of_the_population(people, exact):
    start = EXACT.start_ms
    counts = people.tweet_count(np.arange(people.graph.users), start + 86_400_000) - people.tweet_count(
        np.arange(people.graph.users), start
    )
    assert exact.totals.tweets == pytest.approx(counts.sum(), rel=0.01)


def test_seconds_sum_to_their_minutes_however_the_day_is_cut(drawn):
    hour = day_block(drawn, 3_600, 3_720)
    for kind, calls in drawn.calls.items():
        minutes = hour.calls[kind].reshape(len(calls), 2, 60).sum(axis=2)
        assert np.array_equal(minutes, calls[:, 60:62])
        assert np.array_equal(hour.elements[kind].sum(axis=1), drawn.elements[kind][:, 60:62].sum(axis=1))
    odd = list(blocks(drawn, 37, 3_600, 3_720))
    for kind in drawn.calls:
        assert np.array_equal(np.concatenate([block.calls[kind] for block in odd], axis=1), hour.calls[kind])


def test_nobody_is_pulled_or_everybody(people, pages):
    push, pull = (
        assemble(people, rule, count_day(people, rule), pages)
        for rule in (DayRule(epoch=SMALL, delivery=Delivery.PUSH), DayRule(epoch=SMALL, delivery=Delivery.PULL))
    )
    assert push.totals.pulled == push.totals.list_reads == 0
    assert pull.totals.pulled == pull.totals.attempted
    assert pull.totals.stored == 0
    assert push.reconciles
    assert pull.reconciles


def test_lists_cost_most_at_redis_and_nothing_where_events_are_followed(people, pages, drawn):
    redis, ttl, events = drawn.lists
    assert redis.redis_calls == drawn.totals.list_reads
    assert 0 < ttl.redis_calls < redis.redis_calls
    assert events.redis_calls == 0
    assert events.events_to_processes == drawn.totals.pulled_tweets * SMALL.gateway
    each_time = DayRule(epoch=SMALL, lists=Lists.REDIS)
    load = assemble(people, each_time, count_day(people, each_time), pages)
    assert load.counts(Kind.CELEB_LIST).calls == load.totals.list_reads
    assert load.reconciles


def test_the_world_has_the_peak_that_was_asked_for(people, drawn):
    by_hour = drawn.reads.sum(axis=0).reshape(24, 60).sum(axis=1)
    assert by_hour.max() / by_hour.mean() == pytest.approx(people.params["clock.peak"], rel=0.04)


@pytest.mark.parametrize(
    "wrong", [{"start_ms": 5}, {"tweet_cache_hit": 1.5}, {"process_hits": {"PUSH": 0.5}}, {"lists_ttl_s": 0.0}]
)
def test_what_no_day_could_be_is_refused(wrong):
    with pytest.raises(Invalid):
        DayRule(**wrong)


def test_a_day_is_run_in_one_call(people):
    assert run_day(people, RULE, threads=1).reconciles
