"""`twit ops lag`, `events`, `audit` and `runs`: what operators look at, and what their scripts branch on."""

import asyncio
import json

import pytest
from ops_builders import plant, raw_row

from twit.core.clock import SystemClock
from twit.core.events import Event, EventKind, LoggedEvent
from twit.core.limits import Limits
from twit.core.stores.embedded import open_stores
from twit.core.workers import GROUPS


class Behind:
    """Only what `plant` and `raw_row` ask of a service."""

    def __init__(self, stores):
        self.stores = stores


@pytest.fixture
def town(home):
    """Ada follows grace; both have posted, and everything is delivered."""
    home.settle_in("ada grace")
    home.ok("follow", "@ada", "@grace")
    for at in range(4):
        home.post("@grace", f"number {at}")
    return home


def behind(home, act):
    """Do something to the stores that no command would do."""
    async def run():
        stores = open_stores(home.data, Limits(), SystemClock())
        try:
            return await act(stores)
        finally:
            await stores.health.close()

    return asyncio.run(run())


def stuck(home):
    """An event that nobody has handled."""
    event = Event(kind=EventKind.TWEET_CREATED, key=2, actor=2, tweet=1, at_ms=SystemClock().now_ms() - 60_000)
    behind(home, lambda stores: stores.log.append([event]))


def test_lag_is_in_seconds_and_nothing_is_behind(town):
    groups = json.loads(town.ok("ops", "lag", "-o", "json"))["groups"]
    assert [(one["group"], one["lag_ms"], one["events"], one["work"]) for one in groups] == [(name, 0, 0, 0) for name in GROUPS]
    assert town.ok("ops", "lag").splitlines()[0].split() == ["GROUP", "LAG", "EVENTS", "WORK", "PARKED", "OWNER"]


def test_waiting_returns_once_all_have_caught_up(town):
    assert town.twit("ops", "lag", "--wait", "10s").exit_code == 0


def test_waiting_in_vain_is_exit_4_and_says_that_nobody_consumes(town):
    stuck(town)
    result = town.twit("ops", "lag", "--wait", "100ms")
    assert result.exit_code == 4 and "Nobody consumes social, fanout" in result.stderr and "twit worker" in result.stderr


@pytest.mark.parametrize(("condition", "code"), [
    ("fanout>10s", 4), ("any>=10s", 4), ("social>1h", 0), ("fanout>", 2), ("media>10s", 2), ("fanout<10s", 2), ("fanout>10", 2),
])
def test_a_threshold_is_exit_4(town, condition, code):
    stuck(town)
    assert town.twit("ops", "lag", "--fail-if", condition).exit_code == code


@pytest.mark.parametrize("args", [("--wait", "1s", "--watch", "1s"), ("--watch", "0s"), ("--wait", "1")])
def test_lag_refuses_what_makes_no_sense(town, args):
    assert town.twit("ops", "lag", *args).exit_code == 2


def test_watching_ends_where_the_threshold_is_passed(town):
    stuck(town)
    assert town.twit("ops", "lag", "--watch", "10ms", "--fail-if", "fanout>10s").exit_code == 4


def park(home, offset=7):
    newest = json.loads(home.ok("timeline", "@grace", "--user", "-o", "json"))["tweets"][0]["tweet_id"]
    event = Event(kind=EventKind.TWEET_CREATED, key=2, actor=2, tweet=int(newest), at_ms=SystemClock().now_ms())
    behind(home, lambda stores: stores.work.park("fanout", LoggedEvent(offset, event), "Traceback\nValueError: poison", 1_790_000_000_000))
    return newest


def test_a_parked_event_is_listed_shown_and_retried(town):
    tweet = park(town)
    (row,) = json.loads(town.ok("ops", "events", "parked", "--group", "fanout", "-o", "json"))["parked"]
    assert (row["tweet"], row["error"], row["kind"]) == (tweet, "ValueError: poison", "tweet_created")
    assert "Traceback" in town.ok("ops", "events", "show", row["parked_id"])
    assert json.loads(town.ok("ops", "events", "retry", row["parked_id"], "-o", "json"))["tally"] == {"retried": 1}
    assert json.loads(town.ok("ops", "events", "parked", "-o", "json"))["parked"] == []
    assert town.twit("ops", "lag", "--wait", "0s").exit_code == 0


def test_retrying_takes_ids_or_all_spelled_out(town):
    park(town, 7)
    park(town, 8)
    assert town.twit("ops", "events", "retry").exit_code == 2
    assert town.twit("ops", "events", "retry", "--all").exit_code == 2
    assert town.twit("ops", "events", "retry", "--all", "1").exit_code == 2
    assert town.twit("ops", "events", "retry", "99").exit_code == 3
    assert town.twit("ops", "events", "retry", "0").exit_code == 2
    assert json.loads(town.ok("ops", "events", "retry", "--all", "--dry-run", "-o", "json"))["count"] == 2
    assert json.loads(town.ok("ops", "events", "retry", "--all", "--yes", "-o", "json"))["done"] == 2


def test_an_audit_finds_nothing_in_order(town):
    checks = json.loads(town.ok("ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%", "-o", "json"))["checks"]
    assert [(one["check"], one["differences"], one["looked_at"]) for one in checks] == [
        ("timelines", 0, 2), ("graph", 0, 2), ("counts", 0, 2),
    ]


def test_an_audit_names_a_loss_keeps_it_in_a_file_and_mends_it(town):
    async def lose(stores):
        row = await raw_row(Behind(stores), 1)
        plant(Behind(stores), 1, row[1:])
        return row[0][0]

    lost = behind(town, lose)
    result = town.twit("ops", "audit", "--sample", "100%")
    assert result.exit_code == 4 and "lost" in result.stdout and "--repair" in result.stderr
    (file,) = town.data.glob("runs/au-*/differences.csv")
    assert f'1,lost,"{lost}"' in file.read_text()
    waited = town.twit("ops", "runs", "wait", "last", "-o", "json")
    assert (waited.exit_code, json.loads(waited.stdout)["status"]) == (4, "mismatch") and str(file) in waited.stderr
    assert town.twit("ops", "audit", "--sample", "100%", "--repair", "--dry-run").exit_code == 0
    assert town.twit("ops", "audit", "--sample", "100%").exit_code == 4
    assert town.twit("ops", "audit", "--sample", "100%", "--repair").exit_code == 0
    assert town.twit("ops", "audit", "--sample", "100%").exit_code == 0


@pytest.mark.parametrize("args", [
    ("--check", "media"), ("--check", ""), ("--sample", "0"), ("--sample", "101%"), ("--wait", "5"), ("--plan", "x"), ("--seed", "-1"),
])
def test_an_audit_refuses_what_makes_no_sense(town, args):
    assert town.twit("ops", "audit", *args).exit_code == 2


def test_runs_are_listed_shown_and_cleaned(town):
    town.ok("ops", "rebuild-timeline", "@ada", "--reason", "drill", "--ticket", "INC-1")
    (row,) = json.loads(town.ok("ops", "runs", "list", "-o", "json"))["runs"]
    shown = json.loads(town.ok("ops", "runs", "show", row["run_id"], "-o", "json"))
    assert shown["manifest"]["ticket"] == "INC-1" and shown["outcome"]["status"] == "done" and shown["plan"]["count"] == 1
    assert town.ok("ops", "runs", "clean", "--older-than", "0s", "--dry-run", "-o", "name").strip() == row["run_id"]
    assert town.twit("ops", "runs", "clean", "--older-than", "0s").exit_code == 2
    assert town.ok("ops", "runs", "clean", "--yes", "-o", "name") == ""
    assert town.ok("ops", "runs", "clean", "--older-than", "0s", "--yes", "-o", "name").strip() == row["run_id"]
    assert town.ok("ops", "runs", "list", "-o", "name") == ""


@pytest.mark.parametrize(("args", "code"), [
    (("show", "last"), 3), (("resume", "rt-20260922-1412-k7"), 3), (("log", "../../etc"), 2), (("show", ""), 2), (("list", "--limit", "0"), 2),
])
def test_runs_that_are_not_there(town, args, code):
    assert town.twit("ops", "runs", *args).exit_code == code


def test_a_run_of_another_context_is_not_resumed_here(town):
    town.ok("ops", "rebuild-timeline", "@ada")
    (file,) = town.data.glob("runs/*/manifest.json")
    file.write_text(file.read_text().replace('"context": "local"', '"context": "prod"'))
    result = town.twit("ops", "runs", "resume", "last")
    assert result.exit_code == 3 and "belongs to context prod" in result.stderr


def test_the_groups_of_the_events_command_are_those_of_the_consumers():
    from twit.cli.ops_events import GROUPS as NAMED

    assert NAMED == GROUPS
