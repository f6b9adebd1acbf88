"""The servers of the HTTP rows, each in a process on core 0: ours over a built world, and a raw ASGI app on the same uvicorn.

    python -m tests.bench.http_server twit FOLDER [--cold]     python -m tests.bench.http_server raw FOLDER --page-bytes N
    python -m tests.bench.http_server live NAMESPACE

Each prints its port. `live` stands on the servers of `make live`. The raw app joins, for each request, 50 prebuilt fragments, other ones for each reader, found by his token.
`--cold` forgets all tweets and fragments before each request, so that every page is made from SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twit.core.clock import Clock, SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.gateway import server
from twit.core.gateway.front import Asgi
from twit.core.gateway.server import HttpServer, Serving, serve
from twit.core.limits import Limits
from twit.core.offload import ThreadOffload
from twit.core.ports import Stores
from twit.core.stores.embedded import open_stores
from twit.core.stores.live.stores import open_live_stores
from twit.core.wiring import build

PAGE, FRAGMENTS = 50, 12_000
CORE = 0
PARTITIONS = 4


async def twit(folder: Path, *, cold: bool) -> None:
    clock, limits = SystemClock(), Limits()
    await serving(open_stores(folder, limits, clock), limits, clock, cold=cold)


async def live(namespace: str) -> None:
    """As many lanes as row 16 made."""
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "live")]
    import parts

    clock, limits = SystemClock(), Limits()
    config = parts.config(namespace, PARTITIONS)
    await serving(await open_live_stores(config, limits, clock, "bench"), limits, clock)


async def serving(stores: Stores, limits: Limits, clock: Clock, *, cold: bool = False) -> None:
    """Until SIGTERM."""
    service = await build(
        stores, limits=limits, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=ThreadOffload(1)
    )
    if cold:
        forgetting(service.caches)
    await serve(
        service, Serving(port=0, rate_limits=False), clock=clock, entropy=SystemEntropy(), listening=lambda _, port: print(port, flush=True)
    )
    await stores.health.close()


def forgetting(caches: Any) -> None:
    """Make the gateway forget tweets and what was derived from them, not people and viewers, before each request."""
    app_of, site_of = server.app_of, server.site_of
    sites: list[Any] = []

    def site(*arguments: Any, **named: Any) -> Any:
        sites.append(site_of(*arguments, **named))
        return sites[0]

    def app(*arguments: Any, **named: Any) -> Asgi:
        inner = app_of(*arguments, **named)

        async def forgetful(scope: Any, receive: Any, send: Any) -> None:
            sites[0].fragments.clear()
            caches.tweet_cache.clear()
            caches.count_cache.clear()
            caches.facts.clear()
            caches.specials.clear()
            await inner(scope, receive, send)

        return forgetful

    server.site_of, server.app_of = site, app  # type: ignore[assignment]


def raw_app(tokens: list[bytes], page_bytes: int) -> Asgi:
    chance = random.Random(1)
    each = max(1, page_bytes // PAGE - 1)
    fragments = [(b"%07d" % n).ljust(each, b"x") for n in range(FRAGMENTS)]
    pages = {held: chance.sample(fragments, PAGE) for held in tokens}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        held = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                held = value
        body = b",".join(pages[held])
        await send({
            "type": "http.response.start", "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    return app


async def raw(requests: Path, page_bytes: int) -> None:
    tokens = [json.loads(line)["headers"]["Authorization"].encode() for line in requests.read_text().splitlines()]
    http = HttpServer(raw_app(tokens, page_bytes), Limits().request_deadline_ms)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2_048)
    listener.settimeout(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: setattr(http, "should_exit", True))
    print(listener.getsockname()[1], flush=True)
    await http.serve(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("twit", "live", "raw"))
    parser.add_argument("path", help="twit: the data folder; live: the namespace; raw: the file of home requests")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--page-bytes", type=int, default=28_000)
    given = parser.parse_args()
    if given.which == "live":  # beside servers that need both cores
        asyncio.run(live(given.path))
        return
    os.sched_setaffinity(0, {CORE})
    path = Path(given.path)
    asyncio.run(twit(path, cold=given.cold) if given.which == "twit" else raw(path, given.page_bytes))


if __name__ == "__main__":
    main()
