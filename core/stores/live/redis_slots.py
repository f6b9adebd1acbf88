"""Where rows of readers lie in a Redis Cluster: their slots and the names of their keys. Knows no servers.

A reader's slot is `reader % 16384`, reached by a hash tag that was chosen to fall into it. Ids of readers are dense, so slots
are filled evenly, all keys of a reader lie in one, and no key needs hashing: whole batches are sent out by numpy.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...entries import Ids

SLOTS = 16_384
TRIED = 1 << 19  # tags of five hexadecimal digits; every slot is met among the first 315 thousand
POLYNOMIAL = 0x1021  # CRC-16/XMODEM, as the cluster specification has it


@cache
def tags() -> list[bytes]:
    """The tag of each slot: the lowest number whose five hexadecimal digits hash to it."""
    table = np.arange(256, dtype=np.uint32) << 8
    for _ in range(8):
        table = np.where(table & 0x8000, table << 1 ^ POLYNOMIAL, table << 1) & 0xFFFF
    numbers, crc = np.arange(TRIED, dtype=np.uint32), np.zeros(TRIED, np.uint32)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8).astype(np.uint32)
    for shift in (16, 12, 8, 4, 0):
        crc = (crc << 8 & 0xFFFF) ^ table[crc >> 8 ^ digits[numbers >> shift & 15]]
    first = np.zeros(SLOTS, np.uint32)
    first[crc[::-1] % SLOTS] = numbers[::-1]  # of equal places the last value counts
    return [b"%05x" % number for number in first.tolist()]


def slots_of(readers: Ids) -> npt.NDArray[np.int64]:
    """The slot of each reader."""
    return np.asarray(readers, np.int64) % SLOTS


class Keys:
    """Names under one namespace. `letter` is the layout's: t for lists, z for sorted sets."""

    def __init__(self, namespace: str, letter: str) -> None:
        self.namespace = namespace.encode()
        self.letter = letter.encode()
        self._heads = [b"%b:%b:{%b}:" % (self.namespace, self.letter, tag) for tag in tags()]

    def row(self, reader: int) -> bytes:
        """The key of a reader's row."""
        return b"%b%d" % (self._heads[reader % SLOTS], reader)

    def rows(self, readers: Ids) -> list[bytes]:
        """The same for many."""
        heads = self._heads
        return [b"%b%d" % (heads[reader % SLOTS], reader) for reader in readers.tolist()]
