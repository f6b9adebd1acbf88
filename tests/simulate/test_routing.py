"""Where keys live: as the stores themselves would place them."""

from collections import Counter

import pytest

from twit.core.routing import Epoch, Kept, Tier, crc16, hash_slot, partition, route, token


def test_redis_slots_are_those_of_the_cluster_specification():
    assert crc16(b"123456789") == 0x31C3
    assert hash_slot(b"123456789") == 12739
    assert hash_slot(b"foo") == 12182


def test_a_hash_tag_alone_decides_the_slot():
    assert hash_slot(b"{user1000}.following") == hash_slot(b"{user1000}.followers") == hash_slot(b"user1000")
    assert hash_slot(b"foo{}{bar}") == crc16(b"foo{}{bar}") & 16383
    assert hash_slot(b"foo{{bar}}zap") == hash_slot(b"{bar")


def test_cassandra_tokens_are_those_that_the_server_gives():
    assert token(b"") == 0
    assert token(b"123") == -7468325962851647638  # vectors of the Python driver
    assert token(b"\x00\xff\x10\xfa\x99" * 10) == 5837342703291459765
    assert token(b"\xfe" * 8) == -8927430733708461935
    assert token(b"\x10" * 8) == 1446172840243228796


def test_kafka_partitions_are_those_of_its_own_clients():
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, murmur2 in vectors.items():
        assert partition(key, 1 << 30) == (murmur2 & 0x7FFFFFFF) % (1 << 30)


@pytest.mark.parametrize("kept", Kept)
def test_keys_spread_evenly_and_stay_where_they_are(kept):
    epoch = Epoch()
    tier = kept.tier
    shards = epoch.shards(tier)
    counts = Counter(route(kept, key, epoch) for key in range(1, 200 * shards + 1))
    assert set(counts) == {(tier, shard) for shard in range(shards)}
    assert max(counts.values()) < 200 * 1.6
    assert route(kept, 12345, epoch) == route(kept, 12345, epoch)


def test_a_user_belongs_to_the_shard_of_his_dense_id():
    assert route(Kept.FOLLOWERS, 1_000_003, Epoch()) == (Tier.MYSQL, 1_000_003 % 256)
