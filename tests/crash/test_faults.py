"""What fails around us: disks, files, machines, clocks, single events. A clear error, a parked event or a clean rebuild comes of
it, and never a wrong answer. Whole processes that share a folder, or are killed, are in the other files of this folder."""

import asyncio
import errno
import os
import resource
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import NOON_MS, build_twit, home, make_friends, make_users, settle, texts

from twit.core.clock import ManualClock
from twit.core.errors import StoreCorrupt, StoreDown, StoreError, StoreFull
from twit.core.fanout import Fanout
from twit.core.ids import TweetIds
from twit.core.limits import DAY_MS
from twit.core.model import Event, EventKind, NewFollow
from twit.core.stores.embedded.ring_file import H_BOOT, H_CLEAN
from twit.core.workers import GROUPS
from twit.ops.events import RetryParked

NOBODY = 65_534
RING_FILES = ("timelines.ring", "timelines.heads", "timelines.slots")
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


@contextmanager
def not_root():
    """To the superuser no file is read-only."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


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


# disks

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
    with not_root(), pytest.raises(StoreFull, match=r"twit\.db cannot be written") as refused:
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


# the cached timelines

async def town(twit):
    """Ada's and Bob's tweets, delivered to Cleo, and what her home timeline is."""
    ada, bob, cleo = await make_users(twit, "ada bob cleo")
    await make_friends(twit, (cleo, ada), (cleo, bob))
    for number in range(12):
        await twit.post((ada, bob)[number % 2], f"{number}")
    await settle(twit)
    return cleo, await home(twit, cleo)


@pytest.mark.parametrize("name", RING_FILES)
@pytest.mark.parametrize("left", [0, 1, 4_096, -4_096])
async def test_a_ring_cut_off_while_closed_is_built_again(open_twit, tmp_path, name, left, caplog):
    twit = await open_twit(timeline_entries_max=5)
    cleo, before = await town(twit)
    await twit.stores.health.close()
    path = tmp_path / "data" / name
    os.truncate(path, left if left >= 0 else path.stat().st_size + left)
    twit = await open_twit(timeline_entries_max=5)
    assert await home(twit, cleo, 3) == before
    assert (await twit.home_timeline(cleo)).page.complete_back_to > 0
    assert "cached timelines are dropped" in caplog.text or (name, left) == ("timelines.heads", 0)


@pytest.mark.parametrize("gone", [RING_FILES, RING_FILES[:1], RING_FILES[1:2], RING_FILES[2:]], ids=["all", "ring", "heads", "slots"])
async def test_a_ring_deleted_while_closed_is_built_again(open_twit, tmp_path, gone):
    twit = await open_twit()
    cleo, before = await town(twit)
    await twit.stores.health.close()
    for name in gone:
        (tmp_path / "data" / name).unlink()
    assert await home(await open_twit(), cleo) == before


def crashed(source, target, *, other_boot, torn=False):
    """A folder as a machine leaves it that goes down under an open service."""
    shutil.copytree(source, target)
    with (target / "timelines.heads").open("r+b") as heads:
        heads.seek(H_CLEAN * 8)
        assert int.from_bytes(heads.read(8), "little") == 0, "an open ring must not look clean"
        if other_boot:
            heads.seek(H_BOOT * 8)
            heads.write(b"anotherboot")
    if torn:
        with (target / "timelines.ring").open("r+b") as ring:
            ring.seek(16_384)
            ring.write(b"\x07" * 40_000)


@pytest.mark.parametrize("torn", [False, True])
async def test_a_machine_that_went_down_without_a_clean_mark_costs_the_rows_and_nothing_else(twit, clock, tmp_path, torn, caplog):
    cleo, before = await town(twit)
    crashed(tmp_path / "data", tmp_path / "copy", other_boot=True, torn=torn)
    again = await build_twit(tmp_path / "copy", clock)
    assert "the machine went down while it was open" in caplog.text
    explained = (await again.home_timeline(cleo, explain=True)).explanation
    assert explained is not None
    assert explained.row == "rebuilt"
    assert await home(again, cleo) == before
    await again.stores.health.close()


async def test_a_killed_process_costs_no_rows_on_a_machine_that_stayed_up(twit, clock, tmp_path, caplog):
    cleo, before = await town(twit)
    crashed(tmp_path / "data", tmp_path / "copy", other_boot=False)
    again = await build_twit(tmp_path / "copy", clock)
    explained = (await again.home_timeline(cleo, explain=True)).explanation
    assert explained is not None
    assert explained.row == "complete"
    assert await home(again, cleo) == before
    assert caplog.text == ""
    await again.stores.health.close()


async def test_a_ring_that_cannot_be_left_clean_says_so_and_closes_the_rest(open_twit, tmp_path, clock, monkeypatch):
    twit = await build_twit(tmp_path / "data", clock)
    cleo, before = await town(twit)

    def fails(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(StoreError, match="could not be left clean"):
        await twit.stores.health.close()
    with pytest.raises(StoreDown):
        await twit.post(cleo, "to nobody")
    monkeypatch.undo()
    assert await home(await open_twit(), cleo) == before


# two on one folder

async def test_two_services_on_one_folder_both_answer_and_one_consumes(open_twit):
    one, other = await open_twit(), await open_twit()
    ada, bob = await make_users(one, "ada bob")
    await make_friends(one, (bob, ada))
    stops = asyncio.Event(), asyncio.Event()
    running = [asyncio.create_task(twit.workers.run(GROUPS, stop)) for twit, stop in zip((one, other), stops, strict=True)]
    while "stopped" in other.workers.states().values():
        await asyncio.sleep(0)
    assert one.workers.states() == dict.fromkeys(GROUPS, "ok")
    assert other.workers.states() == dict.fromkeys(GROUPS, "elsewhere")
    first = await other.post(ada, "by the one that does not consume")
    while not await home(one, bob):
        await asyncio.sleep(0.001)
    assert await home(other, bob) == await home(one, bob) == [first.tweet_id]
    await one.delete(ada, first.tweet_id)
    assert await home(other, bob) == await home(one, bob) == []
    stops[0].set()
    await running[0]
    while other.workers.states() != dict.fromkeys(GROUPS, "ok"):
        await asyncio.sleep(0.001)
    stops[1].set()
    await running[1]


# events

class Poisoned:
    """Fan-out in which one tweet cannot be handled, until it is `cured`."""

    def __init__(self, monkeypatch, tweet_id):
        self.cured, self.attempts, handle = False, 0, Fanout.handle

        async def handling(fanout, logged, done):
            if logged.event.tweet == tweet_id and not self.cured:
                self.attempts += 1
                raise ZeroDivisionError("of a bug")
            await handle(fanout, logged, done)

        monkeypatch.setattr(Fanout, "handle", handling)


@pytest.fixture
async def poisoned(open_twit, monkeypatch):
    """Three tweets, the second of which nobody can deliver."""
    twit = await open_twit(event_attempts_max=3)
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweets = [(await twit.post(ada, f"{number}")).tweet_id for number in range(3)]
    poison = Poisoned(monkeypatch, tweets[1])
    await settle(twit)
    return twit, bob, tweets, poison


async def test_a_poison_event_is_parked_after_its_attempts_and_the_group_goes_on(poisoned, caplog):
    twit, bob, tweets, poison = poisoned
    assert poison.attempts == 3
    assert await home(twit, bob) == [tweets[2], tweets[0]]
    (parked,) = await twit.stores.work.parked("fanout", 0, 10)
    assert (parked.group, parked.logged.event.tweet, parked.error) == ("fanout", tweets[1], "ZeroDivisionError: of a bug")
    (lag,) = await twit.stores.log.lag(["fanout"], NOON_MS)
    assert (lag.events, lag.lag_ms, lag.parked) == (0, 0, 1)


async def retry(twit, *, dying=False):
    """`twit ops events retry --all`, or one that is killed half-way."""
    ids = [one.parked_id for one in await twit.stores.work.parked(None, 0, 100)]
    procedure = RetryParked(twit.stores, ids)
    draft = await procedure.plan("here", None)
    unpark = twit.stores.work.unpark
    if dying:

        async def killed(_):
            raise KeyboardInterrupt

        twit.stores.work.unpark = killed
    try:
        await procedure.apply(draft.items)
    except KeyboardInterrupt:
        twit.stores.work.unpark = unpark
    await settle(twit)


async def test_a_parked_event_that_is_cured_is_delivered_by_a_retry(poisoned):
    twit, bob, tweets, poison = poisoned
    poison.cured = True
    await retry(twit)
    assert await home(twit, bob) == tweets[::-1]
    assert await twit.stores.work.parked(None, 0, 10) == []
    ((account,),) = await twit.stores.work.deliveries([tweets[1]])
    assert (account.attempted, account.stored, account.last) == (1, 1, True)


async def test_a_parked_event_that_still_fails_is_parked_again(poisoned):
    twit, bob, tweets, _ = poisoned
    await retry(twit)
    (parked,) = await twit.stores.work.parked(None, 0, 10)
    assert parked.logged.event.tweet == tweets[1]
    assert await home(twit, bob) == [tweets[2], tweets[0]]


async def test_a_retry_killed_half_way_loses_no_event_and_doubles_none(poisoned):
    twit, bob, tweets, poison = poisoned
    poison.cured = True
    await retry(twit, dying=True)
    assert len(await twit.stores.work.parked(None, 0, 10)) == 1
    await retry(twit)
    assert await twit.stores.work.parked(None, 0, 10) == []
    assert await home(twit, bob) == tweets[::-1]
    assert (await twit.stores.timelines.raw(bob))[:, 0].tolist().count(tweets[1]) == 1
    assert len((await twit.stores.work.deliveries([tweets[1]]))[0]) == 1


async def test_poison_work_is_parked_as_the_event_that_caused_it(open_twit, monkeypatch):
    twit = await open_twit(event_attempts_max=3, fanout_batch=1)
    ada, *readers = await make_users(twit, "ada bob cleo dan")
    await make_friends(twit, *((reader, ada) for reader in readers))
    serve, cured = Fanout._serve_push, False

    async def failing(fanout, work, done):
        if work.batch == 1 and not cured:
            raise ZeroDivisionError("of a bug")
        return await serve(fanout, work, done)

    monkeypatch.setattr(Fanout, "_serve_push", failing)
    tweet = await twit.post(ada, "to three, one at a time")
    await settle(twit)
    assert [one.logged.event.tweet for one in await twit.stores.work.parked("fanout", 0, 10)] == [tweet.tweet_id]
    assert await twit.stores.work.pending("fanout") == []
    cured = True
    await retry(twit)
    assert [await home(twit, reader) for reader in readers] == [[tweet.tweet_id]] * 3
    (batches,) = await twit.stores.work.deliveries([tweet.tweet_id])
    assert [(one.batch, one.attempted, one.last) for one in batches] == [(0, 1, False), (1, 1, False), (2, 1, True)]


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_what_fails_after_it_was_delivered_is_accounted_for_once_however_it_is_delivered_then(open_twit, monkeypatch, failing):
    """A small author becomes a large one between two attempts: the account of the first must not stand beside that of the second."""
    twit = await open_twit(fanout_batch=1)
    ada, bob, cleo = await make_users(twit, "ada bob cleo")
    await make_friends(twit, (bob, ada))
    push, calls = Fanout._push_together, 0

    async def failing_once(fanout, group):
        nonlocal calls
        await push(fanout, group)
        calls += 1
        if calls == failing:
            await twit.stores.graph.follow([NewFollow(follower=cleo, followee=ada, merged=True)], 10)
            await twit.stores.graph.carry([(cleo, ada)])
            raise ZeroDivisionError("of a bug")

    monkeypatch.setattr(Fanout, "_push_together", failing_once)
    tweets = [(await twit.post(ada, f"{number}")).tweet_id for number in range(4)]
    await settle(twit)
    assert calls >= failing
    for batches in await twit.stores.work.deliveries(tweets):
        assert [one.batch for one in batches] == list(range(len(batches)))
        assert [one.last for one in batches] == [False] * (len(batches) - 1) + [True]
    assert await home(twit, bob) == tweets[::-1]


async def test_an_event_that_cannot_be_read_stops_whoever_needs_it_and_is_never_passed_over(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    tweet = await twit.post(ada, "before")
    await twit.stores.log._db.writer.run(
        lambda conn: conn.execute("UPDATE events SET payload = x'c1' WHERE offset = (SELECT max(offset) FROM events)").close()
    )
    with pytest.raises(StoreCorrupt, match="event .* cannot be read"):
        await settle(twit)
    assert await twit.stores.log.offset("fanout") < await twit.stores.log.tail()
    assert await home(twit, ada) == [tweet.tweet_id]


async def test_an_event_about_nobody_harms_nobody(twit):
    ada, bob = await make_users(twit, "ada bob")
    await make_friends(twit, (bob, ada))
    strange = [Event(kind=kind, key=1 << 62, actor=1 << 62, target=(1 << 62) + 1, tweet=1 << 61, at_ms=NOON_MS) for kind in EventKind]
    await twit.stores.log.append(strange)
    tweet = await twit.post(ada, "after all that")
    await settle(twit)
    assert await home(twit, bob) == [tweet.tweet_id]


# ids and clocks

async def test_a_process_that_comes_back_with_ids_of_a_dead_one_never_takes_its_tweets_for_its_own(open_twit):
    """The node of a killed process is free at once, and the machine's clock may have been set back meanwhile."""
    dead = await open_twit()
    ada, bob = await make_users(dead, "ada bob")
    first = await dead.post(ada, "by the dead")
    heir = await open_twit()
    heir.tweets._ids = TweetIds(ManualClock(NOON_MS), 0)
    with pytest.raises(StoreError, match="taken by another tweet") as refused:
        await heir.post(bob, "by the heir", idempotency_key="k")
    assert (refused.value.code, refused.value.http_status) == ("TWEET_ID_TAKEN", 503)
    second = await heir.post(bob, "by the heir", idempotency_key="k")
    assert second.tweet_id > first.tweet_id
    assert texts((await heir.user_timeline(bob, ada)).tweets) == ["by the dead"]
    assert texts((await heir.user_timeline(bob, bob)).tweets) == ["by the heir"]
    assert len({first.tweet_id, second.tweet_id, (await heir.retweet(bob, first.tweet_id)).tweet_id}) == 3


# what is kept for a time only

async def test_events_and_accounts_of_delivery_are_dropped_when_their_time_is_over_and_answers_stay(open_twit, clock):
    twit, other = await open_twit(), await open_twit()
    cleo, before = await town(twit)
    assert await home(other, cleo) == before
    clock.advance(8 * DAY_MS / 1_000)
    young = await twit.post(1, "young")
    stop = asyncio.Event()
    running = asyncio.create_task(twit.workers.run(GROUPS, stop))
    while len(await twit.stores.log.read(0, 1_000)) > 1 or (await twit.stores.log.lag(GROUPS, NOON_MS))[1].events:
        await asyncio.sleep(0.001)
    clock.advance(120)
    await twit.post(1, "wakes the consumers")
    stop.set()
    await running
    kept = await twit.stores.log.read(0, 1_000)
    assert {logged.event.tweet for logged in kept} >= {young.tweet_id}
    assert all(logged.event.at_ms > NOON_MS + 7 * DAY_MS for logged in kept)
    assert await twit.stores.work.deliveries(before) == [[]] * len(before)
    assert len((await twit.stores.work.deliveries([young.tweet_id]))[0]) == 1
    assert (await home(other, cleo))[-len(before) :] == (await home(twit, cleo))[-len(before) :] == before
