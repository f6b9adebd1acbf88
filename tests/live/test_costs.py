"""What the hot paths ask of the servers: how many commands a post, its delivery, a read of home and a follow cost, over whole live
stores. No command a follower, nothing one after the other for each element."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import builders
import pytest
from builders import NOON_MS, build_twit, crowd, make_friends, make_users, settle
from worlds import PARTITIONS, open_live

from twit.core.clock import ManualClock
from twit.core.stores.live import cassandra_session, kafka_producer, redis_wire
from twit.core.stores.live.mysql import server
from twit.core.stores.live.redis_calls import PAIRS

pytestmark = pytest.mark.live
FANS = 200
NODES = 3
BESIDE = (  # sweeping outboxes, leases, places: what a process does all the time, whatever is asked of it
    "outbox", "lease", "LOCK", "shard_map", "consumer_groups", "work", "DO 1", "buckets.newest", "directory",
)


@dataclass
class Sent:
    """What one command came to: its answer, statements by server, and the longest chain of waits for Cassandra."""

    answer: object
    cassandra: Counter[str]
    mysql: Counter[str]
    redis: Counter[str]
    kafka: Counter[str]
    longest: int


class Asked:
    """Everything that is sent to a server while it watches. What a process does beside (sweeping outboxes, leases, places) is not
    part of what a command costs and is left out."""

    def __init__(self, monkeypatch) -> None:
        self.cassandra, self.mysql, self.redis, self.kafka = Counter(), Counter(), Counter(), Counter()
        self.rounds = self._under_way = 0  # times that Cassandra was asked while nothing was under way there
        send, run, many = cassandra_session.CassandraSession._send, server.Session.run, server.Session.many
        wire, produce = redis_wire.Wire.send, kafka_producer.Producer.send

        async def cassandra(session, statement, values, profile):
            names = {id(one): name for name, one in session.driver.prepared.items()}
            name = names.get(id(statement), "batch")
            self.cassandra[name] += 1
            if not self._under_way and name not in BESIDE:
                self.rounds += 1
            self._under_way += 1
            try:
                return await send(session, statement, values, profile)
            finally:
                self._under_way -= 1

        def mysql(session, sql, parameters=None):
            self.mysql[" ".join(sql.split())] += 1
            return run(session, sql, parameters)

        def mysql_many(session, sql, rows):
            self.mysql[" ".join(sql.split())] += bool(rows)
            return many(session, sql, rows)

        def redis(connection, commands):
            for command in commands:
                self.redis[str(command[1] if command[0] == "FCALL" else command[0])] += 1
            return wire(connection, commands)

        async def kafka(producer, records):
            self.kafka.update({record.place.topic.rpartition(".")[2] for record in records})
            return await produce(producer, records)

        for owner, name, instead in (
            (cassandra_session.CassandraSession, "_send", cassandra), (server.Session, "run", mysql),
            (server.Session, "many", mysql_many), (redis_wire.Wire, "send", redis), (kafka_producer.Producer, "send", kafka),
        ):
            monkeypatch.setattr(owner, name, instead)

    async def by(self, act) -> Sent:
        for one in (self.cassandra, self.mysql, self.redis, self.kafka):
            one.clear()
        self.rounds = 0
        answer = await act
        return Sent(answer, Counter(self.cassandra), Counter(self.mysql), Counter(self.redis), Counter(self.kafka), self.rounds)


@pytest.fixture
async def twit(tmp_path, monkeypatch):
    monkeypatch.setattr(builders, "opened", open_live)
    made = await build_twit(tmp_path, ManualClock(NOON_MS))
    yield made
    await made.stores.health.close()


@pytest.fixture
def asked(monkeypatch):
    return Asked(monkeypatch)


def of(found: Counter[str], *words: str) -> int:
    """How many of the statements begin with one of these words, or name one of them."""
    return sum(many for statement, many in found.items() if any(word in statement for word in words))


def kept(found: Counter[str]) -> Counter[str]:
    """Without what goes on beside."""
    return Counter({one: many for one, many in found.items() if not any(word in one for word in BESIDE)})


async def test_a_plain_post_is_one_look_one_batch_one_counter_and_one_push_of_the_authors_own_row(twit, asked):
    star, _ = await crowd(twit, FANS)
    await twit.post(star, "the first one finds caches empty")
    sent = await asked.by(twit.post(star, "hi"))
    assert kept(sent.cassandra) == {"tweets.one": 1, "batch": 1, "authors.add": 1}
    assert not kept(sent.mysql) and sent.redis == {"twit_timelines_1_list_push": 1}
    await settle(twit)
    assert asked.kafka == {"tweets": 1}  # by the relay, which does not hold up the answer


async def test_delivery_to_two_hundred_followers_is_a_call_a_node_and_batch(twit, asked):
    star, _ = await crowd(twit, FANS)
    await settle(twit)
    for posts in (1, 10):
        for number in range(posts):
            await twit.post(star, f"{number}")
        sent = await asked.by(settle(twit))
        batches = -(-posts * (FANS + 1) // PAIRS)
        assert sent.redis.keys() == {"twit_timelines_1_list_push"}
        assert sent.redis.total() <= NODES + batches, posts
        assert of(sent.mysql, "FROM followers", "FROM user_counts") <= 2, posts
        assert of(sent.mysql, "INSERT INTO deliveries") <= 2, posts  # a record a step
        assert not of(kept(sent.cassandra), "tweets", "page"), posts


async def test_many_authors_of_one_batch_of_events_cost_as_many_statements_as_one(twit, asked):
    people = await make_users(twit, " ".join(f"p{number}" for number in range(40)))
    await make_friends(twit, *pairwise(people))
    for person in people:
        await twit.post(person, "hi")
    sent = await asked.by(settle(twit))
    assert of(sent.mysql, "FROM followers", "FROM user_counts") <= 2 * PARTITIONS
    assert sent.redis.total() <= NODES * PARTITIONS


async def test_a_warm_read_of_fifty_tweets_is_one_command(twit, asked):
    star, (fan, *_) = await crowd(twit, 3)
    for number in range(60):
        await twit.post(star, f"{number}")
    await settle(twit)
    page = await twit.home_timeline(fan, "", 50)
    assert len(page.page.tweets) == 50
    sent = await asked.by(twit.home_timeline(fan, "", 50))
    assert sent.redis == {"twit_timelines_1_list_read": 1}
    assert not kept(sent.mysql) and not kept(sent.cassandra)


async def test_a_process_that_knows_nothing_reads_fifty_tweets_by_a_few_statements(tmp_path, twit, asked):
    people = await make_users(twit, " ".join(["reader", *(f"p{number}" for number in range(25))]))
    reader, *authors = people
    await make_friends(twit, *((reader, author) for author in authors))
    for number in range(60):
        await twit.post(authors[number % 25], f"{number}")
    await settle(twit)
    other = await build_twit(tmp_path, ManualClock(NOON_MS))
    try:
        sent = await asked.by(other.home_timeline(reader, "", 50))
        assert len(sent.answer.page.tweets) == 50
    finally:
        await other.stores.health.close()
    assert sent.redis == {"twit_timelines_1_list_read": 1}
    assert of(sent.cassandra, "tweets.") <= -(-60 // 16) + 1  # by so many ids at once
    assert kept(sent.cassandra).total() <= 12 and kept(sent.mysql).total() <= 8


async def test_a_cold_read_asks_for_all_authors_at_once_and_builds_the_row_by_three_calls(twit, asked):
    people = await make_users(twit, " ".join(["reader", *(f"p{number}" for number in range(40))]))
    reader, *authors = people
    await make_friends(twit, *((reader, author) for author in authors))
    for number in range(60):
        await twit.post(authors[number % 40], f"{number}")
    await settle(twit)
    await twit.home_timeline(reader, "", 50)
    await twit.stores.timelines.drop([reader])
    sent = await asked.by(twit.home_timeline(reader, "", 50))
    assert len(sent.answer.page.tweets) == 50
    assert of(sent.cassandra, "page") <= len(authors), sent.cassandra
    assert sent.longest <= 12, "one after the other for each author"
    assert kept(sent.mysql).total() <= 4, sent.mysql
    await settle(twit)
    assert sent.redis.total() <= 5, sent.redis


async def test_a_follow_is_one_transaction_of_six_statements_and_one_event(twit, asked):
    one, other = await make_users(twit, "one other")
    await twit.home_timeline(one, "", 50)
    sent = await asked.by(twit.follow(one, other))
    assert kept(sent.mysql).total() <= 7 and of(sent.mysql, "INSERT INTO following") == 1, sent.mysql
    assert not kept(sent.cassandra) and not sent.redis
    sent = await asked.by(settle(twit))
    assert of(sent.mysql, "INSERT INTO followers") == 1
    assert kept(sent.redis).total() <= 4, sent.redis
