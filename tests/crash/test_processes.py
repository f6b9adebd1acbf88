"""Several real processes on one data directory: what they answer while all of them write, and who goes on when one is killed."""

import asyncio
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.crash.clerk import open_twit
from tests.crash.clients import PAGE, Client, Processes, session_of, until
from twit.core.clock import SystemClock
from twit.core.limits import limits_from
from twit.core.model import NewAccount
from twit.core.workers import GROUPS
from twit.ops.audit import Auditor

ROOT = Path(__file__).parent.parent.parent
SECONDS = float(os.environ.get("TWIT_CRASH_SECONDS", "12"))
AUTHORS = (1, 2, 3, 4)  # 1 has more followers than may be pushed; 4 posts by the command line
PEOPLE = 30
HEARD_S = 1.0  # within this, what others said before a page was made has reached us
LIMITS = {
    "TWIT_LIMITS_CELEBRITY_FOLLOWERS_MIN": "25", "TWIT_LIMITS_CELEBRITY_FOLLOWERS_EXIT": "20", "TWIT_LIMITS_FANOUT_BATCH": "8",
    "TWIT_LIMITS_TIMELINE_ENTRIES_MAX": "60", "TWIT_LIMITS_STORE_TIMEOUT_MS": "30000", "TWIT_LIMITS_REQUEST_DEADLINE_MS": "30000",
}  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def follows(reader):
    """All follow 1; every other author has two readers in three."""
    return [author for author in AUTHORS if author != reader and (author == 1 or (reader + author) % 3)]


class Folder(Processes):
    """A data directory, and the processes on it."""

    def __init__(self, tmp_path):
        self.data = tmp_path / "data"
        super().__init__(tmp_path, LIMITS | {"TWIT_DATA": str(self.data)})

    async def settle_in(self):
        twit = await open_twit(self.data, LIMITS)
        people = [
            NewAccount(username=f"u{n}", email=f"u{n}@example.org", password_hash="", display_name="", created_ms=0)
            for n in range(1, PEOPLE + 1)
        ]
        await twit.accounts.add(people)
        for person in range(1, PEOPLE + 1):
            await twit.stores.tokens.put(session_of(person))
            for author in follows(person):
                await twit.follow(person, author)
        first = [(await twit.post(author, "before", idempotency_key=f"{n}")).tweet_id for n in range(20) for author in AUTHORS]
        await twit.workers.drain()
        await twit.stores.health.close()
        return first


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path)
    yield made
    made.end()


class Known:
    """What was acknowledged, by whatever process. Sets only grow."""

    def __init__(self, first):
        self.author = dict(zip(first, AUTHORS * (len(first) // len(AUTHORS)), strict=True))
        self.deleting, self.deleted = set(), set()
        self.newest = {author: max(t for t, a in self.author.items() if a == author) for author in AUTHORS}

    def posted(self, author, tweet):
        self.author[tweet] = author
        self.newest[author] = tweet

    def hear(self, lines):
        for line in lines:
            match line.split():
                case ["post", author, tweet]:
                    self.posted(int(author), int(tweet))
                case ["deleting", tweet]:
                    self.deleting.add(int(tweet))
                case ["deleted", tweet]:
                    self.deleted.add(int(tweet))


class Checker:
    """Reads home timelines all the while and looks at every page."""

    def __init__(self, port, known, seed):
        self.client, self.known, self.chance = Client(port), known, random.Random(seed)
        self.pages = 0
        self.wrong = ""

    def run(self, stop):
        try:
            while not stop.is_set():
                reader, cursor = self.chance.randint(1, PEOPLE), ""
                for _ in range(self.chance.choice((1, 1, 2, 5))):
                    cursor = self.look(reader, cursor)
                    if not cursor:
                        break
        except Exception as error:
            self.wrong = f"{type(error).__name__}: {error}"

    def look(self, reader, cursor):
        known = self.known
        gone, own = set(known.deleted), known.newest.get(reader, 0)
        ids, page = self.client.home(reader, cursor)
        assert ids == sorted(set(ids), reverse=True), f"{reader}: not sorted or not unique: {ids}"
        assert gone.isdisjoint(ids), f"{reader}: a stale answer: {sorted(gone.intersection(ids))} was deleted before"
        authors = {int(tweet["user"]["id"]) for tweet in page["tweets"]}
        assert authors <= {reader, *follows(reader)}, f"{reader}: somebody else's row: {authors}"

        def fills():
            """A page may lack what was being deleted while it was made."""
            return not page["has_more"] or len(ids) >= PAGE - len(known.deleting - gone)

        def holds_own():
            return not own or cursor or own in ids or own in known.deleting or ids[-1] > own

        if not (fills() and holds_own()):
            time.sleep(HEARD_S)
        assert fills(), f"{reader}: a short page: {len(ids)} with {len(known.deleting - gone)} deletes under way"
        assert holds_own(), f"{reader}: his own {own} is not there: {ids}"
        self.pages += 1
        return page["next_cursor"]


@contextmanager
def threads(stop, *targets):
    running = [threading.Thread(target=target) for target in targets]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in running:
            thread.join(120)


def test_all_at_once_on_one_folder_no_torn_row_no_stale_answer(folder):
    """A server, a worker, a process that posts, deletes and loses rows, commands that post and delete, rebuild-timeline over and
    over, and readers."""
    known = Known(asyncio.run(folder.settle_in()))
    _, port = folder.serve("--no-consumers")
    worker = folder.twit("worker")
    clerk = folder.start(
        sys.executable, "-m", "tests.crash.clerk", str(folder.data), str(PEOPLE), *map(str, AUTHORS[:3]), stdin=subprocess.PIPE,
    )  # fmt: skip
    assert clerk.stdout.readline() == "ready\n"
    stop, failures, commands, rebuilds = threading.Event(), [], [], []

    def commanding():
        """@u4 posts and takes back, each by a command of its own."""
        while not stop.is_set():
            code, out = folder.done("post", "@u4", "by command", "-o", "name")
            if code:
                failures.append(("post", code))
                return
            tweet = int(out)
            known.posted(4, tweet)
            commands.append(tweet)
            if len(commands) % 2 == 0:
                known.deleting.add(tweet)
                code, _ = folder.done("delete", "@u4", tweet)
                if code:
                    failures.append(("delete", code))
                known.deleted.add(tweet)

    def rebuilding():
        while not stop.is_set():
            code, out = folder.done("ops", "rebuild-timeline", "--all-active", "--yes")
            if code:
                failures.append(("rebuild-timeline", code, out))
            rebuilds.append(code)

    checkers = [Checker(port, known, seed) for seed in range(2)]
    with threads(stop, lambda: known.hear(clerk.stdout), commanding, rebuilding, *(lambda c=c: c.run(stop) for c in checkers)):
        time.sleep(SECONDS)
        clerk.stdin.close()
    assert [checker.wrong for checker in checkers] == ["", ""]
    assert failures == []
    assert clerk.wait(60) == 0
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    pages = sum(checker.pages for checker in checkers)
    asyncio.run(settled(folder, known))
    print(
        f"{SECONDS:g} s: {pages} pages read while {len(known.author)} tweets were made, {len(known.deleted)} deleted, {len(commands)} "
        f"by commands, {len(rebuilds)} rebuilds of all: none torn, none stale, none short"
    )
    assert pages > 20
    assert commands
    assert rebuilds


async def settled(folder, known):
    """At rest, every home timeline is what was acknowledged, and the rows are what they should be."""
    twit = await open_twit(folder.data, LIMITS)
    await twit.workers.drain()
    standing = sorted(set(known.author) - known.deleted, reverse=True)
    for reader in range(1, PEOPLE + 1):
        seen = {reader, *follows(reader)}
        ids, cursor, more = [], "", True
        while more:
            page = (await twit.home_timeline(reader, cursor, 200)).page
            ids += [tweet.tweet_id for tweet in page.tweets]
            cursor, more = page.next_cursor, page.has_more
        assert ids == [tweet for tweet in standing if known.author[tweet] in seen], f"home of {reader}"
        raw = (await twit.stores.timelines.raw(reader))[:, 0]
        assert len(np.unique(raw)) == len(raw)
    auditor = Auditor(twit.stores, limits_from(LIMITS), SystemClock(), Quiet(), share=1.0, seed=1, wait_ms=0)
    for check in ("timelines", "graph", "counts"):
        assert (await auditor.check(check)).differences == ()
    await twit.stores.health.close()


class Quiet:
    def progress(self, progress):
        pass


def test_two_servers_on_one_folder_and_the_one_that_consumes_is_killed(folder):
    asyncio.run(folder.settle_in())
    (holder, first), (_, second) = folder.serve(), folder.serve()
    one, other = Client(first), Client(second)
    until(lambda: one.groups() == dict.fromkeys(GROUPS, "ok"), 10)
    until(lambda: other.groups() == dict.fromkeys(GROUPS, "elsewhere"), 10)
    status, tweet = other.ask("POST", "/api/v1/tweets", 2, {"text": "by the one that does not consume"})
    assert status == 201
    reader = next(person for person in range(5, PEOPLE) if 2 in follows(person))
    delivered = until(lambda: one.home(reader)[0][0] == int(tweet["tweet_id"]), 10)
    assert other.home(reader)[0] == one.home(reader)[0]
    assert one.ask("DELETE", f"/api/v1/tweets/{tweet['tweet_id']}", 2)[0] == 204
    assert int(tweet["tweet_id"]) not in other.home(reader)[0]
    holder.kill()
    holder.wait(10)
    status, tweet = other.ask("POST", "/api/v1/tweets", 2, {"text": "while nobody consumes"})
    assert status == 201
    handed = until(lambda: other.groups() == dict.fromkeys(GROUPS, "ok"), 20)
    caught_up = until(lambda: other.home(reader)[0][0] == int(tweet["tweet_id"]), 20)
    print(f"delivered across servers in {delivered:.2f} s; handed over {handed:.2f} s after kill -9, caught up {caught_up:.2f} s later")


class Poster:
    """Posts over HTTP under keys of its own; what was not answered is sent again, under the same key, after a restart."""

    def __init__(self, person):
        self.person, self.number, self.acknowledged = person, 0, []

    def run(self, port):
        client = Client(port)
        try:
            while True:
                status, tweet = client.ask(
                    "POST", "/api/v1/tweets", self.person, {"text": f"{self.number}"}, idempotency_key=f"{self.person}-{self.number}",
                )  # fmt: skip
                assert status == 201, tweet
                self.acknowledged.append(int(tweet["tweet_id"]))
                self.number += 1
        except (OSError, http.client.HTTPException):
            return  # the server is gone


def test_a_server_killed_under_load_keeps_every_201_and_repeats_double_nothing(folder):
    asyncio.run(folder.settle_in())
    posters, chance, rounds = [Poster(person) for person in range(5, 9)], random.Random(2), 5
    for _ in range(rounds):
        server, port = folder.serve()
        running = [threading.Thread(target=poster.run, args=(port,)) for poster in posters]
        for thread in running:
            thread.start()
        time.sleep(chance.uniform(0.2, 1))
        server.kill()
        for thread in running:
            thread.join(60)
    _, port = folder.serve()
    client, total = Client(port), 0
    for poster in posters:
        stored, cursor = [], ""
        while cursor is not None:
            _, page = client.ask("GET", f"/api/v1/users/{poster.person}/tweets?limit=200" + (f"&cursor={cursor}" if cursor else ""))
            stored += [(int(tweet["tweet_id"]), tweet["text"]) for tweet in page["tweets"]]
            cursor = page["next_cursor"]
        assert [text for _, text in stored[::-1]] in ([str(n) for n in range(poster.number)], [str(n) for n in range(poster.number + 1)])
        assert [tweet for tweet, _ in stored[::-1]][: poster.number] == poster.acknowledged
        total += poster.number
    print(f"{rounds} servers killed under load: {total} answers of 201, all there, in order, once")
    assert total > 10 * rounds
