"""Which row is whose: a directory of pages of slots, by reader id. Rows of readers who are gone are given to those who come.

A reader without a page, or with an empty slot, has row 0, which is nobody's and always absent: so looking up a batch has no
special case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import Invalid
from .ring_file import DIRECTORY, H_ROWS, H_ROWS_USED, HEAD_WORDS, READER_MAX, SLOT_PAGE, RingFile
from .ring_rows import ABSENT, Rows

if TYPE_CHECKING:
    from ...entries import Ids

GROW_MIN, GROW_PART = 64, 32  # rows; otherwise this part of what there is: allotted and unused space stays below 4 %
PAGE_BITS = SLOT_PAGE.bit_length() - 1


class Slots:
    """Reader → row."""

    def __init__(self, file: RingFile, rows: Rows) -> None:
        self._file = file
        self._rows = rows
        self.slots = file.slots.words
        self.directory = file.slots.words[SLOT_PAGE : SLOT_PAGE + DIRECTORY]
        self._free: Ids = np.empty(0, np.int64)  # rows seen without a living reader; looked at again before they are used

    def locate(self, readers: Ids) -> Ids:
        """The row of each; 0 for none."""
        slot = self.directory.take(readers >> PAGE_BITS, mode="clip")
        slot += readers & (SLOT_PAGE - 1)
        return self.slots.take(slot)

    def assign(self, readers: Ids, cutoff: int) -> Ids:
        """The row of each, given to it if it has none (absent until begun). The lock must be held; all or `StoreFull`.

        Rows not seen since `cutoff` may be taken from their readers."""
        if len(readers) and not 0 < readers.min() <= readers.max() <= READER_MAX:
            raise Invalid(f"timelines are cached for user ids from 1 to {READER_MAX}", field="reader")
        rows = self.locate(readers)
        without = np.unique(readers[rows == 0])
        if len(without):
            pages = self._pages(without)
            given = self._unused(len(without), cutoff, rows)
            self._rows.heads.reshape(-1, HEAD_WORDS)[given] = 0
            self._rows.owner[given << 3] = without
            self.slots[pages + (without & (SLOT_PAGE - 1))] = given
            rows = self.locate(readers)
        return rows

    def _pages(self, readers: Ids) -> Ids:
        """The first slot of each reader's page, added where there is none."""
        numbers = readers >> PAGE_BITS
        for number in np.unique(numbers[self.directory[numbers] == 0]).tolist():
            self.directory[number] = self._file.add_page()
        pages: Ids = self.directory[numbers]
        return pages

    def _unused(self, count: int, cutoff: int, keep: Ids) -> Ids:
        """Rows for new readers: never used, given up, or new."""
        header = self._file.header
        used, rows = int(header[H_ROWS_USED]), int(header[H_ROWS])
        again = self._given_up(count - (rows - used), cutoff, keep)
        fresh = count - len(again)
        if used + fresh > rows:
            self._file.grow(max(GROW_MIN, rows // GROW_PART, used + fresh - rows))
        header[H_ROWS_USED] = used + fresh
        return np.concatenate([np.arange(used, used + fresh), again])

    def _given_up(self, wanted: int, cutoff: int, keep: Ids) -> Ids:
        """Take up to `wanted` rows from readers who are absent or lapsed; none where there are too few to look for."""
        seen, used = self._rows.seen, int(self._file.header[H_ROWS_USED])
        if wanted <= 0:
            return np.empty(0, np.int64)
        if not len(self._free):
            free = np.flatnonzero(seen[: used << 3 : 8] < cutoff)[1:]  # the first is row 0
            if len(free) * 16 > used:  # else looking again for each few would cost more than growing
                self._free = free
        free = self._free[(seen[self._free << 3] < cutoff) & ~np.isin(self._free, keep)]
        rows: Ids = free[:wanted]
        self._free = free[wanted:]
        seen[rows << 3] = ABSENT
        owners = self._rows.owner[rows << 3]
        slots = self.directory[owners >> PAGE_BITS] + (owners & (SLOT_PAGE - 1))
        theirs = self.slots[slots] == rows
        self.slots[slots[theirs]] = 0
        return rows

    def residents(self, after: int, limit: int, cutoff: int) -> Ids:
        """Readers above `after` whose rows were seen since `cutoff`, in order."""
        found: list[Ids] = []
        count = 0
        first = max(0, after + 1)
        pages = np.flatnonzero(self.directory[first >> PAGE_BITS :]) + (first >> PAGE_BITS)
        for number in pages.tolist():
            start = int(self.directory[number])
            rows = self.slots[start : start + SLOT_PAGE]
            live = np.flatnonzero(self._rows.seen.take(rows << 3) >= cutoff) + (number << PAGE_BITS)
            live = live[live >= first]
            found.append(live)
            count += len(live)
            if count >= limit:
                break
        return np.concatenate(found)[:limit] if found else np.empty(0, np.int64)
