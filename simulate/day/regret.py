"""What the threshold costs beside the best rule: whether to push or pull decided for each pair (Silberstein and others,
"Feeding Frenzy", SIGMOD 2010). A push costs what the author tweets, a pull what the reader reads; who has no cached timeline
is pushed to for nothing. Followees of sampled readers, each pair once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..compiled import njit
from ..population.activity import read_rate, resident, tweet_rate
from ..population.calibrate import sample_users
from ..population.hashing import Table
from ..population.kernels import following_into, in_degree_of, is_celebrity, out_degree_of
from .draws import Floats, Sums

if TYPE_CHECKING:
    from ..population.people import Population

SAMPLED = 4_096


class Regret(msgspec.Struct, frozen=True):
    """Operations a day and sampled reader, by rule; and how far the threshold is above the best, with its standard error."""

    readers: int
    pairs: int
    threshold: float
    best: float
    all_pushed: float
    all_pulled: float
    regret: float
    regret_error: float


def regret(population: Population, *, push_cost: float = 1.0, pull_cost: float = 1.0, sampled: int = SAMPLED) -> Regret:
    """Of the graph's threshold, where a pushed entry and a pulled list cost so much each."""
    users = sample_users(population.graph.users, population.seed, sampled)
    costs = np.zeros((len(users), 5))
    _costs(population.table, population.at, population.act, users, push_cost, pull_cost, costs)
    rule, best, pushed, pulled, pairs = costs.mean(axis=0).tolist()
    over = costs[:, 0] - costs[:, 1] * (rule / best if best else 1.0)
    error = float(over.std(ddof=1)) / np.sqrt(len(users)) / best if best else 0.0
    return Regret(
        len(users), round(pairs * len(users)), rule, best, pushed, pulled, rule / best - 1 if best else 0.0, float(error)
    )


@njit
def _costs(table: Table, at: Any, act: Floats, users: Sums, push_cost: float, pull_cost: float, out: Floats) -> None:
    """A reader a row: by threshold, by the better of both, all pushed, all pulled, pairs."""
    followees = np.empty(1 << 15, np.int64)
    for place in range(len(users)):
        reader = users[place]
        count = following_into(table, at, reader, followees)
        pull = read_rate(act, reader, out_degree_of(table, at, reader)) * pull_cost
        here = resident(act, reader)
        out[place, 4] = count
        for k in range(count):
            author = followees[k]
            push = tweet_rate(act, author, in_degree_of(table, at, author)) * push_cost if here else 0.0
            out[place, 0] += pull if is_celebrity(table, at, author) else push
            out[place, 1] += min(push, pull)
            out[place, 2] += push
            out[place, 3] += pull
