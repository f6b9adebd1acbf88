"""The embedded writer: who shares a commit, who fails alone, and that nobody ever hangs."""

import asyncio
import sqlite3
import threading

import pytest

from twit.core.clock import SystemClock
from twit.core.errors import StoreDown, StoreError, StoreFull, StoreTimeout
from twit.core.limits import Limits
from twit.core.stores.embedded.db import Database, prepare

SCHEMA = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, word TEXT UNIQUE);"


@pytest.fixture(params=["thread", "inline"])
def inline(request):
    return request.param == "inline"


def opened(folder, *, inline=False, limits=None):
    limits = limits or Limits(store_timeout_ms=2_000)
    prepare(folder, [SCHEMA], limits.store_timeout_ms, create=True)
    return Database(folder, limits, SystemClock(), durable=False, inline=inline)


@pytest.fixture
async def db(tmp_path, inline):
    database = opened(tmp_path, inline=inline)
    yield database
    await database.close()


def insert(number, word=None):
    return lambda conn: conn.execute("INSERT INTO t VALUES (?, ?)", (number, word)).rowcount


def numbers(db):
    return [number for (number,) in db.rows("SELECT id FROM t ORDER BY id")]


def fails_after_writing(number):
    def work(conn):
        insert(number)(conn)
        raise KeyError(number)

    return work


async def test_what_was_written_is_read_at_once(db):
    assert await db.writer.run(insert(1)) == 1
    assert numbers(db) == [1]


async def test_one_that_fails_after_it_wrote_takes_back_its_own_and_no_one_elses(db):
    works = [insert(1), fails_after_writing(2), insert(3), fails_after_writing(4), insert(5)]
    outcomes = await asyncio.gather(*(db.writer.run(work) for work in works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, KeyError, int, KeyError, int]
    assert numbers(db) == [1, 3, 5]


async def test_one_that_fails_before_it_wrote_leaves_the_others_alone(db):
    outcomes = await asyncio.gather(
        *(db.writer.run(insert(number, word)) for number, word in ((1, "a"), (2, "a"), (3, "b"))), return_exceptions=True
    )
    assert isinstance(outcomes[1], StoreError)
    assert numbers(db) == [1, 3]


async def test_those_who_wait_together_share_a_commit(tmp_path):
    db = opened(tmp_path)
    commits = []
    db.writer.appended.append(lambda: commits.append(1))
    await asyncio.gather(*(db.writer.run(insert(number)) for number in range(200)))
    assert len(numbers(db)) == 200
    assert len(commits) < 50
    await db.close()


async def test_those_who_listen_hear_of_a_commit_before_the_writer_goes_on(db):
    heard = []
    db.writer.appended.append(lambda: heard.append(numbers(db)))
    await db.writer.run(insert(1))
    assert heard == [[1]]


async def test_writes_that_wait_are_written_before_closing(tmp_path):
    db = opened(tmp_path)
    waiting = [asyncio.ensure_future(db.writer.run(insert(number))) for number in range(20)]
    await asyncio.sleep(0)
    await db.close()
    assert [await one for one in waiting] == [1] * 20


async def test_a_dead_writer_fails_who_waits_and_who_comes_later(tmp_path):
    db = opened(tmp_path)

    def die(conn):
        raise SystemExit

    works = ((die, True), (insert(1), False), (insert(2), True))
    outcomes = await asyncio.gather(*(db.writer.run(work, long=long) for work, long in works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreDown] * 3
    with pytest.raises(StoreDown, match="died"):
        await db.writer.run(insert(3))
    assert "died" in db.writer.dead
    await db.close()


async def test_a_full_queue_refuses_at_once(tmp_path):
    db = opened(tmp_path, limits=Limits(write_queue_max=3))
    held = hold(db)
    waiting = [asyncio.ensure_future(db.writer.run(insert(number))) for number in range(20)]
    outcomes = asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.05)
    held.execute("ROLLBACK")
    kinds = [type(outcome) for outcome in await outcomes]
    assert StoreTimeout in kinds
    assert len(numbers(db)) == kinds.count(int)
    await db.close()
    held.close()


def hold(db):
    """Another process's write lock."""
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_a_lock_held_for_too_long_is_an_error_and_then_all_goes_on(tmp_path, inline):
    db = opened(tmp_path, inline=inline, limits=Limits(store_timeout_ms=200))
    held = hold(db)
    with pytest.raises(StoreDown, match="locked"):
        await db.writer.run(insert(1))
    held.execute("ROLLBACK")
    held.close()
    assert await db.writer.run(insert(2)) == 1
    assert numbers(db) == [2]
    await db.close()


async def test_a_call_that_takes_too_long_times_out_and_then_all_goes_on(tmp_path):
    db = opened(tmp_path, limits=Limits(store_timeout_ms=500))
    stuck = threading.Event()
    waiting = [asyncio.ensure_future(db.writer.run(work, long=True)) for work in (lambda _: stuck.wait(60), insert(1))]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreTimeout] * 2
    stuck.set()
    assert await db.writer.run(insert(2)) == 1
    assert numbers(db) == [2]
    await db.close()


async def test_long_works_and_short_ones_are_written_in_order(db):
    seen = []

    def work(number):
        return lambda conn: seen.append(insert(number)(conn) * number)

    await asyncio.gather(*(db.writer.run(work(number), long=number % 3 == 0) for number in range(1, 11)))
    assert seen == numbers(db) == list(range(1, 11))


async def test_one_who_gave_up_before_it_began_is_not_written(tmp_path):
    db = opened(tmp_path)
    held = hold(db)
    first, second = (asyncio.ensure_future(db.writer.run(insert(number))) for number in (1, 2))
    await asyncio.sleep(0.05)
    third = asyncio.ensure_future(db.writer.run(insert(3)))
    await asyncio.sleep(0)
    third.cancel()
    held.execute("ROLLBACK")
    held.close()
    await asyncio.gather(first, second)
    await db.writer.run(insert(4))
    assert numbers(db) == [1, 2, 4]
    await db.close()


async def test_a_full_disk_writes_nothing_and_the_rest_goes_on(db):
    await db.writer.run(insert(1))
    await db.writer.run(lambda conn: conn.execute("PRAGMA max_page_count=4").fetchone())
    with pytest.raises(StoreFull, match="full"):
        await db.writer.run(insert(2, "long" * 10_000))
    assert await db.writer.run(insert(3)) == 1
    assert numbers(db) == [1, 3]


def test_a_loop_that_ends_in_the_middle_of_a_write_leaves_the_next_one_working(tmp_path):
    db = opened(tmp_path)

    async def leave():
        waiting = [asyncio.ensure_future(db.writer.run(insert(number))) for number in range(1_000)]
        await asyncio.sleep(0.001)
        del waiting

    for _ in range(20):
        asyncio.run(leave())
        assert asyncio.run(db.writer.run(lambda conn: conn.execute("DELETE FROM t").rowcount)) >= 0
    assert numbers(db) == []
    asyncio.run(db.close())


def test_one_folder_serves_one_loop_after_another(tmp_path):
    db = opened(tmp_path)
    for number in range(3):
        asyncio.run(db.writer.run(insert(number)))
    assert numbers(db) == [0, 1, 2]
    asyncio.run(db.close())
