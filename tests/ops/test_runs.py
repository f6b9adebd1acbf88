"""Run folders: ids, atomic files, torn lines, what may be cleaned."""

import random
import re

import pytest

from twit.core.clock import ManualClock
from twit.core.errors import Conflict, Invalid, NotFound, StoreCorrupt
from twit.core.run_control import Control, control_of, has_process, rows_of, steer, working
from twit.core.runs import Checkpoint, Manifest, Outcome, Runs, commit_of, redacted

NOW = 1_790_000_000_000


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def runs(tmp_path, clock):
    return Runs(tmp_path / "runs", clock, random.Random(3))


def manifest():
    return Manifest(run_id="", procedure="rebuild-timeline", command=("ops",), context="local", actor="a@b", version="1", seed=1,
                    started_ms=0)


def ended(run, clock, status):
    run.finish(Outcome(run_id=run.run_id, status=status, done=1, total=1, tally={}, ended_ms=clock.now_ms()))


def test_an_id_says_what_and_when(runs):
    run = runs.create("rt", manifest())
    assert re.fullmatch(r"rt-20260921-\d{4}-[a-z0-9]{2}", run.run_id)
    assert runs.open(run.run_id).manifest == run.manifest and run.manifest.started_ms == NOW


def test_many_runs_in_one_minute_have_ids_of_their_own(runs):
    assert len({runs.create("rt", manifest()).run_id for _ in range(300)}) == 300


def test_the_last_run_is_the_newest(runs, clock):
    runs.create("rt", manifest())
    clock.advance(60)
    newest = runs.create("aa", manifest())
    assert runs.open("last").run_id == newest.run_id == runs.newest_first()[0].run_id


@pytest.mark.parametrize("run_id", ["", "..", "../x", "rt", "rt-20260922-1412-k7/../..", "RT-20260922-1412-k7"])
def test_what_cannot_be_an_id_is_refused_before_any_path_is_made(runs, run_id):
    with pytest.raises(Invalid):
        runs.open(run_id)


def test_an_unknown_run_is_not_found(runs):
    for run_id in ("rt-20260922-1412-k7", "last"):
        with pytest.raises(NotFound):
            runs.open(run_id)


def test_a_line_torn_by_a_crash_costs_only_itself(runs):
    run = runs.create("rt", manifest())
    run.event("started", NOW, total=3)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"at_ms": 17')
    run.event("resumed", NOW + 1)
    assert [event["event"] for event in run.events()] == ["started", "resumed"]


def test_a_file_of_another_version_is_refused(runs):
    run = runs.create("rt", manifest())
    run.write("checkpoint.json", b'{"schema_version": 99, "done": 1, "fence": 1, "at_ms": 1}')
    with pytest.raises(StoreCorrupt, match="schema version 99"):
        run.checkpoint()
    run.write("checkpoint.json", b'{"schema_version": 1, "do')
    with pytest.raises(StoreCorrupt, match="cannot be read"):
        run.checkpoint()


def test_cleaning_takes_what_ended_for_good_and_nothing_that_can_be_resumed(runs, clock):
    made = {status: runs.create("rt", manifest()) for status in ("done", "mismatch", "stopped", "failed", "killed")}
    for status, run in made.items():
        run.save_checkpoint(Checkpoint(done=1, fence=1, at_ms=NOW))
        if status != "killed":
            ended(run, clock, status)
    assert runs.clean(NOW) == []
    assert sorted(runs.clean(NOW + 1)) == sorted([made["done"].run_id, made["mismatch"].run_id])
    assert {row.status for row in rows_of(runs)} == {"stopped", "failed", "killed"}


def test_a_run_is_running_while_its_process_lives(runs):
    run = runs.create("rt", manifest())
    assert not has_process(run) and rows_of(runs)[0].status == "killed"
    with working(run):
        assert has_process(run) and rows_of(runs)[0].status == "running"
        steer(run, "a@b", NOW, paused=True)
        assert rows_of(runs)[0].status == "paused"
        with pytest.raises(Conflict, match="has a process already"), working(run):
            raise AssertionError
    assert not has_process(run) and rows_of(runs)[0].status == "killed"


def test_what_is_asked_of_a_run_adds_up(runs):
    run = runs.create("rt", manifest())
    assert control_of(run) == Control()
    steer(run, "a@b", NOW, rate=5.0)
    steer(run, "c@d", NOW + 1, paused=True)
    assert steer(run, "e@f", NOW + 2, max_lag_ms=0) == Control(rate=5.0, paused=True, max_lag_ms=0, by="e@f", at_ms=NOW + 2)
    assert [(one["event"], one["actor"]) for one in run.events()] == [("set", "a@b"), ("paused", "c@d"), ("set", "e@f")]


def test_secrets_are_redacted_by_their_names():
    shown = redacted({"mysql_password_file": "/x", "data": "/y", "token": "", "limits": 3})
    assert shown == {"mysql_password_file": "***", "data": "/y", "token": "", "limits": "3"}


def test_the_commit_is_read_from_the_repository_if_there_is_one(tmp_path):
    assert commit_of(tmp_path) == ""
    git = tmp_path / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert commit_of(tmp_path) == ""
    (git / "packed-refs").write_text("# pack\nabc123 refs/heads/main\n")
    assert commit_of(tmp_path) == "abc123"
    (git / "HEAD").write_text("def456\n")
    assert commit_of(tmp_path) == "def456"
