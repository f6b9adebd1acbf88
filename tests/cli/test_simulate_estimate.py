"""twit simulate estimate: a page for a planner, every input a flag, every format; nothing compiled is loaded for it."""

import json
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "simulate" / "estimate.golden.txt"


def test_the_page_is_the_golden_one(home):
    assert home.ok("simulate", "estimate") == GOLDEN.read_text(encoding="utf-8")


def test_json_has_a_schema_the_inputs_and_a_row_a_figure(home):
    document = json.loads(home.ok("simulate", "estimate", "-o", "json"))
    assert document["schema"] == "twit.estimate/1" and document["inputs"]["daily_active"] == 5e8
    fields = {"section", "quantity", "inputs", "formula", "design_says", "computed", "unit", "at_peak", "verdict", "why"}
    assert all(set(row) == fields for row in document["rows"])
    assert sum(document["counts"].values()) == len(document["rows"])


def test_inputs_are_flags(home):
    document = json.loads(home.ok("simulate", "estimate", "--daily-active", "250M", "--peak", "1.62", "-o", "json"))
    reads = next(row for row in document["rows"] if row["quantity"] == "timeline reads")
    assert (reads["computed"], reads["at_peak"], reads["verdict"]) == (28935.19, 46875.0, "wrong")


def test_only_what_is_wrong(home):
    document = json.loads(home.ok("simulate", "estimate", "--verdict", "wrong", "-o", "json"))
    assert document["counts"] == {"ok": 0, "omits": 0, "wrong": len(document["rows"])} and document["rows"]


def test_inputs_that_cannot_be_are_refused_with_what_is_allowed(home):
    for flag, value, allowed in (
        ("--daily-active", "0", "1 to 1e+10"), ("--peak", "many", "500M"), ("--celebrity-users", "5%", "at most 0.02"),
    ):  # fmt: skip
        result = home.twit("simulate", "estimate", flag, value)
        assert result.exit_code == 2 and flag in result.stderr and allowed in result.stderr, result.stderr


def test_nothing_compiled_is_loaded_for_it(home):
    program = (
        "import sys; from twit.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'numba', 'numpy', 'scipy', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "simulate", "estimate", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=home.env | {"PATH": ""}, cwd=home.work)
    assert done.stderr.strip() == "[]"
