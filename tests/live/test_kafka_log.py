"""The live event log on a real Kafka: order by key, coherence between processes, backlogs, places, dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import parts
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError
from parts_kafka import emptied, open_beside

from twit.core.clock import ManualClock
from twit.core.errors import StoreCorrupt
from twit.core.events import Event, EventKind, LoggedEvent, Progress
from twit.core.limits import Limits
from twit.core.stores.live import journal, kafka_log, kafka_tail
from twit.core.stores.live.kafka_client import consumer_options
from twit.core.stores.live.kafka_topics import keyed
from twit.core.stores.live.outbox import Outgoing

pytestmark = pytest.mark.live
NOON_MS = 1_750_000_000_000
PARTITIONS = 4
PARTITION_OF = [12, 4, 7, 14, 4]


@pytest.fixture
async def config():
    return await emptied(parts.config("kafkalog", PARTITIONS))


@pytest.fixture
async def open_one(tmp_path, config):
    opened = []

    async def one(**more):
        opened.append(await open_beside(tmp_path / "stores", Limits(), ManualClock(NOON_MS), config, **more))
        return opened[-1]

    yield one
    for stores in opened:
        await stores.health.close()


def event(key, tweet=1, kind=EventKind.TWEET_CREATED, **more):
    return Event(kind=kind, key=key, actor=more.pop("actor", key), tweet=tweet, at_ms=more.pop("at_ms", 100), **more)


async def logged(stores, group="fanout"):
    """All events of a group's lanes, lane by lane."""
    await stores.log.caught_up()
    return [[one.event for one in await lane.log.read(0, 100_000)] for lane in stores.lanes(group)]


async def test_events_of_one_key_lie_in_one_lane_in_order_however_many_write(open_one):
    one, other = await open_one(), await open_one()
    places = dict.fromkeys(range(1, 51), 0)

    async def write(stores, keys):
        for number in range(1, 41):
            for key in keys:
                stores.kafka.relay.wrote([Outgoing("embedded", b"0", event(key, number))])
            await asyncio.sleep(0)

    await asyncio.gather(write(one, range(1, 26)), write(other, range(26, 51)))
    await one.log.caught_up()
    lanes = await logged(other)
    assert [bool(lane) for lane in lanes] == [True] * PARTITIONS
    for lane in lanes:
        for found in lane:
            places[found.key] += 1
            assert found.tweet == places[found.key]
    assert set(places.values()) == {40}


def test_a_key_has_the_partition_that_kafkas_own_clients_give_it():
    """The figures are murmur2's as Java has it (`Utils.murmur2`), of eight bytes."""
    assert [keyed(key, 16)[1] for key in (1, 2, 3, 1 << 40, 2_255_260_483_584_000_000)] == PARTITION_OF
    spread = Counter(keyed(tweet << 22, 16)[1] for tweet in range(10_000))  # ids of tweets: their low bits are mostly 0
    assert min(spread.values()) > 500


async def test_a_batch_that_failed_half_way_is_sent_again_whole_before_anything_newer(open_one, monkeypatch):
    stores = await open_one()
    producer, send = stores.kafka._producer, stores.kafka._producer.send
    failures = iter((True, True, False))

    async def half(records):
        if next(failures, False):
            await send(records[: len(records) // 2])
            raise OSError("the connection broke")
        return await send(records)

    monkeypatch.setattr(producer, "send", half)
    stores.kafka.relay.wrote([Outgoing("embedded", b"0", event(7, tweet, EventKind.MODE_CHECK)) for tweet in range(1, 11)])
    await asyncio.sleep(0)
    stores.kafka.relay.wrote([Outgoing("embedded", b"0", event(7, 11, EventKind.MODE_CHECK))])
    (lane,) = [lane for lane in await logged(stores) if lane]
    tweets = [found.tweet for found in lane]
    assert tweets == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, *range(1, 12)]


async def test_own_writes_are_shown_at_once_and_once_and_others_when_kafka_has_them(open_one):
    one, other = await open_one(), await open_one()
    await one.relations.relate("mute", 1, 2, [event(1, kind=EventKind.MUTED)], 5)
    assert [logged.event.key for logged in await one.log.read(0, 10)] == [1]
    await one.log.caught_up()
    await other.log.caught_up()
    await other.log.append([event(2)])
    await one.log.caught_up()
    assert [logged.event.key for logged in await one.log.read(0, 10)] == [1, 2]
    assert [logged.event.key for logged in await other.log.read(0, 10)] == [1, 2]
    assert await one.log.tail() == 2


async def test_whoever_waits_on_the_journal_is_woken_by_another_process(open_one):
    one, other = await open_one(), await open_one()
    waiting = asyncio.ensure_future(one.log.wait(0, 10))
    await other.log.append([event(1)])
    assert await waiting
    assert not await one.log.wait(1, 0.05)


async def test_an_older_like_that_comes_later_is_left_out(open_one):
    one, other = await open_one(), await open_one()
    unliked = event(9, 9, EventKind.UNLIKED, actor=3, at_ms=200)
    await one.log.append([unliked])
    await other.log.append([event(9, 9, EventKind.LIKED, actor=3, at_ms=100), event(9, 9, EventKind.LIKED, actor=4, at_ms=100)])
    await one.log.caught_up()
    assert [(logged.event.kind, logged.event.actor) for logged in await one.log.read(0, 10)] == [("unliked", 3), ("liked", 4)]


async def test_a_follower_too_far_behind_sees_how_far_and_reads_what_is_kept(open_one, monkeypatch):
    monkeypatch.setattr(journal, "KEPT_MAX", 100)
    stores = await open_one()
    stores.log.echo([event(key) for key in range(1, 251)])
    assert await stores.log.tail() == 250
    assert [logged.offset for logged in await stores.log.read(20, 3)] == [151, 152, 153]
    assert [logged.offset for logged in await stores.log.read(248, 9)] == [249, 250]


async def test_a_backlog_longer_than_memory_is_read_in_order(open_one, monkeypatch):
    monkeypatch.setattr(kafka_tail, "RECENT_MAX", 100)
    stores = await open_one()
    lane = stores.lanes("fanout")[0]
    await lane.log.append([event(1, tweet) for tweet in range(1, 3_001)])
    await lane.log.caught_up()
    seen, after = [], 0
    while batch := await lane.log.read(after, 512):
        seen += batch
        after = batch[-1].offset
        if after == 512:
            await lane.log.append([event(1, 3_001)])
    assert [one.offset for one in seen] == [one.event.tweet for one in seen] == list(range(1, 3_002))
    again = await open_one()
    assert [one.offset for one in await again.lanes("fanout")[0].log.read(2_990, 100)] == list(range(2_991, 3_002))


async def test_a_place_beyond_the_end_is_refused(open_one):
    stores = await open_one()
    lane = stores.lanes("fanout")[0]
    await lane.log.append([event(1)])
    assert lane.log.moved(5)
    with pytest.raises(StoreCorrupt, match="its consumer is at 5"):
        await lane.log.read(5, 10)


async def test_places_are_told_to_kafka_and_parked_events_lie_with_the_dead_letters(open_one, config, monkeypatch):
    monkeypatch.setattr(kafka_log, "TELL_EVERY_S", 0.05)
    tell, refused = KafkaAdminClient.alter_group_offsets, []

    def at_first_refused(admin, group, offsets):
        if not refused:
            refused.extend(offsets)
            return dict.fromkeys(offsets, CoordinatorNotAvailableError)
        return tell(admin, group, offsets)

    monkeypatch.setattr(KafkaAdminClient, "alter_group_offsets", at_first_refused)
    stores = await open_one()
    lane = stores.lanes("fanout")[1]
    await lane.log.append([event(1, tweet) for tweet in (1, 2, 3)])
    await lane.work.advance([Progress(group=lane.name, offset=2)])
    place = TopicPartition(f"{config.namespace}.tweets", 1)
    consumer = KafkaConsumer(**consumer_options(config.kafka, 5_000), group_id=f"{config.namespace}.fanout")
    wanted = lane.log.origin + 2
    async with asyncio.timeout(60):
        while await asyncio.to_thread(consumer.committed, place) != wanted:
            await asyncio.sleep(0.05)
    assert refused
    poison = LoggedEvent(3, event(1, 3))
    await lane.work.park(lane.name, poison, "ValueError: no", 11)
    (parked,) = await stores.work.parked(lane.name, 0, 10)
    assert parked.logged == poison
    letters = TopicPartition(f"{config.namespace}.dead-letters", 0)
    consumer.assign([letters])
    consumer.seek(letters, consumer.end_offsets([letters])[letters] - 1)
    record = consumer.poll(timeout_ms=5_000)[letters][0]
    consumer.close(autocommit=False)
    letter = msgspec.json.decode(record.value)
    assert (letter["lane"], letter["offset"], letter["kind"], letter["error"]) == ("fanout.1", 3, "tweet_created", "ValueError: no")


async def test_lag_of_a_group_is_of_all_its_lanes_and_so_is_trim(open_one):
    stores = await open_one()
    await stores.log.append([event(key, at_ms=key) for key in range(1, 41)])
    await stores.log.caught_up()
    lanes = stores.lanes("fanout")
    tails = [await lane.log.tail() for lane in lanes]
    await stores.work.advance([Progress(group=lane.name, offset=tail) for lane, tail in zip(lanes, (tails[0], 1, 1, 1), strict=True)])
    lease = await stores.leases.acquire(lanes[1].name, "worker 7")
    (lag, social) = await stores.log.lag(["fanout", "social"], 1_000)
    assert (lag.events, lag.tail, lag.offset, lag.owner) == (37 - tails[0], 40, tails[0] + 3, "worker 7")
    assert lag.lag_ms == 1_000 - min([(await lane.log.read(1, 1))[0].event.at_ms for lane in lanes[1:]])
    assert (social.events, social.lag_ms, social.owner) == (0, 0, "")
    assert await stores.log.trim(1_000, ["fanout", "social"]) == tails[0] + 3
    assert await lanes[0].log.read(0, 100) == []
    lease.release()


async def test_other_partitions_than_the_topics_have_are_refused(config):
    other = msgspec.structs.replace(config, partitions=PARTITIONS + 1)
    with pytest.raises(StoreCorrupt, match=f"has {PARTITIONS} partitions"):
        await kafka_log.init(other)
    assert await kafka_log.init(config) == []
