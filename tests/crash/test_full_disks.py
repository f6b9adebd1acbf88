"""Disks that are full or may only be read: a clear error, nothing acknowledged lost, and all goes on when there is room."""

import errno
import os
import resource
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import build_twit, home, make_friends, make_users, settle
from powerless import powerless

from twit.core.errors import StoreDown, StoreError, StoreFull

SOME_KB = 30_000


@contextmanager
def files_at_most(size):
    """No file of this process grows beyond `size`: what a quota does, and needs no rights."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def largest(folder, pattern):
    return max(path.stat().st_size for path in folder.glob(pattern))


@pytest.fixture
def folder():
    """One that another user may enter, too."""
    made = Path(tempfile.mkdtemp(prefix="twit-faults-"))
    made.chmod(0o755)
    yield made
    for path in (made, *made.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(made)


async def posted_until_refused(twit, author):
    """What was acknowledged, newest first, and the error that ended it."""
    acknowledged = []
    for number in range(10_000):
        try:
            acknowledged.insert(0, (await twit.post(author, f"{number} {'x' * 200}")).tweet_id)
        except StoreError as error:
            return acknowledged, error
    raise AssertionError("nothing was ever refused")


async def test_a_disk_that_takes_no_more_refuses_clearly_loses_nothing_and_goes_on_when_it_does(twit, tmp_path):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    with files_at_most(largest(tmp_path / "data", "twit.db*") + SOME_KB):
        acknowledged, error = await posted_until_refused(twit, ada)
        assert isinstance(error, StoreDown | StoreFull)
        assert error.meaning
        assert error.try_
        with pytest.raises(type(error)):
            await twit.post(ada, "once more " + "x" * 200)
        own = [tweet.tweet_id for tweet in (await twit.user_timeline(bob, ada, limit=200)).tweets]
        assert own == acknowledged
        assert await home(twit, ada) == acknowledged
    acknowledged.insert(0, (await twit.post(ada, "there is room again")).tweet_id)
    await settle(twit)
    assert await home(twit, bob) == await home(twit, ada) == acknowledged


async def test_the_database_says_that_it_is_full_in_our_words(twit):
    (ada,) = await make_users(twit, "ada")
    writing = twit.stores.log._db.writer._transactions._connection
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages}")
    acknowledged, error = await posted_until_refused(twit, ada)
    assert (type(error), error.http_status, error.exit_code) == (StoreFull, 503, 5)
    assert await home(twit, ada) == acknowledged
    writing.execute("PRAGMA max_page_count = 1000000")
    await twit.post(ada, "there is room again")


async def test_a_consumer_waits_for_a_full_disk_and_parks_nothing(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweets = [(await twit.post(ada, f"{number}")).tweet_id for number in range(3)]
    advance, refusals = twit.stores.work.advance, iter(range(4))

    async def full(progress):
        if next(refusals, None) is not None:
            raise StoreFull("database or disk is full")
        await advance(progress)

    twit.stores.work.advance = full
    await settle(twit)
    assert await twit.stores.work.parked(None, 0, 10) == []
    assert await home(twit, bob) == tweets[::-1]
    assert [len(batches) for batches in await twit.stores.work.deliveries(tweets)] == [1, 1, 1]


async def test_a_command_does_not_wait_for_ever_for_a_disk_that_stays_full(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweet = await twit.post(ada, "there")
    advance = twit.stores.work.advance

    async def full(_):
        raise StoreFull("database or disk is full")

    twit.stores.work.advance = full
    with pytest.raises(StoreFull):
        await settle(twit)
    twit.stores.work.advance = advance
    await settle(twit)
    assert await home(twit, bob) == [tweet.tweet_id]
    assert len((await twit.stores.work.deliveries([tweet.tweet_id]))[0]) == 1


async def test_who_has_no_cached_row_reads_on_a_full_disk_too(twit, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    names = " ".join(f"u{number}" for number in range(70))  # more than the ring has rows for
    *_, ada, late = await make_users(twit, names)
    assert len(await twit.stores.timelines.raw(late)) == 0
    await make_friends(twit, (late, ada))
    tweet = await twit.post(ada, "seen all the same")
    await settle(twit)
    assert await home(twit, late) == [tweet.tweet_id]
    explained = (await twit.home_timeline(late, explain=True)).explanation
    assert explained is not None
    assert explained.row == "uncached"


async def test_a_folder_that_may_only_be_read_is_refused_whole_and_named(folder, clock):
    twit = await build_twit(folder / "data", clock)
    (ada,) = await make_users(twit, "ada")
    await twit.post(ada, "before")
    await twit.stores.health.close()
    for path in (folder / "data").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (folder / "data").chmod(0o555)
    with powerless(), pytest.raises(StoreFull, match=r"twit\.db cannot be written") as refused:
        await build_twit(folder / "data", clock)
    assert refused.value.meaning
    assert refused.value.try_


async def test_a_database_that_turns_read_only_under_way_still_answers_reads(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweet = await twit.post(ada, "before")
    await settle(twit)
    writing = twit.stores.log._db.writer._transactions._connection
    writing.execute("PRAGMA query_only=ON")
    for refused in (twit.post(ada, "no"), twit.like(bob, tweet.tweet_id), twit.delete(ada, tweet.tweet_id), twit.block(bob, ada)):
        with pytest.raises(StoreFull) as error:
            await refused
        assert "read-only" in error.value.meaning
    assert await home(twit, bob) == [tweet.tweet_id]
    writing.execute("PRAGMA query_only=OFF")
    await twit.delete(ada, tweet.tweet_id)
    assert await home(twit, bob) == []
