"""The event log, as its followers see it: a consumer in its lane, and a process that keeps its caches true by `stores.log`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from twit.core.entries import Delivery
from twit.core.events import Event, EventKind, GroupLag, Progress, Work, WorkVerb
from twit.core.ports import Lane, Stores

LONG_S = 600.0  # beyond the time that a test may take

APPEND = """
import asyncio, pathlib, sys
from twit.core.clock import SystemClock
from twit.core.limits import Limits
from twit.core.events import Event, EventKind
from twit.core.stores.embedded import open_stores

async def main():
    stores = open_stores(pathlib.Path(sys.argv[1]), Limits(), SystemClock(), durable=False)
    if sys.argv[2] == "when told":
        print("ready", flush=True)
        sys.stdin.readline()
    await stores.log.append([Event(kind=EventKind.LIKED, key=77, actor=77, at_ms=1)])
    await stores.health.close()

asyncio.run(main())
"""


def event(key: int, at_ms: int = 100) -> Event:
    return Event(kind=EventKind.TWEET_CREATED, key=key, actor=key, tweet=4, target=3, ref=2, at_ms=at_ms, request_id="r")


@pytest.fixture
def lane(stores: Stores) -> Lane:
    """Where a group's consumer works; the names of consumers are the tests' own."""
    return stores.lanes("fanout")[0]


@pytest.fixture
def another(stores: Stores, tmp_path: Path) -> list[str]:
    """The command line of another process that appends one event to the same stores."""
    return [sys.executable, "-c", APPEND, str(tmp_path / "stores")]


async def test_events_come_back_as_they_were_in_order(lane: Lane) -> None:
    events = [event(key) for key in range(1, 6)]
    assert await lane.log.append(events[:4]) == 4
    assert await lane.log.append(events[4:]) == 5
    assert [one.event for one in await lane.log.read(0, 100)] == events
    assert [one.offset for one in await lane.log.read(2, 2)] == [3, 4]
    assert await lane.log.read(5, 10) == []


async def test_an_empty_log_has_no_tail(lane: Lane) -> None:
    assert (await lane.log.tail(), lane.log.moved(0), await lane.log.append([])) == (0, False, 0)


async def test_the_log_has_moved_for_whoever_has_not_come_so_far(lane: Lane) -> None:
    await lane.log.append([event(1)])
    assert (lane.log.moved(0), lane.log.moved(1)) == (True, False)
    await lane.log.read(0, 100)
    assert lane.log.moved(0)  # somebody else's reading is not mine
    await lane.log.append([event(2)])
    assert (lane.log.moved(1), lane.log.moved(2)) == (True, False)


async def test_a_write_with_events_moves_the_log(stores: Stores) -> None:
    assert not stores.log.moved(0)
    await stores.relations.relate("mute", 1, 2, [event(1)], 5)
    assert stores.log.moved(0)


@pytest.mark.parametrize("stores", ["embedded", "embedded-inline"], indirect=True)  # the other process opens a folder
async def test_what_another_process_appends_moves_the_log(stores: Stores, another: list[str]) -> None:
    await stores.log.append([event(1)])
    assert not stores.log.moved(1)
    await asyncio.to_thread(subprocess.run, [*another, "at once"], check=True)
    assert stores.log.moved(1)
    assert [one.event.key for one in await stores.log.read(1, 10)] == [77]


async def test_waiting_ends_with_the_append(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twit.core.stores.embedded.log.POLL_S", LONG_S)  # by being told, not by asking again
    waiting = asyncio.create_task(lane.log.wait(0, LONG_S))
    await asyncio.sleep(0)
    await lane.log.append([event(1)])
    assert await waiting
    assert await lane.log.wait(0, LONG_S)


@pytest.mark.parametrize("stores", ["embedded", "embedded-inline"], indirect=True)  # the other process opens a folder
async def test_waiting_ends_with_another_process_append(stores: Stores, another: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(*another, "when told", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()
    waiting = asyncio.create_task(stores.log.wait(0, LONG_S))
    await asyncio.sleep(0)
    process.stdin.write(b"go\n")
    assert await waiting
    assert await process.wait() == 0


async def test_waiting_for_nothing_ends_without_it(lane: Lane) -> None:
    await lane.log.append([event(1)])
    assert not await lane.log.wait(1, 0.06)


async def test_several_wait_and_all_are_woken(lane: Lane) -> None:
    waiting = [asyncio.create_task(lane.log.wait(0, LONG_S)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    await lane.log.append([event(1)])
    others = [task for task in waiting if task is not waiting[2]]
    assert await asyncio.gather(*others) == [True] * 4


async def test_trim_spares_what_the_slowest_has_not_passed(lane: Lane) -> None:
    await lane.log.append([event(key) for key in range(1, 11)])
    await lane.work.advance([Progress(group="social", offset=4), Progress(group="fanout", offset=9)])
    assert await lane.log.trim(1_000, ["social", "fanout"]) == 4
    assert [one.offset for one in await lane.log.read(0, 100)] == [*range(5, 11)]


async def test_trim_spares_everything_for_a_group_never_seen(lane: Lane) -> None:
    await lane.log.append([event(1)])
    await lane.work.advance([Progress(group="social", offset=1)])
    assert await lane.log.trim(1_000, ["social", "fanout"]) == 0


async def test_trim_spares_what_is_young(lane: Lane) -> None:
    await lane.log.append([event(1, at_ms=100), event(2, at_ms=200)])
    await lane.work.advance([Progress(group="social", offset=2)])
    assert await lane.log.trim(200, ["social"]) == 1
    assert [one.event.key for one in await lane.log.read(0, 100)] == [2]


async def test_trim_spares_an_old_event_that_came_after_a_young_one(lane: Lane) -> None:
    """Appended anew, as a parked event is: whoever follows the log has not read it, whatever its date."""
    await lane.log.append([event(1, at_ms=100), event(2, at_ms=900), event(3, at_ms=100)])
    await lane.work.advance([Progress(group="social", offset=3)])
    assert await lane.log.trim(500, ["social"]) == 1
    assert [one.event.key for one in await lane.log.read(0, 100)] == [2, 3]


async def test_trim_spares_an_event_whose_work_is_not_done(lane: Lane) -> None:
    await lane.log.append([event(key) for key in range(1, 6)])
    work = Work(work_id=3, verb=WorkVerb.PUSH, author=1, tweet=2, created_ms=300)
    await lane.work.advance([Progress(group="fanout", offset=5, put=(work,))])
    assert await lane.log.trim(1_000, ["fanout"]) == 2
    await lane.work.advance([Progress(group="fanout", offset=5, done=(3,))])
    assert await lane.log.trim(1_000, ["fanout"]) == 3


async def test_accounts_of_delivery_go_with_the_events_that_caused_them(lane: Lane) -> None:
    old, young = (
        Event(kind=EventKind.TWEET_CREATED, key=1, actor=1, tweet=tweet, at_ms=at_ms) for tweet, at_ms in ((50, 100), (60, 900))
    )
    await lane.log.append([old, young])
    accounts = tuple(Delivery(tweet=tweet, batch=batch, attempted=1, stored=1) for tweet in (50, 60) for batch in (0, 1))
    await lane.work.advance([Progress(group="fanout", offset=2, deliveries=accounts)])
    assert await lane.log.trim(500, ["fanout"]) == 1
    assert await lane.work.deliveries([50, 60]) == [[], list(accounts[2:])]


async def test_trim_of_more_than_one_commit_of_events(lane: Lane) -> None:
    await lane.log.append([event(key) for key in range(2_500)])
    await lane.work.advance([Progress(group="social", offset=2_500)])
    assert await lane.log.trim(1_000, ["social"]) == 2_500
    assert await lane.log.read(0, 10) == []


async def test_offsets_go_on_rising_after_everything_was_trimmed(lane: Lane) -> None:
    await lane.log.append([event(key) for key in range(1, 4)])
    await lane.work.advance([Progress(group="social", offset=3)])
    assert await lane.log.trim(1_000, ["social"]) == 3
    assert (await lane.log.tail(), lane.log.moved(3)) == (3, False)
    assert await lane.log.append([event(9)]) == 4
    assert lane.log.moved(3)


async def test_lag_says_how_far_behind_how_long_and_who_works(stores: Stores, lane: Lane) -> None:
    await lane.log.append([event(1, at_ms=100), event(2, at_ms=400), event(3, at_ms=500)])
    work = Work(work_id=1, verb=WorkVerb.PUSH, author=1, tweet=2, created_ms=300)
    await lane.work.advance([Progress(group="fanout", offset=1, put=(work,)), Progress(group="social", offset=3)])
    (logged,) = await lane.log.read(0, 1)
    await lane.work.park("fanout", logged, "no", 5)
    lease = await stores.leases.acquire("fanout", "worker 7")
    fanout, social, new = await lane.log.lag(["fanout", "social", "search"], 1_000)
    assert fanout == GroupLag("fanout", 1, 3, events=2, work=1, lag_ms=700, parked=1, owner="worker 7")
    assert social == GroupLag("social", 3, 3, events=0, work=0, lag_ms=0, parked=0, owner="")
    assert new == GroupLag("search", 0, 3, events=3, work=0, lag_ms=900, parked=0, owner="")
    assert lease
    lease.release()
