"""Row 6: how long a small author's tweet is on its way while large authors' backlogs are in flight, beside the same with nothing
else to do. The way is from the intended moment of posting (open loop) to the consumer's account that all followers have it;
consumers run in the background, as in a server.
"""

from __future__ import annotations

import asyncio

import numpy as np

from .figure import Figure
from .town import Town, town

READERS, SMALL, LARGE = 100_000, 200, 10_000
AUTHORS, STARS = 200, 60  # of each kind
RATE, SECONDS = 200.0, 2.0  # small tweets posted a second
BURSTS = 10  # moments at which some stars post at once: there is a backlog all the time


def run():
    return asyncio.run(measured())


async def measured(rounds: int = 4) -> Figure:
    chance = np.random.default_rng(4)
    async with town(rows=READERS) as world:
        people = AUTHORS + STARS
        await world.people(people)
        sizes = [SMALL] * AUTHORS + [LARGE] * STARS
        await world.crowds({
            author: chance.choice(READERS - people, size, replace=False) + people + 1 for author, size in enumerate(sizes, 1)
        })
        stop = asyncio.Event()
        await world.twit.workers.drain()
        working = asyncio.create_task(world.twit.workers.run(("fanout",), stop))
        idle, busy, backlogs = [], [], []
        for warm in range(rounds + 1):
            alone, _ = await ways(world, stars=0)
            beside, share = await ways(world, stars=STARS)
            if warm:
                idle.append(alone)
                busy.append(beside)
                backlogs.append(share)
        stop.set()
        await working
    what = f"p99 created → delivered, {SMALL} followers, beside {STARS} x {BURSTS} tweets to {LARGE:,}"
    note = f"a backlog in flight for {np.mean(backlogs):.0%} of the small tweets, {RATE:g}/s"
    return Figure(
        row="6", what=what, unit="ms", against="the same, idle", figures=busy, references=idle, bar=3.0, at_least=False, note=note
    )


async def ways(world: Town, stars: int) -> tuple[float, float]:
    """p99 in ms, and the share of small tweets during which large ones were in flight."""
    fanout, loop = world.twit.workers.consumer("fanout").handler, asyncio.get_running_loop()
    arrived: dict[int, float] = {}
    account = fanout._account

    def noted(done, event, batch, attempted, *, last, **counts):
        account(done, event, batch, attempted, last=last, **counts)
        if last:
            arrived[event.tweet] = loop.time()

    fanout._account = noted
    try:
        due, large = await posted(world, stars)
        while not all(tweet in arrived for tweet in (*due, *large)):
            await asyncio.sleep(0.01)
    finally:
        fanout._account = account
    took = [arrived[tweet] - moment for tweet, moment in due.items()]
    beside = [any(moment < due[tweet] and arrived[other] > due[tweet] for other, moment in large.items()) for tweet in due]
    return float(np.percentile(took, 99)) * 1_000, float(np.mean(beside))


async def posted(world: Town, stars: int) -> tuple[dict[int, float], dict[int, float]]:
    """Post small tweets at a steady rate, and now and then one of each star; tweet → when it was due, of both kinds."""
    loop, due, large = asyncio.get_running_loop(), {}, {}
    posts: list[asyncio.Task[None]] = []
    start = loop.time() + 0.01
    count = int(RATE * SECONDS)

    async def put(authors: list[int], moment: float, of: dict[int, float]) -> None:
        new = world.posts(authors)
        of.update((one.tweet.tweet_id, moment) for one in new)
        await world.twit.stores.tweets.put(new)

    for number in range(count):
        moment = start + number / RATE
        await asyncio.sleep(max(0.0, moment - loop.time()))
        posts.append(asyncio.create_task(put([number % AUTHORS + 1], moment, due)))
        if stars and number % (count // BURSTS) == 0:
            posts.append(asyncio.create_task(put(list(range(AUTHORS + 1, AUTHORS + stars + 1)), moment, large)))
    await asyncio.gather(*posts)
    return due, large


ROWS = {"6 small beside large": run}
