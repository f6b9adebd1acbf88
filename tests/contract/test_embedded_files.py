"""The embedded folder: what it refuses to open and why, and several processes in it at once."""

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from powerless import powerless

from twit.core.clock import ManualClock, SystemClock
from twit.core.errors import Conflict, StoreCorrupt, StoreDown, StoreFull
from twit.core.limits import Limits
from twit.core.model import IdempotencyKey, NewAccount, NewTweet, Tweet
from twit.core.stores.embedded import open_stores


def opened(folder, **more):
    return open_stores(folder, Limits(), SystemClock(), durable=False, **more)


def new(name):
    return NewAccount(username=name, email="", password_hash="", display_name=name, created_ms=1)


@pytest.fixture
def open_folder():
    """A folder that others may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


async def closed(folder):
    await opened(folder).health.close()


async def test_what_was_stored_is_there_after_opening_again(tmp_path):
    stores = opened(tmp_path)
    await stores.accounts.create([new("ada")])
    await stores.health.close()
    again = opened(tmp_path, create=False)
    assert await again.accounts.ids_of(["ada"]) == [1]
    await again.health.close()


def test_a_folder_without_stores_is_refused_unless_they_are_to_be_made(tmp_path):
    with pytest.raises(StoreDown, match="no database"):
        opened(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()


async def test_a_schema_from_the_future_is_refused_and_left_as_it_is(tmp_path):
    await closed(tmp_path)
    with sqlite3.connect(tmp_path / "twit.db") as conn:
        conn.execute("PRAGMA user_version=999")
    with pytest.raises(StoreCorrupt, match="999") as refused:
        opened(tmp_path)
    assert "newer" in refused.value.meaning
    with sqlite3.connect(tmp_path / "twit.db") as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (999,)


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path):
    with sqlite3.connect(tmp_path / "twit.db") as conn:
        conn.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "twit.db").read_bytes()
    with pytest.raises(StoreCorrupt, match="another program"):
        opened(tmp_path)
    assert (tmp_path / "twit.db").read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "twit.db").write_bytes(b"not a database, and long enough to have a header" * 10)
    with pytest.raises(StoreCorrupt):
        opened(tmp_path)


def test_a_read_only_folder_is_refused_with_a_reason(open_folder):
    open_folder.chmod(0o555)
    with powerless(), pytest.raises(StoreFull, match="cannot be written") as refused:
        opened(open_folder)
    assert "rights" in refused.value.try_


async def test_a_read_only_file_is_refused_with_a_reason(open_folder):
    await closed(open_folder)
    (open_folder / "twit.db").chmod(0o444)
    open_folder.chmod(0o777)
    with powerless(), pytest.raises(StoreFull, match="cannot be written"):
        opened(open_folder)


async def test_two_openings_of_a_folder_see_each_others_writes(tmp_path):
    one, two = opened(tmp_path), opened(tmp_path)
    await one.accounts.create([new("ada")])
    await two.accounts.create([new("bob")])
    assert await one.accounts.ids_of(["ada", "bob"]) == await two.accounts.ids_of(["ada", "bob"]) == [1, 2]
    with pytest.raises(Conflict):
        await two.accounts.create([new("Ada")])
    await one.tweets.put([NewTweet(tweet=Tweet(tweet_id=5, author_id=1))])
    assert await two.tweets.get([5]) == await one.tweets.get([5])
    for stores in (one, two):
        await stores.health.close()


async def test_two_openings_at_once_never_share_an_id(tmp_path):
    both = [opened(tmp_path), opened(tmp_path)]
    made = await asyncio.gather(*(
        stores.accounts.create([new(f"user{side}x{number}")]) for number in range(100) for side, stores in enumerate(both)
    ))
    assert sorted(user.user_id for (user,) in made) == list(range(1, 201))
    for stores in both:
        await stores.health.close()


SIGN_UPS = """
import asyncio, sys
from pathlib import Path
from twit.core.clock import ManualClock, SystemClock
from twit.core.limits import Limits
from twit.core.model import NewAccount
from twit.core.stores.embedded import open_stores

async def main(folder, side):
    stores = open_stores(Path(folder), Limits(), SystemClock(), durable=False)
    for number in range(50):
        name = f"side{side}x{number}"
        account = NewAccount(username=name, email="", password_hash="", display_name=name, created_ms=1)
        (user,) = await stores.accounts.create([account])
        print(user.user_id, flush=True)
    await stores.health.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_processes_that_open_and_write_at_once_give_dense_ids(tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", SIGN_UPS, str(tmp_path / "new"), str(side)], stdout=subprocess.PIPE, text=True)
        for side in range(4)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert sorted(int(line) for output in outputs for line in output.split()) == list(range(1, 201))


async def test_expired_idempotency_keys_do_not_pile_up(tmp_path):
    clock = ManualClock(1_750_000_000_000)
    stores = open_stores(tmp_path, Limits(), clock, durable=False)
    for day in range(5):
        expires_ms = clock.now_ms() + 86_400_000
        await stores.tweets.put([
            NewTweet(tweet=Tweet(tweet_id=number, author_id=1), idempotency=IdempotencyKey(1, f"k{number}", b"", expires_ms))
            for number in range(day * 200 + 1, day * 200 + 201)
        ])
        clock.advance(86_400)
    (kept,) = sqlite3.connect(tmp_path / "twit.db").execute("SELECT count(*) FROM idempotency").fetchone()
    assert kept <= 400
    await stores.health.close()
