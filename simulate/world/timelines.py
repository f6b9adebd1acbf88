"""Cached home timelines of the world: the overlay's ring, brought up to date before anybody looks at a row.

What computed people tweet causes no event, so no fan-out delivers it. It is delivered when the row is looked at: what the
pushed followees (and the reader himself) said since the row was last up to date is pushed into it first, so that a row, as this
port shows it, always holds what fan-out would have put there by this turn. A row is up to date at least to the turn in which
its reader was last seen: to be begun or touched is to be brought up to date. Whom that would take too far back is given no
row, and the core rebuilds it as after any absence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.entries import FanoutMode, Mark, Row, RowState
from ...core.ids import EPOCH_MS, id_at
from ...core.limits import Limits
from ...core.ports import FanoutModes, SocialGraph, Timelines
from ...core.recent import Recent
from ...core.stores.embedded.overlay import SqliteOverlay
from .base import Base
from .turns import Turns

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...core.entries import Entries, Ids


class WorldTimelines:
    """`core.ports.Timelines`."""

    def __init__(  # noqa: PLR0917 - what a row depends on
        self, base: Base, ring: Timelines, graph: SocialGraph, modes: FanoutModes, overlay: SqliteOverlay, turns: Turns,
        limits: Limits,
    ) -> None:  # fmt: skip
        self._base = base
        self._ring = ring
        self._graph = graph
        self._modes = modes
        self._overlay = overlay
        self._turns = turns
        self._entries_max = limits.timeline_entries_max
        self._current: Recent[int, int] = Recent(limits.cached_viewers_max)  # reader -> moment his row is up to date to

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        return await self._ring.push(entries, readers, now_ms, floor)

    async def push_each(self, entries: Entries, groups: Sequence[Ids], now_ms: int) -> npt.NDArray[np.uint8]:
        return await self._ring.push_each(entries, groups, now_ms)

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        await self._bring_up(reader, now_ms)
        return await self._ring.read(reader, before, limit, now_ms)

    async def raw(self, reader: int) -> Entries:
        return await self._ring.raw(reader)

    def unchanged(self, reader: int, row: Row, now_ms: int) -> bool:
        return self._current.peek(reader) == self._turns.now_ms() and self._ring.unchanged(reader, row, now_ms)

    async def begin(self, readers: Sequence[int], now_ms: int) -> list[Mark]:
        return await self._ring.begin(readers, now_ms)

    async def mark(self, readers: Sequence[int], now_ms: int) -> list[Mark | None]:
        for reader in readers:
            await self._bring_up(reader, now_ms)
        return await self._ring.mark(readers, now_ms)

    async def replace(self, reader: int, entries: Entries, complete_back_to: int, mark: Mark, now_ms: int) -> bool:
        return await self._ring.replace(reader, entries, complete_back_to, mark, now_ms)

    async def remove(self, tweet_ids: Sequence[int], readers: Ids) -> int:
        return await self._ring.remove(tweet_ids, readers)

    async def drop(self, readers: Sequence[int]) -> None:
        await self._ring.drop(readers)

    async def touch(self, readers: Ids, now_ms: int) -> None:
        for reader in readers.tolist():
            await self._bring_up(reader, now_ms)
        await self._ring.touch(readers, now_ms)

    async def open_empty(self, readers: Ids, now_ms: int) -> None:
        await self._ring.open_empty(readers, now_ms)

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        return await self._ring.residents(after, limit, now_ms)

    async def _bring_up(self, reader: int, now_ms: int) -> None:
        """Push what computed authors said since the row was up to date."""
        moment = self._turns.now_ms()
        since = self._current.get(reader)
        if since == moment:
            return
        row = await self._ring.read(reader, 0, 1, now_ms)
        if row.state is RowState.ABSENT:
            self._current.drop(reader)
            return
        since = max(since or 0, self._turns.began_ms(row.seen_ms))
        if since < moment and not await self._push_since(reader, since, now_ms) and row.state is RowState.COMPLETE:
            await self._ring.drop((reader,))
            self._current.drop(reader)
            return
        self._current[reader] = moment

    async def _push_since(self, reader: int, since_ms: int, now_ms: int) -> bool:
        """False, with nothing pushed, where that is more than a row holds."""
        authors = await self._pushed_authors(reader)
        if not authors:
            return True
        after = id_at(max(since_ms, EPOCH_MS)) - 1
        lists = self._base.tweets_of(authors, 0, max(after, 0), self._entries_max, self._turns.now_ms())
        entries = np.concatenate(lists)
        if len(entries) >= self._entries_max:
            return False
        buried = self._overlay.buried(authors) if len(entries) else {}
        if buried:
            entries = entries[~np.isin(entries[:, 0], [one for those in buried.values() for one in those])]
        if len(entries):
            newest = np.ascontiguousarray(entries[entries[:, 0].argsort()[::-1]])
            await self._ring.push(newest, np.array((reader,), np.int64), now_ms)
        return True

    async def _pushed_authors(self, reader: int) -> list[int]:
        """The computed people whose tweets lie in the reader's row."""
        (following,) = await self._graph.following((reader,))
        modes = await self._modes.pulled()
        people = [one for one in following.followees if one <= self._base.users]
        authors = [one for one in people if (mode := modes.get(one)) is None or mode.mode is not FanoutMode.PULL]
        return [reader, *authors] if reader <= self._base.users else authors
