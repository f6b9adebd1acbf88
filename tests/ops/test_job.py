"""The skeleton: what a job promises whatever its procedure does. The procedure here writes numbers into files."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twit.core.clock import ManualClock
from twit.core.errors import Conflict, Forbidden, Invalid, Mismatch, Stopped, StoreCorrupt, StoreFull
from twit.core.run_control import rows_of, steer
from twit.core.runs import Checkpoint, Runs
from twit.ops.batches import sampled
from twit.ops.job import Job, options_of
from twit.ops.plan import Draft, Level, Options, Plan, fingerprint
from twit.ops.procedure import Difference, Downstream, Site
from twit.ops.readonly import READS

NOW = 1_790_000_000_000


class Leases:
    def __init__(self):
        self.held, self.fence = {}, 0

    async def acquire(self, name, holder):
        if name in self.held:
            return None
        self.held[name], self.fence = holder, self.fence + 1
        return SimpleNamespace(fence=self.fence, release=lambda: self.held.pop(name, None))

    async def holder(self, name):
        return self.held.get(name, "")


class Numbers:
    """Writes n*n into the file n; a second time it finds it there."""

    name, prefix, unit, batch = "numbers", "nr", "numbers", 3

    def __init__(self, stores, folder, numbers, *, level=Level.MODERATE, lag=lambda: 0, spoil=(), crash_after=None):
        self.stores, self.folder, self.numbers, self.level = stores, folder, numbers, level
        self.lag, self.spoil, self.crash_after, self.applied = lag, spoil, crash_after, []

    async def plan(self, context, kept):
        items = np.array(self.numbers if kept is None else kept.asked, dtype=np.int64)
        mark = fingerprint(self.name, context, {}, items, str(sorted(p.name for p in self.folder.glob("world*"))))
        plan = Plan(procedure=self.name, context=context, unit=self.unit, count=len(items), level=self.level,
                    facts=(("numbers", str(len(items))),), undo="not needed", fingerprint=mark)
        return Draft(plan=plan, items=items, asked=tuple(items.tolist()))

    async def apply(self, items):
        for item in items.tolist():
            path = self.folder / str(item)
            path.write_text(str(item * item))
            self.applied.append(item)
            if self.crash_after is not None and len(self.applied) >= self.crash_after:
                raise RuntimeError("power cut")
        return {"written": len(items)}

    async def verify(self, items):
        return [Difference(item=i, cause="wrong", detail="x") for i in items.tolist() if i in self.spoil]

    async def downstream(self):
        return Downstream(name="fanout", lag_ms=self.lag())


class Watcher:
    def __init__(self, answer=None):
        self.answer, self.shown, self.asked, self.said, self.seen = answer, [], [], [], []

    def show(self, plan, heading):
        self.shown.append((heading, plan))

    def ask(self, question):
        self.asked.append(question)
        return self.answer

    def say(self, line):
        self.said.append(line)

    def working(self, run_id):
        self.said.append(run_id)

    def progress(self, progress):
        self.seen.append(progress)
        raise OSError("the terminal is gone")


class World:
    """One data directory, its lease table and one operator."""

    def __init__(self, folder, *, protected=False, answer=None):
        self.folder, self.clock, self.leases, self.watcher = folder, ManualClock(NOW), Leases(), Watcher(answer)
        ports = {name: SimpleNamespace() for name in READS} | {"leases": self.leases, "kind": "fake"}
        self.runs = Runs(folder / "runs", self.clock, random.Random(1))
        self.site = Site(context="prod", protected=protected, actor="ada@bastion", version="1", commit="c0ffee",
                         settings={"a": "b"}, stores=SimpleNamespace(**ports), runs=self.runs, clock=self.clock)
        self.stop, self.procedures = asyncio.Event(), []
        (folder / "out").mkdir(exist_ok=True)

    def job(self, numbers, options=None, **kwargs):
        def make(stores):
            procedure = Numbers(stores, self.folder / "out", numbers, **kwargs)
            self.procedures.append(procedure)
            return procedure

        return Job(make, options or Options(yes=True, concurrency=1), self.site, self.watcher, self.stop)

    async def start(self, numbers, options=None, **kwargs):
        return await self.job(numbers, options, **kwargs).start(("numbers",))

    def files(self):
        return {p.name: p.read_bytes() for p in (self.folder / "out").iterdir()}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def test_a_job_is_recorded_from_plan_to_outcome(world):
    outcome = await world.start(range(10), Options(yes=True, reason="drill", ticket="INC-1", seed=7))
    run = world.runs.open(outcome.run_id)
    assert (outcome.status, outcome.done, outcome.tally, outcome.verified) == ("done", 10, {"written": 10}, 1)
    assert (run.manifest.reason, run.manifest.ticket, run.manifest.actor, run.manifest.seed) == ("drill", "INC-1", "ada@bastion", 7)
    assert json.loads(run.read("plan.json"))["count"] == 10
    assert [event["event"] for event in run.events()] == ["started", "done"]
    assert run.read("metrics.csv").startswith(b"at_ms,done,total")
    assert world.leases.held == {}


async def test_progress_that_fails_does_not_stop_the_work(world):
    assert (await world.start(range(7))).done == 7
    assert world.watcher.seen[-1].final


async def test_a_dry_run_and_a_plan_file_write_nothing(world, tmp_path):
    assert await world.start(range(10), Options(dry_run=True)) is None
    assert await world.start(range(10), Options(plan_out=str(tmp_path / "p.json"))) is None
    assert world.files() == {} and world.runs.newest_first() == []
    assert "nothing written" in world.watcher.shown[0][0] and "prod" in world.watcher.shown[0][0]


async def test_planning_is_handed_stores_that_refuse_writes(world):
    await world.start(range(2))
    planner, worker = world.procedures
    assert worker.stores is world.site.stores
    world.site.stores.timelines.replace = lambda: None
    with pytest.raises(Forbidden, match=r"timelines\.replace"):
        planner.stores.timelines.replace()


async def test_a_plan_file_is_applied_while_the_world_still_matches(world, tmp_path):
    kept = Options(yes=True, plan=str(tmp_path / "p.json"))
    await world.start(range(5), Options(plan_out=kept.plan))
    assert (await world.start((), kept)).done == 5
    (world.folder / "out" / "world-moved").touch()
    with pytest.raises(Conflict, match="no longer matches"):
        await world.start((), kept)


async def test_a_file_that_is_no_plan_is_refused(world, tmp_path):
    (tmp_path / "p.json").write_text("{}")
    for path in (tmp_path / "p.json", tmp_path / "absent.json"):
        with pytest.raises(Invalid, match="--plan"):
            await world.start((), Options(plan=str(path)))


@pytest.mark.parametrize(("level", "protected", "options", "answer", "goes"), [
    (Level.MILD, False, Options(), None, True),
    (Level.MODERATE, False, Options(), None, False),
    (Level.MODERATE, False, Options(yes=True), None, True),
    (Level.MODERATE, False, Options(), "y", True),
    (Level.MODERATE, False, Options(), "", False),
    (Level.SEVERE, False, Options(yes=True), None, False),
    (Level.SEVERE, False, Options(confirm="prod"), None, True),
    (Level.SEVERE, False, Options(), "prod", True),
    (Level.SEVERE, False, Options(confirm="staging"), None, False),
    (Level.MILD, True, Options(reason="r"), None, False),
    (Level.MILD, True, Options(reason="r", yes=True), None, True),
    (Level.MODERATE, True, Options(reason="r", yes=True), None, False),
    (Level.MODERATE, True, Options(reason="r", confirm="prod"), None, True),
    (Level.SEVERE, True, Options(reason="r", confirm="prod"), None, True),
])
async def test_what_each_level_asks_for(tmp_path, level, protected, options, answer, goes):
    world = World(tmp_path, protected=protected, answer=answer)
    if goes:
        assert (await world.start(range(3), options, level=level)).done == 3
        return
    nobody_there = answer is None and not options.confirm
    with pytest.raises(Invalid if nobody_there else Forbidden, match="needs" if nobody_there else "not"):
        await world.start(range(3), options, level=level)
    assert world.files() == {} and world.leases.held == {}


async def test_a_protected_context_wants_a_reason(tmp_path):
    with pytest.raises(Invalid, match="say why"):
        await World(tmp_path, protected=True).start(range(3), Options(yes=True), level=Level.MILD)


async def test_a_second_run_is_refused_with_who_where_and_since_when(world):
    await world.leases.acquire("job-numbers", "grace@bastion pid 7, since 2026-09-21 10:00:00 UTC")
    with pytest.raises(Conflict, match="grace@bastion pid 7, since 2026"):
        await world.start(range(3))
    assert world.files() == {} and world.runs.newest_first() == []


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


async def test_lag_downstream_holds_the_job_and_the_operator_is_told_why(world):
    lags = iter([0, 5_000, 5_000, 100])
    world.watcher.progress = world.watcher.seen.append
    original = world.clock.monotonic_us
    world.clock.monotonic_us = lambda: original() + 300_000 * len(world.watcher.seen)
    await world.start(range(9), lag=lambda: next(lags, 0))
    assert any("fanout lag 5.0 s > 2 s; --max-lag" in seen.throttled for seen in world.watcher.seen)


async def test_lag_that_waiting_cannot_cure_does_not_hold_the_job(world):
    assert (await world.start(range(9), lag=lambda: None)).done == 9


async def test_waiting_is_bounded_and_resumable(world):
    with pytest.raises(Stopped, match="waited"):
        await world.start(range(9), Options(yes=True, max_wait_ms=1_000), lag=lambda: 60_000)
    assert rows_of(world.runs)[0].status == "stopped"


def asks(world, **changes):
    """From another terminal, once: at the first progress that is shown."""
    def first(progress):
        world.watcher.seen.append(progress)
        if len(world.watcher.seen) == 1:
            steer(world.runs.open("last"), "grace@laptop", NOW, **changes)

    world.watcher.progress = first


async def until(world, condition):
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(world.watcher.seen[-1:])


async def test_a_run_paused_from_another_terminal_holds_before_its_next_batch_and_goes_on_when_resumed(world):
    asks(world, paused=True)
    task = asyncio.create_task(world.start(range(9)))
    await until(world, lambda: any("paused by grace@laptop" in one.throttled for one in world.watcher.seen))
    assert rows_of(world.runs)[0].status == "paused" and len(world.files()) == 3
    steer(world.runs.open("last"), "ada@bastion", NOW, paused=False)
    assert (await task).done == 9 and rows_of(world.runs)[0].status == "done"
    events = [(one["event"], one["actor"]) for one in world.runs.open("last").events() if "actor" in one]
    assert events == [("started", "ada@bastion"), ("paused", "grace@laptop"), ("unpaused", "ada@bastion")]


async def test_a_paused_run_can_be_stopped_and_resuming_it_unpauses(world):
    asks(world, paused=True)
    task = asyncio.create_task(world.start(range(9)))
    await until(world, lambda: any("paused" in one.throttled for one in world.watcher.seen))
    world.stop.set()
    with pytest.raises(Stopped):
        await task
    world.stop.clear()
    assert rows_of(world.runs)[0].status == "stopped"
    assert (await world.job(()).resume(world.runs.open("last"))).done == 9


async def test_a_pause_does_not_use_up_the_time_to_wait_for_the_lag(world):
    asks(world, paused=True)
    task = asyncio.create_task(world.start(range(9), Options(yes=True, concurrency=1, max_wait_ms=500)))
    await until(world, lambda: sum("paused" in one.throttled for one in world.watcher.seen) > 20)
    steer(world.runs.open("last"), "a@b", NOW, paused=False)
    assert (await task).done == 9


async def test_the_rate_set_from_another_terminal_holds_from_the_next_batch_and_after_resuming(world):
    asks(world, rate=0.0)
    began = world.clock.now_ms()
    await world.start(range(400), Options(yes=True, rate=1, verify_sample=0))
    assert world.clock.now_ms() - began < 5_000
    world.clock.advance(60)
    world.watcher.seen.clear()
    asks(world, rate=10.0)
    task = asyncio.create_task(world.start(range(400), Options(yes=True, verify_sample=0, concurrency=1)))
    await until(world, lambda: any("10/s" in one.throttled for one in world.watcher.seen))
    world.stop.set()
    with pytest.raises(Stopped):
        await task
    world.stop.clear()
    run = world.runs.open("last")
    began, left = world.clock.now_ms(), 400 - run.checkpoint().done
    await world.job((), Options(yes=True, verify_sample=0)).resume(run)
    assert world.clock.now_ms() - began > 90 * left


async def test_a_higher_bound_of_lag_lets_a_waiting_job_go(world):
    asks(world, max_lag_ms=90_000)
    assert (await world.start(range(9), Options(yes=True, max_wait_ms=60_000), lag=lambda: 60_000)).done == 9


async def test_an_order_that_cannot_be_read_is_an_error_and_never_full_speed(world):
    def broken(progress):
        world.runs.open("last").write("control.json", b'{"schema_version": 99}')

    world.watcher.progress = broken
    with pytest.raises(StoreCorrupt, match="schema version 99"):
        await world.start(range(9))
    assert len(world.files()) == 3


async def test_a_full_disk_is_what_the_operator_is_told_with_the_way_to_resume(world, monkeypatch):
    def full(self, checkpoint):
        monkeypatch.setattr("twit.core.runs.Run.finish", lambda self, outcome: full(self, None))
        raise StoreFull("no space left")

    monkeypatch.setattr("twit.core.runs.Run.save_checkpoint", full)
    with pytest.raises(StoreFull, match="no space left"):
        await world.start(range(9))
    monkeypatch.undo()
    assert (await world.job(()).resume(world.runs.open("last"))).done == 9


async def test_the_rate_is_kept(world):
    began = world.clock.now_ms()
    await world.start(range(40), Options(yes=True, rate=10, verify_sample=0))
    assert 3_500 <= world.clock.now_ms() - began <= 5_000


async def test_what_reads_back_differently_is_exit_4_with_a_file(world):
    with pytest.raises(Mismatch) as mismatch:
        await world.start(range(10), Options(yes=True, verify_sample=1.0), spoil={4, 7})
    run = world.runs.open("last")
    assert mismatch.value.exit_code == 4 and run.outcome().differences == 2
    assert run.read("differences.csv") == b'item,cause,detail\n4,wrong,"x"\n7,wrong,"x"\n'


@pytest.mark.parametrize(("share", "many"), [(0.0, 0), (0.001, 1), (0.1, 10), (1.0, 100)])
def test_a_sample_is_seeded_ordered_and_never_empty_unless_asked(share, many):
    items = np.arange(100)
    chosen = sampled(items, share, 7)
    assert len(chosen) == many and (np.diff(chosen) > 0).all() and (chosen == sampled(items, share, 7)).all()


SCRIPT = """
import asyncio, os, random, signal, sys, msgspec
sys.path.insert(0, {here!r})
import test_job
from pathlib import Path
class Dies(test_job.Numbers):
    async def apply(self, items):
        for item in items.tolist():
            (self.folder / str(item)).write_text(str(item * item))
            if item == {dies}:
                os.kill(os.getpid(), signal.SIGKILL)
        return {{"written": len(items)}}
test_job.Numbers = Dies
world = test_job.World(Path({folder!r}))
asyncio.run(world.start(range(12)))
"""


@pytest.mark.parametrize("dies", [0, 2, 3, 7, 11])
async def test_kill_9_and_resume_from_elsewhere(tmp_path, dies):
    here = str(Path(__file__).parent)
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
