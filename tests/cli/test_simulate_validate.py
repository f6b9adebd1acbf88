"""`twit simulate validate`: a row a rung, every comparison on request, and exit 4 where one does not hold."""

import json

import twit.simulate.validate.ladder as ladder  # before a test changes its home, where compiled code is kept
from twit.simulate.validate.ladder import Comparison


def rungs(monkeypatch, **found):
    monkeypatch.setattr(ladder, "RUNGS", {n: (f"rung {n}", lambda _, n=n: found.get(f"r{n}", [])) for n in range(1, 8)})


def test_a_row_a_rung_and_each_comparison_on_request(home, monkeypatch):
    two = [Comparison("near", 1.09, 1.0, 0.09, 0.1, ok=True), Comparison("far", 1.0, 1.0, 0.0, 0.1, ok=True)]
    rungs(monkeypatch, r1=two, r6=[Comparison("absent", note="left out: pip install it")])
    args = ("simulate", "validate", "--rung", "6", "--rung", "1")
    assert home.ok(*args, "-o", "name").splitlines() == ["near", "absent"]
    assert home.ok(*args, "--each", "-o", "name").splitlines() == ["near", "far", "absent"]
    shown = json.loads(home.ok(*args, "-o", "json"))
    assert shown["schema"] == "twit.validation/1"
    assert [(one["rung"], one["ok"], len(one["comparisons"])) for one in shown["rungs"]] == [(1, True, 2), (6, None, 1)]
    assert "2 of 2" in home.ok(*args)


def test_a_rung_that_does_not_hold_is_named_and_exits_4(home, monkeypatch):
    rungs(monkeypatch, r7=[Comparison("knee", 2.0, 1.0, 1.0, 0.1, ok=False)])
    result = home.twit("simulate", "validate", "--rung", "7")
    assert result.exit_code == 4
    assert "MISS" in result.stdout
    assert "rung 7" in result.stderr
    assert home.twit("simulate", "validate", "--rung", "9").exit_code == 2


def test_closed_forms_hold(home):
    (row,) = json.loads(home.ok("simulate", "validate", "--rung", "1", "-o", "json"))["rungs"]
    assert row["ok"]
    assert len(row["comparisons"]) == 20
