"""The ring tier: everybody is joined to his next neighbours on a ring of people of like degree in his province.

It is what gives the graph triangles: neighbours of a neighbour are neighbours. Mutual, simple, without tables of people.
"""

from __future__ import annotations

from ..compiled import njit
from .hashing import Ids, Table, hash32, load, wrap
from .kernels_places import id_of_out, rank_of_out
from .kernels_rows import backward, forward
from .tables import Layout


@njit
def ring_place(table: Table, at: Layout, province: int, h: int, y: int) -> tuple[int, int, int, int]:
    """(half width, place on the ring, first out rank of the ring, its out ranks) of an out place."""
    half = load(table, at.ring.half + y)
    first = load(table, at.ring.bands + 2 * half)
    ranks = load(table, at.ring.bands + 2 * half + 1)
    a, b = forward(h, y - first, ring_key(at, province, half), at.periods, ranks)
    return half, a * ranks + b, first, ranks


@njit
def ring_key(at: Layout, province: int, half: int) -> int:
    """The key of one ring."""
    return hash32(half * at.provinces + province, at.ring.salt)


@njit
def ring_at(table: Table, at: Layout, province: int, h: int, y: int, k: int) -> int:
    """The k-th neighbour on the ring, nearest first, forward before back; -1 where he is a celebrity."""
    half, place, first, ranks = ring_place(table, at, province, h, y)
    step = (k >> 1) + 1
    length = at.periods * ranks
    place = wrap(place + length - step if k & 1 else place + step, length)
    a = place // ranks
    h1, b = backward(a, place - a * ranks, ring_key(at, province, half), at.periods, ranks)
    y1 = first + b
    return -1 if rank_of_out(table, at, h1, y1) < at.heads.rows else id_of_out(table, at, province, h1, y1)


@njit
def ring_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, n: int) -> int:
    """Neighbours on the ring of an ordinary user from out[n]; the count. Celebrities are left out."""
    half, place, first, ranks = ring_place(table, at, province, h, y)
    length = at.periods * ranks
    key = ring_key(at, province, half)
    start = n
    for k in range(2 * half):
        step = (k >> 1) + 1
        there = wrap(place + length - step if k & 1 else place + step, length)
        a = there // ranks
        h1, b = backward(a, there - a * ranks, key, at.periods, ranks)
        y1 = first + b
        out[n] = id_of_out(table, at, province, h1, y1)
        n += 1 if rank_of_out(table, at, h1, y1) >= at.heads.rows else 0
    return n - start


@njit
def are_neighbours(table: Table, at: Layout, province: int, h: int, y: int, province1: int, h1: int, y1: int) -> bool:
    """Whether two different ordinary users are neighbours on a ring."""
    half = load(table, at.ring.half + y)
    if province != province1 or half == 0 or half != load(table, at.ring.half + y1):
        return False
    _, place, _, ranks = ring_place(table, at, province, h, y)
    _, place1, _, _ = ring_place(table, at, province1, h1, y1)
    apart = abs(place - place1)
    return min(apart, at.periods * ranks - apart) <= half
