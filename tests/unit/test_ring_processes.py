"""The ring is shared by processes and threads: who waits for whom, and what a killed writer leaves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from rings import LIMITS, filled, shown
from timeline_builders import NOW, entries

from twit.core.entries import Push
from twit.core.errors import StoreCorrupt, StoreTimeout
from twit.core.limits import Limits
from twit.core.stores.embedded.ring import open_ring
from twit.core.stores.embedded.ring_file import H_CLEAN, RingFile


async def test_another_thread_waits_for_its_turn(tmp_path):
    ring = await filled(tmp_path)

    def pushes(first):
        async def run():
            for tweet in range(first, first + 300, 2):
                await ring.push(entries(tweet), np.array([1]), NOW)

        asyncio.run(run())

    threads = [threading.Thread(target=pushes, args=(first,)) for first in (100, 101)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert await shown(ring, 1) == [399, 398, 397, 396, 395]
    ring.close()


async def test_a_writer_that_is_stopped_does_not_stop_us_for_ever(tmp_path):
    ring = await filled(tmp_path)
    other = RingFile(tmp_path, 5, 200)
    assert other.try_lock()
    with pytest.raises(StoreTimeout):
        await ring.push(entries(30), np.array([1]), NOW)
    assert await shown(ring, 1) == [20, 10]
    other.unlock()
    await ring.push(entries(30), np.array([1]), NOW)
    other.close()
    ring.close()


BEGIN_MANY = """
    import asyncio, sys
    from pathlib import Path
    import numpy as np
    from twit.core.limits import Limits
    from twit.core.stores.embedded.ring import open_ring

    async def main():
        ring = open_ring(Path(sys.argv[1]), Limits(timeline_entries_max=5))
        people = np.arange(1, 20_001)
        await ring.open_empty(people, 1_750_000_000_000)
        await ring.push(np.array([[30, 0]]), people, 1_750_000_000_000)
        ring.close()

    asyncio.run(main())
"""

# ids come in pairs out of order and each is pushed twice; now and then tweets are removed: every kind of change
PUSH_FOR_EVER = """
    import asyncio, sys
    from pathlib import Path
    import numpy as np
    from twit.core.limits import Limits
    from twit.core.stores.embedded.ring import open_ring

    async def main():
        ring = open_ring(Path(sys.argv[1]), Limits(timeline_entries_max=40))
        people, now = np.arange(1, 65), 1_750_000_000_000
        tweet = int(sys.argv[2])
        while True:
            for late in (tweet + 1, tweet, tweet + 1):
                await ring.push(np.array([[late, -late]]), people, now)
            many = np.array([[i, -i] for i in range(tweet + 2, tweet - 30, -3)])
            await ring.push(many, people[:3], now)
            await ring.remove([tweet - 4, tweet - 8], people)
            if tweet == int(sys.argv[2]):
                print("going", flush=True)
            tweet += 2

    asyncio.run(main())
"""


def run_python(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], stdout=subprocess.PIPE, text=True)


async def test_growth_by_another_process_is_seen_at_once(tmp_path):
    ring = await filled(tmp_path)
    assert run_python(BEGIN_MANY, tmp_path).wait() == 0
    assert await shown(ring, 1) == [30, 20, 10]
    assert await shown(ring, 20_000) == [30]
    assert len(await ring.residents(0, 30_000, NOW)) == 20_000
    outcomes = await ring.push(entries(40), np.arange(1, 20_001), NOW)
    assert (outcomes == Push.STORED).all()
    ring.close()


async def test_readers_never_see_half_a_change_whenever_a_writer_is_killed(tmp_path):
    limits = Limits(timeline_entries_max=40)
    ring = open_ring(tmp_path, limits)
    people = np.arange(1, 65)
    await ring.open_empty(people, NOW)
    reads = 0
    for life in range(6):
        writer = run_python(PUSH_FOR_EVER, tmp_path, 1_000_000 * (life + 1))
        assert writer.stdout.readline() == "going\n"
        until = time.monotonic() + 0.15 + life * 0.013
        while time.monotonic() < until:
            for reader in range(1, 65):
                row = await ring.read(reader, 0, 40, NOW)
                ids, refs = row.entries[:, 0], row.entries[:, 1]
                assert (ids[:-1] > ids[1:]).all(), "unsorted or doubled"
                assert (ids == -refs).all(), "torn"
                assert not len(ids) or ids[-1] >= row.complete_back_to
                reads += 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        states = [await shown(ring, reader) for reader in people.tolist()]
        lost = [reader for reader, ids in zip(people.tolist(), states, strict=True) if ids is None]
        await ring.begin(lost, NOW)
        last = 1_000_000 * (life + 2) - 10
        outcomes = await ring.push(np.array([[last, -last]]), people, NOW)
        assert (outcomes == Push.STORED).all()
    assert reads > 1_000
    ring.close()


async def test_a_ring_in_use_with_other_limits_is_left_alone(tmp_path):
    ring = await filled(tmp_path)
    with pytest.raises(StoreCorrupt, match="open in another process"):
        open_ring(tmp_path, Limits(timeline_entries_max=6, store_timeout_ms=50))
    assert await shown(ring, 1) == [20, 10]
    ring.close()


async def test_only_the_last_to_close_leaves_the_ring_clean(tmp_path):
    first, second = await filled(tmp_path), open_ring(tmp_path, LIMITS)
    first.close()
    assert second._file.header[H_CLEAN] == 0
    second.close()
    assert int.from_bytes((tmp_path / "timelines.heads").read_bytes()[H_CLEAN * 8 :][:8], "little") == 1


async def test_processes_on_the_same_data_cannot_have_rings_in_different_folders(tmp_path):
    ring = await filled(tmp_path)
    with pytest.raises(StoreCorrupt, match="ring in another folder"):
        open_ring(tmp_path, LIMITS, tmp_path / "memory")
    assert await shown(ring, 1) == [20, 10]
    ring.close()
    open_ring(tmp_path, LIMITS, tmp_path / "memory").close()
