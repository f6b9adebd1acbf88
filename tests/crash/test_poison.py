"""Events that cannot be handled: parked after their attempts, retried when cured, and never lost, doubled or passed over."""

import pytest
from builders import NOON_MS, home, make_friends, make_users, settle

from twit.core.errors import StoreCorrupt
from twit.core.events import Event, EventKind
from twit.core.fanout import Fanout
from twit.core.model import NewFollow
from twit.ops.events import RetryParked


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
