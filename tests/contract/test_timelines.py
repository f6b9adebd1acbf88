"""What every store of cached timelines promises: sorted, unique, bounded, honest about what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from twit.core.entries import Mark, Push, RowState
from twit.core.limits import Limits

NOW = 1_750_000_000_000
SHOWN = 5
WEEK = 7 * 86_400_000


@pytest.fixture
def limits() -> Limits:
    return Limits(timeline_entries_max=SHOWN)


def entries(*ids, ref=0):
    return np.array([(i, ref) for i in ids], np.int64).reshape(-1, 2)


def readers(*ids):
    return np.array(ids, np.int64)


async def empty_rows(stores, *ids):
    await stores.timelines.open_empty(readers(*ids), NOW)


async def shown(stores, reader, now=NOW):
    return (await stores.timelines.read(reader, 0, 100, now)).entries[:, 0].tolist()


async def put(stores, reader, *ids, floor=0):
    outcomes = await stores.timelines.push(entries(*ids), readers(reader), NOW, floor)
    return [Push(int(value)).name for value in outcomes[:, 0]]


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


# ---- building


async def test_a_row_that_is_building_takes_pushes(stores):
    await stores.timelines.begin([1], NOW)
    assert await put(stores, 1, 10) == ["STORED"]
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.state, row.building_since_ms) == (RowState.BUILDING, NOW)
    assert row.entries[:, 0].tolist() == [10]


async def test_begin_empties_a_row(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    await stores.timelines.begin([1], NOW)
    assert await shown(stores, 1) == []


async def test_replace_completes_a_row_with_what_arrived_meanwhile(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await put(stores, 1, 40)
    await put(stores, 1, 25)
    assert await stores.timelines.replace(1, entries(30, 20), 7, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.state, row.complete_back_to, row.building_since_ms) == (RowState.COMPLETE, 7, 0)
    assert row.entries[:, 0].tolist() == [40, 30, 25, 20]


async def test_replace_keeps_an_entry_once_that_was_read_and_pushed(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await put(stores, 1, 30)
    assert await stores.timelines.replace(1, entries(30, 20), 0, mark, NOW)
    assert await shown(stores, 1) == [30, 20]


async def test_replace_keeps_the_newest_and_raises_what_it_is_complete_back_to(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await put(stores, 1, 60)
    assert await stores.timelines.replace(1, entries(50, 40, 30, 20, 10), 0, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.entries[:, 0].tolist() == [60, 50, 40, 30, 20]
    assert 10 < row.complete_back_to <= 20


async def test_replace_believes_a_floor_that_was_pushed_meanwhile(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await put(stores, 1, 60, 50, floor=45)
    assert await stores.timelines.replace(1, entries(30), 0, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.complete_back_to == 45
    assert [i for i in row.entries[:, 0].tolist() if i >= 45] == [60, 50]


async def test_a_later_begin_fences_off_the_former_builder(stores):
    (first,) = await stores.timelines.begin([1], NOW)
    (second,) = await stores.timelines.begin([1], NOW)
    assert not await stores.timelines.replace(1, entries(10), 0, first, NOW)
    assert await shown(stores, 1) == []
    assert await stores.timelines.replace(1, entries(20), 0, second, NOW)
    assert not await stores.timelines.replace(1, entries(30), 0, second, NOW)
    assert await shown(stores, 1) == [20]


async def test_a_live_row_is_replaced_by_what_is_true_and_what_arrived_since_the_mark(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 30, 20, 10)
    (mark,) = await stores.timelines.mark([1], NOW)
    await put(stores, 1, 40)
    await put(stores, 1, 15)
    assert await stores.timelines.replace(1, entries(20, 5), 0, mark, NOW)
    assert await shown(stores, 1) == [40, 20, 15, 5]


async def test_a_live_row_may_be_found_complete_further_back(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 30, floor=25)
    (mark,) = await stores.timelines.mark([1], NOW)
    assert await stores.timelines.replace(1, entries(30, 20, 10), 3, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.complete_back_to, row.entries[:, 0].tolist()) == (3, [30, 20, 10])


async def test_a_floor_pushed_after_the_mark_of_a_live_row_stands(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 30, floor=25)
    (mark,) = await stores.timelines.mark([1], NOW)
    await put(stores, 1, 50, floor=45)
    assert await stores.timelines.replace(1, entries(30, 20, 10), 3, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert row.complete_back_to == 45
    assert [i for i in row.entries[:, 0].tolist() if i >= 45] == [50]


async def test_what_was_refused_after_the_mark_of_a_live_row_is_known_to_be_missing(stores):
    await empty_rows(stores, 1)
    for tweet in (10, 20, 30, 40, 50, 60):
        await put(stores, 1, tweet)
    (mark,) = await stores.timelines.mark([1], NOW)
    assert await put(stores, 1, 5) == ["OLDER_THAN_TAIL"]
    assert await stores.timelines.replace(1, entries(60), 0, mark, NOW)
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.entries[:, 0].tolist(), row.complete_back_to > 5) == ([60], True)


async def test_two_marks_each_know_what_came_after_them(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 20)
    (early,) = await stores.timelines.mark([1], NOW)
    await put(stores, 1, 10)
    (late,) = await stores.timelines.mark([1], NOW)
    assert (early.epoch, early.arrivals + 1) == (late.epoch, late.arrivals)
    assert await stores.timelines.replace(1, entries(), 0, late, NOW)
    assert await shown(stores, 1) == []
    assert not await stores.timelines.replace(1, entries(), 0, early, NOW)


async def test_the_moment_that_a_read_tells_can_be_handed_to_replace(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 20, 10)
    row = await stores.timelines.read(1, 0, 10, NOW)
    await put(stores, 1, 30)
    assert await stores.timelines.replace(1, entries(20), 0, row.mark, NOW)
    assert await shown(stores, 1) == [30, 20]


async def test_replace_of_an_absent_row_is_refused(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await stores.timelines.drop([1])
    assert not await stores.timelines.replace(1, entries(10), 0, mark, NOW)
    assert not await stores.timelines.replace(2, entries(10), 0, Mark(0, 0), NOW)
    assert (await stores.timelines.read(1, 0, 10, NOW)).state is RowState.ABSENT


async def test_begin_marks_every_reader_it_was_given(stores):
    marks = await stores.timelines.begin([5, 3, 9_999], NOW)
    assert len(marks) == 3
    for reader, mark in zip([5, 3, 9_999], marks, strict=True):
        assert await stores.timelines.replace(reader, entries(reader), 0, mark, NOW)
        assert await shown(stores, reader) == [reader]


# ---- taking out


async def test_removed_tweets_are_gone_and_the_rest_stays(stores):
    await empty_rows(stores, 1, 2, 3)
    for reader in (1, 2):
        await put(stores, reader, 50, 40, 30, 20)
    assert await stores.timelines.remove([40, 20, 99], readers(1, 2, 3, 4)) == 4
    assert await shown(stores, 1) == await shown(stores, 2) == [50, 30]
    assert await put(stores, 1, 60) == ["STORED"]
    assert await shown(stores, 1) == [60, 50, 30]


async def test_removing_from_a_full_row_does_not_make_it_complete_again(stores):
    await empty_rows(stores, 1)
    for tweet in range(10, 130, 10):
        await put(stores, 1, tweet)
    floor = (await stores.timelines.read(1, 0, 10, NOW)).complete_back_to
    await stores.timelines.remove([100, 90, 120], readers(1))
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.entries[:, 0].tolist(), row.complete_back_to) == ([110, 80], floor)
    assert await put(stores, 1, 20) == ["OLDER_THAN_TAIL"]
    assert await put(stores, 1, 115) == ["STORED"]


async def test_a_rebuild_under_way_cannot_bring_back_what_was_removed(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    assert await stores.timelines.remove([10], readers(1)) == 0
    assert not await stores.timelines.replace(1, entries(10), 0, mark, NOW)


async def test_the_last_entry_can_be_removed(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    assert await stores.timelines.remove([10], readers(1)) == 1
    row = await stores.timelines.read(1, 0, 10, NOW)
    assert (row.state, len(row.entries), row.complete_back_to) == (RowState.COMPLETE, 0, 0)
    assert await put(stores, 1, 5) == ["STORED"]


async def test_drop_makes_rows_absent(stores):
    await empty_rows(stores, 1, 2)
    await put(stores, 1, 10)
    await stores.timelines.drop([1, 77])
    assert (await stores.timelines.read(1, 0, 10, NOW)).state is RowState.ABSENT
    assert await put(stores, 1, 20) == ["NOT_RESIDENT"]
    assert (await stores.timelines.read(2, 0, 10, NOW)).state is RowState.COMPLETE


async def test_a_row_dropped_and_begun_anew_does_not_know_its_past(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    await put(stores, 1, 10)
    await stores.timelines.drop([1])
    await stores.timelines.begin([1], NOW)
    assert await shown(stores, 1) == []
    assert not await stores.timelines.replace(1, entries(10), 0, mark, NOW)


# ---- lapsing


async def test_a_row_not_touched_for_a_week_counts_as_absent(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    assert await shown(stores, 1, NOW + WEEK) == [10]
    late = NOW + WEEK + 1
    assert (await stores.timelines.read(1, 0, 10, late)).state is RowState.ABSENT
    assert (await stores.timelines.push(entries(20), readers(1, 2), late)).tolist() == [[Push.INACTIVE, Push.NOT_RESIDENT]]
    assert await stores.timelines.mark([1], late) == [None]
    assert (await stores.timelines.residents(0, 10, late)).tolist() == []


async def test_a_lapsed_row_cannot_be_replaced(stores):
    (mark,) = await stores.timelines.begin([1], NOW)
    assert not await stores.timelines.replace(1, entries(10), 0, mark, NOW + WEEK + 1)


async def test_a_touched_row_lives_on(stores):
    await empty_rows(stores, 1)
    await put(stores, 1, 10)
    await stores.timelines.touch(readers(1, 2), NOW + WEEK)
    assert (await stores.timelines.read(1, 0, 10, NOW + WEEK + 5)).seen_ms == NOW + WEEK
    assert await shown(stores, 1, NOW + 2 * WEEK) == [10]
    assert (await stores.timelines.read(2, 0, 10, NOW + WEEK)).state is RowState.ABSENT


async def test_a_touch_comes_too_late_for_a_lapsed_row(stores):
    await empty_rows(stores, 1)
    await stores.timelines.touch(readers(1), NOW + WEEK + 1)
    assert (await stores.timelines.read(1, 0, 10, NOW + WEEK + 1)).state is RowState.ABSENT
    await stores.timelines.begin([1], NOW + WEEK + 1)
    assert (await stores.timelines.read(1, 0, 10, NOW + WEEK + 1)).state is RowState.BUILDING


async def test_residents_come_in_order_of_id_page_by_page(stores):
    people = [3, 1, 9_000, 20, 4_095, 4_096, 70_000_000]
    await stores.timelines.begin(people, NOW)
    await stores.timelines.drop([20])
    walked, after = [], 0
    while len(page := (await stores.timelines.residents(after, 2, NOW)).tolist()):
        walked += page
        after = page[-1]
    assert walked == [1, 3, 4_095, 4_096, 9_000, 70_000_000]


async def test_people_who_stayed_away_make_room_for_others_without_being_mixed_up(stores):
    first, second = np.arange(1, 201), np.arange(1_001, 1_201)
    await stores.timelines.open_empty(first, NOW)
    await stores.timelines.push(entries(10), first, NOW)
    later = NOW + WEEK + 1
    await stores.timelines.open_empty(second, later)
    await stores.timelines.push(entries(20), second, later)
    assert (await stores.timelines.push(entries(30), first, later) >= Push.INACTIVE).all()
    for reader in (1, 100, 200):
        assert (await stores.timelines.read(reader, 0, 10, later)).state is RowState.ABSENT
        assert await shown(stores, reader + 1_000, later) == [20]
    await stores.timelines.begin([1, 2, 3], later)
    await stores.timelines.push(entries(40), np.arange(1, 1_201), later)
    assert await shown(stores, 1, later) == [40]
    assert await shown(stores, 1_001, later) == [40, 20]


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


@pytest.mark.parametrize("change", ["none", "push", "late", "refused", "remove", "drop", "begin", "replace", "floor", "lapse", "touch"])
async def test_a_row_is_unchanged_only_where_it_would_be_read_the_same(stores, limits, change):
    timelines, one = stores.timelines, readers(1)
    await timelines.open_empty(one, NOW)
    await timelines.push(entries(90, 80, 70), one, NOW)
    row = await timelines.read(1, 0, 50, NOW)
    now = NOW
    if change == "push":
        await timelines.push(entries(100), one, NOW)
    elif change == "late":
        await timelines.push(entries(75), one, NOW)
    elif change == "refused":
        await timelines.push(entries(80), one, NOW)  # a duplicate
    elif change == "remove":
        await timelines.remove((80,), one)
    elif change == "drop":
        await timelines.drop((1,))
    elif change == "begin":
        await timelines.begin((1,), NOW)
    elif change == "replace":
        [mark] = await timelines.mark((1,), NOW)
        await timelines.replace(1, entries(90, 80), 0, mark, NOW)
    elif change == "floor":
        await timelines.push(entries(100), one, NOW, floor=75)
    elif change == "lapse":
        now = NOW + limits.inactive_after_ms + 1
    elif change == "touch":
        await timelines.touch(one, NOW + 1)
    same = change in {"none", "refused", "touch"}
    said = timelines.unchanged(1, row, now)
    assert said == same or (stores.kind == "live" and not said)  # Redis would have to be asked
