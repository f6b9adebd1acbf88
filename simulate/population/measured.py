"""What a graph turns out to be, measured through its own doors on a sample: what `population stats` prints.

Degrees against their input, reciprocity, follows inside a region, clustering, ranks by followers and followees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from ..compiled import njit
from . import kernels
from .degrees import intended
from .graph import Graph
from .hashing import Ids, Table
from .tables import Layout

EITHER, BOTH = 1, 2  # ways in which a pair must follow
DEGREES = 1_000_000  # users whose degrees are compared with the input: a sample of 20,000 is off by 0.01 by chance
MOST_PAIRS = 200  # pairs of neighbours looked at, a user


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStats:
    """Measured on `sample` users. Shares are of follows, unless said otherwise."""

    users: int
    sample: int
    edges_seen: int
    mean_following: float
    reciprocity: float
    in_region: float
    by_chance_in_region: float
    clustering_mutual: float  # two mutual friends of one are mutual friends themselves: mean over users
    clustering_followees: float  # one followee of a user follows another: mean over users
    out_degree_ks: float  # slots of a million users against the intended capped lognormal
    in_degree_ks: float  # of ordinary accounts, against theirs
    void_slots: float  # share of slots that are void: mutual slots at a celebrity, repeats, oneself
    rank_correlation: float  # Spearman, followers and followees
    mean_pull_width: float
    in_degree_quantiles: dict[str, int]
    out_degree_quantiles: dict[str, int]
    table_mb: float


def measure(graph: Graph, sample: int = 20_000, seed: int = 1) -> GraphStats:
    """Look at `sample` random users, their followees and some pairs of neighbours."""
    chance = np.random.default_rng(seed)
    ids = chance.choice(graph.users, min(sample, graph.users), replace=False).astype(np.int64)
    out, into = graph.out_degree(ids), graph.in_degree(ids)
    most = max(int(out.max()), graph.shape.max_following)
    seen = look(graph.table, graph.at, ids, most, int(chance.integers(1 << 62)))
    listed, mutual, inside = seen[:, 0].sum(), seen[:, 1].sum(), seen[:, 2].sum()
    triads, joined = seen[:, 3], seen[:, 4]
    pairs, follows = seen[:, 5], seen[:, 6]
    shares = np.array(graph.shape.region_provinces) / graph.shape.provinces
    many = chance.integers(0, graph.users, DEGREES)
    ordinary = many[~graph.is_celebrity(many)]
    return GraphStats(
        users=graph.users, sample=ids.size, edges_seen=int(listed), mean_following=float(listed / ids.size),
        reciprocity=float(mutual / listed), in_region=float(inside / listed), by_chance_in_region=float((shares**2).sum()),
        clustering_mutual=float((joined[triads > 0] / triads[triads > 0]).mean()),
        clustering_followees=float((follows[pairs > 0] / pairs[pairs > 0]).mean()),
        out_degree_ks=ks(graph.out_degree(many), intended_out(graph)),
        in_degree_ks=ks(one_way_in_degrees(graph.table, graph.at, ordinary), intended_in(graph)),
        void_slots=float(1 - listed / out.sum()), rank_correlation=float(stats.spearmanr(into, out)[0]),
        mean_pull_width=float(graph.pull_width(ids).mean()), in_degree_quantiles=quantiles(into), out_degree_quantiles=quantiles(out),
        table_mb=graph.table.nbytes / 1e6,
    )


def intended_out(graph: Graph) -> NDArray[np.float64]:
    """The cumulative distribution that out-degrees should have, by degree."""
    return intended(graph.params.following_sigma, graph.shape.mean_following, 2, graph.shape.max_following)


def intended_in(graph: Graph) -> NDArray[np.float64]:
    """The same of one-way followers of ordinary accounts."""
    shape = graph.shape
    return intended(
        graph.params.followers_sigma, shape.periods * shape.body.rows / (shape.bins - shape.celebrity_rows), 0, shape.most_one_way,
    )


def ks(degrees: Ids, cumulative: NDArray[np.float64]) -> float:
    """The largest difference between the distribution of a sample and the intended one."""
    counts = np.bincount(degrees, minlength=cumulative.size).cumsum() / degrees.size
    padded = np.concatenate((cumulative, np.ones(counts.size - cumulative.size)))
    return float(np.abs(counts - padded).max())


def quantiles(degrees: Ids) -> dict[str, int]:
    """Some quantiles of degrees, and the largest seen."""
    named = {f"p{q}": int(np.quantile(degrees, q / 100, method="lower")) for q in (1, 50, 90, 99)}
    return named | {"max": int(degrees.max())}


@njit
def look(table: Table, at: Layout, ids: Ids, most: int, seed: int) -> Ids:
    """By user: followees, mutual ones, those of the same region; pairs of friends, joined ones; pairs of followees, follows."""
    seen = np.zeros((ids.size, 7), np.int64)
    out = np.empty(most, np.int64)
    friends = np.empty(most, np.int64)
    np.random.seed(seed & 0x7FFFFFFF)  # noqa: NPY002  # compiled code has only this generator; it is its own
    for i in range(ids.size):
        user = ids[i]
        count = kernels.following_into(table, at, user, out)
        region = kernels.region_of(table, at, user)
        mutual = 0
        for k in range(count):
            seen[i, 2] += 1 if kernels.region_of(table, at, out[k]) == region else 0
            if kernels.follows(table, at, out[k], user):
                friends[mutual] = out[k]
                mutual += 1
        seen[i, 0] = count
        seen[i, 1] = mutual
        if mutual > 1:
            seen[i, 3] = MOST_PAIRS
            seen[i, 4] = joined_pairs(table, at, friends, mutual, BOTH)
        if count > 1:
            seen[i, 5] = MOST_PAIRS
            seen[i, 6] = joined_pairs(table, at, out, count, EITHER)
    return seen


@njit
def one_way_in_degrees(table: Table, at: Layout, ids: Ids) -> Ids:
    """`one_way_in_degree_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.one_way_in_degree_of(table, at, ids[i])
    return answer


@njit
def joined_pairs(table: Table, at: Layout, ids: Ids, count: int, ways: int) -> int:
    """Of MOST_PAIRS random pairs of a list, how many follow: one the other, or both each other."""
    joined = 0
    for _ in range(MOST_PAIRS):
        a = np.random.randint(0, count)  # noqa: NPY002
        b = (a + 1 + np.random.randint(0, count - 1)) % count  # noqa: NPY002
        if kernels.follows(table, at, ids[a], ids[b]) and (ways < BOTH or kernels.follows(table, at, ids[b], ids[a])):
            joined += 1
    return joined
