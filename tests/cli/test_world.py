"""The `world` context from the command line: computed people under the real core, in a village of some twenty thousand."""

from __future__ import annotations

import json

import pytest

import twit.simulate.compiled  # here, so that what is compiled is kept in the real home, not in a test's

assert twit.simulate.compiled

pytestmark = pytest.mark.slow  # compiles the population: a minute on a new machine

WHO = "@u4321"


@pytest.fixture
def village(home):
    home.env |= {"TWIT_CONTEXT": "world", "TWIT_WORLD_USERS": "20k", "TWIT_WORLD_AT": "2026-03-01T12:00:00Z"}
    return home


def test_anybody_is_there_without_being_made(village):
    person = json.loads(village.ok("user", "show", WHO, "-o", "json"))
    assert (person["username"], person["id"]) == ("u4321", "4321")
    assert village.twit("user", "show", "@u20000000").exit_code == 3


def test_a_timeline_is_computed_shown_and_explained(village):
    page = json.loads(village.ok("timeline", WHO, "--limit", "20", "-o", "json"))
    ids = [int(tweet["tweet_id"]) for tweet in page["tweets"]]
    assert len(ids) == 20 and ids == sorted(ids, reverse=True)
    older = json.loads(village.ok("timeline", WHO, "--limit", "20", "--before", page["next_cursor"], "-o", "json"))["tweets"]
    assert int(older[0]["tweet_id"]) < ids[-1]
    assert "rebuilt" in village.ok("timeline", WHO, "--limit", "3", "--explain") or "complete" in village.ok("timeline", WHO, "--explain")
    tweet = json.loads(village.ok("tweet", ids[0], "-o", "json"))
    assert tweet["tweet_id"] == str(ids[0])
    village.ok("thread", ids[0])


def test_what_is_done_there_stays_there_and_is_the_cores_work(village):
    tweet = village.post(WHO, "here I am")
    assert tweet in village.ok("timeline", WHO, "--limit", "1", "-o", "name")
    village.ok("follow", "@u7", WHO)
    assert tweet in village.ok("timeline", "@u7", "--limit", "200", "-o", "name").split()
    village.ok("like", "@u7", tweet)
    assert json.loads(village.ok("tweet", tweet, "-o", "json"))["metrics"]["likes"] == 1
    village.ok("delete", WHO, tweet)
    assert tweet not in village.ok("timeline", "@u7", "--limit", "200", "-o", "name")
    village.ok("unfollow", "@u7", WHO)


def test_a_computed_tweet_is_liked_and_deleted_by_its_author(village):
    tweet = json.loads(village.ok("timeline", WHO, "--limit", "1", "-o", "json"))["tweets"][0]
    author, tweet_id = f"@{tweet['user']['username']}", tweet["tweet_id"]
    village.ok("like", "@u7", tweet_id)
    village.ok("delete", author, tweet_id)
    assert tweet_id not in village.ok("timeline", WHO, "--limit", "200", "-o", "name")
    assert tweet_id not in village.ok("timeline", author, "--user", "--limit", "200", "-o", "name")


def test_operations_on_named_people_are_real(village):
    outcome = json.loads(village.ok("ops", "rebuild-timeline", WHO, "--yes", "-o", "json"))
    assert outcome["status"] == "done" and outcome["done"] == 1
    village.ok("ops", "lag")
    village.ok("ops", "audit", "--check", "timelines", "--sample", "100%")
    assert village.twit("ops", "audit", "--check", "graph").exit_code == 3  # it would walk over everybody


def test_accounts_made_there_come_after_the_computed_people(village):
    village.settle_in("ada")
    assert int(json.loads(village.ok("user", "show", "@ada", "-o", "json"))["id"]) > 15_000
    assert village.ok("user", "list", "--limit", "2", "-o", "name") == "u1\nu2\n"


def test_a_world_in_memory_says_that_it_keeps_nothing(village):
    del village.env["TWIT_DATA"]
    result = village.twit("post", WHO, "lost")
    assert result.exit_code == 0
    assert "in memory" in result.stderr


def test_another_population_does_not_take_these_changes_for_its_own(village):
    village.post(WHO, "here")
    village.env["TWIT_WORLD_SEED"] = "8"
    result = village.twit("timeline", WHO)
    assert result.exit_code == 5
    assert "STORE_CORRUPT" in result.stderr


@pytest.mark.parametrize(("name", "value"), [
    ("TWIT_WORLD_USERS", "many"), ("TWIT_WORLD_USERS", "3"), ("TWIT_WORLD_PRESET", "nowhere"), ("TWIT_WORLD_AT", "noon"),
    ("TWIT_WORLD_AT", "1999-01-01"), ("TWIT_WORLD_SPEED", "0"), ("TWIT_WORLD_SEED", "x"),
])  # fmt: skip
def test_settings_that_give_no_world_are_refused(village, name, value):
    village.env[name] = value
    assert village.twit("user", "show", "@u1").exit_code == 2


def test_a_context_check_opens_the_world(village):
    assert {one["status"] for one in json.loads(village.ok("context", "check", "-o", "json"))["checks"]} == {"ok"}
