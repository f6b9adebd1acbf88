"""The ring tier: everybody is joined to his next neighbours on a ring of people of like degree in his province.

It is what gives the graph triangles: neighbours of a neighbour are neighbours. Mutual, simple, without tables of people.
"""

from __future__ import annotations

from ..compiled import inlined, njit
from .hashing import Ids, Scratch, Table, hash32, i64, load, wrap
from .kernels_places import id_of_out, rank_of_out
from .kernels_rows import backward, forward
from .tables import Layout


@inlined
def ring_key(at: Layout, province: int, half: int) -> int:
    """The key of one ring."""
    return hash32(half * at.provinces + province, at.ring.salt)


@inlined
def ring_place(table: Table, at: Layout, province: int, h: int, y: int, half: int) -> int:
    """The place of an out place on its ring."""
    band = at.ring.bands + 4 * half
    ranks = load(table, band + 1)
    a, b = forward(h, y - load(table, band), ring_key(at, province, half), at.periods, ranks)
    return i64(a) * ranks + i64(b)


@inlined
def ring_step(place: int, k: int, length: int) -> int:
    """The place of the k-th neighbour, nearest first, forward before back."""
    step = (k >> 1) + 1
    return wrap(place + length - step if k & 1 else place + step, length)


@inlined
def ring_at(table: Table, at: Layout, province: int, h: int, y: int, k: int) -> int:
    """The k-th neighbour on the ring; -1 where he is a celebrity."""
    half = load(table, at.ring.half + y)
    band = at.ring.bands + 4 * half
    ranks = load(table, band + 1)
    place = ring_step(ring_place(table, at, province, h, y, half), k, at.periods * ranks)
    a = (place * load(table, band + 2)) >> load(table, band + 3)
    h1, b = backward(a, place - a * ranks, ring_key(at, province, half), at.periods, ranks)
    y1 = load(table, band) + i64(b)
    return -1 if rank_of_out(table, at, i64(h1), y1) < at.heads.rows else id_of_out(table, at, province, i64(h1), y1)


@inlined
def ring_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, scratch: Scratch) -> int:
    """Neighbours on the ring of an ordinary user; the count. Celebrities are left out."""
    half = load(table, at.ring.half + y)
    count = 2 * half
    if count == 0:
        return 0
    band = at.ring.bands + 4 * half
    first, ranks, magic, shift = load(table, band), load(table, band + 1), load(table, band + 2), load(table, band + 3)
    place = ring_place(table, at, province, h, y, half)
    periods, within = scratch[0], scratch[1]
    for k in range(count):
        there = ring_step(place, k, at.periods * ranks)
        a = (there * magic) >> shift
        periods[k] = a
        within[k] = there - a * ranks
    key = ring_key(at, province, half)
    for k in range(count):
        periods[k], within[k] = backward(periods[k], within[k], key, at.periods, ranks)
    n = 0
    for k in range(count):
        h1, y1 = i64(periods[k]), i64(within[k]) + first
        out[n] = id_of_out(table, at, province, h1, y1)
        n += 1 if rank_of_out(table, at, h1, y1) >= at.heads.rows else 0
    return n


@njit
def on_ring(table: Table, at: Layout, province: int, h: int, y: int, h1: int, y1: int) -> bool:
    """Whether two out places of one ring are neighbours."""
    half = load(table, at.ring.half + y)
    apart = abs(ring_place(table, at, province, h, y, half) - ring_place(table, at, province, h1, y1, half))
    return min(apart, at.periods * load(table, at.ring.bands + 4 * half + 1) - apart) <= half


@inlined
def are_neighbours(table: Table, at: Layout, province: int, h: int, y: int, province1: int, h1: int, y1: int) -> bool:
    """Whether two different ordinary users are neighbours on a ring."""
    half = load(table, at.ring.half + y)
    if province != province1 or half == 0 or half != load(table, at.ring.half + y1):
        return False
    return on_ring(table, at, province, h, y, h1, y1)
