"""twit simulate run: a verdict by exit code, a document by schema, runs kept, compared and played again."""

import json
import re
import signal
import subprocess
import time

import pytest
import run_towns as towns

from twit.simulate import verdict_schema
from twit.simulate.compiled import cache_folder

QUICK = ("--no-variants", "--no-core", "--workers", 1, "--users", towns.USERS)


def run(home, *args, fleet, variants=()):
    return home.twit("simulate", "run", *(args or ("steady",)), "--set", f"fleet.file={fleet}", *QUICK[bool(variants) :])


def test_an_ample_fleet_exits_0_and_its_document_fills_the_schema(home):
    result = run(home, "steady", "--duration", "2m", "-o", "json", fleet=towns.fleet(home.folder))
    assert result.exit_code == 0, result.stderr
    plain = json.loads(result.stdout)
    document = verdict_schema.checked(plain)
    required = verdict_schema.json_schema()["$defs"]["Document"]["required"]
    assert set(required) <= set(plain) and document.schema == "twit.verdict/1"
    assert document.verdict.holds and document.run.mode == "drawn" and {one.metric for one in document.verdict.slo} == {"home_read_p99_ms", "error_share", "delivery_p99_s"}
    assert all(row.lhs == pytest.approx(row.rhs) for row in document.reconcile) and len(document.reconcile) > 40
    assert {tier.tier for tier in document.tiers} == {"redis", "cassandra", "mysql", "kafka", "gateway"}
    assert [row.region for row in document.load if row.t == "peak minute"] == ["americas", "europe-africa", "asia-pacific"]
    peak = max(row.reads for row in document.load if row.region == "all")
    assert sum(row.reads for row in document.load if row.t == "peak minute") == pytest.approx(peak, rel=1e-6)
    (equal,) = document.rule_regret  # this fleet's processes keep all lists
    assert equal.threshold == 10_000 and equal.regret == pytest.approx(equal.by_rule / equal.best - 1, rel=1e-5)
    assert 0 < equal.best <= min(equal.by_rule, equal.all_pushed, equal.all_pulled) and equal.regret_error >= 0
    again = run(home, "--replay", "last", fleet=towns.fleet(home.folder))
    assert again.exit_code == 0 and "byte for byte" in again.stderr


def test_a_short_fleet_exits_4_and_names_the_tier(home):
    result = run(home, "steady", "--duration", "1m", fleet=towns.short_of_disk(home.folder))
    assert result.exit_code == 4 and "cassandra disk binds" in result.stderr and "VERDICT  NO" in result.stdout


def test_a_threshold_decides_and_growth_tells_a_date(home):
    fleet = towns.fleet(home.folder)
    result = run(home, "growth", "--duration", "1m", "--fail-if", "home_read_p99_ms>1", fleet=fleet)
    assert result.exit_code == 4 and "home_read_p99_ms<=1 does not hold" in result.stderr
    first = re.search(r"first: (\w+) +holds (?:until (\d{4}-\d\d)|for 20 years)", result.stdout)
    assert "GROWTH   1.3x a year [1.1, 2], horizon 5 years" in result.stdout and first, result.stdout


def test_bad_options_are_refused_with_what_is_allowed(home):
    mine = home.work / "mine.toml"
    mine.write_text('schema = 1\n[run]\nduration = "5m"\nspeed = 3\n')
    for options, says in (
        (("nowhere",), "steady"), (("steady", "--users", "0"), "10000"), (("steady", "--duration", "soon"), "run.duration"),
        (("steady", "--set", "rule.lists=disk"), "redis, ttl, events"), (("steady", "--set", "rule.listz=redis"), "rule.lists"),
        (("steady", "--set", "duration"), "KEY=VALUE"), (("steady", "--fail-if", "speed>3"), "home_read_p99_ms"), (("steady", "--sweep", "users"), "KEY=A,B,C"),
        (("celebrity-spike", "--users", "20k"), "100,000,000 are more than the 20,000 accounts"), (("mine.toml",), "mine.toml:4"),
        (("steady", "--set", "fleet.file=tiny"), "ample"), (("steady", "--users", "20k", "--set", "population.graph.mean_following=30k"), "graph.mean_following"),
        (("steady", "--set", "population.load.reads_per_day=-1"), "load.reads_per_day"),
    ):  # fmt: skip
        result = home.twit("simulate", "run", *options, "--no-core", "--workers", 1)
        assert result.exit_code == 2 and says in result.stderr, (options, result.exit_code, result.stderr)


def test_runs_that_are_not_there_are_found_out_before_anything_is_played(home):
    for option in ("--compare", "--replay"):
        assert home.twit("simulate", "run", "steady", option, "last").exit_code in {2, 3}


@pytest.mark.slow
def test_variants_stand_side_by_side_and_the_surrogate_is_checked(home):
    spike = ("--set", "events.spike.followers=20k", "--set", "events.spike.at=1m", "--duration", "3m", "--check-surrogate", 8)
    result = home.twit("simulate", "run", "celebrity-spike", "--users", towns.USERS, "--set", f"fleet.file={towns.fleet(home.folder)}", *spike, "-o", "json")
    document = verdict_schema.checked(json.loads(result.stdout))
    assert [one.name for one in document.variants] == ["push, one worker", "push, subtasks", "pull"]
    assert {row.metric for row in document.surrogate_error} >= {"redis.cpu", "cassandra.cpu", "home_read_p99_ms"}
    assert len({row.world for row in document.surrogate_error}) == 8
    assert not any("surrogate" in one for one in document.absent)


@pytest.mark.slow
def test_a_sweep_plays_each_value_and_a_comparison_tells_what_changed(home):
    fleet = towns.fleet(home.folder)
    swept = run(home, "steady", "--duration", "1m", "--sweep", "rule.timeline_page_default=20,50", "-o", "json", fleet=fleet)
    points = json.loads(swept.stdout)["points"]
    assert [point["value"] for point in points] == [20, 50]
    run(home, "steady", "--duration", "1m", fleet=fleet)
    compared = run(home, "steady", "--duration", "1m", "--set", "rule.timeline_page_default=20", "--compare", "last", "-o", "json", fleet=fleet)
    rows = {row["field"]: row for row in json.loads(compared.stdout)["rows"]}
    assert rows["load[all].hydrates"]["ratio"] < 1 and "load[all].reads" not in rows


@pytest.mark.slow
def test_workers_change_no_byte_but_timing(home):
    fleet, spike = towns.fleet(home.folder), ("--set", "events.spike.followers=20k", "--set", "events.spike.at=1m", "--duration", "3m", "--no-variants")
    documents = []
    for workers in (1, 2):
        result = home.twit("simulate", "run", "celebrity-spike", "--users", towns.USERS, "--set", f"fleet.file={fleet}", *spike, "--workers", workers, "-o", "json")
        documents.append({**json.loads(result.stdout), "timing": {}})
    assert documents[0] == documents[1]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_while_counting_keeps_what_is_counted_and_the_next_run_goes_on(home):
    home.env["XDG_CACHE_HOME"] = str(cache_folder().parents[1])  # where this process has compiled already
    days = cache_folder() / "days"
    before = set(days.glob("*.partial"))
    arguments = ("simulate", "run", "steady", "--duration", "1m", "--users", "150M", "--seed", time.time_ns() % 10**9, *QUICK[:-2])
    process = home.process(*arguments, stdout=subprocess.DEVNULL)
    assert counted(process) < 140_000_000  # a line every 10 s: it takes longer than one
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(60) == 130 and "goes on from there" in said and "nothing was written" not in said
    (kept,) = set(days.glob("*.partial")) - before
    again = home.process(*arguments, stdout=subprocess.DEVNULL)
    assert counted(again) > 1_000_000  # at once, or done before there was anything to say
    again.communicate()
    assert again.returncode in {0, 4} and not kept.exists()


def counted(process):
    """People counted so far, as the first line of progress that says so has it."""
    found = (re.search(r"([\d ]+)/[\d ]+ .* users", line) for line in process.stderr)
    return next((int(one[1].replace(" ", "")) for one in found if one), 150_000_000)
