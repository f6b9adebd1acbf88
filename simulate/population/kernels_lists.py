"""Whole lists in compiled code: whom a user follows, and who follows him. Each list is a set, and both sides tell the same edges.

A one-way edge that repeats a mutual one, or that leads to oneself, is left out on both sides by the same test. Mutual
edges with celebrities are void, so a celebrity's followers are exactly the interval of his table.
"""

from __future__ import annotations

import numpy as np

from ..compiled import inlined, njit
from .hashing import GOLDEN, Ids, Scratch, Table, i64, index, load, u32
from .kernels_heads import KIND_BODY, KIND_GIANT, giant_at, interval_of, mid_at, ordinary_at
from .kernels_places import in_place, out_of
from .kernels_rows import BLOCK, interval_into, position_of, rows_into
from .mutual import mutual_into
from .ring import ring_into
from .tables import Layout, Tier


@inlined
def spot(user: int, words: int) -> int:
    """The bit of a user in a filter of so many words of 32 bits."""
    return (i64(u32(user * GOLDEN)) * (words << 5)) >> 32


@njit
def filter_of(partners: Ids, count: int) -> Table:
    """A small filter that holds all partners and, one time in 64, somebody else."""
    words = 32
    while words < 2 * count:
        words *= 2
    bits = np.zeros(words, np.uint32)
    for i in range(count):
        at = spot(partners[i], words)
        bits[index(at >> 5)] |= u32(1 << (at & 31))
    return bits


@inlined
def holds(bits: Table, partners: Ids, count: int, user: int) -> bool:
    """Whether a user is one of the partners of the filter."""
    at = spot(user, len(bits))
    return bool((load(bits, at >> 5) >> (at & 31)) & 1) and among(partners, count, user)


@njit
def among(partners: Ids, count: int, user: int) -> bool:
    """Whether a user is one of so many partners."""
    found = False
    for i in range(count):
        found |= partners[i] == user
    return found


@inlined
def partners_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, scratch: Scratch) -> int:
    """Ring neighbours, then mutual partners who are not neighbours, of an ordinary user; the count."""
    ring = ring_into(table, at, province, h, y, out, scratch)
    mutual = mutual_into(table, at, province, h, y, out, ring, scratch)
    bits = filter_of(out, ring)
    n = ring
    for i in range(ring, ring + mutual):
        partner = out[i]
        if not holds(bits, out, ring, partner):
            out[n] = partner
            n += 1
    return n


@njit
def following_into(table: Table, at: Layout, user: int, out: Ids) -> int:
    """Whom a user follows, all distinct; the count. `out` holds at least `out_degree_of` ids."""
    province, b, z = in_place(table, at, user)
    h, y = out_of(table, at, b, z)
    most = max(width(table, at.giants, y), width(table, at.mids, y), width(table, at.body, y))
    scratch = np.empty((4, max(most, partner_slots(table, at, b, z))), np.uint32)
    partners = 0
    if b >= at.heads.rows:
        partners = partners_into(table, at, province, h, y, out, scratch)
    bits = filter_of(out, partners)
    count = rows_into(table, at, at.body, province, h, y, scratch)
    n = partners
    for k in range(count):
        copy, position = position_of(at.body, i64(scratch[1, k]), i64(scratch[2, k]))
        followee = ordinary_at(table, at, i64(scratch[0, k]), copy, position)
        out[n] = followee
        n += 0 if followee == user or holds(bits, out, partners, followee) else 1
    return n + celebrities_into(table, at, province, h, y, out[n:], scratch)


@njit
def celebrities_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, scratch: Scratch) -> int:
    """The celebrities an out place follows, mids first; the count."""
    mids = rows_into(table, at, at.mids, province, h, y, scratch)
    for k in range(mids):
        copy, position = position_of(at.mids, i64(scratch[1, k]), i64(scratch[2, k]))
        out[k] = mid_at(table, at, i64(scratch[0, k]), copy, position)
    giants = rows_into(table, at, at.giants, province, h, y, scratch)
    for k in range(giants):
        out[mids + k] = giant_at(table, at, i64(scratch[0, k]), i64(scratch[1, k]) * at.giants.rows + i64(scratch[2, k]))
    return mids + giants


@njit
def celebrities_of_into(table: Table, at: Layout, user: int, out: Ids) -> int:
    """The celebrities a user follows; the count, which is `pull_width_of`."""
    province, b, z = in_place(table, at, user)
    h, y = out_of(table, at, b, z)
    scratch = np.empty((4, max(width(table, at.giants, y), width(table, at.mids, y))), np.uint32)
    return celebrities_into(table, at, province, h, y, out, scratch)


@inlined
def width(table: Table, tier: Tier, y: int) -> int:
    """Slots of an out rank in a tier."""
    return load(table, tier.slots + y + 1) - load(table, tier.slots + y)


@njit
def slots_of(table: Table, at: Layout, user: int) -> int:
    """How many slots the list of a user's followers has; for a celebrity exactly his followers."""
    province, b, z = in_place(table, at, user)
    count = interval_of(table, at, province, b, z)[4]
    return count + partner_slots(table, at, b, z)


@inlined
def partner_slots(table: Table, at: Layout, b: int, z: int) -> int:
    """Slots of the ring and of mutual layers."""
    if b < at.heads.rows:
        return 0
    _, y = out_of(table, at, b, z)
    mutual = load(table, at.mutual.slots + y + 1) - load(table, at.mutual.slots + y)
    return 2 * load(table, at.ring.half + y) + mutual


@njit
def followers_into(table: Table, at: Layout, user: int, start: int, out: Ids) -> int:
    """Followers from the start-th on, as many as `out` holds; the count. All distinct, over all pages.

    A celebrity's page costs what it holds; anybody else's whole list is made first (at most some thousands).
    """
    province, b, z = in_place(table, at, user)
    kind, j, copy, first, count = interval_of(table, at, province, b, z)
    if kind == KIND_BODY:
        slots = count + partner_slots(table, at, b, z)
        fits = start == 0 and len(out) >= slots
        whole = out if fits else np.empty(slots, np.int64)
        n = ordinary_followers_into(table, at, user, whole)
        if fits:
            return n
        wanted = max(0, min(n - start, len(out)))
        out[:wanted] = whole[start : start + wanted]
        return wanted
    wanted = max(0, min(count - start, len(out)))
    scratch = np.empty((2, min(wanted, BLOCK)), np.uint32)
    tier = at.giants if kind == KIND_GIANT else at.mids
    return interval_into(table, at, tier, j, copy, first + start, wanted, out, scratch)


@inlined
def ordinary_followers_into(table: Table, at: Layout, user: int, out: Ids) -> int:
    """The followers of somebody who is no celebrity, in the order of their slots; the count."""
    province, b, z = in_place(table, at, user)
    h, y = out_of(table, at, b, z)
    _, j, copy, first, count = interval_of(table, at, province, b, z)
    scratch = np.empty((2, max(min(count, BLOCK), partner_slots(table, at, b, z))), np.uint32)
    partners = partners_into(table, at, province, h, y, out, scratch)
    bits = filter_of(out, partners)
    interval_into(table, at, at.body, j, copy, first, count, out[partners:], scratch)
    n = partners
    for i in range(partners, partners + count):
        follower = out[i]
        out[n] = follower
        n += 0 if follower == user or holds(bits, out, partners, follower) else 1
    return n
