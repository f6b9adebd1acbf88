"""Three names of one user: id, place among those followed (in place), place among those who follow (out place).

In place: (province, in rank `b`, layer `z`). Out place: (province, period `h`, out rank `y`). Both ways in O(1), compiled.
"""

from __future__ import annotations

from ..compiled import inlined, popcount
from .hashing import Table, load, wrap
from .tables import FOLD_BITS, TURN_BITS, Layout

CO = 4  # users of one bin, province and period


@inlined
def fold(x: int, factor: int) -> int:
    """The quotient x // n."""
    return (x * factor) >> FOLD_BITS


@inlined
def turn(x: int, n: int, factor: int) -> int:
    """The remainder x % n."""
    return x - ((x * factor) >> TURN_BITS) * n


@inlined
def owner(table: Table, owners: int, position: int) -> int:
    """Who owns a position of a line."""
    pair = owners + ((position >> 5) << 1)
    bits = load(table, pair + 1) & ((2 << (position & 31)) - 1)
    return ((load(table, pair) + 1) & 0xFFFFFFFF) + popcount(bits) - 1


@inlined
def id_at(table: Table, at: Layout, province: int, b1: int, z: int) -> int:
    """The id of the user in layer z whose bin is shown as b1."""
    z1 = wrap(z + load(table, at.h2 + b1), at.layers)
    turned = province + z1
    turned -= fold(turned, at.fold_provinces) * at.provinces
    return (z1 * at.provinces + turned) * at.bins + b1


@inlined
def id_of_in(table: Table, at: Layout, province: int, b: int, z: int) -> int:
    """In place -> id."""
    return id_at(table, at, province, wrap(b + load(table, at.h1 + z), at.bins), z)


@inlined
def layer_of_out(table: Table, at: Layout, h: int, y: int) -> int:
    """Out place -> the layer z of the same user's in place."""
    z2 = (y & (CO - 1)) * at.periods + h
    return wrap(z2 - load(table, at.h4 + (y >> 2)) + at.layers, at.layers)


@inlined
def id_of_out(table: Table, at: Layout, province: int, h: int, y: int) -> int:
    """Out place -> id."""
    z = layer_of_out(table, at, h, y)
    return id_at(table, at, province, wrap((y >> 2) + load(table, at.h1c + z), at.bins), z)


@inlined
def rank_of_out(table: Table, at: Layout, h: int, y: int) -> int:
    """Out place -> in rank."""
    z = layer_of_out(table, at, h, y)
    return wrap((y >> 2) - load(table, at.hc + z) + at.bins, at.bins)


@inlined
def in_place(table: Table, at: Layout, user: int) -> tuple[int, int, int]:
    """Id -> (province, b, z)."""
    w = (user * at.bin_magic) >> at.bin_shift
    b1 = user - w * at.bins
    z1 = fold(w, at.fold_provinces)
    province = w - z1 * at.provinces
    province -= z1 - fold(z1, at.fold_provinces) * at.provinces
    if province < 0:
        province += at.provinces
    z = wrap(z1 - load(table, at.h2 + b1) + at.layers, at.layers)
    b = wrap(b1 - load(table, at.h1 + z) + at.bins, at.bins)
    return province, b, z


@inlined
def out_of(table: Table, at: Layout, b: int, z: int) -> tuple[int, int]:
    """(b, z) of an in place -> (h, y) of the out place."""
    b2 = wrap(b + load(table, at.hc + z), at.bins)
    z2 = wrap(z + load(table, at.h4 + b2), at.layers)
    p = at.periods
    e = (1 if z2 >= p else 0) + (1 if z2 >= 2 * p else 0) + (1 if z2 >= 3 * p else 0)
    return z2 - e * p, (b2 << 2) + e
