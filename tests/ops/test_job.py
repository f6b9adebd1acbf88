"""The skeleton: what a job promises whatever its procedure does. The procedure here writes numbers into files."""

import json

import numpy as np
import pytest
from job_worlds import World

from twit.core.errors import Conflict, Forbidden, Invalid, Mismatch
from twit.ops.batches import sampled
from twit.ops.plan import Level, Options


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
