"""A live world with gateways and workers as processes of their own, and a crowd that acts on it over HTTP.

Whoever is not answered repeats the same act, under the same key, at whatever gateway there is, until he is: so nothing stays
unknown, and what was answered is kept in an `Account` to be held against the stores.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import re
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import ClassVar

import msgspec
import parts

from tests.crash.account import EVERYBODY, Verifier, everybody
from tests.crash.clients import Client, Processes, session_of, until
from tests.crash.poster import HOUSEHOLDS, LIMITS, Orders, Town
from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.errors import Refused
from twit.core.limits import Limits
from twit.core.offload import InlineOffload
from twit.core.stores.live.check import init_stores
from twit.core.stores.live.stores import open_live_stores
from twit.core.wiring import build
from twit.core.workers import GROUPS

PARTITIONS = 4
PAGE = 100
PAUSE_S = 0.05  # of a household between two acts: some tens of acts a second
AGAIN_S = 0.2  # before an act that was not answered is repeated
SETTLE_S = 120  # generous: a wait ends when what is waited for is there
LATE_MS = 30_000  # an older row is of a batch that Cassandra finished late: nobody was answered, and who repeated it made another
SMALL = msgspec.structs.replace(LIMITS, store_timeout_ms=5_000)


class Hosts(Processes):
    """Gateways, each with a port, and workers, over a live world of this test's own; each has a slot in which it starts again."""

    def __init__(self, home, namespace, partitions=PARTITIONS):
        self.config = parts.config(namespace, partitions)
        super().__init__(home, environment(SMALL) | {"TWIT_CONTEXT": "far"})
        self.gateways, self.workers = [], []
        lines = ["[contexts.far]", 'kind = "live"', f'namespace = "{self.config.namespace}"', 'mysql_user = "live"', 'mysql_password_file = "secret"']
        lines += [f"{name} = {json.dumps(list(getattr(self.config, name).addresses))}" for name in ("mysql", "cassandra", "redis", "kafka")]
        (home / "twit.toml").write_text("\n".join([*lines, f"partitions = {partitions}"]))
        (home / "secret").write_text("live\n")
        (home / "secret").chmod(0o600)

    async def settle_in(self):
        """People who have logged in, and nothing else."""
        await init_stores(self.config, SMALL, lambda *_: None)
        async with self.opened() as twit:
            await twit.accounts.add(everybody())
            for person in EVERYBODY:
                await twit.stores.tokens.put(session_of(person))

    @asynccontextmanager
    async def opened(self):
        """The service over the same stores, in this process; it consumes nothing."""
        stores = await open_live_stores(self.config, SMALL, SystemClock(), "the test")
        try:
            yield await build(
                stores, limits=SMALL, clock=SystemClock(), chance=random.Random(1), entropy=SystemEntropy(), offload=InlineOffload(),
                name="the test",
            )  # fmt: skip
        finally:
            await stores.health.close()

    def gateway(self, slot):
        """Start one, in a new slot or in place of one that is gone."""
        with self.log("gateway", slot).open("ab") as log:
            started = self.serve("--no-consumers", stderr=log)
        self.gateways[slot : slot + 1] = [started]

    def worker(self, slot):
        """The same of a worker; come back when it consumes."""
        with self.log("worker", slot).open("ab") as log:
            before = log.tell()
            self.workers[slot : slot + 1] = [self.twit("worker", stderr=log)]
        until(lambda: b"consuming" in self.log("worker", slot).read_bytes()[before:], 120)

    def log(self, what, slot):
        return self.home / f"{what}-{slot}.log"

    def ports(self):
        """Of the gateways that run."""
        return [port for process, port in self.gateways if process.poll() is None]

    def check(self):
        """Whoever was not killed runs, and nobody met what must not be."""
        for process in (*self.workers, *(process for process, _ in self.gateways)):
            assert process.poll() is None, f"ended by itself with {process.returncode}"
        for log in self.home.glob("*.log"):
            text = log.read_text(errors="replace")
            assert "BUG" not in text, f"{log}: {text[-4_000:]}"


def environment(limits):
    """These limits as settings of a process."""
    usual = Limits()
    return {
        f"TWIT_LIMITS_{name.upper()}": str(value)
        for name in Limits.__struct_fields__ if (value := getattr(limits, name)) != getattr(usual, name)
    }  # fmt: skip


class Unanswered(Exception):
    """Nobody knows whether it was done."""


class Doors:
    """The service as `Town` knows it, over HTTP: each request by any gateway that runs."""

    def __init__(self, hosts, chance):
        self.hosts, self.chance = hosts, chance
        self.clients = {}  # (person, port) → a connection: a person's acts come one after the other
        self.statuses = Counter()

    async def ask(self, person, method, path, body=None, **headers):
        ports = self.hosts.ports()
        if not ports:
            raise Unanswered
        status, answer = await asyncio.to_thread(self._ask, self.chance.choice(ports), person, method, path, body, headers)
        self.statuses[status] += 1
        assert status != 500, (method, path, answer)
        if status < 300:
            return answer
        if status >= 500:
            raise Unanswered(f"{status} {answer}")
        assert status in {403, 404, 410}, (status, method, path, answer)
        raise Refused(str(answer))

    def _ask(self, port, person, method, path, body, headers):
        client = self.clients.setdefault((person, port), Client(port))
        try:
            return client.ask(method, f"/api/v1{path}", person, body, **headers)
        except (OSError, http.client.HTTPException) as error:
            self.clients.pop((person, port)).connection.close()
            raise Unanswered(str(error)) from error

    async def post(self, actor, text, *, reply_to=0, quote_of=0, idempotency_key=""):
        body = {"text": text}
        body |= {"reply_to_tweet_id": str(reply_to)} if reply_to else {}
        body |= {"quote_tweet_id": str(quote_of)} if quote_of else {}
        return _tweet(await self.ask(actor, "POST", "/tweets", body, idempotency_key=idempotency_key))

    async def retweet(self, actor, tweet):
        try:
            return _tweet(await self.ask(actor, "POST", f"/tweets/{tweet}/retweet"))
        except Refused as refused:
            made = re.search(r"made tweet (\d+)", str(refused))  # 410: it stands, and its original was deleted before it could be shown
            if made is None:
                raise
            return SimpleNamespace(tweet_id=int(made[1]))

    async def unretweet(self, actor, tweet):
        await self.ask(actor, "DELETE", f"/tweets/{tweet}/retweet")
        return True

    async def delete(self, actor, tweet):
        await self.ask(actor, "DELETE", f"/tweets/{tweet}")

    async def follow(self, actor, other, *, retweets=True):
        return bool(await self.ask(actor, "POST", f"/users/{other}/follow", {"retweets": retweets}))

    async def unfollow(self, actor, other):
        await self.ask(actor, "DELETE", f"/users/{other}/follow")
        return True

    async def home(self, person, port=0):
        """Ids of the first page, by one gateway or any."""
        path = f"/timeline/home?limit={PAGE}"
        if not port:
            page = await self.ask(person, "GET", path)
        else:
            status, page = await asyncio.to_thread(Client(port).ask, "GET", f"/api/v1{path}", person)
            if status == 503:
                raise Unanswered(page)
            assert status == 200, page
        return [int(tweet["tweet_id"]) for tweet in page["tweets"]]


def _tweet(answer):
    return SimpleNamespace(tweet_id=int(answer["tweet_id"]))


class Crowd(Town):
    """Households that act until they are told to be quiet, and a reader. Nobody goes on before he was answered."""

    verbs: ClassVar = {"post": 30, "reply": 8, "quote": 3, "retweet": 8, "unretweet": 4, "delete": 10, "edge": 20}

    def __init__(self, hosts, account, seed):
        super().__init__(Doors(hosts, random.Random(seed)), Orders(seed=seed), account.hear)
        self.eyes = Doors(hosts, random.Random(seed))
        self.going, self.busy = asyncio.Event(), 0
        self.longest_s = 0.0  # that somebody has waited for an answer
        self.pages = 0

    async def perform(self, act, *, again=False):
        began = time.monotonic()
        while True:
            try:
                await super().perform(act, again=again)
            except Unanswered:
                again = True
                await asyncio.sleep(AGAIN_S)
            else:
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                return

    async def household(self, people):
        while True:
            await self.going.wait()
            self.busy += 1
            await self.perform(self.choose(people))
            self.busy -= 1
            await asyncio.sleep(PAUSE_S)

    async def reads(self):
        """Somebody looks at his home timeline all the while: newest first, nothing twice."""
        while True:
            await self.going.wait()
            try:
                ids = await self.eyes.home(self.chance.choice(EVERYBODY))
            except Unanswered:
                await asyncio.sleep(AGAIN_S)
                continue
            assert ids == sorted(set(ids), reverse=True), ids
            self.pages += 1
            await asyncio.sleep(PAUSE_S)

    async def quiet(self):
        """Come back when everybody has been answered."""
        self.going.clear()
        async with asyncio.timeout(SETTLE_S):
            while self.busy:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def acting(self):
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self.household(people)) for people in HOUSEHOLDS] + [tasks.create_task(self.reads())]
            self.going.set()
            yield self
            for task in running:
                task.cancel()


class LiveVerifier(Verifier):
    """The same, where other processes consume."""

    limits, wait_ms = SMALL, 60_000

    async def settle(self):
        """What a dead process left in an outbox is sent by another, some seconds later, and what one group does makes events for
        the other."""
        still, sources = 0, self.stores._kafka.relay._sources.values()
        try:
            async with asyncio.timeout(SETTLE_S):
                while still < 2:
                    await asyncio.sleep(0.1)
                    now_ms = SystemClock().now_ms()
                    rows = [one for source in sources for one in await source.waiting(now_ms, 1_000)]
                    waiting = [one for one in rows if one.event.at_ms > now_ms - LATE_MS]
                    await self.stores.log.caught_up()
                    lags = await self.stores.log.lag(GROUPS, now_ms)
                    still = still + 1 if not waiting and not any(lag.events or lag.work for lag in lags) else 0
        except TimeoutError as error:
            what = f"never settled: {waiting[:5]} unsent, {lags}, {[await lane.work.pending(lane.name) for lane in self.lanes()]}"
            raise AssertionError(what) from error

    def lanes(self):
        return [lane for group in GROUPS for lane in self.stores.lanes(group)]

    async def doors(self, doors):
        """Every gateway shows everybody what he should see, as soon as it has heard what the others did."""
        for port in doors.hosts.ports():
            for reader in EVERYBODY:
                expected = self.model.home(reader)[:PAGE]
                found = None
                async with asyncio.timeout(SETTLE_S):
                    while found != expected:
                        with suppress(Unanswered):  # the other one may have found the server first
                            found = await doors.home(reader, port)
                        await asyncio.sleep(0.2 if found != expected else 0)
