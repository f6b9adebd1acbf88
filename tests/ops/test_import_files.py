"""`twit import graph` and `activity` on small generated files of the real formats, end to end: what comes in, once and no more,
however often the command is killed, and an audit of it that finds nothing but what was planted."""

from __future__ import annotations

import csv
import json
import random
import shutil

import builders
import pytest
from import_worlds import PEOPLE, activity_file, activity_lines, exported, ok, planted, rows_of, run

from twit.core.clock import SystemClock
from twit.core.entries import FanoutMode
from twit.ops.imports.replay import Case

FEW = {"celebrity_followers_min": 40, "celebrity_followers_exit": 30, "timeline_entries_max": 100}
STAGES = ("accounts:0.5", "follows:0.3", "follower lists:0.6", "tweets:0.1", "tweets:0.7", "events:0.2", "events:0.6")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("imported")


@pytest.fixture(scope="module")
def lines():
    return activity_lines()


@pytest.fixture(scope="module")
def file(folder, lines):
    return activity_file(folder, lines)


@pytest.fixture(scope="module")
def imported(folder, file):
    """The data directory of an import that nobody disturbed, and its report."""
    done = run(folder / "whole", "import", "activity", file, "-o", "json", **FEW)
    assert done.returncode == 0, done.stderr
    return folder / "whole", json.loads(done.stdout), done.stderr


async def opened(data):
    return await builders.build_twit(data, SystemClock(), **FEW)


async def state(data):
    """What commands export, and every cached row."""
    twit = await opened(data)
    try:
        rows = await rows_of(twit.stores, 100, SystemClock().now_ms())
    finally:
        await twit.stores.health.close()
    return exported(data, **FEW), rows


def test_every_row_is_counted_in_the_case_that_it_came_out_as(imported, lines):
    _, report, said = imported
    pairs = [line.split()[:2] for line in lines]
    assert report["rows"] == len(lines) == sum(report["cases"].values()) and set(report["cases"]) == {case.value for case in Case}
    assert report["accounts"] == report["accounts_new"] == len({number for pair in pairs for number in pair})
    assert report["edges"] == report["follows_new"] == len({tuple(pair) for pair in pairs if pair[0] != pair[1]})
    assert report["self_rows"] == sum(actor == target for actor, target in pairs) > 0
    assert report["cases"][Case.MENTION.value] == sum(line.endswith("MT") for line in lines)
    made = report["cases"][Case.REPLY_TO_MADE.value] + report["cases"][Case.RETWEET_OF_MADE.value]
    assert report["tweets"] == report["tweets_new"] == len(lines) + made
    assert "follows are taken from the interactions" in said


async def test_push_and_pull_both_happen_and_all_is_delivered(imported):
    data = imported[0]
    groups = json.loads(ok(data, "ops", "lag", "--wait", "10s", "-o", "json", **FEW))["groups"]
    assert [(one["events"], one["work"], one["parked"]) for one in groups] == [(0, 0, 0)] * 2
    twit = await opened(data)
    try:
        star, other = await twit.stores.accounts.ids_of(["u88", "u7"])
        modes = await twit.stores.modes.get([star, other])
        assert modes[0].mode is FanoutMode.PULL and (modes[1] is None or modes[1].mode is FanoutMode.PUSH)
        rows = await rows_of(twit.stores, 100, SystemClock().now_ms())
        assert len(rows) == PEOPLE + 1 and max(len(entries) for _, entries in rows.values()) == 100
    finally:
        await twit.stores.health.close()


def test_an_audit_of_everybody_finds_nothing(imported):
    checks = json.loads(ok(imported[0], "ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%", "-o", "json", **FEW))
    assert [(one["looked_at"], one["differences"], one["late"]) for one in checks["checks"]] == [(PEOPLE + 1, 0, 0)] * 3


async def test_killed_in_every_stage_it_ends_as_if_nobody_had_disturbed_it(imported, folder, file):
    killed = folder / "killed"
    for stage in STAGES:
        died = run(killed, "import", "activity", file, dies=stage, batch=150, event_batch=64, **FEW)
        assert died.returncode == -9, (stage, died.stderr)
    report = json.loads(ok(killed, "import", "activity", file, "-o", "json", **FEW))
    assert report["cases"] == imported[1]["cases"] and report["tweets_new"] == report["accounts_new"] == 0
    assert json.loads(ok(killed, "ops", "lag", "-o", "json", **FEW))["groups"][1]["events"] == 0
    assert await state(killed) == await state(imported[0])
    ok(killed, "ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%", **FEW)


async def test_twice_is_nothing_new(imported, file):
    data, first, _ = imported
    before = await state(data)
    again = json.loads(ok(data, "import", "activity", file, "-o", "json", **FEW))
    assert again == first | {"accounts_new": 0, "follows_new": 0, "tweets_new": 0}
    assert await state(data) == before


async def test_planted_faults_are_found_and_named_and_mended(imported, folder):
    data = shutil.copytree(imported[0], folder / "planted")
    twit = await opened(data)
    try:
        faults = await planted(twit, 1.0, 1, SystemClock().now_ms())
    finally:
        await twit.stores.health.close()
    found = run(data, "ops", "audit", "--sample", "100%", "-o", "json", **FEW)
    assert found.returncode == 4
    (check,) = json.loads(found.stdout)["checks"]
    assert set(faults) <= set(check["causes"]) <= {*faults, "shown"}
    (file,) = data.glob("runs/*/differences.csv")
    named = {(row["cause"], int(row["item"])) for row in csv.DictReader(file.read_text().splitlines()) if row["cause"] != "shown"}
    assert named == {(cause, reader) for cause, reader in faults.items()}
    ok(data, "ops", "audit", "--sample", "100%", "--repair", "--yes", **FEW)
    ok(data, "ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%", **FEW)


def test_bad_lines_are_told_by_number_and_the_rest_comes_in(folder, lines):
    few = [*lines[:20], "1 2", "1 2 soon RT", "# a remark", "", *lines[20:40], "x 2 1341100972 RT"]
    done = run(folder / "bad", "import", "activity", activity_file(folder, few), "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and (report["rows"], report["bad_lines"]) == (40, 3)
    assert [bad["number"] for bad in report["bad"]] == [21, 22, 45] and "line 22 skipped: 'soon' is not" in done.stderr


def test_a_file_that_breaks_off_is_refused_before_anything_is_written(folder, file):
    cut = folder / "cut.gz"
    cut.write_bytes(file.read_bytes()[:-40])
    done = run(folder / "none", "import", "activity", cut)
    assert done.returncode == 2 and "breaks off after line" in done.stderr
    assert ok(folder / "none", "user", "list", "-o", "name") == ""


@pytest.mark.parametrize("directed", [False, True])
def test_a_graph_makes_each_follow_once(folder, directed):
    rng = random.Random(5)
    pairs = [(rng.randrange(30), rng.randrange(30)) for _ in range(200)]
    path, data = folder / "few.edges", folder / f"graph{directed}"
    path.write_text("".join(f"{a} {b}\n" for a, b in pairs) + "1 2 3\n")
    args = ("import", "graph", path, "--prefix", "n", *(["--directed"] if directed else []), "-o", "json")
    assert run(data, *args, dies="follows:0.5", batch=40).returncode == -9
    due = {(a, b) for a, b in pairs if a != b} | {(b, a) for a, b in pairs if a != b and not directed}
    report = json.loads(ok(data, *args))
    assert (report["pairs"], report["edges"], report["bad_lines"]) == (200, len(due), 1)
    assert report["follows_new"] + report["follows_standing"] == len(due) and report["follows_new"] > 0 and report["follows_standing"] > 0
    users, follows, _ = exported(data)
    names = {user["id"]: user["username"] for user in users}
    assert {(names[one["follower"]], names[one["followee"]]) for one in follows} == {(f"n{a}", f"n{b}") for a, b in due}
    assert json.loads(ok(data, *args))["follows_new"] == 0
    ok(data, "ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%")
