"""Writing to a real Cassandra: what a write costs, what is left when a process dies in the middle, and who wins a race."""

import asyncio
from contextlib import asynccontextmanager

import parts
import parts_cassandra
import pytest

from twit.core.clock import ManualClock, SystemClock
from twit.core.errors import StoreDown, StoreTimeout
from twit.core.events import Event, EventKind
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet, TweetCounts

pytestmark = pytest.mark.live

NOW_MS = 1_750_000_000_000
ADA, BOB, CLEO = 1, 2, 3
STORED, REPEATED, KEY_REUSED = PutStatus.STORED, PutStatus.REPEATED, PutStatus.KEY_REUSED


@pytest.fixture
def clock():
    return ManualClock(NOW_MS)


@pytest.fixture
def log():
    return parts.ListedLog()


def opening(clock, log, number=1):
    return parts_cassandra.stores(parts.config("cassandra_writes"), Limits(), clock, log, number)


@pytest.fixture
async def store(clock, log):
    async with opening(clock, log) as (opened,):
        yield opened


def tweet_id(number, ago_ms=0):
    return id_at(NOW_MS - ago_ms, 0, number)


def new(number, author=ADA, *, key=None, **more):
    own = number if number > 1 << 22 else tweet_id(number)
    tweet = Tweet(tweet_id=own, author_id=author, conversation_id=more.pop("conversation_id", own), created_ms=NOW_MS, **more)
    event = Event(kind=EventKind.TWEET_CREATED, key=author, actor=author, tweet=own, ref=tweet.retweet_of)
    return NewTweet(tweet=tweet, events=(event,), idempotency=key)


def key(name="k", body=b"body", user=ADA):
    return IdempotencyKey(user, name, body, NOW_MS + 86_400_000)


def told(kind, user, tweet):
    return (Event(kind=kind, key=tweet, actor=user, tweet=tweet),)


def events(log, kind=EventKind.TWEET_CREATED):
    return [one.event.tweet for one in log.events if one.event.kind is kind]


@asynccontextmanager
async def cost(store):
    """Statements, and those of them with a Paxos round, that were sent meanwhile."""
    before = store.session.statements, store.session.conditional
    spent = []
    yield spent
    spent += [store.session.statements - before[0], store.session.conditional - before[1]]


def dying(store, error=StoreDown):
    """The process dies before its next batch, which is to say: after the compare-and-set that goes before it."""
    write, store.session.write = store.session.write, None

    async def die(bound):
        store.session.write = write
        raise error("the process died here")

    store.session.write = die


# what a write costs

async def test_a_plain_tweet_costs_a_read_a_batch_and_a_counter_and_no_paxos_round(store):
    async with cost(store) as spent:
        await store.tweets.put([new(1)])
    assert spent == [3, 0]


async def test_what_else_a_tweet_may_cost(store):
    await store.tweets.put([new(1)])
    for made, expected in (
        (new(2, BOB, reply_to=tweet_id(1), conversation_id=tweet_id(1)), [4, 0]),  # the second counter is the parent's
        (new(3, BOB, key=key(user=BOB)), [4, 1]),
        (new(4, BOB, retweet_of=tweet_id(1)), [5, 1]),  # the pair is claimed, and read only where it is not free
    ):
        async with cost(store) as spent:
            await store.tweets.put([made])
        assert spent == expected


async def test_many_tweets_share_batches_and_counters(store):
    async with cost(store) as spent:
        await store.tweets.put([new(number, number % 4 + 1) for number in range(1, 1_001)])
    statements, conditional = spent
    assert conditional == 0
    assert statements < 1_000 / 32 + 1_000 / 4 + 4 * 4 + 2  # a counter of each author once in 256 tweets


async def test_a_like_costs_a_claim_a_batch_and_a_counter(store):
    for number, expected in ((1, [3, 1]), (1, [2, 1])):  # the repeat: a claim that fails, and what stands there
        async with cost(store) as spent:
            await store.engagement.like([(ADA, tweet_id(number))], NOW_MS, [told(EventKind.LIKED, ADA, tweet_id(number))])
        assert spent == expected


# a process that dies in the middle

async def test_a_key_reserved_by_a_dead_process_is_completed_by_the_repeat_with_no_second_tweet(store, clock, log):
    dying(store)
    with pytest.raises(StoreDown):
        await store.tweets.put([new(1, key=key(), text="once")])
    assert await store.tweets.repeated(key(), NOW_MS) is None
    assert await store.tweets.put([new(2, key=key(), text="once")]) == [PutOutcome(REPEATED, tweet_id(1))]
    assert await store.tweets.get([tweet_id(1), tweet_id(2)]) == [new(1, text="once").tweet, None]
    assert events(log) == [tweet_id(1)]
    assert await store.tweets.author_counts([ADA]) == [1]
    assert clock.now_ms() - NOW_MS >= Limits().store_timeout_ms * 0.6, "another process may still have been at it"
    for _ in range(2):
        assert await store.tweets.put([new(3, key=key(), text="once")]) == [PutOutcome(REPEATED, tweet_id(1))]
    (entries,) = await store.tweets.by_authors([ADA], limit=10)
    assert entries[:, 0].tolist() == [tweet_id(1)]


async def test_a_batch_that_comes_to_light_after_the_repeat_makes_no_second_tweet(store, log):
    """As when the coordinator dies with the batch in its log and replays it a minute later."""
    late = []
    write = store.session.write

    async def stall(bound):
        late.append(bound)
        store.session.write = write
        raise StoreTimeout("no answer")

    store.session.write = stall
    with pytest.raises(StoreTimeout):
        await store.tweets.put([new(1, key=key(), text="once")])
    await store.tweets.put([new(2, key=key(), text="once")])
    await store.session.write(late[0])
    (entries,) = await store.tweets.by_authors([ADA], limit=10)
    assert entries[:, 0].tolist() == [tweet_id(1)]
    assert await store.tweets.author_counts([ADA]) == [1]


async def test_a_reserved_key_is_anothers_body_only_once_its_owner_must_be_dead(store, clock):
    dying(store)
    with pytest.raises(StoreDown):
        await store.tweets.put([new(1, key=key())])
    other = new(2, key=key(body=b"other"))
    assert await store.tweets.put([other]) == [PutOutcome(KEY_REUSED, 0)]
    clock.advance(3)
    assert await store.tweets.put([other]) == [PutOutcome(STORED, tweet_id(2))]
    assert await store.tweets.put([new(3, key=key())]) == [PutOutcome(KEY_REUSED, 0)]
    assert await store.tweets.get([tweet_id(1)]) == [None]


async def test_a_retweet_reserved_by_a_dead_process_is_completed_by_the_next(store, log):
    await store.tweets.put([new(1)])
    dying(store)
    with pytest.raises(StoreDown):
        await store.tweets.put([new(2, BOB, retweet_of=tweet_id(1))])
    assert await store.tweets.retweet_ids(BOB, [tweet_id(1)]) == [0]
    assert await store.tweets.put([new(3, BOB, retweet_of=tweet_id(1))]) == [PutOutcome(REPEATED, tweet_id(2))]
    assert await store.tweets.retweet_ids(BOB, [tweet_id(1)]) == [tweet_id(2)]
    assert events(log) == [tweet_id(1), tweet_id(2)]
    assert await store.engagement.counts([tweet_id(1)]) == [TweetCounts(retweets=1)]


async def test_a_reservation_that_nobody_came_back_for_is_given_to_a_new_tweet_after_hours(store, clock):
    await store.tweets.put([new(1)])
    for made in (new(2, BOB, retweet_of=tweet_id(1)), new(3, key=key())):
        dying(store)
        with pytest.raises(StoreDown):
            await store.tweets.put([made])
    clock.advance(5 * 3_600)
    assert await store.tweets.put([new(4, BOB, retweet_of=tweet_id(1))]) == [PutOutcome(STORED, tweet_id(4))]
    assert await store.tweets.put([new(5, key=key())]) == [PutOutcome(STORED, tweet_id(5))]


async def test_a_keyed_retweet_that_finds_one_standing_gives_its_key_to_that(store):
    await store.tweets.put([new(1), new(2, BOB, retweet_of=tweet_id(1))])
    keyed = key(user=BOB)
    for number in (3, 4):
        outcome = await store.tweets.put([new(number, BOB, retweet_of=tweet_id(1), key=keyed)])
        assert outcome == [PutOutcome(REPEATED, tweet_id(2))]
    assert await store.tweets.repeated(keyed, NOW_MS) == PutOutcome(REPEATED, tweet_id(2))


async def test_a_delete_that_was_broken_off_is_finished_by_the_repeat_with_its_first_event(store, log):
    await store.tweets.put([new(1), new(2, BOB, reply_to=tweet_id(1))])
    dying(store)
    with pytest.raises(StoreDown):
        await store.tweets.delete([tweet_id(2)], [told(EventKind.TWEET_DELETED, BOB, tweet_id(2))])
    assert (await store.tweets.get([tweet_id(2)]))[0].deleted
    assert events(log, EventKind.TWEET_DELETED) == []
    for expected in (True, False):
        assert await store.tweets.delete([tweet_id(2)], [told(EventKind.TWEET_DELETED, CLEO, tweet_id(2))]) == [expected]
    assert [one.event.actor for one in log.events if one.event.kind is EventKind.TWEET_DELETED] == [BOB]
    assert await store.engagement.counts([tweet_id(1)]) == [TweetCounts()]
    assert await store.tweets.author_counts([ADA, BOB]) == [1, 0]
    assert (await store.tweets.by_authors([BOB], limit=5))[0].size == 0


@pytest.mark.parametrize("again", ["like", "unlike"])
async def test_a_like_that_was_broken_off_is_finished_by_whoever_comes_next(store, log, again):
    one, pair = tweet_id(1), (ADA, tweet_id(1))
    dying(store)
    with pytest.raises(StoreDown):
        await store.engagement.like([pair], NOW_MS, [told(EventKind.LIKED, ADA, one)])
    assert await store.engagement.likers_page(one, 0, 5) == []
    if again == "like":
        assert await store.engagement.like([pair], NOW_MS, [told(EventKind.LIKED, ADA, one)]) == [True]
    else:
        assert await store.engagement.unlike([pair], [told(EventKind.UNLIKED, ADA, one)]) == [True]
    stands = again == "like"
    assert events(log, EventKind.LIKED) == [one]
    assert len(events(log, EventKind.UNLIKED)) == (not stands)
    assert await store.engagement.liked(ADA, [one]) == [stands]
    assert await store.engagement.counts([one]) == [TweetCounts(likes=int(stands))]
    assert len(await store.engagement.likers_page(one, 0, 5)) == stands


async def test_an_unlike_that_was_broken_off_is_finished_before_the_next_like(store, log):
    one, pair = tweet_id(1), (ADA, tweet_id(1))
    await store.engagement.like([pair], NOW_MS, [told(EventKind.LIKED, ADA, one)])
    dying(store)
    with pytest.raises(StoreDown):
        await store.engagement.unlike([pair], [told(EventKind.UNLIKED, ADA, one)])
    assert await store.engagement.like([pair], NOW_MS, [told(EventKind.LIKED, ADA, one)]) == [True]
    assert [one.event.kind.value for one in log.events] == ["liked", "unliked", "liked"]
    assert len(await store.engagement.likers_page(one, 0, 5)) == 1
    assert (await store.engagement.recent_likes(ADA, 5)) == ([one], True)
    assert await store.engagement.counts([one]) == [TweetCounts(likes=1)]


async def test_counts_that_got_no_answer_fail_nothing_and_are_recounted(store):
    send = store.session._send

    async def no_counters(statement, values, profile):
        if "likes = likes" in getattr(statement, "query_string", "") or "tweets = tweets" in getattr(statement, "query_string", ""):
            raise StoreTimeout("no answer")
        return await send(statement, values, profile)

    store.session._send = no_counters
    await store.tweets.put([new(1), new(2, BOB, reply_to=tweet_id(1))])
    await store.engagement.like([(BOB, tweet_id(1))], NOW_MS, [()])
    assert store.session.lost_counts == 4
    store.session._send = send
    assert await store.engagement.counts([tweet_id(1)]) == [TweetCounts()]
    assert await store.engagement.recount([tweet_id(1)]) == [TweetCounts(likes=1, replies=1)]
    assert await store.engagement.counts([tweet_id(1)]) == [TweetCounts(likes=1, replies=1)]
    assert await store.tweets.recount_authors([ADA, BOB]) == [1, 1] == await store.tweets.author_counts([ADA, BOB])


# races between processes

async def test_of_many_who_race_one_wins(log):
    clock = SystemClock()
    async with opening(clock, log, 3) as stores:
        await stores[0].tweets.put([new(1)])
        held = IdempotencyKey(ADA, "k", b"body", clock.now_ms() + 86_400_000)
        puts = [stores[n % 3].tweets.put([new(n, key=held)]) for n in range(2, 14)]
        puts += [stores[n % 3].tweets.put([new(n, BOB, retweet_of=tweet_id(1))]) for n in range(14, 26)]
        likes = [stores[n % 3].engagement.like([(CLEO, tweet_id(1))], NOW_MS, [told(EventKind.LIKED, CLEO, 1)]) for n in range(12)]
        outcomes = [one for (one,) in await asyncio.gather(*puts)]
        liked = [one for (one,) in await asyncio.gather(*likes)]
        for some in (outcomes[:12], outcomes[12:]):
            assert sum(one.status is STORED for one in some) == 1
            assert len({one.tweet_id for one in some}) == 1
        assert sum(liked) == 1
        assert len(events(log)) == 3
        assert await stores[0].engagement.counts([tweet_id(1)]) == [TweetCounts(likes=1, retweets=1)]
        deletes = [store.tweets.delete([tweet_id(1)], [told(EventKind.TWEET_DELETED, ADA, tweet_id(1))]) for store in stores * 3]
        assert sum(one for (one,) in await asyncio.gather(*deletes)) == 1
        assert events(log, EventKind.TWEET_DELETED) == [tweet_id(1)]


async def test_a_claim_that_took_too_long_to_win_is_left_to_the_repeat(store, clock, log):
    compare = store.session.compare

    async def slowly(bound):
        clock.advance(2)
        store.session.compare = compare
        return await compare(bound)

    store.session.compare = slowly
    with pytest.raises(StoreTimeout):
        await store.tweets.put([new(1, key=key())])
    assert await store.tweets.get([tweet_id(1)]) == [None]
    assert await store.tweets.put([new(2, key=key())]) == [PutOutcome(REPEATED, tweet_id(1))]
    assert events(log) == [tweet_id(1)]
