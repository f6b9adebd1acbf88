"""What Redis takes for what it holds: by the encoding that it really uses, then fragmentation, copies, copy on write.

An entry's bytes are measured (Redis 7.0.15, 800 entries a timeline) and scale with entries; bytes of a key are apart. Works
on numbers and on numpy arrays of them alike.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Number = float | NDArray[np.float64]

MEASURED_ENTRIES = 800
KEY = 90.0  # dictionary entry, key string, object header
PAYLOAD = 16.0
SET_MEMBER = 8.0  # following: an intset of int64 up to 512 members
PROFILE, TWEET_OVERHEAD = 700.0, 90.0


class Layout(StrEnum):
    """How a timeline is kept."""

    LIST = "list"
    SORTED_SET = "sorted-set"


class Encoding(StrEnum):
    """What Redis makes of it."""

    LIST = "list"
    LISTPACK = "listpack"
    SKIPLIST = "skiplist"


class Memory(NamedTuple):
    """Bytes: what one means to keep, and what each reality adds. `total` is what nodes must have."""

    payload: Number
    encoding: Number
    fragmentation: Number
    replica: Number
    cow: Number

    @property
    def total(self) -> Number:
        """All of it."""
        return self.payload + self.encoding + self.fragmentation + self.replica + self.cow

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """By name, the total too, in every world."""
        return {name: np.atleast_1d(value) for name, value in {**self._asdict(), "total": self.total}.items()}


def encoding_of(layout: Layout, entries: int, listpack_entries_max: int) -> Encoding:
    """A sorted set is a listpack up to zset-max-listpack-entries, then a skiplist; a list is a quicklist of listpacks."""
    if layout is Layout.LIST:
        return Encoding.LIST
    return Encoding.LISTPACK if entries <= listpack_entries_max else Encoding.SKIPLIST


def timeline_bytes(measured_800: Number, entries: float) -> Number:
    """One full timeline, its key included."""
    return KEY + (measured_800 - KEY) * entries / MEASURED_ENTRIES


def held(
    timelines: Number, one: Number, entries: float, others: Number, *, fragmentation: Number, copies: float, cow: Number
) -> Memory:
    """Memory of `timelines` of `one` bytes each beside `others` bytes. `fragmentation` 1.25: a quarter more than asked for;
    `cow`: share of an instance's pages written while it forks for a snapshot or a new replica."""
    payload = timelines * entries * PAYLOAD + others
    real = timelines * one + others
    lost = real * (fragmentation - 1)
    resident = real + lost
    return Memory(payload, real - payload, lost, resident * (copies - 1), resident * copies * cow)
