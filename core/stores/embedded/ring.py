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

from ...errors import StoreDown
from ...limits import Limits
from ...model import Mark, Push, Row, RowState
from .ring_file import H_EPOCH, HEAD_WORDS, PAGE_WORDS, READER_MAX, SLOT_PAGE, RingFile
from .ring_rows import ABSENT, BUSY, END, EPOCH, FLOOR, LATE, REFUSED_BITS, SEEN, Rows
from .ring_slots import PAGE_BITS, Slots

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...model import Entries, Ids

READS_BEFORE_LOCK = 64  # a row that changes all the time is read under the lock in the end
MARKS_MAX = 1_024  # moments of rows with entries kept for `replace`, 6.4 KB each; an older one is refused
STORES_SEEN_IN_ORDER = platform.machine() in {"x86_64", "AMD64"}
NOTHING: Entries = np.empty((0, 2), np.int64)
NOTHING.flags.writeable = False


def open_ring(folder: Path, limits: Limits) -> RingTimelines:
    """Open the ring of a data folder, making it where there is none."""
    return RingTimelines(folder, limits)


class Marked(NamedTuple):
    """What a row was like when it was marked."""

    ids: Ids
    floor: int
    late: int


class RingTimelines:
    """`core.ports.Timelines` over `timelines.*` in one folder."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._inactive_after_ms = limits.inactive_after_ms
        self._file = RingFile(folder, limits.timeline_entries_max, limits.store_timeout_ms)
        self._rows = Rows(self._file)
        self._slots = Slots(self._file, self._rows)
        self._shown, self._places = self._file.entries_max, self._file.places
        # single words are read through memoryviews: a numpy scalar costs more than the read it stands for
        self._slot_words = self._file.slots.words.data
        self._head_words = self._file.heads.words.data
        self._ring_words = self._file.ring.words.data
        self._entries = self._file.ring.words.reshape(-1, 2)
        self._marks: dict[tuple[int, int, int], Marked] = {}

    def _cutoff(self, now_ms: int) -> int:
        """Rows live if their `SEEN` is at least this."""
        return max(1, now_ms - self._inactive_after_ms + 1)

    # ---- writes

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        cutoff = self._cutoff(now_ms)
        await self._file.lock()
        try:
            rows = self._slots.locate(readers)
            seen = self._rows.seen.take(rows << 3)
            live = seen >= cutoff
            if live.all():
                return self._push(entries, rows, floor)
            outcomes = np.empty((len(entries), len(rows)), np.uint8)
            outcomes[:, ~live] = np.where(seen[~live] > ABSENT, Push.INACTIVE, Push.NOT_RESIDENT)
            if live.any():
                outcomes[:, live] = self._push(entries, rows[live], floor)
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
                row, head = self._head(reader)
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
            row, head = self._head(reader)
            marked = self._marks.pop((reader, mark.epoch, mark.arrivals), None)
            if head[SEEN] < self._cutoff(now_ms) or head[EPOCH] != mark.epoch:
                return False
            since = self._arrived_since(row, head, mark, marked)
            if since is None:
                return False
            floor = max(complete_back_to, self._floor_since(row, head, mark, marked))
            both = np.concatenate([entries, since])
            both = both[np.unique(both[:, 0], return_index=True)[1]]
            cut = len(both) - self._shown
            if cut > 0:
                floor = max(floor, int(both[cut - 1, 0]) + 1)
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
            return int(self._rows.lowest(np.array([row]))[0])
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

    def _head(self, reader: int) -> tuple[int, list[int]]:
        row = self._row(reader)
        start = PAGE_WORDS + row * HEAD_WORDS
        return row, self._head_words[start : start + HEAD_WORDS].tolist()

    # ---- reads

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        if self._file.closed:
            raise StoreDown("the ring is closed")
        cutoff = self._cutoff(now_ms)
        if STORES_SEEN_IN_ORDER:
            for _ in range(READS_BEFORE_LOCK):
                row = self._read(reader, before, limit, cutoff)
                if row is not None:
                    return row
        await self._file.lock()
        try:
            return self._read(reader, before, limit, cutoff) or _absent()
        finally:
            self._file.unlock()

    async def raw(self, reader: int) -> Entries:
        await self._file.lock()
        try:
            row = self._row(reader)
            return self._rows.entries(row)[::-1] if self._rows.seen[row << 3] > ABSENT else NOTHING
        finally:
            self._file.unlock()

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        if self._file.closed:
            raise StoreDown("the ring is closed")
        return self._slots.residents(after, limit, self._cutoff(now_ms))

    def _row(self, reader: int) -> int:
        if not 0 < reader <= READER_MAX:
            return 0
        page = self._slot_words[SLOT_PAGE + (reader >> PAGE_BITS)]
        return self._slot_words[page + (reader & (SLOT_PAGE - 1))]

    def _read(self, reader: int, before: int, limit: int, cutoff: int) -> Row | None:
        """The window, or `None` where the row is being changed."""
        row = self._row(reader)
        start = PAGE_WORDS + row * HEAD_WORDS
        head = self._head_words[start : start + HEAD_WORDS]
        before_copy = head.tolist()
        seen, end, _, floor, epoch, owner, building, _ = before_copy
        if seen == BUSY:
            return None
        if seen < cutoff or owner != reader:
            return _absent()
        words, places, base = self._ring_words, self._places, row * self._places
        first = 0
        if end > self._shown:
            first = end - self._shown
            lost, oldest = words[(base + end % places) << 1], words[(base + first % places) << 1]
            floor = max(floor, lost + 1 if lost < oldest else oldest)
        high = end if before == 0 else self._above(base, first, end, before)
        low = max(first, high - limit)
        if low < high and words[(base + low % places) << 1] < floor:
            low = self._above(base, low, high, floor)
        more = low > first and words[(base + (low - 1) % places) << 1] >= floor
        entries = self._copy(base, low, high)
        if head.tolist() != before_copy:
            return None
        state = RowState.BUILDING if building else RowState.COMPLETE
        return Row(state, floor, entries, more, Mark(epoch, end), seen - 1, max(0, building - 1))

    def _above(self, base: int, low: int, high: int, tweet: int) -> int:
        """The first position in [low, high) whose id is at least `tweet`."""
        words, places = self._ring_words, self._places
        while low < high:
            middle = (low + high) >> 1
            if words[(base + middle % places) << 1] < tweet:
                low = middle + 1
            else:
                high = middle
        return low

    def _copy(self, base: int, low: int, high: int) -> Entries:
        """Entries at positions [low, high), newest first."""
        if low >= high:
            return NOTHING
        left, right = base + low % self._places, base + (high - 1) % self._places + 1
        if left < right:
            return self._entries[left:right][::-1].copy()
        return np.concatenate([self._entries[base:right][::-1], self._entries[left : base + self._places][::-1]])

    def close(self) -> None:
        """Let go of the files. More than once is harmless."""
        self._file.close()


def _absent() -> Row:
    return Row(RowState.ABSENT, 0, NOTHING, more=False, mark=Mark(0, 0), seen_ms=0)
