"""Several servers as one store: the shard map and its epoch, the schema's version, connections that break, rows that are
locked."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pymysql
import pytest
from parts import ListedLog, config
from parts_mysql import no_tweets, open_empty

from twit.core.clock import ManualClock
from twit.core.errors import StoreCorrupt, StoreDown, StoreFull, StoreTimeout
from twit.core.limits import Limits
from twit.core.model import NewFollow
from twit.core.stores.live import mysql
from twit.core.stores.live.config import LiveConfig
from twit.core.stores.live.mysql import errors, server
from twit.core.stores.live.mysql.shards import SHARDS, even_map, shard_of

pytestmark = pytest.mark.live

CONFIG = config("mysql_servers")


@pytest.fixture
def limits() -> Limits:
    return Limits(store_timeout_ms=4_000)


@pytest.fixture
async def stores(limits: Limits):
    opened = await open_empty(CONFIG, limits, ManualClock(1_750_000_000_000), ListedLog())
    yield opened
    await opened.close()


async def opened_again(limits: Limits, of: LiveConfig = CONFIG) -> mysql.MysqlStores:
    return await mysql.open_mysql(of, limits, ManualClock(1_750_000_000_000), ListedLog(), no_tweets)


def by_hand(database: str = "a", autocommit: bool = True):
    host, port = CONFIG.mysql.addresses[0].split("/")[0].split(":")
    return pymysql.connect(
        host=host, port=int(port), user="live", password="live", database=f"{CONFIG.namespace}_{database}", autocommit=autocommit,
    ).cursor()


async def follow(stores: mysql.MysqlStores, *pairs: tuple[int, int]) -> None:
    await stores.graph.follow([NewFollow(follower=one, followee=other) for one, other in pairs], 5_000)


async def test_making_the_schema_again_changes_nothing(stores) -> None:
    await follow(stores, (1, 2))
    said = await mysql.init(CONFIG)
    assert said.count("was there") == 2
    assert await stores.graph.is_following([(1, 2)]) == [True]


@pytest.mark.parametrize(("version", "refusal"), [(0, StoreDown), (99, StoreCorrupt)])
async def test_an_unfit_schema_is_refused_with_what_to_run(stores, limits, version, refusal) -> None:
    hand = by_hand("b")
    hand.execute("UPDATE schema_version SET version = %s", (version,))
    try:
        with pytest.raises(refusal) as refused:
            await opened_again(limits)
        assert "twit context init" in refused.value.try_ or "run that build" in refused.value.try_
        if refusal is StoreCorrupt:
            with pytest.raises(StoreCorrupt):
                await mysql.init(CONFIG)
    finally:
        hand.execute("UPDATE schema_version SET version = 1")


async def test_a_database_that_was_never_made_is_refused_with_what_to_run(limits) -> None:
    with pytest.raises(StoreDown) as refused:
        await opened_again(limits, msgspec.structs.replace(CONFIG, namespace="mysql_never"))
    assert refused.value.try_ == "twit context init"


async def test_a_process_that_goes_by_an_old_map_is_refused(stores, limits, monkeypatch) -> None:
    monkeypatch.setattr(server, "EPOCH_CHECK_S", 0.0)
    await follow(stores, (1, 2))
    epoch = stores.shards.map.epoch
    await mysql.publish(CONFIG, even_map(CONFIG.mysql.addresses, epoch + 1))
    with pytest.raises(StoreDown, match=f"epoch {epoch + 1} or higher"):
        await mysql.publish(CONFIG, even_map(CONFIG.mysql.addresses, epoch + 1))
    for refused in (follow(stores, (1, 3)), stores.graph.is_following([(1, 2)])):
        with pytest.raises(StoreDown, match=f"epoch {epoch + 1}, this process goes by epoch {epoch}"):
            await refused
    with pytest.raises(StoreDown):
        await stores.leases.acquire("fanout", "me")
    newer = await opened_again(limits)
    assert await newer.graph.is_following([(1, 2), (1, 3)]) == [True, False]
    await newer.close()


async def test_a_new_map_waits_for_writes_under_the_old_one(stores) -> None:
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def slow(session) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        session.run("INSERT INTO sequences VALUES (0, 'slow', 1)")

    writing = asyncio.create_task(stores.shards.write(0, slow))
    await begun.wait()
    publishing = asyncio.create_task(mysql.publish(CONFIG, even_map(CONFIG.mysql.addresses, stores.shards.map.epoch + 1)))
    await asyncio.sleep(0.3)
    assert not publishing.done()
    go_on.set()
    await writing
    await publishing
    with pytest.raises(StoreDown):
        await follow(stores, (1, 2))


async def test_servers_that_disagree_about_the_map_are_refused(stores, limits) -> None:
    hand = by_hand("b")
    hand.execute("UPDATE shard_map SET epoch = epoch + 1, map = REPLACE(map, '\"epoch\":', '\"epoch\":1')")
    try:
        with pytest.raises(StoreDown, match="is of epoch"):
            await opened_again(limits)
    finally:
        hand.execute(f"UPDATE shard_map b, {CONFIG.namespace}_a.shard_map a SET b.map = a.map, b.epoch = a.epoch")  # noqa: S608 - a name of our own


async def test_a_map_of_other_servers_is_refused(stores, limits) -> None:
    only = msgspec.structs.replace(CONFIG.mysql, addresses=CONFIG.mysql.addresses[:1])
    with pytest.raises(StoreDown, match="names"):
        await opened_again(limits, msgspec.structs.replace(CONFIG, mysql=only))


async def test_every_row_lies_in_its_shard_on_its_server(stores) -> None:
    pairs = [(follower, follower + 1) for follower in range(1, 600)]
    await follow(stores, *pairs)
    await stores.graph.carry(pairs)
    for database, low, high in (("a", 0, SHARDS // 2), ("b", SHARDS // 2, SHARDS)):
        hand = by_hand(database)
        for sql in ("SELECT shard, follower FROM following", "SELECT shard, followee FROM followers"):
            hand.execute(sql)
            rows = hand.fetchall()
            assert rows
            assert all(shard == shard_of(user) and low <= shard < high for shard, user in rows)


async def test_broken_connections_are_made_anew(stores) -> None:
    await asyncio.gather(*(follow(stores, (one, 2), (200 + one, 2)) for one in range(1, 30)))  # every thread has some
    for round_ in range(2):
        hand = by_hand()
        hand.execute(f"SELECT id FROM information_schema.processlist WHERE db LIKE '{CONFIG.namespace}%' AND id <> CONNECTION_ID()")  # noqa: S608 - the same
        for (connection,) in hand.fetchall():
            hand.execute(f"KILL {connection}")
        await asyncio.sleep(0.05)
        await follow(stores, (1, 3 + round_), (200, 3 + round_))
        assert await stores.graph.is_following([(1, 3 + round_), (201, 2)]) == [True, True]


async def test_what_was_closed_is_down(stores) -> None:
    await stores.close()
    await stores.close()
    with pytest.raises(StoreDown):
        await follow(stores, (1, 2))
    with pytest.raises(StoreDown):
        await stores.graph.following([1])
    assert all("closed" in said for said in (await stores.check()).values())


async def test_a_server_that_is_not_there_is_down(limits) -> None:
    nowhere = msgspec.structs.replace(CONFIG.mysql, addresses=("127.0.0.1:1/a",))
    for opened in (opened_again(limits, msgspec.structs.replace(CONFIG, mysql=nowhere)), mysql.init(msgspec.structs.replace(CONFIG, mysql=nowhere))):
        with pytest.raises(StoreDown, match=r"127\.0\.0\.1:1/a"):
            await opened


async def test_rows_locked_for_too_long_time_out_and_nothing_is_written(stores) -> None:
    await follow(stores, (1, 2))
    hand = by_hand("a", autocommit=False)
    hand.execute("SELECT * FROM user_counts WHERE shard = 1 AND user_id = 1 FOR UPDATE")
    try:
        with pytest.raises(StoreTimeout):
            await follow(stores, (1, 3))
    finally:
        hand.connection.rollback()
    await asyncio.sleep(1.5)  # what was given up has ended by now
    assert await stores.graph.is_following([(1, 3)]) == [False]
    await follow(stores, (1, 3))


async def test_transactions_that_stand_crosswise_are_tried_again(stores) -> None:
    hand = by_hand("a")
    hand.execute("INSERT INTO sequences VALUES (0, 'x', 0), (0, 'y', 0)")

    def bump(first: str, second: str):
        def work(session) -> None:
            session.run("UPDATE sequences SET last = last + 1 WHERE shard = 0 AND name = %s", (first,))
            session.run("DO SLEEP(0.1)")
            session.run("UPDATE sequences SET last = last + 1 WHERE shard = 0 AND name = %s", (second,))
        return work

    await asyncio.gather(*(stores.shards.write(0, bump(*pair)) for pair in ("xy", "yx", "xy", "yx")))
    hand.execute("SELECT last FROM sequences WHERE name IN ('x', 'y')")
    assert hand.fetchall() == ((4,), (4,))


async def test_what_fails_on_one_server_stands_on_the_others_and_is_said(stores) -> None:
    hand = by_hand("b", autocommit=False)
    hand.execute("INSERT INTO user_counts (shard, user_id) VALUES (200, 200)")
    try:
        with pytest.raises(StoreTimeout):
            await follow(stores, (1, 2), (200, 2))
    finally:
        hand.connection.rollback()
    assert await stores.graph.is_following([(1, 2)]) == [True]
    await asyncio.sleep(1.5)
    await follow(stores, (1, 2), (200, 2))
    assert await stores.graph.is_following([(1, 2), (200, 2)]) == [True, True]


async def test_many_questions_are_one_statement_a_server(stores) -> None:
    everybody = range(1, 300)  # fewer than 200 of them on each server: one list of keys
    await follow(stores, *((follower, 7) for follower in everybody))
    for ask, most in (
        (partial(stores.graph.following, everybody), 2), (partial(stores.accounts.counts, everybody), 1),
        (partial(stores.accounts.get, everybody), 1), (partial(stores.modes.get, everybody), 1),
        (partial(stores.graph.is_following, [(follower, 7) for follower in everybody]), 1),
    ):
        before = stores.shards.statements
        await ask()
        assert stores.shards.statements - before <= 2 * (most + 1)  # on each server these, and its epoch once a second
    before = stores.shards.statements
    await follow(stores, *((follower, 8) for follower in range(1, 300)))
    assert stores.shards.statements - before <= 2 * 5


async def test_health_says_what_is_wrong_with_which(stores) -> None:
    assert set((await stores.check()).values()) == {"ok"}
    stores.shards.servers[1].epoch += 1
    stores.shards.servers[1]._checked_at = 0
    said = await stores.check()
    assert said[f"mysql {CONFIG.mysql.addresses[0]}"] == "ok"
    assert "epoch" in said[f"mysql {CONFIG.mysql.addresses[1]}"]


@pytest.mark.parametrize(("error", "ours"), [
    (pymysql.OperationalError(2003, "refused"), StoreDown),
    (pymysql.OperationalError(2006, "gone away"), StoreDown),
    (pymysql.OperationalError(2013, "Lost connection (timed out)"), StoreTimeout),
    (pymysql.OperationalError(1040, "Too many connections"), StoreDown),
    (pymysql.OperationalError(1045, "Access denied"), StoreDown),
    (pymysql.OperationalError(1205, "Lock wait timeout"), StoreTimeout),
    (pymysql.OperationalError(1213, "Deadlock"), StoreTimeout),
    (pymysql.OperationalError(1021, "Disk full"), StoreFull),
    (pymysql.OperationalError(1290, "--read-only"), StoreFull),
    (pymysql.InternalError(1030, "Got error 28 from storage engine"), StoreFull),
    (pymysql.ProgrammingError(1146, "no such table"), StoreDown),
    (pymysql.OperationalError(1712, "index corrupt"), StoreCorrupt),
])
def test_errors_of_the_driver_are_ours(error, ours) -> None:
    assert type(errors.translated("db", error)) is ours


def test_a_mistake_of_ours_is_not_hidden() -> None:
    assert errors.translated("db", pymysql.ProgrammingError(1064, "syntax")) is None


async def test_a_row_that_cannot_be_read_is_corrupt_and_others_are_read(stores) -> None:
    hand = by_hand()
    hand.execute("INSERT INTO users VALUES (1, 1, '', 'not what we wrote', NULL)")
    for ask in (stores.accounts.get([1]), stores.accounts.credentials(1)):
        with pytest.raises(StoreCorrupt, match="cannot be read"):
            await ask
    assert await stores.accounts.get([2]) == [None]
