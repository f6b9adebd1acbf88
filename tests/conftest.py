"""A service in a folder of its own for every test that asks for one. Builders to fill it are in builders.py."""

from __future__ import annotations

import builders
import pytest

from twit.core.clock import ManualClock


def pytest_addoption(parser):
    parser.addoption("--world", choices=("embedded", "live"), default="embedded", help="what every service of a test stands on")


def pytest_configure(config):
    if config.getoption("--world") == "live":
        from worlds import open_live

        builders.opened = open_live


@pytest.fixture
def clock():
    return ManualClock(builders.NOON_MS)


@pytest.fixture
async def open_twit(tmp_path, clock):
    """`await open_twit(tweet_chars_max=3)`: a service with these limits over the test's one set of stores."""
    opened = []

    async def opening(**limits):
        twit = await builders.build_twit(tmp_path / "data", clock, **limits)
        opened.append(twit)
        return twit

    yield opening
    for twit in opened:
        await twit.stores.health.close()


@pytest.fixture
async def twit(open_twit):
    return await open_twit()
