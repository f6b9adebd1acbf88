"""Slots of a user to positions of a layer and back: strides over layers, and a keyed permutation inside each.

The permutation is a Feistel network on [0, periods) x [0, rows), five rounds, three of them on the wide half: with four,
neighbouring rows land measurably too evenly.
"""

from __future__ import annotations

from ..compiled import inlined, njit
from .hashing import ODDS, Ids, Scratch, Table, below32, hash32, i64, load, u32, wrap, wrap32
from .kernels_places import fold, id_of_out, owner, turn
from .tables import Layout, Tier

K1, K2, K3, K4 = ODDS[1], ODDS[2], ODDS[3], ODDS[4]
BLOCK = 512  # positions at a time: their rows stay in the nearest cache


@inlined
def forward(g: int, r: int, key: int, periods: int, rows: int) -> tuple[int, int]:
    """(period, row) -> (period, row) under `key`, all unsigned of 32 bits."""
    g, r, p, q = u32(g), u32(r), u32(periods), u32(rows)
    g = wrap32(u32(g + below32(r, key, p)), p)
    r = wrap32(u32(r + below32(g, u32(u32(key) * u32(K1)), q)), q)
    g = wrap32(u32(g + below32(r, u32(u32(key) * u32(K2)), p)), p)
    r = wrap32(u32(r + below32(g, u32(u32(key) * u32(K3)), q)), q)
    g = wrap32(u32(g + below32(r, u32(u32(key) * u32(K4)), p)), p)
    return g, r


@inlined
def backward(g: int, r: int, key: int, periods: int, rows: int) -> tuple[int, int]:
    """What `forward` sent here."""
    g, r, p, q = u32(g), u32(r), u32(periods), u32(rows)
    g = wrap32(u32(g - below32(r, u32(u32(key) * u32(K4)), p) + p), p)
    r = wrap32(u32(r - below32(g, u32(u32(key) * u32(K3)), q) + q), q)
    g = wrap32(u32(g - below32(r, u32(u32(key) * u32(K2)), p) + p), p)
    r = wrap32(u32(r - below32(g, u32(u32(key) * u32(K1)), q) + q), q)
    g = wrap32(u32(g - below32(r, key, p) + p), p)
    return g, r


@inlined
def place_row(table: Table, at: Layout, tier: Tier, j: int, g: int, base: int, r: int) -> tuple[int, int]:
    """Row r of period g in layer j -> (copy of the line, position). `base` is the first period of g's province."""
    first = base if j < tier.local else 0
    span = at.periods if j < tier.local else tier.span
    g1, r1 = forward(g - first, r, load(table, tier.keys + j), span, tier.rows)
    return position_of(tier, i64(g1) + first, i64(r1))


@inlined
def position_of(tier: Tier, g: int, r: int) -> tuple[int, int]:
    """(period, row) after the permutation -> (copy of the line, position)."""
    copy = fold(g, tier.fold)
    return copy, (g - copy * tier.periods) * tier.rows + r


@njit
def rows_into(table: Table, at: Layout, tier: Tier, province: int, h: int, y: int, scratch: Scratch) -> int:
    """Where the slots of a user lead: layers, periods and rows in the first three lines of `scratch`; the count."""
    slot = load(table, tier.slots + y)
    count = load(table, tier.slots + y + 1) - slot
    base = province * at.periods
    j, r, stride = column_start(table, tier, base + h, slot)
    turn_at = (r + 1) * tier.layers - slot
    layers, periods, rows, keys = scratch[0], scratch[1], scratch[2], scratch[3]
    for k in range(count):
        layers[k] = j
        j = wrap(j + stride, tier.layers)
    for k in range(count):
        rows[k] = r + 1 if k >= turn_at else r
        keys[k] = load(table, tier.keys + i64(layers[k]))
    local, span, near, q, g = u32(tier.local), u32(tier.span), u32(at.periods), u32(tier.rows), u32(base + h)
    for k in range(count):
        inside = layers[k] < local
        first = u32(base) if inside else u32(0)
        g1, r1 = forward(u32(g - first), rows[k], keys[k], near if inside else span, q)
        periods[k] = u32(g1 + first)
        rows[k] = r1
    return count


@inlined
def column_start(table: Table, tier: Tier, g: int, slot: int) -> tuple[int, int, int]:
    """Layer and row of a slot of period g, and the period's stride."""
    mixed = hash32(g, tier.salt)
    stride = load(table, tier.strides + ((mixed & 255) << 1))
    shift = (mixed * tier.layers) >> 32
    r = fold(slot, tier.fold_layers)
    return turn((slot - r * tier.layers) * stride + shift, tier.layers, tier.turn), r, stride


@inlined
def column_of(table: Table, tier: Tier, g: int, j: int) -> int:
    """The column in which period g keeps layer j."""
    mixed = hash32(g, tier.salt)
    inverse = load(table, tier.strides + ((mixed & 255) << 1) + 1)
    shift = (mixed * tier.layers) >> 32
    return turn((j - shift + tier.layers) * inverse, tier.layers, tier.turn)


@inlined
def row_in_layer(table: Table, tier: Tier, g: int, y: int, j: int) -> int:
    """The row that out rank y of period g has in layer j, or -1: nobody has two."""
    c = column_of(table, tier, g, j)
    slot = load(table, tier.slots + y)
    r = fold(slot, tier.fold_layers)
    r = r + 1 if slot - r * tier.layers > c else r
    return r if r * tier.layers + c < load(table, tier.slots + y + 1) else -1


@inlined
def row_at(table: Table, at: Layout, tier: Tier, j: int, copy: int, position: int) -> tuple[int, int]:
    """(period, out rank) of who leads to a position of a layer."""
    h = (position * tier.row_magic) >> tier.row_shift
    first = copy * at.periods if j < tier.local else 0
    span = at.periods if j < tier.local else tier.span
    key = load(table, tier.keys + j)
    g1, r1 = backward(copy * tier.periods + h - first, position - h * tier.rows, key, span, tier.rows)
    g = i64(g1) + first
    return g, owner(table, tier.owners, i64(r1) * tier.layers + column_of(table, tier, g, j))


@inlined
def id_in_period(table: Table, at: Layout, g: int, y: int) -> int:
    """The id of out rank y of one of all periods."""
    province = fold(g, at.fold_periods)
    return id_of_out(table, at, province, g - province * at.periods, y)


@inlined
def block_into(
    table: Table, at: Layout, tier: Tier, j: int, copy: int, start: int, count: int, out: Ids, scratch: Scratch,
) -> None:
    """One block of `interval_into`: the permutation in vectors, then look-ups."""
    periods, rows = scratch[0], scratch[1]
    first = copy * at.periods if j < tier.local else 0
    h = (start * tier.row_magic) >> tier.row_shift
    r = start - h * tier.rows
    n = 0
    while n < count:
        run = min(count - n, tier.rows - r)
        g1 = u32(copy * tier.periods + h - first)
        for k in range(run):
            periods[n + k] = g1
            rows[n + k] = r + k
        n += run
        r = 0
        h += 1
    key, span = u32(load(table, tier.keys + j)), u32(at.periods if j < tier.local else tier.span)
    for k in range(count):
        g, r1 = backward(periods[k], rows[k], key, span, tier.rows)
        periods[k] = u32(g + u32(first))
        rows[k] = r1
    for k in range(count):
        rows[k] = i64(rows[k]) * tier.layers + column_of(table, tier, i64(periods[k]), j)
    for k in range(count):
        rows[k] = owner(table, tier.owners, i64(rows[k]))
    for k in range(count):
        out[k] = id_in_period(table, at, i64(periods[k]), i64(rows[k]))


@njit
def interval_into(
    table: Table, at: Layout, tier: Tier, j: int, copy: int, start: int, count: int, out: Ids, scratch: Scratch,
) -> int:
    """Who leads to positions [start, start + count) of a layer, in their order; the count. Block by block."""
    done = 0
    while done < count:
        some = min(BLOCK, count - done)
        block_into(table, at, tier, j, copy, start + done, some, out[done : done + some], scratch)
        done += some
    return count
