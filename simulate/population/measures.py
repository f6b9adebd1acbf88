"""Measures of a population: users by sample with all celebrities unsampled, edges around sampled users, tweets of a day.

Compiled loops; integer or plain sums. What the figures are held against is in `summary`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compiled import njit
from .activity import Floats, read_rate, resident, tweet_rate
from .calibrate import sample_users
from .chance import below, mix
from .graph import id_of_star
from .hashing import Table
from .kernels import (
    following_into,
    follows,
    in_degree_of,
    out_degree_of,
    pull_width_of,
    region_of,
)
from .people import Population
from .tables import Layout

Ids = npt.NDArray[np.int64]
PAIRS = 64  # of followees looked at around a user, for clustering
EDGE_USERS = 1_500
EDGE_STREAM = 0xED6E
FOLLOWERS, FOLLOWING, WIDTH, TWEETS, READS, RESIDENT, REGION = range(7)


class Crowd(NamedTuple):
    """Measured users, one row each (columns as named above), and how many accounts a row stands for."""

    rows: Floats
    weights: Floats
    sampled: int
    celebrities: int

    def column(self, place: int) -> Floats:
        """One fact of everybody."""
        return self.rows[:, place]

    def total(self, values: Floats) -> float:
        """Over the whole population."""
        return float(self.weights @ values)

    def mean(self, values: Floats) -> float:
        """Over the whole population."""
        return self.total(values) / float(self.weights.sum())


class Edges(NamedTuple):
    """Counts around the sampled users."""

    users: int
    slots: int
    distinct: int
    back: int  # followees who follow back
    at_home: int  # followees in the same region
    pairs: int  # of followees of one user
    joined: int  # of these, where either follows the other


def crowd(people: Population, sample: int) -> Crowd:
    """Ordinary users by a stratified sample, celebrities all."""
    graph = people.graph
    ids = sample_users(graph.users, people.seed, sample)
    ordinary = ids[~graph.is_celebrity(ids)]
    famous = stars(people)
    every = np.concatenate((ordinary, famous))
    rows = np.empty((len(every), 7))
    measure(people.act, people.table, people.at, every, rows)
    each = (graph.users - len(famous)) / max(1, len(ordinary))
    return Crowd(rows, np.concatenate((np.full(len(ordinary), each), np.ones(len(famous)))), len(ordinary), len(famous))


def edges(people: Population) -> Edges:
    """Around up to `EDGE_USERS` users: repetitions, reciprocity, region, clustering."""
    ids = sample_users(people.graph.users, people.seed + 1, EDGE_USERS)
    out = np.zeros(6, np.int64)
    room = np.empty(int(people.graph.out_degree(ids).max()), np.int64)
    around(people.act, people.table, people.at, ids, room, out)
    return Edges(len(ids), *out.tolist())


def distinct_followers(people: Population, ranks: int, limit: int) -> tuple[int, int]:
    """Distinct and listed followers, over the first `limit` of each of the most followed accounts."""
    found = [people.graph.followers(people.graph.celebrity_by_rank(rank), 0, limit) for rank in range(ranks)]
    return sum(len(np.unique(one)) for one in found), sum(map(len, found))


def stars(people: Population) -> Ids:
    """Every celebrity: the accounts of the first bins of the ranking by followers."""
    shape = people.graph.shape
    return stars_of(people.table, people.at, shape.celebrity_rows * shape.layers, shape.provinces)


@njit
def stars_of(table: Table, at: Layout, each: int, provinces: int) -> Ids:
    """`each` of every province."""
    out = np.empty(each * provinces, np.int64)
    for star in range(each):
        for province in range(provinces):
            out[star * provinces + province] = id_of_star(table, at, star, province)
    return out


@njit
def measure(act: Floats, table: Table, at: Layout, ids: Ids, out: Floats) -> None:
    """The columns of `Crowd` for each."""
    for place in range(len(ids)):
        i = ids[place]
        followers, following = in_degree_of(table, at, i), out_degree_of(table, at, i)
        out[place, 0] = followers
        out[place, 1] = following
        out[place, 2] = pull_width_of(table, at, i)
        out[place, 3] = tweet_rate(act, i, followers)
        out[place, 4] = read_rate(act, i, following)
        out[place, 5] = resident(act, i)
        out[place, 6] = region_of(table, at, i)


@njit
def around(act: Floats, table: Table, at: Layout, ids: Ids, room: Ids, out: Ids) -> None:
    """Slots, distinct, back, at home, pairs, joined."""
    key = int(act[0]) ^ EDGE_STREAM
    for place in range(len(ids)):
        i = ids[place]
        out[0] += out_degree_of(table, at, i)
        count = following_into(table, at, i, room)
        mine = room[:count]
        out[1] += len(np.unique(mine))
        home = region_of(table, at, i)
        for followee in mine:
            out[2] += follows(table, at, followee, i)
            out[3] += region_of(table, at, followee) == home
        if count < 2:
            continue
        for pair in range(PAIRS):
            one = below(mix(mix(key, i), 2 * pair), count)
            other = below(mix(mix(key, i), 2 * pair + 1), count - 1)
            other += other >= one
            out[4] += 1
            out[5] += follows(table, at, mine[one], mine[other]) or follows(table, at, mine[other], mine[one])
