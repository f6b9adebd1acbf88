"""A run's sampled core: a whole gateway process of the real core through the queues' delays, told beside their own estimate."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from twit.scenarios.loader import load_scenario
from twit.simulate.kinds import Kind, Tier
from twit.simulate.queues.delays import traced
from twit.simulate.queues.model import Refused, Served
from twit.simulate.run.engine import Engine
from twit.simulate.run.prepare import prepare
from twit.simulate.run.sample import Watch, sample
from twit.simulate.run.sample_visits import Sizes, author_of
from twit.simulate.verdict_schema import Latency

VILLAGE = {"population.users": 20_000, "run.duration": "3m", "rule.celebrity_followers_min": 100}
FEW = Sizes(warm_up=10, counted=60)
POST = 'schema = 1\n[run]\nstart = "19:30"\nduration = "3m"\n[events.one]\nkind = "post"\nat = "1m"\nfollowers = 700\nopen_share = 0.5\nlike_share = 0.5\n'


def watched(scenario):
    """The scenario's minutes as the engine hands them over, and what they stand on."""
    prepared = prepare(scenario, workers=1)
    watch = Watch(prepared, scenario)
    Engine(scenario, prepared.loads, prepared.theta, prepared.people, prepared.day.widths.mean_by_reads, workers=1, seen=watch.seen).play()
    return prepared, watch


@pytest.fixture(scope="module")
def steady():
    return watched(load_scenario("steady", VILLAGE))


class Slower:
    """The queues' own delay, but for one tier that takes longer, or shards of it that are down."""

    def __init__(self, prepared, watch, tier, *, more_us=0, down=()):
        self.under = traced([one for traces in watch.traces.values() for one in traces.values()], prepared.works, prepared.theta)
        self.tier, self.more_us, self.down = tier, more_us, down

    def at(self, kind, shard, t, elements, bytes, u01):  # noqa: A002 - the contract's word
        answer = self.under.at(kind, shard, t, elements, bytes, u01)
        if kind in KINDS_OF[self.tier]:
            if shard in self.down:
                return Refused(500)
            if isinstance(answer, Served):
                return replace(answer, wait_us=answer.wait_us + self.more_us)
        return answer


KINDS_OF = {Tier.CASSANDRA: {Kind.HYDRATE_MISS, Kind.REBUILD_READ}, Tier.MYSQL: {Kind.FOLLOWING, Kind.USERS}, Tier.REDIS: {Kind.HOME_IDS, Kind.HYDRATE}}


def own(sampled) -> Latency:
    return next(one for one in sampled.latency if (one.estimate, one.cohort) == ("core", "warm"))


def test_the_real_core_serves_pages_through_the_traces_and_is_told_beside_the_queues(steady):
    prepared, watch = steady
    found = sample(prepared, watch, sizes=FEW)
    core = found.core
    assert 40 < core.pages <= FEW.counted  # as many as came in the minutes that were looked at
    assert (core.cold, sum(core.failed.values())) == (0, 0)
    assert 0 < core.mean_ms < 1_000
    assert 0 < core.queue_mean_ms < 1_000
    assert own(found).n == core.pages
    assert own(found).p99 is None  # 100 samples above it would take 10,000 pages
    assert [one.cohort for one in found.latency] == ["warm", "warm, same seconds"]
    calls = {one.kind: one.calls for one in core.kinds}
    assert calls["REQUEST"] == 1
    assert calls["HOME_IDS"] >= 1
    assert 0.5 < calls["HYDRATE"] / prepared.loads.per_read(Kind.HYDRATE) < 2
    assert 0 < core.process_hit < 1
    assert core.rate_x >= 1


def test_the_same_seed_gives_the_same_answer_and_more_delay_in_one_tier_shows(steady):
    prepared, watch = steady
    first = sample(prepared, watch, sizes=FEW)
    assert sample(prepared, watch, sizes=FEW) == first
    slow = sample(prepared, watch, sizes=FEW, delay=Slower(prepared, watch, Tier.REDIS, more_us=50_000))
    assert slow.core.mean_ms >= first.core.mean_ms + 100  # ids, then tweets: each waits for Redis
    assert slow.core.queue_mean_ms == first.core.queue_mean_ms
    assert [one.kind for one in slow.core.kinds] == [one.kind for one in first.core.kinds]


def test_a_shard_that_is_down_shows_as_failed_pages(steady):
    """A row that cannot be read is made from truth; cached people and tweets that cannot be read are not."""
    prepared, watch = steady
    for tier, shards in ((Tier.REDIS, prepared.tiers.epoch.redis), (Tier.CASSANDRA, prepared.tiers.epoch.cassandra)):
        some, all_of_them = (
            sample(prepared, watch, sizes=FEW, delay=Slower(prepared, watch, tier, down=range(down))).core for down in (1, shards)
        )
        assert 0 < some.failed["refused"] < all_of_them.failed["refused"] <= all_of_them.pages == some.pages
        assert all_of_them.failed["refused"] > 0.9 * all_of_them.pages


def test_who_comes_for_a_post_finds_it_on_the_page_and_likes_it(tmp_path):
    path = tmp_path / "post.toml"
    path.write_text(POST)
    prepared, watch = watched(load_scenario(str(path), VILLAGE | {"run.duration": "3m"}))
    author = author_of(prepared.population.graph, watch.event)
    assert prepared.population.graph.in_degree([author - 1])[0] == pytest.approx(700, rel=0.5)
    core = sample(prepared, watch, sizes=FEW).core
    assert core.called > 10
    assert core.saw > 0.9
    assert core.reactions > 1
    assert core.reactions_failed == 0


@pytest.mark.slow
def test_no_hash_seed_changes_a_byte():
    code = (
        "import msgspec, test_run_core as t; from twit.simulate.run.sample import sample; "
        "p, w = t.watched(t.load_scenario('steady', t.VILLAGE)); print(msgspec.json.encode(sample(p, w, sizes=t.FEW)).decode())"
    )
    folder = os.path.dirname(__file__)  # noqa: PTH120 - a search path
    runs = [
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": folder}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert '"estimate":"core"' in runs[0]
