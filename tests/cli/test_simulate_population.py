"""`twit simulate population`: a planner reads what the people are, and bad parameters are refused by name."""

import json

import pytest

import twit.simulate.population.people  # noqa: F401 - before a test changes its home, where compiled code is kept

SMALL = ("--users", "10k", "--seed", "3")


def test_parameters_come_with_interval_and_source(home):
    shown = json.loads(home.ok("simulate", "population", "show", "-o", "json"))
    peak = next(row for row in shown["parameters"] if row["parameter"] == "clock.peak")
    assert (shown["schema"], peak["value"], peak["date"]) == ("twit.population.parameters/1", 1.62, "2009-11")
    assert "Pingdom" in home.ok("simulate", "population", "show")


def test_statistics_print_what_it_is_and_what_it_is_not(home):
    found = json.loads(home.ok("simulate", "population", "stats", *SMALL, "--sample", "5k", "-o", "json"))
    facts = {row["fact"]: row for row in found["facts"]}
    assert facts["users"]["value"] == found["users"]
    assert facts["resident (7 days)"]["against"] == 0.95
    assert found["not_modelled"]
    assert found == json.loads(home.ok("simulate", "population", "stats", *SMALL, "--sample", "5k", "-o", "json"))
    assert "not in it" in home.ok("simulate", "population", "stats", *SMALL)


def test_anybody_can_be_looked_at_by_name(home):
    person = json.loads(home.ok("simulate", "population", "@u77", *SMALL, "-o", "json"))
    assert (person["user_id"], person["username"]) == (77, "u77")
    assert len(person["newest"]) <= 10
    assert home.ok("simulate", "population", "person", "77", *SMALL, "-o", "name") == "u77\n"


def test_a_sample_is_the_same_for_the_same_seed(home):
    rows = json.loads(home.ok("simulate", "population", "sample", *SMALL, "--count", "4", "-o", "json"))
    assert len(rows) == 4
    assert rows == json.loads(home.ok("simulate", "population", "sample", *SMALL, "--count", "4", "-o", "json"))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("stats", "--users", "0"), 2, "allowed"),
        (("stats", "--users", "9T"), 2, "2,000,000,000"),
        (("stats", "--set", "activity.sgma=1"), 2, "activity.sigma"),
        (("stats", "--set", "load.tweets_per_day=-1"), 2, "allowed"),
        (("stats", "--set", "accounts.weekly=900M"), 2, "accounts >= monthly"),
        (("stats", "--set", "graph.top_followers=400M"), 2, "the head exceeds the population"),
        (("stats", "--set", "activity.sigma"), 2, "KEY=N"),
        (("stats", "--sample", "3"), 2, "1,000"),
        (("show", "--preset", "atlantis"), 2, "twitter-2013"),
        (("@u999999999", *SMALL), 3, "@u1 to @u10000"),
    ],
)
def test_what_cannot_be_is_refused(home, args, code, words):
    result = home.twit("simulate", "population", *args)
    assert result.exit_code == code
    assert words in result.stderr


def test_a_bad_file_is_refused_by_its_line(home):
    file = home.work / "mine.toml"
    file.write_text("[activity]\n\nsigma = -1\n")
    result = home.twit("simulate", "population", "show", "--preset", "mine.toml")
    assert result.exit_code == 2
    assert "mine.toml:3" in result.stderr
    assert "0.05 to 4" in result.stderr
