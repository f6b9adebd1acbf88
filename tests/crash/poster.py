"""The process that is killed: posts as fast as it can, and says on stdout what was acknowledged. Never run by pytest.

Arguments: the data folder, then one next number a poster. Each poster sends number after number under an idempotency key
of its own, so that what was stored but not acknowledged before a kill is sent again and must not double.
"""

import asyncio
import random
import sys
from pathlib import Path

from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.limits import Limits
from twit.core.offload import ThreadOffload
from twit.core.stores.embedded import open_stores
from twit.core.wiring import build
from twit.core.workers import GROUPS

LIMITS = Limits(celebrity_followers_min=5, celebrity_followers_exit=4, fanout_batch=3, event_batch=16)


async def open_twit(folder):
    clock = SystemClock()
    stores = open_stores(Path(folder), LIMITS, clock)
    return await build(
        stores, limits=LIMITS, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=ThreadOffload(2), name="crash",
    )


async def poster(twit, user, number, say):
    while True:
        tweet = await twit.post(user, f"{number}", idempotency_key=f"{user}-{number}")
        say(f"{user} {number} {tweet.tweet_id}")
        if number % 3 == 0:
            await twit.like(user % 4 + 1, tweet.tweet_id)
        if number % 7 == 0:
            await twit.retweet(user % 4 + 1, tweet.tweet_id)
        number += 1


async def main(folder, numbers):
    twit = await open_twit(folder)
    stop = asyncio.Event()

    def say(line):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(twit.workers.run(GROUPS, stop))
        say("ready")
        for user, number in enumerate(numbers, 1):
            tasks.create_task(poster(twit, user, number, say))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(number) for number in sys.argv[2:]]))
