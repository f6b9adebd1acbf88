"""Nodes that die, slots that move, functions that are missing: on a cluster of the test's own."""

from __future__ import annotations

import asyncio
import signal
import time

import msgspec
import numpy as np
import pytest
from redis_own import OwnCluster, client

from twit.core.entries import Push, RowState
from twit.core.errors import StoreCorrupt, StoreDown, StoreError, StoreTimeout
from twit.core.limits import Limits
from twit.core.stores.live.config import Access, LiveConfig
from twit.core.stores.live.redis import init, open_timelines
from twit.core.stores.live.redis_admin import FAMILY, LIBRARY, VERSION
from twit.core.stores.live.redis_slots import SLOTS

pytestmark = [pytest.mark.live, pytest.mark.slow]
NOW = 1_750_000_000_000
MANY = np.arange(1, 3 * SLOTS, 41)


@pytest.fixture
def cluster(tmp_path):
    own = OwnCluster(tmp_path)
    try:
        own.start()
        yield own
    finally:
        own.stop()


@pytest.fixture
def limits():
    return Limits()


@pytest.fixture(params=["list", "sorted-set"])
def config(request, cluster):
    nowhere = Access(addresses=("127.0.0.1:1",))
    redis = Access(addresses=cluster.addresses)
    return LiveConfig(redis=redis, cassandra=nowhere, mysql=nowhere, kafka=nowhere, namespace="own", layout=request.param)


@pytest.fixture
async def timelines(config, limits):
    await init(config)
    opened = await open_timelines(config, limits)
    yield opened
    await opened.close()


def entry(tweet):
    return np.array([(tweet, 0)], np.int64)


def port_of(timelines, reader):
    slots = timelines._cluster.map
    return slots.nodes[slots.owner[reader % SLOTS]].port


async def states(timelines, readers):
    return {reader: (await timelines.read(reader, 0, 10, NOW)).state for reader in readers}


async def lose_a_push(cluster, timelines):
    """Kill the primary of reader 1 with a push that its replica never got; the readers it had."""
    victim = port_of(timelines, 1)
    theirs = [reader for reader in MANY.tolist() if port_of(timelines, reader) == victim]
    replica = cluster.replica_of(victim)
    await asyncio.sleep(0.3)
    cluster.signal(replica, signal.SIGSTOP)
    assert not (await timelines.push(entry(20), np.array(theirs), NOW)).any()
    cluster.signal(victim, signal.SIGKILL)
    cluster.signal(replica, signal.SIGCONT)
    return theirs


async def test_rows_that_may_lack_an_acknowledged_push_are_absent_after_a_failover(cluster, timelines, config, limits):
    told = []
    timelines.failovers.hooks.append(lambda slots: told.append(len(slots)))
    await timelines.open_empty(MANY, NOW)
    await timelines.push(entry(10), MANY, NOW)
    theirs = await lose_a_push(cluster, timelines)
    started = time.monotonic()
    with pytest.raises(StoreError):
        await timelines.read(theirs[0], 0, 10, NOW)
    assert time.monotonic() - started < 1.5  # whoever asks has time left to build from truth
    await timelines.push(entry(30), MANY, NOW)  # waits for the new primary
    assert time.monotonic() - started < 6
    for reader in theirs[:50]:
        assert (await timelines.read(reader, 0, 10, NOW)).state is RowState.ABSENT
    [mark] = await timelines.begin([theirs[0]], NOW)  # built again while others are still being taken away
    assert await timelines.replace(theirs[0], entry(20), 0, mark, NOW)
    await timelines.failovers.settled()
    assert told == [SLOTS // 3 + 1] or told == [SLOTS // 3]
    assert (await timelines.push(entry(40), np.array(theirs[1:]), NOW) == Push.NOT_RESIDENT).all()
    others = [reader for reader in MANY.tolist() if reader not in theirs]
    assert set((await states(timelines, others[:50])).values()) == {RowState.COMPLETE}
    assert (await timelines.read(theirs[0], 0, 10, NOW)).entries[:, 0].tolist() == [20]
    again = await open_timelines(config, limits)  # a later process finds nothing left to forget
    assert (await again.read(theirs[0], 0, 10, NOW)).state is RowState.COMPLETE
    await again.close()


async def test_a_process_that_was_not_there_finds_the_failover_out(cluster, timelines, config, limits):
    await timelines.open_empty(MANY, NOW)
    theirs = await lose_a_push(cluster, timelines)
    await timelines.close()
    while (victim := cluster.nodes().get(f"127.0.0.1:{port_of(timelines, 1)}")) and "slots" in victim and victim["slots"]:
        await asyncio.sleep(0.1)
    later = await open_timelines(config, limits)
    assert set((await states(later, theirs[:50])).values()) == {RowState.ABSENT}
    await later.failovers.settled()
    assert len(await later.residents(0, 10_000, NOW)) == len(MANY) - len(theirs)
    await later.close()


async def move(slot, source, target, pause):
    """Move a slot as `redis-cli --cluster reshard` does, key after key."""
    a, b = client(source), client(target)
    names = {address: node["node_id"] for address, node in a.cluster("nodes").items()}
    a_id, b_id = names[f"127.0.0.1:{source}"], names[f"127.0.0.1:{target}"]
    b.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", a_id)
    a.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", b_id)
    while keys := a.execute_command("CLUSTER GETKEYSINSLOT", slot, 5):
        await asyncio.to_thread(a.execute_command, "MIGRATE", "127.0.0.1", target, "", 0, 5_000, "KEYS", *keys)
        await asyncio.sleep(pause)
    for one in (b, a):
        one.execute_command("CLUSTER SETSLOT", slot, "NODE", b_id)


async def test_no_push_is_lost_while_slots_move(timelines):
    slots = [5, 6, 7]
    readers = np.array([slot + SLOTS * turn for slot in slots for turn in range(40)])
    await timelines.open_empty(readers, NOW)
    source = port_of(timelines, 5)
    target = next(node.port for node in timelines._cluster.map.nodes if node.port != source)
    pushed, done = [], False

    async def pour():
        while not done:
            tweet = 100 + len(pushed)
            assert not (await timelines.push(entry(tweet), readers, NOW) > Push.DUPLICATE).any()
            pushed.append(tweet)

    pouring = asyncio.create_task(pour())
    for slot in slots:
        await move(slot, source, target, 0.02)
    await asyncio.sleep(0.1)
    done = True
    await pouring
    assert len(pushed) > 10
    for reader in readers.tolist():
        row = await timelines.read(reader, 0, 800, NOW)
        assert row.entries[:, 0].tolist() == pushed[::-1][:800], reader
    assert port_of(timelines, 5) == target
    assert len(await timelines.residents(0, 1_000, NOW)) == len(readers)


async def test_rows_can_be_begun_and_read_in_a_slot_that_is_moving(timelines):
    readers = [5 + SLOTS * turn for turn in range(6)]
    await timelines.open_empty(np.array(readers[:3]), NOW)
    source = port_of(timelines, 5)
    target = next(node.port for node in timelines._cluster.map.nodes if node.port != source)
    a, b = client(source), client(target)
    names = {address: node["node_id"] for address, node in a.cluster("nodes").items()}
    b.execute_command("CLUSTER SETSLOT", 5, "IMPORTING", names[f"127.0.0.1:{source}"])
    a.execute_command("CLUSTER SETSLOT", 5, "MIGRATING", names[f"127.0.0.1:{target}"])
    [*marks] = await timelines.begin(readers[3:], NOW)
    assert (await timelines.push(entry(9), np.array(readers), NOW)).tolist() == [[Push.STORED] * 6]
    for reader, mark in zip(readers[3:], marks, strict=True):
        assert await timelines.replace(reader, entry(7), 0, mark, NOW)
    await move(5, source, target, 0)
    for reader in readers:
        found = (await timelines.read(reader, 0, 10, NOW)).entries[:, 0].tolist()
        assert found == ([9] if reader in readers[:3] else [9, 7])
    await timelines.touch(np.array(readers), NOW + 1)
    assert (await timelines.residents(0, 10, NOW)).tolist() == readers


async def test_a_node_that_does_not_answer_costs_its_readers_a_bounded_wait(cluster, timelines):
    await timelines.open_empty(MANY, NOW)
    victim = port_of(timelines, 1)
    other = next(reader for reader in MANY.tolist() if port_of(timelines, reader) != victim)
    for port in (victim, cluster.replica_of(victim)):
        cluster.signal(port, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises((StoreDown, StoreTimeout)):
        await timelines.read(1, 0, 10, NOW)
    assert time.monotonic() - started < 1.5
    assert (await timelines.read(other, 0, 10, NOW)).state is RowState.COMPLETE
    started = time.monotonic()
    with pytest.raises((StoreDown, StoreTimeout)):
        await timelines.push(entry(5), np.array([1, other]), NOW)
    assert time.monotonic() - started < 6
    for port in cluster.processes:
        cluster.signal(port, signal.SIGCONT)
    assert not (await timelines.push(entry(6), np.array([1, other]), NOW) > Push.DUPLICATE).any()


async def test_functions_that_are_missing_are_loaded_again_and_a_newer_library_is_refused(timelines, config, limits):
    await timelines.open_empty(MANY, NOW)
    client(port_of(timelines, 1)).execute_command("FUNCTION DELETE", LIBRARY)
    with pytest.raises(StoreCorrupt) as refused:
        await open_timelines(config, limits)
    assert "twit context init" in refused.value.try_
    assert not (await timelines.push(entry(5), MANY, NOW)).any()
    await (await open_timelines(config, limits)).close()
    newer = f"#!lua name={FAMILY}{VERSION + 1}\nredis.register_function('newer', function() return 1 end)"
    client(port_of(timelines, 1)).execute_command("FUNCTION LOAD", newer)
    with pytest.raises(StoreCorrupt, match="newer twit|knows"):
        await init(config)


RIGHTS = "~own:* resetchannels +@read +@write +@scripting +@connection +cluster|slots +info"


async def test_a_user_with_few_rights_serves_and_a_wrong_password_is_told(cluster, config, limits):
    for port in cluster.processes:
        client(port).execute_command("ACL", "SETUSER", "twit", "on", ">right", *RIGHTS.split())
    ours = msgspec.structs.replace(config.redis, user="twit", password="right")
    config = msgspec.structs.replace(config, redis=ours)
    await init(config)
    timelines = await open_timelines(config, limits)
    await timelines.open_empty(MANY, NOW)
    assert not (await timelines.push(entry(5), MANY, NOW)).any()
    [mark] = await timelines.begin([1], NOW)
    assert await timelines.replace(1, entry(7), 0, mark, NOW)
    assert await timelines.remove([5, 7], MANY) == len(MANY)
    assert len(await timelines.residents(0, 10, NOW)) == 10
    await timelines.close()
    wrong = msgspec.structs.replace(config, redis=msgspec.structs.replace(ours, password="wrong"))
    with pytest.raises(StoreDown, match="WRONGPASS|invalid username"):
        await open_timelines(wrong, limits)
