"""Mutual edges outside the rings: in each layer the periods meet in pairs, and rows of two periods that meet are paired.

Two periods meet in at most one layer, so two users are joined at most once, and whether they are is one look, not a search.
A layer is a sum: period (province, h) meets (province', h') whose h add up to it. Local layers keep the province.
"""

from __future__ import annotations

from ..compiled import inlined
from .hashing import Ids, Scratch, Table, below, hash32, i64, load, wrap
from .kernels_places import fold, owner, rank_of_out
from .kernels_rows import id_in_period
from .tables import Layout

SUM = (1 << 20) - 1  # a layer's sum is kept as province << 20 | h


@inlined
def other_period(table: Table, at: Layout, j: int, province: int, h: int) -> tuple[int, int]:
    """Whom a period meets in layer j."""
    total = load(table, at.mutual.sums + j)
    h1 = wrap((total & SUM) - h + at.periods, at.periods)
    elsewhere = wrap((total >> 20) - province + at.provinces, at.provinces)
    return (province if j < at.mutual.local else elsewhere), h1


@inlined
def other_slot(table: Table, at: Layout, j: int, g: int, g1: int, r: int) -> int:
    """The slot of period g1 that is paired with row r of period g in layer j."""
    tier = at.mutual
    middle = below(g ^ g1, load(table, tier.keys + j), tier.rows)
    c1 = wrap(j - shift_of(at, g1) + tier.layers, tier.layers)
    return wrap(middle - r + tier.rows, tier.rows) * tier.layers + c1


@inlined
def shift_of(at: Layout, g: int) -> int:
    """Where the layers start in the columns of period g."""
    return (hash32(g, at.mutual.salt) * at.mutual.layers) >> 32


@inlined
def mutual_at(table: Table, at: Layout, province: int, h: int, y: int, k: int) -> tuple[int, int, int]:
    """The out place of the partner of the k-th mutual slot; a negative rank where the slot is void (celebrity, oneself)."""
    tier = at.mutual
    slot = load(table, tier.slots + y) + k
    g = province * at.periods + h
    r = fold(slot, tier.fold_layers)
    j = wrap(slot - r * tier.layers + shift_of(at, g), tier.layers)
    province1, h1 = other_period(table, at, j, province, h)
    g1 = province1 * at.periods + h1
    y1 = owner(table, tier.owners, other_slot(table, at, j, g, g1, r))
    if rank_of_out(table, at, h1, y1) < at.heads.rows or (g1 == g and y1 == y):
        y1 = -1
    return province1, h1, y1


@inlined
def mutual_into(table: Table, at: Layout, province: int, h: int, y: int, out: Ids, n: int, scratch: Scratch) -> int:
    """Mutual partners of an ordinary user from out[n]; the count. Void slots are left out."""
    tier = at.mutual
    slot = load(table, tier.slots + y)
    count = load(table, tier.slots + y + 1) - slot
    periods, slots = scratch[0], scratch[1]
    g = province * at.periods + h
    r = fold(slot, tier.fold_layers)
    turn_at = (r + 1) * tier.layers - slot
    j = wrap(slot - r * tier.layers + shift_of(at, g), tier.layers)
    for k in range(count):
        province1, h1 = other_period(table, at, j, province, h)
        g1 = province1 * at.periods + h1
        periods[k] = g1
        slots[k] = other_slot(table, at, j, g, g1, r + 1 if k >= turn_at else r)
        j = wrap(j + 1, tier.layers)
    for k in range(count):
        slots[k] = owner(table, tier.owners, i64(slots[k]))
    start = n
    for k in range(count):
        g1, y1 = i64(periods[k]), i64(slots[k])
        out[n] = id_in_period(table, at, g1, y1)
        h1 = g1 - fold(g1, at.fold_periods) * at.periods
        n += 0 if rank_of_out(table, at, h1, y1) < at.heads.rows or (g1 == g and y1 == y) else 1
    return n - start


@inlined
def are_mutual(table: Table, at: Layout, province: int, h: int, y: int, province1: int, h1: int, y1: int) -> bool:
    """Whether two different ordinary users are paired in the layer where their periods meet."""
    tier = at.mutual
    total = wrap(province + province1, at.provinces)
    j = load(table, tier.layer_of + wrap(h + h1, at.periods) * at.provinces + total) - 1
    if j < 0 or (j < tier.local and province != province1):
        return False
    g = province * at.periods + h
    c = wrap(j - shift_of(at, g) + tier.layers, tier.layers)
    slot = load(table, tier.slots + y)
    r = fold(slot, tier.fold_layers)
    r = r + 1 if slot - r * tier.layers > c else r
    if r * tier.layers + c >= load(table, tier.slots + y + 1):
        return False
    slot1 = other_slot(table, at, j, g, province1 * at.periods + h1, r)
    return load(table, tier.slots + y1) <= slot1 < load(table, tier.slots + y1 + 1)

