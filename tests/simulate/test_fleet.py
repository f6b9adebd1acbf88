"""Fleets: what they hold by real encodings, how instances pack, what is refused with its line, and which planted fleet is short of what."""

import msgspec
import numpy as np
import pytest

from twit.core.errors import Invalid
from twit.simulate.fleet import geography
from twit.simulate.fleet.cost import fleet_cost, tier_cost
from twit.simulate.fleet.fleet import FOLDER, TIERS, load_fleet, names
from twit.simulate.fleet.instances import prices
from twit.simulate.fleet.judge import judge
from twit.simulate.fleet.loads import KindLoad, Loads, distinct
from twit.simulate.fleet.memory import Encoding, Layout, encoding_of, held, timeline_bytes
from twit.simulate.fleet.surrogate import Surrogate, home_p99_ms
from twit.simulate.fleet.worlds import changed, draw, middle, read_inputs
from twit.simulate.kinds import Kind, Tier
from twit.simulate.work import open_work

WORKS, INPUTS = open_work(), read_inputs()
MIDDLE, WORLDS = middle(INPUTS, WORKS), draw(INPUTS, WORKS, 128, 7)
MINIMAL = """
[redis]
instance = "r6g.2xlarge"
{redis}
[cassandra]
instance = "i4i.2xlarge"
{cassandra}
[mysql]
instance = "i4i.2xlarge"
[kafka]
instance = "i4i.2xlarge"
[gateway]
instance = "c6i.4xlarge"
{more}
"""


@pytest.fixture
def fleet(tmp_path):
    """A fleet of some lines."""

    def made(redis="", cassandra="", more=""):
        path = tmp_path / "mine.toml"
        path.write_text(MINIMAL.format(redis=redis, cassandra=cassandra, more=more))
        return load_fleet(str(path))

    return made


def judged(name):
    return judge(Surrogate(load_fleet(name), WORKS), MIDDLE, WORLDS)


def test_the_planted_fleets_are_judged_yes_and_no_and_the_short_tier_is_named():
    ample, short = judged("ample"), judged("short")
    assert ample.holds and not ample.short
    assert not short.holds and {one.tier for one in short.short} == {"cassandra"} and short.binding.tier == "cassandra"


def test_the_designs_fleet_is_full_before_the_first_spike():
    design = judged("design")
    assert not design.holds and (design.binding.tier, design.binding.resource) == ("redis", "memory")
    cpu = next(one for one in design.checks if (one.tier, one.resource) == ("redis", "cpu"))
    assert cpu.utilisation > 1


def test_stores_without_a_trustworthy_prior_are_not_judged():
    checks = judged("ample").checks
    assert {one.tier for one in checks if one.status == "unsized"} == {"mysql", "gateway"}
    assert {one.resource for one in checks if one.status == "unsized"} == {"cpu"}


def test_what_a_fleet_does_not_name_is_planned_not_judged():
    checks = [one for one in judged("design").checks if one.tier == "cassandra"]
    assert {one.status for one in checks} == {"not named"} and max(one.need for one in checks) > 1_000


def test_a_sorted_set_of_800_is_a_skiplist_unless_the_limit_is_raised():
    assert encoding_of(Layout.SORTED_SET, 800, 128) is Encoding.SKIPLIST
    assert encoding_of(Layout.SORTED_SET, 800, 1024) is Encoding.LISTPACK
    assert encoding_of(Layout.LIST, 800, 0) is Encoding.LIST


def test_half_the_entries_take_half_the_bytes_but_for_the_key():
    assert timeline_bytes(102_900.0, 800) == 102_900.0
    assert timeline_bytes(102_900.0, 400) == pytest.approx(51_450, rel=1e-3)


def test_memory_adds_up():
    one = held(1e6, 15_600.0, 800, 1e9, fragmentation=1.25, copies=2, cow=0.1)
    resident = (1e6 * 15_600 + 1e9) * 1.25
    assert one.total == pytest.approx(resident * 2.2) and one.replica == pytest.approx(resident)


def test_the_design_would_need_51_tb_for_its_daily_users_as_skiplists():
    inputs = changed(INPUTS, {"weekly_active": 500e6})
    memory = Surrogate(load_fleet("design"), WORKS).memory(middle(inputs, WORKS))
    timelines = memory.payload + memory.encoding - held(0.0, 0.0, 800, 0.0, fragmentation=1, copies=1, cow=0).total
    assert 51.4e12 < float(timelines[0]) < 53e12


def test_instances_pack_by_memory_and_leave_a_thread_free(fleet):
    assert fleet().redis_a_node == 4  # 68.7 GB x 0.6 / 10 GB
    assert fleet("instance_gb = 2").redis_a_node == 7  # eight threads
    assert fleet("instance_gb = 60").redis_a_node == 1


def test_fifty_ids_touch_some_forty_of_a_hundred_shards():
    assert distinct(np.array([50.0]), np.array([100.0])) == pytest.approx(39.5, abs=0.1)


def test_where_celebrity_lists_live_decides_the_cpu(fleet):
    used = {}
    for lives, ttl in (("redis", 1), ("ttl", 3600), ("events", 1)):
        found = fleet(f'nodes = 400\ncelebrity_lists = "{lives}"\nlists_ttl_s = {ttl}', more="nodes = 100")
        used[lives] = float(Surrogate(found, WORKS).used(MIDDLE)[Tier.REDIS]["cpu"][0])
    assert used["redis"] > used["ttl"] > used["events"] and used["redis"] > 1.9 * used["events"]


def test_survivors_of_a_region_are_busiest_at_their_own_evening(fleet):
    regions = "[regions.us]\nshare = 0.5\nutc_offset = -5\n[regions.eu]\nshare = 0.3\nutc_offset = 1\n[regions.ap]\nshare = 0.2\nutc_offset = 8"
    found = fleet("nodes = 400", "nodes = 2000", regions)
    without = {one.lost: one for one in geography.survivors(found, 1.62)}
    assert without["us"].region == "eu" and without["us"].survivor_x > without["us"].alone_x > 0.3
    assert without["us"].survivor_x > without["ap"].survivor_x * 0.5
    checks = judge(Surrogate(found, WORKS), MIDDLE, WORLDS)
    assert len(checks.regions) == 3 and checks.regions[0].headroom_x < checks.binding.headroom_x * 1.001


def test_one_node_lost_leaves_less():
    for one in judged("ample").checks:
        assert one.n1_headroom_x == pytest.approx(one.headroom_x * (one.have - 1) / one.have)


def test_what_is_needed_are_whole_nodes_that_carry_the_middle_load():
    for one in judged("ample").checks:
        assert one.need - 1 < one.have / one.headroom_x <= one.need * (1 + 1e-9)


def test_what_no_sum_shows_is_said():
    design, ample = judged("design").warnings, judged("ample").warnings
    assert any("no replica" in one for one in design) and any("64 GB" in one for one in design)
    assert any("16 clusters of 192" in one for one in ample) and not any("replica:" in one for one in ample)
    assert any("takes 6.5M timelines with it, 1.3B partition reads" in one for one in design)  # a hundredth of 650M, 200 each


def test_what_is_just_enough_is_not_warned_of(fleet):
    def warnings(nodes, shards_on):
        found = fleet("nodes = 2\ncopies = 2\ninstance_gb = 25", f"nodes = {nodes}")
        return judge(Surrogate(msgspec.structs.replace(found, mysql=msgspec.structs.replace(found.mysql, nodes=shards_on)), WORKS), MIDDLE, WORLDS).warnings

    copies = fleet().mysql.shards * fleet().mysql.copies
    assert warnings(192, copies) == []
    assert [one.partition(":")[0] for one in warnings(195, copies)] == ["195 cassandra nodes are 2 clusters of 192, at which Netflix's planner stops"]
    assert [one.rpartition(": ")[2] for one in warnings(192, copies - 1)] == ["several shards fail together"]


def test_cassandra_comes_in_steps_of_a_node_a_zone():
    nodes = Surrogate(load_fleet("ample"), WORKS).others(MIDDLE)[Tier.CASSANDRA].nodes
    assert float(nodes[0]) % 3 == 0


def test_a_run_that_counted_what_the_estimate_expects_changes_nothing_and_twice_the_pushes_cost_more():
    surrogate = Surrogate(load_fleet("ample"), WORKS)
    primaries = np.array([float(surrogate.fleet.redis_primaries)])
    rates = surrogate.rates(MIDDLE, primaries)
    counted = {kind.name: KindLoad(calls=float(r.calls[0]), elements=float(r.elements[0]), bytes=float(r.bytes[0])) for kind, r in rates.items()}

    def cpu(kinds):
        again = surrogate._replace(loads=Loads(kinds=kinds), base=MIDDLE)
        assert again.basis == "run"
        return float(again.used(MIDDLE)[Tier.REDIS]["cpu"][0])

    assert cpu(counted) == pytest.approx(float(surrogate.used(MIDDLE)[Tier.REDIS]["cpu"][0]))
    push = counted["PUSH"]
    doubled = KindLoad(calls=2 * push.calls, elements=2 * push.elements, bytes=2 * push.bytes)
    assert cpu(counted | {"PUSH": doubled}) > cpu(counted) * 1.1


def test_a_full_tier_has_no_p99():
    short, ample = (Surrogate(load_fleet(name), WORKS) for name in ("short", "ample"))
    assert np.isnan(home_p99_ms(short, MIDDLE, short.used(MIDDLE))).all()
    assert 1 < float(home_p99_ms(ample, MIDDLE, ample.used(MIDDLE))[0]) < 200


def test_prices_are_dated_and_media_is_priced_and_the_cdn_named_as_excluded():
    surrogate = Surrogate(load_fleet("ample"), WORKS)
    cost = fleet_cost(surrogate, MIDDLE, {tier: getattr(surrogate.fleet, tier).nodes for tier in TIERS})
    assert cost.prices_date == prices().date and "service-capacity-modeling" in cost.prices_source
    assert cost.storage == pytest.approx(64.2e6, rel=0.01)  # 274 PB in five years
    assert cost.cdn is None and any(one.startswith("CDN") for one in cost.excluded)
    parts = sum(cost.by_tier.values()) + cost.storage + cost.egress + cost.zones + cost.regions + cost.backup
    assert cost.total == pytest.approx(parts)


def test_a_year_is_paid_for_as_it_is_by_hand(tmp_path):
    """Bytes a day or a second of the middle world, by the GiB of `prices.toml`."""
    gib, year_s, nodes = 2**30, 365 * 86_400, dict.fromkeys(TIERS, 10)
    tweets, reads = 500e6 * 365, 5e9 * 365
    to_cassandra, to_kafka = (500e6 * 400 + 1.5e9 * 16 + 2.1e9 * 8) / 86_400, 2e9 * 196 / 86_400
    cost, split = (fleet_cost(Surrogate(load_fleet(name), WORKS), MIDDLE, nodes) for name in ("ample", two_regions(tmp_path)))
    ample = Surrogate(load_fleet("ample"), WORKS)
    pushed = float(ample.rates(MIDDLE, np.array([float(ample.fleet.redis_primaries)]))[Kind.PUSH].bytes[0])
    assert cost.egress == pytest.approx(reads * 28_000 * 0.05 / gib)
    assert cost.storage == pytest.approx(tweets * 0.3 * 1e6 * 5 * 0.252 / gib)
    assert cost.backup == pytest.approx(tweets * 400 * 5 * 0.252 / gib)
    assert cost.zones == pytest.approx((2 * to_cassandra + 2 * to_kafka + pushed) * year_s * 0.02 / gib)
    assert cost.regions == 0
    assert split.regions == pytest.approx((to_cassandra + to_kafka) * year_s * 0.02 / gib)
    assert split.zones == pytest.approx(2 * cost.zones)
    assert split.by_tier == pytest.approx({tier: 2 * dollars for tier, dollars in cost.by_tier.items()})
    assert cost.excluded[0].startswith("CDN: 2.7 EB of media a year")
    assert cost.excluded[0].endswith("127M$)")
    assert cost.per_million_reads == pytest.approx(cost.total / reads * 1e6)
    assert cost.per_tweet == pytest.approx(cost.total / tweets)


def two_regions(tmp_path):
    """The ample fleet, half of its readers in each of two regions."""
    path = tmp_path / "two.toml"
    regions = "[regions.us]\nshare = 0.5\n[regions.eu]\nshare = 0.5\nutc_offset = 1\n"
    path.write_text((FOLDER / "ample.toml").read_text().replace('name = "ample"', 'name = "two"') + regions)
    return str(path)


def test_a_node_without_disks_of_its_own_is_given_some_where_its_tier_needs_them(fleet, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.format(redis="", cassandra="", more="").replace('[mysql]\ninstance = "i4i', '[mysql]\ninstance = "m6i'))
    found = load_fleet(str(path))
    assert tier_cost(found, "mysql", 10) == pytest.approx(10 * (1328 + 4 * 1024 * 0.96))
    assert tier_cost(found, "redis", 10) == 10 * 1328.0
    assert tier_cost(fleet(), "mysql", 10) == 10 * 2421.0


def test_quoted_prices_are_the_published_ones():
    machines = prices().instances
    assert [machines[name].cost_yr for name in ("r6g.4xlarge", "r7a.4xlarge", "m6i.2xlarge")] == [2656.0, 4209.67, 1328.0]
    assert round(machines["i4i.4xlarge"].cost_yr) == 4842


@pytest.mark.parametrize("name", names())
def test_every_fleet_that_comes_along_is_whole(name):
    assert load_fleet(name).name == name


@pytest.mark.parametrize(
    ("redis", "more", "line", "allowed"),
    [
        ("nodes = -1", "", ":4: redis.nodes", "from 0 to"),
        ("nodes = 1.5", "", ":4: redis.nodes", "whole number"),
        ("noeds = 3", "", ":4: unknown key redis.noeds", "did you mean redis.nodes?"),
        ('layout = "hash"', "", ":4: redis.layout", "list | sorted-set"),
        ("nodes = 1", "", ":4: redis.nodes = 1", "at least 2"),
        ("instance_gb = 99", "", ":4: redis.instance_gb", "at most its memory"),
        ("", "[regions.us]\nshare = 0.5", "add up to 0.5", "1, all readers once"),
        ("", "[regions.us]\nshare = 2", "regions.us.share = 2", "from 1e-06 to 1"),
        ("nodes = [", "", "not TOML", ""),
    ],
)
def test_bad_files_are_refused_with_the_line_and_what_is_allowed(fleet, redis, more, line, allowed):
    with pytest.raises(Invalid) as refused:
        fleet(redis, more=more)
    assert line in str(refused.value) and allowed in refused.value.meaning


def test_a_machine_that_is_not_in_the_price_list_is_refused_with_those_that_are(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.format(redis="", cassandra="", more="").replace("c6i.4xlarge", "c6i.tiny"))
    with pytest.raises(Invalid, match=r"mine.toml:13: gateway.instance") as refused:
        load_fleet(str(path))
    assert "c6i.4xlarge" in refused.value.meaning


def test_worlds_are_the_same_for_the_same_seed_and_lie_within_their_intervals():
    again = draw(INPUTS, WORKS, 128, 7)
    assert all((again[name] == WORLDS[name]).all() for name in INPUTS)
    assert not all((draw(INPUTS, WORKS, 128, 8)[name] == WORLDS[name]).all() for name in INPUTS)
    for name, one in INPUTS.items():
        assert (WORLDS[name] >= one.interval.low).all() and (WORLDS[name] <= one.interval.high).all()
        assert np.median(WORLDS[name]) == pytest.approx(one.interval.value, rel=0.05)


def test_the_closed_form_counts_every_kind():
    assert set(Surrogate(load_fleet("design"), WORKS).rates(MIDDLE, np.array([100.0]))) == set(Kind)
