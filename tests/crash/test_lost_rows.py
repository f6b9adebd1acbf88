"""Cached timelines that are cut off, deleted, torn or left by a machine that went down: built again, and never a wrong answer."""

import errno
import os
import shutil

import pytest
from builders import build_twit, home, town

from twit.core.errors import StoreDown, StoreError
from twit.core.stores.embedded.ring_file import H_BOOT, H_CLEAN

RING_FILES = ("timelines.ring", "timelines.heads", "timelines.slots")


@pytest.mark.parametrize("name", RING_FILES)
@pytest.mark.parametrize("left", [0, 1, 4_096, -4_096])
async def test_a_ring_cut_off_while_closed_is_built_again(open_twit, tmp_path, name, left, caplog):
    twit = await open_twit(timeline_entries_max=5)
    cleo, before = await town(twit)
    await twit.stores.health.close()
    path = tmp_path / "data" / name
    os.truncate(path, left if left >= 0 else path.stat().st_size + left)
    twit = await open_twit(timeline_entries_max=5)
    assert await home(twit, cleo, 3) == before
    assert (await twit.home_timeline(cleo)).page.complete_back_to > 0
    assert "cached timelines are dropped" in caplog.text or (name, left) == ("timelines.heads", 0)


@pytest.mark.parametrize("gone", [RING_FILES, RING_FILES[:1], RING_FILES[1:2], RING_FILES[2:]], ids=["all", "ring", "heads", "slots"])
async def test_a_ring_deleted_while_closed_is_built_again(open_twit, tmp_path, gone):
    twit = await open_twit()
    cleo, before = await town(twit)
    await twit.stores.health.close()
    for name in gone:
        (tmp_path / "data" / name).unlink()
    assert await home(await open_twit(), cleo) == before


def crashed(source, target, *, other_boot, torn=False):
    """A folder as a machine leaves it that goes down under an open service."""
    shutil.copytree(source, target)
    with (target / "timelines.heads").open("r+b") as heads:
        heads.seek(H_CLEAN * 8)
        assert int.from_bytes(heads.read(8), "little") == 0, "an open ring must not look clean"
        if other_boot:
            heads.seek(H_BOOT * 8)
            heads.write(b"anotherboot")
    if torn:
        with (target / "timelines.ring").open("r+b") as ring:
            ring.seek(16_384)
            ring.write(b"\x07" * 40_000)


@pytest.mark.parametrize("torn", [False, True])
async def test_a_machine_that_went_down_without_a_clean_mark_costs_the_rows_and_nothing_else(twit, clock, tmp_path, torn, caplog):
    cleo, before = await town(twit)
    crashed(tmp_path / "data", tmp_path / "copy", other_boot=True, torn=torn)
    again = await build_twit(tmp_path / "copy", clock)
    assert "the machine went down while it was open" in caplog.text
    explained = (await again.home_timeline(cleo, explain=True)).explanation
    assert explained is not None
    assert explained.row == "rebuilt"
    assert await home(again, cleo) == before
    await again.stores.health.close()


async def test_a_killed_process_costs_no_rows_on_a_machine_that_stayed_up(twit, clock, tmp_path, caplog):
    cleo, before = await town(twit)
    crashed(tmp_path / "data", tmp_path / "copy", other_boot=False)
    again = await build_twit(tmp_path / "copy", clock)
    explained = (await again.home_timeline(cleo, explain=True)).explanation
    assert explained is not None
    assert explained.row == "complete"
    assert await home(again, cleo) == before
    assert caplog.text == ""
    await again.stores.health.close()


async def test_a_ring_that_cannot_be_left_clean_says_so_and_closes_the_rest(open_twit, tmp_path, clock, monkeypatch):
    twit = await build_twit(tmp_path / "data", clock)
    cleo, before = await town(twit)

    def fails(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(StoreError, match="could not be left clean"):
        await twit.stores.health.close()
    with pytest.raises(StoreDown):
        await twit.post(cleo, "to nobody")
    monkeypatch.undo()
    assert await home(await open_twit(), cleo) == before
