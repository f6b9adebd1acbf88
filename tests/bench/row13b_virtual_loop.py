"""Row 13b: operations a second in virtual time, beside bare turns of the ordinary loop.

An operation is what a simulated request does to the loop: a sleep, a bounded queue, a future, a semaphore and a time-out.
"""

import asyncio
import random
import time

from twit.simulate.loop import run_virtually

from .figure import Figure, interleaved

CLIENTS, WORKERS, EACH, TURNS = 200, 8, 100, 100_000


async def operations(loop):
    chance, queue, gate = random.Random(1), asyncio.Queue(64), asyncio.Semaphore(4)
    done = 0

    async def client():
        nonlocal done
        for _ in range(EACH):
            await asyncio.sleep(chance.random())
            answer = loop.create_future()
            await queue.put(answer)
            async with asyncio.timeout(60):
                await answer
            done += 1

    async def worker():
        while True:
            answer = await queue.get()
            async with gate:
                await asyncio.sleep(0.001)
            answer.set_result(None)

    workers = [asyncio.create_task(worker()) for _ in range(WORKERS)]
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    for task in workers:
        task.cancel()
    assert done == CLIENTS * EACH


def virtual():
    start = time.perf_counter()
    run_virtually(operations)
    return CLIENTS * EACH / (time.perf_counter() - start)


async def turns():
    for _ in range(TURNS):
        await asyncio.sleep(0)


def ordinary():
    start = time.perf_counter()
    asyncio.run(turns())
    return TURNS / (time.perf_counter() - start)


def run():
    figures, references = interleaved(virtual, ordinary, rounds=5)
    return Figure(
        row="13b", what="virtual loop: sleep, queue, future, semaphore, time-out", unit="op/s", against="asyncio.sleep(0), ordinary loop",
        figures=figures, references=references, bar=0.05,
    )


ROWS = {"13b virtual loop": run}
