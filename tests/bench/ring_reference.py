"""What the ring costs beside what it cannot avoid: a bare numpy scatter of the same entries into the same map, and 12,800 bytes.

`scatter` over a `full_ring` is the reference of row 5 (fan-out); `ring_only` says how near the ring's own push comes to it, and
`memory` is the ring's part of row 14. Rows are full, so every push pushes one out. `python -m tests.bench.ring_reference ROWS`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from twit.core.limits import Limits
from twit.core.stores.embedded.ring import RingTimelines, open_ring
from twit.core.stores.embedded.ring_rows import END, TOP

from .figure import Figure, table

NOW = 1_750_000_000_000
PIECE = 4_096  # rows filled at a time
SHARED = Path("/dev/shm")  # noqa: S108 - Linux makes writers wait for the disk once a fifth of memory is dirty: another figure


async def full_ring(folder: Path, rows: int, limits: Limits) -> RingTimelines:
    """A ring in which the readers 1 to `rows` have full rows, whose circles begin anywhere; the newest id is 10 * `shown`."""
    ring = open_ring(folder, limits)
    await fill(ring, rows, limits, NOW)
    return ring


async def fill(ring: RingTimelines, rows: int, limits: Limits, now_ms: int) -> None:
    """Give the readers 1 to `rows` full rows."""
    await ring.open_empty(np.arange(1, rows + 1), now_ms)
    shown, chance = limits.timeline_entries_max, np.random.default_rng(1)
    places = shown + 1
    heads, table = ring._rows.heads.reshape(-1, 8), ring._rows.two
    for first in range(1, rows + 1, PIECE):
        some = np.arange(first, min(first + PIECE, rows + 1))
        turn = chance.integers(0, places, len(some))
        ids = (np.arange(places)[None, :] - turn[:, None] - 1) % places * 10
        block = table[first * places : (first + len(some)) * places].reshape(len(some), places, 2)
        block[:, :, 0], block[:, :, 1] = ids, 0
        heads[some, END], heads[some, TOP] = turn + places, shown * 10


def places_of(ring: RingTimelines, readers: Any) -> Any:
    """Where the next entry of each reader goes: what a bare scatter is told for nothing."""
    rows = ring._slots.locate(readers)
    return rows * ring._file.places + ring._rows.end[rows << 3] % ring._file.places


def scatter(ring: RingTimelines, places: list[Any]) -> float:
    """Write one entry to each place of each batch, nothing else; entries a second of processor time."""
    pair = np.array([[1, 0]], np.int64).view(np.complex128)[0]
    pairs, start = ring._rows.pairs, time.process_time()
    for batch in places:
        pairs[batch] = pair
    return sum(map(len, places)) / (time.process_time() - start)


async def pushes(ring: RingTimelines, batches: list[Any], newest: int) -> float:
    """Push one tweet to each batch of readers; entries a second of processor time, all of them stored."""
    start = time.process_time()
    refused = 0
    for number, batch in enumerate(batches):
        outcomes = await ring.push(np.array([[newest + number, 0]]), batch, NOW)
        refused += np.count_nonzero(outcomes)
    took = time.process_time() - start
    if refused:
        raise RuntimeError(f"{refused} pushes were not stored")
    return sum(map(len, batches)) / took


def ring_only(rows: int = 100_000, batch: int = 1_000, rounds: int = 7, seconds: float = 8.0) -> Figure:
    """Pushes of one tweet to `batch` of `rows` readers at random; rounds interleaved, each batch of rows cold."""
    return asyncio.run(_with_ring(lambda ring: _compare(ring, rows, batch, rounds, seconds), rows))


async def _compare(ring: RingTimelines, rows: int, batch: int, rounds: int, seconds: float) -> Figure:
    chance = np.random.default_rng(2)
    newest, count = 20_000, max(1, min(rows, int(seconds * 200_000)) // batch)
    ours, bare = [], []
    for warm in range(rounds + 1):
        batches = [chance.choice(rows, batch, replace=False) + 1 for _ in range(count)]
        other = [places_of(ring, chance.choice(rows, batch, replace=False) + 1) for _ in range(count)]
        pair = (scatter(ring, other), await pushes(ring, batches, newest))
        newest += count
        if warm:
            bare.append(pair[0])
            ours.append(pair[1])
    what = f"push of 1 tweet to {batch} of {rows} readers, rows full: the ring alone"
    return Figure(row="5", what=what, unit="entries/s", against="bare numpy scatter", figures=ours, references=bare, bar=0.3)


def memory(rows: int = 100_000) -> Figure:
    """Bytes on disk a cached timeline, slots and heads and unused space counted; rows come ten at a time."""

    async def count(ring: RingTimelines) -> Figure:
        files = (ring._file.ring, ring._file.heads, ring._file.slots)
        held = sum(file.path.stat().st_blocks * 512 for file in files) / rows
        what = f"bytes a cached timeline, ring of {rows} readers"
        return Figure(row="14", what=what, unit="bytes", against="16 B x 800", figures=[held], references=[12_800.0], bar=1.05, at_least=False)

    return asyncio.run(_with_ring(count, rows, fill=False))


async def _with_ring(measure: Callable[[RingTimelines], Coroutine[Any, Any, Figure]], rows: int, *, fill: bool = True) -> Figure:
    folder = Path(tempfile.mkdtemp(prefix="twit-ring-", dir=SHARED if SHARED.is_dir() else None))
    try:
        if fill:
            ring = await full_ring(folder, rows, Limits())
        else:
            ring = open_ring(folder, Limits())
            for first in range(1, rows + 1, 10):
                await ring.open_empty(np.arange(first, min(first + 10, rows + 1)), NOW)
        try:
            return await measure(ring)
        finally:
            ring._file._release()  # thrown away: nothing to flush
    finally:
        shutil.rmtree(folder)


def run(rows: int = 100_000, batch: int = 1_000) -> dict[str, Any]:
    """`ring_only` as plain data."""
    found = ring_only(rows, batch)
    return {
        "name": found.what,
        "figure": float(np.median(found.figures)),
        "reference": float(np.median(found.references)),
        "ratios": found.ratios,
        "bar": found.bar,
        "unit": found.unit,
    }


ROWS = {"5 ring alone 1000": ring_only, "5 ring alone 200": lambda: ring_only(batch=200), "14 ring": memory}

if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(table([ring_only(number, 1_000), ring_only(number, 200), memory(number)]))
