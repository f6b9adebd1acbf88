"""serve and worker: processes that run until told to stop, beside commands on the same data."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
import urllib.request

import pytest

from twit import __version__


class Server:
    """`twit serve` as a process, up."""

    def __init__(self, home, *args):
        self.process = home.process("serve", "--port", 0, *args)
        self.line = self.process.stdout.readline()
        found = re.search(r"http://[0-9.]+:[0-9]+", self.line)
        assert found, self.process.communicate(timeout=10)
        self.url = found[0]

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def stop(self, number=signal.SIGTERM):
        """Exit code, the rest of stdout, stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def serve(home):
    servers = []

    def start(*args):
        servers.append(Server(home, *args))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()


def test_one_line_says_what_is_served_where_and_a_signal_drains(home, serve):
    server = serve()
    context = rf"twit {re.escape(__version__)}  context=local \(\S+\)  {server.url}  metrics=/metrics  Ctrl-C drains\n"
    assert re.fullmatch(context, server.line)
    assert server.stop(signal.SIGINT) == (0, "", "drained\n")


def test_the_line_is_an_object_with_o_json(home):
    process = home.process("serve", "--port", 0, "-o", "jsonl")
    row = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (row["context"], row["data"], row["version"]) == ("local", str(home.data), __version__)


def test_what_commands_do_beside_a_server_is_served_at_once_and_in_the_same_shape(town, serve):
    server = serve()
    tweet = json.loads(town.ok("post", "@ada", "beside", "-o", "json"))
    assert server.get(f"/api/v1/tweets/{tweet['tweet_id']}") == tweet
    assert server.get("/api/v1/users/1/tweets") == json.loads(town.ok("timeline", "@ada", "--user", "-o", "json"))
    assert server.get(f"/api/v1/tweets/{tweet['tweet_id']}/thread") == json.loads(town.ok("thread", tweet["tweet_id"], "-o", "json"))
    shown = json.loads(town.ok("user", "show", "@ada", "-o", "json"))
    assert server.get("/api/v1/users/1") == {key: value for key, value in shown.items() if key not in {"email", "status"}}


def test_a_port_in_use_is_refused_by_name(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = home.shell("serve", "--port", port)
    assert (code, out) == (3, "")
    assert f"127.0.0.1:{port}" in err
    assert "ADDRESS_TAKEN" in err


def test_rate_limits_off_are_warned_about(home, serve):
    home.env["TWIT_RATE_LIMITS"] = "off"
    _, _, err = serve().stop()
    assert "warning: rate limits are off (from TWIT_RATE_LIMITS)" in err


def test_host_and_port_come_from_settings_too(home):
    home.env["TWIT_HOST"] = "no such host"
    code, _, err = home.shell("serve")
    assert code in {2, 3}
    assert "no such host" in err
    assert "BUG" not in err


def test_a_server_without_consumers_leaves_delivery_to_a_worker(town, serve):
    server = serve("--no-consumers")
    assert server.url
    town.post("@ada", "delivered by whom?")
    assert town.ok("timeline", "@grace", "--explain").startswith("pushed")


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_a_worker_handles_what_is_pending_and_leaves(town):
    town.post("@ada", "hello")
    assert town.shell("worker", "--until-idle")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_runs_until_a_signal_and_leaves_with_0(town, number):
    process = town.process("worker", "fanout")
    assert "consuming fanout" in process.stderr.readline()
    process.send_signal(number)
    assert (process.wait(60), process.stdout.read()) == (0, "")


def test_a_worker_delivers_what_others_post(town):
    process = town.process("worker")
    process.stderr.readline()
    town.post("@ada", "hello")
    until(lambda: town.ok("timeline", "@grace", "--explain").startswith("pushed"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.parametrize("args", [
    ("worker", "search"), ("serve", "--port", "65536"), ("serve", "--port", "-1"), ("serve", "--drain-timeout", "-1"), ("serve", "extra"),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_is_opened(home, args):
    assert home.twit(*args).exit_code == 2
    assert not home.data.exists()
