"""`twit ops rebuild-timeline`: rows brought in line with the truth while nobody who reads notices."""

import asyncio
import shutil

import builders
import numpy as np
import pytest
from ops_builders import Watcher, plant, raw_row, rebuild_job, site_of

from twit.core.entries import RowState
from twit.core.errors import Conflict, Forbidden, Mismatch, NotFound, Stopped
from twit.ops.plan import Level, Options
from twit.ops.readonly import read_only
from twit.ops.rebuild_timeline import RebuildTimelines, Selection


@pytest.fixture
async def town(twit, clock):
    """Forty people in a ring of friends, ten tweets each."""
    people = await builders.make_users(twit, " ".join(f"u{at}" for at in range(40)))
    await builders.make_friends(twit, *((one, people[(at + step) % 40]) for at, one in enumerate(people) for step in (1, 2, 3)))
    for at in range(10):
        for one in people:
            clock.advance(0.01)
            await twit.post(one, f"{at} of {one}")
    await builders.settle(twit)
    return twit


async def rows(twit):
    return {reader: await raw_row(twit, reader) for reader in range(1, 41)}


async def ring_bytes(twit, folder):
    await twit.stores.health.close()
    return {path.name: path.read_bytes() for path in sorted(folder.glob("timelines*"))}


def spoil(twit, healthy, readers):
    for reader in readers:
        plant(twit, reader, healthy[reader][3:7])


async def test_spoilt_rows_come_out_as_reading_would_build_them(town, clock, tmp_path):
    healthy = await rows(town)
    spoil(town, healthy, range(1, 21))
    outcome = await rebuild_job(town, clock, tmp_path).start(())
    assert outcome.tally == {"replaced": 20, "unchanged": 20, "inactive": 0} and await rows(town) == healthy
    await town.stores.timelines.drop([1])
    page = await builders.home(town, 1)
    assert page == [tweet for tweet, _ in healthy[1]] and await raw_row(town, 1) == healthy[1]


async def test_twice_is_nothing_to_do(town, clock, tmp_path):
    spoil(town, await rows(town), range(1, 41))
    await rebuild_job(town, clock, tmp_path).start(())
    marks = await town.stores.timelines.mark(range(1, 41), clock.now_ms())
    outcome = await rebuild_job(town, clock, tmp_path).start(())
    assert outcome.tally["unchanged"] == 40 and await town.stores.timelines.mark(range(1, 41), clock.now_ms()) == marks


async def test_a_full_row_that_pushes_made_is_right_already(open_twit, clock, tmp_path):
    twit = await open_twit(timeline_entries_max=5)
    ada, ben = await builders.make_users(twit, "ada ben")
    await builders.make_friends(twit, (ada, ben))
    for at in range(12):
        clock.advance(1)
        await twit.post(ben, str(at))
    await builders.settle(twit)
    outcome = await rebuild_job(twit, clock, tmp_path).start(())
    assert outcome.tally == {"unchanged": 2, "inactive": 0}


async def test_people_not_seen_for_long_are_skipped_and_stay_absent(town, clock, tmp_path):
    clock.advance(5 * 86_400)
    await town.stores.timelines.touch(np.array([1, 2]), clock.now_ms())
    clock.advance(3 * 86_400)
    watcher = Watcher()
    outcome = await rebuild_job(town, clock, tmp_path, Selection(asked=(1, 2, 3, 4)), watcher=watcher).start(())
    assert outcome.total == 2 and "4 listed, 2 skipped" in dict(watcher.shown[0][1].facts)["users"]
    assert (await town.stores.timelines.read(3, 0, 1, clock.now_ms())).state is RowState.ABSENT


async def test_since_keeps_those_seen_since_then(town, clock, tmp_path):
    clock.advance(86_400)
    since = clock.now_ms()
    await town.stores.timelines.touch(np.array([7, 9]), since)
    outcome = await rebuild_job(town, clock, tmp_path, Selection(all_active=True, since_ms=since)).start(())
    assert outcome.total == 2


async def test_nobody_active_is_nothing_to_do(town, clock, tmp_path):
    clock.advance(9 * 86_400)
    assert (await rebuild_job(town, clock, tmp_path).start(())).total == 0


async def test_people_who_do_not_exist_are_refused_by_number(town, clock, tmp_path):
    with pytest.raises(NotFound, match="2 of the users do not exist: 41, 99"):
        await rebuild_job(town, clock, tmp_path, Selection(asked=(1, 41, 99))).start(())


@pytest.mark.parametrize(("asked", "level"), [((1,), Level.MILD), ((1, 2), Level.MODERATE), ((), Level.MODERATE)])
async def test_one_user_is_mild_and_many_are_moderate(town, clock, tmp_path, asked, level):
    watcher = Watcher()
    await rebuild_job(town, clock, tmp_path, Selection(asked=asked), watcher=watcher).start(())
    assert watcher.shown[0][1].level == level


async def test_the_plan_says_how_many_what_it_costs_and_how_to_undo(town, clock, tmp_path):
    spoil(town, await rows(town), range(1, 21))
    watcher = Watcher()
    await rebuild_job(town, clock, tmp_path, options=Options(dry_run=True), watcher=watcher).start(())
    heading, plan = watcher.shown[0]
    facts = dict(plan.facts)
    assert heading.startswith("context local") and "nothing written" in heading and "swapped whole" in plan.undo
    assert facts["users"] == "40" and facts["write"].startswith("≤ 40 × 800 entries; ~5") and facts["estimate"][0] in "~<"


async def test_a_dry_run_writes_nothing_even_where_it_would(town, clock, tmp_path):
    spoil(town, await rows(town), range(1, 41))
    before = await rows(town)
    with pytest.raises(Forbidden, match="tried to write: timelines.replace"):
        procedure = RebuildTimelines(read_only(town.stores), town.limits, clock, Selection(all_active=True), Options())
        await procedure.apply(np.arange(1, 41))
    assert await rebuild_job(town, clock, tmp_path, options=Options(dry_run=True)).start(()) is None
    assert await rows(town) == before and not (tmp_path / "runs").exists()


async def test_a_plan_is_refused_once_others_are_active(town, clock, tmp_path):
    kept = Options(plan_out=str(tmp_path / "plan.json"))
    await rebuild_job(town, clock, tmp_path, options=kept).start(())
    ready = Options(yes=True, plan=kept.plan_out)
    await rebuild_job(town, clock, tmp_path, Selection(), options=ready).start(())
    await builders.make_users(town, "newcomer")
    with pytest.raises(Conflict, match="40 users then, 41 now"):
        await rebuild_job(town, clock, tmp_path, Selection(), options=ready).start(())


async def test_a_second_rebuild_is_refused_while_one_runs(town, clock, tmp_path):
    refused = []

    class Meanwhile(RebuildTimelines):
        async def apply(self, items):
            if not refused:
                with pytest.raises(Conflict, match="ada@bastion, since 20") as conflict:
                    await rebuild_job(town, clock, tmp_path).start(())
                refused.append(conflict)
            return await super().apply(items)

    assert (await rebuild_job(town, clock, tmp_path, procedure=Meanwhile).start(())).status == "done" and refused


class PowerCut(BaseException):
    """Nothing that runs after it may help."""


class Small(RebuildTimelines):
    """Seven users a batch, so that forty make several."""

    batch = 7


@pytest.mark.parametrize("dies", range(6))
async def test_killed_at_each_batch_and_resumed_it_ends_in_the_same_bytes(town, clock, tmp_path, dies):
    spoil(town, await rows(town), range(1, 41))
    await town.stores.health.close()
    whole, broken = (shutil.copytree(tmp_path / "data", tmp_path / name) for name in ("whole", "broken"))
    batches = []

    class Dies(Small):
        async def apply(self, items):
            result = await super().apply(items)  # written, and killed before the checkpoint
            batches.append(items)
            if len(batches) == dies + 1:
                raise PowerCut
            return result

    twit = await builders.build_twit(whole, clock)
    await rebuild_job(twit, clock, whole, procedure=Small).start(())
    due = await ring_bytes(twit, whole)
    twit = await builders.build_twit(broken, clock)
    with pytest.raises(PowerCut):
        await rebuild_job(twit, clock, broken, procedure=Dies).start(())
    run = site_of(twit, clock, broken).runs.open("last")
    outcome = await rebuild_job(twit, clock, broken, procedure=Small).resume(run)
    assert (outcome.status, outcome.done) == ("done", 40) and await ring_bytes(twit, broken) == due


async def test_what_is_pushed_and_removed_while_a_row_is_rebuilt_stays_so(town, clock, tmp_path):
    spoil(town, await rows(town), range(1, 41))
    gone = (await town.user_timeline(2, 2)).tweets[0].tweet_id
    posted = []

    class Busy(Small):
        async def _truths(self, readers):
            found = await super()._truths(readers)
            if not posted:
                posted.append((await town.post(2, "meanwhile")).tweet_id)
                await town.delete(2, gone)
                await builders.settle(town)
            return found

    outcome = await rebuild_job(town, clock, tmp_path, procedure=Busy).start(())
    home = await builders.home(town, 1)
    assert outcome.status == "done" and posted[0] in home and gone not in [tweet for tweet, _ in await raw_row(town, 1)]


async def test_readers_never_see_a_short_empty_or_unordered_page_meanwhile(town, clock, tmp_path):
    due = {reader: await builders.home(town, reader) for reader in range(1, 41)}
    looked = []

    async def look():
        while not done.is_set():
            for reader in range(1, 41):
                page = [tweet.tweet_id for tweet in (await town.home_timeline(reader, "", 50)).page.tweets]
                assert page == due[reader]
                looked.append(reader)
                await asyncio.sleep(0)

    done = asyncio.Event()
    checker = asyncio.create_task(look())
    for _ in range(3):
        for reader in range(1, 41):  # a floor too high: right to read, not what truth says
            row = await raw_row(town, reader)
            plant(town, reader, row, floor=row[-1][0] + 1)
        outcome = await rebuild_job(town, clock, tmp_path, procedure=Small).start(())
        assert outcome.tally["replaced"] == 40
    done.set()
    await checker
    assert len(looked) > 40


async def test_an_interrupt_stops_between_batches_and_can_be_resumed(town, clock, tmp_path):
    spoil(town, await rows(town), range(1, 41))
    stop = asyncio.Event()

    class Interrupted(Small):
        async def apply(self, items):
            stop.set()
            return await super().apply(items)

    with pytest.raises(Stopped, match="7/40"):
        await rebuild_job(town, clock, tmp_path, procedure=Interrupted, stop=stop).start(())
    run = site_of(town, clock, tmp_path).runs.open("last")
    assert (await rebuild_job(town, clock, tmp_path, procedure=Small).resume(run)).done == 40


async def test_a_write_that_did_not_take_is_found_by_reading_back(town, clock, tmp_path):
    healthy = await rows(town)

    class Forgetful(RebuildTimelines):
        async def apply(self, items):
            spoil(town, healthy, [5])
            return {}

    with pytest.raises(Mismatch, match="1 differences in 40"):
        await rebuild_job(town, clock, tmp_path, procedure=Forgetful).start(())
    run = site_of(town, clock, tmp_path).runs.open("last")
    assert run.read("differences.csv").startswith(b"item,cause,detail\n5,missing,")


async def test_what_is_still_to_be_fanned_out_is_no_difference(town, clock, tmp_path):
    class Posted(RebuildTimelines):
        async def verify(self, items):
            await town.post(2, "after the swap")
            return await super().verify(items)

    assert (await rebuild_job(town, clock, tmp_path, procedure=Posted).start(())).status == "done"


async def test_only_the_lag_of_a_fan_out_that_somebody_runs_holds_a_rebuild(town, clock):
    await town.post(1, "to be delivered")
    clock.advance(7)
    procedure = RebuildTimelines(town.stores, town.limits, clock, Selection(), Options())
    assert (await procedure.downstream()).lag_ms is None
    lease = await town.stores.leases.acquire("fanout", "a worker")
    assert (await procedure.downstream()).lag_ms == 7_000
    lease.release()
