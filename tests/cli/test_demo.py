"""`twit serve --demo`: a lively world, and three lines to paste that work."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess

import pytest

from twit.ops.demo.world import LOGINS, PEOPLE, STAR, STAR_FOLLOWERS, draw

NOW = 1_790_000_000_000
LINES = 5  # what is served where, the login, three lines for curl


@pytest.fixture
def demo(home):
    """The demo server of a new home, and what it printed."""
    processes = []

    def start(*args):
        process = home.process("serve", "--port", 0, "--demo", *args)
        processes.append(process)
        return process, [process.stdout.readline() for _ in range(1 if args else LINES)]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not shutil.which("curl"), reason="the printed lines are for curl")
def test_the_printed_lines_can_be_pasted_and_show_a_lively_world(home, demo):
    process, printed = demo()
    assert re.search(rf"20 000 people; log in as {LOGINS[1]} with \S+", printed[1])
    log_in, read_home, read_thread = (line.strip() for line in printed[2:])
    pasted = subprocess.run(["sh", "-c", f"{log_in}\n{read_home}\necho\n{read_thread}"], capture_output=True, text=True, timeout=60, check=True)
    page, thread = map(json.loads, pasted.stdout.splitlines())
    assert len(page["tweets"]) == 5 and page["has_more"]
    assert thread["tweet"]["user"]["username"] == LOGINS[STAR]
    star = json.loads(home.ok("user", "show", f"@{LOGINS[STAR]}", "-o", "json"))
    assert star["metrics"]["followers"] == STAR_FOLLOWERS
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_the_demo_world_is_in_order_is_kept_and_is_not_mixed_with_other_people(home, demo):
    process, (printed,) = demo("-o", "jsonl")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert home.twit("ops", "audit", "--check", "timelines,graph,counts", "--sample", "1%").exit_code == 0
    before = json.loads(home.ok("user", "show", f"@{LOGINS[STAR]}", "-o", "json"))
    process, (again,) = demo("-o", "jsonl")
    assert json.loads(again)["tweet_id"] == json.loads(printed)["tweet_id"]
    assert json.loads(home.ok("user", "show", f"@{LOGINS[STAR]}", "-o", "json")) == before


def test_a_directory_with_other_people_is_refused(home):
    home.settle_in()
    refused = home.twit("serve", "--demo")
    assert refused.exit_code == 3 and "try:" in refused.stderr
    assert home.ok("user", "list", "-o", "name") == "ada\ngrace\n"


def test_a_seed_gives_a_world_with_threads_and_retweets_and_one_who_is_pulled():
    world, again = draw(7, NOW), draw(7, NOW)
    assert world.tweets == again.tweets and (world.follows == again.follows).all() and (world.likes == again.likes).all()
    assert len(world.names) == len(set(world.names)) == PEOPLE
    assert (world.follows[:, 1] == STAR).sum() == STAR_FOLLOWERS > 10_000
    kinds = [bool(tweet.reply_to) + 2 * bool(tweet.retweet_of) for tweet in world.tweets]
    assert {0, 1, 2} <= set(kinds) and max(tweet.created_ms for tweet in world.tweets) <= NOW
    assert [tweet.tweet_id for tweet in world.tweets] == sorted({tweet.tweet_id for tweet in world.tweets})
