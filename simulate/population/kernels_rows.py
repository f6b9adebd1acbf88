"""Slots of a user to positions of a layer and back: strides over layers, and a keyed permutation inside each.

The permutation is a Feistel network on [0, periods) x [0, rows), five rounds, three of them on the wide half: with four,
neighbouring rows land measurably too evenly.
"""

from __future__ import annotations

from ..compiled import njit
from .hashing import ODDS, Ids, Table, below, hash32, load, wrap
from .kernels_places import fold, id_of_out, owner, turn
from .tables import Layout, Tier

K1, K2, K3, K4 = ODDS[1], ODDS[2], ODDS[3], ODDS[4]
ROW = (1 << 32) - 1


@njit
def forward(g: int, r: int, key: int, periods: int, rows: int) -> tuple[int, int]:
    """(period, row) -> (period, row) under `key`."""
    g = wrap(g + below(r, key, periods), periods)
    r = wrap(r + below(g, key * K1, rows), rows)
    g = wrap(g + below(r, key * K2, periods), periods)
    r = wrap(r + below(g, key * K3, rows), rows)
    g = wrap(g + below(r, key * K4, periods), periods)
    return g, r


@njit
def backward(g: int, r: int, key: int, periods: int, rows: int) -> tuple[int, int]:
    """What `forward` sent here."""
    g = wrap(g - below(r, key * K4, periods) + periods, periods)
    r = wrap(r - below(g, key * K3, rows) + rows, rows)
    g = wrap(g - below(r, key * K2, periods) + periods, periods)
    r = wrap(r - below(g, key * K1, rows) + rows, rows)
    g = wrap(g - below(r, key, periods) + periods, periods)
    return g, r


@njit
def place_row(table: Table, at: Layout, tier: Tier, j: int, g: int, base: int, r: int) -> tuple[int, int]:
    """Row r of period g in layer j -> (copy of the line, position). `base` is the first period of g's province."""
    key = load(table, tier.keys + j)
    inside = j < tier.local
    first = base if inside else 0
    span = at.periods if inside else tier.span
    g1, r1 = forward(g - first, r, key, span, tier.rows)
    g1 += first
    copy = fold(g1, tier.fold)
    return copy, (g1 - copy * tier.periods) * tier.rows + r1


@njit
def rows_into(table: Table, at: Layout, tier: Tier, province: int, h: int, y: int, out: Ids, n: int) -> int:
    """Where the slots of a user lead, packed (layer, copy, position), from out[n]; the count."""
    slot = load(table, tier.slots + y)
    count = load(table, tier.slots + y + 1) - slot
    base = province * at.periods
    g = base + h
    j, r, stride, _ = column_start(table, tier, g, slot)
    turn_at = (r + 1) * tier.layers - slot
    for k in range(count):
        out[n + k] = (j << 32) | (r + 1 if k >= turn_at else r)
        j = wrap(j + stride, tier.layers)
    for i in range(n, n + count):
        packed = out[i]
        j = packed >> 32
        copy, position = place_row(table, at, tier, j, g, base, packed & ROW)
        out[i] = (j << 36) | (copy << 32) | position
    return count


@njit
def column_start(table: Table, tier: Tier, g: int, slot: int) -> tuple[int, int, int, int]:
    """Layer and row of a slot of period g, with the period's stride and shift."""
    mixed = hash32(g, tier.salt)
    stride = load(table, tier.strides + ((mixed & 255) << 1))
    shift = (mixed * tier.layers) >> 32
    r = slot // tier.layers
    j = turn((slot - r * tier.layers) * stride + shift, tier.layers, tier.turn)
    return j, r, stride, shift


@njit
def column_of(table: Table, tier: Tier, g: int, j: int) -> int:
    """The column in which period g keeps layer j."""
    mixed = hash32(g, tier.salt)
    inverse = load(table, tier.strides + ((mixed & 255) << 1) + 1)
    shift = (mixed * tier.layers) >> 32
    return turn((j - shift + tier.layers) * inverse, tier.layers, tier.turn)


@njit
def row_in_layer(table: Table, tier: Tier, g: int, y: int, j: int) -> int:
    """The row that out rank y of period g has in layer j, or -1: nobody has two."""
    c = column_of(table, tier, g, j)
    slot = load(table, tier.slots + y)
    r = slot // tier.layers
    r = r + 1 if slot - r * tier.layers > c else r
    return r if r * tier.layers + c < load(table, tier.slots + y + 1) else -1


@njit
def user_of_row(table: Table, at: Layout, tier: Tier, j: int, g: int, r: int) -> int:
    """Who has row r of period g in layer j."""
    y = owner(table, tier.owners, r * tier.layers + column_of(table, tier, g, j))
    province = fold(g, at.fold_periods)
    return id_of_out(table, at, province, g - province * at.periods, y)


@njit
def row_at(table: Table, at: Layout, tier: Tier, j: int, copy: int, position: int) -> tuple[int, int]:
    """(period, row) that leads to a position of a layer."""
    h = position // tier.rows
    inside = j < tier.local
    first = copy * at.periods if inside else 0
    span = at.periods if inside else tier.span
    key = load(table, tier.keys + j)
    g, r = backward(copy * tier.periods + h - first, position - h * tier.rows, key, span, tier.rows)
    return g + first, r


@njit
def interval_into(table: Table, at: Layout, tier: Tier, j: int, copy: int, start: int, count: int, out: Ids) -> int:
    """Who leads to positions [start, start + count) of a layer, in their order; the count."""
    key = load(table, tier.keys + j)
    inside = j < tier.local
    first = copy * at.periods if inside else 0
    span = at.periods if inside else tier.span
    h = start // tier.rows
    r = start - h * tier.rows
    n = 0
    while n < count:
        run = min(count - n, tier.rows - r)
        g1 = copy * tier.periods + h - first
        for k in range(run):
            g, r1 = backward(g1, r + k, key, span, tier.rows)
            out[n + k] = ((g + first) << 32) | r1
        n += run
        r = 0
        h += 1
    for i in range(count):
        out[i] = user_of_row(table, at, tier, j, out[i] >> 32, out[i] & ROW)
    return count
