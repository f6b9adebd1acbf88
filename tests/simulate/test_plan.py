"""A plan: nodes in worlds drawn from intervals, what binds, what else it could run on, what decides; and its document."""

import json
from functools import cache

import msgspec
import numpy as np
import pytest

from twit.core.errors import Invalid
from twit.simulate import verdict_schema
from twit.simulate.fleet.fleet import TIERS, load_fleet
from twit.simulate.fleet.levers import levers
from twit.simulate.fleet.plan import Settings, errors, filled, plan
from twit.simulate.fleet.plan_text import lines
from twit.simulate.fleet.report import document, limit
from twit.simulate.fleet.sensitivity import flips, weights
from twit.simulate.fleet.surrogate import Surrogate
from twit.simulate.fleet.worlds import draw, middle, read_inputs, time_inputs
from twit.simulate.work import open_work

WORKS, INPUTS = open_work(), read_inputs()
P99 = [limit("home_read_p99_ms<200")]


def planned(name="open", **settings):
    return plan(Surrogate(load_fleet(name), WORKS), INPUTS, Settings(**({"worlds": 64} | settings)))


@cache
def answer(name="open", **settings):
    return document(planned(name, **settings), P99, commit="test")


def of(document, tier):
    return next(one for one in document.plan if one.tier == tier)


def test_planted_fleets_are_judged_and_the_short_tier_is_named():
    assert answer("ample").verdict.holds and not answer("short").verdict.holds
    assert (answer("short").verdict.binding.tier, answer("short").verdict.binding.resource) == ("cassandra", "disk")
    assert all(why.startswith(("cassandra", "note: ")) for why in answer("short").verdict.why)


def test_what_is_planned_from_nothing_holds():
    assert answer("open").verdict.holds and answer("open").verdict.held >= 0.95 and answer("open").verdict.binding.n1_headroom_x > 1


def test_quantiles_are_in_order_and_the_plan_has_a_node_to_lose():
    for one in (row for row in answer("open").plan if row.status != "unsized"):
        assert one.nodes_p5 <= one.nodes_p50 <= one.nodes_p95 < one.nodes
        assert one.runner_up and one.regret >= 0 and one.binding in {"cpu", "memory", "disk", "network"}


def test_stores_that_nobody_has_measured_get_no_number():
    for tier in ("mysql", "gateway"):
        row = of(answer("open"), tier)
        assert row.binding == "unsized: run calibrate" and row.nodes is row.nodes_p95 is row.cost_yr is None
        assert f"{tier}: unsized, run calibrate" in answer("open").cost.excluded


def test_lists_beat_sorted_sets_and_the_runner_up_costs_more():
    assert of(answer("open"), "redis").choice.endswith(" list")
    for tier in ("redis", "cassandra", "kafka"):
        assert of(answer("open"), tier).runner_up_cost_yr >= of(answer("open"), tier).cost_yr


def test_the_designs_fleet_is_told_what_to_change():
    assert not answer("design").verdict.holds and any(why.startswith("change: follow events") for why in answer("design").verdict.why)
    found = {one.what: one for one in levers(Surrogate(load_fleet("design"), WORKS), middle(INPUTS, WORKS))}
    assert found["follow events and keep celebrity lists in the gateways"].cpu < 0.6 * found["as it is"].cpu
    assert found["keep timelines as lists"].memory < found["as it is"].memory / 5


def test_a_fleet_that_names_some_nodes_is_filled_up_for_a_run_and_keeps_those_that_it_names():
    fleet = filled(Surrogate(load_fleet("design"), WORKS), INPUTS)
    assert fleet.redis.nodes == 100 and fleet.mysql.nodes == 256
    assert fleet.cassandra.nodes > 1_000 and fleet.cassandra.nodes % 3 == 0 and fleet.kafka.nodes >= 4 and fleet.gateway.nodes > 1


def test_growth_says_until_when_and_a_horizon_needs_more():
    growing = answer("ample", growth=1.3)
    assert 1 < of(growing, "cassandra").lasts_years < 10 and of(answer("short"), "cassandra").lasts_years is None
    later = answer("open", growth=1.3, horizon_years=3)
    assert of(later, "cassandra").nodes > 1.8 * of(answer("open"), "cassandra").nodes


def test_the_same_seed_gives_the_same_bytes_but_for_timing():
    again = verdict_schema.plain(document(planned("ample"), P99, commit="test"))
    assert json.dumps(again) == json.dumps(verdict_schema.plain(answer("ample")))
    assert verdict_schema.plain(answer("ample", seed=8)) != again


def test_every_input_is_ranked_once_and_what_decides_is_what_moves_the_answer():
    ranks = [row.rank for row in answer("short").inputs]
    assert ranks == list(range(1, len(ranks) + 1)) and len(ranks) == len(INPUTS) + len(time_inputs(WORKS))
    assert answer("short").inputs[0].name == "stored_amplification" and answer("short").inputs[0].elasticity == pytest.approx(1, abs=0.01)
    assert {row.kind for row in answer("short").inputs} == {"count", "time", "price"}


def test_an_input_that_turns_the_answer_is_found_with_its_value():
    world = middle(INPUTS, WORKS)
    (flip, *_) = flips(lambda worlds: 0.2 - (1 - worlds["tweet_cache_hit"]) * 2, INPUTS, world)
    assert flip.input == "tweet_cache_hit" and 0.88 < flip.value < 0.9
    found = weights(lambda worlds: worlds["following"] ** 2 * worlds["peak"], INPUTS, draw(INPUTS, WORKS, 64, 1), world)
    assert found["following"].rank == 1 and found["following"].elasticity == pytest.approx(2, rel=1e-6)


def test_sides_that_must_be_equal_are():
    for one in (*answer("open").reconcile, *answer("design").reconcile):
        assert one.lhs == pytest.approx(one.rhs)


def test_a_promise_that_cannot_be_kept_is_broken_and_one_that_nobody_knows_is_refused():
    tight = document(planned("ample"), [limit("home_read_p99_ms < 1"), limit("utilisation<0.9"), limit("cost_yr<1000000000")], commit="test")
    assert [one.holds for one in tight.verdict.slo] == [False, True, True] and not tight.verdict.holds
    assert answer("short").verdict.slo[0].worst is None  # no steady state
    for text in ("p99<200", "home_read_p99_ms>200", "utilisation<0", "cost_yr<1.2.3"):
        with pytest.raises(Invalid, match="no promise") as refused:
            limit(text)
        assert "home_read_p99_ms" in refused.value.meaning


@pytest.mark.parametrize(
    ("settings", "allowed"), [({"worlds": 7}, "8 to"), ({"values": {"reads": 1}}, "reads_per_day"), ({"values": {"peak": -1}}, "above 0")]
)
def test_bad_settings_are_refused_with_what_is_allowed(settings, allowed):
    with pytest.raises(Invalid) as refused:
        planned(**settings)
    assert allowed in refused.value.meaning


def test_bad_input_files_are_refused_with_their_line(tmp_path):
    path = tmp_path / "inputs.toml"
    for text, where in (
        ("[reads]\nvalue = 5\nlow = 6\nhigh = 9\nkind = 'count'\ngrade = 'assumed'\nsource = ''\ndate = ''\n", "inputs.toml:2: reads = 5 is outside"),
        ("[reads]\nvalue = -5\nlow = 6\nhigh = 9\nkind = 'count'\ngrade = 'assumed'\nsource = ''\ndate = ''\n", "inputs.toml:2: reads.value"),
        ("[reads]\nvlaue = 5\n", "inputs.toml:2: unknown key"),
        ("[reads]\nvalue = 5\n", "lacks low"),
    ):
        path.write_text(text)
        with pytest.raises(Invalid, match=where):
            read_inputs(path)


def test_the_surrogate_is_held_against_full_runs_from_the_lightest_world_to_the_heaviest():
    surrogate, worlds = Surrogate(load_fleet("ample"), WORKS), draw(INPUTS, WORKS, 64, 7)
    seen = []

    def full(counts, times):
        seen.append((counts["reads_per_day"], times["redis.base_us"]))
        return {"redis.cpu": 0.5, "cassandra.disk": 0.4, "core.turns": 1.0}

    found = errors(surrogate, worlds, full)
    assert len(seen) == 8 and {one.metric for one in found} == {"redis.cpu", "cassandra.disk"} and len(found) == 16
    disks = [one.surrogate for one in found if one.metric == "cassandra.disk"]
    assert disks[0] < disks[-1] and all(0 <= place <= 1 for _, place in seen)
    shown = document(planned("ample"), P99, commit="test", errors=found)
    assert len(shown.surrogate_error) == 16 and not any("surrogate's error" in one for one in shown.absent)


PLANNERS_FIELDS = {  # design/planner.md
    "Run": "id seed commit mode preset prices_date",
    "Slo": "metric limit value ci n n_eff first_breach duration_s worst",
    "Binding": "tier shard resource utilisation knee_x headroom_x n1_headroom_x",
    "Verdict": "holds slo binding recovered_s metastable",
    "Load": "t region reads tweets pushes pulls hydrates rebuilds likes offered served shed timed_out retried",
    "TierState": "instances nodes role rho_mean rho_peak cpu mem disk net hot_shard_x hot_keys hit_ratio cold_users stall_budget_s_day status",
    "Mem": "payload encoding fragmentation replica cow",
    "Latency": "op cohort region p50 p99 p999 ci n n_eff estimate diff",
    "Delivery": "follower_class p50 p99 max lag_s backlog",
    "TierPlan": "nodes_p5 nodes_p50 nodes_p95 binding cost_yr runner_up regret flips_at",
    "CostYear": "by_tier storage egress cdn backup per_million_reads per_tweet excluded",
    "InputRow": "name value low high source date kind grade measured rank elasticity",
    "Reconcile": "identity lhs rhs",
    "RuleRegret": "costs threshold push_cost pull_cost readers pairs by_rule best all_pushed all_pulled regret regret_error",
    "Document": "schema run verdict load tiers latency delivery plan cost inputs reconcile absent timing",
}


@pytest.mark.parametrize(("name", "fields"), PLANNERS_FIELDS.items())
def test_the_schema_has_every_field_that_a_planner_reads(name, fields):
    assert set(fields.split()) <= set(verdict_schema.json_schema()["$defs"][name]["properties"])


@pytest.mark.parametrize("name", ["open", "ample", "short", "design"])
def test_a_plan_is_a_document_of_the_schema_and_strict_json(name):
    document = answer(name)
    plain = verdict_schema.plain(document)
    text = json.dumps(plain, allow_nan=False)
    assert verdict_schema.checked(json.loads(text)).verdict.holds == document.verdict.holds
    with pytest.raises(msgspec.ValidationError, match="holds"):
        verdict_schema.checked(plain | {"verdict": {}})


def test_it_reads_from_the_verdict_to_what_decides_it():
    shown = list(lines(answer("design"), "design"))
    heads = [line.split()[0] for line in shown if not line.startswith(" ")]
    assert heads == ["plan", "VERDICT", "DECIDED", "FLIPS", "COST", "NOT"] and shown[2].startswith("VERDICT  NO")
    assert any("unsized: run calibrate" in line for line in shown) and not any("nan" in line or "None" in line for line in shown)


def test_a_named_fleet_keeps_its_nodes_in_the_tiers_and_a_planned_one_shows_its_own():
    assert {one.tier: one.nodes for one in answer("ample").tiers} == {tier: getattr(load_fleet("ample"), tier).nodes for tier in TIERS}
    assert next(one.nodes for one in answer("open").tiers if one.tier == "redis") == of(answer("open"), "redis").nodes


def test_memory_of_the_plan_is_finite_and_named():
    redis = next(one for one in answer("open").tiers if one.tier == "redis")
    assert redis.mem.replica > 0 and np.isfinite(redis.rho_peak) and redis.status == "sized"
