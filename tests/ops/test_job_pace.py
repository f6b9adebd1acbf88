"""How fast a job goes: its rate, the lag it makes downstream, and what somebody says from another terminal."""

import asyncio

import pytest
from job_worlds import NOW

from twit.core.errors import Stopped, StoreCorrupt
from twit.core.run_control import rows_of, steer
from twit.ops.plan import Options


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


async def test_the_rate_is_kept(world):
    began = world.clock.now_ms()
    await world.start(range(40), Options(yes=True, rate=10, verify_sample=0))
    assert 3_500 <= world.clock.now_ms() - began <= 5_000


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
