"""Row 16: posts and home pages through the whole live world on one machine, gateway, consumers and all servers on it, beside the
same world on the embedded stores; where the processor time of a post goes; how late deliveries are.

Needs the servers of `make live`, so it runs only where it is asked for: `make bench ARGS=16`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twit.core.clock import SystemClock
from twit.core.limits import Limits
from twit.core.stores.live.stores import open_live_stores

from . import http_load
from .figure import Figure
from .http_load import Server, Setting, setting
from .http_server import PARTITIONS
from .http_world import Shape, fill

SHAPE = Shape(people=600, followees=100, readers=600, authors=300)
ROUNDS, SECONDS, CONNECTIONS = 3, 4, 32
READS = 0.3  # of the gateway's own maximum: home pages of the live world are looked at well below it
NAMESPACE = "bench_http"
LIVE = Path(__file__).parents[1] / "live"


def run() -> list[Figure]:
    sys.path[:0] = [str(LIVE.parent), str(LIVE)]
    asyncio.run(built())
    with setting(SHAPE) as where, server() as live:
        return [*posts(where, live), *homes(where, live)]


run.long = True  # type: ignore[attr-defined]
ROWS = {"16 the live world": run}


async def built() -> None:
    """The same world as the embedded one, on the servers."""
    import parts
    import worlds

    clock, limits = SystemClock(), Limits(store_timeout_ms=60_000)
    config = await worlds.emptied(parts.config(NAMESPACE, PARTITIONS))
    stores = await open_live_stores(config, limits, clock, "bench")
    try:
        await fill(stores, SHAPE, clock.now_ms())
    finally:
        await stores.health.close()


@contextmanager
def server() -> Iterator[Server]:
    """A gateway with its consumers."""
    found = Server("live", NAMESPACE)
    try:
        yield found
    finally:
        found.stop()


def loaded(server: Server, requests: Path, *, rate: float = 0, seed: int = 1) -> dict[str, Any]:
    """One round of load, by a loader that gives way to the servers: they share both cores with it."""
    process = http_load.begin(server, requests, seconds=SECONDS, warmup=1, rate=rate, connections=CONNECTIONS, seed=seed)
    os.sched_setaffinity(process.pid, set(range(os.cpu_count() or 1)))
    os.setpriority(os.PRIO_PROCESS, process.pid, 19)
    return http_load.end(process)


def posts(where: Setting, live: Server) -> list[Figure]:
    """Closed loop. What the deliveries took after the last answer, and every process's processor time a post, are notes."""
    loaded(live, where.post), loaded(where.twit, where.post)
    live.settle(120), where.twit.settle()
    ours, embedded, behind, spent = [], [], [], []
    for lap in range(ROUNDS):
        before = times(live)
        found = loaded(live, where.post, seed=lap)
        behind.append(live.settle(120))
        spent.append({name: (after - before[name]) / found["answered"] * 1e6 for name, after in times(live).items()})
        ours.append(found)
        embedded.append(loaded(where.twit, where.post, seed=lap))
        where.twit.settle()
    profile = ", ".join(f"{name} {statistics.median(lap[name] for lap in spent):.0f}" for name in spent[0])
    against, what = "the same on the embedded stores", f"live: POST /tweets, {SHAPE.followees} followers, delivered"
    late = statistics.median(behind) * 1e3
    note = f"last delivery {late:.0f} ms after the load; CPU µs a post and its deliveries: {profile}"
    return [
        Figure(row="16", what=what, unit="requests/s", against=against, figures=[one["rate"] for one in ours],
               references=[one["rate"] for one in embedded], bar=None, note=note),
        Figure(row="16", what=f"the same, p99 of the answer, {CONNECTIONS} connections", unit="ms", against=against,
               figures=[one["p99_ms"] for one in ours], references=[one["p99_ms"] for one in embedded], bar=None, at_least=False),
    ]  # fmt: skip


def homes(where: Setting, live: Server) -> list[Figure]:
    """Open loop, at one rate for both."""
    rate = READS * float(loaded(live, where.home)["rate"])
    pairs = [(loaded(live, where.home, rate=rate, seed=lap), loaded(where.twit, where.home, rate=rate, seed=lap)) for lap in range(ROUNDS)]
    return [
        Figure(row="16", what=f"live: {kind} of home pages, 50 tweets, at {rate:.0f}/s", unit="ms", against="the same on the embedded stores",
               figures=[ours[f"{kind}_ms"] for ours, _ in pairs], references=[other[f"{kind}_ms"] for _, other in pairs], bar=None,
               at_least=False)
        for kind in ("p50", "p99")
    ]  # fmt: skip


def times(live: Server) -> dict[str, float]:
    """Processor seconds so far of the gateway and of each kind of server."""
    import servers
    from servers import process

    found = {"gateway": live.cpu_s()}
    for name in servers.USUAL:
        pids = [process.pid_of(one) for one in servers.SERVERS[name].processes()]
        found[name] = sum(cpu_s(pid) for pid in pids if pid)
    return found


def cpu_s(pid: int) -> float:
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
