"""The data sets of the world outside: 18,812 friendships of a college, and 563,069 interactions of 304,691 people over a week.

One import of the week serves all tests here, and each leaves it healthy. The import itself is killed on the way.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import builders
import pytest
from import_worlds import REPOSITORY, ok, planted, run

from twit.core.clock import SystemClock
from twit.core.model import FanoutMode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

STAR, STAR_FOLLOWERS = "u88", 23_143
PEOPLE, SAMPLE = 304_691, 3_047


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
