"""twit simulate fleet: what is there, what differs, and yes or no by exit code."""

import json

import pytest


def test_show_names_tiers_memory_by_encoding_and_what_the_cost_leaves_out(home):
    document = json.loads(home.ok("simulate", "fleet", "show", "-o", "json"))
    assert document["schema"] == "twit.fleet/1" and document["tiers"][0]["tier"] == "redis"
    memory = document["redis_memory"]
    assert memory["skiplist"]["total"] > memory["listpack"]["total"] > memory["list"]["total"]
    assert "unsized: run calibrate" in home.ok("simulate", "fleet", "show")
    assert document["cost"]["prices_date"] and document["cost"]["excluded"]


def test_compare_shows_only_what_differs(home):
    rows = json.loads(home.ok("simulate", "fleet", "compare", "ample", "short", "-o", "json"))["differences"]
    assert {row["what"] for row in rows} == {"cassandra.nodes", "cassandra, $ a year"}
    assert json.loads(home.ok("simulate", "fleet", "compare", "ample", "ample", "-o", "json"))["differences"] == []


@pytest.mark.parametrize(("name", "code", "says"), [("ample", 0, ""), ("short", 4, "cassandra is short of disk"), ("design", 4, "redis is short of memory")])
def test_check_exits_by_what_it_finds(home, name, code, says):
    result = home.twit("simulate", "fleet", "check", name, "--worlds", 64)
    assert result.exit_code == code and says in result.stderr


def test_check_takes_other_inputs(home):
    assert home.twit("simulate", "fleet", "check", "ample", "--worlds", 64, "--set", "reads_per_day=500G").exit_code == 4
    refused = home.twit("simulate", "fleet", "check", "ample", "--set", "reeds=1")
    assert refused.exit_code == 2 and "reads_per_day" in refused.stderr


def test_a_bad_file_is_refused_with_its_line(home):
    (home.work / "mine.toml").write_text('[redis]\ninstance = "r6g.2xlarge"\nnodes = "many"\n')
    result = home.twit("simulate", "fleet", "check", "mine.toml")
    assert result.exit_code == 2 and "mine.toml:3" in result.stderr and "whole number from 0" in result.stderr
    assert home.twit("simulate", "fleet", "show", "none.toml").exit_code == 2
