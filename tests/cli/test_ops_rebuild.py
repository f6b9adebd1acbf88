"""`twit ops rebuild-timeline` as an operator meets it: selectors, questions, interrupts, kills, resuming."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def town(home):
    """Forty people, u0 to u39, each with a cached timeline."""
    people = home.folder / "people.csv"
    people.write_text("username\n" + "".join(f"u{at}\n" for at in range(40)))
    home.ok("import", "users", people)
    return home


@pytest.mark.parametrize(("args", "code", "says"), [
    ((), 2, "nobody selected"),
    (("--all-active", "@u1"), 2, "leave @WHO"),
    (("--all-active", "--from-file", "-"), 2, "leave @WHO"),
    (("@u1", "--plan", "p.json"), 2, "its own selection"),
    (("--plan", "absent.json"), 2, "--plan absent.json"),
    (("--from-file", "absent.txt"), 2, "absent.txt"),
    (("@nobody", "@u1"), 3, "no user @nobody"),
    (("999",), 3, "do not exist: 999"),
    (("@u1", "--rate", "0"), 2, "rate"),
    (("@u1", "--rate", "-1/s"), 2, "rate"),
    (("@u1", "--concurrency", "0"), 2, "0 is not in the range"),
    (("@u1", "--concurrency", "65"), 2, "65 is not in the range"),
    (("@u1", "--max-lag", "2"), 2, "not a duration"),
    (("@u1", "--max-lag", "366d"), 2, "not a duration"),
    (("@u1", "--max-wait", "-1s"), 2, "not a duration"),
    (("@u1", "--verify-sample", "101%"), 2, "not a share"),
    (("@u1", "--verify-sample", "1.01"), 2, "not a share"),
    (("@u1", "--seed", "-1"), 2, "not in the range"),
    (("@u1", "--seed", "2147483648"), 2, "not in the range"),
    (("--since", "yesterday"), 2, "neither a time nor a duration"),
    (("@u1", "@u2"), 2, "needs a yes"),
])
def test_what_is_refused_and_with_which_code(town, args, code, says):
    result = town.twit("ops", "rebuild-timeline", *args)
    assert result.exit_code == code and says in result.stderr and result.stdout == ""
    assert town.ok("ops", "runs", "list", "-o", "name") == ""


@pytest.mark.parametrize("args", [
    ("@u1",), ("1",), ("@u1", "@U1"), ("@u1", "@u2", "--yes"), ("--all-active", "--yes"), ("--since", "1h", "--yes"),
    ("--since", "2020-01-01T00:00:00Z", "--yes"), ("@u1", "--rate", "0.5/s"), ("@u1", "--concurrency", "64"), ("@u1", "--max-lag", "0s"),
    ("@u1", "--verify-sample", "0"), ("@u1", "--verify-sample", "100%"), ("@u1", "--seed", "2147483647"), ("@u1", "--max-wait", "365d"),
])
def test_what_goes_through(town, args):
    assert json.loads(town.ok("ops", "rebuild-timeline", *args, "-o", "json"))["status"] == "done"


def test_people_from_a_file_or_from_stdin(town):
    names = town.folder / "names.txt"
    names.write_text("# lost with the ring\n@u1\n\nu2  # and this one\n7\n@u1\n")
    assert json.loads(town.ok("ops", "rebuild-timeline", "--from-file", names, "--yes", "-o", "json"))["total"] == 3
    code, out, _ = town.shell("ops", "rebuild-timeline", "--from-file", "-", "--yes", "-o", "json", input="@u5\n@u6\n")
    assert code == 0 and json.loads(out)["total"] == 2


def test_an_empty_file_is_refused_and_never_means_everybody(town):
    names = town.folder / "names.txt"
    names.write_text("\n# nobody\n")
    result = town.twit("ops", "rebuild-timeline", "--from-file", names, "--yes")
    assert result.exit_code == 3 and "names nobody" in result.stderr and "--all-active" in result.stderr


def test_a_bad_line_is_named_by_its_number(town):
    names = town.folder / "names.txt"
    names.write_text("@u1\n@no such name\n")
    result = town.twit("ops", "rebuild-timeline", "--from-file", names, "--yes")
    assert result.exit_code == 2 and "names.txt line 2" in result.stderr


def test_the_plan_names_the_context_first_and_a_dry_run_leaves_no_trace(town):
    plan = town.ok("ops", "rebuild-timeline", "--all-active", "--dry-run").splitlines()
    assert plan[0] == "context local   plan, nothing written" and plan[1].split() == ["users", "40"]
    assert json.loads(town.ok("ops", "rebuild-timeline", "--all-active", "--dry-run", "-o", "json"))["count"] == 40
    assert not (town.data / "runs").exists()


def test_a_kept_plan_is_carried_out_once_agreed(town):
    town.ok("ops", "rebuild-timeline", "--all-active", "--plan-out", town.folder / "plan.json")
    outcome = json.loads(town.ok("ops", "rebuild-timeline", "--plan", town.folder / "plan.json", "--yes", "-o", "json"))
    assert outcome["total"] == 40
    town.settle_in("newcomer")
    result = town.twit("ops", "rebuild-timeline", "--plan", town.folder / "plan.json", "--yes")
    assert result.exit_code == 3 and "no longer matches" in result.stderr


@pytest.mark.parametrize(("args", "code"), [
    (("@u1",), 2), (("@u1", "--reason", "drill"), 2), (("@u1", "--reason", "drill", "--yes"), 0),
    (("@u1", "@u2", "--reason", "drill", "--yes"), 2), (("@u1", "@u2", "--reason", "drill", "--confirm", "loca"), 3),
    (("@u1", "@u2", "--reason", "drill", "--confirm", "local"), 0),
])
def test_a_protected_context_wants_a_reason_and_one_level_more(town, args, code):
    town.settings_file.parent.mkdir(parents=True, exist_ok=True)
    town.settings_file.write_text(f'[contexts.local]\nkind = "embedded"\ndata = "{town.data}"\nprotected = true\n')
    assert town.twit("ops", "rebuild-timeline", *args).exit_code == code
    if code == 0:
        assert "drill" in town.ok("ops", "runs", "show", "last")


def slow(town, *more):
    """A rebuild of forty at ten a second, as a process, once it has written its first checkpoint."""
    process = town.process("ops", "rebuild-timeline", "--all-active", "--yes", "--rate", "10/s", *more)
    for _ in range(300):
        if any(json.loads(path.read_bytes())["done"] > 0 for path in town.data.glob("runs/*/checkpoint.json")):
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def resumed(town, stderr):
    """Type the command that was printed, from another folder."""
    command = re.findall(r"(?:try:|Resume:)\s+(.*twit ops runs resume \S+.*)", stderr)[-1]
    words = shlex.split(command)
    env = dict(word.split("=", 1) for word in words if word.startswith("TWIT_DATA="))
    args = words[words.index("twit") + 1 :]
    run = [sys.executable, "-c", "from twit.cli import main; main()", *args, "-o", "json"]
    elsewhere = town.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    done = subprocess.run(run, env=town.env | env, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ctrl_c_stops_at_a_checkpoint_with_the_command_that_resumes(town):
    process = slow(town)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75 and "finishing the batch" in err and "checkpoint written" in err
    assert json.loads(town.ok("ops", "runs", "list", "-o", "json"))["runs"][0]["status"] == "stopped"
    outcome = resumed(town, err)
    assert (outcome["status"], outcome["done"]) == ("done", 40)


def test_a_second_ctrl_c_leaves_at_once_and_loses_nothing(town):
    process = slow(town)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75 and resumed(town, err)["done"] == 40


def test_after_kill_9_the_run_is_called_killed_and_can_be_resumed(town):
    process = slow(town)
    process.kill()
    process.communicate()
    (row,) = json.loads(town.ok("ops", "runs", "list", "-o", "json"))["runs"]
    assert row["status"] == "killed" and 0 < row["done"] < 40
    assert json.loads(town.ok("ops", "runs", "resume", "last", "-o", "json"))["done"] == 40
    assert [event["event"] for event in json.loads(town.ok("ops", "runs", "log", "last", "-o", "json"))["events"]] == [
        "started", "resumed", "done",
    ]
    assert "nothing to do" in town.twit("ops", "runs", "resume", "last").stderr


def waited_for(town, *more):
    return town.process("ops", "runs", "wait", "last", "-o", "json", *more)


def test_a_run_is_paused_and_resumed_from_another_terminal(town):
    process = slow(town)
    paused = json.loads(town.ok("ops", "runs", "pause", "last", "-o", "json"))
    again = json.loads(town.ok("ops", "runs", "pause", "last", "-o", "json"))
    time.sleep(1)  # three batches' worth: the one that was under way ends
    held = json.loads(town.ok("ops", "runs", "show", "last", "-o", "json"))
    late = town.twit("ops", "runs", "wait", "last", "--timeout", "300ms")
    assert paused["status"] == again["status"] == held["status"] == "paused" and held["done"] < 40
    assert late.exit_code == 4 and "still paused after 0.3 s" in late.stderr
    town.ok("ops", "runs", "set", "last", "rate=none")
    gone_on = town.twit("ops", "runs", "resume", "last")
    out, err = process.communicate(timeout=30)
    assert gone_on.exit_code == process.returncode == 0 and "goes on in its own terminal" in gone_on.stderr, err
    assert "40/40" in out and json.loads(town.ok("ops", "runs", "show", "last", "-o", "json"))["status"] == "done"
    assert [one["event"] for one in json.loads(town.ok("ops", "runs", "log", "last", "-o", "json"))["events"]] == [
        "started", "paused", "set", "unpaused", "done",
    ]


def test_whoever_waits_for_a_run_gets_its_end(town):
    process = slow(town)
    waiting = waited_for(town)
    town.ok("ops", "runs", "set", "last", "rate=1k/s", "concurrency=2", "max-lag=5s", "max-wait=1h")
    out, _ = waiting.communicate(timeout=30)
    process.communicate(timeout=30)
    assert (waiting.returncode, json.loads(out)["status"], json.loads(out)["done"]) == (0, "done", 40)


def test_whoever_waits_for_a_run_that_is_killed_is_told_how_to_resume(town):
    process = slow(town)
    waiting = waited_for(town)
    process.kill()
    process.communicate()
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 75 and "is killed" in err and "twit ops runs resume" in err


def test_one_who_is_not_running_is_neither_paused_nor_set(town):
    town.ok("ops", "rebuild-timeline", "@u1")
    for args in (("pause", "last"), ("set", "last", "rate=5/s")):
        result = town.twit("ops", "runs", *args)
        assert result.exit_code == 3 and "is done" in result.stderr and "try:" in result.stderr
    assert town.twit("ops", "runs", "wait", "last").exit_code == 0


@pytest.mark.parametrize("change", [
    "rate", "rate=", "rate=0", "rate=-1/s", "speed=5", "concurrency=0", "concurrency=65", "concurrency=²", "max-lag=5", "max-lag=366d",
    "max-wait=-1s",
])
def test_what_cannot_be_set_is_a_usage_error_and_changes_nothing(town, change):
    process = slow(town)
    process.kill()
    process.communicate()
    result = town.twit("ops", "runs", "set", "last", "concurrency=2", change)
    assert result.exit_code == 2 and "try:" in result.stderr
    assert json.loads(town.ok("ops", "runs", "show", "last", "-o", "json"))["control"]["concurrency"] is None


def test_a_second_run_is_told_who_runs_where_and_since_when(town):
    process = slow(town)
    second = town.twit("ops", "rebuild-timeline", "@u1")
    again = town.twit("ops", "runs", "resume", "last")
    process.kill()
    process.communicate()
    assert second.exit_code == again.exit_code == 3
    assert re.search(r"running already: \S+@\S+ process \d+, since 20\d\d-", second.stderr)
    assert town.twit("ops", "rebuild-timeline", "@u1").exit_code == 0


def test_ctrl_c_before_anything_was_written_is_130(town, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("twit.ops.rebuild_timeline.RebuildTimelines.plan", interrupted)
    assert town.twit("ops", "rebuild-timeline", "@u1").exit_code == 130 and not (town.data / "runs").exists()
