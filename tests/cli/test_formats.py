"""Every command in every format: json parses, jsonl line by line, csv has its header, name is one word a line."""

from __future__ import annotations

import csv
import io
import json

import pytest

from twit.cli.reference import commands

EVERY = [
    "user create @linus --email linus@example.org --password-file PASSWORD", "user show @ada @grace", "user list", "user set @ada --bio x",
    "user passwd @ada --password-file PASSWORD", "user deactivate @grace", "user requests @ada", "follow @ada @grace", "unfollow @grace @ada",
    "block @ada @grace", "unblock @ada @grace", "mute @ada @grace", "unmute @ada @grace", "post @ada hello", "retweet @grace TWEET",
    "unretweet @grace TWEET", "like @grace TWEET", "unlike @grace TWEET", "delete @ada TWEET", "timeline @grace", "timeline @ada --user",
    "timeline @grace --explain", "tweet TWEET", "thread TWEET", "export users", "export tweets", "export follows", "import users PEOPLE",
    "import graph PAIRS", "import activity ACTIVITY", "context list", "context show", "context use local", "context init stage", "context check",
    "config list", "config explain data", "config explain limits", "ops lag", "ops audit --sample 100%", "ops events parked",
    "ops events retry --all --dry-run", "ops rebuild-timeline @ada", "ops rebuild-timeline --all-active --dry-run", "ops runs list",
    "ops runs show last", "ops runs log last", "ops runs wait last", "ops runs resume last", "ops runs clean --older-than 0s --dry-run",
    "simulate estimate", "simulate fleet show", "simulate fleet compare design ample", "simulate fleet check ample --worlds 16",
    "simulate plan --worlds 16", "simulate population show", "simulate population sample --users 20k",
    "simulate population person @u123 --users 20k",
]  # fmt: skip
ONCE = ("user create", "delete")  # a second time they are refused
NO_RESULT = {"serve", "worker", "completion"}  # a line when it is up; nothing; a script
NO_RESULT |= {"ops events show", "ops runs pause", "ops runs set"}  # in test_ops_lag_events_runs.py and test_ops_rebuild.py
NO_RESULT |= {"simulate run", "simulate calibrate", "simulate validate"}  # they play for a while: in test_simulate_*.py
NO_RESULT |= {"simulate population stats"}  # it measures for a while: in test_simulate_population.py


@pytest.fixture
def arguments(town):
    """What the capital words of a line stand for."""
    (town.work / "pairs").write_text("1 2\n2 3\n")
    (town.work / "activity").write_text("1 2 1341100972 MT\n2 1 1341100973 RE\n")
    town.ok("ops", "rebuild-timeline", "@ada")
    tweet_id = town.post("@ada", 'words, and "quotes"\nand lines')
    found = {"PASSWORD": town.password, "TWEET": tweet_id, "PEOPLE": town.folder / "people.csv", "PAIRS": "pairs", "ACTIVITY": "activity"}
    return lambda line: [found.get(word, word) for word in line.split()]


@pytest.mark.parametrize("line", EVERY)
def test_every_command_in_every_format(town, arguments, line):
    for form in ("json",) if line.startswith(ONCE) else ("json", "jsonl", "csv", "name", "table"):
        check_format(line, town.ok(*arguments(line), "-o", form), form)


def check_format(line, out, form):
    assert out == "" or out.endswith("\n")
    if form == "json":
        assert isinstance(json.loads(out), list if line.startswith(("export", "simulate population sample")) else dict)
    elif form == "jsonl":
        assert all(isinstance(json.loads(one), dict) for one in out.splitlines())
    elif form == "csv":
        header, *rows = csv.reader(io.StringIO(out))
        assert all(len(row) == len(header) > 0 for row in rows)
    elif form == "name":
        assert all(one and not one.startswith("{") for one in out.splitlines())


def test_no_command_was_left_out():
    ours = {path.removeprefix("twit ") for path, command in commands() if not hasattr(command, "commands")}
    tried = {word for line in EVERY for word in (line.split()[0], " ".join(line.split()[:2]))}
    tried |= {" ".join(line.split()[:3]) for line in EVERY if line.startswith(("ops runs", "ops events", "simulate"))}
    assert ours - tried == NO_RESULT
