"""Live contexts as far as no server is needed: their settings, what is missing, and servers that are not there."""

from __future__ import annotations

import json
import socket

import pytest

from twit.cli.live import live_config
from twit.core import settings

KEYS = {
    "redis": '["127.0.0.1:{port}"]',
    "cassandra": '["127.0.0.1:{port}"]',
    "mysql": '["127.0.0.1:{port}/twit"]',
    "kafka": '["127.0.0.1:{port}"]',
}


@pytest.fixture
def nowhere():
    """A port that nothing listens on, and that nobody else is given."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def write(home, port, without="", more=""):
    lines = [f"{key} = {value.format(port=port)}" for key, value in KEYS.items() if key != without]
    home.local_file.write_text("\n".join(["[contexts.far]", 'kind = "live"', *lines, more]))


def config_of(home):
    return live_config(settings.load(home.env, home.work).named("far"))


def test_its_settings_are_shown_and_secrets_are_not(home, nowhere):
    write(home, nowhere, more='mysql_user = "twit"\nmysql_password_file = "secret"\nnamespace = "stage"')
    shown = json.loads(home.ok("context", "show", "far", "-o", "json"))["settings"]
    assert (shown["redis"], shown["namespace"]) == ([f"127.0.0.1:{nowhere}"], "stage")
    assert shown["mysql_password_file"] == str(home.work / "secret")


def test_its_settings_reach_the_stores(home, nowhere):
    (home.work / "secret").write_text("hunter2\n")
    (home.work / "secret").chmod(0o600)
    (home.work / "ca.pem").write_text("")
    more = 'kafka_user = "twit"\nkafka_password_file = "secret"\nkafka_ca_file = "ca.pem"\npartitions = 4\nreplication = 3\nlayout = "sorted-set"'
    write(home, nowhere, more=more)
    found = config_of(home)
    assert (found.kafka.user, found.kafka.password, found.kafka.ca_file) == ("twit", "hunter2", str(home.work / "ca.pem"))
    assert (found.redis.user, found.redis.password, found.redis.ca_file) == ("", "", "")
    assert (found.mysql.addresses, found.namespace) == ((f"127.0.0.1:{nowhere}/twit",), "twit")
    assert (found.partitions, found.replication, found.layout, found.local_datacenter) == (4, 3, "sorted-set", "datacenter1")


@pytest.mark.parametrize("missing", KEYS)
@pytest.mark.parametrize("command", [("user", "list"), ("context", "check"), ("context", "init", "far")])
def test_a_key_that_is_missing_is_named_with_an_example(home, nowhere, missing, command):
    write(home, nowhere, without=missing)
    result = home.twit(*command, "--context", "far")
    assert (result.exit_code, f"where {missing} is" in result.stderr, f'{missing} = ["127.0.0.1' in result.stderr) == (2, True, True)


@pytest.mark.parametrize("line", [
    'namespace = "My World"', 'namespace = "1"', "partitions = 0", 'partitions = "many"', "replication = -1", 'layout = "tree"', 'local_datacenter = ""',
    'redis_password = "x"', "kafka_ca_file = 3",
])  # fmt: skip
def test_a_value_of_the_wrong_shape_is_refused_with_its_line(home, nowhere, line):
    write(home, nowhere, more=line)
    result = home.twit("context", "check", "far")
    assert (result.exit_code, "./twit.toml:7" in result.stderr) == (2, True)


@pytest.mark.parametrize(("server", "address"), [
    ("redis", "127.0.0.1"), ("redis", "127.0.0.1:0"), ("kafka", "127.0.0.1:70000"), ("cassandra", ":9042"), ("kafka", "127.0.0.1:9092/twit"),
    ("mysql", "127.0.0.1:3306/"), ("mysql", "127.0.0.1:port/twit"),
])  # fmt: skip
def test_an_address_that_is_none_is_refused_with_an_example(home, nowhere, server, address):
    write(home, nowhere, without=server, more=f'{server} = "{address}"')
    result = home.twit("context", "check", "far")
    assert (result.exit_code, f"no address of {server}" in result.stderr, "such as" in result.stderr) == (2, True, True)


def test_checking_says_of_each_server_that_is_down_what_to_do(home, nowhere):
    write(home, nowhere)
    result = home.twit("context", "check", "far", "-o", "json")
    rows = {row["name"]: row for row in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 5
    assert set(rows) == set(KEYS)
    for row in rows.values():
        assert (row["code"], str(nowhere) in row["status"], bool(row["try"])) == ("STORE_DOWN", True, True)
    assert "mysql, cassandra, redis, kafka down" in result.stderr


def test_a_file_of_certificates_that_is_not_there_is_told(home, nowhere):
    write(home, nowhere, more='cassandra_ca_file = "ca.pem"')
    result = home.twit("context", "check", "far")
    assert (result.exit_code, "./twit.toml:7" in result.stderr, "ca.pem is not there" in result.stderr) == (2, True, True)


def test_schemas_are_not_made_where_a_server_is_down(home, nowhere):
    write(home, nowhere)
    result = home.twit("context", "init", "far")
    assert (result.exit_code, "STORE_DOWN" in result.stderr) == (5, True)


def test_a_protected_one_wants_a_reason_and_its_name(home, nowhere):
    write(home, nowhere, more="protected = true")
    for args, code, said in [((), 2, "--reason"), (("--reason", "x"), 2, "--confirm far"), (("--reason", "x", "--confirm", "near"), 3, "is not far")]:
        result = home.twit("context", "init", "far", *args)
        assert (result.exit_code, said in result.stderr) == (code, True)
    assert home.twit("context", "init", "far", "--reason", "x", "--confirm", "far").exit_code == 5


@pytest.mark.parametrize("option", [("--data", "x"), ("--protected",)])
def test_what_its_file_says_cannot_be_said_anew(home, nowhere, option):
    write(home, nowhere)
    assert home.twit("context", "init", "far", *option).exit_code == 3


def test_there_is_nothing_of_its_own_to_measure(home, nowhere):
    write(home, nowhere)
    result = home.twit("simulate", "calibrate", "--context", "far")
    assert (result.exit_code, "servers that others use" in result.stderr) == (3, True)
