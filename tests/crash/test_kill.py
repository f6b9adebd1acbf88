"""kill -9 in mid-write, round after round: nothing acknowledged is lost, nothing is doubled, order and counts are right.

`TWIT_CRASH_ROUNDS` says how many rounds (`make crash`: 200). What a power cut takes from the disk's own cache is not
tested here: SIGKILL leaves the kernel's pages in place.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.crash.poster import open_twit

ROUNDS = int(os.environ.get("TWIT_CRASH_ROUNDS", "20"))
PEOPLE = 8  # 1 to 4 post; everybody follows 1 to 4; 1 passes the threshold of 5 followers and is pulled
POSTERS = 4


async def prepare(folder):
    twit = await open_twit(folder)
    for number in range(PEOPLE):
        await twit.sign_up(f"person{number}", f"person{number}@example.org", "long enough a password")
    for reader in range(1, PEOPLE + 1):
        for author in range(1, POSTERS + 1):
            if reader != author and (author != 2 or reader < 5):
                await twit.follow(reader, author)
    await twit.workers.drain()
    await twit.stores.health.close()


def round_of(folder, acknowledged, chance):
    numbers = [str(max(acknowledged[user], default=-1) + 1) for user in range(1, POSTERS + 1)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.poster", str(folder), *numbers], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert child.stdout.readline() == "ready\n"
    killer = threading.Timer(chance.uniform(0.005, 0.4), child.kill)
    killer.start()
    for line in child.stdout:
        if line.endswith("\n"):
            user, number, tweet_id = map(int, line.split())
            acknowledged[user][number] = tweet_id
    assert child.wait(20) == -9


async def whole_home(twit, reader):
    ids, cursor = [], ""
    while True:
        page = (await twit.home_timeline(reader, cursor, 200)).page
        ids += page.tweets
        if not page.has_more:
            return ids
        cursor = page.next_cursor


async def own_tweets(twit, user):
    found, before = [], 0
    while True:
        [entries] = await twit.stores.tweets.by_authors([user], before=before, limit=1_000)
        if not len(entries):
            return await twit.stores.tweets.get(found)
        found += entries[:, 0].tolist()
        before = found[-1]


async def verify(folder, acknowledged):
    twit = await open_twit(folder)
    await twit.workers.drain()
    own = {}
    for user in range(1, POSTERS + 1):
        tweets = await own_tweets(twit, user)
        own[user] = tweets
        originals = [tweet for tweet in reversed(tweets) if not tweet.retweet_of]
        assert [tweet.text for tweet in originals] == [str(number) for number in range(len(originals))], "lost, doubled or out of order"
        stored = {int(tweet.text): tweet.tweet_id for tweet in originals}
        assert acknowledged[user].items() <= stored.items(), "an acknowledged tweet is not what is stored"
        retweets = [tweet.retweet_of for tweet in tweets if tweet.retweet_of]
        assert len(retweets) == len(set(retweets))
        [counts] = await twit.stores.accounts.counts([user])
        assert counts.tweets == len(tweets)
    sample = [tweet.tweet_id for tweets in own.values() for tweet in tweets if not tweet.retweet_of]
    assert await twit.stores.engagement.counts(sample) == await twit.stores.engagement.recount(sample)
    for reader in range(1, PEOPLE + 1):
        home = [tweet.tweet_id for tweet in await whole_home(twit, reader)]
        assert home == sorted(set(home), reverse=True)
        seen = {author for author in range(1, POSTERS + 1) if author == reader or author != 2 or reader < 5}
        expected = {tweet.tweet_id for author in seen for tweet in own[author] if not tweet.retweet_of}
        assert expected == {tweet.tweet_id for tweet in await whole_home(twit, reader) if not tweet.retweet_of}
    await twit.stores.health.close()
    return sum(len(tweets) for tweets in own.values())


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_nothing_acknowledged_is_lost_and_nothing_doubled(tmp_path):
    asyncio.run(prepare(tmp_path))
    chance = random.Random(5)
    acknowledged = {user: {} for user in range(1, POSTERS + 1)}
    for _ in range(ROUNDS):
        round_of(tmp_path, acknowledged, chance)
    stored = asyncio.run(verify(tmp_path, acknowledged))
    total = sum(map(len, acknowledged.values()))
    print(f"{ROUNDS} kills, {total} acknowledged tweets, {stored} stored with retweets: 0 lost, 0 doubled")
    assert total > ROUNDS
