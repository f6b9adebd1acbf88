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

from ...errors import StoreError
from ...limits import Limits
from ...model import Mark, Push, Row
from .config import LiveConfig
from .redis_admin import LIBRARY, RedisAdmin
from .redis_cluster import Cluster, Via
from .redis_failover import STAMP, Failovers
from .redis_rows import ABSENT_ROW, NOTHING, Held, Marked, fitted, held, packed, packed_id, replaced, window
from .redis_slots import SLOTS, Keys, slots_of, tags
from .redis_wire import Command

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...model import Entries, Ids

LETTERS = {"list": "t", "sorted-set": "z"}
NAMES = {"list": "list", "sorted-set": "zset"}
PAIRS = 128  # rows that one call pushes to: less than a millisecond of the server
MERGED = 8  # rows that one call merges several entries into
REMOVED = 32
MADE = 200  # rows begun, touched or dropped in one call
SLACK_PART = 25  # a list grows past what it shows by one part in so many before it is cut
KEPT_MS = 3_600_000  # rows stay this much longer in Redis than they live
MARKS_MAX = 1_024  # what rows were like when they were marked, 6.4 KB each
SWAPS_MAX = 8  # a row that comes on all the time while it is replaced
READ_PART = 5  # a read waits for this part of the time-out: who asks builds from truth meanwhile
INDEXES = 256  # slots whose readers one call lists
STORED, ELSEWHERE = 0, 9
ZERO = ord("0")
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
        self._keys = Keys(namespace, LETTERS[layout])
        self._prefix = f"{LIBRARY}_{NAMES[layout]}_"
        self._shown = limits.timeline_entries_max
        self._inactive_after_ms = limits.inactive_after_ms
        self._read_s = limits.store_timeout_ms / 1_000 / READ_PART
        slack = max(1, self._shown // SLACK_PART)
        self._bounds = (limits.inactive_after_ms + KEPT_MS, self._shown, slack)
        self._marks: dict[tuple[int, int, int], Marked] = {}
        self.failovers = Failovers(cluster, namespace, LETTERS[layout], self._prefix)

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

    def _call(self, verb: str, now_ms: int, *more: bytes | int) -> tuple[bytes | int | str, ...]:
        """The head of a call that names its rows as arguments. A row lives if it was touched at or after the first number."""
        return ("FCALL", self._prefix + verb, 0, now_ms - self._inactive_after_ms, *self._bounds, *more)

    def _of_row(self, verb: str, reader: int, now_ms: int, *more: bytes | int) -> Command:
        """A call about one row, which is routed like any command of one key."""
        row = self._keys.row(reader)
        return ("FCALL", self._prefix + verb, 1, row, now_ms - self._inactive_after_ms, *self._bounds, *more)

    # ---- pushes

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        if len(entries) == 1 and not floor:
            return (await self._push_pairs(entries, readers, np.zeros(len(readers), np.int64), now_ms)).reshape(1, -1)
        outcomes = np.zeros((len(entries), len(readers)), np.uint8)
        if not len(readers) or not (len(entries) or floor):
            return outcomes
        keys = self._keys.rows(readers)
        head = self._call("merge", now_ms, packed_id(floor), packed(entries))

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in _parts(part, MERGED):
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
        return await self._push_pairs(entries, np.concatenate(groups), which, now_ms)

    async def _push_pairs(self, entries: Entries, readers: Ids, which: Ids, now_ms: int) -> npt.NDArray[np.uint8]:
        """Push entry `which[i]`, which never falls, to reader i."""
        keys, blobs, turns = self._keys.rows(readers), [packed(entries[at]) for at in range(len(entries))], which.tolist()
        outcomes = np.full(len(keys), Push.STORED, np.uint8)
        head = self._call("push", now_ms)

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in _parts(part, PAIRS):
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
            return _missed(part, reply, outcomes)

        await self._cluster.spread(keys, slots_of(readers), calls, take)
        return outcomes

    # ---- reads

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        want = limit + 1 if not before and limit < self._shown else 0
        row = await self._held(reader, now_ms, want, self._read_s)
        return ABSENT_ROW if row is None else window(row, before, limit, self._shown)

    async def _held(self, reader: int, now_ms: int, want: int = 0, timeout_s: float | None = None) -> Held | None:
        """The newest `want` entries of a live row, or all; `None` where there is none to be believed."""
        command = self._of_row("read", reader, now_ms, want)
        reply, via = await self._cluster.one(reader % SLOTS, command, timeout_s)
        return self._live(reader, reply, via, now_ms)

    def _live(self, reader: int, reply: Any, via: Via, now_ms: int) -> Held | None:
        if reply is None:
            return None
        row = held(reply)
        lapsed = row.touched_ms < now_ms - self._inactive_after_ms
        return None if lapsed or not self.failovers.believed(reader % SLOTS, row.stamp, via) else row

    async def raw(self, reader: int) -> Entries:
        command = self._of_row("read", reader, 0, 0)
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
        head = self._call("begin", now_ms, now_ms, state, packed_id(epoch))
        await self._each(readers, lambda via: (*head, via.run_id[:STAMP], int(not via.asking)), MADE)

    async def mark(self, readers: Sequence[int], now_ms: int) -> list[Mark | None]:
        marks: list[Mark | None] = [None] * len(readers)
        keys = [self._keys.row(reader) for reader in readers]
        vias: dict[int, Via] = {}

        def calls(via: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for place in part:
                vias[place] = via
                yield [place], self._of_row("read", readers[place], now_ms, 0)

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
                command = self._of_row("swap", reader, now_ms, *more)
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
        keys, gone = self._keys.rows(readers), 0
        ids = np.unique(np.asarray(tweet_ids, np.int64)).astype(">i8").tobytes()
        head = self._call("remove", 0, packed_id(_epoch()), ids)

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in _parts(part, REMOVED):
                yield some, (*head, *[keys[place] for place in some])

        def take(part: list[int], reply: list[int]) -> list[int]:
            nonlocal gone
            gone += sum(count for count in reply if count > 0)
            return [place for place, count in zip(part, reply, strict=True) if count < 0]

        await self._cluster.spread(keys, slots_of(readers), calls, take)
        return gone

    async def drop(self, readers: Sequence[int]) -> None:
        head = ("FCALL", self._prefix + "drop", 0)
        await self._each(np.asarray(readers, np.int64), lambda _: head, MADE)

    async def drop_slots(self, slots: Ids) -> None:
        """Take away rows of these slots that were begun before their primary was the process that it is now."""
        await self.failovers.drop_slots(slots)

    async def touch(self, readers: Ids, now_ms: int) -> None:
        head = self._call("touch", now_ms, now_ms)
        await self._each(readers, lambda via: (*head, int(not via.asking)), MADE)

    async def _each(self, readers: Ids, head: Any, size: int) -> None:
        """A call that says of each of its rows only whether it was there to be changed."""
        keys, done = self._keys.rows(readers), np.zeros(len(readers), np.uint8)

        def calls(via: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            start = head(via)
            for some in _parts(part, size):
                yield some, (*start, *[keys[place] for place in some])

        def take(part: list[int], reply: bytes) -> list[int]:
            return _missed(part, reply, done)

        await self._cluster.spread(keys, slots_of(readers), calls, take)

    # ---- who is here

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        found: list[int] = []
        while len(found) < limit:
            some, after = await self._residents(after, limit - len(found), now_ms)
            found += some
            if not after:
                break
        return np.array(found[:limit], np.int64)

    async def _residents(self, after: int, limit: int, now_ms: int) -> tuple[list[int], int]:
        """Live readers above `after` in order of id as far as all slots told theirs, and how far that is; 0: to the end."""
        most = limit // SLOTS * 2 + 2
        heads, found, horizons = self._call("residents", now_ms), [], []
        slots = np.arange(SLOTS)
        more = (self._keys.namespace, self._keys.letter, after, most)

        def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
            for some in _parts(part, INDEXES):
                yield some, (*heads, *more, *[tags()[slot] for slot in some])

        def take(part: list[int], reply: list[list[int]]) -> list[int]:
            for last, *readers in reply:
                if last > 0:
                    horizons.append(last)
                found.extend(readers)
            return [slot for slot, (last, *_) in zip(part, reply, strict=True) if last < 0]

        keys = [b"%b:r:{%b}" % (self._keys.namespace, tag) for tag in tags()]
        await self._cluster.spread(keys, slots, calls, take)
        end = min(horizons, default=0)
        return sorted(reader for reader in found if not end or reader <= end), end


def _parts(places: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _missed(part: list[int], reply: bytes, outcomes: npt.NDArray[np.uint8]) -> list[int]:
    """Put a string of outcomes to their places; returns the places of rows that are elsewhere."""
    codes = np.frombuffer(reply, np.uint8) - ZERO
    where = np.array(part)
    there = codes != ELSEWHERE
    outcomes[where[there]] = codes[there]
    return where[~there].tolist() if not there.all() else []


def _epoch() -> int:
    """Never given twice."""
    return int.from_bytes(secrets.token_bytes(8), "big") & EPOCH_MASK
