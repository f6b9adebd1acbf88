"""Every contract test runs over every world that is opened here. A later world adds one line to `WORLDS`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from twit.core.clock import ManualClock
from twit.core.limits import Limits
from twit.core.ports import Stores
from twit.core.stores.embedded import open_stores

Open = Callable[[Path, Limits, ManualClock], Stores]

WORLDS: dict[str, Open] = {
    "embedded": lambda folder, limits, clock: open_stores(folder, limits, clock, durable=False),
    "embedded-inline": lambda folder, limits, clock: open_stores(folder, limits, clock, durable=False, inline=True),
}


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_750_000_000_000)


@pytest.fixture(params=list(WORLDS))
async def stores(request: pytest.FixtureRequest, tmp_path: Path, limits: Limits, clock: ManualClock) -> AsyncIterator[Stores]:
    opened = WORLDS[request.param](tmp_path / "stores", limits, clock)
    yield opened
    await opened.health.close()
