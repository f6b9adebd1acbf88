"""Row 9: durable appends with 64 callers waiting, which share commits, beside one commit for each."""

import asyncio
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from twit.core.clock import SystemClock
from twit.core.limits import Limits
from twit.core.stores.embedded.db import Database, connect, prepare

from .figure import Figure, interleaved

WAITING, EACH, ALONE = 64, 100, 500
SCHEMA = "CREATE TABLE IF NOT EXISTS appended (place INTEGER PRIMARY KEY, payload BLOB NOT NULL);"
APPEND, PAYLOAD = "INSERT INTO appended (payload) VALUES (?)", bytes(100)


@contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="twit-bench-", dir=Path.cwd()) as name:  # /tmp may be memory
        prepare(Path(name), [SCHEMA], 5_000, create=True)
        yield Path(name)


async def together(path):
    """Appends a second of 64 callers, each of whom waits for his own to be durable."""
    db = Database(path, Limits(), SystemClock(), durable=True, inline=False)

    async def caller():
        for _ in range(EACH):
            await db.writer.run(lambda conn: conn.execute(APPEND, (PAYLOAD,)).lastrowid)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(WAITING)))
    taken = time.perf_counter() - start
    (stored,) = db.row("SELECT count(*) FROM appended")
    await db.close()
    assert stored >= WAITING * EACH
    return WAITING * EACH / taken


def alone(path):
    """Appends a second, each in a durable commit of its own, with nothing in between."""
    connection = connect(path / "twit.db", 5_000)
    connection.execute("PRAGMA synchronous=FULL")
    start = time.perf_counter()
    for _ in range(ALONE):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(APPEND, (PAYLOAD,))
        connection.execute("COMMIT")
    taken = time.perf_counter() - start
    connection.close()
    return ALONE / taken


def run():
    with folder() as path:
        figures, references = interleaved(lambda: asyncio.run(together(path)), lambda: alone(path), rounds=5)
    return Figure(
        row="9", what=f"durable appends, {WAITING} waiting", unit="/s", against="one commit each",
        figures=figures, references=references, bar=10,
    )


ROWS = {"9 durable appends": run}
