"""The most followed accounts enumerated whole: distinct, exactly their number, and spread over shards as chance would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from ..compiled import njit
from ..population import kernels
from ..population.graph import Graph
from ..population.hashing import Ids, Table
from ..population.tables import Layout

SHARDS = (100, 256, 1024)
PAGE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumerated:
    """One account: its tabled followers, those found, the distinct ones among them, and a p-value for each number of shards."""

    rank: int
    user: int
    tabled: int
    found: int
    distinct: int
    follows_itself: bool
    p_values: tuple[float, ...]

    @property
    def exact(self) -> bool:
        """Exactly as many as the table says, nobody twice, not the account itself."""
        return self.tabled == self.found == self.distinct and not self.follows_itself


def enumerated(graph: Graph, top: int) -> Iterator[Enumerated]:
    """The first `top` accounts, one after another."""
    for rank in range(top):
        user = graph.celebrity_by_rank(rank)
        seen = np.zeros((graph.users + 63) // 64, np.uint64)
        counts = (np.zeros(SHARDS[0], np.int64), np.zeros(SHARDS[1], np.int64), np.zeros(SHARDS[2], np.int64))
        found, distinct = walk(graph.table, graph.at, user, seen, counts)
        own = bool((int(seen[user >> 6]) >> (user & 63)) & 1)
        yield Enumerated(
            rank=rank, user=user, tabled=int(graph.in_degree([user])[0]), found=found, distinct=distinct, follows_itself=own,
            p_values=tuple(evenness(count, found, graph.users) for count in counts),
        )


@njit
def walk(
    table: Table, at: Layout, user: int, seen: NDArray[np.uint64], counts: tuple[Ids, Ids, Ids],
) -> tuple[int, int]:
    """Page through an account's followers: (found, distinct); counts by shard on the way."""
    page = np.empty(PAGE, np.int64)
    hundred, middle, thousand = counts
    found, distinct = 0, 0
    count = kernels.followers_into(table, at, user, 0, page)
    while count > 0:
        for k in range(count):
            follower = page[k]
            bit = np.uint64(1) << np.uint64(follower & 63)
            distinct += 0 if seen[follower >> 6] & bit else 1
            seen[follower >> 6] |= bit
            hundred[follower % SHARDS[0]] += 1
            middle[follower % SHARDS[1]] += 1
            thousand[follower % SHARDS[2]] += 1
        found += count
        count = kernels.followers_into(table, at, user, found, page)
    return found, distinct


def evenness(counts: Ids, drawn: int, users: int) -> float:
    """p-value that `drawn` distinct users fall so unevenly on shards (id modulo their number): chi-square, hypergeometric.

    A large share of a finite population spreads more evenly than independent draws; the variance says so.
    """
    shards = counts.size
    holds = np.full(shards, users // shards) + (np.arange(shards) < users % shards)
    expected = drawn * holds / users
    chi = float(((counts - expected) ** 2 / expected).sum()) * (users - 1) / (users - drawn)
    return float(stats.chi2.sf(chi, shards - 1))


def spread_holds(accounts: list[Enumerated], level: float = 0.01) -> tuple[bool, float]:
    """Whether no p-value is below the level over the number of tests (Bonferroni), and the smallest."""
    values = [p for account in accounts for p in account.p_values]
    smallest = min(values)
    return smallest >= level / len(values), smallest
