"""Every contract test runs over every world that is opened here. A later world adds one line to `WORLDS`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from parts import open_part
from parts_kafka import open_over_kafka
from world_bases import TabledBase
from worlds import open_live

from twit.core.clock import ManualClock
from twit.core.limits import Limits
from twit.core.ports import Stores
from twit.core.stores.embedded import open_stores
from twit.simulate.world.stores import open_world_stores

ALONE = {"live-redis-zset": "timelines"}  # the other layout of one store; its other ports are the embedded ones
RUN = ("embedded", "embedded-inline", "world", "live", *ALONE)  # a part of the live world alone is for whoever works on that part
Open = Callable[[Path, Limits, ManualClock], Stores | Awaitable[Stores]]

WORLDS: dict[str, Open] = {
    "embedded": lambda folder, limits, clock: open_stores(folder, limits, clock, durable=False),
    "embedded-inline": lambda folder, limits, clock: open_stores(folder, limits, clock, durable=False, inline=True),
    "live": partial(open_live, partitions=1),
    **{f"live-{part}": partial(open_part, part) for part in ("mysql", "cassandra", "redis")},
    "live-redis-zset": partial(open_part, "redis_zset"),
    "live-kafka": open_over_kafka,
    "world": lambda folder, limits, clock: open_world_stores(TabledBase(), limits, clock, data=folder, inline=True),
}


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_750_000_000_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Another layout is asked for what it does."""
    beside = [
        item for item in items for world, folder in ALONE.items() if f"[{world}" in item.name and item.path.parent.name != folder
    ]
    items[:] = [item for item in items if item not in beside]
    config.hook.pytest_deselected(items=beside)


def _marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.live) if name.startswith("live") else name


@pytest.fixture(params=[_marked(name) for name in RUN])
async def stores(request: pytest.FixtureRequest, tmp_path: Path, limits: Limits, clock: ManualClock) -> AsyncIterator[Stores]:
    opened = WORLDS[request.param](tmp_path / "stores", limits, clock)
    opened = await opened if inspect.isawaitable(opened) else opened
    yield opened
    await opened.health.close()
