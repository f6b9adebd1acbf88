"""What a row in Redis says, decoded: headers, windows, and what `replace` makes of a row that came on meanwhile. Pure.

The layout of a header is told in timelines_1_rows.lua.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...entries import Mark, Row, RowState

if TYPE_CHECKING:
    from ...entries import Entries, Ids

HEADER = struct.Struct(">QIQBQQQI8sI")  # what follows is the functions' own
NOTHING: Entries = np.empty((0, 2), np.int64)
NOTHING.flags.writeable = False
ABSENT_ROW = Row(RowState.ABSENT, 0, NOTHING, more=False, mark=Mark(0, 0), seen_ms=0)


class Held(NamedTuple):
    """A row, or its newest part. `entries` as they are stored; `cut` is the newest id that does not show, 0 for none known."""

    arrivals: int
    touched_ms: int
    state: int
    epoch: int
    floor: int
    building_ms: int
    lost: int
    stamp: bytes
    settled: int
    cut: int
    whole: bool
    entries: Entries


class Marked(NamedTuple):
    """What a row was like when it was marked."""

    ids: Ids
    lost: int


def held(reply: Sequence[object]) -> Held:
    """Decode what the function `read` answered."""
    header, cut, part, entries = reply
    _, arrivals, touched, state, epoch, floor, building, lost, stamp, settled = HEADER.unpack_from(header)  # type: ignore[arg-type]
    hidden = int.from_bytes(cut, "big")  # type: ignore[arg-type]
    return Held(arrivals, touched, state, epoch, floor, building, lost, stamp, settled, hidden, not part, unpacked(entries))  # type: ignore[arg-type]


def unpacked(entries: Sequence[bytes]) -> Entries:
    """Packed entries as an array of their own."""
    return np.frombuffer(b"".join(entries), ">i8").astype(np.int64).reshape(-1, 2)


def packed(entries: Entries) -> bytes:
    """Entries in one piece, 16 bytes each."""
    return entries.astype(">i8").tobytes()


def packed_id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _shown(row: Held, shown: int) -> tuple[Entries, int]:
    """The entries that show, rising, and `complete_back_to`."""
    entries, floor = row.entries, row.floor
    ids = entries[:, 0]
    if row.whole:
        if not (ids[1:] > ids[:-1]).all():
            entries = entries[np.argsort(ids, kind="stable")]
        if (hidden := len(entries) - shown) > 0:
            floor = max(floor, int(entries[hidden - 1, 0]) + 1)
            entries = entries[hidden:]
    elif row.cut:
        floor = max(floor, row.cut + 1)
    return entries[np.searchsorted(entries[:, 0], floor) :], floor


def window(row: Held, before: int, limit: int, shown: int) -> Row:
    """The newest `limit` below `before` (0: from the top)."""
    entries, floor = _shown(row, shown)
    high = int(np.searchsorted(entries[:, 0], before)) if before else len(entries)
    low = max(0, high - limit)
    mark = Mark(row.epoch, row.arrivals)
    newest_first = np.ascontiguousarray(entries[low:high][::-1])
    return Row(RowState(row.state), floor, newest_first, low > 0, mark, row.touched_ms, row.building_ms)


def replaced(
    row: Held, entries: Entries, complete_back_to: int, *, mark: Mark, marked: Marked | None, shown: int,
) -> tuple[Entries, int] | None:  # fmt: skip
    """`entries` and what was pushed since `mark`, rising, at most `shown`, and how far down that is complete; `None` where it can no
    longer be told what came since."""
    since = _since(row, mark, marked)
    if since is None:
        return None
    both = np.concatenate([entries, since])
    both = both[np.unique(both[:, 0], return_index=True)[1]]
    return fitted(both, max(complete_back_to, _floor_since(row, mark, marked, shown)), shown)


def fitted(rising: Entries, floor: int, shown: int) -> tuple[Entries, int]:
    """As much of these as a row shows, and its floor."""
    if (cut := len(rising) - shown) > 0:
        floor = max(floor, int(rising[cut - 1, 0]) + 1)
        rising = rising[cut:]
    return rising[np.searchsorted(rising[:, 0], floor) :], floor


def _since(row: Held, mark: Mark, marked: Marked | None) -> Entries | None:
    count = row.arrivals - mark.arrivals
    if count <= 0:
        return NOTHING
    if mark.arrivals == 0:
        return row.entries
    if marked is not None:
        return row.entries[~np.isin(row.entries[:, 0], marked.ids)]
    if row.settled <= mark.arrivals:
        return row.entries[max(0, len(row.entries) - count) :]
    return None


def _floor_since(row: Held, mark: Mark, marked: Marked | None, shown: int) -> int:
    """How far down nothing that came since `mark` is missing; what the row lacked before does not count, where that can be told."""
    lost = marked.lost if marked is not None else 0 if mark.arrivals == 0 else -1
    if row.lost == lost and row.arrivals - mark.arrivals <= len(row.entries):
        return 0
    return _shown(row, shown)[1]
