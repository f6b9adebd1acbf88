"""Each server killed, stopped so that it answers nothing, or out of room: what people are answered meanwhile is what docs/live.md
says, within the deadline; and once it is well the gateway catches up by itself.

Uses the servers of `TWIT_LIVE_BASE`, and leaves them running.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import servers
from crowd import Hosts, LiveVerifier
from servers.process import pid_of, wait_for
from servers.redis_cluster import ask

from tests.crash.account import Account
from tests.crash.clients import ROOT, Client, token_of, until
from twit.core.limits import Limits
from twit.ops.audit import CHECKS

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

PAGE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
COLUMNS = ("home", "tweet", "user", "post", "follow", "like")
NAMES = {"Redis": "redis", "Cassandra": "cassandra", "MySQL": "mariadb", "Kafka": "kafka"}
PARTS = {"redis": "redis", "cassandra": "cassandra", "mariadb": "mysql", "kafka": "kafka"}
LATE_S = Limits().request_deadline_ms / 1_000 * 1.1 + 1.5  # the deadline is looked at ten times in its time; and two cores are shared
BACK_S = 90
ADA, BOB, CLEO, DAN, EVE = 1, 2, 3, 4, 5  # Bob and Cleo follow Ada, Eve follows them; Bob was here before the trouble, Cleo comes amid it


class Said(NamedTuple):
    """What the page says of one server in one trouble: by known, or by new, what each request is answered, in order of `COLUMNS`."""

    server: str
    trouble: str
    known: tuple[bool, ...]
    new: tuple[bool, ...]


def said():
    """The table: `yes` where it is carried out, 503, or `yes / 503` for what the gateway remembers and what it does not."""
    for name, trouble, *cells in re.findall(r"^\| (\w+) (down|slow|full)" + r" \| ([\w/ ]+)" * len(COLUMNS) + r" \|$", PAGE, re.MULTILINE):
        both = [cell.split(" / ") for cell in cells]
        yield Said(NAMES[name], trouble, tuple(one[0] == "yes" for one in both), tuple(one[-1] == "yes" for one in both))


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    took_s: float


class Gateway:
    """A process with its consumers over the world of `hosts`, asked over HTTP, each request on a connection of its own."""

    def __init__(self, hosts):
        self.hosts = hosts
        with (hosts.home / "gateway-0.log").open("ab") as log:
            self.process, self.port = hosts.serve(stderr=log)
        hosts.gateways[:] = [(self.process, self.port)]

    def ask(self, method, path, person=0, body=None):
        connection, began = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), time.monotonic()
        headers = {"authorization": f"Bearer {token_of(person)}"} if person else {}
        headers |= {"content-type": "application/json"} if body else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text, time.monotonic() - began)

    def ready(self):
        return self.ask("GET", "/readyz").status == 200

    def home(self, person):
        return Client(self.port).home(person, limit=100)[0]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    made = Hosts(tmp_path_factory.mktemp("degraded"), f"degraded_{uuid.uuid4().hex[:8]}", partitions=1)
    made.env["TWIT_LIMITS_CELEBRITY_FOLLOWERS_MIN"] = "10000"
    made.env["TWIT_LIMITS_CELEBRITY_FOLLOWERS_EXIT"] = "9000"
    yield made
    made.end()


@pytest.fixture(scope="module")
def people(hosts):
    """They are there and follow each other. Returns Ada's tweets, two for each case."""

    async def come():
        await hosts.settle_in()
        async with hosts.opened() as twit:
            for follower, followee in ((BOB, ADA), (CLEO, ADA), (EVE, BOB), (EVE, CLEO)):
                await twit.follow(follower, followee)
            return [(await twit.post(ADA, f"before {number}")).tweet_id for number in range(16)]

    return asyncio.run(come())


def begin(server, trouble):
    if trouble == "down":
        servers.kill(server, quietly)
    elif trouble == "slow":
        signalled(server, signal.SIGSTOP)
    else:
        without_room(server, True)


def end(server, trouble):
    """It is well again."""
    if trouble == "slow":
        signalled(server, signal.SIGCONT)
    if trouble == "full":
        without_room(server, False)
    servers.start(server, quietly)
    one = servers.SERVERS[server]
    wait_for(server, one.ready, one.processes(), limit_s=BACK_S)


def without_room(server, full):
    """Redis reaches its memory's bound."""
    for at in servers.SERVERS[server].ports():
        assert ask(at, f"CONFIG SET maxmemory {'1mb' if full else '256mb'}").startswith("+OK")


def signalled(server, sign):
    for name in servers.SERVERS[server].processes():
        os.kill(pid_of(name), sign)


def quietly(_line):
    """The record says what matters."""


def requests(tweet, user, *, person):
    """What `COLUMNS` names, of this tweet and this user."""
    post = '{"text": "meanwhile"}'
    return [
        ("GET", "/api/v1/timeline/home", person), ("GET", f"/api/v1/tweets/{tweet}", person), ("GET", f"/api/v1/users/{user}", person),
        ("POST", "/api/v1/tweets", person, post), ("POST", f"/api/v1/users/{user}/follow", person, "{}"),
        ("POST", f"/api/v1/tweets/{tweet}/like", person),
    ]  # fmt: skip


def right(answer, carried_out):
    """As it is said, in time, and never a bug."""
    assert answer.took_s < LATE_S, answer
    if carried_out:
        return answer.status in {200, 201}
    assert answer.status < 500 or answer.headers["content-type"].startswith("application/problem+json"), answer
    return answer.status == 503 and int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("said", list(said()), ids=lambda one: f"{one.server}-{one.trouble}")
def test_what_is_said_of_a_server_in_trouble(hosts, people, said):
    server, trouble = said.server, said.trouble
    gateway, (known_tweet, new_tweet) = Gateway(hosts), (people.pop(), people.pop())
    until(gateway.ready, BACK_S)
    until(lambda: known_tweet in gateway.home(BOB), BACK_S)
    for method, path, person, *_ in requests(known_tweet, ADA, person=BOB)[:3]:
        assert gateway.ask(method, path, person).status == 200
    asked = [*requests(known_tweet, ADA, person=BOB), *requests(new_tweet, DAN, person=CLEO)]
    begin(server, trouble)
    try:
        with ThreadPoolExecutor(len(asked) + 1) as pool:
            readiness = pool.submit(gateway.ask, "GET", "/readyz")
            answers = list(pool.map(lambda one: gateway.ask(*one), asked))
            parts = readiness.result()
    finally:
        end(server, trouble)
    cells = zip([*((name, "known") for name in COLUMNS), *((name, "new") for name in COLUMNS)], answers, (*said.known, *said.new), strict=True)
    wrong = [(*cell, answer.status, answer.body) for cell, answer, expected in cells if not right(answer, expected)]
    assert wrong == []
    if trouble != "full":  # that one is read; consumers say what they wait for, once they have something to deliver
        assert parts.status == 503 and f'"{PARTS[server]}' in parts.body, parts
    until(gateway.ready, BACK_S)
    posted = [int(re.search(r'"tweet_id":"(\d+)"', answer.body)[1]) for answer in answers if answer.status == 201 and "meanwhile" in answer.body]
    until(lambda: set(posted) <= set(gateway.home(EVE)), BACK_S)
    hosts.check()
    hosts.kill(gateway.process)
    hosts.gateways.clear()


async def test_afterwards_nothing_waits_and_the_audit_finds_no_difference(hosts, people):
    gateway = Gateway(hosts)
    until(gateway.ready, BACK_S)
    async with hosts.opened() as twit:
        verifier = LiveVerifier(twit, Account())
        await verifier.settle()
        for check in CHECKS:
            assert (await verifier.audit(check)).looked_at > 0
