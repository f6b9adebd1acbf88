"""A process that posts and deletes through the facade as fast as it can, beside whatever else runs on the folder. Never run by pytest.

It also loses what a cache may lose at any time: whole rows, and how far back they are complete.

Arguments: the data folder, how many people there are, then the ids of authors. Says on stdout `post <author> <tweet>`, `deleting <tweet>`, `deleted <tweet>`, each after it was
acknowledged, but for `deleting`; ends when stdin does. Consumes no events.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

import numpy as np

from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.limits import limits_from
from twit.core.offload import ThreadOffload
from twit.core.stores.embedded import open_stores
from twit.core.wiring import build

PAUSE_S = 0.01


async def open_twit(folder, environ=os.environ):
    limits, clock = limits_from(environ), SystemClock()
    stores = open_stores(Path(folder), limits, clock)
    return await build(
        stores, limits=limits, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=ThreadOffload(1), name="clerk",
    )


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def writes(twit, author, chance, stop):
    mine = []
    while not stop.is_set():
        if len(mine) > 5 and chance.random() < 0.4:
            tweet = mine.pop(chance.randrange(len(mine)))
            say("deleting", tweet)
            await twit.delete(author, tweet)
            say("deleted", tweet)
        else:
            tweet = (await twit.post(author, f"by {author}, after {len(mine)}")).tweet_id
            mine.append(tweet)
            say("post", author, tweet)
        await asyncio.sleep(PAUSE_S * chance.random())


async def forgets(twit, people, chance, stop):
    """Rows that have to be built again, by readers and by rebuild-timeline, while entries arrive."""
    timelines, nothing = twit.stores.timelines, np.empty((0, 2), np.int64)
    while not stop.is_set():
        reader, now = chance.randint(1, people), SystemClock().now_ms()
        if chance.random() < 0.5:
            await timelines.drop([reader])
        else:
            held = (await timelines.read(reader, 0, 40, now)).entries[:, 0].tolist()
            await timelines.push(nothing, np.array([reader]), now, floor=min(held, default=1))
        await asyncio.sleep(2 * PAUSE_S * chance.random())


async def main(folder, people, authors):
    twit, chance, stop = await open_twit(folder), random.Random(3), asyncio.Event()
    asyncio.get_running_loop().add_reader(0, stop.set)
    say("ready")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(forgets(twit, people, chance, stop))
        for author in authors:
            tasks.create_task(writes(twit, author, chance, stop))
    await twit.stores.health.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), [int(author) for author in sys.argv[3:]]))
