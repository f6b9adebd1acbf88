"""A live context on real servers, through the commands: made, checked, told apart from one that is not there or does not fit."""

from __future__ import annotations

import json
import uuid

import parts
import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
STORES = ("mysql", "cassandra", "redis", "kafka")


def write(home, namespace, **more):
    found = parts.config(namespace)
    lines = ["[contexts.far]", 'kind = "live"', f'namespace = "{namespace}"', 'mysql_user = "live"', 'mysql_password_file = "secret"']
    lines += [f"{name} = {json.dumps(list(getattr(found, name).addresses))}" for name in STORES if name != "mysql"]
    lines += [f"mysql = {json.dumps([found.mysql.addresses[0].partition('/')[0]])}", f"partitions = {more.pop('partitions', 2)}"]
    home.local_file.write_text("\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in more.items())]))
    (home.work / "secret").write_text("live\n")
    (home.work / "secret").chmod(0o600)


def checked(home):
    """Exit code, and what is said of each store."""
    result = home.twit("context", "check", "far", "-o", "json")
    return result.exit_code, {row["name"]: row for row in json.loads(result.stdout)["checks"] if row["name"] in STORES}


@pytest.fixture(scope="module")
def namespace():
    """One world for the tests of this file that only look: making one takes seconds."""
    return f"cli_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def far(home, namespace):
    write(home, namespace)
    home.ok("context", "init", "far")
    return home


def test_what_was_not_made_is_said_store_by_store_with_what_to_do(home):
    write(home, f"none_{uuid.uuid4().hex[:8]}")
    code, rows = checked(home)
    assert code == 4
    for name in ("mysql", "cassandra", "kafka"):
        assert (rows[name]["status"] == "ok", rows[name]["try"]) == (False, "twit context init far"), name


def test_once_made_all_is_well_and_making_it_again_changes_nothing(far):
    code, rows = checked(far)
    assert (code, {row["status"] for row in rows.values()}) == (0, {"ok"})
    again = json.loads(far.ok("context", "init", "far", "-o", "json"))
    assert [one["name"] for one in again["stores"]] == list(STORES)
    assert checked(far) == (code, rows)


def test_one_server_that_is_down_does_not_hide_the_others(far, namespace):
    write(far, namespace, partitions=2)
    text = far.local_file.read_text()
    far.local_file.write_text("\n".join('kafka = ["127.0.0.1:1"]' if line.startswith("kafka =") else line for line in text.splitlines()))
    code, rows = checked(far)
    assert (code, rows["kafka"]["code"]) == (5, "STORE_DOWN")
    assert [rows[name]["status"] for name in ("mysql", "cassandra", "redis")] == ["ok"] * 3


def test_another_number_of_partitions_than_was_made_is_refused(far, namespace):
    write(far, namespace, partitions=3)
    code, rows = checked(far)
    assert (code, "2 partitions" in rows["kafka"]["status"]) == (4, True)
    assert far.twit("context", "init", "far").exit_code == 5


def test_a_user_that_is_not_let_in_is_told(far, namespace):
    (far.work / "secret").write_text("wrong")
    code, rows = checked(far)
    assert (code, rows["mysql"]["code"], "Access denied" in rows["mysql"]["status"]) == (5, "STORE_DOWN", True)


def test_a_datacenter_that_there_is_not_is_told(far, namespace):
    write(far, namespace, local_datacenter="moon")
    code, rows = checked(far)
    assert (code, "there are datacenter1" in rows["cassandra"]["status"]) == (5, True)


def test_what_one_command_does_the_next_one_sees(far):
    far.env["TWIT_CONTEXT"] = "far"
    far.settle_in()
    far.ok("follow", "@grace", "@ada")
    told = far.post("@ada", "hello from afar")
    assert far.ok("timeline", "@grace", "-o", "name").split() == [told]
    far.ok("like", "@grace", told)
    shown = json.loads(far.ok("tweet", told, "-o", "json"))
    assert (shown["text"], shown["metrics"]["likes"]) == ("hello from afar", 1)
    assert [group["lag_ms"] for group in json.loads(far.ok("ops", "lag", "-o", "json"))["groups"]] == [0, 0]
    assert "0 differences" in far.ok("ops", "audit", "--check", "timelines", "--sample", "100%", "--yes")
    far.ok("delete", "@ada", told)
    assert far.ok("timeline", "@grace", "-o", "name") == ""


def test_a_world_that_was_not_made_is_not_opened_and_says_what_to_run(home):
    write(home, f"none_{uuid.uuid4().hex[:8]}")
    result = home.twit("user", "list", "--context", "far")
    assert (result.exit_code, "twit context init" in result.stderr, "BUG" in result.stderr) == (5, True, False)


def test_a_worker_of_its_own_delivers_what_others_post(far):
    far.env["TWIT_CONTEXT"] = "far"
    far.settle_in("lin max")
    far.ok("follow", "@max", "@lin")
    with far.process("worker", "fanout", "social") as worker:
        assert "consuming" in worker.stderr.readline()
        told = far.post("@lin", "carried by another")
        assert far.ok("timeline", "@max", "-o", "name").split() == [told]
        worker.terminate()
        assert worker.wait(timeout=30) == 0
