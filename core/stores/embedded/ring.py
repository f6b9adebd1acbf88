"""Cached home timelines in a memory map: the `Timelines` port of the embedded stores.

A cache, and treated as one: a ring made with other limits, by another version, cut off, or open when the machine went down is
dropped with a warning and builds again; a row in which a writer died is absent. It never holds what is nowhere else.

Writes take the ring's lock for one batch and never give up the thread in between. Reads take no lock: they copy, and look
whether the row's head is still the same.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...entries import Mark, Push, Row
from ...errors import StoreDown
from ...limits import Limits
from .ring_file import H_EPOCH, RingFile
from .ring_rows import ABSENT, BUSY, END, EPOCH, FLOOR, LATE, OWNER, REFUSED_BITS, SEEN, Rows
from .ring_slots import Slots
from .ring_windows import ABSENT_ROW, NOTHING, Windows

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...entries import Entries, Ids

READS_BEFORE_LOCK = 64  # a row that changes all the time is read under the lock in the end
MARKS_MAX = 1_024  # moments of rows with entries kept for `replace`, 6.4 KB each; an older one is refused
STORED: npt.NDArray[np.uint8] = np.full((1, 1), Push.STORED, np.uint8)
STORED.flags.writeable = False
STORES_SEEN_IN_ORDER = platform.machine() in {"x86_64", "AMD64"}


def open_ring(folder: Path, limits: Limits, ring_folder: Path | None = None) -> RingTimelines:
    """Open the ring of a data folder, making it where there is none; its files lie in `ring_folder`, beside the data by default.

    Raises `StoreDown` where the folder cannot be made.
    """
    if ring_folder is None or ring_folder == folder:
        return RingTimelines(folder, limits)
    try:
        ring_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        what = f"the ring's folder {ring_folder} cannot be made: {error.strerror}"
        raise StoreDown(what, try_="name another with the key ring, or TWIT_RING") from error
    return RingTimelines(ring_folder, limits, folder)


class Marked(NamedTuple):
    """What a row was like when it was marked."""

    ids: Ids
    floor: int
    late: int


class RingTimelines:
    """`core.ports.Timelines` over `timelines.*` in one folder."""

    def __init__(self, folder: Path, limits: Limits, home: Path | None = None) -> None:
        self._inactive_after_ms = limits.inactive_after_ms
        self._file = RingFile(folder, limits.timeline_entries_max, limits.store_timeout_ms, home)
        self._rows = Rows(self._file)
        self._slots = Slots(self._file, self._rows)
        self._windows = Windows(self._file)
        self._shown = self._file.entries_max
        self._marks: dict[tuple[int, int, int], Marked] = {}

    def _cutoff(self, now_ms: int) -> int:
        """Rows live if their `SEEN` is at least this."""
        return max(1, now_ms - self._inactive_after_ms + 1)

    # ---- writes

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        cutoff = self._cutoff(now_ms)
        await self._file.lock()
        try:
            if len(readers) == len(entries) == 1 and not floor and self._append(entries, int(readers[0]), cutoff):
                return STORED
            rows = self._slots.locate(readers)
            seen = self._rows.seen.take(rows << 3)
            live = seen >= cutoff
            if live.all():  # lost rows (BUSY) are not
                return self._push(entries, rows, floor)
            outcomes = np.empty((len(entries), len(rows)), np.uint8)
            outcomes[:, ~live] = np.where(seen[~live] > ABSENT, Push.INACTIVE, Push.NOT_RESIDENT)
            if live.any():
                outcomes[:, live] = self._push(entries, rows[live], floor)
            return outcomes
        finally:
            self._file.unlock()

    def _append(self, entries: Entries, reader: int, cutoff: int) -> bool:
        """Put a new entry into the live row of one reader, as each author's own tweet is; false where it is not that."""
        row, head = self._windows.head(reader)
        return head[SEEN] >= cutoff and head[OWNER] == reader and self._rows.append(row, *entries[0].tolist())

    async def push_each(self, entries: Entries, groups: Sequence[Ids], now_ms: int) -> npt.NDArray[np.uint8]:
        cutoff = self._cutoff(now_ms)
        await self._file.lock()
        try:
            rows = self._slots.locate(np.concatenate(groups))
            which = np.repeat(np.arange(len(groups)), [len(readers) for readers in groups])
            seen = self._rows.seen.take(rows << 3)
            live = seen >= cutoff
            if live.all():
                return self._rows.push_each(rows, np.ascontiguousarray(entries), which)
            outcomes = np.where(seen > ABSENT, np.uint8(Push.INACTIVE), np.uint8(Push.NOT_RESIDENT))
            outcomes[live] = self._rows.push_each(rows[live], np.ascontiguousarray(entries), which[live])
            return outcomes
        finally:
            self._file.unlock()

    def _push(self, entries: Entries, rows: Ids, floor: int) -> npt.NDArray[np.uint8]:
        if floor:
            self._rows.raise_floor(rows, floor)
        if len(entries) == 1:
            return self._rows.push(rows, np.ascontiguousarray(entries)).reshape(1, -1)
        if not (len(entries) and len(rows)):
            return np.zeros((len(entries), len(rows)), np.uint8)
        if (entries[:-1, 0] > entries[1:, 0]).all():
            return self._rows.push_many(rows, np.ascontiguousarray(entries))
        ids, first, place = np.unique(entries[:, 0], return_index=True, return_inverse=True)
        outcomes = self._rows.push_many(rows, entries[first[::-1]])[len(ids) - 1 - place]
        again = np.ones(len(entries), np.bool_)
        again[first] = False
        outcomes[again] = np.where(outcomes[again] == Push.STORED, np.uint8(Push.DUPLICATE), outcomes[again])
        return outcomes

    async def begin(self, readers: Sequence[int], now_ms: int) -> list[Mark]:
        await self._file.lock()
        try:
            rows = self._slots.assign(np.asarray(readers, np.int64), self._cutoff(now_ms))
            epoch = self._next_epoch()
            self._fill_empty(rows, epoch, building=now_ms + 1, now_ms=now_ms)
        finally:
            self._file.unlock()
        return [Mark(epoch, 0)] * len(rows)

    async def open_empty(self, readers: Ids, now_ms: int) -> None:
        cutoff = self._cutoff(now_ms)
        await self._file.lock()
        try:
            new = readers[self._rows.seen.take(self._slots.locate(readers) << 3) < cutoff]
            if len(new):
                self._fill_empty(self._slots.assign(new, cutoff), self._next_epoch(), building=0, now_ms=now_ms)
        finally:
            self._file.unlock()

    def _fill_empty(self, rows: Ids, epoch: int, *, building: int, now_ms: int) -> None:
        at, table = rows << 3, self._rows
        table.seen[at] = BUSY
        for column in (table.end, table.top, table.floor, table.late):
            column[at] = 0
        table.epoch[at] = epoch
        table.building[at] = building
        table.seen[at] = now_ms + 1

    def _next_epoch(self) -> int:
        """Never given twice in this ring, so that a row given to another reader cannot be mistaken for what it was."""
        epoch = int(self._file.header[H_EPOCH]) + 1
        self._file.header[H_EPOCH] = epoch
        return epoch

    async def mark(self, readers: Sequence[int], now_ms: int) -> list[Mark | None]:
        cutoff = self._cutoff(now_ms)
        marks: list[Mark | None] = []
        await self._file.lock()
        try:
            for reader in readers:
                row, head = self._windows.head(reader)
                if head[SEEN] < cutoff:
                    marks.append(None)
                    continue
                marks.append(Mark(head[EPOCH], head[END]))
                self._marks[reader, head[EPOCH], head[END]] = Marked(self._rows.entries(row)[:, 0], head[FLOOR], head[LATE])
                if len(self._marks) > MARKS_MAX:
                    del self._marks[next(iter(self._marks))]
        finally:
            self._file.unlock()
        return marks

    async def replace(self, reader: int, entries: Entries, complete_back_to: int, mark: Mark, now_ms: int) -> bool:
        await self._file.lock()
        try:
            row, head = self._windows.head(reader)
            marked = self._marks.pop((reader, mark.epoch, mark.arrivals), None)
            if head[SEEN] < self._cutoff(now_ms) or head[EPOCH] != mark.epoch:
                return False
            since = self._arrived_since(row, head, mark, marked)
            if since is None:
                return False
            floor = max(complete_back_to, self._floor_since(row, head, mark, marked))
            both = entries[::-1]
            if len(since) or not (both[1:, 0] > both[:-1, 0]).all():
                both = np.concatenate([entries, since])
                both = both[np.unique(both[:, 0], return_index=True)[1]]
            cut = len(both) - self._shown
            if cut > 0:
                floor = max(floor, int(both[cut - 1, 0]) + 1)
            if len(both) and both[0, 0] < floor:
                both = both[np.searchsorted(both[:, 0], floor) :]
            at = row << 3
            self._rows.seen[at] = BUSY
            self._rows.epoch[at] = self._next_epoch()
            self._rows.building[at] = 0
            self._rows.write(row, both, end=len(both), floor=floor, late=0, seen=head[SEEN])
            return True
        finally:
            self._file.unlock()

    def _arrived_since(self, row: int, head: list[int], mark: Mark, marked: Marked | None) -> Entries | None:
        """What was pushed since `mark` and still shows; `None` where that can no longer be told."""
        if head[END] == mark.arrivals and head[LATE] >> REFUSED_BITS <= mark.arrivals:
            return NOTHING
        held = self._rows.entries(row)
        if mark.arrivals == 0:
            return held
        if head[LATE] >> REFUSED_BITS <= mark.arrivals:
            return held[max(0, len(held) - (head[END] - mark.arrivals)) :]
        if marked is None:
            return None
        return held[~np.isin(held[:, 0], marked.ids)]

    def _floor_since(self, row: int, head: list[int], mark: Mark, marked: Marked | None) -> int:
        """How far down nothing that came since `mark` is missing; what the row lacked before it does not count."""
        if marked is None or head[LATE] != marked.late or head[END] - mark.arrivals > self._shown:
            return self._rows.lowest_of(row)
        return head[FLOOR] if head[FLOOR] > marked.floor else 0

    async def remove(self, tweet_ids: Sequence[int], readers: Ids) -> int:
        await self._file.lock()
        try:
            rows = self._slots.locate(readers)
            rows = rows[self._rows.seen.take(rows << 3) > ABSENT]
            return self._rows.remove(rows, np.unique(np.asarray(tweet_ids, np.int64)), self._next_epoch())
        finally:
            self._file.unlock()

    async def drop(self, readers: Sequence[int]) -> None:
        await self._file.lock()
        try:
            rows = self._slots.locate(np.asarray(readers, np.int64))
            self._rows.seen[rows << 3] = ABSENT
        finally:
            self._file.unlock()

    async def touch(self, readers: Ids, now_ms: int) -> None:
        await self._file.lock()
        try:
            at = self._slots.locate(readers) << 3
            seen = self._rows.seen.take(at)
            live = (seen >= self._cutoff(now_ms)) & (seen <= now_ms)
            self._rows.seen[at[live]] = now_ms + 1
        finally:
            self._file.unlock()

    # ---- reads

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        if self._file.closed:
            raise StoreDown("the ring is closed")
        cutoff = self._cutoff(now_ms)
        if STORES_SEEN_IN_ORDER:
            for _ in range(READS_BEFORE_LOCK):
                row = self._windows.read(reader, before, limit, cutoff)
                if row is not None:
                    return row
        await self._file.lock()
        try:
            return self._windows.read(reader, before, limit, cutoff) or ABSENT_ROW
        finally:
            self._file.unlock()

    def unchanged(self, reader: int, row: Row, now_ms: int) -> bool:
        return STORES_SEEN_IN_ORDER and not self._file.closed and self._windows.unchanged(reader, row, self._cutoff(now_ms))

    async def raw(self, reader: int) -> Entries:
        await self._file.lock()
        try:
            row, head = self._windows.head(reader)
            return self._rows.entries(row)[::-1].copy() if head[SEEN] > ABSENT else NOTHING
        finally:
            self._file.unlock()

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        if self._file.closed:
            raise StoreDown("the ring is closed")
        return self._slots.residents(after, limit, self._cutoff(now_ms))

    def close(self) -> None:
        """Let go of the files. More than once is harmless."""
        self._file.close()
