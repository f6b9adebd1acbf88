"""Single questions in compiled code, each in O(1) for everybody: membership, the k-th slot, degrees, pull width, region."""

from __future__ import annotations

from ..compiled import inlined, njit
from .hashing import Table, load
from .kernels_heads import KIND_BODY, KIND_GIANT, giant_at, interval_of, mid_at, ordinary_at
from .kernels_lists import partner_slots, width
from .kernels_places import fold, id_of_out, in_place, out_of, rank_of_out
from .kernels_rows import column_start, id_in_period, place_row, row_at, row_in_layer
from .mutual import are_mutual, mutual_at
from .ring import are_neighbours, ring_at
from .tables import Layout, Tier


@inlined
def are_joined(table: Table, at: Layout, province: int, h: int, y: int, province1: int, h1: int, y1: int) -> bool:
    """Whether two different ordinary users follow each other by ring or mutual layers."""
    if are_neighbours(table, at, province, h, y, province1, h1, y1):
        return True
    return are_mutual(table, at, province, h, y, province1, h1, y1)


@inlined
def lands(
    table: Table, at: Layout, tier: Tier, province: int, h: int, y: int, j: int, copy: int, first: int, count: int,
) -> bool:
    """Whether the row of an out place in layer j falls into an interval."""
    base = province * at.periods
    r = row_in_layer(table, tier, base + h, y, j)
    if r < 0:
        return False
    copy1, position = place_row(table, at, tier, j, base + h, base, r)
    return copy1 == copy and first <= position < first + count


@inlined
def follows(table: Table, at: Layout, user: int, followee: int) -> bool:
    """Whether `user` follows `followee`."""
    if user == followee:
        return False
    province, b, z = in_place(table, at, user)
    h, y = out_of(table, at, b, z)
    province1, b1, z1 = in_place(table, at, followee)
    kind, j, copy, first, count = interval_of(table, at, province1, b1, z1)
    if kind == KIND_GIANT:
        return lands(table, at, at.giants, province, h, y, j, copy, first, count)
    if kind != KIND_BODY:
        return lands(table, at, at.mids, province, h, y, j, copy, first, count)
    if lands(table, at, at.body, province, h, y, j, copy, first, count):
        return True
    if b < at.heads.rows:
        return False
    h1, y1 = out_of(table, at, b1, z1)
    return are_joined(table, at, province, h, y, province1, h1, y1)


@njit
def in_degree_of(table: Table, at: Layout, user: int) -> int:
    """Slots of the list of followers: exactly the followers of a celebrity; of others a few in ten thousand are void."""
    province, b, z = in_place(table, at, user)
    return interval_of(table, at, province, b, z)[4] + partner_slots(table, at, b, z)


@njit
def one_way_in_degree_of(table: Table, at: Layout, user: int) -> int:
    """Slots of one-way followers alone."""
    province, b, z = in_place(table, at, user)
    return interval_of(table, at, province, b, z)[4]


@njit
def out_degree_of(table: Table, at: Layout, user: int) -> int:
    """Slots of the list of followees."""
    _, b, z = in_place(table, at, user)
    _, y = out_of(table, at, b, z)
    one_way = width(table, at.giants, y) + width(table, at.mids, y) + width(table, at.body, y)
    return one_way + partner_slots(table, at, b, z)


@njit
def pull_width_of(table: Table, at: Layout, user: int) -> int:
    """How many celebrities a user follows: exact, they have tiers of their own."""
    _, b, z = in_place(table, at, user)
    _, y = out_of(table, at, b, z)
    return width(table, at.giants, y) + width(table, at.mids, y)


@njit
def province_of(table: Table, at: Layout, user: int) -> int:
    """The province a user lives in."""
    return in_place(table, at, user)[0]


@njit
def region_of(table: Table, at: Layout, user: int) -> int:
    """The region a user lives in: a group of provinces."""
    return load(table, at.region_of + in_place(table, at, user)[0])


@njit
def rank_of(table: Table, at: Layout, user: int) -> int:
    """The bin of a user in the ranking by followers, 0 the most followed."""
    return in_place(table, at, user)[1]


@njit
def is_celebrity(table: Table, at: Layout, user: int) -> bool:
    """Whether a user has more followers than the shape's threshold."""
    return in_place(table, at, user)[1] < at.heads.rows


@inlined
def partner_at(table: Table, at: Layout, province: int, h: int, y: int, k: int) -> int:
    """The k-th slot of ring and mutual layers of an ordinary user, or -1 where it is void."""
    ring = 2 * load(table, at.ring.half + y)
    if k < ring:
        return ring_at(table, at, province, h, y, k)
    province1, h1, y1 = mutual_at(table, at, province, h, y, k - ring)
    if y1 < 0 or are_neighbours(table, at, province, h, y, province1, h1, y1):
        return -1
    return id_of_out(table, at, province1, h1, y1)


@inlined
def follower_at(table: Table, at: Layout, user: int, k: int) -> int:
    """The follower in the k-th slot, 0 <= k < in_degree_of; -1 where the slot is void (never for a celebrity)."""
    province, b, z = in_place(table, at, user)
    kind, j, copy, first, _ = interval_of(table, at, province, b, z)
    if kind == KIND_GIANT:
        g, y = row_at(table, at, at.giants, j, copy, first + k)
        return id_in_period(table, at, g, y)
    if kind != KIND_BODY:
        g, y = row_at(table, at, at.mids, j, copy, first + k)
        return id_in_period(table, at, g, y)
    h, y = out_of(table, at, b, z)
    partners = partner_slots(table, at, b, z)
    if k < partners:
        return partner_at(table, at, province, h, y, k)
    g1, y1 = row_at(table, at, at.body, j, copy, first + k - partners)
    province1 = fold(g1, at.fold_periods)
    h1 = g1 - province1 * at.periods
    follower = id_of_out(table, at, province1, h1, y1)
    if follower == user:
        return -1
    if are_joined(table, at, province, h, y, province1, h1, y1) and rank_of_out(table, at, h1, y1) >= at.heads.rows:
        return -1
    return follower


@njit
def followee_at(table: Table, at: Layout, user: int, k: int) -> int:
    """The followee in the k-th slot, 0 <= k < out_degree_of; -1 where the slot is void. Slots are in the order of the list."""
    province, b, z = in_place(table, at, user)
    h, y = out_of(table, at, b, z)
    partners = partner_slots(table, at, b, z)
    if k < partners:
        return partner_at(table, at, province, h, y, k)
    k -= partners
    if k < width(table, at.body, y):
        j, copy, position = slot_at(table, at, at.body, province, h, y, k)
        followee = ordinary_at(table, at, j, copy, position)
        return -1 if repeats(table, at, user, followee) else followee
    k -= width(table, at.body, y)
    if k < width(table, at.mids, y):
        j, copy, position = slot_at(table, at, at.mids, province, h, y, k)
        return mid_at(table, at, j, copy, position)
    j, _, position = slot_at(table, at, at.giants, province, h, y, k - width(table, at.mids, y))
    return giant_at(table, at, j, position)


@inlined
def slot_at(table: Table, at: Layout, tier: Tier, province: int, h: int, y: int, k: int) -> tuple[int, int, int]:
    """Where the k-th slot of an out rank in a tier leads: layer, copy of the line, position."""
    base = province * at.periods
    j, r, _ = column_start(table, tier, base + h, load(table, tier.slots + y) + k)
    copy, position = place_row(table, at, tier, j, base + h, base, r)
    return j, copy, position


@njit
def repeats(table: Table, at: Layout, user: int, other: int) -> bool:
    """Whether a one-way edge between two users, the latter ordinary, would repeat a mutual one or join a user to himself."""
    if user == other:
        return True
    province, b, z = in_place(table, at, user)
    province1, b1, z1 = in_place(table, at, other)
    if b < at.heads.rows or b1 < at.heads.rows:
        return False
    h, y = out_of(table, at, b, z)
    h1, y1 = out_of(table, at, b1, z1)
    return are_joined(table, at, province, h, y, province1, h1, y1)
