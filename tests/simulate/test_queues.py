"""The queues: nothing is lost or made, threads and the cut into blocks change nothing, stalls and crashes are felt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twit.core.errors import Invalid
from twit.simulate.kinds import Kind, Tier
from twit.simulate.queues.advance import advance
from twit.simulate.queues.model import DEFAULT_RULE, NO_FEEDBACK, Feedback, Load, Retries, Rule, Server, Stall, fresh
from twit.simulate.queues.rewindow import in_windows_of
from twit.simulate.queues.stalls import stall_budget, stalls_between
from twit.simulate.queues.trace import LONGEST, STALLED

W = 100_000
READ, PUSH = Kind.HOME_IDS, Kind.PUSH


def tier(**changes):
    return Server(**({"tier": Tier.REDIS, "kinds": (READ, PUSH)} | changes))


def calls(mean, windows, shards=4, seed=0):
    return np.random.default_rng(seed).poisson(np.broadcast_to(mean, (shards, windows, 2)).transpose(2, 0, 1)).astype(np.int64)


def run(server, load, *, work=(0.001, 0.01), seed=3, blocks=1, feedback=NO_FEEDBACK, rule=DEFAULT_RULE):
    state = fresh(server, load.shape[1], seed, window_us=W, rule=rule)
    traces = []
    for part in np.array_split(np.arange(load.shape[2]), blocks):
        state, trace = advance(Load(int(part[0]), W, load[:, :, part], np.array(work)), state, feedback)
        traces.append(trace)
    return state, traces


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(0, 300), heavy=st.floats(0, 12), servers=st.integers(1, 3), timeout=st.sampled_from([0.03, 0.3, 2.0, float("inf")]),
    shed=st.sampled_from([0.05, 1.0, float("inf")]), p=st.sampled_from([0.0, 0.3, 1.0]), attempts=st.integers(0, 4),
    budget=st.sampled_from([0.1, float("inf")]), done=st.booleans(), events=st.sampled_from([4, 64, 4096]), blocks=st.integers(1, 4),
    stall=st.booleans(), crash=st.booleans(), seed=st.integers(0, 2**40),
)  # fmt: skip
def test_offered_is_served_or_shed_or_timed_out_or_under_way(rate, heavy, servers, timeout, shed, p, attempts, budget, done, events,
                                                             blocks, stall, crash, seed):  # fmt: skip
    server = tier(
        servers=servers, timeout_s=timeout, shed_wait_s=shed, abandoned_work_is_done=done, variation=(1.0, 0.5),
        retries=Retries(p, 0.05, attempts, budget, 5.0), stalls=(Stall("gc", 2.0, 0.3, spread=True),) if stall else (),
    )  # fmt: skip
    load = calls((rate, heavy), 40, shards=2, seed=seed % 1000)
    down = np.array([[1.03, 1.9], [np.inf, np.inf]]) if crash else None
    state, traces = run(server, load, seed=seed, blocks=blocks, rule=Rule(events_max=events), feedback=Feedback(down=down))
    ledger = state.ledger()
    assert not ledger.broken()
    assert np.array_equal(ledger.first, load.sum(axis=2).T)
    assert all((part >= 0).all() for part in ledger)
    waited = sum(int(t.sums[:, 0].sum()) for t in traces)
    assert waited == sum(int(t.responses.sum()) for t in traces) == sum(int(t.waits.sum()) for t in traces)
    assert waited + ledger.shed.sum() == ledger.first.sum() + ledger.retried.sum()


BUSY = tier(timeout_s=0.2, retries=Retries(0.4), stalls=(Stall("gc", 3.0, 0.2),), variation=(1.0, 0.5))


def everything(state, traces):
    arrays = [state.free, state.pool, state.due, state.tokens, state.counts]
    arrays += [a for t in traces for a in (t.rows, t.grid, t.how, t.responses, t.waits, t.sums)]
    return b"".join(a.tobytes() for a in arrays)


def test_two_workers_give_the_same_bytes_as_one():
    load = calls((60, 3), 100, shards=9)
    assert everything(*run(BUSY, load, feedback=Feedback(workers=2))) == everything(*run(BUSY, load, feedback=Feedback(workers=1)))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    load = calls((60, 3), 50)
    assert everything(*run(BUSY, load)) == everything(*run(BUSY, load))
    assert everything(*run(BUSY, load)) != everything(*run(BUSY, load, seed=4))


def test_a_run_cut_into_blocks_is_the_run():
    load = calls((60, 3), 60)
    rule = Rule(closed_below=0.0)
    whole, _ = run(BUSY, load, rule=rule)
    cut, _ = run(BUSY, load, blocks=3, rule=rule)
    assert np.array_equal(whole.ledger().first, cut.ledger().first)
    assert np.array_equal(whole.counts, cut.counts)
    assert whole.free == pytest.approx(cut.free, abs=1e-9)


def test_a_large_push_holds_up_the_reads_behind_it():
    reads = np.full((1, 50), 20)
    alone, mixed = (np.stack([reads, np.full((1, 50), n)]).astype(np.int64) for n in (0, 5))
    rule = Rule(closed_below=0.0)
    quiet, held = (run(tier(), load, work=(0.0001, 0.01), rule=rule)[1][0] for load in (alone, mixed))
    assert held.sums[0, 1] / held.sums[0, 0] > 50 * quiet.sums[0, 1] / quiet.sums[0, 0]
    assert held.responses[0].sum() == reads.sum()


def test_a_stall_is_waited_for_and_counted():
    server = tier(stalls=(Stall("failover", 5.0, 0.8),))
    _, (trace,) = run(server, calls((20, 0), 200))
    assert trace.rows[:, :, STALLED].sum() * W / 1e6 == pytest.approx(4 * 4 * 0.8, abs=1.7)
    assert 0.75 < trace.rows[:, :, LONGEST].max() < 1.65  # two may follow each other
    assert trace.shares["closed form"] > 0.5  # between the stalls all is calm


def test_a_stall_in_the_middle_of_a_piece_of_work_interrupts_it_and_it_goes_on():
    load = np.zeros((2, 8, 200), np.int64)
    load[1, :, ::50] = 1
    _, (trace,) = run(tier(stalls=(Stall("gc", 5.0, 1.0),)), load, work=(0.001, 1.5), rule=Rule(closed_below=0.0))
    calls_, waited, responses = (int(x) for x in trace.sums[1])
    interrupted = (responses - waited) / 1e9 - calls_ * 1.5
    assert interrupted == pytest.approx(round(interrupted), abs=1e-3)  # whole stalls of a second
    assert 0.1 * calls_ < interrupted < 0.6 * calls_  # 1.5 s of every 5


def test_going_on_in_windows_of_another_length_loses_nothing():
    server = tier(timeout_s=0.3, retries=Retries(1.0, 0.4, attempts=3))
    state, _ = run(server, calls((60, 3), 50), work=(0.002, 0.01))
    before = state.ledger()
    assert before.waiting.sum() > 0
    assert before.in_flight.sum() > 0
    for window_us in (W // 4, 10 * W):
        other = in_windows_of(state, window_us)
        assert all(np.array_equal(a, b) for a, b in zip(before, other.ledger(), strict=True))
        after, _ = advance(Load(other.at_us // window_us, window_us, np.zeros((2, 4, 40), np.int64), np.array([0.002, 0.01])), other)
        after, _ = advance(Load(after.at_us // window_us, window_us, np.zeros((2, 4, 200), np.int64), np.array([0.002, 0.01])), after)
        ended = after.ledger()
        assert ended.first.sum() == before.first.sum() == ended.served.sum() + ended.given_up.sum()
    with pytest.raises(Invalid):
        in_windows_of(state, 333_333)


def test_stalls_do_not_depend_on_how_time_is_cut():
    causes = (Stall("gc", 7.0, 0.4, spread=True), Stall("fork", 30.0, 1.0, together=True))
    whole = stalls_between(causes, 3, 0.0, 100.0, seed=1)
    later = stalls_between(causes, 3, 50.0, 100.0, seed=1)
    starts = [whole[1][a:b] for a, b in zip(whole[0][:-1], whole[0][1:], strict=True)]
    again = [later[1][a:b] + 50.0 for a, b in zip(later[0][:-1], later[0][1:], strict=True)]
    for one, other in zip(starts, again, strict=True):
        assert set(np.round(other, 6)) <= set(np.round(one, 6))


def test_the_stall_budget_of_a_page_of_forty_shards_is_22_seconds_a_day():
    assert stall_budget(40, 0.99).seconds_a_day == pytest.approx(21.7, abs=0.05)
    busy = stall_budget(40, 0.99, rho=0.5, stalls=(Stall("gc", 3600.0, 0.5),))
    assert busy.planned == pytest.approx(12.0)
    assert busy.with_queue == pytest.approx(busy.seconds_a_day / 2)  # the queue behind a stall lasts as long again
    assert not busy.holds


def test_a_shard_that_is_down_turns_all_away_and_forgets_what_it_was_doing():
    down = np.full((4, 2), np.inf)
    down[1] = (1.0, 3.0)
    state, (trace,) = run(tier(), calls((50, 0), 60), feedback=Feedback(down=down))
    assert (trace.p_shed[1, 10:30] == 1.0).all()
    assert trace.p_shed[[0, 2, 3]].sum() == 0.0
    assert state.up.all()


def test_a_retry_budget_bounds_the_storm():
    flood = calls((400, 0), 100)
    storm, _ = run(tier(shed_wait_s=0.05, retries=Retries(1.0, 0.1, attempts=4)), flood, work=(0.01, 0.01))
    bounded, _ = run(tier(shed_wait_s=0.05, retries=Retries(1.0, 0.1, attempts=4, budget=0.1)), flood, work=(0.01, 0.01))
    first = bounded.ledger().first.sum()
    assert bounded.ledger().retried.sum() <= 0.1 * first + 4 * 100
    assert storm.ledger().retried.sum() > first


def test_shedding_keeps_the_wait_of_those_let_in_bounded():
    server = tier(shed_wait_s=0.2)
    state, (trace,) = run(server, calls((20, 0), 100), work=(0.01, 0.01))
    assert trace.rows[:, :, LONGEST].max() <= 0.2
    assert trace.p_shed.mean() == pytest.approx(0.5, abs=0.05)
    assert state.backlog.max() <= 0.21


def test_a_block_that_does_not_follow_the_state_is_refused():
    state = fresh(tier(), 4, 1, window_us=W)
    load = calls((1, 1), 5)
    for wrong in (Load(7, W, load, np.array([1.0, 1.0])), Load(0, W // 2, load, np.array([1.0, 1.0])),
                  Load(0, W, load[:1], np.array([1.0])), Load(0, W, load, np.array([0.0, 1.0])), Load(0, W, load - 9, np.array([1.0, 1.0]))):  # fmt: skip
        with pytest.raises(Invalid):
            advance(wrong, state)
