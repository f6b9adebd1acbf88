"""Celebrities in compiled code: who stands at a position of a giants' or mids' layer, and where a celebrity's followers lie."""

from __future__ import annotations

from ..compiled import inlined
from .hashing import Table, load
from .kernels_places import fold, id_of_in, owner
from .tables import Layout

KIND_BODY, KIND_MID, KIND_GIANT = 0, 1, 2


@inlined
def giant_at(table: Table, at: Layout, j: int, position: int) -> int:
    """The id of the giant at a position of layer j."""
    slot = load(table, at.heads.giant_guide + j * at.heads.giant_cells + (position >> at.heads.giant_bits))
    slot += 1 if position >= load(table, at.heads.giant_ends + slot) else 0
    return load(table, at.heads.giant_ids + slot)


@inlined
def mid_at(table: Table, at: Layout, j: int, copy: int, position: int) -> int:
    """The id of the mid celebrity at a position of layer j."""
    variant = j - fold(j, at.heads.fold_variants) * at.heads.variants
    slot = load(table, at.heads.mid_guide + variant * at.heads.mid_cells + (position >> at.heads.mid_bits))
    next_ = load(table, at.heads.mid_starts + variant * (at.heads.mid_slots + 1) + slot + 1)
    slot += 1 if position >= next_ else 0
    w = slot * at.mids.layers + j + at.heads.giants_a_province
    b = fold(w, at.heads.fold_layers)
    return id_of_in(table, at, copy, b, w - b * at.layers)


@inlined
def ordinary_at(table: Table, at: Layout, j: int, copy: int, position: int) -> int:
    """The id of who is at a position of layer j of the body."""
    return id_of_in(table, at, copy, owner(table, at.in_owners, position) + at.heads.rows, j)


@inlined
def interval_of(table: Table, at: Layout, province: int, b: int, z: int) -> tuple[int, int, int, int, int]:
    """(kind, layer, copy of the line, first position, count): where the followers of an in place lie."""
    if b >= at.heads.rows:
        y = at.in_starts + b - at.heads.rows
        start = load(table, y)
        return KIND_BODY, z, province, start, load(table, y + 1) - start
    w = b * at.layers + z
    if w < at.heads.giants_a_province:
        giant = w * at.provinces + province
        return (
            KIND_GIANT, load(table, at.heads.giant_layer + giant), 0,
            load(table, at.heads.giant_start + giant), load(table, at.heads.giant_size + giant),
        )
    w -= at.heads.giants_a_province
    slot = fold(w, at.mids.fold_layers)
    j = w - slot * at.mids.layers
    variant = j - fold(j, at.heads.fold_variants) * at.heads.variants
    start_at = at.heads.mid_starts + variant * (at.heads.mid_slots + 1) + slot
    start = load(table, start_at)
    return KIND_MID, j, province, start, load(table, start_at + 1) - start
