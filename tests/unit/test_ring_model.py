"""The ring against a plain model of a row: a dict of entries, a floor, and what arrived in which order."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twit.core.entries import Mark, Push, RowState
from twit.core.limits import Limits
from twit.core.stores.embedded.ring import open_ring

WEEK = 7 * 86_400_000
READERS = 4


@dataclass
class ModelRow:
    shown: int
    seen: int
    building: bool
    entries: dict[int, int] = field(default_factory=dict)
    floor: int = 0
    came: list[int] = field(default_factory=list)  # every id that it did not hold already, in order of push

    def push(self, pairs, floor):
        self.floor = max(self.floor, floor)
        held = set(self.entries)
        self.came += [tweet for tweet, _ in pairs if tweet not in held]
        self.keep({**dict(pairs), **self.entries})
        outcomes, again = [], set()
        for tweet, _ in pairs:
            known = tweet in held or tweet in again
            outcomes.append(Push.OLDER_THAN_TAIL if tweet < self.floor else Push.DUPLICATE if known else Push.STORED)
            again.add(tweet)
        return outcomes

    def keep(self, entries):
        standing = sorted(tweet for tweet in entries if tweet >= self.floor)
        if len(standing) > self.shown:
            self.floor = standing[-self.shown - 1] + 1
        self.entries = {tweet: entries[tweet] for tweet in standing if tweet >= self.floor}


ids = st.integers(1, 60)
reader = st.integers(1, READERS)
readers = st.lists(reader, unique=True, min_size=1, max_size=READERS)
operation = st.one_of(
    st.tuples(st.just("push"), readers, st.lists(ids, min_size=1, max_size=1), st.just(0)),
    st.tuples(st.just("next"), readers, st.integers(1, 4)),
    st.tuples(st.just("push"), readers, st.lists(ids, max_size=12), st.one_of(st.just(0), ids)),
    st.tuples(st.just("begin"), readers),
    st.tuples(st.just("open"), readers),
    st.tuples(st.just("mark"), reader),
    st.tuples(st.just("moment"), reader),
    st.tuples(st.just("replace"), reader, st.integers(0, 3), st.sets(ids, max_size=30), st.one_of(st.just(0), ids)),
    st.tuples(st.just("remove"), readers, st.sets(ids, min_size=1, max_size=5)),
    st.tuples(st.just("drop"), readers),
    st.tuples(st.just("touch"), readers),
    st.tuples(st.just("wait"), st.sampled_from([1, WEEK // 2, WEEK + 1])),
    st.tuples(st.just("read"), reader, st.integers(0, 70), st.integers(1, 50)),
    st.just(("open again",)),
)


class Compared:
    """One ring and its model, doing the same."""

    def __init__(self, folder, shown):
        self.folder, self.limits = folder, Limits(timeline_entries_max=shown)
        self.ring = open_ring(folder, self.limits)
        self.shown, self.now, self.newest = shown, WEEK * 3, 100
        self.rows: dict[int, ModelRow] = {}
        self.known: set[int] = set()  # readers with a row, living or not
        self.marks: list[tuple[int, Mark, ModelRow, int, bool]] = []

    def live(self, reader):
        row = self.rows.get(reader)
        return row if row and self.now - row.seen <= WEEK else None

    async def do_push(self, who, tweets, floor):
        pairs = [(tweet, tweet % 3) for tweet in tweets]
        array = np.array(pairs, np.int64).reshape(-1, 2)
        outcomes = await self.ring.push(array, np.array(who), self.now, floor)
        for column, reader in enumerate(who):
            row = self.live(reader)
            absent = Push.INACTIVE if reader in self.rows else Push.NOT_RESIDENT
            assert outcomes[:, column].tolist() == (row.push(pairs, floor) if row else [absent] * len(pairs))

    async def do_next(self, who, count):
        self.newest += count
        await self.do_push(who, list(range(self.newest, self.newest - count, -1)), 0)

    async def do_begin(self, who):
        for reader, mark in zip(who, await self.ring.begin(who, self.now), strict=True):
            self.rows[reader] = ModelRow(self.shown, self.now, building=True)
            self.marks.append((reader, mark, self.rows[reader], 0, True))

    async def do_open(self, who):
        await self.ring.open_empty(np.array(who), self.now)
        for reader in who:
            if not self.live(reader):
                self.rows[reader] = ModelRow(self.shown, self.now, building=False)

    async def do_mark(self, reader):
        (mark,) = await self.ring.mark([reader], self.now)
        row = self.live(reader)
        assert (mark is None) == (row is None)
        if mark:
            self.marks.append((reader, mark, row, len(row.came), True))

    async def do_moment(self, reader):
        found = await self.ring.read(reader, 0, 1, self.now)
        if row := self.live(reader):
            self.marks.append((reader, found.mark, row, len(row.came), False))

    async def do_replace(self, reader, back, tweets, lowest):
        mine = [mark for mark in self.marks if mark[0] == reader]
        if not mine:
            return
        _, mark, marked, came, certain = mine[-1 - back % len(mine)]
        array = np.array([(tweet, tweet % 3) for tweet in sorted(tweets, reverse=True)], np.int64).reshape(-1, 2)
        swapped = await self.ring.replace(reader, array, lowest, mark, self.now)
        row = self.live(reader)
        if row is None or row is not marked:
            assert not swapped
            return
        assert swapped or not certain
        if not swapped:
            return
        since = row.came[came:]
        arrived = [tweet for tweet in since if tweet in row.entries]
        new = ModelRow(self.shown, row.seen, building=False, floor=lowest)
        new.keep({tweet: tweet % 3 for tweet in {*tweets, *arrived}})
        found = await self.ring.read(reader, 0, self.shown, self.now)
        assert max(new.floor, lowest) <= found.complete_back_to <= max(new.floor, row.floor)
        assert all(tweet in found.entries[:, 0] or tweet < found.complete_back_to for tweet in since)
        new.floor = found.complete_back_to
        new.keep(new.entries)
        self.rows[reader] = new

    async def do_remove(self, who, tweets):
        gone = await self.ring.remove(sorted(tweets), np.array(who))
        expected = 0
        for reader in who:
            if row := self.rows.get(reader):
                expected += sum(tweet in row.entries for tweet in tweets)
                kept = {tweet: ref for tweet, ref in row.entries.items() if tweet not in tweets}
                self.rows[reader] = ModelRow(self.shown, row.seen, row.building, kept, row.floor)
        assert gone >= expected  # entries below the floor may go too

    async def do_drop(self, who):
        await self.ring.drop(who)
        for reader in who:
            self.rows.pop(reader, None)

    async def do_touch(self, who):
        await self.ring.touch(np.array(who), self.now)
        for reader in who:
            if row := self.live(reader):
                row.seen = self.now

    async def do_wait(self, ms):
        self.now += ms

    async def do_read(self, reader, before, limit):
        found = await self.ring.read(reader, before, limit, self.now)
        row = self.live(reader)
        if row is None:
            assert (found.state, len(found.entries), found.more) == (RowState.ABSENT, 0, False)
            return
        below = [(tweet, ref) for tweet, ref in sorted(row.entries.items(), reverse=True) if not before or tweet < before]
        assert [tuple(pair) for pair in found.entries.tolist()] == below[:limit]
        assert found.more == (len(below) > limit)
        assert found.complete_back_to == row.floor
        assert found.state == (RowState.BUILDING if row.building else RowState.COMPLETE)
        assert found.seen_ms == row.seen

    async def do_open_again(self):
        self.ring.close()
        self.ring = open_ring(self.folder, self.limits)
        self.marks = [(*mark[:4], mark[4] and mark[1].arrivals == 0) for mark in self.marks]

    async def check(self):
        for reader in range(1, READERS + 1):
            await self.do_read(reader, 0, 100)
        expected = [reader for reader in range(1, READERS + 1) if self.live(reader)]
        assert (await self.ring.residents(0, 100, self.now)).tolist() == expected


@given(shown=st.sampled_from([1, 2, 5, 30]), operations=st.lists(operation, max_size=40))
@example(shown=2, operations=[("open", [1]), ("next", [1], 4), ("mark", 1), ("push", [1], [103], 0), ("replace", 1, 0, set(), 0)])
@settings(max_examples=150, deadline=None)
def test_whatever_happens_a_row_says_what_the_model_says(shown, operations):
    async def scenario(folder):
        compared = Compared(folder, shown)
        await compared.do_open(list(range(1, READERS + 1)))
        for name, *arguments in operations:
            await getattr(compared, "do_" + name.replace(" ", "_"))(*arguments)
            await compared.check()
        compared.ring.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))
