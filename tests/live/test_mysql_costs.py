"""What calls cost: rows read, statements sent. Nothing on the way of a request may read a table whole, however it is
asked."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from parts import ListedLog, config
from parts_mysql import TABLES, open_empty

from twit.core.clock import ManualClock
from twit.core.entries import AuthorMode, Delivery, FanoutMode
from twit.core.events import Event, EventKind, LoggedEvent, Progress, Work, WorkVerb
from twit.core.limits import Limits
from twit.core.model import NewAccount, NewFollow, Relation, Session

pytestmark = pytest.mark.live

PEOPLE = 1_500
SCANNED_MAX = 400  # rows of temporary tables and small sorts; a whole table here is far more
EVENT = Event(kind=EventKind.FOLLOWED, key=1, actor=1)
COUNTERS = "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_rnd_next', 'Handler_read_next', 'Handler_read_prev')"


@pytest.fixture
async def stores():
    opened = await open_empty(config("mysql_costs"), Limits(), ManualClock(1_750_000_000_000), ListedLog())
    yield opened
    await opened.close()


def read_rows(stores) -> int:
    """Rows that the servers went through for this process, not found by their key."""
    total = 0
    for server in stores.shards.servers:
        for session in server._sessions:
            cursor = session.connection.cursor()
            cursor.execute(COUNTERS)
            total += sum(int(value) for _, value in cursor.fetchall())
            session.connection.commit()
    return total


def request_of(requester: int) -> int:
    """The id of his old request, in the shard of the one he asks."""
    return (10_000 + requester) * 256 + requester % 256


async def fill(stores) -> None:
    people = range(1, PEOPLE + 1)
    pairs = [(one, one % PEOPLE + by) for one in people for by in (1, 2)]
    await stores.accounts.create([
        NewAccount(username=f"u{one}", email=f"u{one}@x.org", password_hash="", display_name="u", created_ms=1) for one in people
    ])
    await stores.graph.follow([NewFollow(follower=one, followee=to) for one, to in pairs], 5_000)
    await stores.graph.carry(pairs)
    await stores.work.advance([Progress(
        group="fanout", offset=1, deliveries=tuple(Delivery(tweet=one, batch=0) for one in people),
        put=tuple(Work(work_id=one, verb=WorkVerb.PUSH, author=1, tweet=1) for one in people),
    )])
    def rows(session) -> None:
        session.many("INSERT INTO relations VALUES (%s, %s, 0, 1, 1, 1)", [(one % 256, one) for one in people])
        session.many("INSERT INTO sessions VALUES (%s, %s, %s, 1)", [(one % 256, one, b"%d" % one) for one in people])
        session.many("INSERT INTO token_directory VALUES (%s, %s, 1)", [(one % 256, b"%d" % one) for one in people])
        session.many("INSERT INTO follow_requests VALUES (%s, %s, %s, %s, 1, 1)", [(one % 256, request_of(one), one, one) for one in people])
        session.many("INSERT INTO fanout_modes VALUES (%s, %s, 0, 1)", [(one % 256, one + PEOPLE) for one in people])
        session.many("INSERT INTO blocked_by VALUES (%s, %s, 1, 1, 1)", [(one % 256, one) for one in people])
        session.many("INSERT INTO parked VALUES (0, %s, 'old', %s, '', '', 1)", [(10_000 + one, one) for one in people])

    def settle(session) -> None:
        for table in TABLES:
            session.run(f"ANALYZE TABLE {table}")

    for server in stores.shards.servers:
        await server.write(rows)
        await server.read(settle)


def calls(stores):
    """Every call on the way of a request or a consumer, asked for one and for two."""
    accounts, graph, relations, tokens = stores.accounts, stores.graph, stores.relations, stores.tokens
    login = Session(token_hash=b"t" * 32, user_id=7, created_ms=1)
    yield "create", partial(accounts.create, [NewAccount(username="new", email="n@x", password_hash="", display_name="", created_ms=1)])
    yield "get", partial(accounts.get, [7])
    yield "ids_of", partial(accounts.ids_of, ["u9", "nobody"])
    yield "counts", partial(accounts.counts, [7])
    yield "credentials", partial(accounts.credentials, 7)
    yield "count", accounts.count
    yield "page", partial(accounts.page, 100, 20)
    yield "follow", partial(graph.follow, [NewFollow(follower=7, followee=900, events=(EVENT,))], 5_000)
    yield "follow two", partial(graph.follow, [NewFollow(follower=7, followee=901), NewFollow(follower=8, followee=901)], 5_000)
    yield "carry", partial(graph.carry, [(7, 900)])
    yield "merged", partial(graph.mark_merged, [(7, 900, 3)])
    yield "following", partial(graph.following, [7])
    yield "is following", partial(graph.is_following, [(7, 8)])
    yield "pages", partial(graph.following_page, 7, 0, 10)
    yield "follower pages", partial(graph.followers_page, 900, 0, 10)
    yield "followers", partial(graph.followers, 900, 0, 10)
    yield "unfollow", partial(graph.unfollow, [(7, 900)], [(EVENT,)])
    yield "carry away", partial(graph.carry, [(7, 900)])
    yield "block", partial(relations.relate, Relation.BLOCK, 7, 9, (EVENT,), 1)
    yield "blocks", partial(relations.blocks, [7, 9])
    yield "unblock", partial(relations.unrelate, Relation.BLOCK, 7, 9, (EVENT,))
    yield "related", partial(relations.related_page, Relation.BLOCK, 7, 0, 10)
    yield "ask", partial(relations.request_follow, 7, 9, retweets=True, at_ms=1, events=(EVENT,))
    yield "asked", partial(relations.requests_page, 9, 0, 10)
    yield "between", partial(relations.request_between, 7, 9)
    yield "close", partial(relations.close_requests, [request_of(9)], [(EVENT,)])
    yield "log in", partial(tokens.put, login)
    yield "who", partial(tokens.get, login.token_hash)
    yield "log out", partial(tokens.revoke, login.token_hash, (EVENT,))
    yield "all out", partial(tokens.revoke_all, 9, (EVENT,))
    yield "mode", partial(stores.modes.put, 7, AuthorMode(FanoutMode.PULL, 1), (EVENT,))
    yield "modes", partial(stores.modes.get, [7])
    yield "pulled", stores.modes.pulled
    yield "advance", partial(stores.work.advance, [Progress(
        group="fanout", offset=2, deliveries=(Delivery(tweet=9_000, batch=0),), done=(7,),
    )])
    yield "deliveries", partial(stores.work.deliveries, [9_000])
    yield "forget", partial(stores.work.forget, [9_000])
    yield "park", partial(stores.work.park, "fanout", LoggedEvent(7, EVENT), "", 1)
    yield "unpark", partial(stores.work.unpark, [1])


async def test_no_call_reads_a_table_whole(stores) -> None:
    await fill(stores)
    (user,) = await stores.accounts.get([7])
    update = partial(stores.accounts.update, msgspec.structs.replace(user, email="other@x.org", bio="b"), (EVENT,))
    for name, call in (*calls(stores), ("update", update), ("outbox", partial(stores.outbox.waiting, 1_750_000_000_001, 100))):
        before = read_rows(stores)
        answer = await call()
        read = read_rows(stores) - before
        assert read <= SCANNED_MAX, f"{name} read {read} rows"
        if name == "outbox":
            assert len(answer) == 100
            before = read_rows(stores)
            await stores.outbox.sent(answer[:1])
            assert read_rows(stores) - before <= SCANNED_MAX


@pytest.mark.parametrize(("name", "most"), [
    ("follow", 6), ("unfollow", 6), ("carry", 6), ("following", 3), ("blocks", 6), ("mode", 4), ("who", 4), ("counts", 2), ("get", 2),
])
async def test_statements_of_a_call_are_few(stores, name, most) -> None:
    """With the epoch, which a transaction asks for instead of BEGIN; without COMMIT."""
    people = [NewAccount(username=f"u{one}", email="", password_hash="", display_name="", created_ms=1) for one in range(1_000)]
    await stores.accounts.create(people)
    for of, call in calls(stores):
        before = stores.shards.statements
        if of in {"create", "page", "count", "update", "ids_of", "credentials"}:
            continue
        await call()
        if of == name:
            assert stores.shards.statements - before <= most
            return
