"""The commands over a live context, as its users type them: people, tweets, timelines, imports, operations. One world for all; each
test has people of its own in it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import msgspec
import parts
import pytest
from homes import Home
from import_worlds import activity_file, activity_lines

from twit.core.clock import SystemClock
from twit.core.events import Event, EventKind, LoggedEvent
from twit.core.limits import Limits
from twit.core.stores.live.stores import open_live_stores

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
STORES = ("mysql", "cassandra", "redis", "kafka")
PROMPT_S = 20.0  # of a command, on a machine that does much else


def write(home, namespace):
    found = parts.config(namespace)
    lines = ["[contexts.far]", 'kind = "live"', f'namespace = "{found.namespace}"', "partitions = 2"]
    lines += ['mysql_user = "live"', 'mysql_password_file = "secret"']
    lines += [f"{name} = {json.dumps([getattr(found, name).addresses[0].partition('/')[0]])}" for name in STORES]
    home.local_file.write_text("\n".join(lines))
    (home.work / "secret").write_text("live\n")
    (home.work / "secret").chmod(0o600)
    home.env["TWIT_CONTEXT"] = "far"


@pytest.fixture(scope="module")
def namespace():
    return f"clis_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def far(tmp_path, monkeypatch, namespace, made=set()):  # noqa: B006 - once for all tests
    home = Home(tmp_path)
    monkeypatch.chdir(home.work)
    write(home, namespace)
    if not made:
        home.ok("context", "init", "far")
        made.add(namespace)
    return home


def people(home, *names):
    """People of a test's own; their names."""
    tag = uuid.uuid4().hex[:6]
    made = [f"{name}_{tag}" for name in names]
    home.settle_in(" ".join(made))
    return [f"@{name}" for name in made]


def ids(home, *args):
    return home.ok(*args, "-o", "name").split()


def document(home, *args):
    return json.loads(home.ok(*args, "-o", "json"))


def inside(namespace, act):
    """Do something to the stores that no command would do."""
    async def run():
        found = parts.config(namespace, 2)
        mysql = msgspec.structs.replace(found.mysql, addresses=(found.mysql.addresses[0].partition("/")[0],))
        stores = await open_live_stores(msgspec.structs.replace(found, mysql=mysql), Limits(), SystemClock(), "a test")
        try:
            return await act(stores)
        finally:
            await stores.health.close()

    return asyncio.run(run())


def test_an_account_with_a_password_is_made_shown_and_taken_once(far):
    name = f"ada_{uuid.uuid4().hex[:6]}"
    args = ("user", "create", f"@{name}", "--email", f"{name}@example.org", "--password-file", far.password)
    far.ok(*args)
    assert document(far, "user", "show", f"@{name}")["username"] == name
    again = far.twit(*args)
    assert (again.exit_code, "USERNAME_TAKEN" in again.stderr) == (3, True)


def test_without_workers_a_command_handles_the_events_of_its_own(far):
    ada, grace = people(far, "ada", "grace")
    far.ok("follow", grace, ada)
    first = far.post(ada, "hello from afar")
    reply = far.post(grace, "heard", "--reply-to", first)
    far.ok("like", grace, first)
    assert ids(far, "timeline", grace) == [reply, first]
    told = far.ok("timeline", grace, "--explain")
    assert "pushed" in told and "row complete" in told
    assert ids(far, "thread", first) == [first, reply]
    metrics = document(far, "tweet", first)["metrics"]
    assert (metrics["likes"], metrics["replies"]) == (1, 1)
    far.ok("delete", ada, first)
    assert ids(far, "timeline", grace) == [reply]
    assert far.twit("ops", "lag", "--wait", "10s").exit_code == 0


def test_while_workers_run_elsewhere_a_post_comes_back_at_once_and_they_deliver_it(far):
    ada, grace = people(far, "ada", "grace")
    far.ok("follow", grace, ada)
    with far.process("worker") as worker:
        assert "consuming" in worker.stderr.readline()
        while any(group["owner"] == "nobody" for group in document(far, "ops", "lag")["groups"]):
            time.sleep(0.1)
        began = time.monotonic()
        told = far.twit("post", ada, "carried by another", "-v", "-o", "name")
        assert (told.exit_code, time.monotonic() - began < PROMPT_S) == (0, True)
        assert "another process handles the events of this" in told.stderr
        assert far.twit("ops", "lag", "--wait", "20s").exit_code == 0
        assert ids(far, "timeline", grace) == [told.stdout.strip()]
        worker.terminate()
        assert worker.wait(timeout=60) == 0


def test_an_import_of_activity_is_whole_repeatable_and_audited(far):
    prefix = f"i{uuid.uuid4().hex[:6]}_"
    file = activity_file(far.folder, activity_lines(300))
    made = document(far, "import", "activity", file, "--prefix", prefix)
    assert (made["rows"], made["tweets_new"] == made["tweets"], made["bad_lines"]) == (300, True, 0)
    again = document(far, "import", "activity", file, "--prefix", prefix)
    assert (again["accounts_new"], again["follows_new"], again["tweets_new"]) == (0, 0, 0)
    audit = far.twit("ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%", "--yes", "-o", "json")
    assert audit.exit_code == 0, audit.stdout
    assert [one["differences"] for one in json.loads(audit.stdout)["checks"]] == [0, 0, 0]


def test_an_import_of_a_graph_makes_its_follows(far):
    prefix = f"g{uuid.uuid4().hex[:6]}_"
    pairs = far.folder / "pairs"
    pairs.write_text("1 2\n2 3\n3 3\n1 2\n")
    made = document(far, "import", "graph", pairs, "--prefix", prefix)
    assert (made["accounts_new"], made["follows_new"], made["loops"]) == (3, 4, 1)
    assert document(far, "user", "show", f"@{prefix}2")["metrics"]["followers"] == 2


def test_timelines_are_rebuilt_by_plan_and_the_run_is_kept(far):
    ada, grace = people(far, "ada", "grace")
    far.ok("follow", grace, ada)
    told = far.post(ada, "lost and found")
    reader = document(far, "user", "show", grace)["id"]
    assert far.ok("ops", "rebuild-timeline", grace, "--dry-run").startswith("context far   plan, nothing written")
    assert document(far, "ops", "rebuild-timeline", grace)["status"] == "done"
    done = document(far, "ops", "rebuild-timeline", "--all-active", "--yes")
    assert (done["status"], done["done"] == done["total"]) == ("done", True)
    runs = document(far, "ops", "runs", "list")["runs"]
    assert [one["status"] for one in runs] == ["done", "done"] and reader
    assert ids(far, "timeline", grace) == [told]


def test_a_rebuild_that_was_killed_is_resumed(far):
    people(far, *(f"p{number}" for number in range(30)))
    with far.process("ops", "rebuild-timeline", "--all-active", "--yes", "--rate", "20/s", "-v") as run:
        while (line := run.stderr.readline()) and not line.startswith("run "):
            pass
        time.sleep(1.0)
        run.kill()
    name = line.split()[1]
    assert document(far, "ops", "runs", "resume", name)["status"] == "done"


def test_a_parked_event_is_listed_shown_and_retried(far, namespace):
    ada, grace = people(far, "ada", "grace")
    far.ok("follow", grace, ada)
    told = far.post(ada, "poison")
    author = int(document(far, "user", "show", ada)["id"])
    event = Event(kind=EventKind.TWEET_CREATED, key=author, actor=author, tweet=int(told), at_ms=SystemClock().now_ms())

    async def park(stores):
        await stores.work.park(stores.lanes("fanout")[0].name, LoggedEvent(7, event), "Traceback\nValueError: poison", event.at_ms)

    inside(namespace, park)
    (row,) = document(far, "ops", "events", "parked", "--group", "fanout")["parked"]
    assert (row["tweet"], row["error"]) == (told, "ValueError: poison")
    assert document(far, "ops", "events", "retry", row["parked_id"])["tally"] == {"retried": 1}
    assert document(far, "ops", "events", "parked")["parked"] == []
    assert ids(far, "timeline", grace) == [told]


def test_what_cannot_work_over_servers_says_so(far):
    refused = far.twit("simulate", "calibrate")
    assert (refused.exit_code, "NO_STORES" in refused.stderr, "try:" in refused.stderr) == (3, True, True)
