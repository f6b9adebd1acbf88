"""Whole services over a real Kafka: what a kill leaves behind is delivered, lanes move between processes, Kafka comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import parts
import pytest
from builders import NOON_MS, CountedEntropy, home, make_friends, make_users, settle
from parts_kafka import emptied, open_beside

from twit.core import wiring
from twit.core.clock import ManualClock, SystemClock
from twit.core.events import EventKind
from twit.core.limits import Limits
from twit.core.offload import InlineOffload
from twit.core.stores.live import relay
from twit.core.workers import GROUPS

pytestmark = pytest.mark.live
PARTITIONS = 4
OWN_BASE = 8_700  # of a broker that a test may kill

WORKER = """
import asyncio, pathlib, random, sys
import parts
from parts_kafka import open_beside
from builders import CountedEntropy
from twit.core import wiring
from twit.core.clock import SystemClock
from twit.core.limits import Limits
from twit.core.offload import InlineOffload

async def main():
    config = parts.config("kafkawork", int(sys.argv[2]))
    stores = await open_beside(pathlib.Path(sys.argv[1]), Limits(), SystemClock(), config, "the other process")
    twit = await wiring.build(
        stores, limits=Limits(), clock=SystemClock(), chance=random.Random(1), entropy=CountedEntropy(), offload=InlineOffload(),
        name="the other process",
    )
    print("ready", flush=True)
    await twit.workers.run(("social", "fanout"), asyncio.Event())

asyncio.run(main())
"""


@pytest.fixture
async def config():
    return await emptied(parts.config("kafkawork", PARTITIONS))


@pytest.fixture
def broker():
    """`broker("kill")`, `broker("start")`: a Kafka of this test alone."""

    def act(*words):
        environment = {**os.environ, "TWIT_LIVE_BASE": str(OWN_BASE)}
        command = [sys.executable, "-m", "servers", *words]
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=Path(__file__).parent, timeout=200)

    act("up", "kafka")
    yield lambda verb: act(verb, "kafka")
    with contextlib.suppress(subprocess.CalledProcessError):
        act("down")


@pytest.fixture
async def open_twit(tmp_path, config):
    opened = []

    async def one(clock=None, name="here", at=config, **limits):
        bounds, clock = Limits(**limits), clock or ManualClock(NOON_MS)
        stores = await open_beside(tmp_path / "stores", bounds, clock, at, name)
        opened.append(stores)
        return await wiring.build(
            stores, limits=bounds, clock=clock, chance=random.Random(7), entropy=CountedEntropy(), offload=InlineOffload(), name=name
        )  # fmt: skip

    yield one
    for stores in opened:
        await stores.health.close()


async def until(holds, seconds=20.0):
    """Give the others their turn until it holds; returns after how long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)
    return loop.time() - began


def on_own_broker(config, name):
    own = msgspec.structs.replace(config.kafka, addresses=(f"127.0.0.1:{OWN_BASE + 92}",))
    return msgspec.structs.replace(config, kafka=own, namespace=f"{name}{os.getpid()}")


async def held(twit, holder, group="fanout"):
    """How many of a group's lanes somebody runs."""
    return [await twit.stores.leases.holder(lane.name) for lane in twit.stores.lanes(group)].count(holder)


async def test_a_service_over_lanes_delivers_deletes_and_promotes(open_twit):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2, fanout_batch=2)
    ada, bob, *fans = await make_users(twit, "ada bob " + " ".join(f"f{number}" for number in range(9)))
    await make_friends(twit, (ada, bob), *((fan, ada) for fan in fans))
    assert ada in await twit.stores.modes.pulled()
    tweet, kept = await twit.post(bob, "goes"), await twit.post(bob, "stays")
    await settle(twit)
    assert await home(twit, ada) == [kept.tweet_id, tweet.tweet_id]
    await twit.delete(bob, tweet.tweet_id)
    await settle(twit)
    assert (await twit.stores.timelines.raw(ada))[:, 0].tolist() == [kept.tweet_id]
    (lag, _) = await twit.stores.log.lag(GROUPS, NOON_MS)
    assert (lag.events, lag.work) == (0, 0)


async def test_a_command_beside_a_running_worker_leaves_its_events_to_it(open_twit):
    here, there = await open_twit(SystemClock()), await open_twit(SystemClock(), "there")
    ada, bob = await make_users(here, "ada bob")
    await make_friends(here, (ada, bob))
    stop = asyncio.Event()
    running = asyncio.ensure_future(there.workers.run(GROUPS, stop))
    await until(lambda: set(there.workers.states().values()) == {"ok"})
    await asyncio.sleep(1.2)
    before = await here.workers.moment()
    tweet = await here.post(bob, "hi")
    assert not await here.workers.drain(own_only_until=before)
    await until(lambda: there.workers.deliveries()["stored"])
    assert await home(here, ada) == [tweet.tweet_id]
    stop.set()
    await running


async def test_what_was_written_before_a_kill_and_not_sent_is_delivered_by_a_sweeper(open_twit):
    killed, clock = await open_twit(), ManualClock(NOON_MS)
    ada, bob = await make_users(killed, "ada bob")
    await make_friends(killed, (ada, bob))
    killed.stores.outbox.listening = False  # killed between the write and `wrote`
    tweet = await killed.post(bob, "written, not sent")
    await killed.stores.health.close()
    twit = await open_twit(clock, "there")
    await settle(twit)
    assert (await twit.stores.timelines.raw(ada)).tolist() == []
    clock.advance(6)
    lanes = twit.stores.lanes("fanout")
    before = sum([await lane.log.tail() for lane in lanes])
    await until(lambda: sum(lane.log._recent.end - lane.log.origin for lane in lanes) > before)
    await settle(twit)
    assert (await twit.stores.timelines.raw(ada))[:, 0].tolist() == [tweet.tweet_id]
    assert await twit.stores.outbox.waiting(clock.now_ms(), 10) == []


async def test_a_creation_that_is_swept_after_its_deletion_was_sent_brings_nothing_back(open_twit):
    killed, clock = await open_twit(), ManualClock(NOON_MS)
    ada, bob = await make_users(killed, "ada bob")
    await make_friends(killed, (ada, bob))
    killed.stores.outbox.listening = False
    tweet = await killed.post(bob, "written, not sent")
    await killed.stores.health.close()
    twit = await open_twit(clock, "there")
    await twit.delete(bob, tweet.tweet_id)
    await settle(twit)
    clock.advance(6)
    (lane,) = [lane for lane in twit.stores.lanes("fanout") if await lane.log.tail()]
    await until(lambda: lane.log._recent.end - lane.log.origin == 3)
    again = await open_twit(clock, "a third, which has not heard of the deletion")
    place = await again.stores.log.offset("fanout")
    assert place == 1
    await settle(again)
    kinds = [logged.event.kind for logged in await lane.log.read(0, 10)]
    assert kinds == [EventKind.TWEET_DELETED, EventKind.TWEET_CREATED, EventKind.TWEET_DELETED]
    assert (await again.stores.timelines.raw(ada)).tolist() == []


async def test_two_processes_share_the_lanes_and_when_one_is_killed_the_other_has_them_all(open_twit, tmp_path):
    twit = await open_twit(SystemClock())
    ada, *authors = await make_users(twit, "ada " + " ".join(f"author{number}" for number in range(12)))
    await make_friends(twit, *((ada, author) for author in authors))
    stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(GROUPS, stop))
    await until(lambda: twit.workers.states()["fanout"] == "ok")
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "stores"), str(PARTITIONS)], stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)}, cwd=Path(__file__).parent,
    )  # fmt: skip
    try:
        assert process.stdout
        assert await asyncio.to_thread(process.stdout.readline) == b"ready\n"
        async with asyncio.timeout(20):
            while await held(twit, "the other process") != 2 or await held(twit, "here") != 2:
                await asyncio.sleep(0.05)
        tweets = [(await twit.post(author, "hi")).tweet_id for author in authors]
    finally:
        process.kill()
    tweets += [(await twit.post(author, "ho")).tweet_id for author in authors]
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(20):
        while await held(twit, "here") != PARTITIONS:
            await asyncio.sleep(0.05)
    took = loop.time() - began
    async with asyncio.timeout(20):
        while any(lag.events or lag.work for lag in await twit.stores.log.lag(GROUPS, 0)):
            await asyncio.sleep(0.05)
    stop.set()
    await running
    raw = (await twit.stores.timelines.raw(ada))[:, 0].tolist()
    assert sorted(raw) == sorted(tweets)
    assert took < 2.5


@pytest.mark.parametrize("queue_max", [relay.QUEUE_MAX, 5])
async def test_without_kafka_posting_goes_on_and_afterwards_everything_is_delivered(open_twit, broker, config, monkeypatch, queue_max):
    monkeypatch.setattr(relay, "SWEEP_AFTER_MS", 500)
    own = on_own_broker(config, f"down{queue_max}q")
    twit = await open_twit(SystemClock(), at=await emptied(own), store_timeout_ms=2_000)
    ada, *authors = await make_users(twit, "ada bob cleo dan")
    await make_friends(twit, *((ada, author) for author in authors))
    monkeypatch.setattr(relay, "QUEUE_MAX", queue_max)
    await asyncio.to_thread(broker, "kill")
    posted = [(await twit.post(author, f"{number}")).tweet_id for number in range(5) for author in authors]
    deleted = posted[3]
    await twit.delete(authors[0], deleted)
    posted.remove(deleted)
    await until(lambda: twit.stores.kafka.relay.failing)
    checked = await twit.stores.health.check()
    assert checked["kafka"] != "ok"
    assert "wait for Kafka" in checked["relay"]
    assert twit.stores.kafka.relay.flow is (relay.Flow.OPEN if queue_max > 5 else relay.Flow.LEFT)
    assert [tweet.tweet_id for tweet in (await twit.timelines.home(authors[0])).page.tweets][:1] == posted[-3:-2]  # caches go on
    await asyncio.to_thread(broker, "start")
    await until(lambda: twit.stores.kafka.relay.state() == "ok", 30)
    await settle(twit)
    assert (await twit.stores.health.check()) == {"kafka": "ok", "relay": "ok"}
    assert sorted((await twit.stores.timelines.raw(ada))[:, 0].tolist()) == posted
    for author, lane in [(author, lane) for author in authors for lane in twit.stores.lanes("fanout")]:
        events = [one.event for one in await lane.log.read(0, 1_000) if one.event.key == author]
        seen = list(dict.fromkeys(event.tweet for event in events))
        assert seen == sorted(seen)
        kinds = [event.kind for event in events if event.tweet == deleted]
        assert kinds[-1:] in ([], [EventKind.TWEET_DELETED])


async def test_a_broker_that_is_killed_again_and_again_under_posts_loses_and_doubles_nothing(open_twit, broker, config):
    twit = await open_twit(SystemClock(), at=await emptied(on_own_broker(config, "killed")), store_timeout_ms=2_000)
    ada, *authors = await make_users(twit, "ada " + " ".join(f"author{number}" for number in range(9)))
    await make_friends(twit, *((ada, author) for author in authors))
    stop, stands, chance = asyncio.Event(), [], random.Random(3)

    async def post():
        while not stop.is_set():
            author = chance.choice(authors)
            stands.append((author, (await twit.post(author, "hi")).tweet_id))
            if chance.random() < 0.2:
                await twit.delete(*stands.pop(chance.randrange(len(stands))))
            await asyncio.sleep(0.05)

    workers_stop = asyncio.Event()
    running = asyncio.ensure_future(twit.workers.run(GROUPS, workers_stop))
    posting = asyncio.ensure_future(post())
    for _ in range(3):
        await asyncio.sleep(1)
        await asyncio.to_thread(broker, "kill")
        await asyncio.sleep(2.5)
        await asyncio.to_thread(broker, "start")
    stop.set()
    await posting
    await until(lambda: twit.stores.kafka.relay.state() == "ok", 30)
    await twit.stores.log.caught_up()
    async with asyncio.timeout(20):
        while any(lag.events or lag.work for lag in await twit.stores.log.lag(GROUPS, 0)):
            await asyncio.sleep(0.05)
    workers_stop.set()
    await running
    raw = (await twit.stores.timelines.raw(ada))[:, 0].tolist()
    expected = sorted(tweet for _, tweet in stands)[-800:]
    assert sorted(raw)[-len(expected) :] == expected
    assert len(raw) == len(set(raw)) <= 800
    assert set(raw) <= {tweet for _, tweet in stands}
