"""Reading from a real Cassandra: pages over months, what they cost, the outbox's sweep, the schema, and a server that is not there."""

import asyncio
import datetime as dt
import time

import msgspec
import parts
import parts_cassandra
import pytest

from twit.core.clock import ManualClock, SystemClock
from twit.core.errors import Invalid, StoreCorrupt, StoreDown, StoreTimeout
from twit.core.events import Event, EventKind
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import NewTweet, Tweet
from twit.core.stores.live import cassandra_lists, cassandra_schema
from twit.core.stores.live.cassandra_buckets import DAY_MS, age_bucket, month_at
from twit.core.stores.live.cassandra_driver import Driver
from twit.core.stores.live.cassandra_open import open_cassandra

pytestmark = pytest.mark.live

NOW_MS = 1_750_000_000_000
ADA = 1


@pytest.fixture
def clock():
    return ManualClock(NOW_MS)


@pytest.fixture
def log():
    return parts.ListedLog()


@pytest.fixture
async def store(clock, log):
    async with parts_cassandra.stores(parts.config("cassandra_reads"), Limits(), clock, log) as (opened,):
        yield opened


def at(year, month, day=1, hour=0):
    return int(dt.datetime(year, month, day, hour, tzinfo=dt.UTC).timestamp() * 1_000)


def new(own, author=ADA, **more):
    tweet = Tweet(tweet_id=own, author_id=author, conversation_id=more.pop("conversation_id", own), **more)
    event = Event(kind=EventKind.TWEET_CREATED, key=author, actor=author, tweet=own)
    return NewTweet(tweet=tweet, events=(event,))


async def cost(store, reading):
    before = store.session.statements
    return await reading, store.session.statements - before


# buckets

def test_months_are_those_of_the_calendar():
    for year in (1970, 2000, 2024, 2025, 2079, 2100):
        for month in range(1, 13):
            begins = at(year, month)
            assert month_at(begins) == year * 12 + month - 1
            assert month_at(begins - 1) == month_at(begins) - 1


def test_a_tweets_buckets_rise_with_age_and_never_fall():
    own = id_at(NOW_MS)
    ages = [hours * 3_600_000 for hours in range(24 * 400)]
    found = [age_bucket(own, NOW_MS + age) for age in ages]
    assert found == sorted(found)
    assert found[:24:6] == [0, 1, 2, 3]
    assert len(set(found)) == 4 + 5 + 13
    assert age_bucket(own, NOW_MS - DAY_MS) == 0


# pages

async def test_a_page_goes_on_over_the_boundary_of_months(store):
    instants = [at(2025, 5, 31, 23) + hour * 3_600_000 for hour in range(3)] + [at(2024, 12, 31, 23), at(2025, 1, 1), at(2023, 7)]
    own = sorted((id_at(ms, 0, number) for ms in instants for number in range(2)), reverse=True)
    await store.tweets.put([new(one) for one in own])

    async def page(**bounds):
        (entries,) = await store.tweets.by_authors([ADA], **bounds)
        return entries[:, 0].tolist()

    assert await page(limit=50) == own
    assert await page(limit=0) == []
    walked, before = [], 0
    while some := await page(before=before, limit=3):
        walked += some
        before = some[-1]
    assert walked == own
    for high in own:
        for low in own:
            assert await page(before=high, after=low, limit=50) == [one for one in own if low < one < high]


async def test_more_months_than_are_looked_up_at_once(store, monkeypatch):
    own = [id_at(at(2020 + month // 12, month % 12 + 1)) for month in range(60)][::-1]
    await store.tweets.put([new(one) for one in own] + [new(one + 1, 2, reply_to=own[-1], conversation_id=own[-1]) for one in own])
    (entries,) = await store.tweets.by_authors([ADA], limit=100)
    assert entries[:, 0].tolist() == own
    replies = await store.tweets.replies(own[-1], 0, 100)
    assert [one.tweet_id for one in replies] == [one + 1 for one in own[::-1]]
    assert [one.tweet_id for one in await store.tweets.in_conversation(own[-1], own[30], 3)] == [one + 1 for one in own[30:27:-1]]
    for some in (3, 4_096):
        monkeypatch.setattr(cassandra_lists, "SIZED_AT_ONCE", some)
        assert (await store.engagement.recount([own[-1]]))[0].replies == 60


async def test_what_reading_many_authors_costs(store):
    authors = list(range(1, 65))
    months = [at(2025, 6), at(2025, 5), at(2024, 1)]
    await store.tweets.put([new(id_at(ms, 0, author), author) for ms in months for author in authors])
    found, spent = await cost(store, store.tweets.by_authors(authors, limit=1))
    assert [len(one) for one in found] == [1] * 64
    assert spent == 4  # 32 authors a statement: which months they have, then the newest
    found, spent = await cost(store, store.tweets.by_authors(authors, limit=10))
    assert [len(one) for one in found] == [3] * 64
    assert spent == 2 + 2 + 4  # the newest month, then two more at once; the empty ones between are not asked for
    found, spent = await cost(store, store.tweets.by_authors(range(1_000, 1_064), limit=10))
    assert spent == 2
    found, spent = await cost(store, store.tweets.by_authors([1] * 5, after=id_at(at(2025, 5, 20)), limit=10))
    assert (spent, [len(one) for one in found]) == (3, [1] * 5)  # May has a bucket, though none of its rows is in bounds


async def test_what_other_reads_cost(store):
    own = [id_at(NOW_MS, 0, number) for number in range(64)]
    await store.tweets.put([new(one) for one in own])
    await store.engagement.like([(ADA, one) for one in own[:10]], NOW_MS, [()] * 10)
    for reading, expected in (
        (store.tweets.get(own), 2), (store.tweets.get(own[:1]), 1), (store.engagement.counts(own), 2),
        (store.engagement.liked(ADA, own[:32]), 1), (store.tweets.retweet_ids(ADA, own[:32]), 1),
        (store.engagement.recent_likes(ADA, 50), 2), (store.engagement.likers_page(own[0], 0, 50), 2),
        (store.tweets.author_counts([ADA]), 1),
    ):
        assert (await cost(store, reading))[1] == expected


async def test_likes_page_over_the_buckets_of_a_tweets_age(store, clock, monkeypatch):
    own = id_at(NOW_MS)
    for user in range(1, 41):
        await store.engagement.like([(user, own)], clock.now_ms(), [()])
        clock.advance(3_600 * user)  # 34 days in the end
    walked, before = [], 0
    while some := await store.engagement.likers_page(own, before, 7):
        walked += [edge.user_id for edge in some]
        before = some[-1].sequence
    assert walked == list(range(40, 0, -1))
    monkeypatch.setattr(cassandra_lists, "SIZED_AT_ONCE", 3)
    assert (await store.engagement.recount([own]))[0].likes == 40


# the outbox

async def test_what_was_not_sent_is_found_until_it_is(store, clock, log):
    await store.tweets.put([new(id_at(NOW_MS, 0, number), number) for number in range(1, 21)])
    assert await store.outbox.waiting(clock.now_ms(), 100) == []
    clock.advance(1)
    found = await store.outbox.waiting(clock.now_ms(), 100)
    assert {one.place for one in found} == {one.place for one in log.outgoing}
    assert sorted(found, key=lambda one: one.place) == sorted(log.outgoing, key=lambda one: one.place)
    assert len(await store.outbox.waiting(clock.now_ms(), 7)) == 7
    for _ in range(2):
        clock.advance(1_800)  # minutes that hold a row are read again, however old
        await store.outbox.sent(found[:15])
        assert {one.place for one in await store.outbox.waiting(clock.now_ms(), 100)} == {one.place for one in found[15:]}
    await store.outbox.sent(found)
    clock.advance(120)
    assert await store.outbox.waiting(clock.now_ms(), 100) == []


async def test_another_process_finds_what_a_dead_one_left(store, clock, log):
    store.outbox._outbox = parts.ListedLog()  # its hearer dies with it
    await store.tweets.put([new(id_at(NOW_MS))])
    await store.engagement.like([(ADA, id_at(NOW_MS))], NOW_MS, [(Event(kind=EventKind.LIKED, key=5, actor=ADA),)])
    clock.advance(600)
    async with parts_cassandra.stores(parts.config("cassandra_reads"), Limits(), clock, log) as (other,):
        kinds = [one.event.kind for one in await other.outbox.waiting(clock.now_ms(), 100)]
    assert kinds == [EventKind.TWEET_CREATED, EventKind.LIKED]


async def test_a_sweep_reads_no_minute_again_and_still_finds_what_comes_late(store, clock):
    clock.advance(3_600)
    await store.outbox.waiting(clock.now_ms(), 10)
    clock.advance(60)
    found, spent = await cost(store, store.outbox.waiting(clock.now_ms(), 10))
    assert (found, spent <= 6) == ([], True)
    late = (clock.now_ms() - 600_000) * 1_000  # a batch replayed ten minutes after it was begun
    await store.session.write(store.outbox.add(new(7).events, late, 7, 7)[0])
    assert await store.outbox.waiting(clock.now_ms(), 10) == []
    clock.advance(400)
    (found,) = await store.outbox.waiting(clock.now_ms(), 10)
    assert found.event.tweet == 7
    await store.outbox.sent([found])
    assert await store.outbox.waiting(clock.now_ms(), 10) == []


# the schema

async def test_a_schema_is_made_once_and_another_is_refused(log):
    config = parts.config("cassandra_schema_test")
    admin = Driver(config, 60_000)
    try:
        admin.define(f"DROP KEYSPACE IF EXISTS {config.namespace}")
        with pytest.raises(StoreCorrupt) as missing:
            await open_cassandra(config, Limits(), ManualClock(NOW_MS), log)
        assert "context init" in missing.value.try_
        for _ in range(2):
            await cassandra_schema.init(config)
        opened = await open_cassandra(config, Limits(), ManualClock(NOW_MS), log)
        assert await opened.check() == "ok"
        for _ in range(2):
            await opened.close()
        admin.define(f"INSERT INTO {config.namespace}.schema_version (name, version) VALUES ('twit', 99)")  # noqa: S608 - a name of our own
        for refused in (cassandra_schema.init(config), open_cassandra(config, Limits(), ManualClock(NOW_MS), log)):
            with pytest.raises(StoreCorrupt, match="version 99"):
                await refused
    finally:
        admin.define(f"DROP KEYSPACE IF EXISTS {config.namespace}")
        admin.close()


# trouble

async def test_a_server_that_is_not_there(clock, log):
    config = parts.config("parts")
    nowhere = msgspec.structs.replace(config, cassandra=msgspec.structs.replace(config.cassandra, addresses=("127.0.0.1:7999",)))
    with pytest.raises(StoreDown):
        await open_cassandra(nowhere, Limits(), clock, log)
    for address, namespace in (("nowhere", "parts"), ("127.0.0.1:7942", "No-Keyspace")):
        access = msgspec.structs.replace(config.cassandra, addresses=(address,))
        with pytest.raises(Invalid):
            await open_cassandra(msgspec.structs.replace(config, cassandra=access, namespace=namespace), Limits(), clock, log)


async def test_a_request_that_gets_no_answer_is_given_up(store, monkeypatch):
    class Silent:
        def add_callbacks(self, *_):
            """Never calls back."""

    monkeypatch.setattr(store.session, "timeout_s", 0.05)
    monkeypatch.setattr(store.session.driver, "session", type("Deaf", (), {"execute_async": lambda *_, **__: Silent()})())
    with pytest.raises(StoreTimeout):
        await store.tweets.get([1])
    assert "not done within" in await store.check()
    assert store.session._slots._value == 128, "an abandoned request holds no slot"


class Door:
    """A port before the server's, that can be shut: with all connections through it cut, or left to hang."""

    def __init__(self, address):
        self._to = address
        self.port = 0
        self._server = None
        self._pumps = set()
        self._hanging = asyncio.Event()
        self._hanging.set()

    async def open(self):
        self._server = await asyncio.start_server(self._through, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._hanging.set()

    def hang(self):
        self._hanging.clear()

    async def shut(self):
        self._server.close()
        for one in self._pumps:
            one.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _through(self, reader, writer):
        host, _, port = self._to.rpartition(":")
        to_reader, to_writer = await asyncio.open_connection(host, int(port))
        pumps = {asyncio.ensure_future(self._pump(reader, to_writer)), asyncio.ensure_future(self._pump(to_reader, writer))}
        self._pumps |= pumps

    async def _pump(self, reader, writer):
        try:
            while some := await reader.read(65_536):
                await self._hanging.wait()
                writer.write(some)
        finally:
            writer.close()


async def test_a_server_that_hangs_or_goes_away_and_comes_back(store, log):
    config = parts.config("cassandra_reads")
    door = Door(config.cassandra.addresses[0])
    await door.open()
    access = msgspec.structs.replace(config.cassandra, addresses=(f"127.0.0.1:{door.port}",))
    limits = Limits(store_timeout_ms=1_000)
    opened = await open_cassandra(msgspec.structs.replace(config, cassandra=access), limits, SystemClock(), log)
    own = id_at(NOW_MS)
    try:
        await opened.tweets.put([new(own)])
        for trouble, errors in ((door.hang, (StoreTimeout, StoreDown)), (door.shut, (StoreTimeout, StoreDown))):
            done = trouble()
            if done is not None:
                await done
            for call in (opened.tweets.get([own]), opened.tweets.put([new(own + 1)]), opened.engagement.like([(ADA, own)], 5, [()])):
                began = time.monotonic()
                with pytest.raises(errors):
                    await call
                assert time.monotonic() - began < 1.6
            assert await opened.check() != "ok"
            await door.open() if done is not None else door._hanging.set()
            until = time.monotonic() + 15
            while await opened.check() != "ok":
                assert time.monotonic() < until, "it did not find back"
                await asyncio.sleep(0.1)
            assert (await opened.tweets.get([own]))[0] is not None
    finally:
        store.session.written |= opened.session.written  # emptied with what it wrote itself
        await opened.close()
        await door.shut()
