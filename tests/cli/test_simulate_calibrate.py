"""`twit simulate calibrate`: measures beside a context's data, never in it, and writes a file that a run reads."""

import json

import pytest

from twit.simulate.work import open_work

QUICK = ("--rounds", "2", "--slice", "1", "--loads", "1,2")


def test_the_work_of_ones_own_stores_is_written_and_nothing_else_is_touched(home, monkeypatch):
    monkeypatch.chdir(home.work)
    home.settle_in()
    home.post("ada", "hello")
    before = {path: path.read_bytes() for path in home.data.rglob("*") if path.is_file() and "runs" not in path.parts}
    shown = json.loads(home.ok("simulate", "calibrate", *QUICK, "--to", "mine.toml", "-o", "json"))
    assert shown["schema"] == "twit.calibration/1"
    rows = {row["kind"]: row for row in shown["kinds"]}
    assert rows["HOME_IDS"]["measured"]
    assert rows["REQUEST"]["note"].startswith("prior kept")
    assert open_work(str(home.work / "mine.toml")).name == shown["context"]
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.name for path in home.folder.iterdir() if path.name.startswith("twit-scratch")) == []


def test_a_file_that_is_there_is_kept_and_a_computed_world_has_nothing_to_measure(home, monkeypatch):
    monkeypatch.chdir(home.work)
    (home.work / "mine.toml").write_text("mine")
    refused = home.twit("simulate", "calibrate", *QUICK, "--to", "mine.toml")
    assert refused.exit_code == 3
    assert "--force" in refused.stderr
    assert (home.work / "mine.toml").read_text() == "mine"
    computed = home.twit("--context", "world", "simulate", "calibrate", *QUICK)
    assert computed.exit_code == 3
    assert "no stores of its own" in computed.stderr


@pytest.mark.parametrize("loads", ["0", "1,x", "", "5000"])
def test_loads_that_are_none_are_refused(home, loads):
    refused = home.twit("simulate", "calibrate", "--loads", loads)
    assert refused.exit_code == 2
    assert "1 to 1024" in refused.stderr
