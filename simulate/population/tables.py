"""Where everything lies in the one flat table of a graph, and the small tables that every seed makes for itself.

Compiled functions take the table and `Layout`, a tuple of integers: arrays inside tuples would cost more than the work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hashing import Table

FOLD_BITS = 40  # x // n as (x * ceil(2**40 / n)) >> 40, exact for x < 2**26 and n < 2**14, or both below 2**20
TURN_BITS = 46  # the same for x < 2**29 and n < 2**14
ID_BITS = 31  # ids lie below 2**31


class Tier(NamedTuple):
    """One tier of one-way edges: `layers` of keyed permutations of (period, row)."""

    layers: int
    rows: int  # of one period in one layer
    local: int  # layers below this one stay inside a province
    periods: int  # of one copy of the line of accounts
    fold: int
    span: int  # all periods
    turn: int  # for modulo layers
    fold_layers: int  # for slot // layers
    row_magic: int  # for position // rows
    row_shift: int
    slots: int  # offset: first slot of every out rank
    owners: int  # offset: slot of a period -> out rank
    keys: int  # offset: one a layer
    strides: int  # offset: 256 pairs of a unit modulo layers and its inverse
    salt: int


class Heads(NamedTuple):
    """Who the celebrities are."""

    rows: int  # in ranks that are celebrities
    giants: int
    giants_a_province: int
    giant_layer: int  # offsets, by giant: layer, start, size
    giant_start: int
    giant_size: int
    giant_bits: int  # a guide's cell is 2**bits positions
    giant_cells: int  # cells a layer
    giant_guide: int  # offset: first slot of a cell
    giant_ends: int  # offset: end of every slot, layer after layer
    giant_ids: int  # offset: id by slot
    mid_slots: int  # accounts of a layer and province
    variants: int
    mid_bits: int
    mid_cells: int
    mid_guide: int
    mid_starts: int  # offset: slots + 1 a variant
    sizes: int  # offset: distinct (size) of mids, largest first
    fold_layers: int  # for // layers of the body
    fold_variants: int


class Mutual(NamedTuple):
    """Layers in which periods meet in pairs."""

    layers: int
    rows: int
    local: int
    fold_layers: int
    slots: int
    owners: int
    keys: int
    sums: int  # offset: what the two periods of a layer add up to
    layer_of: int  # offset: sum -> layer + 1, or 0
    salt: int


class Ring(NamedTuple):
    """Rings of people of like degree and one province."""

    half: int  # offset: by out rank, neighbours on each side
    bands: int  # offset: by half, first out rank, number of out ranks, and how to divide by it
    salt: int


class Layout(NamedTuple):
    """All that compiled functions take beside the table."""

    users: int
    provinces: int
    bins: int  # in ranks
    layers: int  # of the body; users of a bin and province
    periods: int  # of a province
    fold_periods: int
    fold_provinces: int
    bin_magic: int
    bin_shift: int
    h1: int  # offsets of the naming tables
    h2: int
    h4: int
    hc: int
    h1c: int  # h1 - hc
    in_starts: int  # offset: by ordinary in rank, first position
    in_owners: int  # offset: position -> ordinary in rank
    region_of: int  # offset: by province
    giants: Tier
    mids: Tier
    body: Tier
    heads: Heads
    mutual: Mutual
    ring: Ring


def fold_of(n: int) -> int:
    """The factor for x // n."""
    return -((-1 << FOLD_BITS) // n)


def turn_of(n: int) -> int:
    """The factor for x % n, x < 2**29."""
    return -((-1 << TURN_BITS) // n)


class Sheet:
    """The flat table while it is filled."""

    def __init__(self) -> None:
        self.parts: list[Table] = []
        self.size = 0

    def put(self, values: NDArray[np.integer]) -> int:
        """Append, and say where. Parts start on cache lines."""
        at = self.size
        flat = np.ascontiguousarray(values).reshape(-1)
        if flat.size and (flat.min() < 0 or flat.max() >= 1 << 32):
            raise OverflowError("a table's value does not fit 32 bits")
        part = np.zeros(-(-flat.size // 16) * 16, np.uint32)
        part[: flat.size] = flat
        self.parts.append(part)
        self.size += part.size
        return at

    def whole(self) -> Table:
        """All parts as one."""
        return np.concatenate(self.parts)


def owners_of(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bitmap of a line, a set bit where an owner starts; words in pairs (owners before, less one; bits).

    `starts` has one more element than owners; owners of nothing may stand only at the end.
    """
    counts = np.diff(starts)
    held = int(np.count_nonzero(counts))
    if counts[:held].min() <= 0:
        raise ValueError("an owner of nothing stands before an owner of something")
    words = int(starts[-1]) // 32 + 1
    bits = np.bincount(starts[:held] >> 5, weights=np.exp2(starts[:held] & 31), minlength=words).astype(np.int64)
    before = np.bincount(starts[:held] >> 5, minlength=words).cumsum()
    before = np.concatenate(([0], before[:-1])) - 1
    return np.stack([before & 0xFFFFFFFF, bits], axis=1)


def units_of(n: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """256 pairs of a unit modulo n and its inverse."""
    units = np.flatnonzero(np.gcd(np.arange(n), n) == 1) if n > 1 else np.zeros(1, np.int64)
    chosen = chance.choice(units, 256)
    return np.array([(int(unit), pow(int(unit), -1, n) if n > 1 else 0) for unit in chosen], np.int64)


def id_division(n: int) -> tuple[int, int]:
    """Factor and shift for id // n."""
    shift = ID_BITS + (n - 1).bit_length()
    return -((-1 << shift) // n), shift
