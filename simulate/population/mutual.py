"""Mutual edges outside the rings: in each layer the periods meet in pairs, and rows of two periods that meet are paired.

Two periods meet in at most one layer, so two users are joined at most once, and whether they are is one look, not a search.
A layer is a sum: period (province, h) meets (province', h') whose h add up to it. Local layers keep the province.
"""

from __future__ import annotations

from ..compiled import njit
from .hashing import Ids, Table, below, hash32, load, wrap
from .kernels_places import id_of_out, owner, rank_of_out
from .tables import Layout

SUM = (1 << 20) - 1  # a layer's sum is kept as province << 20 | h


@njit
def other_period(table: Table, at: Layout, j: int, province: int, h: int) -> tuple[int, int]:
    """Whom a period meets in layer j."""
    total = load(table, at.mutual.sums + j)
    h1 = wrap((total & SUM) - h + at.periods, at.periods)
    if j < at.mutual.local:
        return province, h1
    return wrap((total >> 20) - province + at.provinces, at.provinces), h1


@njit
def other_row(table: Table, at: Layout, j: int, g: int, g1: int, r: int) -> int:
    """The row paired with row r where periods g and g1 meet."""
    middle = below(g ^ g1, load(table, at.mutual.keys + j), at.mutual.rows)
    return wrap(middle - r + at.mutual.rows, at.mutual.rows)


@njit
def shift_of(at: Layout, g: int) -> int:
    """Where the layers start in the columns of period g."""
    return (hash32(g, at.mutual.salt) * at.mutual.layers) >> 32


@njit
def mutual_at(table: Table, at: Layout, province: int, h: int, y: int, k: int) -> int:
    """The partner of the k-th mutual slot of an out place; -1 where the slot is void (a celebrity, or oneself)."""
    tier = at.mutual
    slot = load(table, tier.slots + y) + k
    g = province * at.periods + h
    r = slot // tier.layers
    j = wrap(slot - r * tier.layers + shift_of(at, g), tier.layers)
    province1, h1 = other_period(table, at, j, province, h)
    g1 = province1 * at.periods + h1
    r1 = other_row(table, at, j, g, g1, r)
    c1 = wrap(j - shift_of(at, g1) + tier.layers, tier.layers)
    y1 = owner(table, tier.owners, r1 * tier.layers + c1)
    if rank_of_out(table, at, h1, y1) < at.heads.rows or (g1 == g and y1 == y):
        return -1
    return id_of_out(table, at, province1, h1, y1)


@njit
def mutual_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, n: int) -> int:
    """Mutual partners of an ordinary user from out[n]; the count. Void slots are left out."""
    start = n
    for k in range(load(table, at.mutual.slots + y + 1) - load(table, at.mutual.slots + y)):
        partner = mutual_at(table, at, province, h, y, k)
        out[n] = partner
        n += 1 if partner >= 0 else 0
    return n - start


@njit
def are_mutual(table: Table, at: Layout, province: int, h: int, y: int, province1: int, h1: int, y1: int) -> bool:
    """Whether two different ordinary users are paired in the layer where their periods meet."""
    tier = at.mutual
    total = wrap(province + province1, at.provinces)
    j = load(table, tier.layer_of + wrap(h + h1, at.periods) * at.provinces + total) - 1
    if j < 0 or (j < tier.local and province != province1):
        return False
    g = province * at.periods + h
    g1 = province1 * at.periods + h1
    c = wrap(j - shift_of(at, g) + tier.layers, tier.layers)
    slot = load(table, tier.slots + y)
    r = slot // tier.layers
    r = r + 1 if slot - r * tier.layers > c else r
    if r * tier.layers + c >= load(table, tier.slots + y + 1):
        return False
    c1 = wrap(j - shift_of(at, g1) + tier.layers, tier.layers)
    slot1 = other_row(table, at, j, g, g1, r) * tier.layers + c1
    return load(table, tier.slots + y1) <= slot1 < load(table, tier.slots + y1 + 1)
