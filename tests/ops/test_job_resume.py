"""A job that was interrupted, killed or taken over goes on where it was, and ends in the same bytes."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_worlds import NOW, World

from twit.core.errors import Conflict, Stopped, StoreCorrupt, StoreFull
from twit.core.run_control import rows_of
from twit.core.runs import Checkpoint
from twit.ops.job import options_of
from twit.ops.plan import Options


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 25), crash=st.integers(1, 25), concurrency=st.integers(1, 4), again=st.integers(1, 25))
def test_killed_anywhere_and_resumed_it_ends_in_the_same_bytes(tmp_path_factory, count, crash, concurrency, again):
    async def story():
        options = Options(yes=True, concurrency=concurrency)
        whole, broken = World(tmp_path_factory.mktemp("whole")), World(tmp_path_factory.mktemp("broken"))
        await whole.start(range(count), options)
        try:
            outcome = await broken.start(range(count), options, crash_after=crash)
        except RuntimeError:
            run = broken.runs.open("last")
            try:
                outcome = await broken.job((), options, crash_after=again).resume(run)
            except RuntimeError:
                outcome = await broken.job((), options).resume(broken.runs.open("last"))
        assert outcome.status == "done" and broken.files() == whole.files()

    asyncio.run(story())


async def test_the_first_interrupt_finishes_the_batch_and_says_how_to_resume(world):
    world.watcher.progress = lambda progress: world.stop.set()
    with pytest.raises(Stopped) as stopped:
        await world.start(range(10))
    run = world.runs.open("last")
    assert run.run_id in stopped.value.try_ and stopped.value.exit_code == 75
    assert (run.checkpoint().done, run.outcome().status, len(world.files())) == (3, "stopped", 3)
    world.stop.clear()
    world.watcher.progress = lambda progress: None
    outcome = await world.job(()).resume(run)
    assert (outcome.done, len(world.files())) == (10, 10)


async def test_the_second_interrupt_leaves_at_once_and_the_run_can_be_resumed(world):
    task = asyncio.create_task(world.start(range(10), lag=lambda: 9_999))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.leases.held == {} and rows_of(world.runs)[0].status == "killed"
    assert (await world.job(()).resume(world.runs.open("last"))).done == 10


async def test_a_run_that_ended_has_nothing_to_resume(world):
    outcome = await world.start(range(4))
    before = len(world.procedures[-1].applied)
    assert await world.job(()).resume(world.runs.open(outcome.run_id)) == outcome
    assert before == 4 and "nothing to do" in world.watcher.said[-1]


async def test_a_process_taken_for_dead_cannot_set_its_successor_back(world):
    world.stop.set()
    with pytest.raises(Stopped):
        await world.start(range(10))
    run = world.runs.open("last")
    run.save_checkpoint(Checkpoint(done=9, fence=50, at_ms=NOW))
    with pytest.raises(Conflict, match="taken over"):
        run.save_checkpoint(Checkpoint(done=3, fence=49, at_ms=NOW))
    assert run.checkpoint().done == 9


async def test_whoever_was_taken_over_stops_and_writes_no_end(world):
    def overtaken(progress):
        world.runs.open("last").save_checkpoint(Checkpoint(done=3, fence=99, at_ms=NOW))

    world.watcher.progress = overtaken
    with pytest.raises(Conflict, match="taken over"):
        await world.start(range(10))
    run = world.runs.open("last")
    assert run.outcome() is None and run.checkpoint().fence == 99
    world.watcher.progress = lambda progress: None
    assert (await world.job(()).resume(run)).done == 10 and run.checkpoint().fence == 100


async def test_a_full_disk_is_what_the_operator_is_told_with_the_way_to_resume(world, monkeypatch):
    def full(self, checkpoint):
        monkeypatch.setattr("twit.core.runs.Run.finish", lambda self, outcome: full(self, None))
        raise StoreFull("no space left")

    monkeypatch.setattr("twit.core.runs.Run.save_checkpoint", full)
    with pytest.raises(StoreFull, match="no space left"):
        await world.start(range(9))
    monkeypatch.undo()
    assert (await world.job(()).resume(world.runs.open("last"))).done == 9


SCRIPT = """
import asyncio, os, random, signal, sys, msgspec
sys.path.insert(0, {here!r})
import job_worlds
from pathlib import Path
class Dies(job_worlds.Numbers):
    async def apply(self, items):
        for item in items.tolist():
            (self.folder / str(item)).write_text(str(item * item))
            if item == {dies}:
                os.kill(os.getpid(), signal.SIGKILL)
        return {{"written": len(items)}}
job_worlds.Numbers = Dies
world = job_worlds.World(Path({folder!r}))
asyncio.run(world.start(range(12)))
"""


@pytest.mark.parametrize("dies", [0, 2, 3, 7, 11])
async def test_kill_9_and_resume_from_elsewhere(tmp_path, dies):
    here = str(Path(__file__).parent.parent)  # where job_worlds.py lies
    folder = tmp_path / "killed"
    folder.mkdir()
    script = SCRIPT.format(here=here, dies=dies, folder=str(folder))
    died = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    world = World(folder)
    outcome = await world.job(()).resume(world.runs.open("last"))
    assert outcome.done == 12 and world.files() == {str(n): str(n * n).encode() for n in range(12)}


async def test_options_survive_the_run_folder_and_those_of_another_version_are_refused(world):
    options = Options(yes=True, rate=1e6, max_lag_ms=0)
    await world.start(range(3), options)
    run = world.runs.open("last")
    assert options_of(run) == options
    run.write("options.json", b'{"schema_version": 99}')
    with pytest.raises(StoreCorrupt, match="schema version 99"):
        options_of(run)
