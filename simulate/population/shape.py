"""What a graph is asked to be (`GraphParams`) and what it can be (`Shape`): the nearest feasible sizes, or a clear refusal.

N = provinces x bins x layers exactly, so a wanted number of users becomes the nearest product; the shape states it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from ...core.errors import Invalid
from .celebrities import DEFAULT_HEAD, HEAD_SLOPE, head_mass, plan_heads
from .degrees import Degrees, in_degrees, out_degrees
from .kernels_places import CO

USERS_MIN, USERS_MAX = 10_000, 2_000_000_000
LAYERS_MAX = 16_000  # places of a layer number in packed words, and the cheap modulo
DESIGN_USERS = 500_000_000
DESIGN_MEAN = 200.0
MID_LEAST = 1.0129  # the smallest celebrity beside the threshold
THRESHOLD = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphParams:
    """What the graph is asked to be. None means: by the number of users."""

    users: int = DESIGN_USERS
    mean_following: float | None = None  # 200, less in villages: 0.2 sqrt(users)
    max_following: int | None = None  # 25 times the mean, less in villages
    following_sigma: float = 1.4  # of the lognormal of out-degrees
    followers_sigma: float = 2.2  # of the lognormal of ordinary in-degrees
    reciprocity: float = 0.217  # share of edges that are mutual
    ring_share: float = 0.5  # of mutual edges that lie on rings
    regions: tuple[int, ...] = (4, 3, 2, 1)  # provinces of each region; provinces are equal in size
    in_region_share: float = 0.6  # of all follows
    degree_agreement: float = 0.3  # users whose rank by followers is their rank by followees
    celebrity_share: float = 0.001  # of users, at least one bin
    giants_share: float = 0.18  # of follows that go to giants, at most
    threshold: int | None = None  # celebrities have more followers: 10,000, less in villages
    head: tuple[int, ...] | None = None  # followers of the top accounts, largest first; None: published figures, by users


@dataclass(frozen=True, slots=True, kw_only=True)
class TierShape:
    """Layers of one tier, rows of one period in one layer, how many layers keep to a province."""

    layers: int
    rows: int
    local: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A feasible graph. `users` is what there is; `asked` is what was asked for."""

    asked: int
    users: int
    provinces: int
    region_provinces: tuple[int, ...]
    bins: int
    periods: int  # of one province
    celebrity_rows: int
    celebrities: int
    threshold: int  # every celebrity has more followers, everybody else at most as many
    most_one_way: int  # followers of an ordinary account, mutual ones apart
    giants: TierShape
    mids: TierShape
    body: TierShape
    mutual: TierShape
    giant_count: int
    mid_slots: int  # of a layer and province
    variants: int
    mean_following: float
    max_following: int
    edges: int  # nominal
    in_region_share: float  # by design
    reciprocity: float
    agreement: float

    @property
    def layers(self) -> int:
        """Layers of the body: users of one bin and province."""
        return self.body.layers

    @property
    def all_periods(self) -> int:
        """Periods of all provinces."""
        return self.provinces * self.periods

    def stated(self) -> str:
        """The size in words."""
        near = "as asked" if self.users == self.asked else f"the nearest feasible to {self.asked:,}"
        return f"{self.users:,} users, {near}: {self.provinces} provinces x {self.bins:,} ranks x {self.layers:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A shape with the degrees and celebrities it was made from."""

    shape: Shape
    degrees: Degrees
    head: tuple[int, ...]
    mid_range: tuple[float, float]


def refuse(what: str, field: str, allowed: str) -> Invalid:
    """An error that names the parameter and what it may be."""
    return Invalid(f"{field}: {what}", field=field, meaning=f"allowed: {allowed}", try_=f"choose {field} within: {allowed}")


def checked(params: GraphParams) -> GraphParams:
    """The parameters, or an error for those that no population could have."""
    p = params
    if not USERS_MIN <= p.users <= USERS_MAX:
        raise refuse(f"{p.users:,} is not a population", "users", f"{USERS_MIN:,} to {USERS_MAX:,}")
    if p.mean_following is not None and p.mean_following >= p.users:
        raise refuse(f"a mean of {p.mean_following:,} among {p.users:,} users: more followees than users", "mean_following", "1 up, below users")
    if p.mean_following is not None and not (math.isfinite(p.mean_following) and p.mean_following >= 4):
        raise refuse(f"{p.mean_following} is too few to follow", "mean_following", "4 or more")
    if p.max_following is not None and p.max_following >= p.users:
        raise refuse(f"{p.max_following:,} of {p.users:,} users: more followees than users", "max_following", "below users")
    for field, low, high in (
        ("following_sigma", 0.1, 3.0), ("followers_sigma", 0.1, 4.0), ("reciprocity", 0.01, 0.6), ("ring_share", 0.0, 1.0),
        ("in_region_share", 0.0, 1.0), ("degree_agreement", 0.0, 1.0), ("celebrity_share", 0.0, 0.05), ("giants_share", 0.01, 0.4),
    ):
        value = getattr(p, field)
        if not (math.isfinite(value) and low <= value <= high):
            raise refuse(f"{value} is out of range", field, f"{low} to {high}")
    if not p.regions or min(p.regions) < 1 or not 1 <= sum(p.regions) <= 16:
        raise refuse(f"{p.regions} are no regions", "regions", "1 to 16 provinces in all, each region at least 1")
    if p.threshold is not None and not 10 <= p.threshold < p.users:
        raise refuse(f"{p.threshold:,} followers", "threshold", "10 up, below users")
    if p.head is not None:
        check_head(p.head, p.users)
    return p


def check_head(head: tuple[int, ...], users: int) -> None:
    """A head is a descending list of follower counts that the population can have."""
    if not head or len(head) > 100 or min(head) < 1:
        raise refuse("not a head of the ranking", "head", "1 to 100 positive follower counts")
    if any(a < b for a, b in itertools.pairwise(head)):
        raise refuse("not in order", "head", "follower counts, largest first")
    if head[0] >= users // 2:
        raise refuse(f"{head[0]:,} followers in a population of {users:,}: the head exceeds the population", "head", "each below half of users")


def grid(users: int, provinces: int) -> tuple[int, int]:
    """(layers, bins) whose product is nearest to a province's users; of equals the one nearest the usual proportion."""
    wanted = users / provinces
    usual = min(math.sqrt(2 * wanted), LAYERS_MAX)
    best = (math.inf, math.inf, 0, 0)
    for layers in range(CO * math.ceil(0.75 * usual / CO), min(int(1.5 * usual), LAYERS_MAX) + 1, CO):
        bins = max(8, round(wanted / layers))
        off = abs(layers * bins - wanted)
        best = min(best, (off, abs(math.log(layers / usual)), layers, bins))
    return best[2], best[3]


def plan(params: GraphParams) -> Plan:
    """The nearest feasible shape with its degrees, or a refusal."""
    p = checked(params)
    provinces = sum(p.regions)
    layers, bins = grid(p.users, provinces)
    periods = layers // CO
    users = provinces * layers * bins
    mean = p.mean_following if p.mean_following is not None else min(DESIGN_MEAN, 0.2 * math.sqrt(users))
    room = min(int(1.7 * layers), users // 4)
    if p.max_following is not None and p.max_following > room:
        raise refuse(f"{p.max_following:,} for {users:,} users", "max_following", f"at most {room:,}")
    most = p.max_following if p.max_following is not None else min(round(25 * mean), room)
    if mean > most / 2.2:
        raise refuse(f"{mean:,.0f} for {users:,} users", "mean_following", f"4 to {most / 2.2:,.0f}")
    row = provinces * layers
    celebrity_rows = max(1, round(p.celebrity_share * users / row))
    if celebrity_rows > bins // 4:
        raise refuse("too many celebrities", "celebrity_share", f"at most {bins // 4 * row / users:.3f}")
    head = head_for(p, users, mean)
    heads = plan_heads(
        users=users, mean=mean, layers=layers, provinces=provinces, rows=celebrity_rows, head=head, share=p.giants_share,
        spread=most / mean, ordinary=mean + 1.2 * p.reciprocity * most, threshold=p.threshold, default_threshold=THRESHOLD, least=MID_LEAST, explicit=p.head is not None,
    )
    degrees = out_degrees(p, heads, bins=bins, layers=layers, periods=periods, provinces=provinces, mean=mean, most=most)
    local = local_share(p, degrees, provinces)
    body = TierShape(layers=layers, rows=degrees.body_rows, local=round(local * layers))
    shape = Shape(
        asked=p.users, users=users, provinces=provinces, region_provinces=p.regions, bins=bins, periods=periods,
        celebrity_rows=celebrity_rows, celebrities=celebrity_rows * row, threshold=heads.threshold, most_one_way=heads.threshold - int(degrees.partners.max()),
        giants=TierShape(layers=heads.giant_layers, rows=degrees.giant_rows, local=0),
        mids=TierShape(layers=heads.mid_layers, rows=degrees.mid_rows, local=round(local * heads.mid_layers)), body=body,
        mutual=TierShape(
            layers=degrees.mutual_layers, rows=degrees.mutual_rows, local=min(round(local * degrees.mutual_layers), periods // 2),
        ),
        giant_count=heads.giant_count, mid_slots=heads.mid_slots, variants=heads.variants,
        mean_following=float(degrees.total.mean()), max_following=int(degrees.total.max()),
        edges=int(degrees.total.sum()) * provinces * periods, in_region_share=p.in_region_share, reciprocity=p.reciprocity,
        agreement=p.degree_agreement,
    )
    degrees.followers = in_degrees(p, shape)
    return Plan(shape=shape, degrees=degrees, head=head, mid_range=(heads.mid_most, heads.mid_least))


def head_for(p: GraphParams, users: int, mean: float) -> tuple[int, ...]:
    """Followers of the top accounts: as given, or the published ones in proportion to users (and to a small mean)."""
    if p.head is None:
        scale = users / DESIGN_USERS * min(1.0, mean / 40)
        return tuple(max(1, round(size * scale)) for size in DEFAULT_HEAD)
    if head_mass(p.head, len(p.head), HEAD_SLOPE) > p.giants_share * mean * users:
        most = int(p.giants_share * mean * users)
        raise refuse(f"{sum(p.head):,} followers: the head exceeds the population's follows", "head", f"a sum of at most {most:,}")
    return p.head


def local_share(p: GraphParams, degrees: Degrees, provinces: int) -> float:
    """The share of layers that must keep to a province for the asked share of follows inside a region."""
    chance = sum((count / provinces) ** 2 for count in p.regions)
    parts = degrees.shares()
    fixed = parts["giants"] * chance + parts["ring"]
    free = parts["mids"] + parts["body"] + parts["mutual"]
    least, most = fixed + free * chance, fixed + free
    if len(p.regions) == 1:
        return 0.0
    if not least <= p.in_region_share <= most:
        raise refuse(f"{p.in_region_share} cannot be", "in_region_share", f"{math.ceil(least * 1000) / 1000:g} to {int(most * 1000) / 1000:g}")
    return (p.in_region_share - least) / (free * (1 - chance))
