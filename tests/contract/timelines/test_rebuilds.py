"""Rows being built and rows replaced: what arrives meanwhile stays, and a builder that came too late is refused."""

from __future__ import annotations

from timeline_builders import NOW, empty_rows, entries, put, shown

from twit.core.entries import Mark, RowState


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
