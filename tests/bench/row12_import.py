"""Row 12: accounts, follows (truth and carried lists) and tweets stored in bulk, as imports store them, beside `executemany` of
the rows that this left in the database, events and counts among them, in as many durable commits, follows in the order in which they
came: putting them into a better one is the import's work. Rows a second of processor time,
of what was imported; a new world each round.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from twit.core.limits import Limits
from twit.core.model import NewAccount
from twit.core.stores.embedded import SCHEMAS
from twit.core.stores.embedded.db import CHECKPOINT_PAGES, WRITER_CACHE_KIB, connect, prepare
from twit.ops.imports.activity import TWEETS_A_BATCH
from twit.ops.imports.people import BATCH, follow_all

from .figure import Figure
from .town import Town, town

USERS, EACH, TWEETS = 20_000, 5, 40_000
STAGES = {  # what is imported → tables that it fills, in which order, where it matters
    "accounts": ("users ORDER BY user_id",),
    "follows": ("following", "follower_slots", "follower_chunks", "follower_ids", "user_counts"),
    "tweets": ("tweets ORDER BY tweet_id", "user_counts"),
}


def run():
    return asyncio.run(measured())


async def measured(rounds: int = 3) -> list[Figure]:
    ours, bare = {stage: [] for stage in STAGES}, {stage: [] for stage in STAGES}
    for warm in range(rounds + 1):
        for stage, (figure, reference) in (await one_round(warm)).items():
            if warm:
                ours[stage].append(figure)
                bare[stage].append(reference)
    return [
        Figure(
            row="12", what=f"bulk import of {stage}, rows a core", unit="/s", against="executemany of the same rows",
            figures=ours[stage], references=bare[stage], bar=0.5,
        )
        for stage in STAGES
    ]


async def one_round(seed: int) -> dict[str, tuple[float, float]]:
    chance = np.random.default_rng(seed)
    found: dict[str, tuple[float, float]] = {}
    async with town(limits=Limits()) as world:
        folder = tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd())
        with folder as name, closing(empty(Path(name))) as other, closing(sqlite3.connect(world.twit.stores.graph._db.path)) as source:
            for stage, filled in STAGES.items():
                tail = await world.twit.stores.log.tail()
                rows, batch, took, order = await imported(world, stage, chance)
                tables = {table.split()[0]: source.execute(f"SELECT * FROM {table}").fetchall() for table in filled}  # noqa: S608 - ours
                if stage == "follows":
                    tables["following"].sort(key=lambda row, order=order: order[row[0], row[2]])
                tables["events"] = source.execute("SELECT * FROM events WHERE offset > ?", (tail,)).fetchall()
                found[stage] = (rows / took, rows / plainly(other, tables, rows // batch))
    return found


async def imported(world: Town, stage: str, chance: np.random.Generator) -> tuple[int, int, float, dict]:
    """Import; returns rows, rows a commit, seconds of processor time, and at which place each edge came."""
    stores, now = world.twit.stores, world.clock.now_ms()
    if stage == "accounts":
        new = [
            NewAccount(username=f"hg_{n}", email="", password_hash="", display_name=f"hg_{n}", created_ms=now) for n in range(1, USERS + 1)
        ]
        start = time.process_time()
        for at in range(0, USERS, BATCH):
            await stores.accounts.create(new[at : at + BATCH])
        return USERS, BATCH, time.process_time() - start, {}
    if stage == "follows":
        drawn = chance.integers(1, USERS + 1, (USERS * EACH, 2))
        edges = list(dict.fromkeys((a, b) for a, b in drawn.tolist() if a != b))
        start = time.process_time()
        await follow_all(world.twit, edges, now, lambda *_: None)
        return len(edges), BATCH, time.process_time() - start, {edge: place for place, edge in enumerate(edges)}
    posts = world.posts(chance.integers(1, USERS + 1, TWEETS).tolist())
    start = time.process_time()
    for at in range(0, TWEETS, TWEETS_A_BATCH):
        await stores.tweets.put(posts[at : at + TWEETS_A_BATCH])
    return TWEETS, TWEETS_A_BATCH, time.process_time() - start, {}


def empty(folder: Path) -> sqlite3.Connection:
    """A database of the same tables with nothing in them, opened as the writer opens its own."""
    prepare(folder, [store.SCHEMA for store in SCHEMAS], 5_000, create=True)
    connection = connect(folder / "twit.db", 5_000)
    for pragma in ("synchronous=FULL", f"cache_size=-{WRITER_CACHE_KIB}", f"wal_autocheckpoint={CHECKPOINT_PAGES}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def plainly(connection: sqlite3.Connection, tables: dict[str, list[tuple]], commits: int) -> float:
    """Store these rows in so many commits; seconds of processor time."""
    start = time.process_time()
    for part in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            some = rows[len(rows) * part // commits : len(rows) * (part + 1) // commits]
            if some:
                marks = ", ".join("?" * len(some[0]))
                connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", some)  # noqa: S608 - ours
        connection.execute("COMMIT")
    return time.process_time() - start


ROWS = {"12 bulk import": run}
