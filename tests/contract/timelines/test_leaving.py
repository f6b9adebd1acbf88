"""How entries and whole rows go: removed, dropped, lapsed; who is left; and when a row would still read the same."""

from __future__ import annotations

import numpy as np
import pytest
from timeline_builders import NOW, WEEK, empty_rows, entries, put, readers, shown

from twit.core.entries import Push, RowState


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
