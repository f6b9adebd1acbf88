"""Gets a reader a usable cached timeline (rule 12): the row as it is, or rebuilt once while others wait, or none.

The first to miss builds at once: marks the row building, so that pushes reach it, then fills it. Others wait with jitter up
to `rebuild_wait_ms`; whoever waited in vain is told to read without a cache, never given an empty row. So is everybody while the
store of the rows is away: a cache may fail no reader.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from .clock import Clock
from .entries import Mark, Row, RowState
from .entropy import Chance
from .errors import StoreError
from .limits import Limits
from .patience import soon
from .ports import Stores
from .rebuild import Truth

if TYPE_CHECKING:
    from .entries import Ids

log = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS_MAX = 4  # a removal or a second builder may spoil an attempt; so many in a row are no accident
POLL_MS = 10  # another process's rebuild is looked at this often, times 0.5 to 1.5


class RowsAway(StoreError):
    """The store of the rows failed; not one of those that hold the truth."""


class Found(NamedTuple):
    """`row` is a window of a complete row, or `None`: read the stores of truth. `how` as in `Explanation.row`."""

    row: Row | None
    how: str
    calls: int


class Rows:
    """Cached timelines that are there when asked for."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, chance: Chance, truth: Truth) -> None:
        self._timelines = stores.timelines
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._truth = truth
        self._building: dict[int, asyncio.Future[None]] = {}
        self._away = False

    async def find(self, reader: int, before: int, limit: int) -> Found:
        """Read the window of `limit` entries below `before`, after a rebuild where the row is lapsed, lost or half built.

        Raises the errors of the stores of truth alone."""
        try:
            found = await self._find(reader, before, limit)
        except RowsAway as error:
            if not self._away:
                log.warning("timelines are read without their rows: %s", error)
            self._away = True
            return Found(None, "uncached", 1)
        self._away = False
        return found

    async def _find(self, reader: int, before: int, limit: int) -> Found:
        now = self._clock.now_ms()
        row = await self._read(reader, before, limit, now)
        if row.state is RowState.COMPLETE:
            if now - row.seen_ms > self._limits.seen_write_ms:
                with suppress(RowsAway):  # it was read; the next reading notes it
                    await self._soon(self._timelines.touch(_one(reader), now))
            return Found(row, "complete", 1)
        if reader not in self._building and not self._another_builds(row, now):
            await self._build_alone(reader)
            row = await self._read(reader, before, limit, self._clock.now_ms())
            return Found(row, "rebuilt", 5) if row.state is RowState.COMPLETE else Found(None, "uncached", 5)
        return await self._wait(reader, before, limit)

    async def _read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        """A row's window; stores bound this themselves (see the port)."""
        try:
            return await self._timelines.read(reader, before, limit, now_ms)
        except StoreError as error:
            raise RowsAway(str(error)) from error

    async def _soon(self, call: Awaitable[T]) -> T:
        try:
            return await soon(self._limits, call)
        except StoreError as error:
            raise RowsAway(str(error)) from error

    async def rebuild(self, reader: int) -> bool:
        """Begin the row and fill it from truth; false where others kept changing it meanwhile."""
        mark = (await self._soon(self._timelines.begin((reader,), self._clock.now_ms())))[0]
        for _ in range(ATTEMPTS_MAX):
            entries, complete_back_to = (await self._truth.truth((reader,)))[0]
            now = self._clock.now_ms()
            if await self._soon(self._timelines.replace(reader, entries, complete_back_to, mark, now)):
                return True
            again = await self._mark_again(reader, mark)
            if again is None:
                return False
            mark = again
        return False

    async def _mark_again(self, reader: int, mark: Mark) -> Mark | None:
        """The mark for another attempt where entries were removed or the row was dropped; `None` where another has it."""
        now = self._clock.now_ms()
        row = await self._read(reader, 0, 1, now)
        if row.state is RowState.COMPLETE:
            return None
        if row.state is RowState.ABSENT:
            return (await self._soon(self._timelines.begin((reader,), now)))[0]
        return None if row.mark.epoch == mark.epoch else row.mark

    async def _build_alone(self, reader: int) -> None:
        """Rebuild while this process's other readers of the row wait for the outcome."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._building[reader] = done
        try:
            await self.rebuild(reader)
        except BaseException:
            with suppress(RowsAway):
                await self._soon(self._timelines.drop((reader,)))  # or everybody would wait for nobody until the takeover
            raise
        finally:
            del self._building[reader]
            done.set_result(None)

    async def _wait(self, reader: int, before: int, limit: int) -> Found:
        """Wait for whoever builds, in this process or another, and then read; uncached after `rebuild_wait_ms`."""
        until = self._clock.monotonic_us() + self._limits.rebuild_wait_ms * 1_000
        calls = 1
        while (left := until - self._clock.monotonic_us()) > 0:
            ours = self._building.get(reader)
            if ours is not None:
                await _at_most(ours, left / 1e6)
            else:
                await self._clock.sleep(min(left / 1e6, POLL_MS / 1_000 * (0.5 + self._chance.random())))
            now = self._clock.now_ms()
            row = await self._read(reader, before, limit, now)
            calls += 1
            if row.state is RowState.COMPLETE:
                return Found(row, "waited", calls)
            if reader not in self._building and not self._another_builds(row, now):
                break  # the builder gave up: one of those who wait must not become many builders
        return Found(None, "uncached", calls)

    def _another_builds(self, row: Row, now_ms: int) -> bool:
        return row.state is RowState.BUILDING and now_ms - row.building_since_ms < self._limits.rebuild_takeover_ms


async def _at_most(future: asyncio.Future[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(future)
    except TimeoutError:
        return


def _one(reader: int) -> Ids:
    return np.array((reader,), np.int64)
