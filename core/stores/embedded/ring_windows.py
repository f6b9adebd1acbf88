"""One reader's window of his row, copied without a lock: the head is read, the entries, and the head again.

Single words are read through memoryviews: a numpy scalar costs more than the read it stands for. Changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...entries import Mark, Row, RowState
from .ring_file import HEAD_WORDS, PAGE_WORDS, READER_MAX, SLOT_PAGE, RingFile
from .ring_rows import BUSY
from .ring_slots import PAGE_BITS

if TYPE_CHECKING:
    from ...entries import Entries

NOTHING: Entries = np.empty((0, 2), np.int64)
NOTHING.flags.writeable = False
ABSENT_ROW = Row(RowState.ABSENT, 0, NOTHING, more=False, mark=Mark(0, 0), seen_ms=0)
BUILDING, COMPLETE = RowState.BUILDING, RowState.COMPLETE


class Windows:
    """The rows of an open ring, as their readers see them."""

    def __init__(self, file: RingFile) -> None:
        self._shown, self._places = file.entries_max, file.places
        self._slot_words = file.slots.words.data
        self._head_words = file.heads.words.data
        self._ring_words = file.ring.words.data
        self._entries = file.ring.words.reshape(-1, 2)

    def head(self, reader: int) -> tuple[int, list[int]]:
        """The reader's row (0: none) and the words of its head."""
        row = self._row(reader)
        start = PAGE_WORDS + row * HEAD_WORDS
        return row, self._head_words[start : start + HEAD_WORDS].tolist()

    def read(self, reader: int, before: int, limit: int, cutoff: int) -> Row | None:
        """The window below `before`, absent if not seen since `cutoff`; `None` where the row is being changed."""
        row = self._row(reader)
        start = PAGE_WORDS + row * HEAD_WORDS
        head = self._head_words[start : start + HEAD_WORDS]
        before_copy = head.tolist()
        seen, end, _, floor, epoch, owner, building, _ = before_copy
        if seen == BUSY:
            return None
        if seen < cutoff or owner != reader:
            return ABSENT_ROW
        words, places, base = self._ring_words, self._places, row * self._places
        first = max(0, end - self._shown)
        floor = self._floor(base, end, floor)
        high = end if before == 0 else self._above(base, first, end, before)
        low = max(first, high - limit)
        if low < high and words[(base + low % places) << 1] < floor:
            low = self._above(base, low, high, floor)
        more = low > first and words[(base + (low - 1) % places) << 1] >= floor
        entries = self._copy(base, low, high)
        if head.tolist() != before_copy:
            return None
        state = BUILDING if building else COMPLETE
        return Row(state, floor, entries, more, Mark(epoch, end), seen - 1, max(0, building - 1))

    def unchanged(self, reader: int, read: Row, cutoff: int) -> bool:
        """Whether the head still says what it said when this complete row was read."""
        row = self._row(reader)
        start = PAGE_WORDS + row * HEAD_WORDS
        seen, end, _, floor, epoch, owner, building, _ = self._head_words[start : start + HEAD_WORDS]
        if seen == BUSY or seen < cutoff or owner != reader or building:
            return False
        if end != read.mark.arrivals or epoch != read.mark.epoch:
            return False
        return bool(self._floor(row * self._places, end, floor) == read.complete_back_to)

    def _floor(self, base: int, end: int, floor: int) -> int:
        """`complete_back_to`: what the head says, or just above what an entry at the end pushed out."""
        if end <= self._shown:
            return floor
        words, places = self._ring_words, self._places
        lost, oldest = words[(base + end % places) << 1], words[(base + (end - self._shown) % places) << 1]
        return max(floor, lost + 1 if lost < oldest else oldest)

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

    def _row(self, reader: int) -> int:
        if not 0 < reader <= READER_MAX:
            return 0
        page = self._slot_words[SLOT_PAGE + (reader >> PAGE_BITS)]
        return self._slot_words[page + (reader & (SLOT_PAGE - 1))]
