"""Who is followed most: the giants with their published sizes, the mid celebrities, and how they are packed into layers.

Sizes are exact: a layer is filled to its last position, and a celebrity's followers are the positions of his interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid

# Followers of the twenty most followed accounts in February 2023 (facts.md): the first ten and the twentieth as published,
# those between on a line in the logarithm of the size.
_PUBLISHED = (133.3, 127.7, 113.5, 108.7, 107.8, 107.4, 92.3, 87.6, 86.2, 84.9)
_TWENTIETH = 61.0
DEFAULT_HEAD = tuple(
    round(1e6 * size)
    for size in (*_PUBLISHED, *(_PUBLISHED[-1] * (_TWENTIETH / _PUBLISHED[-1]) ** (k / 10) for k in range(1, 11)))
)
HEAD_SLOPE = 0.78  # size by rank below the head
MID_SLOPE = 0.986  # and below the giants
NATURAL = 0.2  # a village, where rank alone would give the least celebrity less than this part of 10,000, has its own threshold
KEPT = 1_000  # giants whose size is kept to the unit while layers are filled

Sizes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPlan:
    """How many celebrities of each kind, in how many layers, above which threshold."""

    giant_count: int
    giant_layers: int
    giant_follows: int  # wanted, in all
    mid_layers: int
    mid_slots: int
    variants: int
    mid_follows: int  # wanted, in all
    mid_most: float
    mid_least: float
    threshold: int


def head_sizes(head: tuple[int, ...], count: int, slope: float) -> NDArray[np.float64]:
    """Sizes by rank: the head as it is, then a power of the rank."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    sizes: NDArray[np.float64] = head[-1] * (ranks / len(head)) ** -slope
    sizes[: len(head)] = head[:count]
    return sizes


def head_mass(head: tuple[int, ...], count: int, slope: float) -> float:
    """Followers of the first `count` together."""
    return float(head_sizes(head, count, slope).sum())


def prime_near(wanted: float) -> int:
    """The prime nearest from above to `wanted`, at least 2."""
    n = max(2, round(wanted))
    while any(n % d == 0 for d in range(2, math.isqrt(n) + 1)):
        n += 1
    return n


def plan_heads(
    *, users: int, mean: float, layers: int, provinces: int, rows: int, head: tuple[int, ...], share: float, spread: float,
    ordinary: float, threshold: int | None, default_threshold: int, least: float, explicit: bool,
) -> HeadPlan:
    """Choose numbers of celebrities and layers. `spread` is the largest out-degree over the mean; a threshold that is not
    given is above `ordinary`, what accounts have that are no celebrities."""
    stars = rows * layers  # of a province
    wanted = giants_wanted(users, mean, stars * provinces, head, share, threshold or default_threshold, explicit=explicit)
    smallest = float(head_sizes(head, wanted, HEAD_SLOPE)[-1])
    natural = smallest * (stars * provinces / wanted) ** -MID_SLOPE
    if threshold is None:
        threshold = default_threshold if natural > NATURAL * default_threshold and smallest > 1.4 * default_threshold else int(max(natural, ordinary))
    lowest = threshold * least + 1
    if smallest < 1.2 * lowest:
        raise Invalid(
            f"threshold: celebrities above {threshold:,} followers, but the smallest of {wanted:,} giants has {smallest:,.0f}", field="threshold",
            meaning=f"allowed: 10 to {int(smallest / 1.3):,}", try_="a lower threshold, or none, to have it by the number of users",
        )
    giants_a_province = max(1, round(wanted / provinces))
    mids = stars - giants_a_province
    slope = math.log(smallest / lowest) / math.log(stars * provinces / wanted)
    follows = float((smallest * np.linspace(1, stars * provinces / wanted, 4000) ** -slope).mean() * mids * provinces)
    mid_layers, mid_slots, variants = mid_grid(follows / users, spread, mids, layers)
    giants = provinces * (stars - mid_layers * mid_slots)
    giant_follows = head_mass(head, giants, HEAD_SLOPE)
    giant_layers = prime_near(min(0.66 * giant_follows / head[0], 0.8 * giants / 2))
    if giant_follows / giant_layers < 1.05 * head[0]:
        raise Invalid(
            f"head: its first account has {head[0]:,} followers, more than a layer of {giant_follows / giant_layers:,.0f} holds: the head exceeds the population",
            field="head", meaning=f"allowed: a first account below {0.4 * giant_follows:,.0f}",
        )
    return HeadPlan(
        giant_count=giants, giant_layers=giant_layers, giant_follows=round(giant_follows), mid_layers=mid_layers,
        mid_slots=mid_slots, variants=variants, mid_follows=round(follows), mid_most=smallest, mid_least=lowest, threshold=threshold,
    )


def giants_wanted(users: int, mean: float, stars: int, head: tuple[int, ...], share: float, threshold: int, *, explicit: bool) -> int:
    """How many giants: their share of follows, a quarter of the celebrities, and well above the threshold where that can be."""
    most = max(len(head) + 1 if explicit else 2, stars // 4)
    sizes = head_sizes(head, most, HEAD_SLOPE)
    by_share = int(np.searchsorted(sizes.cumsum(), share * mean * users)) + 1
    by_size = int(np.count_nonzero(sizes > 1.5 * threshold))
    count = min(most, by_share)
    natural = sizes[count - 1] * (stars / count) ** -MID_SLOPE
    return min(count, by_size) if by_size > len(head) and natural > NATURAL * threshold else count


def mid_grid(mean: float, spread: float, mids: int, layers: int) -> tuple[int, int, int]:
    """(layers, slots, variants) for the mids of a province; what does not divide becomes giants."""
    lowest = max(4, min(math.ceil(mean * min(spread, 25.0) * 1.02), mids // 2, layers))
    variants = min(25, max(1, lowest // 4))
    best = (math.inf, lowest, 1)
    for count in range(-(-lowest // variants) * variants, min(int(1.4 * lowest) + variants, mids // 2) + 1, variants):
        best = min(best, (mids % count, count, mids // count))
    return int(best[1]), int(best[2]), variants


def mid_sizes(most: float, least: float, slots: int, variants: int, line: int) -> Sizes:
    """Sizes [variant, slot], largest first, each variant filling a line exactly, none below `least`."""
    count = slots * variants
    ratio = most / least
    ranks = np.linspace(0.5 / count, 1 - 0.5 / count, count)
    span = 50.0  # ranks of mids over ranks of giants
    sizes = np.minimum(least * ratio ** (1 - np.log1p(ranks * (span - 1)) / math.log(span)), 0.6 * line)
    dealt = sizes.reshape(slots, variants)
    dealt[1::2] = dealt[1::2, ::-1]
    floor = math.ceil(least)
    whole = np.empty((variants, slots), np.int64)
    for v in range(variants):
        whole[v] = filled(dealt[:, v], floor, line)
    return whole


def filled(sizes: NDArray[np.float64], floor: int, line: int) -> Sizes:
    """Whole sizes in the proportion of what they have above the floor, with this sum."""
    above = sizes - floor + 0.5
    room = line - floor * sizes.size
    if room < 0:
        raise Invalid("threshold: mid celebrities have fewer follows than the threshold asks", field="threshold", meaning="allowed: a lower one")
    scaled = np.floor(above * (room / above.sum())).astype(np.int64)
    rest = room - int(scaled.sum())
    scaled[:rest] += 1
    return np.asarray(scaled + floor, np.int64)


def pack_giants(head: tuple[int, ...], count: int, layers: int, line: int, floor: int) -> tuple[Sizes, Sizes]:
    """(size, layer) of every giant, largest first. Each layer is full to its last position.

    Largest first into the emptiest layer; the first keep their sizes, the later ones of each layer are scaled to fill it.
    """
    sizes = np.maximum(np.round(head_sizes(head, count, HEAD_SLOPE)).astype(np.int64), floor)
    kept = min(KEPT, max(len(head), count // 4), max(count - 2 * layers, count // 3))
    layer = np.zeros(count, np.int64)
    room = np.full(layers, line, np.int64)
    for giant in range(count):
        j = int(room.argmax()) if giant < count - layers else giant - (count - layers)
        layer[giant] = j
        room[j] -= sizes[giant]
    for j in range(layers):
        mine = np.flatnonzero(layer == j)
        later = mine[mine >= kept]
        left = line - int(sizes[mine[mine < kept]].sum())
        if left < floor * later.size:
            raise Invalid(f"head: layer {j} of giants is over-full: the head exceeds the population's follows", field="head")
        sizes[later] = filled(sizes[later].astype(np.float64), floor, left)
    order = np.argsort(-sizes, kind="stable")
    return sizes[order], layer[order]
