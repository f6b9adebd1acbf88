"""Row 11: home timelines rebuilt from truth and swapped in, as `twit ops rebuild-timeline` does it, beside reading the same
follows and the same tweets without putting them together. Users a second of processor time; every row differs and is replaced.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np

from twit.core.caches import Caches
from twit.core.rebuild import Truth
from twit.ops.plan import Options
from twit.ops.rebuild_timeline import RebuildTimelines, Selection

from .figure import Figure
from .town import Town, town

USERS, AUTHORS, FOLLOWEES, TWEETS = 2_000, 2_000, 200, 5  # 200 x 5 = 1,000 tweets to choose 800 from
FLOOR = 2_000.0  # users a second


def run():
    return asyncio.run(measured())


async def measured(rounds: int = 5) -> list[Figure]:
    chance = np.random.default_rng(6)
    readers = np.arange(AUTHORS + 1, AUTHORS + USERS + 1)
    async with town() as world:
        await world.people(AUTHORS + USERS)
        drawn = {int(reader): chance.choice(AUTHORS, FOLLOWEES, replace=False) + 1 for reader in readers}
        await world.followed([(reader, author) for reader, authors in drawn.items() for author in authors.tolist()])
        for _ in range(TWEETS):
            for start in range(0, AUTHORS, 1_000):
                await world.twit.stores.tweets.put(world.posts((chance.permutation(AUTHORS)[start : start + 1_000] + 1).tolist()))
        ours, bare, walls = [], [], []
        for warm in range(rounds + 1):
            pair = (await rebuilt(world, readers), await only_read(world, readers))
            if warm:
                ours.append(pair[0][0])
                walls.append(pair[0][1])
                bare.append(pair[1])
    what = f"rebuild-timeline, {FOLLOWEES} followees, users a core"
    return [
        Figure(row="11", what=what, unit="/s", against="reading the same rows, no merge", figures=ours, references=bare, bar=0.5),
        Figure(
            row="11", what=f"{what}: absolute", unit="/s", against=f"{FLOOR:,.0f} users/s", figures=ours, references=[FLOOR] * len(ours),
            bar=1.0, note=f"{np.median(walls):,.0f}/s by the wall clock",
        ),
    ]


async def rebuilt(world: Town, readers: np.ndarray) -> tuple[float, float]:
    """Rebuild rows that hold something else."""
    stores, limits = world.twit.stores, world.twit.limits
    await stores.timelines.drop(readers.tolist())
    await stores.timelines.open_empty(readers, world.clock.now_ms())
    procedure = RebuildTimelines(stores, limits, world.clock, Selection(), Options())
    replaced = 0
    wall, start = time.perf_counter(), time.process_time()
    for at in range(0, len(readers), procedure.batch):
        replaced += (await procedure.apply(readers[at : at + procedure.batch]))["replaced"]
    took, wall = time.process_time() - start, time.perf_counter() - wall
    if replaced != len(readers):
        raise RuntimeError(f"{replaced} of {len(readers)} rows were replaced")
    return replaced / took, replaced / wall


async def only_read(world: Town, readers: np.ndarray) -> float:
    """Follows and authors' newest tweets of the same readers, read in the same way and left as they are."""
    stores, limits = world.twit.stores, world.twit.limits
    truth = Truth(stores, limits, Caches(stores, limits, world.clock))
    start = time.process_time()
    for at in range(0, len(readers), RebuildTimelines.batch):
        some = readers[at : at + RebuildTimelines.batch].tolist()
        followings = await stores.graph.following(some)
        await truth._lists([[reader, *following.followees] for reader, following in zip(some, followings, strict=True)])
    return len(readers) / (time.process_time() - start)


ROWS = {"11 rebuild": run}
