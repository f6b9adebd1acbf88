"""The data sets of the world outside: 18,812 friendships of a college, and 563,069 interactions of 304,691 people over a week.

One import of the week serves all tests here, and each leaves it healthy. The import itself is killed on the way.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import builders
import pytest
from import_worlds import REPOSITORY, ok, planted, run
from ops_builders import plant

from twit.core.clock import SystemClock
from twit.core.entries import FanoutMode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

STAR, STAR_FOLLOWERS = "u88", 23_143
PEOPLE, SAMPLE = 304_691, 3_047
PAGE = 50


def data_file(name):
    """A file of the data sets. Nothing may pass for tested in CI that was not."""
    folder = Path(os.environ.get("TWIT_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / name).exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {name} in {folder}: set TWIT_TEST_DATA")
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Emptied at the end: it holds gigabytes."""
    made = tmp_path_factory.mktemp("real")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def week(folder):
    """The data directory, and the report of the run that came to the end."""
    file, data = data_file("higgs-activity_time.txt.gz"), folder / "week"
    for stage in ("follows:0.5", "tweets:0.5", "events:0.5"):
        died = run(data, "import", "activity", file, dies=stage)
        assert died.returncode == -9, died.stderr
    return data, json.loads(ok(data, "import", "activity", file, "-o", "json"))


@pytest.fixture
async def town(week):
    """The service over it, in this process."""
    twit = await builders.build_twit(week[0], SystemClock())
    yield twit
    await twit.stores.health.close()


def test_a_college_comes_in_once(folder):
    file, data = data_file("reed98.edges"), folder / "college"
    first, again = (json.loads(ok(data, "import", "graph", file, "-o", "json")) for _ in range(2))
    assert first == {
        "pairs": 18_812, "loops": 0, "edges": 37_624, "accounts": 962, "accounts_new": 962, "follows_new": 37_624,
        "follows_standing": 0, "refused": 0, "bad_lines": 0, "bad": [],
    }
    assert again == first | {"accounts_new": 0, "follows_new": 0, "follows_standing": 37_624}
    ok(data, "ops", "lag", "--wait", "10s")
    ok(data, "ops", "audit", "--check", "timelines,graph,counts", "--sample", "100%")


def test_a_week_comes_in_however_often_it_is_killed_and_each_case_is_counted(week):
    data, report = week
    assert report == {
        "rows": 563_069, "self_rows": 7_588, "accounts": PEOPLE, "accounts_new": 0, "edges": 461_192, "follows_new": 0, "refused": 0,
        "tweets": 603_702, "tweets_new": report["tweets_new"], "bad_lines": 0, "bad": [],
        "cases": {
            "mention": 171_237, "reply to the target's newest": 27_710, "reply to an original made for it": 9_192,
            "retweet of the target's newest not yet retweeted": 323_489, "retweet of an original made for it": 31_441,
        },
    }
    ok(data, "ops", "lag", "--wait", "10s")


async def test_its_largest_target_is_pulled_and_all_others_are_pushed(town):
    assert await town.stores.accounts.count() == PEOPLE
    (star,) = await town.stores.accounts.ids_of([STAR])
    (counts,), modes = await town.stores.accounts.counts([star]), await town.stores.modes.pulled()
    assert counts.followers == STAR_FOLLOWERS and {one: mode.mode for one, mode in modes.items()} == {star: FanoutMode.PULL}
    newest = (await town.user_timeline(0, star, limit=1)).tweets[0].tweet_id
    follower = (await town.stores.graph.followers(star, 0, 1))[0][0]
    assert newest in await builders.home(town, int(follower))


def test_an_audit_of_a_hundredth_finds_nothing(week):
    (timelines, graph, counts) = json.loads(
        ok(week[0], "ops", "audit", "--check", "timelines,graph,counts", "--sample", "1%", "-o", "json")
    )["checks"]
    for check in (timelines, graph, counts):
        assert (check["population"], check["looked_at"], check["differences"], check["late"]) == (PEOPLE, SAMPLE, 0, 0)


async def test_planted_faults_are_found_and_named_and_mended(week):
    data = week[0]
    twit = await builders.build_twit(data, SystemClock())
    try:
        faults = await planted(twit, 0.01, 1, SystemClock().now_ms())
    finally:
        await twit.stores.health.close()
    found = run(data, "ops", "audit", "--sample", "1%", "--seed", "1", "-o", "json")
    assert found.returncode == 4, found.stderr
    (file,) = data.glob("runs/au-*/differences.csv")
    named = {(row["cause"], int(row["item"])) for row in csv.DictReader(file.read_text().splitlines()) if row["cause"] != "shown"}
    assert named == {(cause, reader) for cause, reader in faults.items()}
    ok(data, "ops", "audit", "--sample", "1%", "--seed", "1", "--repair", "--yes")
    ok(data, "ops", "audit", "--sample", "1%", "--seed", "1")


class Rebuilds:
    """`ops rebuild-timeline --all-active` as a process, killed or interrupted at some batch, resumed, and again."""

    def __init__(self, data: Path, rng: random.Random) -> None:
        self.data, self.rng = data, rng
        self.process: subprocess.Popen[str] | None = None

    async def run(self) -> dict[str, object]:
        """Until one comes to its end; what that one reports."""
        args = ("rebuild-timeline", "--all-active", "--yes")
        for how in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
            process = self.start(*args)
            until = self.done() + self.rng.randint(1, PEOPLE // 6)
            while process.poll() is None and self.done() < until:
                await asyncio.sleep(0.02)
            assert process.poll() is None, process.communicate()
            process.send_signal(how)
            _, said = await asyncio.to_thread(process.communicate)
            assert process.returncode == (-9 if how is signal.SIGKILL else 75), said
            args = ("runs", "resume", "last")
        process = self.start(*args)
        out, said = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, said
        return json.loads(out)

    def start(self, *args: str) -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("TWIT_", "XDG_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from twit.cli import main; main()", "ops", *args, "-o", "json"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self.data.parent, env=env | {"HOME": str(self.data.parent), "TWIT_DATA": str(self.data)},
        )
        return self.process

    def done(self) -> int:
        """Users up to the newest checkpoint."""
        checkpoints = sorted(self.data.glob("runs/rt-*/checkpoint.json"), key=lambda path: path.stat().st_mtime_ns)
        return int(json.loads(checkpoints[-1].read_bytes())["done"]) if checkpoints else 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()


class Readers:
    """They read home pages all the while; each page is held against what must be on it."""

    def __init__(self, twit, readers, rng):
        self.twit, self.readers, self.rng = twit, readers, rng
        self.looked = self.posted = 0

    async def look_until(self, others: asyncio.Task[object]) -> None:
        due = {reader: (await builders.home(self.twit, reader))[:PAGE] for reader in self.readers}
        while not others.done():
            reader = self.rng.choice(self.readers)
            page = [tweet.tweet_id for tweet in (await self.twit.home_timeline(reader, "", PAGE)).page.tweets]
            assert page == sorted(set(page), reverse=True), f"{reader}: unordered or doubled"
            new = [one for one in page if one not in due[reader]]
            assert page == [*new, *due[reader]][:PAGE], f"{reader}: short, or an old one lost"
            self.looked += 1
            if self.looked % 20 == 0:
                self.posted += 1
                await self.twit.post(self.rng.randint(1, PEOPLE), f"meanwhile {self.posted}")
            await asyncio.sleep(0.002)


async def spoil(data, readers):
    """Rows that promise less than they hold: what is read of them stays right, and a rebuild has to write each."""
    twit = await builders.build_twit(data, SystemClock())
    try:
        for reader in readers:
            entries = (await twit.stores.timelines.raw(reader)).tolist()
            plant(twit, reader, entries, floor=entries[-1][0] + 1)
    finally:
        await twit.stores.health.close()


async def stored(data):
    """A digest of all rows as they are stored, and of how far down each is complete; and some readers of more than a line."""
    twit = await builders.build_twit(data, SystemClock())
    found, after, now_ms, some = hashlib.sha256(), 0, SystemClock().now_ms(), []
    try:
        while len(part := await twit.stores.timelines.residents(after, 4_096, now_ms)):
            for reader in part.tolist():
                raw = await twit.stores.timelines.raw(reader)
                found.update(raw.tobytes())
                found.update(str((await twit.stores.timelines.read(reader, 0, 1, now_ms)).complete_back_to).encode())
                if len(raw) >= 3 and reader % 5 == 0:
                    some.append(reader)
            after = int(part[-1])
    finally:
        await twit.stores.health.close()
    return found.hexdigest(), some


async def test_a_rebuild_of_all_amid_posts_and_reads_killed_and_resumed_ends_in_the_same_bytes(week, folder):
    data, rng = week[0], random.Random(time.time_ns())
    _, some = await stored(data)
    await spoil(data, some)
    twit, stop, rebuilds = await builders.build_twit(data, SystemClock()), asyncio.Event(), Rebuilds(data, rng)
    readers = Readers(twit, rng.sample(some, 300), rng)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(twit.workers.run(("social", "fanout"), stop))
            rebuilding = tasks.create_task(rebuilds.run())
            try:
                await readers.look_until(rebuilding)
            finally:
                stop.set()
                if not rebuilding.done():
                    rebuilds.kill()
    finally:
        await twit.stores.health.close()
    assert (rebuilding.result()["status"], rebuilding.result()["total"]) == ("done", PEOPLE)
    assert readers.looked > 300 and readers.posted > 15
    ok(data, "worker", "--until-idle")
    ok(data, "ops", "audit", "--sample", "1%")
    due = await stored(data)

    await spoil(data, some)
    names = folder / "spoilt.txt"
    names.write_text("".join(f"{one}\n" for one in some))
    rebuild = ("ops", "rebuild-timeline", "--from-file", names, "-o", "json")
    spoilt = await stored(data)
    assert json.loads(ok(data, *rebuild, "--dry-run"))["count"] == len(some) and await stored(data) == spoilt != due
    assert json.loads(ok(data, *rebuild, "--yes"))["tally"]["replaced"] == len(some) and await stored(data) == due
    assert json.loads(ok(data, *rebuild, "--yes"))["tally"] == {"unchanged": len(some), "inactive": 0} and await stored(data) == due
