"""How each author's tweets travel, as fan-out decided."""

from __future__ import annotations

from twit.core.entries import AuthorMode, FanoutMode
from twit.core.events import Event, EventKind
from twit.core.ports import Stores

CHANGED = (Event(kind=EventKind.MODE_CHANGED, key=5, actor=5, ref=1, at_ms=7),)
PULL = AuthorMode(FanoutMode.PULL, 1_000)


async def test_everybody_is_pushed_until_told_otherwise(stores: Stores) -> None:
    assert await stores.modes.get([5, 6]) == [AuthorMode(FanoutMode.PUSH, 0)] * 2
    assert await stores.modes.pulled() == {}


async def test_a_celebrity_is_pulled_from_then_on(stores: Stores) -> None:
    await stores.modes.put(5, PULL, CHANGED)
    assert await stores.modes.get([6, 5]) == [AuthorMode(), PULL]
    assert await stores.modes.pulled() == {5: PULL}


async def test_leaving_is_still_pulled_and_push_is_not(stores: Stores) -> None:
    leaving = AuthorMode(FanoutMode.LEAVING, 2_000)
    await stores.modes.put(5, leaving, CHANGED)
    assert await stores.modes.pulled() == {5: leaving}
    await stores.modes.put(5, AuthorMode(FanoutMode.PUSH, 3_000), CHANGED)
    assert await stores.modes.pulled() == {}
    assert await stores.modes.get([5]) == [AuthorMode(FanoutMode.PUSH, 3_000)]


async def test_setting_what_stands_tells_nobody(stores: Stores) -> None:
    await stores.modes.put(6, AuthorMode(), CHANGED)
    await stores.modes.put(5, PULL, CHANGED)
    await stores.modes.put(5, PULL, CHANGED)
    assert [one.event for one in await stores.log.read(0, 10)] == list(CHANGED)
