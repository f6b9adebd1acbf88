"""Which topic and partition an event belongs to, the topics themselves, and from where their offsets are counted.

An event's key picks its partition as Kafka's own clients do (murmur2 of the key's eight bytes, the highest first), so that all
events of one key lie in one partition, in order. The number of partitions is fixed when a topic is made. Offsets are counted
from an origin, kept in a compacted topic: 0, unless someone moved it to the present end to begin anew.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.partitioner.default import murmur2

from ...errors import StoreCorrupt, StoreDown
from ...events import Event, EventKind
from .config import LiveConfig
from .kafka_client import TIMEOUT_MS, consumer_options, options, translated

DAY_MS = 86_400_000
KEPT_FOREVER = "-1"  # until `EventLog.trim` has dropped what everybody passed
TWEETS, SOCIAL, ENGAGEMENT = "tweets", "social", "engagement"
GROUP_TOPIC = {"fanout": TWEETS, "social": SOCIAL}
RETENTION_MS = {TWEETS: KEPT_FOREVER, SOCIAL: KEPT_FOREVER, ENGAGEMENT: str(DAY_MS)}  # nobody consumes likes but the caches
DEAD_LETTERS, DEAD_LETTERS_MS = "dead-letters", str(30 * DAY_MS)
ORIGINS = "origins"

_TOPIC_OF = dict.fromkeys(EventKind, SOCIAL) | {
    EventKind.TWEET_CREATED: TWEETS, EventKind.TWEET_DELETED: TWEETS, EventKind.MODE_CHECK: TWEETS,
    EventKind.MODE_CHANGED: TWEETS, EventKind.PARTED: TWEETS, EventKind.LIKED: ENGAGEMENT, EventKind.UNLIKED: ENGAGEMENT,
}  # fmt: skip
_KEY = struct.Struct(">q")


@lru_cache(maxsize=65_536)
def keyed(key: int, partitions: int) -> tuple[bytes, int]:
    """A key as Kafka has it, and its partition."""
    packed = _KEY.pack(key)
    return packed, (murmur2(packed) & 0x7FFFFFFF) % partitions


class Topics:
    """The topics of one namespace. Names only: nothing is asked of a server."""

    def __init__(self, config: LiveConfig) -> None:
        self.namespace = config.namespace
        self.partitions = config.partitions
        self.dead_letters = f"{config.namespace}.{DEAD_LETTERS}"
        self.origins = f"{config.namespace}.{ORIGINS}"
        self._names = {topic: f"{config.namespace}.{topic}" for topic in RETENTION_MS}

    def place(self, event: Event) -> tuple[TopicPartition, bytes]:
        """Where an event goes, and its key there."""
        key, partition = keyed(event.key, self.partitions)
        return TopicPartition(self._names[_TOPIC_OF[event.kind]], partition), key

    def of_group(self, group: str) -> list[TopicPartition]:
        """The partitions that a consumer group goes through; none for a group that nobody consumes for."""
        topic = GROUP_TOPIC.get(group)
        return [TopicPartition(self._names[topic], number) for number in range(self.partitions)] if topic else []

    def all(self) -> list[TopicPartition]:
        """Every partition that holds events."""
        return [TopicPartition(name, number) for name in self._names.values() for number in range(self.partitions)]

    def wanted(self) -> dict[str, tuple[int, dict[str, str]]]:
        """What there must be: partitions and settings by name."""
        found = {self._names[topic]: (self.partitions, {"retention.ms": kept}) for topic, kept in RETENTION_MS.items()}
        found[self.dead_letters] = (1, {"retention.ms": DEAD_LETTERS_MS})
        found[self.origins] = (1, {"cleanup.policy": "compact"})
        return found


def create(config: LiveConfig) -> list[str]:
    """Make the topics that are missing; returns their names. Blocking. Raises `StoreDown`, `StoreCorrupt` (other partitions)."""
    topics = Topics(config)
    wanted = topics.wanted()
    admin = None
    try:
        admin = KafkaAdminClient(**options(config.kafka, TIMEOUT_MS))
        there = {name: len(partitions) for name, partitions in _described(admin, wanted).items()}
        missing = [name for name in wanted if name not in there]
        _check(there, wanted, missing)
        if missing:
            insync = {"min.insync.replicas": str(max(1, config.replication - 1))}
            admin.create_topics(
                [NewTopic(name, wanted[name][0], config.replication, topic_configs=wanted[name][1] | insync) for name in missing],
                wait_for_metadata=True,
            )
    except Exception as error:
        raise translated(error) or error from error
    else:
        return missing
    finally:
        if admin is not None:
            admin.close()


def read_origins(config: LiveConfig) -> dict[TopicPartition, int]:
    """Check that the topics are there as they must be, and read their origins. Blocking. Raises as `create`, and `StoreDown`
    where one is missing."""
    topics = Topics(config)
    wanted, consumer = topics.wanted(), None
    try:
        consumer = KafkaConsumer(**consumer_options(config.kafka, TIMEOUT_MS))
        consumer.topics()
        there = {name: len(found) for name in wanted if (found := consumer.partitions_for_topic(name))}
        _check(there, wanted, ())
        return dict.fromkeys(topics.all(), 0) | _kept_origins(consumer, TopicPartition(topics.origins, 0))
    except Exception as error:
        raise translated(error) or error from error
    finally:
        if consumer is not None:
            consumer.close(autocommit=False)


def begin_anew(config: LiveConfig) -> None:
    """Move every origin to the present end: what was logged before is as if it had never been. Blocking; for worlds that are
    emptied, with no process open."""
    topics, consumer, producer = Topics(config), None, None
    try:
        consumer = KafkaConsumer(**consumer_options(config.kafka, TIMEOUT_MS))
        ends: Mapping[Any, int] = consumer.end_offsets(topics.all())
        producer = KafkaProducer(**options(config.kafka, TIMEOUT_MS), acks="all")
        for place, end in ends.items():
            key = msgspec.json.encode((place.topic, place.partition))
            producer.send(topics.origins, key=key, value=str(end).encode(), partition=0)
        producer.flush(TIMEOUT_MS / 1_000)
    except Exception as error:
        raise translated(error) or error from error
    finally:
        if consumer is not None:
            consumer.close(autocommit=False)
        if producer is not None:
            producer.close()


def _described(admin: Any, wanted: Mapping[str, object]) -> dict[str, list[object]]:
    names = set(admin.list_topics()) & set(wanted)
    return {topic["name"]: topic["partitions"] for topic in admin.describe_topics(sorted(names))} if names else {}


def _check(there: Mapping[str, int], wanted: Mapping[str, tuple[int, object]], missing_ok: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in there and name not in missing_ok]
    if missing:
        raise StoreDown(f"no topic {', '.join(missing)}", try_="twit context init NAME")
    for name, partitions in there.items():
        if partitions != wanted[name][0]:
            what = f"topic {name} has {partitions} partitions, the settings say {wanted[name][0]}"
            meaning = "an event's key picks its partition, so their number is fixed once a topic was made"
            raise StoreCorrupt(what, meaning=meaning, try_="set the number that it has")


def _kept_origins(consumer: Any, place: TopicPartition) -> dict[TopicPartition, int]:
    consumer.assign([place])
    end = consumer.end_offsets([place])[place]
    consumer.seek_to_beginning(place)
    origins: dict[TopicPartition, int] = {}
    while consumer.position(place) < end:
        for record in consumer.poll(timeout_ms=TIMEOUT_MS).get(place, ()):
            topic, partition = msgspec.json.decode(record.key)
            origins[TopicPartition(topic, partition)] = int(record.value)
    return origins
