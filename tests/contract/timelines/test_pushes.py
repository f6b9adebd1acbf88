"""What every store of cached timelines promises: rows sorted, unique, bounded, honest about what is missing."""

from __future__ import annotations

import numpy as np
from timeline_builders import NOW, empty_rows, entries, put, readers, shown

from twit.core.entries import Push, RowState


async def test_a_reader_never_seen_has_no_row(stores):
    row = await stores.timelines.read(7, 0, 10, NOW)
    assert (row.state, len(row.entries), row.more) == (RowState.ABSENT, 0, False)
    assert await put(stores, 7, 100) == ["NOT_RESIDENT"]
    assert await stores.timelines.mark([7], NOW) == [None]


async def test_a_new_account_has_a_complete_empty_row(stores):
    await empty_rows(stores, 1)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.state, row.complete_back_to, row.seen_ms, row.building_since_ms) == (RowState.COMPLETE, 0, NOW, 0)


async def test_open_empty_leaves_a_row_that_is_there_alone(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    await empty_rows(stores, 1, 2)
    assert await shown(stores, 1) == [10]


async def test_what_is_pushed_reads_newest_first_with_what_it_retweets(stores):
    await empty_rows(stores, 1)
    await stores.timelines.push(entries(10), readers(1), NOW)
    await stores.timelines.push(entries(20, ref=5), readers(1), NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries.tolist() == [[20, 5], [10, 0]]
    assert row.entries.dtype == np.int64


async def test_a_push_answers_for_each_entry_and_each_reader(stores):
    await empty_rows(stores, 1, 3)
    await put(stores, 3, 20)
    outcomes = await stores.timelines.push(entries(20, 10), readers(1, 2, 3), NOW)
    assert outcomes.dtype == np.uint8
    assert outcomes.tolist() == [[0, 4, 1], [0, 4, 0]]


async def test_one_entry_reaches_many_readers_whatever_their_rows_are_like(stores):
    many = np.arange(1, 1_001)
    await stores.timelines.open_empty(many[many % 10 != 0], NOW)
    await stores.timelines.push(entries(70), many[many % 7 == 0], NOW)
    await stores.timelines.push(entries(50), many[many % 5 == 0], NOW)
    outcomes = await stores.timelines.push(entries(50), many, NOW)
    for reader, outcome in zip(many.tolist(), outcomes[0].tolist(), strict=True):
        expected = Push.NOT_RESIDENT if reader % 10 == 0 else Push.DUPLICATE if reader % 5 == 0 else Push.STORED
        assert outcome == expected, reader
    assert await shown(stores, 7) == [70, 50]
    assert await shown(stores, 5) == [50]
    assert await shown(stores, 10) == []


async def test_pushing_again_changes_nothing(stores):
    await empty_rows(stores, 1)
    assert await put(stores, 1, 10) == ["STORED"]
    assert await put(stores, 1, 10) == ["DUPLICATE"]
    assert await put(stores, 1, 20, 10) == ["STORED", "DUPLICATE"]
    assert await shown(stores, 1) == [20, 10]


async def test_a_late_arrival_shows_where_its_id_belongs(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 30)
    assert await put(stores, 1, 10) == ["STORED"]
    assert await put(stores, 1, 20) == ["STORED"]
    assert await shown(stores, 1) == [30, 20, 10]


async def test_a_full_row_loses_its_oldest_and_says_so(stores):
    await empty_rows(stores, 1)
    for tweet in (10, 20, 30, 40, 50):
        await put(stores, 1, tweet)
    assert (await stores.timelines.read(1, 0, 10, NOW)).complete_back_to == 0
    await put(stores, 1, 60)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries[:, 0].tolist() == [60, 50, 40, 30, 20]
    assert 10 < row.complete_back_to <= 20


async def test_older_than_the_tail_of_a_full_row_stays_out_and_is_missing_from_then_on(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 50, 40, 30, 20, 10)
    assert await put(stores, 1, 5) == ["OLDER_THAN_TAIL"]
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries[:, 0].tolist() == [50, 40, 30, 20, 10]
    assert 5 < row.complete_back_to <= 10


async def test_what_was_pushed_out_does_not_come_back(stores):
    await empty_rows(stores, 1)
    for tweet in (10, 20, 30, 40, 50, 60):
        await put(stores, 1, tweet)
    assert await put(stores, 1, 10) == ["OLDER_THAN_TAIL"]
    assert await shown(stores, 1) == [60, 50, 40, 30, 20]


async def test_a_late_arrival_in_a_full_row_costs_the_oldest(stores):
    await empty_rows(stores, 1)
    for tweet in (10, 20, 30, 40, 50, 60, 70):
        await put(stores, 1, tweet)
    assert await put(stores, 1, 45) == ["STORED"]
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries[:, 0].tolist() == [70, 60, 50, 45, 40]
    assert 30 < row.complete_back_to <= 40


async def test_many_entries_at_once_leave_the_newest(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 50, 10)
    outcomes = await put(stores, 1, 90, 80, 70, 60, 55, 50, 5)
    assert outcomes == ["STORED", "STORED", "STORED", "STORED", "STORED", "OLDER_THAN_TAIL", "OLDER_THAN_TAIL"]
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries[:, 0].tolist() == [90, 80, 70, 60, 55]
    assert 50 < row.complete_back_to <= 55


async def test_a_floor_says_that_what_lies_below_is_cut_off(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    assert await put(stores, 1, 30, 20, floor=15) == ["STORED", "STORED"]
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.complete_back_to == 15
    assert [i for i in row.entries[:, 0].tolist() if i >= 15] == [30, 20]
    assert await put(stores, 1, 12) == ["OLDER_THAN_TAIL"]


async def test_a_floor_keeps_entries_out_of_an_empty_row_too(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, floor=100)
    assert await put(stores, 1, 50) == ["OLDER_THAN_TAIL"]
    assert await put(stores, 1, 100) == ["STORED"]


async def test_windows_walk_the_row_without_gap_or_repetition(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 50, 40, 30, 20, 10)
    for limit in (1, 2, 3, 5, 8):
        walked, before = [], 0
        while True:
            row = await stores.timelines.read(1, before, limit, NOW)
            walked += row.entries[:, 0].tolist()
            if not row.more:
                break
            before = int(row.entries[-1, 0])
        assert walked == [50, 40, 30, 20, 10], limit


async def test_before_need_not_be_an_id_of_the_row(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 30, 20, 10)
    for before, expected in ((31, [30, 20]), (25, [20, 10]), (20, [10]), (10, []), (9, [])):
        row = await stores.timelines.read(1, before, 2, NOW)
        assert (row.entries[:, 0].tolist(), row.more) == (expected, before == 31)


async def test_what_is_read_is_the_readers_own_copy(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    before = (await stores.timelines.read(1, 0, 10, NOW)).entries
    await put(stores, 1, 20)
    assert before.tolist() == [[10, 0]]


async def test_the_raw_row_is_everything_that_is_stored(stores):
    await empty_rows(stores, 1)
    await stores.timelines.push(entries(20, 10, ref=3), readers(1), NOW)
    assert sorted((await stores.timelines.raw(1)).tolist()) == [[10, 3], [20, 3]]
    assert (await stores.timelines.raw(2)).shape == (0, 2)


async def test_many_entries_pushed_at_once_end_up_as_if_pushed_one_after_the_other(stores):
    chance = np.random.default_rng(5)
    people, lapsed = np.arange(1, 41), np.array([50])
    await stores.timelines.open_empty(np.concatenate([people, people + 100]), NOW)
    later = NOW
    newest = 1_000
    for _ in range(12):
        groups = [chance.choice(people, chance.integers(1, 30), replace=False) for _ in range(7)]
        tweets = newest + np.sort(chance.choice(40, 7, replace=False)) - 20
        newest += 15
        each = np.stack([tweets, tweets % 3], axis=1)
        groups[2] = np.concatenate([groups[2], lapsed])
        found = await stores.timelines.push_each(each, groups, later)
        expected = [await stores.timelines.push(each[at : at + 1], groups[at] + 100, later) for at in range(7)]
        expected = np.concatenate(expected, axis=1)[0]
        # what is pushed out again in the same call may be refused from the start
        assert ((found == expected) | (found == Push.OLDER_THAN_TAIL) & (expected == Push.STORED)).all()
    for reader in people.tolist():
        one, other = [await stores.timelines.read(who, 0, 1_000, later) for who in (reader, reader + 100)]
        assert one.entries.tolist() == other.entries.tolist()
        assert one.complete_back_to == other.complete_back_to


async def test_an_entry_pushed_again_among_many_is_a_duplicate(stores):
    await stores.timelines.open_empty(readers(1, 2, 3), NOW)
    await stores.timelines.push(entries(20), readers(1), NOW)
    await stores.timelines.push(entries(90), readers(2), NOW)
    each = np.array([(10, 0), (20, 0), (30, 0)], np.int64)
    found = await stores.timelines.push_each(each, [readers(1, 2), readers(1, 3), readers(1, 2, 3)], NOW)
    assert found.tolist() == [Push.STORED, Push.STORED, Push.DUPLICATE, Push.STORED, Push.STORED, Push.STORED, Push.STORED]
    held = [sorted((await stores.timelines.raw(one))[:, 0].tolist(), reverse=True) for one in (1, 2, 3)]  # each store has its own order
    assert held == [[30, 20, 10], [90, 30, 10], [30, 20]]
