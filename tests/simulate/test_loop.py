"""Virtual time: same program, same run; asyncio means what it means; what cannot be virtual is refused."""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from twit.simulate.loop import FAR_S, Deadlock, TooFar, VirtualClock, run_virtually

DAY_S = 86_400


def traced(seed: int) -> str:
    """Clients, workers, a bounded queue, time-outs, a failing TaskGroup and sets of tasks: the hash of who did what when."""
    seen = hashlib.sha256()

    async def main(loop):
        chance, queue, gate = random.Random(seed), asyncio.Queue(4), asyncio.Semaphore(3)

        def note(*what):
            seen.update(repr((round(loop.time(), 9), *what)).encode())

        async def client(name):
            for turn in range(5):
                await asyncio.sleep(chance.random())
                done = loop.create_future()
                try:
                    async with asyncio.timeout(0.05 + chance.random()):
                        await queue.put((name, turn, done))
                        note(name, turn, await done)
                except TimeoutError:
                    note(name, turn, "late")

        async def worker(name):
            while True:
                who, turn, done = await queue.get()
                async with gate:
                    await asyncio.sleep(chance.random() / 4)
                if not done.done():
                    done.set_result((name, who, turn))

        async def fails(name, after):
            try:
                await asyncio.sleep(after)
                raise LookupError(name)
            except asyncio.CancelledError:
                note("cancelled", name)
                raise

        workers = [asyncio.create_task(worker(n)) for n in range(4)]
        await asyncio.gather(*(client(n) for n in range(20)))
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for n in range(30):
                    group.create_task(fails(n, 1 if n == 7 else 2))
        done, _ = await asyncio.wait({asyncio.create_task(asyncio.sleep(1, n)) for n in range(40)})
        note("waited", [task.result() for task in done])
        for task in workers:
            task.cancel()

    run_virtually(main)
    return seen.hexdigest()


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    assert traced(1) == traced(1) != traced(2)


def test_the_run_is_the_same_whatever_the_hash_seed_and_the_heap():
    code = "import sys; sys.path.insert(0, sys.argv[1]); junk = [object() for _ in range(int(sys.argv[2]))]; import test_loop; print(test_loop.traced(3))"
    here = str(Path(__file__).parent)
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, here, junk], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed, junk in (("0", "0"), ("1", "5000"), ("random", "77"))
    }
    assert hashes == {traced(3) + "\n"}


def test_time_passes_only_by_waiting():
    async def main(loop):
        clock, began = VirtualClock(loop, 1_700_000_000_000), loop.time()
        await asyncio.sleep(0)
        assert loop.time() == began
        await clock.sleep(30 * DAY_S)
        assert clock.monotonic_us() == 30 * DAY_S * 1_000_000
        return clock.now_ms()

    assert run_virtually(main) == 1_700_000_000_000 + 30 * DAY_S * 1_000


def test_timers_that_are_due_together_run_in_the_order_they_were_set():
    async def main(loop):
        ran = []
        for n in range(100):
            loop.call_at(5.0, ran.append, n)
        await asyncio.sleep(6)
        return ran

    assert run_virtually(main) == list(range(100))


def test_far_from_the_start_short_waits_still_end():
    async def main(loop):
        await asyncio.sleep(400 * DAY_S)
        for _ in range(100):
            await asyncio.sleep(1e-6)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 0.001)
        return loop.time() - 400 * DAY_S

    assert run_virtually(main) == pytest.approx(0.0011, rel=0.01)


def test_beyond_the_reach_of_virtual_time_a_timer_is_refused():
    async def main(_loop):
        await asyncio.sleep(FAR_S)
        with pytest.raises(TooFar, match="68 years"):
            await asyncio.sleep(1)

    run_virtually(main)


def test_a_program_that_waits_for_nothing_is_told_so():
    async def main(loop):
        await asyncio.sleep(2)
        await loop.create_future()

    with pytest.raises(Deadlock, match=r"2\.000000 s"):
        run_virtually(main)


def test_cancelled_timers_do_not_pile_up():
    async def main(loop):
        for _ in range(20_000):
            loop.call_later(3_600, print).cancel()
            await asyncio.sleep(0)
        return len(loop._scheduled)

    assert run_virtually(main) < 3_000


@pytest.mark.parametrize("act", [
    lambda loop: loop.run_in_executor(None, print),
    lambda _loop: asyncio.to_thread(print),
    lambda _loop: asyncio.open_connection("127.0.0.1", 1),
    lambda _loop: asyncio.start_server(print, "127.0.0.1", 0),
    lambda _loop: asyncio.create_subprocess_exec("true"),
])  # fmt: skip
def test_what_cannot_be_virtual_is_refused(act):
    async def main(loop):
        await act(loop)

    with pytest.raises(RuntimeError, match="no room for threads, sockets or processes"):
        run_virtually(main)


def test_another_thread_is_refused():
    caught = []

    async def main(loop):
        def intrude():
            try:
                loop.call_soon_threadsafe(print)
            except RuntimeError as error:
                caught.append(str(error))

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()

    run_virtually(main)
    assert "no room" in caught[0]


def test_ctrl_c_cleans_up_and_stops():
    code = textwrap.dedent("""
        import asyncio, os, signal
        from twit.simulate.loop import run_virtually
        signal.signal(signal.SIGINT, signal.default_int_handler)
        async def main(loop):
            try:
                while True:
                    await asyncio.sleep(1)
                    if loop.time() == 1000: os.kill(os.getpid(), signal.SIGINT)
            finally:
                print("cleaned up")
        try: run_virtually(main)
        except KeyboardInterrupt: print("stopped")
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "cleaned up\nstopped\n", done.stderr
    assert signal.getsignal(signal.SIGINT) is not None
