"""Row 5: fan-out from event to ring with all rules on, by the real consumer, beside a bare numpy scatter into the same ring.

The figure is deliveries a second of processor time, of all threads, for a backlog of tweets that were posted before: reading
events, followers, rules, pushes, and durable accounts of every delivery. The reference is told where each entry goes.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np

from twit.core.stores.embedded.ring_file import H_ROWS_USED

from .figure import Figure
from .ring_reference import scatter
from .town import Town, town

BAR_READERS = 1_000_000  # the row's size: a smaller ring lies in the processor's cache, where a bare scatter is several times faster
AUTHORS = {100: 8_000, 200: 8_000, 1_000: 1_600, 10_000: 120}  # of each size; each posts once a round


async def measured(readers: int, followers: int, rounds: int) -> Figure:
    chance = np.random.default_rng(3)
    count = AUTHORS[followers]
    async with town(rows=readers) as world:
        await world.people(count)
        lists = {author: chance.choice(readers - count, followers, replace=False) + count + 1 for author in range(1, count + 1)}
        await world.crowds(lists)
        await world.twit.workers.drain()
        ours, bare, walls = [], [], []
        for warm in range(rounds + 1):
            authors = (chance.permutation(count) + 1).tolist()
            pair = (scattered(world, [lists[author] for author in authors]), await delivered(world, authors, followers))
            if warm:
                bare.append(pair[0])
                ours.append(pair[1][0])
                walls.append(pair[1][1])
    what = f"fan-out, {followers:,} followers, {readers:,} users, deliveries a core"
    note = f"{np.median(walls) / 1e3:,.0f}k/s by the wall clock"
    return Figure(
        row="5", what=what, unit="/s", against="bare numpy scatter", figures=ours, references=bare,
        bar=0.3 if readers >= BAR_READERS and followers in {200, 10_000} else None, note=note,
    )


def scattered(world: Town, lists: list[np.ndarray]) -> float:
    """One entry for each delivery, nothing else; a second of processor time.

    Goes where the same deliveries would go if each reader's circle began half a row further on: as cold, and out of their way.
    """
    ring = world.ring
    width, places = ring._file.places, []
    ends = ring._rows.end[: int(ring._file.header[H_ROWS_USED]) << 3 : 8].copy()
    for readers in lists:
        rows = ring._slots.locate(readers)
        places.append(rows * width + (ends[rows] + width // 2) % width)
        ends[rows] += 1
    return scatter(ring, places)


async def delivered(world: Town, authors: list[int], followers: int) -> tuple[float, float]:
    """Fan out a tweet of each; deliveries a second of processor time and of the wall clock."""
    workers = world.twit.workers
    await world.twit.stores.tweets.put(world.posts(authors))
    before = dict(workers.deliveries())
    wall, start = time.perf_counter(), time.process_time()
    whole = await workers.drain(("fanout",))
    took, wall = time.process_time() - start, time.perf_counter() - wall
    outcomes = {outcome: count - before[outcome] for outcome, count in workers.deliveries().items()}
    wanted = len(authors) * followers
    if not whole or outcomes["stored"] != wanted or sum(outcomes.values()) != wanted:
        raise RuntimeError(f"{wanted} deliveries became {outcomes}")
    return wanted / took, wanted / wall


def run(readers: int = 200_000, followers: int = 200, rounds: int = 5):
    return asyncio.run(measured(readers, followers, rounds))


def by_followers():
    return [run(100_000, followers, 3) for followers in (100, 1_000, 10_000)]


def by_users():
    return [run(readers, 200, 3) for readers in (10_000, 100_000)]


def million():
    return [run(1_000_000, followers) for followers in (200, 1_000, 10_000)]


million.long = True

ROWS = {
    "5 fan-out 200": run,
    "5 fan-out 10000": lambda: run(followers=10_000),
    "5 scale followers": by_followers,
    "5 scale users": by_users,
    "5 scale million": million,
}
