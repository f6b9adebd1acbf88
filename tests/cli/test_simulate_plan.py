"""twit simulate plan: a verdict by exit code, a document by schema."""

import json

from twit.simulate import verdict_schema


def test_a_plan_is_a_document_of_the_schema(home):
    document = verdict_schema.checked(json.loads(home.ok("simulate", "plan", "--worlds", 32, "-o", "json")))
    assert document.schema == "twit.verdict/1" and document.run.mode == "estimate" and document.timing["seconds"] >= 0


def test_a_short_fleet_exits_4_and_names_the_tier(home):
    result = home.twit("simulate", "plan", "--current", "short", "--worlds", 32)
    assert result.exit_code == 4 and "cassandra is short" in result.stderr and result.stdout.splitlines()[2].startswith("VERDICT  NO")


def test_a_promise_that_breaks_exits_4(home):
    assert home.twit("simulate", "plan", "--current", "ample", "--worlds", 32).exit_code == 0
    result = home.twit("simulate", "plan", "--current", "ample", "--worlds", 32, "--slo", "home_read_p99_ms<1")
    assert result.exit_code == 4 and "home_read_p99_ms<1 does not hold" in result.stderr


def test_bad_options_are_refused_with_what_is_allowed(home):
    for options, allowed in (
        (("--slo", "speed<1"), "home_read_p99_ms"), (("--set", "peak"), "NAME=N"), (("--set", "peek=3"), "peak"),
        (("--current", "tiny"), "ample"), (("--worlds", "2"), "8"), (("--growth", "0"), "0.1"),
    ):  # fmt: skip
        result = home.twit("simulate", "plan", *options)
        assert result.exit_code == 2 and allowed in result.stderr, result.stderr
