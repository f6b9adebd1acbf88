"""Bad input to every command: refused with 2 or 3 and a message, never a traceback, and nothing is written."""

from __future__ import annotations

import pytest

from twit.cli.reference import commands

BIG = str(1 << 63)
WRONG_PEOPLE = ["@", "@bad-name", "a b", "", f"@{'x' * 51}", BIG, "-1", "@ada@grace", "١٢", "0"]
WRONG_IDS = ["", "abc", "-1", "0", BIG, "1.0", "9" * 5_000, "٣"]
ONE = "184277100000000001"
PEOPLE = [
    ("follow", "{}", "@ada"), ("follow", "@ada", "{}"), ("unfollow", "{}", "@ada"), ("block", "{}", "@ada"), ("unblock", "@ada", "{}"),
    ("mute", "@ada", "{}"), ("unmute", "{}", "@ada"), ("post", "{}", "hello"), ("delete", "{}", ONE), ("like", "{}", ONE), ("unlike", "{}", ONE),
    ("retweet", "{}", ONE), ("unretweet", "{}", ONE), ("timeline", "{}"), ("tweet", ONE, "--as", "{}"), ("thread", ONE, "--as", "{}"),
    ("user", "show", "{}"), ("user", "set", "{}", "--bio", "x"), ("user", "deactivate", "{}"), ("user", "requests", "{}"),
    ("user", "requests", "@ada", "--accept", "{}"), ("user", "requests", "@ada", "--reject", "{}"), ("export", "tweets", "{}"),
    ("export", "users", "{}"), ("export", "follows", "{}"), ("user", "passwd", "{}", "--password-file", "PASSWORD"),
    ("user", "create", "{}", "--email", "x@example.org", "--password-file", "PASSWORD"),
]  # fmt: skip
IDS = [
    ("delete", "@ada", "{}"), ("like", "@ada", "{}"), ("unlike", "@ada", "{}"), ("retweet", "@ada", "{}"), ("unretweet", "@ada", "{}"),
    ("tweet", "{}"), ("thread", "{}"), ("post", "@ada", "hello", "--reply-to", "{}"), ("post", "@ada", "hello", "--quote", "{}"),
]  # fmt: skip
OTHERS = [
    ("timeline", "@ada", "--before", "nonsense"), ("timeline", "@ada", "--before", BIG), ("timeline", "@ada", "--before", "0"),
    ("thread", ONE, "--after", "nonsense"), ("thread", ONE, "--limit", "0"), ("post", "@ada", ""), ("post", "@ada", " \n\t"),
    ("post", "@ada", "\x00"), ("post", "@ada", "\udcff"), ("post", "@ada", "x", "--idempotency-key", "k" * 129), ("post", "@ada", "x" * 1_000_000),
    ("user", "list", "--limit", "0"), ("user", "list", "--limit", "201"), ("user", "list", "--after", "-1"), ("user", "show"),
    ("user", "set", "@ada"), ("user", "set", "@ada", "--bio", "x" * 501), ("user", "set", "@ada", "--website", "javascript:alert(1)"),
    ("user", "set", "@ada", "--email", "nobody"), ("user", "set", "@ada", "--display-name", "x" * 101), ("user", "set", "@ada", "--private", "--limit", "1"),
    ("user", "create", "@new", "--password-file", "PASSWORD"), ("user", "create", "@new", "--email", "", "--password-file", "PASSWORD"),
    ("user", "requests", "@ada", "--limit", "0"), ("user", "requests", "@ada", "--cursor", "nonsense"), ("follow", "@ada", "@ada"),
    ("block", "@ada", "@ada"), ("import", "users"), ("import", "frobnicate"), ("export", "frobnicate"), ("completion",), ("completion", "tcsh"),
    ("config", "explain"), ("config", "explain", "nothing"), ("context", "use", "nowhere"), ("context", "init", "a/b"), ("config", "explain", ""),
    ("simulate", "estimate", "--daily-active", "0"), ("simulate", "estimate", "--peak", "nan"), ("simulate", "estimate", "--celebrity-users", "5%"),
    ("simulate", "estimate", "--verdict", "maybe"), ("simulate", "fleet", "show", "nowhere"), ("simulate", "fleet", "compare", "design"),
    ("simulate", "fleet", "compare", "design", "nowhere"), ("simulate", "fleet", "check", "--worlds", "1"), ("simulate", "fleet", "check", "--set", "peek=1"),
    ("simulate", "plan", "--slo", "speed<1"), ("simulate", "plan", "--growth", "0"), ("simulate", "plan", "--current", "nowhere"),
    ("simulate", "run", "steadyy"), ("simulate", "run", "--set", "rule.list=redis"), ("simulate", "run", "--fail-if", "speed>1"),
    ("simulate", "run", "--users", "0"), ("simulate", "run", "--duration", "soon"), ("simulate", "run", "--sweep", "rule.lists"),
    ("simulate", "calibrate", "--rounds", "0"), ("simulate", "validate", "--rung", "0"),
    ("simulate", "population", "show", "--users", "0"), ("simulate", "population", "stats", "--users", "-5"),
    ("simulate", "population", "sample", "--count", "0"), ("simulate", "population", "person", "@-1"),
    ("serve", "--port", "x"), ("worker", "frobnicate"), ("import", "graph"), ("import", "activity", "nowhere"), ("import", "graph", "nowhere", "--prefix", ""), ("export", "users", "--limit", "1"), ("config", "list", "x"),
]  # fmt: skip


def check_refused(home, args, codes):
    args = [str(home.password) if arg == "PASSWORD" else arg for arg in args]
    result = home.twit(*args)
    assert result.exit_code in codes, (args, result.output)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "BUG" not in result.stderr
    assert "\n  try:  " in result.stderr


@pytest.mark.parametrize("command", PEOPLE, ids=" ".join)
def test_people_who_cannot_be_are_refused_before_anything_is_opened(home, command):
    for wrong in WRONG_PEOPLE:
        check_refused(home, [part.format(wrong) for part in command], {2})
    assert not home.data.exists()


@pytest.mark.parametrize("command", [one for one in PEOPLE if one[1] != "create"], ids=" ".join)
def test_people_who_are_not_there_are_refused(town, command):
    for absent in ("@nobody", "999"):
        check_refused(town, [part.format(absent) for part in command], {3})


@pytest.mark.parametrize("command", IDS, ids=" ".join)
def test_tweets_that_cannot_be_and_that_are_not_there_are_refused(town, command):
    for wrong in WRONG_IDS:
        check_refused(town, [part.format(wrong) for part in command], {2})
    before = town.ok("export", "tweets")
    if command[0] not in {"unlike", "unretweet"}:
        check_refused(town, [part.format(ONE) for part in command], {3})
    assert town.ok("export", "tweets") == before


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: " ".join(command)[:60].encode("ascii", "replace").decode())
def test_other_values_that_do_not_fit_are_refused(town, command):
    check_refused(town, command, {2, 3})


def test_every_command_was_tried_with_bad_input():
    tried = {" ".join(one[:words]) for one in (*PEOPLE, *IDS, *OTHERS) for words in (1, 2, 3)}
    ours = {path.removeprefix("twit ") for path, command in commands() if not hasattr(command, "commands")}
    without_values = {"context list", "context show", "context check"}
    assert {path for path in ours if not path.startswith("ops")} - tried - without_values == set()
