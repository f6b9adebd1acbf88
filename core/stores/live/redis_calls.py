"""Calls of the functions in Redis: their names and bounds, and those that serve a whole batch of rows in one pass over the nodes.

What a call means is told in the files timelines_*.lua, beside each function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ...entries import Push
from ...limits import Limits
from .redis_admin import LIBRARY
from .redis_cluster import Cluster
from .redis_replies import Via
from .redis_rows import packed
from .redis_slots import Keys, slots_of
from .redis_wire import Command

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...entries import Entries, Ids

LETTERS = {"list": "t", "sorted-set": "z"}
NAMES = {"list": "list", "sorted-set": "zset"}
PAIRS = 128  # rows that one call pushes to: less than a millisecond of the server
SLACK_PART = 25  # a list grows past what it shows by one part in so many before it is cut
KEPT_MS = 3_600_000  # rows stay this much longer in Redis than they live
ELSEWHERE = 9
ZERO = ord("0")


class Calls:
    """Of one layout under one namespace."""

    def __init__(self, cluster: Cluster, namespace: str, layout: str, limits: Limits) -> None:
        self.keys = Keys(namespace, LETTERS[layout])
        self.prefix = f"{LIBRARY}_{NAMES[layout]}_"
        self._cluster = cluster
        self._inactive_after_ms = limits.inactive_after_ms
        shown = limits.timeline_entries_max
        self._bounds = (limits.inactive_after_ms + KEPT_MS, shown, max(1, shown // SLACK_PART))

    def head(self, verb: str, now_ms: int, *more: bytes | int) -> tuple[bytes | int | str, ...]:
        """The head of a call that names its rows as arguments. A row lives if it was touched at or after the first number."""
        return ("FCALL", self.prefix + verb, 0, now_ms - self._inactive_after_ms, *self._bounds, *more)

    def of_row(self, verb: str, reader: int, now_ms: int, *more: bytes | int) -> Command:
        """A call about one row, which is routed like any command of one key."""
        return ("FCALL", self.prefix + verb, 1, self.keys.row(reader), now_ms - self._inactive_after_ms, *self._bounds, *more)

    async def push_pairs(self, entries: Entries, readers: Ids, which: Ids, now_ms: int) -> npt.NDArray[np.uint8]:
        """Push entry `which[i]`, which never falls, to reader i."""
        keys, blobs, turns = self.keys.rows(readers), [packed(entries[at]) for at in range(len(entries))], which.tolist()
        outcomes = np.full(len(keys), Push.STORED, np.uint8)
        head = self.head("push", now_ms)

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in parts(part, PAIRS):
                command: list[bytes | int | str] = [*head]
                start = 0
                while start < len(some):
                    turn, end = turns[some[start]], start + 1
                    while end < len(some) and turns[some[end]] == turn:
                        end += 1
                    command += [blobs[turn], end - start, *[keys[place] for place in some[start:end]]]
                    start = end
                yield some, command

        def take(part: list[int], reply: bytes) -> list[int]:
            return missed(part, reply, outcomes)

        await self._cluster.spread(keys, slots_of(readers), calls, take)
        return outcomes

    async def each(self, readers: Ids, head: Callable[[Via], Command], size: int) -> None:
        """A call that says of each of its rows only whether it was there to be changed."""
        keys, done = self.keys.rows(readers), np.zeros(len(readers), np.uint8)

        def calls(via: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            start = head(via)
            for some in parts(part, size):
                yield some, (*start, *[keys[place] for place in some])

        def take(part: list[int], reply: bytes) -> list[int]:
            return missed(part, reply, done)

        await self._cluster.spread(keys, slots_of(readers), calls, take)


def parts(places: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def missed(part: list[int], reply: bytes, outcomes: npt.NDArray[np.uint8]) -> list[int]:
    """Put a string of outcomes to their places; returns the places of rows that are elsewhere."""
    codes = np.frombuffer(reply, np.uint8) - ZERO
    where = np.array(part)
    there = codes != ELSEWHERE
    outcomes[where[there]] = codes[there]
    return where[~there].tolist() if not there.all() else []
