"""Degree sequences: lognormal quantiles, capped, with exact sums, and how a user's followees are split over the tiers.

Everybody of one out rank has the same out-degree, everybody of one in rank (and no celebrity) the same in-degree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid
from .celebrities import HeadPlan

if TYPE_CHECKING:
    from .shape import GraphParams, Shape

Counts = NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class Degrees:
    """Slots of every out rank by tier, largest first, and in-degrees of ordinary in ranks."""

    giants: Counts
    mids: Counts
    body: Counts
    mutual: Counts
    half: Counts  # ring neighbours on each side
    giant_rows: int
    mid_rows: int
    body_rows: int
    mutual_layers: int
    mutual_rows: int
    followers: Counts = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def partners(self) -> Counts:
        """Mutual edges of both kinds."""
        return self.mutual + 2 * self.half

    @property
    def total(self) -> Counts:
        """All followees of every out rank."""
        return self.giants + self.mids + self.body + self.partners

    def shares(self) -> dict[str, float]:
        """Each tier's share of follows."""
        whole = float(self.total.sum())
        parts = {"giants": self.giants, "mids": self.mids, "body": self.body, "mutual": self.mutual, "ring": 2 * self.half}
        return {name: float(counts.sum()) / whole for name, counts in parts.items()}


def lognormal(count: int, sigma: float, mean: float, least: int, most: int) -> Counts:
    """`count` rounded quantiles in descending order, scaled so that their mean after capping is `mean`."""
    shape = quantiles_of(count, sigma)
    return np.clip(np.rint(scale_of(shape, mean, least, most) * shape), least, most).astype(np.int64)


def quantiles_of(count: int, sigma: float) -> NDArray[np.float64]:
    """Quantiles of a lognormal of median 1, largest first."""
    from scipy.special import ndtri  # type: ignore[import-untyped]  # noqa: PLC0415 - a graph that is kept needs none of it

    return np.asarray(np.exp(sigma * ndtri(1 - (np.arange(count) + 0.5) / count)), np.float64)


def scale_of(shape: NDArray[np.float64], mean: float, least: int, most: int) -> float:
    """The factor that gives values this mean once they are capped."""
    low, high = 1e-9, 1e12
    for _ in range(100):
        scale = math.sqrt(low * high)
        low, high = (scale, high) if np.clip(scale * shape, least, most).mean() < mean else (low, scale)
    return low


def intended(sigma: float, mean: float, least: int, most: int) -> NDArray[np.float64]:
    """The cumulative distribution, by degree 0..most, of the rounded and capped lognormal with this mean."""
    from scipy.special import ndtr  # noqa: PLC0415 - likewise

    scale = scale_of(quantiles_of(200_000, sigma), mean, least, most)
    degrees = np.arange(most + 1)
    cumulative = np.asarray(ndtr(np.log((degrees + 0.5) / scale) / sigma), np.float64)
    cumulative[:least] = 0.0
    cumulative[most] = 1.0
    return cumulative


def exactly(values: Counts, total: int, most: int, least: int) -> Counts:
    """Descending values moved by as little as gives this sum, within bounds, still descending."""
    values = values.copy()
    while (short := total - int(values.sum())) != 0:
        step = 1 if short > 0 else -1
        free = np.flatnonzero(values < most) if step > 0 else np.flatnonzero(values > least)
        if free.size == 0:
            raise Invalid(f"mean_following: {total:,} slots do not fit", field="mean_following", meaning="allowed: a smaller mean or a larger maximum")
        values[free[: abs(short)] if step > 0 else free[-abs(short) :]] += step
    return np.sort(values)[::-1]


def to_sum(wanted: NDArray[np.float64], total: int, most: int) -> Counts:
    """Whole numbers in the proportion of a descending `wanted`, at most `most`, with this sum; descending."""
    low, high = 0.0, 4.0 * max(1.0, total / max(float(wanted.sum()), 1e-9))
    for _ in range(80):
        scale = (low + high) / 2
        low, high = (low, scale) if np.floor(np.minimum(scale * wanted, most)).sum() > total else (scale, high)
    return exactly(np.floor(np.minimum(low * wanted, most)).astype(np.int64), total, most, 0)


def giants_followed(total: Counts, layers: int, wanted: float) -> NDArray[np.float64]:
    """Giants among the followees: small accounts follow mostly giants, nobody more than one a layer."""
    low, high = 1e-6, 1e9
    for _ in range(100):
        c = math.sqrt(low * high)
        followed = np.minimum(0.45 * total, layers * total / (total + c))
        low, high = (c, high) if followed.mean() > wanted else (low, c)
    return np.asarray(np.minimum(0.45 * total, layers * total / (total + low)), np.float64)


def out_degrees(
    p: GraphParams, heads: HeadPlan, *, bins: int, layers: int, periods: int, provinces: int, mean: float, most: int,
) -> Degrees:
    """Slots by out rank and tier, each tier's sum a multiple of its layers."""
    count = 4 * bins
    users = provinces * periods * count
    total = lognormal(count, p.following_sigma, mean, 2, most)
    giant_rows = max(1, round(heads.giant_follows / (provinces * periods * heads.giant_layers)))
    giants = to_sum(giants_followed(total, heads.giant_layers, heads.giant_follows / users), giant_rows * heads.giant_layers, heads.giant_layers)
    mutual_share = mutual_wanted(p, bins, total)
    half = np.floor(mutual_share * p.ring_share * total / 2 + 0.25).astype(np.int64)
    half = np.minimum(half, (periods - 1) // 2 - 1).clip(min=0)
    left = max(0.0, mutual_share * float(total.sum()) - 2.0 * float(half.sum()))
    mutual_layers = max(4, math.ceil(1.02 * left / float(total.sum()) * int(total.max())) + 2)
    mutual_rows = max(1, round(left / mutual_layers))
    mutual = to_sum(total.astype(np.float64), mutual_rows * mutual_layers, mutual_layers)
    after = np.maximum(total - giants - mutual - 2 * half, 1)
    mid_rows = max(1, round(heads.mid_follows / (provinces * periods * heads.mid_layers)))
    mids = to_sum(descending(after - 1), mid_rows * heads.mid_layers, heads.mid_layers)
    body = np.maximum(after - mids, 1)
    body_rows = round(float(body.sum()) / layers)
    body = nudged(body, body_rows * layers, layers)
    return Degrees(
        giants=giants, mids=mids, body=body, mutual=mutual, half=half, giant_rows=giant_rows, mid_rows=mid_rows,
        body_rows=body_rows, mutual_layers=mutual_layers, mutual_rows=mutual_rows,
    )


def descending(values: Counts) -> NDArray[np.float64]:
    """The nearest descending sequence from above."""
    return np.maximum.accumulate(values[::-1])[::-1].astype(np.float64)


def nudged(body: Counts, total: int, most: int) -> Counts:
    """The largest moved by one or two so that the sum is right; the order is kept as it is."""
    body = np.minimum(body, most)
    while (short := total - int(body.sum())) != 0:
        free = np.flatnonzero(body < most) if short > 0 else np.flatnonzero(body > 1)
        if free.size == 0:
            raise Invalid("mean_following: the body's slots do not fit", field="mean_following", meaning="allowed: a smaller mean or maximum")
        body[free[: abs(short)]] += 1 if short > 0 else -1
    return body


def mutual_wanted(p: GraphParams, bins: int, total: Counts) -> float:
    """The share of slots that must be mutual for the asked reciprocity, as slots that touch a celebrity are void."""
    rows = max(1, round(p.celebrity_share * bins))
    by_bin = total.reshape(bins, 4).sum(axis=1)
    celebrity = p.degree_agreement * float(by_bin[:rows].sum()) / float(by_bin.sum()) + (1 - p.degree_agreement) * rows / bins
    stands = (1 - celebrity) ** 2
    return p.reciprocity / (stands + p.reciprocity * (1 - stands))


def in_degrees(p: GraphParams, shape: Shape) -> Counts:
    """One-way followers of ordinary in ranks, their sum one line; with mutual edges nobody passes the threshold."""
    count = shape.bins - shape.celebrity_rows
    line = shape.periods * shape.body.rows
    most, partners = shape.most_one_way, shape.threshold - shape.most_one_way
    if most < 1.05 * line / count:
        raise Invalid(
            f"threshold: {shape.threshold:,} followers is less than ordinary accounts have", field="threshold",
            meaning=f"allowed: at least {math.ceil(1.5 * line / count) + partners:,}",
        )
    return exactly(lognormal(count, p.followers_sigma, line / count, 0, most), line, most, 0)
