"""Cached home timelines over a Redis Cluster: the `Timelines` port of the live world.

One function call a node and some hundred rows, all nodes at once; never a command a reader. Two layouts pass the same contract:
packed entries in a list in order of arrival, and sorted sets. Everything sent may be sent again.

A reader may see a row that lacks what was acknowledged just before a primary died only until the failover is noticed, and it
is noticed before the first command to the new primary: see redis_failover.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...entries import Mark, Row
from ...errors import StoreError
from ...limits import Limits
from .config import LiveConfig
from .redis_admin import RedisAdmin
from .redis_calls import ELSEWHERE, ZERO, Calls, parts
from .redis_cluster import Cluster
from .redis_failover import STAMP, Failovers
from .redis_replies import Via
from .redis_residents import residents
from .redis_rows import ABSENT_ROW, NOTHING, Held, Marked, fitted, held, packed, packed_id, replaced, window
from .redis_slots import SLOTS, slots_of
from .redis_wire import Command

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...entries import Entries, Ids

MERGED = 8  # rows that one call merges several entries into
REMOVED = 32
MADE = 200  # rows begun, touched or dropped in one call
MARKS_MAX = 1_024  # what rows were like when they were marked, 6.4 KB each
SWAPS_MAX = 8  # a row that comes on all the time while it is replaced
READ_PART = 5  # a read waits for this part of the time-out: who asks builds from truth meanwhile
EPOCH_MASK = (1 << 63) - 1


async def open_timelines(config: LiveConfig, limits: Limits) -> RedisTimelines:
    """Connect, and check that the functions are there. Raises `StoreDown`, `StoreCorrupt` with what to run."""
    admin = RedisAdmin(config.redis, limits.store_timeout_ms)
    cluster = Cluster(admin, config.redis, limits.store_timeout_ms)
    timelines = RedisTimelines(cluster, config.namespace, config.layout, limits)
    try:
        await admin.check()
        await cluster.open()
        await timelines.failovers.catch_up()
    except BaseException:
        await timelines.close()
        raise
    return timelines


class RedisTimelines:
    """`core.ports.Timelines`. Open with `open_timelines`."""

    def __init__(self, cluster: Cluster, namespace: str, layout: str, limits: Limits) -> None:
        self._cluster = cluster
        self._calls = Calls(cluster, namespace, layout, limits)
        self._shown = limits.timeline_entries_max
        self._inactive_after_ms = limits.inactive_after_ms
        self._read_s = limits.store_timeout_ms / 1_000 / READ_PART
        self._marks: dict[tuple[int, int, int], Marked] = {}
        self.failovers = Failovers(cluster, self._calls.keys, self._calls.prefix)

    @property
    def statements(self) -> int:
        """Commands sent so far."""
        return self._cluster.commands

    async def check(self) -> str:
        """"ok" or what is wrong, for `Health.check`; never raises."""
        try:
            await self._cluster.refresh()
        except StoreError as error:
            return str(error)
        return "ok"

    async def close(self) -> None:
        """Let go of the connections. More than once is harmless."""
        await self.failovers.close()
        await self._cluster.close()

    # ---- pushes

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        if len(entries) == 1 and not floor:
            return (await self._calls.push_pairs(entries, readers, np.zeros(len(readers), np.int64), now_ms)).reshape(1, -1)
        outcomes = np.zeros((len(entries), len(readers)), np.uint8)
        if not len(readers) or not (len(entries) or floor):
            return outcomes
        keys = self._calls.keys.rows(readers)
        head = self._calls.head("merge", now_ms, packed_id(floor), packed(entries))

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in parts(part, MERGED):
                yield some, (*head, *[keys[place] for place in some])

        def take(part: list[int], reply: list[bytes]) -> list[int]:
            missed = []
            for place, codes in zip(part, reply, strict=True):
                if codes == b"%d" % ELSEWHERE:
                    missed.append(place)
                else:
                    outcomes[:, place] = np.frombuffer(codes, np.uint8) - ZERO
            return missed

        await self._cluster.spread(keys, slots_of(readers), calls, take)
        return outcomes

    async def push_each(self, entries: Entries, groups: Sequence[Ids], now_ms: int) -> npt.NDArray[np.uint8]:
        if not len(groups):
            return np.empty(0, np.uint8)
        which = np.repeat(np.arange(len(groups)), [len(readers) for readers in groups])
        return await self._calls.push_pairs(entries, np.concatenate(groups), which, now_ms)

    # ---- reads

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        want = limit + 1 if not before and limit < self._shown else 0
        row = await self._held(reader, now_ms, want, self._read_s)
        return ABSENT_ROW if row is None else window(row, before, limit, self._shown)

    async def _held(self, reader: int, now_ms: int, want: int = 0, timeout_s: float | None = None) -> Held | None:
        """The newest `want` entries of a live row, or all; `None` where there is none to be believed."""
        command = self._calls.of_row("read", reader, now_ms, want)
        reply, via = await self._cluster.one(reader % SLOTS, command, timeout_s)
        return self._live(reader, reply, via, now_ms)

    def _live(self, reader: int, reply: Any, via: Via, now_ms: int) -> Held | None:
        if reply is None:
            return None
        row = held(reply)
        lapsed = row.touched_ms < now_ms - self._inactive_after_ms
        return None if lapsed or not self.failovers.believed(reader % SLOTS, row.stamp, via) else row

    async def raw(self, reader: int) -> Entries:
        command = self._calls.of_row("read", reader, 0, 0)
        reply, _ = await self._cluster.one(reader % SLOTS, command)
        return NOTHING if reply is None else held(reply).entries[::-1].copy()

    def unchanged(self, reader: int, row: Row, now_ms: int) -> bool:  # noqa: ARG002 - a store that would have to ask says False
        return False

    # ---- building

    async def begin(self, readers: Sequence[int], now_ms: int) -> list[Mark]:
        epoch = _epoch()
        await self._make(np.asarray(readers, np.int64), now_ms, 1, epoch)
        return [Mark(epoch, 0)] * len(readers)

    async def open_empty(self, readers: Ids, now_ms: int) -> None:
        await self._make(readers, now_ms, 2, _epoch())

    async def _make(self, readers: Ids, now_ms: int, state: int, epoch: int) -> None:
        head = self._calls.head("begin", now_ms, now_ms, state, packed_id(epoch))
        await self._calls.each(readers, lambda via: (*head, via.run_id[:STAMP], int(not via.asking)), MADE)

    async def mark(self, readers: Sequence[int], now_ms: int) -> list[Mark | None]:
        marks: list[Mark | None] = [None] * len(readers)
        keys = [self._calls.keys.row(reader) for reader in readers]
        vias: dict[int, Via] = {}

        def calls(via: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for place in part:
                vias[place] = via
                yield [place], self._calls.of_row("read", readers[place], now_ms, 0)

        def take(part: list[int], reply: Any) -> list[int]:
            (place,) = part
            row = self._live(readers[place], reply, vias[place], now_ms)
            if row is not None:
                marks[place] = self._keep_mark(readers[place], row)
            return []

        await self._cluster.spread(keys, slots_of(np.asarray(readers, np.int64)), calls, take)
        return marks

    def _keep_mark(self, reader: int, row: Held) -> Mark:
        mark = Mark(row.epoch, row.arrivals)
        self._marks[reader, mark.epoch, mark.arrivals] = Marked(row.entries[:, 0], row.lost)
        if len(self._marks) > MARKS_MAX:
            del self._marks[next(iter(self._marks))]
        return mark

    async def replace(self, reader: int, entries: Entries, complete_back_to: int, mark: Mark, now_ms: int) -> bool:
        marked = self._marks.pop((reader, mark.epoch, mark.arrivals), None)
        rising = entries[np.unique(entries[:, 0], return_index=True)[1]]
        epoch, slot = _epoch(), reader % SLOTS
        arrivals, lost = mark.arrivals, marked.lost if marked is not None else 0
        known = not mark.arrivals or marked is not None
        put, floor = fitted(rising, complete_back_to, self._shown)
        for _ in range(SWAPS_MAX):
            if known:
                more = (packed_id(mark.epoch), arrivals, lost, packed_id(epoch), packed_id(floor), packed(put))
                command = self._calls.of_row("swap", reader, now_ms, *more)
                outcome, _wire = await self._cluster.one(slot, command)
                if outcome != 1:
                    return bool(outcome == 0)
            row = await self._held(reader, now_ms)
            if row is None or row.epoch != mark.epoch:
                return False
            found = replaced(row, rising, complete_back_to, mark=mark, marked=marked, shown=self._shown)
            if found is None:
                return False
            (put, floor), arrivals, lost, known = found, row.arrivals, row.lost, True
        return False

    # ---- taking out

    async def remove(self, tweet_ids: Sequence[int], readers: Ids) -> int:
        keys, gone = self._calls.keys.rows(readers), 0
        ids = np.unique(np.asarray(tweet_ids, np.int64)).astype(">i8").tobytes()
        head = self._calls.head("remove", 0, packed_id(_epoch()), ids)

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in parts(part, REMOVED):
                yield some, (*head, *[keys[place] for place in some])

        def take(part: list[int], reply: list[int]) -> list[int]:
            nonlocal gone
            gone += sum(count for count in reply if count > 0)
            return [place for place, count in zip(part, reply, strict=True) if count < 0]

        await self._cluster.spread(keys, slots_of(readers), calls, take)
        return gone

    async def drop(self, readers: Sequence[int]) -> None:
        head = ("FCALL", self._calls.prefix + "drop", 0)
        await self._calls.each(np.asarray(readers, np.int64), lambda _: head, MADE)

    async def drop_slots(self, slots: Ids) -> None:
        """Take away rows of these slots that were begun before their primary was the process that it is now."""
        await self.failovers.drop_slots(slots)

    async def touch(self, readers: Ids, now_ms: int) -> None:
        head = self._calls.head("touch", now_ms, now_ms)
        await self._calls.each(readers, lambda via: (*head, int(not via.asking)), MADE)

    # ---- who is here

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        return await residents(self._cluster, self._calls, after, limit, now_ms)


def _epoch() -> int:
    """Never given twice."""
    return int.from_bytes(secrets.token_bytes(8), "big") & EPOCH_MASK
