"""The ring is a cache in files: what it does when files, machines, disks and folders fail."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from rings import LIMITS, filled, left, shown
from timeline_builders import NOW, entries

from twit.core.entries import Push
from twit.core.errors import StoreCorrupt, StoreDown, StoreFull
from twit.core.limits import Limits
from twit.core.stores.embedded import ring_file
from twit.core.stores.embedded.ring import open_ring
from twit.core.stores.embedded.ring_file import H_BOOT, H_CLEAN, H_MAGIC, H_ROWS_USED, H_VERSION
from twit.core.stores.embedded.ring_rows import BUSY, END, SEEN, TOP


async def test_a_ring_closed_and_opened_again_holds_what_it_held(tmp_path):
    await left(tmp_path)
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) == [20, 10]
    ring.close()
    ring.close()


@pytest.mark.parametrize("name", ["timelines.ring", "timelines.heads", "timelines.slots"])
@pytest.mark.parametrize("size", [0, 100, 4_200])
async def test_a_file_cut_off_while_closed_is_dropped_and_begins_clean(tmp_path, name, size, caplog):
    await left(tmp_path)
    os.truncate(tmp_path / name, size)
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) is None
    assert "cached timelines are dropped" in caplog.text or (name, size) == ("timelines.heads", 0)
    await ring.begin([1, 5_000], NOW)
    assert (await ring.push(entries(30), np.array([1, 5_000]), NOW)).tolist() == [[0, 0]]
    ring.close()


def change_header(folder, word, value):
    with (folder / "timelines.heads").open("r+b") as file:
        file.seek(word * 8)
        file.write(int(value).to_bytes(8, "little", signed=True))


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [(H_MAGIC, 7, "damaged"), (H_ROWS_USED, -3, "damaged"), (H_ROWS_USED, 1 << 40, "damaged"), (H_VERSION, 99, "version 99")],
)
async def test_a_damaged_header_or_another_version_is_dropped(tmp_path, word, value, said, caplog):
    await left(tmp_path)
    change_header(tmp_path, word, value)
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) is None
    assert said in caplog.text
    ring.close()


async def test_files_of_two_rings_are_not_taken_for_one(tmp_path, caplog):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    await left(one)
    await left(other)
    (one / "timelines.slots").replace(other / "timelines.slots")
    ring = open_ring(other, LIMITS)
    assert await shown(ring, 1) is None
    assert "do not belong together" in caplog.text
    ring.close()


async def test_a_ring_made_with_other_limits_is_dropped_with_a_warning(tmp_path, caplog):
    await left(tmp_path)
    ring = open_ring(tmp_path, Limits(timeline_entries_max=6))
    assert await shown(ring, 1) is None
    assert "5 entries, not 6" in caplog.text
    ring.close()


async def test_the_machine_went_down_while_the_ring_was_open(tmp_path, caplog):
    await left(tmp_path)
    change_header(tmp_path, H_CLEAN, 0)
    change_header(tmp_path, H_BOOT, 12_345)
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) is None
    assert "went down" in caplog.text
    ring.close()


async def test_the_machine_went_down_after_the_ring_was_closed(tmp_path, caplog):
    await left(tmp_path)
    change_header(tmp_path, H_BOOT, 12_345)
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) == [20, 10]
    assert caplog.text == ""
    ring.close()


def head(ring, reader, word):
    """Where a word of a reader's row lies, for damage."""
    return int(ring._slots.locate(np.array([reader]))[0]) * 8 + word


async def test_a_row_whose_writer_died_is_lost_and_only_that_one(tmp_path):
    ring = await filled(tmp_path)
    await ring.open_empty(np.array([2]), NOW)
    ring._rows.heads[head(ring, 1, SEEN)] = BUSY
    assert await shown(ring, 1) is None
    assert await shown(ring, 2) == []
    assert (await ring.push(entries(30), np.array([1, 2]), NOW)).tolist() == [[Push.NOT_RESIDENT, Push.STORED]]
    assert await ring.remove([30], np.array([1, 2])) == 1
    await ring.begin([1], NOW)
    await ring.push(entries(40), np.array([1]), NOW)
    assert await shown(ring, 1) == [40]
    ring.close()


async def test_a_writer_that_died_before_its_entry_counted_did_nothing(tmp_path):
    ring = await filled(tmp_path)
    for tweet in (30, 40, 50, 60):
        await ring.push(entries(tweet), np.array([1]), NOW)
    before = await ring.read(1, 0, 100, NOW)
    await ring.push(entries(70), np.array([1]), NOW)
    ring._rows.heads[head(ring, 1, END)] -= 1  # the entry and TOP are written, END is not
    row = await ring.read(1, 0, 100, NOW)
    assert row.entries.tolist() == before.entries.tolist()
    assert 10 < before.complete_back_to <= row.complete_back_to <= 20
    assert (await ring.push(entries(60), np.array([1]), NOW)).tolist() == [[Push.DUPLICATE]]
    assert (await ring.push(entries(70), np.array([1]), NOW)).tolist() == [[Push.STORED]]
    assert await shown(ring, 1) == [70, 60, 50, 40, 30]
    assert ring._rows.heads[head(ring, 1, TOP)] == 70
    ring.close()


async def test_a_full_disk_is_said_and_leaves_everything_as_it_was(tmp_path, monkeypatch):
    ring = await filled(tmp_path)

    def full(fd, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(ring_file.os, "posix_fallocate", full)
        with pytest.raises(StoreFull, match="cannot grow.*No space left"):
            await ring.begin(list(range(2, 400)), NOW)
        with pytest.raises(StoreFull):
            await ring.begin([60_000], NOW)
        assert await shown(ring, 1) == [20, 10]
        assert (await ring.residents(0, 1_000, NOW)).tolist() == [1]
        assert (await ring.push(entries(30), np.array([1, 2]), NOW)).tolist() == [[Push.STORED, Push.NOT_RESIDENT]]
    await ring.begin([*range(2, 400), 60_000], NOW)
    assert len(await ring.residents(0, 1_000, NOW)) == 400
    ring.close()


async def test_every_byte_that_may_be_touched_is_on_disk(tmp_path):
    ring = open_ring(tmp_path, LIMITS)
    for first in range(1, 1_000, 100):
        await ring.begin([*range(first, first + 100), first * 5_000], NOW)
    for name in ("ring", "heads", "slots"):
        status = (tmp_path / f"timelines.{name}").stat()
        assert status.st_blocks * 512 >= status.st_size, name
    ring.close()


async def test_a_closed_ring_says_that_it_is_closed(tmp_path):
    ring = await filled(tmp_path)
    ring.close()
    with pytest.raises(StoreDown, match="closed"):
        await ring.read(1, 0, 10, NOW)
    with pytest.raises(StoreDown, match="closed"):
        await ring.push(entries(30), np.array([1]), NOW)


async def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StoreDown, match="cannot be opened"):
        open_ring(tmp_path / "nowhere", LIMITS)


async def test_a_ring_in_another_folder_is_kept_there_and_found_again(tmp_path, caplog):
    data, ring_folder = tmp_path / "data", tmp_path / "memory"
    data.mkdir()
    ring = open_ring(data, LIMITS, ring_folder)
    await ring.open_empty(np.array([1]), NOW)
    await ring.push(entries(20, 10), np.array([1]), NOW)
    ring.close()
    again = open_ring(data, LIMITS, ring_folder)
    assert await shown(again, 1) == [20, 10]
    again.close()
    assert caplog.text == ""
    assert [path.name for path in data.iterdir()] == ["timelines.stamp"]


async def test_a_ring_left_for_another_folder_missed_what_came_since_and_is_dropped(tmp_path, caplog):
    await left(tmp_path)
    open_ring(tmp_path, LIMITS, tmp_path / "memory").close()
    ring = open_ring(tmp_path, LIMITS)
    assert await shown(ring, 1) is None
    assert "belongs to other data" in caplog.text
    ring.close()


@pytest.mark.parametrize("copied", [False, True])
async def test_a_ring_is_not_taken_for_that_of_other_data_not_even_of_a_copy(tmp_path, caplog, copied):
    one, other, ring_folder = tmp_path / "one", tmp_path / "other", tmp_path / "memory"
    one.mkdir()
    other.mkdir()
    ring = open_ring(one, LIMITS, ring_folder)
    await ring.open_empty(np.array([1]), NOW)
    if copied:
        (other / "timelines.stamp").write_bytes((one / "timelines.stamp").read_bytes())
    with pytest.raises(StoreCorrupt, match="other data"):
        open_ring(other, LIMITS, ring_folder)
    ring.close()
    ring = open_ring(other, LIMITS, ring_folder)
    assert await shown(ring, 1) is None
    assert "belongs to other data" in caplog.text
    ring.close()


def test_a_folder_that_cannot_be_made_is_told_with_the_setting(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown, match="cannot be made"):
        open_ring(tmp_path, LIMITS, tmp_path / "file" / "ring")
