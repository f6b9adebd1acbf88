"""`core.routing.route` once more, compiled, for the hundreds of millions of keys of a day; a test holds the two equal.

CRC16 is linear: the slot of a Redis key is the xor of what its groups of three digits contribute, so three small tables
answer for every id below 2^31.
"""

# mypy: disable-error-code="arg-type, assignment, return-value"
# (compiled code has one kind of integer where numpy has many)

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ...core.routing import SLOTS_BITS, Epoch, Kept, Tier, crc16
from ..compiled import njit

Slots = npt.NDArray[np.uint16]

THOUSAND = 1_000
TOPS = 2_148  # groups above the last six digits, for ids below 2^31
LOW, MID, SMALL, TOP, END = 0, 1_000, 2_000, 4_000, 4_000 + TOPS  # offsets: ..d, ..d... , ids below 1e6, the rest

_S13, _S15 = np.uint32(13), np.uint32(15)
_S24 = np.uint32(24)
_M = np.uint32(0x5BD1E995)
_U33, _U31, _U30, _U27 = np.uint64(33), np.uint64(31), np.uint64(30), np.uint64(27)
_U32, _U8 = np.uint64(32), np.uint64(8)
_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_F1, _F2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN, _M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW32 = np.uint64(0xFFFFFFFF)


@cache
def slots_of(kept: Kept) -> Slots:
    """The tables of one kind of Redis keys, flat."""
    table = np.zeros(END, np.uint16)
    prefix = kept.place.encode()
    for group in range(THOUSAND):
        digits = f"{group:03d}".encode()
        table[LOW + group] = crc16(digits)
        table[MID + group] = crc16(digits + bytes(3))
        table[SMALL + group] = crc16(prefix + str(group).encode())  # ids below a thousand
        table[SMALL + THOUSAND + group] = crc16(prefix + str(group).encode() + bytes(3))  # thousands of ids below a million
    for group in range(TOPS):
        table[TOP + group] = crc16(prefix + str(group).encode() + bytes(6))
    table.setflags(write=False)
    return table


@njit
def redis_shard(slots: Slots, key: int, shards: int) -> int:
    """The Redis shard of a key below 2^31."""
    thousands = key // THOUSAND
    low = key - thousands * THOUSAND
    if thousands == 0:
        crc = np.int64(slots[SMALL + low])
    elif thousands < THOUSAND:
        crc = np.int64(slots[SMALL + THOUSAND + thousands]) ^ np.int64(slots[LOW + low])
    else:
        millions = thousands // THOUSAND
        middle = thousands - millions * THOUSAND
        crc = np.int64(slots[TOP + millions]) ^ np.int64(slots[MID + middle]) ^ np.int64(slots[LOW + low])
    return ((crc & 0x3FFF) * shards) >> SLOTS_BITS


@njit
def kafka_partition(key: int, partitions: int) -> int:
    """Kafka's partition of a key of eight bytes, big end first."""
    h = np.uint32(0x9747B28C) ^ np.uint32(8)
    for half in range(2):
        word = (np.uint64(key) >> (_U32 if half == 0 else np.uint64(0))) & _LOW32
        k = np.uint32(0)
        for byte in range(4):
            k = np.uint32((k << np.uint32(8)) | np.uint32((word >> (_U8 * np.uint64(byte))) & np.uint64(255)))
        k = np.uint32(k * _M)
        k = np.uint32((k ^ (k >> _S24)) * _M)
        h = np.uint32(np.uint32(h * _M) ^ k)
    h = np.uint32((h ^ (h >> _S13)) * _M)
    h = np.uint32(h ^ (h >> _S15))
    return np.int64(h & np.uint32(0x7FFFFFFF)) % partitions


@njit
def cassandra_shard(key: int, shards: int) -> int:
    """The range of the ring that holds the Murmur3 token of a key of eight bytes, big end first."""
    k = np.uint64(0)
    for at in range(8):
        byte = (np.uint64(key) >> (_U8 * np.uint64(7 - at))) & np.uint64(255)
        if byte > np.uint64(127):
            byte |= np.uint64(0xFFFFFFFFFFFFFF00)
        k ^= byte << (_U8 * np.uint64(at))
    k *= _C1
    k = (k << _U31) | (k >> _U33)
    h1 = (k * _C2) ^ np.uint64(8)
    h2 = np.uint64(8)
    h1 += h2
    h2 += h1
    h1 = _finished(h1) + _finished(h2)
    if h1 == np.uint64(0x8000000000000000):
        h1 = np.uint64(0x7FFFFFFFFFFFFFFF)
    return high_product(h1 + np.uint64(0x8000000000000000), shards)


@njit
def gateway_of(key: int, gateways: int) -> int:
    """The gateway that a user's connection reaches."""
    h = np.uint64(key) + _GOLDEN
    h = (h ^ (h >> _U30)) * _M1
    h = (h ^ (h >> _U27)) * _M2
    return high_product(h ^ (h >> _U31), gateways)


@njit
def high_product(x: int, n: int) -> int:
    """(x * n) >> 64 for x of 64 bits and n below 2^32."""
    low = (np.uint64(x) & _LOW32) * np.uint64(n)
    high = (np.uint64(x) >> _U32) * np.uint64(n)
    return np.int64((high + (low >> _U32)) >> _U32)


@njit
def _finished(h: int) -> int:
    h = np.uint64(h)
    h = (h ^ (h >> _U33)) * _F1
    h = (h ^ (h >> _U33)) * _F2
    return h ^ (h >> _U33)


@njit
def routes(which: int, slots: Slots, keys: npt.NDArray[np.int64], shards: int) -> npt.NDArray[np.int64]:
    """The shard of each key; `which` is the tier's place in `TIERS`."""
    out = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        if which == 0:
            out[i] = redis_shard(slots, keys[i], shards)
        elif which == 1:
            out[i] = cassandra_shard(keys[i], shards)
        elif which == 2:
            out[i] = keys[i] % shards
        elif which == 3:
            out[i] = kafka_partition(keys[i], shards)
        else:
            out[i] = gateway_of(keys[i], shards)
    return out


TIERS = (Tier.REDIS, Tier.CASSANDRA, Tier.MYSQL, Tier.KAFKA, Tier.GATEWAY)


def shards_of(kept: Kept, keys: npt.NDArray[np.int64], epoch: Epoch) -> npt.NDArray[np.int64]:
    """`route` of every key, below 2^31 where it lies in Redis."""
    tier = kept.tier
    slots = slots_of(kept) if tier is Tier.REDIS else np.zeros(1, np.uint16)
    return routes(TIERS.index(tier), slots, keys, epoch.shards(tier))


def even_shares(tier: Tier, epoch: Epoch) -> npt.NDArray[np.float64]:
    """What part of many evenly mixed keys each shard holds: exact for Redis, whose slots need not divide."""
    shards = epoch.shards(tier)
    if tier is not Tier.REDIS:
        return np.full(shards, 1 / shards)
    slots = 1 << SLOTS_BITS
    return np.bincount(np.arange(slots) * shards >> SLOTS_BITS, minlength=shards) / slots
