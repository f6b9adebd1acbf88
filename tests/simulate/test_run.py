"""Scenarios played minute by minute over the day of a small town: what happens shows, and nothing is lost or made."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import run_towns as towns

from twit.core.errors import Invalid
from twit.simulate.kinds import Kind, Tier
from twit.simulate.queues.model import fresh
from twit.simulate.run.deliveries import classes, ways
from twit.simulate.run.happenings import Happenings
from twit.simulate.run.scenario import Lists

SPIKE = {"events__spike__followers": "20k", "events__spike__at": "2m", "run__duration": "5m"}
LOSS = {"events__loss__at": "2m", "run__duration": "6m"}
HERD = {"events__back__at": "2m", "run__duration": "6m"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return towns.fleet(tmp_path_factory.mktemp("fleets"))


@pytest.fixture(scope="module")
def town(fleet):
    return towns.prepared(fleet)


def test_a_quiet_stretch_counts_the_reads_of_its_minutes_and_loses_no_call(town, fleet):
    run = towns.played(town, towns.scenario("steady", fleet, run__duration="3m"))
    day = town.day.reads.sum(axis=0)
    assert [row.reads for row in run.rows] == [town.loads.reads_in(minute) for minute in range(3)] == day[:3].tolist()
    for tier, state in run.states.items():
        assert state.ledger().broken() == []
        assert int(state.ledger().first.sum()) == sum(calls for calls, _ in run.tiers[tier].counts.values())
    assert run.recovery is None and run.failed_share == 0


def test_the_queues_see_what_the_day_counted(town, fleet):
    run = towns.played(town, towns.scenario("steady", fleet, run__duration="30m"))
    left = 1 - town.loads.process_hit
    for kind, expected in ((Kind.HOME_IDS, 1.0), (Kind.REQUEST, 1.0), (Kind.HYDRATE, left), (Kind.PUSH, 1.0)):
        tier = Tier.GATEWAY if kind is Kind.REQUEST else Tier.REDIS
        counted = int(town.day.calls[kind][:, :30].sum())
        assert run.tiers[tier].counts[kind][0] == pytest.approx(expected * counted, rel=0.02, abs=8), kind
    tweets = int(town.day.calls[Kind.PUT_TWEET][:, :30].sum())
    assert run.tiers[Tier.CASSANDRA].counts[Kind.PUT_TWEET][0] == 3 * tweets  # every replica writes


def test_one_and_two_workers_play_the_same(town, fleet):
    one = towns.scenario("celebrity-spike", fleet, **SPIKE)
    first, second = towns.played(town, one, workers=1), towns.played(town, one, workers=2)
    assert msgspec.json.encode(first.rows) == msgspec.json.encode(second.rows)


def test_a_spike_brings_opens_likes_on_one_partition_and_goes_by(town, fleet):
    run = towns.played(town, towns.scenario("celebrity-spike", fleet, **SPIKE))
    opened = [row.opened for row in run.rows]
    assert opened[:2] == [0, 0] and opened[2] > opened[3] > opened[4] > 0
    resident = 20_000 * town.day.totals.residents / town.day.users
    assert sum(opened) == pytest.approx(0.03 * resident, rel=0.05)
    assert 0 < sum(row.likes for row in run.rows) < 0.3 * sum(opened)
    assert run.recovery.recovered_s == 0 and not run.recovery.metastable


def test_likes_of_a_tweet_meet_one_partition_and_opens_all_of_them(town, fleet):
    one = towns.scenario("celebrity-spike", fleet, **SPIKE)
    effect = Happenings(one.events, one.rule, town.loads, town.people, one.seed).minute(2, {Tier.REDIS: redis_of(town)}, 0.1)
    likes, opens = (sum(extra.calls for extra in effect.extras if extra.kind is kind) for kind in (Kind.LIKE, Kind.REQUEST))
    assert int(likes.sum()) == effect.likes > 0 and np.count_nonzero(likes.sum(axis=1)) == 1
    assert int(opens.sum()) == effect.opened and (opens.sum(axis=1) > 0).all()
    assert opens[:, :20].sum() > 1.5 * opens[:, 40:].sum()  # soon at first, then ever fewer


def redis_of(town):
    return fresh(town.tiers.servers[Tier.REDIS], town.tiers.epoch.redis, 7, window_us=1_000_000)


def test_a_wave_of_opens_reads_the_authors_list_where_lists_are_in_redis(town, fleet):
    def lists(loads):
        run = towns.played(town._replace(loads=loads), towns.scenario("celebrity-spike", fleet, rule__celebrity_followers_min="1k", **SPIKE))
        return run.tiers[Tier.REDIS].counts[Kind.CELEB_LIST][0], sum(row.opened for row in run.rows)

    loads = town.loads
    assert lists(loads)[0] == 0
    day = msgspec.structs.replace(town.day, rule=msgspec.structs.replace(town.day.rule, lists=town.day.rule.lists.__class__.REDIS))
    loads_there = type(loads)(day, town.tiers, town.theta, process_hit=loads.process_hit, start_s=0, seed=7)
    calls, opened = lists(loads_there)
    assert calls == opened > 0 and Lists.REDIS == "redis"


def test_pushing_by_one_worker_is_slower_than_by_subtasks_and_both_than_pulling(town, fleet):
    event = towns.scenario("celebrity-spike", fleet, **SPIKE).events[0]
    large = msgspec.structs.replace(event, amounts={**event.amounts, "followers": msgspec.structs.replace(event.amounts["followers"], value=50e6)})
    found = {way.name: way for way in ways(town, large)}
    assert found["push"].visible_p99_s > 5 * found["push-subtasks"].visible_p99_s > 5 * found["hybrid"].visible_p99_s
    assert found["push"].writes == found["push-subtasks"].writes > 1e7 and found["pull"].writes == 1
    assert found["push"].longest_hold_s > 100 * found["push-subtasks"].longest_hold_s


def test_a_pushed_tweet_is_work_for_redis_only_if_it_is_pushed(town, fleet):
    pushes = {}
    for way in ("hybrid", "push", "push-subtasks"):
        run = towns.played(town, towns.scenario("celebrity-spike", fleet, rule__delivery=way, **SPIKE))
        pushes[way] = run.tiers[Tier.REDIS].counts[Kind.PUSH][1]
    resident = 20_000 * town.day.totals.residents / town.day.users
    assert pushes["push"] - pushes["hybrid"] == pytest.approx(resident, rel=0.05)
    assert pushes["push-subtasks"] == pytest.approx(pushes["push"], rel=0.05)


def test_deliveries_are_told_of_enough_tweets_only(town):
    found = classes(town)
    assert found[0].name == "all authors" and found[0].tweets >= 10_000 and found[0].p99_s is not None
    assert all((one.p99_s is not None) == (one.tweets >= 10_000) for one in found)


def test_a_lost_node_without_a_replica_leaves_cold_people_whose_return_cassandra_pays(town, fleet):
    lost = towns.played(town, towns.scenario("redis-node-loss", fleet, **LOSS))
    kept = towns.played(town, towns.scenario("redis-node-loss", fleet, events__loss__kept=1, **LOSS))
    cold = [row.cold_users for row in lost.rows]
    assert cold[1] == 0 and cold[2] == pytest.approx(town.day.totals.residents / 4, rel=0.1)  # one instance of four
    assert cold[-1] < max(cold) and max(row.cold_users for row in kept.rows) == 0
    reads = [run.tiers[Tier.CASSANDRA].counts[Kind.REBUILD_READ][0] for run in (kept, lost)]
    assert reads[1] > reads[0] and sum(row.rebuilds for row in lost.rows) > sum(row.rebuilds for row in kept.rows)
    assert lost.rows[2].failed > 0 == lost.rows[1].failed  # who asks the dead one is refused until others take over


def test_readers_whose_row_is_gone_are_among_all_readers(town, fleet):
    run = towns.played(town, towns.scenario("thundering-herd", fleet, events__back__cold=1, **HERD))
    busy = run.rows[2]
    assert busy.cold_users < town.day.totals.residents and busy.rebuilds > 0.5 * busy.opened
    assert run.cold.calls and run.home.mean_s > run.warm.mean_s


def test_rows_whose_rebuild_cassandra_refuses_stay_cold_and_nobody_is_lost(town, fleet):
    one = towns.scenario("thundering-herd", fleet, events__back__cold=1, **HERD)
    base = town.theta.base.copy()
    base[Kind.REBUILD_READ] *= 300
    slow = dataclasses.replace(town.theta, base=base)
    loads = type(town.loads)(town.day, town.tiers, slow, process_hit=town.loads.process_hit, start_s=0, seed=7)
    well, ill = towns.played(town, one), towns.played(town._replace(theta=slow, loads=loads), one)
    assert ill.states[Tier.CASSANDRA].ledger().shed.sum() > 0 == well.states[Tier.CASSANDRA].ledger().shed.sum()
    lost = [row.cold_users + sum(one.rebuilds for one in run.rows[2 : number + 1]) for run in (well, ill) for number, row in enumerate(run.rows) if number >= 2]
    daily = sum(town.loads.rebuilds_in(minute) for minute in range(2, max(len(well.rows), len(ill.rows))))
    assert max(lost) - min(lost) <= daily  # a row is cold or was built, and none is both
    assert ill.rows[2].cold_users > 1.2 * well.rows[2].cold_users


def test_without_a_lock_more_is_rebuilt_and_without_jitter_all_come_in_a_second(town, fleet):
    def build(**rule):
        return towns.played(town, towns.scenario("thundering-herd", fleet, events__back__cold=1, **HERD, **rule))

    lock, no_lock, no_jitter = build(), build(rule__single_flight=False), build(rule__jitter="0s")
    assert sum(row.rebuilds for row in no_lock.rows) > sum(row.rebuilds for row in lock.rows)
    assert sum(row.opened for row in lock.rows) == pytest.approx(sum(row.opened for row in no_jitter.rows), rel=0.01)
    assert no_jitter.tiers[Tier.REDIS].counts[Kind.HOME_IDS] == pytest.approx(lock.tiers[Tier.REDIS].counts[Kind.HOME_IDS], rel=0.05)


def of(tmp_path, text, fleet):
    path = tmp_path / "mine.toml"
    path.write_text(f'schema = 1\n[run]\nduration = "5m"\n[fleet]\nfile = "{fleet}"\n[population]\nusers = {towns.USERS}\n{text}')
    return towns.load_scenario(str(path))


def test_a_surge_multiplies_all_that_people_do(town, fleet, tmp_path):
    calm = towns.played(town, of(tmp_path, "", fleet))
    surge = towns.played(town, of(tmp_path, '[events.s]\nkind = "surge"\nat = "1m"\nlasts = "2m"\nfactor = 20\n', fleet))
    for minute, factor in ((0, 1), (1, 20), (2, 20), (3, 1)):
        assert surge.rows[minute].reads == factor * calm.rows[minute].reads
        assert surge.rows[minute].elements["HOME_IDS"] == pytest.approx(factor * calm.rows[minute].elements["HOME_IDS"], abs=2 * factor)


@pytest.mark.parametrize("tier", ["cassandra", "mysql", "kafka", "gateway"])
def test_nodes_of_every_tier_can_be_lost(town, fleet, tmp_path, tier):
    run = towns.played(town, of(tmp_path, f'[events.n]\nkind = "node-loss"\ntier = "{tier}"\nat = "90s"\nfailover = "20s"\n', fleet))
    assert run.states[Tier(tier)].ledger().broken() == []
    served = (run.states[Tier(tier)].ledger().served).sum(axis=1)
    if tier == "cassandra":  # the others do its work at once, for good
        assert run.failed_share == 0 and served[0] < 0.6 * served[1:].mean()
    if tier == "gateway":
        assert run.rows[1].failed > 0 == run.rows[3].failed and served[0] < 0.8 * served[1]


def test_a_run_past_midnight_goes_on_with_the_days_first_minutes(fleet):
    late = towns.prepare(towns.scenario("steady", fleet, run__start="23:58", run__duration="4m"), workers=1, keep=False)
    run = towns.played(late, late.scenario)
    day = late.day.reads.sum(axis=0)
    assert [row.reads for row in run.rows] == [*day[-2:].tolist(), *day[:2].tolist()]


def test_a_long_run_tells_quantiles_of_ten_minutes(town, fleet):
    run = towns.played(town, towns.scenario("steady", fleet, run__duration="185m"))
    shown = [row.p99_ms for row in run.rows]
    assert run.span == 10 and all(one is not None for one in shown) and shown[0] == shown[9] and shown[180] == shown[184] == shown[170]
    assert run.home.quantile(0.99).value is not None


def test_nothing_happens_to_nobody(town, fleet):
    quiet = towns.played(town, towns.scenario("celebrity-spike", fleet, **SPIKE | {"events__spike__followers": 1}))
    assert sum(row.opened for row in quiet.rows) == 0
    empty = towns.played(town, towns.scenario("redis-node-loss", fleet, events__loss__kept=1, **LOSS))
    assert np.isfinite([row.p99_ms for row in empty.rows]).all()


def test_more_followers_than_people_are_refused(fleet):
    with pytest.raises(Invalid, match="100,000,000 are more than the 20,000 accounts"):
        towns.scenario("celebrity-spike", fleet)
