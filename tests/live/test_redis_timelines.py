"""Rows in Redis beside rows of the ring: the same calls in the same order, the same answers; and what only Redis can get wrong."""

from __future__ import annotations

import asyncio
from binascii import crc_hqx

import msgspec
import numpy as np
import parts
import pytest
from parts_redis import open_ports

from twit.core.entries import Push, RowState
from twit.core.limits import Limits
from twit.core.stores.embedded.ring import open_ring
from twit.core.stores.live.redis import check, init, open_timelines
from twit.core.stores.live.redis_admin import LIBRARY
from twit.core.stores.live.redis_slots import SLOTS, tags

pytestmark = pytest.mark.live
NOW = 1_750_000_000_000
WEEK = 7 * 86_400_000
LAYOUTS = ["list", "sorted-set"]


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def limits():
    return Limits(timeline_entries_max=60)


@pytest.fixture
async def timelines(layout, limits):
    ports, close = await open_ports(parts.config("own"), limits, None, None, layout)
    yield ports["timelines"]
    await close()


def entries(*ids):
    return np.array([(one, one % 3) for one in ids], np.int64).reshape(-1, 2)


def readers(*ids):
    return np.array(ids, np.int64)


class Beside:
    """Every call to both stores, and their answers compared."""

    def __init__(self, redis, ring, seed):
        self.both = (redis, ring)
        self.chance = np.random.default_rng(seed)
        self.now, self.newest = NOW, 1 << 60
        self.people = np.array([1, 2, 3, SLOTS + 1, 40_000])
        self.marks = {}
        self.replaced = set()  # the ring may say less of how far down these are complete

    async def of_both(self, verb, *args):
        return [await getattr(one, verb)(*args) for one in self.both]

    def some_id(self):
        """Mostly new; else late by a few, by many, or by more than a row holds."""
        self.newest += int(self.chance.integers(1, 9)) << int(self.chance.integers(0, 24))
        back = self.chance.choice([0, 5, 40, 70, 200], p=[0.6, 0.2, 0.1, 0.07, 0.03])
        return self.newest if back == 0 else self.newest - (int(self.chance.integers(1, back)) << 22)

    def crowd(self):
        return self.chance.choice(self.people, self.chance.integers(1, 6), replace=False)

    async def push(self):
        tweet, crowd = self.some_id(), self.crowd()
        found, expected = await self.of_both("push", entries(tweet), crowd, self.now)
        for reader in crowd[found[0] != expected[0]].tolist():  # the ring may know less of what a replaced row lacks
            floors = [row.complete_back_to for row in await self.of_both("read", reader, 0, 60, self.now)]
            assert min(floors) <= tweet < max(floors)

    async def push_some(self):
        ids = sorted({self.some_id() for _ in range(self.chance.integers(2, 90))}, reverse=True)
        floor = ids[-1] if self.chance.random() < 0.1 else 0
        found, expected = await self.of_both("push", entries(*ids), self.crowd(), self.now, floor)
        assert ((found == expected) | (found == Push.OLDER_THAN_TAIL) & (expected == Push.STORED)).all()

    async def push_each(self):
        ids = sorted({self.some_id() for _ in range(6)})
        await self.of_both("push_each", entries(*ids), [self.crowd() for _ in ids], self.now)

    async def remove(self):
        reader = int(self.chance.choice(self.people))
        held = (await self.both[1].read(reader, 0, 60, self.now)).entries[:, 0]
        out = [*self.chance.choice(held, min(len(held), 3), replace=False).tolist(), 77] if len(held) else [77]
        found, expected = await self.of_both("remove", out, readers(reader))
        assert found == expected

    async def begin(self):
        reader = int(self.chance.choice(self.people))
        self.marks[reader] = [one[0] for one in await self.of_both("begin", [reader], self.now)]

    async def mark(self):
        reader = int(self.chance.choice(self.people))
        self.marks[reader] = [one[0] for one in await self.of_both("mark", [reader], self.now)]

    async def replace(self):
        reader, marks = self.marks.popitem() if self.marks else (0, [None])
        if None in marks:
            return
        ids = sorted({self.newest - (int(self.chance.integers(1, 90)) << 22) for _ in range(self.chance.integers(0, 70))}, reverse=True)
        found, expected = [
            await one.replace(reader, entries(*ids), ids[-1] if ids else 0, mark, self.now)
            for one, mark in zip(self.both, marks, strict=True)
        ]
        assert found == expected
        self.replaced.add(reader)

    async def lapse_or_touch(self):
        self.now += WEEK // 3
        await self.of_both("touch", self.crowd(), self.now)

    async def open_empty(self):
        await self.of_both("open_empty", self.crowd(), self.now)

    async def drop(self):
        await self.of_both("drop", [int(self.chance.choice(self.people))])

    async def compare(self, *, everybody=False):
        for reader in self.people.tolist():
            whole, expected = await self.of_both("read", reader, 0, 60, self.now)
            self.same(whole, expected)
            assert whole.complete_back_to == expected.complete_back_to or reader in self.replaced
            raw = (await self.both[0].raw(reader))[:, 0]
            assert len(set(raw.tolist())) == len(raw) <= 60 + 2 * 2
            for limit in (1, 7, 59):
                before = int(self.chance.choice([0, self.newest - (20 << 22)]))
                self.same(*await self.of_both("read", reader, before, limit, self.now), whole)
        if everybody:
            found, expected = await self.of_both("residents", 0, 10, self.now)
            assert found.tolist() == expected.tolist()

    def same(self, found, expected, whole=None):
        assert (found.state, found.seen_ms, found.building_since_ms) == (expected.state, expected.seen_ms, expected.building_since_ms)
        floor = max(found.complete_back_to, expected.complete_back_to)
        above = [[pair for pair in one.entries.tolist() if pair[0] >= floor] for one in (found, expected)]
        assert above[0] == above[1]
        if whole is not None:
            assert found.complete_back_to == whole.complete_back_to
        if found.complete_back_to == expected.complete_back_to:
            assert found.more == expected.more


STEPS = {
    "push": 50, "push_some": 4, "push_each": 8, "remove": 6, "begin": 1, "mark": 3, "replace": 4, "lapse_or_touch": 0.3,
    "open_empty": 2, "drop": 0.3, "compare": 6,
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_rows_answer_like_those_of_the_ring(timelines, limits, tmp_path, seed):
    ring = open_ring(tmp_path, limits)
    beside = Beside(timelines, ring, seed)
    weights = np.array(list(STEPS.values()))
    await beside.open_empty()
    for step in beside.chance.choice(list(STEPS), 400, p=weights / weights.sum()):
        await getattr(beside, step)()
    await beside.compare(everybody=True)
    ring.close()


async def put(timelines, reader, *ids):
    outcomes = await timelines.push(entries(*ids), readers(reader), NOW)
    return [Push(int(value)).name for value in outcomes[:, 0]]


async def test_ids_that_no_double_can_tell_apart_are_told_apart(timelines):
    await timelines.open_empty(readers(1), NOW)
    near = [(1 << 62) + low for low in (5, 3, 4)]
    for one in near:
        assert await put(timelines, 1, one) == ["STORED"]
        assert await put(timelines, 1, one) == ["DUPLICATE"]
    assert await put(timelines, 1, near[0] + 1, near[1] - 1) == ["STORED", "STORED"]
    row = await timelines.read(1, near[0] + 1, 3, NOW)
    assert row.entries[:, 0].tolist() == sorted(near, reverse=True)
    assert await timelines.remove([near[2]], readers(1)) == 1
    assert near[2] not in (await timelines.raw(1))[:, 0]


async def test_a_late_entry_is_found_however_far_back_it_lies(timelines):
    await timelines.open_empty(readers(1), NOW)
    ids = [(at + 1) << 22 for at in range(200)]
    for at in ids[:-1]:
        assert await put(timelines, 1, at) == ["STORED"]
    held = (await timelines.read(1, 0, 60, NOW)).entries[:, 0].tolist()
    assert held == ids[-61:-1][::-1]
    for at in held:
        assert await put(timelines, 1, at) == ["DUPLICATE"]
    assert await put(timelines, 1, held[-1] - 1) == ["OLDER_THAN_TAIL"]
    assert await put(timelines, 1, held[30] - 1) == ["STORED"]
    assert await put(timelines, 1, held[30] - 1) == ["DUPLICATE"]


async def test_the_newest_are_read_right_after_some_of_them_were_removed(timelines):
    await timelines.open_empty(readers(1), NOW)
    for one in (*range(10, 510, 10), 15, 510, 520, 530):
        await put(timelines, 1, one)
    await timelines.remove([520, 530], readers(1))
    assert (await timelines.read(1, 0, 2, NOW)).entries[:, 0].tolist() == [510, 500]


async def test_replace_by_the_moment_of_a_read_loses_nothing_that_came_since(timelines):
    await timelines.open_empty(readers(1, 2), NOW)
    for reader, late in ((1, [305]), (2, [])):
        for one in range(100, 700, 10):
            await put(timelines, reader, one)
        row = await timelines.read(reader, 0, 10, NOW)
        since = [*late, *range(1_000, 1_100)]
        for one in since:
            await put(timelines, reader, one)
        if await timelines.replace(reader, entries(690, 680), 0, row.mark, NOW):
            row = await timelines.read(reader, 0, 60, NOW)
            assert {one for one in since if one >= row.complete_back_to} <= set(row.entries[:, 0].tolist())
            assert row.complete_back_to > 1_000


async def test_a_late_arrival_since_the_moment_of_a_read_is_kept_or_the_row_is_left(timelines):
    await timelines.open_empty(readers(1), NOW)
    for one in (*range(100, 700, 10), 135, 705, 710, 715):
        await put(timelines, 1, one)
    row = await timelines.read(1, 0, 10, NOW)
    for one in (697, *range(720, 760, 5)):  # so many that the row is sorted and cut, which forgets the order of arrival
        await put(timelines, 1, one)
    done = await timelines.replace(1, entries(715, 710), 0, row.mark, NOW)
    found = await timelines.read(1, 0, 60, NOW)
    assert not done or found.complete_back_to > 697 or 697 in found.entries[:, 0]


async def test_a_batch_costs_a_call_a_node_and_some_hundred_readers(timelines):
    many = np.arange(1, 3_001)
    await timelines.open_empty(many, NOW)
    before = timelines.statements
    assert not (await timelines.push(entries(1 << 60), many, NOW)).any()
    assert timelines.statements - before <= 3 * (1_100 // 128 + 1)
    before = timelines.statements
    groups = [many[at::30] for at in range(30)]
    assert not (await timelines.push_each(entries(*range(1 << 61, (1 << 61) + 30)), groups, NOW)).any()
    assert timelines.statements - before <= 3 * (1_100 // 128 + 1)
    before = timelines.statements
    await timelines.push(entries(1 << 62), readers(7), NOW)
    await timelines.read(7, 0, 50, NOW)
    assert timelines.statements - before == 2


async def test_a_rebuild_costs_two_commands(timelines):
    before = timelines.statements
    [mark] = await timelines.begin([5], NOW)
    assert await timelines.replace(5, entries(30, 20), 0, mark, NOW)
    assert timelines.statements - before == 2


async def test_rows_that_nobody_touches_leave_redis_by_themselves(timelines):
    await timelines.open_empty(readers(1, 2), NOW)
    await put(timelines, 1, 10)
    await timelines.remove([10], readers(1))
    await put(timelines, 1, 20)
    for reader in (1, 2):
        left_ms, _ = await timelines._cluster.one(reader, ("PTTL", timelines._calls.keys.row(reader)))
        assert WEEK < left_ms <= WEEK + 3_600_000


async def test_many_residents_are_walked_in_order(timelines):
    many = np.arange(10, 100_000, 31)
    await timelines.open_empty(many, NOW)
    walked, after = [], 0
    while len(page := (await timelines.residents(after, 700, NOW)).tolist()):
        assert len(page) == 700 or page[-1] == many[-1]
        walked += page
        after = page[-1]
    assert walked == many.tolist()


async def test_calls_at_once_do_not_mix_up_their_answers(timelines):
    many = np.arange(1, 401)
    await timelines.open_empty(many, NOW)
    await asyncio.gather(*[timelines.push(entries(1_000 + one), readers(one), NOW) for one in many.tolist()])
    rows = await asyncio.gather(*[timelines.read(one, 0, 10, NOW) for one in many.tolist()])
    assert [row.entries[:, 0].tolist() for row in rows] == [[1_000 + one] for one in many.tolist()]


async def test_a_row_of_the_other_layout_is_another_row(timelines, layout, limits):
    await timelines.open_empty(readers(1), NOW)
    config = msgspec.structs.replace(parts.config(f"own-{layout}"), layout=next(one for one in LAYOUTS if one != layout))
    other = await open_timelines(config, limits)
    assert (await other.read(1, 0, 10, NOW)).state is RowState.ABSENT
    await other.close()


async def test_init_again_is_harmless_and_check_tells_what_is_there():
    config = parts.config("own")
    assert LIBRARY in await init(config)
    assert (await check(config)).startswith("ok")
    assert (await check(config)) == await check(config)


def test_every_slot_has_a_tag_that_redis_hashes_to_it():
    assert [crc_hqx(tag, 0) % SLOTS for tag in tags()] == list(range(SLOTS))
