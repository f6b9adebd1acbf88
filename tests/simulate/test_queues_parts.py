"""What stands around the queues: histograms and gaps, pages of many shards, delays of single calls, cold rows, deliveries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twit.core.errors import Invalid
from twit.simulate.kinds import Kind, Tier
from twit.simulate.queues.advance import advance
from twit.simulate.queues.chance import split
from twit.simulate.queues.cold import charged, lose, warm
from twit.simulate.queues.delays import traced
from twit.simulate.queues.histogram import EDGES, histogram, value_at
from twit.simulate.queues.kafka import Consumers, deliver
from twit.simulate.queues.model import (
    DEFAULT_RULE,
    NO_FEEDBACK,
    Effect,
    Feedback,
    Load,
    Refused,
    Served,
    Server,
    Stall,
    TimedOut,
    fresh,
)
from twit.simulate.queues.pages import Asks, instants, pages_at
from twit.simulate.queues.quantiles import Batches
from twit.simulate.work import middle, open_work

W = 100_000


def trace_of(shards=100, windows=600, rate=20, work=1e-4, *, rule=DEFAULT_RULE, feedback=NO_FEEDBACK, **changes):
    server = Server(**({"tier": Tier.REDIS, "kinds": (Kind.HOME_IDS,)} | changes))
    calls = np.random.default_rng(1).poisson(rate, (1, shards, windows)).astype(np.int64)
    state = fresh(server, shards, 5, window_us=W, rule=rule)
    return advance(Load(0, W, calls, np.array([work])), state, feedback)[1]


# histograms and gaps


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.floats(1e-9, 1e4), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_a_histogram_is_right_within_a_bucket(values, q):
    ours, exact = value_at(histogram(np.array(values)), q), np.quantile(values, q, method="inverted_cdf")
    assert ours == pytest.approx(exact, rel=0.023)


def test_buckets_are_a_32nd_of_an_octave_and_merge_exactly():
    assert (EDGES[2:-1] / EDGES[1:-2]).max() <= 2 ** (1 / 32) * 1.0003
    a, b = np.random.default_rng(1).exponential(1, (2, 1000))
    assert np.array_equal(histogram(a) + histogram(b), histogram(np.concatenate([a, b])))


def gathered(batches, samples, tail_batches=None):
    rng, out = np.random.default_rng(2), Batches()
    for i in range(batches):
        values = rng.exponential(1e-3, samples)
        if tail_batches is not None:
            values = np.full(samples, 1e-3)
            values[: samples // 10] = 1.0 if i < tail_batches else 1e-3
        out.add(histogram(values), int((values * 1e9).sum()))
    return out


def test_a_quantile_needs_a_hundred_samples_above_it():
    assert gathered(30, 300).quantile(0.999).value is None
    shown = gathered(30, 4_000).quantile(0.999)
    assert shown.value == pytest.approx(6.9e-3, rel=0.1)
    assert shown.low <= 6.9078e-3 <= shown.high
    assert shown.above == 120


def test_a_quantile_needs_twenty_batches_that_reach_above_it():
    assert gathered(19, 10_000).quantile(0.99).value is None
    assert gathered(40, 10_000, tail_batches=10).quantile(0.99).value is None
    assert gathered(40, 10_000, tail_batches=25).quantile(0.99).value == pytest.approx(1.0, rel=0.03)
    assert "independent" in gathered(40, 10_000, tail_batches=10).quantile(0.99).why
    assert gathered(40, 10_000).quantile(0.99, episodes=6).value is None


def test_the_mean_is_of_the_exact_sum():
    batches = gathered(30, 1_000)
    low, high = batches.mean_interval()
    assert low < batches.mean_s < high
    assert batches.mean_s == pytest.approx(1e-3, rel=0.03)


# pages of many shards


def test_a_page_of_forty_shards_meets_the_stalls_of_forty():
    trace = trace_of(windows=3000, stalls=(Stall("gc", 30.0, 0.1),))
    at = instants(trace, 20_000, 1)
    one, forty = ((pages_at(trace, Asks(0, fan), at, 2).seconds > 0.01).mean() for fan in (1, 40))
    expected = 1 - (1 - one) ** 40
    assert 0.001 < one < 0.01
    assert forty == pytest.approx(expected, rel=0.25)


def test_stalls_of_all_shards_together_are_met_once_not_forty_times():
    trace = trace_of(windows=3000, stalls=(Stall("fork", 30.0, 0.3, together=True),))
    at = instants(trace, 20_000, 1)
    one, forty = ((pages_at(trace, Asks(0, fan), at, 2).seconds > 0.02).mean() for fan in (1, 40))
    assert 0.004 < one < 0.02
    assert forty < 1.5 * one


def test_a_page_that_a_shard_refuses_is_no_page():
    trace = trace_of(shards=10, windows=20, feedback=Feedback(down=np.array([[0.0, 9.0]] + [[np.inf, np.inf]] * 9)))
    pages = pages_at(trace, Asks(0, 10), instants(trace, 50, 1), 2)
    assert np.isinf(pages.seconds).all()
    assert (pages.slowest == 0).all()
    assert pages.histogram()[1] == 0


# delays of single calls


def test_a_call_meets_its_shard_as_it_is_at_that_instant_whoever_asks_first():
    trace = trace_of(shards=4, windows=50, rate=60, work=1e-3)
    delay = traced([trace], open_work(), middle(open_work()))
    asks = [(Kind.HOME_IDS, s, t, 800, 0, split(0.3, t + s)) for s in range(4) for t in range(0, 4_900_000, 97_001)]
    forwards = [delay.at(*ask) for ask in asks]
    assert [delay.at(*ask) for ask in reversed(asks)] == forwards[::-1]
    assert all(isinstance(outcome, Served) for outcome in forwards)
    assert {outcome.wait_us for outcome in forwards} != {0}
    same = [delay.at(Kind.HOME_IDS, 2, 1_234_567, n, 0, u).wait_us for n, u in ((1, 0.1), (800, 0.9))]
    assert same[0] == same[1]


def test_calls_to_a_shard_that_is_down_are_refused_and_to_one_that_is_slow_time_out():
    works = open_work()
    down = traced([trace_of(shards=1, windows=20, feedback=Feedback(down=np.array([[0.0, 9.0]])))], works, middle(works))
    assert isinstance(down.at(Kind.HOME_IDS, 0, 500_000, 1, 0, 0.5), Refused)
    for done, effect in ((True, Effect.DONE), (False, Effect.NEVER)):
        full = trace_of(shards=1, windows=50, rate=100, work=2e-3, timeout_s=0.05, abandoned_work_is_done=done, shed_wait_s=9.0)
        slow = traced([full], works, middle(works))
        outcomes = [slow.at(Kind.HOME_IDS, 0, t, 1, 0, 0.5) for t in range(3_000_000, 5_000_000, 10_007)]
        late = [o for o in outcomes if isinstance(o, TimedOut)]
        if done:
            assert len(late) == len(outcomes)
            assert {o.effect for o in late} == {effect}
        assert all(o.after_us == 50_000 for o in late)


def test_asking_beyond_the_block_is_an_error():
    with pytest.raises(Invalid):
        traced([trace_of(shards=1, windows=5)], open_work(), middle(open_work())).at(Kind.HOME_IDS, 0, 9_000_000, 1, 0, 0.5)


# cold rows


def test_the_cold_come_back_once_and_are_charged_for_their_followees():
    state = fresh(Server(Tier.REDIS, (Kind.HOME_IDS,)), 3, 1, window_us=W, classes=2)
    state = lose(state, np.array([[1000, 5, 1000], [0, 0, 400]]), [0, 2])
    state, returns = warm(state, np.array([0.2, 0.05]), 300, float("inf"), seed=1)
    assert state.cold[0, 1] == 0
    assert returns.rebuilt.sum() + state.cold.sum() == 2400
    assert state.cold[0, 0] == pytest.approx(1000 * np.exp(-6), abs=12)
    cost = charged(returns, np.array([200.0, 100.0]), {Kind.REBUILD_READ: 12, Kind.FOLLOWERS_PAGE: 7}, seed=1)
    assert cost[Kind.FOLLOWERS_PAGE].sum() == returns.rebuilt.sum()
    assert cost[Kind.REBUILD_READ].sum() == 200 * returns.rebuilt[0].sum() + 100 * returns.rebuilt[1].sum()
    assert np.ptp(cost[Kind.REBUILD_READ], axis=0).max() <= 1


def test_admission_keeps_rebuilds_to_what_is_allowed_and_the_rest_cold():
    state = lose(fresh(Server(Tier.REDIS, (Kind.HOME_IDS,)), 2, 1, window_us=W), np.array([[5000, 5000]]), [0, 1])
    _, returns = warm(state, np.array([1.0]), 50, 100.0, seed=1)
    assert returns.rebuilt.sum(axis=(0, 1)).max() <= 2 * 11
    assert returns.refused.sum() > 0
    assert returns.asked.sum() == returns.rebuilt.sum() + returns.refused.sum()


def test_a_shard_with_cold_rows_is_looked_at_call_by_call():
    state = lose(fresh(Server(Tier.REDIS, (Kind.HOME_IDS,)), 2, 1, window_us=W), np.array([[10, 10]]), [1])
    trace = advance(Load(0, W, np.full((1, 2, 40), 10), np.array([1e-3])), state)[1]
    assert trace.closed == 400
    assert trace.per_request == 400


# deliveries


def small_and_one_giant(giant, tweets=4000, seconds=40.0):
    rng = np.random.default_rng(4)
    at = np.sort(rng.uniform(0, seconds, tweets))
    followers = rng.integers(50, 300, tweets)
    followers[tweets // 4] = giant
    return at, rng.integers(0, 10**8, tweets), followers


def test_keyed_by_author_a_giant_holds_one_worker_for_minutes_and_its_neighbours_with_it():
    at, authors, followers = small_and_one_giant(100_000_000)
    keyed = deliver(at, authors, followers, Consumers(ranges=False, workers=16))
    assert keyed.longest_hold_s == pytest.approx(250, rel=0.01)
    assert keyed.last_s[1000] >= 250
    behind = (keyed.last_s > 100).sum() - 1
    assert behind == pytest.approx(3000 / 16, rel=0.5)


def test_in_ranges_all_workers_share_the_giant_and_small_tweets_pass():
    at, authors, followers = small_and_one_giant(100_000_000)
    shared = deliver(at, authors, followers, Consumers(workers=16, abreast=8))
    small = np.delete(shared.last_s, 1000)
    assert shared.last_s[1000] == pytest.approx(270 / 8, rel=0.1)  # eight abreast
    assert np.quantile(small, 0.99) < 3 * np.quantile(deliver(at, authors, np.minimum(followers, 300), Consumers(workers=16)).last_s, 0.99)
    assert shared.longest_hold_s < 0.03


def test_all_workers_abreast_deliver_as_fast_as_the_work_allows():
    giant = deliver(np.zeros(1), np.ones(1, np.int64), np.array([10_000_000]), Consumers(workers=100, abreast=100))
    assert giant.last_s[0] == pytest.approx((25 + 1000 * 2e-3) / 100, rel=0.02)
    assert giant.busy == pytest.approx(1.0, abs=0.02)
