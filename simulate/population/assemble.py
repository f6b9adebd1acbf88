"""From a plan and a seed to the flat table: naming tables, strides, keys, owners, celebrities, and keys redrawn until no
celebrity follows himself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid
from ..compiled import njit
from .celebrities import mid_sizes, pack_giants
from .hashing import Ids, Table, below, hash32_array, load, salt_of
from .kernels_heads import KIND_BODY, KIND_GIANT, interval_of
from .kernels_places import id_of_in, out_of
from .kernels_points import lands
from .mutual import SUM
from .shape import Plan, Shape
from .tables import Heads, Layout, Mutual, Ring, Sheet, Tier, fold_of, id_division, owners_of, turn_of, units_of

Counts = NDArray[np.int64]
REDRAWS = 50_000  # of one layer's key, before giving up


def assemble(plan: Plan, seed: int) -> tuple[Table, Layout]:
    """The table and where things lie in it."""
    shape, degrees = plan.shape, plan.degrees
    sheet = Sheet()
    chance = np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, 0x67726170])
    names = naming(sheet, shape, chance)
    starts = np.concatenate(([0], degrees.followers.cumsum()))
    regions = np.repeat(np.arange(len(shape.region_provinces)), shape.region_provinces)
    magic, shift = id_division(shape.bins)
    at = Layout(
        users=shape.users, provinces=shape.provinces, bins=shape.bins, layers=shape.layers, periods=shape.periods,
        fold_periods=fold_of(shape.periods), fold_provinces=fold_of(shape.provinces), bin_magic=magic, bin_shift=shift,
        **names, in_starts=sheet.put(starts), in_owners=sheet.put(owners_of(starts)), region_of=sheet.put(regions),
        giants=tier_of(sheet, shape, "giants", degrees.giants, seed, chance, whole=True),
        mids=tier_of(sheet, shape, "mids", degrees.mids, seed, chance), body=tier_of(sheet, shape, "body", degrees.body, seed, chance),
        heads=heads_of(sheet, plan), mutual=mutual_of(sheet, shape, degrees.mutual, seed, chance),
        ring=ring_of(sheet, degrees.half, seed),
    )
    table = sheet.whole()
    name_giants(table, at)
    for tier, stars in ((at.giants, True), (at.mids, False)):
        first, members = members_of(table, at, tier.layers, giants=stars)
        if redraw(table, at, tier, members, first, salt_of(seed, 900 + stars)) < 0:
            raise Invalid(
                "users: celebrities of this small population follow so many of each other that one always follows himself",
                field="users", meaning="allowed: more users, or a mean_following and reciprocity nearer to their defaults",
            )
    table.flags.writeable = False
    return table, at


def naming(sheet: Sheet, shape: Shape, chance: np.random.Generator) -> dict[str, int]:
    """The small tables by which a user has three names. Where `hc` is zero both ranks are equal: the joint degrees."""
    h1 = chance.integers(0, shape.bins, shape.layers)
    hc = chance.integers(0, shape.bins, shape.layers)
    hc[chance.permutation(shape.layers)[: round(shape.agreement * shape.layers)]] = 0
    return {
        "h1": sheet.put(h1), "h2": sheet.put(chance.integers(0, shape.layers, shape.bins)),
        "h4": sheet.put(chance.integers(0, shape.layers, shape.bins)), "hc": sheet.put(hc), "h1c": sheet.put((h1 - hc) % shape.bins),
    }


def tier_of(
    sheet: Sheet, shape: Shape, name: str, counts: Counts, seed: int, chance: np.random.Generator, *, whole: bool = False,
) -> Tier:
    """The tables of one tier. `whole`: its line is one for all provinces."""
    tier = getattr(shape, name)
    purpose = {"giants": 10, "mids": 20, "body": 30}[name]
    slots = np.concatenate(([0], counts.cumsum()))
    if slots[-1] != tier.layers * tier.rows:
        raise ArithmeticError(f"{name}: {slots[-1]} slots for {tier.layers} layers of {tier.rows} rows")
    periods = shape.all_periods if whole else shape.periods
    magic, shift = id_division(tier.rows)
    return Tier(
        layers=tier.layers, rows=tier.rows, local=tier.local, periods=periods, fold=fold_of(periods), span=shape.all_periods,
        turn=turn_of(tier.layers), fold_layers=fold_of(tier.layers), row_magic=magic, row_shift=shift,
        slots=sheet.put(slots), owners=sheet.put(owners_of(slots)),
        keys=sheet.put(hash32_array(np.arange(tier.layers), salt_of(seed, purpose))),
        strides=sheet.put(units_of(tier.layers, chance)), salt=salt_of(seed, purpose + 1),
    )


def heads_of(sheet: Sheet, plan: Plan) -> Heads:
    """Tables of the celebrities: sizes, layers, and guides from a position to a slot."""
    shape = plan.shape
    line = shape.all_periods * shape.giants.rows
    most, least = plan.mid_range
    sizes, layer = pack_giants(plan.head, shape.giant_count, shape.giants.layers, line, int(least) + 1)
    order = np.lexsort((np.arange(sizes.size), layer))
    ends = np.zeros(sizes.size, np.int64)
    ends[order] = sizes[order].cumsum() - layer[order] * line
    counts = np.bincount(layer, minlength=shape.giants.layers)
    firsts = np.concatenate(([0], counts.cumsum()))
    bits = int(sizes.min()).bit_length() - 1
    cells = (line >> bits) + 1
    corners = np.arange(cells, dtype=np.int64) << bits
    guide = np.concatenate([firsts[j] + np.searchsorted(ends[order][firsts[j] : firsts[j + 1]], corners, "right") for j in range(firsts.size - 1)])
    guide = np.minimum(guide, np.repeat(firsts[1:], cells) - 1)
    mids = mid_sizes(most, least, shape.mid_slots, shape.variants, shape.periods * shape.mids.rows)
    starts = np.concatenate((np.zeros((shape.variants, 1), np.int64), mids.cumsum(axis=1)), axis=1)
    mid_bits = int(mids.min()).bit_length() - 1
    mid_corners = np.arange((int(starts[0, -1]) >> mid_bits) + 1, dtype=np.int64) << mid_bits
    mid_guide = np.concatenate([np.minimum(np.searchsorted(row[1:], mid_corners, "right"), shape.mid_slots - 1) for row in starts])
    return Heads(
        rows=shape.celebrity_rows, giants=shape.giant_count, giants_a_province=shape.giant_count // shape.provinces,
        giant_layer=sheet.put(layer), giant_start=sheet.put(ends - sizes), giant_size=sheet.put(sizes), giant_bits=bits,
        giant_cells=cells, giant_guide=sheet.put(guide), giant_ends=sheet.put(ends[order]),
        giant_ids=sheet.put(order), mid_slots=shape.mid_slots, variants=shape.variants, mid_bits=mid_bits,
        mid_cells=mid_corners.size, mid_guide=sheet.put(mid_guide), mid_starts=sheet.put(starts),
        sizes=sheet.put(mids), fold_layers=fold_of(shape.layers),
        fold_variants=fold_of(shape.variants),
    )


def mutual_of(sheet: Sheet, shape: Shape, counts: Counts, seed: int, chance: np.random.Generator) -> Mutual:
    """Layers as sums of periods: local ones keep the province, the others have a sum of provinces too."""
    tier = shape.mutual
    slots = np.concatenate(([0], counts.cumsum()))
    mixed = chance.permutation(shape.periods)
    across = chance.choice((shape.periods - tier.local) * shape.provinces, tier.layers - tier.local, replace=False)
    h = np.concatenate((mixed[: tier.local], mixed[tier.local + across // shape.provinces]))
    province = np.concatenate((np.zeros(tier.local, np.int64), across % shape.provinces))
    layer_of = np.zeros((shape.periods, shape.provinces), np.int64)
    layer_of[h[tier.local :], province[tier.local :]] = np.arange(tier.local, tier.layers) + 1
    layer_of[h[: tier.local]] = np.arange(tier.local)[:, None] + 1
    return Mutual(
        layers=tier.layers, rows=tier.rows, local=tier.local, fold_layers=fold_of(tier.layers), slots=sheet.put(slots),
        owners=sheet.put(owners_of(slots)), keys=sheet.put(hash32_array(np.arange(tier.layers), salt_of(seed, 40))),
        sums=sheet.put((province * (SUM + 1)) | h), layer_of=sheet.put(layer_of), salt=salt_of(seed, 41),
    )


def ring_of(sheet: Sheet, half: Counts, seed: int) -> Ring:
    """Out ranks of equal ring width share a ring."""
    bands = np.zeros((int(half.max()) + 1, 4), np.int64)
    for width in np.unique(half):
        ranks = np.flatnonzero(half == width)
        bands[width] = ranks[0], ranks.size, *id_division(ranks.size)
    return Ring(half=sheet.put(half), bands=sheet.put(bands), salt=salt_of(seed, 50))


@njit
def name_giants(table: Table, at: Layout) -> None:
    """Turn the ranks of giants, by slot, into ids."""
    for slot in range(at.heads.giants):
        rank = load(table, at.heads.giant_ids + slot)
        w = rank // at.provinces
        b = w // at.layers
        table[at.heads.giant_ids + slot] = np.uint32(id_of_in(table, at, rank - w * at.provinces, b, w - b * at.layers))


def members_of(table: Table, at: Layout, layers: int, *, giants: bool) -> tuple[Ids, Ids]:
    """Places (province, celebrity number) of the celebrities of each layer: where each layer starts, and all of them."""
    layer = layers_of_stars(table, at, giants=giants)
    places = np.flatnonzero(layer >= 0)
    firsts = np.concatenate(([0], np.bincount(layer[places], minlength=layers).cumsum()))
    return firsts, places[layer[places].argsort(kind="stable")]


@njit
def layers_of_stars(table: Table, at: Layout, *, giants: bool) -> Ids:
    """By place the layer of each celebrity of a tier; -1 for the other tier's."""
    stars = at.heads.rows * at.layers
    layer = np.full(stars * at.provinces, -1, np.int64)
    for place in range(layer.size):
        w = place // at.provinces
        b = w // at.layers
        kind, j, _, _, _ = interval_of(table, at, place - w * at.provinces, b, w - b * at.layers)
        if kind != KIND_BODY and (kind == KIND_GIANT) == giants:
            layer[place] = j
    return layer


@njit
def redraw(table: Table, at: Layout, tier: Tier, members: Ids, firsts: Ids, salt: int) -> int:
    """Redraw the key of each layer until none of its celebrities follows himself; how often, or -1."""
    redrawn = 0
    for j in range(tier.layers):
        tries = 0
        while leads_home(table, at, tier, members, firsts[j], firsts[j + 1]):
            tries += 1
            if tries > REDRAWS:
                return -1
            table[tier.keys + j] = np.uint32(below(j * REDRAWS + tries, salt, 1 << 32))
        redrawn += tries
    return redrawn


@njit
def leads_home(table: Table, at: Layout, tier: Tier, members: Ids, first: int, last: int) -> bool:
    """Whether a celebrity of a layer follows himself."""
    for i in range(first, last):
        w = members[i] // at.provinces
        province = members[i] - w * at.provinces
        b = w // at.layers
        z = w - b * at.layers
        _, j, copy, start, count = interval_of(table, at, province, b, z)
        h, y = out_of(table, at, b, z)
        if lands(table, at, tier, province, h, y, j, copy, start, count):
            return True
    return False

