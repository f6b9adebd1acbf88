"""Which shard of which tier holds a key: the one function that adapters, the simulated day and the queues all ask.

Redis: the hash slot of the key (CRC16, `{tags}` honoured) as Redis Cluster computes it, slots dealt to shards in ranges.
Cassandra: the Murmur3 token of the partition key, the ring of tokens cut into equal ranges. MySQL: logical shards by dense
user id. Kafka: the partition that Kafka's own default partitioner picks for the key. Nothing here speaks to a store, and
nothing but the numbers of an `Epoch` decides how many shards there are.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

SLOTS_BITS = 14
_MASK64 = (1 << 64) - 1


class Tier(StrEnum):
    """Where an operation is served."""

    GATEWAY = "gateway"
    REDIS = "redis"
    CASSANDRA = "cassandra"
    MYSQL = "mysql"
    KAFKA = "kafka"


class Kept(Enum):
    """What is kept under keys of its own: its tier, and its place in it."""

    HOME_ROW = (Tier.REDIS, "tl:")  # key: reader
    AUTHOR_LIST = (Tier.REDIS, "al:")  # key: pulled author
    HOT_TWEET = (Tier.REDIS, "tw:")  # key: tweet
    PROFILE = (Tier.REDIS, "u:")  # key: user
    TWEET_COUNTS = (Tier.REDIS, "tc:")  # key: tweet
    FOLLOWING_SET = (Tier.REDIS, "fs:")  # key: follower
    VIEWER = (Tier.REDIS, "vw:")  # key: viewer
    TWEET = (Tier.CASSANDRA, "tweets")  # key: tweet
    USER_TWEETS = (Tier.CASSANDRA, "user_tweets")  # key: author
    LIKES = (Tier.CASSANDRA, "likes")  # key: tweet
    LIVE_COUNTS = (Tier.CASSANDRA, "tweet_counts")  # key: tweet
    FOLLOWERS = (Tier.MYSQL, "followers")  # key: followee
    FOLLOWING = (Tier.MYSQL, "following")  # key: follower
    USER = (Tier.MYSQL, "users")  # key: user
    EVENTS = (Tier.KAFKA, "events")  # key: what orders the event
    CONNECTION = (Tier.GATEWAY, "connections")  # key: user

    @property
    def tier(self) -> Tier:
        """Who holds it."""
        return self.value[0]

    @property
    def place(self) -> str:
        """What its Redis keys begin with; elsewhere the name of its table or topic."""
        return self.value[1]


class Epoch(NamedTuple):
    """A version of the shard map. Servers refuse an old one; a reshard is a new one."""

    number: int = 1
    redis: int = 100
    cassandra: int = 12
    mysql: int = 256
    kafka: int = 256
    gateway: int = 60

    def shards(self, tier: Tier) -> int:
        """How many shards this tier has."""
        return int(getattr(self, tier.value))


def route(kept: Kept, key: int, epoch: Epoch) -> tuple[Tier, int]:
    """Return the tier and the shard, in [0, `epoch.shards(tier)`), of this key. Keys are ids: 0 <= key < 2^63."""
    tier = kept.tier
    shards = epoch.shards(tier)
    if tier is Tier.REDIS:
        return tier, hash_slot(f"{kept.place}{key}".encode()) * shards >> SLOTS_BITS
    if tier is Tier.CASSANDRA:
        return tier, ((token(key.to_bytes(8)) + (1 << 63)) * shards) >> 64
    if tier is Tier.MYSQL:
        return tier, key % shards
    if tier is Tier.KAFKA:
        return tier, partition(key.to_bytes(8), shards)
    return tier, (mixed(key) * shards) >> 64


def hash_slot(key: bytes) -> int:
    """Return the Redis Cluster slot of a key: of what stands between its first `{` and the next `}`, if anything does."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc16(key) & ((1 << SLOTS_BITS) - 1)


def crc16(data: bytes, crc: int = 0) -> int:
    """CRC-16/XMODEM, going on from `crc`."""
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ CRC16_TABLE[crc >> 8 ^ byte]
    return crc


def _crc16_of_byte(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


CRC16_TABLE = tuple(map(_crc16_of_byte, range(256)))


def token(key: bytes) -> int:
    """Return Cassandra's Murmur3 token of a partition key: the first half of MurmurHash3 x64 128, signed, with seed 0.

    Cassandra sign-extends the bytes of the tail; keys of whole 8-byte words have a tail of at most one such word.
    """
    h1 = h2 = 0
    whole = len(key) // 16 * 16
    for at in range(0, whole, 16):
        k1 = int.from_bytes(key[at : at + 8], "little")
        k2 = int.from_bytes(key[at + 8 : at + 16], "little")
        h1 = (_rotated(h1 ^ _scrambled1(k1), 27) + h2) * 5 + 0x52DCE729 & _MASK64
        h2 = (_rotated(h2 ^ _scrambled2(k2), 31) + h1) * 5 + 0x38495AB5 & _MASK64
    tail = key[whole:]
    if len(tail) > 8:
        h2 ^= _scrambled2(_signed_bytes(tail[8:]))
    if tail:
        h1 ^= _scrambled1(_signed_bytes(tail[:8]))
    h1 ^= len(key)
    h2 ^= len(key)
    h1 = h1 + h2 & _MASK64
    h2 = h2 + h1 & _MASK64
    h1 = _finished(h1) + _finished(h2) & _MASK64
    found = h1 - (1 << 64) if h1 >> 63 else h1
    return (1 << 63) - 1 if found == -(1 << 63) else found


def partition(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives this key: murmur2, made positive, modulo."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


def mixed(key: int) -> int:
    """A key's 64 bits, stirred (the finaliser of splitmix64)."""
    h = key + 0x9E3779B97F4A7C15 & _MASK64
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
    h = (h ^ h >> 27) * 0x94D049BB133111EB & _MASK64
    return h ^ h >> 31


def _signed_bytes(data: bytes) -> int:
    """Little-endian, each byte sign-extended before it is shifted into place, as Cassandra's Java does."""
    k = 0
    for at, byte in enumerate(data):
        k ^= (byte - 256 if byte > 127 else byte) << 8 * at
    return k & _MASK64


def _scrambled1(k: int) -> int:
    return _rotated(k * 0x87C37B91114253D5 & _MASK64, 31) * 0x4CF5AD432745937F & _MASK64


def _scrambled2(k: int) -> int:
    return _rotated(k * 0x4CF5AD432745937F & _MASK64, 33) * 0x87C37B91114253D5 & _MASK64


def _rotated(x: int, bits: int) -> int:
    return (x << bits | x >> 64 - bits) & _MASK64


def _finished(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return h ^ h >> 33
