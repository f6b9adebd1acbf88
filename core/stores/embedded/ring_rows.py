"""What a row of the ring is and how whole batches of rows change, in numpy. Knows nothing of readers, time or files.

A row shows its newest `entries_max` entries, kept in order of id, unique, oldest first, in a circle of `entries_max + 1`
places. `end` counts entries ever put at the end in this epoch, so the entry before `end` lies at place `(end - 1) % places`
and a row shows those from `max(0, end - entries_max)` on. Since one place more exists than shows, putting an entry at the end
is one store of `end` after everything else is written: a reader sees the row before or after, and so does whoever comes after
a kill. The place that does not show still holds the entry that was lost last, which is where `complete_back_to` comes from.

Everything else (an entry that belongs further back, a removal) rewrites what shows: the row is BUSY meanwhile, and one that was
left so is lost. Correct because stores are seen in the order in which they are made (x86-64); elsewhere readers take the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...entries import Push
from .ring_file import PAGE_WORDS, RingFile

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...entries import Entries, Ids

    Outcomes = npt.NDArray[np.uint8]

# words of a row's head
SEEN, END, TOP, FLOOR, EPOCH, OWNER, BUILDING, LATE = range(8)
ABSENT, BUSY = 0, -1  # of SEEN, which otherwise is the time of the last touch in ms plus 1
REFUSED_BITS = 24  # the low bits of LATE count entries refused for their age; the rest is END after the last that came late
REFUSED_MASK = (1 << REFUSED_BITS) - 1
NEAR = 128  # how far back an entry that comes late is looked for in all rows at once
FEW_PART = 8  # a row alone costs as much as looking one place further back in some: so few are left to themselves
CELLS = 1 << 16  # entries handled in one step where rows are looked at whole: bounds memory
PUSH_US, PUSH_NEW_US, PUSH_LATE_US, MERGE_US = 25.0, 0.1, 1.0, 45.0  # rough costs: a call, and a row of each kind


class Rows:
    """The rows of an open ring, as columns. Every method that changes rows wants the lock held and rows that are live."""

    def __init__(self, file: RingFile) -> None:
        self.shown = file.entries_max
        self.places = file.places
        heads = file.heads.words[PAGE_WORDS:]
        self.heads = heads
        self.words, self.ring_words = heads.data, file.ring.words.data  # single words: a numpy scalar costs more than what it stands for
        # columns are views shifted by a word, indexed by `row * 8`: contiguous, so that `take` does not copy
        self.seen, self.end, self.top, self.floor = heads[SEEN:], heads[END:], heads[TOP:], heads[FLOOR:]
        self.epoch, self.owner, self.building, self.late = heads[EPOCH:], heads[OWNER:], heads[BUILDING:], heads[LATE:]
        self.pairs = file.ring.words.view(np.complex128)  # 16 bytes moved as one: twice as fast as two words
        self.two = file.ring.words.reshape(-1, 2)
        self.ids = file.ring.words[0::2]

    # ---- putting entries in

    def append(self, row: int, tweet: int, ref: int) -> bool:
        """`push` of one entry into one row, word by word; false, with nothing done, where it is not the newest there."""
        words, head = self.words, row << 3
        if words[head + TOP] >= tweet:
            return False
        end = words[head + END]
        place = (row * self.places + end % self.places) << 1
        self.ring_words[place], self.ring_words[place + 1] = tweet, ref
        words[head + TOP], words[head + END] = tweet, end + 1
        return True

    def push(self, rows: Ids, pair: Entries) -> Outcomes:
        """Put one entry (shape (1, 2)) into every row; `Push.STORED`, `DUPLICATE` or `OLDER_THAN_TAIL` for each."""
        at = rows << 3
        ordered = self.top.take(at) < pair[0, 0]
        if ordered.all():
            self._append(rows, at, pair.view(np.complex128)[0], pair[0, 0])
            return np.zeros(len(rows), np.uint8)
        outcomes = np.zeros(len(rows), np.uint8)
        self._append(rows[ordered], at[ordered], pair.view(np.complex128)[0], pair[0, 0])
        late = np.flatnonzero(~ordered)
        outcomes[late] = self._insert(rows[late], np.broadcast_to(pair, (len(late), 2)))
        return outcomes

    def push_many(self, rows: Ids, entries: Entries) -> Outcomes:
        """Put several distinct entries, newest first, into every row: as if all came at once. Shape (entries, rows)."""
        outcomes = np.zeros((len(entries), len(rows)), np.uint8)
        new = len(entries) <= self.shown and entries[-1, 0] > self.top.take(rows << 3).max()
        if len(entries) * (PUSH_US + (PUSH_NEW_US if new else PUSH_LATE_US) * len(rows)) < MERGE_US * len(rows):
            # newest first, no entry pushes out one that came before it; oldest first is quicker where all are new
            for k in reversed(range(len(entries))) if new else range(len(entries)):
                outcomes[k] = self.push(rows, entries[k : k + 1])
            return outcomes
        for column, row in enumerate(rows.tolist()):
            outcomes[::-1, column] = self._merge(row, entries[::-1])
        return outcomes

    def push_each(self, rows: Ids, entries: Entries, which: Ids) -> Outcomes:
        """Put entry `which[i]` into `rows[i]`. Both `which` and the ids of `entries` rise; a row gets an entry once, but many."""
        at, ids = rows << 3, entries[:, 0].take(which)
        outcomes = np.zeros(len(rows), np.uint8)
        ordered = self.top.take(at) < ids
        if ordered.all():
            self._append_each(rows, at, entries, which)
            return outcomes
        self._append_each(rows[ordered], at[ordered], entries, which[ordered])
        late = np.flatnonzero(~ordered)
        # most of these are authors, who got their own tweets when they posted them
        there = late[self._depths(rows[late], self.end.take(at[late]), ids[late])[1]]
        outcomes[there[ids[there] >= self.floor.take(at[there])]] = Push.DUPLICATE
        late = late[outcomes[late] != Push.DUPLICATE]
        while len(late):  # those that are the first left for their rows, in each round
            some = late[np.unique(rows[late], return_index=True)[1]] if len(late) > 1 else late
            outcomes[some] = self._insert(rows[some], entries.take(which[some], axis=0))
            late = late[~np.isin(late, some, assume_unique=True)] if len(some) < len(late) else late[:0]
        return outcomes

    def _append_each(self, rows: Ids, at: Ids, entries: Entries, which: Ids) -> None:
        """Append in as many steps as the row that occurs most often: what comes last in each row is put there last."""
        pairs, steps = entries.view(np.complex128)[:, 0], []
        while True:
            ids = entries[:, 0].take(which)
            self.top[at] = ids  # of equal places the last value counts
            last = self.top.take(at) == ids
            if last.all():
                break
            steps.append((rows[last], at[last], which[last], ids[last]))
            rows, at, which = rows[~last], at[~last], which[~last]
        self._append(rows, at, pairs.take(which), ids if steps else None)
        for rows, at, which, ids in reversed(steps):
            self._append(rows, at, pairs.take(which), ids)

    def _append(self, rows: Ids, at: Ids, pairs: Any, ids: Any) -> None:
        """Put one entry, or one of each, at the end of each of different rows; `ids` is `None` where the tops say so already."""
        end = self.end.take(at)
        place = end % self.places
        place += rows * self.places
        self.pairs[place] = pairs
        if ids is not None:
            self.top[at] = ids
        end += 1
        self.end[at] = end

    def _insert(self, rows: Ids, entries: Entries) -> Outcomes:
        """Put an entry into each of different rows where it belongs, perhaps not at the end: where that is near the end in all rows at
        once, in others one by one."""
        at, tweets = rows << 3, entries[:, 0]
        newer, there, deep = self._depths(rows, self.end.take(at), tweets)
        outcomes = np.zeros(len(rows), np.uint8)
        below = tweets < self.floor.take(at)
        if len(deep):
            below[deep] = tweets[deep] < self.lowest(rows[deep])
        outcomes[there] = Push.DUPLICATE
        outcomes[below] = Push.OLDER_THAN_TAIL
        self.late[at[below]] += 1
        for index in deep[~below[deep]].tolist():
            outcomes[index] = self._insert_one(int(rows[index]), entries[index : index + 1])
        below[deep] = below[there] = True
        store = ~below
        if store.any():
            self._shift_in(rows[store], newer[store], entries[store])
        return outcomes

    def _depths(self, rows: Ids, end: Ids, tweets: Ids) -> tuple[Ids, Ids, Ids]:
        """How many entries of each row are newer than its one of `tweets`; the indexes of rows that have it, and of those where that is not
        known, because all that was looked at is newer."""
        newer = np.zeros(len(rows), np.int64)
        there: list[Ids] = []
        deep: list[Ids] = []
        left, base = np.arange(len(rows)), rows * self.places
        for back in range(1, min(NEAR, self.shown) + 1):
            short = end < back
            if short.any():
                deep.append(left[short])
                left, base, end, tweets = left[~short], base[~short], end[~short], tweets[~short]
            ids = self.ids[base + (end - back) % self.places]
            there.append(left[ids == tweets])
            further = ids > tweets
            newer[left[~further]] = back - 1
            left, base, end, tweets = left[further], base[further], end[further], tweets[further]
            if len(left) <= back // FEW_PART:
                break
        return newer, np.concatenate(there), np.concatenate([*deep, left])

    def _shift_in(self, rows: Ids, newer: Ids, entries: Entries) -> None:
        """Move each row's `newer` newest entries up a place and put its one of `entries` below them."""
        at, base = rows << 3, rows * self.places
        end, seen = self.end.take(at), self.seen.take(at)
        self.seen[at] = BUSY
        moving, first, last = newer, base, end
        for back in range(1, int(newer.max()) + 1):
            moves = moving >= back
            moving, first, last = moving[moves], first[moves], last[moves]
            self.pairs[first + (last - back + 1) % self.places] = self.pairs[first + (last - back) % self.places]
        self.pairs[base + (end - newer) % self.places] = np.ascontiguousarray(entries).view(np.complex128)[:, 0]
        end += 1
        self.late[at] = end << REFUSED_BITS | self.late.take(at) & REFUSED_MASK
        self.end[at] = end
        self.seen[at] = seen

    def _insert_one(self, row: int, pair: Entries) -> Push:
        """`_insert` into one row in which the entry is no older than the floor."""
        held, head = self.entries(row), row << 3
        tweet, index = int(pair[0, 0]), int(np.searchsorted(held[:, 0], pair[0, 0]))
        if index < len(held) and held[index, 0] == tweet:
            return Push.DUPLICATE
        if index == 0 and len(held) == self.shown:  # it would have been there
            self.floor[head] = max(int(self.floor[head]), tweet + 1)
            self.top[head] = max(int(self.top[head]), tweet)
            self.late[head] += 1
            return Push.OLDER_THAN_TAIL
        end, seen = int(self.end[head]), int(self.seen[head])
        self.seen[head] = BUSY
        self._put(row, end - len(held) + index, np.concatenate([pair, held[index:]]))
        self.late[head] = (end + 1) << REFUSED_BITS | int(self.late[head]) & REFUSED_MASK
        self.end[head] = end + 1
        self.seen[head] = seen
        return Push.STORED

    def _merge(self, row: int, entries: Entries) -> Outcomes:
        """Put several entries, oldest first, into one row by writing it anew."""
        held, head = self.entries(row), row << 3
        floor = self.lowest_of(row)
        ids = entries[:, 0]
        outcomes = np.where(_among(ids, held[:, 0]), np.uint8(Push.DUPLICATE), np.uint8(Push.STORED))
        fresh = entries[(outcomes == Push.STORED) & (ids >= floor)]
        both = np.concatenate([held, fresh])
        both = both.take(np.argsort(both[:, 0], kind="stable"), axis=0)
        cut = max(0, len(both) - self.shown)
        if cut:
            floor = max(floor, int(both[cut - 1, 0]) + 1)
        outcomes[ids < floor] = Push.OLDER_THAN_TAIL
        late = int(self.late[head]) + int((outcomes == Push.OLDER_THAN_TAIL).any())
        if not len(fresh):
            self.late[head] = late
            return outcomes
        end = int(self.end[head]) + int((outcomes == Push.STORED).sum())
        if len(held) and fresh[0, 0] < held[-1, 0]:
            late = end << REFUSED_BITS | late & REFUSED_MASK
        self.write(row, both[cut:], end=end, floor=floor, late=late, seen=int(self.seen[head]))
        return outcomes

    def write(self, row: int, entries: Entries, *, end: int, floor: int, late: int, seen: int) -> None:
        """Give a row these entries, oldest first, ending at `end`; the row is BUSY only while it changes."""
        head = row << 3
        self.seen[head] = BUSY
        self.two[row * self.places + end % self.places] = 0  # what was lost is told by the floor from here on
        self._put(row, end - len(entries), entries)
        self.floor[head] = floor
        self.top[head] = max(int(entries[-1, 0]) if len(entries) else 0, floor - 1)
        self.late[head] = late
        self.end[head] = end
        self.seen[head] = seen

    def _put(self, row: int, position: int, entries: Entries) -> None:
        """Write entries from a position on, round the circle."""
        base, place = row * self.places, position % self.places
        straight = min(len(entries), self.places - place)
        if not len(entries):
            return
        pairs = entries.view(np.complex128)[:, 0]
        self.pairs[base + place : base + place + straight] = pairs[:straight]
        if straight < len(entries):
            self.pairs[base : base + len(entries) - straight] = pairs[straight:]

    # ---- taking entries out

    def remove(self, rows: Ids, tweets: Ids, epoch: int) -> int:
        """Take these tweets (ascending) out of these rows, and set the epoch of all; returns how many entries went."""
        gone = 0
        step = max(1, CELLS // self.shown)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            self.epoch[part << 3] = epoch
            gone += self._remove(part, tweets)
        return gone

    def _remove(self, rows: Ids, tweets: Ids) -> int:
        end = self.end.take(rows << 3)
        order = np.arange(self.shown)
        held = np.minimum(end, self.shown)
        places = (rows * self.places)[:, None] + ((end - held)[:, None] + order) % self.places
        ids = self.ids[places]
        hits = ids == tweets[0] if len(tweets) == 1 else _among(ids, tweets)
        hits &= order < held[:, None]
        touched = hits.any(axis=1)
        if not touched.any():
            return 0
        rows, places, hits, held = rows[touched], places[touched], hits[touched], held[touched]
        stays = ~hits & (order < held[:, None])
        count = stays.sum(axis=1)
        kept = self.pairs[places[stays]]
        floor, at, base = self.lowest(rows), rows << 3, rows * self.places
        seen = self.seen.take(at)
        self.seen[at] = BUSY
        target = base[:, None] + order
        self.pairs[target[order < count[:, None]]] = kept
        newest = np.where(count > 0, self.ids[base + np.maximum(count - 1, 0)], 0)
        self.floor[at] = floor
        self.top[at] = np.maximum(newest, floor - 1)
        self.late[at] = 0
        self.end[at] = count
        self.seen[at] = seen
        return int(hits.sum())

    # ---- what a row says

    def lowest(self, rows: Ids) -> Ids:
        """`complete_back_to` of each: what was written, or just above what an entry at the end pushed out."""
        at, base = rows << 3, rows * self.places
        end, floor = self.end.take(at), self.floor.take(at)
        lost = self.ids[base + end % self.places]
        oldest = self.ids[base + (end - self.shown) % self.places]
        # an entry newer than the oldest was being put there when its writer died: then only the oldest is known
        lost = np.where(lost < oldest, lost + 1, oldest)
        return np.where(end > self.shown, np.maximum(floor, lost), floor)

    def raise_floor(self, rows: Ids, floor: int) -> None:
        """Nothing below `floor` is complete in these rows."""
        at = rows << 3
        self.top[at] = np.maximum(self.top.take(at), floor - 1)
        self.floor[at] = np.maximum(self.floor.take(at), floor)

    def lowest_of(self, row: int) -> int:
        """`lowest` of one row."""
        return int(self.lowest(np.array([row]))[0])

    def entries(self, row: int) -> Entries:
        """A copy of what one row shows, oldest first."""
        end, base = int(self.end[row << 3]), row * self.places
        first = max(0, end - self.shown)
        left, right = base + first % self.places, base + end % self.places
        if left <= right:
            return self.two[left:right].copy()
        return np.concatenate([self.two[left : base + self.places], self.two[base:right]])


def _among(ids: Ids, held: Ids) -> npt.NDArray[np.bool_]:
    """Which of `ids` are in `held`, which is ascending."""
    if not len(held):
        return np.zeros(len(ids), np.bool_)
    there: npt.NDArray[np.bool_] = held.take(np.searchsorted(held, ids), mode="clip") == ids
    return there
