"""One live store at a time among embedded ones, so that its contract can be run without the others.

`parts_NAME.py` beside this file has `async def open_ports(config, limits, clock, outbox) -> (ports by name, close)` and
gives stores that are empty. Ports left out stay embedded; events go to a list in memory.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import servers

from twit.core.clock import ManualClock
from twit.core.events import Event, LoggedEvent
from twit.core.limits import Limits
from twit.core.ports import Lane, Stores
from twit.core.stores.embedded import open_stores
from twit.core.stores.live.config import Access, LiveConfig
from twit.core.stores.live.outbox import OutboxSource, Outgoing

PATIENCE_MS = 30_000  # of each store call where a test is not about that: the servers may share two cores with a whole CI
PORTS = ("accounts", "graph", "relations", "tweets", "engagement", "timelines", "modes", "log", "work", "leases", "tokens", "rates")
FOUND = {name: ",".join(addresses) for name, addresses in servers.addresses().items()}
DEFAULTS = FOUND | {"mysql": f"{FOUND['mariadb']}/a,{FOUND['mariadb']}/b"}


def config(namespace: str, partitions: int = 1) -> LiveConfig:
    """The servers that `make live` starts, or those that TWIT_LIVE_REDIS and so on name.

    The namespace is of this test process alone, and of those that it starts: several run beside each other."""
    namespace += os.environ.get("PYTEST_XDIST_WORKER", "")

    def access(name: str, **more: str) -> Access:
        return Access(addresses=tuple(os.environ.get(f"TWIT_LIVE_{name.upper()}", DEFAULTS[name]).split(",")), **more)

    mysql = access("mysql", user="live", password="live")
    return LiveConfig(
        redis=access("redis"), cassandra=access("cassandra"), mysql=mysql, kafka=access("kafka"), namespace=namespace,
        partitions=partitions,
    )


def patient(limits: Limits) -> Limits:
    """The same with `PATIENCE_MS`, unless the test chose its own."""
    chosen = limits.store_timeout_ms != Limits().store_timeout_ms
    return limits if chosen else msgspec.structs.replace(limits, store_timeout_ms=PATIENCE_MS)


class ListedLog:
    """`ports.EventLog` and `Outbox` in memory, as far as the contracts of other stores ask for it."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.outgoing: list[Outgoing] = []
        self.sources: list[OutboxSource] = []

    def turn(self) -> int:
        return 0

    def attach(self, source: OutboxSource) -> None:
        self.sources.append(source)

    def wrote(self, outgoing: Sequence[Outgoing]) -> None:
        self.outgoing += outgoing
        self.events += [LoggedEvent(len(self.events) + number, one.event) for number, one in enumerate(outgoing, 1)]

    async def append(self, events: Sequence[Event]) -> int:
        self.events += [LoggedEvent(len(self.events) + number, event) for number, event in enumerate(events, 1)]
        return len(self.events)

    def moved(self, after: int) -> bool:
        return len(self.events) > after

    async def read(self, after: int, limit: int) -> list[LoggedEvent]:
        return self.events[after : after + limit]

    async def tail(self) -> int:
        return len(self.events)


async def open_part(name: str, folder: Path, limits: Limits, clock: ManualClock) -> Stores:
    """Embedded stores in `folder` with the ports of one live store in their place."""
    part, limits = importlib.import_module(f"parts_{name}"), patient(limits)
    log = ListedLog()
    embedded = open_stores(folder, limits, clock, durable=False, inline=True)
    ports, close = await part.open_ports(config("parts"), limits, clock, log)
    merged = {port: getattr(embedded, port) for port in PORTS} | {"log": log} | ports

    def lanes(group: str) -> tuple[Lane]:
        return (Lane(group, group, merged["log"], merged["work"]),)

    log.offset = getattr(merged["work"], "offset", None)
    return SimpleNamespace(kind="live", health=_Health(embedded, close), **{"lanes": lanes} | merged | ports)


class _Health:
    def __init__(self, embedded: Stores, close: Callable[[], Awaitable[None]]) -> None:
        self._embedded, self._close = embedded, close

    async def check(self) -> dict[str, str]:
        return {}

    async def close(self) -> None:
        await asyncio.gather(self._close(), self._embedded.health.close())
